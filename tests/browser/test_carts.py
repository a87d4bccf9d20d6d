"""A customer with two browsers: the carts merge at login, and an order opens in both."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page

from .conftest import Demo, Visitors

NUMBER, PASSWORD = "10077", "salt-kiln"  # nobody else's: a customer's cart outlives a test
ADDRESS = {
    "name": "Kim Winter",
    "email": "kim@mail.example",
    "street": "Lane 1",
    "postcode": "12345",
    "city": "Town",
}


def put(page: Page, shop: str, slug: str, quantity: int) -> None:
    page.goto(f"{shop}/product/{slug}")
    page.get_by_label("Quantity").fill(str(quantity))
    page.get_by_role("button", name="Put into cart").click()
    page.wait_for_url("**/cart")


def log_in(page: Page, shop: str) -> None:
    page.goto(f"{shop}/login")
    page.get_by_label("Customer number").fill(NUMBER)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url("**/account")


def cart_of(page: Page, shop: str) -> dict[str, int]:
    page.goto(f"{shop}/cart")
    found: dict[str, int] = page.evaluate(
        "fetch('/api/cart').then(r => r.json()).then(c => Object.fromEntries(c.items.map(i => [i.sku, i.quantity])))"
    )
    return found


def order(page: Page, shop: str) -> str:
    page.goto(f"{shop}/checkout")
    for field, value in ADDRESS.items():
        page.locator(f"[name={field}]").fill(value)
    page.locator("[name=country]").select_option(index=1)
    page.locator("form[action='/checkout'] button[type=submit]").click()
    page.wait_for_url("**/receipt/*")
    return page.url


def status_of(page: Page, url: str) -> int:
    answer = page.goto(url)
    return answer.status if answer else 0


@pytest.mark.slow  # web/test_carts.py and demo/ have both in make test
def test_carts_of_two_browsers_merge_at_login_and_orders_come_along(visit: Visitors, demo: Demo) -> None:
    shop, one, other = demo.guarded, visit().new_page(), visit().new_page()
    put(one, shop, "heron-teapot", 1)
    receipt = order(one, shop)
    assert cart_of(one, shop) == {}
    assert (status_of(one, receipt), status_of(other, receipt)) == (200, 404)
    put(one, shop, "heron-teapot", 2)
    log_in(one, shop)
    assert list(cart_of(one, shop).values()) == [2]

    put(other, shop, "heron-teapot", 1)
    put(other, shop, "morning-mug", 3)
    log_in(other, shop)

    assert sorted(cart_of(other, shop).values()) == [2, 3]
    assert status_of(other, receipt) == 200
    order(other, shop)
    assert cart_of(other, shop) == {}
    other.goto(f"{shop}/account")
    other.get_by_role("button", name="Log out", exact=True).click()
    other.wait_for_url(f"{shop}/")
    assert status_of(other, receipt) == 404
    log_in(other, shop)
    assert cart_of(other, shop) == {}
