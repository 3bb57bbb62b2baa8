"""A run that is killed is found: it is marked as failed, on-call is notified, and a live one is left alone."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import dagster as dg
import pytest
from dagster import DagsterInstance, DagsterRunStatus

from orchestration.commands.home import make_ready
from orchestration.notifications import read_outbox
from orchestration.runs import GRACE_SECONDS, live, mark_dead_runs
from orchestration.settings import PROJECT
from tests.pipeline import Pipeline, pipeline_at

RUN = """
import os, sys, time
from pathlib import Path
import dagster as dg
from orchestration.defs.resources import resources

@dg.op(required_resource_keys={"settings"})
def sleeps(): print("alive", flush=True); time.sleep(float(sys.argv[1]))

@dg.job(resource_defs={"settings": resources().resources["settings"]}, executor_def=dg.in_process_executor)
def watched(): sleeps()

with dg.DagsterInstance.get() as instance: watched.execute_in_process(instance=instance)
"""


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Pipeline:
    """A data root with Dagster's home in it."""
    pipeline = pipeline_at(tmp_path / "data")
    monkeypatch.setenv("TOKENTRAIL_DATA", str(pipeline.settings.data))
    monkeypatch.setenv("DAGSTER_HOME", str(make_ready(pipeline.settings)))
    monkeypatch.setenv("PYTHONPATH", str(PROJECT))
    monkeypatch.delenv("TOKENTRAIL_CHANNEL_ONCALL", raising=False)
    return pipeline


def begin(seconds: float) -> subprocess.Popen:
    """A run in a process of its own, once its first step has begun."""
    process = subprocess.Popen(
        [sys.executable, "-c", RUN, str(seconds)], cwd=PROJECT, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "alive\n"
    return process


def test_a_killed_run_is_marked_and_notified_of_once_and_a_live_one_is_not_touched(root):
    """What `make` asks before it starts a job says so, and where Dagster lives."""
    killed, living = begin(600), begin(600)
    try:
        with DagsterInstance.get() as instance:
            assert mark_dead_runs(root.settings, instance) == []
            killed.send_signal(signal.SIGKILL)
            killed.wait()
            ready = subprocess.run(
                [sys.executable, "-m", "orchestration.commands.home"],
                cwd=PROJECT,
                capture_output=True,
                text=True,
                check=True,
            )
            assert ready.stdout == f"{root.settings.state / 'dagster'}\n"
            assert ready.stderr.count("watched (run ") == ready.stderr.count("it was killed, or the machine") == 1
            assert mark_dead_runs(root.settings, instance) == []
            assert {run.status for run in instance.get_runs()} == {DagsterRunStatus.FAILURE, DagsterRunStatus.STARTED}
            [message] = read_outbox(root.settings)
            assert (message["title"], message["channel"]) == ("watched failed", "oncall")
    finally:
        for process in (killed, living):
            process.kill()
            process.communicate()


def test_a_run_that_was_never_seen_alive_is_dead_after_its_grace(root, monkeypatch):
    @dg.job
    def nothing():
        pass

    with DagsterInstance.get() as instance:
        run = instance.create_run_for_job(nothing, status=DagsterRunStatus.STARTING)
        assert mark_dead_runs(root.settings, instance) == []
        later = time.time() + GRACE_SECONDS + 1
        monkeypatch.setattr(time, "time", lambda: later)
        [sentence] = mark_dead_runs(root.settings, instance)
        assert "It did not begin within 90 seconds of its launch" in sentence
        with pytest.raises(dg.Failure, match="was given up: run it again"):
            live(root.settings, run.run_id, instance)


def test_a_run_that_was_being_canceled_is_canceled(root):
    @dg.job
    def nothing():
        pass

    with DagsterInstance.get() as instance:
        run = instance.create_run_for_job(nothing, status=DagsterRunStatus.CANCELING)
        lock = root.settings.state / "runs" / run.run_id
        lock.parent.mkdir()
        lock.touch()
        assert len(mark_dead_runs(root.settings, instance)) == 1
        assert instance.get_run_by_id(run.run_id).status == DagsterRunStatus.CANCELED
        assert read_outbox(root.settings) == []
        os.utime(lock, (0, 0))
        mark_dead_runs(root.settings, instance)
        assert not lock.exists()
