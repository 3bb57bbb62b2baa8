"""A run that failed, as a message to on-call, whoever finds it: the sensor of failed runs, or the search for dead ones."""

from collections.abc import Iterable
from dataclasses import dataclass

from orchestration.notifications.delivery import deliver
from orchestration.notifications.outbox import Event, enqueue
from orchestration.plain import for_chat
from orchestration.settings import Settings
from orchestration.storage import LockHeldError
from orchestration.team.rows import TeamFileError

ERROR_CHARACTERS = 1500  # of an error in a message: chat shows no more, the ledger has it whole


@dataclass(frozen=True)
class FailedRun:
    """A run that failed, and the error that it ended with."""

    run_id: str
    job: str
    error: str


def tell_on_call(settings: Settings, failed: Iterable[FailedRun]) -> str | None:
    """Queues and sends a message about each run; a sentence where that was not possible, which must not hide the failure itself.

    The run's own delivery comes last in a run, so a failed one never reached it.
    """
    try:
        enqueue(settings, [_event(settings, run) for run in failed])
        deliver(settings)
    except (TeamFileError, LockHeldError, OSError) as error:
        return f"On-call was not notified of it. {error}"
    return None


def _event(settings: Settings, run: FailedRun) -> Event:
    """By its key the outbox knows a run that two have found. Readers still have the last good tables, so it is a warning."""
    error = "\n".join(for_chat(line, ERROR_CHARACTERS) for line in run.error[:ERROR_CHARACTERS].splitlines())
    return Event(
        event_key=f"run/{run.run_id}",
        topic=f"run/{run.job}",
        kind="run",
        severity="warning",
        title=f"{run.job} failed",
        body=f"{error}\n\nRun {run.run_id}. "
        "What readers see stays as the last good run left it; docs/operate.md says what to do.",
        drill_url="",
        occurred_at=settings.as_of,
        channels=("oncall",),
    )
