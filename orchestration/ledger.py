"""Logs of the ledger: one JSON object a line, only ever appended, on disk before the next step is taken.

A line is whole or it does not exist. A kill in the middle of a write leaves a torn last line: readers do not see it, and
the next writer cuts it off. The content of lines is documented where they are written: notifications/outbox.py,
alerts/ledger.py, budgets/announcements.py, weekly/editions.py, landing/set_aside.py.

A run reports as of an instant (`as_of`), and the ledger remembers the latest one: a run that reports as of an earlier instant
(a pinned TOKENTRAIL_AS_OF, a clock that jumped back) would take what it cannot see yet for something that no longer holds.
"""

import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, BinaryIO

import duckdb

from orchestration.storage import held, sync, write_whole
from orchestration.wording import second

Line = Mapping[str, object]  # to be written; what a log has is typed by the module that reads it
# Logs are history and keep the names that a line was written with: here they become the current names, by log.
RENAMED_FIELDS: dict[str, dict[str, str]] = {
    "outbox": {"incident_key": "topic"},
    "weekly_reports": {
        "fingerprint": "problem_id",
        "value": "member",
        "acknowledged_at": "assigned_at",
        "minutes_to_acknowledge": "minutes_to_assign",
    },
}
# Files that models read as they are when they are asked: without a line at first, or a model would have been built without them.
READ_BY_VIEWS = (
    *("alert_announcements/log.jsonl", "budget_announcements/log.jsonl"),
    *("outbox/messages.jsonl", "outbox/finished.jsonl"),
)
WRITER_WAIT_SECONDS = 10  # a writer holds the lock for milliseconds; ten seconds of it are a stopped process


@contextmanager
def one_writer(folder: Path) -> Iterator[Callable[[Iterable[Line]], None]]:
    """Holds the log of a folder and yields the function that appends lines to it.

    Raises LockHeldError when another process holds it for longer than WRITER_WAIT_SECONDS.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with held(folder / "_lock", WRITER_WAIT_SECONDS):
        yield lambda lines: _append(log_file(folder), lines)


def make_logs(ledger: Path) -> None:
    """Makes the files that models read and nobody has written yet, empty."""
    for name in READ_BY_VIEWS:
        path = ledger / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def log_file(folder: Path) -> Path:
    """The log of a folder of the ledger."""
    return folder / "log.jsonl"


def read_log(folder: Path) -> tuple[list[Any], int]:
    """The lines, oldest first, and how many cannot be read (a torn last line counts as not written)."""
    _, lines, unreadable = LogReader(folder).new_lines()
    return lines, unreadable


@dataclass
class LogReader:
    """How far the log of a folder was read: what was read before is not read again."""

    folder: Path
    begins: bytes | None = None  # its first line, of which no two logs have the same
    position: int = 0

    def new_lines(self) -> tuple[bool, list[Any], int]:
        """Whether this is another log than before, the lines since the last call (or all), and how many cannot be read."""
        path = log_file(self.folder)
        if not path.exists():
            return True, [], 0
        with path.open("rb") as file:
            first = file.readline()
            is_another = first != self.begins or self.position > os.fstat(file.fileno()).st_size
            if is_another:
                self.position = 0
            file.seek(self.position)
            *whole, last = file.read().split(b"\n")
        self.begins = first if first.endswith(b"\n") else None  # a line that is not finished may still become another
        self.position += sum(len(text) + 1 for text in whole)
        renamed = RENAMED_FIELDS.get(self.folder.name, {})
        lines = [_parsed(text, renamed) for text in whole if text]
        if _parsed(last, renamed):
            lines.append(_parsed(last, renamed))  # complete but for its line feed, which the next writer gives it
            self.position += len(last)
        return is_another, [line for line in lines if line is not None], lines.count(None)


def json_lines(rows: Iterable[Line]) -> str:
    """Rows as a file has them, instants in ISO form."""
    return "".join(json.dumps(row, default=datetime.isoformat, ensure_ascii=False) + "\n" for row in rows)


def rows_as_text(connection: duckdb.DuckDBPyConnection, sql: str, parameters: object = None) -> list[Any]:
    """Rows of the warehouse as a line has them, by column."""
    found = connection.execute(sql, parameters)
    names = [column[0] for column in found.description]
    return [{name: _as_text(value) for name, value in zip(names, row, strict=True)} for row in found.fetchall()]


def _as_text(value: object) -> object:
    """A value as a line has it: dates in ISO form, money in all its digits, ratios to six places."""
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, float):
        return f"{value:f}"
    return str(value) if isinstance(value, Decimal) else value


def replace_log(path: Path, text: str) -> None:
    """Replaces a file of the ledger, on disk before the next step is taken. A kill leaves the old one or the new one."""
    write_whole(path, text)
    sync(path.parent)


def why_too_early(folder: Path, lines: Iterable[Line], as_of: datetime) -> str | None:
    """The sentence that says why a run must not add to this part of the ledger: it reports as of an earlier instant than another did."""
    latest = _spoken_from(folder, lines)
    if latest is None or latest <= as_of:
        return None
    return (
        f"This run reports as of {second(as_of)} UTC, and {folder.name} in the ledger already has reports as of {second(latest)} "
        "UTC: nothing is announced, corrected or sent. A run as of then or later does that; docs/operate.md says more."
    )


def remember_instant(folder: Path, lines: Iterable[Line], as_of: datetime) -> None:
    """Keeps the instant as of which a run reported, also when it had nothing to report. Only the folder's writer may."""
    latest = _spoken_from(folder, lines)
    if latest is None or latest < as_of:
        replace_log(folder / "spoken_from", as_of.astimezone(UTC).isoformat() + "\n")


def _spoken_from(folder: Path, lines: Iterable[Line]) -> datetime | None:
    known = [str(line["known_at"]) for line in lines if "known_at" in line]
    with suppress(FileNotFoundError):
        known.append((folder / "spoken_from").read_text().strip())
    instants = []
    for text in known:
        with suppress(ValueError):  # an empty file is what a power cut may leave
            instants.append(datetime.fromisoformat(text))
    return max(instants, default=None)


def _parsed(text: bytes, renamed: Mapping[str, str]) -> dict[str, Any] | None:
    """The line, with the fields of every object in it under their current names; None for what is not a whole line."""
    try:
        line = json.loads(
            text, object_pairs_hook=lambda fields: {renamed.get(name, name): kept for name, kept in fields}
        )
    except ValueError:
        return None
    return line if isinstance(line, dict) else None


def _append(path: Path, lines: Iterable[Line]) -> None:
    """Appends lines in one write and waits until they are on disk. `recorded_at` is the clock's; all else is the caller's."""
    stamp = {"recorded_at": datetime.now(UTC).isoformat()}
    text = "".join(json.dumps({**line, **stamp}, ensure_ascii=False) + "\n" for line in lines)
    if not text:
        return
    is_new = not path.exists()
    with path.open("ab+") as file:
        _mend(file)
        file.write(text.encode())
    sync(path)
    if is_new:
        sync(path.parent)


def _mend(file: BinaryIO) -> None:
    """Ends a last line that lacks only its line feed; cuts off one that a kill left incomplete."""
    size = file.seek(0, os.SEEK_END)
    tail, start = b"", size
    while start and b"\n" not in tail:
        step = min(start, 65_536)
        start = file.seek(start - step)
        tail = file.read(step) + tail
    torn = tail.rpartition(b"\n")[2]
    if not torn:
        return
    if _parsed(torn, {}):
        file.write(b"\n")
    else:
        file.truncate(size - len(torn))
