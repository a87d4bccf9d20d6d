"""The vectors' shop behind a real cache, set up as docs/caches.md says: one visitor fetches, others get copies."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from harness.servers import LOOPBACK, Server
from servers.shared_caches import PAGE, Cache, find_varnish, nginx_cache, varnish_cache

from cookieguard.config.cache import CacheSettings

Before = Callable[..., AbstractContextManager[Cache]]
CACHES: dict[str, Before] = {"nginx": nginx_cache} | ({"varnish": varnish_cache} if find_varnish() else {})
SETTINGS: dict[str, Any] = {"trusted_proxies": (LOOPBACK,), "cache": CacheSettings(mode="shared")}
STATES = {b"u": "undecided", b"n": "refused", b"p": "partly", b"a": "all"}
# As Chromium asks for a page: caches keep what was asked for otherwise apart.
AS_CHROMIUM = PAGE | {"Accept-Encoding": "gzip, deflate, br, zstd"}
PUBLIC = (b"cache-control", b"public, max-age=300")


class Public:
    """Let caches keep each page of an app: without the guard they would not."""

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Pass one request on."""

        async def sent(message: Any) -> None:
            if message["type"] == "http.response.start" and scope["path"].startswith("/v/"):
                message = {**message, "headers": [*message["headers"], PUBLIC]}
            await send(message)

        await self._app(scope, receive, sent)


@contextmanager
def before(cache: str, shop: Server, folder: Path) -> Iterator[Server]:
    """Run a cache in front of the shop; return what the browser asks."""

    def with_port(text: str) -> str:
        return text.replace("Host $host;", "Host $http_host;")  # as no shop's address has one

    with CACHES[cache](shop.port, folder / "edge", edit=with_port) as edge:
        yield Server(edge.port)


def state_of(scope: Any) -> str:
    """Name the state that the cache picked a page by; empty where it picked none."""
    return STATES.get(dict(scope["headers"]).get(b"cg-variant", b"")[:1], "")


def warm(edge: Server, host: str, names: Iterable[str], cookies: dict[str, str]) -> None:
    """Fetch these pages as another visitor in the same state."""
    headers = AS_CHROMIUM | {"Host": f"{host}:{edge.port}"}
    if cookies:
        headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in cookies.items())
    with closing(HTTPConnection(LOOPBACK, edge.port, timeout=60)) as connection:
        for name in names:
            connection.request("GET", f"/v/{name}", headers=headers)
            connection.getresponse().read()
