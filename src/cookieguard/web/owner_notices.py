"""The owner's log: reports each undeclared host and cookie once, and security events up to a limit per minute."""

from __future__ import annotations

import json
import logging
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime

from cookieguard.config import Vendor, load_catalogue
from cookieguard.config.purposes import NECESSARY
from cookieguard.consent import Verdict, advice_on, site_of
from cookieguard.consent.declarations import named
from cookieguard.consent.sites import Site
from cookieguard.html import Held
from cookieguard.rate_limit import RateLimit
from cookieguard.stats.anonymize import packed_address, truncate
from cookieguard.stats.text_cleaning import personal_part, shown_path
from cookieguard.web.document.source import MOST_DOCUMENTS, line_of

logger = logging.getLogger("cookieguard")

# Hosts that one process reports; a page may name any number of hosts.
HOSTS_TOLD = 1000
# Limits for hosts that browsers report: per day, per day and network, and per hour and page. Anyone can post a report,
# so forged ones must leave room for the hosts in pages and for other reporters.
REPORTED_HOSTS_TOLD, HOSTS_OF_NETWORK = 200, 40
HOSTS_OF_PAGE = 60
REPORTS_A_MINUTE = 60  # reports read from one reporter
ALL_REPORTS_A_MINUTE = 600  # reports read in one worker: 50 us each
EVENTS_A_MINUTE = 60  # security events of one kind that get a line; the others are counted
EVENT_KINDS = 200  # kinds of events that are counted separately
# Cookies that are reported. The shop's own have separate room, because browsers can send any names.
COOKIES_TOLD = {"set": 200, "sent": 200}
LONGEST_COOKIE = 64  # bytes of a cookie's name that are shown
# Bytes of the name that are searched for personal data. A mail address has at most 64 bytes before its @ (RFC 5321
# 4.5.3.1.1), so an address that begins in the visible part is still found.
LONGEST_SEARCHED = 2 * LONGEST_COOKIE + 1
# Text that may identify a visitor: IPv4 and IPv6 addresses, mail addresses, long numbers, tokens in hex.
PERSONAL = re.compile(
    rb"(?:[0-9]{1,3}[.\-_]){3}[0-9]{1,3}|[0-9a-fA-F]{0,4}:[0-9a-fA-F]*:|[^_.\-]*@|[0-9]{6,}|"
    rb"(?=[a-fA-F]*[0-9])[0-9a-fA-F]{12,}"
)
DECLARABLE = re.compile(rb"[!#$%&'+.^_`|~0-9A-Za-z-]+")


class Findings:
    """Log findings for the owner, each once, and remember which were logged. Owned by the middleware."""

    def __init__(self, vendors: Sequence[Vendor] = (), *, dev: bool = False) -> None:
        """Take the declared vendors, on which the advice builds; with `dev`, findings always name the line."""
        self._vendors = tuple(vendors)
        self._advised: dict[Vendor, None] = {}  # vendors of the catalogue, in the order of their reports
        self._documents_left = MOST_DOCUMENTS
        self._dev = dev
        load_catalogue()  # reads files now, so that no request waits for them
        self._told: set[str] = set()
        self._told_cookies: dict[str, set[bytes]] = {way: set() for way in COOKIES_TOLD}
        self._reported: set[str] = set()
        self._reports = RateLimit(REPORTS_A_MINUTE, seconds=60)
        self._all_reports = RateLimit(ALL_REPORTS_A_MINUTE, seconds=60)
        self._networks = RateLimit(HOSTS_OF_NETWORK, seconds=86400)
        self._pages = RateLimit(HOSTS_OF_PAGE, seconds=3600)
        self._days = RateLimit(REPORTED_HOSTS_TOLD, seconds=86400)
        self._events = RateLimit(EVENTS_A_MINUTE, seconds=60)
        self.counts: Counter[str] = Counter()

    def count(self, event: str) -> None:
        """Count an event by its name, and log it the first time. The name must not contain a client's text."""
        self.counts[event] += 1
        if self.counts[event] == 1:
            logger.warning("%s", event)

    def event(self, event: str, where: str, now: datetime) -> None:
        """Log a security event; beyond the limit of its kind in a minute, only count it."""
        if self._events.renews(now):
            self.sum_up()
        kind = event if event in self._events.taken or len(self._events.taken) < EVENT_KINDS else ""
        if self._events.take(kind, now):
            logger.warning("%s (%s)", event, where)

    def sum_up(self) -> None:
        """Log how many events had no line of their own."""
        for event, count in list(self._events.taken.items()):  # threads of the app count on meanwhile
            if count > EVENTS_A_MINUTE:
                logger.warning("%s: %d more in one minute", event or "other events", count - EVENTS_A_MINUTE)
        self._events.taken.clear()

    def may_report(self, reporter: str, now: datetime) -> bool:
        """Return whether one more report from this reporter may be read in this minute."""
        return self._reports.take(reporter, now) and self._all_reports.take("", now)

    def wants_source(self) -> bool:
        """Return whether to keep a document's source while it is rewritten, so that findings can name a line."""
        self._documents_left -= self._documents_left > 0
        return self._dev or self._documents_left > 0

    def note(
        self, news: Iterable[tuple[Held, Verdict]], *, site: Site, page: str, source: bytes = b""
    ) -> None:
        """Log each new undeclared host with its element, page and line, and with the settings that would declare it."""
        for held, verdict in news:
            if self._is_news(verdict):
                line = line_of(held, source)
                told = f" ({_shown_element(held)}{f' in line {line}' if line else ''})"
                self._told.add(verdict.host)
                by = "style" if held.attribute == "style" else held.element
                self._tell(verdict, site=site, page=page, path=held.url.path, source=told, by=by)

    def note_report(
        self, verdict: Verdict, *, site: Site, page: str, path: str, by: str, network: str, now: datetime
    ) -> None:
        """Log a host that a browser reported, with a note that reports can be forged; IP addresses are shortened."""
        verdict = shortened(verdict)
        if not verdict.is_undeclared or verdict.host in self._told or verdict.host in self._reported:
            return
        if self._days.renews(now):
            self._reported.clear()
        # The day's limit is last, so that a reporter beyond the other limits does not use it up.
        turns = ((self._networks, network), (self._pages, shown_path(page)), (self._days, ""))
        if all(one.take(key, now) for one, key in turns):
            self._reported.add(verdict.host)
            source = " (reported by a browser; reports can be forged)"
            self._tell(verdict, site=site, page=page, path=path, source=source, by=by)

    def cookies_set(self) -> list[str]:
        """Return the names of undeclared cookies that the shop set in this process."""
        return [name.decode("latin-1") for name in self._told_cookies["set"]]

    def note_cookie(self, name: bytes, *, way: str, page: str) -> None:
        """Log an undeclared cookie once; `way` is `set` (by the shop) or `sent` (by a browser)."""
        told = self._told_cookies[way]
        if len(told) >= COOKIES_TOLD[way]:
            return
        name = _common_name(name[:LONGEST_SEARCHED])
        known = name[:LONGEST_COOKIE]
        if any(known in names for names in self._told_cookies.values()):
            return
        told.add(known)
        source = "by the shop" if way == "set" else "by a browser (cookies can be forged)"
        # Clients choose name and path, so escape them: they cannot break the line or control a terminal.
        shown, where = (
            ascii(text)[1:-1] for text in (name[:LONGEST_COOKIE].decode("latin-1"), shown_path(page))
        )
        line = "cookie %s, %s %s on %s: it is not declared%s"
        logger.warning(line, shown, way, source, where, self._cookie_advice(name))

    def _cookie_advice(self, name: bytes) -> str:
        """Return settings that declare a cookie: with its vendor if the catalogue has one, else as the shop's own."""
        entry = load_catalogue().by_cookie(name.decode("latin-1"))
        if entry is None:
            return _own_cookie(name, "to declare it, as necessary or with its real purpose:", NECESSARY)
        told = f"it belongs to {entry.name}, which the catalogue lists for {entry.purpose}; to declare"
        if any(not set(vendor.hosts).isdisjoint(entry.hosts) for vendor in self._vendors):
            return _own_cookie(name, f"{told} it:", entry.purpose)
        return f"; {told} the vendor with its cookies:\n{named(entry, self._vendors)}"

    def _is_news(self, verdict: Verdict) -> bool:
        return verdict.is_undeclared and verdict.host not in self._told and len(self._told) < HOSTS_TOLD

    def _tell(self, verdict: Verdict, *, site: Site, page: str, path: str, source: str, by: str) -> None:
        if verdict.host in self._reported and packed_address(verdict.host) is not None:
            advice, lines = "it is an IP address, of which only the network is shown", ""
        else:
            vendors = (*self._vendors, *self._advised)  # so that the newest advice includes the earlier ones
            advice, lines = advice_on(verdict, site=site, path=path, vendors=vendors, elements=[by])
            entry = load_catalogue().by_host(verdict.host, path)
            if entry is not None and verdict.host not in self._reported:  # reports can be forged
                self._advised[Vendor(catalogue=entry.id)] = None
        # Clients choose the path, so escape it: it cannot break the line or control a terminal.
        shown = ascii(shown_path(page))[1:-1]
        logger.warning(
            "held %s on %s: it is not declared%s; %s\n%s", verdict.host, shown, source, advice, lines
        )


def unbelieved(setting: str) -> str:
    """Return the warning that a proxy's header is ignored; any client can cause it, so the caller logs it once."""
    return (
        f"{setting} came with X-Forwarded-For from a peer that is not in trusted_proxies, so it is ignored; name "
        "the proxy there. uvicorn reads X-Forwarded-For itself and hides the proxy, unless it is started with "
        "--no-proxy-headers"
    )


def _shown_element(held: Held) -> str:
    """Return a held element as text by which the owner finds it in the page's source."""
    attribute = f" {held.attribute}=" if held.attribute else ">... "
    url = f"{held.url.scheme}://{held.url.host}{shown_path(held.url.path)}"
    return f"<{held.element}{attribute}{ascii(url)[1:-1]}{'>' if held.attribute else ''}"


def shortened(verdict: Verdict) -> Verdict:
    """Return the verdict with a host that may be logged although a client sent it: without personal data."""
    host = verdict.host
    if packed_address(host.strip("[]")) is not None:
        return replace(verdict, host=truncate(host.strip("[]")))
    domain = site_of(host).domain
    return (
        replace(verdict, host=f"*.{domain}") if host != domain and domain and personal_part(host) else verdict
    )


def _common_name(name: bytes) -> bytes:
    """Return a cookie's name, cut off before the first part that may identify a visitor."""
    found = PERSONAL.search(name)
    return name if found is None else name[: found.start()] + b"*"


def _own_cookie(name: bytes, advice: str, purpose: str) -> str:
    """Return the TOML lines that would declare a cookie; empty if the name cannot be written in a setting."""
    if not DECLARABLE.fullmatch(name.removesuffix(b"*")) or len(name) > LONGEST_COOKIE:
        return ""
    return f'; {advice}\n[[cookies.own]]\nname = {json.dumps(name.decode())}\npurpose = "{purpose}"'
