"""The team's files as dbt reads them: one Parquet file each under `state/team`, defaults included, with declared types."""

import io
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic.fields import FieldInfo

from orchestration.settings import Settings
from orchestration.storage import write_whole
from orchestration.team.folder import TEAM_FILES, read_folder, remember_team
from orchestration.team.rows import Found, TeamFile

ARROW = {
    str: pa.string(),
    bool: pa.bool_(),
    int: pa.int32(),
    float: pa.float64(),
    date: pa.date32(),
    datetime: pa.timestamp("us"),
    time: pa.string(),  # local, as people write it: 09:00
}
NAMES = pa.schema(
    {
        "file": pa.string(),
        "line_number": pa.int32(),
        "row_key": pa.string(),
        "column_name": pa.string(),
        "kind": pa.string(),
        "name": pa.string(),
    }
)


@dataclass(frozen=True)
class TeamTable:
    """What was written of one file: how many rows are the team's and how many are defaults, and whether the table changed."""

    name: str
    rows: int
    shipped_rows: int
    is_changed: bool


def write_team_tables(settings: Settings) -> list[TeamTable]:
    """Read and check the team's folder and write what differs. Raises TeamFileError with a sentence for each mistake."""
    remember_team(settings)
    files, tables = read_folder(settings.team), []
    for file in TEAM_FILES:
        found = files[file.name]
        rows = [{name: _stored(getattr(each.row, name)) for name in file.columns} for each in found]
        is_changed = _write(tables_folder(settings) / f"{file.name}.parquet", rows, schema_of(file))
        shipped = sum(each.is_shipped for each in found)
        tables.append(TeamTable(file.name, len(found) - shipped, shipped, is_changed))
    _write(tables_folder(settings) / "names.parquet", list(_names(files)), NAMES)
    return tables


def tables_folder(settings: Settings) -> Path:
    """Where dbt looks for them (macro `team_table`); every run makes them again, so they may be deleted."""
    return settings.state / "team"


def schema_of(file: TeamFile[Any]) -> pa.Schema:
    """The columns of a file with their types, from the class of its rows."""
    types = {
        name: _arrow_type(column.annotation, tuple(column.metadata)) for name, column in file.row.model_fields.items()
    }
    return pa.schema(types)


def _names(files: Mapping[str, list[Found[Any]]]) -> Iterator[dict[str, object]]:
    """A row for each name in the team's own rows that usage should have."""
    for file in TEAM_FILES:
        for found in files[file.name]:
            for name in () if found.is_shipped else file.names(found.row):
                key = ", ".join(str(value) for value in file.key_of(found.row) if value is not None)
                about = {"file": found.file, "line_number": found.line, "row_key": key}
                yield about | {"column_name": name.column, "kind": name.kind, "name": name.name}


def _write(path: Path, rows: list[dict[str, object]], schema: pa.Schema) -> bool:
    """Whether the table differs from the one that is there."""
    content = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows, schema), content)
    is_changed = not path.exists() or path.read_bytes() != content.getvalue()
    if is_changed:
        write_whole(path, content.getvalue())
    return is_changed


def _stored(value: object) -> object:
    return f"{value:%H:%M}" if isinstance(value, time) else value


def _arrow_type(annotation: Any, limits: tuple[Any, ...] = ()) -> pa.DataType:
    """The type behind Annotated, Literal and `| None`; `limits` are what pydantic keeps about it, such as the digits of a decimal."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _arrow_type(arguments[0], (*limits, *arguments[1:]))
    if origin in (Union, UnionType):
        [only] = [each for each in arguments if each is not NoneType]
        return _arrow_type(only, limits)
    if origin is Literal:
        return pa.string()
    if annotation is Decimal:
        return pa.decimal128(_limit(limits, "max_digits"), _limit(limits, "decimal_places"))
    return ARROW[annotation]


def _limit(limits: Iterable[Any], name: str) -> int:
    inside = [each for limit in limits for each in (limit.metadata if isinstance(limit, FieldInfo) else [limit])]
    return next(value for each in inside if (value := getattr(each, name, None)) is not None)
