"""After a pause (a closure, an outage, a holiday) usage that is as before has not risen, and usage that is more has."""

import random
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta

import duckdb
import pandas as pd
import pytest

from orchestration.settings import Settings
from tests.pipeline import pipeline_at
from tests.test_alert_history import TABLES, judge, plain

DAYS, LAST = 120, date(2026, 11, 20)
BACK = LAST - timedelta(days=13)  # the first day after each pause; two weeks follow
FIRST = LAST - timedelta(days=DAYS - 1)
ENDPOINTS = 10
LONGEST_WITH_WEEKDAYS = 21  # days: a week of the last four is left to know the weekdays by
PAUSES = (1, 2, 3, 5, 7, 10, 13, 14, 15, 20, 21, 27, 28, 35)
Factor = Callable[[date, int], float]


def world(environment: str, factor: Factor) -> list[tuple]:
    """Endpoints of 2 USD a day, give or take 8 %, less on weekends, times `factor` (day, number of the endpoint); 0 means no calls."""
    dice, rows = random.Random(environment), []
    for place in range(DAYS):
        day, total = FIRST + timedelta(days=place), 0.0
        for number in range(ENDPOINTS):
            usd = 2 * dice.lognormvariate(0, 0.08) * (0.6 if day.weekday() > 4 else 1) * factor(day, number)
            total += usd
            if usd:
                rows.append(plain(day, environment, "endpoint", f"endpoint-{number}", usd))
                rows.append(plain(day, environment, "tenant", f"tenant-{number}", usd))
        if total:
            rows.append(plain(day, environment, "total", "all", total))
    return rows


def paused(days: int, after: float = 1) -> Factor:
    """Nothing on the `days` before BACK, `after` times the usual on BACK and later."""

    def factor(day: date, number: int) -> float:
        if BACK - timedelta(days=days) <= day < BACK:
            return 0
        return after if day >= BACK else 1

    return factor


def closed_on_weekends(day: date, number: int) -> float:
    """Weekdays only, with a pause of ten days; in the last week the Saturday has calls."""
    if day.weekday() > 4:
        return 1 if day == LAST - timedelta(days=6) else 0
    return paused(10)(day, number)


def on_mondays(day: date, number: int) -> float:
    """A batch a week, which is left out once."""
    return float(day.weekday() == 0 and day != BACK - timedelta(days=5))


@pytest.fixture(scope="module")
def settings(tmp_path_factory) -> Settings:
    noon = datetime.combine(LAST + timedelta(days=1), time(12), UTC)
    settings = pipeline_at(tmp_path_factory.mktemp("pauses") / "data").settings
    settings = Settings(**vars(settings) | {"as_of": noon})
    (settings.state / "spill").mkdir(parents=True)
    rows = [row for days in PAUSES for row in world(f"paused {days}", paused(days))]
    rows += [row for days in PAUSES for row in world(f"risen {days}", paused(days, after=2))]
    rows += world("weekdays", closed_on_weekends) + world("mondays", on_mondays)
    with duckdb.connect(str(settings.warehouse)) as warehouse:
        warehouse.execute("create table usage (event_date date, endpoint varchar, requests integer, usd double)")
        warehouse.execute(TABLES)
        warehouse.register("made_up", pd.DataFrame(rows))
        warehouse.execute("insert into intermediate.int_watched_series select * from made_up")
        warehouse.execute("""
            insert into intermediate.costed_usage_days
            select distinct event_date, md5(event_date::varchar) from intermediate.int_watched_series
        """)
    judge(settings)
    return settings


def rises(settings: Settings, environment: str) -> dict[tuple[int, str], float]:
    """By day after the return and series: z of the costs that stand out upwards."""
    with duckdb.connect(str(settings.warehouse), read_only=True) as warehouse:
        rows = warehouse.execute(
            """select event_date - ?, scope_dimension || ' ' || scope_value, max(z) from intermediate.int_judgements
            where environment = ? and event_date >= ? and observed > expected and z >= 3 group by all order by all""",
            [BACK, environment, BACK],
        ).fetchall()
    return {(day, series): round(z, 1) for day, series, z in rows}


@pytest.mark.parametrize("days", PAUSES)
def test_what_is_as_before_a_pause_has_not_risen(settings, days):
    """Neither the total in two weeks, nor any series on the day of the return; ten noisy endpoints in two weeks may once."""
    found = rises(settings, f"paused {days}")
    assert {series for _, series in found if series.startswith("total")} == set()
    assert not any(day == 0 for day, _ in found)
    assert len({series for _, series in found if series.startswith("endpoint")}) <= 1


@pytest.mark.parametrize("days", [days for days in PAUSES if days <= LONGEST_WITH_WEEKDAYS])
def test_twice_as_much_as_before_a_pause_has_risen(settings, days):
    assert (0, "total all") in rises(settings, f"risen {days}")


def test_a_weekday_without_calls_by_habit_is_expected_to_have_none(settings):
    """A pause of ten days raises no alert, nor do the closed weekends; a Saturday with calls does."""
    found = rises(settings, "weekdays")
    assert {day for day, series in found if series == "total all"} == {7}


def test_a_batch_a_week_that_was_left_out_once_comes_back_in_silence(settings):
    assert rises(settings, "mondays") == {}
