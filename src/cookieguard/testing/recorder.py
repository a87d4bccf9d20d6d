"""A recorder in place of every third party: it notes each contact, even a connection without a request.

Chromium is told to resolve every name to it (`Recorder.arguments`). What is https is named by the handshake's first
message and then closed; what is http gets an empty answer.
"""

from __future__ import annotations

import socket
import time
from contextlib import suppress
from functools import partial
from types import TracebackType
from typing import NamedTuple

from cookieguard.runtime.worker import start_thread

LOOPBACK = "127.0.0.1"
# A network that heard nothing new for this long has heard it all: what pages start late, they start at load.
QUIET = 0.5
LONGEST_WAIT = 15.0
SILENCE = 1.0  # seconds after which a connection is one that asks nothing (a preconnect)
# What Chromium does of itself: look for its own account at Google, for its components, and for faster ways.
QUIET_CHROMIUM = (
    "--gaia-url=http://127.0.0.1:9/",
    "--component-updater=url-source=http://127.0.0.1:9/",
    "--apps-gallery-update-url=http://127.0.0.1:9/",
    "--disable-extensions",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--disable-quic",
)
# And whom it asks of each form that it may fill in, and of each page: no page's doing.
BROWSERS_OWN = ("content-autofill.googleapis.com", "optimizationguide-pa.googleapis.com")
MOST_HEAD = 16 * 1024
HANDSHAKE = 0x16
ANSWER = (
    b"HTTP/1.1 204 No Content\r\naccess-control-allow-origin: *\r\naccess-control-allow-headers: *\r\n"
    b"cache-control: no-store\r\nconnection: close\r\n\r\n"
)


class Contact(NamedTuple):
    """Hold one contact: the host that was called, and the method and path where those could be read (http alone)."""

    host: str
    method: str = ""
    path: str = ""


class Recorder:
    """Listen on a free port while a `with` block runs. Owns its threads, and `contacts`, which they fill."""

    def __init__(self) -> None:
        self.contacts: list[Contact] = []
        self._listener = socket.create_server((LOOPBACK, 0))

    def __enter__(self) -> Recorder:
        self._thread = start_thread(self._listen)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()

    @property
    def port(self) -> int:
        """The port it listens on."""
        return int(self._listener.getsockname()[1])

    @property
    def arguments(self) -> list[str]:
        """The arguments of a Chromium for which this is every host, but for names of this machine."""
        rules = [f"MAP {host} ~NOTFOUND" for host in BROWSERS_OWN]
        rules += [
            f"MAP * {LOOPBACK}:{self.port}",
            "EXCLUDE localhost",
            "EXCLUDE *.localhost",
            f"EXCLUDE {LOOPBACK}",
        ]
        return [f"--host-resolver-rules={', '.join(rules)}", *QUIET_CHROMIUM]

    @property
    def hosts(self) -> set[str]:
        """The hosts that were called; a connection that asked nothing over http counts as `(unknown)`."""
        return {one.host for one in self.contacts}

    def wait(self) -> None:
        """Wait until nothing new is heard."""
        end, since, last = time.monotonic() + LONGEST_WAIT, time.monotonic(), len(self.contacts)
        while time.monotonic() < end and time.monotonic() - since < QUIET:
            time.sleep(0.05)
            if len(self.contacts) != last:
                since, last = time.monotonic(), len(self.contacts)

    def forget(self) -> None:
        """Start anew, once what is still on its way has arrived."""
        self.wait()
        self.contacts.clear()

    def _listen(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:  # closed: the block is over
                return
            start_thread(partial(self._answer, connection))

    def _answer(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):
            connection.settimeout(SILENCE)
            head = _head(connection)
            self.contacts.append(read_contact(head))
            if head[:1] != bytes([HANDSHAKE]):
                connection.sendall(ANSWER)


def _head(connection: socket.socket) -> bytes:
    """Read what a client says first: all of a handshake's first record, or the head of a request."""
    head = b""
    with suppress(TimeoutError):
        while len(head) < MOST_HEAD and not _is_whole(head):
            piece = connection.recv(4096)
            if not piece:
                break
            head += piece
    return head


def _is_whole(head: bytes) -> bool:
    if head[:1] == bytes([HANDSHAKE]):
        return len(head) >= 5 and len(head) >= 5 + int.from_bytes(head[3:5])
    return b"\r\n\r\n" in head


def read_contact(head: bytes) -> Contact:
    """Return who is called: the server name of a TLS handshake, or the Host of a request."""
    if head[:1] == bytes([HANDSHAKE]):
        return Contact(_server_name(head) or "(unknown)")
    line, _, rest = head.partition(b"\r\n")
    method, _, target = line.decode("latin-1").partition(" ")
    names = [one.partition(b":") for one in rest.split(b"\r\n")]
    host = next((value for name, _, value in names if name.lower() == b"host"), b"(unknown)")
    return Contact(host.decode("latin-1").strip().partition(":")[0], method, target.partition(" ")[0])


def _server_name(record: bytes) -> str:
    """Read the server_name extension (RFC 6066, 3) of a ClientHello (RFC 8446, 4.1.2)."""
    try:
        position = 5 + 4 + 2 + 32  # record, message, version, random
        position += 1 + record[position]  # session id
        position += 2 + int.from_bytes(record[position : position + 2])  # cipher suites
        position += 1 + record[position]  # compression methods
        end = position + 2 + int.from_bytes(record[position : position + 2])
        position += 2
        while position < end:
            kind = int.from_bytes(record[position : position + 2])
            size = int.from_bytes(record[position + 2 : position + 4])
            if kind == 0:  # a list of names, each: kind, length, name
                length = int.from_bytes(record[position + 7 : position + 9])
                return record[position + 9 : position + 9 + length].decode("ascii")
            position += 4 + size
    except (IndexError, UnicodeDecodeError):  # no handshake that we know
        return ""
    return ""
