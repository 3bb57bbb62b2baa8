"""A process that has imported dbt and parsed the project; each command is a fork of it. `tests/warm_dbt.py` says why.

A fork has the parsed project and the compiled macros in memory, and hands them to dbt as its programmatic interface takes
them. Another project, such as a copy that a test has changed, is parsed as usual.

Arguments: the file descriptor of a listening socket. It imports dbt and nothing of ours, and so has no threads when it forks.
"""

import gc
import json
import os
import select
import socket
import sys
from typing import NoReturn

import dbt_shortcuts
from dbt.adapters.duckdb.connections import DuckDBConnectionManager
from dbt.cli.main import cli, dbtRunner
from dbt.contracts.graph.manifest import Manifest
from dbt_common.events.base_types import DebugLevel

PARSED = {"build", "compile", "run", "test"}  # commands that need the project and change nothing of it


def serve(listening: socket.socket, parsed: Manifest) -> None:
    """Fork for each command, one after the other, until standard input ends."""
    while sys.stdin not in select.select([sys.stdin, listening], [], [])[0]:
        connection, _ = listening.accept()
        with connection:
            child = os.fork()
            if child == 0:
                become(connection, parsed)
            _, status = os.waitpid(child, 0)
            connection.sendall(bytes([os.waitstatus_to_exitcode(status) & 255]))


def become(connection: socket.socket, parsed: Manifest) -> NoReturn:
    """Be the dbt command that a client asks for: its arguments, environment, folder and streams."""
    home = os.getcwd()
    length, streams, _, _ = socket.recv_fds(connection, 8, 3)
    asked = json.loads(connection.recv(int.from_bytes(length, "big"), socket.MSG_WAITALL))
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.environ.clear()
    os.environ.update(asked["environment"])
    os.chdir(asked["folder"])
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
        os._exit(code)  # libraries end the threads of the process they were loaded in, which is not this one


def run_parsed(arguments: list[str], parsed: Manifest, quiet: bool) -> int:
    """A command of the project that is parsed already: prints what dbt would, and returns its exit code."""

    def shown(message) -> None:
        if message.info.level == "error" or message.info.name in dbt_shortcuts.SHOWN:
            print(message.info.msg)

    if quiet:
        dbt_shortcuts.without_events_nobody_reads()
        # at level `none` dbt formats no line, which it otherwise does for each of thousands
        done = dbtRunner(parsed, callbacks=[shown]).invoke(["--log-level", "none", *arguments])
    else:
        dbt_shortcuts.without_events_nobody_reads(DebugLevel)  # Dagster reads results, which have a level of their own
        done = dbtRunner(parsed).invoke(arguments)
    if done.exception and quiet:
        print(done.exception)
    return 0 if done.success else 2 if done.exception else 1


def prepared() -> Manifest:
    """The parsed project, with its macros and models compiled, which each command would do anew."""
    dbt_shortcuts.take()
    done = dbtRunner().invoke(["--log-level", "none", "parse"])  # dbt prepares its classes as it goes
    if done.exception:
        raise done.exception
    dbt_shortcuts.compile_templates(done.result)
    dbt_shortcuts.link_nodes(done.result)
    return done.result


if __name__ == "__main__":
    parsed = prepared()
    gc.freeze()  # what is here stays, in every fork
    serve(socket.socket(fileno=int(sys.argv[1])), parsed)
