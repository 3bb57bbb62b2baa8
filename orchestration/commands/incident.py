"""Incidents for people: `make incident DO="open --alert <alert_id>"`, and what follows. Each command is an event that lands."""

import argparse
import getpass
import os
import shlex
import sys
from typing import Any

from orchestration.incidents.events import CannotError, event_of, write
from orchestration.landing.incidents import Refused
from orchestration.landing.trouble import LoadStopped
from orchestration.plain import Arguments, visible
from orchestration.settings import from_environment
from orchestration.team.incidents import SPIKE_TYPES

# Command -> the type of its event, what it is for, and its arguments besides the incident, by field of the event.
COMMANDS: dict[str, tuple[str, str, dict[str, dict[str, Any]]]] = {
    "owner": ("owner_assigned", "name the one owner", {"owner": {}}),
    "channel": ("channel_set", "name the one channel where it is discussed", {"channel": {}}),
    "confirm": ("spike_type_confirmed", f"confirm its spike type: {', '.join(SPIKE_TYPES)}", {"spikeType": {}}),
    "contain": ("containment_applied", "record what stopped the spending", {"containmentAction": {"nargs": "?"}}),
    "root-cause": ("root_cause_found", "record why it happened", {"rootCause": {}}),
    "document": (
        "scope_documented",
        "document what it affected (default: what the alert names, else the word none)",
        {"endpointTag": {"flag": "--endpoint"}, "tenantId": {"flag": "--tenant"}, "promptVersion": {"flag": "--prompt-version"}},
    ),
    "guardrail": ("guardrail_added", "name the policy or threshold that replaces the manual action", {"guardrail": {}}),
    "runbook": (
        "runbook_updated",
        "record that the runbook was reviewed and corrected (default: the runbook in endpoint_owners.csv)",
        {
            "owner": {"flag": "--owner"},
            "escalationChannel": {"flag": "--escalation-channel"},
            "endpointTag": {"flag": "--endpoint"},
            "runbookUrl": {"flag": "--url"},
        },
    ),
    "review": ("weekly_review_done", "record that the weekly review has covered it", {}),
    "note": ("note_added", "write something down", {"note": {}}),
    "close": ("closed", "close it", {}),
    "reopen": ("reopened", "reopen it: the problem came back", {}),
}  # fmt: skip


def main(arguments: list[str] | None = None) -> int:
    """Runs a command, by default the one in $DO (`make incident`); 2 with a sentence on stderr when it cannot be done."""
    try:
        chosen, settings = _parser().parse_args(_given() if arguments is None else arguments), from_environment()
        event = event_of(settings, _event_fields(chosen), getattr(chosen, "alert", None))
        path = write(settings, event)
    except Refused as refused:
        print(visible(f"Nothing was written: {refused.detail} ({refused.reason_code})."), file=sys.stderr)
        return 2
    except (ValueError, OSError, LoadStopped) as error:  # CannotError, or a setting that cannot be read
        print(visible(error), file=sys.stderr)
        return 2
    fields = "".join(
        f"\n  {name}: {visible(value)}" for name, value in event.items() if name not in ("incidentId", "type")
    )
    print(
        f"{visible(event['incidentId'])}: {event['type']}{fields}\nIn landing/{path}; the next run shows it (make run)."
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
    every = Arguments(add_help=False)
    every.add_argument("--by", dest="actor", default=getpass.getuser(), help="who did it (default: you)")
    every.add_argument("--at", dest="occurredAt", help="when it happened, as 2026-11-22T09:30:00Z (default: now)")
    parser = Arguments(prog="python -m orchestration.commands.incident", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    opening = commands.add_parser("open", parents=[every], help="open an incident for an alert")
    opening.add_argument("--alert", required=True, help="alert_id of marts.alerts")
    opening.add_argument(
        "--incident", dest="incidentId", help="its id (default: day, spike type and driver of the alert)"
    )
    opening.add_argument("--title", help="its title (default: spike type and driver of the alert)")
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
            command.add_argument("--note", help="anything else worth recording")
    return parser


def _event_fields(chosen: argparse.Namespace) -> dict[str, str]:
    """The fields of the event that the command names."""
    return {
        name: value for name, value in vars(chosen).items() if value is not None and name not in ("command", "alert")
    }


if __name__ == "__main__":
    sys.exit(main())
