"""dbt without its start.

Starting dbt takes a third of the CPU time of a small build, and the suite calls dbt some 150 times. While pytest runs,
`orchestration.dbt.DBT` is the command of a dbt that has started already (`orchestration.warm_dbt`), as it is in a run of a user, and
that forks for each command.
"""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from orchestration.dbt import run_dbt
from orchestration.warm_dbt.start import WarmDbt
from tests.parsed import is_kept, keep
from tests.pipeline import pipeline_at


@contextmanager
def warm_dbt() -> Iterator[Path]:
    """The path of a command that does what dbt does, for as long as this context lasts."""
    with tempfile.TemporaryDirectory(prefix="warm-dbt-") as folder:
        settings = pipeline_at(Path(folder) / "data").settings
        if not is_kept():
            run_dbt(settings, "parse", "--quiet")  # not by the server: a whole parse leaves threads, which no fork has
            keep(settings)
        with WarmDbt(settings, forks=True) as warm:
            warm.start()
            command = Path(folder) / "dbt"
            command.write_text(f'#!/bin/sh\nDBT_LOG_LEVEL_FILE=none exec "{warm.command}" "$@"\n')
            command.chmod(0o755)
            yield command
