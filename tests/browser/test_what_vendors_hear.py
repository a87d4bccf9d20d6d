"""An allowed vendor learns the shop's name but no address of a page; strict pages send it no referrer at all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from harness.browser import linger
from harness.servers import serving, wait_until

from cookieguard import Config, CookieGuard, Vendor

from .conftest import Visitors, answer
from .tiny import TinyShop, page

SECRET = "customer=4711&order=A-17"
# By markup and by script; each asks for a path of its own name. A script that asks for a wider policy itself gets it
# (docs/limits.md), so those here do not.
ASKING = """
<img src="{vendor}/img" referrerpolicy="unsafe-url">
<script src="{vendor}/script" referrerpolicy="no-referrer-when-downgrade"></script>
<iframe src="{vendor}/frame" referrerpolicy="unsafe-url"></iframe>
<link rel="stylesheet" href="{vendor}/sheet" referrerpolicy="origin-when-cross-origin">
<img src="{vendor}/plain">
<script>
new Image().src = "{vendor}/made";
document.write('<img src="{vendor}/written">');
fetch("{vendor}/fetch", {{mode: "no-cors"}});
navigator.sendBeacon("{vendor}/beacon");
</script>
"""
PATHS = {"img", "script", "frame", "sheet", "plain", "made", "written", "fetch", "beacon"}


class Listener:
    """A vendor that records what each request reveals about its page, by path."""

    def __init__(self) -> None:
        self.referrers: dict[str, str] = {}

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        path = scope["path"].lstrip("/")
        self.referrers[path] = dict(scope["headers"]).get(b"referer", b"").decode()
        kind = {"script": b"text/javascript", "sheet": b"text/css", "frame": b"text/html"}.get(
            path, b"image/gif"
        )
        headers = [(b"content-type", kind), (b"cache-control", b"no-store")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b""})


class World:
    """Two vendors, one of them necessary, and a shop with both, guarded and unguarded."""

    def __init__(self, stack: ExitStack, state: Path) -> None:
        self.ads, self.payment = Listener(), Listener()
        ads = stack.enter_context(serving(self.ads)).at("ads.localhost")
        payment = stack.enter_context(serving(self.payment)).at("payment.localhost")
        body = ASKING.format(vendor=ads) + f'<img src="{payment}/card">'
        head = '<meta name="referrer" content="unsafe-url">'
        self.app = TinyShop({"/": page(head, body), "/checkout": page(head, body)})
        vendors = (
            Vendor(name="Ads", purpose="marketing", hosts=("ads.localhost",)),
            Vendor(
                name="Pay", purpose="necessary", hosts=("payment.localhost",), reason="visitors pay with it"
            ),
        )
        config = Config(state_dir=str(state), vendors=vendors, strict_paths=("/checkout",), dev=True)
        self.shop = stack.enter_context(serving(CookieGuard(self.app, config))).at("shop.localhost")
        self.unguarded = stack.enter_context(serving(self.app)).at("unguarded.localhost")

    def open(self, opened: Any, address: str) -> dict[str, str]:
        """Open a page and return what the vendors heard."""
        self.ads.referrers.clear()
        self.payment.referrers.clear()
        opened.goto(address)
        wait_until(lambda: "card" in self.payment.referrers, "the payment company")
        linger([opened])
        return dict(self.ads.referrers)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with ExitStack() as stack:
        yield World(stack, tmp_path / "state")


def test_vendor_who_was_agreed_to_hears_the_shops_name_and_no_address(world: World, visit: Visitors) -> None:
    opened = visit().new_page()
    told = world.open(opened, f"{world.unguarded}/?{SECRET}")
    assert {path for path, said in told.items() if SECRET in said} >= PATHS - {"sheet"}  # the control

    opened.goto(world.shop)
    answer(opened, "accept")
    told = world.open(opened, f"{world.shop}/?{SECRET}")

    assert set(told) == PATHS
    assert {path: said for path, said in told.items() if said != f"{world.shop}/"} == {}


def test_strict_page_tells_nobody_but_who_is_necessary_though_all_was_agreed_to(
    world: World, visit: Visitors
) -> None:
    opened = visit().new_page()
    opened.goto(world.shop)
    answer(opened, "accept")

    assert set(world.open(opened, f"{world.shop}/")) == PATHS  # the control
    assert world.open(opened, f"{world.shop}/checkout") == {}
    assert world.payment.referrers == {"card": f"{world.shop}/"}
