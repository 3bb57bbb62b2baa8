"""When time alone changes something: for each model that reads the clock, the next instant at which it gives other rows.

A model reads the clock where it calls `as_of()`, a module where it takes `settings.as_of`; tests/test_news.py holds the two lists
against dbt's manifest and the code. An instant is reached when a run reports as of it or later. Too early costs a build that changes
nothing; too late would be a change that nobody sees.
"""

from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from typing import Any

import duckdb

from orchestration.settings import Settings
from orchestration.warehouse import warehouse

# Exports and expectations look at the days up to the run's own (UTC), and exports say which of them are complete.
EXPORTS = "exports"
OUTBOX = "outbox"

# The end of a day and the lateness after it.
DAY_IS_COMPLETE = """
    select min(complete_at) from (
        select event_date + interval 1 day + to_hours($lateness_hours) as complete_at from {days}
    ) where complete_at > $as_of
"""
# A budget is judged at each quarter-hour that has begun before the instant of the run; a period is over at its end.
QUARTER_HOUR = """
    select min(due_at) from (
        select unnest([
            time_bucket(interval 15 minutes, $as_of) + interval 15 minutes,
            time_bucket(interval 15 minutes, $as_of) + interval 1 second
        ]) as due_at
    )
    where due_at > $as_of and (
        exists (select 1 from intermediate.int_budgets where coalesce(valid_to_at > $as_of, true))
        or exists (select 1 from intermediate.int_budget_periods where ends_at >= $as_of)
    )
"""
# An hour of a day that is not complete counts at its end and the delay of its calls; then the day is complete.
HOUR_COUNTS = """
    select min(due_at) from (
        select event_date + to_hours(greatest(through_hour + 2, 1) + delay_hours) as due_at
        from intermediate.int_open_hours where through_hour < 23
        union all
        select event_date + interval 1 day + to_hours($lateness_hours) from intermediate.costed_usage_days
    ) where due_at > $as_of
"""
IT_HAPPENS = "select min(occurred_at) from {events} where occurred_at > $as_of"
MIDNIGHT = "select cast($as_of as date) + interval 1 day where exists (select 1 from {rows})"
# The pauses that go on are counted in full hours, and what is missing by these.
FULL_HOUR = """
    select date_trunc('hour', $as_of) + interval 1 hour where exists (
        select 1 from intermediate.int_source_pauses where returned_at is null
    )
"""
# A week is complete, the next one begins, or the first usage of all is of a date that was still to come.
WEEK = """
    select min(due_at) from (
        select week_end + to_hours($lateness_hours) as due_at from intermediate.int_weeks
        union all
        select date_trunc('week', $as_of) + interval 7 days
        union all
        select cast(event_date as timestamp) from intermediate.attempt_days
    ) where due_at > $as_of
"""
# An export of a vendor is late when its delay has passed after the day, or the month, that it is about.
EXPORT_IS_LATE = """
    select min(expected_by) from intermediate.int_reconciliation where expected_by > $as_of
"""
QUALITY_DAYS = f"""
    select least(
        ({MIDNIGHT.format(rows="intermediate.int_quality_daily")}),
        ({DAY_IS_COMPLETE.format(days="intermediate.int_data_quality_daily")})
    )
"""
# What becomes of the clock, in words, the SQL that says when next, and the models that change then.
WHEN = (
    ("the time of a call", IT_HAPPENS.format(events="marts.fct_attempts"), ("attempt_days", "fct_attempts")),
    (
        "a complete day",
        DAY_IS_COMPLETE.format(days="intermediate.complete_days"),
        (
            *("complete_days", "cost_by_endpoint_daily", "cost_by_prompt_version_daily", "cost_by_tenant_daily"),
            *("cost_by_user_daily", "cost_by_model_daily", "cost_by_feature_daily", "cost_daily"),
        ),
    ),
    ("an hour of senders", FULL_HOUR, ("int_source_pauses", "int_source_freshness")),
    ("a day of data quality", QUALITY_DAYS, ("int_data_quality_daily",)),
    (
        "a day of models without a price",
        MIDNIGHT.format(rows="intermediate.int_unpriced_models where status = 'open'"),
        ("int_unpriced_models",),
    ),
    (
        "a day of suggested overrides",
        MIDNIGHT.format(rows="intermediate.int_override_snippets"),
        ("int_override_snippets",),
    ),
    (
        "a complete day of a silence",
        DAY_IS_COMPLETE.format(days="intermediate.int_source_silent_days"),
        ("int_alert_rows",),
    ),
    ("an hour of alerts", HOUR_COUNTS, ("int_open_hours",)),
    ("a complete day of alerts", DAY_IS_COMPLETE.format(days="intermediate.costed_usage_days"), ("alert_days",)),
    (
        "a quarter-hour of budgets",
        QUARTER_HOUR,
        (
            *("int_budget_periods", "budget_period_days", "int_budget_states", "int_budget_status"),
            "int_weekly_budgets",
        ),
    ),
    (
        "the time of an incident's event",
        IT_HAPPENS.format(events="intermediate.int_incident_events"),
        ("int_incident_events",),
    ),
    ("the time of a plan's event", IT_HAPPENS.format(events="staging.stg_plan_events"), ("int_plans",)),
    ("a week", WEEK, ("int_weeks",)),
    ("the day by which a vendor's export is late", EXPORT_IS_LATE, ("int_judged_periods", "reconciled_months")),
)
NEXT = {model: sql for _, sql, models in WHEN for model in models}
WORDS = {model: words for words, _, models in WHEN for model in models} | {
    EXPORTS: "a day of exports",
    OUTBOX: "a message",
}


# By module: what of the above, or of `next_instants`, says when time alone changes what it makes; or why that is never worth a run.
MODULES = {
    "orchestration.dbt": "NEXT: it hands the instant to models",
    "orchestration.publishing.exports": EXPORTS,
    "orchestration.quality.suites": EXPORTS,
    "expectations.run": EXPORTS,
    "orchestration.notifications.delivery": OUTBOX,
    "orchestration.notifications.outbox": OUTBOX,
    "orchestration.notifications.differences": "NEXT: what is announced are differences of marts",
    "orchestration.notifications.silences": "NEXT: what is announced are differences of source_freshness",
    "orchestration.invoices.announcements": "NEXT: what is announced are differences of reconciliation and exports",
    "orchestration.alerts.announcements": "NEXT: what is announced are differences of alerts",
    "orchestration.budgets.announcements": "NEXT: what is announced are differences of budget_transitions and budget_status",
    "orchestration.weekly.editions": "NEXT: a week is reported once int_weeks has it as complete",
    "orchestration.publishing.catalog": "a publication says as of when it is",
    "orchestration.notifications.failed_runs": "a message says when",
    "orchestration.incidents.events": "a command says when",
    "orchestration.incidents.finding": "a command says when",
    "orchestration.incidents.states": "a command says when",
    "orchestration.incidents.view": "a command says when",
    "orchestration.incidents.postmortem": "NEXT: a note is made of the marts that are published",
    "orchestration.commands.incident": "a command says when",
    "orchestration.commands.screen": "a command says what is published",
    "orchestration.invoices.months": "a command says what is published",
    "orchestration.commands.launch": "a command compares what it was given",
    "orchestration.commands.check_events": "a command compares what it was given",
    "orchestration.landing.compaction": "small files of past days are put together when a load comes along",
    "orchestration.defs.automation": "it names a request for a run",
    "orchestration.news.clock": "it is this list",
    "orchestration.news.decision": "it asks this list",
}


def whole_second(instant: datetime) -> datetime:
    """The instant as models see it (orchestration/dbt.py)."""
    return instant.astimezone(UTC).replace(microsecond=0)


def next_instants(settings: Settings, models: Collection[str]) -> dict[str, datetime]:
    """By model among `models`, when it next changes by itself after the instant of this run."""
    as_of = whole_second(settings.as_of)
    parameters = {"as_of": as_of.replace(tzinfo=None), "lateness_hours": settings.lateness_hours}
    asked = {NEXT[model] for model in NEXT.keys() & set(models)}
    with warehouse(settings) as connection:
        due = {sql: _instant(connection, sql, parameters) for sql in asked}
    return {model: at for model, sql in NEXT.items() if model in models and (at := due[sql])}


def _instant(connection: duckdb.DuckDBPyConnection, sql: str, parameters: dict[str, Any]) -> datetime | None:
    used = {name: value for name, value in parameters.items() if f"${name}" in sql}
    row = connection.execute(sql, used).fetchone()
    return row[0].replace(tzinfo=UTC) if row and row[0] else None


def next_day(settings: Settings) -> datetime:
    """When the next day (UTC) begins, or the next one becomes complete, with or without data."""
    as_of, lateness = whole_second(settings.as_of), timedelta(hours=settings.lateness_hours)
    return min(_midnight_after(as_of), _midnight_after(as_of - lateness) + lateness)


def _midnight_after(instant: datetime) -> datetime:
    return datetime.combine(instant.date() + timedelta(days=1), datetime.min.time(), UTC)
