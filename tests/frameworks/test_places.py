"""A shop under a root path, with and without lifespan, and with cookieguard inside the framework."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import pytest
from harness.asgi import Answer, drive, scope_of
from harness.servers import serving, wait_until

from cookieguard import Config, CookieGuard
from frameworks.conftest import shop_of
from frameworks.pages import PAGES, asks, check_guarded, check_own_page, check_unguarded, live_tags
from frameworks.visiting import Shopper

ROOT = "/outlet/north"
WITH_LIFESPAN = ("starlette", "fastapi", "litestar", "quart")
WITH_OWN_CRASH_PAGE_OUTSIDE = ("starlette", "fastapi")


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    """Keep the tracebacks of the shops' own crashes out of the way."""
    caplog.set_level(logging.CRITICAL)


async def ask_raw(app: Any, path: str, **options: Any) -> Answer:
    """Send one request by hand; the error that a framework lets through after its 500 page is not ours."""
    answer = Answer(scope=scope_of(path, headers=[("accept", "text/html")], **options))
    with suppress(RuntimeError):
        await drive(app, answer)
    return answer


def log_lines(config: Config) -> list[str]:
    """Read the access log."""
    files = Path(config.state_dir).rglob("*.log*")
    return [line for file in files for line in file.read_text().splitlines()]


# Under a root path


def test_under_a_root_path_all_of_it_works(shop: ModuleType, config: Config) -> None:
    app = CookieGuard(shop.create_app(), config)

    with serving(app, root_path=ROOT) as server, Shopper(server, ROOT) as shopper:
        for path in PAGES:
            check_guarded(shopper.get(path), path, ROOT)
        assert shopper.log_in().headers["location"].rstrip("/") == ROOT
        shopper.submit("/cart", {"sku": "KK-101"})
        back = shopper.choose("accept", next_path="/products/KK-102")

        check_own_page_of_the_kettle(back)
        assert {"customer": "10042", "cart": {"KK-101": 1}}.items() <= shopper.me().items()
        assert live_tags(shopper.get("/crash").text) == 2


def check_own_page_of_the_kettle(answer: httpx.Response) -> None:
    assert answer.status_code == 200
    assert "<h1>Kettle</h1>" in answer.text
    assert live_tags(answer.text) == 2


# Lifespan


@pytest.mark.parametrize("framework", WITH_LIFESPAN)
def test_the_shops_lifespan_runs_and_its_end_writes_the_log(framework: str, config: Config) -> None:
    shop = shop_of(framework)
    shop.EVENTS.clear()

    with serving(CookieGuard(shop.create_app(), config), lifespan="on") as server, Shopper(server) as shopper:
        assert shop.EVENTS == ["opened"]
        check_guarded(shopper.get("/"), "/")

    assert shop.EVENTS == ["opened", "closed"]
    assert [line.split('"')[1] for line in log_lines(config)] == ["GET / HTTP/1.1"]


def test_without_lifespan_pages_are_guarded_and_the_log_is_written(shop: ModuleType, config: Config) -> None:
    shop.EVENTS.clear()

    with serving(CookieGuard(shop.create_app(), config), lifespan="off") as server:
        with Shopper(server) as shopper:
            for path in PAGES:
                check_guarded(shopper.get(path), path)
        wait_until(lambda: len(log_lines(config)) == len(PAGES), "the log is written all the same")

    assert shop.EVENTS == []


def test_an_app_that_knows_no_lifespan_is_served_as_it_is_without_us(config: Config) -> None:
    # Django raises on lifespan; uvicorn's default takes that as "unsupported".
    with (
        serving(CookieGuard(shop_of("django").create_app(), config), lifespan="auto") as server,
        Shopper(server) as shopper,
    ):
        check_guarded(shopper.get("/"), "/")


@pytest.mark.parametrize("path", PAGES)
def test_called_by_hand_without_any_server_every_page_is_guarded(
    shop: ModuleType, config: Config, path: str
) -> None:
    guard = CookieGuard(shop.create_app(), config)

    answer = asyncio.run(ask_raw(guard, path))

    check_guarded(as_response(answer), path)
    guard.close()


def as_response(answer: Answer) -> httpx.Response:
    return httpx.Response(answer.status, headers=answer.headers, content=answer.body)


# Inside the framework, as a middleware of its own


@pytest.mark.parametrize("framework", ["starlette", "fastapi", "litestar", "quart"])
def test_as_a_middleware_of_the_framework_login_cart_and_consent_work(framework: str, config: Config) -> None:
    with serving(shop_of(framework).guarded_inside(config)) as server, Shopper(server) as shopper:
        check_guarded(shopper.get("/"), "/")
        check_guarded(shopper.get("/products/KK-101"), "/products/KK-101")
        check_guarded(shopper.get("/products/nothing"), "/products/nothing")
        shopper.submit("/cart", {"sku": "KK-101"})
        shopper.log_in()

        assert {
            "customer": "10042",
            "cart": {"KK-101": 1},
            "seen": ["KK-101"],
        }.items() <= shopper.me().items()


@pytest.mark.parametrize("framework", ["starlette", "fastapi", "quart"])
def test_as_a_middleware_paths_without_a_route_are_guarded_and_a_choice_is_taken(
    framework: str, config: Config
) -> None:
    with serving(shop_of(framework).guarded_inside(config)) as server, Shopper(server) as shopper:
        check_guarded(shopper.get("/no/such/route"), "/no/such/route")

        page = shopper.choose("accept")

        assert live_tags(page.text) == 2
        assert not asks(page.text)


@pytest.mark.parametrize("framework", ["quart", "litestar"])
def test_as_a_middleware_the_500_page_is_guarded_where_the_framework_makes_it_inside(
    framework: str, config: Config
) -> None:
    with serving(shop_of(framework).guarded_inside(config)) as server, Shopper(server) as shopper:
        check_guarded(shopper.get("/crash"), "/crash")


@pytest.mark.parametrize("framework", WITH_OWN_CRASH_PAGE_OUTSIDE)
def test_as_a_middleware_the_500_page_of_the_outermost_handler_passes_unguarded(
    framework: str, config: Config
) -> None:
    # The documented limit: Starlette's ServerErrorMiddleware is outside of every middleware in the list.
    with serving(shop_of(framework).guarded_inside(config)) as server, Shopper(server) as shopper:
        check_unguarded(shopper.get("/crash"), "/crash")


def test_litestars_own_middleware_leaves_paths_without_a_route_unguarded(config: Config) -> None:
    # The documented limit: Litestar builds middleware around routes. Its 404 page and our own pages are outside.
    with serving(shop_of("litestar").guarded_inside(config)) as server, Shopper(server) as shopper:
        check_unguarded(shopper.get("/no/such/route"), "/no/such/route")
        check_own_page(shopper.post("/_cg/consent", {"choice": "accept"}, follow=False), "/no/such/route")


# WebSockets, and no CookieGuard


async def chat(app: Any, cookie: str) -> list[str]:
    """Open the shop's chat and return what it says."""
    scope = {**scope_of("/chat", scheme="wss", headers=[("cookie", cookie)]), "type": "websocket"}
    scope |= {"subprotocols": [], "extensions": {}}
    del scope["method"]  # a WebSocket has none, and Litestar looks
    said: list[str] = []
    incoming = [{"type": "websocket.connect"}]

    async def receive() -> dict[str, Any]:
        if incoming:
            return incoming.pop()
        await asyncio.sleep(0.2)  # long enough for the shop to speak first
        return {"type": "websocket.disconnect", "code": 1000}

    async def send(message: dict[str, Any]) -> None:
        if message["type"] == "websocket.send":
            said.append(message["text"])

    await app(scope, receive, send)
    return said


@pytest.mark.parametrize("framework", WITH_LIFESPAN)
def test_a_websocket_knows_its_visitor(framework: str, config: Config) -> None:
    guard = CookieGuard(shop_of(framework).create_app(), config)
    form = b"number=10042&password=blue-glaze"
    answer = Answer(
        scope=scope_of(
            "/login", method="POST", headers=[("content-type", "application/x-www-form-urlencoded")]
        )
    )

    async def log_in_and_chat() -> list[str]:
        await drive(guard, answer, form)
        cookie = "; ".join(f"{name}={value}" for name, value in answer.cookies().items())
        return [*await chat(guard, cookie), *await chat(guard, "")]

    assert asyncio.run(log_in_and_chat()) == ["10042", "guest"]


def test_without_cookieguard_the_visitor_is_asked_for_in_vain(shop: ModuleType) -> None:
    with serving(shop.create_app()) as server, Shopper(server) as shopper:
        check_own_page(shopper.get("/api/me"), "/crash")
