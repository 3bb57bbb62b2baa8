"""Logs of the ledger: one JSON object a line, only ever appended, on disk before the next step is taken.

A line is whole or it does not exist. A kill in the middle of a write leaves a torn last line: readers do not see it, and
the next writer cuts it off. What the lines say stands where they are written: notifications/outbox.py, budget_announcements.py.
"""

import json
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock, Timeout

Line = dict[str, object]
WRITER_WAIT_SECONDS = 10  # a writer holds the lock for milliseconds; ten seconds of it are a stopped process


class LedgerBusyError(RuntimeError):
    """Another process holds a part of the ledger; the message says what to do."""


@contextmanager
def one_writer(folder: Path) -> Iterator[Callable[[Iterable[Line]], None]]:
    """Holds the log of a folder and yields the function that appends lines to it. The kernel frees the lock with its owner."""
    folder.mkdir(parents=True, exist_ok=True)
    with held(folder / "_lock", WRITER_WAIT_SECONDS):
        yield lambda lines: _append(log_file(folder), lines)


@contextmanager
def held(path: Path, wait_seconds: float) -> Iterator[None]:
    """Holds a lock file. Raises LedgerBusyError when another process has it for longer than `wait_seconds`."""
    lock = FileLock(path, poll_interval=0.01)
    try:
        lock.acquire(timeout=wait_seconds)
    except Timeout:
        raise LedgerBusyError(
            f"{path}: another process writes here. Wait until it ends, or end it: the lock is freed with it, "
            "and the next run does what is left."
        ) from None
    try:
        yield
    finally:
        lock.release()


def log_file(folder: Path) -> Path:
    """The log of a folder of the ledger."""
    return folder / "log.jsonl"


def read_log(folder: Path) -> tuple[list[Line], int]:
    """The lines, oldest first, and how many cannot be read (a torn last line counts as not written)."""
    path = log_file(folder)
    if not path.exists():
        return [], 0
    *whole, last = path.read_bytes().split(b"\n")
    lines = [_parsed(text) for text in whole if text]
    if _parsed(last):
        lines.append(_parsed(last))  # complete but for its line feed
    return [line for line in lines if line is not None], lines.count(None)


def _parsed(text: bytes) -> Line | None:
    try:
        line = json.loads(text)
    except ValueError:
        return None
    return line if isinstance(line, dict) else None


def _append(path: Path, lines: Iterable[Line]) -> None:
    """Appends lines in one write and waits until they are on disk. `recorded_at` is the clock's; all else is the caller's."""
    stamp = {"recorded_at": datetime.now(UTC).isoformat()}
    text = "".join(json.dumps(line | stamp, ensure_ascii=False) + "\n" for line in lines)
    if not text:
        return
    is_new = not path.exists()
    with path.open("ab+") as file:
        _mend(file)
        file.write(text.encode())
        file.flush()
        os.fsync(file.fileno())
    if is_new:
        _sync_folder(path.parent)


def _mend(file) -> None:
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
    if _parsed(torn):
        file.write(b"\n")
    else:
        file.truncate(size - len(torn))


def _sync_folder(folder: Path) -> None:
    """A new file survives a power cut only when its folder is on disk too."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
