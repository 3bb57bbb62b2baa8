"""Why a run of Dagster failed: the innermost sentence, the step, and where the run can be looked at.

Dagster's own message names the steps that failed, and what they raised is wrapped into errors of its own.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dagster import DagsterEvent, DagsterEventType, DagsterInstance

from orchestration.notifications.failed_runs import FailedRun
from orchestration.sentences import PROJECT, in_words
from orchestration.settings import Settings

MAKE_UI = "http://localhost:3000"  # where `make ui` shows Dagster
PLACE = re.compile(rf'File "{re.escape(str(PROJECT))}/((?!\.venv)[^"]+)", line (\d+)')
TYPES = {DagsterEventType.STEP_FAILURE, DagsterEventType.RUN_FAILURE, DagsterEventType.ASSET_CHECK_EVALUATION}


def run_address(settings: Settings, run_id: str) -> str:
    """Where a run is looked at: its page in Dagster's web UI, or how to get one."""
    if settings.ui_url:
        return f"{settings.ui_url.rstrip('/')}/runs/{run_id}"
    return f"`make ui`, {MAKE_UI}/runs/{run_id}"


def why_it_failed(settings: Settings, instance: DagsterInstance, run_id: str, job: str) -> FailedRun:
    """The failure of a run, from its events; of several sentences the first is what failed first."""
    address = run_address(settings, run_id)
    entries = instance.all_logs(run_id, of_type=TYPES)
    events = [entry.dagster_event for entry in entries if entry.dagster_event]
    steps = [event for event in events if event.event_type == DagsterEventType.STEP_FAILURE]
    if steps:
        sentences = [_of_step(step, events, settings.data) for step in steps]
        return FailedRun(run_id, job, steps[0].step_key, "\n".join(dict.fromkeys(sentences)), address)
    run = next((event for event in events if event.event_type == DagsterEventType.RUN_FAILURE), None)
    data = run.job_failure_data if run else None
    error = words_of(data.error, settings.data) if data and data.error else (run.message if run else None)
    return FailedRun(run_id, job, None, error or "It ended without reporting an error.", address)


def _of_step(step: DagsterEvent, events: list[DagsterEvent], data: Path) -> str:
    failure = step.step_failure_data
    if failure.user_failure_data and failure.user_failure_data.description:
        return failure.user_failure_data.description
    if failure.error and "AssetCheckFailedError" in (failure.error.cls_name or ""):
        return "\n".join(_blocking_checks(events)) or words_of(failure.error, data)
    return words_of(failure.error, data) if failure.error else str(step.message)


def _blocking_checks(events: list[DagsterEvent]) -> Iterator[str]:
    """What the checks that failed and stop a run have found."""
    for event in events:
        if event.event_type == DagsterEventType.ASSET_CHECK_EVALUATION:
            found = event.asset_check_evaluation_data
            if found.blocking and not found.passed:
                yield f"{found.asset_key.to_user_string()}, check {found.check_name}: {found.description or 'it failed.'}"


def words_of(error: Any, data: Path | None = None) -> str:  # a SerializableErrorInfo, which Dagster does not export
    """What an error of a step says, without Dagster's own wrapping."""
    while error.cause and (error.cls_name or "").startswith("Dagster"):
        error = error.cause
    name = error.cls_name or "Error"
    text = re.sub(rf"\A[\w.]*{re.escape(name)}:?\s*", "", error.message.strip())
    places = [found for line in error.stack for found in PLACE.findall(line)]
    return in_words(name, text, " line ".join(places[-1]) if places else "", data)
