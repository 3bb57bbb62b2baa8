"""Puts every question of the cookbook, its SQL and its real output into docs/cookbook.md, between that question's markers.

python docs/cookbook/render.py --data DIR      DIR is a data root with published marts, such as the demo's
"""

import argparse
import re
import sys
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

import duckdb

COOKBOOK = Path(__file__).resolve().parent
PAGE = COOKBOOK.with_suffix(".md")
MAX_ROWS = 8
MARKERS = re.compile(r"(<!-- begin (?P<name>[\w-]+) -->\n)(?P<body>.*?)(<!-- end (?P=name) -->)", re.DOTALL)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; 2 with a sentence on stderr when files and markers do not match."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="data root with published/tokentrail.duckdb")
    options = parser.parse_args(arguments)
    page = PAGE.read_text()
    marked = [match["name"] for match in MARKERS.finditer(page)]
    if marked != [path.stem for path in questions()]:
        files = ", ".join(path.stem for path in questions())
        sys.stderr.write(f"{PAGE}: the markers are {', '.join(marked)}, the files {files}: make them the same.\n")
        return 2
    with duckdb.connect(str(options.data / "published" / "tokentrail.duckdb"), read_only=True) as marts:
        PAGE.write_text(MARKERS.sub(lambda match: _rendered(match, marts), page))
    return 0


def questions() -> list[Path]:
    """The cookbook's files in the order of the page."""
    return sorted(COOKBOOK.glob("*.sql"))


def question_and_sql(path: Path) -> tuple[str, str]:
    """The first comment line, which is the question, and the statement below it."""
    question, _, sql = path.read_text().partition("\n")
    return question.removeprefix("-- "), sql.strip()


def _rendered(match: re.Match, marts: duckdb.DuckDBPyConnection) -> str:
    question, sql = question_and_sql(COOKBOOK / f"{match['name']}.sql")
    rows = marts.execute(sql)
    columns = [column[0] for column in rows.description]
    table = _table(columns, rows.fetchall())
    return f"{match[1]}\n### {question}\n\n```sql\n{sql}\n```\n\n{table}\n\n{match[4]}"


def _table(columns: list[str], rows: list[tuple]) -> str:
    """A Markdown table of the first rows, numbers to the right, and how many are not shown."""
    numeric = [any(_is_number(row[index]) for row in rows) for index in range(len(columns))]
    lines = [columns, [("---:" if number else "---") for number in numeric]]
    lines += [[_text(value) for value in row] for row in rows[:MAX_ROWS]]
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return table + (f"\n\n{len(rows)} rows, the first {MAX_ROWS} are shown." if len(rows) > MAX_ROWS else "")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float | Decimal) and not isinstance(value, bool)


def _text(value: object) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | Decimal):
        return f"{value:,f}" if isinstance(value, Decimal) else f"{value:,}"
    return str(value).replace("|", "\\|")


if __name__ == "__main__":
    raise SystemExit(main())
