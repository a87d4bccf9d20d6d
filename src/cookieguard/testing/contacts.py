"""Whether a page in Playwright told a third party of its visitor.

A request that a policy refuses shows in the browser too, as one that failed: it left for nobody, and does not count.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from weakref import WeakKeyDictionary

from cookieguard.consent import site_of
from cookieguard.testing.recorder import LONGEST_WAIT, QUIET, Recorder

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page, Request

NETWORK = ("http", "https", "ws", "wss")
REFUSED = "csp"  # what Playwright calls the failure of a request that a policy stopped


class Watched:
    """Hold what a context asked for since it is watched. Owned by the context."""

    def __init__(self, recorder: Recorder | None) -> None:
        self.recorder = recorder
        self.requests: list[Request] = []

    def note(self, request: Request) -> None:
        """Keep a request."""
        self.requests.append(request)

    @property
    def count(self) -> int:
        """How much was heard so far."""
        return len(self.requests) + (0 if self.recorder is None else len(self.recorder.contacts))


_watched: WeakKeyDictionary[BrowserContext, Watched] = WeakKeyDictionary()


def watch(context: BrowserContext, *, recorder: Recorder | None = None) -> None:
    """Note from now on whom the pages of a context ask; `recorder`: who hears them (with `Recorder.arguments`)."""
    watched = _watched[context] = Watched(recorder)
    context.on("request", watched.note)


def third_parties(page: Page, *, allowed: Iterable[str] = ()) -> list[str]:
    """Return a URL of each host outside of the page's site that its context asked, and whom a recorder heard besides.

    `allowed`: hosts that may be asked, `*.pay.example` for all below one. Waits until nothing new is asked for. A
    context that `watch` was not called for is watched from now on, and the page loaded again.
    """
    if type(page).__module__.startswith("playwright.async"):
        raise TypeError("page is of Playwright's async API; allowed: a page of its sync API")
    if page.context not in _watched:
        watch(page.context)
        page.reload()
    watched, recorder = _watched[page.context], _watched[page.context].recorder
    _wait(page, watched)
    place = urlsplit(page.url)
    own, patterns = site_of(place.hostname or "", place.port), tuple(allowed)

    def is_third(host: str, port: int | None = None) -> bool:
        return not own.holds(host, port) and not any(_is_within(host, one) for one in patterns)

    left = [one.url for one in watched.requests if one.failure != REFUSED]
    places = [(url, urlsplit(url)) for url in left]
    asked = {
        one.hostname or "": url
        for url, one in places
        if one.scheme in NETWORK and is_third(one.hostname or "", one.port)
    }
    heard = set() if recorder is None else {host for host in recorder.hosts if is_third(host)}
    return [*asked.values(), *(f"a connection to {host}" for host in sorted(heard - asked.keys()))]


def _wait(page: Page, watched: Watched) -> None:
    end, since, last = time.monotonic() + LONGEST_WAIT, time.monotonic(), watched.count
    while time.monotonic() < end and time.monotonic() - since < QUIET:
        page.wait_for_timeout(50)
        if watched.count != last:
            since, last = time.monotonic(), watched.count


def _is_within(host: str, pattern: str) -> bool:
    name = pattern.removeprefix("*.")
    return host == name or (name != pattern and host.endswith(f".{name}"))


def assert_no_third_party(page: Page, *, allowed: Iterable[str] = ()) -> None:
    """Fail with the list where this page's visitor was told of to a third party; `allowed` as for `third_parties`."""
    __tracebackhide__ = True
    found = third_parties(page, allowed=allowed)
    if found:
        listed = "\n".join(f"  {one[:200]}" for one in found)
        raise AssertionError(f"{page.url} contacted third parties:\n{listed}")
