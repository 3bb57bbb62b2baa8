"""The outbox for people: `python -m orchestration.commands.outbox` prints it, `... acknowledge <topic>` ends an escalation."""

import getpass
import sys

from rich.console import Console

from orchestration.notifications.outbox import acknowledge, read_outbox
from orchestration.plain import Arguments, argument, plain_console, readable, visible
from orchestration.settings import Settings, from_environment
from orchestration.tables import print_table
from orchestration.wording import minute

LATEST = 40  # a screen; the log has them all
COLUMNS = ("queued_at", "channel", "severity", "status", "topic", "title", "tries", "what_happened")


def main(arguments: list[str] | None = None) -> int:
    """Runs a command; 2 with a sentence on stderr when it cannot be done."""
    parser = Arguments(prog="python -m orchestration.commands.outbox", description=__doc__)
    commands = parser.add_subparsers(dest="command")
    acknowledging = commands.add_parser("acknowledge", help="record that somebody is working on it")
    acknowledging.add_argument("topic", nargs="?", help="topic of the message (default: $TOPIC)")
    acknowledging.add_argument("--by", default=getpass.getuser(), help="who is working on it (default: you)")
    chosen = parser.parse_args(arguments)
    example = "make acknowledge TOPIC=<topic>, as `python -m orchestration.commands.outbox` shows it"
    try:
        settings = from_environment()
        if chosen.command != "acknowledge":
            print_outbox(settings, plain_console(180))
            return 0
        given = chosen.topic
        topic = argument("TOPIC", example) if given is None else readable("TOPIC", given, example)
        changed = acknowledge(settings, topic, readable("--by", chosen.by, "who has it"))
    except (ValueError, LookupError) as problem:  # ArgumentError, or a setting that cannot be read
        print(visible(problem.args[0]), file=sys.stderr)
        return 2
    print(f"{visible(topic)}: {changed} messages acknowledged by {visible(chosen.by)}; they are not escalated.")
    return 0


def print_outbox(settings: Settings, console: Console) -> None:
    """The latest messages, newest first, each with what became of it."""
    rows = read_outbox(settings)
    latest = [
        tuple(_cell(row, column) for column in COLUMNS)
        for row in sorted(rows, key=lambda row: row["queued_at"], reverse=True)[:LATEST]
    ]
    shown = f", the latest {LATEST} of {len(rows)}" if len(rows) > LATEST else ""
    title = f"Messages{shown} (docs/operate.md#notifications says what to do about them)"
    print_table(console, title, list(COLUMNS), latest)


def _cell(row: dict, column: str) -> object:
    if column == "what_happened":
        return _what_happened(row)
    return minute(row[column]) if column == "queued_at" else row[column]


def _what_happened(row: dict) -> str:
    parts = [
        row["sent_at"] and f"sent {minute(row['sent_at'])}",
        row["reason"] or row["last_error"],
        row["next_try_at"] and f"again after {minute(row['next_try_at'])}",
        row["status"] == "queued" and row["digest_due_at"] and f"digest {minute(row['digest_due_at'])}",
        row["acknowledged_at"] and f"acknowledged by {row['acknowledged_by']}",
        row["escalated_at"] and f"escalated {minute(row['escalated_at'])}",
    ]
    return "; ".join(part for part in parts if part)


if __name__ == "__main__":
    sys.exit(main())
