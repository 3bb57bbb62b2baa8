"""Alerts end to end: events land, the pipeline runs, and on-call reads one row that says what to do. One data root lives through it.

45 days of three endpoints that cost 6 dollars a day, and on them: calls that move to a model without a price, a user who runs a loop
(half of it arrives late), prompts that are read from the cache no more, a change that makes every request of an endpoint three times as
large; and bursts that are nobody's alert.
"""

import random
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from urllib.parse import parse_qsl

import pytest

from orchestration.dbt import run_dbt
from tests.pipeline import WITHOUT_TESTS, Pipeline, event, pipeline_at

FIRST, LAST = date(2026, 10, 9), date(2026, 11, 22)
UNKNOWN_DAY, ABUSE_DAY, BLOAT_DAY = date(2026, 11, 12), date(2026, 11, 17), LAST
CACHE_DAY, RETURN_DAY = date(2026, 11, 19), date(2026, 11, 20)  # the unknown model comes back
DAYS = [FIRST + timedelta(days=place) for place in range((LAST - FIRST).days + 1)]
MODELS = ("claude-sonnet-4-5", "claude-haiku-4-5")
ENDPOINTS = {"chat.reply": 60, "search.answer": 50, "docs.summarize": 40}  # requests a day
USERS = {f"{tenant}-{number}": tenant for tenant in ("acme", "globex", "initech", "umbrella") for number in range(4)}
UNKNOWN = {"provider": "selfhosted", "model": "acme-internal-7b"}
OF_HOURS = ("alert_open_days", "int_open_usage", "int_open_series", "int_hour_shares", "int_hourly_judgements")
JUDGED_HOURS = """
    select hour_of_day, alert_type, measure, environment, data_mode, scope_dimension, scope_value,
        round(usual_spend_usd, 9), round(observed, 9), round(expected, 9), z
    from intermediate.int_hourly_judgements order by all
"""
ALERT_MARTS = ("alerts", "alert_compare", "alert_drivers", "alert_focus", "alert_baseline_days", "alert_series")
LINEAGE = ("--select", *(f"+{name}" for name in ALERT_MARTS))  # for the steps of the story


def calls(day: date, name: str, count: int, times: int = 1, **fields: object) -> list[dict]:
    """`count` requests of about 10,000 input and 2,000 output tokens, spread over the day, its users and both models."""
    dice = random.Random(f"{day} {name}")
    users = list(USERS)
    made = []
    for number in range(count):
        user, size = dice.choice(users), times * dice.randrange(90, 111)
        at = datetime.combine(day, time(), UTC) + timedelta(seconds=dice.randrange(86_400))
        usual = {
            "userId": user,
            "tenantId": USERS[user],
            "model": dice.choice(MODELS),
            "inputTokens": 100 * size,
            "outputTokens": 20 * size,
        }
        made.append(event(f"{day}-{name}-{number}", at.isoformat(), **usual | fields))
    return made


def ordinary(day: date) -> list[dict]:
    dice = random.Random(day.toordinal())
    made = []
    for endpoint, count in ENDPOINTS.items():
        times = 3 if (endpoint, day) == ("docs.summarize", BLOAT_DAY) else 1
        made += calls(day, endpoint, count + dice.randrange(-3, 4), times, endpointTag=endpoint)
    for call in made:
        if call["endpointTag"] == "search.answer" and day != CACHE_DAY:
            call["cacheReadTokens"] = call["inputTokens"] * 4 // 5
    if day in (UNKNOWN_DAY, RETURN_DAY):
        moved = [call for call in made if call["endpointTag"] == "search.answer"][:40]
        made = [call | UNKNOWN if call in moved else call for call in made]
    return made


LOOP = calls(ABUSE_DAY, "loop", 90, endpointTag="chat.reply", userId="acme-0", tenantId="acme")
EXTRA = {
    ABUSE_DAY: LOOP[::2],
    BLOAT_DAY: [
        *calls(BLOAT_DAY, "load test", 150, endpointTag="chat.reply", dataMode="test"),
        *calls(BLOAT_DAY, "staging", 150, endpointTag="chat.reply", environment="staging"),
    ],
}
LATE = LOOP[1::2]
NIGHT, FORENOON = range(9), range(9, 12)  # hours
# a word in staging and test every day, so that they have a past
ASIDE = [("test", {"dataMode": "test"}), ("staging", {"environment": "staging"})]


def land(pipeline: Pipeline, day: date, hours: range = range(24)) -> None:
    """What a sender writes in those hours, a file for every three of them."""
    aside = [call for name, its in ASIDE for call in calls(day, f"{name} daily", 10, endpointTag="chat.reply", **its)]
    every = ordinary(day) + EXTRA.get(day, []) + aside
    for first in hours[::3]:
        its = [call for call in every if first <= int(call["occurredAt"][11:13]) < first + 3]
        pipeline.land(f"events-{first:02}.jsonl", its, f"{day}")


def at_noon_after(pipeline: Pipeline, day: date) -> Pipeline:
    instant = datetime.combine(day + timedelta(days=1), time(12), UTC)
    return Pipeline(replace(pipeline.settings, as_of=instant))


@dataclass(frozen=True)
class Moment:
    """What the root held after a run: the rows of the alert marts, and when each model's dates were built."""

    marts: dict[str, list[tuple]]
    built_at: dict[tuple[str, str], datetime]
    delta_by_alert: dict[tuple, Decimal]

    def rebuilt_after(self, before: "Moment", model: str) -> set[str]:
        """Dates of a model that the runs in between judged."""
        return {
            day for (name, day), at in self.built_at.items() if name == model and before.built_at.get((name, day)) != at
        }


def moment(pipeline: Pipeline) -> Moment:
    marts = {name: rows for name, rows in pipeline.tables().items() if name in ALERT_MARTS}
    deltas = pipeline.ask("select alert_id, spike_type, onset_date, delta_usd from alerts")
    return Moment(marts, pipeline.built_at(), {tuple(key): usd for *key, usd in deltas})


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Pipeline:
    return at_noon_after(pipeline_at(tmp_path_factory.mktemp("alerts") / "data"), LAST)


@pytest.fixture(scope="module")
def before_the_late_file(root) -> Moment:
    """All but the last day, half of the loop still on its way."""
    yesterday = at_noon_after(root, DAYS[-2])
    for day in DAYS[:-1]:
        land(root, day)
    yesterday.run(*WITHOUT_TESTS)
    return moment(yesterday)


@dataclass(frozen=True)
class Afternoon:
    """The alerts of prod, and the judgements of each hour: as of noon, now, and built again from nothing."""

    alerts: list[dict]
    at_noon: list[tuple]
    hours: list[tuple]
    again: list[tuple]


@pytest.fixture(scope="module")
def that_afternoon(root, before_the_late_file) -> Afternoon:
    """Half past three of the last day, of which the calls until noon have landed; those until nine were judged at half past twelve."""
    noon, now = (
        Pipeline(replace(root.settings, as_of=datetime.combine(LAST, time(hour, 30), UTC))) for hour in (12, 15)
    )
    land(root, LAST, NIGHT)
    noon.build(*WITHOUT_TESTS, *LINEAGE)
    at_noon = noon.inside(JUDGED_HOURS)
    land(root, LAST, FORENOON)
    now.run(*WITHOUT_TESTS, *LINEAGE)
    alerts = now.ask("select alerts from alerts where environment = 'prod' order by onset_date")
    hours = now.inside(JUDGED_HOURS)
    now.build("--full-refresh", *WITHOUT_TESTS, "--select", *OF_HOURS)
    return Afternoon([row for (row,) in alerts], at_noon, hours, now.inside(JUDGED_HOURS))


@pytest.fixture(scope="module")
def grown(root, that_afternoon) -> Moment:
    """The late half of the loop, then the rest of the last day: a run after each."""
    root.land("late.jsonl", LATE, f"{LAST}")
    at_noon_after(root, DAYS[-2]).build(*WITHOUT_TESTS, *LINEAGE)
    land(root, LAST, range(12, 24))
    root.run(*WITHOUT_TESTS, *LINEAGE)
    return moment(root)


@pytest.fixture(scope="module")
def idle(root, grown) -> Moment:
    root.build(*WITHOUT_TESTS, "--select", "costed_usage_days+", "--exclude", "path:models/intermediate/budgets+")
    return moment(root)


@pytest.fixture(scope="module")
def refreshed(root, idle) -> Moment:
    root.run("--full-refresh", *WITHOUT_TESTS, *LINEAGE)
    return moment(root)


@pytest.fixture(scope="module")
def alert(root, grown):
    """The one alert of prod/real that began on a day, by column."""

    def of(day: date) -> dict:
        sql = "select alerts from alerts where environment = 'prod' and data_mode = 'real' and onset_date = ?"
        [(only,)] = root.ask(sql, day)
        return only

    return of


def priced(root: Pipeline, condition: str) -> Decimal:
    [(usd,)] = root.ask(f"select sum(cost_usd) from fct_attempts where data_mode = 'real' and {condition}")
    return usd


def test_each_incident_is_one_alert_and_nothing_else_is(root, grown):
    found = root.ask(
        "select onset_date, spike_type, top_driver_value from alerts where environment = 'prod' order by 1, 2"
    )
    assert found == [
        (UNKNOWN_DAY, "unknown_model", "acme-internal-7b"),
        (ABUSE_DAY, "abuse", "acme-0"),
        (CACHE_DAY, "cache", "search.answer"),
        (RETURN_DAY, "unknown_model", "acme-internal-7b"),
        (BLOAT_DAY, "token", "docs.summarize"),
    ]


def test_the_alert_marts_keep_what_their_twins_promise(root, grown):
    run_dbt(
        root.settings, "test", "--quiet", "--select", *ALERT_MARTS, "--exclude", "test_type:unit", "test_type:singular"
    )


def test_a_larger_request_is_a_token_spike_of_its_endpoint(root, alert):
    found = alert(BLOAT_DAY)
    names = (
        "alert_type",
        "spike_type",
        "top_driver_dimension",
        "top_driver_value",
        "scope_dimension",
        "severity",
        "status",
    )
    assert [found[name] for name in names] == [
        "cost_drift", "token", "endpoint", "docs.summarize", "endpoint", "critical", "open",
    ]  # fmt: skip
    assert found["observed"] == priced(root, f"endpoint_tag = 'docs.summarize' and event_date = '{BLOAT_DAY}'")
    extra = found["observed"] * 2 / 3  # of what is three times as large two thirds are new
    assert abs(found["delta_usd"] - extra) < extra / 10
    assert abs(found["observed"] - found["expected"] - extra) < extra / 10
    assert not found["delta_is_understated"]
    assert found["token_direction"] == "input"  # both grew by the same dollars


def test_a_lost_cache_is_distinguished_from_longer_prompts(root, alert):
    """Four fifths of the input cost ten times as much as before; the input is no longer, and no price has changed."""
    found = alert(CACHE_DAY)
    assert (found["top_driver_dimension"], found["token_direction"]) == ("endpoint", None)
    assert found["containment_action"] == "Restore the cached prefix of the prompt"
    sql = (
        "select effect, effect_usd from alert_compare where alert_id = ? and effect is not null and token_kind is null"
    )
    effects = dict(root.ask(sql, found["alert_id"]))
    read = priced(root, f"endpoint_tag = 'search.answer' and event_date = '{CACHE_DAY}'")
    assert effects["price"] == 0
    assert effects["cache"] == max(effects.values())
    assert abs(effects["cache"] - found["delta_usd"]) < read / 20


def test_an_alert_of_the_day_that_is_not_over_is_confirmed_by_the_whole_day(root, that_afternoon, alert):
    """At half past three the calls until noon count, because files come every three hours. The id is that of the complete day."""
    *earlier, provisional = that_afternoon.alerts
    complete = alert(BLOAT_DAY)
    assert [row["is_provisional"] for row in earlier] == [False] * len(earlier)
    assert (provisional["is_provisional"], complete["is_provisional"]) == (True, False)
    for name in ("alert_id", "spike_type", "top_driver_value", "onset_date", "owner"):
        assert (name, provisional[name]) == (name, complete[name])
    assert provisional["window_end"] == datetime.combine(BLOAT_DAY, time(12))
    assert provisional["started_at"] < datetime.combine(BLOAT_DAY, time(4))
    half = priced(root, f"endpoint_tag = 'docs.summarize' and event_date = '{BLOAT_DAY}' and hour(occurred_at) < 12")
    assert provisional["observed"] == half
    assert abs(provisional["delta_usd"] - half * 2 / 3) < half / 5  # 40 calls a day: half of them by noon, more or less


def test_an_hour_is_judged_by_what_had_occurred_by_its_end_and_by_nothing_else(that_afternoon):
    """Neither by the hours after it, nor by when it was built: what was announced can be computed again."""
    earlier = [row for row in that_afternoon.hours if row[0] < NIGHT.stop]
    assert {row[0] for row in earlier} < {row[0] for row in that_afternoon.hours}
    assert that_afternoon.at_noon == earlier
    assert that_afternoon.again == that_afternoon.hours


def test_an_alert_says_what_to_do_and_who(alert):
    found = alert(BLOAT_DAY)
    assert found["containment_action"] == "Cap output tokens and roll back the prompt version"
    assert (found["endpoint_tag"], found["owner"]) == ("docs.summarize", "team-documents")
    assert found["runbook_url"].endswith("/docs.summarize")
    assert found["escalation_channel"] == "#oncall-documents"


def test_the_address_keeps_every_filter(root, alert):
    found = alert(BLOAT_DAY)
    page, query = found["drill_url"].split("?")
    assert page == f"{root.settings.base_url}/alert"
    assert parse_qsl(query, strict_parsing=True) == [
        ("from", "2026-11-22"),
        ("to", "2026-11-23"),
        ("baseline_from", "2026-10-25"),
        ("baseline_to", "2026-11-22"),
        ("environment", "prod"),
        ("data_mode", "real"),
        ("endpoint", "docs.summarize"),
        ("alert", found["alert_id"]),
    ]


def test_the_query_of_an_alert_runs_and_gives_its_most_expensive_calls(root, alert):
    rows = root.ask(alert(BLOAT_DAY)["drill_query"])
    [(calls_of_the_day,)] = root.ask(
        f"select count(*) from fct_attempts where endpoint_tag = 'docs.summarize' and event_date = '{BLOAT_DAY}'"
    )
    assert len(rows) == calls_of_the_day
    assert {(at.date(), endpoint) for at, endpoint, *_ in rows} == {(BLOAT_DAY, "docs.summarize")}
    costs = [row[9] for row in rows]
    assert costs == sorted(costs, reverse=True)
    assert {row[4] for row in root.ask(alert(ABUSE_DAY)["drill_query"])} == {"acme-0"}


def test_the_effects_are_the_change_of_cost_to_the_last_digit(root, alert):
    compared = root.ask(
        """
        select alert_id, delta_usd, sum(effect_usd), sum(delta) filter (metric = 'cost_usd')
        from alerts inner join alert_compare using (alert_id)
        where token_kind is null
        group by all
        """
    )
    assert len(compared) > 3
    for alert_id, delta, effects, change in compared:
        assert (alert_id, effects, change) == (alert_id, delta, delta)
    found = alert(BLOAT_DAY)
    effects = dict(
        root.ask(
            "select metric, effect_usd from alert_compare where alert_id = ? and effect is not null and token_kind is null",
            found["alert_id"],
        )
    )
    grown = effects["input_tokens_per_attempt"] + effects["output_tokens_per_attempt"]
    assert abs(grown - found["delta_usd"]) < found["delta_usd"] / 10
    # three times as many tokens of either kind, and an output token costs five times as much as one of a prompt
    assert effects["output_tokens_per_attempt"] == pytest.approx(
        effects["input_tokens_per_attempt"], rel=Decimal("0.1")
    )


def test_the_effects_of_a_token_kind_are_the_change_of_its_cost(root, grown):
    of_kinds = root.ask(
        """
        select alert_id, token_kind, sum(effect_usd), sum(delta) filter (metric = 'cost_usd')
        from alert_compare
        where token_kind is not null
        group by all
        """
    )
    assert {kind for _, kind, _, _ in of_kinds} == {"uncached_input", "cached_input", "text_output"}
    for alert_id, kind, effects, change in of_kinds:
        assert (alert_id, kind, effects) == (alert_id, kind, change)
    differing = root.ask(
        """
        select alert_id, effect
        from alert_compare
        where effect <> 'unpriced'
        group by all
        having coalesce(sum(effect_usd) filter (token_kind is null), 0)
            <> coalesce(sum(effect_usd) filter (token_kind is not null), 0)
        """
    )
    assert differing == []


def test_what_is_usual_is_the_same_in_every_mart(root, grown):
    """The first day's baseline is the mean of the days listed, the sum of its hours, and that of the members of any dimension."""
    rows = root.ask(
        """
        with
            days as (
                select alert_id, avg(cost_usd + exposure_usd) as usd from alert_baseline_days where is_of_first_day group by all
            ),
            hours as (
                select alert_id, sum(observed_usd) as observed_usd, sum(alert_series.baseline_usd) as usd, count(*) as hours
                from alert_series
                inner join (select alert_id, onset_date as event_date from alerts) using (alert_id, event_date)
                group by all
            ),
            members as (
                select alert_id, sum(current_usd) as current_usd, sum(baseline_usd) as usd
                from alert_focus where dimension = 'model' group by all
            )
        select
            alerts.observed, hours.observed_usd, members.current_usd,
            alerts.baseline_usd, days.usd, hours.usd, members.usd,
            alerts.delta_usd, hours.hours
        from alerts
        left join days using (alert_id) left join hours using (alert_id) left join members using (alert_id)
        """
    )
    assert len(rows) > 3
    for observed, by_hour, by_model, usual, by_day, usual_by_hour, usual_by_model, delta, hours in rows:
        assert (hours, observed, observed) == (24, pytest.approx(by_hour), pytest.approx(by_model))
        assert [usual] * 3 == [pytest.approx(Decimal(str(usd))) for usd in (by_day, usual_by_hour, usual_by_model)]
        assert observed - usual == pytest.approx(delta)


def test_a_window_is_the_sum_of_its_days(root, grown):
    rows = root.ask(
        """
        select days, count(distinct event_date), any_value(window_observed_usd), sum(observed_usd),
            any_value(window_delta_usd), sum(alert_series.observed_usd - alert_series.baseline_usd)
        from alerts inner join alert_series using (alert_id) group by alert_id, days
        """
    )
    assert len(rows) > 3
    assert root.ask("select max(compared_days) from alert_baseline_days") == [(1,)]  # no alert here lasts a week
    for days, shown, observed, of_hours, delta, delta_of_hours in rows:
        assert (days, observed, delta) == (shown, of_hours, pytest.approx(delta_of_hours))


def test_days_before_the_data_begin_are_not_usual_days(root, alert):
    """The environment's data begin 34 days before; an alerted day is left out, and days of another weekday are not compared."""
    found = root.ask(
        "select baseline_date from alert_baseline_days where alert_id = ? order by 1", alert(BLOAT_DAY)["alert_id"]
    )
    assert found == [(BLOAT_DAY - timedelta(days=days),) for days in (28, 21, 14, 7)]


def test_the_first_driver_is_the_one_the_alert_names(root, grown):
    named = root.ask("select alert_id, top_driver_dimension, top_driver_value from alerts order by 1")
    first = root.ask("select alert_id, driver_dimension, driver_value from alert_drivers where rank = 1 order by 1")
    assert named == first
    [(ranks_have_gaps,)] = root.ask(
        "select count(*) from (select alert_id from alert_drivers group by all having max(rank) <> count(*))"
    )
    assert ranks_have_gaps == 0


def test_a_burst_in_test_data_is_nobodys_alert_and_one_in_staging_stays_there(root, grown):
    found = root.ask("select environment, data_mode, spike_type from alerts where onset_date = ? order by 1", BLOAT_DAY)
    assert found == [("prod", "real", "token"), ("staging", "real", "volume")]


def test_an_unknown_model_raises_its_likely_cost(root, alert):
    """Its calls cost nothing that is known: without the exposure the day would look cheap."""
    found = alert(UNKNOWN_DAY)
    [(exposure,)] = root.ask("select exposure_usd from unpriced_models where model = 'acme-internal-7b'")
    names = ("alert_type", "spike_type", "scope_dimension", "scope_value", "delta_is_understated")
    assert [found[name] for name in names] == ["unknown_model", "unknown_model", "model", "acme-internal-7b", True]
    assert abs(2 * found["delta_usd"] - exposure) < exposure / 10  # of two days
    assert found["containment_action"] == "Add the model to the pricing map before reconciliation"
    effects = dict(
        root.ask(
            "select effect, effect_usd from alert_compare where alert_id = ? and effect_usd <> 0 and token_kind is null",
            found["alert_id"],
        )
    )
    assert effects == {"unpriced": found["delta_usd"]}


def test_an_unknown_model_that_comes_back_is_the_same_problem_again(alert):
    """Known is not solved: eight days later it is an alert of its own."""
    first, again = alert(UNKNOWN_DAY), alert(RETURN_DAY)
    assert first["alert_id"] != again["alert_id"]
    assert (first["problem_id"], "closed") == (again["problem_id"], first["status"])


def test_a_users_loop_is_abuse(root, alert):
    found = alert(ABUSE_DAY)
    names = ("alert_type", "spike_type", "scope_dimension", "scope_value", "severity", "status", "close_reason")
    assert [found[name] for name in names] == [
        "user_concentration", "abuse", "user", "acme-0", "critical", "closed", "quiet",
    ]  # fmt: skip
    loop = priced(root, "request_id like '%-loop-%'")
    assert abs(found["delta_usd"] - loop) < loop / 10
    assert found["containment_action"] == "Limit the user and start an abuse investigation"


def test_a_late_file_raises_the_alert_it_belongs_to_and_renames_none(before_the_late_file, grown):
    before, after = before_the_late_file.delta_by_alert, grown.delta_by_alert
    assert before.keys() <= after.keys()
    [(loop, delta)] = [(key, usd) for key, usd in before.items() if usd != after[key]]
    assert loop[1:] == ("abuse", ABUSE_DAY)
    assert 1.8 < after[loop] / delta < 2.2


def test_an_idle_run_judges_no_date_anew(grown, idle):
    for model in ("int_alerted_before", "int_judgements", "int_drivers_round_1", "int_problems", "int_problem_effects"):
        assert (model, f"{LAST}") in grown.built_at
        assert (model, idle.rebuilt_after(grown, model)) == (model, set())
    assert idle.built_at.keys() == grown.built_at.keys()


def test_a_late_file_judges_no_day_before_it_anew(before_the_late_file, grown):
    for model in ("int_judgements", "int_problems"):
        assert min(grown.rebuilt_after(before_the_late_file, model)) == f"{ABUSE_DAY}"


@pytest.mark.parametrize("mart", ALERT_MARTS)
def test_a_full_refresh_equals_the_increments(grown, refreshed, mart):
    gone, come = (
        set(one.marts[mart]) - set(other.marts[mart]) for one, other in [(grown, refreshed), (refreshed, grown)]
    )
    assert (gone, come) == (set(), set())
    assert len(grown.marts[mart]) == len(refreshed.marts[mart]) > 3
