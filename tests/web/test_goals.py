"""Goals that the app reports are counted under the same consent as page views."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from harness.asgi import App, ask, page, scope_of
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from cookieguard import CookieGuard, visitor_of
from cookieguard.config import StatsSettings
from cookieguard.stats.goals import MOST_A_REQUEST

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:153.0) Gecko/20100101 Firefox/153.0"
BROWSER = ("user-agent", FIREFOX)

Guard = Callable[..., CookieGuard]
Rows = list[tuple[Any, ...]]


def reaching(*names: Any) -> App:
    """Return an app that reports these goals and answers with a redirect."""

    async def place(request: Request) -> Response:
        for name in names:
            visitor_of(request).goal(name)
        return RedirectResponse("/receipt", 303)

    async def fail(request: Request) -> Response:
        visitor_of(request).goal("order placed")
        raise RuntimeError

    async def show(request: Request) -> Response:
        return HTMLResponse("<!doctype html><form method=post action=/order/7>")

    routes = [
        Route("/order/{number:int}", place, methods=["POST"]),
        Route("/crash", fail, methods=["POST"]),
        Route("/mugs/{name}", show),
    ]
    return Starlette(routes=routes)


@pytest.fixture
def goals(tmp_path: Path) -> Callable[..., Rows]:
    """Return columns of the goals that were written, as `goals(guarded, "event")`."""

    def read(guarded: CookieGuard, *columns: str) -> Rows:
        guarded.close()
        connection = sqlite3.connect(tmp_path / "state" / "stats.db")
        return list(
            connection.execute(f"SELECT {', '.join(columns)} FROM hit WHERE kind = 'goal' ORDER BY id")
        )

    return read


def post(app: App, *headers: tuple[str, str], path: str = "/order/7") -> int:
    return ask(app, scope_of(path, method="POST", headers=[BROWSER, *headers])).status


def choose(app: App, choice: str) -> tuple[str, str]:
    """Answer the banner; return the header that brings the cookie back."""
    headers = [("content-type", "application/x-www-form-urlencoded"), ("sec-fetch-site", "same-origin")]
    answer = ask(
        app, scope_of("/_cg/consent", method="POST", headers=headers), body=f"choice={choice}".encode()
    )
    return "cookie", "; ".join(f"{name}={value}" for name, value in answer.cookies().items() if value)


def test_a_goal_is_a_row_with_the_apps_route_and_no_page_of_its_own(
    guard: Guard, goals: Callable[..., Rows]
) -> None:
    guarded = guard(reaching("order placed", "first order"))

    assert post(guarded) == 303

    columns = ("event", "page", "status", "source", "entry", "browser", "key", "consent")
    expected = ("/order/{number}", 303, "", 0, "Firefox", 0, "undecided")
    assert goals(guarded, *columns) == [("order placed", *expected), ("first order", *expected)]


def test_a_goal_of_a_form_belongs_to_the_page_that_has_it(guard: Guard, goals: Callable[..., Rows]) -> None:
    """By its route, once this worker has served that page; a page elsewhere is none of the shop's."""
    guarded = guard(reaching("put into the cart"))
    mug = ("referer", "https://shop.example/mugs/blue?from=letter")

    post(guarded, mug)
    ask(guarded, scope_of("/mugs/blue", headers=[BROWSER, ("accept", "text/html")]))
    post(guarded, mug)
    post(guarded, ("referer", "https://elsewhere.example/mugs/blue"))

    pages = [page for (page,) in goals(guarded, "page")]
    assert pages == ["/mugs/blue", "/mugs/{name}", "/order/{number}"]


def test_a_goal_obeys_consent_as_views_do(guard: Guard, goals: Callable[..., Rows]) -> None:
    guarded = guard(reaching("order placed"))
    accepted, refused = choose(guarded, "accept"), choose(guarded, "reject")

    for headers in ([], [accepted], [refused], [accepted, ("sec-gpc", "1")]):
        post(guarded, *headers)

    keys = [bool(key) for (key,) in goals(guarded, "key")]
    assert keys == [False, True, False, False]


def test_before_consent_none_counts_goals_of_who_agreed_only(
    guard: Guard, goals: Callable[..., Rows]
) -> None:
    guarded = guard(reaching("order placed"), stats=StatsSettings(before_consent="none"))
    accepted = choose(guarded, "accept")

    post(guarded)
    post(guarded, accepted)

    assert goals(guarded, "consent") == [("all",)]


def test_goals_of_bots_are_labelled(guard: Guard, goals: Callable[..., Rows]) -> None:
    guarded = guard(reaching("order placed"))

    ask(guarded, scope_of("/order/7", method="POST", headers=[("user-agent", "curl/8.5")]))

    assert goals(guarded, "bot") == [("tool",)]


def test_bad_names_cost_no_answer_and_are_told_once_and_counted(
    guard: Guard, goals: Callable[..., Rows], caplog: pytest.LogCaptureFixture
) -> None:
    guarded = guard(reaching("order 1004217", None, "order ada@shop.example"))

    with caplog.at_level(logging.WARNING, logger="cookieguard"):
        assert [post(guarded) for _ in range(3)] == [303, 303, 303]

    lines = [record.getMessage() for record in caplog.records if "goal" in record.getMessage()]
    assert len(lines) == 3
    assert "(POST '/order/7')" in lines[0]
    assert "1004217" not in "".join(lines)
    assert "ada" not in "".join(lines)
    counting = guarded._parts.counting
    assert counting is not None
    assert list(counting.sink._noted) == [("goal refused", 1)] * 9
    control = guard(reaching("control"))
    post(control)
    control.close()
    assert goals(guarded, "event") == [("control",)]


def test_a_bad_name_raises_in_development(guard: Guard) -> None:
    guarded = guard(reaching("order 1004217"), dev=True)

    with pytest.raises(ValueError, match="the name of a goal contains a long number"):
        ask(guarded, scope_of("/order/7", method="POST", headers=[BROWSER], host="localhost", scheme="http"))


def test_a_request_has_so_many_goals_and_no_more(guard: Guard, goals: Callable[..., Rows]) -> None:
    guarded = guard(reaching(*["again"] * (MOST_A_REQUEST + 5)))

    post(guarded)

    assert goals(guarded, "count(*)") == [(MOST_A_REQUEST,)]


def test_a_goal_counts_though_the_page_after_it_breaks(guard: Guard, goals: Callable[..., Rows]) -> None:
    guarded = guard(reaching())

    with pytest.raises(RuntimeError):
        post(guarded, path="/crash")

    assert goals(guarded, "event", "status") == [("order placed", 500)]


def test_a_goal_of_a_websocket_counts_when_it_ends(guard: Guard, goals: Callable[..., Rows]) -> None:
    async def chat(scope: Any, receive: Any, send: Any) -> None:
        visitor_of(scope).goal("chat begun")
        await send({"type": "websocket.close", "code": 1000})

    guarded = guard(chat)
    scope = scope_of("/chat", scheme="wss", headers=[BROWSER]) | {"type": "websocket", "subprotocols": []}

    async def nothing(*_: object) -> dict[str, Any]:
        return {"type": "websocket.connect"}

    asyncio.run(guarded(scope, nothing, nothing))  # type: ignore[arg-type]

    assert goals(guarded, "event", "page") == [("chat begun", "/chat")]


def test_without_statistics_a_goal_is_nothing(guard: Guard, tmp_path: Path) -> None:
    guarded = guard(reaching("order placed", None), stats=StatsSettings(enabled=False))

    assert post(guarded) == 303
    guarded.close()
    assert not (tmp_path / "state" / "stats.db").exists()


def test_a_goal_leaves_shared_caches_alone(guard: Guard) -> None:
    app = page(
        b"{}",
        headers=[("content-type", "application/json"), ("cache-control", "public")],
        act=lambda scope: visitor_of(scope).goal("seen"),
    )

    answer = ask(guard(app), scope_of(headers=[BROWSER]))

    assert answer.get("cache-control") == "public"
    assert answer.get("vary") == ""


def test_plain_text_that_names_a_goal_is_no_view(guard: Guard, tmp_path: Path) -> None:
    app = page(
        b"x", headers=[("content-type", "text/plain")], act=lambda scope: visitor_of(scope).goal("downloaded")
    )

    guarded = guard(app)
    ask(guarded, scope_of(headers=[BROWSER]))
    guarded.close()

    connection = sqlite3.connect(tmp_path / "state" / "stats.db")
    assert connection.execute("SELECT kind FROM hit").fetchall() == [("goal",)]


def test_value_of_a_goal_is_stored_only_as_its_step(
    guard: Guard, goals: Callable[..., Rows], tmp_path: Path
) -> None:
    values = [89.9, Decimal("120.50"), 0, -1, float("nan"), "12", True]

    async def place(request: Request) -> Response:
        for value in values:
            visitor_of(request).goal("order placed", value=value)
        return RedirectResponse("/receipt", 303)

    guarded = guard(Starlette(routes=[Route("/order/{number:int}", place, methods=["POST"])]))
    post(guarded)

    names = Counter(name for (name,) in goals(guarded, "event"))
    assert names == {
        "order placed": 7,
        "order placed: 50 to 100": 1,
        "order placed: 100 to 200": 1,
        "order placed: under 1": 1,
    }
    assert b"89.9" not in (tmp_path / "state" / "stats.db").read_bytes()


def test_a_bad_value_raises_in_development(guard: Guard) -> None:
    async def place(request: Request) -> Response:
        with pytest.raises(ValueError, match="value of a goal"):
            visitor_of(request).goal("order placed", value=-3)
        return PlainTextResponse("fine")

    guarded = guard(Starlette(routes=[Route("/order/7", place, methods=["POST"])]), dev=True)

    assert post(guarded) == 200
