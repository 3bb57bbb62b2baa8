"""The landing loader: new files become typed rows in the raw zone, each line loaded once or rejected with a reason.

files.py finds and fetches them, lines.py makes JSON lines of every format, convert.py types and judges the lines in
SQL, privacy.py keeps bodies and plain ids out, rejects.py writes what was refused, manifests.py says what exists, and
compaction.py keeps small files few. Loading never opens the warehouse.
"""

import itertools
import os
import shutil
import sys
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import date
from pathlib import Path
from threading import local

import numpy as np
import pyarrow as pa

from orchestration.landing.compaction import compact, compact_held
from orchestration.landing.convert import Converted, DateRows, convert, merge, open_database
from orchestration.landing.fields import PRICE_KEY
from orchestration.landing.files import LandingFile, UnreadableNow, fetch, find_files, local_folder, raise_if_changed
from orchestration.landing.lines import Broken, read_blocks
from orchestration.landing.manifests import (
    MANIFEST,
    LoadInProgress,
    files_with_missing_rows,
    known_files,
    loaded_at,
    manifest_files,
    manifest_path,
    manifest_rows_sql,
    new_load_id,
    one_loader,
    remove_leftovers,
    spool,
    sync,
    write_table,
)
from orchestration.landing.rejects import FILE_PROBLEMS, RejectsFile
from orchestration.settings import Settings

__all__ = [
    "Load",
    "LoadInProgress",
    "compact",
    "files_with_missing_rows",
    "load_new_files",
    "manifest_files",
    "manifest_rows_sql",
]

BATCH_BYTES = 96 << 20  # of text per conversion: some 200,000 events, so a worker stays below a few hundred MB
PROGRESS_SECONDS = 3.0


@dataclass(frozen=True)
class Load:
    """What one call of `load_new_files` did; `load_id` is None when there was nothing new."""

    load_id: str | None = None
    files: int = 0
    rows_in: int = 0
    rows_loaded: int = 0
    rows_rejected: int = 0
    rejects_by_reason: dict[str, int] = field(default_factory=dict)
    event_dates: list[date] = field(default_factory=list)
    duration_seconds: float = 0.0
    unread: list[str] = field(default_factory=list)  # sentences: files that could not be read now, tried again next time

    def summary(self) -> dict:
        """Plain values (text, numbers, lists), for a run's metadata."""
        return asdict(self) | {"event_dates": [day.isoformat() for day in self.event_dates]}


@dataclass
class Loading:
    """A landing file on its way through a load."""

    file: LandingFile
    path: Path | None = None
    content_hash: str = ""
    status: str = "rejected"  # until its lines are judged
    chain: int = 0
    dates: dict[date, DateRows] = field(default_factory=dict)
    rejects: Counter = field(default_factory=Counter)


def load_new_files(settings: Settings, source: str = "events", report: Callable[[str], None] | None = None) -> Load:
    """Loads every landing file of a source that no manifest knows; with none it writes nothing and returns an idle Load.

    `report` gets a progress sentence every few seconds of a longer load (default: standard error). Raises
    LoadInProgress when another loader is at work. A crash at any point leaves nothing a reader would see.
    """
    began = time.monotonic()
    with one_loader(settings):
        known, hashes = known_files(settings, source)
        found = find_files(settings.landing, source)
        new = [file for file in found if (file.path, file.size_bytes, file.modified_at) not in known]
        if not new:
            return Load()
        remove_leftovers(settings)
        spool(settings).mkdir(parents=True)
        try:
            load = _Loader(settings, source, report or _to_stderr, began).run(new, hashes)
            compact_held(settings, source)
        finally:
            shutil.rmtree(spool(settings), ignore_errors=True)
        return load


def _to_stderr(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


class _Loader:
    """One load: the state its steps share."""

    def __init__(self, settings: Settings, source: str, report: Callable[[str], None], began: float):
        self.settings, self.source, self.report, self.began = settings, source, report, began
        self.load_id, self.unread = new_load_id(), []
        self.loading: list[Loading] = []
        self.by_hash: dict[str, Loading] = {}
        self.parts: dict[tuple[int, date], list[Path]] = {}
        self.part_numbers, self.rows, self.told = itertools.count(), 0, began
        self.workers = settings.threads or os.cpu_count() or 1

    def run(self, new: list[LandingFile], hashes: set[str]) -> Load:
        """Reads on this thread, converts on the workers, names the results in a manifest last."""
        rejects_path = self.settings.raw / "_rejects" / f"load={self.load_id}.parquet"
        database = open_database(self.settings.memory_limit, spool(self.settings), self.settings.id_secret)
        with database, ThreadPoolExecutor(self.workers) as pool:
            with RejectsFile(rejects_path, self.source, self.load_id, self.settings.id_secret) as self.rejects:
                self._convert_all(self._batches(self._fetched(new, hashes, pool)), database, pool, len(new))
            raw_files = dict(zip(self.parts, pool.map(lambda key: self._settle(database, key), self.parts), strict=True))
        if not self.loading:
            return Load(unread=self.unread)
        rejects_file = rejects_path.relative_to(self.settings.raw).as_posix()
        rows = [row for loading in self.loading for row in self._manifest_rows(loading, raw_files, rejects_file)]
        write_table(pa.Table.from_pylist(rows, MANIFEST), manifest_path(self.settings, self.load_id))
        return self._summary(rows)

    def _fetched(self, new: list[LandingFile], hashes: set[str], pool: ThreadPoolExecutor) -> Iterator[Loading]:
        """Files within reach, in order of path, fetched some way ahead; those that need no reading are settled here."""
        ahead: deque[tuple[LandingFile, Future | None]] = deque()
        waiting = iter(new)
        while True:
            while len(ahead) < 2 * self.workers and (file := next(waiting, None)):
                future = None if file.problem in FILE_PROBLEMS else pool.submit(fetch, self.settings.landing, file, spool(self.settings))
                ahead.append((file, future))
            if not ahead:
                return
            file, future = ahead.popleft()
            loading = Loading(file)
            if future:
                try:
                    loading.path, loading.content_hash = future.result()
                except FileNotFoundError:
                    continue  # withdrawn since it was listed
                except (UnreadableNow, PermissionError) as error:
                    self.unread.append(str(error))
                    continue
            self.loading.append(loading)
            if file.problem:
                self._reject_file(loading, FILE_PROBLEMS_OR_READ[file.problem])
            elif loading.content_hash in hashes:
                loading.status = "already_loaded"
            else:
                hashes.add(loading.content_hash)
                self.by_hash[loading.content_hash] = loading
                yield loading
