"""The published marts, as pages read them: the current publication at every request, and the last good one where it is damaged.

One DuckDB in memory attaches each publication under a name of its own, because a path that is open gives the file that it had when it
was opened. A request reads one publication from beginning to end; a former one is let go with its last reader.
"""

import json
import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb

from orchestration.settings import Settings

Row = dict[str, Any]
MEMORY, THREADS = "88MB", "2"  # a page reads a few days of a few columns; the rest of this is a cache of blocks
AT_ONCE = 2  # requests that read: more would share the same cores, and each would need its memory
SECONDS = 10  # that a request may read, and may wait for its turn
BATCH = 2_000  # rows that are fetched together
TRIES = 3  # to find the link still naming what was attached
CONFIG: dict[str, str | bool | int | float | list[str]] = {
    "memory_limit": MEMORY,
    "threads": THREADS,
    "allocator_flush_threshold": "16MB",
    "allocator_background_threads": "true",
    "temp_directory": "",
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
}
log = logging.getLogger(__name__)


class UnreadableError(RuntimeError):
    """A page that cannot be shown now; the message says why and what to do."""

    def __init__(self, title: str, sentence: str):
        super().__init__(sentence)
        self.title, self.sentence = title, sentence


@dataclass
class Publication:
    """A publication that is attached."""

    schema: str  # the name that it is attached under
    identity: tuple
    id: str
    as_of: datetime
    published_at: datetime | None
    columns: dict[str, frozenset[str]]
    readers: int = 0
    # what many pages ask, and does not change in a publication
    kept: dict[Any, Any] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def names(self) -> str:
        """The table in memory with the names that calls have, once somebody has searched."""
        return f"names_of_{self.schema}"

    @property
    def folder(self) -> Path:
        """Where its other files are."""
        return Path(self.identity[0])


@dataclass
class Marts:
    """What one request reads: rows as dictionaries, values always as parameters."""

    connection: duckdb.DuckDBPyConnection
    publication: Publication
    is_stale: bool  # a newer publication is there and cannot be read
    milliseconds: float = field(default=0.0)
    is_late: threading.Event = field(default_factory=threading.Event)  # once it may read no longer

    def rows(self, sql: str, **parameters: object) -> list[Row]:
        """All rows of a query. Raises UnreadableError where it takes too long or too much memory."""
        return list(self.stream(sql, **parameters))

    def stream(self, sql: str, **parameters: object) -> Iterator[Row]:
        """The rows of a query one after the other: a file of 100,000 need not be in memory as dictionaries."""
        started = time.perf_counter()
        try:
            if self.is_late.is_set():
                raise duckdb.InterruptException
            cursor = self.connection.execute(sql, parameters or None)
            names = [column[0] for column in cursor.description or ()]
            while rows := cursor.fetchmany(BATCH):
                yield from (dict(zip(names, row, strict=True)) for row in rows)
        except duckdb.InterruptException:
            raise UnreadableError(
                "This takes too long",
                f"Reading was stopped after {SECONDS} seconds. Choose fewer days, or a filter more.",
            ) from None
        except (duckdb.CatalogException, duckdb.BinderException) as error:
            log.warning("The publication lacks something: %s", str(error).splitlines()[0])
            raise UnreadableError(
                "This page needs the next publication",
                "The published file was made by another release of Tokentrail and lacks what this page shows: `make run` "
                "publishes again.",
            ) from None
        except duckdb.OutOfMemoryException:
            raise UnreadableError(
                "This needs too much memory", f"A page may use {MEMORY}. Choose fewer days, or a filter more."
            ) from None
        finally:
            self.milliseconds += (time.perf_counter() - started) * 1000

    def row(self, sql: str, **parameters: object) -> Row | None:
        """The first row of a query, if there is one."""
        return next(iter(self.rows(sql, **parameters)), None)


class Reader:
    """Opens publications for requests and lets them go."""

    def __init__(self, settings: Settings):
        self._link = settings.published
        self._file = settings.published_marts.name
        self._lock = threading.Lock()
        self._turns = threading.BoundedSemaphore(AT_ONCE)
        self._attached: list[Publication] = []  # the current one last
        self._damaged: tuple | None = None
        self._number = 0
        self._database = duckdb.connect(config=CONFIG)
        self._database.execute("set TimeZone = 'UTC'")
        folder = str(settings.publications.resolve()).replace("'", "''")
        self._database.execute(f"set allowed_directories = ['{folder}']")
        self._database.execute("set enable_external_access = false")

    def close(self) -> None:
        """Lets every publication go; nothing can be read from here on."""
        self._database.close()

    @contextmanager
    def reading(self) -> Iterator[Marts]:
        """The current publication, for one request. Raises UnreadableError with a sentence."""
        if not self._turns.acquire(timeout=SECONDS):
            raise UnreadableError("Many are reading", "All turns are taken. Load the page again in a few seconds.")
        try:
            publication, is_stale = self._take()
            try:
                with self._connected(publication, is_late := threading.Event()) as connection:
                    yield Marts(connection, publication, is_stale, is_late=is_late)
            finally:
                self._let_go(publication)
        finally:
            self._turns.release()

    @contextmanager
    def _connected(self, publication: Publication, is_late: threading.Event) -> Iterator[duckdb.DuckDBPyConnection]:
        connection = self._database.cursor()

        def stop() -> None:
            is_late.set()  # between two queries there is nothing to interrupt
            connection.interrupt()

        timer = threading.Timer(SECONDS, stop)
        timer.daemon = True
        try:
            connection.execute(f"use {publication.schema}.marts")
            timer.start()
            yield connection
        finally:
            timer.cancel()
            connection.close()

    def _take(self) -> tuple[Publication, bool]:
        with self._lock:
            is_stale = not self._is_current()
            if not self._attached:
                raise UnreadableError(
                    "Nothing can be read yet",
                    "The published file cannot be opened: `make run` makes a new one."
                    if is_stale and self._damaged
                    else "Nothing is published yet: `make run` publishes, or `make demo` with simulated calls.",
                )
            publication = self._attached[-1]
            publication.readers += 1
            return publication, is_stale

    def _is_current(self) -> bool:
        """Attaches what the link names now, unless it is attached or known to be damaged; whether it is readable."""
        for _ in range(TRIES):
            identity = self._identity()
            if self._attached and self._attached[-1].identity == identity:
                return True
            if identity is None or identity == self._damaged:
                return False
            try:
                self._attach(identity)
            except duckdb.Error as error:
                log.warning("The publication %s cannot be read: %s", identity[0], str(error).splitlines()[0])
                if self._identity() == identity:
                    self._damaged = identity
                    return False
        return bool(self._attached)

    def _identity(self) -> tuple | None:
        try:
            folder = self._link.resolve(strict=True)
            found = (folder / self._file).stat()
        except (OSError, RuntimeError):
            return None
        return str(folder), found.st_ino, found.st_mtime_ns, found.st_size

    def _attach(self, identity: tuple) -> None:
        self._number += 1
        schema, folder = f"published_{self._number}", Path(identity[0])
        address = str(folder / self._file).replace("'", "''")
        connection = self._database.cursor()
        connection.execute(f"attach '{address}' as {schema} (read_only)")
        try:
            connection.execute(f"use {schema}.marts")
            [(as_of,)] = connection.execute("select as_of from publication").fetchall()
            columns = connection.execute(COLUMNS, [schema]).fetchall()
        except (duckdb.Error, ValueError) as error:
            connection.execute("use memory")
            connection.execute(f"detach {schema}")
            raise duckdb.IOException(f"it has no publication: {error}") from None
        by_mart: dict[str, set[str]] = {}
        for mart, column in columns:
            by_mart.setdefault(mart, set()).add(column)
        self._attached.append(
            Publication(
                schema=schema,
                identity=identity,
                id=folder.name,
                as_of=as_of,
                published_at=_published_at(folder),
                columns={mart: frozenset(names) for mart, names in by_mart.items()},
            )
        )
        self._detach_former()

    def _let_go(self, publication: Publication) -> None:
        with self._lock:
            publication.readers -= 1
            self._detach_former()

    def _detach_former(self) -> None:
        for former in [each for each in self._attached[:-1] if not each.readers]:
            self._attached.remove(former)
            self._database.cursor().execute(f"detach {former.schema}; drop table if exists memory.main.{former.names}")


COLUMNS = "select table_name, column_name from duckdb_columns() where database_name = ? and schema_name = 'marts'"


def _published_at(folder: Path) -> datetime | None:
    try:
        text = json.loads((folder / "marts.json").read_text())["published_at"]
        return datetime.fromisoformat(text)
    except (OSError, ValueError, KeyError, TypeError):
        return None
