"""What incidents and plans are now, by the events that have landed: on-call cannot wait for a run to know what a colleague did.

The marts say the same after the next run (`int_incident_events`, `int_incidents`, `int_plans`); tests/test_demo_weeks.py holds
the incidents of one against the other.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from orchestration.settings import Settings

# What each checklist asks for, in the words of macros/incidents/checklists.sql.
EXECUTION = {
    "confirm": "spike type confirmed",
    "owner": "one owner and one channel",
    "contain": "containment before optimisation",
    "document": "dominant endpoint, tenant and prompt version documented",
    "guardrail": "one permanent guardrail",
}
HARDENING = {
    "root-cause": "root cause and exact containment step",
    "rule": "manual action turned into a rule",
    "runbook": "runbook owner and escalation channel updated",
    "review": "weekly review done",
}


@dataclass(frozen=True)
class Incident:
    """An incident after the events that count; the fields are those of the mart."""

    incident_id: str
    status: str  # open, contained, closed
    title: str | None
    alert_id: str | None
    problem_id: str | None
    spike_type: str | None
    endpoint_tag: str | None
    started_at: datetime
    opened_at: datetime
    contained_at: datetime | None
    closed_at: datetime | None
    owner: str | None
    channel: str | None
    execution_missing: list[str]
    hardening_missing: list[str]
    events: list[dict]  # all of them, in the order in which they happened; `counts` says which do

    @property
    def gaps(self) -> list[str]:
        """What should be done before it is closed: the weekly review comes after that."""
        return [each for each in (*self.execution_missing, *self.hardening_missing) if each != HARDENING["review"]]

    def is_of(self, person: str) -> bool:
        """Whether somebody owns it or has written something about it."""
        return bool(person) and (self.owner == person or any(event["actor"] == person for event in self.events))


@dataclass(frozen=True)
class Plan:
    """A plan or a mute as it stands; the fields are those of `alert_plans`."""

    plan_id: str
    kind: str  # planned, muted
    scope: dict[str, str]
    from_date: date
    until_date: date
    reason: str
    actor: str

    def covers(self, day: date) -> bool:
        """Whether it holds on a day."""
        return self.from_date <= day < self.until_date

    def is_about(self, alert: dict) -> bool:
        """Whether an alert wakes nobody because of it, as `int_alert_plans` decides."""
        named = {**alert, "problem": alert["problem_id"], "endpoint_tag": alert["main_endpoint_tag"]}
        series = {"tenant": "tenant_id", "user": "user_id", "model": "model"}.get(alert["scope_dimension"])
        if series:
            named[series] = named[series] or alert["scope_value"]
        return self.covers(alert["last_date"]) and all(named.get(name) == value for name, value in self.scope.items())


def incidents(settings: Settings, known: dict[str, list[dict]]) -> dict[str, Incident]:
    """The state of each incident that somebody opened, the latest first."""
    found = (_incident(settings, incident_id, events) for incident_id, events in known.items())
    states = sorted((each for each in found if each), key=lambda each: each.opened_at, reverse=True)
    return {each.incident_id: each for each in states}


def _incident(settings: Settings, incident_id: str, events: list[dict]) -> Incident | None:
    judged = [event | {"counts": counts} for event, counts in _judged(settings, events)]
    counting = [event for event in judged if event["counts"]]
    if not counting:
        return None

    def last(column: str, *kinds: str) -> Any:
        given = (event[column] for event in reversed(counting) if event["event_type"] in kinds and event[column])
        return next(given, None)

    def times(kind: str) -> list[datetime]:
        return [event["occurred_at"] for event in counting if event["event_type"] == kind]

    turns = [event for event in counting if event["event_type"] in ("opened", "closed", "reopened")]
    is_closed = turns[-1]["event_type"] == "closed"
    contained, reopened = times("containment_applied"), times("reopened")
    is_contained = bool(contained) and (not reopened or max(contained) >= max(reopened))
    opened_at = times("opened")[0]
    execution, hardening = _missing(last, times)
    return Incident(
        incident_id=incident_id,
        status="closed" if is_closed else "contained" if is_contained else "open",
        title=last("title", "opened"),
        alert_id=last("alert_id", "opened"),
        problem_id=last("fingerprint", "opened"),
        spike_type=last("spike_type", "spike_type_confirmed") or last("spike_type", "opened"),
        endpoint_tag=last("endpoint_tag", "scope_documented") or last("endpoint_tag", "opened"),
        started_at=last("started_at", "opened") or opened_at,
        opened_at=opened_at,
        contained_at=min(contained, default=None),
        closed_at=max(times("closed")) if is_closed else None,
        owner=last("owner", "owner_assigned"),
        channel=last("channel", "channel_set"),
        execution_missing=execution,
        hardening_missing=hardening,
        events=judged,
    )


def _missing(last: Any, times: Any) -> tuple[list[str], list[str]]:
    """What the two checklists still lack, in their words and order."""
    guardrails, contained = times("guardrail_added"), times("containment_applied")
    has_rule = bool(last("guardrail", "guardrail_added"))
    is_contained = bool(last("containment_action", "containment_applied"))
    done = {
        "confirm": bool(times("spike_type_confirmed")),
        "owner": bool(last("owner", "owner_assigned") and last("channel", "channel_set")),
        "contain": bool(contained) and (not guardrails or min(contained) <= min(guardrails)),
        "document": bool(times("scope_documented")),
        "guardrail": has_rule,
        "root-cause": bool(last("root_cause", "root_cause_found")) and is_contained,
        "rule": has_rule and is_contained,
        "runbook": bool(times("runbook_updated")),
        "review": bool(times("weekly_review_done")),
    }
    execution = [words for step, words in EXECUTION.items() if not done[step]]
    return execution, [words for step, words in HARDENING.items() if not done[step]]


def _judged(settings: Settings, events: list[dict]) -> list[tuple[dict, bool]]:
    """Each event in the order in which they happened, each once, and whether the incident's state allows it."""
    now = settings.as_of.astimezone(UTC).replace(tzinfo=None)
    rank = {"opened": 0, "closed": 2}
    ordered = sorted(events, key=lambda event: (event["occurred_at"], rank.get(event["event_type"], 1)))
    judged: list[tuple[dict, bool]] = []
    seen: set[tuple] = set()
    ids: set[str] = set()
    opening = next((each for each in ordered if each["event_type"] == "opened" and each["occurred_at"] <= now), None)
    before: str | None = None
    for event in ordered:
        kind, content = event["event_type"], _content(event)
        if content in seen:
            continue
        seen.add(content)
        counts = opening is not None and event["occurred_at"] <= now and event["event_id"] not in ids
        if event["event_id"]:
            ids.add(event["event_id"])
        if kind == "opened":
            counts = counts and event is opening
        elif kind == "closed":
            counts = counts and before in ("opened", "reopened")
        elif kind == "reopened":
            counts = counts and before == "closed"
        if event is opening or kind in ("closed", "reopened"):
            before = kind
        judged.append((event, counts))
    return judged


def _content(event: dict) -> tuple:
    """What makes two landed lines the same event: everything but where they were found."""
    return tuple(value for name, value in event.items() if name not in ("content_hash", "line_number", "load_id"))


def plans(settings: Settings, events: list[dict]) -> dict[str, Plan]:
    """Each plan and mute as it stands, by its id; `events` in the order of time."""
    now = settings.as_of.astimezone(UTC).replace(tzinfo=None)
    found: dict[str, Plan] = {}
    for event in events:
        name = event["plan_id"]
        if event["occurred_at"] > now:
            continue
        if event["event_type"] == "plan_ended":
            if name in found:
                until = min(found[name].until_date, event["until_date"])
                found[name] = Plan(**vars(found[name]) | {"until_date": until})
            continue
        columns = ("environment", "data_mode", "endpoint_tag", "prompt_version", "tenant_id", "user_id", "model")
        scope = {column: event[column] for column in columns if event[column]}
        found[name] = Plan(
            plan_id=name,
            kind=event["event_type"],
            scope={"problem": event["fingerprint"]} if event["fingerprint"] else scope,
            from_date=event["from_date"],
            until_date=event["until_date"],
            reason=event["reason"],
            actor=event["actor"],
        )
    return found
