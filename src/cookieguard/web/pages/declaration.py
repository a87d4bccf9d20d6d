"""The cookie declaration: a table of every cookie and storage key that is configured or was seen."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from cookieguard.config import Config, Vendor
from cookieguard.config.catalogue import StoredName, load_catalogue
from cookieguard.config.languages import texts_of
from cookieguard.config.purposes import NECESSARY
from cookieguard.identity import cookie_name
from cookieguard.web.banner.localized_texts import duration_text, shown_purposes
from cookieguard.web.banner.renderer import Renderer

DAY, MONTH, YEAR = 86400, 30 * 86400, 365 * 86400
SECONDS = {"second": 1, "minute": 60, "hour": 3600, "day": DAY, "week": 7 * DAY, "month": MONTH, "year": YEAR}
UNITS = (("year", YEAR), ("month", MONTH), ("day", DAY), ("hour", 3600), ("minute", 60))
MOST_SEEN = 100
_OF_VISITOR = re.compile(r"[A-Za-z]*[0-9][0-9A-Za-z]*")  # a part of a name that may identify a visitor


class Stored(NamedTuple):
    """Hold a line of the declaration: name, setter, purpose (empty if undeclared) and how long it is kept."""

    name: str
    party: str
    purpose: str
    life: str


class CookieDeclaration:
    """Render a shop's declaration. `seen` returns the names of undeclared cookies that the shop has set."""

    def __init__(self, config: Config, renderer: Renderer, seen: Callable[[], Iterable[str]]) -> None:
        self._config = config
        self._renderer = renderer
        self._seen = seen
        self._lines = tuple(_declared(config))

    def table(self, lang: str, *, base: str) -> bytes:
        """Return the table as HTML, for a page of the shop or of ours."""
        return self._renderer.page("cookie_table.html", lang, base=base, stored=self.lines(lang))

    def lines(self, lang: str, *, with_seen: bool = True) -> list[Stored]:
        """Return the lines in a language; undeclared cookies are left out unless `with_seen`."""
        texts = texts_of(lang)["rights"]
        titles = {purpose.id: purpose.title for purpose in shown_purposes(self._config, lang)}
        known = {line.name for line in self._lines}
        patterns = sorted({pattern_of(name) for name in self._seen() if name not in known})
        seen = [Stored(name, "", "", "") for name in patterns[:MOST_SEEN] if with_seen]
        return [
            Stored(
                line.name,
                line.party or texts["shop"],
                titles.get(line.purpose, line.purpose) if line.purpose else texts["seen"],
                life_text(line.life, lang),
            )
            for line in (*self._lines, *seen)
        ]


def pattern_of(name: str) -> str:
    """Return a cookie's name for publication; words with digits become `*`, since they may identify a visitor.

    >>> pattern_of("basket_10042"), pattern_of("t-9f3ab2"), pattern_of("theme")
    ('basket_*', 't-*', 'theme')
    """
    return _OF_VISITOR.sub("*", name)


def life_text(life: str, lang: str) -> str:
    """Return in words how long something is kept; `life` is `session`, `persistent`, `13 months` or empty."""
    texts = texts_of(lang)
    if life in ("session", "persistent", ""):
        endless = {"persistent": "endless", "": "unstated"}
        return str(texts["durations"]["session"] if life == "session" else texts["rights"][endless[life]])
    count, _, unit = life.partition(" ")
    unit = unit.removesuffix("s")
    if unit in texts["durations"]:
        return duration_text(int(count), unit, lang)
    return seconds_text(int(count) * SECONDS.get(unit, 1), lang)


def seconds_text(seconds: int, lang: str) -> str:
    """Return a number of seconds in words, in the largest unit that divides it."""
    if seconds <= 0:
        return str(texts_of(lang)["durations"]["session"])
    unit, size = next(((unit, size) for unit, size in UNITS if seconds % size == 0), ("minute", 60))
    return duration_text(max(1, -(-seconds // size)), unit, lang)


def _declared(config: Config) -> Iterator[Stored]:
    """Yield the configured cookies: ours, the shop's own, then each vendor's."""
    cookies = config.cookies
    ours = [spec for spec in cookies.specs if config.identity.enabled and spec is not cookies.consent]
    of_choice = [cookies.consent] if config.consent.enabled else []
    of_choice += [cookies.variant] if config.cache.mode == "shared" else []
    for spec in [*ours, *of_choice]:
        life = "session" if not spec.max_age else f"{spec.max_age} seconds"
        yield Stored(cookie_name(spec, dev=config.dev), "", NECESSARY, life)
    for own in cookies.own:
        yield Stored(own.name, "", own.purpose, own.life)
    for vendor in config.vendors:
        yield from _of_vendor(vendor)


def _of_vendor(vendor: Vendor) -> Iterator[Stored]:
    catalogue = load_catalogue()
    entry = catalogue.find(vendor.catalogue) if vendor.catalogue else None
    known = {} if entry is None else {cookie.name: cookie for cookie in entry.cookies}
    for name in vendor.cookies:
        yield Stored(name, vendor.name, vendor.purpose, _life(known.get(name), name))
    for cookie in known.values():
        if cookie.name not in vendor.cookies:  # set on the vendor's own hosts, out of the shop's reach
            yield Stored(cookie.name, vendor.name, vendor.purpose, cookie.life)


def _life(known: StoredName | None, name: str) -> str:
    if known is not None:
        return known.life
    entry = load_catalogue().by_cookie(name)
    found = () if entry is None else (cookie for cookie in entry.cookies if cookie.name == name)
    return next((cookie.life for cookie in found), "")
