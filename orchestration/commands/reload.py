"""`make reload FILE=...`: judge the lines of a landed file again."""

import sys

from orchestration.landing.raw_zone import LoadInProgress
from orchestration.landing.reloading import NotReloaded, reload
from orchestration.landing.trouble import LoadStopped
from orchestration.plain import ArgumentError, argument, visible
from orchestration.settings import from_environment
from orchestration.wording import count


def main() -> int:
    """Prints what became of the file that `FILE` names; 2 with a sentence on stderr where nothing did."""
    try:
        file = argument("FILE", "a file under the landing folder, such as FILE=events/dt=2026-11-22/x.jsonl")
        load = reload(from_environment(), file)
    except (ArgumentError, NotReloaded, LoadInProgress, LoadStopped, ValueError) as problem:  # ValueError: a setting
        print(visible(problem), file=sys.stderr)
        return 2
    reasons = ", ".join(f"{reason} {count(lines)}" for reason, lines in load.rejects_by_reason.items())
    refused = f"{count(load.rows_rejected)} refused{f' ({reasons})' if reasons else ''}"
    skipped = f", {count(load.rows_skipped)} skipped" if load.rows_skipped else ""
    print(
        f"{visible(file)}: {count(load.rows_loaded)} lines loaded, {refused}{skipped}. make run rebuilds the dates it touches."
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
