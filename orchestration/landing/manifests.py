"""Manifests: what exists in the raw zone. Readers list files from here, so a rename decides between all and nothing.

A load writes its data first and its manifest last. Files that no manifest names do not exist for readers; the next
load removes them. Compaction is one more manifest, which repeats the rows of the manifests it supersedes.
"""

import os
import secrets
import shutil
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from orchestration.landing.convert import quoted
from orchestration.landing.database import open_memory
from orchestration.landing.fields import PRICE_KEY
from orchestration.landing.sources import OWN_SOURCES
from orchestration.landing.trouble import LoadStopped, trouble_in_a_sentence
from orchestration.settings import Settings
from orchestration.storage import LockHeldError, held, written_whole
from orchestration.wording import first_line

GRACE = timedelta(days=1)  # readers that listed files before a compaction have this long to finish
SCHEMA_ID = "00000000T000000000000Z-schema"

_instant = pa.timestamp("us")
MANIFEST = pa.schema(
    {
        "load_id": pa.string(),
        "loaded_at": _instant,
        "source": pa.string(),
        "landing_file": pa.string(),
        "arrival_date": pa.date32(),
        "content_hash": pa.string(),
        "size_bytes": pa.int64(),
        "modified_at": pa.string(),
        "file_status": pa.string(),
        "event_date": pa.date32(),
        "rows_in": pa.int64(),
        "rows_loaded": pa.int64(),
        "rows_rejected": pa.int64(),
        "first_occurred_at": _instant,
        "last_occurred_at": _instant,
        "raw_file": pa.string(),
        "rejects_file": pa.string(),
        "price_keys": pa.list_(pa.struct(dict.fromkeys(PRICE_KEY, pa.string()))),
        "rejects_by_reason": pa.map_(pa.string(), pa.int64()),
        "supersedes": pa.list_(pa.string()),
        "rows_skipped": pa.int64(),
        "skips_by_reason": pa.map_(pa.string(), pa.int64()),
        "mapping_hash": pa.string(),
        "amounts": pa.map_(pa.string(), pa.decimal128(38, 12)),  # of invoices: outcome and currency -> sum
        "scopes": pa.list_(pa.string()),  # of invoices: what the file replaces: `scope_of` in staging takes it apart
    }
)
LATER = (
    "rows_skipped",
    "skips_by_reason",
    "mapping_hash",
    "amounts",
    "scopes",
)  # columns that manifests of an earlier release lack
NONE_LATER = """
    select null::bigint as rows_skipped, null::map(varchar, bigint) as skips_by_reason, null::varchar as mapping_hash,
        null::map(varchar, decimal(38, 12)) as amounts, null::varchar[] as scopes
    where false
"""
REJECTS = pa.schema(
    {
        "source": pa.string(),
        "landing_file": pa.string(),
        "content_hash": pa.string(),
        "line_number": pa.int64(),
        "line": pa.string(),
        "reason_code": pa.string(),
        "message": pa.string(),
        "load_id": pa.string(),
        "arrival_date": pa.date32(),
        "item": pa.int64(),
    }
)


class LoadInProgress(RuntimeError):  # noqa: N818
    """Another loader holds the raw zone."""


def utc_now() -> datetime:
    """The clock, for load ids, `loaded_at` and the grace period only; UTC without a zone, as Parquet keeps it."""
    return datetime.now(UTC).replace(tzinfo=None)


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
            write_table(pa.Table.from_pylist([], schema), path)
    for name in OWN_SOURCES:
        if not _is_parquet(folder / f"{name}.parquet"):
            write_table(_no_rows(name), folder / f"{name}.parquet")


@cache
def _no_rows(source: str) -> pa.Table:
    """An empty table with the raw columns of a source."""
    columns = ", ".join(f"null::{kind} as {column}" for column, kind in OWN_SOURCES[source].raw_columns.items())
    with duckdb.connect() as database:
        return database.execute(f"select {columns} limit 0").to_arrow_table()


def _is_parquet(path: Path) -> bool:
    try:
        pq.read_schema(path)
    except (pa.ArrowException, OSError):
        return False
    return True


def manifest_path(settings: Settings, load_id: str) -> Path:
    """Where a load's manifest is."""
    return settings.raw / "_loads" / f"{load_id}.parquet"


def write_table(table: pa.Table, path: Path) -> None:
    """Writes a Parquet file whole or not at all."""
    with written_whole(path) as partial:
        pq.write_table(table, partial, compression="zstd")


def manifests_on_disk(settings: Settings) -> list[Path]:
    """Every manifest, superseded ones included, oldest first. Raises LoadStopped when their folder cannot be listed."""
    folder = settings.raw / "_loads"
    try:
        names = os.listdir(folder)  # a glob finds nothing where it may not look, and everything would seem new
    except FileNotFoundError:
        return []
    except OSError as error:
        raise LoadStopped(
            f"{folder} cannot be listed ({error.strerror}): let this user list and read it, and run again. Nothing was changed."
        ) from error
    return sorted(folder / name for name in names if name[0].isdigit() and name.endswith(".parquet"))


def manifest_files(settings: Settings) -> list[Path]:
    """The manifests that count, oldest first: those no other one supersedes. Never empty once a loader ran.

    Raises LoadStopped when one of them cannot be read.
    """
    listed = manifests_on_disk(settings)
    gone = superseded(listed)
    return [path for path in listed if path.stem not in gone]


def read_columns(path: Path, *columns: str) -> pa.Table:
    """Columns of one Parquet file. (pyarrow's read_table would take a folder `a=b` above the data for a column.)"""
    with pq.ParquetFile(path) as file:
        return file.read(list(columns))


def superseded(manifests: list[Path]) -> dict[str, str]:
    """Load ids that a later manifest repeats -> the load id of (the oldest) such manifest.

    Raises LoadStopped when a manifest that counts cannot be read: what it names must neither be deleted nor counted
    twice, and only it knows what that is.
    """
    gone: dict[str, str] = {}
    torn: dict[str, str] = {}
    for path in manifests:
        try:
            needed = [name for name in MANIFEST.names if name not in LATER]
            ids = read_columns(path, *needed)["supersedes"].drop_null().to_pylist()
        except PermissionError as error:
            raise LoadStopped(
                f"{path} cannot be read ({error.strerror}): let this user read it and run again."
            ) from error
        except (pa.ArrowException, OSError, KeyError) as error:
            torn[path.stem] = f"{path} is damaged ({first_line(error)})"
            continue
        for load_id in {load_id for some in ids for load_id in some}:
            gone.setdefault(load_id, path.stem)
    for load_id, problem in torn.items():
        if load_id not in gone and load_id != SCHEMA_ID:
            raise LoadStopped(
                f"{problem}: it says what one load put into the raw zone, and nothing can be loaded or built without it. "
                "Restore it from a backup of raw/. If there is none, delete it: the files of that load are loaded again "
                "from landing by the next run, and those that are no longer there are lost."
            )
    return gone


def manifest_rows_sql(settings: Settings) -> str:
    """A FROM item with every manifest row that counts: `select ... from {manifest_rows_sql(settings)}`."""
    return rows_of(settings, manifest_files(settings))


def rows_of(settings: Settings, manifests: list[Path]) -> str:
    """A FROM item with the rows of manifests of any release, in the columns of this one."""
    paths = dict.fromkeys([*manifests, manifest_path(settings, SCHEMA_ID)])
    listed = ", ".join(f"'{quoted(path)}'" for path in paths)
    found = f"from read_parquet([{listed}], hive_partitioning = false, union_by_name = true)"
    return (
        f"(select * replace (coalesce(rows_skipped, 0) as rows_skipped) from ({found} union all by name {NONE_LATER}))"  # noqa: S608
    )


def known_files(settings: Settings, source: str, mapping_hash: str | None = None) -> set[tuple[str, int, str]]:
    """(path, size, modified at) of every file of a source that was read with its mapping of now, rejected ones included."""
    select = "select distinct landing_file, size_bytes, modified_at"
    return set(_manifest_rows(settings, source, select, "and mapping_hash is not distinct from ?", [mapping_hash]))


def loaded_contents(settings: Settings, source: str, mapping_hash: str | None = None) -> set[str]:
    """Content hashes of the files whose lines have been judged: the same bytes under another name are not new lines."""
    condition = "and file_status = 'loaded' and mapping_hash is not distinct from ?"
    rows = _manifest_rows(settings, source, "select distinct content_hash", condition, [mapping_hash])
    return {content_hash for (content_hash,) in rows}


def is_judged(settings: Settings, source: str, content_hash: str) -> bool:
    """Whether the lines of a content were judged, with whatever mapping."""
    condition = "and content_hash = ? and file_status in ('loaded', 'rejected') limit 1"
    return bool(_manifest_rows(settings, source, "select 1", condition, [content_hash]))


def judged_otherwise(settings: Settings, source: str, mapping_hash: str | None) -> set[str]:
    """Content hashes of what was judged with another mapping than that of now."""
    condition = (
        "and file_status in ('loaded', 'rejected') and mapping_hash is distinct from ? and content_hash is not null"
    )
    rows = _manifest_rows(settings, source, "select distinct content_hash", condition, [mapping_hash])
    return {content_hash for (content_hash,) in rows}


def first_arrivals(settings: Settings, source: str) -> dict[str, date]:
    """The day on which each file of a source was first known to have arrived."""
    return dict(_manifest_rows(settings, source, "select landing_file, min(arrival_date)", "group by all"))


def _manifest_rows(
    settings: Settings, source: str, select: str, condition: str = "", values: Sequence = ()
) -> list[tuple]:
    if not manifest_files(settings):
        return []
    with trouble_in_a_sentence(settings, "Reading the manifests"), open_memory(settings) as database:
        statement = f"{select} from {manifest_rows_sql(settings)} where source = ? {condition}"
        return database.execute(statement, [source, *values]).fetchall()


def files_with_missing_rows(settings: Settings, source: str = "events") -> list[str]:
    """Landing files of a source whose items are not all loaded, rejected or skipped: by the manifests, and by counting what is there."""
    counting_rows = f"Counting the rows in {settings.raw}"
    with trouble_in_a_sentence(settings, counting_rows), open_memory(settings) as database:
        rows = f"from {manifest_rows_sql(settings)} where source = '{quoted(source)}'"
        database.execute(f"create temp table manifest as {rows}")
        short = "select landing_file from manifest group by all having sum(rows_in) <> sum(rows_loaded + rows_rejected + rows_skipped)"
        missing = {file for (file,) in database.execute(short).fetchall()}
        has_status = source not in OWN_SOURCES or "status" in OWN_SOURCES[source].raw_columns
        rows_there = "count(status)" if has_status else "count(*)"  # spans around calls have none
        for file, rows, key, counted in (
            ("raw_file", "rows_loaded", "content_hash", rows_there),
            ("rejects_file", "rows_rejected", "landing_file", "count(*)"),
        ):
            named = f"select distinct {file} from manifest where {file} is not null"  # noqa: S608
            listed = ", ".join(f"'{quoted(settings.raw / path)}'" for (path,) in database.execute(named).fetchall())
            if listed:
                counting = f"""
                    select min(landing_file) from manifest left join (
                        select {key}, {counted} as there
                        from read_parquet([{listed}], hive_partitioning = false, union_by_name = true) group by all
                    ) as counted using ({key})
                    where {file} is not null group by {key} having sum({rows}) <> coalesce(min(there), 0)
                """  # noqa: S608
                missing |= {path for (path,) in database.execute(counting).fetchall()}
    return sorted(missing)


def remove_leftovers(settings: Settings) -> None:
    """Deletes what no manifest names: half loads of a crash, and what a compaction replaced more than a day ago.

    Only the owner of the lock may call this: a running load's files are not named yet.
    """
    shutil.rmtree(spool(settings), ignore_errors=True)
    for old, new in superseded(manifests_on_disk(settings)).items():
        path = manifest_path(settings, old)
        if path.exists() and (utc_now() - loaded_at(new) > GRACE or not _is_parquet(path)):
            path.unlink()  # a damaged one would stop every reader, and its content is repeated
    named: set[str] = set()
    for path in manifests_on_disk(settings):
        table = read_columns(path, "raw_file", "rejects_file")
        named.update(file for column in table.columns for file in column.unique().to_pylist() if file)
    for pattern in ("_rejects/load=*.parquet", "**/event_date=*/load=*.parquet", "**/.*.partial"):
        for path in settings.raw.glob(pattern):
            if path.relative_to(settings.raw).as_posix() not in named:
                path.unlink()


def spool(settings: Settings) -> Path:
    """Where a load keeps copies of remote files and what DuckDB spills; emptied by the next load."""
    return settings.state / "landing"
