"""A refusal follows its customer to another device, in a real browser."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from harness.browser import Recorder
from harness.quick import some_of
from harness.servers import serving
from playwright.sync_api import BrowserContext

from cookieguard import Config, CookieGuard, visitor_of

from .conftest import answer

SOON = 10  # seconds: twice what a worker takes to learn of a refusal
SHOP, ADS = "shop.localhost", "ads.localhost"


def shop_with(tags: Sequence[str]) -> Any:
    """Return a shop whose page has these tags, and where /login logs in."""

    async def shop(scope: Any, _: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        if scope["path"] == "/login":
            visitor_of(scope).login("10042")
        page = f'<!doctype html><html lang="en"><body><h1>Shop</h1>{"".join(tags)}</body></html>'
        headers = [(b"content-type", b"text/html; charset=utf-8")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": page.encode()})

    return shop


@pytest.mark.parametrize("javascript", some_of([True, False], True), ids=["with-script", "without-script"])
def test_refusal_on_one_device_applies_on_another_after_the_login(
    tmp_path: Path, visit: Callable[..., BrowserContext], javascript: bool
) -> None:
    network = Recorder()
    tags: list[str] = []
    shop = shop_with(tags)
    config = Config(state_dir=str(tmp_path / "state"))
    with (
        serving(network) as ads,
        serving(CookieGuard(shop, config)) as one,
        serving(CookieGuard(shop, config)) as other,
    ):
        tags.append(f'<img src="{ads.at(ADS)}/pixel" alt="">')
        first, second = visit(javascript=javascript).new_page(), visit(javascript=javascript).new_page()
        first.goto(one.at(SHOP) + "/login")
        answer(first, "reject")
        second.goto(other.at(SHOP))
        answer(second, "accept")
        network.wait()
        control = len(network.requests)
        network.forget()
        second.goto(other.at(SHOP) + "/login")
        at_login = second.locator("#cg").inner_text()
        second.goto(other.at(SHOP))
        network.wait()

        assert control > 0
        assert network.requests == []
        assert "Your choice from another device applies" in at_login
        second.get_by_role("link", name="Privacy choices").click()
        second.get_by_text("You refused this on another device").wait_for()  # a click waits for no page
        with second.expect_navigation():
            second.locator("button[value=accept]").click()
        network.wait()
        assert len(network.requests) > 0


def test_refusal_on_one_device_applies_on_another_that_stays_logged_in(
    tmp_path: Path, visit: Callable[..., BrowserContext]
) -> None:
    network = Recorder()
    tags: list[str] = []
    shop = shop_with(tags)
    config = Config(state_dir=str(tmp_path / "state"))
    with (
        serving(network) as ads,
        serving(CookieGuard(shop, config)) as one,
        serving(CookieGuard(shop, config)) as other,
    ):
        tags.extend(f'<iframe src="{ads.at(ADS)}/frame/{number}"></iframe>' for number in range(3))
        first, second = visit().new_page(), visit().new_page()
        for page, server, choice in ((first, one, "reject"), (second, other, "accept")):
            page.goto(server.at(SHOP) + "/login")
            if choice == "accept":
                answer(page, choice)
        second.goto(other.at(SHOP))
        network.wait()
        control = len(network.requests)
        answer(first, "reject")
        refused, said = time.monotonic(), ""
        while "Your choice from another device applies" not in said and time.monotonic() < refused + SOON:
            network.wait()
            network.forget()
            second.goto(other.at(SHOP))
            said = second.locator("#cg").inner_text()
        network.wait()
        second.goto(other.at(SHOP) + "/_cg/privacy")

        assert control >= 3
        assert network.requests == []
        assert "Your choice from another device applies" in said
        assert second.locator("section.now").get_attribute("data-state") == "refused"
