"""A scan from an address that leads elsewhere: to the shop's real origin, or to somebody else's."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from harness.servers import serving

from cookieguard.errors import ScanFailed
from cookieguard.scan.addresses import Addresses
from cookieguard.scan.browser_scan import scan_by_browser
from cookieguard.scan.observations import Scan
from cookieguard.scan.plan import Plan
from cookieguard.scan.static_scan import scan_plainly
from scan.site import Site, pages

SHOP, WWW, OTHER = "shop.example", "www.shop.example", "other.example"


BOTH = pytest.mark.parametrize(
    "how", [scan_plainly, pytest.param(scan_by_browser, marks=pytest.mark.browser)]
)


class Redirecting:
    """Be a site of which one host leads to another, as a web server in front of a shop does; some pages fail."""

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
            found: Scan = asyncio.run(how(Plan(start=f"http://{SHOP}/", addresses=Addresses(own=own))))
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
