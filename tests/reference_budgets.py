"""docs/budgets.md in plain Python, quarter-hour by quarter-hour: what the SQL is measured against."""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from statistics import mean, median
from zoneinfo import ZoneInfo

QUARTER = timedelta(minutes=15)
# in quarter-hours: recent, short, long, quiet
WINDOWS = {"day": (12, 1, 4, 8), "week": (96, 4, 16, 48), "month": (96, 4, 24, 96), "quarter": (288, 12, 72, 288)}


@dataclass(frozen=True)
class Drawn:
    """One budget with the settings that the seed leaves blank, and its spend by the UTC start of a quarter-hour."""

    name: str
    period: str
    zone: str
    limit: Decimal
    spend: dict[datetime, Decimal]
    seen_until: datetime = datetime.max.replace(
        tzinfo=UTC
    )  # the quarter-hour from which on a silent sender's usage is missing
    warning_ratio: Decimal = Decimal("0.8")
    min_elapsed: float = 0.25
    min_spent: float = 0.05
    burn_ratio: float = 1.1
    fast_burn: float = 6
    lower: float = 0.95
    history_days: int = 28
    least_history_days: int = 14
    prior: float = 0.1


def changes(drawn: Drawn, first: date, as_of: datetime) -> list[tuple[datetime, str, str]]:
    """Every (instant, from, to), resets included, of the periods from the one that holds `first` until `as_of`."""
    found, state = [], "ok"
    for start, end in periods(drawn, first, as_of):
        if state != "ok":
            found.append((instant(drawn, start), state, "ok"))
        state = "ok"
        for quarter, then, _ in states(drawn, start, end, as_of):
            if then != state:
                found.append((quarter, state, then))
            state = then
    return found


def periods(drawn: Drawn, first: date, as_of: datetime) -> Iterator[tuple[date, date]]:
    """Local dates [start, end) of each period."""
    start = {
        "day": first,
        "week": first - timedelta(days=first.weekday()),
        "month": first.replace(day=1),
        "quarter": first.replace(day=1, month=(first.month - 1) // 3 * 3 + 1),
    }[drawn.period]
    while instant(drawn, start) <= as_of:
        months = {"month": 1, "quarter": 3}.get(drawn.period)
        if months:
            end = (start.replace(day=1) + timedelta(days=31 * months + 5 - 4 * months // 3)).replace(day=1)
        else:
            end = start + timedelta(days=1 if drawn.period == "day" else 7)
        yield start, end
        start = end


def instant(drawn: Drawn, day: date) -> datetime:
    """The UTC instant of local midnight."""
    return datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(drawn.zone)).astimezone(UTC)


def states(drawn: Drawn, start: date, end: date, as_of: datetime) -> Iterator[tuple[datetime, str, float | None]]:
    """The state and the projection at the end of each quarter-hour of a period, as far as it has begun."""
    quarters = []
    at = instant(drawn, start)
    while at < instant(drawn, end):
        quarters.append(at)
        at += QUARTER
    usual = usual_spend(drawn, start, quarters)
    known, expected = usual is not None, usual or [1.0] * len(quarters)
    total = sum(expected)
    recent, short, long, quiet = WINDOWS[drawn.period]
    limit = float(drawn.limit)
    running, running_usual = [Decimal(0)], [0.0]
    last_hot = alerted = None
    seen, before = 0, total if known else None  # quarter-hours with all usage, and the projection of the last of them
    for number, quarter in enumerate(quarters, start=1):
        if quarter >= as_of:
            return
        running.append(running[-1] + drawn.spend.get(quarter, Decimal(0)))
        running_usual.append(running_usual[-1] + expected[number - 1])
        spent, so_far = float(running[-1]), running_usual[-1]

        def window(size: int, number: int = number) -> tuple[float, float, float]:
            before = max(number - size, 0)
            usual_usd = running_usual[number] - running_usual[before]
            return float(running[number] - running[before]), usual_usd, limit * usual_usd / total

        pace = (spent + drawn.prior * total) / (so_far + drawn.prior * total)
        projection = spent + (total - so_far) * pace if known else spent * len(quarters) / number
        is_seen = quarter < drawn.seen_until
        if is_seen:
            seen, before = number, projection
        else:  # as it was, unless what is spent all the same gives more
            candidates = [usd for usd in (projection if spent > 0 else None, before) if usd is not None]
            projection = max(candidates, default=None)
        usd, usual_usd, even = window(recent)
        raised = (
            so_far >= drawn.min_elapsed * total
            and spent >= drawn.min_spent * limit
            and projection is not None
            and projection >= limit
            and usd >= (min(drawn.burn_ratio * usual_usd, even) if known else even)
        )
        fast = window(long)[0] >= drawn.min_spent * limit and all(
            usd >= drawn.fast_burn * max(even, usual_usd if known else 0)
            for usd, usual_usd, even in (window(short), window(long))
        )
        if last_hot is not None and seen - last_hot > quiet:
            last_hot = alerted = None
        if raised or fast or (projection is not None and projection >= drawn.lower * limit):
            last_hot = seen
            alerted = alerted or raised or fast
        alerting = bool(alerted) and seen - last_hot < quiet
        if running[-1] > drawn.limit:
            yield quarter, "exceeded", projection
        elif alerting:
            yield quarter, "spend_alert", projection
        else:
            yield quarter, "warning" if running[-1] >= drawn.limit * drawn.warning_ratio else "ok", projection


def usual_spend(drawn: Drawn, start: date, quarters: list[datetime]) -> list[float] | None:
    """What the scope usually spends in each quarter-hour; None without enough past."""
    zone, past = ZoneInfo(drawn.zone), defaultdict(float)
    hours = defaultdict(float)
    for quarter in sorted(drawn.spend)[bisect_left(sorted(drawn.spend), quarters[0] - timedelta(days=30)) :]:
        local = quarter.astimezone(zone)
        if start - timedelta(days=drawn.history_days) <= local.date() < start:
            past[local.date()] += float(drawn.spend[quarter])
            hours[local.hour] += float(drawn.spend[quarter])
    if not past or min(past) > start - timedelta(days=drawn.least_history_days):
        return None
    by_weekday = defaultdict(list)
    for place in range((start - min(past)).days):
        day = min(past) + timedelta(days=place)
        by_weekday[day.weekday()].append(past.get(day, 0.0))
    days = {weekday: median(usd) for weekday, usd in by_weekday.items()}
    average, everything = mean(days.values()), sum(hours.values())
    if average <= 0:
        return None
    expected = []
    for quarter in quarters:
        local = quarter.astimezone(zone)
        share = hours[local.hour] / everything
        expected.append(0.9 * days[local.weekday()] * share / 4 + 0.1 * average / 96)
    return expected
