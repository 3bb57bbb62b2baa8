"""What somebody meant who wrote part of a name, a wrong one or none: the right one where it is certain, a question where it is not.

A beginning that only one name has is that name. A misspelled name is never taken for another: the sentence names what is near.
"""

from collections.abc import Collection, Iterable
from datetime import UTC
from difflib import get_close_matches

from orchestration.incidents.states import Incident, Plan
from orchestration.settings import Settings
from orchestration.warehouse import open_marts
from orchestration.wording import change, listed

NAMED = 5  # names in a sentence; more are not read
# Alerts, the ones to look at first: those that go on, then the latest.
ALERTS = """
    select alerts.alert_id, alerts.problem_id, alerts.environment, alerts.data_mode, alerts.spike_type, alerts.onset_date,
        coalesce(alerts.started_at, alerts.window_start) as started_at, alerts.top_driver_dimension, alerts.top_driver_value,
        drivers.endpoint_tag, drivers.prompt_version, drivers.tenant_id, drivers.user_id, drivers.model,
        alerts.status, alerts.severity, alerts.alert_date, alerts.last_date, alerts.days, alerts.delta_usd,
        alerts.total_excess_usd, alerts.containment_action, alerts.owner, alerts.escalation_channel, alerts.runbook_url,
        alerts.endpoint_tag as main_endpoint_tag, alerts.scope_dimension, alerts.scope_value
    from alerts left join alert_drivers as drivers on alerts.alert_id = drivers.alert_id and drivers.rank = 1
    order by alerts.status not in ('open', 'extended'), alerts.alert_date desc, alerts.delta_usd desc, alerts.alert_id
"""
NAMES = {
    "endpoint_tag": "select endpoint_tag from dim_endpoints",
    "prompt_version": "select prompt_version from dim_prompt_versions",
    "tenant_id": "select tenant_id from dim_tenants",
    "user_id": "select distinct user_id from cost_by_user_daily",
    "model": "select model from dim_models",
}


class CannotError(ValueError):
    """A command that cannot be done; the message says why and what to do."""


def alerts(settings: Settings) -> dict[str, dict]:
    """The published alerts by id, the ones to look at first. Raises CannotError before the first publication."""
    published = settings.published_marts
    if not published.exists():
        raise CannotError(f"{published} does not exist, so no alert is known: run the pipeline first (make run).")
    with open_marts(settings) as marts:
        found = marts.execute(ALERTS)
        names = [column[0] for column in found.description or ()]
        rows = [dict(zip(names, row, strict=True)) for row in found.fetchall()]
    return {row["alert_id"]: row for row in rows}


def needing_an_incident(
    found: dict[str, dict], known: dict[str, list[dict]], current: Collection[Plan] = ()
) -> list[dict]:
    """Alerts that go on, that nobody has opened an incident for, and that are to wake somebody, by the plans that landed too."""
    taken = {event["alert_id"] for events in known.values() for event in events}
    return [
        row
        for row in found.values()
        if row["status"] in ("open", "extended")
        and row["severity"] != "info"
        and row["alert_id"] not in taken
        and not any(plan.is_about(row) for plan in current)
    ]


def alert_meant(
    found: dict[str, dict], known: dict[str, list[dict]], given: str | None, current: Collection[Plan] = ()
) -> str:
    """The alert that an id, its beginning or a name in it means; without any the only one that needs an incident.

    Raises CannotError.
    """
    waiting = needing_an_incident(found, known, current)
    if given is None:
        if len(waiting) == 1:
            return waiting[0]["alert_id"]
        listing = "".join(f"\n  {described(row)}" for row in waiting[:NAMED]) or " none"
        raise CannotError(f"Which alert? Those that go on without an incident:{listing}")
    if (certain := _only(found, given)) is not None:
        return certain
    naming: list[str] = []
    for rows in (waiting, found.values()):
        naming = naming or [row["alert_id"] for row in rows if given.lower() in described(row).lower()]
    if len(naming) == 1:
        return naming[0]
    near = [found[each] for each in (naming or get_close_matches(given, found, n=NAMED))]
    if near:
        listing = "".join(f"\n  {described(row)}" for row in near[:NAMED])
        raise CannotError(f"marts.alerts has no alert {given!r}. Did you mean one of these?{listing}")
    latest = ", ".join(list(found)[:3]) or "none yet"
    raise CannotError(f"marts.alerts has no alert {given!r} (the latest are: {latest}): look it up there.")


def described(row: dict) -> str:
    """An alert in one line, its id first."""
    place = row["main_endpoint_tag"]
    at = f" at {place}" if place and place not in row["top_driver_value"] else ""
    driver = f"{row['top_driver_dimension']} {row['top_driver_value']}{at}"
    where = f"{row['environment']}  " if row["environment"] != "prod" else ""
    return (
        f"{row['alert_id']}  {where}{row['alert_date']}  {row['severity']}  {row['spike_type']}: {driver}  "
        f"{change(row['delta_usd'])}"
    )


def incident_meant(states: dict[str, Incident], known: dict[str, list[dict]], given: str) -> str:
    """The incident that an id, its beginning, a part of it or its alert's id means. Raises CannotError."""
    if given in known:
        return given
    of_alert = {event["alert_id"]: name for name, events in known.items() for event in events if event["alert_id"]}
    alert = _only(of_alert, given)
    if (certain := _only(states, given)) is not None or alert is not None:
        return certain or of_alert[str(alert)]
    inside = [name for name in states if given.lower() in name.lower()]
    going_on = [name for name in inside if states[name].status != "closed"]
    for candidates in (inside, going_on):
        if len(candidates) == 1 and len(given) > 2:
            return candidates[0]
    near = inside or get_close_matches(given, known, n=3)
    if near:
        raise CannotError(f"No landed file knows the incident {given!r}. Did you mean {_or(near)}?")
    latest = ", ".join(list(states)[:3]) or "none yet"
    raise CannotError(
        f"No landed file knows the incident {given!r} (the latest are: {latest}). Open it first: open <alert_id>."
    )


def only_incident(states: dict[str, Incident], kind: str = "", actor: str = "") -> str:
    """The one that an event of that type can be about when it names none: the only one, or the only one that is the actor's.

    Raises CannotError where there are several, or none.
    """
    state = "closed" if kind == "reopened" else "open"
    fitting = [name for name, each in states.items() if (each.status == "closed") == (state == "closed")]
    if kind == "containment_applied":
        fitting = [name for name in fitting if states[name].status == "open"] or fitting
    own = [name for name in fitting if states[name].is_of(actor)]
    for candidates in (fitting, own):
        if len(candidates) == 1:
            return candidates[0]
    if not fitting:
        raise CannotError(f"No incident is {state}. Open one for an alert: open <alert_id>; list shows both.")
    raise CannotError(f"{len(fitting)} incidents are {state}: name one, {_or(fitting)}.")


def plan_meant(plans: dict[str, Plan], given: str | None, settings: Settings) -> str:
    """The plan or mute that is meant; without a name the only one that is not over. Raises CannotError."""
    today = settings.as_of.astimezone(UTC).date()
    current = [name for name, plan in plans.items() if plan.until_date > today]
    if given is None:
        if len(current) == 1:
            return current[0]
        raise CannotError(f"Which plan or mute? Not over: {_or(current) or 'none'}.")
    if (certain := _only(plans, given)) is not None:
        return certain
    near = [name for name in plans if given in name] or get_close_matches(given, plans, n=3) or current
    raise CannotError(f"No landed file knows the plan {given!r}. Did you mean {_or(near) or 'another data root'}?")


def word_meant(word: str, words: Iterable[str], what: str) -> str:
    """The word, or its only completion. Raises CannotError with what is near."""
    known = list(words)
    if (certain := _only(dict.fromkeys(known), word)) is not None:
        return certain
    near = get_close_matches(word.lower(), known, n=3, cutoff=0.5)
    hint = f"Did you mean {_or(near)}?" if near else f"Write one of {', '.join(known)}."
    raise CannotError(f"{word!r} is not a {what}. {hint}")


def near_names(settings: Settings, column: str, name: str) -> list[str] | None:
    """Names like one that no call has; None where calls have it, or nothing is published to compare it with."""
    if not settings.published_marts.exists():
        return None
    with open_marts(settings) as marts:
        known = [value for (value,) in marts.execute(NAMES[column]).fetchall() if value]
    return None if name in known else get_close_matches(name, known, n=3)


def _only(names: Iterable[str], given: str) -> str | None:
    """The name itself, or the only one that begins so."""
    candidates = [name for name in names if name.lower().startswith(given.lower())]
    return given if given in candidates else candidates[0] if len(candidates) == 1 and given else None


def _or(names: list[str]) -> str:
    return listed([str(name) for name in names[:NAMED]]).replace(" and ", " or ")
