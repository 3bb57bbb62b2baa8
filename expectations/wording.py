"""What an outcome says to people: sentences from the suites' templates, and the failing rows as a Markdown table.

Values come from senders (model names, file names), so they are made plain before they are shown: one line, bounded, and
no markup of their own.
"""

import html
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any

EXAMPLES = 5  # a sentence is read on a phone: the table and the marts have the rest
TABLE_ROWS = 20
LONGEST_TEXT = 400  # characters of a value: a name, or why a bill differs in a sentence


class Count(int):
    """A number whose format may name what it counts: `{rows:model is|models are}` reads 1 model is, 3 models are."""

    def __format__(self, spec: str) -> str:
        if "|" not in spec:
            return super().__format__(spec)
        one, many = spec.split("|")
        return f"{int(self):,} {one if self == 1 else many}"


class Unknown:
    """A NULL in a sentence: it reads `unknown` under every format, never 0."""

    def __format__(self, spec: str) -> str:
        return f"unknown {spec.split('|')[-1]}" if "|" in spec else "unknown"


def failure_sentence(meta: Mapping[str, str], rows: list[dict[str, Any]], parameters: Mapping[str, Any]) -> str:
    """An expectation's `fails` template, filled with the failing rows: number, examples, the first one's values."""
    shown = [meta["example"].format_map(_spoken(row)) for row in rows[:EXAMPLES]] if "example" in meta else []
    more = [f"and {len(rows) - len(shown):,} more"] if shown and len(rows) > len(shown) else []
    first = _spoken(rows[0]) if rows else {}
    return meta["fails"].format_map(
        {**first, **parameters, "rows": Count(len(rows)), "examples": "; ".join(shown + more)}
    )


def _spoken(row: Mapping[str, Any]) -> dict[str, Any]:
    return {column: _speakable(value) for column, value in row.items()}


def _speakable(value: Any) -> Any:
    if value is None:
        return Unknown()
    if isinstance(value, str):
        return plain(value)
    if isinstance(value, Decimal):
        return value.normalize()
    return Count(value) if isinstance(value, int) and not isinstance(value, bool) else value


def plain(value: Any) -> str:
    """A value as one bounded line of text; `-` for NULL."""
    if value is None:
        return "-"
    if isinstance(value, datetime | date):
        return value.isoformat(" ") if isinstance(value, datetime) else value.isoformat()
    if isinstance(value, Decimal):
        return f"{value.normalize():f}"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    text = " ".join("".join(letter if letter.isprintable() else " " for letter in str(value)).split())
    return text if len(text) <= LONGEST_TEXT else f"{text[: LONGEST_TEXT - 1]}…"


def markdown_table(columns: list[str], rows: list[dict[str, Any]]) -> str:
    """At most 20 rows as Markdown, with a line on how many there are more; a dash when there is none."""
    if not rows:
        return "-"
    lines = [_markdown_row(columns), _markdown_row(["---"] * len(columns), escape=False)]
    lines += [_markdown_row(plain(row[column]) for column in columns) for row in rows[:TABLE_ROWS]]
    more = len(rows) - TABLE_ROWS
    return "\n".join(lines) + (f"\n\nand {Count(more):row|rows} more" if more > 0 else "")


def _markdown_row(cells: Iterable[str], escape: bool = True) -> str:
    return "| " + " | ".join(_markdown_cell(cell) if escape else cell for cell in cells) + " |"


def _markdown_cell(text: str) -> str:
    for letter in "\\`*[]|":
        text = text.replace(letter, f"\\{letter}")
    return html.escape(text, quote=False)
