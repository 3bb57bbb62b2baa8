"""Whether anything is new: each kind of input, changed alone, makes a run, and what a run does not build is as it would be."""

import ast
import json
import os
import shutil
from collections.abc import Callable
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pytest

from orchestration.dbt import build_command, dbt_project, run_dbt
from orchestration.landing.load import load_new_files
from orchestration.ledger import one_writer
from orchestration.news import (
    EVERYTHING,
    HOURLY,
    READ_BY_READERS,
    begin,
    models_to_build,
    news,
    note,
    remember,
    views_that_stay,
)
from orchestration.news import inputs as inputs_of_runs
from orchestration.news.clock import MODULES, NEXT, next_day, next_instants
from orchestration.news.inputs import KINDS, READ_BY_MODELS, TEAM_TABLES
from orchestration.news.selection import SOURCES
from orchestration.notifications import Event, acknowledge, deliver, enqueue
from orchestration.notifications.outbox import outbox_folder
from orchestration.publishing.exports import exports_signature
from orchestration.publishing.publication import publish
from orchestration.settings import PROJECT, Settings, from_environment
from orchestration.team.tables import write_team_tables
from tests.pipeline import WITHOUT_TESTS, Pipeline, event, pipeline_at

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
CRITICAL = Event("budget/1", "budget/b", "budget", "critical", "Exceeded", "why", "", NOON, ("finance",))
CHANNELS = """
channel,address_variable,min_severity,digest,digest_at,digest_weekday,time_zone,cooldown_minutes,escalate_after_minutes,escalate_to,muted_from,muted_until,reason
finance,TOKENTRAIL_CHANNEL_FINANCE,info,immediate,,,UTC,0,30,oncall,,,a test
oncall,TOKENTRAIL_CHANNEL_ONCALL,info,immediate,,,UTC,0,,,,,a test
""".lstrip()


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A data root after a run that succeeded, every kind of input in it; its code and packages are a folder of the test's."""
    for name in [name for name in os.environ if name.startswith("TOKENTRAIL_CHANNEL_")]:
        monkeypatch.delenv(name)
    code, packages = tmp_path / "checkout", tmp_path / "packages"
    monkeypatch.setattr(inputs_of_runs, "PROJECT", code)
    monkeypatch.setattr(inputs_of_runs.sysconfig, "get_path", lambda name: str(packages))
    data, team = tmp_path / "data", tmp_path / "team"
    for path, text in {
        code / "dbt_project" / "models" / "m.sql": "select 1",
        packages / "duckdb-1.5.0.dist-info" / "METADATA": "",
        team / "notification_channels.csv": CHANNELS,
        team / "prices" / "own.yml": "prices: []",
        data / "landing" / "events" / "dt=2026-11-20" / "a.jsonl": "{}",
        data / "raw" / "_loads" / "1.parquet": "a manifest",
        data / "ledger" / "price_book" / "versions.jsonl": "{}\n",
        data / "ledger" / "price_book" / "v1" / "part-000000.parquet": "rows",
        data / "ledger" / "weekly_reports" / "log.jsonl": "{}\n",
        data / "publications" / "1" / "tokentrail.duckdb": "marts",
        data / "publications" / "1" / "exports" / "month.csv": "rows",
    }.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    duckdb.connect(str(data / "warehouse.duckdb")).close()
    (data / "published").symlink_to("publications/1")
    settings = from_environment({"TOKENTRAIL_DATA": str(data), "TOKENTRAIL_TEAM": str(team)})
    settings = replace(settings, as_of=NOON)
    write_team_tables(settings)
    with one_writer(settings.ledger / "set_aside") as append:
        append([{"sequence": 1, "action": "set_aside"}])
    succeed(settings)
    return settings


def read_all(settings: Settings, run_id: str) -> None:
    """The moments at which a run notes what it reads."""
    begin(settings, run_id)
    note(settings, run_id, READ_BY_MODELS)
    note(settings, run_id, READ_BY_READERS)


def succeed(settings: Settings, covers: str = EVERYTHING, run_id: str = "") -> None:
    run_id = run_id or f"run-{datetime.now(UTC).isoformat()}"
    read_all(settings, run_id)
    assert remember(settings, run_id, covers, [])


def later(settings: Settings, **difference: float) -> Settings:
    return replace(settings, as_of=settings.as_of + timedelta(**difference))


def write(relative: str, text: str = "something else") -> Callable[[Settings], None]:
    def change(settings: Settings) -> None:
        path = settings.data.parent / relative
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    return change


def delete(relative: str) -> Callable[[Settings], None]:
    return lambda settings: (settings.data.parent / relative).unlink()


def touch(settings: Settings) -> None:
    os.utime(settings.data / "landing" / "events" / "dt=2026-11-20" / "a.jsonl")


def publish_by_hand(settings: Settings) -> None:
    shutil.copytree(settings.data / "publications" / "1", settings.data / "publications" / "2")
    settings.published.unlink()
    settings.published.symlink_to("publications/2")


def build_by_hand(settings: Settings) -> None:
    with duckdb.connect(str(settings.warehouse)) as connection:
        connection.execute("create table t as select 1 as a")


def set_aside(settings: Settings) -> None:
    with one_writer(settings.ledger / "set_aside") as append:
        append([{"sequence": 2, "action": "taken_back"}])


CHANGES = {
    "a file that lands": ("landing", write("data/landing/events/dt=2026-11-20/b.jsonl")),
    "a file of another source": ("landing", write("data/landing/incidents/dt=2026-11-20/b.jsonl")),
    "other content under the same name": ("landing", write("data/landing/events/dt=2026-11-20/a.jsonl", "[]")),
    "the time of a file": ("landing", touch),
    "a landing folder that is gone": ("landing", lambda settings: shutil.rmtree(settings.landing)),
    "a team file": ("team", write("team/notification_channels.csv", CHANNELS + "\n")),
    "a new team file": ("team", write("team/budgets.csv")),
    "an override": ("team", write("team/prices/own.yml")),
    "an override that is deleted": ("team", delete("team/prices/own.yml")),
    "what became of a team file": ("team.budgets", write("data/state/team/budgets.parquet")),
    "code": ("code", write("checkout/dbt_project/models/m.sql", "select 2")),
    "new code": ("code", write("checkout/orchestration/new.py")),
    "code that is deleted": ("code", delete("checkout/dbt_project/models/m.sql")),
    "a package": ("code", write("packages/duckdb-1.5.1.dist-info/METADATA")),
    "a load by hand": ("raw", write("data/raw/_loads/2.parquet")),
    "a manifest that is deleted": ("raw", delete("data/raw/_loads/1.parquet")),
    "a version of the price book": ("price_book", write("data/ledger/price_book/versions.jsonl", "{}\n{}\n")),
    "rows of the price book": ("price_book", write("data/ledger/price_book/v1/part-000001.parquet")),
    "a line that is set aside": ("set_aside", set_aside),
    "a message": ("messages", lambda settings: enqueue(settings, [CRITICAL])),
    "the ledger of reports": ("reports", write("data/ledger/weekly_reports/log.jsonl", "{}\n{}\n")),
    "an announcement": ("reports", write("data/ledger/budget_announcements/log.jsonl", "{}\n")),
    "a warehouse that somebody wrote": ("warehouse", build_by_hand),
    "a warehouse that is deleted": ("warehouse", delete("data/warehouse.duckdb")),
    "an export that is deleted": ("publication", delete("data/publications/1/exports/month.csv")),
    "an export with other content": ("publication", write("data/publications/1/exports/month.csv", "ROWS")),
    "published marts that are deleted": ("publication", delete("data/publications/1/tokentrail.duckdb")),
    "a link that is deleted": ("publication", delete("data/published")),
    "another publication": ("publication", publish_by_hand),
}  # fmt: skip


def test_right_after_a_run_nothing_is_new(root):
    found = news(root)
    assert (bool(found), found.changed, found.due) == (False, (), ())
    assert found.sentence == (
        "Nothing is new since the run as of 2026-11-20 12:00 UTC, so nothing was built, published or sent. "
        "The clock alone changes something at 2026-11-21 00:00 UTC."
    )
    assert not news(later(root, hours=11, minutes=59))


def test_looking_writes_nothing(root):
    before = {path: path.stat().st_mtime_ns for path in root.data.rglob("*")}
    news(root)
    assert {path: path.stat().st_mtime_ns for path in root.data.rglob("*")} == before


@pytest.mark.parametrize(("kind", "change"), CHANGES.values(), ids=CHANGES)
def test_each_change_alone_is_new_until_a_run_that_took_it_in_has_succeeded(root, kind, change):
    change(root)
    found = news(root)
    assert (found.changed, bool(found)) == ((kind,), True)
    read_all(root, "killed")  # it ends here: nothing is remembered
    assert news(root).changed == (kind,)
    if root.warehouse.exists() and Path(root.landing).exists():
        succeed(root)
        assert not news(root)


def test_every_kind_is_among_the_changes():
    assert {kind for kind, _ in CHANGES.values()} == KINDS.keys() - TEAM_TABLES.keys() - {"settings"} | {"team.budgets"}


OTHER = {str: "other", int: 77, float: 0.5, Path: Path("/elsewhere")}


@pytest.mark.parametrize("name", [each.name for each in fields(Settings) if each.name not in ("as_of", "data", "team")])
def test_every_setting_is_looked_at(root, name):
    former = getattr(root, name)
    other = not former if isinstance(former, bool) else OTHER[type(former)]
    assert "settings" in news(replace(root, **{name: other})).changed


def test_an_address_that_is_set_is_new(root, monkeypatch):
    monkeypatch.setenv("TOKENTRAIL_CHANNEL_FINANCE", "json://localhost")
    assert news(root).changed == ("settings",)


def test_an_earlier_instant_is_new(root):
    found = news(later(root, seconds=-1))
    assert found
    assert found.sentence == "This run reports as of an earlier instant than the last one, 2026-11-20 12:00 UTC."


@pytest.mark.parametrize(
    "damage", [delete("data/state/news/everything.json"), write("data/state/news/everything.json", "{")]
)
def test_without_a_whole_record_everything_is_new(root, damage):
    damage(root)
    assert news(root).changed == ("first",)


@pytest.mark.parametrize(
    ("after", "change", "kind"),
    [
        ("begin", CHANGES["a file that lands"][1], "landing"),
        ("begin", CHANGES["a team file"][1], "team"),
        ("begin", CHANGES["code"][1], "code"),
        ("models", set_aside, "set_aside"),
        ("models", CHANGES["a load by hand"][1], "raw"),
        ("readers", CHANGES["a message"][1], "messages"),
    ],
)  # fmt: skip
def test_what_changes_after_a_run_has_read_it_is_new_to_the_next(root, after, change, kind):
    begin(root, "run")
    if after == "begin":
        change(root)
    begin(root, "run")  # each step asks for its settings
    note(root, "run", READ_BY_MODELS)
    if after == "models":
        change(root)
    note(root, "run", READ_BY_READERS)
    if after == "readers":
        change(root)
    assert remember(root, "run", EVERYTHING, [])
    assert news(root).changed == (kind,)


def test_what_could_not_be_read_is_new_until_it_could(root):
    begin(root, "run")
    note(root, "run", unreadable=["landing"])
    note(root, "run", READ_BY_MODELS)
    note(root, "run", READ_BY_READERS)
    assert remember(root, "run", EVERYTHING, [])
    assert news(root).changed == ("landing",)
    succeed(root)
    assert not news(root)


def test_a_run_that_left_steps_out_is_not_remembered(root):
    before = (root.state / "news" / "everything.json").read_text()
    begin(root, "run")
    note(root, "run", READ_BY_MODELS)
    begin(root, "another")  # at the same time
    assert not remember(root, "run", EVERYTHING, [])
    assert not remember(root, "another", EVERYTHING, [])
    assert (root.state / "news" / "everything.json").read_text() == before


def test_an_hour_that_took_files_in_leaves_them_new_to_the_day(root):
    former = Path(root.landing) / "events" / "dt=2026-11-20" / "b.jsonl"
    CHANGES["a file that lands"][1](root)
    build_by_hand(root)
    succeed(root, HOURLY)
    assert not news(root, HOURLY)
    assert news(root, EVERYTHING)
    former.unlink()  # as before, but the hour has built with it
    assert news(root, EVERYTHING)
    assert news(root, HOURLY)


def test_an_hour_that_found_only_the_clock_leaves_nothing_new_but_the_clock(root):
    build_by_hand(root)
    for change in ("a message", "an announcement"):
        CHANGES[change][1](root)
    succeed(later(root, hours=1), HOURLY)
    hour = later(root, hours=1)
    assert not news(hour, HOURLY)
    assert not news(hour, EVERYTHING)


@pytest.fixture
def addresses(monkeypatch) -> None:
    for name in ("FINANCE", "ONCALL"):
        monkeypatch.setenv(f"TOKENTRAIL_CHANNEL_{name}", "json://localhost:1")  # nobody listens there


def test_a_message_is_due_when_it_is_tried_again(root, addresses):
    enqueue(root, [CRITICAL])
    deliver(root)
    succeed(root)
    assert not news(later(root, minutes=19))
    assert news(later(root, minutes=20)).due == ("outbox",)


def test_a_message_is_due_when_it_escalates_and_not_once_it_is_acknowledged(root, addresses):
    enqueue(root, [CRITICAL])
    [message] = [json.loads(line) for line in (outbox_folder(root) / "log.jsonl").read_text().splitlines()]
    with one_writer(outbox_folder(root)) as append:
        append([{"step": "sent", "at": NOON.isoformat(), "try": 1, "message_ids": [message["message_id"]]}])
    succeed(root)
    assert not news(later(root, minutes=29))
    assert news(later(root, minutes=30)).due == ("outbox",)
    acknowledge(root, CRITICAL.topic, "kim")
    assert news(later(root, minutes=30)).changed == ("messages",)
    succeed(root)
    assert not news(later(root, minutes=30))


def test_a_message_that_waits_for_an_address_is_not_due(root):
    enqueue(root, [CRITICAL])
    succeed(root)
    assert not news(later(root, hours=11))


# What the clock and a difference reach, from dbt's manifest.


@pytest.fixture(scope="module")
def manifest(tmp_path_factory) -> dict:
    settings = pipeline_at(tmp_path_factory.mktemp("news")).settings
    return json.loads(Path(dbt_project(settings).manifest_path).read_text())


def calls(manifest: dict, unique_id: str) -> set[str]:
    """Every macro that a node or macro reaches."""
    found, waiting = set(), [unique_id]
    while waiting:
        one = waiting.pop()
        more = (manifest["nodes"].get(one) or manifest["macros"].get(one) or {"depends_on": {"macros": []}})[
            "depends_on"
        ]["macros"]
        waiting += set(more) - found
        found |= set(more)
    return found


def models(manifest: dict) -> dict[str, str]:
    return {node["name"]: key for key, node in manifest["nodes"].items() if node["resource_type"] == "model"}


def test_every_model_that_reads_the_clock_says_when_it_changes(manifest):
    clocked = {name for name, key in models(manifest).items() if "macro.tokentrail.as_of" in calls(manifest, key)}
    assert clocked == NEXT.keys()


def test_every_module_that_reads_the_clock_says_what_becomes_of_it():
    """A new one needs its line in MODULES, and what it makes an instant."""
    reading = set()
    for folder in ("orchestration", "expectations", "pricing"):
        for path in (PROJECT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                is_read = isinstance(node, ast.Attribute) and node.attr == "as_of"
                if is_read or (isinstance(node, ast.arg) and node.arg == "as_of"):
                    reading.add(".".join(path.relative_to(PROJECT).with_suffix("").parts))
    # settings make the instant, the ledger compares instants that it is handed
    assert reading - {"orchestration.settings", "orchestration.ledger"} == MODULES.keys()


def test_what_the_expectations_read_changes_with_the_day_alone():
    for path in (PROJECT / "expectations" / "profiles").glob("*.sql"):
        sql = "".join(line for line in path.read_text().splitlines(keepends=True) if not line.startswith("--"))
        assert sql.count("$as_of") == sql.count("cast($as_of as date)"), path.name


def test_the_exports_are_due_when_a_day_begins_and_when_it_becomes_complete(root):
    """Their own words for the days that they hold change at these instants and at no other."""
    for lateness in (0, 6, 30):
        at = replace(root, lateness_hours=lateness, as_of=datetime(2026, 11, 20, 3, 30, tzinfo=UTC))
        for _ in range(4):
            due = next_day(at)
            before, then = (exports_signature(replace(at, as_of=due - timedelta(seconds=late))) for late in (1, 0))
            assert exports_signature(at) == before != then
            at = replace(at, as_of=due)


def test_every_model_is_reached_from_a_source_or_reads_the_ledger_as_it_is(manifest):
    """What is read without a `source` would not be built when it changes."""
    named = {f"{each['source_name']}.{each['name']}" for each in manifest["sources"].values()}
    sources = {name for name in named if name in SOURCES.values() or name.partition(".")[0] in SOURCES.values()}
    assert named - sources == {"published.catalog", "published.publication"}  # they describe what publishing writes
    without = {name for name, key in models(manifest).items() if not manifest["nodes"][key]["depends_on"]["nodes"]}
    assert without == {"stg_notification_outbox", "stg_budget_announcements", "stg_alert_announcements"}
    for name in without:
        [mart] = [child for child in manifest["child_map"][models(manifest)[name]] if child.startswith("model.")]
        assert [manifest["nodes"][each]["config"]["materialized"] for each in (models(manifest)[name], mart)] == [
            "view",
            "view",
        ]


@pytest.mark.parametrize(
    ("change", "some", "others"),
    [
        ("what became of a team file", {"int_budget_states", "weekly_summary"}, {"fct_attempts", "alerts"}),
        ("a load by hand", {"fct_attempts", "alerts", "budget_status"}, {"stg_budgets", "stg_price_book"}),
        ("a version of the price book", {"fct_attempts", "price_book"}, {"stg_events", "int_deliveries"}),
        ("a line that is set aside", {"fct_attempts", "rejected_events"}, {"stg_loads", "price_book"}),
        ("a message", set(), {"fct_attempts", "notification_outbox"}),
        ("an export that is deleted", set(), {"fct_attempts"}),
        ("a file that lands", set(), {"fct_attempts"}),  # what it was loaded into is a difference of its own
    ],
)  # fmt: skip
def test_a_difference_builds_what_reads_it_and_nothing_else(root, manifest, change, some, others):
    CHANGES[change][1](root)
    begin(root, "run")
    selected = models_to_build(root, "run", EVERYTHING, manifest, models(manifest))
    assert some <= selected
    assert selected & others == set()


@pytest.mark.parametrize("change", ["code", "a warehouse that somebody wrote"])
def test_other_code_or_another_warehouse_builds_everything(root, manifest, change):
    CHANGES[change][1](root)
    begin(root, "run")
    assert models_to_build(root, "run", EVERYTHING, manifest, models(manifest)) is None


def test_a_run_that_noted_nothing_builds_everything(root, manifest):
    assert models_to_build(root, "run", EVERYTHING, manifest, models(manifest)) is None


# A real warehouse through the end of a week: what a run leaves out is as a whole build makes it.

# With the budgets of the demo, in three time zones.
SUNDAY = datetime(2026, 11, 22, 23, 50, tzinfo=UTC)
USAGE = [event(f"{day}-{hour}", f"2026-11-{day:02}T{hour:02}:10:00Z") for day in range(9, 23) for hour in (1, 22)]
OPENED = {
    "incidentId": "INC-1",
    "type": "opened",
    "occurredAt": "2026-11-23T08:10:00Z",
    "actor": "kim",
    "alertId": "a-1",
    "problemId": "p-1",
}
ODD = [event("unknown", provider="selfhosted", model="acme-internal-7b"), event("ahead", "2026-11-23T07:03:00Z")]


def week(root: Path, as_of: datetime) -> Pipeline:
    pipeline = pipeline_at(root, as_of=as_of)
    pipeline.land("usage.jsonl", USAGE)
    pipeline.land("odd.jsonl", ODD)
    folder = Path(pipeline.settings.landing) / "incidents" / "dt=2026-11-22"
    folder.mkdir(parents=True)
    (folder / "i.jsonl").write_text(json.dumps(OPENED) + "\n")
    return pipeline


def due_at(pipeline: Pipeline) -> dict[str, datetime]:
    return next_instants(pipeline.settings, NEXT)


@pytest.fixture(scope="module")
def stepped(tmp_path_factory, manifest) -> tuple[Pipeline, list[set[str]]]:
    """Built on Sunday evening, then twice what the clock reaches: at midnight, and when Sunday and its week are complete."""
    pipeline, built = week(tmp_path_factory.mktemp("stepped") / "data", SUNDAY), []
    begin(pipeline.settings, "sunday")
    note(pipeline.settings, "sunday", [])
    pipeline.run(*WITHOUT_TESTS)
    for kinds in (READ_BY_MODELS, READ_BY_READERS):
        note(pipeline.settings, "sunday", kinds)
    assert remember(pipeline.settings, "sunday", EVERYTHING, models(manifest))
    for as_of in (datetime(2026, 11, 23, 0, 0, 1, tzinfo=UTC), datetime(2026, 11, 23, 6, 0, 1, tzinfo=UTC)):
        pipeline = Pipeline(replace(pipeline.settings, as_of=as_of))
        settings, run = pipeline.settings, as_of.isoformat()
        begin(settings, run)
        selected = models_to_build(settings, run, EVERYTHING, manifest, models(manifest))
        made = selected - views_that_stay(manifest, selected)
        run_dbt(settings, *build_command(settings), "--quiet", *WITHOUT_TESTS, "--select", " ".join(made))
        note(settings, run, READ_BY_READERS)
        publish(settings)
        assert remember(settings, run, EVERYTHING, models(manifest))
        built.append(selected)
    return pipeline, built


def test_the_clock_reaches_what_it_changes(stepped, manifest):
    pipeline, (midnight, complete) = stepped
    quarter = replace(pipeline.settings, as_of=datetime(2026, 11, 23, 6, 15, tzinfo=UTC))
    begin(quarter, "quarter")
    selected = models_to_build(quarter, "quarter", EVERYTHING, manifest, models(manifest))
    assert {"budget_status", "unpriced_models", "source_freshness", "weekly_summary"} <= midnight
    assert {"alerts", "data_quality_daily", "cost_by_endpoint_daily", "cost_daily", "weekly_summary"} <= complete
    assert {"budget_status", "budget_transitions"} <= selected
    for each in (midnight, complete, selected):
        assert each & {"fct_attempts", "fct_requests", "stg_events", "price_book"} == set()
    assert midnight & {"cost_by_endpoint_daily", "cost_daily", "alert_days"} == set()
    assert selected & {"alerts", "cost_daily", "source_freshness", "data_quality_daily", "unpriced_models"} == set()


def test_the_next_instants_are_those_of_the_rows(stepped):
    pipeline, _ = stepped
    due = due_at(pipeline)
    assert due["int_incident_events"] == datetime(2026, 11, 23, 8, 10, tzinfo=UTC)
    assert due["fct_attempts"] == due["attempt_days"] == datetime(2026, 11, 23, 7, 3, tzinfo=UTC)
    assert due["int_budget_states"] == datetime(2026, 11, 23, 6, 15, tzinfo=UTC)
    assert due["int_source_pauses"] == due["int_source_freshness"] == datetime(2026, 11, 23, 7, tzinfo=UTC)
    assert due["int_data_quality_daily"] == datetime(2026, 11, 24, tzinfo=UTC)
    assert due["alert_days"] == due["complete_days"] == due["cost_daily"] == datetime(2026, 11, 24, 6, tzinfo=UTC)
    assert due["int_unpriced_models"] == due["int_override_snippets"] == datetime(2026, 11, 24, tzinfo=UTC)
    assert due["int_weeks"] == datetime(2026, 11, 30, tzinfo=UTC)


def test_what_was_left_out_is_as_a_whole_build_makes_it_until_something_is_due(stepped, tmp_path):
    """A whole build as of the last second before the next instant has nothing else in any mart."""
    pipeline, _ = stepped
    due = min(due_at(pipeline).values())
    assert due - pipeline.settings.as_of > timedelta(minutes=14)
    whole = week(tmp_path / "data", due - timedelta(seconds=1))
    whole.run(*WITHOUT_TESTS)
    assert pipeline.tables() == whole.tables()


def test_a_view_stays_where_the_code_alone_makes_it(stepped, manifest):
    """Compiled as of another instant, over other files, it says what it said."""
    pipeline, _ = stepped
    stay = views_that_stay(manifest, models(manifest))
    later = Pipeline(replace(pipeline.settings, as_of=datetime(2026, 11, 25, tzinfo=UTC)))
    before = compiled(pipeline, stay)
    later.land("later.jsonl", [event("later", "2026-11-24T10:00:00Z")], day="2026-11-24")
    load_new_files(later.settings, "events")
    assert compiled(later, stay) == before
    assert len(before) == len(stay) > 25
    assert stay & {"stg_events", "int_budget_status", "int_deliveries", "stg_loads"} == set()


def compiled(pipeline: Pipeline, names: set[str]) -> dict[str, str]:
    run_dbt(pipeline.settings, "compile", "--quiet", "--no-write-json", "--select", " ".join(names))
    return {
        path.stem: path.read_text()
        for path in (pipeline.settings.state / "dbt" / "compiled").rglob("*.sql")
        if path.stem in names
    }
