"""A stolen remember-me cookie in the demo shop logs both browsers out and warns the customer."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from harness.quick import some_of
from harness.servers import serving
from playwright.sync_api import Page

from demo_site import shop
from demo_site.settings import guard_config

from .conftest import Visitors

SESSION, REMEMBER = "__Host-cg_session", "__Host-cg_remember"


class Clock:
    """A clock that tests advance."""

    def __init__(self) -> None:
        self.ahead = timedelta(0)

    def __call__(self) -> datetime:
        """Return the time that the shop sees."""
        return datetime.now(UTC) + self.ahead


@pytest.fixture
def clock() -> Clock:
    """Return the shop's clock."""
    return Clock()


@pytest.fixture
def address(tmp_path: Path, seeded: Path, clock: Clock) -> Iterator[str]:
    """Serve a shop whose clock can be moved; its tags' hosts do not exist."""
    ads = "http://ads.localhost:9"
    guard = guard_config(ads_origin=ads, state_dir=tmp_path / "state")
    database = Path(shutil.copy(seeded, tmp_path / "shop.sqlite3"))
    app = shop.create_app(ads_origin=ads, database=database, guard=guard, clock=clock)
    with serving(app) as server:
        yield server.at("shop.localhost")


def log_in(page: Page, address: str, *, remember: bool = False) -> None:
    page.goto(f"{address}/login")
    page.get_by_label("Customer number").fill("10042")
    page.get_by_label("Password").fill("blue-glaze")
    if remember:
        page.get_by_label("Keep me logged in on this device").check()
    page.get_by_role("button", name="Log in").click()
    page.get_by_role("heading", name="Hello, Mara.").wait_for()


def is_customer(page: Page, address: str) -> bool:
    page.goto(f"{address}/account")
    return page.get_by_role("heading", name="Hello, Mara.").count() == 1


def test_after_a_theft_both_are_guests_and_the_next_login_tells_it(
    visit: Visitors, address: str, clock: Clock
) -> None:
    owners, thiefs = visit(), visit()
    owner, thief = owners.new_page(), thiefs.new_page()
    log_in(owner, address, remember=True)
    (stolen,) = [one for one in owners.cookies() if one["name"] == REMEMBER]
    assert stolen["httpOnly"]
    thiefs.add_cookies([stolen])  # type: ignore[list-item]  # what cookies() gives is what add_cookies() takes

    assert is_customer(thief, address)
    assert thief.get_by_text("You were kept logged in").count() == 1
    assert is_customer(thief, address)
    clock.ahead = timedelta(days=1)
    owners.clear_cookies(name=SESSION)

    assert not is_customer(owner, address)
    assert not is_customer(thief, address)
    log_in(owner, address)
    assert "used a copy of the cookie" in owner.get_by_role("status").inner_text()
    owner.reload()
    assert owner.get_by_role("status").count() == 0


def test_remembered_customer_is_still_logged_in_without_the_session(
    visit: Visitors, address: str, clock: Clock
) -> None:
    context = visit(javascript=False)
    page = context.new_page()
    log_in(page, address, remember=True)
    for days in (20, 40):
        clock.ahead = timedelta(days=days)
        context.clear_cookies(name=SESSION)
        assert is_customer(page, address)
        assert is_customer(page, address)

    with page.expect_navigation():
        page.get_by_role("button", name="Log out", exact=True).click()
    assert REMEMBER not in {one["name"] for one in context.cookies()}
    assert not is_customer(page, address)


@pytest.mark.parametrize("javascript", some_of([True, False], False), ids=["with-script", "without-script"])
def test_logging_out_everywhere_ends_the_visit_in_the_second_browser_too(
    visit: Visitors, address: str, javascript: bool
) -> None:
    one, other = (visit(javascript=javascript).new_page() for _ in range(2))
    log_in(one, address)
    log_in(other, address, remember=True)
    copies = other.context.cookies()
    assert (is_customer(one, address), is_customer(other, address)) == (True, True)

    one.goto(f"{address}/account")
    one.get_by_role("button", name="Log out everywhere").click()
    one.wait_for_url(f"{address}/")

    assert (is_customer(one, address), is_customer(other, address)) == (False, False)
    other.context.add_cookies(copies)  # type: ignore[arg-type]  # session and remember-me of before
    assert not is_customer(other, address)
    log_in(other, address)
    assert (is_customer(one, address), is_customer(other, address)) == (False, True)
