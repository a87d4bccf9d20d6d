"""The scan without a browser: httpx fetches pages, and our rewriter reads them. It does not see what scripts load."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from http.cookiejar import CookieJar
from itertools import chain
from urllib.parse import urlsplit

import httpx

from cookieguard.errors import ScanFailed, ScanRefused
from cookieguard.html import parse_url
from cookieguard.scan.crawl import Crawl, named_in_robots, page_name, read_sitemap
from cookieguard.scan.forms import forms_in
from cookieguard.scan.observations import (
    ACCEPTED,
    REFUSED,
    UNDECIDED,
    Contact,
    Form,
    Scan,
    StorageEntry,
    VisitedPage,
)
from cookieguard.scan.page_source import PageSource, contacts_in, contacts_of_sheet
from cookieguard.scan.plan import Clock, Parties, Plan, absolute, one_state
from cookieguard.scan.proxy import Proxy

TIMEOUT_SECONDS = 20.0
MOST_REDIRECTS = 10
MOST_PAGE = 8 * 1024 * 1024  # bytes of one answer
MOST_SHEETS = 20  # of the shop's own
OK = 200
ERRORS = 400
HEADERS = {
    "accept": "text/html,application/xhtml+xml,*/*;q=0.8",
    "accept-language": "en",
    "user-agent": "Mozilla/5.0 (compatible; cookieguard scan)",
    "sec-fetch-dest": "document",
    "sec-fetch-mode": "navigate",
}
BANNER = re.compile(rb'<form method="post" action="([^"]*/)consent"')
UNANSWERED = b'name="choice" value="accept"'
CHOICES = {REFUSED: "reject", ACCEPTED: "accept"}
SEES_LESS = "without a browser, the scan sees which hosts scripts name, but not what they load"
DAY = 86400


async def scan_plainly(plan: Plan) -> Scan:
    """Scan a shop without a browser; raises ScanFailed if no page answers."""
    parties, clock = Parties(plan.start, plan.config), Clock(plan.seconds)
    async with Proxy(plan.addresses, most_bytes=plan.megabytes * 10**6) as proxy:
        visit = _PlainVisit(plan, parties, clock, proxy)
        pages = await visit.crawl()
        if visit.banner:
            for state in CHOICES:
                await visit.again(pages, state)
        else:
            visit.notes.append(one_state(plan))
    return Scan(
        target=plan.target or plan.start,
        started=visit.started,
        with_browser=False,
        looks=tuple(visit.looks),
        contacts=tuple(dict.fromkeys(visit.contacts)),
        kept=tuple(dict.fromkeys(visit.kept)),
        forms=tuple(visit.forms),
        notes=(*_limits(plan), *visit.notes, *notes_on(visit.looks)),
    )


def _limits(plan: Plan) -> list[str]:
    is_led = any(not step.open for step in plan.steps)
    return [SEES_LESS, *["only the steps that open a page were taken"] * is_led]


@dataclass
class Visit:
    """Visit a shop's pages once for each state of consent. Owns the observations."""

    plan: Plan
    parties: Parties
    clock: Clock
    proxy: Proxy
    started: datetime = field(default_factory=lambda: datetime.now(UTC))
    looks: list[VisitedPage] = field(default_factory=list)
    contacts: list[Contact] = field(default_factory=list)
    forms: list[Form] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    trouble: str = ""  # the error, or the response that was no page, at the last visit

    def begin(self, state: str, number: int, count: int, what: str) -> None:
        """Report the page or step that is visited next."""
        self.plan.progress(f"{state}: {number + 1} of {count} {what}")

    def is_over(self, done: int, waiting: int) -> bool:
        """Return whether the limit of time or bytes is reached, and note how many pages were left."""
        limit = "time" if self.clock.is_over else f"{self.plan.megabytes} MB" if self.proxy.is_full else ""
        if limit:
            self.notes.append(f"stopped after {done} pages by the limit of {limit}; {waiting} were left")
        return bool(limit)


@dataclass
class _PlainVisit(Visit):
    banner: str = ""  # the prefix of our own pages
    kept: list[StorageEntry] = field(default_factory=list)
    sheets: dict[str, bytes] = field(default_factory=dict)

    async def crawl(self) -> list[str]:
        seen: list[str] = []
        async with client_through(self.proxy, insecure=self.plan.insecure) as client:
            self.plan = await landed(client, self.plan, self.parties)
            crawl = await first_pages(client, self.plan)
            while len(seen) < self.plan.pages and (address := crawl.next()) is not None:
                if self.is_over(len(seen), len(crawl)):
                    break
                self.begin(UNDECIDED, len(seen), self.plan.pages, page_name(address))
                source = await self._visit_page(client, address, UNDECIDED)
                if source is None and not seen:
                    raise why_not(self.plan, f"{address} does not answer with a page ({self.trouble})")
                if source is not None:
                    seen.append(address)
                    crawl.add(source.links)
                    self._find_banner(source)
        return seen

    async def again(self, pages: list[str], state: str) -> None:
        async with client_through(self.proxy, insecure=self.plan.insecure) as client:
            headers = {"sec-fetch-site": "same-origin"}
            address = absolute(self.plan.start, f"{self.banner}consent")
            choice = {"choice": CHOICES[state], "next": "/"}
            try:
                answer = await client.post(address, json=choice, headers=headers, follow_redirects=False)
            except httpx.HTTPError as error:
                reason = str(error) or type(error).__name__
                self.notes.append(f"the banner did not accept the choice {state!r}: {reason}")
                return
            if answer.status_code >= ERRORS:
                self.notes.append(f"the banner did not accept the choice {state!r}: {answer.status_code}")
                return
            for number, page in enumerate(pages):
                if self.is_over(number, len(pages) - number):
                    return
                self.begin(state, number, len(pages), page_name(page))
                source = await self._visit_page(client, page, state)
                if source is None:
                    self.notes.append(not_again(page, state, self.trouble))
                elif UNANSWERED in source.text:
                    self.notes.append(f"the choice {state!r} was not kept: {page_name(page)} asks again")
                    return

    async def _visit_page(self, client: httpx.AsyncClient, address: str, state: str) -> PageSource | None:
        try:
            async with self.clock.within(TIMEOUT_SECONDS):
                answer, text = await fetch(client, address)
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError) as error:
            self.trouble = str(error) or type(error).__name__
            return None
        page = page_name(address)
        kind = answer.headers.get("content-type", "")
        self.trouble = what_came(answer.status_code, answer.reason_phrase, kind)
        if "html" not in kind or self.parties.is_foreign(parse_url(str(answer.url))):
            return None
        if not self.looks and answer.status_code >= ERRORS:  # an error page has none of the shop's tags
            return None
        source = PageSource(
            str(answer.url), text, page, state, tuple(answer.headers.get_list("content-security-policy"))
        )
        led = page_name(str(answer.url))
        led_to = "" if led == page else led
        self.looks.append(
            VisitedPage(page=page, state=state, status=answer.status_code, led_to=led_to, title=source.title)
        )
        self.contacts += contacts_in(source, self.parties.is_foreign)
        self.forms += forms_in(source, self.parties.is_foreign)
        for sheet in source.sheets[:MOST_SHEETS]:
            if not self.parties.is_foreign(parse_url(sheet)):
                found = await self._sheet(client, sheet)
                self.contacts += contacts_of_sheet(source, sheet, found, self.parties.is_foreign)
        self._keep(answer, page, state)
        return source

    async def _sheet(self, client: httpx.AsyncClient, address: str) -> bytes:
        if address not in self.sheets and len(self.sheets) < MOST_SHEETS:
            try:
                async with self.clock.within(TIMEOUT_SECONDS):
                    answer, text = await fetch(client, address)
                    self.sheets[address] = text if answer.status_code == OK else b""
            except (httpx.HTTPError, httpx.InvalidURL, TimeoutError):
                self.sheets[address] = b""
        return self.sheets.get(address, b"")

    def _keep(self, answer: httpx.Response, page: str, state: str) -> None:
        # A redirect, such as to the page in the visitor's language, may set a cookie too
        for cookie in chain.from_iterable(response.cookies.jar for response in (*answer.history, answer)):
            left = None if cookie.expires is None else cookie.expires - self.started.timestamp()
            self.kept.append(
                StorageEntry(
                    name=cookie.name,
                    kind="cookie",
                    site=cookie.domain.lstrip("."),
                    days=None if left is None else max(0, round(left / DAY)),
                    page=page,
                    state=state,
                )
            )

    def _find_banner(self, source: PageSource) -> None:
        found = BANNER.search(source.text)
        if found is not None and not self.banner:
            self.banner = found[1].decode("ascii", "replace")


@asynccontextmanager
async def client_through(proxy: Proxy, *, insecure: bool) -> AsyncIterator[httpx.AsyncClient]:
    """Yield a client that sends all requests through the scan's proxy, and keeps cookies as a browser does."""
    async with httpx.AsyncClient(
        proxy=proxy.url,
        trust_env=False,
        verify=not insecure,
        follow_redirects=True,
        max_redirects=MOST_REDIRECTS,
        timeout=TIMEOUT_SECONDS,
        headers=HEADERS,
    ) as client:
        client.event_hooks["response"].append(partial(_keep_secure, client.cookies.jar))
        yield client


async def _keep_secure(jar: CookieJar, answer: httpx.Response) -> None:
    """Let the jar return Secure cookies over http too, as browsers do on loopback."""
    if answer.request.url.scheme == "http":
        for cookie in jar:
            cookie.secure = False


async def landed(client: httpx.AsyncClient, plan: Plan, parties: Parties) -> Plan:
    """Return the plan at the origin that its start redirects to, such as https://www.shop.example.

    Links, sitemap and banner are of that origin. Raises ScanFailed if the start redirects to another site.
    """
    try:
        answer, _ = await fetch(client, plan.start)
    except (httpx.HTTPError, httpx.InvalidURL):
        return plan
    if plan.addresses.refused:  # the visit of the first page reports that
        return plan
    url = answer.url
    if parties.is_foreign(parse_url(str(url))):
        raise ScanFailed(
            f"{plan.start} leads to {url.host}, another site: scan that one, or add it to first_party_hosts"
        )
    return started_at(plan, str(url))


def started_at(plan: Plan, address: str) -> Plan:
    """Return the plan with its start at the origin of an address."""
    parts = urlsplit(address)
    start = urlsplit(plan.start)._replace(scheme=parts.scheme, netloc=parts.netloc)
    return replace(plan, start=start.geturl())


async def first_pages(client: httpx.AsyncClient, plan: Plan) -> Crawl:
    """Return a crawl with the start page, the pages that steps open, and those of the sitemap."""
    crawl = Crawl(plan.start, prefix=plan.config.prefix)
    crawl.add(absolute(plan.start, step.open) for step in plan.steps if step.open)
    robots = await _text_of(client, absolute(plan.start, "/robots.txt"))
    waiting = [*named_in_robots(robots), absolute(plan.start, "/sitemap.xml")]
    for address in dict.fromkeys(waiting):
        pages, more = read_sitemap(await _text_of(client, address))
        crawl.add(pages)
        for inner in more:
            crawl.add(read_sitemap(await _text_of(client, inner))[0])
    return crawl


async def fetch(client: httpx.AsyncClient, address: str) -> tuple[httpx.Response, bytes]:
    """Return the response for an address, and its body up to MOST_PAGE bytes."""
    body = bytearray()
    async with client.stream("GET", address) as answer:
        async for chunk in answer.aiter_bytes():
            body += chunk
            if len(body) > MOST_PAGE:
                break
    return answer, bytes(body[:MOST_PAGE])


def what_came(status: int, reason: str, kind: str) -> str:
    """Describe a response that is no page of the shop; if a host did not answer, the proxy's reason says so."""
    return ", ".join(filter(None, (f"{status} {reason}".strip(), kind)))


def not_again(address: str, state: str, trouble: str) -> str:
    """Return the note on a page that answered before, but not in this state: its contacts there are unknown."""
    return f"{page_name(address)} did not answer with a page ({trouble}), so it was not visited {state}"


def notes_on(looks: Sequence[VisitedPage]) -> list[str]:
    """Return notes on pages that answered with an error, or redirected to another page such as a login."""
    failed = dict.fromkeys(
        f"{look.page} ({look.status}, {look.state})" for look in looks if look.status >= ERRORS
    )
    led = dict.fromkeys(f"{look.page} (to {look.led_to})" for look in looks if look.led_to)
    notes = [f"answered with an error, so seen as visitors see that: {', '.join(failed)}"] if failed else []
    return notes + ([f"led to another page, so only that one was seen: {', '.join(led)}"] if led else [])


def why_not(plan: Plan, reason: str) -> ScanFailed:
    """Return the error for a scan without a page; a private address that was refused is the reason to name."""
    refused = sorted(plan.addresses.refused)
    if refused:
        return ScanRefused(f"{refused[0]} is at a private address; --allow-private lets the scan ask there")
    return ScanFailed(f"{reason}; --page starts at another page" if plan.addresses.own else reason)


async def _text_of(client: httpx.AsyncClient, address: str) -> str:
    try:
        answer, body = await fetch(client, address)
    except (httpx.HTTPError, httpx.InvalidURL):
        return ""
    kind = answer.headers.get("content-type", "")
    return body.decode("utf-8", "replace") if answer.status_code == OK and "html" not in kind else ""
