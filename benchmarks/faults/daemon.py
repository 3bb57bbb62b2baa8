"""Runs that are killed under a daemon: how long until the next begins, and whether on-call hears. `python -m benchmarks.faults.daemon`

Starts what `make ui` starts, with its schedules and sensors on, over a root of its own. A run that the daemon launched is killed with -9,
files land, and the next run is waited for; then the same with a run that a person launched. Takes some five minutes.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager, suppress
from pathlib import Path

from orchestration.commands.home import make_ready
from orchestration.notifications import read_outbox
from orchestration.settings import PROJECT, Settings, from_environment

PATIENCE_SECONDS = 300
BEGINS_WITHIN_SECONDS = 120
PORT = "3917"


def main() -> int:
    """Print a line for each kill; 1 when a run began too late or nobody was notified."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ |= {"TOKENTRAIL_DATA": str(Path(folder) / "data"), "PYTHONPATH": str(PROJECT)}
        os.environ["TOKENTRAIL_SCHEDULES"] = "on"
        settings = from_environment()
        os.environ["DAGSTER_HOME"] = str(make_ready(settings))
        late = []
        with running("dev", "--port", PORT):
            for who, begin in (("the daemon", land), ("a person", launch)):
                begin(settings, who)
                killed, process = wait(lambda: alive(settings), f"a run of {who}")
                time.sleep(5)  # in the middle of its work
                os.kill(process, signal.SIGKILL)
                at = time.monotonic()
                land(settings, f"after the end of {who}'s run")
                following, _ = wait(lambda killed=killed: alive(settings, besides=killed), "the next run")
                seconds = time.monotonic() - at
                notified = bool(wait(lambda killed=killed: messages(settings, killed), "the message"))
                print(
                    f"A run of {who} was killed: the next began after {seconds:.0f} s, on-call was notified: {notified}.",
                    flush=True,
                )
                late += [who] if seconds > BEGINS_WITHIN_SECONDS else []
                wait(lambda following=following: not any(run == following for run, _ in holders(settings)), "its end")
    return bool(late)


@contextmanager
def running(*arguments: str):
    """`dg` in a process group of its own, which ends with the body."""
    dg = Path(sys.executable).with_name("dg")
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen([dg, *arguments], cwd=PROJECT, stdout=log, stderr=log, start_new_session=True)
        try:
            yield process
        finally:
            for how in (signal.SIGTERM, signal.SIGKILL):  # without a terminal, `dg dev` may not end when asked to
                with suppress(ProcessLookupError, subprocess.TimeoutExpired):
                    os.killpg(process.pid, how)
                    process.wait(30)


def launch(settings: Settings, who: str) -> None:
    """A run as `make run` begins it."""
    dg = Path(sys.executable).with_name("dg")
    command = [dg, "launch", "--job", "daily_attribution"]
    subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)


def land(settings: Settings, name: str) -> None:
    """A file of one event, which the sensor asks a run for."""
    folder = Path(settings.landing) / "events" / "dt=2026-11-21"
    folder.mkdir(parents=True, exist_ok=True)
    event = {
        "externalRequestId": name,
        "occurredAt": "2026-11-20T10:00:00Z",
        "provider": "openai",
        "model": "gpt-4o-mini",
        "status": "success",
        "inputTokens": 1000,
        "outputTokens": 200,
    }
    (folder / f"{name.replace(' ', '-')}.jsonl").write_text(json.dumps(event) + "\n")


def holders(settings: Settings) -> list[tuple[str, int]]:
    """(run, process) of every run's lock file that a process has open."""
    runs, found = settings.state / "runs", []
    for descriptor in Path("/proc").glob("[0-9]*/fd/*"):
        with suppress(OSError):
            target = Path(os.readlink(descriptor))
            if target.parent == runs:
                found.append((target.name, int(descriptor.parts[2])))
    return found


def alive(settings: Settings, besides: str = "") -> tuple[str, int] | None:
    """A run that is at work and its process."""
    return next(((run, process) for run, process in holders(settings) if run != besides), None)


def messages(settings: Settings, run: str) -> list[dict]:
    """What the outbox has about a run."""
    return [message for message in read_outbox(settings) if message["event_key"] == f"run/{run}"]


def wait(look, what: str):
    """What `look` finds, when it finds something. Raises TimeoutError."""
    until = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < until:
        if found := look():
            return found
        time.sleep(1)
    raise TimeoutError(f"{what} did not come within {PATIENCE_SECONDS} s.")


if __name__ == "__main__":
    sys.exit(main())
