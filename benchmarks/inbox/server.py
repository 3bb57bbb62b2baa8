"""The inbox as a process of its own, and what it uses, as Linux counts it."""

import http.client
import os
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from orchestration.settings import PROJECT, Settings

PATIENCE = 60  # seconds until it has to answer
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Answer:
    """One view: what the client waited and what the server took, in milliseconds."""

    waited: float
    took: float
    size: int


class Server:
    """`python -m inbox` over a data root, while the body of a `with` runs; `started` is the milliseconds to its first page."""

    def __init__(self, settings: Settings):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        named = {"TOKENTRAIL_DATA": str(settings.data), "TOKENTRAIL_BASE_URL": f"http://localhost:{self.port}"}
        named |= {"TOKENTRAIL_TEAM": str(settings.team), "TOKENTRAIL_AS_OF": settings.as_of.isoformat()}
        self._environment = os.environ | named

    def __enter__(self) -> "Server":
        began = time.perf_counter()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "inbox"], cwd=PROJECT, env=self._environment, stdout=subprocess.DEVNULL
        )
        while not self._answers():
            if self._process.poll() is not None or time.perf_counter() - began > PATIENCE:
                raise SystemExit("The inbox did not start: `make inbox` says why.")
            time.sleep(0.01)
        self.started = (time.perf_counter() - began) * 1000
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.terminate()
        self._process.wait()

    def _answers(self) -> bool:
        try:
            self.view("/inbox")
        except OSError:
            return False
        return True

    def view(self, address: str) -> Answer:
        """Load an address as a browser does that has not been there. Ends with a sentence where it is not a page."""
        began = time.perf_counter()
        connection = http.client.HTTPConnection("localhost", self.port, timeout=PATIENCE)
        try:
            connection.request("GET", address, headers={"accept-encoding": "gzip"})
            answer = connection.getresponse()
            size = len(answer.read())
        finally:
            connection.close()
        if answer.status != 200:
            raise SystemExit(f"{address} answered {answer.status}")
        took = float(answer.headers.get("server-timing", "dur=nan").rpartition("dur=")[2])
        return Answer((time.perf_counter() - began) * 1000, took, size)

    def cpu(self) -> float:
        """Milliseconds of CPU time that it has used."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) * 1000 / TICKS

    def memory(self, what: str = "VmRSS") -> float:
        """Megabytes of memory that it holds now, or as `VmHWM` the most that it ever held."""
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        return int(status.partition(f"{what}:")[2].split()[0]) / 1024
