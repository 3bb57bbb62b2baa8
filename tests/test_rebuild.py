"""A rebuild equals the increments, and a run touches only what differs: DESIGN section 1, rules 2 and 6.

One data root lives through a story; each fixture is one more run and hands on what the tables held after it.
"""

import random
import shutil
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest

from orchestration import dbt
from orchestration.landing.load import load_new_files
from tests.pipeline import COSTS, WITHOUT_TESTS, Pipeline, event, pipeline_at
from tests.test_incident_events import OPENED, incident
from tests.test_incident_events import land as land_incidents

PLAIN_COST = Decimal("0.006")
UNKNOWN = {"provider": "selfhosted", "model": "acme-internal-7b"}
BY_DATE = (  # built from their own date alone; fct_requests also reads the dates to which its tries ran over midnight
    "fct_attempts",
    "cost_by_endpoint_daily",
    "cost_by_prompt_version_daily",
    "cost_by_tenant_daily",
    "cost_by_user_daily",
    "cost_by_model_daily",
    "cost_by_feature_daily",
    "cost_daily",
    "int_model_usage_daily",
    "int_quality_daily",
)
MIDNIGHT = "2026-11-18T00:00"

# Arrival day of each file -> its lines. Every id names its case; most cases need two files, so that order could matter.
FILES = {
    "2026-11-18": [
        event("over-midnight", "2026-11-17T23:59:58Z", attempt=1, status="error"),
        event("stamped-again", "2026-11-17T23:59:59Z", providerRequestId="p-again"),
        event("by-arrival", "2026-11-18T09:00:00Z", attempt=1, inputTokens=500),
        event("by-arrival-of-copy", "2026-11-18T09:00:00Z", attempt=1, inputTokens=700),
        event("replayed", "2026-11-17T12:00:00Z", providerRequestId="p-replay"),
        event("withdrawn", "2026-11-17T12:00:00Z", attempt=1),
        event("reused", "2026-11-17T12:00:00Z", attempt=1),
        event("chain-a", "2026-11-17T23:00:00Z", providerRequestId="p-1", attempt=1),
        event("unknown", "2026-11-18T11:00:00Z", **UNKNOWN),
        event("future", "2026-11-23T18:00:00Z"),
    ],
    "2026-11-19": [
        event("over-midnight", f"{MIDNIGHT}:03Z", attempt=2),
        event("stamped-again", f"{MIDNIGHT}:01Z", providerRequestId="p-again"),
        event("by-arrival-of-copy", "2026-11-18T09:00:00Z", attempt=1, inputTokens=600),
        event("copied-file", "2026-11-18T10:00:00Z"),
        event("late-duplicate", "2026-11-18T10:00:00Z", attempt=1),
        event("corrected", "2026-11-18T10:00:00Z", attempt=1, usageSource="estimate", inputTokens=900),
        event("bare", "2026-11-18T23:50:00Z"),
        event("chain-b", f"{MIDNIGHT}:10Z", providerRequestId="p-1", attempt=1),
        event("no-status", status=None),
        event("gpt", "2026-11-18T10:00:00Z", provider="openai", model="gpt-5"),
    ],
    "2026-11-20": [
        event("corrected", "2026-11-18T10:00:00Z", attempt=1, usageSource="provider", inputTokens=1000),
        event("replayed", "2026-11-17T12:00:00Z", providerRequestId="p-replay", dataMode="test"),
        event("withdrawn", "2026-11-17T12:00:00Z", attempt=1, withdrawn=True),
        event("bare", "2026-11-19T00:00:10Z", providerRequestId="p-bare"),
        event("reused", "2026-11-20T12:00:00Z", attempt=1),
        event("chain-b", "2026-11-19T00:00:20Z", attempt=1),
        event("unknown", "2026-11-20T11:00:00Z", attempt=2, **UNKNOWN),
        event("never-happened", "2026-11-20T11:00:00Z", attempt=1, withdrawn=True),
    ],
    "2026-11-21": [
        event("by-arrival", "2026-11-18T09:00:00Z", attempt=1, inputTokens=400),
        event("late-duplicate", "2026-11-18T10:00:00Z", attempt=1),
        event("three-days", "2026-11-19T10:00:00Z", attempt=1),
        event("three-days", "2026-11-21T10:00:00Z", attempt=1),
    ],
}
LATE = "2026-10-31"
SAW_UNKNOWN = ("2026-11-18", "2026-11-20")
COPY = "2026-11-22"  # the file of 2026-11-19 arrives again on this day, and this story sees the copy first
ORDER = ("2026-11-20", COPY, "2026-11-18", "2026-11-21", "2026-11-19")
# Only models that keep their dates can differ by what was built before; all others are made anew by any build.
REMEMBERING = ("--select", "+config.materialized:incremental")
STEPS = (ORDER[:2], ORDER[2:4], ORDER[4:])  # files that arrive before each run


@dataclass(frozen=True)
class Moment:
    """What a root held after a run: every mart's rows, and when each model's dates were built."""

    tables: dict[str, list[tuple]]
    built: dict[tuple[str, str], str]
    built_at: dict[tuple[str, str], datetime]
    oldest_published_row: datetime

    def rebuilt_after(self, before: "Moment", model: str) -> set[str]:
        """Dates of a model that the runs in between built, or forgot."""
        return {
            day
            for name, day in self.built_at.keys() | before.built_at.keys()
            if name == model and self.built_at.get((name, day)) != before.built_at.get((name, day))
        }


def moment(pipeline: Pipeline) -> Moment:
    [(oldest,)] = pipeline.ask("select min(built_at) from fct_attempts")
    return Moment(pipeline.tables(), pipeline.built(), pipeline.built_at(), oldest)


def random_world(seed: int, days: int = 28, per_day: int = 8) -> dict[str, list[dict]]:
    """Events over `days` whose few ids collide in every way, by arrival day: mostly in order of time, some far too late."""
    dice = random.Random(seed)
    files = sorted(FILES)
    first = datetime(2026, 11, 20, tzinfo=UTC) - timedelta(days=days - 1)
    world = {day: [] for day in files}
    for number in range(days * per_day):
        day = number // per_day
        at = first + timedelta(days=day, seconds=dice.choice([5, 40_000, 86_395]), hours=dice.choice([0, 0, 0, -1, 1]))
        pool = dice.choice([f"always-{dice.randrange(3)}", f"week-{day // 7}-{dice.randrange(4)}"])
        line = event(
            pool,
            at.isoformat(),
            attempt=dice.choice([None, 1, 1, 2]),
            providerRequestId=dice.choice([None, None, f"r-{day // 5}-{dice.randrange(4)}"]),
            status=dice.choice(["success", "success", "error"]),
            usageSource=dice.choice([None, "provider", "estimate"]),
            inputTokens=dice.choice([None, 0, 1000, 1001]),
            environment=dice.choice(["prod", "prod", "prod", "dev"]),
            **dice.choice([{}, {}, {"provider": "openai", "model": "gpt-5-mini"}]),
        )
        if dice.random() < 0.04:
            line["withdrawn"] = True
        in_order = files[day * len(files) // days]
        world[in_order if dice.random() < 0.85 else dice.choice(files)].append(line)
    return world


RANDOM = random_world(seed=20261123)


def land(pipeline: Pipeline, day: str) -> None:
    source = "2026-11-19" if day == COPY else day
    pipeline.land("copy.jsonl" if day == COPY else "events.jsonl", FILES[source] + RANDOM[source], day)


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Pipeline:
    return pipeline_at(tmp_path_factory.mktemp("rebuild") / "data")


@pytest.fixture(scope="module")
def shuffled(root) -> Moment:
    """Files in shuffled order, a run after each arrival; the tests of dbt judge what the increments made."""
    for arrivals in STEPS[:-1]:
        for day in arrivals:
            land(root, day)
        root.build(*WITHOUT_TESTS, *REMEMBERING)
    for day in STEPS[-1]:
        land(root, day)
    root.run()
    return moment(root)


@pytest.fixture(scope="module")
def idle(root, shuffled) -> Moment:
    """No usage is new, and incidents of earlier days are, one of them refused."""
    events = [OPENED | {"occurredAt": f"{LATE}T10:00:00Z"}, incident("closed"), incident("closed", actor="")]
    land_incidents(root, "incidents.jsonl", events)
    root.run(*WITHOUT_TESTS)
    return moment(root)


@pytest.fixture(scope="module")
def refreshed(root, idle) -> Moment:
    root.run("--full-refresh", *WITHOUT_TESTS, *REMEMBERING)
    return moment(root)


@pytest.fixture(scope="module")
def at_once(root, refreshed) -> Moment:
    """Raw zone, ledger and warehouse are deleted, and one run sees every file."""
    root.forget()
    root.run(*WITHOUT_TESTS)
    return moment(root)


@pytest.fixture(scope="module")
def changed(root, at_once) -> Moment:
    """A late file arrives, and the unknown model, which two dates saw, gets a price."""
    root.land("late.jsonl", [event("late", f"{LATE}T10:00:00Z")], "2026-11-22")
    root.settings.overrides.mkdir()
    (root.settings.overrides / "acme.yml").write_text(
        """
prices:
  - provider: selfhosted
    model: acme-internal-7b
    from: 2026-01-01
    per_million_tokens: {input_tokens: 2, output_tokens: 5}
    source: a test
    approved_by: test@example.com
    recorded_at: 2026-11-22
"""
    )
    root.run(*WITHOUT_TESTS, *COSTS)
    return moment(root)


@pytest.fixture(scope="module")
def withdrawn_override(root, changed) -> Moment:
    shutil.rmtree(root.settings.overrides)
    root.run(*WITHOUT_TESTS, *COSTS)
    return moment(root)


@pytest.fixture(scope="module")
def wider_window(root, withdrawn_override) -> Pipeline:
    pipeline = Pipeline(replace(root.settings, identity_window_days=2))
    pipeline.run(*WITHOUT_TESTS, "--select", "+fct_attempts")
    return pipeline


def test_a_run_without_new_calls_touches_no_date_of_calls(shuffled, idle):
    """Incidents landed before it: their own models follow."""
    for built, before in ((idle.built, shuffled.built), (idle.built_at, shuffled.built_at)):
        assert {key: value for key, value in built.items() if not key[0].startswith("int_incident")} == before


def test_no_figure_comes_of_incidents_and_what_was_refused_of_them_is_shown(root, shuffled, idle):
    about_incidents = {"incidents", "incident_events", "weekly_incidents", "weekly_summary", "weekly_findings"}
    for name in shuffled.tables.keys() - about_incidents - {"rejected_events", "data_quality_daily"}:
        assert (name, shuffled.tables[name] == idle.tables[name]) == (name, True)
    assert root.ask("select line_number, reason_code from rejected_events where source = 'incidents'") == [
        (3, "missing_field")
    ]
    assert root.ask(
        "select event_date, rejected_rows, is_understated from data_quality_daily where source = 'incidents'"
    ) == [(date(2026, 11, 21), 1, False)]
    arrived = (
        "select event_type, landing_file, arrival_date from staging.stg_incident_events "
        "inner join intermediate.int_arrivals using (content_hash) order by line_number"
    )
    path = "incidents/dt=2026-11-21/incidents.jsonl"
    assert root.inside(arrived) == [(kind, path, date(2026, 11, 21)) for kind in ("opened", "closed")]


def test_a_full_refresh_builds_and_publishes_every_row_anew(idle, refreshed):
    """Its fingerprints are those it found: without new rows in the publication the next test would compare nothing."""
    assert refreshed.built == idle.built
    assert refreshed.oldest_published_row > max(idle.built_at.values())


def test_a_full_refresh_equals_the_increments(idle, refreshed):
    assert_same_tables(idle, refreshed)


def test_one_run_over_everything_equals_the_increments(idle, at_once):
    assert_same_tables(idle, at_once)
    assert idle.built.keys() == at_once.built.keys()


def assert_same_tables(one: Moment, other: Moment) -> None:
    assert one.tables.keys() == other.tables.keys()
    for name in one.tables:
        gone, come = set(one.tables[name]) - set(other.tables[name]), set(other.tables[name]) - set(one.tables[name])
        assert (name, gone, come) == (name, set(), set())
        assert len(one.tables[name]) == len(other.tables[name])


def test_the_world_has_its_cases(at_once, root):
    """Equal tables prove little when they are empty: the cases that order could decide are there."""
    conflicts = root.ask("select conflict, count(*) > 0 from delivery_conflicts group by conflict order by conflict")
    assert conflicts == [("conflicting_payload", True), ("id_reused", True), ("withdrawn", True)]
    assert root.ask("select count(*) from rejected_events where source = 'events'") == [(1,)]
    assert root.ask("select attempts from fct_requests where request_id = 'over-midnight'") == [(2,)]
    [(repeats,)] = root.ask("select sum(duplicate_deliveries) from fct_attempts where request_id like 'always-%'")
    assert repeats > 10


def test_the_same_content_under_two_names_counts_once(root, at_once):
    [counted] = root.ask(
        "select count(*), sum(duplicate_deliveries), sum(cost_usd) from fct_attempts where request_id = 'copied-file'"
    )
    assert counted == (1, 0, PLAIN_COST)


def test_the_later_arrival_wins_and_a_copy_arrived_when_its_content_first_did(root, at_once):
    kept = root.ask(
        "select request_id, input_tokens from fct_attempts where request_id like 'by-arrival%' order by request_id"
    )
    assert kept == [("by-arrival", 400), ("by-arrival-of-copy", 600)]


def test_a_late_file_and_a_price_rebuild_the_dates_they_touch_and_no_other(at_once, changed):
    for model in BY_DATE:
        assert (model, changed.rebuilt_after(at_once, model)) == (model, {LATE, *SAW_UNKNOWN})


def test_models_that_look_sideways_rebuild_near_dates_at_most(at_once, changed):
    assert days_from(LATE, changed.rebuilt_after(at_once, "int_repeated_deliveries")) <= set(range(-6, 11))
    for day in changed.rebuilt_after(at_once, "fct_requests"):
        assert any(days_from(touched, {day}) <= {-1, 0, 1} for touched in (LATE, *SAW_UNKNOWN))


def days_from(day: str, others: set[str]) -> set[int]:
    return {(date.fromisoformat(other) - date.fromisoformat(day)).days for other in others}


def test_a_late_file_and_a_price_add_exactly_their_cost(at_once, changed, usd):
    late, unknown = PLAIN_COST, usd(1000, per_million=2) + usd(200, per_million=5)
    assert total(changed) - total(at_once) == late + 2 * unknown


def total(moment: Moment) -> Decimal:
    costs = [row[COST_OF_TENANT] for row in moment.tables["cost_by_tenant_daily"]]
    return sum(cost for cost in costs if cost is not None)


COST_OF_TENANT = 14  # the column cost_usd


def test_a_withdrawn_override_restores_what_was(at_once, changed, withdrawn_override):
    for model in BY_DATE:
        assert (model, withdrawn_override.rebuilt_after(changed, model)) == (model, set(SAW_UNKNOWN))
    for mart in ("price_book", "unpriced_models"):
        assert withdrawn_override.tables[mart] == at_once.tables[mart]
    before, after = set(at_once.tables["fct_attempts"]), set(withdrawn_override.tables["fct_attempts"])
    assert before < after
    assert len(after - before) == 1
    assert total(withdrawn_override) - total(at_once) == PLAIN_COST


def test_a_row_says_which_load_and_which_price_made_it(root, withdrawn_override):
    """Of every attempt: its line, its load, and where it has a cost the price row and the version that recorded it."""
    orphans = root.inside(
        """
        select fact.request_id
        from marts.fct_attempts as fact
        left join staging.stg_loads as loads
            on fact.load_id = loads.load_id and fact.landing_content_hash = loads.content_hash
        left join marts.price_book as book
            on fact.price_row_key = book.price_row_key and fact.price_book_version = book.price_book_version
            and coalesce(fact.occurred_at >= book.valid_from, true) and coalesce(fact.occurred_at < book.valid_to, true)
        where loads.load_id is null or fact.landing_line_number is null
            or (fact.pricing_status = 'priced' and book.price_row_key is null)
        """
    )
    assert orphans == []


def test_a_wider_identity_window_is_noticed(wider_window):
    """A setting that decides what one attempt is belongs to what a date was built from."""
    assert wider_window.ask("select count(*) from fct_attempts where request_id = 'three-days'") == [(1,)]


def test_a_day_that_becomes_complete_rebuilds_its_row_of_a_daily_mart_and_not_the_fact(wider_window):
    chosen = ("--select", "attempt_days", "complete_days", "fct_attempts", "cost_by_tenant_daily")
    seen, built = [], []
    for instant in (datetime(2026, 11, 24, 5, 59, 59, tzinfo=UTC), datetime(2026, 11, 24, 6, tzinfo=UTC)):
        step = replace(wider_window, settings=replace(wider_window.settings, as_of=instant))
        step.build(*WITHOUT_TESTS, *chosen)
        seen += step.inside("select is_complete from marts.cost_by_tenant_daily where event_date = date '2026-11-23'")
        built.append(step.built_at())
    assert seen == [(False,), (True,)]
    changed = {key for key in built[1] if built[1][key] != built[0][key]}
    assert changed == {("cost_by_tenant_daily", "2026-11-23")}


def test_a_changed_macro_rebuilds_what_it_makes(tmp_path, monkeypatch):
    """An upgrade that gives a model other columns needs no full refresh by hand."""
    project = shutil.copytree(dbt.DBT_PROJECT, tmp_path / "dbt_project")
    monkeypatch.setattr(dbt, "DBT_PROJECT", project)
    pipeline = pipeline_at(tmp_path / "data")
    pipeline.land("a.jsonl", [event("one", "2026-11-20T10:00:00Z"), event("two", "2026-11-21T10:00:00Z")])
    pipeline.build("--select", "+fct_attempts", *WITHOUT_TESTS)
    before = pipeline.built()
    columns = (
        "select column_name, data_type from duckdb_columns() where table_name = 'fct_attempts' order by column_index"
    )
    as_built = pipeline.inside(columns)
    with duckdb.connect(str(pipeline.settings.warehouse)) as earlier_release:
        earlier_release.execute("alter table marts.fct_attempts drop column is_approximate")
        earlier_release.execute("alter table marts.fct_attempts alter input_tokens type integer")
    with (project / "macros" / "prices" / "pricing.sql").open("a") as macros:
        macros.write("{# changed #}\n")
    pipeline.build("--select", "+fct_attempts", *WITHOUT_TESTS)
    assert pipeline.built()["fct_attempts", "2026-11-20"] != before["fct_attempts", "2026-11-20"]
    assert pipeline.inside(columns) == as_built
    assert pipeline.inside("select request_id from marts.fct_attempts order by 1") == [("one",), ("two",)]


def test_raw_files_of_an_earlier_release_lack_columns(tmp_path):
    pipeline = pipeline_at(tmp_path / "data")
    for day in ("2026-11-18", "2026-11-19"):
        writes = {"cacheWriteTokens": 100, "cacheWrite1hTokens": 40}
        pipeline.land("a.jsonl", [event(day, f"{day}T10:00:00Z", billingAccountId="org-acme", **writes)], day)
    load_new_files(pipeline.settings)
    _as_in_the_first_release(pipeline.settings.raw / "_schema" / "events.parquet")
    written = []
    for raw in sorted(pipeline.settings.raw.glob("events/*/*.parquet")):
        _as_in_the_first_release(raw)
        dbt.run_dbt(pipeline.settings, "build", "--quiet", "--select", "+stg_events")
        written.append(
            pipeline.inside(
                "select cast(event_date as varchar), cache_write_tokens, cache_write_1h_tokens, billing_account_id "
                "from staging.stg_events order by event_date"
            )
        )
    assert written == [
        [("2026-11-18", 100, None, None), ("2026-11-19", 100, 40, "org-acme")],
        [("2026-11-18", 100, None, None), ("2026-11-19", 100, None, None)],
    ]


LATER_COLUMNS = ["cache_write_1h_tokens", "billing_account_id", "sub_account_id", "api_key_id"]
LATER_COLUMNS += ["trace_id", "span_id", "parent_span_id", "source", "item", "emitter", "source_version"]


def _as_in_the_first_release(path: Path) -> None:
    """Rewrites a raw file without the columns that releases have added since."""
    table = pq.read_table(path, partitioning=None)
    pq.write_table(table.drop_columns(LATER_COLUMNS), path)
