"""docs/budgets.md in plain Python, quarter-hour by quarter-hour: what the SQL is measured against."""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import accumulate
from math import sqrt
from statistics import mean, median
from typing import NamedTuple
from zoneinfo import ZoneInfo

QUARTER = timedelta(minutes=15)
# in quarter-hours: recent, short, long, quiet
WINDOWS = {"day": (12, 1, 4, 8), "week": (96, 4, 16, 48), "month": (96, 4, 24, 96), "quarter": (288, 12, 72, 288)}
HISTORY_DAYS, LEAST_HISTORY_DAYS, TOLERANCE = 28, 14, 4


@dataclass(frozen=True)
class Drawn:
    """One budget with the settings that the seed leaves blank, and its spend by the UTC start of a quarter-hour."""

    name: str
    period: str
    zone: str
    limit: Decimal
    spend: dict[datetime, Decimal]
    calls: dict[datetime, int] = field(default_factory=dict)  # of a quarter-hour; 1 where none are given
    seen_until: datetime = datetime.max.replace(
        tzinfo=UTC
    )  # the quarter-hour from which on a silent sender's usage is missing
    warning_ratio: Decimal = Decimal("0.8")
    min_elapsed: float = 0.15
    min_spent: float = 0.05
    burn_ratio: float = 1.1
    fast_burn: float = 6
    lower: float = 0.95


class Judged(NamedTuple):
    """The end of a quarter-hour."""

    at: datetime
    state: str
    projection: float | None
    naive: float | None
    burn_rate: float | None
    attempts: int


class Past(NamedTuple):
    """What a scope usually spends in each quarter-hour of a period, and how unevenly."""

    usual: list[float]
    dispersion: float
    lump: float
    is_steady: bool


def changes(drawn: Drawn, first: date, as_of: datetime) -> list[tuple[datetime, str, str]]:
    """Every (instant, from, to), resets included, of the periods from the one that holds `first` until `as_of`."""
    found, state = [], "ok"
    for start, end in periods(drawn, first, as_of):
        if state != "ok":
            found.append((instant(drawn, start), state, "ok"))
        state = "ok"
        for judged in states(drawn, start, end, as_of):
            if judged.state != state:
                found.append((judged.at, state, judged.state))
            state = judged.state
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


def quarters_of(drawn: Drawn, start: date, end: date) -> list[datetime]:
    """The quarter-hours of a period: 92 or 100 on a day on which the clocks change."""
    at, quarters = instant(drawn, start), []
    while at < instant(drawn, end):
        quarters.append(at)
        at += QUARTER
    return quarters


class Period:
    """A period that is under way: what is known at the end of each of its quarter-hours."""

    def __init__(self, drawn: Drawn, start: date, end: date):
        self.drawn, self.quarters = drawn, quarters_of(drawn, start, end)
        self.past = past_of(drawn, start, self.quarters)
        usual = self.past.usual if self.past else [1.0] * len(self.quarters)
        self.limit, self.total = float(drawn.limit), sum(usual)
        self.usd = [drawn.spend.get(at, Decimal(0)) for at in self.quarters]
        self.calls = [drawn.calls.get(at, 1) if at in drawn.spend else 0 for at in self.quarters]
        self.spent = [Decimal(0), *accumulate(self.usd)]
        self.usual = [0.0, *accumulate(usual)]
        squares = [float(usd) ** 2 for usd in self.usd]
        per_call = (square / max(calls, 1) for square, calls in zip(squares, self.calls, strict=True))
        self.call_squares, self.quarter_squares = [0.0, *accumulate(per_call)], [0.0, *accumulate(squares)]
        self.attempts = [0, *accumulate(self.calls)]
        self.recent, self.short, self.long, self.quiet = WINDOWS[drawn.period]

    def in_window(self, size: int, number: int) -> tuple[float, float]:
        """Spent and usual in the last `size` quarter-hours."""
        before = max(number - size, 0)
        return float(self.spent[number] - self.spent[before]), self.usual[number] - self.usual[before]

    def lumps(self, number: int) -> tuple[float, float]:
        """In what amounts the average dollar so far came: by call, and by quarter-hour."""
        spent = float(self.spent[number])
        return (self.call_squares[number] / spent, self.quarter_squares[number] / spent) if spent else (0, 0)

    def projections(self, number: int) -> tuple[float, float, float]:
        """The naive one, the projection, and the least that it may be."""
        spent, so_far, size = float(self.spent[number]), self.usual[number], len(self.quarters)
        call, quarter = self.lumps(number)
        even = spent * (size - number) / number
        if not self.past:
            error = sqrt(quarter * even * size / number)
            return spent + even, spent + even, spent + 0.5 * even - 0.75 * error - quarter
        dispersion = max(self.past.dispersion, call)
        prior = 0.1 * self.total + 6 * dispersion
        pace = (spent + prior) / (so_far + prior)
        later = self.usual[min(number + TOLERANCE, size)]
        rest = max(self.total - later, 0) * (spent + prior) / (later + prior)
        error = sqrt(dispersion * rest * (self.total + prior) / (later + prior))
        least = spent + rest - 0.75 * error - 0.75 * max(self.past.lump, call)
        return spent + even, spent + max(self.total - so_far, 0) * pace, least

    def is_on_course(self, number: int, projection: float | None, least: float) -> bool:
        """Whether the quarter-hour says that the limit will be exceeded."""
        spent, drawn = float(self.spent[number]), self.drawn
        usd, usual = self.in_window(self.recent, number)
        even = self.limit * usual / self.total
        has_begun = self.usual[number] >= drawn.min_elapsed * self.total or spent >= drawn.min_elapsed * self.limit
        is_near = spent >= 0.9 * self.limit and projection is not None and projection >= self.limit
        return (
            spent >= drawn.min_spent * self.limit
            and usd > 0
            and usd >= (min(drawn.burn_ratio * usual, even) if self.past else even)
            and ((has_begun and round(least, 6) >= self.limit) or is_near)
        )

    def is_usual_too_much(self) -> bool:
        """Whether a period like those before it exceeds the limit, so that nothing needs to be spent first."""
        if not self.past or not self.past.is_steady:
            return False
        error = sqrt(self.past.dispersion * self.total * (1 + len(self.quarters) / 96 / HISTORY_DAYS))
        return round(self.total - 2 * error, 6) >= self.limit

    def is_burning_fast(self, number: int) -> bool:
        """Whether spend is several times too fast in two windows, without its largest call."""
        drawn, size = self.drawn, len(self.quarters)
        call, quarter = self.lumps(number)
        long, window = self.in_window(self.long, number)[0], range(max(number - self.long, 0), number)
        if long < drawn.min_spent * self.limit or long == 0:
            return False
        long -= max(float(self.usd[at]) / (max(self.calls[at], 1) if self.past else 1) for at in window)
        allowed = {}
        for width in (self.short, self.long):
            ends = range(max(number - TOLERANCE, 1), min(number + TOLERANCE, size) + 1)
            usual = max(self.usual[max(end, width)] - self.usual[max(end, width) - width] for end in ends)
            allowed[width] = usual, max(self.limit * usual / self.total, usual if self.past else 0)
        short = self.in_window(self.short, number)[0]
        more = long - (allowed[self.long][0] if self.past else 0)
        return (
            long >= drawn.min_spent * self.limit
            and short > 0
            and short >= drawn.fast_burn * allowed[self.short][1]
            and long >= drawn.fast_burn * allowed[self.long][1]
            and more >= 3 * (max(self.past.lump, call) if self.past else quarter)
        )


def states(drawn: Drawn, start: date, end: date, as_of: datetime) -> Iterator[Judged]:
    """What is known at the end of each quarter-hour of a period, as far as it has begun."""
    period = Period(drawn, start, end)
    last_hot = alerted = None
    seen, before, naive_before = 0, period.total if period.past else None, None
    for number, quarter in enumerate(period.quarters, start=1):
        if quarter >= as_of:
            return
        spent = float(period.spent[number])
        naive, projection, least = period.projections(number)
        is_seen = quarter < drawn.seen_until
        if is_seen:
            seen, before, naive_before = number, projection, naive
        else:  # as it was, unless what is spent all the same gives more
            projection = max(
                (usd for usd in (projection if spent > 0 else None, before) if usd is not None), default=None
            )
            naive = max((usd for usd in (naive if spent > 0 else None, naive_before) if usd is not None), default=None)
        signal = period.is_on_course(number, projection, least) or period.is_burning_fast(number)
        signal = signal or (number == 1 and is_seen and period.is_usual_too_much())
        if last_hot is not None and seen - last_hot > period.quiet:
            last_hot = alerted = None
        if signal or (projection is not None and projection >= drawn.lower * period.limit):
            last_hot = seen
            alerted = alerted or signal
        is_alerting = bool(alerted) and seen - last_hot < period.quiet and number < len(period.quarters)
        by_spend = "warning" if period.spent[number] >= drawn.limit * drawn.warning_ratio else "ok"
        state = "exceeded" if period.spent[number] > drawn.limit else "spend_alert" if is_alerting else by_spend
        usd, usual = period.in_window(period.recent, number)
        even = period.limit * usual / period.total
        burn_rate = usd / even if is_seen and even else None
        yield Judged(quarter, state, projection, naive, burn_rate, period.attempts[number])


def past_of(drawn: Drawn, start: date, quarters: list[datetime]) -> Past | None:
    """What the scope usually spends; None without enough past."""
    zone = ZoneInfo(drawn.zone)
    by_quarter: dict[tuple[date, int], float] = defaultdict(float)
    instants = sorted(drawn.spend)
    for at in instants[bisect_left(instants, quarters[0] - timedelta(days=30)) :]:
        local = at.astimezone(zone)
        if start - timedelta(days=HISTORY_DAYS) <= local.date() < start:
            by_quarter[local.date(), _place(local)] += float(drawn.spend[at])
    first = min((day for day, _ in by_quarter), default=start)
    if first > start - timedelta(days=LEAST_HISTORY_DAYS):
        return None
    days: dict[date, float] = {first + timedelta(days=place): 0.0 for place in range((start - first).days)}
    for (day, _), usd in by_quarter.items():
        days[day] += usd
    by_weekday = {weekday: [day for day in days if day.weekday() == weekday] for weekday in range(7)}
    usual_day = {weekday: median(days[day] for day in same) for weekday, same in by_weekday.items()}
    if not any(usual_day.values()):
        return None
    regular = {weekday: _regular(by_quarter, same, usual_day[weekday]) for weekday, same in by_weekday.items()}
    rest = {weekday: max(usual_day[weekday] - sum(regular[weekday].values()), 0) for weekday in regular}
    hours: dict[int, float] = defaultdict(float)
    for (day, place), usd in by_quarter.items():
        hours[place // 4] += max(usd - regular[day.weekday()].get(place, 0), 0)
    usual = []
    for at in quarters:
        local = at.astimezone(zone)
        weekday, place = local.weekday(), _place(local)
        share = hours[place // 4] / sum(hours.values()) if sum(hours.values()) else 0
        spread = 0.9 * rest[weekday] * share / 4 + 0.1 * mean(rest.values()) / 96
        usual.append(regular[weekday].get(place, 0) + spread)
    if not sum(usual):
        return None
    off = sum((usd - usual_day[day.weekday()]) ** 2 for day, usd in days.items())
    lump = sum(usd**2 for usd in by_quarter.values()) / sum(by_quarter.values())
    last_days = [start - timedelta(days=back) for back in range(7, 0, -1)]
    last_week, usual_week = sum(days[day] for day in last_days), sum(usual_day.values())
    last_day, usual_last = days[last_days[-1]], usual_day[last_days[-1].weekday()]
    is_steady = last_week >= 0.9 * usual_week and last_day >= 0.5 * usual_last
    return Past(usual, off / sum(usual_day[day.weekday()] for day in days), lump, is_steady)


def _regular(by_quarter: dict[tuple[date, int], float], same: list[date], usual_day: float) -> dict[int, float]:
    """By quarter-hour of the day: what more than half of the same weekdays spent in it, at most the usual day in all."""
    found = {}
    for place in range(96):
        amounts = sorted((by_quarter.get((day, place), 0.0) for day in same), reverse=True)
        if usd := amounts[len(same) // 2]:
            found[place] = usd
    total = sum(found.values())
    return {place: usd * min(1, usual_day / total) for place, usd in found.items()}


def _place(local: datetime) -> int:
    return local.hour * 4 + local.minute // 15
