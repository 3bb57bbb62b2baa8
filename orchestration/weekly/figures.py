"""The figures of one week, as the published marts have them: all that the report prints, and nothing else.

Money stays a decimal in all its digits, as text; ratios are kept to six places, since a rebuild may move their last ones.
"""

import re
from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Annotated, Any, NotRequired, TypedDict, get_type_hints

import duckdb

from orchestration.settings import Settings
from orchestration.wording import minute

WEEKS = 8  # two months: long enough to see that something comes back, short enough to see it at a glance
RECURRENCES = INCIDENTS = FINDINGS = 60  # rows printed of each; what is left out is counted, and is in the marts
OTHER_DIMENSIONS = ("endpoint",)  # drivers printed of all environments but the first
ALL = "(all)"  # the environment of budgets over all of them
PRODUCTION = "prod"  # what a report is about first, whatever it costs

# A column's type and how its values are written; an amount or a ratio is text, so that no reader rounds it.
Usd = Annotated[str | None, "usd"]
UsdChange = Annotated[str | None, "change"]
Ratio = Annotated[str | None, "percent"]
Count = Annotated[int | None, "count"]
Minutes = Annotated[int | None, "minutes"]
Day = Annotated[str | None, "day"]
Instant = Annotated[str | None, "instant"]
Flag = Annotated[bool | None, "yes"]
Text = Annotated[str | None, "text"]
Columns = dict[str, tuple[str, str]]  # column -> (what people call it, how its values are written)


class Summary(TypedDict):
    """An environment's week, from weekly_summary."""

    spend_usd: Annotated[Usd, "spend"]
    previous_spend_usd: Annotated[Usd, "spend of the week before"]
    change_usd: Annotated[UsdChange, "change"]
    change_ratio: Annotated[Ratio, "change in percent"]
    volume_usd: Annotated[UsdChange, "change by volume"]
    mix_usd: Annotated[UsdChange, "change by mix"]
    retry_usd: Annotated[UsdChange, "change by retries"]
    token_usd: Annotated[UsdChange, "change by tokens"]
    price_usd: Annotated[UsdChange, "change by price"]
    days_with_usage: Annotated[Count, "days with usage"]
    requests: Annotated[Count, "requests"]
    attempts: Annotated[Count, "calls"]
    alerts: Annotated[Count, "alerts"]
    critical_alerts: Annotated[Count, "critical alerts"]
    new_problems: Annotated[Count, "new problems"]
    recurring_problems: Annotated[Count, "recurring problems"]
    regressed_problems: Annotated[Count, "regressed problems"]
    continued_problems: Annotated[Count, "problems that went on"]
    problem_cost_usd: Annotated[Usd, "cost of problems"]
    incidents_opened: Annotated[Count, "incidents opened"]
    incidents_closed: Annotated[Count, "incidents closed"]
    open_incidents: Annotated[Count, "open incidents"]
    budget_states: Annotated[Text, "budget states"]
    budgets_exceeded: Annotated[Count, "budgets exceeded"]
    unpriced_attempts: Annotated[Count, "calls without a price"]
    unpriced_share: Annotated[Ratio, "share without a price"]
    exposure_usd: Annotated[Usd, "likely cost of calls without a price"]
    estimated_cost_usd: Annotated[Usd, "estimated cost"]
    estimated_share: Annotated[Ratio, "estimated share"]
    reported_cost_usd: Annotated[Usd, "cost as senders report it"]
    duplicate_deliveries: Annotated[Count, "duplicate deliveries"]
    conflicting_deliveries: Annotated[Count, "conflicting deliveries"]
    missing_usage_attempts: Annotated[Count, "calls without usage"]
    silent_days: Annotated[Count, "days that lack calls"]
    is_understated: Annotated[Flag, "understated"]


class Driver(TypedDict):
    """What a member of a dimension cost, from weekly_drivers."""

    dimension: str
    member: str
    spend_usd: Annotated[Usd, "spend"]
    previous_spend_usd: Annotated[Usd, "spend of the week before"]
    change_usd: Annotated[UsdChange, "change"]
    share_of_spend: Annotated[Ratio, "share of spend"]


class Finding(TypedDict):
    """A sentence that the week is about, from weekly_findings."""

    kind: str
    severity: Annotated[str, "text", "severity"]
    amount_usd: Annotated[Usd, "amount"]
    sentence: Annotated[str, "text", "sentence"]


class ProblemWeek(TypedDict):
    """A problem in one of the weeks of the grid; nothing is known of a week before it was first seen."""

    iso_week: str
    status: str | None
    occurrences: int | None


class Recurrence(TypedDict):
    """A problem and how often it came back, from weekly_recurrence."""

    problem_id: str
    weeks: list[ProblemWeek]
    status: Annotated[str, "text", "status"]
    occurrences: Annotated[Count, "alerts"]
    days: Annotated[Count, "days"]
    cost_impact_usd: Annotated[Usd, "cost above the forecast"]
    is_understated: Annotated[Flag, "understated"]
    occurrences_8_weeks: Annotated[Count, f"alerts in {WEEKS} weeks"]
    consecutive_weeks: Annotated[Count, "weeks in a row"]
    weeks_since_last_seen: Annotated[Count, "weeks since it was last seen"]
    first_seen_date: Annotated[Day, "first seen"]
    total_occurrences: Annotated[Count, "alerts so far"]
    total_cost_impact_usd: Annotated[Usd, "cost above the forecast so far"]
    owner: Annotated[Text, "owner"]
    escalation_channel: Annotated[Text, "channel"]
    runbook_url: Annotated[Text, "runbook"]
    incident_id: Annotated[Text, "incident"]
    incident_status: Annotated[Text, "status of the incident"]
    guardrail: Annotated[Text, "guardrail"]
    failed_incident_id: Annotated[Text, "incident whose guardrail failed"]
    failed_guardrail: Annotated[Text, "guardrail that failed"]
    severity: Annotated[Text, "severity"]
    drill_url: Annotated[Text, "address of the alert"]
    next_action: Annotated[Text, "next action"]
    problem: Annotated[str, "text", "problem"]
    environment: Annotated[str, "text", "environment"]
    driver_dimension: Annotated[Text, "dimension of the driver"]
    driver_value: Annotated[Text, "driver"]


class Incident(TypedDict):
    """An incident of the week, from weekly_incidents."""

    incident_id: str
    status: Annotated[str, "text", "status"]
    title: Annotated[Text, "title"]
    problem: Annotated[Text, "problem"]
    environment: Annotated[Text, "environment"]
    spike_type: Annotated[Text, "spike type"]
    opened_at: Annotated[Instant, "opened"]
    assigned_at: Annotated[Instant, "owner assigned"]
    contained_at: Annotated[Instant, "contained"]
    closed_at: Annotated[Instant, "closed"]
    times_reopened: Annotated[Count, "times reopened"]
    minutes_to_assign: Annotated[Minutes, "time to assign an owner"]
    minutes_to_contain: Annotated[Minutes, "time to contain"]
    minutes_to_resolve: Annotated[Minutes, "time to resolve"]
    owner: Annotated[Text, "owner"]
    channel: Annotated[Text, "channel"]
    containment_action: Annotated[Text, "containment"]
    root_cause: Annotated[Text, "root cause"]
    guardrail: Annotated[Text, "guardrail"]
    execution_missing: Annotated[Text, "missing in the execution"]
    hardening_missing: Annotated[Text, "missing in the hardening"]


class WeekSpend(TypedDict):
    """A bar of the chart of weeks."""

    iso_week: str
    spend_usd: str | None


class DaySpend(TypedDict):
    """A bar of the chart of days."""

    date: str
    spend_usd: str | None


class EnvironmentFigures(TypedDict):
    """What is printed of one environment; only the first one, which is production, has charts."""

    environment: str
    summary: Summary
    findings: list[Finding]
    findings_left_out: int
    drivers: list[Driver]
    weeks: NotRequired[list[WeekSpend]]
    days: NotRequired[list[DaySpend]]


class Figures(TypedDict):
    """All that the report of a week prints. Those of an older edition may lack a column that is printed today."""

    iso_week: str
    week_start: str
    week_end: str
    environments: list[EnvironmentFigures]
    budgets: NotRequired[list[Finding]]
    recurrence: list[Recurrence]
    recurrence_left_out: int
    incidents: list[Incident]
    incidents_left_out: int


class Edition(TypedDict):
    """What was reported of a week at one time: a line of the ledger, `edition` counts from 1."""

    iso_week: str
    edition: int
    known_at: str
    report_url: str
    figures: Figures


def _printed(row: type) -> Columns:
    """The columns of a row that have a name for people."""
    hints = get_type_hints(row, include_extras=True)
    labelled = {name: hint.__metadata__ for name, hint in hints.items() if hasattr(hint, "__metadata__")}
    return {name: (label, kind) for name, (kind, label) in labelled.items()}


SUMMARY, DRIVER, FINDING, RECURRENCE, INCIDENT = map(_printed, (Summary, Driver, Finding, Recurrence, Incident))


class WeekError(ValueError):
    """A week that cannot be reported; the message says why and what to do."""


def week_start(text: str) -> date:
    """The Monday of an ISO week such as 2026-W47. Raises WeekError with a sentence for what is not one."""
    found = re.fullmatch(r"(\d{4})-W(\d{2})", text, re.ASCII)
    try:
        year, week = found.groups() if found else ("", "")
        return date.fromisocalendar(int(year), int(week), 1)
    except ValueError:
        raise WeekError(f"WEEK is {text!r}: give an ISO week that exists, such as 2026-W47.") from None


def iso_week(monday: date) -> str:
    """The name of the week that begins on a Monday."""
    year, week, _ = monday.isocalendar()
    return f"{year}-W{week:02}"


def complete_at(settings: Settings, week: str) -> datetime:
    """The instant (UTC) from which on a week is complete. Raises WeekError for what is not one."""
    return datetime.combine(week_start(week), time.min, UTC) + timedelta(days=7, hours=settings.lateness_hours)


def not_complete(settings: Settings, week: str) -> WeekError:
    """The sentence for a week that is not complete."""
    return WeekError(
        f"WEEK is {week!r}, which is not complete before {minute(complete_at(settings, week))} UTC (the end of its Sunday and "
        f"TOKENTRAIL_LATENESS_HOURS, {settings.lateness_hours}): a run after that reports it."
    )


def complete_weeks(marts: duckdb.DuckDBPyConnection) -> list[str]:
    """The complete weeks with real usage, oldest first; none when these marts were published by a release without weekly ones."""
    if not marts.execute("from duckdb_tables() where table_name = 'weekly_summary'").fetchall():
        return []
    mondays = marts.execute(
        "select distinct week_start from weekly_summary where is_complete and data_mode = 'real' and environment <> $all order by 1",
        {"all": ALL},
    ).fetchall()
    return [iso_week(monday) for (monday,) in mondays]


def check_week(marts: duckdb.DuckDBPyConnection, settings: Settings, week: str) -> None:
    """Raises WeekError when a week does not exist, is not complete, or has no real usage."""
    monday = week_start(week)
    [(is_complete,)] = marts.execute(
        "select bool_and(is_complete) from weekly_summary where week_start = ? and data_mode = 'real' and environment <> ?",
        [monday, ALL],
    ).fetchall()
    if is_complete is None:
        raise WeekError(
            f"WEEK is {week!r}, and the marts have no real usage in it: marts.weekly_summary lists the weeks that have."
        )
    if not is_complete:
        raise not_complete(settings, week)


def read_figures(marts: duckdb.DuckDBPyConnection, week: str) -> Figures:
    """All that the report of a week prints: as JSON has it, in a fixed order."""
    monday = week_start(week)
    found = marts.execute(ENVIRONMENTS_SQL, {"monday": monday, "all": ALL, "production": PRODUCTION}).fetchall()
    names = [name for name, has_news in found if has_news or name == found[0][0]]
    recurrence = _recurrence(marts, monday)
    incidents = _rows(marts, INCIDENTS_SQL, ["incident_id", *INCIDENT], monday=monday)
    return {
        "iso_week": week,
        "week_start": monday.isoformat(),
        "week_end": (monday + timedelta(days=7)).isoformat(),
        "environments": [_environment(marts, monday, name, is_first=name == names[0]) for name in names],
        "budgets": _rows(marts, BUDGETS_SQL, ["kind", *FINDING], monday=monday),
        "recurrence": recurrence[:RECURRENCES],
        "recurrence_left_out": len(recurrence[RECURRENCES:]),
        "incidents": incidents[:INCIDENTS],
        "incidents_left_out": len(incidents[INCIDENTS:]),
    }


def _environment(marts: duckdb.DuckDBPyConnection, monday: date, name: str, is_first: bool) -> EnvironmentFigures:
    """What is printed of one environment: everything of the first, less of the others."""
    of_week = {"monday": monday, "environment": name}
    (summary,) = _rows(marts, SUMMARY_SQL, SUMMARY, **of_week)
    findings = _rows(marts, FINDINGS_SQL, ["kind", *FINDING], **of_week)
    drivers = _rows(marts, DRIVERS_SQL, ["dimension", "member", *DRIVER], **of_week)
    shown: EnvironmentFigures = {
        "environment": name,
        "summary": summary,
        "findings": findings[:FINDINGS],
        "findings_left_out": len(findings[FINDINGS:]),
        "drivers": [row for row in drivers if is_first or row["dimension"] in OTHER_DIMENSIONS],
    }
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


def _recurrence(marts: duckdb.DuckDBPyConnection, monday: date) -> list[Recurrence]:
    """Problems of the week, those that need attention first, each with its status in every week of the grid."""
    span = {"monday": monday, "since": _mondays(monday)[0]}
    rows: list[Recurrence] = _rows(marts, RECURRENCE_SQL, ["problem_id", *RECURRENCE], **span)
    seen = {
        (row["problem_id"], row["iso_week"]): (row["status"], row["occurrences"])
        for row in _rows(marts, HISTORY_SQL, ["problem_id", "iso_week", "status", "occurrences"], **span)
    }
    for row in rows:
        row["weeks"] = []
        for name in map(iso_week, _mondays(monday)):
            status, occurrences = seen.get((row["problem_id"], name), (None, None))
            row["weeks"].append({"iso_week": name, "status": status, "occurrences": occurrences})
    return rows


def _mondays(monday: date) -> list[date]:
    """The weeks of the charts, oldest first; the last is the one reported."""
    return [monday - timedelta(weeks=ago) for ago in reversed(range(WEEKS))]


# Of an environment that has made no call for two weeks there is nothing to report.
ENVIRONMENTS_SQL = """
    select environment, attempts > 0 or coalesce(change_usd <> 0, false) or coalesce(silent_days > 0, false)
    from weekly_summary where week_start = $monday and data_mode = 'real' and environment <> $all
    order by environment <> $production, spend_usd desc nulls last, environment
"""
SUMMARY_SQL = """
    select {columns} from weekly_summary where week_start = $monday and environment = $environment and data_mode = 'real'
"""
FINDINGS_SQL = """
    select {columns} from weekly_findings where week_start = $monday and environment = $environment and data_mode = 'real'
        and kind <> 'budget'
    order by rank, kind, sentence
"""
# A budget over two environments is a finding of both, and one sentence here.
BUDGETS_SQL = """
    select distinct {columns} from weekly_findings where week_start = $monday and data_mode = 'real' and kind = 'budget'
    order by list_position(['critical', 'warning', 'info'], severity), sentence not like '%: spend alert%',
        amount_usd desc nulls last, sentence
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


def _rows(marts: duckdb.DuckDBPyConnection, sql: str, columns: Iterable[str], **parameters: object) -> list[Any]:
    """Rows as JSON has them; the caller gives their type."""
    columns = list(columns)
    found = marts.execute(sql.format(columns=", ".join(columns)), parameters).fetchall()
    return [{name: as_json(value) for name, value in zip(columns, row, strict=True)} for row in found]


def as_json(value: object) -> Any:
    """Dates in ISO form, money in all its digits, ratios to six places: nothing that a JSON reader could round."""
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, float):
        return f"{round(value, 6) + 0.0:.6f}"  # no minus before a zero
    return value.isoformat() if isinstance(value, datetime | date) else value
