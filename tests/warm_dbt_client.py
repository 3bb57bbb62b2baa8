"""Hands a command line of dbt to the process of `tests/warm_dbt.py` and ends as it ended. Imports little: its start is paid each time."""

import json
import os
import socket
import sys

address, *arguments = sys.argv[1:]
with socket.socket(socket.AF_UNIX) as connection:
    connection.connect(address)
    command = json.dumps({"arguments": arguments, "environment": dict(os.environ), "folder": os.getcwd()}).encode()
    socket.send_fds(connection, [len(command).to_bytes(8, "big")], [0, 1, 2])
    connection.sendall(command)
    code = connection.recv(1)
sys.exit(code[0] if code else 1)  # without a word it was killed
