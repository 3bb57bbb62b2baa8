"""What a run depends on, by kind: a hash of each, which differs when that kind differs.

Files that people edit count by their content, since a copy, an archive or a checkout brings times of its own; what is large
or immutable counts by name, size and time. Nothing here imports Dagster or dbt.
"""

import hashlib
import os
import sys
import sysconfig
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import fields
from pathlib import Path

from orchestration.landing.expressions import MappingError
from orchestration.landing.sources import sources_of
from orchestration.landing.trouble import LoadStopped
from orchestration.landing.waiting import find_source_files
from orchestration.settings import PROJECT, Settings
from orchestration.team.folder import TEAM_FILES
from orchestration.team.tables import tables_folder

CODE = ("orchestration", "dbt_project", "expectations", "pricing")
SNAPSHOT = "messages.jsonl"  # of the outbox
CLOCK = "as_of"  # the one setting that differs in every run


def _code(settings: Settings) -> str:
    """The code, the interpreter and the packages that are installed."""
    files = (path for folder in CODE for path in _files(PROJECT / folder))
    packages = sorted(path.name for path in Path(sysconfig.get_path("purelib")).glob("*.dist-info"))
    return _hash([sys.version, *packages, *_contents(files, PROJECT)])


def _team(settings: Settings) -> str:
    return _hash(_contents(_files(settings.team), settings.team))


def _team_table(name: str) -> Callable[[Settings], str]:
    """What became of a file of the team: a budget that is edited reaches the models of budgets alone."""
    return lambda settings: _hash(_contents(tables_folder(settings).glob(f"{name}.parquet"), settings.state))


def _settings(settings: Settings) -> str:
    """Every setting but the instant, and which channels have an address: a message waits for one."""
    values = [f"{each.name}={getattr(settings, each.name)}" for each in fields(settings) if each.name != CLOCK]
    addressed = sorted(name for name, value in os.environ.items() if name.startswith("TOKENTRAIL_CHANNEL_") and value)
    return _hash([*values, *addressed])


def _landing(settings: Settings) -> str | None:
    """None while something cannot be looked into: the next run has to try again."""
    listed: list[str] = []
    try:
        sources = list(sources_of(settings))
    except MappingError:
        return None
    for source in sources:
        try:
            found, unread = find_source_files(settings, source)
        except LoadStopped:
            return None
        if unread:
            return None
        listed += [f"{file.path} {file.size_bytes} {file.modified_at}" for file in found]
    return _hash(listed)


def _raw(settings: Settings) -> str:
    """The manifests: what no manifest names is not there."""
    return _hash(_listed(settings.raw / "_loads"))


def _warehouse(settings: Settings) -> str:
    return _hash(_stat(path) for path in sorted(settings.data.glob(f"{settings.warehouse.name}*")))


def _publication(settings: Settings) -> str:
    return _hash([str(settings.published.resolve()), *_listed(settings.published)])


def _log(*names: str) -> Callable[[Settings], str]:
    """Of a part of the ledger: the content of its logs; not of what is made of them."""

    def content(settings: Settings) -> str:
        logs = (path for name in names for path in _files(settings.ledger / name, ".jsonl"))
        return _hash(_contents((path for path in logs if path.name != SNAPSHOT), settings.ledger))

    return content


def _price_book(settings: Settings) -> str:
    home = settings.ledger / "price_book"
    return _hash([*_listed(home), *_contents(_files(home, ".jsonl"), home)])


# By the moment at which a run reads it. It is hashed just before: what changes afterwards is new to the next run.
Hash = Callable[[Settings], str | None]
READ_FIRST: dict[str, Hash] = {"code": _code, "settings": _settings, "team": _team, "landing": _landing}
NAMES = "names"  # in the team's files, which usage should have: a table of its own
TEAM_TABLES: dict[str, Hash] = {
    f"team.{name}": _team_table(name) for name in (*(file.name for file in TEAM_FILES), NAMES)
}
READ_BY_MODELS: dict[str, Hash] = TEAM_TABLES | {"raw": _raw, "price_book": _price_book, "set_aside": _log("set_aside")}
READ_BY_READERS: dict[str, Hash] = {
    "messages": _log("outbox"),
    "reports": _log(
        "alert_announcements", "budget_announcements", "source_silences", "invoice_findings", "weekly_reports"
    ),
}
LEFT_BEHIND: dict[str, Hash] = {
    "warehouse": _warehouse,
    "publication": _publication,
}  # by the run itself; nobody else writes there
KINDS = READ_FIRST | READ_BY_MODELS | READ_BY_READERS | LEFT_BEHIND
IN_WORDS = {f"team.{file.name}": f"the team's {file.name}" for file in TEAM_FILES} | {
    f"team.{NAMES}": "names in the team's files",
    "code": "the code or its packages",
    "settings": "the settings",
    "team": "the team's files",
    "landing": "landing files",
    "raw": "what is loaded",
    "price_book": "the price book",
    "set_aside": "lines that are set aside",
    "messages": "messages",
    "reports": "what was announced",
    "warehouse": "the warehouse file",
    "publication": "what is published",
}


def _files(folder: Path, suffix: str = "") -> list[Path]:
    """Files under a folder, without what Python compiled and without what is being written or locks."""
    found = (path for path in folder.rglob(f"*{suffix}") if path.is_file() and path.suffix not in {".pyc", ".partial"})
    return sorted(path for path in found if path.name != "_lock")


def _contents(files: Iterable[Path], root: Path) -> Iterator[str]:
    for path in files:
        with suppress(FileNotFoundError):  # a sensor may look while a run is at work
            yield f"{path.relative_to(root)} {hashlib.sha256(path.read_bytes()).hexdigest()}"


def _listed(folder: Path) -> list[str]:
    return [f"{path.relative_to(folder)} {_stat(path)}" for path in _files(folder)]


def _stat(path: Path) -> str:
    try:
        known = path.stat()
    except FileNotFoundError:
        return f"{path.name} is gone"
    return f"{path.name} {known.st_ino} {known.st_size} {known.st_mtime_ns}"


def _hash(lines: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(lines).encode(errors="surrogateescape")).hexdigest()
