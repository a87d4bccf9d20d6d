"""Shops' own scripts give the same results guarded and unguarded, in files and inline, in every state of consent.

The snippets are in `innocents/`: each says in a value what it did. Many run in one page, one after the other.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from harness.servers import serving
from playwright.sync_api import BrowserContext, Page, Route

from cookieguard import Config, CookieGuard, Vendor

from .conftest import Visitors, answer

FOLDER = Path(__file__).parent / "innocents"
KINDS = ("menus", "loaders", "frames", "platform", "trusted", "tags", "components", "checkout")
LEAVING = "leaving"
# A way out in `make test`; the others are slow.
ONE_OUT = "form-action-then-submit"
STAGE = (
    '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title></head>'
    "<body><main><h1>Shop</h1></main>"
)
HTML, SCRIPT = "text/html; charset=utf-8", "text/javascript"
FILES = {
    "/own": (HTML, STAGE.format(title="own") + "<p>own</p>"),
    "/section": (HTML, STAGE.format(title="section") + "<p>part</p>"),
    "/lib.js": (SCRIPT, "window.lib = 'loaded'"),
    "/order.js": (SCRIPT, "window.order.push(new URL(document.currentScript.src).search)"),
    "/module.js": (SCRIPT, "export const count = 3"),
    "/worker.js": (SCRIPT, "onmessage = event => postMessage(event.data * 2)"),
    "/jsonp.js": (SCRIPT, "jsonp('called')"),
    "/shop.css": ("text/css", "p { margin: 0 }"),
    "/i/1.svg": ("image/svg+xml", '<svg xmlns="http://www.w3.org/2000/svg" width="8" height="8"/>'),
    "/events": ("text/event-stream", "data: event\n\n"),
    "/cart": ("application/json", "{}"),
    "/suggest": ("application/json", "[1]"),
    "/words.json": ("application/json", '{"de": {"cart": "Warenkorb"}}'),
    "/rows.html": (HTML, "<li>a</li><li>b</li>"),
    "/json-as-html": (HTML, '{"ok": 1}'),
    "/viewer": (HTML, STAGE.format(title="viewer") + "<canvas></canvas>"),
    "/lib-worker.js": (SCRIPT, "self.fromLib = 5"),
    "/module-worker.js": (
        SCRIPT,
        "import {count} from '/module.js'; onmessage = event => postMessage(event.data * count)",
    ),
    "/shared-worker.js": (
        SCRIPT,
        "onconnect = ({ports: [one]}) => { one.onmessage = event => one.postMessage(event.data * 2) }",
    ),
    "/sw.js": (SCRIPT, "oninstall = () => skipWaiting()"),
    "/pay-popup": (HTML, "<!doctype html><title>pay</title><script>opener.postMessage('paid', '*')</script>"),
    "/acs": (HTML, "<!doctype html><title>acs</title><script>parent.postMessage('challenged', '*')</script>"),
}


def source(name: str) -> str:
    return FOLDER.joinpath(f"{name}.js").read_text("utf-8")


@cache
def _files() -> dict[str, tuple[str, str]]:
    """Write a page for each kind and way: scripts in files, or inline."""
    found = dict(FILES)
    for kind in (*KINDS, LEAVING):
        found[f"/{kind}.js"] = SCRIPT, source(kind)
        tags = {
            "file": f'<script src="/help.js"></script><div id="stage"></div><script src="/{kind}.js"></script>',
            "inline": f'<script>{source("help")}</script><div id="stage"></div><script>{source(kind)}</script>',
        }
        for way, body in tags.items():
            found[f"/{kind}.{way}"] = HTML, STAGE.format(title=kind) + body
    for name in ("help", "pay", "captcha"):
        found[f"/{name}.js"] = SCRIPT, source(name)
    found["/pay-frame"] = HTML, FOLDER.joinpath("pay-frame.html").read_text("utf-8")
    return found


PAY: dict[str, str] = {}  # where the payment provider of these shops is
POLICIES = dict.fromkeys(("/trusted.file", "/trusted.inline"), b"require-trusted-types-for 'script'")


async def shop(scope: Any, receive: Any, send: Any) -> None:
    """Answer with these files, and echo on a WebSocket."""
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.send", "text": (await receive()).get("text", "")})
        return
    if scope["type"] == "http":
        kind, text = _files().get(scope["path"], ("text/plain", ""))
        headers = [(b"content-type", kind.encode()), (b"access-control-allow-origin", b"*")]
        if scope["path"] in POLICIES:
            headers.append((b"content-security-policy", POLICIES[scope["path"]]))
        await send({"type": "http.response.start", "status": 200 if text else 404, "headers": headers})
        await send(
            {"type": "http.response.body", "body": text.replace("PAY", PAY.get("origin", "")).encode()}
        )


@dataclass(frozen=True)
class Shops:
    """The addresses of a shop, guarded and not."""

    guarded: str
    unguarded: str


@pytest.fixture(scope="module")
def shops(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shops]:
    vendors = (
        Vendor(name="Film", purpose="preferences", hosts=("film.example",), cookies=("_film",)),
        Vendor(name="Pay", purpose="necessary", hosts=("pay.localhost",)),
    )
    config = Config(state_dir=str(tmp_path_factory.mktemp("innocents") / "state"), vendors=vendors)
    with ExitStack() as stack:
        served = [stack.enter_context(serving(one)) for one in (CookieGuard(shop, config), shop)]
        PAY["origin"] = served[1].at("pay.localhost")
        yield Shops(*(one.at("shop.localhost") for one in served))


def outcomes(tab: Page, url: str, page: str) -> dict[str, str]:
    """Run a page's snippets; return what each did, without the port."""
    tab.set_default_timeout(60_000)  # a machine that has too much to do
    tab.goto(f"{url}/{page}")
    found = tab.evaluate("everything()")
    return {name: re.sub(r":\d{4,5}\b", "", said) for name, said in found.items()}


def is_guarded(tab: Page) -> bool:
    return bool(tab.evaluate("Object.hasOwn(HTMLIFrameElement.prototype, 'setAttribute')"))


@pytest.mark.parametrize(
    ("way", "state"),
    [
        ("file", "undecided"),
        *(
            pytest.param(way, state, marks=pytest.mark.slow)
            for way, state in (("inline", "undecided"), ("file", "refused"), ("file", "partly"))
        ),
    ],
)
@pytest.mark.parametrize("kind", KINDS)
def test_what_a_shop_does_comes_out_the_same(
    visit: Visitors, shops: Shops, kind: str, way: str, state: str
) -> None:
    plain, tab = visit().new_page(), visit().new_page()
    if state != "undecided":
        tab.goto(f"{shops.guarded}/own")
        answer(tab, *(["reject"] if state == "refused" else ["save", "statistics"]))

    control = outcomes(plain, shops.unguarded, f"{kind}.{way}")
    found = outcomes(tab, shops.guarded, f"{kind}.{way}")

    assert (is_guarded(plain), is_guarded(tab)) == (False, True)
    assert {name: (said, control[name]) for name, said in found.items() if said != control[name]} == {}
    assert found.keys() == control.keys()
    assert not [name for name, said in control.items() if said in ("too late", "undefined", "")]


def named(kind: str) -> list[str]:
    """Name a file's snippets."""
    return re.findall(r'^  "([\w-]+)": ', source(kind), re.MULTILINE)


def left(context: BrowserContext, url: str, way: str) -> list[tuple[str, str, str]]:
    """Leave the shop in this way; return what other hosts are asked: method, address and body."""
    asked: list[tuple[str, str, str]] = []

    def answered(route: Route) -> None:
        request = route.request
        asked.append((request.method, request.url, request.post_data or ""))
        route.fulfill(body="<title>there</title>", content_type="text/html")

    context.route(re.compile(r"^https://"), answered)
    tab = context.new_page()
    tab.set_default_timeout(60_000)
    tab.goto(f"{url}/{LEAVING}.file")
    with context.expect_event("request", lambda request: request.url.startswith("https://"), timeout=60_000):
        tab.click(f"#way-{way}", no_wait_after=True)
    for _ in range(200):
        if asked:
            break
        tab.wait_for_timeout(20)
    return [(method, re.sub(r"%3A\d+", "", there), body) for method, there, body in asked]


@pytest.mark.parametrize(
    "way",
    [pytest.param(way, marks=[] if way == ONE_OUT else [pytest.mark.slow]) for way in named(LEAVING)],
)
def test_a_visitor_leaves_as_the_shop_sends_him(visit: Visitors, shops: Shops, way: str) -> None:
    control = left(visit(), shops.unguarded, way)

    assert control
    assert left(visit(), shops.guarded, way) == control


def test_there_are_enough_snippets() -> None:
    assert sum(len(named(kind)) for kind in (*KINDS, LEAVING)) >= 420
