"""Landing files: find them in a folder or an object store, bring the new ones within reach, hashed; land one."""

import hashlib
import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path, PurePosixPath

import fsspec

from orchestration.landing.trouble import LoadStopped, UnreadableNow, is_of_the_file
from orchestration.storage import write_whole
from orchestration.wording import first_line

FORMATS = (".jsonl", ".ndjson", ".json", ".csv")
EXTENSIONS = (*FORMATS, *(f"{name}{packing}" for name in FORMATS for packing in (".gz", ".zst")), ".parquet")
DAY = re.compile(r"(?<!\d)(20\d\d-\d\d-\d\d)(?!\d)")
DAY_IN_FOLDERS = re.compile(r"(?:^|/)(?:year=)?(20\d\d)/(?:month=)?(\d\d)/(?:day=)?(\d\d)/")
READ_BYTES = 8 << 20  # below malloc's mmap ceiling (32 MiB), so the pages of one block are reused for the next


@dataclass(frozen=True)
class LandingFile:
    """One file under `landing/<source>/`; `problem` is the reason code that keeps it from being read."""

    path: str  # relative to the landing root, with forward slashes
    size_bytes: int
    modified_at: str  # mtime in ns, or what the object store offers (etag, last modified)
    problem: str | None = None
    detail: str = ""  # what is the matter with it, where the reason code does not say it all
    is_json: bool = False  # of a source that writes JSON under names without an ending
    first_seen: date | None = None  # of a file without a day in its path, where that is allowed

    @property
    def arrival_date(self) -> date | None:
        """The day of a folder `dt=YYYY-MM-DD`, of other folders that are a day, or of the name, as exporters write them."""
        *folders, name = PurePosixPath(self.path).parts
        days = [folder.removeprefix("dt=") for folder in folders if folder.startswith("dt=")]
        if not days:
            days = [match[1] for part in (*folders, name) for match in DAY.finditer(part)]
            days += ["-".join(match.groups()) for match in DAY_IN_FOLDERS.finditer(self.path)]
        try:
            return date.fromisoformat(days[0]) if days else self.first_seen
        except ValueError:
            return None

    @property
    def extension(self) -> str:
        """One of EXTENSIONS, or empty."""
        found = next((end for end in EXTENSIONS if self.path.lower().endswith(end)), "")
        return found or (".json" if self.is_json and "." not in PurePosixPath(self.path).name else "")

    @property
    def stem(self) -> str:
        """Its name without folders and ending."""
        name = PurePosixPath(self.path).name
        return name[: len(name) - len(self.extension)] if name.lower().endswith(self.extension) else name


def find_files(
    landing: str, source: str, takes_any_name: bool = False, today: date | None = None
) -> tuple[list[LandingFile], list[str]]:
    """Every landing file of a source, sorted by path; and a sentence on each folder that could not be looked into.

    Names that begin with `.` or `_` are markers and uploads in progress of other tools: not landing files.
    Symbolic links are listed with the problem `outside_landing` and never followed. `today` is when a file without a day in
    its path arrives, if that is allowed. Raises LoadStopped when an object store cannot be listed.
    """
    if ".." in PurePosixPath(source).parts:
        raise ValueError(f"The source {source!r} leaves the landing folder: name a folder under it, such as events.")
    unread: list[str] = []
    folder = local_folder(landing)
    found = _local_files(folder, source, unread) if folder else _remote_files(landing, source)
    found = (replace(file, is_json=takes_any_name, first_seen=today) for file in found)
    return sorted((judged(file) for file in found), key=lambda file: file.path), unread


def local_folder(landing: str) -> Path | None:
    """The landing folder when it is local; None for an object-store address."""
    if landing.startswith("file://"):
        return Path(landing.removeprefix("file://"))
    return None if "://" in landing else Path(landing)


def judged(file: LandingFile) -> LandingFile:
    """The file with the problem that keeps it from being read, if its name or its size is one."""
    if file.problem is None and (file.arrival_date is None or not file.extension):
        return replace(file, problem="bad_file_name")
    if file.problem is None and file.size_bytes == 0:
        return replace(file, problem="empty_file")
    return file


def _local_files(landing: Path, source: str, unread: list[str]):
    top = landing / source
    if not os.path.lexists(landing):
        unread.append(f"{landing} does not exist: create it, or set TOKENTRAIL_LANDING to where files land.")
    if top.is_symlink():
        yield _local_file(landing, top)
        return

    def cannot_look(error: OSError) -> None:
        if not isinstance(error, FileNotFoundError):  # a folder we may not list must not look like a day without events
            unread.append(_cannot_look(landing, error))

    for folder, subfolders, names in os.walk(top, onerror=cannot_look):
        links = [name for name in subfolders if Path(folder, name).is_symlink()]
        subfolders[:] = [name for name in subfolders if not _is_marker(name)]
        for name in links + names:
            if not _is_marker(name):
                try:
                    yield _local_file(landing, Path(folder, name))
                except FileNotFoundError:
                    continue  # withdrawn between listing and looking: nothing landed
                except OSError as error:
                    cannot_look(error)


def _cannot_look(landing: Path, error: OSError) -> str:
    path = readable_name(os.path.relpath(error.filename or landing, landing))
    if isinstance(error, NotADirectoryError):
        return f"landing/{path} is a file where a folder should be: move it away, or into a folder dt=YYYY-MM-DD."
    return (
        f"landing/{path} cannot be looked into ({error.strerror}): let this user list and read it. "
        "What is in it is loaded by the next run that can."
    )


def readable_name(name: str) -> str:
    """A file name as text: bytes that are not UTF-8 as \\xNN."""
    return os.fsencode(name).decode(errors="backslashreplace")


def _local_file(landing: Path, path: Path) -> LandingFile:
    known = path.lstat()
    problem, detail = "outside_landing" if stat.S_ISLNK(known.st_mode) else None, ""
    if problem is None and not stat.S_ISREG(known.st_mode):
        problem = "unreadable_file"  # a pipe or device would block for ever
    name = path.relative_to(landing).as_posix()
    if readable_name(name) != name:
        problem, detail = "bad_file_name", "its name is no UTF-8: the bytes that are not are written as \\xNN here"
    return LandingFile(readable_name(name), known.st_size, str(known.st_mtime_ns), problem, detail)


def _remote_files(landing: str, source: str):
    store, root = _store(landing)
    try:
        listed = store.find(f"{root}/{source}", detail=True)
    except FileNotFoundError:
        return
    except Exception as error:  # every store has errors of its own
        raise LoadStopped(
            f"{landing}/{source} cannot be listed ({first_line(error)}). Look at the object store and its credentials; "
            "the next load tries again."
        ) from error
    for address, info in listed.items():
        path = address.removeprefix(root).lstrip("/")
        if not any(_is_marker(part) for part in PurePosixPath(path).parts):
            stamps = (info.get(key) for key in ("ETag", "etag", "mtime", "LastModified", "last_modified", "created"))
            yield LandingFile(path, int(info.get("size") or 0), str(next((stamp for stamp in stamps if stamp), "")))


def _is_marker(name: str) -> bool:
    return name.startswith((".", "_"))


def _store(landing: str):
    try:
        store, root = fsspec.url_to_fs(landing)
    except (ImportError, ValueError) as error:
        raise LoadStopped(f"TOKENTRAIL_LANDING is {landing}: its file system cannot be opened. {error}") from error
    return store, root.rstrip("/")


def fetch(landing: str, file: LandingFile, spool: Path) -> tuple[Path, str]:
    """A local path with the file's bytes, and their sha256 in hex. Objects in a store are copied to the spool folder.

    Raises FileNotFoundError when the file is gone, UnreadableNow when it cannot be read now or changes while it is
    read, and another OSError when this machine is in trouble.
    """
    folder = local_folder(landing)
    if folder:
        path = folder / file.path
        with reading(file), path.open("rb") as stream:
            content_hash = hashlib.file_digest(stream, "sha256").hexdigest()
        raise_if_changed(path, file)
        return path, content_hash
    store, root = _store(landing)
    path = spool / f"{hashlib.sha256(file.path.encode()).hexdigest()[:16]}{file.extension}"
    digest = hashlib.sha256()
    with path.open("wb") as copy:
        for block in _remote_bytes(store, f"{root}/{file.path}", file):
            digest.update(block)
            copy.write(block)
    return path, digest.hexdigest()


def _remote_bytes(store, address: str, file: LandingFile) -> Iterator[bytes]:
    try:
        with store.open(address, "rb") as stream:
            yield from iter(lambda: stream.read(READ_BYTES), b"")
    except (FileNotFoundError, MemoryError):
        raise
    except Exception as error:  # every store has errors of its own
        raise UnreadableNow(_cannot_read(file, error)) from error


@contextmanager
def reading(file: LandingFile) -> Iterator[None]:
    """Turns an error that is the file's own into UnreadableNow, with a sentence; its absence stays FileNotFoundError."""
    try:
        yield
    except (FileNotFoundError, UnreadableNow):
        raise
    except OSError as error:
        if not is_of_the_file(error):
            raise
        raise UnreadableNow(_cannot_read(file, error)) from error


def _cannot_read(file: LandingFile, error: Exception) -> str:
    problem = error.strerror if isinstance(error, OSError) and error.strerror else first_line(error)
    return (
        f"landing/{file.path} cannot be read now ({problem}): look at its permissions and at the disk or store it is on. "
        "Nothing of it was loaded or refused; the next load tries again."
    )


def write_file(landing: str, path: str, content: bytes) -> None:
    """Lands a file whole: a folder shows it under its name once it is on disk, an object store once it is complete."""
    folder = local_folder(landing)
    if folder is None:
        store, root = _store(landing)
        store.pipe_file(f"{root}/{path}", content)
        return
    write_whole(folder / path, content)


def raise_if_changed(path: Path, file: LandingFile) -> None:
    """Raises UnreadableNow when a local file is no longer the one that was found: it is still being written."""
    with reading(file):
        now = path.stat()
    if (now.st_size, str(now.st_mtime_ns)) != (file.size_bytes, file.modified_at):
        raise UnreadableNow(
            f"landing/{file.path} changed while it was read. Write landing files under a name that begins with '.' "
            "and rename them when they are complete."
        )
