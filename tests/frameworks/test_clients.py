"""The test clients of the frameworks keep our session, or get a log line that says why they cannot."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import httpx
import pytest
from django.test import AsyncRequestFactory
from harness.asgi import ask, page
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from cookieguard import Config, CookieGuard

HTTPS = 'TestClient(app, base_url="https://testserver")'


def shop() -> Starlette:
    async def count(request: Request) -> JSONResponse:
        request.session["n"] = request.session.get("n", 0) + 1
        return JSONResponse(request.session["n"])

    return Starlette(routes=[Route("/", count)])


def by_test_client(app: Any, url: str) -> list[int]:
    with TestClient(app, base_url=url) as client:
        return [client.get("/").json() for _ in range(2)]


def by_httpx(app: Any, url: str) -> list[int]:
    async def go() -> list[int]:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url=url) as client:
            return [(await client.get("/")).json() for _ in range(2)]

    return asyncio.run(go())


CLIENTS = pytest.mark.parametrize("visit", [by_test_client, by_httpx])


@CLIENTS
@pytest.mark.parametrize(
    ("url", "dev"),
    [
        ("https://testserver", False),
        ("https://test", False),
        ("http://testserver", True),
        ("http://test", True),
        ("http://shop.test", True),
        ("http://localhost:8000", True),
        ("http://127.0.0.1", True),
    ],
)
def test_a_test_client_keeps_the_session(
    visit: Callable[..., list[int]], url: str, dev: bool, config: Config, caplog: Any
) -> None:
    with caplog.at_level(logging.WARNING, "cookieguard"):
        assert visit(CookieGuard(shop(), replace(config, dev=dev)), url) == [1, 2]

    assert "base_url" not in caplog.text


@CLIENTS
@pytest.mark.parametrize("url", ["http://testserver", "http://localhost", "http://shop.example"])
def test_one_that_drops_secure_cookies_is_told_of_once_with_the_line_that_mends_it(
    visit: Callable[..., list[int]], url: str, config: Config, caplog: Any
) -> None:
    with caplog.at_level(logging.WARNING, "cookieguard"):
        assert visit(CookieGuard(shop(), config), url) == [1, 1]

    told = [record.getMessage() for record in caplog.records if "base_url" in record.getMessage()]
    assert len(told) == 1
    assert HTTPS in told[0]


@pytest.mark.parametrize(
    ("settings", "url", "line"),
    [
        ({"origins": ("https://shop.example",)}, "https://testserver", "base_url='https://shop.example'"),
        ({"dev": True}, "https://shop.example", "dev is true, so sessions are kept only on loopback hosts"),
    ],
)
def test_a_session_on_a_host_that_is_not_the_shops_is_told_of_once(
    settings: dict[str, Any], url: str, line: str, config: Config, caplog: Any
) -> None:
    with caplog.at_level(logging.WARNING, "cookieguard"):
        assert by_test_client(CookieGuard(shop(), replace(config, **settings)), url) == [1, 1]

    assert caplog.text.count(line) == 1


def test_dev_takes_an_origin_of_tests_and_no_other(config: Config) -> None:
    CookieGuard(shop(), replace(config, dev=True, origins=("http://testserver", "http://shop.test:8000")))


@pytest.mark.parametrize("query", ["q=mug", "q=mug&cg-once=none", "q=%C3%A4"])
def test_a_query_that_is_text_as_djangos_test_client_sends_it_is_read_like_bytes(
    config: Config, query: str
) -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "frameworks.django_settings")
    seen: list[dict[str, Any]] = []
    app = CookieGuard(page(b"<!doctype html><body>x", seen=seen), config)
    scope = AsyncRequestFactory().get(f"/a?{query}").scope
    assert isinstance(scope["query_string"], str)  # control

    answer = ask(app, scope)
    app.close()

    assert answer.status == 200
    assert seen[0]["query_string"] == query.partition("&")[0].encode()
