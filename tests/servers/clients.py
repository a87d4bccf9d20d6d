"""Clients of real servers, each request on a new connection from an address of its own."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPMessage

from harness.servers import LOOPBACK

from servers.traces import Address

HANDSHAKE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}


@dataclass(frozen=True)
class Reply:
    """Hold a whole response."""

    status: int
    headers: HTTPMessage
    text: str

    @property
    def pid(self) -> int:
        """The process that answered."""
        return int(self.headers["x-pid"])

    @property
    def cookies(self) -> dict[str, str]:
        """Name and value of every cookie that was set."""
        lines = self.headers.get_all("set-cookie", [])
        pairs = (line.partition(";")[0].partition("=") for line in lines)
        return {name: value for name, _, value in pairs}


def ask(
    port: int,
    path: str,
    *,
    method: str = "GET",
    headers: Mapping[str, str] | None = None,
    cookies: Mapping[str, str] | None = None,
    body: str = "",
    source: str = LOOPBACK,
    to: str = LOOPBACK,
) -> Reply:
    """Send one request over a connection of its own, from an address of this machine."""
    sent = {"Connection": "close", **(headers or {})}
    if cookies:
        sent["Cookie"] = "; ".join(f"{name}={value}" for name, value in cookies.items())
    connection = HTTPConnection(to, port, timeout=60, source_address=(source, 0))
    try:
        connection.request(method, path, body or None, sent)
        response = connection.getresponse()
        return Reply(response.status, response.headers, response.read().decode("latin-1"))
    finally:
        connection.close()


def chat(
    port: int,
    path: str,
    *,
    headers: Mapping[str, str] | None = None,
    source: str = LOOPBACK,
    to: str = LOOPBACK,
) -> bytes:
    """Open a WebSocket, and return all that comes until the server closes it."""
    lines = [f"GET {path} HTTP/1.1", f"Host: {LOOPBACK}:{port}"]
    lines += [f"{name}: {value}" for name, value in {**HANDSHAKE, **(headers or {})}.items()]
    received = b""
    with socket.create_connection((to, port), timeout=60, source_address=(source, 0)) as connection:
        connection.sendall("\r\n".join([*lines, "", ""]).encode())
        while piece := connection.recv(4096):
            received += piece
            if b"\x88" in received.partition(b"\r\n\r\n")[2]:  # a close frame: answer in kind
                connection.sendall(b"\x88\x80\0\0\0\0")
                break
    return received


class Announced(HTTPConnection):
    """A connection whose first line names another client, as a load balancer's does (PROXY protocol)."""

    def __init__(self, port: int, client: Address, *, tls: ssl.SSLContext | None = None) -> None:
        super().__init__(LOOPBACK, port, timeout=60)
        self._client = client
        self._tls = tls

    def connect(self) -> None:
        """Connect, announce, and only then speak TLS."""
        super().connect()
        family, peer = f"TCP{self._client.version}", LOOPBACK if self._client.version == 4 else "::1"
        self.sock.sendall(f"PROXY {family} {self._client} {peer} 40003 {self.port}\r\n".encode())
        if self._tls is not None:
            self.sock = self._tls.wrap_socket(self.sock, server_hostname="shop.example")
