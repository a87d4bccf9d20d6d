"""A stand-in for all foreign hosts: it reads from a connection's first bytes which host is meant, and never answers."""

from __future__ import annotations

import re
import socket
import ssl
import threading
import time
from collections import Counter
from contextlib import suppress

from harness.browser import wait_until_quiet

HOST = re.compile(rb"\r\nhost: *([^\r:]+)", re.IGNORECASE)
# Chromium's own, whatever page is open.
ERRANDS = frozenset(
    {
        "accounts.google.com",
        "clients2.google.com",
        "content-autofill.googleapis.com",
        "optimizationguide-pa.googleapis.com",
        "update.googleapis.com",
        "redirector.gvt1.com",
        "www.google.com",
    }
)


class Others:
    """Listen for connections, and count them by whom they are for. Owns the socket."""

    def __init__(self) -> None:
        self._heard: Counter[str] = Counter()
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=500)
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def rules(self) -> str:
        """Give the argument that leads a Chromium here with every name but the shop's."""
        port = self._socket.getsockname()[1]
        return f"--host-resolver-rules=MAP * 127.0.0.1:{port}, EXCLUDE *.localhost"

    def forget(self) -> None:
        """Start anew."""
        wait_until_quiet(self._heard.total)
        self._heard.clear()

    def heard(self) -> Counter[str]:
        """Wait until it is quiet; return who was connected to, how often."""
        wait_until_quiet(self._heard.total)
        return Counter({host: count for host, count in self._heard.items() if host not in ERRANDS})

    def close(self) -> None:
        """Stop listening."""
        self._socket.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                threading.Thread(target=self._listen, args=self._socket.accept()[:1], daemon=True).start()

    def _listen(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):
            connection.settimeout(10)
            self._heard[self._whom(connection)] += 1
            time.sleep(1)

    @staticmethod
    def _whom(connection: socket.socket) -> str:
        with suppress(OSError):
            first = connection.recv(8192)
            match = HOST.search(first)
            return match[1].decode() if match else _server_name(first)
        return "?"  # a connection without a word


def _server_name(hello: bytes) -> str:
    """Return the host that a TLS greeting names."""
    names: list[str] = []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.sni_callback = lambda _, name, __: names.append(name or "")
    incoming = ssl.MemoryBIO()
    incoming.write(hello)
    with suppress(ssl.SSLError):
        context.wrap_bio(incoming, ssl.MemoryBIO(), server_side=True).do_handshake()
    return names[0] if names else "?"
