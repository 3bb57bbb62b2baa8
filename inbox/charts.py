"""Charts as SVG shapes: bars of days and hours, sparks, rows of a waterfall, curves. Text is HTML around them, so nothing stretches.

Shapes only, in a box of units that the page stretches to its width: an element with letters would stretch with it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

HEIGHT = 100.0  # units of every box
GAP = 0.16  # of a bar's place


@dataclass(frozen=True)
class Bar:
    """One bar: where it is in the box, what it is called and where it leads."""

    x: float
    y: float
    width: float
    height: float
    kind: str
    label: str
    address: str = ""
    usual: float | None = None  # height at which the usual is marked, from the top
    forecast: float | None = None


@dataclass(frozen=True)
class Chart:
    """Bars, the value of its top, and the band that is shaded."""

    bars: list[Bar]
    width: float
    top: Decimal
    band: tuple[float, float] | None = None
    mark: float | None = None  # a vertical line


@dataclass(frozen=True)
class Point:
    """A value to draw, with its parts in words."""

    value: Decimal | None
    label: str
    kind: str = "past"
    address: str = ""
    usual: Decimal | None = None
    forecast: Decimal | None = None


def bars(points: Sequence[Point], shaded: tuple[int, int] | None = None, mark: float | None = None) -> Chart:
    """Bars from zero, ten units wide each; `shaded` are the first bar of the band and the one after it."""
    known = [each for point in points for each in (point.value, point.usual, point.forecast) if each is not None]
    top = round_up(max(known, default=Decimal(0)))
    step = 10.0

    def level(value: Decimal | None) -> float | None:
        return None if value is None else HEIGHT - float(value / top) * HEIGHT

    drawn = []
    for place, point in enumerate(points):
        y = level(point.value)
        y = HEIGHT if y is None else y
        drawn.append(
            Bar(
                x=round(place * step + step * GAP / 2, 2),
                y=round(y, 2),
                width=round(step * (1 - GAP), 2),
                height=round(HEIGHT - y, 2),
                kind=point.kind,
                label=point.label,
                address=point.address,
                usual=level(point.usual),
                forecast=level(point.forecast),
            )
        )
    band = (shaded[0] * step, (shaded[1] - shaded[0]) * step) if shaded else None
    return Chart(drawn, len(points) * step, top, band, None if mark is None else mark * step)


def round_up(value: Decimal) -> Decimal:
    """The next of 1, 2, 2.5, 5 times a power of ten: a top that reads well."""
    if value <= 0:
        return Decimal(1)
    power = Decimal(10) ** (value.adjusted())
    return next(
        power * step for step in (1, Decimal("1.5"), 2, Decimal("2.5"), 3, 4, 5, 6, 8, 10) if power * step >= value
    )


@dataclass(frozen=True)
class Step:
    """A row of a waterfall: its amount, and where its bar begins and ends, in percent of the width."""

    label: str
    amount: Decimal
    left: float
    width: float
    kind: str  # total, up, down


def waterfall(start: tuple[str, Decimal], effects: Iterable[tuple[str, Decimal]], end: str) -> list[Step]:
    """From what is usual, effect by effect, to what was seen; the last row is their exact sum."""
    levels, parts = [start[1]], list(effects)
    for _, amount in parts:
        levels.append(levels[-1] + amount)
    low, high = min(Decimal(0), *levels), max(Decimal(0), *levels)
    span = (high - low) or Decimal(1)

    def step(label: str, amount: Decimal, one: Decimal, other: Decimal, kind: str) -> Step:
        left, right = sorted((one, other))
        return Step(
            label,
            amount,
            round(float((left - low) / span) * 100, 2),
            round(float((right - left) / span) * 100, 2),
            kind,
        )

    rows = [step(*start, Decimal(0), start[1], "total")]
    for (label, amount), before, after in zip(parts, levels, levels[1:], strict=False):
        rows.append(step(label, amount, before, after, "up" if amount > 0 else "down"))
    return [*rows, step(end, levels[-1], Decimal(0), levels[-1], "total")]


def axis(days: Sequence[date]) -> list[date]:
    """Up to five dates to write below bars: the first, the last, and some between."""
    if len(days) <= 2:
        return list(days)
    places = min(5, len(days))
    return [days[round(place * (len(days) - 1) / (places - 1))] for place in range(places)]
