"""If a script adds a base element that leads elsewhere, our forms and links still go to the shop."""

from __future__ import annotations

from pathlib import Path

import pytest
from harness.quick import some_of
from harness.servers import serving
from playwright.sync_api import Page, expect

from cookieguard import Config, CookieGuard, Vendor

from .conftest import Visitors
from .tiny import TinyShop, page

BASE = """<script>
{ const made = document.createElement('base'); made.href = 'http://cdn.localhost:1/shop/'; document.head.append(made) }
</script>"""
STRICT = "default-src 'self'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; connect-src 'none'"


def choose(opened: Page, name: str) -> None:
    with opened.expect_navigation():
        opened.get_by_role("button", name=name).click()


@pytest.mark.parametrize("policy", some_of(["", STRICT], STRICT), ids=["fetched", "sent as a form"])
def test_our_forms_and_links_that_open_the_choices_lead_to_the_shop(
    visit: Visitors, tmp_path: Path, policy: str
) -> None:
    html = page(BASE.replace("<script", "<script nonce='{nonce}'"), '<a data-cg-open href="/x">Choices</a>')
    vendors = (
        Vendor(name="Files", purpose="necessary", hosts=("cdn.localhost",)),
        Vendor(name="Count", purpose="statistics", hosts=("count.example",)),
    )
    settings = Config(vendors=vendors, state_dir=str(tmp_path))
    context = visit()
    context.set_default_timeout(10_000)
    opened = context.new_page()
    with serving(CookieGuard(TinyShop({"/": html}, {"/": policy} if policy else {}), settings)) as server:
        shop = server.at("shop.localhost")
        opened.goto(shop)
        assert opened.evaluate("document.baseURI").startswith("http://cdn.localhost")
        choose(opened, "Accept all")
        opened.locator("[data-cg-open]").click()
        opened.get_by_role("heading", name="Privacy choices").wait_for()
        assert opened.url.startswith(f"{shop}/_cg/choices?next=")
        opened.goto(shop)
        choose(opened, "Withdraw")
        expect(opened).to_have_url(f"{shop}/")
