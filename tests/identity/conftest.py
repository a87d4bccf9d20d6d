"""A browser and a clock for the identity tests; the browser keeps, sends and drops cookies as real ones do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest

from cookieguard.config import CookieSettings, IdentitySettings
from cookieguard.identity import Identity, Visit, parse_cookies
from cookieguard.keyring import Key, Keyring, KeyState

START = datetime(2026, 11, 24, 12, tzinfo=UTC)


def keyring_of(signing: str = "k1", *verify: str) -> Keyring:
    """Make a keyring whose secrets follow from their ids, so that two keyrings can share keys."""
    states = {signing: KeyState.SIGNING} | dict.fromkeys(verify, KeyState.VERIFY)
    return Keyring(
        Key(id=one, secret=one.encode().ljust(32, b"."), state=state, created=START)
        for one, state in states.items()
    )


class Browser:
    """The cookies of one browser; tests change `identity` between two requests to stand for another worker."""

    def __init__(self) -> None:
        self.host = "shop.example"
        self.now = START
        self.cookies: dict[str, str] = {}
        self.events: list[str] = []
        self.keyring = keyring_of()
        self.identity = Identity(self.keyring, CookieSettings(), IdentitySettings())
        self.answer: list[str] = []

    @contextmanager
    def request(self, header: str | None = None) -> Iterator[Visit]:
        """Make one request and store the cookies of its answer."""
        jar = parse_cookies([(self.header if header is None else header).encode("latin-1")])
        self.events.clear()
        visit = self.identity.open(jar, host=self.host, now=self.now, on_event=self.events.append)
        yield visit
        self.answer = [line.decode("ascii") for line in visit.set_cookies(now=self.now)]
        for line in self.answer:
            self._take(line)

    def wait(self, **time: float) -> None:
        """Let time pass."""
        self.now += timedelta(**time)

    @property
    def header(self) -> str:
        """Return the Cookie header that the browser would send now."""
        return "; ".join(f"{name}={value}" for name, value in self.cookies.items())

    def _take(self, line: str) -> None:
        pair, *attributes = line.split("; ")
        name, _, value = pair.partition("=")
        if "Max-Age=0" in attributes:
            self.cookies.pop(name, None)
            return
        self.cookies[name] = value


@pytest.fixture(scope="session")
def make_browser() -> type[Browser]:
    """Return a maker of browsers, for tests that need several."""
    return Browser


@pytest.fixture(scope="session")
def make_keyring() -> Callable[..., Keyring]:
    """Return the maker of keyrings: the id of the signing key, then those that only check."""
    return keyring_of


@pytest.fixture
def browser() -> Browser:
    """Return a browser that has never visited the shop."""
    return Browser()


@pytest.fixture
def customer(browser: Browser) -> Browser:
    """Return the browser of customer 17, with a session entry and a cart."""
    with browser.request() as visit:
        visit.session.login("17")
        visit.session["seen"] = ["lamp"]
        visit.cart["lines"] = [{"sku": "lamp", "count": 1}]
    return browser
