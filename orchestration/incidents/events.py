"""The event that somebody writes down about an incident: completed from its alert, its own events and what the team edits.

Nobody edits JSON: an event is one line, judged by the rules of the loader, in a landing file of its own that appears whole. A web
form, a chat command and `make incident` write the same event by `write(settings, event(settings, kind, **fields))`.
"""

import json
import re
import secrets
from collections.abc import Collection, Iterator, Mapping
from datetime import UTC
from pathlib import Path
from tempfile import TemporaryDirectory

from orchestration.incidents.finding import CannotError, alerts
from orchestration.landing.database import open_memory, quoted
from orchestration.landing.files import fetch, write_file
from orchestration.landing.incident_events import EVENT_TYPES, PLAN_TYPES, RAW_COLUMNS, SCOPE, Refused, judged, parsed
from orchestration.landing.manifests import manifest_files, rows_of
from orchestration.landing.trouble import UnreadableNow
from orchestration.landing.waiting import new_files
from orchestration.settings import Settings
from orchestration.team.incidents import CONTAINMENT_MAP, ENDPOINT_OWNERS
from orchestration.team.rows import read_rows

__all__ = ["CannotError", "event", "known", "known_events", "known_plans", "suggested", "write"]

PLAIN = (".jsonl", ".ndjson")  # what forms, the command and most senders write
FEW_BRACKETS = 50  # a line that has more may be nested more deeply than the loader reads


def event(settings: Settings, kind: str, **fields: str | None) -> dict:
    """An event of that type, complete: fields that are not given come from the alert, earlier events and the team's files.

    Needs `incidentId`, `alertId` for one that is opened, and `planId` for plans and mutes; what is None is not given. Raises
    CannotError with a sentence where it does not fit, and `write` raises Refused where the loader would refuse it.
    """
    now = settings.as_of.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    given = {name: value for name, value in fields.items() if value is not None}
    prepared: Mapping[str, str | None]
    if kind in PLAN_TYPES:
        prepared = _plan(settings, kind, given)
    else:
        known = known_events(settings)
        if kind == "opened":
            prepared = _opened(settings, given.get("alertId"), known)
        elif given.get("incidentId") not in known:
            latest = ", ".join(list(known)[-3:]) or "none yet"
            raise CannotError(
                f"No landed file knows the incident {given.get('incidentId')!r} (the latest are: {latest}). "
                "Open it first: open <alert_id>."
            )
        else:
            prepared = _completed(settings, kind, given, known[given["incidentId"]])
    whole = {"occurredAt": now, "type": kind, **prepared, **given}
    required, optional = (EVENT_TYPES | PLAN_TYPES)[kind]
    names = ("incidentId", "planId", "eventId", "type", "occurredAt", "actor", *required, *optional, "note")
    return {name: whole[name] for name in names if whole.get(name) is not None}


def _opened(settings: Settings, alert_id: str | None, known: dict[str, list[dict]]) -> dict:
    """What the alert says about a new incident."""
    found = alerts(settings)
    if alert_id not in found:
        latest = ", ".join(list(found)[:3]) or "none yet"
        raise CannotError(f"marts.alerts has no alert {alert_id!r} (the latest are: {latest}): look it up there.")
    for incident, events in known.items():
        if any(event["alert_id"] == alert_id for event in events):
            raise CannotError(f"The alert {alert_id} has the incident {incident} already: reopen it if it was closed.")
    alert = found[alert_id]
    anchor = {"abuse": "user_id", "concentration": "tenant_id", "unknown_model": "model"}.get(alert["spike_type"])
    driver = (anchor and alert[anchor]) or alert["endpoint_tag"] or alert["top_driver_value"]
    name = _slug(f"inc-{alert['onset_date']}", f"{alert['spike_type']} {driver}")
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
        "incidentId": _free(name, known),
        "alertId": alert_id,
        "dataMode": alert["data_mode"],
        "startedAt": f"{alert['started_at']:%Y-%m-%dT%H:%M:%SZ}",
        "title": f"{alert['spike_type']}: {alert['top_driver_dimension']} {alert['top_driver_value']}",
    } | {re.sub(r"_(\w)", lambda found: found[1].upper(), field): alert[field] for field in fields}


def _slug(start: str, text: str) -> str:
    return f"{start}-" + re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:80]


def _free(name: str, known: Collection[str]) -> str:
    taken = [f"{name}-{number}" for number in range(2, len(known) + 3)]
    return next(candidate for candidate in (name, *taken) if candidate not in known)


def _completed(settings: Settings, kind: str, given: dict[str, str], events: list[dict]) -> dict[str, str | None]:
    """Values that a person may leave out: what an incident affected, what its map says to do, who owns its runbook."""
    if kind == "scope_documented":
        return suggested(settings, kind, events)
    if kind == "containment_applied" and "containmentAction" not in given:
        found = suggested(settings, kind, events)
        if not found:
            raise CannotError(
                f"The spike type of {given['incidentId']} is not confirmed: confirm it, or name the action."
            )
        return found
    if kind == "runbook_updated":
        return suggested(settings, kind, events, given.get("endpointTag"))
    return {}


def suggested(settings: Settings, kind: str, events: list[dict], endpoint: str | None = None) -> dict[str, str | None]:
    """What the next event of an incident may say, from its own events and the team's files."""

    def last(column: str, *kinds: str) -> str | None:
        of_kind = (event for event in reversed(events) if event["event_type"] in kinds and event[column])
        return next((event[column] for event in of_kind), None)

    spike_type = last("spike_type", "spike_type_confirmed") or last("spike_type", "opened")
    if kind == "spike_type_confirmed":
        return {"spikeType": spike_type}
    if kind == "scope_documented":
        columns = {"endpointTag": "endpoint_tag", "tenantId": "tenant_id", "promptVersion": "prompt_version"}
        return {name: last(column, "opened") or "none" for name, column in columns.items()}
    if kind in ("containment_applied", "guardrail_added"):
        rows = read_rows(settings.team, CONTAINMENT_MAP)
        row = next((row for row in rows if row.spike_type == spike_type), None)
        name, column = {
            "containment_applied": ("containmentAction", "containment_action"),
            "guardrail_added": ("guardrail", "guardrail"),
        }[kind]
        return {name: getattr(row, column)} if row else {}
    endpoint = endpoint or last("endpoint_tag", "scope_documented") or last("endpoint_tag", "opened")
    owner = next((row for row in read_rows(settings.team, ENDPOINT_OWNERS) if row.endpoint_tag == endpoint), None)
    about: dict[str, str | None] = {"endpointTag": endpoint}
    if owner:
        about |= {"owner": owner.owner, "escalationChannel": owner.escalation_channel, "runbookUrl": owner.runbook_url}
    if kind == "runbook_updated":
        return about
    return {"owner": about.get("owner"), "channel": about.get("escalationChannel")}


def _plan(settings: Settings, kind: str, given: dict[str, str]) -> dict[str, str]:
    """The id of a new plan or mute, by its first day and what it is about; one that is ended has to be known."""
    known = {row["plan_id"] for row in known_plans(settings)}
    if kind == "plan_ended":
        if given.get("planId") not in known:
            raise CannotError(
                f"No landed file knows the plan {given.get('planId')!r}: list shows those that are known."
            )
        return {}
    about = [given[name] for name in ("problemId", *SCOPE) if name in given and name != "dataMode"]
    word = "plan" if kind == "planned" else "mute"
    return {"planId": _free(_slug(f"{word}-{given.get('fromDate', '')}", " ".join(about)), known)}


def known_plans(settings: Settings) -> list[dict]:
    """The landed events of plans and mutes, in the order of time."""
    return known(settings)[1]


def known_events(settings: Settings) -> dict[str, list[dict]]:
    """The events of each incident in the order of time: those of the raw zone, and those that wait to be loaded."""
    return known(settings)[0]


def known(settings: Settings) -> tuple[dict[str, list[dict]], list[dict]]:
    """Both: the events of incidents, and those of plans and mutes."""
    rows = [*_loaded(settings), *_waiting(settings)]
    rows.sort(key=lambda row: (row["occurred_at"], row["event_type"] == "plan_ended"))
    incidents: dict[str, list[dict]] = {}
    for row in rows:
        if not row["plan_id"]:
            incidents.setdefault(row["incident_id"], []).append(row)
    return incidents, [row for row in rows if row["plan_id"]]


def _loaded(settings: Settings) -> list[dict]:
    manifests = manifest_files(settings)
    if not manifests:
        return []
    with open_memory(settings) as database:
        rows = rows_of(settings, manifests)
        named = f"select distinct raw_file from {rows} where source = 'incidents' and raw_file is not null"  # noqa: S608
        files = ", ".join(f"'{quoted(settings.raw / file)}'" for (file,) in database.execute(named).fetchall())
        if not files:
            return []
        # a file of an earlier release has fewer columns
        found = database.execute(f"from read_parquet([{files}], hive_partitioning = false, union_by_name = true)")
        names = [column[0] for column in found.description or ()]
        return [dict.fromkeys(RAW_COLUMNS) | dict(zip(names, row, strict=True)) for row in found.fetchall()]


def _waiting(settings: Settings) -> Iterator[dict]:
    """What the next load will take; what it will refuse is nothing that this incident knows."""
    with TemporaryDirectory() as spool:
        for file in new_files(settings, "incidents"):
            if file.problem:
                continue
            try:
                path, _ = fetch(settings.landing, file, Path(spool))
                lines = _lines_of(path, file.extension, settings)
            except (FileNotFoundError, UnreadableNow):
                continue
            for line in lines:
                try:
                    yield judged(parsed(line))
                except Refused:
                    continue


def _lines_of(path: Path, extension: str, settings: Settings) -> list[str]:
    """The lines of a landing file that the loader would judge; blank ones and those that it refuses unread are left out."""
    if extension in PLAIN:
        lines = path.read_bytes().removeprefix(b"\xef\xbb\xbf").split(b"\n")
        if all(_is_plain(line, settings) for line in lines):
            return [text for line in lines if line.strip() and (text := _decoded(line)) is not None]
    # here: Arrow and numpy come with it, half a second and 60 MB in every process that shows an incident
    from orchestration.landing.lines import read_blocks

    return [line for block in read_blocks(path, extension, settings) for line in block.lines.to_pylist()]


def _is_plain(line: bytes, settings: Settings) -> bool:
    """Whether neither its length nor its depth can keep the loader from reading it."""
    return len(line) <= settings.max_line_bytes and line.count(b"{") + line.count(b"[") <= FEW_BRACKETS


def _decoded(line: bytes) -> str | None:
    try:
        return line.decode()
    except UnicodeDecodeError:
        return None


def write(settings: Settings, event: dict) -> str:
    """Lands one event; returns the file's path under landing. Raises Refused, as the loader would."""
    judged(event)
    about = event.get("incidentId") or event["planId"]
    slug = re.sub(r"[^\w.-]+", "-", f"{about}-{event['type']}")[:150]
    name = f"{settings.as_of:%H%M%S}-{slug.lstrip('._-')}-{secrets.token_hex(4)}.jsonl"
    path = f"incidents/dt={settings.as_of.astimezone(UTC):%Y-%m-%d}/{name}"
    write_file(settings.landing, path, (json.dumps(event, ensure_ascii=False) + "\n").encode())
    return path
