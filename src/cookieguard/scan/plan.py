"""The plan of a scan: its start, its limits, and steps that lead to pages without a link, such as a checkout."""

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
    """Hold one step: exactly one action. A page that it opens is visited like any other."""

    open: str = ""
    """A path of the shop."""
    click: str = ""
    """A selector of Playwright's: `text=Add to basket`, `#buy`."""
    fill: str = ""
    """A selector of a field to fill with `value`, or with the environment variable that `value_from` names."""
    press: str = ""
    """A key: `Enter`."""
    wait: str = ""
    """A selector of an element that must become visible."""
    value: str = ""
    value_from: str = ""

    @property
    def kind(self) -> str:
        """Return its action, one of KINDS."""
        return next(kind for kind in KINDS if getattr(self, kind))

    def text(self, environ: Mapping[str, str] = os.environ) -> str:
        """Return the text for the field."""
        return environ.get(self.value_from, "") if self.value_from else self.value


def load_steps(path: Path, environ: Mapping[str, str] = os.environ) -> tuple[Step, ...]:
    """Return the `[[steps]]` of a TOML file; raises ConfigError, also if an environment variable is missing."""
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
    return tuple(_step(table, f"steps[{index}]", environ) for index, table in enumerate(tables))


def _step(table: Any, where: str, environ: Mapping[str, str]) -> Step:
    names = {step_field.name for step_field in fields(Step)}
    if not isinstance(table, dict) or not table.keys() <= names:
        raise ConfigError(where, was=repr(table)[:80], allowed=f"a table of {', '.join(sorted(names))}")
    if not all(isinstance(value, str) for value in table.values()):
        raise ConfigError(where, was=repr(table)[:80], allowed="texts")
    if sum(kind in table for kind in KINDS) != 1:
        raise ConfigError(where, was=repr(table)[:80], allowed=f"exactly one of {', '.join(KINDS)}")
    if table.get("open", "/")[:1] != "/":
        raise ConfigError(
            f"{where}.open", was=repr(table["open"]), allowed="a path of the shop, like '/cart'"
        )
    step = Step(**table)
    # With an empty value the login would fail, and the scan would not notice it.
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
    """Report no progress."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Hold the settings of one scan, with the shop's configuration."""

    start: str
    addresses: Addresses
    config: Config = field(default_factory=Config)
    target: str = ""
    """The name of the shop in the report; empty: the start's address."""
    pages: int = PAGES
    seconds: float = SECONDS
    megabytes: int = MEGABYTES
    steps: tuple[Step, ...] = ()
    accept: str = ""
    """A selector of the button that agrees to everything, if the banner is not cookieguard's."""
    refuse: str = ""
    browser: str = ""
    """The browser to drive; empty: the first that is found."""
    insecure: bool = False
    """Accept any certificate."""
    pictures: bool = True
    progress: Progress = quiet


def one_state(plan: Plan) -> str:
    """Return why a scan visited pages in the state undecided only, and how to scan the other states too."""
    reason = "the first page has no banner of cookieguard, so all pages were visited undecided only"
    if is_app(plan.target):
        return f"{reason}: guard {plan.target} first; cookieguard init shows how"
    return f"{reason}: for another banner, use a browser, and name the buttons with --accept and --refuse"


def is_app(target: str) -> bool:
    """Return whether a target is `module:app`; `localhost:8000` is an address.

    >>> is_app("shop:app"), is_app("shop.main:make()"), is_app("localhost:8000"), is_app("https://shop.example")
    (True, True, False, False)
    """
    return APP.fullmatch(target) is not None


class Parties:
    """Decide whether a URL is the shop's own, a vendor's or undeclared, for the shop that is scanned."""

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
        """Return the vendor and the purpose of a URL, or that it is the shop's own."""
        return self.register.judge(url.host, url.port, url.path, shop=self.site)

    def is_foreign(self, url: Url) -> bool:
        """Return whether a URL is not the shop's own."""
        return not self.verdict(url).is_first_party


class Clock:
    """Measure how much of a scan's time is left."""

    def __init__(self, seconds: float) -> None:
        self._end = monotonic() + seconds

    @property
    def left(self) -> float:
        """Return the seconds that are left, never less than 0."""
        return max(0.0, self._end - monotonic())

    @property
    def is_over(self) -> bool:
        """Return whether the time is used up."""
        return not self.left

    def within(self, seconds: float) -> asyncio.Timeout:
        """Return a timeout of these seconds, or of the scan's remaining time if that is shorter."""
        return asyncio.timeout(min(seconds, self.left))


def absolute(start: str, path: str) -> str:
    """Return the address of a path at the origin of `start`."""
    parts = urlsplit(start)
    return f"{parts.scheme}://{parts.netloc}{path}"


def start_address(text: str) -> str:
    """Return the full address for a shop as its owner types it; raises ValueError."""
    usual = "http" if OF_THIS_MACHINE.match(text) else "https"  # development servers have no TLS
    address = text if "://" in text else f"{usual}://{text}"
    url = parse_url(address)
    if url.scheme not in ("http", "https") or not url.host:
        raise ValueError(f"no http(s) address: {text[:80]!r}")
    parts = urlsplit(address)
    netloc = f"{url.host}{f':{url.port}' if url.port else ''}"
    return f"{url.scheme}://{netloc}{parts.path or '/'}{'?' + parts.query if parts.query else ''}"
