"""After a refusal or withdrawal, a real browser keeps no cookie and no storage of a declared vendor."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import trustme
from harness.browser import chromium, visitor
from harness.quick import some_of
from harness.servers import Server, serving
from playwright.sync_api import Browser, BrowserContext, Page, Playwright

from cookieguard import Config, CookieGuard, Vendor
from cookieguard.config import CookieSettings, OwnCookie

from .conftest import answer

HOST = "www.shop.test"
VENDOR = Vendor(name="Count", purpose="statistics", hosts=("count.test",), cookies=("_ga", "_ga_*", "_held"))
COOKIES = CookieSettings(own=(OwnCookie(name="basket", purpose="necessary"),))
# What a vendor's script behind the shop's own name, and the shop's server, leave in the browser.
LEFT = (
    "_ga=1; Path=/; Domain=shop.test; Max-Age=9999",
    "_ga_HOST=1; Path=/; Max-Age=9999",
    "_ga_HTTP=1; Path=/; Domain=www.shop.test; HttpOnly; Max-Age=9999",
    "_ga_DEEP=1; Path=/en; HttpOnly; Max-Age=9999",
    "_ga_DEEPER=1; Path=/en; Domain=shop.test; Max-Age=9999",
    "_ga_DEFAULT=1; HttpOnly",
    "basket=3; Path=/; HttpOnly; SameSite=Strict",
)
SECURE = (
    "_ga_SECURE=1; Path=/; Secure; HttpOnly",
    "_ga_PARTS=1; Path=/; Secure; HttpOnly; SameSite=None; Partitioned",
    "__Host-own=1; Path=/; Secure; SameSite=None; Partitioned",
)
# As properties, as something from before was kept: what a script writes by `setItem` the guard keeps out.
STORE = """() => {
  for (const store of [localStorage, sessionStorage]) {
    for (const key of ["_ga", "_ga_X", "_held", "_gat", "basket"]) store[key] = "1";
  }
}"""
STORED = "() => [Object.keys(localStorage).sort(), Object.keys(sessionStorage).sort()]"
EVERYTHING, THE_SHOPS = ["_ga", "_ga_X", "_gat", "_held", "basket"], ["_gat", "basket"]
PATH = "/en/cart"
MOST_PAGES = 20  # each page has one cookie less at least
# Pages after the answer's: each removes a kilobyte of cookies, and those above lie where few do.
SOON = 2
# Milliseconds after which the turn of removals comes round again for each number of cookies up to eight.
ROUND = timedelta(milliseconds=1680)


class Leaving:
    """A shop that sets cookies on /en/cart while `leaves` is true, and records the Cookie headers it gets there.

    Only there: a browser asks for the icon of a page when it likes, of the unguarded one too.
    """

    def __init__(self, lines: tuple[str, ...]) -> None:
        self.lines = lines
        self.leaves = True
        self.shown: list[str] = []

    async def __call__(self, scope: Any, _: Any, send: Any) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        if scope["path"] == PATH:
            self.shown = [value.decode() for name, value in scope["headers"] if name == b"cookie"]
        headers = [(b"content-type", b"text/html; charset=utf-8")]
        if self.leaves and scope["path"] == PATH:
            headers += [(b"set-cookie", line.encode()) for line in self.lines]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send(
            {"type": "http.response.body", "body": b"<!doctype html><html><head></head><body>x</body>"}
        )


@pytest.fixture(scope="module")
def faraway(driver: tuple[Playwright, str]) -> Iterator[Browser]:
    """Launch a Chromium that finds *.test here, and takes any certificate."""
    arguments = ("--host-resolver-rules=MAP *.test 127.0.0.1", "--ignore-certificate-errors")
    with chromium(*driver, *arguments) as launched:
        yield launched


@pytest.fixture
def shop() -> Leaving:
    """Give the shop."""
    return Leaving(LEFT + SECURE)


@pytest.fixture
def served(shop: Leaving, tmp_path: Path) -> Iterator[Server]:
    """Serve the shop over https, guarded."""
    key, chain = certificate(tmp_path)
    config = Config(state_dir=str(tmp_path / "state"), vendors=(VENDOR,), cookies=COOKIES)
    with serving(CookieGuard(shop, config), ssl_keyfile=key, ssl_certfile=chain) as server:
        yield server


def at_the_round() -> datetime:
    """Return the time without the part of a round, because it decides which cookies a page removes under every path."""
    now = datetime.now(UTC)
    return now - (now - datetime(1970, 1, 1, tzinfo=UTC)) % ROUND


def certificate(tmp_path: Path) -> tuple[str, str]:
    issued = trustme.CA().issue_cert(HOST)
    issued.private_key_pem.write_to_path(str(tmp_path / "key"))
    issued.cert_chain_pems[0].write_to_path(str(tmp_path / "chain"))
    return str(tmp_path / "key"), str(tmp_path / "chain")


def names(context: BrowserContext) -> set[str]:
    return {cookie["name"] for cookie in context.cookies()}


def is_vendors(name: str) -> bool:
    return name == "_ga" or name.startswith("_ga_")


def names_soon(context: BrowserContext, page: Page) -> set[str]:
    """Return what is left once no cookie of the vendor's is, or after a few pages."""
    for _ in range(SOON):
        if any(map(is_vendors, names(context))):
            page.reload()
    return names(context)


def withdraw(page: Page) -> None:
    with page.expect_navigation():
        page.get_by_role("button", name="Withdraw").click()


@pytest.mark.parametrize("javascript", some_of([True, False], True), ids=["with-script", "without-script"])
def test_after_withdrawal_no_cookie_of_a_declared_vendor_remains(
    faraway: Browser, shop: Leaving, served: Server, javascript: bool
) -> None:
    with visitor(faraway, javascript=javascript) as context:
        page = context.new_page()
        page.goto(served.at(HOST) + PATH)
        undecided = names(context)
        answer(page, "accept")
        page.goto(served.at(HOST) + PATH)
        accepted = names(context)
        shop.leaves = False
        withdraw(page)
        shown_at_once = shop.shown
        withdrawn = names_soon(context, page)

        assert undecided == {"basket", "__Host-own"}
        assert len([name for name in accepted if is_vendors(name)]) == 8
        assert withdrawn == {"basket", "__Host-own", "__Host-cg_consent"}
        assert "_ga" not in shown_at_once[0]
        assert "basket=3" in shown_at_once[0]


@pytest.mark.parametrize("javascript", some_of([True, False], False), ids=["with-script", "without-script"])
def test_after_refusing_no_cookie_from_before_remains(
    faraway: Browser, shop: Leaving, served: Server, javascript: bool, tmp_path: Path
) -> None:
    """Show it for who comes with the cookies of an unguarded time, with each kind of them on record first."""
    key, chain = certificate(tmp_path)
    with (
        serving(shop, ssl_keyfile=key, ssl_certfile=chain) as unguarded,
        visitor(faraway, javascript=javascript) as context,
    ):
        page = context.new_page()
        page.goto(unguarded.at(HOST) + PATH)  # cookies know no ports
        shop.leaves = False
        page.goto(served.at(HOST) + PATH)
        undecided, shown = names(context), shop.shown
        answer(page, "reject")

        assert len([name for name in undecided if is_vendors(name)]) == 8
        assert "_ga" not in shown[0]
        assert names_soon(context, page) == {"basket", "__Host-own", "__Host-cg_consent"}


def test_cookies_that_exceed_one_header_are_removed_by_the_next_pages(
    faraway: Browser, shop: Leaving, served: Server
) -> None:
    """Show that a header of bounded size removes everything in the end: here 12 cookies on the page's own path."""
    shop.lines = tuple(f"_ga_{number}=1; Path={PATH}; Domain=shop.test; HttpOnly" for number in range(12))
    with visitor(faraway) as context:
        page = context.new_page()
        page.goto(served.at(HOST) + PATH)
        answer(page, "accept")
        page.goto(served.at(HOST) + PATH)
        left = [len(names(context))]
        shop.leaves = False
        withdraw(page)
        while left[-1] > 1 and len(left) < MOST_PAGES:
            page.goto(served.at(HOST) + PATH)
            left.append(len(names(context)))

    assert left[0] == 13
    assert left[-1] == 1  # our own


def test_a_script_that_sets_a_vendors_cookie_after_a_refusal_sets_none(
    faraway: Browser, served: Server
) -> None:
    with visitor(faraway) as context:
        page = context.new_page()
        page.goto(served.at(HOST) + "/")
        answer(page, "reject")
        for name in ("_ga_SCRIPT", "the_shops"):
            page.evaluate(f"document.cookie = '{name}=1; Domain=shop.test; Path=/'")
        kept = names(context)

        assert "the_shops" in kept
        assert not [name for name in kept if is_vendors(name)]


@pytest.mark.parametrize("way", some_of(["reject", "withdraw", "choices"], "withdraw"))
def test_no_storage_key_of_a_declared_vendor_remains(faraway: Browser, served: Server, way: str) -> None:
    def refuse(page: Page) -> None:
        if way == "reject":
            return answer(page, "reject")
        answer(page, "accept")
        page.evaluate(STORE)
        if way == "withdraw":
            return withdraw(page)
        page.get_by_role("link", name="Privacy choices").click()
        with page.expect_navigation():
            page.locator("button[value=reject]").click()
        return None

    with visitor(faraway) as context:
        page = context.new_page()
        page.goto(served.at(HOST) + "/")
        page.evaluate(STORE)
        page.reload()
        before = page.evaluate(STORED)
        refuse(page)

        assert before == [EVERYTHING, EVERYTHING]
        assert page.evaluate(STORED) == [THE_SHOPS, THE_SHOPS]


def test_over_plain_http_on_loopback_every_cookie_goes_too(
    browser: Browser, tmp_path: Path, visit: Callable[..., BrowserContext]
) -> None:
    shop = Leaving(tuple(line.replace("shop.test", "shop.localhost") for line in LEFT + SECURE))
    config = Config(state_dir=str(tmp_path / "state"), vendors=(VENDOR,), cookies=COOKIES)
    with serving(CookieGuard(shop, config, clock=at_the_round)) as server:
        context = visit()
        page = context.new_page()
        page.goto(server.at("www.shop.localhost") + PATH)
        answer(page, "accept")
        page.goto(server.at("www.shop.localhost") + PATH)
        accepted = names(context)
        shop.leaves = False
        withdraw(page)

        assert len([name for name in accepted if is_vendors(name)]) == 8
        assert names_soon(context, page) == {"basket", "__Host-own", "__Host-cg_consent"}
