"""A sign-in link of `cookieguard staff link` is previewed, opened in two browsers, and works in one."""

from __future__ import annotations

import json
from pathlib import Path

import httpx
from harness.commands import Shop
from harness.servers import wait_until

from .conftest import Visitors
from .test_staff_host import SHOP, STAFF, served


def test_link_signs_in_the_first_browser_that_uses_it(visit: Visitors, tmp_path: Path) -> None:
    with served(tmp_path / "state", staff=STAFF) as (shop, base):
        settings = f'state_dir = "state"\norigins = ["{shop}"]\n[staff]\norigin = "{base}"\n'
        (tmp_path / "cookieguard.toml").write_text(settings)
        desk = Shop(tmp_path)
        assert desk.run("staff", "add", "Olga", "--role", "officer").returncode == 0
        httpx.get(shop.replace(SHOP, "127.0.0.1"), headers={"host": shop.partition("://")[2]})
        wait_until((tmp_path / "state" / "store.db").exists, "the shop has its store")
        link = json.loads(desk.run("staff", "link", "Olga", "--json").stdout)["url"]
        assert link.startswith(f"{base}/_cg/staff?link=")

        first, second = (visit(javascript=False).new_page() for _ in range(2))
        for shown in (first, second):  # opening it, twice here, uses nothing up
            shown.goto(link)
            shown.reload()
        with second.expect_navigation():
            second.click(".sign button")
        with first.expect_navigation():
            first.click(".sign button")

        assert second.url == f"{base}/_cg/overview"
        assert "Olga" in second.inner_text(".member")
        assert "it works once" in first.inner_text("[role=alert]")
        assert first.goto(link).status == 403  # type: ignore[union-attr]
        assert first.goto(f"{base}/_cg/due").status == 403  # type: ignore[union-attr]
        assert second.goto(f"{base}/_cg/due").status == 200  # type: ignore[union-attr]


def test_form_after_the_end_of_a_session_leads_back_to_its_page(visit: Visitors, tmp_path: Path) -> None:
    with served(tmp_path / "state", staff=STAFF) as (shop, base):
        settings = f'state_dir = "state"\norigins = ["{shop}"]\n[staff]\norigin = "{base}"\n'
        (tmp_path / "cookieguard.toml").write_text(settings)
        desk = Shop(tmp_path)
        token = json.loads(desk.run("staff", "add", "Olga", "--role", "officer", "--json").stdout)["token"]
        browser = visit(javascript=False)
        shown, other = browser.new_page(), browser.new_page()
        shown.goto(f"{base}/_cg/requests?id=unknown")
        shown.fill("#token", token)
        with shown.expect_navigation():
            shown.click(".sign button")
        shown.goto(f"{base}/_cg/requests")
        other.goto(f"{base}/_cg/staff")
        with other.expect_navigation():
            other.click("text=Sign out")

        shown.fill("[name=contact]", "Anna Quandt, Street 1")
        shown.select_option("[name=who]", "known")
        with shown.expect_navigation():
            shown.click("button[value=add]")

        assert "This session has ended" in shown.inner_text("[role=alert]")
        assert "Anna Quandt, Street 1" in shown.inner_text("main")
        shown.fill("#token", token)
        with shown.expect_navigation():
            shown.click(".sign button")
        assert shown.url == f"{base}/_cg/requests"
        assert "No request is open" in shown.inner_text("main")
