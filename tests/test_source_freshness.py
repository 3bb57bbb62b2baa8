"""When a sender counts as silent: senders of every rhythm in one warehouse, each of them an environment, hours given directly."""

# ruff: noqa: DTZ001 - the warehouse has UTC without a zone

import math
import random
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import duckdb
import pyarrow as pa
import pytest

from benchmarks.silence import BATCHES, HOURS, judge, measure
from orchestration.settings import Settings
from tests.pipeline import pipeline_at

AS_OF = datetime(2026, 11, 23, 6, 15, tzinfo=UTC)  # a Monday, the time of the daily run
NOW = AS_OF.replace(tzinfo=None)
FIRST = datetime(2026, 10, 5)  # a Monday: seven weeks
Rhythm = Callable[[datetime], int]


def always(hour: datetime) -> int:
    return 60 if 7 <= hour.hour < 19 else 20


def office(hour: datetime) -> int:
    return 50 if 8 <= hour.hour < 18 and hour.weekday() < 5 else 0


def quiet_weekends(hour: datetime) -> int:
    return (50 if 7 <= hour.hour < 20 else 2) if hour.weekday() < 5 else (2 if 9 <= hour.hour < 18 else 0)


def nightly(hour: datetime) -> int:
    return 400 if hour.hour == 2 else 0


def daily_at_ten(hour: datetime) -> int:
    return int(hour.hour == 10)


def weekly(hour: datetime) -> int:
    return 1000 if hour.hour == 3 and hour.weekday() == 6 else 0


def now_and_then(hour: datetime) -> int:
    """Two calls a week, at hours that nobody can foresee."""
    return int(random.Random(f"{hour:%G %V}").randrange(84) in (hour.weekday() * 12 + hour.hour // 2, -1))


def until(rhythm: Rhythm, end: datetime) -> Rhythm:
    """As before, and from an instant on nothing."""
    return lambda hour: rhythm(hour) if hour < end else 0


def since(rhythm: Rhythm, start: datetime) -> Rhythm:
    return lambda hour: rhythm(hour) if hour >= start else 0


def without(rhythm: Rhythm, start: datetime, end: datetime) -> Rhythm:
    return lambda hour: 0 if start <= hour < end else rhythm(hour)


def ago(**amount: float) -> datetime:
    return NOW - timedelta(**amount)


SATURDAY, MONDAY = datetime(2026, 11, 21), datetime(2026, 11, 23)
HOLIDAY = date(2026, 11, 20)  # a Friday
SENDERS: dict[str, Rhythm] = {
    "as-ever": always,
    "six-days": until(always, ago(days=6)),
    "from-noon-on": until(always, datetime(2026, 11, 22, 12)),
    "from-one-on": until(always, datetime(2026, 11, 22, 13)),
    "office": office,
    "office-on-holiday": until(office, datetime.combine(HOLIDAY, datetime.min.time())),
    "office-six-days": until(office, ago(days=6)),
    "quiet-weekend": without(quiet_weekends, SATURDAY, MONDAY),
    "weekend-with-some-calls": lambda hour: int(hour.hour % 6 == 0) if hour >= SATURDAY else always(hour),
    "nightly": nightly,
    "nightly-missed-once": without(nightly, MONDAY, MONDAY + timedelta(days=1)),
    "nightly-six-days": until(nightly, ago(days=6)),
    "daily-six-days": until(daily_at_ten, ago(days=6)),
    "weekly": weekly,
    "weekly-missed-twice": until(weekly, ago(days=9)),
    "now-and-then": now_and_then,
    "now-and-then-nine-days": until(now_and_then, ago(days=9)),
    "new": since(always, ago(days=3)),
    "new-six-days": since(until(always, ago(days=6)), ago(days=9)),
    "new-nine-days": since(until(always, ago(days=9)), ago(days=12)),
    "second-week-six-days": since(until(office, ago(days=6)), ago(days=18)),
    "ended": until(always, ago(days=29)),
    "back": without(always, datetime(2026, 11, 10), datetime(2026, 11, 13, 12)),
    "back-and-silent-again": until(without(always, datetime(2026, 11, 10), datetime(2026, 11, 13)), ago(days=3)),
}
SILENT = {
    *("six-days", "from-noon-on", "office-six-days", "nightly-six-days", "daily-six-days", "new-nine-days"),
    *("second-week-six-days", "back-and-silent-again"),
}


def hours(senders: dict[str, Rhythm], first: datetime, end: datetime) -> pa.Table:
    """The rows of int_source_hours."""
    rows = [
        (hour.date(), "events", name, "real", hour, calls, hour + timedelta(minutes=5), hour + timedelta(minutes=50))
        for hour in (first + timedelta(hours=place) for place in range(math.ceil((end - first) / timedelta(hours=1))))
        if hour + timedelta(minutes=50) <= end
        for name, rhythm in senders.items()
        if (calls := rhythm(hour))
    ]
    return pa.table({name: [row[place] for row in rows] for place, name in enumerate(HOURS)})


def files(source: str, covering: timedelta, first: datetime, end: datetime, days_late: int = 0) -> list[tuple]:
    """A file for each stretch of time, with what stg_loads says of each event date in it; landed on the day of its last call, or later."""
    found = []
    while first < end:
        last = min(first + covering, end) - timedelta(minutes=1)
        arrival = last.date() + timedelta(days=days_late)
        day = first.date()
        while day <= last.date():
            midnight = datetime.combine(day, datetime.min.time())
            begins, ends = max(first, midnight), min(last, midnight + timedelta(days=1, minutes=-1))
            found.append(
                (source, f"{source} {first}", arrival, day, 10 * (1 + (ends - begins).seconds // 3600), begins, ends)
            )
            day += timedelta(days=1)
        first += covering
    return found


SOURCES = {  # by how their files come: the hours that their calls take to arrive, without the lateness
    "hourly": (timedelta(hours=1), 0, 1),
    "daily": (timedelta(days=1), 0, 24),
    "daily-a-day-later": (timedelta(days=1), 1, 24),
    "daily-two-days-later": (timedelta(days=1), 2, 48),
    "weekly": (timedelta(days=7), 0, 168),
    "all-at-once": (timedelta(days=49), 0, 24),
}
AGAIN = (
    "hourly",
    "again",
    date(2026, 11, 20),
    date(2026, 11, 13),
    3,
    datetime(2026, 11, 13),
    datetime(2026, 11, 20, 9),
)


@pytest.fixture(scope="module")
def settings(tmp_path_factory) -> Settings:
    """All senders, whose files land by the hour; and sources whose files come otherwise."""
    made = replace(pipeline_at(tmp_path_factory.mktemp("freshness") / "data").settings, as_of=AS_OF)
    loads = files("events", timedelta(hours=1), FIRST, NOW)
    for source, (covering, days_late, _) in SOURCES.items():
        loads += files(source, covering, FIRST, NOW, days_late)
    judge(made, hours(SENDERS, FIRST, NOW), [*loads, AGAIN])
    return made


def ask(settings: Settings, sql: str) -> list[tuple]:
    with duckdb.connect(str(settings.warehouse), read_only=True) as warehouse:
        warehouse.execute("use marts")
        return warehouse.execute(sql).fetchall()


def of(settings: Settings, sender: str, columns: str, mart: str = "source_freshness") -> list[tuple]:
    return ask(settings, f"select {columns} from {mart} where environment = '{sender}' order by all")


@pytest.mark.parametrize("sender", SENDERS)
def test_a_sender_is_silent_or_not(settings, sender):
    [(is_silent,)] = of(settings, sender, "is_silent")
    assert is_silent == (sender in SILENT)


def test_what_cannot_be_judged_is_not_called_fresh(settings):
    assert of(settings, "new", "status, usual_calls_per_hour, missing_calls") == [("new", None, None)]
    assert of(settings, "new-nine-days", "status, missing_calls") == [("silent", None)]
    assert of(settings, "ended", "status, missing_calls, calls_on_their_way") == [("ended", None, None)]
    assert ask(settings, "select distinct status from source_freshness order by all") == [
        *(("ended",), ("fresh",), ("new",), ("rare",), ("silent",))
    ]


def test_a_sender_becomes_silent_at_the_hour_that_was_announced(settings):
    """Half of the 960 calls of its day are missing after 11 hours, 18:00 to 23:00 by 20; 7 hours later nothing can be on its way."""
    columns = "last_event_at, silent_from, missing_calls, calls_on_their_way, usual_calls_per_hour, busiest_day_calls"
    assert of(settings, "from-noon-on", columns) == [
        (datetime(2026, 11, 22, 11, 50), datetime(2026, 11, 23, 5), 7 * 60 + 4 * 20, 7 * 20, 40, 960)
    ]
    assert of(settings, "from-one-on", "silent_from, is_silent") == [(datetime(2026, 11, 23, 8), False)]
    inconsistent = f"select * from source_freshness where is_silent <> (silent_from <= '{NOW}' and status <> 'ended')"
    assert ask(settings, inconsistent) == []


def test_a_sender_that_never_calls_at_night_has_no_call_missing_then(settings):
    """On Monday at 06:15 an office has missed nothing since Friday evening, and a day after a holiday just that Friday."""
    assert of(settings, "office", "missing_calls, calls_on_their_way, longest_pause_hours") == [(0, 0, 62)]
    assert of(settings, "office-on-holiday", "missing_calls, silent_from") == [(500, datetime(2026, 11, 23, 18))]


def test_a_silence_that_is_over_stays_known(settings):
    [(since, until_, status, missing)] = of(
        settings, "back", "silent_since, returned_at, status, missing_calls", "source_silences"
    )
    assert (since, until_) == (datetime(2026, 11, 9, 23, 50), datetime(2026, 11, 13, 12, 5))
    assert (status, missing) == ("returned", 3 * 960 + 7 * 20 + 5 * 60)
    days = of(settings, "back", "event_date, missing_calls", "intermediate.int_source_silent_days")
    assert days == [*((date(2026, 11, 10 + place), 960) for place in range(3)), (date(2026, 11, 13), 440)]
    assert of(settings, "back-and-silent-again", "status", "source_silences") == [("returned",), ("silent",)]
    assert {name for (name,) in ask(settings, "select environment from source_silences")} == {
        *SILENT,
        *("back", "ended"),
    }


def test_the_delay_is_what_a_file_covers_and_the_days_that_it_takes(settings):
    """With the 6 hours that a day is allowed. One file of seven weeks is not how calls usually arrive, nor are a few that come again."""
    found = dict(ask(settings, "select source, expected_delay_hours from intermediate.int_source_delays"))
    assert found == {"events": 7} | {source: hours + 6 for source, (_, _, hours) in SOURCES.items()}


def test_senders_that_never_stop_are_hardly_ever_called_silent(tmp_path):
    """126 senders of every kind, four months each; how often over more of them is in macros/quality/parameters.sql."""
    found = measure(tmp_path, seed=7, weeks=17)
    by_batches = {name: sum(errors for each, errors, _ in found if each.batches == name) for name in BATCHES}
    assert by_batches["calls come one by one"] <= 2
    assert sum(by_batches.values()) <= 25
    waits = [hours for each, _, hours in found if each.calls_a_week >= 300 and each.rhythm == "day and night"]
    assert max(waits) <= 7 * 24
