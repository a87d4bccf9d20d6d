"""If the app empties a session, it ends like a logout: its id is revoked before the answer is sent."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from harness.asgi import Answer, drive, scope_of
from harness.two_workers import SESSION, Browser, Shop
from litestar import Litestar, get
from litestar import Request as LitestarRequest

from cookieguard import CookieGuard

LARGE = "x" * 6000  # in the store, and the cookie refers to it


def empty_by_pop(visitor: Any) -> None:
    for key in list(visitor.session):
        visitor.session.pop(key)


def clear(visitor: Any) -> None:
    visitor.session.clear()


def stays(visitor: Any) -> dict[str, Any]:
    return {"customer": visitor.customer, **visitor.session}


@pytest.fixture
def browser(shop: Shop) -> Browser:
    """Give the browser of somebody whose number stands in the session, as Starlette's users keep it."""
    browser = Browser(shop)
    browser.do(lambda visitor: visitor.session.update(uid="7"))
    return browser


@pytest.mark.parametrize("empty", [clear, empty_by_pop])
def test_a_copy_of_the_cookie_of_an_emptied_session_opens_nowhere(
    shop: Shop, browser: Browser, empty: Callable[[Any], None]
) -> None:
    copy = dict(browser.cookies)
    assert browser.do(stays, worker=1) == {"customer": None, "uid": "7"}

    browser.do(empty)
    assert browser.cookies == {}
    shop.hear()

    for worker in (0, 1):
        browser.cookies = dict(copy)
        assert browser.do(stays, worker=worker) == {"customer": None}


def test_it_is_in_the_store_before_the_answer_goes_out(shop: Shop, browser: Browser) -> None:
    copy = dict(browser.cookies)

    browser.do(clear)
    started_later = Shop(shop.state, count=1, now=shop.now)

    late = Browser(started_later)
    late.cookies = copy
    assert late.do(stays) == {"customer": None}
    started_later.close()


@pytest.mark.parametrize("size", ["small", LARGE])
def test_what_is_written_after_clearing_stands_in_a_session_of_another_id(
    shop: Shop, browser: Browser, size: str
) -> None:
    browser.do(lambda visitor: visitor.session.update(note=size))
    before = browser.do(lambda visitor: visitor.session.id)
    copy = dict(browser.cookies)

    def log_in(visitor: Any) -> None:
        visitor.session.clear()
        visitor.session["uid"] = "8"

    browser.do(log_in)
    shop.hear()

    for worker in (0, 1):
        assert browser.do(stays, worker=worker) == {"customer": None, "uid": "8"}
    assert browser.do(lambda visitor: visitor.session.id) != before
    browser.cookies = copy
    assert browser.do(stays, worker=1) == {"customer": None}


def test_a_customers_session_that_is_cleared_stays_the_customers_under_another_id(shop: Shop) -> None:
    browser = Browser(shop)

    def log_in(visitor: Any) -> None:
        visitor.login("10042")
        visitor.session["seen"] = ["lamp"]
        visitor.cart["lamp"] = 1

    browser.do(log_in)
    copy = dict(browser.cookies)

    browser.do(clear)
    shop.hear()

    assert browser.do(stays) == {"customer": "10042"}
    assert browser.cart(worker=1) == {"lamp": 1}
    browser.cookies = copy
    assert browser.do(stays, worker=1) == {"customer": None}


def test_a_guests_cart_stays_where_the_session_is_cleared(shop: Shop, browser: Browser) -> None:
    browser.do(lambda visitor: visitor.cart.update(lamp=1))
    copy = dict(browser.cookies)

    browser.do(clear)
    shop.hear()

    assert browser.cart(worker=1) == {"lamp": 1}
    browser.cookies = copy
    assert browser.do(stays, worker=1) == {"customer": None}


def test_clearing_an_empty_session_revokes_nothing(shop: Shop, browser: Browser) -> None:
    stranger = Browser(shop)
    stranger.do(clear)
    assert stranger.answer.all("set-cookie") == []

    browser.do(lambda visitor: visitor.session.id)
    kept = browser.do(lambda visitor: visitor.session.pop("gone", None) or visitor.session.id)

    assert browser.do(lambda visitor: visitor.session.id, worker=1) == kept


@pytest.mark.parametrize("how", ["clear_session", "set_nothing"])
def test_litestars_ways_to_empty_it_end_it_too(guard: Callable[..., CookieGuard], how: str) -> None:
    @get("/set")
    async def fill(request: LitestarRequest) -> None:
        request.set_session({"uid": "7"})

    @get("/empty")
    async def empty(request: LitestarRequest) -> None:
        request.clear_session() if how == "clear_session" else request.set_session({})

    @get("/show")
    async def show(request: LitestarRequest) -> dict[str, Any]:
        return dict(request.session)

    app = guard(Litestar([fill, empty, show], logging_config=None, openapi_config=None))

    def ask(path: str, cookie: str = "") -> Answer:
        answer = Answer(scope=scope_of(path, headers=[("cookie", cookie)] if cookie else []))
        asyncio.run(drive(app, answer))
        return answer

    cookie = f"{SESSION}={ask('/set').cookies()[SESSION]}"
    assert ask("/show", cookie).text == '{"uid":"7"}'
    assert ask("/empty", cookie).cookies() == {SESSION: ""}
    assert ask("/show", cookie).text == "{}"
