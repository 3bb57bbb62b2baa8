"""The data root prepared, as every run finds it; `python -m orchestration.commands.home` does it and prints where Dagster keeps its state.

Folders are there and private, Dagster has its configuration, and runs that were killed no longer count as running.
"""

import os
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
    for sentence in dead_runs(settings, home):
        sys.stderr.write(f"{sentence}\n")
    print(home)
    return 0


def make_ready(settings: Settings) -> Path:
    """Makes the folders and hands Dagster its configuration; returns DAGSTER_HOME. Raises ValueError where that is impossible."""
    home, configuration = settings.state / "dagster", (PROJECT / "orchestration" / "dagster.yaml").read_text()
    try:
        settings.data.mkdir(parents=True, exist_ok=True)
        make_private(settings)
        remember_team(settings)
        home.mkdir(parents=True, exist_ok=True)
        there = home / "dagster.yaml"
        if not there.exists() or there.read_text() != configuration:
            there.write_text(configuration)
    except OSError as error:
        raise ValueError(
            f"The data root cannot be prepared: {error.filename}: {error.strerror}. Set TOKENTRAIL_DATA to a folder that you can write."
        ) from None
    return home


def dead_runs(settings: Settings, home: Path) -> list[str]:
    """Marks runs that were killed; a sentence for each. The import of Dagster is for roots that have run."""
    os.environ["DAGSTER_HOME"] = str(home)
    if not (home / "history").exists():
        return []
    from dagster import DagsterInstance

    from orchestration.runs import mark_dead_runs

    with DagsterInstance.get() as instance:
        return mark_dead_runs(settings, instance)


if __name__ == "__main__":
    sys.exit(main())
