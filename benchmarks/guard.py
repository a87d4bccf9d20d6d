"""Measure what the guard costs in Chromium: CPU of the page's thread, guarded beside unguarded, in turn.

    python benchmarks/guard.py [--rounds N] [--only WORD]

A shop's page does the same work in both: React makes, changes and removes 10,000 nodes; a script makes 500 frames;
a script sets 1 MB of markup. Each round opens both pages anew, and who is first changes. The figure is the median of
the rounds' ratios, `spread` the middle half of them. First paint is measured beside a shop that has all but the guard
(`html.guard = false`). Needs Chromium, and npm for React.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from figures import Figure, table
from pages import ROOT

sys.path.insert(0, str(ROOT))
sys.path.insert(0, str(ROOT / "tests"))
from browser.test_libraries import PACKAGES, library
from browser.tiny import TinyShop, page
from harness import npm
from harness.browser import chromium, playwright_started
from harness.servers import serving
from playwright.sync_api import Browser, Page

from cookieguard import Config, CookieGuard, Vendor

BAR = 3.0  # per cent
WORK = Path(__file__).with_name("guard_work.js")
KINDS = (
    "nodes",
    "frames of the shop",
    "empty frames written into",
    "markup",
    "markup with a frame",
    "markup with microdata",
)
FIRST_PAINT = "first paint"


@dataclass(frozen=True)
class Shops:
    """Say where the shop is: guarded, unguarded, and with all but the guard."""

    guarded: str
    unguarded: str
    without: str


@contextmanager
def shops(folder: Path) -> Iterator[Shops]:
    """Serve all three."""
    body = '<div id="stage"></div><script src="/app.js"></script>'
    files = {"/app.js": library(npm.installed(PACKAGES), "react") + WORK.read_text("utf-8")}
    text = "<p>A shop that sells pots, and tells of each.</p>" * 300
    app = TinyShop(
        {"/": page("", body), "/own": page("", "<p>own</p>"), "/text": page("", text)}, files=files
    )
    vendors = (Vendor(name="Ads", purpose="marketing", hosts=("ads.example",), cookies=("_ga",)),)
    config = Config(state_dir=str(folder / "state"), vendors=vendors)
    without = replace(config, html=replace(config.html, guard=False), state_dir=str(folder / "other"))
    with ExitStack() as stack:
        served = [CookieGuard(app, config), app, CookieGuard(app, without)]
        yield Shops(*(stack.enter_context(serving(one)).at("shop.localhost") for one in served))


@contextmanager
def opened(browser: Browser) -> Iterator[tuple[Page, Any]]:
    """Open a tab in a context, and a process, of its own."""
    with browser.new_context() as context:
        context.set_default_timeout(120_000)
        tab = context.new_page()
        session = context.new_cdp_session(tab)
        session.send("Performance.enable", {"timeDomain": "threadTicks"})
        yield tab, session


def spent(session: Any) -> float:
    """Return the seconds of CPU that the page's thread took so far."""
    metrics = {one["name"]: one["value"] for one in session.send("Performance.getMetrics")["metrics"]}
    return float(metrics["TaskDuration"])


def worked(browser: Browser, url: str, kind: str) -> float:
    """Return what this work costs in a new page."""
    with opened(browser) as (tab, session):
        tab.goto(url)
        tab.wait_for_timeout(100)
        before = spent(session)
        tab.evaluate("kind => work[kind]()", kind)
        tab.evaluate("document.body.offsetHeight")
        return spent(session) - before


def painted(browser: Browser, url: str) -> float:
    """Return what a page of text costs until it is painted."""
    with opened(browser) as (tab, session):
        before = spent(session)
        tab.goto(f"{url}/text", wait_until="load")
        tab.wait_for_function("performance.getEntriesByType('paint').length")
        return spent(session) - before


def measured(browser: Browser, found: Shops, kind: str, rounds: int) -> Figure:
    """Return the per cent that the guard costs."""
    ratios, costs = [], []
    for number in range(rounds + 1):
        plain = found.without if kind == FIRST_PAINT else found.unguarded
        pair = [found.guarded, plain] if number % 2 else [plain, found.guarded]
        took = {
            url: painted(browser, url) if kind == FIRST_PAINT else worked(browser, url, kind) for url in pair
        }
        if number:  # the first one warms the browser's caches
            ratios.append(took[found.guarded] / took[plain])
            costs.append(took[plain] * 1e3)
    low, middle, high = statistics.quantiles(ratios, n=4)
    spread = (
        f"spread {(low - 1) * 100:+.1f} to {(high - 1) * 100:+.1f} %, "
        f"unguarded {statistics.median(costs):.0f} ms"
    )
    print(f"{kind}: {(middle - 1) * 100:+.1f} %, {spread}", file=sys.stderr)
    return Figure(name=kind, value=(middle - 1) * 100, unit="%", bar=BAR, at_most=True, note=spread)


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--only", default="", help="what has this word in its name")
    options = parser.parse_args()
    if lacks := npm.missing():
        sys.exit(lacks)
    kinds = [kind for kind in (*KINDS, FIRST_PAINT) if options.only in kind]
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        found = stack.enter_context(shops(folder))
        browser = stack.enter_context(chromium(*stack.enter_context(playwright_started())))
        print(table(measured(browser, found, kind, options.rounds) for kind in kinds))


if __name__ == "__main__":
    main()
