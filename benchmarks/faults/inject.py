"""Counts a process's calls on its data root, and makes the n-th of them fail, or the process end there.

Counted are what Python's audit hooks see of files (open, rename, link, remove, make, list), fsync, statements of DuckDB, row groups
written by pyarrow, and connections to receivers. What native code does between two of these is reached by another fault: a limit on
the size of files, which ends a write in the middle as a full disk does.
"""

import contextlib
import errno
import os
import resource
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
import pyarrow.parquet

FILES = {
    *(
        "open",
        "os.rename",
        "os.link",
        "os.symlink",
        "os.remove",
        "os.mkdir",
        "os.rmdir",
        "os.chmod",
        "os.truncate",
        "os.utime",
    ),
    *("os.listdir", "os.scandir", "shutil.copyfile"),
}
TAKES_SPACE = {
    "open",
    "os.rename",
    "os.link",
    "os.symlink",
    "os.mkdir",
    "shutil.copyfile",
    "fsync",
    "duckdb",
    "parquet",
}
ACTIONS = ("enospc", "eio", "kill")
SAID = {"enospc": (errno.ENOSPC, "No space left on device"), "eio": (errno.EIO, "Input/output error")}


@dataclass
class Plan:
    """What happens at which call; `seen` is how many have been counted."""

    root: str = ""
    at: int = 0  # 0: only count
    action: str = "eio"
    observe: Callable[[str], None] | None = None
    seen: int = 0
    calls: list[str] = field(default_factory=list)
    busy: bool = False


_plan: Plan | None = None
_installed = False


@contextlib.contextmanager
def armed(root: Path, at: int = 0, action: str = "eio", observe: Callable[[str], None] | None = None):
    """Count the calls of the body, and let the one numbered `at` end as `action` says."""
    global _plan
    _install()
    _plan = Plan(str(root), at, action, observe)
    try:
        yield _plan
    finally:
        _plan = None


def arm_for_good(root: str, at: int, action: str, report: str) -> None:
    """The same for the rest of a process; how many calls there were is written into `report` at its end."""
    import atexit

    global _plan
    _install()
    _plan = plan = Plan(root, at, action)
    atexit.register(lambda: _write(report, str(plan.seen)))


def limit_file_size(size_bytes: int) -> None:
    """From here on no file of this process or its children grows beyond this: the write ends where it stands."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, resource.RLIM_INFINITY))


def _write(path: str, text: str) -> None:
    global _plan
    _plan = None
    Path(path).write_text(text)


def _install() -> None:
    global _installed
    if not _installed:
        _installed = True
        sys.addaudithook(_on_audit)
        _count(os, "fsync", "fsync")
        _count(duckdb.DuckDBPyConnection, "execute", "duckdb")
        _count(pyarrow.parquet.ParquetWriter, "write_table", "parquet")


def _on_audit(event: str, arguments: tuple) -> None:
    plan = _plan
    if plan is None or plan.busy:
        return
    if event == "socket.connect" or (event in FILES and _is_inside(plan.root, arguments)):
        _call(plan, event)


def _is_inside(root: str, arguments: tuple) -> bool:
    return any(isinstance(value, str | os.PathLike) and os.fspath(value).startswith(root) for value in arguments[:2])


def _count(owner: object, name: str, kind: str) -> None:
    inner = getattr(owner, name)

    def counted(*arguments, **named):
        if _plan is not None and not _plan.busy:
            _call(_plan, kind)
        return inner(*arguments, **named)

    setattr(owner, name, counted)


def _call(plan: Plan, kind: str) -> None:
    plan.seen += 1
    plan.calls.append(kind)
    if plan.observe:
        plan.busy = True
        try:
            plan.observe(f"call {plan.seen}, {kind}")
        finally:
            plan.busy = False
    if not plan.at or plan.seen < plan.at:
        return
    is_it = plan.seen == plan.at
    stays_full = plan.action == "enospc" and kind in TAKES_SPACE  # making room again works on a full disk, nothing else
    if is_it and plan.action == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if (is_it or stays_full) and plan.action in SAID:
        number, words = SAID[plan.action]
        raise duckdb.IOException(f"IO Error: Could not write: {words}") if kind == "duckdb" else OSError(number, words)
