"""Remember-me with two workers on one store: logins, the end of a copied series, and notices of it."""

from __future__ import annotations

import asyncio
import datetime
import logging
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from harness.asgi import Answer, ask, drive, page, scope_of
from harness.servers import wait_until
from harness.shops import NOW

from cookieguard import Config, CookieGuard, visitor_of
from cookieguard.config import IdentitySettings
from cookieguard.config.store import StoreSettings
from cookieguard.errors import CookieGuardError
from cookieguard.identity.remember_me import COPY_USED
from cookieguard.web.identity.store_wait import TIMEOUT

SESSION, REMEMBER, CART = "__Host-cg_session", "__Host-cg_remember", "__Host-cg_cart"


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Do what the path says, then tell who is there."""
    visitor = visitor_of(scope)
    what, _, number = scope["path"].strip("/").partition("/")
    if what in ("login", "remember"):
        visitor.login(number, remember=what == "remember")
    elif what in ("logout", "logout_everywhere", "take_warnings"):
        getattr(visitor, what)()
    elif what == "change":
        visitor.logout_everywhere()
        visitor.login(number, remember=True)
    elif what == "picture":
        await send(
            {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"image/png")]}
        )
        await send({"type": "http.response.body", "body": b"png"})
        return
    told = [one.what for one in visitor.warnings]
    facts = (visitor.customer, visitor.is_remembered, visitor.auth_age, told)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": repr(facts).encode()})


class Shop:
    """Run two workers on one store; `now` is what their clocks show, `skew` what the second is ahead."""

    def __init__(self, directory: Path) -> None:
        self.now = NOW
        self.skew = timedelta(0)
        self.directory = directory
        config = Config(state_dir=str(directory))
        self.workers = [
            CookieGuard(app, config, clock=lambda: self.now),
            CookieGuard(app, config, clock=lambda: self.now + self.skew),
        ]

    def wait(self, **span: float) -> None:
        self.now += timedelta(**span)

    def close(self) -> None:
        for worker in self.workers:
            worker.close()


class Client:
    """One browser that keeps cookies and visits the worker that a test names."""

    def __init__(self, shop: Shop, cookies: dict[str, str] | None = None) -> None:
        self.shop = shop
        self.cookies = dict(cookies or {})
        self.answer = Answer()

    def scope(self, path: str, host: str = "shop.example", **headers: str) -> dict[str, Any]:
        cookie = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        pairs = [("cookie", cookie)] if cookie else []
        pairs += [(name.replace("_", "-"), value) for name, value in headers.items()]
        return scope_of(path, host=host, headers=pairs)

    def get(self, path: str = "/", worker: int = 0, **more: str) -> Any:
        """Open a page and return what it says: customer, is remembered, age of the login, warnings."""
        self.answer = ask(self.shop.workers[worker], self.scope(path, **more))
        self.take(self.answer)
        body = self.answer.text
        return eval(body, {"datetime": datetime}) if body.startswith("(") else body

    def take(self, answer: Answer) -> None:
        for name, value in answer.cookies().items():
            self.cookies[name] = value
            if not value:
                del self.cookies[name]

    def lose_session(self) -> None:
        self.cookies.pop(SESSION, None)

    def customer(self, path: str = "/", worker: int = 0) -> str | None:
        return self.get(path, worker)[0]

    def copy(self) -> Client:
        """Make a thief with the remember-me cookie alone."""
        return Client(self.shop, {REMEMBER: self.cookies[REMEMBER]})


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    """Open the shop."""
    shop = Shop(tmp_path / "state")
    yield shop
    shop.close()


@pytest.fixture
def ada(shop: Shop) -> Client:
    """Return a customer's browser that is remembered."""
    client = Client(shop)
    assert client.customer("/remember/17") == "17"
    return client


def until(is_so: Callable[[], bool]) -> None:
    wait_until(is_so, "what the store tells is heard")


def test_remembered_customer_keeps_the_age_of_the_login(ada: Client) -> None:
    before = dict(ada.cookies)
    ada.lose_session()
    ada.shop.wait(days=20)

    facts = ada.get(worker=1)

    assert facts == ("17", True, timedelta(days=20), [])
    assert ada.cookies[REMEMBER] != before[REMEMBER]
    assert ada.cookies[SESSION] != before[SESSION]
    assert "no-store" in ada.answer.get("cache-control")
    (line,) = [one for one in ada.answer.all("set-cookie") if REMEMBER in one]
    assert "HttpOnly" in line
    assert f"Max-Age={70 * 86400}" in line


def test_an_expired_or_unreadable_session_is_none(ada: Client) -> None:
    ada.shop.wait(days=15)
    assert ada.customer() == "17"
    ada.cookies[SESSION] = "2.k.forged.token"
    assert ada.get()[:2] == ("17", True)


def test_a_login_without_it_is_not_remembered(shop: Shop) -> None:
    client = Client(shop)
    client.get("/login/17")
    client.lose_session()

    assert REMEMBER not in client.cookies
    assert client.customer() is None


def test_a_living_session_asks_the_store_nothing_and_rotates_nothing(
    ada: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []
    store_sync = ada.shop.workers[0]._parts.store_sync
    assert store_sync is not None
    really: Callable[..., Future[Any]] = store_sync.ask
    monkeypatch.setattr(store_sync, "ask", lambda question: (asked.append(question), really(question))[1])

    for _ in range(3):
        assert ada.get()[:2] == ("17", False)
        assert ada.answer.cookies() == {}
    assert asked == []
    ada.lose_session()
    ada.get()
    login = len(asked)  # for the customer, and for what the customer left and refused elsewhere
    ada.get()
    assert len(asked) == login + 1  # that the number arrived, once
    ada.get()
    assert len(asked) == login + 1


def test_a_picture_logs_nobody_in_and_stays_in_shared_caches(ada: Client) -> None:
    ada.lose_session()

    ada.get("/picture", sec_fetch_dest="image")

    assert (ada.answer.cookies(), ada.answer.get("cache-control")) == ({}, "")
    ada.get("/picture", sec_fetch_dest="document")
    assert set(ada.answer.cookies()) == {SESSION, REMEMBER}


def test_a_picture_beside_a_living_session_stays_in_shared_caches_too(ada: Client) -> None:
    ada.get("/picture", sec_fetch_dest="empty")

    assert (ada.answer.cookies(), ada.answer.get("cache-control")) == ({}, "")


def test_a_websocket_logs_nobody_in(ada: Client) -> None:
    ada.lose_session()
    seen: list[str | None] = []

    async def talk() -> None:
        scope = ada.scope("/") | {"type": "websocket"}
        guard = CookieGuard(look, Config(state_dir=str(ada.shop.directory)), clock=lambda: NOW)
        await guard(scope, None, None)
        guard.close()

    async def look(scope: Any, _: Any, __: Any) -> None:
        seen.append(visitor_of(scope).customer)

    asyncio.run(talk())
    assert seen == [None]
    assert ada.customer() == "17"


@pytest.mark.parametrize("is_thief_first", [True, False])
def test_a_copy_that_is_used_ends_both_on_both_workers_and_the_customer_hears_of_it(
    ada: Client, is_thief_first: bool, caplog: pytest.LogCaptureFixture
) -> None:
    thief = ada.copy()
    ada.lose_session()
    first, second = (thief, ada) if is_thief_first else (ada, thief)
    assert first.customer(worker=0) == "17"
    assert first.customer(worker=0) == "17"  # from now on its number is known to have arrived
    ada.shop.wait(minutes=2)
    value = second.cookies[REMEMBER]

    with caplog.at_level(logging.WARNING, "cookieguard"):
        assert second.customer(worker=1) is None

    events = [one.getMessage() for one in caplog.records if "remember cookie" in one.getMessage()]
    assert len(events) == 1
    assert "used elsewhere" in events[0]
    assert value not in caplog.text
    assert second.cookies == {}
    assert first.customer(worker=1) is None
    until(lambda: first.customer(worker=0) is None)
    for client in (first, second):
        assert client.customer() is None
    assert ada.get("/login/17", worker=0)[3] == []
    assert ada.get(worker=1)[3] == [COPY_USED]
    assert ada.get()[3] == [COPY_USED]
    assert ada.get("/take_warnings")[3] == []
    assert ada.get()[3] == []
    assert Client(ada.shop).get("/login/17") == ("17", False, timedelta(0), [])
    other = Client(ada.shop)
    other.get("/login/17")
    assert other.get()[3] == []


def test_a_warning_waits_for_a_login_of_this_customer_and_is_not_lost_with_an_answer(ada: Client) -> None:
    steal(ada)
    bob = Client(ada.shop)
    bob.get("/login/18")
    assert bob.get()[3] == []

    Client(ada.shop).get("/login/17")  # its answer never arrives

    ada.get("/login/17")
    assert ada.get()[3] == [COPY_USED]


def steal(ada: Client) -> None:
    """Use a copy of the cookie before and after its owner does."""
    thief = ada.copy()
    ada.lose_session()
    ada.get()
    ada.get()
    ada.shop.wait(minutes=2)
    assert thief.customer() is None


def test_the_owner_who_never_leaves_finds_the_thief_when_the_session_is_renewed(ada: Client) -> None:
    thief = ada.copy()
    assert thief.customer() == "17"
    assert thief.customer() == "17"
    ada.shop.wait(hours=20)
    assert ada.customer() == "17"
    ada.shop.wait(days=1)

    assert ada.customer() is None
    assert thief.customer() is None
    assert REMEMBER not in ada.cookies


def test_the_renewal_of_a_session_rotates_the_cookie(ada: Client) -> None:
    before = ada.cookies[REMEMBER]
    ada.shop.wait(days=2)
    assert ada.get() == ("17", False, timedelta(days=2), [])
    assert ada.cookies[REMEMBER] != before
    ada.lose_session()
    assert ada.customer() == "17"


def test_tabs_that_open_together_on_two_workers_rotate_once_and_raise_no_alarm(ada: Client) -> None:
    ada.lose_session()
    answers = [Answer(scope=ada.scope("/")) for _ in range(6)]

    async def open_all() -> None:
        pairs = zip(ada.shop.workers * 3, answers, strict=True)
        await asyncio.gather(*(drive(worker, answer) for worker, answer in pairs))

    asyncio.run(open_all())
    assert ["'17', True" in answer.text for answer in answers] == [True] * 6
    assert store_of(ada).current == 2
    for answer in answers:  # whichever comes last
        late = Client(ada.shop, ada.cookies)
        late.take(answer)
        assert late.customer(worker=1) == "17"
    ada.take(answers[-1])
    ada.shop.wait(days=20)
    assert ada.customer() == "17"
    assert ada.customer() == "17"


def store_of(client: Client) -> Any:
    """Return the only series in the store."""
    from harness.stores import SqliteStore, values

    from cookieguard.identity.remember_me import series_of

    with closing(SqliteStore(client.shop.directory / "store.db")) as store:
        ((_, _, value, _),) = values(store, "remember")
    return series_of(value)


def test_a_lost_answer_costs_nothing_however_late_the_browser_comes_back(ada: Client) -> None:
    ada.lose_session()
    for minutes in (1, 5, 60, 60 * 24):
        Client(ada.shop, ada.cookies).get()
        ada.shop.wait(minutes=minutes)

    assert ada.customer() == "17"
    assert ada.customer() == "17"


def test_an_answer_that_was_not_lost_after_all_shows_two_browsers(ada: Client) -> None:
    thief = ada.copy()
    ada.lose_session()
    assert ada.customer() == "17"
    ada.shop.wait(minutes=11)
    assert thief.customer() == "17"

    assert ada.customer() is None
    assert thief.customer() is None


@pytest.mark.parametrize("how", ["/logout", "/logout_everywhere", "/login/18"])
def test_goodbye_ends_the_cookie_and_its_copies(ada: Client, how: str) -> None:
    thief = ada.copy()
    ada.get(how)
    ada.shop.wait(minutes=2)

    assert REMEMBER not in ada.cookies
    for worker in (0, 1):
        assert thief.copy().customer(worker=worker) is None
    ada.lose_session()
    assert ada.customer() is None


def test_goodbye_ends_what_a_thief_was_given_by_the_series(ada: Client) -> None:
    thief = ada.copy()
    assert thief.customer() == "17"
    ada.get("/logout")

    until(lambda: thief.customer(worker=1) is None)
    assert thief.customer() is None


def test_logging_out_everywhere_forgets_every_browser_of_the_customer_only(ada: Client) -> None:
    phone, bob = Client(ada.shop), Client(ada.shop)
    phone.get("/remember/17")
    bob.get("/remember/18")
    ada.shop.wait(minutes=5)
    ada.get("/logout_everywhere")
    for client in (phone, bob):
        client.lose_session()

    assert phone.customer(worker=1) is None
    assert REMEMBER not in phone.cookies
    assert bob.customer(worker=1) == "18"


@pytest.mark.parametrize("skew", [0, 50, -50])
def test_a_change_of_password_keeps_this_browser_remembered_on_clocks_that_differ(
    ada: Client, skew: int
) -> None:
    ada.shop.skew = timedelta(seconds=skew)
    thief = ada.copy()
    assert ada.customer("/change/17", worker=1) == "17"
    ada.lose_session()

    assert ada.customer(worker=0) == "17"
    assert ada.customer(worker=1) == "17"
    assert thief.customer() is None


def test_a_fresh_login_of_the_remembered_leaves_the_cookie_and_is_no_remembered_one(ada: Client) -> None:
    ada.lose_session()
    ada.shop.wait(days=3)
    assert ada.get()[:2] == ("17", True)

    assert ada.get("/login/17") == ("17", False, timedelta(0), [])
    ada.lose_session()
    assert ada.get() == ("17", True, timedelta(days=3), [])


def test_nothing_of_a_login_outlives_the_90_days(ada: Client) -> None:
    ada.shop.wait(days=89, hours=23)
    assert ada.customer() == "17"
    ada.shop.wait(hours=2)

    assert ada.customer() is None
    assert ada.cookies == {}


def forge(value: str) -> str:
    return value[:-1] + ("A" if value[-1] != "A" else "B")


@pytest.mark.parametrize(
    ("change", "event"),
    [
        (forge, "remember cookie refused (forged)"),
        (lambda value: value[:-30], "remember cookie refused (forged)"),
        (
            lambda value: value.replace("2.", "2.no", 1),
            "remember cookie refused (signed with an unknown key)",
        ),
        (lambda value: f"{value}; {REMEMBER}=x", "remember cookie refused (sent twice)"),
        (lambda value: "2.a.b", "remember cookie"),
    ],
)
def test_a_cookie_that_is_not_ours_lets_nobody_in_with_one_event(
    ada: Client, change: Callable[[str], str], event: str, caplog: pytest.LogCaptureFixture
) -> None:
    ada.lose_session()
    ada.cookies[REMEMBER] = change(ada.cookies[REMEMBER])

    with caplog.at_level(logging.WARNING, "cookieguard"):
        assert ada.customer() is None

    events = [one.getMessage() for one in caplog.records if one.name == "cookieguard"]
    assert [event in one for one in events] == [True]
    assert REMEMBER not in ada.cookies


def test_a_cookie_counts_for_its_host_and_kind_only(ada: Client) -> None:
    ada.lose_session()
    kept = dict(ada.cookies)
    assert ada.get(host="other.example")[0] is None
    other = Client(ada.shop)
    other.get("/login/17")

    assert Client(ada.shop, {REMEMBER: other.cookies[SESSION]}).customer() is None
    assert Client(ada.shop, {SESSION: kept[REMEMBER]}).customer() is None
    assert Client(ada.shop, kept).customer() == "17"


@pytest.mark.parametrize("is_known", [pytest.param(True, marks=pytest.mark.slow), False])
def test_while_the_store_is_gone_nobody_is_let_in_and_the_cookie_stays(ada: Client, is_known: bool) -> None:
    ada.lose_session()
    store = ada.shop.directory / "store.db"
    aside = Path(f"{store}.aside")
    store.rename(aside)
    store_sync = ada.shop.workers[0]._parts.store_sync
    assert store_sync is not None
    if is_known:
        until(lambda: not store_sync.revocations.is_certain)
    started = time.monotonic()

    assert ada.get()[0] is None

    assert time.monotonic() - started < 4 * TIMEOUT.total_seconds()  # the machine may be busy
    assert (ada.answer.status, ada.answer.cookies()) == (200, {})
    aside.rename(store)
    if is_known:
        until(lambda: store_sync.revocations.is_certain)
    assert ada.customer() == "17"


def test_goodbye_while_the_store_is_gone_counts_when_it_is_back(ada: Client) -> None:
    thief = ada.copy()
    store = ada.shop.directory / "store.db"
    aside = Path(f"{store}.aside")
    store.rename(aside)
    ada.get("/logout")
    assert ada.cookies == {}
    aside.rename(store)

    store_sync = ada.shop.workers[0]._parts.store_sync
    assert store_sync is not None
    until(lambda: not store_sync.backlog)
    assert thief.customer(worker=1) is None


def test_an_older_copy_of_the_store_raises_no_alarm(ada: Client) -> None:
    store = ada.shop.directory / "store.db"
    ada.lose_session()
    older = store_of(ada)
    ada.get()
    from harness.stores import SqliteStore, values

    with closing(SqliteStore(store)) as opened:
        ((shelf, key, _, until),) = values(opened, "remember")
        opened.write(shelf, key, older.encode(), until=until)
    ada.lose_session()

    assert ada.customer() is None
    ada.get("/login/17")
    assert ada.get()[3] == []


def test_without_a_store_asking_to_be_remembered_is_an_error_that_names_the_setting(tmp_path: Path) -> None:
    guard = CookieGuard(app, Config(state_dir=str(tmp_path), store=StoreSettings(enabled=False)))

    with pytest.raises(CookieGuardError, match=r"store\.enabled"):
        ask(guard, path="/remember/17")
    assert "17" in ask(guard, path="/login/17").text


def test_without_identity_nothing_is_remembered_and_nothing_fails(tmp_path: Path) -> None:
    plain = page(status=204, headers=())

    guard = CookieGuard(plain, Config(state_dir=str(tmp_path), identity=IdentitySettings(enabled=False)))

    assert ask(guard, headers=[("cookie", f"{REMEMBER}=x")]).status == 204


def test_clocks_50_s_apart_raise_no_alarm(ada: Client) -> None:
    ada.shop.skew = timedelta(seconds=50)
    for worker in (1, 0, 1, 0):
        ada.lose_session()
        assert ada.customer(worker=worker) == "17"
        assert ada.customer(worker=1 - worker) == "17"
        ada.shop.wait(minutes=2)
