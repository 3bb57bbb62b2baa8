"""What makes two incidents the same problem, and what each week should say of it."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from hashlib import md5

from demo.incidents import Incident
from demo.world import ENDPOINTS, MODELS, World

ANCHORS = {"abuse": "user", "concentration": "tenant", "unknown_model": "model"}  # the others: the endpoint


def problem_of(world: World, incident: Incident) -> dict[str, str]:
    """What stays the same each time a problem happens; incidents are a matter of production."""
    dimension = ANCHORS.get(incident.kind, "endpoint")
    anchor = {
        "endpoint": lambda: ENDPOINTS[incident.endpoint].name,
        "user": lambda: world.users[incident.user],
        "tenant": lambda: world.tenants[incident.tenant],
        "model": lambda: MODELS[incident.model].name,
    }[dimension]()
    about = {"environment": "prod", "data_mode": "real", "spike_type": incident.kind}
    return about | {"anchor_dimension": dimension, "anchor": anchor}


def problem_id(problem: dict[str, str]) -> str:
    """As macro problem_id computes it."""
    return _digest(*problem.values())


def alert_id(problem: dict[str, str], onset: date) -> str:
    """As macro alert_id computes it, for an alert that begins on `onset`."""
    return _digest(problem["environment"], problem["data_mode"], problem["spike_type"], problem["anchor"], str(onset))


def _digest(*parts: str) -> str:
    return md5("|".join(parts).encode(), usedforsecurity=False).hexdigest()[:16]


def monday_of(day: date) -> date:
    """The first day of an ISO week."""
    return day - timedelta(days=day.weekday())


def weeks_of(days: list[dict]) -> list[dict]:
    """An incident's rows of `incident_days` by ISO week; the occurrence counts where it begins."""
    begin = min(row["date"] for row in days)
    weeks: dict[date, dict] = {}
    for row in sorted(days, key=lambda row: row["date"]):
        day = date.fromisoformat(row["date"])
        week = weeks.setdefault(monday_of(day), _no_week(monday_of(day)))
        week["occurrences"] += row["date"] == begin
        week["days"] += 1
        week["extra_cost_usd"] = round(week["extra_cost_usd"] + row["extra_cost_usd"], 2)
    return list(weeks.values())


def _no_week(monday: date) -> dict:
    about = {"iso_week": f"{monday:%G-W%V}", "week_start": str(monday)}
    return about | {"occurrences": 0, "days": 0, "extra_cost_usd": 0.0}


@dataclass(frozen=True)
class Closure:
    """From when an incident on a problem was closed with a guardrail in place."""

    problem_id: str
    at: datetime


def recurrence(incidents: list[dict], days: list[dict], closures: list[Closure], until: date) -> list[dict]:
    """One row per problem and ISO week from its first one on: the status that marts.weekly_recurrence should give."""
    rows = []
    for mark in dict.fromkeys(incident["problem_id"] for incident in incidents):
        own = [incident for incident in incidents if incident["problem_id"] == mark]
        names = {incident["incident"] for incident in own}
        dates = sorted(date.fromisoformat(row["date"]) for row in days if row["incident"] in names)
        onsets = [date.fromisoformat(min(row["date"] for row in days if row["incident"] == name)) for name in names]
        closed = [closure.at for closure in closures if closure.problem_id == mark]
        monday, status = monday_of(dates[0]), ""
        while monday <= until:
            week = _sum_of_week(monday, own)
            if week["occurrences"]:  # one that goes on from last week did not come back: it is what it was
                regressed = any(at.date() < day and monday_of(day) == monday for at in closed for day in onsets)
                status = "regressed" if regressed else "recurring" if status else "new"
            seen = max(day for day in dates if day < monday + timedelta(days=7))
            resolved = any(seen <= at.date() < monday + timedelta(days=7) for at in closed)
            shown = status if week["days"] else "resolved" if resolved else "quiet"
            rows.append({"problem_id": mark, **week, "status": shown})
            monday += timedelta(days=7)
    return rows


def _sum_of_week(monday: date, incidents: list[dict]) -> dict:
    total = _no_week(monday)
    for week in (week for incident in incidents for week in incident["weeks"] if week["week_start"] == str(monday)):
        total |= {name: total[name] + week[name] for name in ("occurrences", "days")}
        total["extra_cost_usd"] = round(total["extra_cost_usd"] + week["extra_cost_usd"], 2)
    return total
