"""Observe one page in the browser: its requests and what sends them, what it stores, and errors in its own code."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from time import monotonic
from typing import Any
from urllib.parse import parse_qsl, unquote_plus, urlsplit

from playwright.async_api import BrowserContext, CDPSession, Error, Page, Request, Response

from cookieguard.html import Url, resolve
from cookieguard.scan.browser.chromium import BROWSERS_OWN
from cookieguard.scan.observations import (
    ASKED,
    CONNECTED,
    HELD,
    NAMED,
    WOULD,
    Contact,
    Need,
    StorageEntry,
    shown_url,
)
from cookieguard.scan.page_source import BLANK, PageSource, contacts_in
from cookieguard.scan.plan import Parties
from cookieguard.scan.proxy import Connection

QUIET_SECONDS = 0.5  # without a new request; later requests of a page mostly follow its load event
LONGEST_WAIT = 6.0
PATH, QUERY = "the page's path", "what stands in the page's query"
SHORTEST_VALUE = 4  # characters; many addresses contain a shorter value by chance
LONGEST_BODY = 100_000
MOST_REQUESTS = 3000  # of one page that are read
LONGEST_SCRIPT = 3_000_000
BLOCKED_BY_POLICY = "csp"
# Playwright's types of resources, as the report names them.
ELEMENTS = {
    "document": "iframe",
    "ping": "beacon",
    "image": "image",
    "other": "request",
    "texttrack": "track",
}
MISSING = re.compile(r"\b([A-Za-z_$][\w$.]*) is not (?:defined|a function|a constructor)")
NO_MEMBER = re.compile(r"Cannot read propert(?:y|ies) of (?:undefined|null) \(reading '([\w$]+)'\)")
AN_ADDRESS = re.compile(r"https?://[^\s)]+?(?=:\d+(?::\d+)?\)?\s*$)", re.MULTILINE)


class PageObserver:
    """Observe one page. Owns the observations since `begin`."""

    def __init__(self, page: Page, parties: Parties, state: str) -> None:
        self.page, self._parties, self._state = page, parties, state
        self._requests: list[tuple[Request | None, str]] = []
        self._initiators: dict[str, tuple[str, int]] = {}
        self._pictures: dict[str, str] = {}
        self._errors: list[tuple[str, str]] = []
        self._latest = monotonic()
        self.name = "/"
        page.on("request", lambda request: self._note(request, request.url))
        page.on("websocket", lambda socket: self._note(None, socket.url))
        page.on("pageerror", self._on_error)

    @classmethod
    async def over(cls, context: BrowserContext, page: Page, parties: Parties, state: str) -> PageObserver:
        """Return an observer of a page that also records the script behind each request."""
        watch = cls(page, parties, state)
        session: CDPSession = await context.new_cdp_session(page)
        session.on("Network.requestWillBeSent", watch._on_sent)
        session.on("Network.webSocketCreated", watch._on_sent)
        await session.send("Network.enable")
        await session.send("Runtime.enable")
        return watch

    def begin(self, name: str) -> None:
        """Forget the last page's observations, and name the next page."""
        self.name, self._latest = name, monotonic()
        self._requests.clear()
        self._initiators.clear()
        self._pictures.clear()
        self._errors.clear()

    async def settle(self, longest: float = LONGEST_WAIT) -> None:
        """Wait until there was no new request for QUIET_SECONDS."""
        end = monotonic() + longest
        self._latest = monotonic()
        while monotonic() < end and monotonic() - self._latest < QUIET_SECONDS:  # noqa: ASYNC110  # quiet is no event
            await asyncio.sleep(0.05)

    def _note(self, request: Request | None, url: str) -> None:
        self._latest = monotonic()
        if len(self._requests) < MOST_REQUESTS and url.startswith(("http", "ws")):
            self._requests.append((request, url))

    def _on_sent(self, event: dict[str, Any]) -> None:
        url = event.get("request", event).get("url", "")
        initiator = event.get("initiator") or {}
        stack = initiator.get("stack") or {}
        frames = list(stack.get("callFrames") or ())
        if not frames and stack.get("parent"):
            frames = list(stack["parent"].get("callFrames") or ())
        by = next((frame for frame in frames if str(frame.get("url", "")).startswith("http")), None)
        place = by or (initiator if initiator.get("type") == "parser" else {})
        self._initiators[url] = (str(place.get("url", "")), int(place.get("lineNumber", -1)) + 1)

    def note_picture(self, url: str, by: str) -> None:
        """Note the script that requested a picture."""
        if by and len(self._pictures) < MOST_REQUESTS:
            self._pictures[url] = by

    def _on_error(self, error: Error) -> None:
        found = AN_ADDRESS.search(error.stack or "")
        self._errors.append((error.message.split("\n")[0][:300], found[0] if found else ""))

    def contacts(self, source: PageSource | None, asked: Iterable[Connection]) -> list[Contact]:
        """Return the page's contacts; `asked` are the connections that the proxy recorded meanwhile."""
        static = contacts_in(source, self._parties.is_foreign) if source is not None else []
        elements = {contact.url: contact for contact in static if contact.how in (WOULD, HELD)}
        seen = list(self._contacts_of_requests(elements))
        hosts = {contact.host for contact in seen}
        # An element counts by itself only if no request to its host was seen.
        seen += [contact for contact in static if contact.how == HELD or contact.host not in hosts]
        known = {contact.host for contact in seen if contact.how != NAMED} | {self._parties.site.host}
        known |= {connection.host for connection in asked if BROWSERS_OWN.fullmatch(connection.host)}
        connected = dict.fromkeys(connection for connection in asked if connection.host not in known)
        return seen + [found for place in connected if (found := self._connected(*place)) is not None]

    def _connected(self, host: str, port: int) -> Contact | None:
        url = resolve(f"{'https' if port == 443 else 'http'}://{host}:{port}/", BLANK)
        if url is None or not self._parties.is_foreign(url):
            return None
        return self._contact(url, f"{host}:{port}", CONNECTED, "connection", "", 0)

    def _contacts_of_requests(self, static: dict[str, Contact]) -> Iterable[Contact]:
        for request, address in self._requests:
            url = resolve(address.replace("ws", "http", 1) if address.startswith("ws") else address, BLANK)
            if url is None or not self._parties.is_foreign(url):
                continue
            is_held = request is not None and (request.failure or "") == BLOCKED_BY_POLICY
            by, line = self._by(request, address)
            markup = static.get(shown_url(address)) if not by else None
            element = markup.element if markup is not None else _element(request)
            if markup is not None:
                line = markup.line
            found = self._contact(url, shown_url(address), HELD if is_held else ASKED, element, by, line)
            yield (
                found
                if is_held
                else replace(found, told=page_parts_in(self.page.url, address + _body(request)))
            )

    def _by(self, request: Request | None, address: str) -> tuple[str, int]:
        """Return the script that sent a request, "" for markup and inline scripts of the page, and the line there."""
        by, line = self._initiators.get(address, ("", 0))
        if address in self._pictures:
            by, line = self._pictures[address], 0
        if not by and request is not None:
            by = _frame_of(request)
        own = self.page.url.partition("#")[0]
        return ("", line) if by.partition("#")[0] == own else (shown_url(by), 0)

    def _contact(self, url: Url, address: str, how: str, element: str, by: str, line: int) -> Contact:
        return Contact(
            host=url.host,
            port=url.port,
            url=shown_url(address),
            how=how,
            element=element,
            by=by,
            page=self.name,
            state=self._state,
            line=max(0, line),
        )

    def needs(self) -> list[Need]:
        """Return the errors of the shop's own code about a name that is not defined."""
        found = []
        for message, by in self._errors:
            missing = MISSING.search(message) or NO_MEMBER.search(message)
            url = resolve(by, BLANK) if by else None
            if missing is not None and (url is None or not self._parties.is_foreign(url)):
                found.append(
                    Need(
                        page=self.name,
                        state=self._state,
                        missing=missing[1],
                        message=message,
                        by=shown_url(by) or self.name,
                    )
                )
        return found


def page_parts_in(page: str, sent: str) -> tuple[str, ...]:
    """Return what a request reveals of its page; `sent` is the request's address and body.

    Values that are encrypted, hashed or in base64 are not found.
    """
    here, text = urlsplit(page), unquote_plus(unquote_plus(sent))
    values = [value for _, value in parse_qsl(here.query) if len(value) >= SHORTEST_VALUE]
    found = {PATH: len(here.path) > 1 and here.path in text, QUERY: any(value in text for value in values)}
    return tuple(part for part, is_sent in found.items() if is_sent)


def _body(request: Request | None) -> str:
    """Return the body of a request as text, after a space; bytes that are no UTF-8 are replaced."""
    sent = request.post_data_buffer if request is not None else None
    return "" if sent is None else f" {sent[:LONGEST_BODY].decode('utf-8', 'replace')}"


def _element(request: Request | None) -> str:
    if request is None:
        return "websocket"
    return ELEMENTS.get(request.resource_type, request.resource_type)


def _frame_of(request: Request) -> str:
    """Return the document that sent a request; for a frame's own document, that is the document around the frame."""
    try:
        frame = request.frame
        if request.is_navigation_request() and frame.parent_frame is not None:
            frame = frame.parent_frame
        return frame.url if frame.url.startswith("http") else ""
    except Error:  # a worker sent it, or the frame was removed
        return ""


async def definers(responses: Iterable[Response], names: set[str]) -> dict[str, set[str]]:
    """Return the hosts whose scripts define each of these names."""
    found: dict[str, set[str]] = {}
    for response in responses:
        try:
            text = (await response.body())[:LONGEST_SCRIPT].decode("utf-8", "replace")
        except Error:
            continue
        url = resolve(response.url, BLANK)
        for name in names:
            word = re.escape(name.partition(".")[0])
            if url is not None and re.search(
                rf"(?<![\w$]){word}\s*=[^=]|function\s+{word}\b|[\"']{word}[\"']\s*\]", text
            ):
                found.setdefault(name, set()).add(url.host)
    return found


DAY = 86400
MOST_KEPT = 2000


class BrowserStorage:
    """Collect the cookies and storage keys that scripts wrote or that the browser has. Owns the entries."""

    def __init__(self, parties: Parties, now: datetime) -> None:
        self._parties, self._now = parties, now
        self._kept: dict[tuple[str, str, str, str], StorageEntry] = {}

    @property
    def all(self) -> tuple[StorageEntry, ...]:
        """Return the entries, in the order in which they were seen."""
        return tuple(self._kept.values())

    def note(self, report: object, page: str, state: str) -> None:
        """Add an entry that a script wrote. Any script of the page can send a report, so its values are cut."""
        if not isinstance(report, Mapping) or len(self._kept) >= MOST_KEPT:
            return
        self._add(
            StorageEntry(
                name=str(report.get("name", ""))[:200],
                kind=str(report.get("kind", ""))[:20],
                site=str(report.get("site", ""))[:253].partition(":")[0],
                by=self._foreign(str(report.get("by", ""))),
                page=page,
                state=state,
            )
        )

    def take_cookies(self, cookies: Sequence[Mapping[str, Any]], state: str) -> None:
        """Add the browser's cookies at the end of a visit, with their sites and how many days they are kept."""
        for cookie in cookies:
            name, site = str(cookie.get("name", "")), str(cookie.get("domain", "")).lstrip(".")
            written = [
                key
                for key, kept in self._kept.items()
                if (kept.name, kept.kind, kept.state) == (name, "cookie", state) and kept.site.endswith(site)
            ]
            expires = float(cookie.get("expires", -1))
            days = None if expires < 0 else max(0, round((expires - self._now.timestamp()) / DAY))
            own = self._parties.site.host
            is_own = own == site or own.endswith(f".{site}")  # cookies ignore ports
            foreign = "" if is_own else self._foreign(f"https://{site}/")
            for key in written:
                self._kept[key] = replace(self._kept[key], site=site, days=days)
            if not written:
                self._add(
                    StorageEntry(
                        name=name, kind="cookie", site=site, by=foreign, days=days, page="/", state=state
                    )
                )

    def _add(self, kept: StorageEntry) -> None:
        self._kept.setdefault((kept.kind, kept.name, kept.site, kept.state), kept)

    def _foreign(self, address: str) -> str:
        url = resolve(address, BLANK)
        return url.host if url is not None and self._parties.is_foreign(url) else ""
