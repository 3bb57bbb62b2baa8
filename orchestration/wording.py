"""Money, counts, times and errors as people read them. Here, and only here, money is rounded, from its decimals.

Unknown is never zero: it is a word, or a dash in a table.
"""

import re
from collections.abc import Callable
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any

UNKNOWN = "unknown"
CENT = Decimal("0.01")
LARGE = 10  # USD from which a table shows cents
LINE_CHARACTERS = 300  # of an error: a value that it quotes may be megabytes
HEADINGS = ("Database Error in", "Runtime Error in", "Compilation Error in")  # dbt's, above what an error says
MINUS, SPACE = "−", "\N{NO-BREAK SPACE}"


def written(kind: str, value: object) -> str:
    """A value as its column is written: usd, change, percent, points, count, minutes, day, instant, yes or text."""
    if value is None or value == "":
        return UNKNOWN if kind in {"usd", "change", "percent", "count"} else "none"
    return WRITERS[kind](value)


def exact(kind: str, value: object) -> str:
    """A value with all its digits, for a difference that rounding would hide."""
    return f"{value} USD" if kind in {"usd", "change"} and value is not None else written(kind, value)


def usd(value: str | Decimal) -> str:
    """1234.567 is $1,234.57; less than half a cent is not shown as zero."""
    amount = Decimal(value)
    if amount and abs(amount) < CENT / 2:
        return f"{MINUS if amount < 0 else ''}<$0.01"
    cents = amount.quantize(CENT, ROUND_HALF_UP)
    return f"{MINUS if cents < 0 else ''}${abs(cents):,.2f}"


def cents(value: str | Decimal) -> str:
    """1234.567 is 1,234.57, where a heading names the currency."""
    return f"{Decimal(value).quantize(CENT, ROUND_HALF_UP):,}"


def millionths(value: Decimal, signed: bool = False) -> str:
    """1,234.567000, for amounts that cents would hide."""
    return f"{value:+,.6f}" if signed else f"{value:,.6f}"


def all_digits(value: Decimal | int | None) -> str:
    """Every digit but trailing zeros, so that the figures can be added up; unknown as words."""
    if value is None:
        return "not known"
    return f"{Decimal(value).normalize():,f}" if value else "0"


def cell(column: str, value: object) -> str:
    """A value of a mart in a table: money to the cent where it is large, a share in percent, unknown as a dash."""
    if value is None:
        return "-"
    if column == "share":
        return f"{value:.1%}"
    if isinstance(value, Decimal) and value.as_tuple().exponent:
        return cents(value) if not value or abs(value) >= LARGE else millionths(value)
    return f"{value:,}" if isinstance(value, int | Decimal) else str(value)


def change(value: str | Decimal) -> str:
    """An amount of money with its sign."""
    return ("+" if Decimal(value) > 0 else "") + usd(value)


def short_usd(value: str | Decimal) -> str:
    """For labels in charts, three or four digits: $12.3k."""
    amount = abs(Decimal(value))
    sign = MINUS if Decimal(value) < 0 else ""
    for size, letter in ((Decimal(10) ** 9, "bn"), (Decimal(10) ** 6, "m"), (Decimal(1000), "k")):
        if amount >= size * Decimal("0.9995"):
            return f"{sign}${_three_digits(amount / size)}{letter}"
    return usd(value) if amount < 10 else f"{sign}${_three_digits(amount)}"


def _three_digits(amount: Decimal) -> str:
    places = CENT if amount < Decimal("9.995") else Decimal("0.1") if amount < Decimal("99.95") else Decimal(1)
    return f"{amount.quantize(places, ROUND_HALF_UP):,}"


def percent(value: str | Decimal, signed: bool = False) -> str:
    """A share with one decimal; none above 1,000 %."""
    try:
        share = Decimal(value) * 100
        rounded = share.quantize(Decimal("0.1") if abs(share) < 1000 else Decimal(1), ROUND_HALF_UP)
    except InvalidOperation:
        return UNKNOWN
    if share and not rounded:
        return f"{'under ' if share > 0 else MINUS + 'under '}0.1{SPACE}%"
    sign = MINUS if rounded < 0 else "+" if signed and rounded > 0 else ""
    return f"{sign}{abs(rounded):,}{SPACE}%"


def minutes(value: int) -> str:
    """135 is 2 h 15 min."""
    days, rest = divmod(int(value), 24 * 60)
    parts = [(days, "d"), (rest // 60, "h"), (rest % 60, "min")]
    return " ".join(f"{amount}{SPACE}{unit}" for amount, unit in parts if amount) or f"0{SPACE}min"


def count(value: int) -> str:
    """12,345."""
    return f"{int(value):,}"


def day(value: str) -> str:
    """16 Nov 2026."""
    return _day(date.fromisoformat(value))


def instant(value: str) -> str:
    """Mon 16 Nov 09:05, UTC as every time of the report."""
    return f"{_parsed(value):%a} {_parsed(value).day} {_parsed(value):%b %H:%M}"


def days(first: str, end: str) -> str:
    """16 to 22 November 2026; `end` is exclusive."""
    start, last = date.fromisoformat(first), date.fromordinal(date.fromisoformat(end).toordinal() - 1)
    month = "" if start.month == last.month else f" {start:%B}"
    year = "" if start.year == last.year else f" {start.year}"
    return f"{start.day}{month}{year} to {last.day} {last:%B} {last.year}"


def stamp(value: str) -> str:
    """23 Nov 2026, 06:00 UTC."""
    return f"{_day(_parsed(value))}, {_parsed(value):%H:%M} UTC"


def minute(value: datetime) -> str:
    """2026-11-16 09:05, in the zone that the sentence names."""
    return f"{value:%Y-%m-%d %H:%M}"


def second(value: datetime) -> str:
    """2026-11-16 09:05:30, in the zone that the sentence names."""
    return f"{value:%Y-%m-%d %H:%M:%S}"


def many(number: int, one: str, more: str = "") -> str:
    """1 alert, 2 alerts."""
    return f"{number:,} {one if number == 1 else more or one + 's'}"


def listed(words: list[str]) -> str:
    """a, b and c."""
    return " and ".join(filter(None, [", ".join(words[:-1]), *words[-1:]]))


def first_line(error: object) -> str:
    """What an error says, in one line without its full stop: dbt's headings and what DuckDB adds below are left out.

    The name of its type where it has no words.
    """
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    messages = [line for line in lines if not line.startswith(HEADINGS)] or lines
    return (messages or [type(error).__name__])[0][:LINE_CHARACTERS].rstrip(".")


def innermost(text: str) -> str:
    """The last error that a long text names, which is what caused the others; its last line where none is named."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if re.match(r"[\w.]*(Error|Exception)\b:? ", line)]
    return (errors or lines or [""])[-1][:LINE_CHARACTERS]


def _parsed(value: str) -> datetime:
    return datetime.fromisoformat(value)


def _day(value: date) -> str:
    return f"{value.day} {value:%b} {value.year}"


WRITERS: dict[str, Callable[[Any], str]] = {
    "usd": usd,
    "change": change,
    "percent": percent,
    "count": count,
    "minutes": minutes,
    "day": day,
    "instant": instant,
    "yes": lambda value: "yes" if value else "no",
    "text": str,
}
