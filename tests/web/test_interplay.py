"""Features that meet in one request: sockets, own pages, large sessions, orders, and a changed store."""

from __future__ import annotations

import asyncio
import itertools
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from harness.asgi import Answer, ask, drive, scope_of
from harness.stores import SqliteStore, values
from harness.two_workers import SESSION, Browser, Shop

from cookieguard import visitor_of
from cookieguard.config import CookieSettings, StoreSettings
from cookieguard.errors import CookieGuardError
from cookieguard.identity.encoding.canonical_json import NotJsonError

REMEMBER = "__Host-cg_remember"
FORM = [("content-type", "application/x-www-form-urlencoded"), ("sec-fetch-site", "same-origin")]
PARTITIONED = CookieSettings(
    **{
        name: replace(getattr(CookieSettings(), name), same_site="None", partitioned=True)
        for name in ("session", "cart", "remember", "consent")
    }
)
MakeShop = Callable[..., Shop]


@dataclass
class Socket:
    """A WebSocket app that acts before it accepts, and after."""

    before: Callable[[Any], Any] = lambda _: None
    after: Callable[[Any], Any] = lambda _: None
    sent: list[Any] = field(default_factory=list)

    async def __call__(self, scope: Any, _: Any, send: Any) -> None:
        """Answer the handshake and close."""
        self.before(visitor_of(scope))
        await send({"type": "websocket.accept", "headers": []})
        self.after(visitor_of(scope))
        await send({"type": "websocket.close"})

    def open(self, browser: Browser, *, worker: int = 0) -> None:
        """Open it with a browser, and store the cookies of its answer."""
        guard = browser.shop.workers[worker]
        scope = scope_of("/ws", headers=cookie_of(browser), scheme="wss") | {"type": "websocket"}
        inner, guard.app = guard.app, self
        try:
            asyncio.run(guard(scope, self._receive, self._send))
        finally:
            guard.app = inner
        start = {"type": "http.response.start", "status": 101, "headers": self.sent[0]["headers"]}
        browser.take(Answer(messages=[start]))

    async def _receive(self) -> Any:
        return {"type": "websocket.connect"}

    async def _send(self, message: Any) -> None:
        self.sent.append(message)


def cookie_of(browser: Browser) -> list[tuple[str, str]]:
    pairs = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
    return [("cookie", pairs)] if pairs else []


def choose(browser: Browser, choice: str) -> int:
    """Post a choice to the page of ours."""
    answer = Answer(scope=scope_of("/_cg/consent", method="POST", headers=[*FORM, *cookie_of(browser)]))
    asyncio.run(drive(browser.shop.workers[0], answer, f"choice={choice}".encode()))
    browser.take(answer)
    return answer.status


def put(**entries: Any) -> Callable[[Any], None]:
    return lambda visitor: visitor.cart.update(entries)


def grow(visitor: Any) -> None:
    visitor.session["note"] = "x" * 5_000


def log_in(visitor: Any) -> None:
    visitor.login("17")


def seen(visitor: Any) -> list[Any]:
    return [visitor.customer, dict(visitor.cart), list(visitor.orders), len(visitor.session.get("note", ""))]


def execute(tmp_path: Path, statement: str, *values: Any) -> None:
    with sqlite3.connect(tmp_path / "state" / "store.db") as connection:
        connection.execute(statement, values)


@pytest.mark.parametrize(
    ("deed", "found"),
    [
        (put(mug=1), [None, {"mug": 1}, [], 0]),
        (lambda visitor: visitor.orders.add("o1"), [None, {}, ["o1"], 0]),
        (grow, [None, {}, [], 5_000]),
    ],
)
def test_changes_of_a_socket_before_it_accepts_are_kept(shop: Shop, deed: Any, found: list[Any]) -> None:
    browser = Browser(shop)

    Socket(before=deed).open(browser)

    assert browser.do(seen, worker=1) == found


def test_a_large_session_is_renewed_by_a_socket(shop: Shop) -> None:
    browser = Browser(shop)
    browser.do(lambda visitor: (grow(visitor), log_in(visitor)))
    shop.wait(days=3)
    before = browser.cookies[SESSION]

    Socket(before=seen).open(browser)

    assert browser.cookies[SESSION] != before
    assert browser.do(seen, worker=1) == ["17", {}, [], 5_000]


def test_an_order_placed_after_a_handshake_can_be_come_back_to(shop: Shop) -> None:
    browser, other = Browser(shop), Browser(shop)
    browser.do(log_in)

    Socket(after=lambda visitor: visitor.orders.add("o1")).open(browser)
    shop.hear()

    assert browser.do(lambda visitor: visitor.orders.has("o1"), worker=1) is True
    other.do(log_in, worker=1)
    assert other.do(seen, worker=1) == ["17", {}, ["o1"], 0]


def test_customer_named_before_a_handshake_is_answered_is_logged_in_by_it(make_shop: MakeShop) -> None:
    said: list[str | None] = [None]
    shop = make_shop({"customer_from": lambda _: said[0]})
    browser = Browser(shop)
    browser.do(put(mug=1))
    copy = dict(browser.cookies)
    said[0] = "17"

    Socket(before=seen).open(browser)
    shop.hear()

    assert browser.do(seen, worker=1) == ["17", {"mug": 1}, [], 0]
    browser.send(seen, worker=1, cookies=copy)
    assert browser.events == ["session cookie refused (ended): it counts as empty"]


def test_a_guess_after_the_start_forgets_no_remembered_browser(make_shop: MakeShop) -> None:
    said: list[str | None] = ["17"]
    shop = make_shop({"customer_from": lambda _: said[0]})
    browser = Browser(shop)
    browser.do(lambda visitor: visitor.login("17", remember=True))
    said[0] = None

    Socket(after=lambda visitor: visitor.customer).open(browser)
    shop.hear()

    said[0] = "17"
    browser.do(seen, worker=1)
    assert REMEMBER in browser.cookies
    del browser.cookies[SESSION]
    assert browser.do(lambda visitor: visitor.is_remembered, worker=1) is True


def test_a_login_that_no_cookie_can_follow_takes_no_cart_away_and_is_told(
    shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    browser, customers = Browser(shop), list[Any]()
    browser.do(put(mug=1))

    Socket(after=lambda visitor: (log_in(visitor), customers.append(visitor.customer))).open(browser)
    shop.hear()

    assert customers == ["17"]
    assert browser.do(seen, worker=1) == [None, {"mug": 1}, [], 0]
    assert [line for line in caplog.messages if line.startswith("login was called after the response")]


def test_a_logout_that_no_cookie_can_follow_ends_the_session_though_a_login_follows(shop: Shop) -> None:
    browser = Browser(shop)
    browser.do(log_in)

    Socket(after=lambda visitor: (visitor.logout(), visitor.login("18"))).open(browser)
    shop.hear()

    assert browser.do(seen, worker=1)[0] is None
    assert browser.events == ["session cookie refused (ended): it counts as empty"]


def test_a_choice_is_answered_while_a_merge_is_due(shop: Shop, tmp_path: Path) -> None:
    Browser(shop).do(lambda visitor: (put(lamp=1)(visitor), log_in(visitor)))
    browser, store = Browser(shop), tmp_path / "state" / "store.db"
    store.rename(tmp_path / "aside")
    browser.do(lambda visitor: (put(vase=1)(visitor), log_in(visitor)))
    (tmp_path / "aside").rename(store)
    shop.hear()

    assert choose(browser, "reject") == 303
    assert browser.do(seen, worker=1) == ["17", {"lamp": 1, "vase": 1}, [], 0]


def test_what_is_no_json_is_an_error_beside_an_order_too(shop: Shop) -> None:
    def deed(visitor: Any) -> None:
        visitor.orders.add("o1")
        visitor.session["bad"] = object()

    with pytest.raises(NotJsonError):
        Browser(shop).do(deed)


class Restless(dict[str, Any]):
    """A value that is another mapping each time it is written."""

    count = itertools.count()

    def items(self) -> Any:
        """Count on."""
        return [("n", next(self.count))]


@pytest.mark.parametrize("path", ["http", "socket"])
def test_a_session_that_never_rests_costs_its_cookies_and_no_page(shop: Shop, path: str) -> None:
    def deed(visitor: Any) -> None:
        grow(visitor)
        visitor.session["restless"] = Restless(n=0)

    browser = Browser(shop)
    if path == "http":
        browser.do(deed)
        assert browser.answer.status == 200
    else:
        Socket(before=deed).open(browser)

    assert browser.cookies == {}


@pytest.mark.parametrize(
    "junk", [b"unsealed", b"junk", b"[1]", b"{}", b'{"t":[],"d":1,"o":[[1]]}', b"\xff\x00"]
)
def test_unreadable_row_counts_as_missing(shop: Shop, tmp_path: Path, junk: bytes) -> None:
    browser, other = Browser(shop), Browser(shop)
    browser.do(lambda visitor: (put(lamp=1)(visitor), visitor.orders.add("o1"), log_in(visitor)))
    other.do(grow)
    with closing(SqliteStore(tmp_path / "state" / "store.db")) as store:
        store.write("warning", "17", junk, until=2**60)
        for shelf, key, _, until in list(values(store)):
            store.write(shelf.removeprefix("guest-"), key, junk, until=until)
    if junk == b"unsealed":
        execute(tmp_path, "UPDATE kept SET sealed = ?", junk)
    shop.wait(hours=2)

    assert other.do(seen) == [None, {}, [], 0]
    assert other.answer.status == 200
    third = Browser(shop)
    third.do(lambda visitor: (put(vase=1)(visitor), visitor.orders.add("o2"), log_in(visitor)))
    assert third.do(seen, worker=1) == ["17", {"vase": 1}, ["o2"], 0]
    fourth = Browser(shop)
    fourth.do(lambda visitor: visitor.login("17", remember=True))
    assert fourth.do(lambda visitor: (visitor.customer, visitor.warnings), worker=1) == ("17", ())
    assert REMEMBER in fourth.cookies


def test_a_row_that_was_lost_is_missed_for_an_hour_however_often_its_visitor_comes(
    shop: Shop, tmp_path: Path
) -> None:
    browser = Browser(shop)
    browser.do(grow)
    execute(tmp_path, "DELETE FROM kept")

    found = []
    for step in range(4):
        found.append(browser.do(lambda visitor: visitor.is_uncertain))
        browser.do(lambda visitor, step=step: visitor.session.update(step=step))
        shop.wait(minutes=25)

    assert found == [True, True, True, False]


def test_sessions_and_carts_in_a_store_that_was_switched_off_count_as_empty(make_shop: MakeShop) -> None:
    browser = Browser(make_shop())
    browser.do(lambda visitor: (grow(visitor), put(note="x" * 5_000)(visitor)))
    browser.shop = make_shop(store=StoreSettings(enabled=False))

    assert browser.do(seen) == [None, {}, [], 0]
    assert browser.events == ["session cookie refused (no longer in the store): it counts as empty"]
    browser.do(log_in)
    assert browser.do(seen) == ["17", {}, [], 0]
    with pytest.raises(CookieGuardError):
        browser.do(lambda visitor: visitor.logout_everywhere())


@pytest.mark.parametrize(
    "cookies",
    [CookieSettings(domain="shop.example"), PARTITIONED],
    ids=["shared", "partitioned"],
)
def test_a_cookie_that_is_written_alone_takes_no_other_away(
    make_shop: MakeShop, cookies: CookieSettings
) -> None:
    browser = Browser(make_shop(cookies=cookies))
    browser.do(lambda visitor: (put(mug=1)(visitor), visitor.login("17", remember=True)))
    before = set(browser.cookies)
    assert len(before) == 3

    browser.do(lambda visitor: visitor.session.update(note="seen"), worker=1)

    assert set(browser.cookies) == before
    assert browser.do(seen) == ["17", {"mug": 1}, [], 4]


def test_a_doubled_consent_of_a_shared_domain_takes_no_cart_away(make_shop: MakeShop) -> None:
    browser = Browser(make_shop(cookies=CookieSettings(domain="shop.example")))
    browser.do(put(mug=1))
    browser.shop.deed = lambda visitor: visitor.session.update(note="seen")
    pairs = [*cookie_of(browser), ("cookie", "__Secure-cg_consent=a; __Secure-cg_consent=b")]
    answer = Answer(scope=scope_of(headers=pairs))

    asyncio.run(drive(browser.shop.workers[0], answer))
    browser.take(answer)

    assert "__Secure-cg_consent" in answer.cookies()
    assert browser.do(seen) == [None, {"mug": 1}, [], 4]


@pytest.mark.parametrize("number", ["a\0", "\ud800", "x\udfffy"])
def test_customer_number_that_cannot_be_stored_makes_no_other_customer_a_guest(
    shop: Shop, number: str
) -> None:
    """Where visitors choose their number: what cannot be written is tried again and again, and counts as down."""
    eve, ada = Browser(shop), Browser(shop)
    ada.do(lambda visitor: visitor.login("17"))
    refused: list[str] = []

    def log_in_and_out(visitor: Any) -> None:
        try:
            visitor.login(number)
            visitor.logout_everywhere()
        except ValueError as error:
            refused.append(str(error))

    eve.do(log_in_and_out)
    shop.hear()

    for worker in range(2):
        assert ada.do(lambda visitor: (visitor.customer, visitor.is_uncertain), worker=worker) == (
            "17",
            False,
        )
    assert refused == ["the customer number contains a NUL or half a surrogate pair; allowed: other text"]


@pytest.mark.parametrize(
    ("method", "site", "deed", "is_told"),
    [
        ("POST", "cross-site", put(mug=1), True),
        ("POST", "cross-site", log_in, False),
        ("POST", "cross-site", lambda visitor: visitor.customer, False),
        ("POST", "same-origin", put(mug=1), False),
        ("GET", "cross-site", put(mug=1), False),
    ],
)
def test_a_session_that_a_post_of_another_site_puts_in_the_place_of_the_browsers_is_told_of(
    shop: Shop, caplog: pytest.LogCaptureFixture, method: str, site: str, deed: Any, is_told: bool
) -> None:
    """A payment host posts back: the browser sends no Lax cookie along, and takes the new one."""
    shop.deed = deed

    ask(shop.workers[0], method=method, headers=[("sec-fetch-site", site)])

    told = [line for line in caplog.messages if line.startswith("a POST from another site")]
    assert len(told) == is_told
