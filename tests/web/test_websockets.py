"""WebSockets on a real server: the same session, cookies of a login inside, and no session for other origins."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI, Request, WebSocket
from harness.servers import Server, serving
from harness.sockets import Talk, listen

from cookieguard import Config, CookieGuard, visitor_of
from cookieguard.config import CookieSettings


def shop() -> FastAPI:
    """Make a shop whose WebSockets say who is there."""
    app = FastAPI()

    @app.get("/login")
    async def login(request: Request) -> str:
        request.session["seen"] = ["lamp"]
        visitor_of(request).login("10042")
        return "in"

    @app.get("/logout")
    async def logout(request: Request) -> str:
        visitor_of(request).logout()
        return "out"

    @app.websocket("/who")
    async def who(socket: WebSocket) -> None:
        await socket.accept()
        visitor = visitor_of(socket)
        facts: dict[str, Any] = {
            "customer": visitor.customer,
            "seen": socket.session.get("seen"),
            "consent": visitor.consent.state,
            "uncertain": visitor.is_uncertain,
        }
        await socket.send_json(facts)
        await socket.close()

    @app.websocket("/enter")
    async def enter(socket: WebSocket) -> None:
        visitor_of(socket).login("77")
        await socket.accept()
        await socket.close()

    return app


def serve(tmp_path: Path, **settings: Any) -> Any:
    return serving(CookieGuard(shop(), Config(state_dir=str(tmp_path / "state"), **settings)))


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """Serve the shop."""
    with serve(tmp_path) as server:
        yield server


def cookies(response: Any) -> str:
    lines = response.headers.get_list("set-cookie")
    return "; ".join(line.partition(";")[0] for line in lines)


def opened(server: Server, path: str, cookie: str, *, host: str = "", origin: str = "") -> Talk:
    return listen(server.port, path, [("cookie", cookie), ("origin", origin)], host=host)


def facts(server: Server, cookie: str, **options: Any) -> Any:
    return json.loads(opened(server, "/who", cookie, **options).texts[0])


def login(server: Server, host: str = "") -> str:
    headers = {"Host": host} if host else {}
    return cookies(httpx.get(f"http://127.0.0.1:{server.port}/login", headers=headers))


def test_a_websocket_has_the_session_the_customer_and_the_consent(server: Server) -> None:
    cookie = login(server)
    base = f"http://127.0.0.1:{server.port}"
    own = {"sec-fetch-site": "same-origin", "cookie": cookie}
    choice = httpx.post(f"{base}/_cg/consent", json={"choice": "accept"}, headers=own)
    jar = dict(pair.split("=", 1) for pair in f"{cookie}; {cookies(choice)}".split("; "))
    newest = "; ".join(f"{name}={value}" for name, value in jar.items())

    assert facts(server, newest, origin=base) == {
        "customer": "10042",
        "seen": ["lamp"],
        "consent": "all",
        "uncertain": False,
    }


def test_an_ended_session_opens_no_websocket(server: Server) -> None:
    cookie = login(server)
    before = facts(server, cookie)["customer"]
    httpx.get(f"http://127.0.0.1:{server.port}/logout", headers={"cookie": cookie})

    assert (before, facts(server, cookie)["customer"]) == ("10042", None)


def test_a_login_before_the_handshake_is_answered_sets_the_cookie(server: Server) -> None:
    lines = opened(server, "/enter", "").set_cookies

    assert len(lines) == 1
    assert lines[0].startswith("__Host-cg_session=")
    assert facts(server, lines[0].partition(";")[0])["customer"] == "77"


@pytest.mark.parametrize(
    "origin",
    ["https://evil.example", "http://127.0.0.1:1", "null", "http://127.0.0.1.evil.example", "file://"],
)
def test_a_page_of_another_origin_gets_no_session_and_one_event(
    server: Server, origin: str, caplog: pytest.LogCaptureFixture
) -> None:
    cookie = login(server)
    control = facts(server, cookie, origin=f"http://127.0.0.1:{server.port}")["customer"]
    with caplog.at_level(logging.WARNING, "cookieguard"):
        foreign = facts(server, cookie, origin=origin)

    assert control == "10042"
    assert (foreign["customer"], foreign["seen"]) == (None, None)
    assert caplog.text.count("a page of another origin opened a WebSocket") == 1
    assert cookie.partition("=")[2] not in caplog.text


def test_hosts_that_share_the_session_may_open_each_others_websockets(tmp_path: Path) -> None:
    settings = CookieSettings(domain="shop.example")
    with serve(tmp_path, cookies=settings) as server:
        cookie = login(server, "www.shop.example")
        found = [
            facts(server, cookie, host="ws.shop.example", origin=f"https://{page}")["customer"]
            for page in ("www.shop.example", "shop.example", "evilshop.example")
        ]

    assert found == ["10042", "10042", None]


def test_a_configured_origin_may_open_a_websocket_elsewhere(tmp_path: Path) -> None:
    with serve(tmp_path, origins=("http://api.shop.example", "https://www.shop.example")) as server:
        cookie = login(server, "api.shop.example")
        found = [
            facts(server, cookie, host="api.shop.example", origin=page)["customer"]
            for page in ("https://www.shop.example", "https://blog.shop.example")
        ]

    assert found == ["10042", None]


def test_a_page_of_http_opens_no_session_where_the_shop_names_https(tmp_path: Path) -> None:
    with serve(tmp_path, origins=("https://www.shop.example",)) as server:
        cookie = login(server, "www.shop.example")
        found = [
            facts(server, cookie, host="www.shop.example", origin=page)["customer"]
            for page in (
                "https://www.shop.example",
                "http://www.shop.example",
                "https://www.shop.example:8443",
            )
        ]

    assert found == ["10042", None, None]


@pytest.mark.parametrize("answer", ["websocket.accept", "websocket.http.response.start"])
def test_no_answer_to_a_handshake_makes_a_browser_report_to_others(tmp_path: Path, answer: str) -> None:
    ours, others = (b"reporting-endpoints", b'a="/own"'), (b"Report-To", REPORTS)
    sent: list[dict[str, Any]] = []

    async def app(_: Any, __: Any, send: Any) -> None:
        await send({"type": answer, "status": 403, "headers": [ours, others]})

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    guard = CookieGuard(app, Config(state_dir=str(tmp_path / "state")))
    scope = {"type": "websocket", "path": "/", "headers": [(b"host", b"shop.example")], "scheme": "wss"}
    with closing(guard):
        asyncio.run(guard(scope, None, send))  # type: ignore[arg-type]  # nothing is received

    assert sent[0]["headers"] == [ours, (b"report-to", b'{"group": "default", "max_age": 0}')]


REPORTS = b'{"max_age": 600, "endpoints": [{"url": "https://ads.example/r"}]}'
