"""`python -m inbox`: serves the pages to this machine, or with a login to others too."""

import logging
import socket
import sys

import uvicorn

from inbox.app import application
from inbox.login import checked, listening
from orchestration.settings import from_environment


def main() -> int:
    """Serves until it is stopped; 2 with a sentence where it cannot begin."""
    keep_pandas_out()
    try:
        settings = checked(from_environment())
        host, port = listening(settings)
        bound = _bound(host, port)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    logging.basicConfig(format="%(levelname)s %(message)s")
    if settings.inbox_login == "none":
        print(f"The inbox is at http://localhost:{port}/inbox, for this machine only. Ctrl-C ends it.", flush=True)
    else:
        print(f"The inbox listens at {host}:{port} for {settings.base_url}/inbox. Ctrl-C ends it.", flush=True)
    config = uvicorn.Config(
        application(settings),
        log_level="warning",
        server_header=False,
        proxy_headers=False,  # the peer is who connected, whatever a header says
        timeout_graceful_shutdown=5,
    )
    uvicorn.Server(config).run(sockets=[bound])
    return 0


def keep_pandas_out() -> None:
    """DuckDB would import it with the first parameter, to see whether that is one of its values: 90 MB with numpy and pyarrow."""
    sys.modules.setdefault("pandas", None)  # type: ignore[arg-type]


def _bound(host: str, port: int) -> socket.socket:
    """Raises ValueError with a sentence where the address or the port cannot be had."""
    bound = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
    except OSError:
        bound.close()
        raise ValueError(
            f"Port {port} of {host} is taken, perhaps by an inbox that runs already, or is not of this machine: end "
            f"that one, or set another port in TOKENTRAIL_BASE_URL, such as http://localhost:{port + 1}."
        ) from None
    return bound


if __name__ == "__main__":
    sys.exit(main())
