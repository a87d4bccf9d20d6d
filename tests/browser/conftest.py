"""One Chromium, one ad network and two shops (guarded, unguarded) for all tests of this folder."""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from harness.browser import (
    Contact,
    Ear,
    chromium,
    counting,
    linger,
    playwright_started,
    stir,
    visitor,
)
from harness.servers import serving
from playwright.sync_api import Browser, BrowserContext, Page, Playwright

from cookieguard import Config, CookieGuard
from demo_site import adnet, shop
from demo_site.settings import guard_config
from demo_site.shop.database import Database

PAGES = {
    "home": "/",
    "product": "/product/heron-teapot",
    "journal": "/journal",
    "404": "/nope",
    "500": "/crash",
}
# The vendor of each element; `widget` has none, since it is not declared.
HOSTS = {"preferences": "video", "statistics": "metrics", "marketing": "ads"}

# The two with the most tags: the partner's banner, the style sheet and both embeds.
RICHEST = ("home", "journal")

Visitors = Callable[..., BrowserContext]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test of this folder."""
    here = f"{Path(__file__).parent}{os.sep}"  # of thousands of items: `parents` of each took a second
    for item in items:
        if str(item.path).startswith(here):
            item.add_marker(pytest.mark.browser)


@dataclass(frozen=True)
class Demo:
    """Addresses of both shops, and the log of the ad network that their tags contact."""

    guarded: str
    unguarded: str
    network: Ear
    domain: str

    def host(self, label: str) -> str:
        """Name a host of the ad network."""
        return f"{label}.{self.domain}"

    def of(self, *purposes: str) -> set[str]:
        """Name the hosts that serve these purposes.

        The undeclared widget is allowed with marketing only if no declared host is held: a policy is a
        list of hosts, and cannot say "all but these".
        """
        return {self.host(HOSTS[one]) for one in purposes}


@contextmanager
def demo_serving(tmp: Path, seeded: Path, domain: str = "localhost", **tls: Any) -> Iterator[Demo]:
    """Serve the ad network, the guarded shop and its unguarded copy as hosts below `domain`."""
    network = adnet.create_app()
    log = network.state.log
    with ExitStack() as stack:
        ads = stack.enter_context(serving(network, http=counting(log.note_connection), **tls))
        origin = ads.at(f"ads.{domain}")
        shops = []
        for name in ("guarded", "unguarded"):
            guard = guard_config(ads_origin=origin, state_dir=tmp / "state") if name == "guarded" else None
            database = Path(shutil.copy(seeded, tmp / f"{name}.sqlite3"))
            app = shop.create_app(ads_origin=origin, database=database, guard=guard)
            shops.append(stack.enter_context(serving(app, **tls)))
        yield Demo(
            guarded=shops[0].at(f"shop.{domain}"),
            unguarded=shops[1].at(f"unguarded.{domain}"),
            network=Ear(log),
            domain=domain,
        )


@pytest.fixture(scope="package")
def driver() -> Iterator[tuple[Playwright, str]]:
    """Start Playwright and find Chromium."""
    with playwright_started() as started:
        yield started


@pytest.fixture(scope="package")
def browser(driver: tuple[Playwright, str]) -> Iterator[Browser]:
    """Launch the Chromium that all tests share."""
    with chromium(*driver) as launched:
        yield launched


@pytest.fixture(scope="package")
def seeded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Seed the shop's database once: hashing passwords is slow on purpose."""
    path = tmp_path_factory.mktemp("seeded") / "shop.sqlite3"
    Database(path)
    return path


@pytest.fixture(scope="package")
def demo(tmp_path_factory: pytest.TempPathFactory, seeded: Path) -> Iterator[Demo]:
    """Serve the demo on loopback names, as `make demo` does."""
    with demo_serving(tmp_path_factory.mktemp("demo"), seeded) as served:
        yield served


@pytest.fixture
def visit(browser: Browser) -> Iterator[Visitors]:
    """Give a maker of new visitors: `visit(javascript=..., gpc=..., **options of new_context)`."""
    with ExitStack() as stack:
        yield lambda **options: stack.enter_context(visitor(browser, **options))


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[Callable[..., str]]:
    """Give a function that serves a guarded app and returns its address; `is_guarded=False` serves it unguarded."""
    with ExitStack() as stack:

        def serve(app: Any, *, is_guarded: bool = True, **settings: Any) -> str:
            if is_guarded:
                app = CookieGuard(app, Config(state_dir=str(tmp_path / "state"), **settings))
            return stack.enter_context(serving(app)).at("shop.localhost" if is_guarded else "bare.localhost")

        yield serve


@pytest.fixture(params=[True, False], ids=["with-script", "without-script"])
def javascript(request: pytest.FixtureRequest) -> bool:
    """Run a test with JavaScript, and without."""
    return bool(request.param)


@pytest.fixture(scope="package")
def unguarded(browser: Browser, demo: Demo) -> Callable[[bool], dict[str, Counter[Contact]]]:
    """Return what every unguarded page sends to the ad network; measured once for each kind of visit."""
    measured: dict[bool, dict[str, Counter[Contact]]] = {}

    def measure(javascript: bool) -> dict[str, Counter[Contact]]:
        if javascript not in measured:
            with visitor(browser, javascript=javascript) as context:
                measured[javascript] = page_by_page(context, demo, demo.unguarded)
        return measured[javascript]

    return measure


def page_by_page(
    context: BrowserContext, demo: Demo, shop_url: str, names: Iterable[str] = PAGES
) -> dict[str, Counter[Contact]]:
    """Open each page until the network is quiet, leave it, and return what each of them sent."""
    heard = {}
    page = context.new_page()
    for name in names:
        demo.network.forget()
        page.goto(shop_url + PAGES[name])
        stir(page)
        demo.network.wait()
        page.goto("about:blank")  # tags report that the page was left
        demo.network.wait()
        heard[name] = demo.network.contacts
    page.close()
    return heard


def tour(
    context: BrowserContext, demo: Demo, shop_url: str, names: Iterable[str] = PAGES
) -> Counter[Contact]:
    """Open these pages at once, linger, and return all contacts until they are closed."""
    demo.network.forget()
    pages = []
    for name in names:
        pages.append(context.new_page())
        pages[-1].goto(shop_url + PAGES[name], wait_until="commit")
    for page in pages:
        page.wait_for_load_state("load")
    linger(pages)
    for page in pages:
        page.close()
    demo.network.wait()
    return demo.network.contacts


def answer(page: Page, button: str, *purposes: str) -> None:
    """Press a button of the banner and wait for the next page."""
    banner = page.locator("#cg")
    if purposes:
        banner.locator("summary").click()
    for purpose in purposes:
        banner.locator(f"input[value={purpose}]").check()
    with page.expect_navigation():
        banner.locator(f"button[value={button}]").click()
