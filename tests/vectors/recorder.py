"""A recorder that answers for every host name but the shop's: each vector's host is an address of its own.

Names are mapped to 127.x.y.1, so a connection that asks nothing, a TLS handshake without a name and an IP literal
are attributed as well as a request; the net-log names the same addresses where only a look-up was made.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from itertools import count

import trustme

STRAYS = "127.255.0.1"  # where names are sent that belong to no vector
PIXEL = bytes.fromhex(
    "47494638396101000100800000ffffff00000021f90401000000002c00000000010001000002024401003b"
)
DOCUMENT = b"<!doctype html><title>elsewhere</title><p>elsewhere"
# (what the path ends with, content type, body); anything else is an empty text.
ANSWERS = (
    (".js", "text/javascript", b"export default 1;"),
    (".classic", "text/javascript", b"void 0;"),
    (".css", "text/css", b"p{margin:0}"),
    (".gif", "image/gif", PIXEL),
    (".svg", "image/svg+xml", b'<svg xmlns="http://www.w3.org/2000/svg" id="a" width="1" height="1"/>'),
    (".html", "text/html", DOCUMENT),
    (".json", "application/json", b"{}"),
    (".vtt", "text/vtt", b"WEBVTT\n\n"),
    (".events", "text/event-stream", b"data: 1\n\n"),
)
HOSTS_A_NET = 250
ANY = "0.0.0.0"
Answer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass(slots=True)
class Heard:
    """Hold what reached one host: requests by `METHOD URL`, connections, name look-ups, datagrams."""

    requests: Counter[str] = field(default_factory=Counter)
    connections: int = 0
    lookups: int = 0
    datagrams: int = 0

    @property
    def kinds(self) -> frozenset[str]:
        """Name the kinds of contact there were."""
        counts = {
            "request": self.requests.total(),
            "connection": self.connections,
            "lookup": self.lookups,
            "datagram": self.datagrams,
        }
        return frozenset(kind for kind, number in counts.items() if number)

    @property
    def figure(self) -> str:
        """Write the counts down, shortly."""
        return (
            f"{self.requests.total()} requests, {self.connections} connections, {self.lookups} look-ups"
            + (f", {self.datagrams} datagrams" if self.datagrams else "")
        )


class Recorder:
    """A stand-in for all hosts. Owns the requests of each address."""

    def __init__(self) -> None:
        self.heard: dict[str, Heard] = defaultdict(Heard)
        self.port = 0
        self.tls_port = 0
        self.last = 0.0  # when something was heard last, on the loop's clock
        self._tls = _tls()

    async def on_connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Count a connection and answer what it asks."""
        address = writer.get_extra_info("sockname")[0]
        scheme = "https" if writer.get_extra_info("ssl_object") else "http"
        if scheme == "http":
            self._count(address)
        with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError):
            while await self._answer(address, scheme, reader, writer):
                pass
        writer.close()

    async def on_secret(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Count a connection before it says a word, then answer what it asks in secret."""
        self._count(writer.get_extra_info("sockname")[0])
        try:
            await writer.start_tls(self._tls)
        except (OSError, ssl.SSLError):
            writer.close()
            return
        await self.on_connection(reader, writer)

    async def _answer(
        self, address: str, scheme: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = head.split("\r\n")
        method, path, _ = first.split(" ", 2)
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        host = headers.get("host", "").removesuffix(f":{self.port}").removesuffix(f":{self.tls_port}")
        scheme = scheme.replace("http", "ws") if headers.get("upgrade", "").lower() == "websocket" else scheme
        self.heard[address].requests[f"{method} {scheme}://{host}{path}"] += 1
        self._note()
        if headers.get("transfer-encoding"):
            return False
        await reader.readexactly(int(headers.get("content-length", "0")))
        writer.write(_response(path, headers, is_head=method == "HEAD"))
        await writer.drain()
        return True

    def on_datagram(self, address: str) -> None:
        """Count a datagram: nobody answers it."""
        self.heard[address].datagrams += 1
        self._note()

    def _count(self, address: str) -> None:
        self.heard[address].connections += 1
        self._note()

    def _note(self) -> None:
        self.last = asyncio.get_running_loop().time()


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, recorder: Recorder, address: str) -> None:
        self._recorder = recorder
        self._address = address

    def datagram_received(self, data: bytes, addr: object) -> None:
        self._recorder.on_datagram(self._address)


def _response(path: str, headers: dict[str, str], *, is_head: bool) -> bytes:
    end = path.partition("?")[0]
    found = (answer for answer in ANSWERS if end.endswith(answer[0]))
    _, kind, body = next(found, ("", "text/plain", b""))
    origin = headers.get("origin", "*")
    lines = [
        "HTTP/1.1 200 OK",
        f"content-type: {kind}",
        f"content-length: {len(body)}",
        f"access-control-allow-origin: {origin}",
        "access-control-allow-credentials: true",
        "access-control-allow-headers: *, content-type",
        "cache-control: no-store",
        "supports-loading-mode: credentialed-prerender",
        "",
        "",
    ]
    return "\r\n".join(lines).encode("latin-1") + (b"" if is_head else body)


def address_of(index: int) -> str:
    """Return the address that stands for the host of one vector."""
    return f"127.{10 + index // HOSTS_A_NET}.{1 + index % HOSTS_A_NET}.1"


@asynccontextmanager
async def recording(addresses: Sequence[str]) -> AsyncIterator[Recorder]:
    """Listen at every address, on one port without and one with TLS, and for datagrams."""
    recorder = Recorder()
    every = [*addresses, STRAYS]
    async with AsyncExitStack() as stack:
        recorder.port = await _serve(stack, recorder.on_connection, every, _free_port(addresses))
        recorder.tls_port = await _serve(stack, recorder.on_secret, every, _free_port(addresses))
        await _receive(stack, recorder, addresses)
        yield recorder


@asynccontextmanager
async def recording_everywhere(addresses: Sequence[str]) -> AsyncIterator[Recorder]:
    """Listen at all addresses of a world of one's own, on the ports everybody knows too; datagrams at these."""
    recorder = Recorder()
    async with AsyncExitStack() as stack:
        for port in (80, _free_port(addresses)):
            recorder.port = await _serve(stack, recorder.on_connection, [ANY], port)
        for port in (443, _free_port(addresses)):
            recorder.tls_port = await _serve(stack, recorder.on_secret, [ANY], port)
        await _receive(stack, recorder, addresses)
        yield recorder


async def _serve(stack: AsyncExitStack, answer: Answer, addresses: Sequence[str], port: int) -> int:
    server = await asyncio.start_server(answer, list(addresses), port, backlog=64)
    stack.callback(server.close)
    return port


async def _receive(stack: AsyncExitStack, recorder: Recorder, addresses: Sequence[str]) -> None:
    loop = asyncio.get_running_loop()
    for address in addresses:
        transport, _ = await loop.create_datagram_endpoint(
            lambda address=address: _Datagrams(recorder, address), local_addr=(address, recorder.port)
        )
        stack.callback(transport.close)


def _free_port(addresses: Sequence[str]) -> int:
    for _ in count():
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = int(listener.getsockname()[1])
        with suppress(OSError), socket.create_server((addresses[0], port)):
            return port
    raise AssertionError


def _tls() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("recorder.example").configure_cert(context)
    return context
