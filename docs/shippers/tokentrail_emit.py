"""Report LLM calls to Tokentrail without touching them: copy this file into your service (Python 3.8+, no packages)."""

import atexit
import json
import os
import queue
import socket
import threading
import time
import uuid
from pathlib import Path


class Emitter:
    """A bounded queue, and one daemon thread that writes it to files which land whole; `dropped` counts losses."""

    def __init__(self, landing: str, max_waiting: int = 10_000, land_every_seconds: float = 60):
        self.events, self.max_waiting, self.land_every = Path(landing) / "events", max_waiting, land_every_seconds
        self.dropped = 0
        self._start()
        if hasattr(os, "register_at_fork"):  # threads do not survive a fork: each worker of a server gets its own
            os.register_at_fork(after_in_child=self._start)
        atexit.register(self.close)

    def emit(self, event: dict) -> None:
        """Queue one event. Never raises or waits: a full queue, or a value that is not JSON, counts as dropped."""
        try:
            self._waiting.put_nowait(json.dumps(event, allow_nan=False).encode() + b"\n")
        except Exception:
            self._drop()

    def close(self, timeout_seconds: float = 2) -> None:
        """Land what is queued. Runs automatically when the process ends, for at most twice the timeout."""
        self._closing.set()
        try:
            self._waiting.put(None, timeout=timeout_seconds)
        except queue.Full:
            return
        self._writer.join(timeout_seconds)

    def _start(self) -> None:
        self._waiting = queue.Queue(self.max_waiting)
        self._closing, self._counting = threading.Event(), threading.Lock()
        self._writer = threading.Thread(target=self._write, name="tokentrail", daemon=True)
        self._writer.start()

    def _drop(self) -> None:
        with self._counting:
            self.dropped += 1

    def _write(self) -> None:
        while not (self._closing.is_set() and self._waiting.empty()):
            line = self._waiting.get()
            if line is not None:
                try:
                    self._write_one_file(line)
                except Exception:
                    self._drop()
                    time.sleep(0.1)  # the disk is full or unavailable: do not spin

    def _write_one_file(self, line: "bytes | None") -> None:
        closes_at = time.monotonic() + self.land_every
        day = self.events / time.strftime("dt=%Y-%m-%d", time.gmtime())
        day.mkdir(parents=True, exist_ok=True)
        landed = day / f"{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex}.jsonl"
        growing = landed.with_name("." + landed.name)  # the loader skips dot names; renaming within a folder is atomic
        try:
            with growing.open("xb", buffering=0) as file:
                while line is not None:
                    file.write(line)
                    line = self._next_line(closes_at - time.monotonic())
        finally:
            growing.rename(landed)

    def _next_line(self, seconds_left: float) -> "bytes | None":
        """The next line for the growing file, or None when it is time to land it."""
        try:
            return self._waiting.get(timeout=seconds_left) if seconds_left > 0 else None
        except queue.Empty:
            return None
