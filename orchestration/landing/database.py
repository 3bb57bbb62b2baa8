"""DuckDB connections of the loader: in memory, each under the memory limit, and none of them downloads anything."""

from pathlib import Path

import duckdb

from orchestration.settings import Settings
from orchestration.warehouse import DuckDBConfig

NO_EXTENSIONS: DuckDBConfig = {"autoinstall_known_extensions": "false", "autoload_known_extensions": "false"}
# What a value can cause. Python functions and casts raise the first four; unknown names of fields become names in SQL.
# Everything else (no space, no memory, an I/O error, an interrupt, a bug) is the machine's trouble and refuses no line.
OF_DATA = (
    duckdb.ConversionException,
    duckdb.InvalidInputException,
    duckdb.OutOfRangeException,
    duckdb.InvalidTypeException,
    duckdb.TypeMismatchException,
    duckdb.NotImplementedException,
    duckdb.BinderException,
    duckdb.ParserException,
    duckdb.SyntaxException,
)


def open_memory(settings: Settings) -> duckdb.DuckDBPyConnection:
    """An empty database in memory, for one thread, that spills under the data root."""
    spill = str(settings.state / "spill")
    config = {"threads": 1, "memory_limit": settings.memory_limit, "temp_directory": spill, **NO_EXTENSIONS}
    database = duckdb.connect(config=config)
    database.execute("set TimeZone = 'UTC'")
    return database


def is_of_data(error: Exception) -> bool:
    """Whether a value can have caused an error. (DuckDB reports a Python function that finds no memory as bad input.)"""
    return isinstance(error, OF_DATA) and "MemoryError" not in str(error)


def quoted(path: Path | str) -> str:
    """A path or a name inside of a SQL string."""
    return str(path).replace("'", "''")
