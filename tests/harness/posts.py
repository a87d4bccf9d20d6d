"""A server on this machine that answers what is posted to it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from harness.servers import LOOPBACK

Reply = tuple[int, Mapping[str, str], bytes]
"""Status, headers, body."""


@contextmanager
def answering(reply: Callable[[str, bytes], Reply]) -> Iterator[int]:
    """Answer each POST by its path and body until the block ends, and give the port."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            status, headers, said = reply(self.path, self.rfile.read(int(self.headers["content-length"])))
            self.send_response(status)
            for name, value in {**headers, "content-length": str(len(said))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(said)

        def log_message(self, *_: object) -> None:
            """Log nothing."""

    server = ThreadingHTTPServer((LOOPBACK, 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
