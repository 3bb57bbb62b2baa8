"""The figures of one week, as the published marts have them: all that the report prints, and nothing else.

Money stays a decimal in all its digits, as text; ratios are kept to six places, since a rebuild may move their last ones.
"""

import re
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from decimal import Decimal

import duckdb

from orchestration.settings import Settings
from orchestration.wording import minute

Figures = dict[str, object]
Row = dict[str, object]

WEEKS = 8  # two months: long enough to see that something comes back, short enough to see it at a glance
RECURRENCES = INCIDENTS = FINDINGS = 60  # rows printed of each; what is left out is counted, and stands in the marts
OTHER_DIMENSIONS = ("endpoint",)  # drivers printed of all environments but the one with the most spend

# What is printed, by mart: column -> (what people call it, how its values are written).
SUMMARY = {
    "spend_usd": ("spend", "usd"),
    "previous_spend_usd": ("spend of the week before", "usd"),
    "change_usd": ("change", "change"),
    "change_ratio": ("change in percent", "percent"),
    "volume_usd": ("change by volume", "change"),
    "mix_usd": ("change by mix", "change"),
    "retry_usd": ("change by retries", "change"),
    "token_usd": ("change by tokens", "change"),
    "price_usd": ("change by price", "change"),
    "days_with_usage": ("days with usage", "count"),
    "requests": ("requests", "count"),
    "attempts": ("calls", "count"),
    "alerts": ("alerts", "count"),
    "critical_alerts": ("critical alerts", "count"),
    "new_problems": ("new problems", "count"),
    "recurring_problems": ("recurring problems", "count"),
    "regressed_problems": ("regressed problems", "count"),
    "problem_cost_usd": ("cost of problems", "usd"),
    "incidents_opened": ("incidents opened", "count"),
    "incidents_closed": ("incidents closed", "count"),
    "open_incidents": ("open incidents", "count"),
    "budget_states": ("budget states", "text"),
    "budgets_exceeded": ("budgets exceeded", "count"),
    "unpriced_attempts": ("calls without a price", "count"),
    "unpriced_share": ("share without a price", "percent"),
    "exposure_usd": ("likely cost of calls without a price", "usd"),
    "estimated_cost_usd": ("estimated cost", "usd"),
    "estimated_share": ("estimated share", "percent"),
    "reported_cost_usd": ("cost as senders report it", "usd"),
    "duplicate_deliveries": ("duplicate deliveries", "count"),
    "conflicting_deliveries": ("conflicting deliveries", "count"),
    "missing_usage_attempts": ("calls without usage", "count"),
}
DRIVER = {
    "spend_usd": ("spend", "usd"),
    "previous_spend_usd": ("spend of the week before", "usd"),
    "change_usd": ("change", "change"),
    "share_of_spend": ("share of spend", "percent"),
}
FINDING = {
    "severity": ("severity", "text"),
    "amount_usd": ("amount", "usd"),
    "sentence": ("sentence", "text"),
}
RECURRENCE = {
    "status": ("status", "text"),
    "occurrences": ("alerts", "count"),
    "days": ("days", "count"),
    "cost_impact_usd": ("cost above the forecast", "usd"),
    "is_understated": ("understated", "yes"),
    "occurrences_8_weeks": (f"alerts in {WEEKS} weeks", "count"),
    "consecutive_weeks": ("weeks in a row", "count"),
    "weeks_since_last_seen": ("weeks since it was last seen", "count"),
    "first_seen_date": ("first seen", "day"),
    "total_occurrences": ("alerts so far", "count"),
    "total_cost_impact_usd": ("cost above the forecast so far", "usd"),
    "owner": ("owner", "text"),
    "escalation_channel": ("channel", "text"),
    "runbook_url": ("runbook", "text"),
    "incident_id": ("incident", "text"),
    "incident_status": ("status of the incident", "text"),
    "guardrail": ("guardrail", "text"),
    "next_action": ("next action", "text"),
    "problem": ("problem", "text"),
    "environment": ("environment", "text"),
    "driver_dimension": ("dimension of the driver", "text"),
    "driver_value": ("driver", "text"),
}
INCIDENT = {
    "status": ("status", "text"),
    "title": ("title", "text"),
    "problem": ("problem", "text"),
    "environment": ("environment", "text"),
    "spike_type": ("spike type", "text"),
    "opened_at": ("opened", "instant"),
    "assigned_at": ("owner assigned", "instant"),
    "contained_at": ("contained", "instant"),
    "closed_at": ("closed", "instant"),
    "times_reopened": ("times reopened", "count"),
    "minutes_to_assign": ("time to assign an owner", "minutes"),
    "minutes_to_contain": ("time to contain", "minutes"),
    "minutes_to_resolve": ("time to resolve", "minutes"),
    "owner": ("owner", "text"),
    "channel": ("channel", "text"),
    "containment_action": ("containment", "text"),
    "root_cause": ("root cause", "text"),
    "guardrail": ("guardrail", "text"),
    "execution_missing": ("missing in the execution", "text"),
    "hardening_missing": ("missing in the hardening", "text"),
}


class WeekError(ValueError):
    """A week that cannot be reported; the message says why and what to do."""


def week_start(text: str) -> date:
    """The Monday of an ISO week such as 2026-W47. Raises WeekError with a sentence for what is none."""
    found = re.fullmatch(r"(\d{4})-W(\d{2})", text, re.ASCII)
    try:
        return date.fromisocalendar(int(found[1]), int(found[2]), 1)
    except (TypeError, ValueError):
        raise WeekError(f"WEEK is {text!r}: give an ISO week that exists, such as 2026-W47.") from None


def iso_week(monday: date) -> str:
    """The name of the week that begins on a Monday."""
    year, week, _ = monday.isocalendar()
    return f"{year}-W{week:02}"


def complete_weeks(marts: duckdb.DuckDBPyConnection) -> list[str]:
    """The complete weeks with real usage, oldest first; none when these marts were published before there were weekly ones."""
    if not marts.execute("from duckdb_tables() where table_name = 'weekly_summary'").fetchall():
        return []
    mondays = marts.execute(
        "select distinct week_start from weekly_summary where is_complete and data_mode = 'real' order by 1"
    ).fetchall()
    return [iso_week(monday) for (monday,) in mondays]


def check_week(marts: duckdb.DuckDBPyConnection, settings: Settings, week: str) -> None:
    """Raises WeekError when a week is no week, is not complete, or has no real usage."""
    monday = week_start(week)
    found = marts.execute(
        "select bool_and(is_complete) from weekly_summary where week_start = ? and data_mode = 'real'", [monday]
    ).fetchone()[0]
    if found is None:
        raise WeekError(
            f"WEEK is {week!r}, and the marts have no real usage in it: marts.weekly_summary lists the weeks that have."
        )
    if not found:
        end = datetime.combine(monday, datetime.min.time()) + timedelta(days=7, hours=settings.lateness_hours)
        raise WeekError(
            f"WEEK is {week!r}, which is not complete before {minute(end)} UTC (the end of its Sunday and "
            f"TOKENTRAIL_LATENESS_HOURS, {settings.lateness_hours}): a run after that reports it."
        )


def read_figures(marts: duckdb.DuckDBPyConnection, week: str) -> Figures:
    """All that the report of a week prints: as JSON has it, in a fixed order."""
    monday = week_start(week)
    names = [
        name
        for (name,) in marts.execute(
            "select environment from weekly_summary where week_start = ? and data_mode = 'real' "
            "order by spend_usd desc nulls last, environment",
            [monday],
        ).fetchall()
    ]
    recurrence = _recurrence(marts, monday)
    incidents = _rows(marts, INCIDENTS_SQL, ["incident_id", *INCIDENT], monday=monday)
    return {
        "iso_week": week,
        "week_start": monday.isoformat(),
        "week_end": (monday + timedelta(days=7)).isoformat(),
        "environments": [_environment(marts, monday, name, is_first=name == names[0]) for name in names],
        "recurrence": recurrence[:RECURRENCES],
        "recurrence_left_out": len(recurrence[RECURRENCES:]),
        "incidents": incidents[:INCIDENTS],
        "incidents_left_out": len(incidents[INCIDENTS:]),
    }


def _environment(marts: duckdb.DuckDBPyConnection, monday: date, name: str, is_first: bool) -> Row:
    """What is printed of one environment: all of the one that spends most, less of the others."""
    of_week = {"monday": monday, "environment": name}
    (summary,) = _rows(marts, SUMMARY_SQL, SUMMARY, **of_week)
    findings = _rows(marts, FINDINGS_SQL, ["kind", *FINDING], **of_week)
    drivers = _rows(marts, DRIVERS_SQL, ["dimension", "member", *DRIVER], **of_week)
    shown = {"environment": name, "summary": summary}
    shown["findings"] = findings[:FINDINGS]
    shown["findings_left_out"] = len(findings[FINDINGS:])
    shown["drivers"] = [row for row in drivers if is_first or row["dimension"] in OTHER_DIMENSIONS]
    if is_first:
        weeks = dict(marts.execute(WEEKS_SQL, of_week).fetchall())
        shown["weeks"] = [
            {"iso_week": iso_week(start), "spend_usd": as_json(weeks.get(start))} for start in _mondays(monday)
        ]
        days = dict(marts.execute(DAYS_SQL, of_week).fetchall())
        shown["days"] = [
            {"date": day.isoformat(), "spend_usd": as_json(days.get(day))}
            for day in (monday + timedelta(days=ahead) for ahead in range(-7, 7))
        ]
    return shown


def _recurrence(marts: duckdb.DuckDBPyConnection, monday: date) -> list[Row]:
    """Problems of the week, those that need somebody first, each with its status in every week of the grid."""
    columns = ["problem_id", *RECURRENCE]
    rows = _rows(marts, RECURRENCE_SQL, columns, monday=monday, since=_mondays(monday)[0])
    history: dict[str, dict[str, Row]] = {}
    for row in _rows(
        marts,
        HISTORY_SQL,
        ["problem_id", "iso_week", "status", "occurrences"],
        monday=monday,
        since=_mondays(monday)[0],
    ):
        history.setdefault(row["problem_id"], {})[row["iso_week"]] = row
    for row in rows:
        weeks = history.get(row["problem_id"], {})
        row["weeks"] = [
            {"iso_week": name} | {key: weeks.get(name, {}).get(key) for key in ("status", "occurrences")}
            for name in map(iso_week, _mondays(monday))
        ]
    return rows


def _mondays(monday: date) -> list[date]:
    """The weeks of the charts, oldest first; the last is the one reported."""
    return [monday - timedelta(weeks=ago) for ago in reversed(range(WEEKS))]


SUMMARY_SQL = """
    select {columns} from weekly_summary where week_start = $monday and environment = $environment and data_mode = 'real'
"""
FINDINGS_SQL = """
    select {columns} from weekly_findings where week_start = $monday and environment = $environment and data_mode = 'real'
    order by rank, kind, sentence
"""
DRIVERS_SQL = """
    select {columns} from weekly_drivers where week_start = $monday and environment = $environment and data_mode = 'real'
    order by list_position(['endpoint', 'prompt_version', 'tenant', 'user', 'model'], dimension), rank, member
"""
WEEKS_SQL = """
    select week_start, spend_usd from weekly_summary
    where week_start <= $monday and environment = $environment and data_mode = 'real'
"""
DAYS_SQL = """
    select event_date, sum(cost_usd) from cost_by_endpoint_daily
    where event_date between $monday::date - 7 and $monday::date + 6 and environment = $environment and data_mode = 'real'
    group by event_date
"""
# A problem that has been quiet for longer than the grid shows has nothing to say any more.
RECURRENCE_SQL = """
    select {columns} from weekly_recurrence as recurrence
    where week_start = $monday and data_mode = 'real'
        and (
            status not in ('quiet', 'resolved')
            or exists (
                from weekly_recurrence as seen
                where seen.problem_id = recurrence.problem_id and seen.week_start between $since and $monday
                    and seen.occurrences > 0
            )
        )
    order by list_position(['regressed', 'recurring', 'new', 'quiet', 'resolved'], status), cost_impact_usd desc nulls first,
        problem, problem_id
"""
HISTORY_SQL = """
    select {columns} from weekly_recurrence where week_start between $since and $monday and data_mode = 'real'
"""
INCIDENTS_SQL = """
    select {columns} from weekly_incidents where week_start = $monday and data_mode = 'real'
    order by list_position(['open', 'contained', 'closed'], status), opened_at, incident_id
"""


def _rows(marts: duckdb.DuckDBPyConnection, sql: str, columns: Iterable[str], **parameters: object) -> list[Row]:
    columns = list(columns)
    found = marts.execute(sql.format(columns=", ".join(columns)), parameters).fetchall()
    return [{name: as_json(value) for name, value in zip(columns, row, strict=True)} for row in found]


def as_json(value: object) -> object:
    """Dates in ISO form, money in all its digits, ratios to six places: nothing that a JSON reader could round."""
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, float):
        return f"{round(value, 6) + 0.0:.6f}"  # no minus before a zero
    return value.isoformat() if isinstance(value, datetime | date) else value
