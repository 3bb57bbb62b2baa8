"""The data root prepared: `python -m orchestration.commands.home` comes before every run and prints where Dagster keeps its state.

Folders are there and private, Dagster has its configuration, and runs that were killed no longer count as running.
"""

import os
import shutil
import sys
from pathlib import Path

from orchestration.settings import PROJECT, Settings, from_environment
from orchestration.storage import make_private
from orchestration.team.folder import remember_team


def main() -> int:
    """The command line; 2 with a sentence on stderr when the settings or the data root cannot be used."""
    try:
        settings = from_environment()
        home = make_ready(settings)
    except ValueError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    except OSError as error:
        sys.stderr.write(
            f"The data root cannot be prepared: {error.filename}: {error.strerror}. Set TOKENTRAIL_DATA to a folder that you can write.\n"
        )
        return 2
    for sentence in _dead_runs(settings, home):
        sys.stderr.write(f"{sentence}\n")
    print(home)
    return 0


def make_ready(settings: Settings) -> Path:
    """Make the folders and hand Dagster its configuration; returns DAGSTER_HOME."""
    settings.data.mkdir(parents=True, exist_ok=True)
    make_private(settings)
    remember_team(settings)
    home = settings.state / "dagster"
    home.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(PROJECT / "orchestration" / "dagster.yaml", home / "dagster.yaml")
    return home


def _dead_runs(settings: Settings, home: Path) -> list[str]:
    os.environ["DAGSTER_HOME"] = str(home)
    from dagster import DagsterInstance

    from orchestration.runs import mark_dead_runs

    with DagsterInstance.get() as instance:
        return mark_dead_runs(settings, instance)


if __name__ == "__main__":
    sys.exit(main())
