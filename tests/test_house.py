"""How the house is built (DESIGN, section 2): which way imports point, and what has one place only.

Read from the source, without importing any of it.
"""

import ast
import re
from functools import cache
from graphlib import CycleError, TopologicalSorter

import pytest

from orchestration.landing.reasons import ADVICE, FILE_PROBLEMS
from orchestration.settings import PROJECT
from tests.source import syntax_tree

FOLDERS = ("pricing", "expectations", "orchestration", "inbox", "demo", "benchmarks")
MODULES = {
    ".".join(path.relative_to(PROJECT).with_suffix("").parts).removesuffix(".__init__"): path
    for folder in FOLDERS
    for path in sorted((PROJECT / folder).rglob("*.py"))
}
OURS = [name for name in MODULES if name.startswith("orchestration")]
STORAGE = "orchestration.storage"


@cache
def tree(name: str) -> ast.Module:
    return syntax_tree(MODULES[name].read_text())


@cache
def imports(name: str, when_imported: bool = False) -> frozenset[str]:
    """The modules that a module names: anywhere, or only those that are there as soon as it is imported."""
    found = set()
    for node in _at_import(tree(name)) if when_imported else ast.walk(tree(name)):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            found.add(node.module)
            found.update(full for alias in node.names if (full := f"{node.module}.{alias.name}") in MODULES)
    return frozenset(found)


def _at_import(node: ast.AST):
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            yield child
            yield from _at_import(child)


def _graph(node_of) -> dict[str, set[str]]:
    """Node -> the nodes that its modules import; a node is what `node_of` makes of a module's name."""
    graph: dict[str, set[str]] = {}
    for name in MODULES:
        node = node_of(name)
        others = {node_of(imported) for imported in imports(name) if imported in MODULES}
        graph.setdefault(node, set()).update(others - {node, None})
    graph.pop(None, None)
    return graph


def _folder(name: str) -> str:
    return name.partition(".")[0]


def _part_of_orchestration(name: str) -> str | None:
    """A folder of orchestration, or a module at its top."""
    return ".".join(name.split(".")[:2]) if name.startswith("orchestration.") else None


@pytest.mark.parametrize("node_of", [_folder, _part_of_orchestration])
def test_imports_point_one_way(node_of):
    graph = _graph(node_of)
    assert len(graph) >= len(FOLDERS)
    try:
        list(TopologicalSorter(graph).static_order())
    except CycleError as error:
        pytest.fail(f"Each of these imports the one before it: {' <- '.join(error.args[1])}.")


def test_pricing_and_expectations_are_libraries():
    graph = _graph(_folder)
    assert graph["pricing"] == set()
    assert graph["expectations"] == set()


def _reached_at_import(name: str) -> set[str]:
    """Everything that comes with a module, packages above it included."""
    reached, waiting = set(), [name]
    while waiting:
        one = waiting.pop()
        if one in reached:
            continue
        reached.add(one)
        if one in MODULES:
            above = [one.rsplit(".", depth)[0] for depth in range(1, one.count(".") + 1)]
            waiting += [*imports(one, when_imported=True), *above]
    return reached


def test_dagster_is_imported_where_assets_and_runs_are():
    by_name = {name for name in OURS if any(_folder(each).startswith("dagster") for each in imports(name))}
    allowed = {
        f"orchestration.{name}"
        for name in ("dbt", "runs", "definitions", "commands.home", "event_log", "launching", "run_failures")
    }
    assert {name for name in by_name - allowed if not name.startswith("orchestration.defs.")} == set()


def test_what_reads_the_marts_does_not_import_dagster():
    readers = [name for name in OURS if "open_marts" in MODULES[name].read_text() and name != "orchestration.warehouse"]
    assert "orchestration.commands.report" in readers
    readers += [name for name in MODULES if _folder(name) == "inbox"]
    slow = {name for name in readers if any(_folder(each) == "dagster" for each in _reached_at_import(name))}
    assert slow == set()


def test_great_expectations_is_imported_in_one_module_and_only_to_judge():
    def gx(found: frozenset[str]) -> bool:
        return any(_folder(each) == "great_expectations" for each in found)

    assert [name for name in MODULES if gx(imports(name))] == ["expectations.run"]
    assert not gx(imports("expectations.run", when_imported=True))


def test_files_are_written_whole_and_locked_in_one_module():
    for name in MODULES.keys() - {STORAGE}:
        assert not imports(name) & {"fcntl", "filelock", "portalocker"}, f"{name}: locks are taken in storage.py."
        found = [node.attr for node in ast.walk(tree(name)) if isinstance(node, ast.Attribute)]
        assert not {"fsync", "fdatasync", "flock"} & set(found), f"{name}: storage.sync waits for the disk."


def test_files_are_renamed_in_one_module():
    """And where a folder or a part, whole already, gets its name: a publication, a raw file of a load."""
    renaming = {name for name in MODULES if any(_is_rename(node) for node in ast.walk(tree(name)))}
    assert renaming == {STORAGE, "orchestration.publishing.publications", "orchestration.landing.load"}


def _is_rename(node: ast.AST) -> bool:
    """`path.rename(to)`, `path.replace(to)`, `os.replace(one, other)`; not the replace of texts, instants or dataclasses."""
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute) or node.keywords:
        return False
    if ast.unparse(node.func) in ("os.replace", "os.rename", "shutil.move"):
        return True
    is_path = len(node.args) == 1 and not isinstance(node.args[0], ast.Constant)  # pandas renames a series to a text
    return node.func.attr in ("rename", "replace") and is_path


def test_every_reject_reason_has_its_advice():
    """Where the loader names a reason, as the first word of a refusal or in the SQL that judges lines."""
    source = "\n".join(MODULES[name].read_text() for name in OURS if name.startswith("orchestration.landing"))
    named = set()
    for name in OURS:
        if name.startswith("orchestration.landing."):
            named |= {code for node in ast.walk(tree(name)) for code in _reasons_in(node)}
    named |= set(re.findall(r"'([a-z_]+)' \|\| chr\(9\)", source)) | set(FILE_PROBLEMS)
    assert len(named) > 15
    assert named - ADVICE.keys() == set()
    assert {code for code in ADVICE if len(re.findall(rf"\b{code}\b", source)) < 2} == set()


def _reasons_in(node: ast.AST) -> set[str]:
    refusing = {"Refused", "BrokenFile", "Broken", "_refuse", "refuse", "_reject", "LandingFile"}
    if not isinstance(node, ast.Call) or getattr(node.func, "id", getattr(node.func, "attr", "")) not in refusing:
        return set()
    words = {argument.value for argument in node.args if isinstance(argument, ast.Constant)}
    return {word for word in words if isinstance(word, str) and re.fullmatch(r"[a-z]+(_[a-z0-9]+)+", word)}


def test_the_page_on_sources_has_every_reject_reason():
    page = (PROJECT / "docs" / "sources.md").read_text()
    rows = re.findall(r"^\| ([a-z0-9_]+) \|", page[page.index("| reason_code |") :].split("\n\n")[0], re.MULTILINE)
    assert set(rows) - {"reason_code"} == ADVICE.keys() | {"set_aside"}  # by hand, not by the loader


def test_money_is_rounded_in_one_module():
    rounding = re.compile(r":[+]?,?\.[26]f\}|ROUND_HALF")
    found = {name for name in OURS if rounding.search(MODULES[name].read_text())}
    # costs as they are booked and amounts as they are billed, to 12 places, and figures that the ledger compares
    others = {"orchestration.commands.explain", "orchestration.landing.invoices", "orchestration.weekly.figures"}
    assert found == {"orchestration.wording", *others}


def test_every_command_of_make_is_a_module():
    named = set(re.findall(r"python -m ([\w.]+)", (PROJECT / "Makefile").read_text()))
    assert "orchestration.commands.report" in named
    assert [name for name in named if name not in MODULES and f"{name}.__main__" not in MODULES] == []
    for name in OURS:
        if name.startswith("orchestration.commands."):
            is_run = '__name__ == "__main__"' in MODULES[name].read_text()
            assert is_run, f"{name} stands among the commands and is none."
