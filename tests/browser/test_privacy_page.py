"""A visitor asks for data, sees it and withdraws in a browser without scripts; the page is readable in every look."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from harness.servers import serving, wait_until
from playwright.sync_api import Page

from cookieguard import Config, CookieGuard
from cookieguard.config import Controller, DataKind, RightsSettings

from .conftest import Visitors
from .test_policy_pages import LOOKS, require_readable
from .tiny import TinyShop, page

HOSTILE = "<img src=x onerror=\"document.title='owned'\">"


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Serve a shop where /login logs in."""
    config = Config(
        state_dir=str(tmp_path_factory.mktemp("privacy") / "state"),
        dev=True,
        data=(
            DataKind(id="orders", title="Orders and bills", purpose="To deliver", recipients=("Parcels",)),
            DataKind(id="mail", title=HOSTILE, purpose=HOSTILE, basis="interest", reason=HOSTILE),
        ),
        controller=Controller(name="Kiln & Co", address=("Ovenstraat 1", "1011 AA Amsterdam")),
        rights=RightsSettings(login_url="/login", account_url="/account"),
    )
    home = page(body="<h1>Shop</h1>")
    shop = TinyShop({"/": home, "/login": home}, logins={"/login": "10001"})

    with serving(CookieGuard(shop, config)) as server:
        yield server.at("shop.localhost")


def open_privacy(shown: Page, url: str) -> None:
    """Open the page as who is logged in: a worker that heard nothing of its store for 4 s knows nobody."""

    def is_theirs() -> bool:
        shown.goto(f"{url}/_cg/privacy")
        return shown.locator("input[name=kind]").count() > 0

    wait_until(is_theirs, "the worker knows its customer")


@pytest.mark.parametrize(
    "look", ["desk", *(pytest.param(one, marks=pytest.mark.slow) for one in LOOKS if one != "desk")]
)
def test_customer_walks_from_the_first_click_to_the_answer_without_a_script(
    visit: Visitors, shop: str, look: str
) -> None:
    shown = visit(javascript=False, **LOOKS[look]).new_page()
    shown.goto(f"{shop}/_cg/privacy")
    require_readable(shown, "privacy-guest", look)
    shown.goto(f"{shop}/login")
    open_privacy(shown, shop)

    shown.check("input[value=object]")
    shown.fill("#text", f"{HOSTILE} {look}")
    with shown.expect_navigation():
        shown.click("button[value=ask]")
    require_readable(shown, "privacy-asked", look)
    assert shown.locator("[role=status]").count() == 1
    with shown.expect_navigation():
        shown.locator("button[value=withdraw]").first.click()
    assert shown.locator("article[data-state=withdrawn]").first.is_visible()
    assert shown.locator("img").count() == 0
    require_readable(shown, "privacy-withdrawn", look)
    shown.goto(f"{shop}/_cg/cookies")
    require_readable(shown, "cookies", look)


def test_a_receipt_that_is_being_sealed_appears_by_itself_without_a_script(
    visit: Visitors, shop: str
) -> None:
    shown = visit(javascript=False).new_page()
    shown.goto(f"{shop}/")
    with shown.expect_navigation():
        shown.locator("button[value=accept]").first.click()

    shown.goto(f"{shop}/_cg/receipt")  # within a second: no checkpoint covers the choice yet

    shown.wait_for_selector("iframe.replay")
    assert "dpv:" not in shown.inner_text("main")
    accept = shown.frame_locator("iframe.replay").locator("button[value=accept]")
    assert (
        accept.evaluate("one => getComputedStyle(one).backgroundColor") == "rgb(31, 41, 55)"
    )  # its style counts


def test_every_field_has_its_label_and_every_table_its_heads(visit: Visitors, shop: str) -> None:
    shown = visit(locale="en").new_page()
    shown.goto(f"{shop}/login")
    open_privacy(shown, shop)

    named = "[...document.querySelectorAll('input:not([type=hidden]),textarea')].filter(one => !one.labels.length)"
    assert shown.evaluate(f"{named}.length") == 0
    assert shown.locator("table th[scope=col]").count() == 4
    assert shown.evaluate("document.title") == "Your privacy"
