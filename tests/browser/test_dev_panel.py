"""The panel of dev mode shows what is held, refused and hidden, and the settings that change it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from harness.servers import Server, serving
from playwright.sync_api import BrowserContext, Page, expect

from cookieguard import Config, CookieGuard, Vendor

from .tiny import TinyShop, page

Visitors = Callable[..., BrowserContext]
HEAD = (
    '<script src="https://js.chat.example/chat.js"></script>'
    "<script>setTimeout(function(){new Image().src='https://late.example/p.gif'},50)</script>"
    '<link rel="stylesheet" href="https://fonts.unheard-of.example/a.css">'
)
CHAT = Vendor(name="Example Chat", purpose="preferences", hosts=("*.chat.example",), cookies=("_chat*",))


def settings(tmp: Path, **more: object) -> Config:
    return Config(state_dir=str(tmp / "state"), vendors=(CHAT,), **more)  # type: ignore[arg-type]


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Server]:
    with ExitStack() as stack:
        app = CookieGuard(TinyShop({"/": page(HEAD)}), settings(tmp_path, dev=True))
        yield stack.enter_context(serving(app))


def opened(visit: Visitors, shop: Server) -> Page:
    context = visit(
        permissions=["clipboard-read", "clipboard-write"], viewport={"width": 1000, "height": 760}
    )
    context.set_default_timeout(60_000)
    found = context.new_page()
    found.goto(shop.at("localhost"))
    found.locator("cg-dev summary").click()
    return found


def test_the_panel_shows_what_is_held_why_and_the_lines_and_switches_the_state(
    visit: Visitors, shop: Server
) -> None:
    found = opened(visit, shop)
    found.evaluate("document.cookie = '_chat_id=1; path=/'")
    panel = found.locator("cg-dev details")

    expect(panel).to_contain_text("undecided, 2 held, 1 refused")
    expect(panel).to_contain_text("js.chat.example Example Chat, preferences")
    expect(panel).to_contain_text("late.example nobody declared it")
    panel.get_by_role("button", name="copy the TOML").first.click()
    expect(panel.get_by_role("button", name="copied")).to_be_visible()
    assert "[[vendors]]" in found.evaluate("navigator.clipboard.readText()")
    if os.environ.get("COOKIEGUARD_PICTURES"):
        found.screenshot(path=Path(os.environ["COOKIEGUARD_PICTURES"]) / "panel.png")
    with found.expect_navigation():
        panel.get_by_role("button", name="accepted").click()
    expect(panel).to_contain_text("accepted, 0 held, 0 refused")
    with found.expect_navigation():
        panel.get_by_role("button", name="undecided").click()
    expect(panel).to_contain_text("undecided, 2 held")
    assert found.locator("#cg button[value=accept]").count() == 1


def test_the_panel_asks_whether_a_host_of_pictures_is_the_shops_own_and_names_vendors_by_their_paths(
    visit: Visitors, tmp_path: Path
) -> None:
    tags = (
        '<script src="https://www.googletagmanager.com/gtag/js?id=G-1,2"></script>'
        '<img src="https://images.mugcdn.example/mug.jpg">'
        "<script>setTimeout(function(){new Image().src='https://late.mugcdn.example/p.gif'},50)</script>"
    )
    with serving(CookieGuard(TinyShop({"/": page(tags)}), settings(tmp_path, dev=True))) as served:
        panel = opened(visit, served).locator("cg-dev details")

        expect(panel).to_contain_text("it is Google Analytics, which the catalogue lists under statistics")
        for host in ("images.mugcdn.example", "late.mugcdn.example"):
            item = panel.locator("li").filter(has_text=host)
            item.get_by_role("button", name="copy it as the shop's own").click()
            expect(item.get_by_role("button", name="copied")).to_be_visible()
            assert panel.page.evaluate("navigator.clipboard.readText()") == f'first_party_hosts = ["{host}"]'
            expect(item.locator("pre")).to_contain_text('purpose = "marketing"')
