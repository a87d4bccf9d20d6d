"""Run the shop without a server (`python -m servers.direct`): every client of `clients.txt` connects directly."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from pathlib import Path
from typing import Any

from harness.asgi import Answer, drive, scope_of

from servers.shop import make_app

REQUESTS = (("GET", "/page"), ("POST", "/login"), ("GET", "/missing"))
BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:153.0) Gecko/20100101 Firefox/153.0"
HEADERS = (("accept", "text/html"), ("user-agent", BROWSER))
RAISING = 5  # every so many come to what raises: each time a page full of local values is written


async def run(addresses: list[str]) -> None:
    """Send each client's requests, its WebSockets too, and end as a server does."""
    app = make_app()
    for number, address in enumerate(addresses):
        for method, path in REQUESTS:
            await _ask(app, method, path, address)
        await _chat(app, "/chat", address)
        if number % RAISING == 0:
            await _ask(app, "GET", "/boom", address)
            await _chat(app, "/boom", address)
    await _end(app)


async def _ask(app: Any, method: str, path: str, address: str) -> None:
    scope = scope_of(
        path,
        method=method,
        client=(address, 40001),
        headers=HEADERS,
    )
    with suppress(RuntimeError):  # what /boom raises; the shop has logged it
        await drive(app, Answer(scope=scope))
    logging.info("done %r", scope)


async def _chat(app: Any, path: str, address: str) -> None:
    scope = scope_of(path, client=(address, 40002), scheme="wss") | {"type": "websocket", "subprotocols": []}

    async def receive() -> dict[str, Any]:
        return {"type": "websocket.connect"}

    async def send(message: dict[str, Any]) -> None:
        logging.info("%r", message)

    with suppress(RuntimeError):
        await app(scope, receive, send)
    logging.info("done %r", scope)


async def _end(app: Any) -> None:
    events = ["startup", "shutdown"]

    async def receive() -> dict[str, Any]:
        return {"type": f"lifespan.{events.pop(0)}"}

    async def send(message: dict[str, Any]) -> None:
        logging.info("%r", message)

    await app({"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}, receive, send)


if __name__ == "__main__":
    asyncio.run(run(Path("clients.txt").read_text().split()))
