"""Real pages in a real browser: before consent, no third party is connected to; the unguarded pages are the control.

COOKIEGUARD_PAGES names a folder of pages (*.html, *.html.gz); without it a page of our own is used. Every name but the
shop's leads to one listener.
"""

from __future__ import annotations

import gzip
import os
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest
from harness.browser import linger, whole_browser
from harness.servers import serving
from playwright.sync_api import BrowserContext, Playwright

from cookieguard import Config, CookieGuard, Vendor

from .conftest import answer
from .others import Others
from .tiny import TinyShop, page

FOLDER = os.environ.get("COOKIEGUARD_PAGES")
OWN = page(
    '<link rel="preconnect" href="https://fonts.example"><script async src="https://tags.example/t.js"></script>'
    '<script>document.write("<iframe src=https://film.example/1></iframe>")</script>',
    '<img src="https://ads.example/p.gif"><iframe src="https://film.example/2"></iframe>',
)
STATES = {"undecided": (), "refused": ("reject",), "partly": ("save", "statistics")}
AT_ONCE = 6  # tabs
NO_LINKS = "a, a * { pointer-events: none !important }"
LONGEST_LOAD = 8_000  # ms: what waits for others that never answer is left


def pages() -> dict[str, str]:
    """Read the pages by path."""
    paths = [path for path in sorted(Path(FOLDER).iterdir()) if ".html" in path.name] if FOLDER else []
    found = {f"/{path.name.partition('.')[0]}": path.read_bytes() for path in paths}
    unpacked = {
        name: gzip.decompress(text) if text.startswith(b"\x1f\x8b") else text for name, text in found.items()
    }
    return {"/own": OWN} | {name: text.decode("utf-8", "replace") for name, text in unpacked.items()}


@contextmanager
def shops(state: Path) -> Iterator[tuple[str, str]]:
    """Serve the pages, unguarded and guarded."""
    app = TinyShop(pages())
    vendor = Vendor(name="Count", purpose="statistics", hosts=("count.example",))
    guarded = CookieGuard(app, Config(state_dir=str(state), vendors=(vendor,)))
    with ExitStack() as stack:
        served = [stack.enter_context(serving(one)) for one in (app, guarded)]
        yield served[0].at("shop.localhost"), served[1].at("shop.localhost")


def opened(context: BrowserContext, url: str, others: Others) -> Counter[str]:
    """Open all pages; return who was connected to, how often."""
    others.forget()
    names = list(pages())
    for start in range(0, len(names), AT_ONCE):
        tabs = []
        for name in names[start : start + AT_ONCE]:
            tabs.append(context.new_page())
            tabs[-1].goto(f"{url}{name}", wait_until="commit", timeout=60_000)
        for tab in tabs:
            with suppress(Exception):  # one that waits for others does not load
                tab.wait_for_load_state("domcontentloaded", timeout=LONGEST_LOAD)
            with suppress(Exception):  # a link that is clicked goes where it leads
                tab.add_style_tag(content=NO_LINKS)
        linger(tabs)
        for tab in tabs:
            tab.close()
    return others.heard()


@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    "state", [pytest.param(one, marks=[pytest.mark.slow] if one != "undecided" else []) for one in STATES]
)
def test_real_pages_open_no_connection_to_third_parties_without_consent(
    driver: tuple[Playwright, str], tmp_path: Path, state: str
) -> None:
    others = Others()
    heard = []
    with shops(tmp_path / "state") as urls:
        for url in urls:
            with whole_browser(
                *driver, tmp_path / url[-5:], others.rules, ignore_https_errors=True
            ) as context:
                if STATES[state] and url == urls[1]:
                    tab = context.new_page()
                    tab.goto(f"{url}/own", timeout=60_000)
                    answer(tab, *STATES[state])
                heard.append(opened(context, url, others))
    others.close()

    print(
        f"{len(pages())} pages, {state}: {heard[0].total()} connections unguarded, {heard[1].total()} guarded"
    )
    assert len(heard[0]) >= 3
    assert heard[1] == Counter()
