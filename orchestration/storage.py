"""How files are written, and who may write: whole under their name or not at all, and one writer at a time.

The only module that renames what it has written, waits for the disk and locks. A file is written under a name that begins with
a dot and ends in `.partial`, which no reader looks at, and gets its own name by one rename. Every lock is freed by the kernel
when its owner ends, however it ends; who wants it waits a bounded time and then says who holds it.
"""

import fcntl
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from orchestration.settings import Settings
from orchestration.wording import second

OTHERS = 0o007
POLL_SECONDS = 0.01
START_SECONDS = 10  # only a run's own process wants the lock of its life


class LockHeldError(RuntimeError):
    """Another process holds a lock for longer than one could wait; the message says who and what to do."""

    def __init__(self, path: Path, owner: str):
        super().__init__(
            f"{path} is held by {owner}. Wait until it ends, or end it: the lock is freed with it, "
            "and the next run does what is left."
        )
        self.owner = owner


def partial_path(path: Path) -> Path:
    """The name under which a file or folder is made before it is whole."""
    return path.with_name(f".{path.name}.partial")


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """Yields a name to write to; what is there at the end appears as `path`, by one rename after it is on disk.

    An error or a kill leaves `path` as it was.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = partial_path(path)
    yield partial
    sync(partial)
    partial.replace(path)


def write_whole(path: Path, content: str | bytes) -> None:
    """Writes a small file so that a reader, or a kill, sees the old content or the new, never half of it."""
    with written_whole(path) as partial:
        partial.write_bytes(content.encode() if isinstance(content, str) else content)


def point_link(link: Path, target: Path) -> None:
    """Makes `link` point at `target` (a path as the link has it, relative to its folder) by one rename."""
    partial = partial_path(link)
    partial.unlink(missing_ok=True)
    partial.symlink_to(target)
    partial.replace(link)


def sync(path: Path) -> None:
    """Waits until a file is on disk; of a folder, the names in it, without which a new file does not survive a power cut."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def held(path: Path, wait_seconds: float) -> Iterator[None]:
    """Holds a lock file, which contains its owner's name. Raises LockHeldError when it is not free within `wait_seconds`."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        _lock(handle, path, wait_seconds)
        _write_owner(handle, f"process {os.getpid()} on {socket.gethostname()} since {second(datetime.now(UTC))} UTC\n")
        try:
            yield
        finally:
            _write_owner(handle, "")
            fcntl.flock(handle, fcntl.LOCK_UN)
    finally:
        os.close(handle)


def hold_for_life(path: Path) -> None:
    """Holds a lock file until this process ends; under its name it is never without its owner's lock.

    Raises LockHeldError when another process is about to hold it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = partial_path(path)
    handle = os.open(partial, os.O_RDWR | os.O_CREAT, 0o600)
    _lock(handle, partial, START_SECONDS)
    partial.replace(path)


def is_held(path: Path) -> bool:
    """Whether a process that lives holds a lock file. Raises FileNotFoundError when it does not exist."""
    handle = os.open(path, os.O_RDWR)
    try:
        return not _try_lock(handle)
    finally:
        os.close(handle)


def make_private(settings: Settings) -> None:
    """Let nobody but owner and group into the raw zone, the ledger, state and the warehouse; what is published stays readable.

    The umask does the same for what this process and its children write.
    """
    os.umask(os.umask(OTHERS) | OTHERS)
    for folder in (settings.raw, settings.ledger, settings.state):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    private = (settings.raw, settings.ledger, settings.state, *settings.data.glob("warehouse.duckdb*"))
    for path in filter(Path.exists, (*private, settings.team_memory)):  # which is written before a run begins
        if path.stat().st_mode & OTHERS:
            with suppress(PermissionError):  # somebody else's: who may read it is theirs to say
                path.chmod(path.stat().st_mode & 0o770)


def _lock(handle: int, path: Path, wait_seconds: float) -> None:
    ends = time.monotonic() + wait_seconds
    while not _try_lock(handle):
        if time.monotonic() >= ends:
            raise LockHeldError(path, _owner(path))
        time.sleep(POLL_SECONDS)


def _try_lock(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _owner(path: Path) -> str:
    try:
        named = path.read_text(errors="replace").strip()
    except OSError:
        named = ""
    return named or "a process that has just started"


def _write_owner(handle: int, text: str) -> None:
    """For the process that waits; the lock holds without it, on a full disk too."""
    with suppress(OSError):
        os.ftruncate(handle, 0)
        os.pwrite(handle, text.encode(), 0)
