"""Carts over two workers and a store: older copies, two tabs, lost answers, and the merge at login."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from harness.servers import wait_until
from harness.two_workers import CART, SESSION, Browser, Shop

from cookieguard.config import ConsentSettings, IdentitySettings, StoreSettings
from cookieguard.storage.store.logins import BROWSER_NAMES, logins_of
from cookieguard.web.identity.store_wait import TIMEOUT

OLD = "cart cookie refused (outdated): it counts as empty"
MakeShop = Callable[..., Shop]


def put(**entries: Any) -> Callable[[Any], None]:
    return lambda visitor: visitor.cart.update(entries)


def drop(key: str) -> Callable[[Any], Any]:
    return lambda visitor: visitor.cart.pop(key)


def log_in(number: str = "17") -> Callable[[Any], None]:
    return lambda visitor: visitor.login(number)


def log_out(visitor: Any) -> None:
    visitor.logout()


def empty(visitor: Any) -> None:
    visitor.cart.clear()


def customer_with(shop: Shop, number: str = "17", **entries: Any) -> Browser:
    browser = Browser(shop)
    browser.do(log_in(number))
    browser.do(put(**entries))
    return browser


@pytest.mark.parametrize("written", [json.dumps, lambda found: msgspec.json.encode(found).decode()])
@pytest.mark.parametrize("what", ["cart", "session"])
def test_a_cart_that_is_answered_as_json_before_anything_else_is_not_empty(
    shop: Shop, what: str, written: Any
) -> None:
    browser = Browser(shop)
    browser.do(lambda visitor: getattr(visitor, what).update(mug=1))

    assert json.loads(browser.do(lambda visitor: written(getattr(visitor, what)))) == {"mug": 1}
    assert json.loads(browser.do(lambda visitor: written({"it": getattr(visitor, what)}))) == {
        "it": {"mug": 1}
    }


# Old copies


@pytest.mark.parametrize("worker", [0, 1])
@pytest.mark.parametrize("is_customer", [False, True])
def test_an_older_cart_is_refused_on_every_worker_and_the_newest_comes_back(
    shop: Shop, worker: int, is_customer: bool
) -> None:
    browser = Browser(shop)
    if is_customer:
        browser.do(log_in())
    browser.do(put(lamp=1))
    copy = dict(browser.cookies)
    browser.do(put(lamp=2, vase=1))
    shop.hear()
    shop.wait(minutes=2)

    browser.cookies = copy
    assert browser.cart(worker) == {}
    assert browser.events == [OLD]
    assert browser.cart(worker) == {"lamp": 2, "vase": 1}
    assert browser.events == []


def test_a_cart_emptied_at_checkout_stays_so_when_the_full_one_is_replayed(shop: Shop) -> None:
    browser = customer_with(shop, lamp=1)
    full = dict(browser.cookies)
    browser.do(empty)
    shop.wait(minutes=2)

    browser.cookies = full
    assert [browser.cart(), browser.cart()] == [{}, {}]
    browser.do(log_out)
    browser.do(log_in())
    assert browser.cart() == {}


def test_without_keeping_carts_an_older_one_is_empty_and_the_next_change_counts(make_shop: MakeShop) -> None:
    shop = make_shop(identity=IdentitySettings(keep_carts=False))
    browser = Browser(shop)
    browser.do(put(lamp=1))
    copy = dict(browser.cookies)
    browser.do(put(vase=1))
    shop.wait(minutes=2)

    browser.cookies = copy
    assert [browser.cart(), browser.cart()] == [{}, {}]
    assert CART not in browser.cookies
    browser.do(put(bowl=1))
    shop.hear()
    shop.wait(minutes=2)
    assert browser.cart(1) == {"bowl": 1}


def test_without_a_store_an_older_cart_opens_as_ever(make_shop: MakeShop) -> None:
    shop = make_shop(store=StoreSettings(enabled=False))
    browser = Browser(shop)
    browser.do(put(lamp=1))
    copy = dict(browser.cookies)
    browser.do(put(vase=1))
    shop.wait(minutes=2)

    browser.cookies = copy
    assert browser.cart() == {"lamp": 1}


# Two tabs, and answers that come late or never


@pytest.mark.parametrize("workers", [(0, 0), (0, 1)])
def test_later_answer_of_two_tabs_is_kept(shop: Shop, workers: tuple[int, int]) -> None:
    browser = Browser(shop)
    browser.do(put(lamp=1))
    first = browser.send(put(vase=1), worker=workers[0])
    second = browser.send(put(bowl=1), worker=workers[1])

    for answers, entries in (
        ((first, second), {"lamp": 1, "bowl": 1}),
        ((second, first), {"lamp": 1, "vase": 1}),
    ):
        for answer in answers:
            browser.take(answer)
        shop.hear()
        assert browser.cart() == entries
        assert browser.events == []


def test_a_change_from_an_answer_overtaken_by_a_newer_one_is_accepted_in_flight(shop: Shop) -> None:
    browser = Browser(shop)
    browser.do(put(lamp=1))
    late = browser.send(put(vase=1), worker=1)
    browser.do(put(bowl=1))
    browser.do(put(mug=1))
    browser.take(late)
    shop.hear()
    shop.wait(seconds=59)

    browser.do(put(cup=1))
    shop.wait(minutes=2)
    assert browser.cart() == {"lamp": 1, "vase": 1, "cup": 1}


def test_a_page_on_its_way_does_not_take_a_newer_cart_back(shop: Shop) -> None:
    browser = Browser(shop)
    browser.do(put(lamp=1))
    shop.wait(days=2)
    before = dict(browser.cookies)
    browser.do(put(vase=1))
    late = browser.send(lambda visitor: dict(visitor.cart), cookies=before)

    assert CART not in late.cookies()


def test_an_answer_that_gets_lost_loses_no_cart(shop: Shop) -> None:
    browser = Browser(shop)
    browser.do(put(lamp=1))
    browser.do(put(vase=1), keeps=False)
    shop.wait(minutes=10)

    browser.do(put(bowl=1))
    assert browser.cart() == {"lamp": 1, "vase": 1, "bowl": 1}


def test_what_the_browser_lost_itself_begins_above_what_the_store_has_seen(shop: Shop) -> None:
    browser = Browser(shop)
    for count in range(1, 4):
        browser.do(put(lamp=count))
    del browser.cookies[CART]
    browser.do(put(vase=1), worker=1)
    shop.hear()
    shop.wait(minutes=2)

    assert browser.cart() == {"vase": 1}
    assert browser.events == []


# Login


def test_a_guests_cart_becomes_the_customers_and_comes_back_in_another_browser(shop: Shop) -> None:
    one, other = Browser(shop), Browser(shop)
    one.do(put(lamp=1))
    one.do(log_in())
    assert one.cart() == {"lamp": 1}

    other.do(put(vase=2, lamp=3), worker=1)
    other.do(log_in(), worker=1)
    assert other.cart(1) == {"lamp": 3, "vase": 2}
    one.do(log_out)
    one.do(log_in())
    assert one.cart() == {"lamp": 3, "vase": 2}


def test_login_and_change_in_one_request_lose_neither(shop: Shop) -> None:
    customer_with(shop, lamp=1)
    other = Browser(shop)
    other.do(lambda visitor: (visitor.login("17"), visitor.cart.update(vase=1)))

    assert other.cart(1) == {"lamp": 1, "vase": 1}


def test_customer_never_gets_the_cart_of_another_customer(shop: Shop) -> None:
    customer_with(shop, "17", lamp=1)
    other = Browser(shop)
    other.do(log_in("18"))
    assert other.cart() == {}
    other.do(put(vase=1))
    other.do(log_in("17"))

    assert other.cart() == {"lamp": 1}


def test_the_shops_own_rule_merges(make_shop: MakeShop) -> None:
    shop = make_shop({"merge_carts": lambda here, elsewhere: {**here, **elsewhere, "merged": True}})
    customer_with(shop, lamp=1)
    other = Browser(shop)
    other.do(put(lamp=5))
    other.do(log_in())

    assert other.cart() == {"lamp": 1, "merged": True}


@pytest.mark.parametrize("outcome", [KeyError("secret"), None, {"x": object()}, {"x": "y" * 70_000}, {1: 2}])
def test_a_rule_that_fails_leaves_this_browsers_cart(make_shop: MakeShop, outcome: Any) -> None:
    def rule(_: Any, __: Any) -> Any:
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    shop = make_shop({"merge_carts": rule})
    customer_with(shop, lamp=1)
    other = Browser(shop)
    other.do(put(vase=1))
    other.do(log_in())

    assert other.answer.status == 200
    assert len(other.events) == 1
    assert "secret" not in other.events[0]
    assert other.cart() == {"vase": 1}


def test_without_keeping_carts_login_brings_none(make_shop: MakeShop) -> None:
    shop = make_shop(identity=IdentitySettings(keep_carts=False))
    customer_with(shop, lamp=1)
    other = Browser(shop)
    other.do(log_in())

    assert other.cart() == {}


def test_a_store_that_is_gone_at_login_merges_later_in_the_same_session(shop: Shop, tmp_path: Path) -> None:
    customer_with(shop, lamp=1)
    other = Browser(shop)
    other.do(put(vase=1))
    store, aside = tmp_path / "state" / "store.db", tmp_path / "aside"
    store.rename(aside)
    try:
        other.do(log_in())
        assert other.answer.status == 200
        assert other.do(lambda visitor: dict(visitor.cart)) == {"vase": 1}
    finally:
        aside.rename(store)
    shop.hear()

    assert other.cart() == {"vase": 1}
    assert other.cart(1) == {"lamp": 1, "vase": 1}


def test_a_cart_changed_while_the_store_is_gone_is_merged_when_it_is_back(shop: Shop, tmp_path: Path) -> None:
    browser = customer_with(shop, lamp=1)
    store, aside = tmp_path / "state" / "store.db", tmp_path / "aside"
    store.rename(aside)
    try:
        store_sync = shop.workers[0]._parts.store_sync
        assert store_sync is not None
        store_sync._heard = 0.0  # nothing was heard for long
        assert browser.do(lambda visitor: (visitor.is_uncertain, visitor.customer)) == (True, None)
        browser.do(put(vase=1))
        assert browser.answer.status == 200
    finally:
        aside.rename(store)
    shop.hear()
    assert browser.cart(1) == {"lamp": 1, "vase": 1}
    other = Browser(shop)
    other.do(log_in(), worker=1)
    assert other.cart(1) == {"lamp": 1, "vase": 1}


# Too large for a cookie


@pytest.mark.parametrize("where", ["cart", "session"])
def test_8_kb_round_trip_over_two_workers(shop: Shop, where: str) -> None:
    browser = Browser(shop)
    text = "ä" * 4_000
    browser.do(lambda visitor: getattr(visitor, where).update(note=text))
    assert all(len(value) < 1_000 for value in browser.cookies.values())

    assert browser.do(lambda visitor: getattr(visitor, where)["note"], worker=1) == text
    browser.do(lambda visitor: getattr(visitor, where).update(more=1), worker=1)
    assert browser.do(lambda visitor: len(getattr(visitor, where))) == 2
    assert browser.do(lambda visitor: (getattr(visitor, where).pop("note"), visitor.is_uncertain)[1]) is False
    assert browser.do(lambda visitor: dict(getattr(visitor, where)), worker=1) == {"more": 1}


def test_an_older_reference_brings_no_older_session_back(shop: Shop) -> None:
    browser = Browser(shop)
    browser.do(lambda visitor: visitor.session.update(note="x" * 5_000, coupon=True))
    copy = dict(browser.cookies)
    browser.do(lambda visitor: visitor.session.pop("coupon"))

    browser.cookies = copy
    assert browser.do(lambda visitor: "coupon" in visitor.session, worker=1) is False


def test_login_takes_a_large_session_along_and_logout_leaves_nothing_in_the_store(
    shop: Shop, tmp_path: Path
) -> None:
    browser = Browser(shop)
    browser.do(
        lambda visitor: (visitor.session.update(note="x" * 5_000), visitor.cart.update(note="y" * 5_000))
    )
    browser.do(log_in(), worker=1)
    assert browser.do(lambda visitor: (visitor.session["note"], visitor.cart["note"])) == (
        "x" * 5_000,
        "y" * 5_000,
    )
    browser.do(log_out)
    assert browser.cookies == {}
    shop.hear()

    assert namespaces(tmp_path) == ["cart"]  # the customer's


def test_second_login_after_a_lost_answer_works_at_once_also_with_a_large_cart(
    shop: Shop,
) -> None:
    """The first login took the cart out of the guest's place: for an hour that looked like a store that is down."""
    browser, known = Browser(shop), list[Any]()
    browser.do(put(**{f"lamp{number}": "x" * 50 for number in range(100)}))
    browser.do(log_in(), keeps=False)

    browser.do(lambda visitor: (visitor.login("17"), known.append((visitor.customer, visitor.is_uncertain))))

    assert known == [("17", False)]
    assert browser.do(lambda visitor: (visitor.customer, visitor.is_uncertain), worker=1) == ("17", False)
    assert len(browser.cart(1)) == 100


def test_all_cookies_of_a_browser_fit_into_a_line_that_proxies_take(shop: Shop) -> None:
    browser, sizes = Browser(shop), list[int]()
    browser.do(lambda visitor: visitor.login("17", remember=True))
    for count in range(1, 32):
        browser.do(lambda visitor, count=count: visitor.cart.update({f"c{count}": "x" * 94}))
        browser.do(lambda visitor, count=count: visitor.session.update({f"s{count}": "x" * 94}))
        sizes.append(len("; ".join(f"{name}={value}" for name, value in browser.cookies.items())))

    assert max(sizes) > 6_000
    assert max(sizes) < 8_190 - 1_500  # the choice, and the shop's own
    assert len(browser.cart(1)) == 31


def test_more_than_64_kb_is_refused_before_the_response_starts(shop: Shop) -> None:
    from cookieguard.errors import CookieTooLarge

    browser = Browser(shop)
    with pytest.raises(CookieTooLarge, match=r"4096 in the cookie, 65536 in the store"):
        browser.do(put(note="x" * 70_000))


@pytest.mark.parametrize("where", ["cart", "session"])
def test_while_the_store_is_gone_what_is_spilled_is_hidden_and_not_lost(
    shop: Shop, tmp_path: Path, where: str
) -> None:
    browser = Browser(shop)
    browser.do(lambda visitor: getattr(visitor, where).update(note="x" * 5_000))
    store, aside = tmp_path / "state" / "store.db", tmp_path / "aside"
    store.rename(aside)
    try:
        seen = browser.do(lambda visitor: (dict(getattr(visitor, where)), visitor.is_uncertain))
        assert seen == ({}, True)
        browser.do(lambda visitor: getattr(visitor, where).update(added=1))
        assert browser.answer.status == 200
    finally:
        aside.rename(store)
    shop.hear()

    assert browser.do(lambda visitor: dict(getattr(visitor, where)), worker=1) == {
        "note": "x" * 5_000,
        "added": 1,
    }
    assert browser.do(lambda visitor: visitor.is_uncertain) is False


def test_cart_that_grows_while_the_store_is_gone_is_written_on_its_return(shop: Shop, tmp_path: Path) -> None:
    browser = Browser(shop)
    browser.do(put(lamp=1))
    shop.hear()
    store, aside = tmp_path / "state" / "store.db", tmp_path / "aside"
    store.rename(aside)
    try:
        browser.do(put(note="x" * 5_000))
        assert browser.answer.status == 200
    finally:
        aside.rename(store)
    shop.hear()

    assert browser.cart(1) == {"lamp": 1, "note": "x" * 5_000}


def test_a_session_gone_from_the_store_starts_empty(shop: Shop, tmp_path: Path) -> None:
    browser = Browser(shop)
    browser.do(lambda visitor: visitor.session.update(note="x" * 5_000))
    execute(tmp_path, "DELETE FROM kept WHERE shelf = 'spilled'")
    assert browser.do(lambda visitor: visitor.is_uncertain) is True
    shop.wait(hours=2)

    assert browser.do(lambda visitor: (dict(visitor.session), visitor.is_uncertain)) == ({}, False)
    assert browser.events == ["session cookie refused (no longer in the store): it counts as empty"]
    assert SESSION not in browser.cookies


def test_a_token_has_one_spelling_with_the_mark_of_the_store_or_without_it(shop: Shop) -> None:
    small, large = Browser(shop), Browser(shop)
    small.do(put(lamp=1))
    large.do(put(note="x" * 5_000))
    marked = {name: f"~{value}" for name, value in small.cookies.items()}
    bare = {**large.cookies, CART: large.cookies[CART].removeprefix("~")}
    controls = small.cart(), large.cart()

    small.cookies, large.cookies = marked, bare

    assert controls == ({"lamp": 1}, {"note": "x" * 5_000})
    assert (small.cart(), large.cart()) == ({}, {})
    assert "session cookie refused (malformed): it counts as empty" in small.events
    assert "cart cookie refused (malformed): it counts as empty" in large.events


# Orders


def test_orders_of_a_guest_become_the_customers_and_come_back_at_login(shop: Shop) -> None:
    browser = Browser(shop)
    browser.do(lambda visitor: visitor.orders.add("KK-1"))
    assert browser.do(lambda visitor: "KK-1" in visitor.orders, worker=1)
    browser.do(log_in())
    browser.do(log_out)
    assert not browser.do(lambda visitor: "KK-1" in visitor.orders)
    other = Browser(shop)
    other.do(log_in("18"))
    assert other.do(lambda visitor: list(visitor.orders)) == []
    other.do(log_in("17"), worker=1)

    assert other.do(lambda visitor: list(visitor.orders)) == ["KK-1"]


@pytest.mark.parametrize("is_customer", [False, True])
def test_the_newest_20_orders_ride_in_the_session_and_the_older_ones_in_the_store(
    shop: Shop, is_customer: bool
) -> None:
    browser = Browser(shop)
    if is_customer:
        browser.do(log_in())
    for number in range(23):
        shop.wait(seconds=1)
        browser.do(lambda visitor, number=number: visitor.orders.add(number))
    assert browser.do(lambda visitor: list(visitor.orders)) == [str(n) for n in range(22, 2, -1)]

    assert browser.do(lambda visitor: visitor.orders.older(), worker=1) == ["2", "1", "0"]
    assert browser.do(lambda visitor: visitor.orders.has(1))
    assert not browser.do(lambda visitor: visitor.orders.has(99))
    browser.do(log_in())
    assert browser.do(lambda visitor: visitor.orders.has(1), worker=1)


@pytest.mark.parametrize("number", ["", "x" * 65, "a\nb", True, 1.5, None])
def test_an_order_id_is_short_and_printable(shop: Shop, number: Any) -> None:
    def add(visitor: Any) -> None:
        with pytest.raises((TypeError, ValueError)) as caught:
            visitor.orders.add(number)
        assert "x" * 65 not in str(caught.value)

    Browser(shop).do(add)


def namespaces(tmp_path: Path) -> list[str]:
    found = execute(tmp_path, "SELECT shelf FROM kept ORDER BY shelf")
    return [namespace for (namespace,) in found]


def execute(tmp_path: Path, statement: str) -> list[Any]:
    import sqlite3

    with sqlite3.connect(tmp_path / "state" / "store.db") as connection:
        return connection.execute(statement).fetchall()


@pytest.mark.slow
def test_a_store_that_does_not_answer_costs_a_login_two_seconds_and_merges_later(shop: Shop) -> None:
    customer_with(shop, lamp=1)
    other = Browser(shop)
    other.do(put(vase=1))
    store_sync, gate = shop.workers[0]._parts.store_sync, threading.Event()
    assert store_sync is not None
    store_sync.ask(lambda _: gate.wait(30))
    started = time.monotonic()
    other.do(log_in())
    took = time.monotonic() - started
    gate.set()
    shop.hear()

    assert took < 4 * TIMEOUT.total_seconds()  # once, and the machine may be busy
    assert other.cart(1) == {"vase": 1}
    assert other.cart(1) == {"lamp": 1, "vase": 1}


def test_a_remembered_customer_finds_cart_and_orders_on_the_first_page(shop: Shop) -> None:
    browser = Browser(shop)
    browser.do(lambda visitor: visitor.login("17", remember=True))
    browser.do(lambda visitor: (visitor.cart.update(mug=1), visitor.orders.add("o1")))
    shop.wait(days=20)

    found = browser.do(
        lambda visitor: (visitor.customer, dict(visitor.cart), "o1" in visitor.orders), worker=1
    )

    assert found == ("17", {"mug": 1}, True)
    browser.do(lambda visitor: visitor.cart.update(tea=1))
    assert browser.cart(1) == {"mug": 1, "tea": 1}


def test_a_session_of_a_remembered_customer_without_a_cart_is_noted_among_the_logins(
    make_shop: MakeShop,
) -> None:
    shop = make_shop(consent=ConsentSettings(follow_customer=False))
    browser = Browser(shop)
    browser.do(lambda visitor: visitor.login("17", remember=True))
    shop.wait(days=20)

    session = browser.do(lambda visitor: visitor.session.id)

    store_sync = shop.workers[0]._parts.store_sync
    assert store_sync is not None
    wait_until(BROWSER_NAMES.are_loaded, "browsers are named")

    def noted() -> bool:
        found = store_sync.ask(lambda store: logins_of(store, "17")).result(60)
        return session in [login.session for login in found]

    wait_until(noted, "it is in the list")


def test_a_remembered_customer_who_leaves_with_the_first_page_leaves_the_cart_in_the_store(
    shop: Shop,
) -> None:
    browser, other = Browser(shop), Browser(shop)
    browser.do(lambda visitor: visitor.login("17", remember=True))
    browser.do(lambda visitor: visitor.cart.update(mug=1))
    shop.wait(days=20)

    browser.do(lambda visitor: (visitor.logout(), visitor.cart.update(tea=1)))

    assert browser.cart() == {"tea": 1}
    other.do(lambda visitor: visitor.login("17"), worker=1)
    assert other.cart() == {"mug": 1}


def test_a_remembered_customer_comes_while_the_store_says_nothing_of_the_cart(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser = Browser(shop)
    browser.do(lambda visitor: visitor.login("17", remember=True))
    browser.do(lambda visitor: visitor.cart.update(mug=1))
    shop.wait(days=20)

    async def silent(*_: Any, **__: Any) -> None:
        return None

    with monkeypatch.context() as context:
        context.setattr("cookieguard.web.identity.store_gate.read_store", silent)
        assert browser.cart() == {}
    browser.cart()
    assert browser.cart(1) == {"mug": 1}
