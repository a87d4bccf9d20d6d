"""With staff pages on a host of their own, a script in a shop page cannot reach a signed-in owner."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from harness.servers import serving
from playwright.sync_api import Page

from cookieguard import Config, CookieGuard
from cookieguard.config.people.staff import StaffSettings
from cookieguard.features.people.journal import read_journal

from .conftest import Visitors
from .test_staff_pages import sign_in, tokens
from .tiny import TinyShop, page

# Both hosts are of one site, so cookies with SameSite=Strict go from one to the other.
SHOP, STAFF = "shop.kiln.localhost", "staff.kiln.localhost"
NAME = "officer person"
# What a hostile script tries; each returns what it got hold of.
READS = {
    "fetch": "url => fetch(url, {credentials: 'include'}).then(one => one.text())",
    "fetch no-cors": "url => fetch(url, {credentials: 'include', mode: 'no-cors'}).then(one => one.text())",
    "frame": """url => new Promise(done => {
        const frame = document.createElement('iframe')
        frame.onload = () => { try { done(frame.contentDocument.body.innerText) } catch (e) { done('' + e) } }
        frame.src = url
        document.body.append(frame)
        setTimeout(() => done('nothing'), 3000)})""",
    "window": """url => new Promise(done => {
        const opened = open(url)
        setTimeout(() => { try { done(opened.document.body.innerText) } catch (e) { done('' + e) } }, 1500)})""",
}
POSTS = {
    "fetch": """([url, body]) => fetch(url, {method: 'POST', credentials: 'include', mode: 'no-cors', body,
        headers: {'content-type': 'application/x-www-form-urlencoded'}}).then(() => 'sent')""",
    "form": """([url, body]) => new Promise(done => {
        const sink = '<iframe name=sink></iframe><form method=post target=sink></form>'
        document.body.insertAdjacentHTML('beforeend', sink)
        const form = document.body.lastElementChild
        form.action = url
        new URLSearchParams(body).forEach((value, name) => {
            const field = Object.assign(document.createElement('input'), {name, value})
            form.append(field)})
        form.submit()
        setTimeout(() => done('sent'), 1500)})""",
}


class Later:
    """An app that is set after the server's port is known."""

    app: Any

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self.app(scope, receive, send)


@contextmanager
def served(state: Path, *, staff: str) -> Iterator[tuple[str, str]]:
    """Serve a shop, and give its address and that of its staff pages."""
    later, home = Later(), page(body="<p>Kiln</p>")
    with serving(later, lifespan="off") as server:
        settings = StaffSettings(origin=server.at(STAFF)) if staff == STAFF else StaffSettings()
        config = Config(state_dir=str(state), origins=(server.at(SHOP),), staff=settings)
        later.app = CookieGuard(TinyShop({"/": home}), config)
        yield server.at(SHOP), server.at(staff)
        later.app.close()


@contextmanager
def attacked(visit: Visitors, tmp_path: Path, staff: str) -> Iterator[tuple[Page, Page, str]]:
    """Give an officer's signed-in page, a page of the shop in the same browser, and the address of staff pages."""
    with served(tmp_path / "state", staff=staff) as (shop, base):
        browser = visit(bypass_csp=True)  # as if the shop had no policy of ours
        console, hostile = browser.new_page(), browser.new_page()
        sign_in(console, base, tokens(tmp_path / "state")["officer"], "due")
        hostile.goto(shop)
        yield console, hostile, base


def attempt(hostile: Page, script: str, argument: Any) -> str:
    return str(hostile.evaluate(f"argument => ({script})(argument).catch(error => '' + error)", argument))


@pytest.mark.parametrize("staff", [STAFF, SHOP])
def test_script_of_the_shop_reads_and_changes_nothing_on_the_host_of_staff(
    visit: Visitors, tmp_path: Path, staff: str
) -> None:
    with attacked(visit, tmp_path, staff) as (console, hostile, base):
        before = len(list(read_journal(tmp_path / "state")))

        read = {way: attempt(hostile, script, f"{base}/_cg/staff") for way, script in READS.items()}
        for script in READS.values():
            if script != READS["window"]:
                attempt(hostile, script, f"{base}/_cg/due")
        looks = len(list(read_journal(tmp_path / "state"))) - before
        form = read["fetch"].partition('name="form" value="')[2].partition('"')[0]
        body = f"leave=1&form={form}"
        ways = POSTS.values() if staff == STAFF else [POSTS["fetch"]]
        assert {attempt(hostile, one, [f"{base}/_cg/staff", body]) for one in ways} == {"sent"}
        console.goto(f"{base}/_cg/due")
        is_signed_in = console.locator("#token").count() == 0

    reached = {way for way, text in read.items() if NAME in text}
    print(
        f"staff at {staff}: read by {sorted(reached)}, {looks} looks noted, signed in after: {is_signed_in}"
    )
    if staff == SHOP:  # the control: there the script is as powerful as its reader
        assert "fetch" in reached
        assert (looks > 0, is_signed_in) == (True, False)
        return
    assert reached == set()
    assert (looks, is_signed_in) == (0, True)


def test_staff_page_is_in_no_frame_of_the_shop(visit: Visitors, tmp_path: Path) -> None:
    with attacked(visit, tmp_path, STAFF) as (_, hostile, base):
        asked = []
        hostile.on("response", lambda one: asked.append((one.url, one.status)))
        attempt(hostile, READS["frame"], f"{base}/_cg/due")
        frame = hostile.frames[-1]

        assert (f"{base}/_cg/due", 403) in asked
        assert NAME not in frame.locator("body").inner_text()


@pytest.mark.parametrize("name", ["staff", "due", "requests"])
def test_staff_page_is_not_found_at_the_address_of_the_shop(
    visit: Visitors, tmp_path: Path, name: str
) -> None:
    with served(tmp_path / "state", staff=STAFF) as (shop, base):
        shown = visit().new_page()

        assert shown.goto(f"{shop}/_cg/{name}").status == 404  # type: ignore[union-attr]
        assert shown.goto(f"{base}/").status == 403  # type: ignore[union-attr]
        assert (shown.url, shown.locator("#token").count()) == (f"{base}/_cg/overview", 1)
        assert shown.goto(f"{base}/cart").status == 404  # type: ignore[union-attr]
        assert shown.locator("h1").count() == 1
