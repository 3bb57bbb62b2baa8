"""CPU and wall-clock time of a piece of work of this process."""

import time
from types import TracebackType


class Timed:
    """Measures the body of a `with`; `cpu` and `wall` are seconds."""

    cpu = wall = 0.0

    def __enter__(self) -> "Timed":
        self._began = time.process_time(), time.perf_counter()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        cpu, wall = self._began
        self.cpu, self.wall = time.process_time() - cpu, time.perf_counter() - wall

    def __str__(self) -> str:
        return f"{self.cpu:.1f} s CPU, {self.wall:.1f} s"
