"""A proxy on loopback that all traffic of a scan passes through: it checks and records every connection.

Chromium and httpx both use it, so one place enforces which addresses may be contacted and how many bytes are read.
"""

from __future__ import annotations

import asyncio
import re
from contextlib import suppress
from typing import NamedTuple
from urllib.parse import urlsplit

from cookieguard.scan.addresses import LOOPBACK, Addresses, AddressRefusedError

LONGEST_HEAD = 64 * 1024
CHUNK = 64 * 1024
MOST_CONNECTIONS = 256
IDLE_SECONDS = 30.0
CONNECT_SECONDS = 10.0
HOP_BY_HOP = re.compile(rb"^(?:proxy-[^:]*|connection|keep-alive):[^\r\n]*\r\n", re.IGNORECASE | re.MULTILINE)


class Connection(NamedTuple):
    """Hold the host and port of a connection that was requested."""

    host: str
    port: int


class Proxy:
    """Forward a scan's traffic. Owns the list of requested connections, and the count of bytes that were read."""

    def __init__(self, addresses: Addresses, *, most_bytes: int) -> None:
        self._addresses, self._most_bytes = addresses, most_bytes
        self._server: asyncio.Server | None = None
        self._room = asyncio.Semaphore(MOST_CONNECTIONS)
        self._tasks: set[asyncio.Task[None]] = set()
        self.asked: list[Connection] = []
        self.bytes = 0

    @property
    def url(self) -> str:
        """The address at which it listens."""
        assert self._server is not None  # noqa: S101  # started
        return f"http://{LOOPBACK}:{self._server.sockets[0].getsockname()[1]}"

    @property
    def is_full(self) -> bool:
        """Return whether the scan has read as many bytes as it may."""
        return self.bytes >= self._most_bytes

    async def __aenter__(self) -> Proxy:
        self._server = await asyncio.start_server(self._take, LOOPBACK, 0, limit=LONGEST_HEAD)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        # If a client disconnects or a host does not answer, only this connection ends. The end of the scan cancels all
        # of them, and asyncio would print each cancelled one.
        with suppress(
            OSError,
            TimeoutError,
            asyncio.IncompleteReadError,
            asyncio.LimitOverrunError,
            asyncio.CancelledError,
        ):
            async with self._room:
                await self._answer(reader, writer)
        writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), IDLE_SECONDS)
        method, target, _ = ([*head.split(b"\r\n", 1)[0].decode("latin-1").split(" ", 2), "", ""])[:3]
        is_tunnel = method == "CONNECT"
        try:
            parts = urlsplit(f"//{target}" if is_tunnel else target)
            host, port = (parts.hostname or "").rstrip("."), parts.port or (443 if is_tunnel else 80)
        except ValueError:
            host, port = "", 0
        if not host or (not is_tunnel and parts.scheme != "http"):
            return await _refuse(writer, 400, "no address")
        self.asked.append(Connection(host, port))
        if self.is_full:
            return await _refuse(writer, 503, "the scan has read all the bytes it may")
        try:
            remote = await self._connect(host, port)
        except AddressRefusedError as error:
            return await _refuse(writer, 403, str(error))
        except (OSError, TimeoutError):
            return await _refuse(writer, 502, f"{host} does not answer")
        if is_tunnel:
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        else:
            path = target.split("/", 3)[3] if target.count("/") > 2 else ""  # the part after scheme and host
            remote[1].write(_forwarded(head, method, path))
        return await self._carry((reader, writer), remote, is_tunnel=is_tunnel)

    async def _connect(self, host: str, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        refused: Exception = OSError("no address")
        for address, number in await self._addresses.of(host, port):
            try:
                return await asyncio.wait_for(
                    asyncio.open_connection(address, number, limit=LONGEST_HEAD), CONNECT_SECONDS
                )
            except (OSError, TimeoutError) as error:
                refused = error
        raise refused

    async def _carry(
        self,
        client: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        remote: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        *,
        is_tunnel: bool,
    ) -> None:
        up = asyncio.create_task(_pump(client[0], remote[1]))
        try:
            if not is_tunnel:
                head = await asyncio.wait_for(remote[0].readuntil(b"\r\n\r\n"), IDLE_SECONDS)
                client[1].write(_closing(head))
            while chunk := await asyncio.wait_for(remote[0].read(CHUNK), IDLE_SECONDS):
                self.bytes += len(chunk)
                if self.is_full:
                    break
                client[1].write(chunk)
                await client[1].drain()
        finally:
            up.cancel()
            remote[1].close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while chunk := await reader.read(CHUNK):
            writer.write(chunk)
            await writer.drain()
        writer.write_eof()


def _forwarded(head: bytes, method: str, path: str) -> bytes:
    """Return the head of a request in origin form (RFC 9112, 3.2.1), for one request on each connection."""
    line, _, rest = head.partition(b"\r\n")
    return _closing(f"{method} /{path} ".encode("latin-1") + line.rpartition(b" ")[2] + b"\r\n" + rest)


def _closing(head: bytes) -> bytes:
    """Return a head with `Connection: close`, because the client's next request may be for another host."""
    line, _, rest = head.partition(b"\r\n")
    return line + b"\r\nConnection: close\r\n" + HOP_BY_HOP.sub(b"", rest)


async def _refuse(writer: asyncio.StreamWriter, status: int, why: str) -> None:
    body = f"{why}\n".encode()
    head = f"HTTP/1.1 {status} {why}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    writer.write(head.encode("ascii", "replace") + body)
    await writer.drain()
