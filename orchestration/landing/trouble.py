"""Trouble of the machine, of the raw zone, or of one file: whose it is, and how it is reported. None of it refuses a line."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager

import duckdb

from orchestration.settings import Settings
from orchestration.wording import first_line


class LoadStopped(RuntimeError):  # noqa: N818
    """This machine or the raw zone is in trouble, as a sentence. Nothing was refused for it; the next load tries again."""


class UnreadableNow(OSError):  # noqa: N818
    """A file that cannot be read at the moment (permission, still growing), as a sentence: the next load tries again."""


NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
FORBIDDEN = (errno.EACCES, errno.EPERM, errno.EROFS)


def is_trouble(error: Exception) -> bool:
    """Whether an error is the machine's. Those of a value are caught where the value is, and cost its line.

    Those of Arrow are known by where they are defined: who only reads what is loaded does without its 60 MB.
    """
    is_of_arrow = any(kind.__module__ == "pyarrow.lib" for kind in type(error).__mro__)
    return is_of_arrow or isinstance(error, OSError | MemoryError | duckdb.Error)


@contextmanager
def trouble_in_a_sentence(settings: Settings, doing: str) -> Iterator[None]:
    """Raises LoadStopped in place of an error of this machine: what was found, where, and what to do."""
    try:
        yield
    except Exception as error:
        if not is_trouble(error):
            raise
        raise LoadStopped(_trouble(settings, doing, error)) from error


def _trouble(settings: Settings, doing: str, error: Exception) -> str:
    text = first_line(error)
    number = error.errno if isinstance(error, OSError) else None
    after = (
        "No line was refused because of it and nothing was recorded: run again, and the load starts from the beginning."
    )
    if isinstance(error, UnreadableNow):
        return f"{doing} stopped: {text}."
    if number in NO_SPACE or "No space left" in text or "File too large" in text or "max_temp_directory_size" in text:
        return f"{doing} stopped for lack of space below {settings.data} ({text}). Free some. {after}"
    if isinstance(error, MemoryError | duckdb.OutOfMemoryException) or "MemoryError" in text:
        return (
            f"{doing} stopped for lack of memory ({text}). TOKENTRAIL_MEMORY_LIMIT is {settings.memory_limit}: "
            f"raise it, or set TOKENTRAIL_THREADS to fewer. {after}"
        )
    if number in FORBIDDEN or isinstance(error, duckdb.PermissionException) or "Permission denied" in text:
        return f"{doing} stopped: {text}. Let this user read and write {settings.data}. {after}"
    if isinstance(error, duckdb.InterruptException):
        return f"{doing} was interrupted. {after}"
    return f"{doing} stopped ({type(error).__name__}: {text}). Look at the disk that {settings.data} is on. {after}"


def is_of_the_file(error: OSError) -> bool:
    """Whether an error is one file's or folder's own, so that others may be read all the same."""
    return error.errno not in (*NO_SPACE, errno.ENOMEM, errno.EMFILE, errno.ENFILE)
