"""Hands a command line of dbt to the process of server.py and ends as it ended. Imports little: its start is paid each time.

Arguments: the address of the server's socket, the path of dbt, and what dbt is to do. Where no server takes it, dbt itself does.
Ends with whoever asked, who may be killed, and dbt with it: else it would write on, into the warehouse of the next run.
"""

import json
import os
import select
import signal
import socket
import sys
from contextlib import suppress

LOOK_SECONDS = 0.5  # how often to look whether whoever asked is there
PID_BYTES = 8  # of the process that is dbt: the server's answer to a command, before the code with which it ended


def main() -> int:
    """Returns the exit code of dbt."""
    asking = os.getppid()
    address, dbt, *arguments = sys.argv[1:]
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    command = json.dumps({"arguments": arguments, "environment": dict(os.environ), "folder": os.getcwd()}).encode()
    with socket.socket(socket.AF_UNIX) as connection:
        pid = _taken_by(connection, address, command)
        if not pid and os.getppid() == asking:
            os.execv(dbt, [dbt, *arguments])  # noqa: S606 - the dbt of this environment
        return _followed(connection, pid, asking) if pid else 1


def _taken_by(connection: socket.socket, address: str, command: bytes) -> int:
    """The process that has taken the command; 0 where there is none, or it ended before it began."""
    with suppress(OSError):
        connection.connect(address)
        socket.send_fds(connection, [len(command).to_bytes(8, "big")], [0, 1, 2])
        connection.sendall(command)
        return int.from_bytes(connection.recv(PID_BYTES, socket.MSG_WAITALL), "big")
    return 0


def _followed(connection: socket.socket, pid: int, asking: int) -> int:
    """The exit code of the process that has taken the command; it gets the signals that this one gets, and ends with the connection."""

    def forward(number: int, _: object) -> None:
        with suppress(ProcessLookupError):
            os.kill(pid, number)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, forward)
    while not select.select([connection], [], [], LOOK_SECONDS)[0]:
        if os.getppid() != asking:
            return 1
    code = b""
    with suppress(ConnectionError):
        code = connection.recv(1)
    return code[0] if code else 1  # without a word it was killed


if __name__ == "__main__":
    sys.exit(main())
