"""A scan with a browser finds what scripts load and store, and which held vendors the shop's own code needs."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from harness.browser import chromium, playwright_started
from harness.servers import serving
from playwright.async_api import Error

from cookieguard import Config, CookieGuard
from cookieguard.errors import ScanFailed
from cookieguard.scan.addresses import Addresses
from cookieguard.scan.browser.browser_scan import scan_by_browser
from cookieguard.scan.browser.chromium import NO_SANDBOX, find_browser, launch
from cookieguard.scan.browser.page_observer import page_parts_in
from cookieguard.scan.draft import draft
from cookieguard.scan.facts import facts_of, report_page
from cookieguard.scan.observations import ACCEPTED, ASKED, HELD, REFUSED, UNDECIDED, Scan
from cookieguard.scan.plan import Parties, Plan, Step, load_steps
from cookieguard.scan.proxy import Proxy
from cookieguard.scan.third_parties import Party, parties_of
from tests.scan.site import Site, pages

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]
VENDORS = "vendors.example"
ANALYTICS = f"""document.cookie = '_va_id=123456789; path=/; max-age=864000';
localStorage.setItem('_va_seen', 1);
new Image().src = 'http://late.{VENDORS}/late.gif?who=7&at=' + encodeURIComponent(location.pathname);"""
TAGS = f"""addEventListener('scroll', function () {{
fetch('http://scrolled.{VENDORS}/s', {{ mode: 'no-cors' }}) }}, {{ once: true }})"""
SCRIPTS = {
    "/a.js": ("text/javascript", ANALYTICS),
    "/t.js": ("text/javascript", TAGS),
    "/pay.js": ("text/javascript", "window.Till = function (how) { return how }"),
}
LABELS = ("analytics", "tags", "late", "scrolled", "pay", "pixel", "pictures")


@dataclass(frozen=True)
class Seen:
    scan: Scan
    parties: list[Party]
    asked: list[str]

    def hosts(self, state: str, how: str = ASKED) -> set[str]:
        found = (one for one in self.scan.contacts if (one.state, one.how) == (state, how))
        return {one.host.partition(".")[0] for one in found}


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seen]:
    state = tmp_path_factory.mktemp("state") / "s"
    vendors = Site(SCRIPTS)
    app = CookieGuard(Site(pages(VENDORS)), Config(state_dir=str(state)))
    with ExitStack() as stack:
        shop, network = (
            stack.enter_context(serving(app)),
            stack.enter_context(serving(vendors, lifespan="off")),
        )
        own = {(f"{label}.{VENDORS}", 80): ("127.0.0.1", network.port) for label in LABELS}
        own |= {("localhost", shop.port): ("127.0.0.1", shop.port)}
        steps = (Step(open="/product/mug"), Step(click="text=Basket"))
        plan = Plan(start=shop.at("localhost") + "/", addresses=Addresses(own=own), pages=1, steps=steps)
        found = asyncio.run(scan_by_browser(plan))
        parties = parties_of(found, Parties(plan.start, plan.config))
        yield Seen(found, parties, vendors.asked)


def test_what_scripts_load_late_is_found_once_all_is_agreed_to_and_nothing_before(seen: Seen) -> None:
    assert seen.hosts(ACCEPTED) == set(LABELS)
    assert seen.hosts(UNDECIDED) == seen.hosts(REFUSED) == set()
    assert {"analytics", "pay", "pixel"} <= seen.hosts(UNDECIDED, HELD)
    assert not [one for one in seen.parties if one.leaks]
    late = [one for one in seen.scan.contacts if one.host.startswith("late.") and one.how == ASKED]
    assert late[0].by == f"http://analytics.{VENDORS}/a.js"
    assert "who" not in late[0].url


def test_steps_lead_to_pages_and_each_is_looked_at_in_each_state(seen: Seen) -> None:
    looked = {(one.page, one.state) for one in seen.scan.looks}

    assert looked == {(page, state) for page in ("/", "/product/mug", "/cart") for state in seen.scan.states}
    assert seen.scan.states == (UNDECIDED, REFUSED, ACCEPTED)
    assert all(one.picture.startswith(b"\xff\xd8") for one in seen.scan.looks)


def test_scan_lists_stored_items_by_name_with_the_script_that_wrote_them(seen: Seen) -> None:
    kept = {(one.name, one.kind, one.by, one.days) for one in seen.scan.kept if one.state == ACCEPTED}

    assert ("_va_id", "cookie", f"analytics.{VENDORS}", 10) in kept
    assert ("_va_seen", "local storage", f"analytics.{VENDORS}", None) in kept
    assert ("basket", "cookie", "", 1) in kept
    assert not {one.name for one in seen.scan.kept if one.state == REFUSED} & {"_va_id", "_va_seen"}


def test_what_the_shops_own_code_needs_of_who_is_held_is_told_with_whose_it_is(seen: Seen) -> None:
    assert {(one.page, one.missing, one.hosts) for one in seen.scan.needs} == {
        ("/cart", "Till", (f"pay.{VENDORS}",))
    }
    assert "own code on /cart needs it: Till" in draft(seen.parties, Config())


def test_the_report_holds_pictures_and_what_was_found(seen: Seen) -> None:
    page = report_page(seen.scan, facts_of(seen.scan, seen.parties, "")).decode("ascii")

    assert page.count("data:image/jpeg;base64,") == len(seen.scan.looks)
    assert f"http://late.{VENDORS}/late.gif" in page


def test_the_report_fits_a_phone(seen: Seen, tmp_path: Path) -> None:
    long = (
        "# It is let in without asking, which is right where the visitor pays with it; otherwise change its purpose.\n"
        * 2
    )
    file = tmp_path / "report.html"
    file.write_bytes(report_page(seen.scan, facts_of(seen.scan, seen.parties, long)))

    with playwright_started() as (playwright, path), chromium(playwright, path) as browser:
        shown = browser.new_page(viewport={"width": 320, "height": 700})
        shown.goto(file.as_uri())

        assert shown.locator("figure img").count()
        assert shown.evaluate("document.documentElement.scrollWidth") <= 320


def test_without_a_browser_one_line_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CHROMIUM", raising=False)

    with pytest.raises(ScanFailed, match="apt-get install chromium"):
        find_browser("", "")


def test_steps_are_read_from_a_file_and_a_secret_from_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOP_PASSWORD", "s3cret")
    file = tmp_path / "steps.toml"
    file.write_text('[[steps]]\nopen = "/login"\n[[steps]]\nfill = "#pw"\nvalue_from = "SHOP_PASSWORD"\n')

    steps = load_steps(file)

    assert [one.kind for one in steps] == ["open", "fill"]
    assert steps[1].text() == "s3cret"


@pytest.mark.parametrize(
    "text",
    ["", "steps = 1", "[[steps]]\nopen = 'x'", "[[steps]]\njump = '/'", "[[steps]]\nopen='/'\nclick='a'"],
)
def test_steps_that_cannot_be_taken_are_refused_before_anything_is_asked(tmp_path: Path, text: str) -> None:
    from cookieguard.errors import ConfigError

    file = tmp_path / "steps.toml"
    file.write_text(text)

    with pytest.raises(ConfigError, match="steps"):
        load_steps(file)


def test_scan_reports_hosts_that_got_the_pages_address(seen: Seen) -> None:
    told = {one.host.partition(".")[0] for one in seen.scan.contacts if one.told}
    silent = {one.host.partition(".")[0] for one in seen.scan.contacts if one.how == ASKED and not one.told}

    assert told == {"late"}
    assert "pixel" in silent  # the control: it was asked, and nothing was said
    assert {what for one in seen.parties for what in one.told} == {"the page's path"}


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("https://v.example/p?dl=https%3A%2F%2Fshop.example%2Forder%2F7", ("the page's path",)),
        ("https://v.example/p?dl=https%253A%252F%252Fshop.example%252Forder%252F7", ("the page's path",)),
        ("https://v.example/p?c=A-1700", ("what stands in the page's query",)),
        (
            'https://v.example/p {"url":"/order/7?customer=A-1700"}',
            ("the page's path", "what stands in the page's query"),
        ),
        ("https://v.example/p?dl=https://shop.example/", ()),
        ("https://v.example/p?s=big", ()),
    ],
)
def test_request_says_of_its_page_what_stands_in_its_address_or_body(
    said: str, told: tuple[str, ...]
) -> None:
    assert page_parts_in("https://shop.example/order/7?customer=A-1700&s=big", said) == told


class Launches:
    """A stand-in for Playwright's Chromium that starts in a sandbox or fails to."""

    def __init__(self, *, has_sandbox: bool) -> None:
        self.executable_path, self.has_sandbox = sys.executable, has_sandbox
        self.boxed: list[bool] = []

    @property
    def chromium(self) -> Any:
        return self

    async def launch(self, *, chromium_sandbox: bool, args: list[str], **_: Any) -> Any:
        self.boxed.append(chromium_sandbox)
        assert "--no-sandbox" not in args
        if chromium_sandbox and not self.has_sandbox:
            raise Error("Target page, context or browser has been closed")
        return self

    async def close(self) -> None:
        """Close the browser."""


@pytest.mark.parametrize(
    ("user", "has_sandbox", "boxed", "is_told"),
    [(0, True, [False], False), (1000, True, [True], False), (1000, False, [True, False], True)],
)
def test_chromium_runs_in_its_sandbox_and_where_it_cannot_that_is_told(
    monkeypatch: pytest.MonkeyPatch, user: int, has_sandbox: bool, boxed: list[bool], is_told: bool
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: user)
    monkeypatch.setenv("CHROMIUM", sys.executable)
    made, notes = Launches(has_sandbox=has_sandbox), list[str]()

    async def launched() -> None:
        addresses = Addresses()
        plan = Plan(start="https://shop.example/", addresses=addresses)
        async with Proxy(addresses, most_bytes=1) as proxy:
            await launch(made, plan, proxy, notes)  # type: ignore[arg-type]

    asyncio.run(launched())

    assert (made.boxed, notes) == (boxed, [NO_SANDBOX] * is_told)
