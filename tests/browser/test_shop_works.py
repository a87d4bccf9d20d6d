"""Cart, login and the shop's own scripts work in every state of consent, over http and https."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import trustme
from harness.browser import chromium, visitor
from harness.quick import some_of
from playwright.sync_api import BrowserContext, Page, Playwright

from .conftest import RICHEST, Demo, Visitors, answer, demo_serving, page_by_page, tour

NUMBER, PASSWORD = "10042", "blue-glaze"
PROFILES = [
    "https://www.pictogram.example/kilnandkettle",
    "https://pinwall.example/kilnandkettle",
    "https://chirper.example/@kilnandkettle",
]
OWN_COOKIES = {"__Host-cg_session", "__Host-cg_cart", "__Host-cg_consent"}
ANSWERS = {"undecided": (), "refused": ("reject",), "partly": ("save", "statistics"), "all": ("accept",)}


def fill_cart(page: Page, shop: str, quantity: int) -> None:
    page.goto(f"{shop}/product/heron-teapot")
    page.get_by_label("Quantity").fill(str(quantity))
    page.get_by_role("button", name="Put into cart").click()
    page.wait_for_url("**/cart")


def log_in(page: Page, shop: str) -> None:
    page.goto(f"{shop}/login")
    page.get_by_label("Customer number").fill(NUMBER)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url("**/account")


def visit_of(page: Page, shop: str) -> tuple[str, str]:
    """Return what the shop knows of its visitor: the quantity in the cart, the customer number."""
    page.goto(f"{shop}/cart")
    quantity = page.locator("input[name=quantity]")
    in_cart = quantity.input_value() if quantity.count() else ""
    page.goto(f"{shop}/account")
    is_in = urlsplit(page.url).path == "/account"
    return in_cart, page.locator(".kicker .number").inner_text() if is_in else ""


@pytest.mark.parametrize("javascript", some_of([True, False], True), ids=["with-script", "without-script"])
def test_cart_and_login_survive_every_change_of_consent(
    visit: Visitors, demo: Demo, javascript: bool
) -> None:
    shop, page = demo.guarded, visit(javascript=javascript).new_page()

    fill_cart(page, shop, 3)
    answer(page, "accept")
    assert visit_of(page, shop) == ("3", "")

    log_in(page, shop)
    assert visit_of(page, shop) == ("3", NUMBER)

    with page.expect_navigation():
        page.get_by_role("button", name="Withdraw").click()
    assert visit_of(page, shop) == ("3", NUMBER)

    page.get_by_role("link", name="Privacy choices").click()
    page.get_by_label("Statistics").check()
    page.get_by_role("button", name="Save choices").click()
    page.wait_for_url("**/account")
    assert visit_of(page, shop) == ("3", NUMBER)

    page.get_by_role("button", name="Log out", exact=True).click()
    page.wait_for_url(f"{shop}/")
    assert visit_of(page, shop) == ("", "")
    # Consent is the device's, not the customer's.
    assert page.get_by_role("button", name="Withdraw").count() == 1


@pytest.mark.slow  # under the signal a visitor is one who refused, and no test of carts asks
def test_cart_and_login_work_under_global_privacy_control(visit: Visitors, demo: Demo) -> None:
    page = visit(gpc=True).new_page()

    # More than the customer left in the other tests: of two quantities the larger counts.
    fill_cart(page, demo.guarded, 4)
    log_in(page, demo.guarded)

    assert visit_of(page, demo.guarded) == ("4", NUMBER)


@pytest.mark.parametrize("gpc", some_of([False, True], False), ids=["", "gpc"])
@pytest.mark.parametrize("choice", some_of(ANSWERS.values(), (), ANSWERS["partly"]), ids=ANSWERS)
def test_a_cart_script_that_links_to_social_profiles_works(
    visit: Visitors, demo: Demo, choice: tuple[str, ...], gpc: bool
) -> None:
    page = visit(gpc=gpc).new_page()
    refused: list[str] = []
    page.on("pageerror", lambda error: refused.append(str(error)))
    fill_cart(page, demo.guarded, 2)
    if choice and gpc:  # no banner asks under the signal: the page of choices does
        page.get_by_role("link", name="Privacy choices").click()
        if choice[1:]:
            page.get_by_label("Statistics").check()
        with page.expect_navigation():
            page.locator(f"button[value={choice[0]}]").click()
    elif choice:
        answer(page, *choice)

    page.goto(demo.guarded)
    page.get_by_text("2 pieces are waiting in your cart.").wait_for()

    assert page.locator("#cart-count").inner_text() == "2"
    links = page.locator("#profiles a")
    assert [links.nth(n).get_attribute("href") for n in range(links.count())] == PROFILES
    assert refused == []


def test_our_cookies_are_out_of_scripts_reach_and_bound_to_the_host(visit: Visitors, demo: Demo) -> None:
    context = visit()
    page = context.new_page()
    fill_cart(page, demo.guarded, 1)
    answer(page, "reject")

    ours = _own_cookies(context)

    assert ours == OWN_COOKIES
    assert "cg_" not in page.evaluate("document.cookie")


@pytest.mark.slow
def test_over_https_it_is_the_same(driver: tuple[Playwright, str], seeded: Path, tmp_path: Path) -> None:
    with (
        demo_serving(tmp_path, seeded, **_tls(tmp_path)) as demo,
        chromium(*driver) as browser,
    ):
        assert demo.guarded.startswith("https://shop.localhost:")
        with visitor(browser, ignore_https_errors=True) as context:
            unguarded = page_by_page(context, demo, demo.unguarded, RICHEST)
        with visitor(browser, ignore_https_errors=True) as context:
            before = tour(context, demo, demo.guarded, RICHEST)
            page = context.new_page()
            fill_cart(page, demo.guarded, 4)
            answer(page, "accept")
            page.close()
            accepted = page_by_page(context, demo, demo.guarded, RICHEST)
            page = context.new_page()
            log_in(page, demo.guarded)
            kept = visit_of(page, demo.guarded)
            cookies = _own_cookies(context)
            with page.expect_navigation():
                page.get_by_role("button", name="Withdraw").click()
            page.close()
            withdrawn = tour(context, demo, demo.guarded, RICHEST)

    assert all(unguarded.values())
    assert before == Counter()
    assert accepted == unguarded
    assert withdrawn == Counter()
    assert kept == ("4", NUMBER)
    assert cookies == OWN_COOKIES


def _own_cookies(context: BrowserContext) -> set[str]:
    """Name the cookies of ours, each as a browser keeps only what is Secure, host-bound and HttpOnly."""
    ours = [one for one in context.cookies() if "cg_" in one["name"]]
    for one in ours:
        assert one["name"].startswith("__Host-")
        assert one["secure"]
        assert one["httpOnly"]
        assert one["path"] == "/"
        assert one["domain"] == "shop.localhost"
        assert one["sameSite"] == "Lax"
    return {one["name"] for one in ours}


def _tls(tmp_path: Path) -> dict[str, str]:
    authority = trustme.CA()
    labels = ("shop", "unguarded", "ads", "metrics", "video", "widget")
    certificate = authority.issue_cert(*(f"{label}.localhost" for label in labels))
    chain, key = tmp_path / "chain.pem", tmp_path / "key.pem"
    certificate.private_key_pem.write_to_path(key)
    for part in certificate.cert_chain_pems:
        part.write_to_path(chain, append=True)
    return {"ssl_certfile": str(chain), "ssl_keyfile": str(key)}
