"""The types of columns in a team's files; what a type does not take is a sentence."""

import re
from datetime import date, datetime
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BeforeValidator, Field

ANY = "*"


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
MOST = 100_000_000  # of any threshold; four times as many quarter-hours are still an integer
Share = Annotated[Annotated[float, Field(ge=0, le=1), Number] | None, Blank]
Positive = Annotated[Annotated[float, Field(gt=0, le=MOST), Number] | None, Blank]
NotNegative = Annotated[Annotated[float, Field(ge=0, le=MOST), Number] | None, Blank]
Ratio = Annotated[Annotated[float, Field(ge=1, le=MOST), Number] | None, Blank]
Whole = Annotated[int, Field(ge=-(2**31), lt=2**31), Number]
Day = Annotated[Annotated[date, IsoDate] | None, Blank]
Switch = Annotated[Annotated[bool, YesOrNo] | None, Blank]
Word = Annotated[str, AfterValidator(_named)]
Text = Annotated[str, Field(min_length=1)]
MaybeText = Annotated[str | None, Blank]
QuarterHour = Annotated[datetime, AfterValidator(_a_quarter_hour), IsoInstant]
Instant = Annotated[QuarterHour | None, Blank]
TimeZone = Annotated[str, AfterValidator(_iana_zone)]
