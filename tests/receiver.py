"""A real HTTP receiver of messages, on this machine."""

import json
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@contextmanager
def listening() -> Iterator["Receiver"]:
    """A receiver that listens until the block ends."""
    with Receiver() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield server
        server.is_over.set()
        server.shutdown()
        thread.join()


class Receiver(ThreadingHTTPServer):
    """Keeps what arrives; answers what the path's script says next: a status, `hang`, `trickle`, `close` or `kill` (its sender)."""

    daemon_threads, block_on_close = True, False

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.arrived: list[tuple[str, str, dict]] = []  # (path, idempotency key, JSON)
        self.script: dict[str, list] = {}
        self.victim: int | None = None
        self.bytes_sent = 0
        self.is_over = threading.Event()

    def handle_error(self, request, client_address):
        """A sender that went away is what these tests are about."""

    def address(self, path: str = "ok", login: str = "") -> str:
        return f"json://{login}127.0.0.1:{self.server_port}/{path}"

    def keys(self, path: str = "ok") -> list[str]:
        return [key for at, key, _ in self.arrived if at == path]

    def titles(self, path: str = "ok") -> list[str]:
        return [message["title"] for at, _, message in self.arrived if at == path]


class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        path = self.path.strip("/")
        message = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.arrived.append((path, self.headers["Idempotency-Key"], message))
        script = self.server.script.get(path) or [200]
        answer = script.pop(0) if len(script) > 1 else script[0]
        if answer == "kill":
            os.kill(self.server.victim, signal.SIGKILL)
        if answer == "hang":
            self.server.is_over.wait(30)
        elif answer == "trickle":
            self.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
            while not self.server.is_over.wait(0.1):
                self.wfile.write(b".")
        elif answer in ("endless", "drips"):
            self.send_response(200)
            self.end_headers()
            while not self.server.is_over.wait(0 if answer == "endless" else 0.05):
                self.server.bytes_sent += self.wfile.write(b"x" * (65_536 if answer == "endless" else 1))
        elif isinstance(answer, dict):
            self.send_response(202)
            self.end_headers()
            self.wfile.write(json.dumps(answer).encode())
        elif isinstance(answer, int):
            self.send_response(answer)
            if 300 <= answer < 400:
                self.send_header("Location", f"http://127.0.0.1:{self.server.server_port}/elsewhere")
            self.end_headers()

    def do_GET(self):
        self.server.arrived.append((self.path.strip("/"), "GET", {}))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *arguments):
        pass
