"""The code location's entry point: everything is in `defs/`, by concept."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg


@dg.definitions
def defs() -> dg.Definitions:
    """All assets, checks, jobs, schedules, sensors and resources."""
    with _dbt_out_of_sight():
        return dg.load_from_defs_folder(path_within_project=Path(__file__).parent)


@contextmanager
def _dbt_out_of_sight() -> Iterator[None]:
    """dagster-dbt works without dbt-core, which runs in a process of its own; where it sees it, it imports it, which takes a second."""
    seen = "dbt.version"
    if seen in sys.modules:
        yield
        return
    sys.modules[seen] = None  # type: ignore[assignment]  # what cannot be imported
    try:
        yield
    finally:
        del sys.modules[seen]
