"""Pages from before a withdrawal, in another tab and in the browser's history, load nothing that was withdrawn."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from harness.browser import ARGUMENTS, Recorder, counting, visitor
from harness.quick import some_of
from harness.servers import serving, wait_until
from playwright.sync_api import Browser, BrowserContext, Page, Playwright

from cookieguard import Config, CookieGuard

from .conftest import Visitors, answer
from .tiny import TinyShop, page

TICKS = "<script>setInterval(() => { new Image().src = 'THERE/tick.gif?' + Math.random(); }, 100);</script>"
LISTENS_TO_NOBODY = "delete window.BroadcastChannel;"
# Notes in the page what the browser says of it, and lets nobody else hear of it where `IS_MUTE`.
NOTES = """
addEventListener('pageshow', event => {
  if (event.persisted) sessionStorage.persisted = true;
  if (IS_MUTE) event.stopImmediatePropagation();
}, true);
"""
# Asked again by Playwright when the page is loaded anew meanwhile.
LOADED_ANEW = "document.readyState === 'complete' && window.mark === undefined"
AFTERWARDS = 2.0  # seconds in which the other tab has to be silent


@dataclass(frozen=True)
class Ticking:
    """Hold a guarded shop whose pages tell a third party ten times a second that they are open."""

    shop: str
    there: Recorder

    def ticks(self) -> bool:
        """Wait for the next request."""
        before = len(self.there.requests)
        wait_until(lambda: len(self.there.requests) > before, "the other tab ticks")
        return True

    def is_silent(self) -> bool:
        """Wait for what is on its way, and return whether nothing follows it."""
        self.there.wait()
        before = len(self.there.requests)
        time.sleep(AFTERWARDS)
        return len(self.there.requests) == before


@pytest.fixture(scope="module")
def ticking(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ticking]:
    """Serve the shop and the third party."""
    there = Recorder()
    with ExitStack() as stack:
        server = stack.enter_context(serving(there, http=counting(there.note_connection)))
        ticks = TICKS.replace("THERE", server.at("there.localhost"))
        body = ticks + '<a href="/quiet">on</a><a href="/terms">Terms</a>'
        app = TinyShop({"/": page(body=body), "/quiet": page(), "/terms": page()})
        guard = CookieGuard(app, Config(state_dir=str(tmp_path_factory.mktemp("stale") / "state")))
        yield Ticking(stack.enter_context(serving(guard)).at("shop.localhost"), there)


def two_tabs(context: BrowserContext, ticking: Ticking) -> tuple[Page, Page]:
    """Open two pages of a visitor who agreed: one that ticks, and one to withdraw on."""
    own, other = context.new_page(), context.new_page()
    own.goto(f"{ticking.shop}/quiet")
    answer(own, "accept")
    other.goto(ticking.shop)
    return own, other


def withdraw(opened: Page) -> None:
    with opened.expect_navigation():
        opened.get_by_role("button", name="Withdraw").click()


def test_a_withdrawal_silences_the_other_tab(visit: Visitors, ticking: Ticking) -> None:
    own, other = two_tabs(visit(), ticking)
    assert ticking.ticks()

    with other.expect_navigation():  # by itself: nobody touches it
        withdraw(own)

    assert ticking.is_silent()
    assert other.get_by_role("button", name="Withdraw").count() == 0


def test_no_choice_posts_once_more_what_a_page_answered(visit: Visitors, tmp_path: Path) -> None:
    orders: list[str] = []

    async def shop(scope: Any, receive: Any, send: Any) -> None:
        """Answer an order with a page, at the address of its form: no redirect stands between."""
        body = '<form method="post"><button>Order</button></form>'
        if scope["method"] == "POST":
            await receive()
            orders.append(scope["path"])
            body = "<h1>Thanks</h1>"
        html = [(b"content-type", b"text/html; charset=utf-8")]
        await send({"type": "http.response.start", "status": 200, "headers": html})
        await send({"type": "http.response.body", "body": page(body=body).encode()})

    with serving(CookieGuard(shop, Config(state_dir=str(tmp_path / "state")))) as server:
        context = visit()
        opened, other = context.new_page(), context.new_page()

        def order() -> None:
            opened.goto(f"{server.url}/order")
            opened.get_by_role("button", name="Order").click()
            opened.get_by_role("heading", name="Thanks").wait_for()

        order()
        answer(opened, "accept")
        order()
        other.goto(f"{server.url}/order")
        with opened.expect_navigation():
            withdraw(other)
        opened.get_by_role("button", name="Order").wait_for()

        assert orders == ["/order"] * 2


def test_without_the_message_the_other_tab_goes_on(visit: Visitors, ticking: Ticking) -> None:
    context = visit()
    context.add_init_script(LISTENS_TO_NOBODY)
    own, other = two_tabs(context, ticking)

    withdraw(own)

    assert ticking.ticks()
    other.close()


@pytest.fixture(scope="module")
def remembering(driver: tuple[Playwright, str]) -> Iterator[Browser]:
    """Launch a browser that keeps pages alive in its history, as browsers do: Playwright switches that off.

    A whole Chromium: the one without windows keeps none.
    """
    playwright, path = driver
    launched = playwright.chromium.launch(
        executable_path=path, args=[*ARGUMENTS], ignore_default_args=["--disable-back-forward-cache"]
    )
    yield launched
    launched.close()


@pytest.fixture
def keeping(remembering: Browser) -> Iterator[BrowserContext]:
    """Give a visitor of that browser who was never here."""
    with visitor(remembering) as context:
        yield context


def lay_in_history(context: BrowserContext, ticking: Ticking, *, is_mute: bool = False) -> Page:
    """Agree, look at a page that ticks, and go on to one that does not."""
    context.add_init_script(NOTES.replace("IS_MUTE", str(is_mute).lower()))
    opened = context.new_page()
    opened.goto(f"{ticking.shop}/quiet")
    answer(opened, "accept")
    opened.goto(ticking.shop)
    opened.evaluate("window.mark = 'same document'")
    assert ticking.ticks()
    opened.goto(f"{ticking.shop}/quiet")
    return opened


def go_back(opened: Page, ticking: Ticking, *, steps: int = 1) -> None:
    """Go back to the page that ticked; a page that was kept alive fires no load event."""
    opened.evaluate(
        "steps => void setTimeout(() => history.go(-steps))", steps
    )  # it may go before it answers
    opened.wait_for_url(f"{ticking.shop}/", wait_until="commit")
    time.sleep(0.5)  # it is there at once, or asked for anew


def test_a_page_kept_in_the_history_comes_back_alive_where_nothing_notices(
    keeping: BrowserContext, ticking: Ticking
) -> None:
    opened = lay_in_history(keeping, ticking, is_mute=True)
    keeping.clear_cookies()

    go_back(opened, ticking)

    assert opened.evaluate("sessionStorage.persisted") == "true"
    assert opened.evaluate("window.mark") == "same document"
    assert ticking.ticks()


def test_a_page_kept_in_the_history_is_loaded_anew(keeping: BrowserContext, ticking: Ticking) -> None:
    opened = lay_in_history(keeping, ticking)
    keeping.clear_cookies()  # consent is gone without a word: no message, no Clear-Site-Data

    go_back(opened, ticking)

    opened.wait_for_function(LOADED_ANEW)
    assert opened.evaluate("sessionStorage.persisted") == "true"
    assert ticking.is_silent()
    assert opened.get_by_role("button", name="Accept all").is_visible()


@pytest.mark.parametrize("is_same_tab", some_of([True, False], False), ids=["same-tab", "other-tab"])
def test_no_page_from_before_a_withdrawal_comes_back_alive(
    keeping: BrowserContext, ticking: Ticking, is_same_tab: bool
) -> None:
    opened = lay_in_history(keeping, ticking)
    if is_same_tab:
        withdraw(opened)
    else:
        other = keeping.new_page()
        other.goto(f"{ticking.shop}/quiet")
        with opened.expect_navigation():  # the page it lies behind is live too, and hears of it
            withdraw(other)

    go_back(opened, ticking, steps=2 if is_same_tab else 1)

    opened.wait_for_function(LOADED_ANEW)
    assert ticking.is_silent()
    assert opened.get_by_role("link", name="Privacy choices").is_visible()


def check_out(opened: Page, ticking: Ticking) -> None:
    """Type a name into the form, and go on to the terms."""
    opened.goto(ticking.shop)
    opened.evaluate("window.mark = 'same document'")
    opened.get_by_label("Name").fill("Ada")
    opened.get_by_role("link", name="Terms").click()
    opened.wait_for_url("**/terms")


@pytest.mark.parametrize("choice", ["", "reject", "accept"], ids=["undecided", "refused", "accepted"])
def test_going_back_keeps_what_was_typed(keeping: BrowserContext, ticking: Ticking, choice: str) -> None:
    keeping.add_init_script(NOTES.replace("IS_MUTE", "false"))
    opened = keeping.new_page()
    opened.goto(f"{ticking.shop}/quiet")
    if choice:
        answer(opened, choice)
    check_out(opened, ticking)

    go_back(opened, ticking)

    assert opened.evaluate("sessionStorage.persisted") == "true"
    assert opened.evaluate("window.mark") == "same document"
    assert opened.get_by_label("Name").input_value() == "Ada"


# What a script of the shop posts: nothing in this browser announces the choice.
POST = """body => fetch('/_cg/consent', {
    method: 'POST', headers: {'content-type': 'application/json'}, body: JSON.stringify(body)
}).then(said => said.ok)"""
CHANGES: dict[str, dict[str, str]] = {
    "refused": {"choice": "reject"},
    "partly": {"choice": "save", "purpose": "statistics"},
    "cleared": {},
    "unanswered": {},
}


@pytest.mark.parametrize("change", some_of(CHANGES, "refused"))
def test_going_back_reloads_the_page_if_the_choice_changed_or_is_unknown(
    keeping: BrowserContext, ticking: Ticking, change: str
) -> None:
    opened = keeping.new_page()
    if change == "unanswered":
        opened.add_init_script("self.fetch = () => Promise.reject(0);")
    opened.goto(f"{ticking.shop}/quiet")
    answer(opened, "accept")
    check_out(opened, ticking)
    if CHANGES[change]:
        assert opened.evaluate(POST, CHANGES[change])
    elif change == "cleared":
        keeping.clear_cookies()

    go_back(opened, ticking)

    opened.wait_for_function(LOADED_ANEW)
    assert ticking.ticks() if change == "unanswered" else ticking.is_silent()
