"""Find the Chromium for a scan, launch it behind the scan's proxy, and give it the look of a visitor's browser."""

from __future__ import annotations

import os
import re
import shutil
from contextlib import suppress
from functools import partial
from pathlib import Path

from playwright.async_api import Browser, BrowserContext, Error, Page, Playwright

from cookieguard.errors import ScanFailed
from cookieguard.scan.plan import Plan
from cookieguard.scan.proxy import Proxy

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "microsoft-edge")
MACS = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
)
NO_BROWSER = (
    "no Chromium was found; install one (Debian: apt-get install chromium; else: python -m playwright install "
    "chromium), name it with --browser, or scan with --no-browser, which sees less"
)
# The browser's own traffic would count as the shop's. Without site isolation, one DevTools session sees the requests of
# all frames. `--disable-features` is not used: Playwright sets it too, and Chromium obeys only the last one.
ARGUMENTS = (
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-domain-reliability",
    "--disable-site-isolation-trials",
    "--disable-blink-features=AutomationControlled",  # tags that hide from tests would hide from the scan
    "--force-webrtc-ip-handling-policy=disable_non_proxied_udp",
    "--autoplay-policy=no-user-gesture-required",
)
# Hosts that Chromium itself contacts. A connection to them counts as the shop's only if a page requested it.
BROWSERS_OWN = re.compile(
    r"(accounts|clients\d*|update)\.google(apis)?\.com|([\w-]+-pa|content-autofill)\.googleapis\.com"
)
NO_SANDBOX = "Chromium ran without its sandbox, which does not start here: scan sites that you trust alone"
OPEN_MS = 20_000
VIEW = (1280, 800)
AGENT = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{}.0.0.0 Safari/537.36"


def find_browser(named: str, own: str) -> str:
    """Return the path of the browser to drive; `own` is the path of Playwright's. Raises ScanFailed."""
    if named:
        found = shutil.which(named)
        if found is None:
            raise ScanFailed(f"--browser {named} is no program; {NO_BROWSER}")
        return found
    candidates = [os.environ.get("CHROMIUM", ""), *map(shutil.which, NAMES), *MACS, own]
    found = next((str(path) for path in candidates if path and Path(path).is_file()), None)
    if found is None:
        raise ScanFailed(NO_BROWSER)
    return found


async def launch(playwright: Playwright, plan: Plan, proxy: Proxy, notes: list[str]) -> Browser:
    """Launch the browser, and note if it has no sandbox; raises ScanFailed.

    The sandbox is off by default in Playwright and does not work for root.
    """
    path = find_browser(plan.browser, playwright.chromium.executable_path)
    is_root = hasattr(os, "geteuid") and os.geteuid() == 0
    start = partial(
        playwright.chromium.launch,
        executable_path=path,
        args=list(ARGUMENTS),
        proxy={"server": proxy.url, "bypass": "<-loopback>"},
    )
    try:
        if not is_root:
            with suppress(Error):
                return await start(chromium_sandbox=True)
            notes.append(NO_SANDBOX)
        return await start(chromium_sandbox=False)
    except Error as error:
        raise ScanFailed(f"{path} does not start: {error.message.splitlines()[0]}") from error


async def new_visitor(browser: Browser, *, insecure: bool) -> BrowserContext:
    """Return a context without cookies and cache, as of a first visit."""
    context = await browser.new_context(
        viewport={"width": VIEW[0], "height": VIEW[1]},
        user_agent=AGENT.format(browser.version.partition(".")[0]),  # tags skip a browser named Headless
        ignore_https_errors=insecure,
        accept_downloads=False,
    )
    context.set_default_timeout(OPEN_MS)
    return context


async def close_others(other: Page, page: Page) -> None:
    """Close a window that a page opened."""
    if other is not page:
        with suppress(Error):  # already closed
            await other.close()
