"""When time alone changes something: for each model that reads the clock, the next instant at which it gives other rows.

A model reads the clock where it calls `as_of()`; tests/test_news.py holds this list against dbt's manifest. An instant is reached
when a run reports as of it or later. Too early costs a build that changes nothing; too late would be a change that nobody sees.
"""

from collections.abc import Collection
from datetime import UTC, datetime, timedelta

from orchestration.settings import Settings
from orchestration.warehouse import warehouse

EXPORTS = "exports"  # the rolling exports and the expectations look at the days up to the run's own (UTC)
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
IT_HAPPENS = "select min(occurred_at) from {events} where occurred_at > $as_of"
MIDNIGHT = "select cast($as_of as date) + interval 1 day where exists (select 1 from {rows})"
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
NEXT = {
    "attempt_days": IT_HAPPENS.format(events="marts.fct_attempts"),
    "fct_attempts": IT_HAPPENS.format(events="marts.fct_attempts"),
    "int_data_quality_daily": DAY_IS_COMPLETE.format(days="intermediate.int_data_quality_daily"),
    "int_override_snippets": MIDNIGHT.format(rows="intermediate.int_override_snippets"),
    "int_unpriced_models": MIDNIGHT.format(rows="intermediate.int_unpriced_models where status = 'open'"),
    "alert_days": DAY_IS_COMPLETE.format(days="intermediate.costed_usage_days"),
    "int_budget_periods": QUARTER_HOUR,
    "budget_period_days": QUARTER_HOUR,
    "int_budget_states": QUARTER_HOUR,
    "int_budget_status": QUARTER_HOUR,
    "int_incident_events": IT_HAPPENS.format(events="intermediate.int_incident_events"),
    "int_weeks": WEEK,
}


def whole_second(instant: datetime) -> datetime:
    """The instant as models see it (orchestration/dbt.py)."""
    return instant.astimezone(UTC).replace(microsecond=0)


def next_instants(settings: Settings, models: Collection[str]) -> dict[str, datetime]:
    """By model among `models`, when it next changes by itself after the instant of this run."""
    as_of = whole_second(settings.as_of)
    parameters = {"as_of": as_of.replace(tzinfo=None), "lateness_hours": settings.lateness_hours}
    due = {}
    with warehouse(settings) as connection:
        for model in NEXT.keys() & set(models):
            used = {name: value for name, value in parameters.items() if f"${name}" in NEXT[model]}
            row = connection.execute(NEXT[model], used).fetchone()
            if row and row[0]:
                due[model] = row[0].replace(tzinfo=UTC)
    return due


def midnight_after(instant: datetime) -> datetime:
    """The next midnight, UTC."""
    return datetime.combine(whole_second(instant).date() + timedelta(days=1), datetime.min.time(), UTC)
