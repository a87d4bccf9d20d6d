"""A small WebSocket client over wsproto; installing `websockets` would make uvicorn use that instead."""

from __future__ import annotations

import socket
from collections.abc import Iterable
from dataclasses import dataclass, field

from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection, CloseConnection, Request, TextMessage

TIMEOUT = 60.0  # on a busy machine


@dataclass
class Talk:
    """Hold what a server sent: the Set-Cookie lines of its handshake, and its texts until it closed."""

    is_accepted: bool = False
    set_cookies: list[str] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)


def listen(port: int, path: str, headers: Iterable[tuple[str, str]] = (), *, host: str = "") -> Talk:
    """Open a WebSocket at a port of this machine and listen until the server closes it."""
    pairs = [(name.encode(), value.encode()) for name, value in headers if value]
    talk, client = Talk(), WSConnection(ConnectionType.CLIENT)
    with socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT) as stream:
        request = Request(host=host or f"127.0.0.1:{port}", target=path, extra_headers=pairs)
        stream.sendall(client.send(request))
        while received := stream.recv(65536):
            client.receive_data(received)
            for event in client.events():
                if isinstance(event, AcceptConnection):
                    talk.is_accepted = True
                    found = event.extra_headers
                    talk.set_cookies = [value.decode() for name, value in found if name == b"set-cookie"]
                elif isinstance(event, TextMessage):
                    talk.texts.append(event.data)
                elif isinstance(event, CloseConnection):
                    return talk
    return talk
