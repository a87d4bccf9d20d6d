"""On plain http outside loopback, browsers keep no Secure cookie: the visitor is told once, without a loop."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from harness.browser import LINGER, chromium, visitor
from harness.quick import some_of
from playwright.sync_api import Browser, Page, Playwright

from .conftest import RICHEST, Demo, demo_serving, tour

NOTE = "Your browser will not keep this choice, because this page came over plain http."


@pytest.fixture(scope="module")
def faraway(driver: tuple[Playwright, str]) -> Iterator[Browser]:
    """Launch a Chromium that finds *.test here: names that mean nothing special to it."""
    with chromium(*driver, "--host-resolver-rules=MAP *.test 127.0.0.1") as launched:
        yield launched


@pytest.fixture(scope="module")
def demo_away(tmp_path_factory: pytest.TempPathFactory, seeded: Path) -> Iterator[Demo]:
    """Serve the demo as shop.test, ads.test and so on."""
    with demo_serving(tmp_path_factory.mktemp("away"), seeded, "test") as served:
        yield served


def documents_of(page: Page) -> list[int]:
    """Collect the status of every document the page loads from now on."""
    loaded: list[int] = []
    page.on(
        "response",
        lambda answer: loaded.append(answer.status) if answer.request.is_navigation_request() else None,
    )
    return loaded


@pytest.mark.parametrize("choice", some_of(["accept", "reject"], "accept"))
def test_the_banner_says_so_once_and_choosing_does_not_loop(
    faraway: Browser, demo_away: Demo, javascript: bool, choice: str
) -> None:
    with visitor(faraway, javascript=javascript) as context:
        page = context.new_page()
        page.goto(demo_away.guarded)
        notes = page.get_by_text(NOTE).count()
        loaded = documents_of(page)

        with page.expect_navigation():
            page.locator(f"#cg button[value={choice}]").click()
        time.sleep(LINGER)

        # With script: a fetch, and the page again. Without: the choice answers 303, and the page again.
        assert loaded == ([200] if javascript else [303, 200])
        assert notes == 1
        assert page.get_by_text(NOTE).count() == 1
        assert context.cookies(demo_away.guarded) == []


@pytest.mark.parametrize("javascript", some_of([True, False], True), ids=["with-script", "without-script"])
def test_plain_http_page_contacts_no_third_party_before_consent(
    faraway: Browser, demo_away: Demo, javascript: bool
) -> None:
    heard = {}
    for shop in (demo_away.unguarded, demo_away.guarded):
        with visitor(faraway, javascript=javascript) as context:
            heard[shop] = tour(context, demo_away, shop, RICHEST)

    assert heard[demo_away.unguarded]
    assert not heard[demo_away.guarded]


def test_a_cart_that_cannot_be_kept_is_empty_and_no_error(faraway: Browser, demo_away: Demo) -> None:
    with visitor(faraway) as context:
        page = context.new_page()
        page.goto(f"{demo_away.guarded}/product/heron-teapot")
        loaded = documents_of(page)
        page.get_by_role("button", name="Put into cart").click()
        page.wait_for_url("**/cart")

        assert loaded == [303, 200]
        assert page.get_by_text("There is nothing in it yet.").is_visible()


def test_the_page_of_choices_says_so_too(faraway: Browser, demo_away: Demo) -> None:
    with visitor(faraway, javascript=False) as context:
        page = context.new_page()
        page.goto(f"{demo_away.guarded}/_cg/choices")

        assert page.get_by_text(NOTE).count() == 1
