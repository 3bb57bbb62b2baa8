"""Landing files: find them in a folder or an object store, bring the new ones within reach, hashed; land one."""

import hashlib
import os
import re
import stat
from dataclasses import dataclass
from datetime import date
from pathlib import Path, PurePosixPath

import fsspec

EXTENSIONS = (".jsonl", ".jsonl.gz", ".csv", ".csv.gz", ".parquet")
READ_BYTES = 8 << 20  # below malloc's mmap ceiling (32 MiB), so the pages of one block are reused for the next


@dataclass(frozen=True)
class LandingFile:
    """One file under `landing/<source>/`; `problem` is the reason code that keeps it from being read."""

    path: str  # relative to the landing root, with forward slashes
    size_bytes: int
    modified_at: str  # mtime in ns, or what the object store offers (etag, last modified)
    problem: str | None = None

    @property
    def arrival_date(self) -> date | None:
        """The day in `dt=YYYY-MM-DD`, the folder directly under the source; None when there is none."""
        for folder in PurePosixPath(self.path).parts[:-1]:
            if match := re.fullmatch(r"dt=(\d{4}-\d{2}-\d{2})", folder):
                try:
                    return date.fromisoformat(match[1])
                except ValueError:
                    return None
        return None

    @property
    def extension(self) -> str | None:
        """One of EXTENSIONS, or None."""
        return next((end for end in EXTENSIONS if self.path.lower().endswith(end)), None)


class UnreadableNow(OSError):  # noqa: N818
    """A file that cannot be read at the moment (permission, still growing): the next load tries again."""


def find_files(landing: str, source: str) -> list[LandingFile]:
    """Every landing file of a source, sorted by path.

    Names that begin with `.` or `_` are markers and uploads in progress of other tools: not landing files.
    Symbolic links are listed with the problem `outside_landing` and never followed.
    """
    if ".." in PurePosixPath(source).parts:
        raise ValueError(f"The source {source!r} leaves the landing folder: name a folder under it, such as events.")
    folder = local_folder(landing)
    found = _local_files(folder, source) if folder else _remote_files(landing, source)
    return sorted((_judged(file) for file in found), key=lambda file: file.path)


def local_folder(landing: str) -> Path | None:
    """The landing folder when it is local; None for an object-store address."""
    if landing.startswith("file://"):
        return Path(landing.removeprefix("file://"))
    return None if "://" in landing else Path(landing)


def _judged(file: LandingFile) -> LandingFile:
    if file.problem is None and (file.arrival_date is None or file.extension is None):
        return LandingFile(file.path, file.size_bytes, file.modified_at, "bad_file_name")
    if file.problem is None and file.size_bytes == 0:
        return LandingFile(file.path, 0, file.modified_at, "empty_file")
    return file


def _local_files(landing: Path, source: str):
    top = landing / source
    if top.is_symlink():
        yield _local_file(landing, top)
        return
    for folder, subfolders, names in os.walk(top, onerror=_raise_unless_gone):
        links = [name for name in subfolders if Path(folder, name).is_symlink()]
        subfolders[:] = [name for name in subfolders if not _is_marker(name)]
        for name in links + names:
            if not _is_marker(name):
                try:
                    yield _local_file(landing, Path(folder, name))
                except FileNotFoundError:
                    continue  # withdrawn between listing and looking: nothing landed


def _raise_unless_gone(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError):  # a folder we may not list must not look like a day without events
        raise error


def _local_file(landing: Path, path: Path) -> LandingFile:
    known = path.lstat()
    problem = "outside_landing" if stat.S_ISLNK(known.st_mode) else None
    if problem is None and not stat.S_ISREG(known.st_mode):
        problem = "unreadable_file"  # a pipe or device would block for ever
    return LandingFile(path.relative_to(landing).as_posix(), known.st_size, str(known.st_mtime_ns), problem)


def _remote_files(landing: str, source: str):
    store, root = _store(landing)
    for address, info in store.find(f"{root}/{source}", detail=True).items():
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
        raise RuntimeError(f"TOKENTRAIL_LANDING is {landing}: its file system cannot be opened. {error}") from error
    return store, root.rstrip("/")


def fetch(landing: str, file: LandingFile, spool: Path) -> tuple[Path, str]:
    """A local path with the file's bytes, and their sha256 in hex. Objects in a store are copied to the spool folder.

    Raises UnreadableNow (an OSError) when the file cannot be read now or changes while it is read.
    """
    folder = local_folder(landing)
    if folder:
        path = folder / file.path
        with path.open("rb") as stream:
            content_hash = _hash(stream)
        raise_if_changed(path, file)
        return path, content_hash
    store, root = _store(landing)
    path = spool / f"{hashlib.sha256(file.path.encode()).hexdigest()[:16]}{file.extension}"
    with store.open(f"{root}/{file.path}", "rb") as stream, path.open("wb") as copy:
        return path, _hash(stream, copy)


def write_file(landing: str, path: str, content: bytes) -> None:
    """Lands a file whole: a folder shows it under its name once it is on disk, an object store once it is complete."""
    folder = local_folder(landing)
    if folder is None:
        store, root = _store(landing)
        store.pipe_file(f"{root}/{path}", content)
        return
    target = folder / path
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".{target.name}.partial")
    with partial.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    partial.rename(target)


def raise_if_changed(path: Path, file: LandingFile) -> None:
    """Raises UnreadableNow when a local file is no longer the one that was found: it is still being written."""
    now = path.stat()
    if (now.st_size, str(now.st_mtime_ns)) != (file.size_bytes, file.modified_at):
        raise UnreadableNow(
            f"landing/{file.path} changed while it was read. Write landing files under a name that begins with '.' "
            "and rename them when they are complete."
        )


def _hash(stream, copy=None) -> str:
    digest = hashlib.sha256()
    while block := stream.read(READ_BYTES):
        digest.update(block)
        if copy:
            copy.write(block)
    return digest.hexdigest()
