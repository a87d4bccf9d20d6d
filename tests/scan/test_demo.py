"""A browser scan of the demo finds every third party of its ad network, and its draft holds them all."""

from __future__ import annotations

import asyncio
import shutil
import tomllib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from harness.browser import Ear, chromium, counting, linger, playwright_started, visitor
from harness.servers import serving
from playwright.sync_api import BrowserContext, Page

from cookieguard import Config
from cookieguard.config import config_from_mapping
from cookieguard.scan.addresses import Addresses
from cookieguard.scan.browser.browser_scan import scan_by_browser
from cookieguard.scan.draft import draft
from cookieguard.scan.observations import ACCEPTED, Scan
from cookieguard.scan.plan import Parties, Plan
from cookieguard.scan.third_parties import Party, parties_of
from demo_site import adnet, shop
from demo_site.shop.database import Database

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(600)]
PAGES = ("/", "/journal", "/product/heron-teapot")
LABELS = {"ads", "metrics", "video", "widget"}


@contextmanager
def demo(tmp: Path, seeded: Path, *guards: Config) -> Iterator[tuple[Ear, list[str]]]:
    """Serve the ad network and one shop for each configuration."""
    network = adnet.create_app()
    log = network.state.log
    with ExitStack() as stack:
        ads = stack.enter_context(serving(network, http=counting(log.note_connection)))
        addresses = []
        for number, guard in enumerate(guards):
            database = Path(shutil.copy(seeded, tmp / f"{number}.sqlite3"))
            app = shop.create_app(ads_origin=ads.at("ads.localhost"), database=database, guard=guard)
            addresses.append(stack.enter_context(serving(app)).at("shop.localhost"))
        yield Ear(log), addresses


def scanned(address: str) -> tuple[Scan, list[Party]]:
    addresses = Addresses(allow_private=True)
    plan = Plan(start=f"{address}/", addresses=addresses, pages=12, seconds=400, insecure=True)
    seen = asyncio.run(scan_by_browser(plan))
    return seen, parties_of(seen, Parties(plan.start, plan.config))


def heard(context: BrowserContext, ear: Ear, address: str) -> set[str]:
    ear.forget()
    pages: list[Page] = []
    for path in PAGES:
        pages.append(context.new_page())
        pages[-1].goto(address + path)
    linger(pages)
    ear.wait()
    hosts = ear.hosts
    for page in pages:
        page.close()
    return {host.partition(".")[0] for host in hosts}


def test_the_draft_of_a_scan_of_the_demo_lets_nobody_in_before_consent_and_everybody_after(
    tmp_path: Path,
) -> None:
    seeded = tmp_path / "seeded.sqlite3"
    Database(seeded)
    with demo(tmp_path, seeded, Config(state_dir=str(tmp_path / "before"))) as (_, (address,)):
        seen, parties = scanned(address)
    text = draft(parties, Config())
    guarded = config_from_mapping(tomllib.loads(text) | {"state_dir": str(tmp_path / "after")})

    assert {one.hosts[0].partition(".")[0]: one.purpose for one in guarded.vendors} == {
        "ads": "marketing",
        "metrics": "statistics",
        "video": "preferences",
        "widget": "marketing",
    }
    assert not [one for one in parties if one.leaks]
    assert {one for vendor in guarded.vendors for one in vendor.cookies} >= {"_gl_id", "_gl_seen", "_ty_id"}
    ways = {one.element for one in seen.contacts if one.state == ACCEPTED and one.host == "ads.localhost"}
    assert {"beacon", "xhr", "iframe", "script", "image"} <= ways
    with (
        demo(tmp_path, seeded, guarded) as (ear, (address,)),
        playwright_started() as started,
        chromium(*started) as browser,
    ):
        with visitor(browser) as context:
            before = heard(context, ear, address)
        told = {}
        for choice in ("reject", "accept"):
            with visitor(browser) as context:
                page = context.new_page()
                page.goto(address)
                with page.expect_navigation():
                    page.locator(f"#cg button[value={choice}]").click()
                page.close()
                told[choice] = heard(context, ear, address)

    assert (before, told) == (set(), {"reject": set(), "accept": LABELS})
