"""Whether anything is new: what the last run that succeeded had read, against what is there now and what the clock says.

A run notes what it reads (`note`), each kind just before it reads it. When every step of it succeeded, its notes become the record
(`remember`), under what it covered: everything, or what the hourly job makes of it. So whatever was new stays new
until a run that took it in has succeeded, and what changes while a run reads is new to the next one. A warehouse or a publication
that differs from what that run left behind is new too: a run that failed or was killed had been at work.
"""

import json
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TypedDict

from orchestration.news.clock import EXPORTS, OUTBOX, WORDS, next_day, next_instants, whole_second
from orchestration.news.inputs import IN_WORDS, KINDS, LEFT_BEHIND, READ_BY_MODELS, READ_BY_READERS, READ_FIRST
from orchestration.notifications import next_due
from orchestration.settings import Settings
from orchestration.storage import write_whole
from orchestration.wording import minute

# What a run covers. The hourly job leaves the expectations and the weekly report to the day, and reads the same.
EVERYTHING, HOURLY = "everything", "hourly"
LESS_THAN_A_MINUTE = timedelta(seconds=59)
OF_MODELS = (*READ_FIRST, *READ_BY_MODELS)


class Record(TypedDict):
    """What a run had read when it had succeeded, and when something changes by itself."""

    run_id: str
    as_of: str
    read: dict[str, str | None]  # by kind; None where something could not be read
    due: dict[str, str]  # by what reads the clock


class Notes(TypedDict):
    """What a run has read so far."""

    run_id: str
    read: dict[str, str | None]


@dataclass(frozen=True)
class News:
    """What is new: kinds of inputs, and what reads the clock and is due. False where there is nothing."""

    changed: tuple[str, ...] = ()
    due: tuple[str, ...] = ()
    sentence: str = ""

    def __bool__(self) -> bool:
        return bool(self.changed or self.due)


def news(settings: Settings, covers: str = EVERYTHING) -> News:
    """What a run would find new now."""
    record = _record(settings, covers)
    if record is None:
        return News(("first",), (), "No earlier run that succeeded is remembered: everything is looked at.")
    since, as_of = datetime.fromisoformat(record["as_of"]), whole_second(settings.as_of)
    if as_of < since:
        return News(("instant",), (), f"This run reports as of an earlier instant than the last one, {_at(since)}.")
    changed = tuple(kind for kind in KINDS if _differs(record, kind, KINDS[kind](settings)))
    due = _due(record)
    if not changed:  # what a message waits for is in files that a change may have broken
        due |= {OUTBOX: at} if (at := next_due(settings)) else {}
    reached = tuple(sorted(name for name, at in due.items() if at <= as_of))
    return News(changed, reached, _sentence(since, changed, reached, due))


def note(settings: Settings, run_id: str, kinds: Iterable[str] = (), unreadable: Iterable[str] = ()) -> None:
    """Notes what a run is about to read; nothing of `unreadable` counts as read, so that the next run tries again."""
    read = _notes(settings, run_id) | {kind: KINDS[kind](settings) for kind in kinds} | dict.fromkeys(unreadable)
    write_whole(_folder(settings) / "notes.json", json.dumps(Notes(run_id=run_id, read=read)))


def begin(settings: Settings, run_id: str) -> None:
    """Notes what a run reads first, and the warehouse as it finds it; once, however often its settings are asked for."""
    if not _notes(settings, run_id):
        note(settings, run_id, [*READ_FIRST, "warehouse"])


def found_new(settings: Settings, run_id: str, covers: str, models: Collection[str]) -> News:
    """What is new to the models of a run that has noted what it read first and is about to build: what `news` says, of this moment."""
    record, read = _record(settings, covers), _notes(settings, run_id)
    as_of = whole_second(settings.as_of)
    if record is None or not read or as_of < datetime.fromisoformat(record["as_of"]):
        return News(("first",))
    changed = tuple(kind for kind in (*OF_MODELS, "warehouse") if _differs(record, kind, read.get(kind)))
    return News(changed, tuple(name for name, at in _due(record).items() if name in models and at <= as_of))


def remember(settings: Settings, run_id: str, covers: str, models: Collection[str]) -> bool:
    """Makes the notes of a run that has succeeded the record; False where they lack something, as after a retry by hand.

    `models` are those that it covers. A record of everything is kept after one of the hour if both were made of the same.
    """
    note(settings, run_id, LEFT_BEHIND)
    read = _notes(settings, run_id)
    if not read.keys() >= set(KINDS):
        return False
    due = {name: at.isoformat() for name, at in next_instants(settings, models).items()}
    due[EXPORTS] = next_day(settings).isoformat()
    record = Record(run_id=run_id, as_of=whole_second(settings.as_of).isoformat(), read=read, due=due)
    if covers == EVERYTHING:
        _path(settings, HOURLY).unlink(missing_ok=True)
    elif (other := _read(_path(settings, EVERYTHING))) is not None:
        if any(_differs(other, kind, read[kind]) for kind in OF_MODELS):
            _path(settings, EVERYTHING).unlink()
        else:
            other["read"] |= {kind: read[kind] for kind in (*READ_BY_READERS, *LEFT_BEHIND)}
            write_whole(_path(settings, EVERYTHING), json.dumps(other))
    write_whole(_path(settings, covers), json.dumps(record))
    return True


def _record(settings: Settings, covers: str) -> Record | None:
    """The latest record that covers as much: that of the hour is deleted when everything is remembered."""
    of_hour = _read(_path(settings, HOURLY)) if covers == HOURLY else None
    return of_hour or _read(_path(settings, EVERYTHING))


def _differs(record: Record, kind: str, now: str | None) -> bool:
    return now is None or record["read"].get(kind) != now


def _due(record: Record) -> dict[str, datetime]:
    return {name: datetime.fromisoformat(at) for name, at in record["due"].items()}


def _sentence(since: datetime, changed: Collection[str], reached: Collection[str], due: dict[str, datetime]) -> str:
    if not changed and not reached:
        # never earlier than it is: a second after a quarter-hour is within the next minute
        following = (
            f" The clock alone changes something at {_at(min(due.values()) + LESS_THAN_A_MINUTE)}." if due else ""
        )
        return f"Nothing is new since the run as of {_at(since)}, so nothing was built, published or sent.{following}"
    parts = [IN_WORDS[kind] for kind in changed]
    if reached:
        parts.append(f"by the clock alone {', '.join(sorted({WORDS[name] for name in reached}))}")
    return f"New since the run as of {_at(since)}: {', '.join(parts)}."


def _at(instant: datetime) -> str:
    return f"{minute(instant)} UTC"


def _notes(settings: Settings, run_id: str) -> dict[str, str | None]:
    notes = _read(_folder(settings) / "notes.json")
    return notes["read"] if notes and notes["run_id"] == run_id else {}


def _read(path: Path):
    """A file of this folder; None where it is missing or torn: state may be deleted."""
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError):
        return None


def _path(settings: Settings, covers: str) -> Path:
    return _folder(settings) / f"{covers}.json"


def _folder(settings: Settings) -> Path:
    return settings.state / "news"
