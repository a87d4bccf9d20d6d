"""A real Chromium for tests, launched with one visitor after the other, and counts of the requests that arrived.

Requests are counted where they arrive, never in the browser, which also lists the requests that it refused.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qs

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Playwright, sync_playwright
from uvicorn.protocols.http.h11_impl import H11Protocol

from demo_site.adnet.log import Log
from scripts.find_chromium import MISSING, find, find_shell

ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
TIMEOUT_MS = 60_000  # a login hashes a password, and the machine may be busy
# How long a page is watched for contacts after it was scrolled and clicked on.
LINGER = 1.5
# After this long without a new request all have arrived: pages start their late requests at load.
QUIET = 0.5
LONGEST_WAIT = 60.0  # on a busy machine


class Contact(NamedTuple):
    """The parts of a request that are the same in every run, without numbers that are new each time."""

    host: str
    path: str
    method: str
    via: str = ""


def chromium_path() -> str:
    """Return the path of Chromium; without one the tests fail, and are never skipped."""
    path = find()
    if path is None:
        pytest.fail(MISSING, pytrace=False)
    return path


@contextmanager
def playwright_started() -> Iterator[tuple[Playwright, str]]:
    """Start Playwright's driver, give it and Chromium's path; stop it before any test uses asyncio again."""
    path = chromium_path()
    with sync_playwright() as playwright:
        yield playwright, path


@contextmanager
def chromium(playwright: Playwright, path: str, *arguments: str) -> Iterator[Browser]:
    """Launch a Chromium with these arguments and the usual ones; the headless shell, if it is installed.

    The shell behaves like a whole Chromium for a quarter of the CPU; `make test-abroad` uses the whole one.
    """
    path = find_shell() or path
    browser = playwright.chromium.launch(executable_path=path, args=[*ARGUMENTS, *arguments])
    yield browser
    browser.close()


@contextmanager
def visitor(
    browser: Browser, *, javascript: bool = True, gpc: bool = False, **options: Any
) -> Iterator[BrowserContext]:
    """Give a new visitor, with cookies and a cache of their own."""
    context = browser.new_context(**_options(javascript=javascript, gpc=gpc), **options)
    context.set_default_timeout(TIMEOUT_MS)
    yield context
    context.close()


@contextmanager
def whole_browser(
    playwright: Playwright,
    path: str,
    profile: Path,
    *arguments: str,
    javascript: bool = True,
    gpc: bool = False,
    **options: Any,
) -> Iterator[BrowserContext]:
    """Launch a Chromium with a profile of its own: unlike a visitor, it preconnects and looks names up."""
    context = playwright.chromium.launch_persistent_context(
        profile,
        executable_path=path,
        args=[*ARGUMENTS, *arguments],
        **_options(javascript=javascript, gpc=gpc),
        **options,
    )
    context.set_default_timeout(TIMEOUT_MS)
    yield context
    context.close()


def _options(*, javascript: bool, gpc: bool) -> dict[str, Any]:
    headers = {"Sec-GPC": "1"} if gpc else {}
    return {"java_script_enabled": javascript, "extra_http_headers": headers}


def stir(page: Page) -> None:
    """Scroll down and click on an empty place, as visitors do."""
    page.mouse.move(4, 4)
    page.mouse.wheel(0, 1200)
    page.mouse.click(4, 4)


def linger(pages: Iterable[Page]) -> None:
    """Scroll and click on each page, and give it time to contact a host."""
    for page in pages:
        stir(page)
    time.sleep(LINGER)
    for page in pages:
        page.mouse.wheel(0, -1200)


class Ear:
    """Read the log of an ad network, which holds every request and counts connections without one."""

    def __init__(self, log: Log) -> None:
        self._log = log

    def forget(self) -> None:
        """Clear the log, once pending requests have arrived."""
        self.wait(QUIET / 2)
        self._log.clear()

    def wait(self, quiet: float = QUIET) -> None:
        """Wait until no new request arrives."""
        wait_until_quiet(lambda: (self._log.total, self._log.connections), quiet=quiet)

    @property
    def contacts(self) -> Counter[Contact]:
        """Count the requests so far."""
        return Counter(
            Contact(one.host, one.path, one.method, ",".join(parse_qs(one.query).get("via", ())))
            for one in list(self._log.records)
        )

    @property
    def hosts(self) -> set[str]:
        """Name the hosts that were contacted."""
        return {contact.host for contact in self.contacts}

    @property
    def connections(self) -> int:
        """Count the connections."""
        return self._log.connections


class Recorder:
    """An ASGI app that answers everything with 204 and records host and path of each request.

    `log` fits an Ear. WebSockets are refused, which still counts as a request.
    """

    def __init__(self) -> None:
        self.requests: list[Contact] = []
        self.connections = 0

    def note_connection(self) -> None:
        """Count a connection."""
        self.connections += 1

    def forget(self) -> None:
        """Clear the log, once pending requests have arrived."""
        self.wait()
        self.requests.clear()
        self.connections = 0

    def wait(self) -> None:
        """Wait until no new request arrives."""
        wait_until_quiet(lambda: (len(self.requests), self.connections))

    @property
    def paths(self) -> set[str]:
        """Name the paths that were requested."""
        return {contact.path for contact in self.requests}

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one request."""
        if scope["type"] == "lifespan":
            await _live(receive, send)
            return
        host = dict(scope["headers"]).get(b"host", b"").decode().rpartition(":")[0]
        self.requests.append(Contact(host, scope["path"], scope.get("method", "WEBSOCKET")))
        if scope["type"] == "websocket":
            await send({"type": "websocket.close"})
            return
        headers = [(b"access-control-allow-origin", b"*"), (b"cache-control", b"no-store")]
        # Reports ask for this, and are sent again when refused
        headers.append((b"access-control-allow-headers", b"*"))
        await send({"type": "http.response.start", "status": 204, "headers": headers})
        await send({"type": "http.response.body", "body": b""})


def counting(on_connection: Callable[[], None]) -> type[H11Protocol]:
    """Return an `http` option for uvicorn that reports every connection, also without a request."""

    class Counting(H11Protocol):
        def connection_made(self, transport: Any) -> None:
            on_connection()
            super().connection_made(transport)

    return Counting


async def _live(receive: Any, send: Any) -> None:
    while True:
        step = (await receive())["type"]
        await send({"type": f"{step}.complete"})
        if step.endswith("shutdown"):
            return


def wait_until_quiet(measure: Callable[[], object], *, quiet: float = QUIET) -> None:
    """Wait until `measure` has returned the same value for a while."""
    end, since, last = time.monotonic() + LONGEST_WAIT, time.monotonic(), measure()
    while time.monotonic() < end:
        time.sleep(0.05)
        now = measure()
        if now != last:
            since, last = time.monotonic(), now
        elif time.monotonic() - since >= quiet:
            return
    raise AssertionError(f"not quiet within {LONGEST_WAIT} s")
