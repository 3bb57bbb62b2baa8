"""The private warehouse: one process writes it, and nobody reads it but the pipeline (readers open what is published)."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from orchestration.settings import Settings

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
        raise WarehouseBusyError(
            f"{settings.warehouse} is open in another process: let that run finish, or end it, and run again. ({error})"
        ) from None
    try:
        connection.execute("set TimeZone = 'UTC'")
        yield connection
    finally:
        connection.close()


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
