"""What a window is compared with: the same weekdays of the weeks before, the days that an alert is compared with, or a period."""

from collections import Counter
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from math import lcm

from inbox import words
from inbox.filters import EARLIEST, LATEST, Filters, among, days_between
from inbox.marts import Marts

WEEKS = 4
USUAL, PERIOD = "usual", "period"
DATA = (
    "select min(event_date) as since, max(event_date) as until from data_quality_daily where {where} and attempts > 0"
)
WITH_DATA = """
    select distinct event_date from data_quality_daily
    where {where} and attempts > 0 and event_date between $since and $until
"""
ALERT = "select onset_date, last_date from alerts where alert_id = $id"
ALERTS_DAYS = "select distinct baseline_date from alert_baseline_days where alert_id = $id"


@dataclass(frozen=True)
class Comparison:
    """Two sets of days. A usual figure is the sum over `weights`, each day as often as it says, divided by `divisor`."""

    window: list[date]
    weights: dict[date, int]
    divisor: int
    said: str

    def usual(self, weighted: Decimal | int | None) -> Decimal | None:
        """What a weighted sum means for the window."""
        return None if weighted is None else Decimal(weighted) / self.divisor

    @property
    def in_window(self) -> str:
        """A condition: the days of the window."""
        return among(self.window)

    @property
    def in_either(self) -> str:
        """A condition: the days that have to be read."""
        return among([*self.window, *self.weights])

    @property
    def weight(self) -> str:
        """An expression: how often a day counts in what is usual."""
        by_weight: dict[int, list[date]] = {}
        for day, weight in self.weights.items():
            by_weight.setdefault(weight, []).append(day)
        cases = (f"when {among(days)} then {weight}" for weight, days in sorted(by_weight.items()))
        return f"case {' '.join(cases)} else 0 end" if by_weight else "0"


def windowed(marts: Marts, filters: Filters) -> Filters:
    """The filters with dates: those of the address, of its alert, or the last seven complete days."""
    if filters.from_date and filters.to_date:
        return filters
    alert = marts.row(ALERT, id=filters.alert) if filters.alert else None
    end = filters.to_date or (alert and alert["onset_date"] + timedelta(days=1)) or marts.publication.as_of.date()
    start = filters.from_date or (alert and alert["onset_date"]) or max(EARLIEST, end - timedelta(days=7))
    if start >= end:
        end = min(LATEST, start + timedelta(days=7))
    return Filters(**vars(filters) | {"from_date": start, "to_date": end})


def compared(marts: Marts, filters: Filters, kind: str) -> Comparison:
    """The days of the window and of the other side, as far as there are data. The filters have dates, by `windowed`."""
    where, parameters = filters.of_scope()
    first, end = ends(filters)
    start, before = other_side(filters)
    data = marts.row(DATA.format(where=where), **parameters) or {}
    since, until = data.get("since"), data.get("until")
    if since is None or until is None:
        return Comparison([], {}, 1, "nothing: there are no data")
    past_end = until + timedelta(days=1)
    window = days_between(max(first, since), min(end, past_end))
    others = days_between(max(start, since), min(before, past_end))
    said = words.days(start, before - timedelta(days=1))
    if kind == PERIOD:
        return Comparison(window, dict.fromkeys(others, 1), 1, said)
    if own := _of_the_alert(marts, filters):
        return _weighed(window, own, "the days that its alert is compared with")
    known = {
        row["event_date"]
        for row in marts.rows(
            WITH_DATA.format(where=where), **parameters, since=start, until=before - timedelta(days=1)
        )
    }
    return _weighed(window, known, f"the same weekdays of {said}")


def other_side(filters: Filters) -> tuple[date, date]:
    """The period that a window is compared with: that of the address, or the four weeks before the window."""
    first, _ = ends(filters)
    if filters.baseline_from and filters.baseline_to:
        return filters.baseline_from, filters.baseline_to
    if filters.baseline_from:
        return filters.baseline_from, max(first, filters.baseline_from + timedelta(days=1))
    end = filters.baseline_to or first
    return end - timedelta(weeks=WEEKS), end


def ends(filters: Filters) -> tuple[date, date]:
    """The first day of the window and the day after it, of filters that `windowed` gave dates."""
    if filters.from_date is None or filters.to_date is None:
        raise ValueError("the filters have no dates yet")
    return filters.from_date, filters.to_date


def _of_the_alert(marts: Marts, filters: Filters) -> set[date]:
    """The days that the alert of the address is compared with, where the window is within its days."""
    alert = marts.row(ALERT, id=filters.alert) if filters.alert else None
    first, end = ends(filters)
    if not alert or first < alert["onset_date"] or end > alert["last_date"] + timedelta(days=1):
        return set()
    return {row["baseline_date"] for row in marts.rows(ALERTS_DAYS, id=filters.alert)}


def _weighed(window: list[date], known: set[date], said: str) -> Comparison:
    """Each day of the window against the mean of its weekdays among the known days, or of all of them where there is none."""
    sides = {day: [other for other in known if other.weekday() == day.weekday()] or list(known) for day in window}
    divisor = lcm(*(len(others) for others in sides.values() if others)) if known else 1
    weights: Counter[date] = Counter()
    for others in sides.values():
        for other in others:
            weights[other] += divisor // len(others)
    return Comparison(window, dict(weights), divisor, said)
