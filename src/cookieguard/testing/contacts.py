"""Check whether a page in Playwright contacted a third party.

A request that a policy blocked also appears in the browser, as failed. It was never sent, so it does not count.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from weakref import WeakKeyDictionary

from cookieguard.consent import site_of
from cookieguard.testing.recorder import Recorder, wait_until_quiet

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page, Request

NETWORK = ("http", "https", "ws", "wss")
REFUSED = "csp"  # Playwright's name for the failure of a request that a policy blocked


class Watched:
    """Hold the requests of a context since `watch`. Lives as long as the context."""

    def __init__(self, recorder: Recorder | None) -> None:
        self.recorder = recorder
        self.requests: list[Request] = []

    def note(self, request: Request) -> None:
        """Add a request."""
        self.requests.append(request)

    @property
    def count(self) -> int:
        """The number of requests and recorded contacts so far."""
        return len(self.requests) + (0 if self.recorder is None else len(self.recorder.contacts))


_watched: WeakKeyDictionary[BrowserContext, Watched] = WeakKeyDictionary()


def watch(context: BrowserContext, *, recorder: Recorder | None = None) -> None:
    """Record all requests of a context from now on; `recorder` is the one whose `arguments` launched the browser."""
    watched = _watched[context] = Watched(recorder)
    context.on("request", watched.note)


def third_parties(page: Page, *, allowed: Iterable[str] = ()) -> list[str]:
    """Return a URL of each third-party host that the page's context contacted, or the host if only a recorder saw it.

    `allowed`: hosts that may be contacted; `*.pay.example` means a name and its subdomains. Waits until there are no
    new requests. If `watch` was not called for the context, it is called now, and the page is reloaded.
    """
    if type(page).__module__.startswith("playwright.async"):
        raise TypeError("page is of Playwright's async API; allowed: a page of its sync API")
    if page.context not in _watched:
        watch(page.context)
        page.reload()
    watched, recorder = _watched[page.context], _watched[page.context].recorder
    wait_until_quiet(lambda: watched.count, lambda: page.wait_for_timeout(50))
    place = urlsplit(page.url)
    own, patterns = site_of(place.hostname or "", place.port), tuple(allowed)

    def is_third(host: str, port: int | None = None) -> bool:
        return not own.holds(host, port) and not any(_is_within(host, pattern) for pattern in patterns)

    left = [request.url for request in watched.requests if request.failure != REFUSED]
    places = [(url, urlsplit(url)) for url in left]
    asked = {
        parts.hostname or "": url
        for url, parts in places
        if parts.scheme in NETWORK and is_third(parts.hostname or "", parts.port)
    }
    recorded = set() if recorder is None else {host for host in recorder.hosts if is_third(host)}
    return [*asked.values(), *(f"a connection to {host}" for host in sorted(recorded - asked.keys()))]


def _is_within(host: str, pattern: str) -> bool:
    name = pattern.removeprefix("*.")
    return host == name or (name != pattern and host.endswith(f".{name}"))


def assert_no_third_party(page: Page, *, allowed: Iterable[str] = ()) -> None:
    """Raise AssertionError with a list if this page contacted third parties; `allowed` is as in `third_parties`."""
    __tracebackhide__ = True
    found = third_parties(page, allowed=allowed)
    if found:
        listed = "\n".join(f"  {url[:200]}" for url in found)
        raise AssertionError(f"{page.url} contacted third parties:\n{listed}")
