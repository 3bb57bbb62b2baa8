"""What `make incident DO=list` and `DO=show` print: incidents as they are now, and the command that comes next."""

from collections.abc import Collection
from datetime import UTC

from orchestration.incidents.events import known_events, known_plans, suggested
from orchestration.incidents.finding import CannotError, alerts, described, needing_an_incident
from orchestration.incidents.states import EXECUTION, HARDENING, Incident, Plan, incidents, plans
from orchestration.settings import Settings
from orchestration.wording import change, many, minute

LISTED = 20  # of each kind: a screen
# What a checklist still lacks -> the command that does it.
COMMAND_FOR = {words: step for step, words in (EXECUTION | HARDENING).items()} | {HARDENING["rule"]: "guardrail"}
# In the order in which they are done: stop the spending first.
STEPS = ("contain", "owner", "channel", "confirm", "document", "root-cause", "guardrail", "runbook")


def list_all(settings: Settings, with_closed: bool = False) -> str:
    """Open incidents, alerts that nobody has opened one for, and what is planned or muted today; the next command last."""
    known = known_events(settings)
    states = incidents(settings, known)
    shown = [each for each in states.values() if with_closed or each.status != "closed"]
    current = plans(settings, known_plans(settings)).values()
    waiting = _waiting(settings, known, current)
    covering = [each for each in current if each.covers(settings.as_of.astimezone(UTC).date())]
    lines = [
        *_titled("Incidents" if with_closed else "Open incidents", [_in_a_line(each) for each in shown]),
        *_titled("Alerts without an incident", [described(row) for row in waiting]),
        *_titled(
            "Planned or muted today",
            [f"{each.plan_id}  {each.kind} until {each.until_date}: {each.reason} ({each.actor})" for each in covering],
        ),
    ]
    urgent = [each for each in shown if each.status == "open"]
    if waiting:
        lines.append(f"Next: open {waiting[0]['alert_id'][:8]}")
    elif urgent:
        lines.append(f"Next: contain {urgent[0].incident_id}")
    return "\n".join(lines)


def show(settings: Settings, incident_id: str) -> str:
    """One incident: its alert's figures, what was done, what is missing, and the next command with what it would say."""
    known = known_events(settings)
    state = incidents(settings, known).get(incident_id)
    if state is None:
        raise CannotError(f"Nobody has opened {incident_id} yet: open <alert_id> --incident {incident_id}.")
    lines = [f"{state.incident_id}: {state.title or 'no title'}", f"  status     {state.status}, {_since(state)}"]
    lines += [f"  owner      {state.owner or 'nobody yet'}, channel {state.channel or 'none yet'}"]
    lines += _about_the_alert(settings, state)
    missing = [*state.execution_missing, *state.hardening_missing]
    lines += ["Checklists"]
    lines += [f"  [{' ' if words in missing else 'x'}] {words}" for words in (EXECUTION | HARDENING).values()]
    lines += ["Events"] + [_event_line(event) for event in state.events]
    lines += [next_step(settings, state)]
    return "\n".join(lines)


def next_step(settings: Settings, state: Incident) -> str:
    """The command that comes next, with what it would say by default."""
    step = missing_steps(state)
    if not step:
        return f"Next: close {state.incident_id}" if state.status != "closed" else "Next: nothing, it is closed."
    kind = {"contain": "containment_applied", "guardrail": "guardrail_added", "owner": "owner_assigned"}.get(step[0])
    said = suggested(settings, kind, state.events) if kind else {}
    text = next((value for name, value in said.items() if value and name != "channel"), None)
    return f"Next: {step[0]} {state.incident_id}" + (f' "{text}"' if text else "")


def missing_steps(state: Incident) -> list[str]:
    """The commands that are still to be run, in the order in which they should be."""
    if state.status == "closed":
        return []
    wanted = {COMMAND_FOR[words] for words in (*state.execution_missing, *state.hardening_missing)}
    if "owner" in wanted:
        wanted = wanted - {"owner"} | {step for step in ("owner", "channel") if not getattr(state, step)}
    wanted.discard("contain")
    if state.status == "open":  # a guardrail that came before the containment stays before it
        wanted.add("contain")
    return [step for step in STEPS if step in wanted]


def _waiting(settings: Settings, known: dict[str, list[dict]], current: Collection[Plan]) -> list[dict]:
    try:
        return needing_an_incident(alerts(settings), known, current)
    except CannotError:  # nothing is published yet, and incidents can be listed all the same
        return []


def _titled(title: str, rows: list[str]) -> list[str]:
    if not rows:
        return [f"{title}: none"]
    more = [f"  and {len(rows) - LISTED} more"] if len(rows) > LISTED else []
    return [title, *(f"  {row}" for row in rows[:LISTED]), *more]


def _in_a_line(state: Incident) -> str:
    missing = missing_steps(state)
    left = f"  {many(len(missing), 'step')} left" if missing else ""
    return f"{state.incident_id}  {state.status}  {state.owner or 'no owner'}  {_since(state)}{left}"


def _since(state: Incident) -> str:
    return f"closed {minute(state.closed_at)} UTC" if state.closed_at else f"opened {minute(state.opened_at)} UTC"


def _about_the_alert(settings: Settings, state: Incident) -> list[str]:
    try:
        alert = alerts(settings).get(state.alert_id or "")
    except CannotError:
        alert = None
    if alert is None:
        return [f"  alert      {state.alert_id or 'none'}"]
    dollars = f"{change(alert['delta_usd'])} on its first day; {change(alert['total_excess_usd'])} above the forecast"
    return [
        f"  alert      {described(alert)}",
        f"  cost       {dollars} until {alert['last_date']} ({many(alert['days'], 'day')}, {alert['status']})",
        f"  first      {alert['containment_action']}",
        f"  runbook    {alert['runbook_url'] or 'none'}",
    ]


def _event_line(event: dict) -> str:
    told = (
        "title",
        "owner",
        "channel",
        "containment_action",
        "root_cause",
        "guardrail",
        "spike_type",
        "reason",
        "note",
    )
    text = "; ".join(str(event[name]) for name in told if event.get(name))
    counts = "" if event["counts"] else "  (does not count: marts.incident_events says why)"
    return f"  {minute(event['occurred_at'])}  {event['actor']}  {event['event_type']}  {text}{counts}"
