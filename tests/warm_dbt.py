"""dbt without its start.

Starting dbt takes a third of the CPU time of a small build, and the suite calls dbt some 150 times. While pytest runs,
`orchestration.dbt.DBT` is another command: `tests/warm_dbt_client.py`, which hands its arguments, environment, folder and streams to
`tests/warm_dbt_server.py`. What runs is dbt's own command line, in a process of its own, with the shortcuts of `tests/dbt_shortcuts.py`.
Whatever a test starts otherwise (`dg launch`, a run that is to be killed) starts dbt as users do.
"""

import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from orchestration.dbt import DBT_PROJECT, dbt_environment, run_dbt
from orchestration.settings import PROJECT
from tests.parsed import is_kept, keep
from tests.pipeline import pipeline_at

CLIENT, SERVER = PROJECT / "tests" / "warm_dbt_client.py", PROJECT / "tests" / "warm_dbt_server.py"


@contextmanager
def warm_dbt() -> Iterator[Path]:
    """The path of a command that does what dbt does, for as long as this context lasts."""
    with tempfile.TemporaryDirectory(prefix="warm-dbt-") as folder:
        settings = pipeline_at(Path(folder) / "data").settings
        if not is_kept():
            run_dbt(settings, "parse", "--quiet")  # not by the server: a whole parse leaves threads, which no fork has
            keep(settings)
        address = Path(folder) / "socket"
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind(str(address))
            listening.listen()
            server = subprocess.Popen(
                [sys.executable, "-W", "ignore", SERVER, str(listening.fileno())],  # forks leave their semaphores to it
                cwd=DBT_PROJECT,
                env=os.environ | dbt_environment(settings) | {"DBT_PROFILES_DIR": str(DBT_PROJECT)},
                pass_fds=[listening.fileno()],
                stdin=subprocess.PIPE,
            )
        command = Path(folder) / "dbt"
        call = f'"{sys.executable}" -I -S "{CLIENT}" "{address}" "$@"'
        command.write_text(f"#!/bin/sh\nDBT_LOG_LEVEL_FILE=none exec {call}\n")
        command.chmod(0o755)
        try:
            yield command
        finally:
            server.stdin.close()  # the server ends with its standard input, so it also ends when we are killed
            server.wait()
