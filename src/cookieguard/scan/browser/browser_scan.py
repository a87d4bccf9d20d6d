"""Scan with a browser: the system's Chromium, driven by Playwright, in each state of consent."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from importlib.resources import files

from playwright.async_api import Browser, BrowserContext, Error, Page, Response, async_playwright

from cookieguard.html import parse_url
from cookieguard.scan.browser.chromium import OPEN_MS, close_others, launch, new_visitor
from cookieguard.scan.browser.page_observer import BrowserStorage, PageObserver, definers
from cookieguard.scan.crawl import Crawl, page_name
from cookieguard.scan.forms import forms_in
from cookieguard.scan.observations import ACCEPTED, UNDECIDED, Need, Scan, VisitedPage
from cookieguard.scan.page_source import MOST_LINKS, PageSource
from cookieguard.scan.plan import Clock, Parties, Plan, Step, absolute, one_state
from cookieguard.scan.proxy import Proxy
from cookieguard.scan.static_scan import (
    CHOICES,
    ERRORS,
    Visit,
    client_through,
    first_pages,
    landed,
    not_again,
    notes_on,
    started_at,
    what_came,
    why_not,
)

STATIC = files("cookieguard.static")
CLICK_MS = 5_000
STIR_SECONDS = 8.0
PICTURE_QUALITY = 45
MOST_SCRIPTS = 80  # script bodies that are searched for the definition of a missing name
OURS = "#cg button[value=%s]"
LINKS = "most => [...document.links].slice(0, most).map(one => String(one.href))"


async def scan_by_browser(plan: Plan) -> Scan:
    """Scan a shop with a browser; raises ScanFailed if no page answers or no browser is installed."""
    parties, clock = Parties(plan.start, plan.config), Clock(plan.seconds)
    notes: list[str] = []
    async with (
        Proxy(plan.addresses, most_bytes=plan.megabytes * 10**6) as proxy,
        async_playwright() as playwright,
        await launch(playwright, plan, proxy, notes) as browser,
    ):
        visit = _Visit(plan, parties, clock, proxy, browser=browser, notes=notes)
        await visit.crawl()
        for state in CHOICES:
            if visit.can_answer:
                await visit.again(state)
    if not visit.can_answer:
        visit.notes.append(one_state(plan))
    visit.notes += [
        f"{host} is at a private address and was not asked" for host in sorted(plan.addresses.refused)
    ]
    return Scan(
        target=plan.target or plan.start,
        started=visit.started,
        with_browser=True,
        looks=tuple(visit.looks),
        contacts=tuple(dict.fromkeys(visit.contacts)),
        kept=visit.storage.all,
        needs=tuple(visit.settled_needs()),
        forms=tuple(visit.forms),
        notes=(*visit.notes, *notes_on(visit.looks)),
    )


@dataclass
class _Visit(Visit):
    browser: Browser = field(kw_only=True)
    can_answer: bool = False
    pages: list[str] = field(default_factory=list)
    needs: list[Need] = field(default_factory=list)
    scripts: list[Response] = field(default_factory=list)
    defined: dict[str, set[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.storage = BrowserStorage(self.parties, self.started)

    async def crawl(self) -> None:
        """Visit pages as a visitor who has not chosen yet, and find further ones by their links."""
        async with client_through(self.proxy, insecure=self.plan.insecure) as client:
            self.plan = await landed(client, self.plan, self.parties)
            crawl = await first_pages(client, self.plan)
        async with self._visitor(UNDECIDED) as (context, watch):
            while len(self.pages) < self.plan.pages and (address := crawl.next()) is not None:
                if self.is_over(len(self.pages), len(crawl)):
                    break
                self.begin(UNDECIDED, len(self.pages), self.plan.pages, page_name(address))
                if await self._open(watch, address, UNDECIDED, crawl):
                    self.pages.append(address)
                elif not self.pages:
                    raise why_not(self.plan, f"{address} does not answer with a page ({self.trouble})")
                if len(self.pages) == 1 and not self.can_answer:
                    named = self.plan.accept or self.plan.refuse  # many banners have only one of the two
                    self.can_answer = bool(named) or await watch.page.locator(OURS % "accept").count() > 0
            await self._take_steps(watch, UNDECIDED)
            self.storage.take_cookies(await context.cookies(), UNDECIDED)

    async def again(self, state: str) -> None:
        async with self._visitor(state) as (context, watch):
            if not await self._answer(watch, state):
                self.notes.append(f"the banner could not be answered: {state} was not visited")
                return
            for number, address in enumerate(self.pages):
                if self.is_over(number, len(self.pages) - number):
                    break
                self.begin(state, number, len(self.pages), page_name(address))
                if not await self._open(watch, address, state):
                    self.notes.append(not_again(address, state, self.trouble))
            await self._take_steps(watch, state)
            self.storage.take_cookies(await context.cookies(), state)
            if state == ACCEPTED and self.needs:
                self.defined = await definers(self.scripts, {need.missing for need in self.needs})

    def settled_needs(self) -> list[Need]:
        """Return the errors that do not occur after the visitor agreed, with the hosts that define the missing name."""
        always = {(need.page, need.message) for need in self.needs if need.state == ACCEPTED}
        found: dict[tuple[str, str], Need] = {}
        for need in self.needs:
            if self.can_answer and need.state != ACCEPTED and (need.page, need.message) not in always:
                hosts = tuple(sorted(self.defined.get(need.missing, ())))
                found.setdefault((need.page, need.message), replace(need, hosts=hosts))
        return list(found.values())

    @asynccontextmanager
    async def _visitor(self, state: str) -> AsyncIterator[tuple[BrowserContext, PageObserver]]:
        context = await new_visitor(self.browser, insecure=self.plan.insecure)
        binding = f"cg{secrets.token_hex(6)}"
        page = await context.new_page()
        watch = await PageObserver.over(context, page, self.parties, state)
        await context.expose_binding(binding, lambda _, report: self._on_report(report, watch, state))
        await context.add_init_script(STATIC.joinpath("scan.js").read_text("utf-8").replace("NAME", binding))
        context.on("page", lambda other: asyncio.ensure_future(close_others(other, page)))
        page.on("dialog", lambda dialog: asyncio.ensure_future(dialog.dismiss()))
        page.on("response", lambda response: self._on_response(response, state))
        try:
            yield context, watch
        finally:
            await context.close()

    async def _open(self, watch: PageObserver, address: str, state: str, crawl: Crawl | None = None) -> bool:
        asked = len(self.proxy.asked)
        watch.begin(page_name(address))
        try:
            async with self.clock.within(OPEN_MS / 1000 + 1):
                response = await watch.page.goto(address, wait_until="commit")
        except (Error, TimeoutError) as error:
            # After a download, a crashed tab or a timeout, the tab still shows the page before
            self.trouble = (str(error).splitlines() or ["it took too long"])[0]
            return False
        if response is not None:
            kind = response.headers.get("content-type", "")
            self.trouble = what_came(response.status, response.status_text, kind)
        with suppress(Error, TimeoutError):  # a slow page is read as far as it has loaded by then
            async with self.clock.within(OPEN_MS / 1000 + 1):
                await watch.page.wait_for_load_state("load")
        return await self._observe(watch, state, response, asked, crawl)

    async def _observe(
        self,
        watch: PageObserver,
        state: str,
        response: Response | None,
        asked: int,
        crawl: Crawl | None = None,
    ) -> bool:
        """Move, scroll and press keys on the open page as visitors do, and record what it contacts."""
        page = watch.page
        if self.parties.is_foreign(parse_url(page.url)) or not await _is_page(response):
            return False
        status = response.status if response is not None else 0
        if not self.looks and status >= ERRORS:  # an error page has none of the shop's tags
            return False
        picture = b""
        if self.plan.pictures:
            picture = await _picture(page)
        await watch.settle()
        await self._stir(page)
        await watch.settle()
        source = await _source(response, page, watch.name, state)
        self.contacts += watch.contacts(source, self.proxy.asked[asked:])
        self.needs += watch.needs()
        self.forms += forms_in(source, self.parties.is_foreign) if source is not None else []
        title = source.title if source is not None else ""
        led = "" if page_name(page.url) == watch.name else page_name(page.url)
        self.looks.append(
            VisitedPage(page=watch.name, state=state, status=status, led_to=led, title=title, picture=picture)
        )
        if crawl is not None:
            if len(self.looks) == 1:  # a site may redirect a browser but turn away httpx
                self.plan = started_at(self.plan, page.url)
                crawl.move_to(page.url)
            crawl.add([*(source.links if source is not None else ()), *await self._links(page)])
        return True

    async def _links(self, page: Page) -> list[str]:
        try:
            async with self.clock.within(CLICK_MS / 1000):
                found = await page.evaluate(LINKS, MOST_LINKS)
        except (Error, TimeoutError):
            return []
        return [str(link) for link in found] if isinstance(found, list) else []  # a page may patch Array

    async def _stir(self, page: Page) -> None:
        with suppress(Error, TimeoutError):
            async with self.clock.within(STIR_SECONDS):
                await page.mouse.move(200, 300)
                await page.mouse.wheel(0, 200)
                await page.evaluate(STATIC.joinpath("scan_stir.js").read_text("utf-8"))
                await page.keyboard.press("Tab")

    async def _answer(self, watch: PageObserver, state: str) -> bool:
        named = self.plan.accept if state == ACCEPTED else self.plan.refuse
        button = named or OURS % CHOICES[state]
        page = watch.page
        try:
            async with self.clock.within(OPEN_MS / 1000):
                await page.goto(self.plan.start, wait_until="load")
                await page.locator(button).first.click(timeout=CLICK_MS)
                await watch.settle()
                await page.wait_for_load_state("load")
                return bool(named) or await page.locator(OURS % "accept").count() == 0
        except (Error, TimeoutError):
            return False

    async def _take_steps(self, watch: PageObserver, state: str) -> None:
        for number, step in enumerate(self.plan.steps):
            if self.clock.is_over:
                self.notes.append(f"stopped by the limit of time before step {number + 1} ({state})")
                return
            self.begin(state, number, len(self.plan.steps), f"step {step.kind}")
            asked, before = len(self.proxy.asked), watch.page.url
            watch.begin(page_name(before))
            try:
                async with self.clock.within(OPEN_MS / 1000):
                    response = await _take(watch.page, step, self.plan.start)
                    await watch.settle()
                    await watch.page.wait_for_load_state("load")
            except (Error, TimeoutError):
                self.notes.append(f"step {number + 1} ({step.kind}) could not be taken ({state})")
                return
            watch.name = page_name(watch.page.url)
            await self._observe(watch, state, response, asked)

    def _on_report(self, report: object, watch: PageObserver, state: str) -> None:
        """Record a report of our script in the page. Any script there can call this, so a report may be made up."""
        if isinstance(report, dict) and report.get("kind") == "asked":
            watch.note_picture(str(report.get("name", "")), str(report.get("by", "")))
        else:
            self.storage.note(report, watch.name, state)

    def _on_response(self, response: Response, state: str) -> None:
        is_wanted = state == ACCEPTED and bool(self.needs) and len(self.scripts) < MOST_SCRIPTS
        if is_wanted and response.request.resource_type == "script":
            self.scripts.append(response)


async def _take(page: Page, step: Step, start: str) -> Response | None:
    if step.open:
        return await page.goto(absolute(start, step.open), wait_until="load")
    if step.wait:
        await page.locator(step.wait).first.wait_for(timeout=CLICK_MS)
    if step.click:
        await page.locator(step.click).first.click(timeout=CLICK_MS)
    if step.fill:
        await page.locator(step.fill).first.fill(step.text(), timeout=CLICK_MS)
    if step.press:
        await page.keyboard.press(step.press)
    return None


async def _is_page(response: Response | None) -> bool:
    return response is None or "html" in (response.headers.get("content-type") or "")


async def _source(response: Response | None, page: Page, name: str, state: str) -> PageSource | None:
    """Return the page as it was served, or its current DOM if there is no response."""
    try:
        text = await response.body() if response is not None else (await page.content()).encode()
    except Error:
        return None
    return PageSource(page.url, text, name, state)


async def _picture(page: Page) -> bytes:
    try:
        return await page.screenshot(type="jpeg", quality=PICTURE_QUALITY, timeout=CLICK_MS)
    except Error:
        return b""
