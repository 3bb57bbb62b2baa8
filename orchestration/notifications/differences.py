"""Ledgers of what is found to be so: a run writes what differs from what it knew, and what is recent of that becomes messages."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from orchestration.ledger import one_writer, read_log, remember_instant, why_too_early
from orchestration.notifications.outbox import Event, enqueue
from orchestration.settings import Settings

NEWS_FOR = timedelta(days=2)  # as for budgets: what an earlier run could not hand on is handed on for so long
Line = TypeVar("Line", bound=Mapping[str, Any])


def announce_differences(
    settings: Settings,
    folder: Path,
    differences: Callable[[list[Line]], Iterable[Line]],
    events: Callable[[list[Line], list[Line]], Iterable[Event]],
) -> Counter:
    """Writes the lines that differ from those of a ledger, and puts the messages of recent ones, of all, into the outbox; counts both.

    Each line has a `kind` and when it was `known_at`. A repetition says nothing, nor does a run that reports as of an earlier
    instant than another did.
    """
    with one_writer(folder) as append:
        lines: list[Line] = read_log(folder)[0]
        if why_too_early(folder, lines, settings.as_of):
            return Counter()
        new = list(differences(lines))
        since = settings.as_of - NEWS_FOR
        known = [*lines, *new]
        recent = [line for line in known if datetime.fromisoformat(line["known_at"]) >= since]
        messages = list(events(recent, known))
        append(new)
        remember_instant(folder, lines, settings.as_of)
    return Counter(line["kind"] for line in new) + enqueue(settings, messages)
