"""Django Channels keeps its own sessions and users, and our visitor is available next to them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from harness.servers import Server, serving
from harness.sockets import Talk, listen
from starlette.applications import Starlette
from starlette.routing import Mount, WebSocketRoute
from starlette.websockets import WebSocket

from cookieguard import Config, CookieGuard, CookieGuardError, visitor_of
from frameworks import django_shop
from frameworks.visiting import HOST, Shopper

OURS = "__Host-cg_session"


def shop(kind: str) -> Any:
    """Make Django's shop with sockets beside it, put together in one of several ways."""
    django = django_shop.create_app()
    # Channels reads Django's settings when it is imported.
    from channels.auth import AuthMiddlewareStack
    from channels.generic.http import AsyncHttpConsumer
    from channels.generic.websocket import AsyncWebsocketConsumer
    from channels.routing import ProtocolTypeRouter, URLRouter
    from channels.security.websocket import AllowedHostsOriginValidator
    from django.urls import path, re_path

    class Who(AsyncWebsocketConsumer):  # type: ignore[misc]  # Channels has no types
        async def connect(self) -> None:
            await self.accept()
            scope = self.scope
            facts = {"user": scope["user"].get_username(), "customer": visitor_of(scope).customer}
            await self.send(json.dumps(facts | {"seen": await scope["session"].aget("seen")}))
            await self.close()

    class Poll(AsyncHttpConsumer):  # type: ignore[misc]  # as above
        async def handle(self, body: bytes) -> None:
            await self.scope["session"].aset("polls", await self.scope["session"].aget("polls", 0) + 1)
            facts = {"user": self.scope["user"].get_username(), "body": body.decode()}
            facts["polls"] = await self.scope["session"].aget("polls")
            await self.send_response(200, json.dumps(facts).encode())

    sockets = AuthMiddlewareStack(URLRouter([path("who", Who.as_asgi())]))
    polls = URLRouter([path("poll", AuthMiddlewareStack(Poll.as_asgi())), re_path("", django)])

    async def by_hand(scope: Any, receive: Any, send: Any) -> None:
        await (django if scope["type"] == "http" else sockets)(scope, receive, send)

    async def ours(socket: WebSocket) -> None:
        await socket.accept()
        await socket.send_text(json.dumps(dict(socket.session) | {"customer": visitor_of(socket).customer}))
        await socket.close()

    mounted = Starlette(routes=[WebSocketRoute("/ours", ours), Mount("/", by_hand)])
    return {
        "documented": ProtocolTypeRouter({"http": django, "websocket": AllowedHostsOriginValidator(sockets)}),
        "by hand": by_hand,
        "mounted": mounted,
        "http too": ProtocolTypeRouter({"http": polls, "websocket": sockets}),
    }[kind]


@pytest.fixture(params=["documented", "by hand", "mounted", "http too"])
def server(request: pytest.FixtureRequest, config: Config) -> Iterator[Server]:
    """Serve the shop in each of these ways."""
    with serving(CookieGuard(shop(request.param), config), lifespan="off") as server:
        yield server


def talk(server: Server, shopper: Shopper, path: str) -> Talk:
    cookies = "; ".join(f"{name}={value}" for name, value in shopper.cookies.items())
    host = f"{HOST}:{server.port}"
    headers = [("cookie", cookies), ("origin", f"http://{host}")]
    return listen(server.port, path, headers, host=host)


def test_a_socket_has_channels_user_and_our_customer(server: Server) -> None:
    with Shopper(server) as shopper:
        shopper.get("/products/KK-101")
        assert talk(server, shopper, "/who").texts == ['{"user": "", "customer": null, "seen": ["KK-101"]}']

        shopper.log_in()

        expected = '{"user": "10042", "customer": "10042", "seen": ["KK-101"]}'
        assert [talk(server, shopper, "/who").texts for _ in range(2)] == [[expected]] * 2


@pytest.mark.parametrize("server", ["mounted"], indirect=True)
def test_a_socket_of_starlette_beside_it_has_our_session(server: Server) -> None:
    with Shopper(server) as shopper:
        shopper.log_in()

        assert talk(server, shopper, "/ours").texts == ['{"customer": "10042"}']
        assert json.loads(talk(server, shopper, "/who").texts[0])["user"] == "10042"


@pytest.mark.parametrize("server", ["http too"], indirect=True)
def test_channels_saves_its_session_over_http(server: Server) -> None:
    with Shopper(server) as shopper:
        answers: list[httpx.Response] = [shopper.post("/poll", {"a": "1"}) for _ in range(3)]

        assert [answer.json()["polls"] for answer in answers] == [1, 2, 3]
        assert all(answer.json()["body"] == "a=1" for answer in answers)
        assert "sessionid" in shopper.cookies
        assert OURS not in shopper.cookies


def test_channels_behind_middleware_that_has_read_the_request_says_where_it_belongs(config: Config) -> None:
    sockets = shop("by hand")

    async def reading(scope: Any, receive: Any, send: Any) -> None:
        message = await receive()
        assert message["type"] == "websocket.connect"
        await sockets(scope, receive, send)

    async def receive() -> Any:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        raise AssertionError(message)

    scope = {"type": "websocket", "path": "/who", "headers": [(b"host", b"shop.localhost")], "scheme": "ws"}
    with pytest.raises(CookieGuardError, match="already read the request; put it before that middleware"):
        asyncio.run(CookieGuard(reading, config)(scope, receive, send))
