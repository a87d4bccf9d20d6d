"""What a scan is to do: its limits, who is whose, and the steps that lead it where no link does, such as a checkout."""

from __future__ import annotations

import asyncio
import os
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from time import monotonic
from typing import Any
from urllib.parse import urlsplit

from cookieguard.config import Config
from cookieguard.consent import Register, Verdict, own_hosts, site_of
from cookieguard.errors import ConfigError
from cookieguard.html import Url, parse_url
from cookieguard.scan.addresses import Addresses

MOST_STEPS = 100
KINDS = ("open", "click", "fill", "press", "wait")


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """Do one thing; what it opens is looked at like any page."""

    open: str = ""
    """A path of the shop."""
    click: str = ""
    """A selector of Playwright's: `text=Add to basket`, `#buy`."""
    fill: str = ""
    """A selector of a field, which gets `value`, or what the environment variable `value_from` holds."""
    press: str = ""
    """A key: `Enter`."""
    wait: str = ""
    """A selector that has to be seen first."""
    value: str = ""
    value_from: str = ""

    @property
    def kind(self) -> str:
        """Name what it does."""
        return next(one for one in KINDS if getattr(self, one))

    def text(self, environ: Mapping[str, str] = os.environ) -> str:
        """Return what a field is filled with."""
        return environ.get(self.value_from, "") if self.value_from else self.value


def load_steps(path: Path, environ: Mapping[str, str] = os.environ) -> tuple[Step, ...]:
    """Read `[[steps]]` from a TOML file; raises ConfigError, also for a variable of the environment that is missing."""
    try:
        tables = tomllib.loads(path.read_text("utf-8-sig")).get("steps", [])
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ConfigError(
            "--steps", was=f"{path} ({reason})", allowed="a TOML file with [[steps]] tables"
        ) from error
    if not isinstance(tables, list) or not 0 < len(tables) <= MOST_STEPS:
        raise ConfigError(
            "--steps", was=f"{path} without steps", allowed=f"1 to {MOST_STEPS} [[steps]] tables"
        )
    return tuple(_step(one, f"steps[{index}]", environ) for index, one in enumerate(tables))


def _step(table: Any, where: str, environ: Mapping[str, str]) -> Step:
    names = {one.name for one in fields(Step)}
    if not isinstance(table, dict) or not table.keys() <= names:
        raise ConfigError(where, was=repr(table)[:80], allowed=f"a table of {', '.join(sorted(names))}")
    if not all(isinstance(one, str) for one in table.values()):
        raise ConfigError(where, was=repr(table)[:80], allowed="texts")
    if sum(one in table for one in KINDS) != 1:
        raise ConfigError(where, was=repr(table)[:80], allowed=f"exactly one of {', '.join(KINDS)}")
    if table.get("open", "/")[:1] != "/":
        raise ConfigError(
            f"{where}.open", was=repr(table["open"]), allowed="a path of the shop, like '/cart'"
        )
    step = Step(**table)
    # It would sign nobody in, and nobody would hear of that.
    if step.value_from and not environ.get(step.value_from):
        was = f"{step.value_from} (not set, or empty)"
        raise ConfigError(
            f"{where}.value_from", was=was, allowed="the name of an environment variable that is set"
        )
    return step


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
