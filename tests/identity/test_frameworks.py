"""`request.session` of three frameworks on our session, through a layer of a few lines."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from fastapi import Request as FastRequest
from litestar import Litestar, get
from litestar import Request as LiteRequest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from cookieguard.identity import Identity, parse_cookies

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


class Layer:
    """Give an app its session and write the cookies of its answer."""

    def __init__(self, app: Any, identity: Identity) -> None:
        self.app = app
        self.identity = identity

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        jar = parse_cookies(value for name, value in scope["headers"] if name == b"cookie")
        visit = self.identity.open(jar, host="shop.example", now=NOW, on_event=print)
        scope["session"] = visit.session

        async def answer(message: Any) -> None:
            if message["type"] == "http.response.start":
                cookies = [(b"set-cookie", line) for line in visit.set_cookies(now=NOW)]
                message = {**message, "headers": [*message.get("headers", []), *cookies]}
            await send(message)

        await self.app(scope, receive, answer)


def count(request: Any) -> dict[str, Any]:
    request.session.setdefault("pages", []).append(1)
    return dict(request.session)


def starlette_shop() -> Any:
    async def page(request: Request) -> JSONResponse:
        return JSONResponse(count(request))

    return Starlette(routes=[Route("/", page)])


def fastapi_shop() -> Any:
    shop = FastAPI()

    @shop.get("/")
    async def page(request: FastRequest) -> dict[str, Any]:
        return count(request)

    page.__annotations__["request"] = FastRequest
    return shop


def litestar_shop() -> Any:
    @get("/")
    async def page(request: LiteRequest) -> dict[str, Any]:
        return count(request)

    return Litestar([page])


@pytest.mark.parametrize("shop", [starlette_shop, fastapi_shop, litestar_shop])
def test_request_session_keeps_what_was_appended(shop: Callable[[], Any], make_browser: Any) -> None:
    layer = Layer(shop(), make_browser().identity)

    async def visit_thrice() -> list[Any]:
        transport = httpx.ASGITransport(app=layer)
        async with httpx.AsyncClient(transport=transport, base_url="https://shop.example") as client:
            return [(await client.get("/")).json() for _ in range(3)]

    assert asyncio.run(visit_thrice()) == [{"pages": [1] * number} for number in (1, 2, 3)]
