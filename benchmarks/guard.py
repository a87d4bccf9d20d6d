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

sys.path[:0] = [str(ROOT), str(ROOT / "tests")]
from browser.test_libraries import PACKAGES, library
from browser.tiny import TinyShop, page
from harness import npm
from harness.browser import chromium, playwright_started
from harness.servers import serving
from playwright.sync_api import Browser, Page

from cookieguard import Config, CookieGuard, Vendor

BAR = 3.0  # per cent
# Markup as shops have it: cards with a picture, a link, a button; `<meta>` of microdata is a word that the guard knows.
WORK = """
let card = n => `<li class="card"><a href="/p/${n}?a=1&amp;b=2"><img src="/i.svg" alt="Pot ${n}" width="8" height="8"></a>`
  + `<h3>Pot ${n} &lt;new&gt;</h3><p class="price" data-id="${n}">${n},00 EUR</p><button type="button">Buy</button></li>`;
let e = window.React?.createElement;
let list = (count, mark) => e("ul", { className: mark }, Array.from({ length: count / 5 }, (_, n) => e("li", { key: n,
  id: "i" + n, title: mark }, e("a", { href: "/p/" + n, onClick() {} }, mark + n), e("img", { src: "/i.svg?" + n,
  alt: "Pot", width: 8 }), e("input", { type: "checkbox", name: "x" + n, defaultChecked: n % 2 }), e("b", null, n)))); 
window.work = {
  nodes() {
    let stage = document.querySelector("#stage"), root = ReactDOM.createRoot(stage);
    for (let mark of ["one", "two"]) ReactDOM.flushSync ? ReactDOM.flushSync(() => root.render(list(10000, mark))) : root.render(list(10000, mark));
    return new Promise(done => setTimeout(() => { root.unmount(); setTimeout(done, 50); }, 50));
  },
  async "frames of the shop"() {
    let stage = document.querySelector("#stage"), loads = [];
    for (let n = 0; n !== 500; n++) {
      let frame = document.createElement("iframe");
      frame.src = "/own"; frame.title = "Part"; frame.width = 40; frame.height = 40;
      loads.push(new Promise(done => { frame.onload = done; }));
      stage.append(frame);
    }
    await Promise.all(loads);
  },
  async "empty frames written into"() {
    let stage = document.querySelector("#stage");
    for (let n = 0; n !== 500; n++) {
      let frame = document.createElement("iframe");
      stage.append(frame);
      frame.contentDocument.body.innerHTML = "<p>part</p>";
    }
  },
  async markup() {
    document.querySelector("#stage").innerHTML = cards;
  },
  async "markup with microdata"() {
    document.querySelector("#stage").innerHTML = microdata;
  },
};
let cards = "", microdata = "";
for (let n = 0; cards.length < 1e6; n++) cards += card(n);
for (let n = 0; microdata.length < 1e6; n++) microdata += card(n).replace("<button", '<meta itemprop="sku" content="' + n + '"><button');
"""
KINDS = ("nodes", "frames of the shop", "empty frames written into", "markup", "markup with microdata")
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
    files = {"/app.js": library(npm.installed(PACKAGES), "react") + WORK}
    text = "<p>A shop that sells pots, and tells of each.</p>" * 300
    app = TinyShop({"/": page("", body), "/own": page("", "<p>own</p>"), "/text": page("", text)}, files=files)
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
    spread = f"spread {(low - 1) * 100:+.1f} to {(high - 1) * 100:+.1f} %, unguarded {statistics.median(costs):.0f} ms"
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
