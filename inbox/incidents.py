"""What people write down in a form, through orchestration.incidents: neither a path nor a new id comes from a form."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path

from inbox.alerts import alert_of
from inbox.marts import Marts, Row
from orchestration.incidents.events import CannotError, event, known, suggested, write
from orchestration.incidents.questions import LABELS, QUESTIONS
from orchestration.incidents.states import EXECUTION, HARDENING, Incident, incidents, plans
from orchestration.incidents.view import missing_steps
from orchestration.landing.incident_events import Refused
from orchestration.notifications.outbox import acknowledge, read_outbox
from orchestration.plain import visible
from orchestration.settings import Settings
from orchestration.team.incidents import SPIKE_TYPES

LONGEST = 4_000  # characters of a field: what the loader takes
PLANNED_DAYS = 7  # that a plan lasts where nobody says until when
IN_MARTS = "select event_type, occurred_at from incident_events where incident_id = $id"
# Steps beyond those that have questions -> type of the event, and the fields that are asked for.
MORE: dict[str, tuple[str, tuple[str, ...]]] = {
    "note": ("note_added", ("note",)),
    "review": ("weekly_review_done", ()),
    "close": ("closed", ("reason",)),
    "reopen": ("reopened", ()),
}
STEPS = {step: (kind, fields) for step, (kind, _, fields) in QUESTIONS.items()} | MORE
SCOPE = {"promptVersion": "prompt_version", "tenantId": "tenant_id", "userId": "user_id", "model": "model"}
TOLD = ("title", "owner", "channel", "containment_action", "root_cause", "guardrail", "spike_type", "reason", "note")


@dataclass(frozen=True)
class Asked:
    """One form of the page: a step with its question and its fields, each with what it may say."""

    step: str
    question: str
    fields: list[tuple[str, str, str]] = field(default_factory=list)  # name, label, default


@dataclass(frozen=True)
class Life:
    """An incident as it is now, landed events included, with what can be done next."""

    state: Incident
    checklists: list[tuple[str, bool]]
    forms: list[Asked]
    events: list[Row]
    waiting: int  # events that the marts do not have yet


_read: dict[tuple, tuple[dict[str, list[Row]], list[Row]]] = {}  # the events that landed, by what the folders were then


def landed(settings: Settings) -> tuple[dict[str, list[Row]], list[Row]]:
    """The events of incidents and of plans, read again only where a folder has changed: every look at an alert asks for them."""
    state = _state_of_folders(settings)
    if state is None:
        return known(settings)
    if state not in _read:
        found = known(settings)
        _read.clear()
        _read[state] = found
    return _read[state]


def _state_of_folders(settings: Settings) -> tuple | None:
    """The data root, and the time and the number of files of each folder that a new event changes.

    None where the landing folder is an object store, which has no such times.
    """
    if "://" in settings.landing:
        return None
    arrivals = Path(settings.landing) / "incidents"
    folders = [settings.raw / "_loads", arrivals, *sorted(arrivals.glob("*"))]
    return settings.landing, *((str(folder), *_changed(folder)) for folder in folders)


def _changed(folder: Path) -> tuple[int, int]:
    try:
        return folder.stat().st_mtime_ns, len(os.listdir(folder))
    except OSError:
        return 0, 0


def life_of(settings: Settings, marts: Marts, incident_id: str) -> Life | None:
    """The life of an incident; None where no landed event opened it."""
    state = incidents(settings, landed(settings)[0]).get(incident_id)
    if state is None:
        return None
    published = {(row["event_type"], row["occurred_at"]) for row in marts.rows(IN_MARTS, id=incident_id)}
    missing = [*state.execution_missing, *state.hardening_missing]
    events = [
        {
            "at": each["occurred_at"],
            "actor": each["actor"],
            "kind": each["event_type"],
            "text": "; ".join(str(each[name]) for name in TOLD if each.get(name)),
            "counts": each["counts"],
            "is_waiting": (each["event_type"], each["occurred_at"]) not in published,
        }
        for each in state.events
    ]
    return Life(
        state=state,
        checklists=[(words, words not in missing) for words in (EXECUTION | HARDENING).values()],
        forms=_forms(settings, state),
        events=list(reversed(events)),
        waiting=sum(each["is_waiting"] for each in events),
    )


def incident_of(settings: Settings, alert_id: str) -> str | None:
    """The incident that landed events have opened for an alert."""
    states = incidents(settings, landed(settings)[0])
    return next((each.incident_id for each in states.values() if each.alert_id == alert_id), None)


def plan_of(settings: Settings, alert: Row) -> str | None:
    """What covers an alert already, landed plans and mutes included."""
    row = alert | {"main_endpoint_tag": alert["endpoint_tag"], "endpoint_tag": alert["driver_endpoint"]}
    for plan in plans(settings, landed(settings)[1]).values():
        if plan.is_about(row):
            return f"{plan.kind} until {plan.until_date} by {plan.actor}: {plan.reason}"
    return None


def topic_of(settings: Settings, alert_id: str) -> tuple[str, str | None] | None:
    """The topic of the messages of an alert, and who has acknowledged it; None where nothing was sent."""
    topic = f"alert/{alert_id}"
    messages = [row for row in read_outbox(settings) if row["topic"] == topic]
    if not messages:
        return None
    return topic, next((row["acknowledged_by"] for row in messages if row["acknowledged_at"]), None)


def _forms(settings: Settings, state: Incident) -> list[Asked]:
    """What can be written next, the most urgent first; then a note, and closing or reopening."""
    asked = []
    for step in missing_steps(state):
        kind, question, names = QUESTIONS[step]
        hints = suggested(settings, kind, state.events)
        fields = [(name, LABELS.get(name, name), hints.get(name) or "") for name in names]
        asked.append(Asked(step, question, fields))
    if state.status != "closed":
        asked.append(Asked("note", "Anything else worth recording?", [("note", "note", "")]))
        reason = [("reason", "why without these", "")] if state.gaps else []
        asked.append(Asked("close", "Close it", reason))
    else:
        if HARDENING["review"] in state.hardening_missing:
            asked.append(Asked("review", "Has the weekly review covered it?"))
        asked.append(Asked("reopen", "It came back"))
    return asked


def written(settings: Settings, marts: Marts, said: Mapping[str, str], actor: str) -> dict[str, str]:
    """Lands what a form says; returns the words of the address that shows it. Raises CannotError with a sentence."""
    step = said.get("step", "")
    if not actor.strip():
        raise CannotError("Say who you are: an event without an author helps nobody.")
    if any(len(text) > LONGEST for text in said.values()):
        raise CannotError(f"A field holds more than {LONGEST:,} characters: put the log where the runbook is.")
    try:
        if step in ("open", "plan", "acknowledge"):
            return _about_alert(settings, marts, step, said, actor)
        if step not in STEPS:
            raise CannotError(f"{visible(step) or 'Nothing'} is not a step of an incident.")
        return _about_incident(settings, step, said, actor)
    except Refused as refused:
        raise CannotError(f"Nothing was written: {refused.detail}.") from None
    except LookupError as error:
        raise CannotError(str(error.args[0])) from None


def _about_alert(settings: Settings, marts: Marts, step: str, said: Mapping[str, str], actor: str) -> dict[str, str]:
    alert = alert_of(marts, said.get("alert"))
    if alert is None:
        raise CannotError(f"No alert has the id {visible(said.get('alert', ''))}.")
    about = {"alert": alert["alert_id"]}
    if step == "acknowledge":
        acknowledge(settings, f"alert/{alert['alert_id']}", actor)
        return about
    if step == "open":
        if existing := incident_of(settings, alert["alert_id"]):
            return {"incident": existing}
        opened = event(settings, "opened", alertId=alert["alert_id"], actor=actor, eventId=said.get("event"))
        write(settings, opened)
        return {"incident": opened["incidentId"]}
    if not said.get("reason", "").strip():
        raise CannotError("Say why it is planned: whoever sees the alert reads it.")
    named = {name: alert[column] for name, column in SCOPE.items()}
    named["endpointTag"] = alert["driver_endpoint"]
    if not any(named.values()):
        named["endpointTag"] = alert["endpoint_tag"]
    until = _day(said.get("until")) or alert["last_date"] + timedelta(days=PLANNED_DAYS)
    fields = {"fromDate": str(alert["onset_date"]), "untilDate": str(until), "reason": said["reason"].strip()}
    fields |= {"environment": alert["environment"], "dataMode": alert["data_mode"], "actor": actor}
    write(settings, event(settings, "planned", **fields, **named, eventId=said.get("event")))
    return about


def _about_incident(settings: Settings, step: str, said: Mapping[str, str], actor: str) -> dict[str, str]:
    incident, (kind, names) = said.get("incident", ""), STEPS[step]
    state = incidents(settings, landed(settings)[0]).get(incident)
    if state is None:
        raise CannotError(f"No landed event knows the incident {visible(incident)}: open it from its alert.")
    if any(each["event_id"] == said.get("event") for each in state.events if said.get("event")):
        return {"incident": incident}  # the same form, sent twice
    fields = {name: said.get(name, "").strip() or None for name in names}
    if kind == "closed" and state.gaps and not fields.get("reason"):
        raise CannotError(f"It still lacks: {'; '.join(state.gaps)}. Add them, or say why it is closed without.")
    if lacking := [LABELS.get(name, name) for name, value in fields.items() if value is None and kind != "closed"]:
        raise CannotError(f"Nothing was written: {', '.join(lacking)} is empty.")
    if fields.get("spikeType") and fields["spikeType"] not in SPIKE_TYPES:
        raise CannotError(f"{visible(fields['spikeType'])} is not a spike type: write one of {', '.join(SPIKE_TYPES)}.")
    write(settings, event(settings, kind, incidentId=incident, actor=actor, eventId=said.get("event"), **fields))
    return {"incident": incident}


def _day(text: str | None) -> date | None:
    if not text:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise CannotError(f"{visible(text)} is not a day: write it as 2026-12-08.") from None
