"""The code location as Dagster sees it: what is defined, the daily job over a small root, a backfill of a range, the sensor."""

import importlib
import json
import os
import re
import shutil
import subprocess
import sys
import warnings
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.errors import DagsterConfigMappingFunctionError

from orchestration.news import news
from orchestration.notifications import Event, enqueue, read_outbox
from orchestration.settings import PROJECT, Settings
from orchestration.warehouse import warehouse
from tests.pipeline import AS_OF, Pipeline, event, pipeline_at
from tests.test_dbt_house import SUBJECTS

DAYS = ("2026-11-18", "2026-11-19", "2026-11-20", "2026-11-21")
GROUPS = ["landing", *SUBJECTS, "publishing"]
OF_A_PERIOD = {f"int_budget_{name}" for name in ("regular", "usual", "unevenness", "quarters", "drivers", "states")}
# What a run announces and sends is in what it publishes.
IN_ORDER = (
    *("warehouse_models", "alert_announcements_ledger", "budget_announcements_ledger", "source_silences_ledger"),
    *("weekly_report", "notifications", "published_marts", "published_docs", "run_record"),
)
WAITING_SQL = "select distinct model from (table tokentrail.built except table tokentrail.verified)"
MARK = "the text of a prompt 9f2c"
LATER = AS_OF + timedelta(minutes=20)
DAILY_AT, WEEKLY_AT, TIME_ZONE = "07:30", "08:45", "Europe/Berlin"


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Pipeline:
    """A small root with one event a day, one of them of a model that has no price."""
    pipeline = pipeline_at(tmp_path_factory.mktemp("dagster") / "data")
    bodies = {"messages": [{"role": "user", "content": MARK}], "completion": MARK}
    pipeline.land("events.jsonl", [event(f"on-{day}", f"{day}T10:00:00Z", **bodies) for day in DAYS])
    pipeline.land("unknown.jsonl", [event("unknown", provider="selfhosted", model="acme-internal-7b")])
    return pipeline


def environment(root: Pipeline, as_of: datetime = AS_OF) -> dict[str, str]:
    """What a user exports: the code location reads it when it is loaded, and again for every run."""
    return {
        "TOKENTRAIL_DATA": str(root.settings.data),
        "TOKENTRAIL_AS_OF": as_of.isoformat(),
        "TOKENTRAIL_DAILY_AT": DAILY_AT,
        "TOKENTRAIL_WEEKLY_AT": WEEKLY_AT,
        "TOKENTRAIL_TIME_ZONE": TIME_ZONE,
        "DAGSTER_HOME": str(root.settings.state / "dagster"),
        "PYTHONPATH": str(PROJECT),
    }


def settings_of(root: Pipeline, as_of: datetime) -> Settings:
    """The settings that this makes."""
    return replace(root.settings, as_of=as_of, daily_at=DAILY_AT, weekly_at=WEEKLY_AT, time_zone=TIME_ZONE)


@pytest.fixture(scope="module")
def location(root) -> dg.Definitions:
    """The definitions, loaded anew for this root."""
    loaded = {name for name in sys.modules if name.startswith(("orchestration.defs", "orchestration.definitions"))}
    for name in loaded:
        del sys.modules[name]
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment(root).items():
            patch.setenv(name, value)
        Path(os.environ["DAGSTER_HOME"]).mkdir(parents=True)
        shutil.copy(PROJECT / "orchestration" / "dagster.yaml", os.environ["DAGSTER_HOME"])
        from orchestration.definitions import defs

        yield defs()


@pytest.fixture(scope="module")
def specs(location) -> dict[dg.AssetKey, dg.AssetSpec]:
    return {spec.key: spec for spec in location.resolve_all_asset_specs()}


@pytest.fixture(scope="module")
def ticks(root, location) -> dict[str, list]:
    """What the sensor says before the daily job and after it; new files come first, so this runs before `daily`."""
    return {"before": [tick(root, location), tick(root, location)]}


@pytest.fixture(scope="module")
def daily(root, ticks) -> subprocess.CompletedProcess:
    return make_run(root)


@pytest.fixture(scope="module")
def idle(root, daily) -> tuple[subprocess.CompletedProcess, dict[Path, int], dict[Path, int]]:
    """The same again at once, and all files of the data root with their times, before and after it."""
    before = times(root)
    return make_run(root), before, times(root)


@pytest.fixture(scope="module")
def by_the_clock(root, idle) -> tuple[subprocess.CompletedProcess, dict, dict]:
    """A quarter-hour later, with a message that was queued meanwhile; and what was built by date, before and after it."""
    enqueue(root.settings, [Event("run/1", "run/daily", "run", "warning", "It failed", "why", "", AS_OF, ("oncall",))])
    before = root.built_at()
    return make_run(root, LATER), before, root.built_at()


@pytest.fixture(scope="module")
def before_backfill(root, daily, by_the_clock) -> dict:
    assert daily.returncode == 0, daily.stderr[-3000:]
    return root.built_at()


@pytest.fixture(scope="module")
def backfill(root, location, before_backfill) -> dg.ExecuteInProcessResult:
    return launch(root, location, "backfill", {"from": DAYS[1], "to": DAYS[2]})


def make_run(root: Pipeline, as_of: datetime = AS_OF) -> subprocess.CompletedProcess:
    """As `make run` starts it."""
    return subprocess.run(
        [sys.executable, "-m", "orchestration.commands.launch", "run"],
        cwd=PROJECT,
        env=os.environ | environment(root, as_of),
        capture_output=True,
        text=True,
        check=False,
    )


def times(root: Pipeline) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in root.settings.data.rglob("*")}


def launch(root: Pipeline, location: dg.Definitions, job: str, config: dict | None = None) -> dg.ExecuteInProcessResult:
    """A job as `orchestration.launching` runs it, in a process that has loaded the definitions already."""
    with pytest.MonkeyPatch.context() as patch, dg.DagsterInstance.get() as instance, warnings.catch_warnings():
        for name, value in environment(root, LATER).items():
            patch.setenv(name, value)
        definition = location.resolve_job_def(job)
        warnings.simplefilter("ignore", DeprecationWarning)  # dagster-dbt calls what Dagster has deprecated
        return definition.execute_in_process(run_config=config, instance=instance, raise_on_error=False)


def tick(root: Pipeline, location: dg.Definitions) -> dg.RunRequest | dg.SkipReason:
    sensor = location.resolve_sensor_def("new_landing_files")
    with dg.DagsterInstance.ephemeral() as instance:
        context = dg.build_sensor_context(instance=instance, resources={"settings": root.settings})
        return sensor(context)


def test_the_jobs_and_their_schedule_exist(location):
    repository = location.get_repository_def()
    assert {"daily_attribution", "backfill", "hourly_watch", "weekly_recurrence"} <= set(repository.job_names)
    assert location.resolve_schedule_def("hourly_watch_schedule").cron_schedule == "5 * * * *"
    weekly = location.resolve_schedule_def("weekly_recurrence_schedule")
    assert (weekly.job_name, weekly.cron_schedule, weekly.execution_timezone) == (
        "weekly_recurrence",
        "45 8 * * 1",
        TIME_ZONE,
    )
    schedule = location.resolve_schedule_def("daily_attribution_schedule")
    assert schedule.job_name == "daily_attribution"
    assert (schedule.cron_schedule, schedule.execution_timezone) == ("30 7 * * *", TIME_ZONE)
    assert {sensor.name for sensor in repository.sensor_defs} >= {"new_landing_files", "record_run_failure"}
    automation = [*repository.schedule_defs, *repository.sensor_defs]
    assert [each.name for each in automation if not each.description] == []


def test_only_what_starts_no_run_is_on_until_schedules_are_switched_on(location, monkeypatch):
    repository = location.get_repository_def()
    automation = [*repository.schedule_defs, *repository.sensor_defs]
    off = {each.name for each in automation if each.default_status.value == "STOPPED"}
    assert {each.name for each in automation} - off == {"dead_runs", "record_run_failure"}
    monkeypatch.setenv("TOKENTRAIL_SCHEDULES", "on")
    modules = [importlib.reload(sys.modules[f"orchestration.defs.{name}"]) for name in ("automation", "weekly")]
    found = [each for module in modules for each in vars(module).values()]
    kinds = (dg.ScheduleDefinition, dg.SensorDefinition)
    on = {each.name for each in found if isinstance(each, kinds) and each.default_status.value == "RUNNING"}
    assert off <= on


def test_the_weekly_report_comes_after_its_marts_and_before_the_messages(location):
    graph = location.resolve_asset_graph()
    report = graph.get(dg.AssetKey("weekly_report"))
    assert {dg.AssetKey("weekly_summary"), dg.AssetKey("weekly_findings")} <= report.parent_keys
    assert dg.AssetKey("notifications") in report.child_keys


def test_a_week_that_is_none_stops_the_weekly_job_before_it_starts(root, location):
    with pytest.raises(DagsterConfigMappingFunctionError) as refused:
        launch(root, location, "weekly_recurrence", {"week": "2025-W53"})
    assert "WEEK is '2025-W53': give an ISO week that exists, such as 2026-W47." in str(refused.value.__cause__)


def test_every_asset_says_what_it_is_and_who_answers_for_it(specs):
    own = {key: spec for key, spec in specs.items() if spec.metadata.get("dagster_dbt/manifest") or spec.kinds}
    assert len(own) > 30
    for key, spec in own.items():
        lacking = [name for name in ("group_name", "owners", "kinds", "description") if not getattr(spec, name)]
        assert (key.to_user_string(), lacking) == (key.to_user_string(), [])


def test_the_definitions_load_without_dbt_which_runs_in_a_process_of_its_own():
    code = (
        "import sys; from orchestration.definitions import _dbt_out_of_sight as hidden\n"
        "with hidden(): import dagster_dbt\n"
        "loaded = {name.split('.')[0] for name in sys.modules} & {'dbt', 'dbt_common'}\n"
        "import dbt.version\n"
        "sys.exit(', '.join(loaded - {'dbt'}) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_groups_are_the_subjects_in_their_order_without_circles(location):
    graph = location.resolve_asset_graph()
    groups = {key: graph.get(key).group_name for key in graph.get_all_asset_keys()}
    assert set(groups.values()) - {"default"} == set(GROUPS)
    later = [
        f"{key.to_user_string()} ({groups[key]}) reads {parent.to_user_string()} ({groups[parent]})"
        for key in groups
        for parent in graph.get(key).parent_keys
        if "default" not in (groups[key], groups[parent]) and GROUPS.index(groups[parent]) > GROUPS.index(groups[key])
    ]
    assert later == []


def test_marts_have_the_name_that_analysts_query_and_no_freshness_that_goes_by_the_run(specs):
    marts = {key.to_user_string(): spec for key, spec in specs.items() if spec.tags.get("layer") == "marts"}
    assert {"fct_attempts", "cost_by_endpoint_daily", "unpriced_models", "price_book"} <= marts.keys()
    for name, spec in marts.items():
        assert (name, spec.freshness_policy) == (name, None)
        assert spec.metadata["data_docs"].value.endswith("published/docs/data_docs/index.html")


def test_a_mart_is_as_fresh_as_its_data(daily):
    with dg.DagsterInstance.get() as instance:
        event = instance.get_latest_materialization_event(dg.AssetKey("fct_attempts"))
    reach = event.asset_materialization.metadata["dagster/last_updated_timestamp"].value
    assert datetime.fromtimestamp(reach, UTC) == datetime(2026, 11, 21, 10, tzinfo=UTC)


def test_every_test_of_dbt_is_an_asset_check(location, root):
    manifest = json.loads((root.settings.state / "dbt" / "manifest.json").read_text())
    tests = {node["name"] for node in manifest["nodes"].values() if node["resource_type"] == "test"}
    checks = {key.name for key in location.resolve_asset_graph().asset_check_keys}
    assert len(tests) > 50
    assert tests - checks == set()
    assert {"models_missing_from_the_pricing_map", "no_line_is_lost", "prices_are_plausible"} <= checks


def test_every_asset_and_every_check_is_described_without_sql(location):
    graph = location.resolve_asset_graph()
    texts = {key.to_user_string(): graph.get(key).description for key in graph.get_all_asset_keys()}
    texts |= {
        f"{key.asset_key.to_user_string()}: {key.name}": graph.get_check_spec(key).description
        for key in graph.asset_check_keys
    }
    assert len(texts) > 250
    for name, text in texts.items():
        assert text, f"{name} has no description"
        assert not re.search(r"```|[{}]|Raw SQL|\bselect\b|\bis (not )?null\b|coalesce", text), f"{name}: {text}"


def test_the_sensor_asks_for_one_run_for_one_set_of_files(ticks):
    first, again = ticks["before"]
    assert isinstance(first, dg.RunRequest)
    assert again.run_key == first.run_key


def test_the_sensor_is_silent_when_every_file_is_known(root, location, daily):
    assert isinstance(tick(root, location), dg.SkipReason)


def test_the_daily_job_publishes(root, daily):
    assert daily.returncode == 0, daily.stderr[-3000:]
    assert root.ask("select count(*), count(cost_usd) from fct_attempts") == [(5, 4)]
    assert (root.settings.published / "docs" / "dbt" / "index.html").exists()
    assert (root.settings.published / "exports" / "manifest.json").exists()


def metadata_of(asset: str) -> dict[str, dg.MetadataValue]:
    with dg.DagsterInstance.get() as instance:
        return instance.get_latest_materialization_event(dg.AssetKey(asset)).asset_materialization.metadata


def test_published_marts_say_what_they_hold_and_where_it_is(root, daily):
    shown = metadata_of("published_marts")
    assert shown["dates"].value == f"{DAYS[0]} to {DAYS[-1]}"
    assert shown["real_cost"].value == "$0.02"  # four calls of 0.006 USD, and one without a price
    rows = {record.data["mart"]: record.data["rows"] for record in shown["rows_by_mart"].records}
    assert (rows["fct_attempts"], rows["unpriced_models"], shown["rows"].value) == (5, 1, sum(rows.values()))
    assert shown["changed"].value == "no earlier publication to compare with"
    for name in ("database", "exports", "data_docs"):
        assert Path(shown[name].value).exists(), name
    files = [record.data[suffix] for record in shown["export_files"].records for suffix in ("csv", "parquet")]
    assert len(files) > 40
    assert all(Path(file).is_file() for file in files)
    assert metadata_of("fct_attempts")["dagster/row_count"].value == 5


def test_the_daily_job_ends_by_sending_what_is_due(daily):
    metadata = metadata_of("notifications")
    assert (metadata["sent"].value, metadata["given_up"].value) == (0, 0)


def test_a_run_ends_with_one_screen_and_says_its_steps_on_the_way(root, daily):
    lines = daily.stdout.splitlines()
    assert len(lines) <= 45
    assert max(map(len, lines)) <= 110
    assert re.match(r"daily_attribution succeeded after .* Readers see the publication of ", lines[0])
    assert [line for line in lines if line.isupper()] == ["CAME IN", "COST", "STANDS OUT", "BUDGETS", "MISSING"]
    assert "  2 files, 5 lines: 5 loaded, 0 rejected. Event dates 2026-11-18 to 2026-11-21." in lines
    assert any(line.startswith("prod") and "$0.01" in line for line in lines)
    assert any(line.startswith("  No price: selfhosted/acme-internal-7b, 1 call") for line in lines)
    steps = daily.stderr.splitlines()
    order = [name for line in steps for name in line.split()[:1] if name in IN_ORDER]
    assert order == list(IN_ORDER)
    [log] = (root.settings.state / "logs").glob("*-daily_attribution.log")
    assert steps[0] == "No earlier run that succeeded is remembered: everything is looked at."
    assert steps[1] == f"daily_attribution: {log} has the full log."
    assert re.match(r"  raw_events +\d+ s  2 files, 5 lines, 0 rejected$", steps[2])
    assert any(line.startswith("  models_missing_from_the_pricing_map fails: ") for line in steps)
    assert max(map(len, steps[2:])) <= 160
    assert "Running dbt command" in log.read_text()


def test_a_run_with_nothing_new_says_so_and_writes_nothing(root, idle):
    run, before, after = idle
    assert run.returncode == 0, run.stderr[-3000:]
    said, *screen = run.stdout.splitlines()
    assert said == (
        "Nothing is new since the run as of 2026-11-23 12:00 UTC, so nothing was built, published or sent. "
        "The clock alone changes something at 2026-11-23 12:01 UTC."
    )
    assert [line for line in screen if line.isupper()] == ["CAME IN", "COST", "STANDS OUT", "BUDGETS", "MISSING"]
    assert run.stderr == ""
    assert after == before


@pytest.mark.parametrize("name", ["daily_attribution_schedule", "weekly_recurrence_schedule", "hourly_watch_schedule"])
def test_a_schedule_with_nothing_new_skips_its_tick(root, location, idle, name):
    def ask(as_of: datetime) -> dg.RunRequest | dg.SkipReason:
        settings = settings_of(root, as_of)
        return location.resolve_schedule_def(name)(dg.build_schedule_context(resources={"settings": settings}))

    skipped = ask(AS_OF)
    assert isinstance(skipped, dg.SkipReason)
    assert skipped.skip_message.startswith("Nothing is new since the run as of 2026-11-23 12:00 UTC")
    assert isinstance(ask(LATER), dg.RunRequest)


def test_a_run_by_the_clock_builds_what_the_clock_reaches_and_publishes(root, by_the_clock):
    run, before, after = by_the_clock
    assert run.returncode == 0, run.stderr[-3000:]
    said = "New since the run as of 2026-11-23 12:00 UTC: messages, by the clock alone a quarter-hour of budgets."
    assert said in run.stderr.splitlines()
    assert {model for (model, day), at in after.items() if before[model, day] != at} <= OF_A_PERIOD
    built = {
        name: metadata_of(name)["built"].value for name in ("budget_status", "weekly_summary", "fct_attempts", "alerts")
    }
    assert built == {"budget_status": True, "weekly_summary": True, "fct_attempts": False, "alerts": False}
    assert root.ask("select status from notification_outbox where event_key = 'run/1'") == [("waiting",)]
    assert not news(settings_of(root, LATER))


def test_a_failed_run_is_in_the_ledger_and_a_message_to_on_call(root, location, monkeypatch):
    monkeypatch.delenv("TOKENTRAIL_CHANNEL_ONCALL", raising=False)

    @dg.op
    def breaks():
        raise RuntimeError("The disk of the ledger is full: make space.")

    @dg.job
    def doomed():
        breaks()

    with dg.DagsterInstance.ephemeral() as instance:
        result = doomed.execute_in_process(instance=instance, raise_on_error=False)
        context = dg.build_run_status_sensor_context(
            sensor_name="record_run_failure",
            dagster_instance=instance,
            dagster_run=result.dagster_run,
            dagster_event=result.get_run_failure_event(),
        ).for_run_failure()
        for _ in range(2):
            location.resolve_sensor_def("record_run_failure")(context)
    recorded = [json.loads(line) for line in (root.settings.ledger / "run_failures.jsonl").read_text().splitlines()]
    assert [(failed["step"], failed["error"]) for failed in recorded] == [
        ("breaks", "The disk of the ledger is full: make space.")
    ] * 2
    assert {failed["address"].rpartition("/")[2] for failed in recorded} == {result.run_id}
    [message] = [row for row in read_outbox(root.settings) if row["topic"] == "run/doomed"]
    assert (message["topic"], message["title"], message["channel"]) == (
        "run/doomed",
        "doomed failed in breaks",
        "oncall",
    )
    assert (message["status"], message["reason"]) == (
        "waiting",
        "oncall has no address: set TOKENTRAIL_CHANNEL_ONCALL.",
    )


def test_the_hourly_job_leaves_weeks_bills_and_inner_tables_to_the_day(location):
    """What it covers is complete: no model of it reads one that it leaves out, and no test of it asks about one."""
    transform = importlib.import_module("orchestration.defs.transform")
    nodes = {
        name: node
        for name, node in transform._manifest()["nodes"].items()
        if node["config"]["materialized"] != "ephemeral"
    }
    hourly, daily = (
        location.resolve_job_def(job).asset_layer.asset_graph for job in ("hourly_watch", "daily_attribution")
    )
    models = {node["name"]: node["fqn"][2] for node in nodes.values() if node["resource_type"] == "model"}
    left = {key.to_user_string() for key in daily.materializable_asset_keys - hourly.materializable_asset_keys}
    assert left == {"weekly_report", *(name for name, subject in models.items() if subject in ("weekly", "invoices"))}
    asked = {key.name for key in hourly.asset_check_keys}
    assert {"assert_no_attempt_is_dropped", "assert_marts_tie_to_fact", "assert_budgets_tie_to_fact"} <= asked
    assert "unique_key_attempt_days_event_date" not in asked
    for node in nodes.values():
        if node["name"] in (models.keys() - left) | asked:
            read = {nodes[name]["name"] for name in node["depends_on"]["nodes"] if name in nodes}
            assert not left & read, node["name"]


def test_a_missing_price_is_a_failed_check_that_names_the_model(location, daily):
    key = dg.AssetCheckKey(dg.AssetKey("unpriced_models"), "models_missing_from_the_pricing_map")
    with dg.DagsterInstance.get() as instance:
        [record] = instance.event_log_storage.get_asset_check_execution_history(key, limit=1)
    evaluation = record.event.dagster_event.asset_check_evaluation_data
    assert (evaluation.passed, evaluation.severity) == (False, dg.AssetCheckSeverity.ERROR)  # 1 of 5, above 5 %
    assert "acme-internal-7b" in evaluation.description


def test_the_daily_job_asks_whether_a_sender_is_silent(location, daily):
    key = dg.AssetCheckKey(dg.AssetKey("source_freshness"), "no_sender_is_silent")
    with dg.DagsterInstance.get() as instance:
        [record] = instance.event_log_storage.get_asset_check_execution_history(key, limit=1)
    assert record.event.dagster_event.asset_check_evaluation_data.passed


def test_a_run_leaves_the_environment_of_its_process_as_it_was(backfill):
    assert not os.environ.keys() & {"TOKENTRAIL_REBUILD_FROM", "TOKENTRAIL_TABLES_FOLDER", "DBT_LOG_FORMAT_FILE"}


def test_a_backfill_rebuilds_its_range_and_no_other_date(root, before_backfill, backfill):
    assert backfill.success
    after = root.built_at()
    assert after.keys() == before_backfill.keys()
    for model in ("fct_attempts", "cost_by_tenant_daily", "cost_by_endpoint_daily"):
        rebuilt = {day for name, day in after if name == model and after[name, day] != before_backfill[name, day]}
        assert (model, rebuilt) == (model, set(DAYS[1:3]))
    assert root.ask("select count(*), count(cost_usd) from fct_attempts") == [(5, 4)]
    assert metadata_of("published_marts")["changed_days"].value == "-"


def test_every_mart_says_how_many_rows_it_holds_and_which_dates_were_rebuilt(root, specs, backfill):
    marts = {key.to_user_string() for key, spec in specs.items() if spec.tags.get("layer") == "marts"}
    assert len(marts) > 40
    said = {mart: metadata_of(mart) for mart in marts}
    with warehouse(root.settings) as connection:
        tables = {
            name
            for (name,) in connection.execute(
                "select table_name from duckdb_tables() where schema_name = 'marts'"
            ).fetchall()
        }
    assert {mart: said[mart]["dagster/row_count"].value for mart in tables} == {
        mart: root.ask(f"select count(*) from {mart}")[0][0] for mart in tables
    }
    assert said["cost_daily"]["rebuilt"].value == ", ".join(DAYS[1:3])
    assert said["cost_daily"]["dates_rebuilt"].value == 2


def test_the_hourly_job_judges_announces_and_publishes(root, location, backfill):
    report = (root.settings.published / "docs" / "data_docs" / "index.html").stat()
    root.land(
        "more.jsonl", [event(f"more-{place}", "2026-11-22T11:00:00Z", inputTokens=400_000_000) for place in range(2)]
    )
    assert launch(root, location, "hourly_watch").success
    (status,) = root.ask("select state, attempts from budget_status where budget_id = 'workspace-month' and is_open")
    assert status == ("exceeded", 7)
    announced = {
        message["channel"]: message["title"] for message in read_outbox(root.settings) if message["kind"] == "budget"
    }
    assert announced == dict.fromkeys(("finance", "oncall"), "Budget workspace-month: exceeded, $4,800.03 of $1,300.00")
    assert root.ask("select count(*) from notification_outbox where kind = 'budget'") == [(len(announced),)]
    # what was published without its tests stays under test until the day
    with warehouse(root.settings) as connection:
        waiting = {name for (name,) in connection.execute(WAITING_SQL).fetchall()}
    assert "int_repeated_deliveries" in waiting
    assert not waiting & {"fct_attempts", "cost_daily"}
    # left to the day, and a link to the former publication's
    assert (root.settings.published / "docs" / "data_docs" / "index.html").stat().st_ino == report.st_ino


def test_no_text_of_a_prompt_is_in_what_a_run_writes(root, daily, by_the_clock):
    landing = root.settings.data / "landing"
    written = [path for path in root.settings.data.rglob("*") if path.is_file() and landing not in path.parents]
    assert {"warehouse.duckdb", "dbt.log"} <= {path.name for path in written}
    assert any("dagster" in path.parts and path.suffix == ".db" for path in written)
    assert [str(path) for path in written if MARK.encode() in path.read_bytes()] == []
    said = "".join([daily.stdout, daily.stderr, by_the_clock[0].stdout, by_the_clock[0].stderr])
    assert MARK not in said
    assert any(MARK in path.read_text() for path in landing.rglob("*.jsonl"))
