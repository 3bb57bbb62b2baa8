"""The data root made ready: `python -m orchestration.commands.home` comes before every run and prints where Dagster keeps its state.

Folders are there and private, Dagster has its configuration, and runs that were killed no longer count as running.
"""

import os
import shutil
import sys
from contextlib import suppress
from pathlib import Path

from orchestration.settings import PROJECT, Settings, from_environment

OTHERS = 0o007


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
            f"The data root cannot be made ready: {error.filename}: {error.strerror}. TOKENTRAIL_DATA names a folder that you may write.\n"
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
    home = settings.state / "dagster"
    home.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(PROJECT / "orchestration" / "dagster.yaml", home / "dagster.yaml")
    return home


def make_private(settings: Settings) -> None:
    """Let nobody but owner and group into the raw zone, the ledger, state and the warehouse; what is published stays readable.

    The umask does the same for what this process and its children write.
    """
    os.umask(os.umask(OTHERS) | OTHERS)
    for folder in (settings.raw, settings.ledger, settings.state):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for path in (settings.raw, settings.ledger, settings.state, *settings.data.glob("warehouse.duckdb*")):
        if path.stat().st_mode & OTHERS:
            with suppress(PermissionError):  # somebody else's: who may read it is theirs to say
                path.chmod(path.stat().st_mode & 0o770)


def _dead_runs(settings: Settings, home: Path) -> list[str]:
    os.environ["DAGSTER_HOME"] = str(home)
    from dagster import DagsterInstance

    from orchestration.runs import mark_dead_runs

    with DagsterInstance.get() as instance:
        return mark_dead_runs(settings, instance)


if __name__ == "__main__":
    sys.exit(main())
