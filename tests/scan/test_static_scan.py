"""A scan follows an address that redirects to the shop's real origin, but to no other site."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from harness.servers import serving

from cookieguard import Config, CookieGuard
from cookieguard.errors import ScanFailed
from cookieguard.scan.addresses import Addresses
from cookieguard.scan.browser.browser_scan import scan_by_browser
from cookieguard.scan.observations import Scan
from cookieguard.scan.plan import Plan, Step
from cookieguard.scan.static_scan import scan_plainly
from scan.site import Site, pages
from scripts.find_chromium import find_shell

# It finds the same for a quarter of the CPU; test_browser_scan.py drives what a shop's owner has.
SHELL = find_shell() or ""
SHOP, WWW, OTHER = "shop.example", "www.shop.example", "other.example"


BOTH = pytest.mark.parametrize(
    "how", [scan_plainly, pytest.param(scan_by_browser, marks=pytest.mark.browser)]
)


class Redirecting:
    """A site with one host that redirects to another, as web servers do; some pages fail."""

    def __init__(self, site: Site) -> None:
        self.site, self.to = site, ""
        self.failing = frozenset[str]()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one request."""
        if scope["path"] in self.failing:
            html = [(b"content-type", b"text/html")]
            await send({"type": "http.response.start", "status": 500, "headers": html})
            await send({"type": "http.response.body", "body": b"<!doctype html><title>Sorry</title>"})
        elif not self.to or dict(scope.get("headers", ())).get(b"host") != SHOP.encode():
            await self.site(scope, receive, send)
        else:
            where = [(b"location", f"http://{self.to}{scope['path']}".encode())]
            await send({"type": "http.response.start", "status": 301, "headers": where})
            await send({"type": "http.response.body", "body": b""})


@pytest.fixture
def scan() -> Iterator[Callable[..., Scan]]:
    """Give what scans the shop where its first address leads `to`, and these paths answer with an error."""
    app = Redirecting(Site(pages("vendor.example")))
    with serving(app) as server:
        own = {(host, 80): ("127.0.0.1", server.port) for host in (SHOP, WWW, OTHER)}

        def scanned(how: Callable[[Plan], Any], to: str, *failing: str) -> Scan:
            app.to, app.failing = to, frozenset(failing)
            plan = Plan(start=f"http://{SHOP}/", addresses=Addresses(own=own), browser=SHELL)
            found: Scan = asyncio.run(how(plan))
            return found

        yield scanned


@BOTH
def test_the_pages_of_the_host_that_a_start_leads_to_are_looked_at(
    scan: Callable[..., Scan], how: Callable[[Plan], Any]
) -> None:
    found = scan(how, WWW)

    assert found.target == f"http://{SHOP}/"
    assert set(found.pages) == {"/", "/product/mug", "/product/cup", "/cart"}


def test_a_start_that_leads_to_another_site_says_to_which(scan: Callable[..., Scan]) -> None:
    with pytest.raises(ScanFailed, match=r"leads to other\.example, another site"):
        scan(scan_plainly, OTHER)


@BOTH
def test_a_start_that_fails_is_no_shop_without_third_parties(
    scan: Callable[..., Scan], how: Callable[[Plan], Any]
) -> None:
    with pytest.raises(ScanFailed, match=r"does not answer with a page \(500 Internal Server Error"):
        scan(how, "", "/")


@BOTH
def test_a_later_page_that_fails_is_told(scan: Callable[..., Scan], how: Callable[[Plan], Any]) -> None:
    found = scan(how, "", "/cart")

    assert set(found.pages) == {"/", "/product/mug", "/product/cup", "/cart"}
    assert "answered with an error, so seen as visitors see that: /cart (500, undecided)" in found.notes


def page(body: str, head: str = "") -> tuple[int, str, str]:
    return (
        200,
        "text/html",
        f"<!doctype html><html><head><title>T</title>{head}</head><body>{body}</body></html>",
    )


class Odd:
    """A site with these pages: path -> status, type or redirect, text. Other paths never answer."""

    def __init__(self, pages: dict[str, tuple[int, str, str]]) -> None:
        self.pages = pages
        self.turns_away, self.fades = b"", ""
        self.asked: list[str] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one request."""
        headers, path = dict(scope.get("headers", ())), scope["path"]
        self.asked.append(path)
        status, kind, text = self.pages.get(path, (404, "text/plain", ""))
        if self.turns_away and self.turns_away in headers.get(b"user-agent", b""):
            status, kind, text = 403, "text/html", "<title>No</title>"
        elif self.turns_away and headers.get(b"host") == SHOP.encode():
            status, kind, text = 301, f"http://{WWW}{path}", ""
        if path == self.fades and self.asked.count(path) > 1:
            status, kind, text = 503, "text/plain", "busy"
        name = b"location" if 300 <= status < 400 else b"content-type"
        own = [(b"set-cookie", b"lang=de; Path=/")] if name == b"location" else []
        await send(
            {"type": "http.response.start", "status": status, "headers": [(name, kind.encode()), *own]}
        )
        await send({"type": "http.response.body", "body": text.encode()})


@pytest.fixture
def look() -> Callable[..., Scan]:
    """Give what scans an odd site."""

    def looked(how: Callable[[Plan], Any], site: Any, *, host: str = SHOP, **options: Any) -> Scan:
        with serving(site) as server:
            own = {(one, 80): ("127.0.0.1", server.port) for one in (host, WWW)}
            plan = Plan(
                start=f"http://{host}/",
                addresses=Addresses(own=own),
                browser=SHELL,
                pictures=False,
                **options,
            )
            found: Scan = asyncio.run(how(plan))
            return found

    return looked


@BOTH
def test_scan_reports_pages_that_redirect_to_another_page(
    look: Callable[..., Scan], how: Callable[[Plan], Any]
) -> None:
    login = page('<a href="/account">A</a><a href="/orders">O</a>')
    walled = dict.fromkeys(("/", "/account", "/orders"), (302, "/login?next=x", ""))

    found = look(how, Odd({**walled, "/login": login}))

    assert (
        "led to another page, so only that one was seen: / (to /login?next), /account (to /login?next), "
        "/orders (to /login?next)"
    ) in found.notes
    assert {one.name for one in found.kept} == {"lang"}


@BOTH
def test_a_page_that_leads_on_by_itself_is_followed(
    look: Callable[..., Scan], how: Callable[[Plan], Any]
) -> None:
    first = page("", '<meta http-equiv="refresh" content="0; url=/de/">')

    found = look(how, Odd({"/": first, "/de/": page('<a href="/de/cart">C</a>'), "/de/cart": page("Cart")}))

    assert {"/", "/de/", "/de/cart"} >= set(found.pages) >= {"/", "/de/cart"}


@pytest.mark.browser
@pytest.mark.parametrize(
    "script",
    ['document.body.appendChild(document.createElement("a")).href = "/cart"', 'location.replace("/de/")'],
    ids=["written", "led"],
)
def test_a_link_that_a_script_makes_or_leads_to_is_followed(look: Callable[..., Scan], script: str) -> None:
    first, german = page(f"<script>{script}</script>"), page('<a href="/cart">C</a>')

    found = look(scan_by_browser, Odd({"/": first, "/de/": german, "/cart": page("Cart")}))

    assert {"/", "/cart"} <= set(found.pages)


@pytest.mark.browser
def test_a_browser_is_led_on_where_a_client_is_turned_away(look: Callable[..., Scan]) -> None:
    site = Odd({"/": page('<a href="/cart">C</a>'), "/cart": page("Cart")})
    site.turns_away = b"cookieguard"

    assert set(look(scan_by_browser, site).pages) == {"/", "/cart"}


@BOTH
def test_a_page_that_never_came_is_not_looked_at(
    look: Callable[..., Scan], how: Callable[[Plan], Any]
) -> None:
    links = page('<a href="/invoice">I</a><a href="/cart">C</a>')

    found = look(how, Odd({"/": links, "/invoice": (200, "application/zip", "PK"), "/cart": page("Cart")}))

    assert set(found.pages) == {"/", "/cart"}


@BOTH
def test_a_page_that_fails_later_is_told(
    look: Callable[..., Scan], how: Callable[[Plan], Any], tmp_path: Path
) -> None:
    site = Odd({"/": page('<a href="/cart">C</a>'), "/cart": page("Cart")})
    site.fades = "/cart"

    found = look(how, CookieGuard(site, Config(state_dir=str(tmp_path / "state"))), host="localhost")

    assert [one.state for one in found.looks if one.page == "/cart"] == ["undecided"]
    assert [one for one in found.notes if one.startswith("/cart did not answer with a page (503")] == [
        f"/cart did not answer with a page (503 Service Unavailable, text/plain), so it was not visited {state}"
        for state in ("refused", "accepted")
    ]


@pytest.mark.browser
def test_scan_that_stops_early_still_reports_what_an_undecided_visitor_stores(
    look: Callable[..., Scan], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cookieguard.scan.browser.browser_scan._Visit.is_over", lambda _, done, __: done >= 1)

    found = look(scan_by_browser, Site(pages("vendor.example")), steps=(Step(open="/product/mug"),))

    assert found.pages == ("/", "/product/mug")
    assert {one.name for one in found.kept} == {"basket"}


def test_what_is_not_done_without_a_browser_is_told(
    look: Callable[..., Scan], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def post(*_: Any, **__: Any) -> None:
        raise httpx.ReadTimeout("")

    monkeypatch.setattr(httpx.AsyncClient, "post", post)
    guarded = CookieGuard(Odd({"/": page("Home")}), Config(state_dir=str(tmp_path / "state")))

    found = look(scan_plainly, guarded, steps=(Step(click="#buy"),))

    assert "only the steps that open a page were taken" in found.notes
    assert "the banner did not accept the choice 'refused': ReadTimeout" in found.notes


@pytest.mark.browser
def test_a_banner_with_one_button_is_answered_by_it(look: Callable[..., Scan]) -> None:
    found = look(scan_by_browser, Odd({"/": page('<button id="ok">Yes</button>')}), accept="#ok")

    assert found.states == ("undecided", "accepted")
    assert "the banner could not be answered: refused was not visited" in found.notes


@pytest.mark.browser
def test_a_page_that_changes_what_arrays_do_is_looked_at(look: Callable[..., Scan]) -> None:
    odd = page('<script>Array.prototype.map = () => 7</script><a href="/cart">C</a>')

    assert set(look(scan_by_browser, Odd({"/": odd, "/cart": page("Cart")})).pages) == {"/", "/cart"}
