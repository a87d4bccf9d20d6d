"""The banner is above every element of a page, in the shop's font, in every layout, width and language."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from harness.servers import serving
from playwright.sync_api import Page

from cookieguard import Config, CookieGuard
from cookieguard.config import LookSettings
from cookieguard.config.languages import LANGUAGES
from cookieguard.config.look import LAYOUTS

from .conftest import Visitors
from .tiny import TinyShop, page

# A real page's "you use an ad blocker" box: last in the body, above everything.
OVERLAY = """<script>addEventListener("load", () => { const box = document.createElement("div")
box.style.cssText = "position:fixed;inset:0;z-index:2147483647;background:#fffc"
document.body.append(box) })</script>"""
PAGES = {
    "/": page(
        body=f'<input id="search" autofocus>{OVERLAY}',
        head="<style>body{font-family:Georgia,serif}button{background:hotpink}</style>",
    ),
    "/plain": page(body='<p style="height:2000px">long</p>'),
    "/bare": "<title>x</title><p>a page without html, head and body",
    **{f"/{lang}": page(lang=lang) for lang in LANGUAGES},
}
SHIFTS = """() => new Promise(done => new PerformanceObserver(all =>
    done(all.getEntries().reduce((sum, one) => sum + one.value, 0))).observe({type: 'layout-shift', buffered: true})
    || setTimeout(done, 500, 0))"""


@pytest.fixture(scope="module")
def shops(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Serve the same pages in every layout."""
    found: dict[str, str] = {}
    state = tmp_path_factory.mktemp("look")
    running = []
    for layout in LAYOUTS:
        config = Config(state_dir=str(state / layout), look=LookSettings(layout=layout, radius="3px"))
        server = serving(CookieGuard(TinyShop(PAGES), config))
        running.append(server)
        found[layout] = server.__enter__().at("shop.localhost")
    yield found
    for server in running:
        server.__exit__(None, None, None)


def opened(visit: Visitors, url: str, **options: Any) -> Page:
    shown = visit(**options).new_page()
    shown.goto(url)
    return shown


def fits(shown: Page, width: int, height: int) -> None:
    """Require both buttons whole, alike and side by side in view, and no sideways scrolling."""
    boxes = [shown.locator(f"#cg button[value={one}]").bounding_box() for one in ("reject", "accept")]
    refuse, accept = boxes
    assert refuse
    assert accept
    assert (refuse["width"], refuse["height"], refuse["y"]) == (
        accept["width"],
        accept["height"],
        accept["y"],
    )
    assert refuse["height"] >= 44
    for box in boxes:
        assert box
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= width
        assert box["y"] + box["height"] <= height
    assert shown.evaluate("document.documentElement.scrollWidth") <= width
    cut = "all => all.some(one => one.scrollWidth > one.clientWidth + 1 || one.scrollHeight > one.clientHeight + 1)"
    assert not shown.locator("#cg .cg-a button").evaluate_all(cut)


def test_no_overlay_lies_over_the_banner_and_the_shops_field_keeps_the_focus(
    visit: Visitors, shops: dict[str, str]
) -> None:
    shown = opened(visit, shops["bar"])

    assert shown.evaluate("document.activeElement.id") == "search"
    font = shown.locator("#cg button[value=reject]").evaluate("one => getComputedStyle(one).fontFamily")
    assert font == "Georgia, serif"
    with shown.expect_navigation():
        shown.locator("#cg button[value=reject]").click()  # refused while something lies over it
    assert shown.locator("#cg button[value=accept]").count() == 0


def test_a_document_without_html_head_and_body_asks(visit: Visitors, shops: dict[str, str]) -> None:
    shown = opened(visit, shops["card"] + "/bare")

    with shown.expect_navigation():
        shown.locator("#cg button[value=reject]").click()


@pytest.mark.slow
@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_layout_fits_every_width_and_shifts_nothing(
    visit: Visitors, shops: dict[str, str], layout: str
) -> None:
    for width, height in ((320, 568), (390, 780), (640, 400), (800, 600), (1280, 800)):
        shown = opened(visit, shops[layout] + "/plain", viewport={"width": width, "height": height})
        asked: list[str] = []
        shown.on("request", lambda one, asked=asked: asked.append(one.url))  # type: ignore[misc]

        fits(shown, width, height)
        assert shown.evaluate(SHIFTS) == 0
        assert asked == []
        shown.locator("#cg summary").click()
        fits(shown, width, height)
        shown.context.close()


@pytest.mark.slow
@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_buttons_of_a_language_fit_a_small_phone(
    visit: Visitors, shops: dict[str, str], lang: str
) -> None:
    shown = opened(visit, f"{shops['bar']}/{lang}", viewport={"width": 320, "height": 640})

    fits(shown, 320, 640)
    shown.locator("#cg summary").click()
    fits(shown, 320, 640)
