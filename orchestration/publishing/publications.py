"""One publication: an immutable folder under publications/, and `published`, the link to it that one rename switches.

A reader of `published` sees the former publication or the next one, whole. Whoever publishes fills a folder that begins as
hard links to what is published now, so files that stay cost nothing; only when all is on disk does the link move. Nothing is ever
written into a file of a publication: the former ones may share it.
"""

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from orchestration.settings import Settings
from orchestration.storage import LockHeldError, held, partial_path, point_link, sync
from orchestration.wording import first_line

KEPT = 3  # the current one and two before it: whoever reads by the folder's own name finishes in peace
WAIT_SECONDS = 600  # another run may be writing large exports
ID = re.compile(r"\d{8}T\d{12}Z")
CANNOT_WRITE = (OSError, duckdb.IOException, duckdb.OutOfMemoryException)


class PublicationError(RuntimeError):
    """Nothing was published and readers keep what they have; the message says why and what to do."""


@contextmanager
def new_publication(settings: Settings) -> Iterator[Path]:
    """A folder with all that is published now, to be changed by replacing files, never by writing into them; then it is published.

    An error in the body leaves the former publication. Raises PublicationError with a sentence when there is no space or memory,
    when the disk fails, or when another process publishes for longer than ten minutes.
    """
    try:
        with _one_publisher(settings):
            former = _in_force(settings)
            _remove_leftovers(settings, former)
            name = _new_id()
            folder = partial_path(settings.publications / name)
            try:
                folder.mkdir()
                if former:
                    _link_files(former, folder)
                yield folder
                _make_durable(folder)
                _switch(settings, folder.rename(settings.publications / name))
            except BaseException:
                shutil.rmtree(folder, ignore_errors=True)
                raise
            with suppress(OSError):  # it is published: what is left undone here the next publication does
                sync(settings.data)
                _remove_old(settings)
    except LockHeldError as busy:
        raise PublicationError(str(busy)) from None
    except CANNOT_WRITE as error:
        raise PublicationError(
            f"The publication could not be written under {settings.publications}: {first_line(error)}. "
            "Readers keep the former one. Make space or memory, or see what the disk says, and run again."
        ) from error


def replace_file(path: Path, content: str | bytes | Path) -> None:
    """Put a file of this content, or a copy of that file, into a new publication: under its name, but never into a file that is there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    if isinstance(content, Path):
        shutil.copyfile(content, path)
    else:
        path.write_bytes(content.encode() if isinstance(content, str) else content)


@contextmanager
def _one_publisher(settings: Settings) -> Iterator[None]:
    settings.publications.mkdir(parents=True, exist_ok=True)
    settings.publications.chmod(0o755)  # readers pass through it, whatever the umask
    with held(settings.publications / "_lock", WAIT_SECONDS):
        yield


def _in_force(settings: Settings) -> Path | None:
    """The folder that `published` names. A folder of an earlier release in its place is taken over, and a lost link is restored."""
    link = settings.published
    if link.is_symlink():
        folder = link.resolve()
        if folder.parent != settings.publications.resolve() or not folder.is_dir():
            raise PublicationError(
                f"{link} is a link to {os.readlink(link)}, which is not a publication of {settings.publications}: remove the link "
                "(what it names stays) and run again."
            )
        return settings.publications / folder.name
    if link.is_dir():
        link.rename(settings.publications / _new_id())
    elif link.exists():
        raise PublicationError(
            f"{link} is a file, where the link to the publication belongs: move it away and run again."
        )
    whole = _publications(settings)
    if whole:
        _switch(settings, whole[-1])
        return whole[-1]
    return None


def _new_id() -> str:
    """Sorts by time; a later one is never equal, since one process at a time publishes."""
    return datetime.now(UTC).strftime("%Y%m%dT%H%M%S%fZ")


def _publications(settings: Settings) -> list[Path]:
    """Whole publications, oldest first: a folder gets such a name when it is complete and on disk."""
    return sorted(path for path in settings.publications.iterdir() if ID.fullmatch(path.name))


def _remove_leftovers(settings: Settings, in_force: Path | None) -> None:
    """What a crash left: folders that were being filled or removed, and whole ones that `published` never named."""
    for path in settings.publications.iterdir():
        never_named = in_force and ID.fullmatch(path.name) and path.name > in_force.name
        if path.name.startswith(".") or never_named:
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()


def _raise(error: OSError) -> None:
    """Without this, `os.walk` passes over a folder that it cannot list, and its files would be missing unnoticed."""
    raise error


def _link_files(former: Path, folder: Path) -> None:
    """The former publication once more, of the same files; copies where the file system knows no hard links.

    Names with a dot in front are what a crash of an earlier release left half written.
    """
    for parent, folders, files in os.walk(former, onerror=_raise):
        here = folder / Path(parent).relative_to(former)
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in folders:
            (here / name).mkdir()
        for name in files:
            if name.startswith("."):
                continue
            try:
                os.link(Path(parent) / name, here / name)
            except OSError:
                shutil.copy2(Path(parent) / name, here / name)


def _make_durable(folder: Path) -> None:
    """Everything readable by all, writable by none, and on disk. Files that other publications have too are so already."""
    for parent, _, files in os.walk(folder, topdown=False, onerror=_raise):
        for name in files:
            path = Path(parent) / name
            if path.stat().st_nlink == 1:
                path.chmod(0o444)
                sync(path)
        Path(parent).chmod(0o755)
        sync(Path(parent))


def _switch(settings: Settings, publication: Path) -> None:
    """The one step that readers notice."""
    sync(settings.publications)
    point_link(settings.published, Path(settings.publications.name) / publication.name)


def _remove_old(settings: Settings) -> None:
    """Renamed before they are removed, so that what has a publication's name is whole."""
    in_force = settings.published.resolve().name
    others = [path for path in _publications(settings) if path.name != in_force]
    for path in others[: max(0, len(others) + 1 - KEPT)]:
        shutil.rmtree(path.rename(path.with_name(f".{path.name}.gone")))
