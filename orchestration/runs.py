"""Which runs are alive: each holds a lock while its process lives, so one that was killed is found, marked and reported.

Dagster learns how a run ended from the run itself. One that was killed stays "started" for ever, and since one run at a time may
write the warehouse, no other would begin. The kernel frees a lock with its process, so nothing can be mistaken for a live one.
"""

import time
from pathlib import Path

import dagster as dg
from dagster import DagsterInstance, DagsterRunStatus, RunRecord, RunsFilter

from orchestration.notifications.failed_runs import FailedRun, tell_on_call
from orchestration.run_failures import run_address
from orchestration.settings import Settings
from orchestration.storage import hold_for_life, is_held

# A run takes its lock when its code is loaded, some ten seconds after it was launched. Should one take longer than this and be
# given up, it notices that when it takes the lock, and stops.
GRACE_SECONDS = 90
FORGOTTEN_AFTER_SECONDS = 86_400  # lock files of runs that ended; a file is empty
UNDER_WAY = [DagsterRunStatus.STARTING, DagsterRunStatus.STARTED, DagsterRunStatus.CANCELING]
DIED = "Its process ended without reporting anything: it was killed, or the machine went down. The next run does what it left undone."
NEVER_BEGAN = (
    f"It did not begin within {GRACE_SECONDS} seconds of its launch and was given up: its process ended, or the machine is too busy. "
    "The next run does what it left undone."
)

_ours: set[str] = set()  # runs of this process, which holds their locks


def live(settings: Settings, run_id: str, instance: DagsterInstance) -> None:
    """Hold the run's lock until this process ends. Raises dg.Failure when the run was given up before it came to this."""
    if run_id in _ours:
        return
    hold_for_life(_lock_file(settings, run_id))
    _ours.add(run_id)
    run = instance.get_run_by_id(run_id)
    if run and run.is_finished:
        raise dg.Failure(
            f"Run {run_id} took more than {GRACE_SECONDS} seconds to start and was given up: run it again.",
            allow_retries=False,
        )


def mark_dead_runs(settings: Settings, instance: DagsterInstance) -> list[str]:
    """Mark every run whose process is gone as failed, or canceled where that was asked for, and notify on-call; a sentence for each."""
    records = instance.get_run_records(RunsFilter(statuses=UNDER_WAY))
    dead = [(record.dagster_run, _why(settings, record)) for record in records if not _is_alive(settings, record)]
    for run, why in dead:
        if run.status == DagsterRunStatus.CANCELING:
            instance.report_run_canceled(run, why)
        else:
            instance.report_run_failed(run, why)
    _forget_locks(settings, {record.dagster_run.run_id for record in records})
    sentences = [f"{run.job_name} (run {run.run_id}) was found to have died. {why}" for run, why in dead]
    # Dagster's own failure sensor does not see runs that a person started
    failed = [
        FailedRun(run.run_id, run.job_name, None, why, run_address(settings, run.run_id))
        for run, why in dead
        if run.status != DagsterRunStatus.CANCELING
    ]
    not_notified = failed and tell_on_call(settings, failed)
    return [*sentences, not_notified] if not_notified else sentences


def _lock_file(settings: Settings, run_id: str) -> Path:
    return settings.state / "runs" / run_id


def _is_alive(settings: Settings, record: RunRecord) -> bool:
    run_id = record.dagster_run.run_id
    if run_id in _ours:
        return True
    try:
        return is_held(_lock_file(settings, run_id))
    except FileNotFoundError:
        return time.time() - record.update_timestamp.timestamp() < GRACE_SECONDS


def _why(settings: Settings, record: RunRecord) -> str:
    return DIED if _lock_file(settings, record.dagster_run.run_id).exists() else NEVER_BEGAN


def _forget_locks(settings: Settings, under_way: set[str]) -> None:
    for path in (settings.state / "runs").glob("*"):
        if path.name not in under_way and time.time() - path.stat().st_mtime > FORGOTTEN_AFTER_SECONDS:
            path.unlink(missing_ok=True)
