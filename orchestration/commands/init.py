"""`make init`: the team's folder, with a commented file for everything that can be decided; FROM=<checkout> moves what was edited there."""

import os
import sys
from pathlib import Path

from orchestration.plain import visible
from orchestration.settings import TEAMS, from_environment
from orchestration.team.folder import read_folder
from orchestration.team.rows import TeamFileError
from orchestration.team.starting import move_from, write_starter

NEXT = """
Next: put the first limit into budgets.csv, set the addresses of channels (docs/operate.md, Notifications), land files of usage
in {landing} (docs/sources.md), and `make run`."""


def main() -> int:
    """Writes what is missing and overwrites nothing; 2 with a sentence on stderr when the folder cannot be used."""
    checkout = os.environ.get("FROM", "").strip()
    try:
        settings = from_environment(is_team_new=True)
        if settings.team == TEAMS[1]:
            raise TeamFileError(
                f"The data root {settings.data} belongs to the demo. Give your company a root of its own, "
                f"such as TOKENTRAIL_DATA={settings.data.parent / 'company'}, or delete {settings.data}."
            )
        settings.team.mkdir(parents=True, exist_ok=True)
        moved = list(move_from(Path(checkout).expanduser().resolve(), settings.team)) if checkout else []
        print(f"The team folder {visible(settings.team)}:")
        for sentence in moved:
            print(f"  {visible(sentence)}")
        written, kept = write_starter(settings.team)
        print(f"  Written: {', '.join(written) or 'nothing'}.")
        print(f"  There already, and left as they are: {', '.join(kept) or 'nothing'}.")
        read_folder(settings.team)
    except (TeamFileError, ValueError) as problem:  # ValueError: a setting
        print(visible(problem, keep="\n"), file=sys.stderr)
        return 2
    except OSError as error:
        print(visible(f"{error.filename}: {error.strerror}."), file=sys.stderr)
        return 2
    print(visible(NEXT.format(landing=settings.landing), keep="\n"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
