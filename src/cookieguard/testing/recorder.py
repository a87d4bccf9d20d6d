"""A server in place of every third party: it records each contact, even a connection without a request.

`Recorder.arguments` make Chromium resolve every name to it. For https, it reads the host from the first message of
the TLS handshake and closes the connection; for http, it sends an empty response.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import NamedTuple

from cookieguard.runtime.worker import start_thread

LOOPBACK = "127.0.0.1"
# Seconds without a new contact after which a page counts as complete; late requests mostly follow its load event.
QUIET = 0.5
LONGEST_WAIT = 15.0
SILENCE = 1.0  # seconds after which a connection counts as one without a request (a preconnect)
# Switch off Chromium's own requests: for Google accounts, updates of components, and QUIC.
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
# The hosts that Chromium itself asks about forms and pages; these requests are not the page's.
BROWSERS_OWN = ("content-autofill.googleapis.com", "optimizationguide-pa.googleapis.com")
MOST_HEAD = 16 * 1024
HANDSHAKE = 0x16
ANSWER = (
    b"HTTP/1.1 204 No Content\r\naccess-control-allow-origin: *\r\naccess-control-allow-headers: *\r\n"
    b"cache-control: no-store\r\nconnection: close\r\n\r\n"
)


class Contact(NamedTuple):
    """Hold one contact: the host, and the method and path, which can be read only over http."""

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

    def __exit__(self, *_: object) -> None:
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
        """Arguments that make Chromium resolve every host to this recorder, except names of this machine."""
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
        """The hosts that were contacted; a connection without a request over http counts as `(unknown)`."""
        return {contact.host for contact in self.contacts}

    def wait(self) -> None:
        """Wait until there was no new contact for QUIET seconds."""
        wait_until_quiet(lambda: len(self.contacts), lambda: time.sleep(0.05))

    def forget(self) -> None:
        """Delete all contacts, after waiting for those that are still on their way."""
        self.wait()
        self.contacts.clear()

    def _listen(self) -> None:
        with suppress(OSError):  # closed: the block is over
            while True:
                connection, _ = self._listener.accept()
                start_thread(partial(self._answer, connection))

    def _answer(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):
            connection.settimeout(SILENCE)
            head = _head(connection)
            self.contacts.append(read_contact(head))
            if head[:1] != bytes([HANDSHAKE]):
                connection.sendall(ANSWER)


def wait_until_quiet(count: Callable[[], int], pause: Callable[[], object]) -> None:
    """Wait until a count has not changed for QUIET seconds; `pause` waits for a moment."""
    end, since, last = time.monotonic() + LONGEST_WAIT, time.monotonic(), count()
    while time.monotonic() < end and time.monotonic() - since < QUIET:
        pause()
        if count() != last:
            since, last = time.monotonic(), count()


def _head(connection: socket.socket) -> bytes:
    """Return the first bytes of a client: the whole first record of a handshake, or the head of a request."""
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
    """Return the contact of a client's first bytes: the server name of a TLS handshake, or the Host of a request."""
    if head[:1] == bytes([HANDSHAKE]):
        return Contact(_server_name(head) or "(unknown)")
    line, _, rest = head.partition(b"\r\n")
    method, _, target = line.decode("latin-1").partition(" ")
    names = [header.partition(b":") for header in rest.split(b"\r\n")]
    host = next((value for name, _, value in names if name.lower() == b"host"), b"(unknown)")
    return Contact(host.decode("latin-1").strip().partition(":")[0], method, target.partition(" ")[0])


def _server_name(record: bytes) -> str:
    """Return the server_name extension (RFC 6066, 3) of a ClientHello (RFC 8446, 4.1.2), or ""."""
    with suppress(IndexError, UnicodeDecodeError):  # another form of handshake
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
    return ""
