"""Six silent days, end to end: what Dagster, budgets, alerts, the weekly report and people see of them, and what comes after.

Another sender, whose office is closed on weekends, is merely quiet in the same run: no message says otherwise.
"""

# ruff: noqa: DTZ001 - the warehouse has UTC without a zone

import io
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta

import dagster as dg
import pytest
from rich.console import Console

from orchestration.commands.report import print_report
from orchestration.commands.screen import SCREEN_WIDTH, print_screen
from orchestration.defs.checks import no_sender_is_silent
from orchestration.launching import Outcome
from orchestration.notifications import read_outbox
from orchestration.notifications.silences import announce_silences
from orchestration.plain import plain_console
from orchestration.publishing.publication import publish
from orchestration.settings import Settings
from tests.pipeline import WITHOUT_TESTS, Pipeline, event, pipeline_at

FIRST, LAST = date(2026, 10, 12), date(2026, 11, 16)  # a Monday, and a Monday five weeks later
HOURS = range(7, 19)
LONGER = LAST - timedelta(days=1)  # from then on prompts are three times as long: an alert
STEPS = {
    "before": "2026-11-16T18:45:00+00:00",
    "silent": "2026-11-23T06:15:00+00:00",
    "again": "2026-11-23T07:15:00+00:00",
    "returned": "2026-11-23T12:05:00+00:00",
}
BUDGET = "spent_usd, projection_usd, projection_as_of, silent_senders, is_understated, burn_rate"


def day_of_calls(day: date, environment: str = "prod", hours: range = HOURS) -> list[dict]:
    """Two calls an hour, at ten to and at the hour."""
    tokens = 300_000 if day >= LONGER and environment == "prod" else 100_000
    return [
        event(
            f"{environment}-{day}-{hour}-{minute}",
            f"{day}T{hour:02}:{minute:02}:00Z",
            environment=environment,
            inputTokens=tokens if environment == "prod" else 10,
        )
        for hour in hours
        for minute in (0, 50)
    ]


@dataclass
class Seen:
    """What there was at each step."""

    budget: dict[str, tuple] = field(default_factory=dict)
    alert: dict[str, tuple] = field(default_factory=dict)
    queued: dict[str, dict] = field(default_factory=dict)
    checks: dict[str, dg.AssetCheckEvaluation] = field(default_factory=dict)
    budgets: dict[str, tuple] = field(default_factory=dict)
    screen: str = ""
    report: str = ""


@pytest.fixture(scope="module")
def story(tmp_path_factory) -> tuple[Pipeline, Seen]:
    """prod falls silent on 16 November, staging goes on, dev never calls on weekends; on the 23rd two of the days arrive, and new calls."""
    pipeline, seen = pipeline_at(tmp_path_factory.mktemp("silence") / "data"), Seen()
    for place in range((LAST - FIRST).days + 1):
        day = FIRST + timedelta(days=place)
        pipeline.land("app.jsonl", day_of_calls(day), str(day))
    for place in range(42):
        day = FIRST + timedelta(days=place)
        pipeline.land("staging.jsonl", day_of_calls(day, "staging"), str(day))
        if day.weekday() < 5:
            pipeline.land("dev.jsonl", day_of_calls(day, "dev"), str(day))
    for step, as_of in STEPS.items():
        if step == "returned":
            late = [call for place in (1, 2) for call in day_of_calls(LAST + timedelta(days=place))]
            pipeline.land("late.jsonl", late, "2026-11-23")
            pipeline.land("app.jsonl", day_of_calls(date(2026, 11, 23), hours=range(7, 12)), "2026-11-23")
        pipeline = replace(pipeline, settings=replace(pipeline.settings, as_of=datetime.fromisoformat(as_of)))
        take(pipeline, step, seen)
    return pipeline, seen


def take(pipeline: Pipeline, step: str, seen: Seen) -> None:
    """A run, as far as it is about silence."""
    if step == "before":
        pipeline.build(*WITHOUT_TESTS, "--select", "+budget_status", "+alerts", "+source_silences")
    elif step == "silent":
        pipeline.build(*WITHOUT_TESTS)
        seen.checks[step] = under_dagster(pipeline.settings)
        publish(pipeline.settings)
        seen.screen = screen(pipeline.settings)
        seen.report = report(pipeline.settings)
        seen.budgets = dict(
            pipeline.ask("select budget_id, (projection_as_of, silent_senders) from budget_status where is_open")
        )
    elif step == "returned":
        pipeline.build(
            *WITHOUT_TESTS,
            "--select",
            "+weekly_findings",
            "+budget_status",
            "+alerts",
            "+data_quality_daily",
            "+source_freshness",
            "+source_silences",
        )
    [seen.budget[step]] = pipeline.inside(
        f"select {BUDGET} from marts.budget_status where budget_id = 'workspace-month' and is_open"
    )
    [seen.alert[step]] = pipeline.inside(
        "select status, close_reason, last_date from marts.alerts where environment = 'prod' and data_mode = 'real'"
    )
    if step in ("before", "returned"):
        seen.checks[step] = under_dagster(pipeline.settings, announced=False)
    seen.queued[step] = announce_silences(pipeline.settings)


def under_dagster(settings: Settings, announced: bool = True) -> dg.AssetCheckEvaluation:
    """The check as Dagster runs it and, with it, the asset that announces; test_dagster.py has the run around them."""
    assets = [ledger_asset(settings)] if announced else []
    definitions = dg.Definitions(
        assets=assets,
        asset_checks=[no_sender_is_silent],
        jobs=[
            dg.define_asset_job(
                "alone", dg.AssetSelection.assets(*assets) | dg.AssetSelection.checks(no_sender_is_silent)
            )
        ],
        resources={"settings": settings},
    )
    with dg.DagsterInstance.ephemeral() as instance:
        run = definitions.resolve_job_def("alone").execute_in_process(instance=instance)
    [found] = run.get_asset_check_evaluations()
    return found


def ledger_asset(settings: Settings) -> dg.AssetsDefinition:
    """Loaded for this root: its module reads dbt's manifest, which two workers of a test run must not write to one place."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TOKENTRAIL_DATA", str(settings.data))
        patch.setenv("TOKENTRAIL_TEAM", str(settings.team))
        from orchestration.defs.notify import source_silences_ledger
    return source_silences_ledger


def screen(settings: Settings) -> str:
    """What `make run` ends with."""
    shown = io.StringIO()
    outcome = Outcome("daily_attribution", "run", settings.as_of, seconds=1, log=settings.state / "log")
    print_screen(settings, plain_console(SCREEN_WIDTH, shown), outcome)
    return shown.getvalue()


def report(settings: Settings) -> str:
    console = Console(width=200, force_terminal=False, record=True)
    with console.capture() as capture:
        print_report(settings, console)
    return capture.get()


def test_a_projection_stops_at_the_last_whole_quarter_hour(story):
    """As it was at 18:45 on the 16th, to the last digit, and not what six days without calls would make of it."""
    _, seen = story
    spent, projection, at, senders, understated, rate = seen.budget["silent"]
    assert seen.budget["before"][1:4] == (projection, datetime(2026, 11, 16, 18, 45), None)
    assert (at, senders, understated, rate) == (datetime(2026, 11, 16, 18, 45), "events in prod", True, None)
    assert spent > seen.budget["before"][0]  # the last call, at 18:50
    after = seen.budget["returned"]
    assert (after[2], after[3]) == (datetime(2026, 11, 23, 12), None)
    assert after[1] != projection


def test_an_alert_does_not_stay_open_when_its_data_end(story):
    _, seen = story
    assert seen.alert == {
        "before": ("open", None, LONGER),
        "silent": ("closed", "data_ended", LAST),
        "again": ("closed", "data_ended", LAST),
        "returned": ("closed", "data_ended", LAST + timedelta(days=2)),
    }


def test_days_without_calls_are_rows(story):
    pipeline, _ = story
    columns = "event_date, environment, attempts, cost_usd, is_silent, missing_calls"
    rows = pipeline.inside(f"select {columns} from marts.data_quality_daily order by all")
    assert len(rows) == 3 * 43
    assert [row for row in rows if row[1] != "dev" and (not row[2] or row[4])] == [
        *((date(2026, 11, day), "prod", 0, None, True, 24.0) for day in range(19, 23)),
        (date(2026, 11, 23), "staging", 0, None, False, None),
    ]
    quiet = [row for row in rows if row[1] == "dev" and not row[2]]
    assert {row[0].weekday() for row in quiet[:-1]} == {5, 6}
    assert {row[3:] for row in quiet} == {(None, False, None)}


def test_a_week_says_how_many_days_and_calls_it_lacks(story):
    """From Tuesday the 17th to Sunday the 22nd, two calls in each of twelve hours a day, as it stood when the silence was published."""
    pipeline, _ = story
    days = pipeline.ask(
        "select environment, count(*), sum(missing_calls) from data_quality_daily "
        "where is_silent and event_date between '2026-11-16' and '2026-11-22' group by 1"
    )
    weeks = "select environment, silent_days, missing_calls from weekly_summary where iso_week = '2026-W47' and silent_days > 0"
    assert pipeline.ask(weeks) == days == [("prod", 6, 6 * 24.0)]


def test_one_message_for_a_silence_and_one_for_its_end(story):
    pipeline, seen = story
    assert [seen.queued[step] for step in STEPS] == [
        {},
        {"known": 1},  # the asset queued it
        {"known": 1},
        {"returned": 1, "known": 1, "waiting": 1},
    ]
    first, second = [row for row in read_outbox(pipeline.settings) if row["kind"] == "silence"]
    assert (first["title"], first["severity"], first["channel"]) == ("events in prod fell silent", "warning", "oncall")
    assert first["body"].splitlines() == [
        "events in prod is silent: no call since 2026-11-16 18:50 UTC (6 days), about 130 calls are missing.",
        "Projections wait for it: workspace-month.",
        "The last file with calls is landing/events/dt=2026-11-22/staging.jsonl, of 2026-11-22. docs/operate.md says what to check.",
    ]
    assert second["title"] == "events in prod is back"
    assert second["follows"]  # so no cooldown holds it back
    assert [first["ends"], second["ends"]] == [False, True]


def test_the_message_is_in_the_marts_that_show_the_silence(story):
    """As they were published at the first run of the silence."""
    pipeline, _ = story
    messages = pipeline.ask("select event_key, title from notification_outbox where kind = 'silence'")
    assert messages == [("silence/silent/events/prod/2026-11-16T18:50:00", "events in prod fell silent")]
    assert pipeline.ask("select environment, status from source_silences where returned_at is null") == [
        ("prod", "silent")
    ]


def test_the_check_is_red_in_the_run_and_green_before_and_after(story):
    """Named is who is silent, and not who is quiet on weekends."""
    _, seen = story
    red = seen.checks["silent"]
    assert (red.passed, red.severity) == (False, dg.AssetCheckSeverity.ERROR)
    assert red.description == (
        "events in prod is silent: no call since 2026-11-16 18:50 UTC (6 days), about 130 calls are missing."
    )
    for step in ("before", "returned"):
        assert (seen.checks[step].passed, seen.checks[step].description) == (
            True,
            "Every sender makes its usual calls.",
        )


def test_the_screen_of_the_run_begins_with_who_is_silent(story):
    _, seen = story
    headline, _, banner, blank, *_ = seen.screen.splitlines()
    assert headline.startswith("daily_attribution succeeded after")
    assert banner.startswith("events in prod is silent: no call since 2026-11-16 18:50 UTC (6 days)")
    assert "in dev" not in seen.screen
    frozen = "workspace-month waits for events in prod: its projection is that of 16 Nov 2026, 18:45 UTC."
    assert f"\n  {frozen}\n" in seen.screen
    assert seen.screen.count(" waits for ") == 1
    assert blank == ""


def test_only_the_projections_of_who_is_silent_stop(story):
    """The budget of staging and dev goes on to the instant of the run, two days after the last call of dev."""
    pipeline, seen = story
    now = datetime.fromisoformat(STEPS["silent"]).replace(tzinfo=None)
    assert seen.budgets["staging-month"] == (now, None)
    assert seen.budgets["workspace-month"] == (datetime(2026, 11, 16, 18, 45), "events in prod")
    [quiet] = pipeline.ask("select status, last_event_at from source_freshness where environment = 'dev'")
    assert quiet == ("fresh", datetime(2026, 11, 20, 18, 50))
    about = {row["topic"] for row in read_outbox(pipeline.settings) if row["kind"] == "silence"}
    assert about == {"silence/events/prod"}


def test_the_report_begins_with_who_is_silent(story):
    _, seen = story
    assert seen.report.startswith("events in prod is silent: no call since 2026-11-16 18:50 UTC (6 days)")


def test_the_weekly_report_says_what_is_missing(story):
    pipeline, _ = story
    findings = (
        "select sentence, severity from {} where iso_week = '2026-W47' and environment = 'prod' and kind = 'silence'"
    )
    six_days, four_days = (
        f"Usage is missing: events was silent from 2026-11-{first} to 2026-11-22, and usually makes {calls} calls in those hours."
        for first, calls in ((17, 144), (19, 96))
    )
    assert pipeline.ask(findings.format("weekly_findings")) == [(six_days, "warning")]
    assert pipeline.inside(findings.format("marts.weekly_findings")) == [(four_days, "warning")]
