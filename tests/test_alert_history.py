"""A day is judged the same alone, as in a daily run, and together with its past, as in a full refresh: DESIGN section 1, rule 6."""

import math
import random
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

import duckdb
import pytest

from orchestration.dbt import run_dbt
from orchestration.settings import Settings
from tests.pipeline import pipeline_at

DAYS = 190  # more than any judgement looks back
LAST = date(2026, 11, 20)
DAY = LAST - timedelta(days=30)  # with a long past, and days after it on which what was small has grown
FIRST = LAST - timedelta(days=DAYS - 1)
ALONE = LAST - timedelta(days=6)  # a day on which one calm endpoint rises, and no other
ENDPOINTS = 12
LAUNCH = LAST - timedelta(
    days=14
)  # from when on calm-0 costs three times as much in one environment, until the last day
JUDGED = ("int_alerted_before", "int_judgements")

# Usage that grows past every dollar floor, endpoint by endpoint, with weekdays, noise and days that stand out.
TABLES = """
    create schema intermediate;
    create schema staging;
    create table staging.stg_environment_map (sent_as varchar, environment varchar);
    create table staging.stg_plan_events (
        plan_id varchar, event_type varchar, occurred_at timestamp, environment varchar, data_mode varchar, problem_id varchar,
        endpoint_tag varchar, prompt_version varchar, tenant_id varchar, user_id varchar, model varchar,
        from_date date, until_date date, reason varchar, actor varchar, content_hash varchar, line_number bigint
    );
    create table intermediate.costed_usage_days as
    select event_date, md5(event_date::varchar) as input_fingerprint
    from (select distinct event_date from usage);
    create table intermediate.alert_open_days (event_date date, input_fingerprint varchar);
    create table intermediate.int_model_prices (
        event_date date, environment varchar, data_mode varchar, provider varchar, model varchar, price_variant varchar,
        token_kind varchar, units decimal(38, 0), cost_usd decimal(38, 12)
    );
    create table intermediate.int_watched_series as
    select
        event_date,
        'prod' as environment,
        'real' as data_mode,
        dimension as scope_dimension,
        case dimension when 'total' then 'all' else endpoint end as scope_value,
        sum(requests)::bigint as requests,
        sum(requests)::bigint as attempts,
        sum(requests)::bigint as billed_attempts,
        sum(requests)::bigint as successes,
        1000 * sum(requests)::bigint as tokens,
        0::bigint as unpriced_attempts,
        0::decimal(38, 12) as exposure_usd,
        sum(usd)::decimal(38, 12) as watched_usd,
        sum(usd * usd / requests) as watched_usd_squares,
        sum(requests)::bigint as typical_calls,
        sum(requests * ln(usd / requests)) as cost_usd_logs,
        sum(requests * power(ln(usd / requests), 2)) as cost_usd_log_squares
    from usage
    cross join (values ('total'), ('endpoint')) as dimensions (dimension)
    group by all;
"""


def usage() -> list[tuple]:
    dice = random.Random(20261120)
    rows = []
    for number in range(ENDPOINTS):
        for place in range(DAYS):
            day = FIRST + timedelta(days=place)
            level = 0.001 * 1.5**number * 1.02**place * (0.6 if day.weekday() > 4 else 1)
            stands_out = dice.choice([0.3, 2, 3]) if dice.random() < 0.04 else 1
            requests = 20 + dice.randrange(60)
            rows.append(
                (day, f"endpoint-{number}", requests, round(level * stands_out * dice.lognormvariate(0, 0.15), 6))
            )
    return rows


def lumpy_endpoint() -> list[tuple]:
    """97 small calls a day and 3 large ones that make the bill; on the last day all of them cost 80 % more."""
    dice = random.Random(1)
    rows = []
    for place in range(DAYS):
        day, factor = FIRST + timedelta(days=place), 1.8 if place == DAYS - 1 else 1
        calls = [factor * usd for usd in [0.01 * dice.lognormvariate(0, 0.3) for _ in range(97)]]
        calls += [factor * 2 * dice.lognormvariate(0, 0.8) for _ in range(3)]
        squares, logs = sum(usd * usd for usd in calls), [math.log(usd) for usd in calls]
        usage = (100, 100, 100, 100, 100_000, 0, Decimal(0), Decimal(f"{sum(calls):.12f}"), squares)
        rows.append(
            (day, "prod", "real", "endpoint", "lumpy", *usage, 100, sum(logs), sum(value * value for value in logs))
        )
    return rows


def calm(environment: str, endpoints: int) -> list[tuple]:
    """Endpoints of 2 USD a day, give or take 3 %; all cost 60 % more on the last day, and one does six days before."""
    dice, rows = random.Random(endpoints), []
    for place in range(DAYS):
        day, total = FIRST + timedelta(days=place), 0.0
        for number in range(endpoints):
            rises = day == LAST or (day == ALONE and number == 0)
            usd = 2 * dice.lognormvariate(0, 0.03) * (1.6 if rises else 1)
            total += usd
            rows.append(plain(day, environment, "endpoint", f"calm-{number}", usd))
        if environment == "reporting":
            usd = 3.0 if day.weekday() == 0 else 0.5
            total += usd
            rows.append(plain(day, environment, "endpoint", "reports.mondays", usd))
        rows.append(plain(day, environment, "total", "all", total))
    return rows


def launched() -> list[tuple]:
    """Endpoints of 2 USD a day; one has a launch of two weeks at 6 USD, and on the last day, after it, costs 3.20 USD."""
    dice, rows = random.Random(14), []
    for place in range(DAYS):
        day, total = FIRST + timedelta(days=place), 0.0
        for number in range(8):
            factor = (1.6 if day == LAST else 3 if day >= LAUNCH else 1) if number == 0 else 1
            usd = 2 * dice.lognormvariate(0, 0.03) * factor
            total += usd
            rows.append(plain(day, "launched", "endpoint", f"calm-{number}", usd))
        rows.append(plain(day, "launched", "total", "all", total))
    return rows


def plain(day: date, environment: str, dimension: str, value: str, usd: float) -> tuple:
    """A day of a series in calls of a cent: its traffic moves, and what a call costs does not."""
    calls, log = round(100 * usd), math.log(0.01)
    usage = (calls, calls, calls, calls, 1000 * calls, 0, Decimal(0), calls * Decimal("0.01"), calls * 0.01 * 0.01)
    return (day, environment, "real", dimension, value, *usage, calls, calls * log, calls * log * log)


def without_a_price(day: date, dimension: str, value: str, usd: int) -> tuple:
    """Ten calls of a model that no price is known for."""
    environment, *usage = ("known", "real", dimension, value, 10, 10, 10, 10, 10_000, 10, Decimal(usd), Decimal(usd))
    return (day, environment, *usage, usd * usd / 10, 0, 0.0, 0.0)


def known_models() -> list[tuple]:
    """An endpoint of 100 USD a day. A model without a price that it calls every day reaches another endpoint on the last day; a
    second one is called for a day and, after 20 days, again; a third one is left out for two days.
    """
    rows, back = [], LAST - timedelta(days=3)
    for place in range(DAYS):
        day = FIRST + timedelta(days=place)
        rows += [
            plain(day, "known", dimension, value, 100) for dimension, value in (("total", "all"), ("endpoint", "old"))
        ]
        called = {
            "stays": True,
            "returns": day in (back, back - timedelta(days=20)),
            "pauses": (back - day).days not in (1, 2),
        }
        for model in (model for model, is_called in called.items() if is_called):
            rows += [
                without_a_price(day, "model", model, 5),
                without_a_price(day, "endpoint x model", f"old | {model}", 5),
            ]
    return [*rows, without_a_price(LAST, "endpoint x model", "new | stays", 5)]


def priced_kinds() -> list[tuple]:
    """Two models at 2 USD of input and of output a day, in an environment of 16. On the last day an output token of one costs a
    tenth more; the other one is used three times as much, half of it in batches at half the price.
    """
    rows = []
    for place in range(DAYS):
        day = FIRST + timedelta(days=place)
        is_last = day == LAST
        sold = [
            ("dearer", "standard", "uncached_input", 1_000, "2"),
            ("dearer", "standard", "text_output", 200, "2.2" if is_last else "2"),
            ("busier", "standard", "uncached_input", 3_000 if is_last else 1_000, "6" if is_last else "2"),
            ("busier", "standard", "text_output", 600 if is_last else 200, "6" if is_last else "2"),
            ("busier", "batch", "text_output", 600 if is_last else 10, "3" if is_last else "0.05"),
        ]
        rows += [(day, "eight", "real", "any", *names, units, Decimal(usd)) for *names, units, usd in sold]
    return rows


@pytest.fixture(scope="module")
def settings(tmp_path_factory) -> Settings:
    """A warehouse in which every day was judged in one run."""
    noon = datetime.combine(LAST + timedelta(days=1), time(12), UTC)
    settings = pipeline_at(tmp_path_factory.mktemp("history") / "data").settings
    settings = Settings(**vars(settings) | {"as_of": noon})
    (settings.state / "spill").mkdir(parents=True)
    with duckdb.connect(str(settings.warehouse)) as warehouse:
        warehouse.execute("begin")  # else each row is a transaction, and waits for the disk
        warehouse.execute("create table usage (event_date date, endpoint varchar, requests integer, usd double)")
        warehouse.executemany("insert into usage values (?, ?, ?, ?)", usage())
        warehouse.execute(TABLES)
        warehouse.executemany(
            f"insert into intermediate.int_watched_series values ({', '.join('?' * 17)})",
            lumpy_endpoint() + calm("eight", 8) + calm("seven", 7) + calm("reporting", 8) + known_models() + launched(),
        )
        warehouse.executemany(
            f"insert into intermediate.int_model_prices values ({', '.join('?' * 9)})", priced_kinds()
        )
        warehouse.execute("commit")
    judge(settings)
    return settings


def judge(settings: Settings, *arguments: str) -> None:
    planned = ("int_plans", "int_plan_days", "int_planned_days")
    read = (
        "alert_days",
        "alert_signal_days",
        "int_usual_spend",
        "int_masked_days",
        "int_newcomers",
        "int_changed_prices",
    )
    run_dbt(settings, "run", "--quiet", "--select", *planned, *read, *JUDGED, *arguments)


def judgements(settings: Settings) -> dict[str, list[tuple]]:
    """Rows by model, DOUBLEs to nine places."""
    with duckdb.connect(str(settings.warehouse), read_only=True) as warehouse:
        return {
            name: [
                tuple(round(value, 9) if isinstance(value, float) else value for value in row)
                for row in warehouse.execute(f"select * from intermediate.{name} order by all").fetchall()
            ]
            for name in JUDGED
        }


def test_what_a_typical_call_costs_shows_where_the_mean_is_the_noise_of_a_few(settings):
    with duckdb.connect(str(settings.warehouse), read_only=True) as warehouse:
        z = dict(
            warehouse.execute(
                "select measure, z from intermediate.int_judgements where scope_value = 'lumpy' and event_date = ?",
                [LAST],
            ).fetchall()
        )
    assert z["typical cost per request"] > 3
    assert z.get("cost per request", 0) < 2
    assert z.get("cost", 0) < 2


def test_a_price_of_one_kind_shows_and_traffic_at_known_prices_does_not(settings):
    with duckdb.connect(str(settings.warehouse), read_only=True) as warehouse:
        found = warehouse.execute(
            "select event_date, scope_value, observed, expected, z from intermediate.int_judgements where measure = 'price'"
        ).fetchall()
    [(day, model, observed, expected, z)] = found
    assert (day, model, observed, expected) == (LAST, "dearer", pytest.approx(4.2), pytest.approx(4.0))
    assert z == pytest.approx(math.log(4.2 / 4) / 0.01, rel=1e-5)


def stood_out(settings: Settings, environment: str, day: date) -> set[str]:
    """Series whose cost of a day was 3 standard deviations or more above what was expected."""
    with duckdb.connect(str(settings.warehouse), read_only=True) as warehouse:
        rows = warehouse.execute(
            """select scope_value from intermediate.int_judgements
            where environment = ? and event_date = ? and alert_type = 'cost_drift' and measure = 'cost' and z >= 3""",
            [environment, day],
        ).fetchall()
    return {value for (value,) in rows}


def test_what_every_endpoint_does_is_news_of_the_total_alone(settings):
    assert stood_out(settings, "eight", LAST) == {"all"}


def test_what_one_endpoint_does_is_its_own_news(settings):
    assert stood_out(settings, "eight", ALONE) == {"calm-0"}


def test_seven_endpoints_are_too_few_to_know_the_day_by(settings):
    assert stood_out(settings, "seven", LAST) == {"all", *(f"calm-{number}" for number in range(7))}


def test_a_series_with_weekdays_of_its_own_is_expected_by_them(settings):
    """Six times the cost on Mondays, where Mondays are as other days: once known, they pass in silence, and other news does not."""
    with duckdb.connect(str(settings.warehouse), read_only=True) as warehouse:
        days = warehouse.execute(
            "select event_date from intermediate.int_judgements where scope_value = 'reports.mondays' and abs(z) >= 2"
        ).fetchall()
    assert {day for (day,) in days if (day - FIRST).days > 70} == {LAST}  # it did not rise with the rest


def test_a_model_that_still_has_no_price_is_news_when_it_comes_back_and_where_it_arrives(settings):
    """For a week; a pause of two days is none, and a model that was always there is not new where it was."""
    with duckdb.connect(str(settings.warehouse), read_only=True) as warehouse:
        found = warehouse.execute(
            """select event_date - ?, scope_value from intermediate.int_newcomers
            where environment = 'known' and alert_type = 'unknown_model' and event_date > ? order by all""",
            [LAST, LAST - timedelta(days=20)],
        ).fetchall()
    assert found == [(-3, "returns"), (0, "new | stays")]


def test_a_day_is_judged_alone_as_it_was_among_others(settings):
    together = judgements(settings)
    assert sum(DAY in row for row in together["int_judgements"]) > 3
    with duckdb.connect(str(settings.warehouse)) as warehouse:
        warehouse.execute("delete from tokentrail.built where event_date = ?", [DAY])
        for name in JUDGED:
            warehouse.execute(f"delete from intermediate.{name} where event_date = ?", [DAY])
    judge(settings)
    alone = judgements(settings)
    for name in JUDGED:
        gone, come = set(together[name]) - set(alone[name]), set(alone[name]) - set(together[name])
        assert (name, gone, come) == (name, set(), set())


def state(settings: Settings, kind: str, at: str, until: date, **scope: str) -> None:
    """An event of the plan that the launch is."""
    row = {
        "plan_id": "launch",
        "event_type": kind,
        "occurred_at": at,
        "from_date": LAUNCH,
        "until_date": until,
        **scope,
    }
    row |= {"reason": "launch of calm-0", "actor": "kim", "content_hash": at, "line_number": 1}
    with duckdb.connect(str(settings.warehouse)) as warehouse:
        marks = ", ".join("?" for _ in row)
        warehouse.execute(
            f"insert into staging.stg_plan_events ({', '.join(row)}) values ({marks})", list(row.values())
        )


def built_from(settings: Settings) -> set[tuple]:
    with duckdb.connect(str(settings.warehouse), read_only=True) as warehouse:
        found = "select model, event_date, input_fingerprint from tokentrail.built where model in ?"
        return set(warehouse.execute(found, [[*JUDGED]]).fetchall())


def test_planned_days_are_not_the_past_of_later_ones_and_a_rebuild_says_the_same(settings):
    """After two weeks at three times its usual cost, 1.6 times that is a fall, unless the weeks were planned: then it is a rise."""
    of_endpoint = {"environment": "launched", "data_mode": "real", "endpoint_tag": "calm-0"}
    before, read_before = judgements(settings), built_from(settings)
    assert stood_out(settings, "launched", LAST) == set()

    state(settings, "muted", "2026-11-05 08:00", LAST, **of_endpoint)
    judge(settings)
    assert built_from(settings) == read_before  # a mute is about who is woken

    state(settings, "planned", "2026-11-05 09:00", LAST, **of_endpoint)
    judge(settings)
    assert stood_out(settings, "launched", LAST) == {"calm-0"}
    assert "calm-0" in stood_out(settings, "launched", LAUNCH)  # what is planned is seen all the same
    assert {day for _, day, _ in built_from(settings) ^ read_before} == {
        LAUNCH + timedelta(days=each) for each in range(15)
    }
    planned = judgements(settings)
    judge(settings, "--full-refresh")
    assert judgements(settings) == planned

    state(settings, "plan_ended", "2026-11-05 10:00", LAUNCH)
    judge(settings)
    assert (judgements(settings), built_from(settings)) == (before, read_before)
