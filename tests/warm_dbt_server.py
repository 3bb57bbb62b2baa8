"""A process that has imported dbt and parsed the project; each command is a fork of it. `tests/warm_dbt.py` says why.

Arguments: the file descriptor of a listening socket. It imports dbt and nothing of ours, and so has no threads when it forks.
"""

import gc
import json
import os
import select
import socket
import sys
from typing import NoReturn

from dbt.adapters.duckdb.connections import DuckDBConnectionManager
from dbt.cli.main import cli, dbtRunner


def serve(listening: socket.socket) -> None:
    """Fork for each command, one after the other, until standard input ends."""
    while sys.stdin not in select.select([sys.stdin, listening], [], [])[0]:
        connection, _ = listening.accept()
        with connection:
            child = os.fork()
            if child == 0:
                become(connection)
            _, status = os.waitpid(child, 0)
            connection.sendall(bytes([os.waitstatus_to_exitcode(status) & 255]))


def become(connection: socket.socket) -> NoReturn:
    """Be the dbt command that a client asks for: its arguments, environment, folder and streams."""
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
        cli(asked["arguments"])
    except SystemExit as end:
        code = int(end.code or 0)
    finally:
        DuckDBConnectionManager.close_all_connections()  # writes the log into the database, as the end of a process does
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)  # libraries end the threads of the process they were loaded in, which is not this one


if __name__ == "__main__":
    dbtRunner().invoke(["--log-level", "none", "parse"])  # dbt prepares its classes as it goes
    gc.freeze()  # what is here stays, in every fork
    serve(socket.socket(fileno=int(sys.argv[1])))
