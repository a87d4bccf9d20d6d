"""Vendors' snippets with shop code that calls them: the shop works in every state, and held vendors get no request.

The snippets behave as their vendors document them: a stub that queues, and a loader that puts an async script before
the first one. The vendors' scripts take what is queued over and tell of each call.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import pytest
from harness.browser import wait_until_quiet
from harness.quick import some_of
from harness.servers import serving
from playwright.sync_api import BrowserContext, Page

from cookieguard import Config, CookieGuard, Vendor

from .conftest import Visitors, answer
from .snippets import (
    COOKIES,
    FRAME,
    GTM_NOSCRIPT,
    KEEP,
    NECESSARY,
    NECESSARY_SDKS,
    SDK,
    SDKS,
    SHOP,
    SNIPPETS,
    THANKS,
)
from .tiny import TinyShop, page

PAGE_VIEW = {
    "ga": ["js now", "config G-1"],
    "gtm": ["gtm.js"],
    "meta": ["init 77", "track PageView"],
    "tiktok": ["page"],
    "hotjar": [],
    "clarity": [],
    "intercom": ['boot {"app_id":"x1"}'],
    "matomo": ["trackPageView", "enableLinkTracking", "setTrackerUrl matomo.php", "setSiteId 1"],
}
AT_HOME = {
    "ga": ['event add_to_cart {"value":5}'],
    "gtm": ["cart"],
    "meta": ['track AddToCart {"value":5}'],
    "tiktok": ['track AddToCart {"value":5}'],
    "hotjar": ["event cart"],
    "clarity": ["set cart 1"],
    "intercom": ["show"],
    "matomo": ["trackEvent form sent"],
}
AT_THANKS = {
    "ga": ['event purchase {"value":5}'],
    "meta": ['track Purchase {"value":5,"currency":"EUR"}'],
    "tiktok": ["track CompletePayment"],
}
EVERY_CALL = {
    one: {"/": view + AT_HOME[one], "/thanks": view + AT_THANKS.get(one, [])}
    for one, view in PAGE_VIEW.items()
}
WORKS = {
    "cart": "1",
    "help": True,
    "order": "created,approved o1",
    "paid": "human-pay tok_pk_1",
    "thanks": "Thank you, 1 cart=1",
    "errors": [],
}


class Vendors:
    """All vendors, distinguished by the first label of the host; they record requests and reported calls."""

    def __init__(self) -> None:
        self.origin = ""
        self.asked: list[tuple[str, str]] = []
        self.calls: list[tuple[str, str, int, str]] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        label = dict(scope["headers"])[b"host"].decode().partition(".")[0]
        self.asked.append((label, scope["path"]))
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        if scope["path"] == "/collect":
            self.calls.append((label, *json.loads(body)))
        text, kind = self._script(label), "text/javascript"
        if scope["path"] == "/frame.html":
            text, kind = FRAME, "text/html"
        headers = [(b"content-type", kind.encode()), (b"cache-control", b"no-store")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": text.encode()})

    def _script(self, label: str) -> str:
        if label in NECESSARY_SDKS:
            return f"(() => {{{self.placed(NECESSARY_SDKS[label])}}})()"
        return f"(() => {{{SDK}{KEEP.format(name=COOKIES[label])}{SDKS[label]}}})()"

    def placed(self, text: str) -> str:
        """Fill in where the vendors answer."""
        for label in (*COOKIES, *NECESSARY):
            text = text.replace(f"AT({label})", self.origin.replace("LABEL", label))
        return text

    def wait(self) -> None:
        """Wait until nothing new is heard."""
        wait_until_quiet(lambda: len(self.asked))

    def forget(self) -> None:
        """Start anew, once what is still on its way has arrived."""
        self.wait()
        self.asked.clear()
        self.calls.clear()

    @property
    def told(self) -> dict[str, dict[str, list[str]]]:
        """Give each vendor's calls by page, in the order its script took them."""
        told: dict[str, dict[str, list[str]]] = {one: {"/": [], "/thanks": []} for one in COOKIES}
        for label, path, _, call in sorted(self.calls):
            told[label][path].append(call)
        return told

    @property
    def held_asked(self) -> list[tuple[str, str]]:
        """Give the requests at those that need a consent."""
        return [one for one in self.asked if one[0] in COOKIES]


@dataclass(frozen=True)
class World:
    """Hold a guarded shop, its unguarded copy, and the vendors their pages name."""

    guarded: str
    unguarded: str
    vendors: Vendors


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Serve both shops and the vendors."""
    vendors = Vendors()
    declared = [
        Vendor(name=one, purpose="marketing", hosts=(f"{one}.localhost",), cookies=(name,))
        for one, name in COOKIES.items()
    ]
    needed = [Vendor(name=one, purpose="necessary", hosts=(f"{one}.localhost",)) for one in NECESSARY]
    with ExitStack() as stack:
        vendors.origin = stack.enter_context(serving(vendors, lifespan="off")).at("LABEL.localhost")
        pages = {
            "/": page(vendors.placed(SNIPPETS), vendors.placed(GTM_NOSCRIPT + SHOP)),
            "/thanks": page(vendors.placed(SNIPPETS), vendors.placed(GTM_NOSCRIPT + THANKS)),
        }
        state = str(tmp_path_factory.mktemp("snippets") / "state")
        shop = TinyShop(pages)
        guarded = CookieGuard(shop, Config(state_dir=state, vendors=(*declared, *needed)))
        served = [stack.enter_context(serving(one)).at("shop.localhost") for one in (guarded, shop)]
        yield World(*served, vendors)


def shopped(context: BrowserContext, tab: Page, url: str, vendors: Vendors) -> dict[str, object]:
    """Buy something as a visitor does and tell what the shop did; the vendors hear of this visit alone."""
    vendors.forget()
    errors: list[str] = []
    tab.on("pageerror", lambda error: errors.append(str(error)))
    tab.goto(f"{url}/")
    tab.click("#add")
    tab.click("#help")
    tab.frame_locator("#paypal iframe").get_by_role("button").click()
    tab.wait_for_selector("#paypal[data-order]")
    tab.click("#pay")
    tab.wait_for_selector("#paid:not(:empty)")
    did: dict[str, object] = {
        "cart": tab.inner_text("#cart"),
        "help": tab.is_visible("#panel"),
        "order": tab.get_attribute("#paypal", "data-order"),
        "paid": tab.inner_text("#paid"),
    }
    vendors.wait()
    tab.locator("main form").get_by_role("button").click()
    did["thanks"] = tab.inner_text("#thanks")
    vendors.wait()
    return did | {"errors": errors}


def left_behind(context: BrowserContext, tab: Page) -> set[str]:
    """Name what the vendors that need a consent left in the browser."""
    kept = {cookie["name"] for cookie in context.cookies()}
    kept |= set(tab.evaluate("[...Object.keys(localStorage), ...Object.keys(sessionStorage)]"))
    return kept & set(COOKIES.values())


def test_unguarded_the_shop_works_and_every_vendor_hears_every_call(visit: Visitors, world: World) -> None:
    context = visit()
    tab = context.new_page()

    assert shopped(context, tab, world.unguarded, world.vendors) == WORKS
    assert world.vendors.told == EVERY_CALL
    assert left_behind(context, tab) == set(COOKIES.values())


@pytest.mark.parametrize("state", some_of(["undecided", "refused", "withdrawn"], "withdrawn"))
def test_without_a_consent_the_shop_works_and_no_vendor_hears_or_keeps_anything(
    visit: Visitors, world: World, state: str
) -> None:
    context = visit()
    tab = context.new_page()
    tab.goto(f"{world.guarded}/")
    if state != "undecided":
        answer(tab, "reject" if state == "refused" else "accept")
    if state == "withdrawn":
        world.vendors.wait()
        agreed = left_behind(context, tab)
        with tab.expect_navigation():
            tab.get_by_role("button", name="Withdraw").click()
        assert agreed == set(COOKIES.values())

    assert shopped(context, tab, world.guarded, world.vendors) == WORKS
    assert world.vendors.held_asked == []
    assert left_behind(context, tab) == set()
    assert {label for label, _ in world.vendors.asked} == set(NECESSARY)
    assert "__stripe_mid" in {cookie["name"] for cookie in context.cookies()}


def test_with_a_consent_every_vendor_hears_every_call_once_and_in_order(
    visit: Visitors, world: World
) -> None:
    world.vendors.forget()
    context = visit()
    tab = context.new_page()
    tab.goto(f"{world.guarded}/")
    tab.click("#add")  # before the choice: nobody ever hears of it
    answer(tab, "accept")
    world.vendors.wait()

    assert {one: told["/"] for one, told in world.vendors.told.items()} == PAGE_VIEW
    assert shopped(context, tab, world.guarded, world.vendors) == WORKS
    assert world.vendors.told == EVERY_CALL
    assert left_behind(context, tab) == set(COOKIES.values())
