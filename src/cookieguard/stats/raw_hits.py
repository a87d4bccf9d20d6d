"""Turns what a worker remembers of a request into the row that statistics store.

Rule: a raw hit exists only in its worker's queue. User-Agent, query and referrer's path are not passed on from there.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from typing import NamedTuple, Protocol

from cookieguard.stats.hits import ADDRESS, DIRECT, NO_KEY, Event, Hit, HitKind
from cookieguard.stats.text_cleaning import (
    cleaned_field,
    cleaned_host,
    cleaned_path,
    referrer_host,
    searched_for,
    utm_fields,
)
from cookieguard.stats.user_agents import read_agent

MAX_HEADER = 1000  # bytes of a referrer, query or path that the queue holds
LANGUAGE_BYTES = 4  # enough for the first language; the rest is neither read nor cached
MAX_HELD = 100  # elements read per page
MAX_HOSTS = 30  # hosts stored per page, those with most elements
LONGEST = int(timedelta(days=1).total_seconds() * 1000)  # limits durations measured while the clock was set

_LANGUAGE = re.compile(rb"([A-Za-z]{2,3})(?![A-Za-z])")
_COUNTRY = re.compile(r"[A-Z]{2}")
NO_COUNTRY = frozenset({"XX"})  # proxies write this for an unknown country
# Reading a module's name takes a tenth of the time of reading an enumeration's member or its `value`.
VIEW = HitKind.VIEW
VIEW_NAME = VIEW.value
CHOICE = HitKind.CHOICE
USUAL = frozenset({"", *(event.value for event in Event)})  # events that are not free text


class HeldUrl(Protocol):
    """The URL of a held element."""

    @property
    def host(self) -> str: ...


class HeldElement(Protocol):
    """An element that the rewriter held back until consent."""

    @property
    def url(self) -> HeldUrl: ...
    @property
    def vendor(self) -> str | None: ...
    @property
    def purpose(self) -> str: ...


HeldHost = tuple[str, str, str]  # host, vendor, purpose: one for each element


class RawHit(NamedTuple):
    """The parts of a request that statistics need. The caller shortens long fields, so that queues stay small.

    It is a tuple, the cheapest object to make at every view.
    """

    kind: HitKind
    time: datetime
    ended: datetime
    path: str
    status: int
    bytes_sent: int
    host: str
    site: str
    route: str = ""
    key: int = NO_KEY
    before: int = NO_KEY  # in the first half hour of a day: the key of the day before
    is_inside: bool = False  # the browser says that a page of the shop led here
    has_just_agreed: bool = False  # the visitor agreed during a visit that was counted without a key
    referrer: bytes = b""
    query: bytes = b""
    agent: bytes = b""
    language: bytes = b""
    country: str = ""
    consent: str = "undecided"
    policy: str = ""
    event: str = ""
    gpc: bool = False
    held: Sequence[HeldElement] = ()

    def __repr__(self) -> str:
        return f"<RawHit {self.kind.value}>"


class Reader:
    """Turn raw hits into hits. `own_hosts` are the shop's hosts, which do not count as referrers."""

    def __init__(
        self,
        *,
        own_hosts: frozenset[str] = frozenset(),
        names_routes: bool = True,
        search: Sequence[str] = (),
    ) -> None:
        self._own_hosts = own_hosts
        self._names_routes = names_routes
        self._search = frozenset(search)

    def read(self, raw_hit: RawHit) -> Hit:
        """Return the row of a raw hit."""
        # Reading and writing the fields by position saves a third of the time that access by name takes.
        kind, time, ended, path, status, bytes_sent, host, site = raw_hit[:8]
        route, key, _, is_inside, _, referrer, query, said = raw_hit[8:16]
        language, country, consent, policy, event, gpc, held = raw_hit[16:]
        browser, major, os, device, bot = read_agent(said)
        utm = utm_fields(query)
        led_by = self._referrer(referrer, host) if referrer and not is_inside else ""
        is_view = kind is VIEW
        source = _source(referrer, utm, led_by) if is_view and not is_inside else ""
        if kind is CHOICE:  # the utm_source in the link to the page on which the choice was made
            source = utm.get("source", "")
        return tuple.__new__(
            Hit,
            (
                int(time.timestamp()),
                site,
                VIEW_NAME if is_view else kind.value,
                self._page(route, path),
                status,
                bytes_sent,
                _milliseconds(ended - time) if ended is not time else 0,
                source,
                led_by,
                utm.get("medium", ""),
                utm.get("campaign", ""),
                utm.get("term", ""),
                utm.get("content", ""),
                browser,
                major,
                os,
                device,
                _language(language.lstrip(b" \t")[:LANGUAGE_BYTES]),
                _country(country) if country else "",
                int(bool(source) and key == NO_KEY and not bot),
                consent,
                policy,
                event if event in USUAL else cleaned_field(event),
                int(gpc),
                _held_json(tuple([(item.url.host, item.vendor or "", item.purpose) for item in held]))
                if held
                else "",
                bot,
                NO_KEY if bot else key,
                searched_for(query, self._search) if self._search and is_view and not bot else "",
            ),
        )

    def before(self, raw_hit: RawHit, hit: Hit) -> int:
        """Return the entry for `Batch.before`: the key of the day before, or the hit's own key (see there)."""
        goes_on = raw_hit.has_just_agreed and hit.key != NO_KEY and not hit.source
        return hit.key if goes_on else raw_hit.before

    def _page(self, route: str, path: str) -> str:
        if route and self._names_routes:
            return cleaned_path(route, folds_ids=False)
        return cleaned_path(path, folds_ids=self._names_routes)

    def _referrer(self, header: bytes, own: str) -> str:
        host = referrer_host(header)
        is_own = host == own.removeprefix("www.") or host in self._own_hosts
        return "" if is_own else host


def _source(header: bytes, utm: Mapping[str, str], referrer: str) -> str:
    """Return the source of a view from outside the shop; empty if the Referer is a page of the shop.

    The caller has excluded views that the browser marks as coming from the shop (Sec-Fetch-Site), even without Referer.
    """
    named = utm.get("source") or referrer
    if named:
        return named
    return "" if header and referrer_host(header) else DIRECT


def _milliseconds(duration: timedelta) -> int:
    if duration.days:  # the clock was set
        return LONGEST if duration.days > 0 else 0
    return duration.seconds * 1000 + duration.microseconds // 1000


@lru_cache(maxsize=256)  # browsers send few different values
def _language(header: bytes) -> str:
    found = _LANGUAGE.match(header)
    return found[1].decode("ascii").lower() if found else ""


def _country(code: str) -> str:
    code = code.upper()
    return code if _COUNTRY.fullmatch(code) and code not in NO_COUNTRY else ""


@lru_cache(maxsize=1024)  # most views of a page hold the same elements
def _held_json(held: tuple[HeldHost, ...]) -> str:
    """Return the held hosts as JSON, those with most elements first."""
    counts: dict[tuple[str, str, str], int] = {}
    for host, vendor, purpose in held:
        known = (cleaned_host(host) or ADDRESS, vendor, purpose)
        counts[known] = counts.get(known, 0) + 1
    most = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:MAX_HOSTS]
    rows = [[host, count, vendor, purpose] for (host, vendor, purpose), count in most]
    return json.dumps(rows, ensure_ascii=False, separators=(",", ":"))
