"""Banner, choice, withdrawal and the way back work behind nginx and Varnish as they do without a cache."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import pytest
from harness.browser import Recorder, counting
from harness.servers import serving
from playwright.sync_api import Page
from servers.shared_caches import CACHES, is_hit

from cookieguard import Config, CookieGuard
from cookieguard.config.cache import CacheSettings

from .conftest import Visitors, answer
from .tiny import TinyShop, page

PIXEL = '<img src="THERE/pixel.gif" width="1" height="1" alt=""><a href="/next">next</a>'


@dataclass(frozen=True)
class Cached:
    """Hold a shop behind nginx, and the third party that its pages name."""

    shop: str
    there: Recorder

    def open(self, opened: Page, path: str = "/") -> tuple[bool, int]:
        """Open a page; return whether it came from the cache, and how often the third party was asked."""
        self.there.forget()
        response = opened.goto(self.shop + path)
        self.there.wait()
        return response is not None and is_hit(response.headers), len(self.there.requests)


@pytest.fixture(params=CACHES)
def cached(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cached]:
    """Serve the shop, a cache and the third party."""
    there, folder = Recorder(), tmp_path_factory.mktemp("cached")
    with ExitStack() as stack:
        party = stack.enter_context(serving(there, http=counting(there.note_connection)))
        body = PIXEL.replace("THERE", party.at("there.localhost"))
        settings = {"trusted_proxies": ("127.0.0.1",), "cache": CacheSettings(mode="shared")}
        app = TinyShop({"/": page(body=body), "/next": page(body=body)})
        guard = CookieGuard(app, Config(state_dir=str(folder / "state"), **settings))
        shop = stack.enter_context(serving(guard))
        # Browsers name a port that no shop has
        edit = lambda text: text.replace("Host $host;", "Host $http_host;")  # noqa: E731
        edge = stack.enter_context(request.param(shop.port, folder / "edge", edit=edit))
        yield Cached(f"http://shop.localhost:{edge.port}", there)


def test_a_choice_and_its_withdrawal_take_effect_at_once_on_cached_pages(
    visit: Visitors, cached: Cached, javascript: bool
) -> None:
    first, own = (visit(javascript=javascript).new_page() for _ in range(2))
    cached.open(first)
    cached.open(first, "/next")

    assert cached.open(own) == (True, 0)
    answer(own, "accept")
    cached.there.wait()
    assert cached.there.requests
    assert cached.open(own, "/next")[1] == 1
    again = cached.open(own, "/next")
    other = cached.open(first, "/next")
    with own.expect_navigation():
        own.get_by_role("button", name="Withdraw").click()
    after = cached.open(own, "/next")
    cached.there.forget()
    own.go_back()
    own.go_back()
    cached.there.wait()

    assert again == (True, 1)
    assert other == (True, 0)
    assert after[1] == 0
    assert cached.there.requests == []
    assert own.locator("#cg").count() == 1


def test_each_view_is_reported_once_and_the_way_back_is_none(visit: Visitors, cached: Cached) -> None:
    opened = visit().new_page()
    reports: list[str] = []
    opened.on("request", lambda one: reports.append(one.url) if "/_cg/seen" in one.url else None)

    for path in ("/", "/next", "/"):
        cached.open(opened, path)
    opened.go_back()
    cached.there.wait()

    assert reports == [f"{cached.shop}/_cg/seen"] * 3


def test_without_scripts_a_picture_reports_it(visit: Visitors, cached: Cached) -> None:
    opened = visit(javascript=False).new_page()
    with opened.expect_request(lambda one: "/_cg/seen?" in one.url) as asked:
        opened.goto(cached.shop)

    answered = asked.value.response()
    assert answered is not None
    assert answered.status == 204


def test_a_refusal_elsewhere_reaches_a_cached_page_at_the_next_visit(visit: Visitors, cached: Cached) -> None:
    context = visit()
    opened = context.new_page()
    cached.open(opened)
    answer(opened, "accept")
    accepted = next(one for one in context.cookies() if one["name"] == "__Host-cg_v")
    with opened.expect_navigation():
        opened.get_by_role("button", name="Withdraw").click()
    cached.there.forget()
    # As on a device that does not know of it: the cookie of before, and the consent of now.
    context.add_cookies([accepted])
    with opened.expect_response(lambda one: "/_cg/state" in one.url):
        opened.goto(f"{cached.shop}/next")
    opened.wait_for_function(
        "document.readyState === 'complete' && performance.getEntriesByType('navigation')[0].type === 'reload'"
    )

    variant = next(one for one in context.cookies() if one["name"] == "__Host-cg_v")
    assert variant["value"].startswith("n.")
    assert cached.open(opened, "/next")[1] == 0
