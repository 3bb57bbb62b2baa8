"""Incidents for people: `make incident` asks, `make incident DO="open 3f2a"` does. Each command is an event that lands at once.

An id may be cut to its beginning; without one, the only open incident is meant.
"""

import argparse
import getpass
import os
import shlex
import sys
from collections.abc import Callable
from datetime import UTC, date, timedelta
from typing import Any

from orchestration.incidents.events import CannotError, event, known_events, known_plans, suggested, write
from orchestration.incidents.finding import (
    alert_meant,
    alerts,
    incident_meant,
    near_names,
    only_incident,
    plan_meant,
    word_meant,
)
from orchestration.incidents.questions import ask_about
from orchestration.incidents.states import incidents, plans
from orchestration.incidents.view import list_all, next_step, show
from orchestration.landing.incident_events import Refused
from orchestration.landing.trouble import LoadStopped
from orchestration.plain import Arguments, visible
from orchestration.settings import Settings, from_environment
from orchestration.team.incidents import SPIKE_TYPES

# Command -> the type of its event, what it is for, the field that its words are, and its flags by field of the event.
COMMANDS: dict[str, tuple[str, str, str | None, dict[str, str]]] = {
    "owner": ("owner_assigned", "name the one owner", "owner", {}),
    "channel": ("channel_set", "name the one channel where it is discussed", "channel", {}),
    "confirm": (
        "spike_type_confirmed",
        f"confirm its spike type (default: the alert's): {', '.join(SPIKE_TYPES)}",
        "spikeType",
        {},
    ),
    "contain": (
        "containment_applied",
        "record what stopped the spending (default: the action of containment_map.csv)",
        "containmentAction",
        {},
    ),
    "root-cause": ("root_cause_found", "record why it happened", "rootCause", {}),
    "document": (
        "scope_documented",
        "document what it affected (default: what the alert names, else the word none)",
        None,
        {"endpointTag": "--endpoint", "tenantId": "--tenant", "promptVersion": "--prompt-version"},
    ),
    "guardrail": (
        "guardrail_added",
        "name the policy or threshold that replaces the manual action",
        "guardrail",
        {},
    ),
    "runbook": (
        "runbook_updated",
        "record that the runbook was reviewed and corrected (default: the runbook in endpoint_owners.csv)",
        None,
        {
            "owner": "--owner",
            "escalationChannel": "--escalation-channel",
            "endpointTag": "--endpoint",
            "runbookUrl": "--url",
        },
    ),
    "review": ("weekly_review_done", "record that the weekly review has covered it", None, {}),
    "note": ("note_added", "write something down", "note", {}),
    "close": ("closed", "close it; what is still missing is shown, and needs a --reason", None, {"reason": "--reason"}),
    "reopen": ("reopened", "reopen it: the problem came back", None, {}),
}
PLANS = {
    "plan": ("planned", "mark alerts as expected: a launch, a migration, a load test"),
    "mute": ("muted", "let the alerts of a problem, or of a scope, wake nobody (by default for a week)"),
}
SCOPE_FLAGS = {
    "environment": "--environment",
    "dataMode": "--data-mode",
    "endpointTag": "--endpoint",
    "promptVersion": "--prompt-version",
    "tenantId": "--tenant",
    "userId": "--user",
    "model": "--model",
}
NAMED_COLUMNS = {
    "endpointTag": "endpoint_tag",
    "promptVersion": "prompt_version",
    "tenantId": "tenant_id",
    "userId": "user_id",
    "model": "model",
}
MUTED_FOR = timedelta(days=7)
# What people write first -> the command that does it.
GUESSES = {
    **dict.fromkeys(("ls", "status", "all"), "list"),
    **dict.fromkeys(("view", "get", "info", "describe", "timeline"), "show"),
    **dict.fromkeys(("start", "create", "new", "declare", "ack", "acknowledge"), "open"),
    **dict.fromkeys(("assign", "take", "own"), "owner"),
    **dict.fromkeys(("stop", "fix", "mitigate", "contained"), "contain"),
    **dict.fromkeys(("cause", "rca"), "root-cause"),
    **dict.fromkeys(("resolve", "done", "finish"), "close"),
    **dict.fromkeys(("comment", "say"), "note"),
    **dict.fromkeys(("silence", "snooze", "ignore"), "mute"),
    **dict.fromkeys(("launch", "planned", "expect"), "plan"),
    **dict.fromkeys(("unmute", "unplan", "cancel", "stop-mute"), "end"),
}


def main(arguments: list[str] | None = None, ask: Callable[[str], str] | None = None) -> int:
    """Runs a command, by default the one in $DO (`make incident`); 2 with a sentence on stderr when it cannot be done.

    Without a command it asks question by question, where somebody sits at a terminal or `ask` is given.
    """
    asks = ask or (input if sys.stdin.isatty() and sys.stdout.isatty() else None)
    try:
        words = _given() if arguments is None else arguments
        if not words and asks:
            return ask_about(from_environment(), asks, getpass.getuser())
        chosen = _parser().parse_args(_understood(words) or ["--help"])
        settings = from_environment()
        if chosen.command == "list":
            print(visible(list_all(settings, chosen.all), keep="\n"))
        elif chosen.command == "show":
            print(visible(show(settings, _incident(settings, chosen)[0]), keep="\n"))
        else:
            _record(settings, chosen, asks)
    except Refused as refused:
        print(visible(f"Nothing was written: {refused.detail} ({refused.reason_code})."), file=sys.stderr)
        return 2
    except (EOFError, KeyboardInterrupt):
        print("\nNothing was written.", file=sys.stderr)
        return 2
    except (ValueError, OSError, LoadStopped) as error:  # CannotError, or a setting that cannot be read
        print(visible(error, keep="\n"), file=sys.stderr)
        return 2
    return 0


def _record(settings: Settings, chosen: argparse.Namespace, asks: Callable[[str], str] | None) -> None:
    """Lands the event of a command, and says what was written."""
    fields = _fields(settings, chosen)
    if chosen.type == "closed" and not fields.get("reason"):
        fields["reason"] = _reason_for_gaps(settings, str(fields["incidentId"]), asks)
    said = event(settings, chosen.type, **fields)
    path = write(settings, said)
    about = said.get("incidentId") or said.get("planId")
    lines = [f"  {name}: {value}" for name, value in said.items() if name not in ("incidentId", "planId", "type")]
    print(visible(f"{about}: {said['type']}"))
    print("\n".join(visible(line) for line in lines))
    print(visible(f"In landing/{path}; list and show have it at once, the marts from the next run on (make run)."))
    if "incidentId" in said:
        print(visible(next_step(settings, incidents(settings, known_events(settings))[said["incidentId"]])))


def _reason_for_gaps(settings: Settings, incident: str, asks: Callable[[str], str] | None) -> str | None:
    """Why an incident is closed that lacks something; None where it lacks nothing. Raises CannotError without a reason."""
    gaps = incidents(settings, known_events(settings))[incident].gaps
    if not gaps:
        return None
    missing = f"{incident} still lacks:\n" + "\n".join(f"  - {gap}" for gap in gaps)
    reason = asks(visible(f"{missing}\nWhy is it closed all the same? ", keep="\n")).strip() if asks else ""
    if not reason:
        raise CannotError(
            f'{missing}\nAdd them (show {incident} says how), or say why not: close {incident} --reason "..."'
        )
    return reason


def _fields(settings: Settings, chosen: argparse.Namespace) -> dict[str, str | None]:
    """The fields of the event that the command names, each as what was meant by it. Raises CannotError."""
    fields = {
        name: value
        for name, value in vars(chosen).items()
        if name not in ("command", "type", "words", "field", "anyway", "alert")
    }
    if chosen.type == "opened":
        known = known_events(settings)
        wanted = chosen.alert or next(iter(chosen.words), None)
        current = plans(settings, known_plans(settings)).values()
        return fields | {"alertId": alert_meant(alerts(settings), known, wanted, current)}
    if chosen.type in ("planned", "muted"):
        return _plan_fields(settings, chosen, fields)
    if chosen.type == "plan_ended":
        found = plans(settings, known_plans(settings))
        plan = plan_meant(found, next(iter(chosen.words), None), settings)
        return fields | {"planId": plan, "untilDate": str(_day(settings, str(fields["untilDate"])))}
    incident, words = _incident(settings, chosen)
    fields["incidentId"] = incident
    if chosen.field:
        fields[chosen.field] = _text(settings, chosen, incident, words)
    elif words and chosen.type == "closed":
        fields["reason"] = fields["reason"] or " ".join(words)
    elif words:
        raise CannotError(f"{chosen.command} takes no text besides the incident: put {' '.join(words)!r} after --note.")
    return fields


def _incident(settings: Settings, chosen: argparse.Namespace) -> tuple[str, list[str]]:
    """The incident that the first word means, and the words after it; the only fitting one where no word means any."""
    words, kind, field = chosen.words, getattr(chosen, "type", ""), getattr(chosen, "field", None)
    known = known_events(settings)
    states, actor = incidents(settings, known), getattr(chosen, "actor", "")
    if not words:
        return only_incident(states, kind, actor), []
    try:
        return incident_meant(states, known, words[0]), words[1:]
    except CannotError:
        # the text may be all that was written
        is_name = not field or words[0].lower().startswith("inc") or (len(words) == 2 and " " in words[1])
        if is_name or not (said := " ".join(words)).strip():
            raise
        return only_incident(states, kind, actor), [said]


def _text(settings: Settings, chosen: argparse.Namespace, incident: str, words: list[str]) -> str | None:
    """What a command says, corrected where its field has fixed words. Raises CannotError where it has to be said."""
    text = " ".join(words)
    hint = suggested(settings, chosen.type, known_events(settings)[incident]).get(chosen.field)
    if chosen.type == "spike_type_confirmed":
        return word_meant(text, SPIKE_TYPES, "spike type") if text else hint
    if text or chosen.type == "containment_applied":
        return text or None
    example = hint or "..."
    raise CannotError(f'{chosen.command} needs its text: {chosen.command} {incident} "{example}".')


def _plan_fields(
    settings: Settings, chosen: argparse.Namespace, fields: dict[str, str | None]
) -> dict[str, str | None]:
    """The scope and days of a plan or mute: of an alert, of a problem, or of names."""
    if chosen.words:
        found = alerts(settings)
        alert = found[alert_meant(found, {}, chosen.words[0])]
        if chosen.type == "muted":
            fields["problemId"] = alert["problem_id"]
        else:
            named = {name: alert[column] for name, column in NAMED_COLUMNS.items()}
            fields |= {"environment": alert["environment"], "dataMode": alert["data_mode"]} | named
            if not any(named.values()):
                fields["endpointTag"] = alert["main_endpoint_tag"]
        fields["fromDate"] = fields["fromDate"] or str(alert["onset_date"])
    if not chosen.anyway:
        for name, column in NAMED_COLUMNS.items():
            value = fields.get(name)
            if value and (near := near_names(settings, column, value)):
                raise CannotError(
                    f"No call has had {value!r} yet. Did you mean {' or '.join(near)}? If it is to come, add --anyway."
                )
    first = _day(settings, fields["fromDate"] or "today")
    if fields["untilDate"]:
        until = _day(settings, fields["untilDate"])
    elif chosen.type == "muted":
        until = max(first, _day(settings, "today")) + MUTED_FOR
    else:
        raise CannotError("Until when is it planned? Add --until, the first day after it, such as --until 2026-12-08.")
    if not fields["reason"]:
        raise CannotError('Why? Add --reason "...": whoever sees the alert reads it.')
    return fields | {"fromDate": str(first), "untilDate": str(until)}


def _day(settings: Settings, word: str) -> date:
    """A day as it is written; `today` and `tomorrow` are days too. Raises CannotError."""
    today = settings.as_of.astimezone(UTC).date()
    try:
        return {"today": today, "tomorrow": today + timedelta(days=1)}.get(word) or date.fromisoformat(word)
    except ValueError:
        raise CannotError(f"{word!r} is not a day: write it as 2026-12-08, or today or tomorrow.") from None


def _given() -> list[str]:
    """The words of the command line; without any those of $DO, split as a shell would and run by none. Raises CannotError."""
    try:
        words = sys.argv[1:] or shlex.split(os.environ.get("DO", ""))
        " ".join(words).encode()
    except UnicodeEncodeError:
        raise CannotError("The command holds bytes that are not UTF-8: write it again.") from None
    except ValueError as error:
        raise CannotError(f"DO cannot be read as a command ({error}): close the quotes, or leave them out.") from None
    return words


def _understood(words: list[str]) -> list[str]:
    """The words with the command that was meant. Raises CannotError with the right one where it is not certain."""
    if not words or words[0].startswith("-"):
        return words
    if words[0] in GUESSES:
        raise CannotError(f"{words[0]!r} is not a command. Did you mean {GUESSES[words[0]]}?")
    return [word_meant(words[0], ["list", "show", "open", *COMMANDS, *PLANS, "end"], "command"), *words[1:]]


def _parser() -> argparse.ArgumentParser:
    every = Arguments(add_help=False)
    every.add_argument("--by", dest="actor", default=getpass.getuser(), help="who did it (default: you)")
    every.add_argument("--at", dest="occurredAt", help="when it happened, as 2026-11-22T09:30:00Z (default: now)")
    parser = Arguments(prog="python -m orchestration.commands.incident", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    listing = commands.add_parser("list", help="open incidents, alerts without one, what is planned or muted")
    listing.add_argument("--all", action="store_true", help="closed incidents too")
    showing = commands.add_parser("show", help="one incident: what is known, what was done, what to do next")
    showing.add_argument("words", nargs="*", metavar="incident")
    opening = commands.add_parser("open", parents=[every], help="open an incident for an alert")
    opening.add_argument("words", nargs="*", metavar="alert", help="alert_id of marts.alerts, or its beginning")
    opening.add_argument("--alert", help=argparse.SUPPRESS)
    opening.add_argument(
        "--incident", dest="incidentId", help="its id (default: day, spike type and driver of the alert)"
    )
    opening.add_argument("--title", help="its title (default: spike type and driver of the alert)")
    opening.set_defaults(type="opened", field=None)
    for name, (kind, purpose, field, flags) in COMMANDS.items():
        command = commands.add_parser(name, parents=[every], help=purpose, description=purpose)
        command.add_argument("words", nargs="*", metavar="incident" + (f" {field}" if field else ""))
        for flagged, flag in flags.items():
            command.add_argument(flag, dest=flagged)
        command.set_defaults(type=kind, field=field)
    _add_plans(commands, every)
    for command in (opening, *(commands.choices[name] for name in (*COMMANDS, *PLANS, "end") if name != "note")):
        command.add_argument("--note", help="anything else worth recording")
    return parser


def _add_plans(commands: Any, every: argparse.ArgumentParser) -> None:
    for name, (kind, purpose) in PLANS.items():
        command = commands.add_parser(name, parents=[every], help=purpose, description=purpose)
        command.add_argument("words", nargs="*", metavar="alert", help="an alert that has the problem or scope")
        command.add_argument("--problem", dest="problemId", help="problem_id of marts.alerts")
        for field, flag in SCOPE_FLAGS.items():
            command.add_argument(flag, dest=field)
        command.add_argument("--from", dest="fromDate", help="first day (default: today, or that of the alert)")
        command.add_argument("--until", dest="untilDate", help="first day after it")
        command.add_argument("--reason", help="why; required")
        command.add_argument(
            "--id", dest="planId", help="its id (default: first day and scope); an id again corrects it"
        )
        command.add_argument("--anyway", action="store_true", help="take a name that no call has had")
        command.set_defaults(type=kind, field=None)
    end = commands.add_parser("end", parents=[every], help="end a plan or a mute")
    end.add_argument("words", nargs="*", metavar="plan")
    end.add_argument(
        "--until", dest="untilDate", default="today", help="first day that it does not cover (default: today)"
    )
    end.add_argument("--reason", default="over", help="why (default: over)")
    end.set_defaults(type="plan_ended", field=None)


if __name__ == "__main__":
    sys.exit(main())
