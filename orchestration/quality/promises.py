"""What each test of the dbt project promises, in words for people who do not read SQL.

From the description in the YAML where it has one; else from the arguments of a generic test, or from the comment that opens a test.
"""

from collections.abc import Callable, Mapping
from typing import Any

from orchestration.wording import listed


def promise(test: Mapping[str, Any]) -> str | None:
    """The promise of a test, as the manifest has it; None where nothing says what it is."""
    if test.get("description"):
        return test["description"]
    generic = test.get("test_metadata")
    if not generic:
        return _opening_comment(test["raw_code"]) or None
    words = GENERIC.get(generic["name"])
    return words(generic["kwargs"]) if words else None


def _opening_comment(code: str) -> str:
    """The first comment of a test: `Fails if ...: then ...`."""
    lines: list[str] = []
    for line in code.splitlines():
        if line.startswith("-- ") and not line.startswith("-- depends_on"):
            lines.append(line.removeprefix("-- ").strip())
        elif lines:
            break
    return " ".join(lines)


def _columns(names: list[str]) -> str:
    return listed([f"`{name}`" for name in names])


def _unique_key(arguments: Mapping[str, Any]) -> str:
    return f"No two rows have the same {_columns(arguments['columns'])}: else something would be counted twice."


def _never_null(arguments: Mapping[str, Any]) -> str:
    return f"Every row has {_columns(arguments['columns'])}: never unknown."


def _not_null(arguments: Mapping[str, Any]) -> str:
    return _never_null({"columns": [arguments["column_name"]]})


def _accepted_values(arguments: Mapping[str, Any]) -> str:
    *others, last = [f"`{value}`" for value in arguments["values"]]
    return f"`{arguments['column_name']}` is {', '.join(others)} or {last}, nothing else."


def _disjoint_intervals(arguments: Mapping[str, Any]) -> str:
    intervals = listed([f"`{begin}` to `{end}`" for begin, end in arguments["intervals"]])
    return (
        f"No two rows of the same {_columns(arguments['key'])} overlap in {intervals} at once: "
        "else one request would have two prices."
    )


GENERIC: dict[str, Callable[[Mapping[str, Any]], str]] = {
    "unique_key": _unique_key,
    "never_null": _never_null,
    "not_null": _not_null,
    "accepted_values": _accepted_values,
    "disjoint_intervals": _disjoint_intervals,
}
