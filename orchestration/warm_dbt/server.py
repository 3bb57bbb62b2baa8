"""A process that imports dbt, reads the project as it was parsed, and then is dbt for a command line.

It holds the parsed project and the compiled macros in memory, and hands them to dbt as its programmatic interface takes
them. Another project, such as a copy that a test has changed, is parsed as usual.

Arguments: the file descriptor of a listening socket, and `forks` to be dbt for each command in a fork of its own. It imports dbt and
nothing of ours, and so has no threads when it forks.
"""

import gc
import json
import os
import select
import socket
import sys
import threading
from contextlib import suppress
from importlib.metadata import version
from typing import NoReturn

from dbt.adapters.duckdb.connections import DuckDBConnectionManager
from dbt.cli.main import cli, dbtRunner
from dbt.contracts.graph.manifest import Manifest
from dbt_common.events.base_types import DebugLevel, InfoLevel

from orchestration.warm_dbt import shortcuts
from orchestration.warm_dbt.client import PID_BYTES

gc.set_threshold(50_000, 20, 20)  # nearly all that dbt makes stays: looking for garbage was a tenth of its start
# Whether the shortcuts hold for the dbt that is installed.
KNOWN = all(version(name) == release for name, release in shortcuts.RELEASES.items())
PARSED = {"build", "compile", "run", "test"}  # commands that need the project and change nothing of it


def serve(listening: socket.socket, parsed: Manifest, forks: bool) -> None:
    """Be dbt for one command, or fork for each, one after the other; until standard input ends."""
    while sys.stdin not in select.select([sys.stdin, listening], [], [])[0]:
        connection, _ = listening.accept()
        if not forks:
            listening.close()
            become(connection, parsed)
        with connection:
            child = os.fork()
            if child == 0:
                become(connection, parsed)
            os.waitpid(child, 0)


def become(connection: socket.socket, parsed: Manifest) -> NoReturn:
    """Be the dbt command that a client asks for: its arguments, environment, folder and streams. Ends when the client does."""
    home = os.getcwd()
    length, streams, _, _ = socket.recv_fds(connection, 8, 3)
    asked = json.loads(connection.recv(int.from_bytes(length, "big"), socket.MSG_WAITALL))
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.environ.clear()
    os.environ.update(asked["environment"])
    os.chdir(asked["folder"])
    connection.sendall(os.getpid().to_bytes(PID_BYTES, "big"))
    threading.Thread(target=_end_with, args=[connection], daemon=True).start()
    code = 1
    try:
        command, *options = asked["arguments"]
        if command in PARSED and asked["folder"] == home:
            code = run_parsed(asked["arguments"], parsed, quiet="--quiet" in options)
        else:
            cli(asked["arguments"])
    except SystemExit as end:
        code = int(end.code or 0)
    finally:
        DuckDBConnectionManager.close_all_connections()  # writes the log into the database, as the end of a process does
        sys.stdout.flush()
        sys.stderr.flush()
        with suppress(OSError):
            connection.sendall(bytes([code & 255]))
        os._exit(code)  # libraries end the threads of the process they were loaded in, which a fork is not


def _end_with(connection: socket.socket) -> None:
    """The client says no more: what is read is its end, and with it went whoever asked for this."""
    connection.recv(1)
    os._exit(1)


def run_parsed(arguments: list[str], parsed: Manifest, quiet: bool) -> int:
    """A command of the project that is parsed already: prints what dbt would, and returns its exit code."""

    def shown(message) -> None:
        if message.info.level == "error" or message.info.name in shortcuts.SHOWN:
            print(message.info.msg)

    if KNOWN:
        # Dagster reads results, which have a level of their own
        shortcuts.without_events_nobody_reads(DebugLevel | InfoLevel if quiet else DebugLevel)
    if quiet:
        # at level `none` dbt formats no line, which it otherwise does for each of thousands
        done = dbtRunner(parsed, callbacks=[shown]).invoke(["--log-level", "none", *arguments])
    else:
        done = dbtRunner(parsed).invoke(arguments)
    if done.exception and quiet:
        print(done.exception)
    return 0 if done.success else 2 if done.exception else 1


def prepared() -> Manifest:
    """The parsed project, with its macros and models compiled, which each command would do anew."""
    if KNOWN:
        shortcuts.take()
    # dbt prepares its classes as it goes; the manifest is written by whoever parsed the project
    done = dbtRunner().invoke(["--log-level", "none", "parse", "--no-write-json"])
    if done.exception:
        raise done.exception
    if KNOWN:
        shortcuts.compile_templates(done.result)
        shortcuts.link_nodes(done.result)
    return done.result


if __name__ == "__main__":
    ready = prepared()
    gc.freeze()  # what is here stays, in every fork
    serve(socket.socket(fileno=int(sys.argv[1])), ready, forks="forks" in sys.argv[2:])
