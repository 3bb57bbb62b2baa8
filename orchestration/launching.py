"""A job of Dagster run in this process, a line for each of its steps; what else it and its children print goes to a log.

The run is in Dagster's web UI as any other is, with all its events.
"""

import logging
import os
import sys
import time
import traceback
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO

from orchestration.ending import log_file
from orchestration.notifications.failed_runs import FailedRun, record
from orchestration.plain import visible
from orchestration.sentences import sentence_of
from orchestration.settings import Settings
from orchestration.wording import first_line, many

STEP_WIDTH = 28
LINE_CHARACTERS = 160  # the log and the UI have the rest
ERASE = "\x1b[K"  # what a terminal shows right of here
SHORT_SECONDS = 1.0  # steps that only check are named where they take longer, or fail


@dataclass(frozen=True)
class Outcome:
    """How a run ended: `failed` says why, where it failed."""

    job: str
    run_id: str
    started_at: datetime
    seconds: float
    log: Path
    failed: FailedRun | None = None


def run_job(settings: Settings, job: str, config: Mapping[str, Any] | None = None) -> Outcome:
    """Runs a job of the code location to its end, however that is."""
    run_id, started_at, began = str(uuid.uuid4()), datetime.now(UTC), time.monotonic()
    log = log_file(settings.state, job)
    with _printing_to(log) as terminal:
        terminal.write(f"{job}: {log} has the full log.\n")
        try:
            failed = _run(settings, job, config, run_id, terminal)
        # definitions that cannot be loaded, or a disk that is too full for Dagster's own records
        except Exception as error:
            traceback.print_exc()
            failed = FailedRun(run_id, job, None, sentence_of(error, settings.data), f"it has no page, see {log}")
    if failed:
        with suppress(OSError):  # of the same disk
            record(settings, failed)
    return Outcome(job, run_id, started_at, time.monotonic() - began, log, failed)


def _run(
    settings: Settings, job: str, config: Mapping[str, Any] | None, run_id: str, terminal: TextIO
) -> FailedRun | None:
    """Runs the job; why it failed, where it did."""
    import dagster as dg

    from orchestration.definitions import defs
    from orchestration.run_failures import why_it_failed

    with dg.DagsterInstance.get() as instance:
        instance.add_event_listener(run_id, Progress(terminal).tell)
        definition = defs().resolve_job_def(job)
        result = definition.execute_in_process(
            run_config=config, instance=instance, raise_on_error=False, run_id=run_id
        )
        return None if result.success else why_it_failed(settings, instance, run_id, job)


@contextmanager
def _printing_to(path: Path) -> Iterator[TextIO]:
    """Standard output and error of this process and its children, in a file; yields what was standard error."""
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    saved = os.dup(1), os.dup(2)
    with path.open("a", encoding="utf-8", errors="replace") as log, os.fdopen(os.dup(2), "w", buffering=1) as terminal:
        for number in (1, 2):
            os.dup2(log.fileno(), number)
        try:
            yield terminal
        finally:
            for stream in (sys.stdout, sys.stderr):
                stream.flush()
            for number, handle in enumerate(saved, start=1):
                os.dup2(handle, number)
                os.close(handle)


@dataclass
class Progress:
    """Prints what a person waits for: a line for each step when it ends, what a long load reports, and warnings."""

    terminal: TextIO
    began: dict[str, float] = field(default_factory=dict)
    made: dict[str, list[Any]] = field(default_factory=dict)
    checks: dict[str, int] = field(default_factory=dict)

    def tell(self, entry: Any) -> None:
        """Takes one event, or one message of a step."""
        if entry.dagster_event is None:
            is_progress = entry.level == logging.INFO and "rows/s" in entry.user_message
            if entry.step_key and (is_progress or entry.level == logging.WARNING):
                self._line(f"  {entry.step_key}: {first_line(entry.user_message)}")
            return
        self._tell_event(entry.dagster_event)

    def _tell_event(self, event: Any) -> None:
        kind, step = event.event_type_value, event.step_key or ""
        if kind == "STEP_START":
            self.began[step] = time.monotonic()
            if self.terminal.isatty():
                self.terminal.write(f"  {step} ...\r")  # the line that follows takes its place
        elif kind == "ASSET_MATERIALIZATION":
            self.made.setdefault(step, []).append(event.step_materialization_data.materialization)
        elif kind == "ASSET_CHECK_EVALUATION":
            self._tell_check(step, event)
        elif kind == "STEP_UP_FOR_RETRY":
            from orchestration.run_failures import words_of

            retry = event.step_retry_data
            why = f" {first_line(words_of(retry.error))}." if retry.error else ""
            self._line(f"  {step}: tried again in {round(retry.seconds_to_wait or 0)} s.{why}")
        elif kind in ("STEP_SUCCESS", "STEP_FAILURE"):
            self._tell_end(step, "" if kind == "STEP_SUCCESS" else "FAILED")

    def _tell_check(self, step: str, event: Any) -> None:
        self.checks[step] = self.checks.get(step, 0) + 1
        found = event.asset_check_evaluation_data
        if not found.passed:
            said = "fails" if found.severity.value == "ERROR" else "warns"
            self._line(f"  {found.check_name} {said}: {first_line(found.description or 'it failed')}.")

    def _tell_end(self, step: str, said: str) -> None:
        seconds = time.monotonic() - self.began.get(step, time.monotonic())
        made = self.made.get(step, [])
        if said or made or seconds >= SHORT_SECONDS:
            said = said or _what_was_made(made, self.checks.get(step, 0))
            self._line(f"  {step:<{STEP_WIDTH}} {seconds:>5.0f} s  {said}".rstrip())

    def _line(self, text: str) -> None:
        line = visible(text)
        shown = line if len(line) <= LINE_CHARACTERS else f"{line[: LINE_CHARACTERS - 1]}…"
        self.terminal.write(f"{ERASE if self.terminal.isatty() else ''}{shown}\n")


def _what_was_made(made: list[Any], checks: int) -> str:
    """A few words on what a step did, from the metadata of its assets."""
    if len(made) > 1:
        built = sum("built" not in each.metadata or each.metadata["built"].value is True for each in made)
        return f"{many(built, 'table')}, {many(checks, 'check')}"
    found: dict[str, Any] = {name: value.value for each in made for name, value in each.metadata.items()}
    if found.get("files") == 0:
        return "nothing new"
    if "rows_in" in found:
        skipped = f", {found['rows_skipped']:,} skipped" if found.get("rows_skipped") else ""
        return (
            f"{many(found['files'], 'file')}, {found['rows_in']:,} lines, {found['rows_rejected']:,} rejected{skipped}"
        )
    for name in ("message", "written"):
        if name in found:
            return {True: "written", False: "unchanged"}.get(found[name], first_line(found[name]))
    return ""
