"""Wagtail and django-oscar, each in an environment of its own, work guarded as they do unguarded.

One walk is made unguarded, then undecided, refused and accepted: what somebody sees and what works must be the same,
and the third parties hear of it unguarded and accepted alone.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from harness.browser import chromium, linger, playwright_started, visitor
from harness.servers import launched
from harness.venvs import python_with
from playwright.sync_api import Browser, FilePayload, Page

from tests.scan.test_newcomer import everybody
from tests.scan.test_pages import Everybody

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(1800)]
SITES = Path(__file__).parent / "sites"
PICTURE = Path(__file__).parents[2] / "docs" / "banner.png"
PASSWORD = "blue-glaze"
STATES = ("undecided", "refused", "accepted")
CHOICES = {"refused": "reject", "accepted": "accept"}


@dataclass(frozen=True)
class Seen:
    """Hold what one walk saw: what each step showed, what failed, and who heard of it."""

    steps: dict[str, Any] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    hosts: set[str] = field(default_factory=set)


def walk_wagtail(page: Page, shop: str, state: str) -> Iterator[tuple[str, Any]]:
    """Read, search, ask, log in, upload a picture, write a page and find it."""
    yield "home", page.locator("h1").inner_text()
    yield "film", page.locator("iframe").count()
    page.get_by_role("link", name="Glazes").first.click()
    yield "page", page.locator("main").inner_text()
    page.locator("[name=query]").fill("Ask")
    page.get_by_role("button", name="Find").click()
    yield "search", page.locator("main li").all_inner_texts()
    page.goto(f"{shop}/ask/")
    page.locator("form.ask [name=question]").fill(f"Is it blue? ({state})")
    page.locator("form.ask button").click()
    yield "form", page.locator("h1").inner_text()

    page.goto(f"{shop}/admin/")
    page.locator("[name=username]").fill("editor")
    page.locator("[name=password]").fill(PASSWORD)
    page.locator("button[type=submit]").click()
    page.wait_for_url(f"{shop}/admin/")
    yield "admin", page.locator("h1").first.inner_text()
    page.goto(f"{shop}/admin/images/multiple/add/")
    page.locator("input[type=file]").first.set_input_files(picture(state))
    page.locator("#upload-list input[name$=title]").fill(f"Banner {state}")
    page.locator("#upload-list button[type=submit]").first.click()
    page.locator("#upload-list > li.upload-complete").wait_for(state="detached")
    page.goto(f"{shop}/admin/images/")
    yield "upload", page.get_by_text(f"Banner {state}").count() > 0
    page.goto(f"{shop}/admin/pages/add/wagtail_site/articlepage/{home_of(page, shop)}/")
    page.locator("[name=title]").fill(f"Written {state}")
    page.locator(".public-DraftEditor-content").first.click()
    page.keyboard.type("Fired at 1240 degrees")
    page.locator("footer [data-w-dropdown-target=toggle]").click()
    page.locator("[name=action-publish]").press("Enter")  # an open banner lies over the menu
    page.wait_for_url(f"{shop}/admin/pages/*/")
    page.goto(f"{shop}/written-{state}/")
    yield "published", page.locator("main").inner_text().replace(state, "STATE")
    yield "userbar", page.locator("wagtail-userbar").count()
    page.goto(f"{shop}/admin/reports/site-history/")
    yield "report", page.locator("h1").first.inner_text()


def picture(state: str) -> FilePayload:
    """Return a picture that no other walk brings: Wagtail asks about one that it has."""
    return {"name": "mug.png", "mimeType": "image/png", "buffer": PICTURE.read_bytes() + state.encode()}


def home_of(page: Page, shop: str) -> str:
    """Return the number of the site's home page, as the admin's API names it."""
    asked = "address => fetch(address).then(one => one.json())"
    answer = page.evaluate(asked, f"{shop}/admin/api/main/pages/?child_of=1")
    return str(answer["items"][0]["id"])


def walk_oscar(page: Page, shop: str, state: str) -> Iterator[tuple[str, Any]]:
    """Look, fill a basket, register, check out, read the order; then the owner's dashboard."""
    page.goto(f"{shop}/catalogue/")
    yield "catalogue", sorted(page.locator("article h3").all_inner_texts())
    page.get_by_role("link", name="Teapot").last.click()
    yield "product", page.locator("h1").inner_text()
    yield "jquery", page.evaluate("() => typeof jQuery")
    page.locator("#add_to_basket_form button").click()
    yield "added", page.locator("#messages").inner_text()
    page.goto(f"{shop}/basket/")
    page.locator("[name=form-0-quantity]").fill("2")
    page.locator("#basket_formset button[type=submit]").first.click()
    page.locator("#basket_totals", has_text="39.00").wait_for()
    yield "basket", page.locator("#basket_totals").inner_text()

    page.goto(f"{shop}/accounts/login/")
    form = page.locator("#register_form")
    form.locator("[name=registration-email]").fill(f"{state}@customers.example")
    form.locator("[name=registration-password1]").fill("ash-glaze-1240")
    form.locator("[name=registration-password2]").fill("ash-glaze-1240")
    form.locator("button[type=submit]").click()
    yield "registered", page.get_by_role("link", name="Logout").count()
    page.goto(f"{shop}/checkout/")
    for name, value in {
        "first_name": "Ada",
        "last_name": "Potter",
        "line1": "Kiln Street 1",
        "line4": "Utrecht",
        "postcode": "3511 AA",
    }.items():
        page.locator(f"[name={name}]").fill(value)
    page.locator("#new_shipping_address button[type=submit]").click()
    page.wait_for_url(f"{shop}/checkout/payment-details/")
    page.get_by_role("link", name="Continue").click()
    page.wait_for_url(f"{shop}/checkout/preview/")
    page.locator("#place-order").click()
    page.wait_for_url(f"{shop}/checkout/thank-you/")
    yield "ordered", "Utrecht" in page.locator("body").inner_text()
    page.goto(f"{shop}/accounts/orders/")
    yield "orders", page.locator("table tr").count()
    page.goto(f"{shop}/accounts/logout/")

    page.goto(f"{shop}/dashboard/login/")
    page.locator("[name=username]").fill("owner@shop.example")
    page.locator("[name=password]").fill(PASSWORD)
    page.locator("[name=password]").press("Enter")
    page.wait_for_url(f"{shop}/dashboard/")
    yield "dashboard", page.locator("h1").first.inner_text()
    page.goto(f"{shop}/dashboard/catalogue/")
    page.get_by_role("link", name="Kettle").first.click()
    page.get_by_role("link", name="Images").click()
    page.locator("[name=images-0-original]").set_input_files(picture(state))
    page.locator("[name=action]").last.click()
    yield "saved", page.locator("#messages").inner_text()
    page.goto(f"{shop}/catalogue/")
    yield "picture", page.locator("img[src*='/media/']").first.evaluate("one => one.naturalWidth > 0")


@dataclass(frozen=True)
class Site:
    """How a site is installed, its declared vendors, the hosts that its pages contact, and the tour of its pages."""

    packages: tuple[str, ...]
    vendors: tuple[str, ...]
    hosts: frozenset[str]
    walk: Callable[[Page, str, str], Iterator[tuple[str, Any]]]


SITE = {
    "wagtail": Site(
        ("wagtail>=7",),
        ("google-analytics", "youtube"),
        frozenset({"www.googletagmanager.com", "www.youtube.com"}),
        walk_wagtail,
    ),
    # Its own templates name Google's jQuery beside a copy of the shop's.
    "oscar": Site(
        ("django-oscar>=4", "sorl-thumbnail", "whoosh-reloaded"),
        ("google-analytics",),
        frozenset({"www.googletagmanager.com", "ajax.googleapis.com"}),
        walk_oscar,
    ),
}


@pytest.fixture(scope="module", params=SITE)
def seen(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Seen]:
    """Walk a site unguarded and in each state of consent."""
    name = request.param
    site, folder = SITE[name], tmp_path_factory.mktemp(name)
    python = python_with(*site.packages)
    (folder / "cookieguard.toml").write_text(f"vendors = {list(site.vendors)}\n")
    settings = {"DJANGO_SETTINGS_MODULE": f"{name}_site.settings"}  # another file's shop has set its own
    env = {"SITE_DIR": str(folder), "PYTHONPATH": str(SITES), **settings}
    subprocess.run([python, "-m", f"{name}_site.asgi"], check=True, cwd=folder, env=os.environ | env)
    command = [python, "-m", "uvicorn", f"{name}_site.asgi:application", "--port", "{port}"]
    found = {}
    with ExitStack() as stack:
        bare, guarded = (
            stack.enter_context(
                launched(command, cwd=folder, env=env | more, log_file=folder / f"{kind}.log")
            ).at("shop.localhost")
            for kind, more in {"bare": {}, "guarded": {"SITE_GUARDED": "1"}}.items()
        )
        recorder, rules = stack.enter_context(everybody())
        browser = stack.enter_context(chromium(*stack.enter_context(playwright_started()), rules))
        found["unguarded"] = _walked(browser, recorder, site, bare, "unguarded")
        for state in STATES:
            found[state] = _walked(browser, recorder, site, guarded, state)
    return found


def _walked(browser: Browser, recorder: Everybody, site: Site, shop: str, state: str) -> Seen:
    seen = Seen()
    with visitor(browser, ignore_https_errors=True) as context:
        page = context.new_page()
        page.goto(shop)
        if state in CHOICES:
            with page.expect_navigation():
                page.locator(f"#cg button[value={CHOICES[state]}]").click()
        recorder.wait()
        recorder.hosts.clear()
        page.on("pageerror", lambda error: seen.errors.append(str(error)))
        page.on(
            "response", lambda one: seen.failed.append(f"{one.status} {one.url}") if one.status > 399 else 0
        )
        page.goto(shop)
        for name, value in site.walk(page, shop, state):
            seen.steps[name] = value
        linger([page])
        recorder.wait()
        seen.hosts.update(recorder.hosts)
    return seen


def test_whatever_is_chosen_the_site_works_as_it_does_unguarded(seen: dict[str, Seen]) -> None:
    bare = seen["unguarded"]

    for state in STATES:
        assert seen[state].steps == bare.steps, state
        assert sorted(seen[state].errors) == sorted(bare.errors), state
        assert len(seen[state].failed) == len(bare.failed), (state, seen[state].failed, bare.failed)


def test_third_parties_hear_of_it_unguarded_and_accepted_alone(
    seen: dict[str, Seen], request: pytest.FixtureRequest
) -> None:
    name = request.node.callspec.params["seen"]

    assert SITE[name].hosts <= seen["unguarded"].hosts
    assert seen["undecided"].hosts == set()
    assert seen["refused"].hosts == set()
    assert seen["accepted"].hosts == seen["unguarded"].hosts
