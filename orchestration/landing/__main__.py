"""`make reload FILE=...`: judge the lines of a landed file again."""

import sys

from orchestration.landing import LoadInProgress, LoadStopped, reload
from orchestration.landing.reload import NotReloaded
from orchestration.settings import from_environment


def main(arguments: list[str]) -> int:
    """`reload <file>`; prints what became of it, or the sentence that says why nothing did."""
    if len(arguments) != 2 or arguments[0] != "reload" or not arguments[1]:
        print("Say which file: make reload FILE=events/dt=2026-11-22/x.jsonl", file=sys.stderr)
        return 2
    try:
        load = reload(from_environment(), arguments[1])
    except (NotReloaded, LoadInProgress, LoadStopped) as error:
        print(error, file=sys.stderr)
        return 1
    reasons = ", ".join(f"{reason} {lines:,}" for reason, lines in load.rejects_by_reason.items())
    print(
        f"{arguments[1]}: {load.rows_loaded:,} lines loaded, {load.rows_rejected:,} refused{f' ({reasons})' if reasons else ''}. "
        "make run rebuilds the dates it touches."
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
