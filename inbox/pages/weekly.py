"""The week: what was spent and what moved it, which problems came back, what is missing; and the editions as they were sent."""

from datetime import date, timedelta

from inbox import published, words
from inbox.filters import DIMENSIONS, EVERYTHING
from inbox.marts import Row
from inbox.page import File, NotFoundError, Page, Visit
from inbox.pages.alert import members_of
from inbox.pages.inbox import alert_address
from inbox.tables import csv_addresses, csv_of

ALL = "(all)"
WEEKS = """
    select iso_week, week_start, bool_and(is_complete) as is_complete from weekly_summary
    where environment = $environment group by iso_week, week_start order by week_start desc
"""
SUMMARY = (
    "select * from weekly_summary where iso_week = $week and environment = $environment and data_mode = $data_mode"
)
FINDINGS = """
    select kind, severity, sentence from weekly_findings
    where iso_week = $week and environment = $environment and data_mode = $data_mode order by rank
"""
PROBLEMS = """
    select * from weekly_recurrence
    where iso_week = $week and (environment = $environment or $environment = '(all)') and data_mode = $data_mode
        and (occurrences > 0 or incident_status <> 'closed')
    order by occurrences = 0, cost_impact_usd desc, problem
"""
DRIVERS = """
    select * from weekly_drivers
    where iso_week = $week and environment = $environment and data_mode = $data_mode and rank <= 5
        and (spend_usd <> 0 or change_usd <> 0)
    order by dimension, rank
"""
ALERTS = """
    select alerts.*, drivers.endpoint_tag as driver_endpoint, drivers.prompt_version, drivers.tenant_id,
        drivers.user_id, drivers.model
    from alerts left join alert_drivers as drivers on alerts.alert_id = drivers.alert_id and drivers.rank = 1
    where list_contains($problems, alerts.problem_id)
    order by alerts.onset_date desc
"""
EFFECTS = {
    "volume_usd": "requests",
    "mix_usd": "endpoints and models",
    "retry_usd": "retries",
    "token_usd": "tokens per call",
}
EFFECTS |= {"price_usd": "prices"}


def show(visit: Visit) -> Page | File:
    """The summary of a week in an environment; the last complete one where the address names none."""
    filters = visit.filters
    environment = ALL if filters.environment == EVERYTHING else filters.environment
    known = visit.marts.rows(WEEKS, environment=environment)
    weeks = [row["iso_week"] for row in known]
    asked = visit.words.get("week", "")
    complete = [row["iso_week"] for row in known if row["is_complete"]]
    week = asked if asked in weeks else next(iter([*complete, *weeks]), "")
    if asked and asked != week:
        links = [(name, filters.address("weekly", week=name)) for name in weeks[:5]]
        raise NotFoundError("Which week?", f"No week {words.name(asked)} has data here.", links)
    about = {"week": week, "environment": environment, "data_mode": filters.data_mode}
    summary = visit.marts.row(SUMMARY, **about)
    problems = visit.marts.rows(PROBLEMS, **about) if summary else []
    alerts = visit.marts.rows(ALERTS, problems=[row["problem_id"] for row in problems]) if problems else []
    latest = {row["problem_id"]: row for row in reversed(alerts)}
    dates: dict[str, date | None] = {}
    if summary:
        dates = {"from": summary["week_start"], "to": summary["week_start"] + timedelta(days=7)}
        dates |= {"baseline_from": None, "baseline_to": None}
    tables = {
        "problems": problems,
        "drivers": visit.marts.rows(DRIVERS, **about) if summary else [],
        "findings": visit.marts.rows(FINDINGS, **about) if summary else [],
    }
    return csv_of(visit, "weekly", tables) or Page(
        "weekly.html",
        f"Week {week}" if week else "Weeks",
        {
            "csv": csv_addresses(visit, "weekly", tables),
            "week": week,
            "summary": summary,
            "effects": [(label, summary[name]) for name, label in EFFECTS.items()] if summary else [],
            "findings": tables["findings"],
            "problems": [
                row
                | {
                    "address": alert_address(filters, latest[row["problem_id"]])
                    if row["problem_id"] in latest
                    else None
                }
                for row in problems
            ],
            "drivers": [
                row | {"address": filters.about(members).address("explore", **dates) if members else None}
                for row in tables["drivers"]
                for members in [_members(row)]
            ],
            "weeks": [(name, filters.address("weekly", week=name), name == week) for name in weeks[:12]],
            "editions": _editions(visit, week),
            "explore": filters.address("explore", **dates, by="endpoint"),
        },
    )


def _members(row: Row) -> dict[str, str]:
    """What a member of weekly_drivers is as filters; a version is named with its endpoint."""
    if row["dimension"] != "prompt_version":
        return {row["dimension"]: row["member"]} if row["dimension"] in DIMENSIONS else {}
    return members_of("endpoint x prompt_version", row["member"])


def _editions(visit: Visit, week: str) -> list[str]:
    """The pages of a week that were sent."""
    names = published.names(visit.marts.publication, "weekly")
    return [name for name in names if week and name.startswith(week) and name.endswith(".html")]
