"""What the people on call write down: landing/incidents, the life of four incidents of each season."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

from demo import wire
from demo.incidents import RECURS, REGRESSES, Incident, occurrences, season_of
from demo.problems import Closure, alert_id, problem_id, problem_of
from demo.world import ENDPOINTS, SEASON_DAYS, SEASON_START, World, live_version

# Spike type: what was done, why it had happened, and the rule that the manual action became.
WORDS = {
    "volume": (
        "Throttled the endpoint to its usual rate",
        "A client polled in a loop without waiting for the answer",
        "Rate limit of the endpoint at twice its usual requests",
    ),
    "token": (
        "Capped output tokens",
        "Whole documents were put into the context instead of excerpts",
        "Limit of tokens per request at the endpoint",
    ),
    "deploy": (
        "Rolled the prompt version back",
        "The new prompt repeats its examples for every turn",
        "Canary of one hour before a version takes all traffic",
    ),
    "abuse": (
        "Limited the user to ten requests an hour",
        "A leaked session token was used by a script",
        "Requests per user and hour are limited",
    ),
    "concentration": (
        "Limited the tenant to its usual volume",
        "The tenant imported its archive without telling anyone",
        "Quota of the tenant per day",
    ),
    "retry": (
        "Opened the circuit breaker and added back-off",
        "A schema change made every second answer invalid",
        "Circuit breaker at 20 % errors, three tries at most",
    ),
    "price_mix": (
        "Pinned the model of the endpoint",
        "The fallback list of the router began with the most expensive model",
        "The router allows the endpoint only the models of its list",
    ),
    "unknown_model": (
        "Switched the gateway back to the model with a price",
        "The gateway took a preview model without a price",
        "The gateway refuses models that are not in the pricing map",
    ),
}


@dataclass(frozen=True)
class Step:
    """One event: on which working day after the onset, when, and what it says; words in braces stand for the incident's.

    An alert exists from the day after its onset, when that day is complete. `lands_later`: days until the file arrives.
    """

    workday: int
    at: str
    type: str
    fields: dict[str, str] = field(default_factory=dict)
    lands_later: int = 0


OPENED = (Step(1, "09:10", "opened"),)
OWNED = (
    Step(1, "09:20", "owner_assigned", {"owner": "{team}"}),
    Step(1, "09:21", "channel_set", {"channel": "#inc-{incident}"}),
)
CONFIRMED = (Step(1, "09:45", "spike_type_confirmed", {"spikeType": "{kind}"}),)
CONTAINED = (Step(1, "10:15", "containment_applied", {"containmentAction": "{action}"}),)
SCOPE = {"endpointTag": "{endpoint}", "tenantId": "{tenant}", "promptVersion": "{version}"}
RUNBOOK = {"owner": "{team}", "escalationChannel": "{oncall}", "endpointTag": "{endpoint}"}
UNDERSTOOD = (
    Step(2, "14:05", "root_cause_found", {"rootCause": "{cause}"}),
    Step(2, "14:20", "scope_documented", SCOPE),
)
HARDENED = (
    Step(3, "11:00", "guardrail_added", {"guardrail": "{guardrail}"}),
    Step(3, "11:30", "runbook_updated", RUNBOOK),
    Step(4, "10:00", "weekly_review_done"),
    Step(5, "09:30", "closed", {"note": "Two quiet days since the guardrail."}),
)

CLOSED_WITH_A_GUARDRAIL = OPENED + OWNED + CONFIRMED + CONTAINED + UNDERSTOOD + HARDENED
CAME_BACK = (
    *(OPENED + OWNED + CONFIRMED + CONTAINED + UNDERSTOOD),
    Step(2, "16:30", "note_added", {"note": "The guardrail did not hold: a new router does not read the list."}),
)
# Nobody chose a channel or wrote down the scope; the confirmation was sent a day late, and one tool has a word of its own.
LEFT_HALF_DONE = (
    *OPENED,
    Step(1, "09:30", "owner_assigned", {"owner": "{team}"}),
    Step(1, "09:50", "spike_type_confirmed", {"spikeType": "{kind}"}, lands_later=1),
    Step(1, "16:40", "containment_applied", {"containmentAction": "{action}"}),
    Step(2, "11:10", "postmortem_scheduled", {"note": "Next Tuesday."}),
)
JUST_OPENED = OPENED
KNOWN = {step.type for step in CLOSED_WITH_A_GUARDRAIL + CAME_BACK}  # what the loader takes, as far as it occurs here


def land(world: World, day: date, landing: Path, opening: date) -> list[dict]:
    """Writes what arrives on a day, if anything, and says so. A world tells only of incidents that begin in it."""
    events = [event for event, arrival in _events(world, opening, day) if arrival == day]
    if not events:
        return []
    file = f"incidents/dt={day}/oncall.jsonl"
    wire.write(landing / file, [json.dumps(event).encode() + b"\n" for event in events])
    bad = [number for number, event in enumerate(events, 1) if event["type"] not in KNOWN]
    return [{"file": file, "arrival_date": str(day), "events": len(events) - len(bad), "bad_event_type_lines": bad}]


def closures(world: World, opening: date, until: date) -> list[Closure]:
    """What was closed with a guardrail, as far as that has arrived."""
    there = [event for event, arrival in _events(world, opening, until) if arrival <= until]
    marks = {event["incidentId"]: event["problemId"] for event in there if event["type"] == "opened"}
    guarded = {event["incidentId"] for event in there if event["type"] == "guardrail_added"}
    return [
        Closure(marks[event["incidentId"]], datetime.fromisoformat(event["occurredAt"]))
        for event in there
        if event["type"] == "closed" and event["incidentId"] in guarded
    ]


def _events(world: World, opening: date, until: date) -> Iterator[tuple[dict, date]]:
    """Events of the incidents that begin from `opening` to `until`, each with the day on which it arrives."""
    for season in range(season_of(opening), season_of(until) + 1):
        for incident, steps in lives(world, season):
            if opening <= incident.start.date() <= until:
                yield from (_event(world, incident, number, step) for number, step in enumerate(steps, 1))


def lives(world: World, season: int) -> list[tuple[Incident, tuple[Step, ...]]]:
    """The season's incidents that have a record: both of the problem that comes back in spite of its guardrail, and two
    of the others, the last of which can be opened before the season ends."""
    there = sorted(occurrences(world, season), key=lambda incident: incident.start)
    first, second = (incident for incident in there if incident.kind == REGRESSES)
    end = SEASON_START + timedelta(days=(season + 1) * SEASON_DAYS)
    others = [
        incident
        for incident in there
        if incident.kind not in (RECURS, REGRESSES) and _workday(incident.start.date(), 1) < end
    ]
    return [
        (first, CLOSED_WITH_A_GUARDRAIL),
        (second, CAME_BACK),
        (others[-3], LEFT_HALF_DONE),
        (others[-1], JUST_OPENED),
    ]


def _workday(day: date, number: int) -> date:
    """The n-th day after `day` that is not on a weekend."""
    while number:
        day += timedelta(days=1)
        number -= day.weekday() < 5
    return day


def _event(world: World, incident: Incident, number: int, step: Step) -> tuple[dict, date]:
    """A step as it lands, and when."""
    day = _workday(incident.start.date(), step.workday)
    at = datetime.combine(day, time.fromisoformat(step.at), UTC)
    record = f"INC-{incident.name}"
    event = {"incidentId": record, "eventId": f"{record}-{number}", "type": step.type, "occurredAt": at.isoformat()}
    event["actor"] = "dana" if step.workday == 1 else "ravi"
    if step.type == "opened":
        event |= _opening(world, incident)
    words = _words(world, incident)
    event |= {name: text.format(**words) for name, text in step.fields.items()}
    return event, day + timedelta(days=step.lands_later)


def _words(world: World, incident: Incident) -> dict[str, str]:
    endpoint = ENDPOINTS[incident.endpoint]
    action, cause, guardrail = WORDS[incident.kind]
    live = live_version(world.seed, incident.endpoint, incident.start.date()).label
    return {
        "incident": incident.name,
        "kind": incident.kind,
        "endpoint": endpoint.name,
        "tenant": "none" if incident.tenant is None else world.tenants[incident.tenant],
        "version": incident.version or live,
        "team": f"team-{endpoint.feature}",
        "oncall": f"#oncall-{endpoint.feature}",
        "action": action,
        "cause": cause,
        "guardrail": guardrail,
    }


def _opening(world: World, incident: Incident) -> dict[str, str]:
    """What names the problem: the alert behind it, and who or what it is about."""
    problem = problem_of(world, incident)
    about = {
        "alertId": alert_id(problem, incident.start.date()),
        "problemId": problem_id(problem),
        "environment": problem["environment"],
        "dataMode": problem["data_mode"],
        "spikeType": incident.kind,
        "startedAt": incident.start.isoformat(),
        "title": f"{incident.kind.replace('_', ' ')} at {ENDPOINTS[incident.endpoint].name}",
        "endpointTag": ENDPOINTS[incident.endpoint].name,
    }
    names = {
        "promptVersion": incident.version,
        "model": problem["anchor"] if problem["anchor_dimension"] == "model" else None,
    }
    names |= {"tenantId": None if incident.tenant is None else world.tenants[incident.tenant]}
    names |= {"userId": None if incident.user is None else world.users[incident.user]}
    return about | {name: value for name, value in names.items() if value is not None}
