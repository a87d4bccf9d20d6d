"""A form in a review makes no choice for a visitor who clicks it, on pages and in scripts, with DOMPurify as published.

The scenes are the three in which such a form did act: nobody has decided, a login is fresh, a member is signed in.
"""

from __future__ import annotations

import asyncio
import html
import json
import re
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from harness import npm
from harness.servers import serving, wait_until
from playwright.sync_api import BrowserContext, Error, Page
from starlette.applications import Starlette
from starlette.routing import Mount

from cookieguard import Config, CookieGuard
from cookieguard.config import RightsSettings
from cookieguard.features.records.store.open import open_stores, place_of
from cookieguard.features.rights.requests import requests_opener
from cookieguard.features.rights.values.by_staff import Said, acted
from cookieguard.features.rights.values.requests import Act
from cookieguard.features.work import open_worker
from cookieguard.storage.state_directory import StateDirectory

from .conftest import Visitors, answer
from .test_privacy_page import open_privacy
from .test_staff_pages import tokens
from .tiny import TinyShop, page

PACKAGE = Path(npm.__file__).parent / "sanitizer"
OVERLAY = "position:fixed;inset:0;width:100vw;height:100vh;opacity:.01;z-index:2147483647"
RENDERED = page(
    head='<script src="/purify.js"></script>',
    body="""<div id="review"></div><script>
fetch("/review.txt").then(one => one.text()).then(one => {
  document.getElementById("review").innerHTML = DOMPurify.sanitize(one);
  document.title = "rendered";
})</script>""",
)
RAW = RENDERED.replace("DOMPurify.sanitize(one)", "one")


LOGINS = {"/login": "10001", "/attacker": "10666"}


class Hooks:
    """Hooks of a shop that record the customers they erase."""

    def __init__(self) -> None:
        self.called: list[str] = []

    def erase(self, customer: str) -> list[Any]:
        self.called.append(customer)
        return []

    async def export(self, customer: str) -> AsyncIterator[Any]:
        raise NotImplementedError
        yield

    def deactivate(self, customer: str) -> None:
        raise NotImplementedError


@dataclass
class Shop:
    """A served shop with reviews, and readers of all that a form could change."""

    pages: dict[str, str]
    config: Config
    guard: CookieGuard
    url: str = ""
    hooks: Hooks = field(default_factory=Hooks)

    def facts(self, context: BrowserContext) -> dict[str, Any]:
        """Return what the log, the queue, the hooks and the browser hold."""
        with ThreadPoolExecutor(1) as pool:  # Playwright's own loop runs in this thread
            pool.submit(lambda: asyncio.run(self._work())).result()
        stores = open_stores(place_of(self.config, Path(self.config.state_dir), environ={}), make=True)
        with closing(requests_opener(self.config, self._keyring, self._state, environ={})()) as queue:
            pending = len(queue.survey(datetime.now(UTC))[0])
        records = len([*stores.log.rows(), *stores.log.unnumbered()])
        stores.close()
        cookies = sorted((one["name"], one["value"]) for one in context.cookies())
        return {"records": records, "pending": pending, "erased": list(self.hooks.called), "cookies": cookies}

    def approve(self, id_: str) -> None:
        """Approve an erasure as a second person."""
        said = Said("Olga Officer", datetime.now(UTC))
        with closing(requests_opener(self.config, self._keyring, self._state, environ={})()) as queue:
            queue.change(id_, partial(acted, act=Act.APPROVED, said=said, has_hooks=True))
            queue.queue.wake(id_)

    async def _work(self) -> None:
        async with open_worker(self.config, hooks=self.hooks, environ={}) as worker:
            await worker.work_all()

    @property
    def _keyring(self) -> Any:
        return self.guard._parts.keyring

    @property
    def _state(self) -> StateDirectory:
        return StateDirectory(self.config.state_dir)


@pytest.fixture(scope="module")
def purify() -> str:
    """Give DOMPurify's script."""
    lacks = npm.missing()
    if lacks:
        pytest.skip(f"DOMPurify stays untested: {lacks}")
    return (npm.installed(PACKAGE) / "dompurify" / "dist" / "purify.min.js").read_text("utf-8")


@pytest.fixture
def shop(tmp_path: Path, purify: str) -> Iterator[Shop]:
    """Serve the shop."""
    config = Config(state_dir=str(tmp_path / "state"), dev=True, rights=RightsSettings(login_url="/login"))
    pages = {
        "/": page(body="home"),
        "/login": page(body="in"),
        "/attacker": page(body="in"),
        "/rendered": RENDERED,
        "/raw": RAW,
    }
    guard = CookieGuard(TinyShop(pages, files={"/purify.js": purify}, logins=LOGINS), config)
    made = Shop(pages, config, guard)
    with serving(guard) as server:
        made.url = server.at("shop.localhost")
        yield made


@dataclass(frozen=True)
class Scene:
    """The effect that a form would have, and the page that it posts to."""

    page: str
    fields: dict[str, str]


SCENES = {
    "undecided": Scene("consent", {"choice": "accept", "next": "/"}),
    "login": Scene("privacy", {"act": "ask", "kind": "erase"}),
    "staff": Scene(
        "requests",
        {"act": "add", "kind": "erase", "who": "known", "customer": "10002", "received": "2026-11-24"},
    ),
}


def enter_as_customer(shown: Page, shop: Shop) -> None:
    shown.goto(f"{shop.url}/login")
    open_privacy(shown, shop.url)


def enter_as_support(shown: Page, shop: Shop) -> None:
    """Sign in; a worker reads the list of the staff up to a second late."""
    token = tokens(Path(shop.config.state_dir))["support"]

    def is_in() -> bool:
        shown.goto(f"{shop.url}/_cg/requests")
        shown.fill("#token", token)
        with shown.expect_navigation():
            shown.click("main form button")
        return shown.url == f"{shop.url}/_cg/requests"

    wait_until(is_in, "the worker knows its staff")


ENTER: dict[str, Callable[[Page, Shop], None]] = {
    "undecided": lambda shown, shop: None,
    "login": enter_as_customer,
    "staff": enter_as_support,
}


def form(attributes: str, fields: dict[str, str], button: str = "") -> str:
    """Write a form whose button lies over all of the page."""
    hidden = "".join(
        f'<input type="hidden" name="{name}" value="{html.escape(value)}">' for name, value in fields.items()
    )
    return f'<form {attributes}>{hidden}<button style="{OVERLAY}"{button}>Read more</button></form>'


def todays(attacker: Page, shop: Shop) -> dict[str, str]:
    """Return what an attacker copies: the value of the day, and that of a form in a session of their own."""
    attacker.goto(f"{shop.url}/attacker")
    open_privacy(attacker, shop.url)
    text = attacker.content()
    attacker.goto(f"{shop.url}/_cg/choices")
    found = dict(re.findall(r'name="(banner|form)" value="([^"]*)"', text + attacker.content()))
    assert set(found) == {"banner", "form"}
    return found


def click(shown: Page) -> None:
    """Click anywhere, and wait for what comes of it."""
    shown.mouse.click(200, 120)
    shown.wait_for_timeout(250)
    shown.wait_for_load_state()


def go(shown: Page, url: str) -> None:
    """Open a page, again if a form that was clicked before is still on its way to another."""
    try:
        shown.goto(url)
    except Error as error:
        if "interrupted by another navigation" not in error.message:
            raise
        shown.wait_for_load_state()
        shown.goto(url)


def render(shown: Page, shop: Shop, review: str, *, way: str) -> None:
    """Show a page with a review, rendered by the server or by a script in the page."""
    if way == "server":
        shop.pages["/review"] = page(body=f'<div id="review">{review}</div>')
        go(shown, f"{shop.url}/review")
        return
    shop.pages["/review.txt"] = review
    go(shown, f"{shop.url}/{'raw' if way == 'raw' else 'rendered'}")
    shown.wait_for_function("document.title == 'rendered'")


def cleaned(shown: Page, shop: Shop, review: str) -> str:
    """Return a review as DOMPurify leaves it."""
    go(shown, f"{shop.url}/rendered")
    return str(shown.evaluate("text => DOMPurify.sanitize(text)", review))


@pytest.mark.parametrize("scene", SCENES)
@pytest.mark.parametrize("way", ["server", "script"])
def test_a_form_in_a_review_changes_nothing(visit: Visitors, shop: Shop, scene: str, way: str) -> None:
    context = visit()
    shown, told = context.new_page(), SCENES[scene]
    shop.pages["/review.txt"] = ""
    ENTER[scene](shown, shop)
    before = shop.facts(context)

    for copied in ({}, todays(visit().new_page(), shop)):
        review = cleaned(shown, shop, form(f'action="/_cg/{told.page}" method="post"', told.fields | copied))
        assert "<form" in review  # DOMPurify leaves it
        assert 'name="act"' in review or 'name="choice"' in review
        render(shown, shop, review, way=way)
        click(shown)

        assert shown.url.startswith(f"{shop.url}/re")
        assert shop.facts(context) == before
    if scene == "login":
        open_privacy(shown, shop.url)


ATTACKS = {
    "button": form("", {"choice": "accept"}, ' formaction="/_cg/consent" formmethod="post"'),
    "of-another-place": '<form id="f" action="/_cg/consent" method="post"><input type="hidden" name="choice" '
    f'value="accept"></form><button form="f" style="{OVERLAY}">x</button>',
    "absolute": form('action="http://SHOP.localhost:{port}/_cg/consent" method="post"', {"choice": "accept"}),
    "dots": form('action="/_cg/../x/%2e%2e/_cg/consent" method="post"', {"choice": "accept"}),
    "coded": form('action="/%5Fcg/con%73ent" method="post"', {"choice": "accept"}),
    "get": form('action="/_cg/consent" method="get"', {"choice": "accept"}, ' formmethod="post"'),
    "dialog": form('action="/_cg/consent" method="dialog"', {"choice": "accept"}, ' formmethod="post"'),
    "plain-text": form('action="/_cg/consent" method="post" enctype="text/plain"', {"choice": "accept"}),
    "new-window": form('action="/_cg/consent" method="post" target="_blank"', {"choice": "accept"}),
    "named-action": form(
        'action="/_cg/consent" method="post"',
        dict.fromkeys(("action", "getAttribute", "matches", "closest", "localName"), "/")
        | {"choice": "accept"},
    ),
    "behind-a-proxy": form('action="/_cg/policy/..%2fconsent" method="post"', {"choice": "accept"}),
    "before-base": form('action="consent" method="post"', {"choice": "accept"})
    + '<base href="/_cg/choices">',
    "relative": '<base href="/_cg/">' + form('action="consent" method="post"', {"choice": "accept"}),
    "marked": form('action="/_cg/consent" method="post" data-cg="necessary"', {"choice": "accept"}),
    "framed": '<iframe style="position:fixed;inset:0;width:100vw;height:100vh" srcdoc="{framed}"></iframe>',
}


@pytest.mark.parametrize("way", ["server", "raw"])
def test_no_spelling_of_the_form_acts_with_todays_value(visit: Visitors, shop: Shop, way: str) -> None:
    context = visit()
    shown, copied = context.new_page(), todays(visit().new_page(), shop)
    hidden = "".join(f'<input type="hidden" name="{name}" value="{value}">' for name, value in copied.items())
    framed = html.escape(
        form('action="/_cg/consent" method="post" target="_top"', {"choice": "accept"} | copied)
    )
    before = shop.facts(context)

    for name, attack in ATTACKS.items():
        if (way, name) == ("raw", "framed"):
            continue  # a document of its own, which no sanitizer leaves
        review = attack.replace("{port}", shop.url.rpartition(":")[2]).replace("{framed}", framed)
        render(shown, shop, review.replace("<button", f"{hidden}<button"), way=way)
        click(shown)

        assert shop.facts(context) == before, name
        assert "%2fconsent" not in shown.url, name  # nginx would resolve it
        for other in context.pages[1:]:
            other.close()


def test_a_script_renders_no_form_that_acts_on_a_shop_in_a_folder(visit: Visitors, shop: Shop) -> None:
    folder = quote("/caf\u00e9+")
    with serving(Starlette(routes=[Mount("/caf\u00e9+", app=shop.guard)])) as server:
        # The value is of a host and port.
        shop.url, shown = server.at("shop.localhost") + folder, visit().new_page()
        shown.goto(f"{shop.url}/_cg/choices")
        copied = {"banner": shown.locator("[name=banner]").get_attribute("value") or ""}
        review = form(
            f'action="{folder}/_cg/consent" method="post"', {"choice": "accept", "next": "/"} | copied
        )
        shop.pages["/caf\u00e9+/review"] = page(
            body=f'<div id="r"></div><script>r.innerHTML = {json.dumps(review)}</script>'
        )
        shown.goto(f"{shop.url}/review")
        assert shown.locator("#r form").count() == 1
        click(shown)

        assert shown.context.cookies() == []
        assert shown.url == f"{shop.url}/review"


def test_without_a_script_the_page_alone_holds_the_form(visit: Visitors, shop: Shop) -> None:
    context = visit(javascript=False)
    shown, copied = context.new_page(), todays(visit().new_page(), shop)
    before = shop.facts(context)

    render(
        shown,
        shop,
        form('action="/_cg/consent" method="post"', {"choice": "accept"} | copied),
        way="server",
    )
    click(shown)

    assert shop.facts(context) == before
    assert shown.url == f"{shop.url}/review"


@pytest.mark.parametrize("way", ["server", "rendered"])
def test_forms_of_the_shop_and_links_to_our_pages_go_on(visit: Visitors, shop: Shop, way: str) -> None:
    shown = visit().new_page()
    shop.pages["/found"] = page(body="found")

    for attributes, leads_to in (
        ('action="/found"', "/found"),
        ('action="/found?next=/_cg/privacy" method="post"', "/found?next=/_cg/privacy"),
        ('action="/_cg/choices"', "/_cg/choices"),
    ):
        render(shown, shop, form(attributes, {}), way=way)
        with shown.expect_navigation():
            shown.mouse.click(200, 120)
        assert shown.url.removeprefix(shop.url).rstrip("?") == leads_to


def test_our_own_banner_does_act(visit: Visitors, shop: Shop) -> None:
    context = visit()
    shown = context.new_page()
    before = shop.facts(context)
    shown.goto(shop.url)

    answer(shown, "accept")

    wait_until(lambda: shop.facts(context)["records"] == before["records"] + 1, "the choice is in the log")
    assert shown.locator("#cg button[value=reject]").count() == 1


def is_back_beside_erase(shown: Page) -> bool:
    """Return whether the way back is a control like the button that erases, in one row with it."""
    back, erase = (shown.locator(f"main form {one}").bounding_box() for one in ("a", "button[value=erase]"))
    assert back is not None
    assert erase is not None
    return (back["y"], back["height"]) == (erase["y"], erase["height"]) and back["x"] < erase["x"]


def test_a_customers_own_erasure_is_asked_about_once_more_and_does_act(visit: Visitors, shop: Shop) -> None:
    context = visit(javascript=False)
    shown = context.new_page()
    ENTER["login"](shown, shop)

    shown.check("input[value=erase]")
    shown.fill("#text", "two\nlines")
    with shown.expect_navigation():
        shown.click("button[value=ask]")
    assert shop.facts(context)["erased"] == []
    assert shown.locator("h1").inner_text() == "Erase my data and close my account"
    assert shown.locator("a", has_text="No, go back").get_attribute("href") == "/_cg/privacy?lang=en"
    assert is_back_beside_erase(shown)
    with shown.expect_navigation():
        shown.click("button[value=erase]")

    assert shop.facts(context)["erased"] == ["10001"]
    shown.goto(f"{shop.url}/_cg/privacy")
    assert shown.locator("input[name=kind]").count() == 0


def test_an_erasure_that_support_enters_is_asked_about_once_more_and_does_act(
    visit: Visitors, shop: Shop
) -> None:
    context = visit(javascript=False)
    shown = context.new_page()
    ENTER["staff"](shown, shop)

    shown.select_option("[name=kind]", "erase")
    shown.select_option("[name=who]", "known")
    shown.fill("[name=customer]", "10002")
    with shown.expect_navigation():
        shown.click("button[value=add]")
    assert shop.facts(context)["erased"] == []
    assert shown.locator("h1").inner_text() == "Erase 10002"
    assert is_back_beside_erase(shown)
    with shown.expect_navigation():
        shown.click("button[value=erase]")
    before = shop.facts(context)
    assert (before["erased"], before["pending"]) == ([], 1)
    assert "second person" in shown.locator("main").inner_text()
    shop.approve(shown.url.rpartition("id=")[2])

    assert shop.facts(context)["erased"] == ["10002"]


def test_a_page_of_the_day_before_yesterday_costs_one_click_more(visit: Visitors, shop: Shop) -> None:
    context = visit(locale="en")
    shown = context.new_page()
    shown.goto(shop.url)
    shown.evaluate("document.querySelector('#cg-p').shadowRoot.querySelector('[name=banner]').value = 'x.y'")

    with shown.expect_navigation():
        shown.locator("#cg button[value=accept]").click()
    assert "out of date" in shown.locator("main").inner_text()
    assert (
        shown.locator("input[name=purpose]:checked").count() == shown.locator("input[name=purpose]").count()
    )
    assert context.cookies() == []
    with shown.expect_navigation():
        shown.locator("button[value=save]").click()

    assert shown.url == f"{shop.url}/"
    assert shown.locator("#cg button[value=reject]").count() == 1


def test_a_picture_with_the_name_of_a_part_of_the_document_hides_no_banner(
    visit: Visitors, shop: Shop
) -> None:
    context = visit()
    shown = context.new_page()

    for name in ("body", "documentElement", "scrollingElement", "querySelector", "createElement"):
        context.clear_cookies()
        shop.pages["/review"] = page(body=f"<img name={name}>")
        shown.goto(f"{shop.url}/review")

        assert shown.locator("#cg").is_visible(), name
        answer(shown, "reject")  # by its script: the page is loaded again, and its address stays
        assert shown.url == f"{shop.url}/review"
        assert [one["name"] for one in context.cookies()] == ["cg_consent"]
