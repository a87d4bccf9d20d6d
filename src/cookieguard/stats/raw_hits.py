"""From what a request leaves behind in memory to the row that is kept of it.

Rule: a raw hit lives in the queue of its worker only; a User-Agent, a query or a referrer's path goes no further.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from typing import NamedTuple, Protocol

from cookieguard.stats.hits import ADDRESS, DIRECT, NO_KEY, Hit, Kind
from cookieguard.stats.traffic_sources import (
    cleaned_field,
    cleaned_host,
    cleaned_path,
    referrer_host,
    searched_for,
    utm_fields,
)
from cookieguard.stats.user_agents import read_agent

MAX_HEADER = 1000  # bytes of a referrer, query or path that the queue keeps
LANGUAGE_BYTES = 4  # that tell the first language; no more is looked at, nor kept for the next
MAX_HELD = 100  # elements of a page that are looked at
MAX_HOSTS = 30  # hosts that are kept of a page, those held most
LONGEST = int(timedelta(days=1).total_seconds() * 1000)  # a clock that was set has no say in durations

_LANGUAGE = re.compile(rb"([A-Za-z]{2,3})(?![A-Za-z])")
_COUNTRY = re.compile(r"[A-Z]{2}")
NO_COUNTRY = frozenset({"XX"})  # what proxies write where they do not know


class HeldUrl(Protocol):
    """Be a URL that is held."""

    @property
    def host(self) -> str: ...


class HeldElement(Protocol):
    """Be one element that is held, as the rewriter tells it."""

    @property
    def url(self) -> HeldUrl: ...
    @property
    def vendor(self) -> str | None: ...
    @property
    def purpose(self) -> str: ...


HeldHost = tuple[str, str, str]  # host, vendor, purpose: one for each element


class RawHit(NamedTuple):
    """Hold references to what a request said; whoever makes one cuts overlong ones: a queue of them stays small.

    A tuple: nothing else is made so cheaply, with every view.
    """

    kind: Kind
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
    has_just_agreed: bool = False  # within a pause: the visit was counted before there was a key
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
    """Turn raw hits into hits. `own_hosts` are the shop's: who comes from there does not come from elsewhere."""

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
        agent = read_agent(raw_hit.agent)
        utm = utm_fields(raw_hit.query)
        referrer = self._referrer(raw_hit)
        source = self._source(raw_hit, utm, referrer) if raw_hit.kind is Kind.VIEW else ""
        has_arrived = bool(source) and raw_hit.key == NO_KEY and not agent.bot
        return Hit(
            time=int(raw_hit.time.timestamp()),
            site=raw_hit.site,
            kind=raw_hit.kind.value,
            page=self._page(raw_hit),
            status=raw_hit.status,
            bytes=raw_hit.bytes_sent,
            duration=_milliseconds(raw_hit.ended - raw_hit.time),
            source=source,
            referrer=referrer,
            medium=utm.get("medium", ""),
            campaign=utm.get("campaign", ""),
            term=utm.get("term", ""),
            content=utm.get("content", ""),
            browser=agent.browser,
            browser_major=agent.major,
            os=agent.os,
            device=agent.device,
            language=_language(raw_hit.language.lstrip(b" \t")[:LANGUAGE_BYTES]),
            country=_country(raw_hit.country),
            entry=int(has_arrived),
            consent=raw_hit.consent,
            policy=raw_hit.policy,
            event=cleaned_field(raw_hit.event) if raw_hit.event else "",
            gpc=int(raw_hit.gpc),
            held=_held(tuple([_host(one) for one in raw_hit.held])) if raw_hit.held else "",
            bot=agent.bot,
            key=NO_KEY if agent.bot else raw_hit.key,
            search=self._searched_for(raw_hit) if self._search and not agent.bot else "",
        )

    def before(self, raw_hit: RawHit, hit: Hit) -> int:
        """Return what the key of a hit was before, for `Batch.before`: itself where the visit began without one."""
        goes_on = raw_hit.has_just_agreed and hit.key != NO_KEY and not hit.source
        return hit.key if goes_on else raw_hit.before

    def _searched_for(self, raw_hit: RawHit) -> str:
        return searched_for(raw_hit.query, self._search) if raw_hit.kind is Kind.VIEW else ""

    def _page(self, raw_hit: RawHit) -> str:
        if raw_hit.route and self._names_routes:
            return cleaned_path(raw_hit.route, folds_ids=False)
        return cleaned_path(raw_hit.path, folds_ids=self._names_routes)

    def _referrer(self, raw_hit: RawHit) -> str:
        host = referrer_host(raw_hit.referrer) if raw_hit.referrer and not raw_hit.is_inside else ""
        is_own = host == raw_hit.host.removeprefix("www.") or host in self._own_hosts
        return "" if is_own else host

    def _source(self, raw_hit: RawHit, utm: Mapping[str, str], referrer: str) -> str:
        """Name where a view came from, nothing where it came from the shop itself.

        A browser tells that without a Referer too; beside a foreign one it means a page that was loaded again.
        """
        if raw_hit.is_inside:
            return ""
        named = utm.get("source") or referrer
        if named:
            return named
        return "" if raw_hit.referrer and referrer_host(raw_hit.referrer) else DIRECT


def _milliseconds(duration: timedelta) -> int:
    return min(max(int(duration.total_seconds() * 1000), 0), LONGEST)


@lru_cache(maxsize=256)  # browsers send few different ones
def _language(header: bytes) -> str:
    found = _LANGUAGE.match(header)
    return found[1].decode("ascii").lower() if found else ""


def _country(code: str) -> str:
    code = code.upper()
    return code if _COUNTRY.fullmatch(code) and code not in NO_COUNTRY else ""


def _host(held: HeldElement) -> HeldHost:
    return held.url.host, held.vendor or "", held.purpose


@lru_cache(maxsize=1024)  # pages hold the same again
def _held(held: tuple[HeldHost, ...]) -> str:
    """Write what was held, most often held first."""
    counts: dict[tuple[str, str, str], int] = {}
    for host, vendor, purpose in held:
        known = (cleaned_host(host) or ADDRESS, vendor, purpose)
        counts[known] = counts.get(known, 0) + 1
    most = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:MAX_HOSTS]
    rows = [[host, count, vendor, purpose] for (host, vendor, purpose), count in most]
    return json.dumps(rows, ensure_ascii=False, separators=(",", ":"))
