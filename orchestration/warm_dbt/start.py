"""Starts a dbt ahead of the command that it will be asked for."""

import atexit
import os
import socket
import subprocess
import sys
import threading
from contextlib import ExitStack, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Self

from orchestration import dbt
from orchestration.dbt import DBT_PROJECT, dbt_environment, parse
from orchestration.publishing.documentation import docs_are_due
from orchestration.settings import PROJECT, Settings

CLIENT = Path(__file__).with_name("client.py")


class WarmDbt:
    """A context in which `command` is the path of a dbt; from `start()` on it has started already, for one command line.

    With `forks` it stays for any number of them, one after the other. Where temporary files cannot be written or may not be programs,
    it is dbt as it is.
    """

    def __init__(self, settings: Settings, forks: bool = False) -> None:
        self.settings, self.forks = settings, forks
        self.command = self.cold = dbt.DBT
        self.folder: TemporaryDirectory[str] | None = None
        self.server: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        with suppress(OSError):
            self.folder = TemporaryDirectory(
                prefix="tokentrail-dbt-"
            )  # not under the data root: a socket's path is short
            command = Path(self.folder.name) / "dbt"
            call = f'"{sys.executable}" -I -S "{CLIENT}" "{self._address}" "{dbt.DBT}" "$@"'
            command.write_text(f"#!/bin/sh\nexec {call}\n")
            command.chmod(0o755)
            if os.access(command, os.X_OK):
                self.command = command
        return self

    @property
    def _address(self) -> str:
        return f"{self.folder.name}/socket" if self.folder else ""

    def start(self) -> None:
        """Begin to get ready, once. The project has to be parsed: a whole parse is dbt's own."""
        if self.server or self.command == self.cold:
            return
        modules = os.pathsep.join([str(PROJECT), *filter(None, [os.environ.get("PYTHONPATH")])])
        paths = {"DBT_PROFILES_DIR": str(DBT_PROJECT), "PYTHONPATH": modules}
        log = (
            self.settings.state / "dbt" / "warm.log"
        )  # says why it cannot start, where it cannot: dbt then does itself
        with suppress(OSError), socket.socket(socket.AF_UNIX) as listening, log.open("w") as said:
            listening.bind(self._address)
            listening.listen()
            arguments = [str(listening.fileno()), *(["forks"] if self.forks else [])]
            self.server = subprocess.Popen(
                [sys.executable, "-P", "-W", "ignore", "-m", "orchestration.warm_dbt.server", *arguments],
                cwd=DBT_PROJECT,
                env=os.environ | dbt_environment(self.settings) | paths,
                pass_fds=[listening.fileno()],
                stdin=subprocess.PIPE,
                stdout=said,
                stderr=said,
                start_new_session=True,  # what a terminal interrupts, it interrupts through the client, as dbt is interrupted
            )

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Whoever was served has had the answer. (The server also ends with its standard input, and so when we are killed.)"""
        if self.server and self.server.stdin:
            self.server.stdin.close()
            self.server.kill()
            self.server.wait()
        if self.folder:
            self.folder.cleanup()


def start_ahead(settings: Settings) -> None:
    """From here to the end of this process, whoever runs dbt runs a warm one, which gets ready meanwhile. Parses a changed project.

    Where documentation is due too, it stays for that after the build.
    """
    if dbt.DBT != dbt.INSTALLED:  # this was called before, or a test has a dbt of its own
        return
    stack = ExitStack()
    warm = stack.enter_context(WarmDbt(settings, forks=docs_are_due(settings)))
    atexit.register(stack.close)
    dbt.DBT = warm.command
    threading.Thread(target=_get_ready, args=[warm], name="start dbt", daemon=True).start()


def _get_ready(warm: WarmDbt) -> None:
    with suppress(RuntimeError, OSError):  # whoever needs the project parses it again, and says why it cannot be
        parse(warm.settings)
        warm.start()
