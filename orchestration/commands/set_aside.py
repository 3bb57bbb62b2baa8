"""Lines that stop a publication: `make set-aside FILE=... LINE=... REASON="..."`, and `make take-back FILE=... LINE=...`."""

import getpass
import os
import sys

from orchestration.landing.set_aside import NoSuchLineError, decide
from orchestration.landing.trouble import LoadStopped
from orchestration.plain import ArgumentError, Arguments, argument, visible
from orchestration.settings import from_environment
from orchestration.storage import LockHeldError

ACTIONS = {"set-aside": "set_aside", "take-back": "taken_back"}
NO_REASON = "no reason given"


def main(arguments: list[str] | None = None) -> int:
    """Runs a command on FILE, LINE, ITEM and REASON of the environment; 2 with a sentence on stderr when there is nothing to do."""
    parser = Arguments(prog="python -m orchestration.commands.set_aside", description=__doc__)
    parser.add_argument("command", choices=ACTIONS)
    parser.add_argument("--by", default=getpass.getuser(), help="who decides this (default: you)")
    chosen = parser.parse_args(arguments)
    try:
        file = argument("FILE", "a file under the landing folder, such as FILE=events/dt=2026-11-21/x.jsonl")
        line_number, item = _whole("LINE", os.environ.get("LINE", "")), _whole("ITEM", os.environ.get("ITEM") or "1")
        words = {"actor": chosen.by, "reason": os.environ.get("REASON", "").strip() or NO_REASON}
        sentence = decide(from_environment(), ACTIONS[chosen.command], file, line_number, item=item, **words)
    except (NoSuchLineError, LockHeldError, LoadStopped, ArgumentError, ValueError) as problem:  # ValueError: a setting
        print(visible(problem), file=sys.stderr)
        return 2
    print(visible(sentence))
    return 0


def _whole(name: str, text: str) -> int:
    if not text.strip().isdecimal():
        raise ArgumentError(f"{name} is {text!r}: give a whole number, such as {name}=1.")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
