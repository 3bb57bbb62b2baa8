"""Manifests: what exists in the raw zone. Readers list files from here, so a rename decides between all and nothing.

A load writes its data first and its manifest last. Files that no manifest names do not exist for readers; the next
load removes them. Compaction is one more manifest, which repeats the rows of the manifests it supersedes.
raw_zone.py writes them; who reads them needs nothing of what loading needs.
"""

import os
from datetime import UTC, date, datetime
from pathlib import Path

import duckdb

from orchestration.landing.database import open_memory, quoted
from orchestration.landing.fields import PRICE_KEY
from orchestration.landing.sources import OWN_SOURCES
from orchestration.landing.trouble import LoadStopped, trouble_in_a_sentence
from orchestration.settings import Settings
from orchestration.wording import first_line

SCHEMA_ID = "00000000T000000000000Z-schema"
# Column -> type: those that manifests of an earlier release lack, and all, in the order of the files.
LATER = {
    "rows_skipped": "BIGINT",
    "skips_by_reason": "MAP(VARCHAR, BIGINT)",
    "mapping_hash": "VARCHAR",
    "amounts": "MAP(VARCHAR, DECIMAL(38, 12))",  # of invoices: outcome and currency -> sum
    "scopes": "VARCHAR[]",  # of invoices: what the file replaces: `scope_of` in staging takes it apart
}
COLUMNS = {
    "load_id": "VARCHAR",
    "loaded_at": "TIMESTAMP",
    "source": "VARCHAR",
    "landing_file": "VARCHAR",
    "arrival_date": "DATE",
    "content_hash": "VARCHAR",
    "size_bytes": "BIGINT",
    "modified_at": "VARCHAR",
    "file_status": "VARCHAR",
    "event_date": "DATE",
    "rows_in": "BIGINT",
    "rows_loaded": "BIGINT",
    "rows_rejected": "BIGINT",
    "first_occurred_at": "TIMESTAMP",
    "last_occurred_at": "TIMESTAMP",
    "raw_file": "VARCHAR",
    "rejects_file": "VARCHAR",
    "price_keys": f"STRUCT({', '.join(f'{name} VARCHAR' for name in PRICE_KEY)})[]",
    "rejects_by_reason": "MAP(VARCHAR, BIGINT)",
    "supersedes": "VARCHAR[]",
    **LATER,
}
# The hash reads every column that a manifest has to have, so that one that is damaged or lacks some is found out.
REPEATED = f"""
    select filename, flatten(list(supersedes)), max(hash({", ".join(name for name in COLUMNS if name not in LATER)}))
    from read_parquet([{{files}}], hive_partitioning = false, filename = true) group by filename
"""  # noqa: S608
File = tuple[str, int, int, int]  # path, inode, bytes, instant of the last change
_READ: dict[File, list[str]] = {}


def utc_now() -> datetime:
    """The clock, for load ids, `loaded_at` and the grace period only; UTC without a zone, as Parquet keeps it."""
    return datetime.now(UTC).replace(tzinfo=None)


def manifest_path(settings: Settings, load_id: str) -> Path:
    """Where a load's manifest is."""
    return settings.raw / "_loads" / f"{load_id}.parquet"


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
    gone = superseded(settings, listed)
    return [path for path in listed if path.stem not in gone]


def superseded(settings: Settings, manifests: list[Path]) -> dict[str, str]:
    """Load ids that a later manifest repeats -> the load id of (the oldest) such manifest.

    Raises LoadStopped when a manifest that counts cannot be read: what it names must neither be deleted nor counted
    twice, and only it knows what that is.
    """
    gone: dict[str, str] = {}
    with trouble_in_a_sentence(settings, "Reading the manifests"):
        repeated, torn = _repeated(settings, manifests)
    for path in manifests:
        for load_id in repeated.get(path, ()):
            gone.setdefault(load_id, path.stem)
    for path, problem in torn.items():
        if path.stem not in gone and path.stem != SCHEMA_ID:
            raise LoadStopped(
                f"{path} is damaged ({problem}): it says what one load put into the raw zone, and nothing can be loaded "
                "or built without it. Restore it from a backup of raw/. If there is none, delete it: the files of that "
                "load are loaded again from landing by the next run, and those that are no longer there are lost."
            )
    return gone


def _repeated(settings: Settings, manifests: list[Path]) -> tuple[dict[Path, list[str]], dict[Path, str]]:
    """Manifest -> the load ids that it repeats; and of each that is damaged, what was found. Raises LoadStopped.

    A manifest is written once: what this process has read of one holds until the file is another.
    """
    files = {path: _file(path) for path in manifests}
    unread = [path for path, file in files.items() if file not in _READ]
    torn: dict[Path, str] = {}
    try:
        _read_whole(settings, {path: files[path] for path in unread})
    except duckdb.Error:  # one of them at least cannot be read: each is read alone
        torn = _damaged(settings, {path: files[path] for path in unread})
    return {path: _READ[file] for path, file in files.items() if file in _READ}, torn


def _damaged(settings: Settings, files: dict[Path, File]) -> dict[Path, str]:
    """Reads manifests one by one; of each that is damaged, what was found. Raises LoadStopped."""
    torn: dict[Path, str] = {}
    for path, file in files.items():
        try:
            path.open("rb").close()
            _read_whole(settings, {path: file})
        except PermissionError as error:
            raise LoadStopped(
                f"{path} cannot be read ({error.strerror}): let this user read it and run again."
            ) from error
        except (duckdb.OutOfMemoryException, duckdb.InterruptException):
            raise
        except (duckdb.Error, OSError) as error:
            torn[path] = first_line(error)
    return torn


def _read_whole(settings: Settings, files: dict[Path, File]) -> None:
    if not files:
        return
    with open_memory(settings) as database:
        listed = ", ".join(f"'{quoted(path)}'" for path in files)
        repeated = {path: load_ids for path, load_ids, _ in database.execute(REPEATED.format(files=listed)).fetchall()}
    _READ.update({file: repeated.get(str(path)) or [] for path, file in files.items()})  # one without rows is read too


def _file(path: Path) -> File:
    """What changes with a file's content and with who may read it."""
    try:
        found = path.stat()
    except OSError:
        return str(path), 0, 0, 0
    return str(path), found.st_ino, found.st_size, found.st_ctime_ns


def manifest_rows_sql(settings: Settings) -> str:
    """A FROM item with every manifest row that counts: `select ... from {manifest_rows_sql(settings)}`."""
    return rows_of(settings, manifest_files(settings))


def rows_of(settings: Settings, manifests: list[Path]) -> str:
    """A FROM item with the rows of manifests of any release, in the columns of this one."""
    paths = dict.fromkeys([*manifests, manifest_path(settings, SCHEMA_ID)])
    listed = ", ".join(f"'{quoted(path)}'" for path in paths)
    found = f"from read_parquet([{listed}], hive_partitioning = false, union_by_name = true)"
    none = f"select {', '.join(f'null::{kind} as {name}' for name, kind in LATER.items())} where false"
    return f"(select * replace (coalesce(rows_skipped, 0) as rows_skipped) from ({found} union all by name {none}))"  # noqa: S608


def known_files(settings: Settings, source: str, mapping_hash: str | None = None) -> set[tuple[str, int, str]]:
    """(path, size, modified at) of every file of a source that was read with its mapping of now, rejected ones included."""
    select = "select distinct landing_file, size_bytes, modified_at"
    return set(_manifest_rows(settings, source, select, f"and mapping_hash is not distinct from {_text(mapping_hash)}"))


def judged_contents(settings: Settings, source: str, mapping_hash: str | None = None) -> tuple[set[str], set[str]]:
    """Content hashes of files whose lines have been judged: loaded with the mapping of now, and judged with another.

    The same bytes under another name are not new lines; what became of them with another mapping no longer counts.
    """
    is_same = f"mapping_hash is not distinct from {_text(mapping_hash)}"
    condition = (
        f"and content_hash is not null and (file_status = 'loaded' or (file_status = 'rejected' and not {is_same}))"
    )
    rows = _manifest_rows(settings, source, f"select distinct content_hash, {is_same}", condition)
    return {each for each, is_same in rows if is_same}, {each for each, is_same in rows if not is_same}


def is_judged(settings: Settings, source: str, content_hash: str) -> bool:
    """Whether the lines of a content were judged, with whatever mapping."""
    condition = f"and content_hash = {_text(content_hash)} and file_status in ('loaded', 'rejected') limit 1"
    return bool(_manifest_rows(settings, source, "select 1", condition))


def first_arrivals(settings: Settings, source: str) -> dict[str, date]:
    """The day on which each file of a source was first known to have arrived."""
    return dict(_manifest_rows(settings, source, "select landing_file, min(arrival_date)", "group by all"))


def _manifest_rows(settings: Settings, source: str, select: str, condition: str = "") -> list[tuple]:
    manifests = manifest_files(settings)
    if not manifests:
        return []
    with trouble_in_a_sentence(settings, "Reading the manifests"), open_memory(settings) as database:
        statement = f"{select} from {rows_of(settings, manifests)} where source = {_text(source)} {condition}"
        return database.execute(statement).fetchall()


def _text(value: str | None) -> str:
    """A text as SQL has it. (With the first parameter DuckDB's client would import pandas: a third of a second.)"""
    return "null" if value is None else f"'{quoted(value)}'"


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
