"""Customers named by the shop's function, or by a header of its response."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from harness.asgi import ask
from harness.shopping import CART, Guard, Shop, World

from cookieguard import ConfigError, visitor_of
from cookieguard.config import CookieSettings, IdentitySettings

SESSION = "__Host-cg_session"
BY_HEADER = {"identity": IdentitySettings(customer_header="X-Customer")}


class Knowing:
    """A `customer_from` that returns what a test sets, and counts its calls."""

    def __init__(self) -> None:
        self.says: Any = None
        self.asked = 0

    def __call__(self, scope: Any) -> Any:
        """Answer."""
        self.asked += 1
        if isinstance(self.says, Exception):
            raise self.says
        return self.says(scope) if callable(self.says) else self.says


@pytest.fixture
def knowing() -> Knowing:
    """Give somebody who knows the customer."""
    return Knowing()


def notes(into: list[Any], what: Callable[[Any], Any]) -> Callable[[Any], object]:
    """Make the app note something about its visitor."""
    return lambda scope: into.append(what(visitor_of(scope)))


def customer_seen(browser: Any, **headers: str) -> Any:
    seen: list[Any] = []
    browser.visit(act=notes(seen, lambda visitor: visitor.customer), **headers)
    return seen[0]


# customer_from


@pytest.mark.parametrize(("says", "customer"), [("17", "17"), (17, "17"), (None, None), ("", None)])
def test_the_visitor_is_whom_the_shop_says(
    world: World, knowing: Knowing, says: Any, customer: str | None
) -> None:
    browser = world.open(customer_from=knowing)
    knowing.says = says

    assert customer_seen(browser) == customer
    assert (SESSION in browser.cookies) == (customer is not None)
    assert customer_seen(browser) == customer


def test_it_is_asked_once_where_it_matters_and_never_where_it_does_not(
    world: World, knowing: Knowing
) -> None:
    browser = world.open(customer_from=knowing)
    knowing.says = "17"

    browser.visit(cookie="a=1")
    assert knowing.asked == 0
    customer_seen(browser)
    browser.visit(act=lambda scope: [visitor_of(scope).customer, dict(visitor_of(scope).cart)])
    assert knowing.asked == 2


def test_a_change_is_a_login_the_guests_cart_and_signed_cookie_follow(world: World, knowing: Knowing) -> None:
    browser, carts = world.open(customer_from=knowing), []
    browser.visit("cart=5", act=lambda scope: visitor_of(scope).cart.update(mug=1))
    before = browser.cookies[SESSION]
    knowing.says = "17"

    assert browser.visit() == "cart=5"

    assert browser.cookies[SESSION] != before
    assert browser.visit(act=notes(carts, lambda visitor: (visitor.customer, dict(visitor.cart)))) == "cart=5"
    assert carts == [("17", {"mug": 1})]


@pytest.mark.parametrize("next_one", [None, "18"])
def test_change_of_customer_passes_no_data_to_the_next_one_or_a_guest(
    world: World, knowing: Knowing, next_one: str | None
) -> None:
    browser, seen = world.open(customer_from=knowing), []
    knowing.says = "17"
    browser.visit("cart=5", act=lambda scope: visitor_of(scope).cart.update(mug=1))
    assert browser.visit() == "cart=5"
    knowing.says = next_one

    shown = browser.visit(act=notes(seen, lambda visitor: (visitor.customer, dict(visitor.cart))))

    assert (shown, seen) == ("", [(next_one, {})])
    assert "cart" not in browser.cookies
    knowing.says = "17"
    assert browser.visit() == ""


@pytest.mark.parametrize("says", [KeyError("user 17"), b"17", True, 1.5, ["17"], "1" * 129, "a\nb", "ü"])
def test_its_failure_is_nobody_with_one_event_and_loses_nothing(
    world: World, events: Any, knowing: Knowing, says: Any
) -> None:
    browser, carts = world.open(customer_from=knowing), []
    knowing.says = "17"
    browser.visit("cart=5", act=lambda scope: scope["session"].update(a=1))
    knowing.says = says

    shown = browser.visit(
        act=notes(carts, lambda visitor: (visitor.customer, visitor.is_uncertain, dict(visitor.session)))
    )

    assert (shown, carts, browser.answer.status) == ("", [(None, True, {})], 200)
    first, second = events()
    assert first.startswith("customer_from failed (")
    assert "17" not in first
    assert second.startswith("signed cookies hidden from the app: the store cannot confirm")
    knowing.says = "17"
    assert browser.visit(act=notes(carts, lambda visitor: dict(visitor.session))) == "cart=5"
    assert carts[1] == {"a": 1}


def test_it_may_read_the_signed_cookie_and_ask_the_visitor(world: World, knowing: Knowing) -> None:
    def from_cookie(scope: Any) -> str | None:
        assert visitor_of(scope).session is scope["session"]
        pairs = [value for name, value in scope["headers"] if name == b"cookie"]
        return "17" if pairs and b"cart=of-17" in pairs[0] else visitor_of(scope).customer

    browser = world.open(customer_from=knowing)
    knowing.says = from_cookie
    browser.visit("cart=of-17")

    assert customer_seen(browser) == "17"
    assert customer_seen(browser) == "17"


def test_customer_found_after_the_start_counts_at_once_and_is_kept_from_the_next_request(
    world: World, knowing: Knowing
) -> None:
    browser, late = world.open(customer_from=knowing), []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await world.shop(scope, receive, send)
        late.append(visitor_of(scope).customer)

    browser.visit("cart=5")
    inner, world.app.app = world.app.app, app
    knowing.says = "17"
    browser.visit(cookie=f"{SESSION}={browser.cookies[SESSION]}")
    world.app.app = inner

    assert late == ["17"]
    assert browser.visit() == "cart=5"
    assert customer_seen(browser) == "17"


async def coroutine(_: Any) -> str:
    return "17"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"customer_from": coroutine}, "customer_from is a coroutine function; allowed: a plain function"),
        ({"customer_from": id, **BY_HEADER}, r"customer_from is set together with identity\.customer_header"),
        (
            {"customer_from": id, "identity": IdentitySettings(enabled=False)},
            r"customer_from is set although identity\.enabled is false",
        ),
    ],
)
def test_unusable_settings_of_customers_are_refused_at_the_start(
    guard: Guard, settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        guard(Shop(), **settings)


# The response header


def test_the_header_logs_in_and_out_and_reaches_no_browser(world: World) -> None:
    browser = world.open(**BY_HEADER)
    browser.visit("cart=5")
    world.shop.headers = [("X-Customer", "17")]

    assert browser.visit() == "cart=5"
    assert "x-customer" not in dict(browser.answer.headers)
    world.shop.headers = []
    assert customer_seen(browser) == "17"
    assert browser.visit() == "cart=5"
    copy = dict(browser.cookies)
    world.shop.headers = [("X-Customer", "")]
    browser.visit()
    world.shop.headers = []

    assert browser.cookies.keys() & {"cart"} == set()
    assert customer_seen(browser) is None
    browser.cookies = copy
    assert (browser.visit(), customer_seen(browser)) == ("", None)


def test_the_same_number_again_changes_nothing(world: World) -> None:
    browser = world.open(**BY_HEADER)
    world.shop.headers = [("x-customer", "17")]
    browser.visit()
    before = dict(browser.cookies)

    browser.visit()

    assert browser.cookies == before
    assert browser.lines == []


@pytest.mark.parametrize("values", [["1" * 129], ["17\x00"], ["J\xfcrgen"], ["17", "18"]])
def test_a_header_that_says_no_number_is_one_event_and_taken_out(
    world: World, events: Any, values: list[str]
) -> None:
    browser = world.open(**BY_HEADER)
    world.shop.headers = [("x-customer", value) for value in values]

    browser.visit()

    (event,) = events()
    assert event.startswith("the response header x-customer ")
    assert event.endswith(": ignored (GET '/')")
    assert not any(value in event for value in values)
    assert browser.answer.all("x-customer") == []
    assert browser.cookies == {}


@pytest.mark.parametrize("name", ["x-customer", "x_customer"])
def test_no_client_can_say_it(world: World, name: str) -> None:
    world.open(**BY_HEADER)

    ask(world.app, headers=[(name, "17"), ("x-other", "1")])

    names = [name for name, _ in world.shop.scope["headers"]]
    assert b"x-other" in names
    assert name.encode() not in names


def test_it_is_taken_out_where_identity_is_off_too(world: World) -> None:
    identity = IdentitySettings(enabled=False, customer_header="X-Customer")
    browser = world.open(cookies=CookieSettings(), identity=identity)
    world.shop.headers = [("X-Customer", "17")]

    browser.visit()

    assert "x-customer" not in dict(browser.answer.headers)
    assert browser.cookies == {}


def test_a_signed_cookie_set_with_the_header_is_the_customers(world: World) -> None:
    browser = world.open(CART, **BY_HEADER)
    world.shop.headers = [("X-Customer", "17")]

    browser.visit("cart=5; Path=/")

    world.shop.headers = []
    assert browser.visit() == "cart=5"
    assert customer_seen(browser) == "17"
