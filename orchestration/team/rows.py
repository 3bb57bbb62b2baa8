"""A team's file over the shipped one: a row of the team replaces the shipped row of its key, and the other defaults stay."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Any, Generic, NamedTuple, TypeVar

from pydantic import BaseModel, ValidationError

from orchestration.team.files import Table, read_table

SHIPPED = Path(__file__).with_name("shipped")
Row = TypeVar("Row", bound=BaseModel)


class TeamFileError(ValueError):
    """A file of the team that cannot be used; the message has a sentence for each mistake."""


class Name(NamedTuple):
    """A name in a row of the team that usage should have: its column, what it is a name of (`int_seen_names` has the kinds), the name."""

    column: str
    kind: str
    name: str


@dataclass(frozen=True)
class Found(Generic[Row]):
    """A row, and the line of the file that it comes from."""

    row: Row
    file: str
    line: int
    is_shipped: bool

    @property
    def place(self) -> str:
        """Where it is, as sentences name it."""
        return f"{self.file} line {self.line}"


def _no_rules(rows: list[Found[Any]]) -> Iterable[str]:
    return ()


def _no_names(row: Any) -> Iterable[Name]:
    return ()


def _as_it_is(row: Any, kept: Callable[[str], str]) -> Any:
    return row


@dataclass(frozen=True)
class TeamFile(Generic[Row]):
    """One file that a team may have: `<name>.csv` in its folder, over the defaults in `shipped/<name>.csv`.

    Columns and types are those of `row`. `key` names the columns of which no two rows may be alike, none where they may; `check` yields
    sentences about all rows together; `references` are columns whose values are keys of another file; `names` are what usage should
    have; `as_kept` puts the environments that a row names as the environment map keeps them.
    """

    name: str
    row: type[Row]
    key: tuple[str, ...] = ()
    check: Callable[[list[Found[Row]]], Iterable[str]] = _no_rules
    references: Mapping[str, "TeamFile[Any]"] = field(default_factory=dict)
    names: Callable[[Row], Iterable[Name]] = _no_names
    as_kept: Callable[[Row, Callable[[str], str]], Row] = _as_it_is

    @property
    def file(self) -> str:
        """Its name in the team's folder."""
        return f"{self.name}.csv"

    @property
    def columns(self) -> list[str]:
        """The columns, in their order."""
        return list(self.row.model_fields)

    def key_of(self, row: Row) -> tuple[object, ...]:
        """What makes it the row that it is."""
        return tuple(getattr(row, column) for column in self.key)


def read_rows(folder: Path, file: TeamFile[Row]) -> list[Row]:
    """The rows of one file of a team, defaults included. Raises TeamFileError with a sentence for each mistake, by line."""
    found, problems = find_rows(folder, file)
    if problems:
        raise TeamFileError("\n".join(problems))
    return [each.row for each in found]


def find_rows(
    folder: Path, file: TeamFile[Row], kept: Callable[[str], str] = str
) -> tuple[list[Found[Row]], list[str]]:
    """The shipped rows and the team's, each with its line, and a sentence for each mistake. `kept` maps names of environments."""
    shipped, problems = _rows(read_table(SHIPPED / file.file), file, {}, kept)
    defaults = [replace(each, is_shipped=True) for each in shipped]
    if (folder / file.file).exists():
        by_key = {file.key_of(each.row): each.row for each in defaults} if file.key else {}
        rows, mistakes = _rows(read_table(folder / file.file), file, by_key, kept)
        problems += [*mistakes, *_duplicates(file, rows)]
        own = {file.key_of(each.row) for each in rows} if file.key else set()
        defaults = [each for each in defaults if file.key_of(each.row) not in own] + rows
    if not problems:  # a row with a mistake in it is not missing
        problems += file.check(defaults)
    return defaults, problems


def _rows(
    table: Table, file: TeamFile[Row], defaults: Mapping[tuple[object, ...], Row], kept: Callable[[str], str]
) -> tuple[list[Found[Row]], list[str]]:
    """The rows of a table. A column that an older file lacks has the value of the shipped row of the same key, or is blank."""
    unfit = [f"{file.file} line {table.header_line}: {sentence}" for sentence in _in_columns(file, table.columns)]
    if unfit or not table.columns:
        return [], table.problems or unfit
    missing = [column for column in file.columns if column not in table.columns]
    rows, problems = list[Found[Row]](), list(table.problems)
    for line, fields in table.rows.items():
        try:
            row = file.as_kept(file.row.model_validate(dict.fromkeys(missing, "") | fields), kept)
        except ValidationError as error:
            problems += [f"{file.file} line {line}: {sentence}" for sentence in _sentences(error)]
            continue
        default = defaults.get(file.key_of(row)) if missing else None
        if default is not None:
            row = row.model_copy(update={column: getattr(default, column) for column in missing})
        rows.append(Found(row, file.file, line, is_shipped=False))
    return rows, problems


def _in_columns(file: TeamFile[Row], columns: list[str]) -> Iterable[str]:
    """Sentences about columns that the file does not have, and about those that it cannot do without."""
    meant = set(columns)  # a misspelt column is not also missing
    for column in columns:
        if column not in file.columns:
            nearest = get_close_matches(column, file.columns, n=1)
            meant.update(nearest)
            advice = f"did you mean {nearest[0]}?" if nearest else f"the columns are {', '.join(file.columns)}."
            yield f"there is no column {column!r}: {advice}"
    for column in file.columns:
        if columns and column not in meant and column in _required_columns(file.row):
            yield f"the column {column} is missing: add it."


@cache
def _required_columns(kind: type[BaseModel]) -> frozenset[str]:
    """Columns that a row may not leave blank, so that no file may lack them."""
    try:
        kind.model_validate(dict.fromkeys(kind.model_fields, ""))
    except ValidationError as error:
        return frozenset(str(detail["loc"][0]) for detail in error.errors() if detail["loc"])
    return frozenset()


def _duplicates(file: TeamFile[Row], rows: list[Found[Row]]) -> Iterable[str]:
    """A sentence for each line whose key an earlier one has."""
    first: dict[object, int] = {}
    for found in rows if file.key else ():
        key = file.key_of(found.row)
        if first.setdefault(key, found.line) != found.line:
            named = ", ".join(str(value) for value in key if value is not None)
            yield f"{file.file} lines {first[key]} and {found.line} are both {named}: keep one of them."


def broken_references(files: Mapping[str, list[Found[Any]]], file: TeamFile[Any]) -> Iterable[str]:
    """A sentence for each value that should be the key of a row in another file, and is not."""
    for column, other in file.references.items():
        known = dict.fromkeys(str(other.key_of(each.row)[0]) for each in files[other.name])
        for found in files[file.name]:
            value = getattr(found.row, column)
            if value is not None and value not in known:
                choice = f"write one of {', '.join(known)}" if known else "it has none yet"
                yield f"{found.place}: {column} {value!r} is not in {other.file}: {choice}."


def _sentences(error: ValidationError) -> Iterable[str]:
    for detail in error.errors():
        column = f"{detail['loc'][0]}: " if detail["loc"] else ""
        is_address = "://" in str(detail["input"])  # never repeated: it may hold a password
        found = "" if detail["type"] == "value_error" or is_address else f" (found {detail['input']!r})"
        yield f"{column}{detail['msg'].removeprefix('Value error, ')}{found}."
