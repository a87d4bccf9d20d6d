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


class Redirecting:
    """Be a site of which one host leads to another, as a web server in front of a shop does."""

    def __init__(self, site: Site) -> None:
        self.site, self.to = site, ""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one request."""
        if dict(scope.get("headers", ())).get(b"host") != SHOP.encode():
            await self.site(scope, receive, send)
            return
        where = f"http://{self.to}{scope['path']}".encode()
        await send({"type": "http.response.start", "status": 301, "headers": [(b"location", where)]})
        await send({"type": "http.response.body", "body": b""})


@pytest.fixture
def scan() -> Iterator[Callable[..., Scan]]:
    """Give what scans the shop where its first address leads `to`."""
    app = Redirecting(Site(pages("vendor.example")))
    with serving(app) as server:
        own = {(host, 80): ("127.0.0.1", server.port) for host in (SHOP, WWW, OTHER)}

        def scanned(how: Callable[[Plan], Any], to: str) -> Scan:
            app.to = to
            found: Scan = asyncio.run(how(Plan(start=f"http://{SHOP}/", addresses=Addresses(own=own))))
            return found

        yield scanned


@pytest.mark.parametrize("how", [scan_plainly, pytest.param(scan_by_browser, marks=pytest.mark.browser)])
def test_the_pages_of_the_host_that_a_start_leads_to_are_looked_at(
    scan: Callable[..., Scan], how: Callable[[Plan], Any]
) -> None:
    found = scan(how, WWW)

    assert found.target == f"http://{SHOP}/"
    assert set(found.pages) == {"/", "/product/mug", "/product/cup", "/cart"}


def test_a_start_that_leads_to_another_site_says_to_which(scan: Callable[..., Scan]) -> None:
    with pytest.raises(ScanFailed, match=r"leads to other\.example, another site"):
        scan(scan_plainly, OTHER)
