"""`python -m inbox`: serves the pages where TOKENTRAIL_BASE_URL names this machine, else at port 8080; to this machine only."""

import logging
import socket
import sys
from urllib.parse import urlsplit

import uvicorn

from inbox.app import LOOPBACK, application
from orchestration.settings import Settings, from_environment

HOST, PORT = "127.0.0.1", 8080


def main() -> int:
    """Serves until it is stopped; 2 with a sentence where it cannot begin."""
    try:
        settings = from_environment()
        listening = _listen(_port(settings))
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    logging.basicConfig(format="%(levelname)s %(message)s")
    port = listening.getsockname()[1]
    print(f"The inbox is at http://localhost:{port}/inbox, for this machine only. Ctrl-C ends it.", flush=True)
    config = uvicorn.Config(
        application(settings), log_level="warning", server_header=False, timeout_graceful_shutdown=5
    )
    uvicorn.Server(config).run(sockets=[listening])
    return 0


def _port(settings: Settings) -> int:
    """The port of the base address where that is this machine."""
    try:
        address = urlsplit(settings.base_url)
        port = address.port
    except ValueError:
        raise ValueError(f"TOKENTRAIL_BASE_URL is {settings.base_url!r}: its port is not a number.") from None
    return port if port and address.hostname in LOOPBACK else PORT


def _listen(port: int) -> socket.socket:
    """Raises ValueError with a sentence where another process has the port."""
    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((HOST, port))
    except OSError:
        listening.close()
        raise ValueError(
            f"Port {port} is taken, perhaps by an inbox that runs already: end that one, or set another port in "
            f"TOKENTRAIL_BASE_URL, such as http://localhost:{port + 1}."
        ) from None
    return listening


if __name__ == "__main__":
    sys.exit(main())
