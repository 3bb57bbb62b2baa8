"""The private warehouse: one process writes it, and nobody reads it but the pipeline (readers open what is published)."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from orchestration.settings import Settings
from orchestration.wording import stamp

DuckDBConfig = dict[str, str | bool | int | float | list[str]]


class WarehouseBusyError(RuntimeError):
    """Another process has the warehouse open; the run can be repeated when it is done."""


@contextmanager
def warehouse(settings: Settings, read_only: bool = True) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection to the private warehouse. Raises WarehouseBusyError with a sentence while another process has it open."""
    try:
        connection = duckdb.connect(str(settings.warehouse), read_only=read_only, config=duckdb_config(settings))
    except duckdb.IOException as error:
        if "lock" not in str(error):
            raise
        holder = re.search(r"held in (.+?) \(PID (\d+)\)", str(error))
        who = f"process {holder[2]} ({holder[1]})" if holder else "another process"
        raise WarehouseBusyError(
            f"{settings.warehouse} is open in {who}: let it finish, or end it, and run again. Queries belong to "
            f"{settings.published_marts}, which nobody waits for."
        ) from None
    try:
        connection.execute("set TimeZone = 'UTC'")
        yield connection
    finally:
        connection.close()


def check_not_busy(settings: Settings) -> None:
    """Raises WarehouseBusyError while another process has the warehouse open, before dbt says so in hundreds of lines."""
    if settings.warehouse.exists():
        with warehouse(settings, read_only=False):
            pass


@contextmanager
def open_marts(settings: Settings, database: Path | None = None) -> Iterator[duckdb.DuckDBPyConnection]:
    """The published marts, read only, under their plain names (`from fct_attempts`).

    The file is attached by its own path, not by the link's: a path that is open elsewhere in this process would give the file that it
    had then.
    """
    database = (database or settings.published_marts).resolve()
    with duckdb.connect(config=duckdb_config(settings)) as connection:
        connection.execute("set TimeZone = 'UTC'")
        address = str(database).replace("'", "''")
        connection.execute(f"attach '{address}' as published (read_only)")
        connection.execute("use published.marts")
        yield connection


def duckdb_config(settings: Settings) -> DuckDBConfig:
    """DuckDB settings of every connection: bounded memory, spilling under the data root, no downloads."""
    spill = settings.state / "spill"
    spill.mkdir(parents=True, exist_ok=True)
    config: DuckDBConfig = {
        "memory_limit": settings.memory_limit,
        "temp_directory": str(spill),
        "autoinstall_known_extensions": "false",
    }
    if settings.threads:
        config["threads"] = str(settings.threads)
    return config


def what_readers_see(settings: Settings) -> str:
    """A sentence on the current publication: when its marts last changed, or that there is none."""
    try:
        described = json.loads((settings.published / "marts.json").read_text())
        return f"Readers see the publication of {stamp(described['published_at'])}."
    except (OSError, ValueError, KeyError, TypeError):
        return "Nothing is published yet." if not settings.published.exists() else "Readers see the last publication."
