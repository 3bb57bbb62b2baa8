"""How pages write figures, times and names; orchestration/wording.py rounds the money. A name is whatever a sender wrote."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any, cast

from orchestration.alerts.ledger import Line
from orchestration.alerts.messages import what
from orchestration.plain import visible
from orchestration.wording import MINUS, all_digits, change, many, millionths, percent, short_usd, usd

Row = dict[str, Any]
DASH = "–"
MANY_TIMES = 100  # more says nothing that the figures do not say
# Effect of alert_compare -> what it means where it costs more, and where less.
EFFECTS = {
    "volume": ("More requests", "Fewer requests"),
    "retry": ("More retries", "Fewer retries"),
    "token": ("Longer calls", "Shorter calls"),
    "input": ("Longer prompts", "Shorter prompts"),
    "output": ("Longer answers", "Shorter answers"),
    "cache": ("Lost cache hits", "More cache hits"),
    "price": ("Higher price per token", "Lower price per token"),
    "mix": ("Costlier mix of endpoints and models", "Cheaper mix of endpoints and models"),
    "unpriced": ("Calls without a price", "Fewer calls without a price"),
}
DIMENSIONS = {
    "endpoint": "endpoint",
    "prompt_version": "prompt version",
    "feature": "feature",
    "tenant": "tenant",
    "user": "user",
    "provider": "provider",
    "model": "model",
    "error_code": "error code",
}
STATUS = {
    "open": "open",
    "extended": "goes on",
    "closed": "over",
    "planned": "planned",
    "muted": "muted",
}


def name(text: object) -> str:
    """A name with nothing hidden in it."""
    return visible(text)


def name_lines(text: object) -> str:
    """A text of several lines with nothing hidden in it."""
    return visible(text, keep="\n")


def money(value: Decimal | None) -> str:
    """$6.91; a dash where it is not known."""
    return DASH if value is None else usd(value)


def signed(value: Decimal | None) -> str:
    """+$5.24."""
    return DASH if value is None else change(value)


def fine(value: Decimal | None) -> str:
    """$0.0342: a call costs fractions of a cent, which are not rounded away."""
    return DASH if value is None else f"${millionths(value)}" if abs(value) < 1 else usd(value)


def per(value: Decimal | float | None, units: Decimal | float | None, times: int = 1) -> Decimal | None:
    """Dollars for so many units; None where there is nothing to divide by."""
    if value is None or not units:
        return None
    return Decimal(str(value)) / Decimal(str(units)) * times


def number(value: Decimal | float | None) -> str:
    """12,345 or 115.5: a tenth where it is a mean of few."""
    if value is None:
        return DASH
    rounded = round(float(value), 1)
    whole = rounded == int(rounded) or abs(rounded) >= 1000
    return f"{rounded:,.0f}" if whole else f"{rounded:,.1f}"


def ratio(value: float | None) -> str:
    """×4.1."""
    if value is None:
        return DASH
    return f"×{value:,.0f}" if value >= MANY_TIMES else f"×{value:,.1f}" if value >= 10 else f"×{value:,.2f}"


def share(value: float | Decimal | None) -> str:
    """96 %, or 0.4 % where it is little."""
    if value is None:
        return DASH
    if 0.01 <= abs(float(value)) < 10:
        return f"{MINUS if value < 0 else ''}{abs(float(value)) * 100:.0f}\N{NO-BREAK SPACE}%"
    return percent(str(value))


def day(value: date | datetime) -> str:
    """Sat 21 Nov."""
    return f"{value:%a} {value.day} {value:%b}"


def long_day(value: date | datetime) -> str:
    """Saturday 21 November."""
    return f"{value:%A} {value.day} {value:%B}"


def day_and_year(value: date | datetime) -> str:
    """21 Nov 2026."""
    return f"{value.day} {value:%b} {value.year}"


def days(first: date, last: date) -> str:
    """21 Nov, or 21 to 22 Nov; both are within it."""
    if first == last:
        return f"{first.day} {first:%b}"
    month = "" if (first.month, first.year) == (last.month, last.year) else f" {first:%b}"
    return f"{first.day}{month} to {last.day} {last:%b}"


def clock(value: datetime) -> str:
    """21 Nov 07:00 UTC."""
    return f"{value.day} {value:%b %H:%M} UTC"


def iso(value: datetime) -> str:
    """For machines: every time of the marts is UTC."""
    return f"{value:%Y-%m-%dT%H:%M:%SZ}"


def exact(value: object) -> str:
    """All digits, for who points at a figure."""
    return f"{all_digits(value)} USD" if isinstance(value, Decimal) else str(value)


def effect(kind: str, amount: Decimal) -> str:
    """What a factor did to the cost."""
    more, less = EFFECTS.get(kind, (kind, kind))
    return more if amount > 0 else less


def joined(value: str) -> str:
    """`search.answer | claude-opus-4-5` as people write a pair."""
    return name(value).replace(" | ", " × ")


def dimension(word: str) -> str:
    """`endpoint x prompt_version` in words."""
    return " × ".join(DIMENSIONS.get(part, part) for part in word.split(" x "))


def title(alert: Row, driver: Row | None = None) -> str:
    """What rose and where, as messages say it, with a capital."""
    words = what(cast("Line", {"alert": {"token_direction": None} | alert, "driver": driver}))
    return name(words[:1].upper() + words[1:])


FILTERS = {
    "name": name,
    "name_lines": name_lines,
    "money": money,
    "fine": fine,
    "digits": all_digits,
    "signed": signed,
    "number": number,
    "ratio": ratio,
    "share": share,
    "day": day,
    "long_day": long_day,
    "day_and_year": day_and_year,
    "clock": clock,
    "iso": iso,
    "exact": exact,
    "joined": joined,
    "dimension": dimension,
    "short_usd": short_usd,
    "many": many,
}
