"""The shop's own templates for banner and placeholder work as ours do, with scripts and without."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from harness.servers import serving
from playwright.sync_api import Page

from cookieguard import Config, CookieGuard, Vendor
from cookieguard.config import LookSettings
from tests.web.test_own_templates import BANNER, EMBED

from .conftest import Visitors
from .tiny import TinyShop, page

SHEET = "#cg .shop-row { display: flex; gap: 12px } #cg .shop-row button { flex: 1 1 0; color: #fe0102 }"
FRAME = '<iframe src="https://films.example/1" width="400" height="300"></iframe>'
STRICT = "default-src 'self'; style-src 'nonce-{nonce}'; script-src 'nonce-{nonce}'"


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Serve a shop whose look is its own."""
    folder = tmp_path_factory.mktemp("own")
    (folder / "banner.html").write_text(BANNER)
    (folder / "banner.css").write_text(SHEET)
    (folder / "embed.html").write_text(EMBED)
    config = Config(
        state_dir=str(folder / "state"),
        look=LookSettings(templates=str(folder)),
        vendors=(Vendor(name="Films", purpose="marketing", hosts=("films.example",)),),
    )
    pages = {"/": page(body=FRAME), "/strict": page(body=FRAME)}
    with serving(CookieGuard(TinyShop(pages, {"/strict": STRICT}), config)) as server:
        yield server.at("shop.localhost")


def opened(visit: Visitors, url: str, **options: Any) -> Page:
    shown = visit(**options).new_page()
    shown.goto(url)
    return shown


@pytest.mark.parametrize("path", ["/", "/strict"])
def test_refusing_in_the_shops_banner_holds_and_shows_the_way_back(
    visit: Visitors, shop: str, javascript: bool, path: str
) -> None:
    shown = opened(visit, shop + path, javascript=javascript)
    boxes = [shown.locator(f"#cg button[value={one}]").bounding_box() for one in ("reject", "accept")]
    colour = shown.locator("#cg button[value=reject]").evaluate("one => getComputedStyle(one).color")

    with shown.expect_navigation():
        shown.locator("#cg button[value=reject]").click()

    assert colour == "rgb(254, 1, 2)"
    assert boxes[0]
    assert boxes[1]
    for one in ("width", "height", "y"):
        assert boxes[0][one] == pytest.approx(boxes[1][one], abs=0.5)
    assert shown.locator("#cg button").count() == 0
    assert shown.locator("cg-part a[href*='/_cg/choices']").count() > 0
    assert shown.frame_locator("iframe").locator("h1").inner_text() == "Films"


def test_the_shops_placeholder_lets_the_vendor_in_always(
    visit: Visitors, shop: str, javascript: bool
) -> None:
    shown = opened(visit, shop, javascript=javascript)
    with shown.expect_navigation():
        shown.locator("#cg button[value=reject]").click()

    with shown.expect_navigation():
        shown.frame_locator("iframe").locator("button[value=always]").click()

    assert shown.locator("iframe").get_attribute("src") == "https://films.example/1"
