"""Starts a dbt ahead of the command that it will be asked for."""

import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from orchestration import dbt
from orchestration.dbt import DBT_PROJECT, dbt_environment
from orchestration.settings import PROJECT, Settings

CLIENT = Path(__file__).with_name("client.py")


class WarmDbt:
    """A context in which `command` is the path of a dbt; from `start()` on it has started already, for one command line.

    With `forks` it stays for any number of them, one after the other, which the tests use.
    """

    def __init__(self, settings: Settings, forks: bool = False) -> None:
        self.settings, self.forks = settings, forks
        self.folder = tempfile.TemporaryDirectory(prefix="tokentrail-dbt-")  # a socket's path is short
        self.command = Path(self.folder.name) / "dbt"
        self.address = Path(self.folder.name) / "socket"
        self.server: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        call = f'"{sys.executable}" -I -S "{CLIENT}" "{self.address}" "{dbt.DBT}" "$@"'
        self.command.write_text(f"#!/bin/sh\nexec {call}\n")
        self.command.chmod(0o755)
        return self

    def start(self) -> None:
        """Begin to get ready, once. The project has to be parsed: a whole parse is dbt's own."""
        if self.server:
            return
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind(str(self.address))
            listening.listen()
            forks = ["forks"] if self.forks else []
            modules = os.pathsep.join([str(PROJECT), *filter(None, [os.environ.get("PYTHONPATH")])])
            paths = {"DBT_PROFILES_DIR": str(DBT_PROJECT), "PYTHONPATH": modules}
            # a session of its own: what a terminal interrupts, it interrupts through the client, as dbt is interrupted
            self.server = subprocess.Popen(
                [
                    sys.executable,
                    "-P",
                    "-W",
                    "ignore",
                    "-m",
                    "orchestration.warm_dbt.server",
                    str(listening.fileno()),
                    *forks,
                ],
                cwd=DBT_PROJECT,
                env=os.environ | dbt_environment(self.settings) | paths,
                pass_fds=[listening.fileno()],
                stdin=subprocess.PIPE,
                start_new_session=True,
            )

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """The server ends with its standard input, so it also ends when we are killed; whoever it served has had its answer."""
        if self.server and self.server.stdin:
            self.server.stdin.close()
            self.server.terminate()
            self.server.wait()
        self.folder.cleanup()


@contextmanager
def warm_dbt(settings: Settings) -> Iterator[Callable[[], None]]:
    """A context in which whoever runs dbt runs a warm one, once what this yields was called."""
    cold = dbt.DBT
    with WarmDbt(settings) as warm:
        dbt.DBT = warm.command
        try:
            yield warm.start
        finally:
            dbt.DBT = cold
