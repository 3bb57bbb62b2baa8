"""Incidents for people: `python -m orchestration.incidents open --alert <alert_id>`, and what follows. Each command is an event that lands.

Nobody edits JSON: a command writes one line, judged by the rules of the loader, in a file of its own that appears whole.
"""

import argparse
import getpass
import json
import os
import re
import secrets
import shlex
import sys
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
from orchestration.landing.trouble import LoadStopped, UnreadableNow
from orchestration.plain import Arguments, visible
from orchestration.seeds import SPIKE_TYPES, read_containment_map, read_endpoint_owners
from orchestration.settings import Settings, from_environment
from orchestration.warehouse import open_marts

# Command -> the type of its event, what it is for, and its arguments besides the incident, by field of the event.
COMMANDS = {
    "owner": ("owner_assigned", "name the one owner", {"owner": {}}),
    "channel": ("channel_set", "name the one channel where it is talked about", {"channel": {}}),
    "confirm": ("spike_type_confirmed", f"say what it is: {', '.join(SPIKE_TYPES)}", {"spikeType": {}}),
    "contain": ("containment_applied", "say what stopped the spending", {"containmentAction": {"nargs": "?"}}),
    "root-cause": ("root_cause_found", "say why it happened", {"rootCause": {}}),
    "document": (
        "scope_documented",
        "write down whom it concerned (default: what the alert said, else the word none)",
        {"endpointTag": {"flag": "--endpoint"}, "tenantId": {"flag": "--tenant"}, "promptVersion": {"flag": "--prompt-version"}},
    ),
    "guardrail": ("guardrail_added", "name the policy or threshold that the manual action became", {"guardrail": {}}),
    "runbook": (
        "runbook_updated",
        "say that the runbook was read and mended (default: what endpoint_owners.csv says)",
        {
            "owner": {"flag": "--owner"},
            "escalationChannel": {"flag": "--escalation-channel"},
            "endpointTag": {"flag": "--endpoint"},
            "runbookUrl": {"flag": "--url"},
        },
    ),
    "review": ("weekly_review_done", "say that the weekly review has looked at it", {}),
    "note": ("note_added", "write something down", {"note": {}}),
    "close": ("closed", "close it", {}),
    "reopen": ("reopened", "open it again: it came back", {}),
}  # fmt: skip
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


def main(arguments: list[str] | None = None) -> int:
    """Runs a command, by default the one in $DO (`make incident`); 2 with a sentence on stderr when it cannot be done."""
    try:
        chosen, settings = _parser().parse_args(_given() if arguments is None else arguments), from_environment()
        event = event_of(settings, chosen)
        path = write(settings, event)
    except Refused as refused:
        print(visible(f"Nothing was written: {refused.detail} ({refused.reason_code})."), file=sys.stderr)
        return 2
    except (ValueError, OSError, LoadStopped) as error:  # CannotError, or a setting that cannot be read
        print(visible(error), file=sys.stderr)
        return 2
    said = "".join(
        f"\n  {name}: {visible(value)}" for name, value in event.items() if name not in ("incidentId", "type")
    )
    print(
        f"{visible(event['incidentId'])}: {event['type']}{said}\nIn landing/{path}; the next run shows it (make run)."
    )
    return 0


def _given() -> list[str]:
    """The words of the command line; without any those of $DO, split as a shell would and run by none. Raises CannotError."""
    try:
        words = sys.argv[1:] or shlex.split(os.environ.get("DO", "")) or ["--help"]
        " ".join(words).encode()
    except UnicodeEncodeError:
        raise CannotError("The command holds bytes that are not UTF-8: write it again.") from None
    except ValueError as error:
        raise CannotError(f"DO cannot be read as a command ({error}): close the quotes, or leave them out.") from None
    return words


def _parser() -> argparse.ArgumentParser:
    every = argparse.ArgumentParser(add_help=False)
    every.add_argument("--by", dest="actor", default=getpass.getuser(), help="who did it (default: you)")
    every.add_argument("--at", dest="occurredAt", help="when it happened, as 2026-11-22T09:30:00Z (default: now)")
    parser = Arguments(prog="python -m orchestration.incidents", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    opening = commands.add_parser("open", parents=[every], help="open an incident for an alert")
    opening.add_argument("--alert", required=True, help="alert_id of marts.alerts")
    opening.add_argument(
        "--incident", dest="incidentId", help="its id (default: day, spike type and driver of the alert)"
    )
    opening.add_argument("--title", help="what it is (default: spike type and driver of the alert)")
    opening.set_defaults(type="opened")
    for name, (kind, purpose, fields) in COMMANDS.items():
        command = commands.add_parser(name, parents=[every], help=purpose, description=purpose)
        command.add_argument("incidentId", metavar="incident")
        for field, about in fields.items():
            options = dict(about)
            flag = options.pop("flag", None)
            command.add_argument(*([flag] if flag else []), dest=field, metavar=field, **options)
        command.set_defaults(type=kind)
    for command in commands.choices.values():
        if "note" not in (action.dest for action in command._actions):
            command.add_argument("--note", help="what else there is to say")
    return parser


def event_of(settings: Settings, chosen: argparse.Namespace) -> dict:
    """The event of a command, complete. Raises CannotError."""
    said = {
        name: value for name, value in vars(chosen).items() if value is not None and name not in ("command", "alert")
    }
    now = settings.as_of.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    known = known_events(settings)
    if chosen.type == "opened":
        event = _opened(settings, chosen.alert, known) | said
    elif not known.get(chosen.incidentId):
        latest = ", ".join(list(known)[-3:]) or "none yet"
        raise CannotError(
            f"No landed file knows the incident {chosen.incidentId!r} (the latest are: {latest}). "
            "Open it first: open --alert <alert_id> --incident <id>."
        )
    else:
        event = _defaults(chosen, known[chosen.incidentId]) | said
    required, optional = EVENT_TYPES[chosen.type]
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
    published = settings.published / "marts.duckdb"
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


def _defaults(chosen: argparse.Namespace, events: list[dict]) -> dict:
    """What a command need not be told, from the incident's own events and the seeds. Raises CannotError."""

    def last(column: str, *kinds: str) -> str | None:
        said = (event for event in reversed(events) if event["event_type"] in kinds and event[column])
        return next((event[column] for event in said), None)

    if chosen.type == "scope_documented":
        columns = {"endpointTag": "endpoint_tag", "tenantId": "tenant_id", "promptVersion": "prompt_version"}
        return {name: last(column, "opened") or "none" for name, column in columns.items()}
    if chosen.type == "containment_applied" and chosen.containmentAction is None:
        spike_type = last("spike_type", "spike_type_confirmed") or last("spike_type", "opened")
        if spike_type is None:
            raise CannotError(
                f"Nobody has said what {chosen.incidentId} is: confirm its spike type, or name the action."
            )
        return {"containmentAction": read_containment_map()[spike_type].containment_action}
    if chosen.type == "runbook_updated":
        endpoint = chosen.endpointTag or last("endpoint_tag", "scope_documented") or last("endpoint_tag", "opened")
        owner = next((row for row in read_endpoint_owners() if row.endpoint_tag == endpoint), None)
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


if __name__ == "__main__":
    sys.exit(main())
