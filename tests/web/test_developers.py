"""In dev mode, other ports of this machine count as the shop's own: its asset server and sockets."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import pytest
from harness.asgi import HTML, Answer, App, ask

from cookieguard import CookieGuard, Vendor

Guard = Callable[..., CookieGuard]
VITE = (
    b"<!doctype html><title>x</title>"
    b'<script type="module" src="http://localhost:5173/@vite/client"></script>'
    b'<img src="http://127.0.0.1:9000/media/pot.jpg"><img src="http://ads.localhost:8001/p.gif">'
)


def page() -> App:
    async def app(_: Any, __: Any, send: Any) -> None:
        headers = [(name.encode(), value.encode()) for name, value in HTML]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": VITE})

    return app


def visit(app: CookieGuard, host: str = "localhost:8000") -> Answer:
    return ask(app, host=host, scheme="http", headers=[("sec-fetch-dest", "document")])


@pytest.mark.parametrize("host", ["localhost:8000", "127.0.0.1:8000", "shop.localhost:8000"])
def test_assets_and_sockets_of_another_port_are_the_shops_own(guard: Guard, host: str, caplog: Any) -> None:
    with caplog.at_level(logging.WARNING, "cookieguard"):
        answer = visit(guard(page(), dev=True, vendors=()), host)

    assert b'src="http://localhost:5173/@vite/client"' in answer.body
    assert b'src="http://127.0.0.1:9000/media/pot.jpg"' in answer.body
    assert b' src="http://ads.localhost:8001/p.gif"' not in answer.body
    sources = answer.get("content-security-policy").partition(";")[0].split()
    assert {"localhost:*", "ws://localhost:*", "127.0.0.1:*", "ws://127.0.0.1:*"} <= set(sources)
    assert 'name = "localhost"' not in caplog.text
    assert 'name = "ads.localhost:8001"' in caplog.text


def test_without_dev_another_port_is_somebody_else(guard: Guard) -> None:
    answer = visit(guard(page(), vendors=()))

    assert b' src="http://localhost:5173/@vite/client"' not in answer.body
    assert "localhost:*" not in answer.get("content-security-policy")


def test_a_port_that_a_vendor_declares_is_the_vendors_in_both_walls(guard: Guard) -> None:
    vendor = Vendor(name="Ads", purpose="marketing", hosts=("localhost:5173",))

    answer = visit(guard(page(), dev=True, vendors=(vendor,)))

    assert b' src="http://localhost:5173/@vite/client"' not in answer.body
    assert b' src="http://127.0.0.1:9000/media/pot.jpg"' in answer.body
    assert " localhost:*" not in answer.get("content-security-policy")
