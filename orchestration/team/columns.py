"""Columns of a team's files: their types, and rows read from a file, with a sentence for each mistake that names the line."""

import re
from collections.abc import Callable, Iterable
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, TypeVar
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, ValidationError

from orchestration.settings import PROJECT
from orchestration.team.files import read_table

SEEDS = PROJECT / "dbt_project" / "seeds"
ANY = "*"


class SeedError(ValueError):
    """A seed that cannot be used; the message has a sentence for each mistake."""


def _named(value: str) -> str:
    if not value:
        raise ValueError(f"it is empty: write {ANY} for any")
    return value


def _iso_date(value: str) -> str:
    if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", value, re.ASCII):
        raise ValueError(f"{value!r} is not a date: write it as 2026-03-01")
    return value


def _iso_instant(value: str) -> str:
    if not re.fullmatch(r"\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2})?)?", value, re.ASCII):
        raise ValueError(
            f"{value!r} is not a local quarter-hour: write 2026-11-01, or 2026-11-01T14:15, in the budget's time zone"
        )
    return value


def _number(value: object) -> object:
    if not re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", str(value), re.ASCII):
        raise ValueError(f"{value!r} is not a number: write it as 1234.5, without spaces, currency or percent signs")
    return value


def _yes_or_no(value: str) -> str:
    if value.lower() not in ("true", "false"):
        raise ValueError(f"{value!r} is neither true nor false")
    return value


def _iana_zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (KeyError, ValueError, OSError):
        raise ValueError(f"{value!r} is not an IANA time zone such as Europe/Berlin") from None
    return value


def _a_quarter_hour(value: datetime | None) -> datetime | None:
    if value and (value.tzinfo or value.minute % 15 or value.second or value.microsecond):
        raise ValueError(
            f"{value} is not a local quarter-hour: write 2026-11-01, or 2026-11-01T14:15, in the budget's time zone"
        )
    return value


IsoDate, IsoInstant, Number, YesOrNo = map(BeforeValidator, (_iso_date, _iso_instant, _number, _yes_or_no))
Blank = BeforeValidator(lambda value: None if value == "" else value)
Share = Annotated[Annotated[float, Field(ge=0, le=1), Number] | None, Blank]
Positive = Annotated[Annotated[float, Field(gt=0), Number] | None, Blank]
NotNegative = Annotated[Annotated[float, Field(ge=0), Number] | None, Blank]
Ratio = Annotated[Annotated[float, Field(ge=1), Number] | None, Blank]
Day = Annotated[Annotated[date, IsoDate] | None, Blank]
Switch = Annotated[Annotated[bool, YesOrNo] | None, Blank]
Word = Annotated[str, AfterValidator(_named)]
Text = Annotated[str, Field(min_length=1)]
MaybeText = Annotated[str | None, Blank]
Row = TypeVar("Row", bound=BaseModel)
QuarterHour = Annotated[datetime, AfterValidator(_a_quarter_hour), IsoInstant]
Instant = Annotated[QuarterHour | None, Blank]
TimeZone = Annotated[str, AfterValidator(_iana_zone)]


def rows_by(path: Path, kind: type[Row], key: str, needed: Iterable[str] = ()) -> list[Row]:
    """Rows of which each has a key of its own, and every key that is needed has one. Raises SeedError."""
    rows, problems = read_rows(path, kind)
    problems += duplicates(path, rows, lambda row: getattr(row, key), lambda row: f"are both {getattr(row, key)}")
    named = {getattr(row, key) for row in rows.values()}
    missing = [name for name in needed if name not in named]
    if missing and not problems:  # a row with a mistake in it is not missing
        problems.append(
            f"{path.name} has no row for {', '.join(missing)}: add one, so that everybody knows what to do."
        )
    if problems:
        raise SeedError("\n".join(problems))
    return list(rows.values())


def duplicates(
    path: Path, rows: dict[int, Row], key: Callable[[Row], object], what: Callable[[Row], str]
) -> Iterable[str]:
    """A sentence for each line whose key an earlier one has."""
    first: dict[object, int] = {}
    for line, row in rows.items():
        if first.setdefault(key(row), line) != line:
            yield f"{path.name} lines {first[key(row)]} and {line} {what(row)}: keep one of them."


def read_rows(path: Path, kind: type[Row]) -> tuple[dict[int, Row], list[str]]:
    """Rows by line number, and a sentence for each line that is not one."""
    table, problems = read_table(path)
    rows = {}
    for line, fields in table.items():
        try:
            rows[line] = kind.model_validate(fields)
        except ValidationError as error:
            problems += [f"{path.name} line {line}: {sentence}" for sentence in _sentences(error)]
    return rows, problems


def _sentences(error: ValidationError) -> Iterable[str]:
    for detail in error.errors():
        column = f"{detail['loc'][0]}: " if detail["loc"] else ""
        is_address = "://" in str(detail["input"])  # never repeated: it may hold a password
        found = "" if detail["type"] == "value_error" or is_address else f" (found {detail['input']!r})"
        yield f"{column}{detail['msg'].removeprefix('Value error, ')}{found}."
