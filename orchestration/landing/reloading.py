"""Judging a landed file again: for lines that an earlier release, a setting or a rule refused or read wrongly.

Like compaction it is one more manifest, which repeats the rows of those it supersedes; except those of the file's
content, whose rows are new. Raw files and rejects that the content shared with others are written again without it.
"""

import shutil
import time
from collections.abc import Callable
from pathlib import Path

import duckdb
import pyarrow as pa

from orchestration.landing.compaction import fold_manifests, manifests_of
from orchestration.landing.convert import open_database, quoted
from orchestration.landing.files import LandingFile, fetch, find_files, local_folder
from orchestration.landing.load import Load, Loader, Spoiled
from orchestration.landing.manifests import (
    MANIFEST,
    manifest_files,
    manifest_rows_sql,
    one_loader,
    remove_leftovers,
    spool,
)
from orchestration.landing.sources import SOURCES
from orchestration.landing.trouble import UnreadableNow, trouble_in_a_sentence
from orchestration.settings import Settings
from orchestration.storage import sync
from orchestration.warehouse import duckdb_config

# Rows of the content that is judged again. Copies of it under other names (already_loaded) have none.
JUDGED = "content_hash = $content_hash and file_status in ('loaded', 'rejected')"


class NotReloaded(ValueError):  # noqa: N818
    """A file that cannot be judged again, as a sentence. What was kept of it stays as it is."""


def reload(settings: Settings, name: str, report: Callable[[str], None] = print) -> Load:
    """Judges the lines of a landed file again; its rows and rejects of before are replaced by what is found now.

    `name` is the file's path under landing (`events/dt=.../x.jsonl`) or on disk. Raises NotReloaded when it is not there
    or was never loaded, LoadInProgress, and LoadStopped; then nothing has changed.
    """
    path = landing_path(settings, name)
    source = path.partition("/")[0]
    if source not in SOURCES:
        raise NotReloaded(
            f"{name} is not a landing file: give its path under landing, such as events/dt=2026-11-22/x.jsonl."
        )
    with one_loader(settings), trouble_in_a_sentence(settings, f"Reloading {path}"):
        remove_leftovers(settings)
        spool(settings).mkdir(parents=True, exist_ok=True)
        try:
            return _reload(settings, source, _landed(settings, source, path), report)
        except (UnreadableNow, Spoiled) as error:
            raise NotReloaded(str(error)) from error
        finally:
            shutil.rmtree(spool(settings), ignore_errors=True)


def landing_path(settings: Settings, name: str) -> str:
    """A file's path relative to landing, from that path, the path on disk, or the one that messages print."""
    folder = local_folder(settings.landing)
    if folder and Path(name).is_absolute() and Path(name).is_relative_to(folder.absolute()):
        return Path(name).relative_to(folder.absolute()).as_posix()
    return name.removeprefix(settings.landing.rstrip("/") + "/").removeprefix("./").removeprefix("landing/")


def _landed(settings: Settings, source: str, path: str) -> LandingFile:
    found, unread = find_files(settings.landing, source)
    file = next((file for file in found if file.path == path), None)
    if file is None:
        raise NotReloaded(unread[0] if unread else _not_there(settings, path))
    if file.problem:
        raise NotReloaded(
            f"landing/{path} is refused before it is read ({file.problem}): there is no line to judge again."
        )
    return file


def _not_there(settings: Settings, path: str) -> str:
    """What to say of a file that is gone, and of a name that no file ever had."""
    if not manifest_files(settings):
        return f"landing/{path} is not there, and nothing was loaded yet: `make run` loads what landed."
    with duckdb.connect(config=duckdb_config(settings)) as database:
        known, nearest = database.execute(
            f"""
            select coalesce(bool_or(landing_file = $path), false), arg_min(landing_file, levenshtein(landing_file, $path))
            from {manifest_rows_sql(settings)} where landing_file is not null
            """,  # noqa: S608
            {"path": path},
        ).fetchall()[0]
    if known or nearest is None:
        return _gone(path)
    return f"landing/{path}: no load has taken in a file of this name. Is it {nearest}?"


def _gone(path: str) -> str:
    return (
        f"landing/{path} is not there any more: put it back to judge it again. The rows that it gave stay as they are."
    )


def _reload(settings: Settings, source: str, file: LandingFile, report: Callable[[str], None]) -> Load:
    try:
        _, content_hash = fetch(settings.landing, file, spool(settings))
    except FileNotFoundError:
        raise NotReloaded(_gone(file.path)) from None
    of_source = manifests_of(settings, source)
    counting = sorted(set(of_source) & set(manifest_files(settings)))
    with open_database(settings.memory_limit, spool(settings), "") as database:
        listed = ", ".join(f"'{quoted(path)}'" for path in counting)
        known = []
        if counting:
            database.execute(f"create temp table former as from read_parquet([{listed}], hive_partitioning = false)")
            known = database.execute(f"from former where {JUDGED} limit 1", {"content_hash": content_hash}).fetchall()
        if not known:
            raise NotReloaded(f"landing/{file.path} has not been loaded yet, or has changed since: make run loads it.")
        loader = Loader(settings, source, report, time.monotonic())
        rows = loader.judge([file], set())
        if not rows or rows[0]["content_hash"] != content_hash:
            raise NotReloaded(loader.unread[0] if loader.unread else _gone(file.path))
        renamed = _without(settings, database, source, content_hash, loader.load_id)
        database.register("fresh", pa.Table.from_pylist(rows, MANIFEST))
        database.execute(
            f"""
            create temp table manifest as
            from former
            where not coalesce({JUDGED} or (content_hash = $content_hash and landing_file = $landing_file), false)
            union all by name from fresh
            -- The name it was loaded under, if that was another, is a copy from now on: it is known, and when it arrived.
            union all by name
            select distinct
                source, landing_file, arrival_date, content_hash, size_bytes, modified_at, loaded_at, load_id,
                'already_loaded' as file_status, 0 as rows_in, 0 as rows_loaded, 0 as rows_rejected
            from former where {JUDGED} and landing_file <> $landing_file
            """,  # noqa: S608
            {"content_hash": content_hash, "landing_file": file.path},
        )
        fold_manifests(settings, database, renamed, [path.stem for path in of_source], loader.load_id)
    return loader.summary()


def _without(settings: Settings, database, source: str, content_hash: str, load_id: str) -> list[tuple[str, str]]:
    """Writes what other contents have in the files that held this one's; returns (file of then, file of now)."""
    renamed: list[tuple[str, str]] = []
    for column, name in (
        ("raw_file", lambda row: f"{source}/event_date={row[1]}/load={load_id}-rest{len(renamed)}.parquet"),
        ("rejects_file", lambda _: f"_rejects/load={load_id}-rest{len(renamed)}.parquet"),
    ):
        held = database.execute(
            f"select distinct {column}, event_date from former where {JUDGED} and {column} is not null order by all",  # noqa: S608
            {"content_hash": content_hash},
        ).fetchall()
        for row in held:
            others = f"from former where {column} = $file and not coalesce({JUDGED}, false)"
            if not database.execute(f"{others} limit 1", {"file": row[0], "content_hash": content_hash}).fetchall():
                continue
            target = settings.raw / name(row)
            database.execute(
                f"""
                copy (
                    from read_parquet('{quoted(settings.raw / row[0])}', hive_partitioning = false)
                    where content_hash is distinct from $content_hash
                ) to '{quoted(target)}' (format parquet, compression zstd)
                """,
                {"content_hash": content_hash},
            )
            sync(target)
            renamed.append((row[0], target.relative_to(settings.raw).as_posix()))
    return renamed
