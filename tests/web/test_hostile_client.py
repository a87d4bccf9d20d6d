"""A thief of every cookie that a browser ever had tries all of them under all names, on both workers."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from harness.asgi import Answer
from harness.quick import some_of
from harness.two_workers import CART, SESSION, Browser, Shop

from cookieguard import Visitor

REMEMBER = "__Host-cg_remember"
NAMES = (SESSION, CART, REMEMBER)
Revocation = Callable[[Shop, Browser], None]


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    made = Shop(tmp_path)
    logging.getLogger("cookieguard").setLevel(logging.CRITICAL)
    yield made
    logging.getLogger("cookieguard").setLevel(logging.NOTSET)
    made.close()


def order(visitor: Visitor) -> None:
    visitor.cart["mug"] = visitor.cart.get("mug", 0) + 1
    visitor.session["word"] = "secret"


def seen(visitor: Visitor) -> tuple[Any, ...]:
    return visitor.customer, dict(visitor.session), dict(visitor.cart), list(visitor.orders)


def life_of(shop: Shop, browser: Browser) -> set[str]:
    """Live as a guest, then as a customer who is remembered, on both workers; return every cookie value there was."""
    values = set()
    deeds: list[Callable[[Visitor], Any]] = [
        order,
        lambda visitor: visitor.login("10042", remember=True),
        order,
        lambda visitor: visitor.orders.add("o-1"),
        lambda visitor: visitor.session.renew_id(),
        order,
    ]
    for number, deed in enumerate(deeds):
        browser.do(deed, worker=number % 2)
        values |= set(browser.cookies.values())
        shop.wait(seconds=90)
        shop.hear()
    return values


def log_out(shop: Shop, browser: Browser) -> None:
    browser.do(lambda visitor: visitor.logout())


def log_out_everywhere(shop: Shop, browser: Browser) -> None:
    browser.do(lambda visitor: visitor.logout_everywhere(), worker=1)


def log_out_elsewhere(shop: Shop, browser: Browser) -> None:
    other = Browser(shop)
    other.do(lambda visitor: visitor.login("10042"))
    other.do(lambda visitor: visitor.logout_everywhere())


def be_copied(shop: Shop, browser: Browser) -> None:
    """Have a thief use the remember-me cookie, and the owner come back with the older number."""
    stolen = {REMEMBER: browser.cookies[REMEMBER]}
    for _ in range(2):
        thief = Browser(shop)
        thief.cookies = dict(stolen)
        thief.do(seen)
        stolen = dict(thief.cookies)
        shop.wait(minutes=11)
        thief.do(seen, worker=1)
        shop.wait(minutes=11)
    owner = Browser(shop)
    owner.cookies = {REMEMBER: browser.cookies[REMEMBER]}
    owner.do(seen)


@pytest.mark.parametrize(
    "end", some_of([log_out, log_out_everywhere, log_out_elsewhere, be_copied], log_out_elsewhere, be_copied)
)
def test_after_goodbye_no_mixture_of_what_a_browser_ever_had_is_somebody(shop: Shop, end: Revocation) -> None:
    browser = Browser(shop)
    values = life_of(shop, browser)
    assert browser.do(seen)[0] == "10042"
    assert browser.shop.result[2] == {"mug": 3}  # the control: it was all there

    end(shop, browser)
    shop.hear()
    shop.wait(seconds=61)

    tried = 0
    for number, chosen in enumerate(product([None, *sorted(values)], repeat=3)):
        cookies = {name: value for name, value in zip(NAMES, chosen, strict=True) if value is not None}
        answer: Answer = browser.send(seen, worker=number % 2, cookies=cookies)
        customer, _, cart, orders = browser.shop.result
        assert answer.status == 200
        assert (customer, cart, orders) == (None, {}, [])
        tried += 1
    assert tried > 1000


def test_a_mixture_of_two_customers_cookies_is_one_of_them_or_nobody(shop: Shop) -> None:
    browsers = {"10042": Browser(shop), "10077": Browser(shop)}
    for number, browser in browsers.items():
        browser.do(lambda visitor, number=number: visitor.login(number, remember=True))  # type: ignore[misc]
        browser.do(lambda visitor, number=number: visitor.cart.update({number: 1}))  # type: ignore[misc]
        shop.hear()
    jars = [browser.cookies for browser in browsers.values()]
    choices = [[None, *(jar[name] for jar in jars)] for name in NAMES]

    for chosen in product(*choices):
        for worker in (0, 1):
            cookies = {name: value for name, value in zip(NAMES, chosen, strict=True) if value is not None}
            answer = browsers["10042"].send(seen, worker=worker, cookies=cookies)
            customer, _, cart, _ = shop.result
            by_session = next(
                (who for who, one in browsers.items() if one.cookies[SESSION] == chosen[0]), None
            )
            by_memory = next(
                (who for who, one in browsers.items() if one.cookies[REMEMBER] == chosen[2]), None
            )
            assert answer.status == 200
            assert customer == (by_session or by_memory)
            assert set(cart) <= {customer}


def test_an_old_cart_that_is_replayed_takes_no_page_of_the_owners_cart(shop: Shop) -> None:
    browser = Browser(shop)
    browser.do(order)
    stolen = dict(browser.cookies)
    browser.do(order)
    shop.wait(minutes=2)
    shop.hear()

    browser.send(seen, cookies=stolen)
    shop.hear()
    shop.wait(minutes=2)

    assert browser.cart() == {"mug": 2}


def test_an_old_cart_that_is_replayed_takes_nothing_of_the_owners_cart(shop: Shop) -> None:
    browser = Browser(shop)
    browser.do(order)
    stolen = dict(browser.cookies)
    browser.do(order)
    shop.wait(minutes=2)
    shop.hear()

    browser.send(seen, cookies=stolen)
    shop.hear()
    shop.wait(minutes=2)
    browser.do(lambda visitor: visitor.cart.update({"tea": 1}))

    assert browser.cart(worker=1) == {"mug": 2, "tea": 1}
