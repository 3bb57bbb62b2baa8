"""A run that failed, as a message to on-call, whoever finds it: the sensor of failed runs, or the search for dead ones."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass

from orchestration.notifications.delivery import deliver
from orchestration.notifications.outbox import Event, enqueue
from orchestration.plain import for_chat
from orchestration.settings import Settings
from orchestration.storage import LockHeldError
from orchestration.team.rows import TeamFileError
from orchestration.warehouse import what_readers_see

ERROR_CHARACTERS = 1500  # of an error in a message: chat shows no more, the ledger has it whole


@dataclass(frozen=True)
class FailedRun:
    """A run that failed: why, in sentences, in which step (None: between steps), and where it is looked at."""

    run_id: str
    job: str
    step: str | None
    error: str
    address: str

    @property
    def title(self) -> str:
        """The job, and the step in it."""
        return f"{self.job} failed in {self.step}" if self.step else f"{self.job} failed"


def record(settings: Settings, failed: FailedRun) -> None:
    """Appends a failed run to ledger/run_failures.jsonl."""
    settings.ledger.mkdir(parents=True, exist_ok=True)
    with (settings.ledger / "run_failures.jsonl").open("a") as ledger:
        ledger.write(json.dumps(asdict(failed)) + "\n")


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
        title=run.title,
        body=f"{error}\n\nRun: {run.address}\n{what_readers_see(settings)} docs/operate.md#when-a-run-fails says what to do.",
        drill_url="",
        occurred_at=settings.as_of,
        channels=("oncall",),
    )
