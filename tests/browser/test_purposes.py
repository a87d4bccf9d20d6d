"""The shop's own purposes on banner and pages: with scripts and without, in three languages."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

import pytest
from harness.servers import serving
from playwright.sync_api import Page

from cookieguard import CookieGuard
from cookieguard.config import Config, config_from_mapping

from .conftest import Visitors, answer
from .tiny import TinyShop, page

HOSTS = {
    "chat": "widget.intercom.io",
    "polls": "renderer-assets.typeform.com",
    "ads": "www.googleadservices.com",
}
BODY = "".join(f'<img src="https://{host}/x.png" alt="">' for host in HOSTS.values())
NAMES = ["stripe", "dhl", "intercom", "google-analytics", "typeform", "google-ads"]
TITLES = {
    "en": [
        "Payment and shipping (necessary)",
        "Customer relations and chat",
        "Analytics",
        "Contests and surveys",
        "Advertising",
    ],
    "de": [
        "Zahlung und Versand (notwendig)",
        "Kundenbetreuung und Chat",
        "Analyse",
        "Gewinnspiele und Umfragen",
        "Werbung",
    ],
    "ar": [
        "الدفع والشحن (ضرورية)",
        "خدمة العملاء والدردشة",
        "التحليلات",
        "المسابقات والاستبيانات",
        "الإعلانات",
    ],
}


def shop(state: Path, **settings: object) -> CookieGuard:
    config = config_from_mapping(
        {"vendors": NAMES, "undeclared": "block", "state_dir": str(state), **settings}
    )
    pages = {f"/{lang}": page(body=BODY, lang=lang) for lang in TITLES}
    return CookieGuard(TinyShop(pages), config)


def contacted(shown: Page, url: str) -> set[str]:
    """Return whom a page contacts, by the names in HOSTS."""
    hosts: set[str] = set()
    shown.on("request", lambda one: hosts.add(urlsplit(one.url).netloc))
    shown.goto(url)
    return {name for name, host in HOSTS.items() if host in hosts}


@pytest.mark.parametrize("lang", TITLES)
def test_the_shops_categories_are_asked_for_in_the_visitors_language(
    visit: Visitors, tmp_path: Path, lang: str, *, javascript: bool
) -> None:
    with serving(shop(tmp_path, purpose_preset="shop")) as server:
        shown = visit(javascript=javascript).new_page()
        assert not contacted(shown, f"{server.url}/{lang}")
        shown.locator("#cg summary").click()
        assert shown.locator("#cg label b").all_text_contents() == TITLES[lang]
        assert shown.locator("#cg input[value=necessary]").is_disabled()
        shown.locator("#cg summary").click()

        answer(shown, "save", "relations")

        assert contacted(shown, f"{server.url}/{lang}") == {"chat"}
        shown.goto(f"{server.url}/_cg/choices?lang={lang}")
        assert shown.locator("article label strong").all_text_contents() == TITLES[lang]
        ticked = shown.locator("article input:checked")
        assert [one.get_attribute("value") for one in ticked.all()] == ["necessary", "relations"]


def test_whoever_accepted_the_general_purposes_is_asked_again_by_the_preset(
    visit: Visitors, tmp_path: Path, *, javascript: bool
) -> None:
    context = visit(javascript=javascript)
    with serving(shop(tmp_path)) as server:
        shown = context.new_page()
        shown.goto(f"{server.url}/en")
        answer(shown, "accept")
        assert contacted(context.new_page(), f"{server.url}/en") == set(HOSTS)

    with serving(shop(tmp_path, purpose_preset="shop")) as server:
        shown = context.new_page()

        assert not contacted(shown, f"{server.url}/en")
        assert shown.locator("#cg button[value=accept]").is_visible()


def test_a_shop_that_asks_for_nothing_shows_no_banner_and_keeps_the_way_to_its_page(
    visit: Visitors, tmp_path: Path, *, javascript: bool
) -> None:
    nothing = {"vendors": ["stripe"], "undeclared": "block", "stats": {"enabled": False}}
    config: Config = config_from_mapping({**nothing, "state_dir": str(tmp_path)})
    with serving(CookieGuard(TinyShop({"/": page(body=BODY)}), config)) as server:
        shown = visit(javascript=javascript).new_page()

        assert not contacted(shown, server.url)
        assert shown.locator("#cg button[value=accept]").count() == 0
        shown.get_by_role("link", name="Privacy choices").first.click()
        shown.get_by_role("heading", name="Purposes").wait_for()
        assert shown.locator("article").count() == 1
