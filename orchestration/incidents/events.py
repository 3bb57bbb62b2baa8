"""The event that somebody writes down about an incident: completed from its alert, its own events and what the team edits.

Nobody edits JSON: an event is one line, judged by the rules of the loader, in a landing file of its own that appears whole.
"""

import json
import re
import secrets
from collections.abc import Iterator
from datetime import UTC
from pathlib import Path
from tempfile import TemporaryDirectory

from orchestration.landing import manifest_rows_sql, new_files
from orchestration.landing.database import open_memory
from orchestration.landing.files import fetch, write_file
from orchestration.landing.incidents import EVENT_TYPES, Refused, judged, parsed
from orchestration.landing.lines import read_blocks
from orchestration.landing.manifests import manifest_files
from orchestration.landing.trouble import UnreadableNow
from orchestration.settings import Settings
from orchestration.team.incidents import CONTAINMENT_MAP, ENDPOINT_OWNERS
from orchestration.team.rows import read_rows
from orchestration.warehouse import open_marts

ALERT = """
    select alerts.alert_id, alerts.problem_id, alerts.environment, alerts.data_mode, alerts.spike_type, alerts.onset_date,
        coalesce(alerts.burst_start, alerts.window_start) as started_at, alerts.top_driver_dimension, alerts.top_driver_value,
        drivers.endpoint_tag, drivers.prompt_version, drivers.tenant_id, drivers.user_id, drivers.model
    from alerts left join alert_drivers as drivers on alerts.alert_id = drivers.alert_id and drivers.rank = 1
    where alerts.alert_id = ?
"""
LATEST = "select alert_id from alerts order by alert_date desc, delta_usd desc, alert_id limit 3"


class CannotError(ValueError):
    """A command that cannot be done; the message says why and what to do."""


def event_of(settings: Settings, given: dict[str, str], alert_id: str | None = None) -> dict:
    """The event that `given` begins, complete: at least its type and its incident, or the alert that one is opened for.

    Raises CannotError.
    """
    now = settings.as_of.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    known = known_events(settings)
    if given["type"] == "opened":
        if alert_id is None:
            raise CannotError("An incident is opened for an alert, and none is named: open --alert <alert_id>.")
        event = _opened(settings, alert_id, known) | given
    elif not known.get(given["incidentId"]):
        latest = ", ".join(list(known)[-3:]) or "none yet"
        raise CannotError(
            f"No landed file knows the incident {given['incidentId']!r} (the latest are: {latest}). "
            "Open it first: open --alert <alert_id> --incident <id>."
        )
    else:
        event = _defaults(settings, given, known[given["incidentId"]]) | given
    required, optional = EVENT_TYPES[given["type"]]
    names = ("incidentId", "type", "occurredAt", "actor", *required, *optional, "note")
    event = {"occurredAt": now} | event
    return {name: event[name] for name in names if event.get(name) is not None}


def _opened(settings: Settings, alert_id: str, known: dict[str, list[dict]]) -> dict:
    """What the alert says about a new incident."""
    alert = _alert(settings, alert_id)
    for incident, events in known.items():
        if any(event["alert_id"] == alert_id for event in events):
            raise CannotError(f"The alert {alert_id} has the incident {incident} already: reopen it if it was closed.")
    anchor = {"abuse": "user_id", "concentration": "tenant_id", "unknown_model": "model"}.get(alert["spike_type"])
    driver = (anchor and alert[anchor]) or alert["endpoint_tag"] or alert["top_driver_value"]
    name = re.sub(r"[^a-z0-9]+", "-", f"{alert['spike_type']} {driver}".lower()).strip("-")[:80]
    fields = (
        "problem_id",
        "environment",
        "spike_type",
        "prompt_version",
        "tenant_id",
        "user_id",
        "model",
        "endpoint_tag",
    )
    return {
        "incidentId": _free(f"inc-{alert['onset_date']}-{name}", known),
        "alertId": alert_id,
        "dataMode": alert["data_mode"],
        "startedAt": f"{alert['started_at']:%Y-%m-%dT%H:%M:%SZ}",
        "title": f"{alert['spike_type']}: {alert['top_driver_dimension']} {alert['top_driver_value']}",
    } | {re.sub(r"_(\w)", lambda found: found[1].upper(), field): alert[field] for field in fields}


def _free(name: str, known: dict) -> str:
    taken = [f"{name}-{number}" for number in range(2, len(known) + 3)]
    return next(candidate for candidate in (name, *taken) if candidate not in known)


def _alert(settings: Settings, alert_id: str) -> dict:
    published = settings.published_marts
    if not published.exists():
        raise CannotError(f"{published} does not exist, so no alert is known: run the pipeline first (make run).")
    with open_marts(settings) as marts:
        found = marts.execute(ALERT, [alert_id]).to_arrow_table().to_pylist()
        latest = [alert for (alert,) in marts.execute(LATEST).fetchall()]
    if not found:
        raise CannotError(
            f"marts.alerts has no alert {alert_id!r} (the latest are: {', '.join(latest) or 'none yet'}): look it up there."
        )
    return found[0]


def _defaults(settings: Settings, given: dict[str, str], events: list[dict]) -> dict:
    """Values that a command may leave out, from the incident's own events and the team's files. Raises CannotError."""

    def last(column: str, *kinds: str) -> str | None:
        of_kind = (event for event in reversed(events) if event["event_type"] in kinds and event[column])
        return next((event[column] for event in of_kind), None)

    if given["type"] == "scope_documented":
        columns = {"endpointTag": "endpoint_tag", "tenantId": "tenant_id", "promptVersion": "prompt_version"}
        return {name: last(column, "opened") or "none" for name, column in columns.items()}
    if given["type"] == "containment_applied" and "containmentAction" not in given:
        spike_type = last("spike_type", "spike_type_confirmed") or last("spike_type", "opened")
        if spike_type is None:
            raise CannotError(
                f"The spike type of {given['incidentId']} is not confirmed: confirm it, or name the action."
            )
        rows = read_rows(settings.team, CONTAINMENT_MAP)
        return {"containmentAction": next(row.containment_action for row in rows if row.spike_type == spike_type)}
    if given["type"] == "runbook_updated":
        endpoint = (
            given.get("endpointTag") or last("endpoint_tag", "scope_documented") or last("endpoint_tag", "opened")
        )
        owners = read_rows(settings.team, ENDPOINT_OWNERS)
        owner = next((row for row in owners if row.endpoint_tag == endpoint), None)
        if owner is None:
            return {"endpointTag": endpoint}
        about = {"owner": owner.owner, "escalationChannel": owner.escalation_channel, "runbookUrl": owner.runbook_url}
        return {"endpointTag": endpoint} | about
    return {}


def known_events(settings: Settings) -> dict[str, list[dict]]:
    """The events of each incident in the order of time: those of the raw zone, and those that wait to be loaded."""
    rows = sorted([*_loaded(settings), *_waiting(settings)], key=lambda row: row["occurred_at"])
    known: dict[str, list[dict]] = {}
    for row in rows:
        known.setdefault(row["incident_id"], []).append(row)
    return known


def _loaded(settings: Settings) -> list[dict]:
    if not manifest_files(settings):
        return []
    with open_memory(settings) as database:
        manifests = manifest_rows_sql(settings)
        named = f"select distinct raw_file from {manifests} where source = 'incidents' and raw_file is not null"  # noqa: S608
        files = [str(settings.raw / file) for (file,) in database.execute(named).fetchall()]
        if not files:
            return []
        found = database.execute("from read_parquet($files, hive_partitioning = false)", {"files": files})
        return found.to_arrow_table().to_pylist()


def _waiting(settings: Settings) -> Iterator[dict]:
    """What the next load will take; what it will refuse is nothing that this incident knows."""
    with TemporaryDirectory() as spool:
        for file in new_files(settings, "incidents"):
            if file.problem:
                continue
            try:
                path, _ = fetch(settings.landing, file, Path(spool))
                blocks = list(read_blocks(path, file.extension, settings))
            except (FileNotFoundError, UnreadableNow):
                continue
            for line in (line for block in blocks for line in block.lines.to_pylist()):
                try:
                    yield judged(parsed(line))
                except Refused:
                    continue


def write(settings: Settings, event: dict) -> str:
    """Lands one event; returns the file's path under landing. Raises Refused, as the loader would."""
    judged(event)
    slug = re.sub(r"[^\w.-]+", "-", f"{event['incidentId']}-{event['type']}")[:150]
    name = f"{settings.as_of:%H%M%S}-{slug.lstrip('._-')}-{secrets.token_hex(4)}.jsonl"
    path = f"incidents/dt={settings.as_of.astimezone(UTC):%Y-%m-%d}/{name}"
    write_file(settings.landing, path, (json.dumps(event, ensure_ascii=False) + "\n").encode())
    return path
