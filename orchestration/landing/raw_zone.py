"""Writing the raw zone: one loader at a time, its folders and schemas, and clearing away what no manifest names."""

import secrets
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime, timedelta
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from orchestration.landing.database import open_memory
from orchestration.landing.manifests import (
    COLUMNS,
    SCHEMA_ID,
    manifest_path,
    manifests_on_disk,
    rows_of,
    superseded,
    utc_now,
)
from orchestration.landing.sources import OWN_SOURCES
from orchestration.landing.trouble import LoadStopped, trouble_in_a_sentence
from orchestration.settings import Settings
from orchestration.storage import LockHeldError, held, written_whole

GRACE = timedelta(days=1)  # readers that listed files before a compaction have this long to finish


class LoadInProgress(RuntimeError):  # noqa: N818
    """Another loader holds the raw zone."""


def schema_of(columns: dict[str, str]) -> pa.Schema:
    """The Arrow schema of columns (name -> DuckDB type)."""
    nothing = ", ".join(f"null::{kind} as {name}" for name, kind in columns.items())
    with duckdb.connect() as database:
        return database.execute(f"select {nothing} limit 0").to_arrow_table().schema


MANIFEST = schema_of(COLUMNS)
REJECTS = schema_of(
    {
        "source": "VARCHAR",
        "landing_file": "VARCHAR",
        "content_hash": "VARCHAR",
        "line_number": "BIGINT",
        "line": "VARCHAR",
        "reason_code": "VARCHAR",
        "message": "VARCHAR",
        "load_id": "VARCHAR",
        "arrival_date": "DATE",
        "item": "BIGINT",
    }
)


def new_load_id() -> str:
    """Sortable by time, unique without coordination: 20261123T221530123456Z-ab12cd."""
    return f"{utc_now():%Y%m%dT%H%M%S%f}Z-{secrets.token_hex(3)}"


def loaded_at(load_id: str) -> datetime:
    """The instant inside of a load id (UTC, no zone)."""
    return datetime.strptime(load_id.partition("Z-")[0], "%Y%m%dT%H%M%S%f")  # noqa: DTZ007 - UTC by construction


@contextmanager
def one_loader(settings: Settings) -> Iterator[None]:
    """Holds raw/_lock and makes the raw zone's folders and schemas. Raw files are for this user alone.

    Raises LoadInProgress, and LoadStopped when there is no raw zone to work in.
    """
    with ExitStack() as stack:
        with trouble_in_a_sentence(settings, f"Opening {settings.raw}"):
            stack.enter_context(_raw_lock(settings))
            _write_schemas(settings)
        yield


@contextmanager
def _raw_lock(settings: Settings) -> Iterator[None]:
    path = settings.raw / "_lock"
    for there, should in ((settings.raw, "folder"), (path, "file")):
        if there.exists() and there.is_dir() != (should == "folder"):
            raise LoadStopped(f"{there} is not a {should}: move it away and run again; the load makes its own.")
    if not settings.raw.exists():
        settings.data.mkdir(parents=True, exist_ok=True)
        settings.raw.mkdir(mode=0o700, exist_ok=True)
    try:
        with held(path, wait_seconds=0):
            yield
    except LockHeldError as other:
        raise LoadInProgress(
            f"{path}: another load is running, by {other.owner}. Wait until it ends, or end that process: "
            "the lock is freed with it and nothing half-loaded is ever read."
        ) from None


def _write_schemas(settings: Settings) -> None:
    """Empty tables, so that readers find a schema before the first event: a manifest, and raw/_schema/*.parquet."""
    folder = settings.raw / "_schema"
    for schema, path in ((MANIFEST, manifest_path(settings, SCHEMA_ID)), (REJECTS, folder / "rejects.parquet")):
        if not _is_parquet(path) or pq.read_schema(path).names != schema.names:
            write_table(schema.empty_table(), path)
    for name, source in OWN_SOURCES.items():
        if not _is_parquet(folder / f"{name}.parquet"):
            write_table(schema_of(source.raw_columns).empty_table(), folder / f"{name}.parquet")


def _is_parquet(path: Path) -> bool:
    try:
        pq.read_schema(path)
    except (pa.ArrowException, OSError):
        return False
    return True


def write_table(table: pa.Table, path: Path) -> None:
    """Writes a Parquet file whole or not at all."""
    with written_whole(path) as partial:
        pq.write_table(table, partial, compression="zstd")


def remove_leftovers(settings: Settings) -> None:
    """Deletes what no manifest names: half loads of a crash, and what a compaction replaced more than a day ago.

    Only the owner of the lock may call this: a running load's files are not named yet.
    """
    shutil.rmtree(spool(settings), ignore_errors=True)
    for old, new in superseded(settings, manifests_on_disk(settings)).items():
        path = manifest_path(settings, old)
        if path.exists() and (utc_now() - loaded_at(new) > GRACE or not _is_parquet(path)):
            path.unlink()  # a damaged one would stop every reader, and its content is repeated
    with open_memory(settings) as database:
        rows = rows_of(settings, manifests_on_disk(settings))
        named = set(database.execute(f"select raw_file from {rows} union select rejects_file from {rows}").fetchall())  # noqa: S608
    for pattern in ("_rejects/load=*.parquet", "**/event_date=*/load=*.parquet", "**/.*.partial"):
        for path in settings.raw.glob(pattern):
            if (path.relative_to(settings.raw).as_posix(),) not in named:
                path.unlink()


def spool(settings: Settings) -> Path:
    """Where a load keeps copies of remote files and what DuckDB spills; emptied by the next load."""
    return settings.state / "landing"
