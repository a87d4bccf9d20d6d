"""Hundreds of thousands of headers cost the guarded shop little more than the server that reads them."""

from __future__ import annotations

import resource
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from harness.quick import some_of
from harness.servers import serving

from cookieguard import Config, CookieGuard

LINES = 400_000
HEADERS = {
    "a name of no meaning": b"a: b\r\n",
    "cookies": b"cookie: a=b\r\n",
    "forwarded": b"x-forwarded-for: 192.0.2.1\r\n",
    "signals": b"sec-gpc: 1\r\n",
}
LINES_OF = {"all of them": b"".join(HEADERS.values()), **HEADERS}


async def shop(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] != "http":
        return
    headers = [(b"content-type", b"text/html"), (b"content-length", b"9")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"<p>ok</p>"})


def cpu_of(app: Any, line: bytes) -> float:
    """Return the CPU seconds that the server's thread takes for one request of so many lines."""
    taken: list[float] = []
    request = b"GET / HTTP/1.1\r\nhost: shop.example\r\n" + line * (LINES // line.count(b"\n")) + b"\r\n"
    options = {"http": "httptools", "loop": "asyncio", "lifespan": "off"}
    with (
        serving(_measured(app, taken), **options) as server,
        socket.create_connection(("127.0.0.1", server.port), timeout=60) as link,
    ):
        sender = threading.Thread(target=link.sendall, args=(request,))
        sender.start()
        answer = link.recv(1 << 16)
        sender.join()
    assert answer.startswith(b"HTTP/1.1 200")
    return taken[-1]


def _measured(app: Callable[..., Any], taken: list[float]) -> Callable[..., Any]:
    """Wrap an app: what its thread has taken by the end of the request, the server's reading of it included."""

    async def measured(scope: Any, receive: Any, send: Any) -> None:
        await app(scope, receive, send)
        used = resource.getrusage(resource.RUSAGE_THREAD)
        taken.append(used.ru_utime + used.ru_stime)

    return measured


@pytest.mark.parametrize("name", some_of(LINES_OF, "all of them"))
def test_a_request_of_many_header_lines_costs_at_most_twice_as_much_guarded(
    tmp_path: Path, name: str
) -> None:
    line = LINES_OF[name]
    guarded = CookieGuard(shop, Config(state_dir=str(tmp_path / "state"), trusted_proxies=("127.0.0.1",)))

    ratio = min(cpu_of(guarded, line) / cpu_of(shop, line) for _ in range(2))
    guarded.close()

    assert ratio <= 2, ratio
