"""Runs one side in a process of its own and says how long it took and how much memory it and its children held."""

import json
import os
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

from orchestration.settings import PROJECT

SAMPLE_SECONDS = 0.1


@dataclass
class Run:
    """One run: wall seconds from the start of its process to its end, by step, and the peak of resident memory.

    `cpu_seconds`: of all cores and all its processes, which other work on the machine hardly changes.
    `peak_bytes`: of all its processes together, sampled, or of its largest one as the kernel counts it, whichever is more.
    """

    seconds: float = 0.0
    cpu_seconds: float = 0.0
    steps: dict[str, float] = field(default_factory=dict)
    peak_bytes: int = 0
    peak_by_step: dict[str, int] = field(default_factory=dict)
    notes: dict = field(default_factory=dict)


def run(module: str, *arguments: str, log: Path, **environment: str) -> Run:
    """Runs `python -m module`, reading a JSON line for each step. Raises RuntimeError with the log's end when it fails."""
    done = Run()
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TOKENTRAIL_")}
    kept |= {name: os.environ[name] for name in ("TOKENTRAIL_MEMORY_LIMIT", "TOKENTRAIL_THREADS") if name in os.environ}
    log.parent.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    with log.open("w") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            cwd=PROJECT,
            env=kept | {"PYTHONPATH": str(PROJECT)} | environment,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
        peak = _Sampler(process.pid)
        for line in process.stdout:
            said = json.loads(line)
            if "step" in said:
                done.steps[said["step"]] = said["seconds"]
                done.peak_by_step[said["step"]] = peak.take()
            else:
                done.notes |= said
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    done.seconds, done.cpu_seconds = time.monotonic() - began, usage.ru_utime + usage.ru_stime
    peak.stop()
    done.peak_bytes = max(peak.largest, *done.peak_by_step.values(), 0)
    if process.returncode:
        raise RuntimeError(f"python -m {module} ended with {process.returncode}; {log}:\n{log.read_text()[-4000:]}")
    return done


class _Sampler:
    """Resident memory of a process and its descendants, looked at ten times a second (Linux; elsewhere 0).

    Not getrusage: its ru_maxrss begins with what the process that forked it held.
    """

    def __init__(self, process: int):
        self.process, self.peak, self.largest, self.stopped = process, 0, 0, threading.Event()
        self.thread = threading.Thread(target=self._watch, daemon=True)
        self.thread.start()

    def take(self) -> int:
        """The peak of all processes together since the last call, in bytes."""
        peak, self.peak = self.peak, 0
        return peak

    def stop(self) -> None:
        self.stopped.set()
        self.thread.join()

    def _watch(self) -> None:
        while not self.stopped.wait(SAMPLE_SECONDS):
            seen = [_memory(each) for each in _family(self.process)]
            self.peak = max(self.peak, sum(now for now, _ in seen))
            self.largest = max(self.largest, *(highest for _, highest in seen))


def _family(process: int) -> list[int]:
    members = [process]
    for member in members:
        for children in Path(f"/proc/{member}/task").glob("*/children"):
            try:
                members.extend(int(child) for child in children.read_text().split())
            except OSError:  # gone since it was listed
                continue
    return members


def _memory(process: int) -> tuple[int, int]:
    """What a process holds now and the most it has held since it began, in bytes; zeros when it is gone."""
    try:
        lines = Path(f"/proc/{process}/status").read_text().splitlines()
    except OSError:
        return 0, 0
    held = {
        name: value.split()[0] for name, _, value in (line.partition(":") for line in lines) if name.startswith("Vm")
    }
    return int(held.get("VmRSS", 0)) * 1024, int(held.get("VmHWM", 0)) * 1024
