"""What to do on Monday: problems and incidents that people have to act on, and findings about the data, worst first."""

from decimal import Decimal
from typing import TypedDict

from orchestration.weekly.figures import EnvironmentFigures, Recurrence
from orchestration.wording import many

SEVERITIES = ("critical", "warning", "info")
# What to do about a finding that no problem explains.
ADVICE = {
    "silence": "Find out why the sender is silent, and land what it has.",
    "spend": "Find out whether it was stopped on purpose.",
}


class Action(TypedDict):
    """One thing to do."""

    severity: str
    what: str
    problem_id: str | None
    environment: str
    status: str | None
    amount_usd: str | None
    is_understated: bool
    do: str
    owner: str | None
    incident: str | None
    drill_url: str | None


def is_continued(row: Recurrence) -> bool:
    """Whether its alert went on from the week before, and no other one began."""
    return bool(row["days"]) and row["occurrences"] == 0


def is_back(row: Recurrence) -> bool:
    """Whether a problem that had been seen before began an alert."""
    return row["status"] in ("regressed", "recurring") and not is_continued(row)


def actions(environments: list[EnvironmentFigures], recurrence: list[Recurrence]) -> list[Action]:
    """One item a problem, one where calls are missing, and one for calls without a price in the first environment."""
    found = [_of_problem(row) for row in recurrence if _is_due(row)]
    for shown in environments:
        found += [
            _of_finding(shown["environment"], row["severity"], row["sentence"], ADVICE[row["kind"]])
            for row in shown["findings"]
            if row["severity"] != "info" and row["kind"] in ADVICE
        ]
    if unpriced := environments[0]["summary"]["unpriced_attempts"]:
        what = f"Add prices for {many(unpriced, 'call')}: unpriced_models has the overrides to paste."
        found.append(_of_finding(environments[0]["environment"], "warning", what, ""))
    return sorted(found, key=lambda item: (SEVERITIES.index(item["severity"]), -Decimal(item["amount_usd"] or 0)))


def _is_due(row: Recurrence) -> bool:
    """A problem that showed, or on which people are at work; what is quiet can wait."""
    is_at_work = row["incident_status"] in ("open", "contained")
    return bool(row["next_action"]) and bool(row["days"] or is_at_work or row["failed_incident_id"])


def _has_failed(row: Recurrence) -> bool:
    """Whether a guardrail failed, and was not changed since."""
    return bool(row["failed_incident_id"]) and (row["next_action"] or "").startswith("The guardrail")


def _of_problem(row: Recurrence) -> Action:
    severity = row["severity"] if row["severity"] in SEVERITIES else None
    is_urgent = row["status"] == "regressed" or row["incident_status"] == "open" or _has_failed(row)
    at_least = "warning" if is_urgent else "info"
    incident = (
        row["incident_id"] and f"{row['incident_id']}{', ' + row['incident_status'] if row['incident_status'] else ''}"
    )
    return {
        "severity": min(severity or "info", at_least, key=SEVERITIES.index),
        "what": row["problem"],
        "problem_id": row["problem_id"],
        "environment": row["environment"],
        "status": "continued" if is_continued(row) else row["status"],
        "amount_usd": row["cost_impact_usd"] if row["days"] else None,
        "is_understated": bool(row["is_understated"]),
        "do": row["next_action"] or "",
        "owner": row["owner"],
        "incident": incident or None,
        "drill_url": row["drill_url"],
    }


def _of_finding(environment: str, severity: str, what: str, do: str) -> Action:
    return {
        "severity": severity if severity in SEVERITIES else "info",
        "what": what,
        "problem_id": None,
        "environment": environment,
        "status": None,
        "amount_usd": None,
        "is_understated": False,
        "do": do,
        "owner": None,
        "incident": None,
        "drill_url": None,
    }
