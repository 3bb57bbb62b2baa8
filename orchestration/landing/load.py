"""One load: find, fetch, convert on every core, and name the result in a manifest last."""

import itertools
import os
import shutil
import sys
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import asdict, dataclass, field, replace
from datetime import date
from decimal import Decimal
from pathlib import Path

import numpy as np
import pyarrow as pa

from orchestration.landing.compaction import compact_held
from orchestration.landing.conversions import conversion_of
from orchestration.landing.convert import Converted, DateRows, merge, open_database
from orchestration.landing.fields import PRICE_KEY
from orchestration.landing.files import LandingFile, fetch, local_folder, raise_if_changed, reading
from orchestration.landing.lines import Block, count_lines, read_blocks
from orchestration.landing.manifests import judged_contents, manifest_path
from orchestration.landing.privacy import WITHHELD_UNREAD
from orchestration.landing.raw_zone import (
    MANIFEST,
    loaded_at,
    new_load_id,
    one_loader,
    remove_leftovers,
    spool,
    write_table,
)
from orchestration.landing.reasons import FILE_PROBLEMS
from orchestration.landing.rejects import RejectsFile
from orchestration.landing.sources import source_of
from orchestration.landing.superseding import replace_rows
from orchestration.landing.trouble import UnreadableNow, is_trouble, trouble_in_a_sentence
from orchestration.landing.waiting import new_and_unread
from orchestration.settings import Settings
from orchestration.storage import sync
from orchestration.wording import first_line

BATCH_BYTES = 96 << 20  # of text per conversion: some 200,000 events, a few hundred MB in a worker
MAPPED_BYTES = 32 << 20  # the same for lines with a mapping, which are taken apart with all that is in them
WHOLE_BYTES = 512 << 20  # of a file whose lines are read with those before them: more is read on its own
BATCH_ROWS = 200_000  # lines of two bytes take fifty times their text
SHORT_BYTES, SHORT_ROWS = 64, 32_768  # no event is so short: such lines are looked at in smaller batches
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
    rows_skipped: int = 0
    skips_by_reason: dict[str, int] = field(default_factory=dict)
    event_dates: list[date] = field(default_factory=list)
    duration_seconds: float = 0.0
    unread: list[str] = field(default_factory=list)  # sentences: files that cannot be read now, tried again next time

    def summary(self) -> dict:
        """Plain values (text, numbers, lists, dicts of them), for a run's metadata."""
        return asdict(self) | {"event_dates": [day.isoformat() for day in self.event_dates]}


def sum_of(loads: list[Load]) -> Load:
    """What several loads did together, under the id of the last."""
    rejects, skips = Counter[str](), Counter[str]()
    for load in loads:
        rejects.update(load.rejects_by_reason)
        skips.update(load.skips_by_reason)
    return Load(
        load_id=next((load.load_id for load in reversed(loads) if load.load_id), None),
        files=sum(load.files for load in loads),
        rows_in=sum(load.rows_in for load in loads),
        rows_loaded=sum(load.rows_loaded for load in loads),
        rows_rejected=sum(load.rows_rejected for load in loads),
        rejects_by_reason=dict(sorted(rejects.items())),
        rows_skipped=sum(load.rows_skipped for load in loads),
        skips_by_reason=dict(sorted(skips.items())),
        event_dates=sorted({day for load in loads for day in load.event_dates}),
        duration_seconds=round(sum(load.duration_seconds for load in loads), 3),
        unread=list(dict.fromkeys(sentence for load in loads for sentence in load.unread)),
    )


@dataclass
class Loading:
    """A landing file on its way through a load."""

    file: LandingFile
    path: Path | None = None
    content_hash: str | None = None
    status: str = "rejected"  # 'loaded' once its lines are judged
    chain: int = 0  # names its raw files: files converted together share them
    lines: int = 0  # read so far, those that broke included
    passed_over: int = 0  # refused lines that are not kept one by one
    unread_after: int | None = None  # the line at which it was given up
    total_lines: int | None = None  # of a file that was given up, where they could be counted
    dates: dict[date, DateRows] = field(default_factory=dict)
    rejects: Counter = field(default_factory=Counter)
    skips: Counter = field(default_factory=Counter)
    amounts: dict[str, Decimal] = field(default_factory=dict)  # of an invoice, by outcome and currency
    scopes: set[str] = field(default_factory=set)  # of an invoice: what it replaces

    @property
    def fetched(self) -> tuple[Path, str]:
        """Where its content is read, and the hash of it. Raises RuntimeError for a file that was not fetched."""
        if self.path is None or self.content_hash is None:
            raise RuntimeError(
                f"landing/{self.file.path} was to be read but was not fetched: this is a fault of the loader."
            )
        return self.path, self.content_hash


@dataclass
class Batch:
    """Tables of rows that are to be converted together: all of them lines, or all of them fields of the same types."""

    tables: list[pa.Table] = field(default_factory=list)
    types: dict[str, pa.DataType] = field(default_factory=dict)  # by column name
    size: int = 0
    rows: int = 0
    most_bytes: int = BATCH_BYTES

    def fits(self, table: pa.Table) -> bool:
        """Whether a table can be added. SQL takes names that differ in case only for one, so they may not meet."""
        if not self.tables:
            return True
        lower = {name.lower(): name for name in self.types}
        same = all((name in self.types) == (name in table.column_names) for name in ("line", "item"))
        return same and all(
            self.types.get(name, kind) == kind and lower.get(name.lower(), name) == name
            for name, kind in zip(table.column_names, table.schema.types, strict=True)
        )

    def add(self, table: pa.Table) -> None:
        """Adds a table that fits."""
        self.tables.append(table)
        self.types |= dict(zip(table.column_names, table.schema.types, strict=True))
        self.size += sum(column.nbytes for column in table.columns[2:])  # of what was sent
        self.rows += table.num_rows

    def is_full(self) -> bool:
        """Whether there is enough to convert."""
        most = BATCH_ROWS if self.size > SHORT_BYTES * self.rows else SHORT_ROWS
        return self.size > self.most_bytes or self.rows > most

    def whole(self) -> pa.Table:
        """Everything as one table."""
        return pa.concat_tables(self.tables, promote_options="default")


class Spoiled(Exception):  # noqa: N818
    """A file changed, vanished or became unreadable after some of it was converted: the load is done again without it."""

    def __init__(self, file: LandingFile, sentence: str | None):
        super().__init__(sentence or f"landing/{file.path} is gone.")
        self.file, self.sentence = file, sentence


def load_new_files(settings: Settings, source: str = "events", report: Callable[[str], None] | None = None) -> Load:
    """Loads every landing file of a source that no manifest knows; with none it writes nothing (an idle Load).

    `report` gets a progress sentence every few seconds of a longer load (default: standard error). Raises
    LoadInProgress when another loader is at work, and LoadStopped when this machine or the raw zone is in trouble: then
    nothing is recorded. A crash at any point leaves nothing a reader would see.
    """
    began, report = time.monotonic(), report or _to_stderr
    with one_loader(settings), trouble_in_a_sentence(settings, f"Loading {source}"):
        new, unread = new_and_unread(settings, source)
        if not new:
            return Load(unread=unread)
        (known, otherwise), load = judged_contents(settings, source, source_of(settings, source).mapping_hash), None
        try:
            while load is None:
                remove_leftovers(settings)
                spool(settings).mkdir(parents=True, exist_ok=True)
                try:
                    load = Loader(settings, source, report, began).run(new, set(known), otherwise)
                except Spoiled as spoiled:
                    unread += [spoiled.sentence] if spoiled.sentence else []
                    new = [file for file in new if file != spoiled.file]
            _compact_if_possible(settings, source, report)
        finally:
            shutil.rmtree(spool(settings), ignore_errors=True)
        return replace(load, unread=unread + load.unread)


def _compact_if_possible(settings: Settings, source: str, report: Callable[[str], None]) -> None:
    """The load is complete, and stays so whatever becomes of tidying up after it."""
    try:
        compact_held(settings, source)
    except Exception as error:
        if not (is_trouble(error) or isinstance(error, RuntimeError)):
            raise
        report(f"{source}: everything is loaded, but small files were left as they are ({first_line(error)}).")


def _to_stderr(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


class Loader:
    """The state that the steps of one load share. Everything but fetching, converting and merging is on one thread."""

    def __init__(self, settings: Settings, source: str, report: Callable[[str], None], began: float):
        self.settings, self.source, self.report = settings, source, report
        self.described = source_of(settings, source)
        self.convert = conversion_of(source, self.described, settings.team)
        self.began = self.reported_at = began
        self.load_id = new_load_id()
        self.workers = settings.threads or os.cpu_count() or 1
        self.loading: list[Loading] = []
        self.by_hash: dict[str, Loading] = {}
        self.parts: dict[tuple[int, date], list[Path]] = {}
        self.part_numbers = itertools.count()
        self.unread: list[str] = []
        self.rows = 0
        path = settings.raw / "_rejects" / f"load={self.load_id}.parquet"
        self.rejects = RejectsFile(path, source, self.load_id, settings.id_secret)

    def run(self, new: list[LandingFile], hashes: set[str], otherwise: set[str]) -> Load:
        """Loads the files; `hashes` are the contents that are loaded already, `otherwise` those judged with another mapping.

        What these become now is all that counts of them. Raises Spoiled, and errors of the machine.
        """
        rows = self.judge(new, hashes)
        again = {row["content_hash"] for row in rows} & otherwise
        if again:
            replace_rows(self.settings, self.source, rows, self.load_id, again)
        elif rows:
            write_table(pa.Table.from_pylist(rows, MANIFEST), manifest_path(self.settings, self.load_id))
        return self.summary()

    def judge(self, new: list[LandingFile], hashes: set[str]) -> list[dict]:
        """Writes what becomes of the files, and returns the rows of a manifest that makes it exist."""
        with (
            open_database(self.settings.memory_limit, spool(self.settings), self.settings.id_secret) as database,
            ThreadPoolExecutor(self.workers) as pool,
        ):
            self._convert_all(self._batches(self._fetched(new, hashes, pool), database), database, pool, len(new))
            for loading in self.loading:
                if loading.passed_over or loading.unread_after is not None:
                    self._reject(loading, 0, "", "file_given_up", self._given_up(loading))
            settled = pool.map(lambda key: self._settle(database, *key), self.parts)
            raw_files = dict(zip(self.parts, settled, strict=True))
        self.rejects.close()
        return [row for loading in self.loading for row in self._manifest_rows(loading, raw_files)]

    def _fetched(self, new: list[LandingFile], hashes: set[str], pool: ThreadPoolExecutor) -> Iterator[Loading]:
        """The files to read, by path, fetched some way ahead; those that need no reading are settled here."""
        waiting, ahead = iter(new), deque[tuple[LandingFile, Future | None]]()
        while True:
            while len(ahead) < 2 * self.workers and (file := next(waiting, None)):
                fetching = None
                if not file.problem:
                    fetching = pool.submit(fetch, self.settings.landing, file, spool(self.settings))
                ahead.append((file, fetching))
            if not ahead:
                return
            loading = self._arrived(*ahead.popleft())
            if loading is None or loading.file.problem:
                continue
            _, content_hash = loading.fetched
            if content_hash in hashes:
                loading.status = "already_loaded"
                self._forget_copy(loading)
                continue
            self.by_hash[content_hash] = loading
            yield loading
            if loading.status == "loaded":
                hashes.add(content_hash)

    def _arrived(self, file: LandingFile, fetching: Future | None) -> Loading | None:
        loading = Loading(file)
        if fetching:
            try:
                loading.path, loading.content_hash = fetching.result()
                if self.described.identity:
                    loading.content_hash = self.described.identity(file.path, loading.content_hash)
            except FileNotFoundError:
                return None  # withdrawn since it was listed
            except UnreadableNow as error:
                self.unread.append(str(error))
                return None
        elif file.problem:
            self._reject(loading, 0, "", file.problem, file.detail or FILE_PROBLEMS[file.problem])
        self.loading.append(loading)
        return loading

    def _batches(self, files: Iterable[Loading], database) -> Iterator[tuple[int, pa.Table] | None]:
        """(chain, lines) of about BATCH_BYTES. Many small files make one batch; the batches of a large one, a chain.

        None asks for what became of the batches so far: a file that is refused nearly whole is given up.
        """
        is_whole = self.described.mapping is not None and not self.described.mapping.is_split
        batch, chain = self._batch(), 0
        for number, loading in enumerate(files):
            chain = chain if batch.tables else number
            loading.chain, is_cut = chain, False
            for block in self._blocks(loading, database):
                for broken in block.broken:
                    line = WITHHELD_UNREAD if self.described.mapping and broken.line else broken.line
                    self._reject(loading, broken.line_number, line, broken.reason_code, broken.detail)
                if len(block.numbers) or any(broken.line_number for broken in block.broken) or not block.broken:
                    loading.status = "loaded"
                loading.lines += len(block.numbers) + len(block.broken)
                if len(block.numbers):
                    stem = loading.file.stem if self.described.mapping else None
                    stem = loading.file.path if self.described.identity else stem
                    table = table_of(loading.fetched[1], block, stem)
                    if not batch.fits(table):
                        yield chain, batch.whole()
                        batch, is_cut = self._batch(), True
                    batch.add(table)
                is_doubtful = self._is_hopeless(loading)
                if batch.tables and ((batch.is_full() and not is_whole) or batch.size > WHOLE_BYTES or is_doubtful):
                    yield chain, batch.whole()
                    batch, is_cut = self._batch(), True
                if is_doubtful:
                    yield None
                    if self._is_hopeless(loading):
                        loading.unread_after = _last_line(block)
                        break
            self._check_unchanged(loading)
            if batch.tables and (is_cut or (is_whole and batch.is_full())):
                yield chain, batch.whole()
                batch = self._batch()
        if batch.tables:
            yield chain, batch.whole()

    def _batch(self) -> Batch:
        return Batch(most_bytes=MAPPED_BYTES if self.described.reads_documents else BATCH_BYTES)

    def _blocks(self, loading: Loading, database) -> Iterator[Block]:
        path, _ = loading.fetched
        try:
            with reading(loading.file):
                takes_fields, has_batches = self.described.takes_fields, self.described.reads_documents
                as_texts = self.described.identity is not None
                extension = loading.file.extension
                pages = self.described.mapping.pages if self.described.mapping else ()
                yield from read_blocks(
                    path, extension, self.settings, database, takes_fields, has_batches, as_texts, pages
                )
        except (FileNotFoundError, UnreadableNow) as error:
            gone = isinstance(error, FileNotFoundError)
            raise Spoiled(loading.file, None if gone else str(error)) from error

    def _is_hopeless(self, loading: Loading) -> bool:
        refused = loading.rejects.total() + loading.passed_over
        return is_hopeless(refused, sum(rows.rows for rows in loading.dates.values()), self.settings)

    def _given_up(self, loading: Loading) -> str:
        refused = loading.rejects.total() + loading.passed_over
        sentence = f"{refused:,} of {loading.lines:,} lines read were refused"
        if loading.passed_over:
            sentence += f", {loading.passed_over:,} of them not kept one by one"
        if loading.unread_after is not None:
            lines = loading.total_lines
            more = f"{max(0, lines - loading.unread_after):,} lines" if lines is not None else "all"
            sentence += f"; {more} after line {loading.unread_after:,} were left unread"
        return sentence

    def _check_unchanged(self, loading: Loading) -> None:
        """A local file that was still written while it was read spoils the load; one that vanished was read to its end."""
        path, _ = loading.fetched
        if loading.unread_after is not None:
            loading.total_lines = count_lines(path, loading.file.extension, self.settings)
        try:
            if local_folder(self.settings.landing):
                with suppress(FileNotFoundError):
                    raise_if_changed(path, loading.file)
        except UnreadableNow as error:
            raise Spoiled(loading.file, str(error)) from error
        self._forget_copy(loading)

    def _forget_copy(self, loading: Loading) -> None:
        if not local_folder(self.settings.landing):
            path, _ = loading.fetched
            path.unlink()

    def _convert_all(
        self, batches: Iterable[tuple[int, pa.Table] | None], database, pool: ThreadPoolExecutor, files: int
    ) -> None:
        """Keeps every worker busy and at most one batch waiting, so that memory does not grow with the landing zone."""
        running: deque[Future] = deque()
        for batch in batches:
            while len(running) > (self.workers if batch else 0):
                self._collect(running.popleft().result(), files)
            if batch:
                running.append(pool.submit(self._convert, database, *batch))
        while running:
            self._collect(running.popleft().result(), files)

    def _convert(self, database, chain: int, lines: pa.Table) -> tuple[int, Converted]:
        def part(day: date) -> Path:
            folder = self.settings.raw / self.source / f"event_date={day}"
            return folder / f"load={self.load_id}-{chain}.part{next(self.part_numbers)}.parquet"

        give_up = (self.settings.give_up_rejects, self.settings.give_up_share)
        with closing(database.cursor()) as worker:
            return chain, self.convert(worker, lines, part, self.load_id, self.settings.id_secret, give_up)

    def _collect(self, result: tuple[int, Converted], files: int) -> None:
        chain, converted = result
        for (content_hash, day), more in converted.dates.items():
            self.by_hash[content_hash].dates.setdefault(day, DateRows()).include(more)
            self.rows += more.rows
        for day, paths in converted.parts.items():
            self.parts.setdefault((chain, day), []).extend(paths)
        for content_hash, lines in converted.passed_over.items():
            self.by_hash[content_hash].passed_over += lines
        for content_hash, skips in converted.skips.items():
            self.by_hash[content_hash].skips.update(skips)
        for content_hash, amounts in converted.amounts.items():
            sums = self.by_hash[content_hash].amounts
            sums.update({key: sums.get(key, Decimal(0)) + amount for key, amount in amounts.items()})
        for content_hash, scopes in converted.scopes.items():
            self.by_hash[content_hash].scopes |= scopes
        for content_hash, line_number, item, reason, line in converted.rejects:
            code, _, detail = reason.partition("\t")
            self._reject(self.by_hash[content_hash], line_number, line, code, detail, item)
        now = time.monotonic()
        if now - self.reported_at > PROGRESS_SECONDS:
            self.reported_at, rate = now, self.rows / (now - self.began)
            self.report(
                f"{self.source}: {len(self.loading)} of {files} files read, {self.rows:,} rows, {rate:,.0f} rows/s"
            )

    def _reject(self, loading: Loading, line_number: int, line: str, code: str, detail: str, item: int = 1) -> None:
        loading.rejects[code] += 1
        self.rejects.add(loading.file, loading.content_hash, line_number, line, code, detail, item)

    def _settle(self, database, chain: int, day: date) -> str:
        """Gives the parts of a chain and date their one name; returns it relative to the raw root."""
        parts = self.parts[chain, day]
        target = parts[0].with_name(f"load={self.load_id}-{chain}.parquet")
        if len(parts) == 1:
            parts[0].rename(target)
        else:
            with closing(database.cursor()) as worker:
                merge(worker, parts, target)
            for part in parts:
                part.unlink()
        sync(target)
        return target.relative_to(self.settings.raw).as_posix()

    def _manifest_rows(self, loading: Loading, raw_files: dict[tuple[int, date], str]) -> list[dict]:
        file, rejected, skipped = loading.file, loading.rejects.total(), loading.skips.total()
        same = {
            "load_id": self.load_id,
            "loaded_at": loaded_at(self.load_id),
            "source": self.source,
            "landing_file": file.path,
            "arrival_date": file.arrival_date,
            "content_hash": loading.content_hash,
            "size_bytes": file.size_bytes,
            "modified_at": file.modified_at,
            "file_status": loading.status,
            "mapping_hash": self.described.mapping_hash,
            "rows_skipped": 0,
        }
        rows = [
            same
            | {
                "event_date": day,
                "rows_in": day_rows.rows,
                "rows_loaded": day_rows.rows,
                "rows_rejected": 0,
                "first_occurred_at": day_rows.first_occurred_at,
                "last_occurred_at": day_rows.last_occurred_at,
                "raw_file": raw_files[loading.chain, day],
                "price_keys": [
                    dict(zip(PRICE_KEY, key, strict=True)) for key in sorted(day_rows.price_keys, key=_nulls_first)
                ],
                "rejects_by_reason": {},
            }
            for day, day_rows in sorted(loading.dates.items())
        ]
        if rejected or skipped or loading.scopes or not rows:
            counts = {
                "rows_in": rejected + skipped,
                "rows_loaded": 0,
                "rows_rejected": rejected,
                "rows_skipped": skipped,
            }
            rejects_file = self.rejects.path.relative_to(self.settings.raw).as_posix() if rejected else None
            reasons = {"rejects_by_reason": dict(sorted(loading.rejects.items())), "rejects_file": rejects_file}
            reasons |= {"skips_by_reason": dict(sorted(loading.skips.items()))}
            of_invoice = {"amounts": sorted(loading.amounts.items()), "scopes": sorted(loading.scopes)}
            rows.append(same | counts | reasons | {"price_keys": []} | of_invoice)
        return rows

    def summary(self) -> Load:
        """What this load did."""
        if not self.loading:
            return Load(unread=self.unread)
        rejects = sum((loading.rejects for loading in self.loading), Counter())
        skips = sum((loading.skips for loading in self.loading), Counter())
        return Load(
            load_id=self.load_id,
            files=len(self.loading),
            rows_in=self.rows + rejects.total() + skips.total(),
            rows_loaded=self.rows,
            rows_rejected=rejects.total(),
            rejects_by_reason=dict(sorted(rejects.items())),
            rows_skipped=skips.total(),
            skips_by_reason=dict(sorted(skips.items())),
            event_dates=sorted({day for loading in self.loading for day, rows in loading.dates.items() if rows.rows}),
            duration_seconds=round(time.monotonic() - self.began, 3),
            unread=self.unread,
        )


def is_hopeless(refused: int, taken: int, settings: Settings) -> bool:
    """Whether nearly all of the lines whose fate is known are refused, and they are many: then a file is given up."""
    return refused > settings.give_up_rejects and refused >= settings.give_up_share * (refused + taken)


def table_of(content_hash: str, block: Block, stem: str | None = None) -> pa.Table:
    """The lines of a block, or the fields in place of them, as `convert` takes them.

    For a mapping, each line comes with its item and the name of its file without folders and ending (`stem`).
    """
    hashes = pa.DictionaryArray.from_arrays(np.zeros(len(block.numbers), np.int32), [content_hash])
    same = pa.table({"content_hash": hashes, "line_number": block.numbers})
    if block.items is not None or stem is not None:
        items = np.ones(len(block.numbers), np.int64) if block.items is None else block.items
        same = same.append_column("item", pa.array(items))
    if stem is not None:
        files = pa.DictionaryArray.from_arrays(np.zeros(len(block.numbers), np.int32), [stem])
        same = same.append_column("file", files)
    if block.fields is None:
        return same.append_column("line", block.lines)
    return pa.table([*same.columns, *block.fields.columns], names=same.column_names + block.fields.column_names)


def _last_line(block: Block) -> int:
    return max([*block.numbers[-1:].tolist(), *(broken.line_number for broken in block.broken)])


def _nulls_first(key: tuple) -> tuple:
    return tuple((value is not None, value) for value in key)
