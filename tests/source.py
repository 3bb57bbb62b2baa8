"""Python source as a syntax tree, for tests that read code without importing it."""

import ast
import gc


def syntax_tree(text: str) -> ast.Module:
    """`ast.parse`, while nothing is collected.

    Python 3.11 raises "AST constructor recursion depth mismatch" when a finaliser that the collector runs in between
    goes deep itself; a test before may have left a closed database to it.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        return ast.parse(text)
    finally:
        if was_enabled:
            gc.enable()
