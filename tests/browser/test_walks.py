"""Each kind of request from its first click until it is closed, by customer, guest, support, officer and the worker.

With scripts and without, on a desk and on a phone; where scripts run axe is asked on each page.
"""

from __future__ import annotations

import asyncio
import io
import re
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from harness.relays import Relay, new_relay
from harness.servers import serving, wait_until
from playwright.sync_api import Page

from browser import walk_hooks
from browser.test_axe import axe, violations
from browser.test_policy_pages import LOOKS, require_readable
from browser.test_privacy_page import open_privacy
from browser.test_staff_pages import do, sign_in, tokens
from browser.tiny import TinyShop, page
from cookieguard import Config, CookieGuard, Vendor
from cookieguard.config import Controller, DataKind, MailSettings, RightsSettings
from cookieguard.features.work import open_worker

from .conftest import Visitors

__all__ = ["axe"]  # the fixture
HOSTILE = "<img src=x onerror=\"document.title='owned'\"> \u202egpj"
WAYS = [("phone", True), ("phone", False), ("desk", True), ("desk", False)]
WORDS = {"correct": "We corrected it.", "object": "We keep the ads from you."}


@dataclass
class Shop:
    """A shop with its staff, its mail relay and its worker."""

    url: str
    config: Config
    relay: Relay
    tokens: dict[str, str]

    def work(self) -> None:
        async def work() -> None:
            async with open_worker(self.config, environ={}) as worker:
                await worker.work_all()

        with ThreadPoolExecutor(1) as thread:  # Playwright's loop runs in this one
            thread.submit(lambda: asyncio.run(work())).result()


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    """Serve a shop where /login logs in, with hooks and a relay."""
    state, relay = tmp_path / "state", new_relay()
    config = Config(
        state_dir=str(state),
        dev=True,
        vendors=(Vendor(name="Film", purpose="marketing", hosts=("film.example",)),),
        data=(DataKind(id="orders", title="Orders and bills", purpose="To deliver"),),
        controller=Controller(name="Kiln & Co", address=("Ovenstraat 1", "1011 AA Amsterdam")),
        mail=MailSettings(url=relay.url, sender="Kiln <privacy@shop.example>"),
        rights=RightsSettings(login_url="/login", hooks="browser.walk_hooks:Hooks"),
    )
    home = page(body="<h1>Shop</h1>")
    app = TinyShop({"/": home, "/login": home}, logins={"/login": "10001"})
    walk_hooks.CALLED.clear()
    with ExitStack() as running:
        server = running.enter_context(serving(CookieGuard(app, config)))
        running.enter_context(relay.up())
        yield Shop(server.at("shop.localhost"), config, relay, tokens(state))


class Walk:
    """The people of one walk, each in a browser of their own; every page that they open is checked."""

    def __init__(self, visit: Visitors, shop: Shop, axe: str, look: str, *, scripts: bool) -> None:
        self.shop, self.look = shop, f"{look}-{'script' if scripts else 'plain'}"
        self.axe = axe if scripts else ""  # it waits for timers, which run with scripts alone
        options: dict[str, Any] = {**LOOKS[look], "javascript": scripts}
        self.customer, self.support, self.officer = (visit(**options).new_page() for _ in range(3))

    def see(self, shown: Page, name: str) -> None:
        require_readable(shown, name, self.look)
        assert not self.axe or violations(shown, self.axe) == []
        assert shown.locator("main img").count() == 0
        assert "owned" not in shown.title()

    def ask(self, kind: str, text: str = "") -> None:
        shown = self.customer
        shown.goto(f"{self.shop.url}/login")
        open_privacy(shown, self.shop.url)
        self.see(shown, f"{kind}-1-privacy")
        shown.check(f"input[value={kind}]")
        shown.fill("#text", text)
        with shown.expect_navigation():
            shown.click("button[value=ask]")
        if kind == "erase":  # it is asked about once more
            with shown.expect_navigation():
                shown.click("button[value=erase]")
        assert shown.locator("[role=status]").count() == 1
        self.see(shown, f"{kind}-2-asked")

    def open_as(self, who: Page, role: str, name: str) -> None:
        """Sign in, and open the first request of the queue."""
        sign_in(who, self.shop.url, self.shop.tokens[role], "requests")
        self.see(who, f"{name}-list")
        with who.expect_navigation():
            who.locator(".queue a").first.click()
        self.see(who, f"{name}-open")

    def is_closed(self, kind: str, answer: str = "") -> None:
        """Require that the customer reads the answer, and that nothing is left of it in the queue afterwards."""
        shown = self.customer
        shown.goto(f"{self.shop.url}/login")
        open_privacy(shown, self.shop.url)
        assert shown.locator("article[data-state=done]").count() == 1
        assert answer in shown.locator(".answer").first.inner_text()
        self.see(shown, f"{kind}-6-answered")
        self.sees_an_empty_queue(f"{kind}-7-closed")

    def sees_an_empty_queue(self, name: str) -> None:
        officer, url = self.officer, f"{self.shop.url}/_cg/requests"
        officer.goto(url)
        if officer.locator("#token").count():
            sign_in(officer, self.shop.url, self.shop.tokens["officer"], "requests")
        assert officer.locator(".queue").count() == 0
        self.see(officer, name)


@pytest.fixture(
    params=[pytest.param(way, marks=() if at == 0 else pytest.mark.slow) for at, way in enumerate(WAYS)]
)
def walk(request: pytest.FixtureRequest, visit: Visitors, shop: Shop, axe: str) -> Walk:
    look, scripts = request.param
    return Walk(visit, shop, axe, look, scripts=scripts)


@pytest.mark.parametrize(
    ("kind", "called"),
    [
        ("deactivate", ["deactivate 10001"]),
        pytest.param("opt-out", [], marks=pytest.mark.slow),
        pytest.param("erase", ["erase 10001"], marks=pytest.mark.slow),
    ],
)
def test_what_the_worker_does_is_asked_done_and_read(walk: Walk, kind: str, called: list[str]) -> None:
    walk.ask(kind, HOSTILE)
    walk.open_as(walk.support, "support", f"{kind}-3-support")
    walk.shop.work()
    walk.support.reload()
    walk.see(walk.support, f"{kind}-4-done")

    walk.is_closed(kind)

    assert called == walk_hooks.CALLED


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["correct", "object"])
def test_officers_decision_on_a_request_is_taken_answered_and_read(walk: Walk, kind: str) -> None:
    walk.ask(kind, f"{HOSTILE} my name is Quandt")
    walk.open_as(walk.support, "support", f"{kind}-3-support")
    do(walk.support, "note", f"Called. {HOSTILE}")
    walk.see(walk.support, f"{kind}-3-noted")
    assert walk.support.goto(f"{walk.shop.url}/_cg/record").status == 403  # type: ignore[union-attr]
    walk.open_as(walk.officer, "officer", f"{kind}-4-officer")
    if kind == "object":
        form = walk.officer.locator("form:has(button[value=refuse-for])")
        form.locator("[name=what]").select_option("marketing")
        with walk.officer.expect_navigation():
            form.locator("button").click()
        walk.see(walk.officer, f"{kind}-4-refused")
    do(walk.officer, "extended", "We are moving.")
    walk.see(walk.officer, f"{kind}-4-words")
    do(walk.officer, "extended")
    walk.see(walk.officer, f"{kind}-4-extended")
    do(walk.officer, "done", WORDS[kind])
    do(walk.officer, "done")
    walk.see(walk.officer, f"{kind}-5-done")

    walk.is_closed(kind, WORDS[kind])


@pytest.mark.slow
def test_guest_with_a_code_asks_for_a_copy_and_opens_it(walk: Walk) -> None:
    guest, shop = walk.customer, walk.shop
    in_by_code(walk, guest, "guest-1")
    guest.check("input[value=export]")
    with guest.expect_navigation():
        guest.click("button[value=ask]")
    walk.see(guest, "guest-3-asked")
    shop.work()
    assert shop.relay.counts[walk_hooks.GUEST_ADDRESS] == 2  # the code, and the answer
    in_by_code(walk, guest, "guest-4")
    with guest.expect_download() as download:
        guest.click("button[value=copy]")

    content = Path(download.value.path()).read_bytes()
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert sorted(archive.namelist()) == ["data.json", "index.html"]
        copy = archive.read("index.html").decode()
    page = Path(download.value.path()).with_suffix(".html")
    page.write_text(copy)
    guest.goto(page.as_uri())
    assert "<b>ring twice</b>" in guest.inner_text("body")
    walk.see(guest, "guest-5-copy")
    walk.sees_an_empty_queue("guest-6-closed")


def in_by_code(walk: Walk, guest: Page, name: str) -> None:
    shop, before = walk.shop, len(walk.shop.relay.accepted)
    guest.goto(f"{shop.url}/_cg/privacy")
    guest.fill("#address", walk_hooks.GUEST_ADDRESS)
    with guest.expect_navigation():
        guest.click("button[value=code]")
    walk.see(guest, f"{name}-code")
    wait_until(lambda: len(shop.relay.accepted) > before, "the code is there")
    text = shop.relay.messages[-1].get_payload(decode=True).decode()  # type: ignore[union-attr]
    (code,) = re.findall(r"\b\d{8}\b", text)
    guest.fill("#code", code)
    with guest.expect_navigation():
        guest.locator("form:has(#code) button").click()
    walk.see(guest, f"{name}-in")


@pytest.mark.slow
def test_letter_in_doubt_is_entered_asked_about_done_told_and_closed(walk: Walk) -> None:
    support, officer, shop = walk.support, walk.officer, walk.shop
    sign_in(support, shop.url, shop.tokens["support"], "requests")
    support.select_option("[name=kind]", "deactivate")
    support.select_option("[name=who]", "in-doubt")
    support.fill("[name=customer]", "10002")
    support.fill("[name=contact]", f"Anna Quandt, Street 1 {HOSTILE}")
    support.fill("form.fields [name=text]", HOSTILE)
    walk.see(support, "letter-1-form")
    do(support, "add")
    walk.see(support, "letter-2-in-doubt")
    shop.work()
    assert walk_hooks.CALLED == []
    do(support, "identity-shown", "Showed a bill.")
    walk.see(support, "letter-3-shown")
    shop.work()
    assert walk_hooks.CALLED == ["deactivate 10002"]
    walk.open_as(officer, "officer", "letter-4-officer")
    do(officer, "told", "by letter")
    walk.see(officer, "letter-5-told")
    officer.goto(f"{shop.url}/_cg/due")
    walk.see(officer, "letter-6-due")
    walk.sees_an_empty_queue("letter-7-closed")
