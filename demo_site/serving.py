"""Serve several ASGI apps on their own ports in one process, and stop them together."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from demo_site.shop.app import ASGIApp

LOOPBACK = "127.0.0.1"


class Server(uvicorn.Server):
    """Serve one app without signal handlers: `serve`, which runs several servers, stops all of them."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals alone."""
        yield


def bind(port: int) -> socket.socket:
    """Return a socket on a loopback port (0: a free one), bound before the apps are created, which need the number."""
    taken = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    taken.bind((LOOPBACK, port))
    return taken


def port_of(taken: socket.socket) -> int:
    """Return the port of a bound socket."""
    port: int = taken.getsockname()[1]
    return port


def server_for(app: ASGIApp, *, on_connection: Callable[[], None] | None = None, **options: Any) -> Server:
    """Return a server that logs only warnings; it calls `on_connection` for each connection, even without a request."""
    http = _counting(on_connection) if on_connection else "h11"
    config = uvicorn.Config(
        app,
        http=http,
        log_level="warning",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        **options,
    )
    return Server(config)


def _counting(on_connection: Callable[[], None]) -> type[asyncio.Protocol]:
    class Counting(H11Protocol):
        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn has it
            on_connection()
            super().connection_made(transport)

    return Counting


async def serve(servers: Sequence[tuple[Server, socket.socket]]) -> None:
    """Run all servers until Ctrl-C or SIGTERM, or until one of them fails."""

    def stop() -> None:
        for server, _ in servers:
            server.should_exit = True

    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, stop)
    tasks = [asyncio.create_task(server.serve(sockets=[taken])) for server, taken in servers]
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    stop()
    await asyncio.gather(*tasks)
