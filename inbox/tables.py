"""Tables as CSV, and queries with their values, to paste."""

import csv
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal

from inbox.filters import Filters
from inbox.page import File, Visit

FORMULA = ("=", "+", "-", "@", "\t", "\r")  # what spreadsheets take for one at the beginning of a cell
PARAMETER = re.compile(r"\$(\w+)")


def csv_of(
    visit: Visit, page: str, tables: Mapping[str, Sequence[Mapping[str, object]]], filters: Filters | None = None
) -> File | None:
    """The table of a page that the address wants as a file, with every column; None where it wants the page."""
    if visit.words.get("format") != "csv":
        return None
    name = visit.word("table", tuple(tables))
    rows = tables[name]
    columns = list(rows[0]) if rows else []
    about = f"{_address(visit, page, name, filters)}; dollars are USD"
    return csv_file(f"{page}-{name}", about, columns, (row.values() for row in rows))


def csv_addresses(visit: Visit, page: str, tables: Iterable[str], filters: Filters | None = None) -> dict[str, str]:
    """Where each table of a page is as a file."""
    return {name: f"{_address(visit, page, name, filters)}&format=csv" for name in tables}


def _address(visit: Visit, page: str, table: str, filters: Filters | None) -> str:
    kept: dict[str, object] = {word: value for word, value in visit.words.items() if word != "format"}
    return (filters or visit.filters).address(page, **(kept | {"table": table}))


def csv_file(name: str, about: str, columns: Sequence[str], rows: Iterable[Iterable[object]]) -> File:
    """A table as CSV; the first line says what it is about, and no text in it is a formula."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([f"# {about}"])
    writer.writerow(columns)
    writer.writerows([_cell(value) for value in row] for row in rows)
    return File(f"{name}.csv", "text/csv", text.getvalue())


def _cell(value: object) -> object:
    """Text that would be a formula gets an apostrophe; NULL is empty."""
    if value is None:
        return ""
    if isinstance(value, Decimal):  # without the zeros of its scale
        return f"{value:f}".rstrip("0").rstrip(".") if "." in f"{value:f}" else f"{value:f}"
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value


def pasted(sql: str, parameters: Mapping[str, object]) -> str:
    """A query with its values in it, to run unchanged on the published file."""
    text = PARAMETER.sub(lambda found: _literal(parameters[found[1]]) if found[1] in parameters else found[0], sql)
    lines = [line.rstrip() for line in text.strip("\n").splitlines() if line.strip()]
    indent = min((len(line) - len(line.lstrip()) for line in lines), default=0)
    return "\n".join(line[indent:] for line in lines)


def _literal(value: object) -> str:
    if isinstance(value, date):
        return f"date '{value:%Y-%m-%d}'"
    if isinstance(value, int | float):
        return str(value)
    return "'" + str(value).replace("'", "''") + "'"
