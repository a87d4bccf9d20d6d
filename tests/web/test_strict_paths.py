"""Strict pages allow only necessary vendors, whatever the visitor agreed to; other pages are the control."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from features.rights.test_refusals_by_staff import PAGE, Browser, shop
from harness.asgi import ask

from cookieguard import Config, CookieGuard, Vendor
from cookieguard.config import CspSettings
from cookieguard.config.purposes import DEFAULT_PURPOSES
from cookieguard.consent import Register
from cookieguard.consent.vendors import WITHOUT, StrictPaths
from cookieguard.errors import ConfigError

ADS = Vendor(name="Ads", purpose="marketing", hosts=("ads.example",), inline=("pixel(*'init'",))
PAY = Vendor(name="Pay", purpose="necessary", hosts=("maps.example",), reason="visitors pay with it")
FRAME = b'<iframe src="https://ads.example/film"></iframe><img src="https://stranger.example/x.gif">'
INLINE = b"<script>pixel('init')</script>"


def loads(app: CookieGuard, path: str, *, choice: str = "accept", grant: str = "") -> list[str]:
    """Return which hosts markup and policy let in on a page, after a choice."""
    browser = Browser(app)
    own = [("sec-fetch-site", "same-origin"), ("content-type", "application/x-www-form-urlencoded")]
    browser.get("/_cg/consent", method="POST", headers=own, body=f"choice={choice}".encode())
    answer = browser.get(path, query=grant)
    policy = answer.get("content-security-policy")
    hosts = ("ads.example", "maps.example", "stranger.example")
    is_open = "default-src" not in policy
    return [one for one in hosts if f' src="https://{one}' in answer.text and (is_open or one in policy)]


@pytest.fixture(params=["marketing", "report", "block"])
def app(guard: Callable[..., CookieGuard], request: pytest.FixtureRequest) -> CookieGuard:
    async def tagged(scope: object, receive: object, send: Callable[..., object]) -> None:
        async def more(message: dict[str, object]) -> None:
            if message.get("body") == PAGE:
                message = {**message, "body": PAGE + FRAME + INLINE}
            await send(message)  # type: ignore[misc]

        await shop(scope, receive, more)

    return guard(tagged, vendors=(ADS, PAY), undeclared=request.param, strict_paths=("/checkout",))


@pytest.mark.parametrize(
    "path",
    ["/checkout", "/checkout/", "/checkout/card", "//Checkout/./x", "/a/../checkout", "/checkout/../a"],
)
def test_strict_page_lets_in_who_is_necessary_alone_after_all_was_agreed_to(
    app: CookieGuard, path: str
) -> None:
    control = loads(app, "/")

    assert {"ads.example", "maps.example"} <= set(control)
    assert loads(app, path) == ["maps.example"]
    assert loads(app, "/checkouts") == control


def test_strict_page_offers_nothing_that_would_not_load_and_runs_no_held_script(app: CookieGuard) -> None:
    browser = Browser(app)
    browser.accept()

    strict, plain = browser.get("/checkout").text, browser.get("/").text

    assert "pixel('init')" in plain
    assert "<script>pixel" not in strict
    refused = Browser(app)
    # The control: elsewhere who has not agreed is offered the film
    assert ' srcdoc="' in refused.get("/").text
    assert ' srcdoc="' not in refused.get("/checkout").text + strict


def test_vendor_behind_the_shops_own_name_hears_nothing_of_a_strict_page(
    guard: Callable[..., CookieGuard],
) -> None:
    matomo = Vendor(name="Matomo", purpose="statistics", hosts=("shop.example/matomo/",))
    browser = Browser(guard(shop, vendors=(matomo,), strict_paths=("/kasse/tür",)))
    browser.accept()

    def status(page: str, path: str = "/matomo/m.php") -> int:
        return browser.get(path, headers=[("referer", f"https://shop.example{page}")]).status

    assert status("/") == status("/kasse") == 200  # the control
    assert status("/kasse/t%C3%BCr?order=7") == status("/kasse/t%C3%BCr/card") == 403
    assert status("/kasse/t%C3%BCr", "/own.js") == 200


def test_vendor_behind_the_name_of_a_shop_that_is_strict_as_a_whole_hears_nothing(
    guard: Callable[..., CookieGuard],
) -> None:
    matomo = Vendor(name="Matomo", purpose="statistics", hosts=("shop.example/matomo/",))
    browser = Browser(guard(shop, vendors=(matomo,), strict_paths=("/",)))
    browser.accept()

    assert browser.get("/matomo/m.php").status == 403


def test_necessary_vendor_kept_by_a_customers_own_terms_is_kept_on_strict_pages_too() -> None:
    register = Register(purposes=DEFAULT_PURPOSES, vendors=(PAY, ADS))
    granted, strict = frozenset({"necessary", "marketing"}), StrictPaths(["/pay"])

    def held(granted: frozenset[str]) -> list[str]:
        return [
            one.name for one in (PAY, ADS) if register.holds(register.verdict_on(one, one.hosts[0]), granted)
        ]

    assert held(granted) == []
    assert held(strict.narrowed(granted, "/pay/card")) == ["Ads"]
    assert held(strict.narrowed(granted | {f"{WITHOUT}Pay"}, "/pay")) == ["Pay", "Ads"]


def test_whole_shop_may_be_strict_and_other_spellings_are_refused_by_name() -> None:
    assert StrictPaths(["/"]).has("/")
    assert StrictPaths(["/"]).has("/any/where")
    assert StrictPaths(["/caf%C3%A9"]).has("/café/table")  # as it is copied out of a browser
    for wrong in ("checkout", "/checkout?step=2", "/shop/*"):
        with pytest.raises(ConfigError, match="strict_paths"):
            Config(strict_paths=(wrong,))
    with pytest.raises(ConfigError, match=r"strict_paths .* only with csp\.enabled true"):
        Config(strict_paths=("/checkout",), csp=CspSettings(enabled=False))


def test_shop_without_strict_paths_asks_nothing_of_paths(guard: Callable[..., CookieGuard]) -> None:
    app = guard(shop, vendors=(ADS, PAY))

    assert loads(app, "/checkout") == loads(app, "/") == ["ads.example", "maps.example"]
    assert ask(app, path="/checkout").status == 200
