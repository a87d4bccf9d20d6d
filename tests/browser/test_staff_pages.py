"""A request from the customer's first click to its end, handled by support and officer without scripts."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from harness.servers import serving, wait_until
from playwright.sync_api import Page

from cookieguard import Config, CookieGuard
from cookieguard.config import Controller, DataKind, PolicyVersion, RightsSettings
from cookieguard.features.people.staff_list import change_staff
from cookieguard.identity.staff_token import Member, staff_codec, write_token
from cookieguard.keyring import Keyring
from cookieguard.storage.keyring_source import beside

from .conftest import Visitors, answer
from .test_policy_pages import LOOKS, require_readable
from .test_privacy_page import open_privacy
from .tiny import TinyShop, page

HOSTILE = "<img src=x onerror=\"document.title='owned'\">"
LONG = "PleaseCorrectThisVeryLongWordThatNobodyCanBreak" * 4
UNNAMED = """[...document.querySelectorAll('input:not([type=hidden]),textarea,select')]
  .filter(one => !one.labels.length).length"""
STAFF_LOOKS = ("desk", "phone", "dark")


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, dict[str, str]]]:
    """Serve a shop where /login logs in, and return tokens of its people by role."""
    state = tmp_path_factory.mktemp("staff") / "state"
    config = Config(
        state_dir=str(state),
        dev=True,
        data=(DataKind(id="orders", title="Orders and bills", purpose="To deliver"),),
        controller=Controller(name="Kiln & Co", address=("Ovenstraat 1", "1011 AA Amsterdam")),
        rights=RightsSettings(login_url="/login", by_hand=("deleted at the parcel service",)),
        policy=PolicyVersion(version="2026-01-15", folder="demo_site/policy"),
    )
    home = page(body="<h1>Shop</h1>")
    shop = TinyShop({"/": home, "/login": home}, logins={"/login": "10001"})

    with serving(CookieGuard(shop, config)) as server:
        yield server.at("shop.localhost"), tokens(state)


def tokens(state: Path) -> dict[str, str]:
    now = datetime.now(UTC).replace(microsecond=0)
    codec = staff_codec(Keyring.loads(beside(state).read_text(), setting="test"))
    members = [
        Member(id=at * 12, name=f"{role} person", role=role, made=now, expires=now + timedelta(days=1))
        for at, role in (("a", "support"), ("b", "officer"))
    ]
    change_staff(state, lambda before: before | {one.id: one for one in members})
    return {one.role: write_token(codec, one) for one in members}


def sign_in(shown: Page, url: str, token: str, page: str) -> None:
    shown.goto(f"{url}/_cg/{page}")
    shown.fill("#token", token)
    with shown.expect_navigation():
        shown.click("main form button")
    assert shown.url == f"{url}/_cg/{page}"


def do(shown: Page, act: str, text: str = "") -> None:
    form = shown.locator(f"form:has(button[value={act}])").first
    if not form.is_visible():
        shown.locator("details:has(form) > summary").first.click()
    if text:
        form.locator("[name=text]").fill(text)
    with shown.expect_navigation():
        form.locator(f"button[value={act}]").click()


def has_code(customer: Page, url: str) -> bool:
    """Ask for a code as a customer does, and return whether one was made."""
    customer.goto(f"{url}/_cg/permission")
    if not customer.locator("main form button").count():
        return False
    with customer.expect_navigation():
        customer.locator("main form button").click()
    return customer.locator(".code").count() > 0 and len(customer.locator(".code").inner_text()) == 9


@pytest.mark.parametrize(
    "look", ["desk", *(pytest.param(one, marks=pytest.mark.slow) for one in STAFF_LOOKS if one != "desk")]
)
def test_request_is_walked_from_the_first_click_to_the_answer_by_customer_support_and_officer(
    visit: Visitors, shop: tuple[str, dict[str, str]], look: str
) -> None:
    url, people = shop
    customer, support, officer = (visit(javascript=False, **LOOKS[look]).new_page() for _ in range(3))
    customer.goto(f"{url}/login")
    open_privacy(customer, url)
    customer.check("input[value=correct]")
    customer.fill("#text", f"{HOSTILE} {LONG} {look}")
    with customer.expect_navigation():
        customer.click("button[value=ask]")
    wait_until(lambda: has_code(customer, url), "the worker knows its customer, and makes a code")
    require_readable(customer, "permission-made", look)

    sign_in(support, url, people["support"], "requests")
    require_readable(support, "queue", look)
    with support.expect_navigation():
        support.locator(".queue a").first.click()
    assert "10001" in support.inner_text("main")
    assert support.locator("img").count() == 0
    do(support, "note", f"Called. {HOSTILE}")
    assert support.locator("button[value=done]").count() == 0
    require_readable(support, "request-support", look)
    assert support.goto(f"{url}/_cg/record").status == 403  # type: ignore[union-attr]

    sign_in(officer, url, people["officer"], "due")
    require_readable(officer, "due", look)
    with officer.expect_navigation():
        officer.get_by_role("link", name="Answer the request for a correction").first.click()
    require_readable(officer, "request-officer", look)
    do(officer, "done", "We corrected it.")
    require_readable(officer, "request-words", look)
    do(officer, "done")
    assert "decided, but the person does not have the answer yet" in officer.inner_text("h1")
    require_readable(officer, "request-closed", look)

    open_privacy(customer, url)
    assert customer.locator(".answer").first.inner_text() == "We corrected it."
    officer.reload()
    assert officer.locator(".acts form").count() == 0


# Of each table of the policy: by how much it is wider than its box, and how its text is aligned.
TABLES = """[...document.querySelectorAll('.shown table')].map(table => [
    table.scrollWidth - table.parentElement.clientWidth, getComputedStyle(table.querySelector('td+td')).textAlign])"""
NARROWEST = "Math.min(...[...document.querySelectorAll('dd')].map(one => one.getBoundingClientRect().width))"


@pytest.mark.parametrize("look", ["phone", pytest.param("rtl", marks=pytest.mark.slow)])
def test_receipt_and_record_are_read_on_a_phone(
    visit: Visitors, shop: tuple[str, dict[str, str]], look: str
) -> None:
    url, people = shop
    customer, officer = (visit(javascript=False, **LOOKS[one]).new_page() for one in (look, "phone"))
    customer.goto(url)
    answer(customer, "accept")

    def has_receipt() -> bool:
        answered = customer.goto(f"{url}/_cg/receipt")
        return answered is not None and answered.status == 200  # 202 while it is being sealed

    wait_until(has_receipt, "the choice is in the log")
    for media in ("screen", "print"):
        customer.emulate_media(media=media)
        require_readable(customer, f"receipt-{media}", look)
        if media == "screen":
            assert customer.locator("iframe.replay").bounding_box()["width"] > 300  # type: ignore[index]
        else:  # on narrow paper the frame would be cut, so the words are printed instead
            assert not customer.locator("iframe.replay").is_visible()
            said = customer.locator(".paper").inner_text()
            words = customer.frame_locator("iframe.replay").locator("#cg").evaluate("it => it.textContent")
            assert " ".join(said.split()) == " ".join(words.split())

    sign_in(officer, url, people["officer"], "record")
    officer.goto(f"{url}/_cg/record?id={customer.locator('h1+p').inner_text().split()[-1]}")
    for media in ("screen", "print"):
        officer.emulate_media(media=media)
        require_readable(officer, f"record-{media}", "phone")
        assert officer.evaluate(NARROWEST) > 200
        assert {(width > 0, align) for width, align in officer.evaluate(TABLES)} == {(False, "start")}


def test_letter_is_entered_and_every_field_has_its_label(
    visit: Visitors, shop: tuple[str, dict[str, str]]
) -> None:
    url, people = shop
    shown = visit(locale="en").new_page()
    sign_in(shown, url, people["support"], "requests")
    assert shown.evaluate(UNNAMED) == 0

    shown.fill("[name=contact]", "Anna Quandt, Street 1")
    shown.select_option("[name=kind]", "erase")
    shown.select_option("[name=who]", "known")
    do(shown, "add")
    assert shown.evaluate(UNNAMED) == 0
    do(shown, "erase")

    assert "Anna Quandt, Street 1" in shown.inner_text("main")
    assert shown.evaluate(UNNAMED) == 0
    do(shown, "step", "burnt the letter")
    assert "burnt the letter" in shown.inner_text(".steps")
