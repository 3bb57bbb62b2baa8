"""A CSV file as a person, or a spreadsheet, saved it: read, or refused with a sentence that names line and column.

What a spreadsheet adds or loses (another encoding, semicolons, empty rows and columns, spaces that nobody sees) is refused, because it
would mean something else. A byte order mark and CRLF are harmless. A row whose first field is `#`, or begins with `# `, is a comment:
a spreadsheet shows it as a row and saves it as one. A name such as `#costs` is not a comment.
"""

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

SAVE_AS = "save it as `CSV UTF-8 (comma delimited)`"
OTHER_SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "bars"}
Fields = dict[str, str]


@dataclass
class Table:
    """What a file holds: its columns, the rows by line number, and a sentence for each thing that keeps it or a row from being read."""

    columns: list[str] = field(default_factory=list)
    header_line: int = 1
    rows: dict[int, Fields] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


def read_table(path: Path) -> Table:
    """Reads a file; what is wrong with it is in `problems`."""
    try:
        content = path.read_bytes()
    except OSError as error:
        return Table(problems=[f"{path.name} cannot be read: {error.strerror}."])
    problem = _why_no_text(path.name, content)
    if problem:
        return Table(problems=[problem])
    table = Table()
    reader = csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""), strict=True)
    try:
        table.columns = next((fields for fields in reader if fields and not _is_comment(fields)), [])
        table.header_line = reader.line_num or 1
        table.problems = [f"{path.name} line {table.header_line}: {sentence}" for sentence in _in_header(table.columns)]
        for fields in () if table.problems else reader:
            if not fields or _is_comment(fields):
                continue
            wrong = list(_in_row(table.columns, fields))
            table.problems += [f"{path.name} line {reader.line_num}: {sentence}" for sentence in wrong]
            if not wrong:
                table.rows[reader.line_num] = dict(zip(table.columns, fields, strict=True))
    except csv.Error as error:
        table.problems = [f"{path.name} line {reader.line_num}: {error}: look for a quotation mark that is not closed."]
    return table


def _is_comment(fields: list[str]) -> bool:
    return fields[0] == "#" or fields[0].startswith("# ")


def _why_no_text(name: str, content: bytes) -> str | None:
    """The sentence about a file that is not UTF-8 text."""
    if content.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0")):
        return f"{name} is a workbook: in the spreadsheet, {SAVE_AS}."
    if content.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\x00" in content:
        return f"{name} is UTF-16 or holds bytes that are not text: {SAVE_AS}."
    try:
        content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = content[: error.start].decode("utf-8-sig")
        place = f"line {before.count(chr(10)) + 1}, {_column_at(before, content, error.start)}"
        return f"{name} {place}: {_shown(_around(content, error.start))} is not UTF-8: {SAVE_AS}."
    return None


def _column_at(before: str, content: bytes, position: int) -> str:
    """The column that a byte of the file is in, by the header."""
    header = next(csv.reader([content.splitlines()[0].decode("utf-8-sig", "replace")]), [])
    place = len(next(csv.reader([before.rpartition("\n")[2] + "x"]), ["x"])) - 1
    return f"column {header[place]}" if before.count("\n") and place < len(header) else f"character {position + 1}"


def _around(content: bytes, position: int) -> str:
    """The field around a byte, as the encoding of older spreadsheets has it."""
    start = max(content.rfind(mark, 0, position) for mark in (b",", b"\n", b";", b'"')) + 1
    ends = [end for mark in (b",", b"\n", b";", b'"', b"\r") if (end := content.find(mark, position)) >= 0]
    return content[start : min(ends, default=len(content))].decode("cp1252", "replace")


def _in_header(header: list[str]) -> Iterator[str]:
    [only] = header if len(header) == 1 else [""]
    for separator, word in OTHER_SEPARATORS.items():
        if separator in only:
            yield f"its columns are separated by {word}: {SAVE_AS}, with commas."
            return
    for place, name in enumerate(header, start=1):
        if not name:
            yield f"column {place} has no name: delete the empty columns."
            return
        if not name.isprintable() or name != name.strip():
            yield f"the name of column {place} is {name!r}, with invisible characters: write it again."
        if header.index(name) < place - 1:
            yield f"two columns are called {name}: delete one."
    if not header:
        yield "the file is empty: write the names of the columns, as the shipped file has them."


def _in_row(header: list[str], fields: list[str]) -> Iterator[str]:
    if not any(field.strip() for field in fields):
        yield "the row is empty: delete it."
    elif len(fields) < len(header):
        yield f"it has {len(fields)} fields, and there are {len(header)} columns: write a comma for each column, also a blank one."
    elif len(fields) > len(header):
        yield (
            f"it has {len(fields)} fields, and there are {len(header)} columns: write a decimal point instead of a comma, "
            "and put text that holds a comma in double quotes."
        )
    else:
        for name, field in zip(header, fields, strict=False):
            if field != field.strip() or any(not each.isprintable() and each != "\n" for each in field):
                yield f"{name}: {_shown(field)} holds spaces around it, or invisible characters: write it again."


def _shown(field: str) -> str:
    """A field as a sentence repeats it; not an address, which may hold a password."""
    return "the address" if "://" in field else repr(field)
