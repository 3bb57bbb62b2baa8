"""The campaign: faults at random calls of every step of a run. `python -m benchmarks.faults --count 300 --seed 1`

A world is published, more files land, and the run over them is done step by step; this undisturbed run is the control. Then, for each
fault, the root is put back to the moment before a step, the step is done with the fault, readers look at what is published, and
the step is done once more: it must leave what the control's step left. Prints a table by step and every failure.
"""

import argparse
import json
import multiprocessing
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import date, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

from benchmarks.faults import steps
from benchmarks.faults.inject import ACTIONS
from benchmarks.faults.readers import broken_parts
from benchmarks.faults.steps import STEPS, outcome
from demo import TEAM as DEMO_TEAM
from orchestration.settings import PROJECT, Settings, from_environment

AS_OF = "2026-11-23T12:00:00Z"
CALM_SECONDS = 300  # a step that takes longer hangs
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["benchmarks.faults.steps"])
SIZES = (
    4_000,
    20_000,
    100_000,
    600_000,
    3_000_000,
    12_000_000,
)  # of files, in bytes, where the disk fills in the middle of a write


@dataclass(frozen=True)
class Ended:
    """How a step's process ended, the calls it counted, and what it said of its failure."""

    code: int
    calls: int
    said: str


def main(arguments: list[str] | None = None) -> int:
    """The command line; the number of failures, at most 1, is the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.faults", description=__doc__)
    parser.add_argument("--count", type=int, default=300, help="faults (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="chooses them (default: %(default)s)")
    parser.add_argument(
        "--steps", nargs="+", choices=STEPS, default=list(STEPS), help="where they strike (default: all)"
    )
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder, receiver() as address:
        channels = {f"TOKENTRAIL_CHANNEL_{name}": address for name in ("ONCALL", "FINANCE", "EVERYONE")}
        os.environ |= channels | {
            "TOKENTRAIL_DATA": str(Path(folder) / "data"),
            "TOKENTRAIL_TEAM": str(DEMO_TEAM),
            "TOKENTRAIL_AS_OF": AS_OF,
            "PYTHONPATH": str(PROJECT),
        }
        settings = from_environment()
        calls = control(settings, Path(folder))
        print(f"Calls that can fail: {', '.join(f'{step} {count}' for step, count in calls.items())}.", flush=True)
        failures = campaign(settings, Path(folder), calls, options)
    return bool(failures)


def control(settings: Settings, folder: Path) -> dict[str, int]:
    """The undisturbed run, with the root before each step kept; how many calls each step makes."""
    land(settings, "first", [date(2026, 11, 9) + timedelta(days=day) for day in range(7)])
    for step in STEPS:
        do(settings, step)
    land(settings, "second", [date(2026, 11, 14) + timedelta(days=day) for day in range(7)], input_tokens=40_000_000)
    calls = {}
    for step in STEPS:
        keep(settings.data, folder / step)
        ended = do(settings, step)
        calls[step] = ended.calls
        if ended.code:
            raise RuntimeError(f"The undisturbed {step} failed:\n{ended.said[-3000:]}")
        keep(settings.data, folder / f"{step}.control")
    return calls


def campaign(settings: Settings, folder: Path, calls: dict[str, int], options: argparse.Namespace) -> list[str]:
    """Every fault; returns the failures, which it prints."""
    chance, failures, struck, began = random.Random(options.seed), [], Counter(), time.monotonic()  # noqa: S311
    wanted = {}
    for step in options.steps:
        put_back(folder / f"{step}.control", settings.data)
        wanted[step] = outcome(settings, step)
    for number in range(options.count):
        step, action = options.steps[number % len(options.steps)], chance.choice((*ACTIONS, "size"))
        at = chance.choice(SIZES) if action == "size" else chance.randint(1, calls[step])
        put_back(folder / step, settings.data)
        ended = do(settings, step, at, action)
        found = [f"readers: {sentence}" for sentence in broken_parts(settings.data)]
        again = do(settings, step)
        found += [f"one more run: {again.said[-1500:]}"] if again.code else []
        found += (
            []
            if again.code or outcome(settings, step) == wanted[step]
            else ["one more run is not what the control is."]
        )
        found += [f"readers afterwards: {sentence}" for sentence in broken_parts(settings.data)]
        struck[step, "faults"] += 1
        struck[step, "the step failed" if ended.code else "the step coped"] += 1
        struck[step, "failures"] += bool(found)
        if (number + 1) % 50 == 0:
            print(f"{number + 1} faults after {time.monotonic() - began:.0f} s.", flush=True)
        for sentence in found:
            failures.append(f"{step}, {action} at {at}: {sentence}")
            print(failures[-1], flush=True)
    print(f"\n{'step':10}{'faults':>8}{'step failed':>13}{'step coped':>12}{'failures':>10}")
    for step in options.steps:
        columns = ("faults", "the step failed", "the step coped", "failures")
        print(
            f"{step:10}"
            + "".join(
                f"{struck[step, column]:>{width}}" for column, width in zip(columns, (8, 13, 12, 10), strict=True)
            )
        )
    print(f"{len(failures)} failures of {options.count} faults, seed {options.seed}, {time.monotonic() - began:.0f} s.")
    return failures


def do(settings: Settings, step: str, at: int = 0, action: str = "eio") -> Ended:
    """A step in a process of its own, forked from one that has everything imported."""
    counted, said = settings.data.parent / "calls", settings.data.parent / "said"
    for path in (counted, said):
        path.unlink(missing_ok=True)
    process = PROCESSES.Process(target=steps.in_process, args=(step, at, action, counted, said))
    process.start()
    process.join(CALM_SECONDS)
    hung = process.is_alive()
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)  # a dbt that outlived its run would write into the next root
    process.join()
    if hung:
        return Ended(1, 0, f"it hung for {CALM_SECONDS} s and was killed")
    return Ended(
        process.exitcode, int(counted.read_text()) if counted.exists() else 0, said.read_text() if said.exists() else ""
    )


def keep(root: Path, snapshot: Path) -> None:
    """A copy of the root, links as links, and files of several publications as several names of one file."""
    subprocess.run(["cp", "-a", root, snapshot], check=True)


def put_back(snapshot: Path, root: Path) -> None:
    """The root as it was."""
    shutil.rmtree(root)
    keep(snapshot, root)


def land(settings: Settings, name: str, days: list[date], input_tokens: int = 100_000) -> None:
    """Good lines, and two that are refused, on these days."""
    for day in days:
        path = Path(settings.landing) / "events" / f"dt={day}" / f"{name}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        events = [
            {
                "externalRequestId": f"{name}-{day}-{number}",
                "occurredAt": f"{day}T{number:02d}:00:00Z",
                "provider": "anthropic",
                "model": "claude-sonnet-4-5",
                "status": "success",
                "endpointTag": "chat.reply",
                "promptVersion": "v1",
                "tenantId": f"tenant-{number % 3}",
                "inputTokens": input_tokens,
                "outputTokens": 200,
            }
            for number in range(20)
        ]
        path.write_text(
            "".join(json.dumps(event) + "\n" for event in events) + "{torn\n" + '{"externalRequestId": "bad"}\n'
        )


@contextmanager
def receiver():
    """A receiver of messages on this machine that takes everything; yields its address."""

    class Takes(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Takes) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"json://127.0.0.1:{server.server_port}"
        server.shutdown()


if __name__ == "__main__":
    sys.exit(main())
