"""The Chromium a scan drives: found, launched behind the scan's proxy, and made to look like a visitor's."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
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
# The browser's own traffic would be taken for the shop's. Frames of others stay in the page's process, so that one
# session hears of all requests. Playwright has a `--disable-features` of its own, and of two the last counts.
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
# Whom Chromium itself connects to: no page's doing where no page asked.
BROWSERS_OWN = re.compile(
    r"(accounts|clients\d*|update)\.google(apis)?\.com|([\w-]+-pa|content-autofill)\.googleapis\.com"
)
NO_SANDBOX = "Chromium ran without its sandbox, which does not start here: scan sites that you trust alone"
OPEN_MS = 20_000
VIEW = (1280, 800)
AGENT = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{}.0.0.0 Safari/537.36"


def find_browser(named: str, own: str) -> str:
    """Return the browser to drive; `own` is where Playwright keeps its own. Raises ScanFailed."""
    if named:
        found = shutil.which(named)
        if found is None:
            raise ScanFailed(f"--browser {named} is no program; {NO_BROWSER}")
        return found
    candidates = [os.environ.get("CHROMIUM", ""), *map(shutil.which, NAMES), *MACS, own]
    found = next((str(one) for one in candidates if one and Path(one).is_file()), None)
    if found is None:
        raise ScanFailed(NO_BROWSER)
    return found


@asynccontextmanager
async def launched(
    playwright: Playwright, plan: Plan, proxy: Proxy, notes: list[str]
) -> AsyncIterator[Browser]:
    """Launch the browser, and note what limits it; raises ScanFailed."""
    browser = await _launch(playwright, plan, proxy, notes)
    try:
        yield browser
    finally:
        await browser.close()


async def _launch(playwright: Playwright, plan: Plan, proxy: Proxy, notes: list[str]) -> Browser:
    """Launch it in its sandbox, which Playwright leaves out unless it is asked; it refuses to run as root."""
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
    """Return a visitor who was never here: own cookies, own cache."""
    context = await browser.new_context(
        viewport={"width": VIEW[0], "height": VIEW[1]},
        user_agent=AGENT.format(browser.version.partition(".")[0]),  # tags pass over one that says Headless
        ignore_https_errors=insecure,
        accept_downloads=False,
    )
    context.set_default_timeout(OPEN_MS)
    return context


async def close_others(other: Page, page: Page) -> None:
    """Close a window that a page opened."""
    if other is not page:
        try:
            await other.close()
        except Error:  # gone already
            return
