"""Flask in a2wsgi has its visitor; under an adapter that drops the scope, the error says what to do."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest
from a2wsgi import WSGIMiddleware
from asgiref.wsgi import WsgiToAsgi
from flask import Flask, request
from starlette.applications import Starlette
from starlette.routing import Mount

from cookieguard import Config, CookieGuard, CookieGuardError, visitor_of


def flask_shop() -> Flask:
    """Make a shop that knows its visitor by Flask's request, and by the environ."""
    shop = Flask("shop")

    @shop.get("/login")
    def login() -> str:
        visitor_of(request).login("10042")
        visitor_of(request.environ).cart["mug"] = 2
        return "in"

    @shop.get("/me")
    def me() -> dict[str, Any]:
        visitor = visitor_of(request)
        return {"customer": visitor.customer, "cart": dict(visitor_of(request.environ).cart)}

    return shop


def walk(app: Any, *paths: str) -> list[httpx.Response]:
    async def go() -> list[httpx.Response]:
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="https://shop.example") as client:
            return [await client.get(path) for path in paths]

    return asyncio.run(go())


@pytest.mark.parametrize("under", ["", "/shop"])
def test_flask_has_its_visitor_behind_a2wsgi(config: Config, under: str) -> None:
    wsgi = WSGIMiddleware(flask_shop())
    app = CookieGuard(Starlette(routes=[Mount(under, wsgi)]) if under else wsgi, config)

    answers = walk(app, f"{under}/me", f"{under}/login", f"{under}/me")

    assert [answers[0].json(), answers[2].json()] == [
        {"customer": None, "cart": {}},
        {"customer": "10042", "cart": {"mug": 2}},
    ]


@pytest.mark.parametrize("how", ["request", "environ"])
def test_behind_an_adapter_that_keeps_no_scope_the_error_names_one_that_does(
    config: Config, how: str
) -> None:
    shop, seen = Flask("shop"), []

    @shop.get("/")
    def page() -> str:
        with pytest.raises(CookieGuardError) as caught:
            visitor_of(request if how == "request" else request.environ)
        seen.append(str(caught.value))
        return "page"

    walk(CookieGuard(WsgiToAsgi(shop), config), "/")

    assert "CookieGuard(a2wsgi.WSGIMiddleware(app))" in seen[0]


def test_visitor_of_names_the_remedy_for_an_unwrapped_app_and_for_a_wrong_argument(config: Config) -> None:
    shop = Flask("shop")

    @shop.get("/")
    def page() -> str:
        with pytest.raises(CookieGuardError, match=r"wrap the app as CookieGuard\(app\)"):
            visitor_of(request)
        return "page"

    assert walk(WSGIMiddleware(shop), "/")[0].text == "page"
    with pytest.raises(CookieGuardError, match="got a str; allowed: a request"):
        visitor_of("request")  # type: ignore[arg-type]
