"""If the clock is set back and forth, sessions, carts and logouts stay correct on both workers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from harness.two_workers import Browser, Shop


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    """Run two workers."""
    shop = Shop(tmp_path / "state")
    yield shop
    shop.close()


def fill(visitor: Any) -> None:
    visitor.login("17")
    visitor.cart["mug"] = 1


def customer(visitor: Any) -> tuple[str | None, dict[str, Any]]:
    return visitor.customer, dict(visitor.cart)


STEPS = [{"minutes": -3}, {"hours": -1}, {"hours": -24}]


@pytest.mark.parametrize("step", STEPS, ids=str)
def test_a_customer_and_the_cart_stay_when_the_clock_is_set_back(shop: Shop, step: dict[str, int]) -> None:
    browser = Browser(shop)
    browser.do(fill)
    shop.wait(**step)

    for worker in (0, 1, 0):
        assert browser.do(customer, worker=worker) == ("17", {"mug": 1})
        assert not any("starts empty" in event for event in browser.events)
    browser.do(lambda visitor: visitor.cart.update(mug=2), worker=1)
    assert browser.do(customer) == ("17", {"mug": 2})


@pytest.mark.parametrize("ahead", [1, -1], ids=["ahead and back", "back and ahead"])
def test_clock_set_by_an_hour_and_back_loses_no_data_and_revives_no_logout(shop: Shop, ahead: int) -> None:
    early, late = Browser(shop), Browser(shop)
    early.do(fill)
    shop.wait(hours=ahead)
    shop.hear()
    late.do(fill)
    late.do(lambda visitor: visitor.cart.update(tea=1), worker=1)
    copies = [dict(early.cookies), dict(late.cookies)]
    shop.wait(hours=-ahead)
    shop.hear()

    assert early.do(customer, worker=1)[0] == "17"
    assert late.do(customer, worker=1) == ("17", {"mug": 1, "tea": 1})
    late.do(lambda visitor: visitor.cart.update(cup=1))
    assert late.do(customer, worker=1) == ("17", {"mug": 1, "tea": 1, "cup": 1})
    early.do(lambda visitor: visitor.logout_everywhere())
    shop.hear()
    for copy in [*copies, dict(late.cookies)]:
        for worker in (0, 1):
            browser = Browser(shop)
            browser.cookies = dict(copy)
            assert browser.do(customer, worker=worker)[0] is None
    # Who logs in now is known, whatever the clock showed when everybody was logged out
    late.do(fill, worker=1)
    assert late.do(customer)[0] == "17"


def test_a_worker_that_starts_later_knows_how_far_the_clock_was(shop: Shop, tmp_path: Path) -> None:
    browser = Browser(shop)
    shop.wait(hours=1)
    browser.do(fill)
    shop.hear()
    shop.wait(hours=-1)
    shop.hear()
    shop.hear()
    later = Shop(tmp_path / "state", now=shop.now)
    browser.shop = later

    assert browser.do(customer) == ("17", {"mug": 1})
    later.close()
