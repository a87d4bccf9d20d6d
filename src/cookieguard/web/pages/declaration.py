"""The cookie declaration: every cookie and key that is configured or was seen, in the words of a language."""

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
_OF_VISITOR = re.compile(r"[A-Za-z]*[0-9][0-9A-Za-z]*")  # between the signs of a name


class Stored(NamedTuple):
    """Hold one line: the name, who sets it, the id of its purpose (empty for one nobody declared), how long."""

    name: str
    party: str
    purpose: str
    life: str


class CookieDeclaration:
    """Know the lines of a shop's declaration. `seen` says what the shop set that nobody declared."""

    def __init__(self, config: Config, renderer: Renderer, seen: Callable[[], Iterable[str]]) -> None:
        self._config = config
        self._renderer = renderer
        self._seen = seen
        self._lines = tuple(_declared(config))

    def table(self, lang: str, *, base: str) -> bytes:
        """Render the table, to stand in a page of the shop's or of ours."""
        return self._renderer.page("cookie_table.html", lang, base=base, stored=self.lines(lang))

    def lines(self, lang: str, *, with_seen: bool = True) -> list[Stored]:
        """Return the lines in the words of a language; those that nobody declared only `with_seen`."""
        texts = texts_of(lang)["rights"]
        titles = {one.id: one.title for one in shown_purposes(self._config, lang)}
        known = {one.name for one in self._lines}
        patterns = sorted({pattern_of(name) for name in self._seen() if name not in known})
        seen = [Stored(name, "", "", "") for name in patterns[:MOST_SEEN] if with_seen]
        return [
            Stored(
                one.name,
                one.party or texts["shop"],
                titles.get(one.purpose, one.purpose) if one.purpose else texts["seen"],
                life_text(one.life, lang),
            )
            for one in (*self._lines, *seen)
        ]


def pattern_of(name: str) -> str:
    """Return a cookie's name as everybody may read it: numbers, and words with a number in them, may be a visitor's.

    >>> pattern_of("basket_10042"), pattern_of("t-9f3ab2"), pattern_of("theme")
    ('basket_*', 't-*', 'theme')
    """
    return _OF_VISITOR.sub("*", name)


def life_text(life: str, lang: str) -> str:
    """Return in words how long something is kept: `session`, `persistent`, a count and a unit, or nothing known."""
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
    """Return a number of seconds in words, in the largest unit that it is whole in."""
    if seconds <= 0:
        return str(texts_of(lang)["durations"]["session"])
    unit, size = next(((unit, size) for unit, size in UNITS if seconds % size == 0), ("minute", 60))
    return duration_text(max(1, -(-seconds // size)), unit, lang)


def _declared(config: Config) -> Iterator[Stored]:
    """Yield what is configured: ours, the shop's own, each vendor's."""
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
    known = {} if entry is None else {one.name: one for one in entry.cookies}
    for name in vendor.cookies:
        yield Stored(name, vendor.name, vendor.purpose, _life(known.get(name), name))
    for one in known.values():
        if one.name not in vendor.cookies:  # on its own hosts, where the shop cannot reach it
            yield Stored(one.name, vendor.name, vendor.purpose, one.life)


def _life(known: StoredName | None, name: str) -> str:
    if known is not None:
        return known.life
    entry = load_catalogue().by_cookie(name)
    found = () if entry is None else (one for one in entry.cookies if one.name == name)
    return next((one.life for one in found), "")
