"""Judging a landed file again: for lines that an earlier release, a setting or a rule refused or read wrongly."""

import shutil
import time
from collections.abc import Callable
from pathlib import Path

import duckdb

from orchestration.landing.files import LandingFile, fetch, local_folder
from orchestration.landing.load import Load, Loader, Spoiled
from orchestration.landing.manifests import is_judged, manifest_files, manifest_rows_sql
from orchestration.landing.raw_zone import one_loader, remove_leftovers, spool
from orchestration.landing.sources import source_of, sources_of
from orchestration.landing.superseding import replace_rows
from orchestration.landing.trouble import UnreadableNow, trouble_in_a_sentence
from orchestration.landing.waiting import find_source_files
from orchestration.settings import Settings
from orchestration.warehouse import duckdb_config


class NotReloaded(ValueError):  # noqa: N818
    """A file that cannot be judged again, as a sentence. What was kept of it stays as it is."""


def reload(settings: Settings, name: str, report: Callable[[str], None] = print) -> Load:
    """Judges the lines of a landed file again; its rows and rejects of before are replaced by what is found now.

    `name` is the file's path under landing (`events/dt=.../x.jsonl`) or on disk. Raises NotReloaded when it is not there
    or was never loaded, LoadInProgress, and LoadStopped; then nothing has changed.
    """
    path = landing_path(settings, name)
    source = path.partition("/")[0]
    if source not in sources_of(settings):
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
    found, unread = find_source_files(settings, source)
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
    described = source_of(settings, source)
    if described.identity:
        content_hash = described.identity(file.path, content_hash)
    if not is_judged(settings, source, content_hash):
        raise NotReloaded(f"landing/{file.path} has not been loaded yet, or has changed since: make run loads it.")
    loader = Loader(settings, source, report, time.monotonic())
    rows = loader.judge([file], set())
    if not rows or rows[0]["content_hash"] != content_hash:
        raise NotReloaded(loader.unread[0] if loader.unread else _gone(file.path))
    replace_rows(settings, source, rows, loader.load_id, {content_hash})
    return loader.summary()
