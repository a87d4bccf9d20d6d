"""What a scan is to do, within which limits, and who is whose."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic
from urllib.parse import urlsplit

from cookieguard.config import Config
from cookieguard.consent import Register, Verdict, own_hosts, site_of
from cookieguard.html import Url, parse_url
from cookieguard.scan.addresses import Addresses
from cookieguard.scan.steps import Step

PAGES, SECONDS, MEGABYTES = 20, 300, 200
OF_THIS_MACHINE = re.compile(r"(?:([\w-]+\.)*localhost|127(\.\d+){3}|\[::1\])(?=[:/?#]|$)", re.IGNORECASE)
APP = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*(\(\))?")
Progress = Callable[[str], None]


def quiet(_: str) -> None:
    """Tell nobody."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Say what is scanned, how far, and whom its owner has declared."""

    start: str
    addresses: Addresses
    config: Config = field(default_factory=Config)
    target: str = ""
    """How its owner calls it; the start's address where it is empty."""
    pages: int = PAGES
    seconds: float = SECONDS
    megabytes: int = MEGABYTES
    steps: tuple[Step, ...] = ()
    accept: str = ""
    """A selector of what agrees to everything, where the banner is not ours."""
    refuse: str = ""
    browser: str = ""
    """The browser to drive; empty for the one that is found."""
    insecure: bool = False
    """Take any certificate."""
    pictures: bool = True
    progress: Progress = quiet


def one_state(plan: Plan) -> str:
    """Return why a scan saw undecided visitors alone, and what would show it the others."""
    told = "the first page has no banner of cookieguard, so all pages were visited undecided only"
    if is_app(plan.target):
        return f"{told}: guard {plan.target} first; cookieguard init shows how"
    return f"{told}: for another banner, use a browser, and name the buttons with --accept and --refuse"


def is_app(target: str) -> bool:
    """Return whether a target is `module:app`; `localhost:8000` is an address.

    >>> is_app("shop:app"), is_app("shop.main:make()"), is_app("localhost:8000"), is_app("https://shop.example")
    (True, True, False, False)
    """
    return APP.fullmatch(target) is not None


class Parties:
    """Say whose a URL is, seen from the shop that is scanned."""

    def __init__(self, start: str, config: Config) -> None:
        url = parse_url(start)
        self.site = site_of(url.host, url.port)
        self.register = Register(
            purposes=config.purposes,
            vendors=config.vendors,
            undeclared=config.undeclared,
            first_party_hosts=own_hosts(config),
        )

    def verdict(self, url: Url) -> Verdict:
        """Return whose it is."""
        return self.register.judge(url.host, url.port, url.path, shop=self.site)

    def is_foreign(self, url: Url) -> bool:
        """Return whether it is not the shop's own."""
        return not self.verdict(url).is_first_party


class Clock:
    """Tell how much of a scan's time is left."""

    def __init__(self, seconds: float) -> None:
        self._end = monotonic() + seconds

    @property
    def left(self) -> float:
        """Return the seconds that are left, 0 at least."""
        return max(0.0, self._end - monotonic())

    @property
    def is_over(self) -> bool:
        """Return whether the time is used up."""
        return not self.left

    def within(self, seconds: float) -> asyncio.Timeout:
        """Bound a piece of work by these seconds, and by the scan's own."""
        return asyncio.timeout(min(seconds, self.left))


def absolute(start: str, path: str) -> str:
    """Return the address of a path of the shop that is scanned."""
    parts = urlsplit(start)
    return f"{parts.scheme}://{parts.netloc}{path}"


def start_address(text: str) -> str:
    """Return the address of a shop as its owner types it; raises ValueError."""
    usual = "http" if OF_THIS_MACHINE.match(text) else "https"  # a development server speaks no TLS
    address = text if "://" in text else f"{usual}://{text}"
    url = parse_url(address)
    if url.scheme not in ("http", "https") or not url.host:
        raise ValueError(f"no http(s) address: {text[:80]!r}")
    parts = urlsplit(address)
    netloc = f"{url.host}{f':{url.port}' if url.port else ''}"
    return f"{url.scheme}://{netloc}{parts.path or '/'}{'?' + parts.query if parts.query else ''}"
