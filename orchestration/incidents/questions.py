"""`make incident` without a command: one question at a time, each with its default, each answer landed at once."""

from collections.abc import Callable

from orchestration.incidents.events import CannotError, event, known_events, known_plans, suggested, write
from orchestration.incidents.finding import alerts, described, needing_an_incident, word_meant
from orchestration.incidents.states import Incident, incidents, plans
from orchestration.incidents.view import list_all, missing_steps, show
from orchestration.landing.incident_events import Refused
from orchestration.plain import visible
from orchestration.settings import Settings
from orchestration.team.incidents import SPIKE_TYPES

OFFERED = 9  # answers are one digit
# Step -> the type of its event, the question, and the fields that are asked for.
QUESTIONS: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "contain": ("containment_applied", "What stopped the spending?", ("containmentAction",)),
    "owner": ("owner_assigned", "Who owns it?", ("owner",)),
    "channel": ("channel_set", "In which channel is it discussed?", ("channel",)),
    "confirm": ("spike_type_confirmed", "Which spike type is it?", ("spikeType",)),
    "document": ("scope_documented", "What did it affect?", ("endpointTag", "tenantId", "promptVersion")),
    "root-cause": ("root_cause_found", "Why did it happen?", ("rootCause",)),
    "guardrail": ("guardrail_added", "Which rule keeps it from coming back?", ("guardrail",)),
    "runbook": ("runbook_updated", "Whose is the runbook now?", ("owner", "escalationChannel")),
}
LABELS = {
    "containmentAction": "action",
    "spikeType": "spike type",
    "endpointTag": "endpoint",
    "tenantId": "tenant",
    "promptVersion": "prompt version",
    "rootCause": "cause",
    "escalationChannel": "escalation channel",
}
HOW = "Enter takes what is in brackets; - skips; q stops. Each answer is written at once."


class Stopped(Exception):  # noqa: N818 - no error: somebody has had enough
    """The person wrote q, or the input ended."""


def ask_about(settings: Settings, ask: Callable[[str], str], actor: str) -> int:
    """Asks which incident or alert it is about, then for each step that is missing; 2 when nothing can be asked."""
    try:
        incident = _chosen(settings, ask, actor)
        if incident is None:
            print(visible(list_all(settings), keep="\n"))
            return 0
        print(f"{incident}\n{HOW}")
        _ask_for_steps(settings, ask, actor, incident)
        _offer_to_close(settings, ask, actor, incident)
        print(visible(show(settings, incident), keep="\n"))
    except Stopped:
        print("Stopped. What was answered is written.")
    return 0


def _chosen(settings: Settings, ask: Callable[[str], str], actor: str) -> str | None:
    """The incident that it is about, opened where it was an alert; None where there is nothing to ask about."""
    known = known_events(settings)
    going_on = [each for each in incidents(settings, known).values() if each.status != "closed"]
    current = plans(settings, known_plans(settings)).values()
    waiting = needing_an_incident(alerts(settings), known, current)
    choices: list[dict | Incident] = list(waiting[:OFFERED])
    choices += going_on[: OFFERED - len(choices)]
    if not choices:
        return None
    for number, each in enumerate(choices, start=1):
        words = f"open an incident: {described(each)}" if isinstance(each, dict) else f"go on: {each.incident_id}"
        print(visible(f"{number}  {words}"))
    answer = _answer(ask, "Which one?", "1")
    while not (answer and answer.isdigit() and 0 < int(answer) <= len(choices)):
        answer = _answer(ask, f"A number from 1 to {len(choices)}, or q:", "1")
    chosen = choices[int(answer) - 1]
    if isinstance(chosen, dict):
        opened = event(settings, "opened", alertId=chosen["alert_id"], actor=actor)
        write(settings, opened)
        return opened["incidentId"]
    return chosen.incident_id


def _ask_for_steps(settings: Settings, ask: Callable[[str], str], actor: str, incident: str) -> None:
    """Each step that is missing once, in the order in which they should be done."""
    for step in missing_steps(incidents(settings, known_events(settings))[incident]):
        kind, question, names = QUESTIONS[step]
        defaults = suggested(settings, kind, known_events(settings)[incident])
        print(visible(question))
        fields: dict[str, str | None] = {}
        for name in names:
            fields[name] = _field(ask, name, defaults.get(name))
        if any(value is None for value in fields.values()):
            continue
        try:
            write(settings, event(settings, kind, incidentId=incident, actor=actor, **fields))
        except Refused as refused:
            print(visible(f"  Not written: {refused.detail}. It can be added later: {step} {incident}"))


def _field(ask: Callable[[str], str], name: str, default: str | None) -> str | None:
    """An answer; of a spike type until it is one."""
    while True:
        answer = _answer(ask, f"  {LABELS.get(name, name)}", default)
        if answer is None or name != "spikeType":
            return answer
        try:
            return word_meant(answer, SPIKE_TYPES, "spike type")
        except CannotError as error:
            print(visible(f"  {error}"))


def _offer_to_close(settings: Settings, ask: Callable[[str], str], actor: str, incident: str) -> None:
    gaps = incidents(settings, known_events(settings))[incident].gaps
    for gap in gaps:
        print(f"  missing: {gap}")
    if (_answer(ask, "Close it now?", "no") or "no").lower() not in ("y", "yes"):
        return
    reason = _answer(ask, "Why is it closed without these?", None) if gaps else None
    if gaps and not reason:
        print("It stays open: closing with gaps needs a reason.")
        return
    write(settings, event(settings, "closed", incidentId=incident, actor=actor, reason=reason))


def _answer(ask: Callable[[str], str], question: str, default: str | None) -> str | None:
    """What was written: empty is the default, a dash is None. Raises Stopped for q, or where the input ends."""
    try:
        answer = ask(visible(f"{question} [{default}] " if default else f"{question} ")).strip()
    except EOFError:
        raise Stopped from None
    if answer.lower() in ("q", "quit"):
        raise Stopped
    return None if answer == "-" else answer or default
