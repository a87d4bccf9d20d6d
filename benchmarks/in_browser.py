"""Measure what cookieguard adds to a page in Chromium before a choice, and whether the banner needs its script.

    python benchmarks/in_browser.py [--pages DIR] [--rounds N]

The first table has two pages of the demo and three of DIR (*.html, *.html.gz; by size), bare and guarded in turn, each
in a process of its own: CPU time of the page's thread, first paint, layout shift, and bytes of the page and our files
(gzip -9). Hosts of other parties are unknown to the browser. The second table has the time from the page's start until
the banner is in view, and until "Refuse all" was clicked and is obeyed, while the banner's script is slow, fails or is
blocked. Both are medians. Needs Chromium.
"""

from __future__ import annotations

import argparse
import asyncio
import gzip
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from figures import grid
from pages import ROOT, pages

sys.path.insert(0, str(ROOT))
sys.path.insert(0, str(ROOT / "tests"))
from browser.tiny import TinyShop
from harness.browser import chromium, playwright_started
from harness.servers import serving
from playwright.sync_api import Browser, Route

from cookieguard import Config, CookieGuard

ROUNDS = 7
SETTLE = 500  # milliseconds after `load`, in which the banner takes its place
SLOW = 3.0  # seconds
VENDORS = ["google-analytics", "stripe", "youtube"]
HEADER = ("page", "KB", "thread ms", "script ms", "style and layout ms", "first paint ms", "shift", "gzip KB")
OFFLINE = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE *.localhost, EXCLUDE 127.0.0.1"
WATCH = """self.shift = 0; new PerformanceObserver(list => list.getEntries().forEach(entry => shift += entry.value))
.observe({type: "layout-shift", buffered: true})"""
PAINT = "performance.getEntriesByType('paint')[0]?.startTime || 0"
SCRIPT, LATE = "**/_cg/banner.*.js", "x-late"


FAULTS: Mapping[str, Callable[[Route], None]] = {
    "there": lambda route: route.continue_(),
    f"{SLOW:g} s late": lambda route: route.continue_(headers={**route.request.headers, LATE: "1"}),
    "answered with 500": lambda route: route.fulfill(status=500),
    "blocked": lambda route: route.abort(),
}


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pages", type=Path)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    options = parser.parse_args()
    texts = pages(None)[:2]
    if options.pages is not None:
        real = sorted(pages(options.pages), key=len)
        texts += [real[len(real) * part // 4] for part in (1, 2, 3)]
    app = TinyShop({f"/{number}": text.decode("utf-8", "replace") for number, text in enumerate(texts)})
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        guarded = CookieGuard(app, Config(state_dir=f"{folder}/state"), vendors=VENDORS)
        places = {
            name: stack.enter_context(serving(one)).at("shop.localhost")
            for name, one in (("bare", app), ("guarded", _late(guarded)))
        }
        browser = stack.enter_context(chromium(*stack.enter_context(playwright_started()), OFFLINE))
        rows = [
            row
            for number, text in enumerate(texts)
            for row in _rows(browser, places, number, text, options.rounds)
        ]
        print(grid([HEADER, *rows]), end="\n\n")
        faults = [(name, *_chosen(browser, places["guarded"], name, options.rounds)) for name in FAULTS]
        print(grid([("banner's script", "banner in view after ms", "choice obeyed after ms"), *faults]))


def _late(app: Any) -> Any:
    """Let requests with the header wait. The browser's driver cannot, because it runs in the thread that measures."""

    async def answer(scope: Any, receive: Any, send: Any) -> None:
        if any(name == LATE.encode() for name, _ in scope.get("headers", ())):
            await asyncio.sleep(SLOW)
        await app(scope, receive, send)

    return answer


def _rows(
    browser: Browser, places: Mapping[str, str], number: int, text: bytes, rounds: int
) -> list[tuple[str, ...]]:
    """Return a row for the page, one with the guard and one for what it adds."""
    taken: dict[str, list[tuple[float, ...]]] = {name: [] for name in places}
    for turn in range(rounds + 1):
        for name in sorted(places, reverse=bool(turn % 2)):
            found = _opened(browser, f"{places[name]}/{number}")
            if turn:  # the first one warms server and browser
                taken[name].append(found)
    medians = {name: [*map(statistics.median, zip(*found, strict=True))] for name, found in taken.items()}
    added = [after - before for before, after in zip(medians["bare"], medians["guarded"], strict=True)]
    size = f"{len(text) / 1000:.0f}"
    return [
        (
            f"{number + 1}, {name}",
            size,
            *(f"{value:.{3 if at == 4 else 1}f}" for at, value in enumerate(values)),
        )
        for name, values in (*medians.items(), ("added", added))
    ]


def _opened(browser: Browser, url: str) -> tuple[float, ...]:
    """Open a page as a new visitor; return what it took."""
    packed: list[int] = []
    with browser.new_context(viewport={"width": 1280, "height": 800}) as context:
        tab = context.new_page()
        tab.add_init_script(WATCH)
        session = context.new_cdp_session(tab)
        session.send("Performance.enable", {"timeDomain": "threadTicks"})
        before = _metrics(session)
        files: list[Any] = []
        tab.on(
            "response",
            lambda found: files.append(found) if found.url == url or "/_cg/" in found.url else None,
        )
        tab.goto(url, wait_until="load")
        tab.wait_for_timeout(SETTLE)
        after = _metrics(session)
        packed = [len(gzip.compress(file.body(), 9, mtime=0)) for file in files]
        spent = {name: (after[name] - before[name]) * 1000 for name in after}
        shift = float(tab.evaluate("self.shift"))
        paint = float(tab.evaluate(PAINT))
    layout = spent["LayoutDuration"] + spent["RecalcStyleDuration"]
    return spent["TaskDuration"], spent["ScriptDuration"], layout, paint, shift, sum(packed) / 1000


def _metrics(session: Any) -> dict[str, float]:
    found = session.send("Performance.getMetrics")["metrics"]
    return {one["name"]: one["value"] for one in found if one["name"].endswith("Duration")}


def _chosen(browser: Browser, place: str, fault: str, rounds: int) -> tuple[str, ...]:
    """Return when the banner was in view and when its choice was obeyed, with this fault of its script."""
    taken = []
    for _ in range(rounds):
        with browser.new_context() as context:
            tab = context.new_page()
            tab.route(SCRIPT, FAULTS[fault])
            start = time.perf_counter()
            tab.goto(f"{place}/0", wait_until="commit")
            refuse = tab.locator("#cg button[value=reject]")
            refuse.wait_for(state="visible")
            seen = time.perf_counter()
            refuse.click(no_wait_after=True)
            refuse.wait_for(state="detached")
            taken.append((seen - start, time.perf_counter() - start))
    return tuple(f"{statistics.median(times) * 1000:.0f}" for times in zip(*taken, strict=True))


if __name__ == "__main__":
    main()
