"""The second wall stops requests that scripts make, and lets the shop's own scripts and our elements work."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from harness.browser import Recorder, counting, linger
from harness.quick import some_of
from harness.servers import serving
from playwright.sync_api import Page

from cookieguard import Config, CookieGuard, Vendor

from .conftest import Visitors, answer
from .tiny import TinyShop, page

# Both what the document reports and what the console says; a shop's own scripts cannot switch either off.
WATCH = """
window.violations = [];
document.addEventListener('securitypolicyviolation', function (event) {
  window.violations.push(event.effectiveDirective + ' ' + event.blockedURI);
});
"""
OWN = "<style{nonce}>h1{{color:rgb(1,2,3)}}</style>"
RUNS = "<script{nonce}>document.documentElement.dataset.own = 'runs'</script>"
NONCED = " nonce='{nonce}'"
HASH = "'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='"


def pages_with(nonce: str, meta: str = "") -> str:
    head = f'<meta http-equiv="Content-Security-Policy" content="{meta}">' if meta else ""
    return page(head + OWN.format(nonce=nonce), RUNS.format(nonce=nonce))


# path -> (page, policy header, is our style in, is our script in, requests of ours)
POLICIES: dict[str, tuple[str, str, bool, bool, int]] = {
    "/no-policy": (pages_with(""), "", True, True, 1),  # banner.js, which stays in the browser's cache
    "/nonce": (
        pages_with(NONCED),
        "default-src 'self'; script-src 'nonce-{nonce}' 'strict-dynamic'; style-src 'nonce-{nonce}'",
        True,
        True,
        0,
    ),
    "/meta-nonce": (
        pages_with(NONCED, "script-src 'nonce-{nonce}'; style-src 'self' 'nonce-{nonce}'"),
        "",
        True,
        True,
        0,
    ),
    "/header-and-meta": (
        pages_with(NONCED, "script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'"),
        "default-src 'self'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'",
        True,
        True,
        0,
    ),
    "/unsafe-inline": (pages_with(""), "default-src 'self' 'unsafe-inline'", True, True, 0),
    "/file": (page(), "default-src 'self'", True, True, 5),
    "/script-only-by-hash": (
        page(),
        f"default-src 'self'; script-src {HASH} 'strict-dynamic'",
        True,
        False,
        1,
    ),
    "/plain": (page(), "default-src 'none'; base-uri 'none'", False, False, 0),
    "/no-connect": (
        pages_with(NONCED),
        "script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; form-action 'self'; connect-src 'self'",
        True,
        True,
        0,
    ),
}


@pytest.mark.parametrize("choice", [(), ("accept",)], ids=str)
def test_the_shops_scripts_find_the_head_it_wrote(
    visit: Visitors, guarded: Callable[..., str], choice: tuple[str, ...]
) -> None:
    counts = (
        "<script>window.first = document.head.firstElementChild.outerHTML + document.scripts.length</script>"
    )
    opened, _ = watched(visit)
    shop = guarded(TinyShop({"/": page(counts)}), vendors=MANY)
    opened.goto(shop)
    if choice:
        answer(opened, *choice)

    assert opened.evaluate("first") == '<meta charset="utf-8">1'


def test_a_held_picture_with_a_way_on_is_no_violation_of_the_shops_own_policy(
    visit: Visitors, guarded: Callable[..., str]
) -> None:
    picture = "<img id='{}' src='{}' onerror='this.alt = 1; this.onerror = null'>"
    html = page(body=picture.format("held", "http://ads.example/x.png") + picture.format("own", "/no.png"))
    strict = "default-src 'self'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src 'self' ads.example"
    opened, said = watched(visit)

    opened.goto(guarded(TinyShop({"/": html}, {"/": strict})))

    opened.locator("#own[alt]").wait_for()
    opened.locator("#held[alt]").wait_for()
    assert opened.evaluate("violations") == []
    assert said == []


# The shop's own ways, all of them at once; each writes its name when it worked.
ALIVE = {
    "inline",
    "file",
    "eval",
    "function",
    "blob-worker",
    "worker",
    "module",
    "mapped",
    "socket",
    "fetch",
    "data",
    "blob",
}
LIVELY = """
<script type="importmap">{"imports": {"count": "https://count.example/count.js", "own": "/mapped.js"}}</script>
<script>
var alive = window.alive = [];
function works(name) { alive.push(name); }
works('inline');
eval("works('eval')");
new Function("works('function')")();
function ask(worker, name) { worker.onmessage = function () { works(name); }; worker.postMessage(1); }
var source = new Blob(["onmessage = function () { postMessage(eval('1')); }"], { type: 'text/javascript' });
ask(new Worker(URL.createObjectURL(source)), 'blob-worker');
ask(new Worker('/worker.js'), 'worker');
var socket = new WebSocket(location.origin.replace('http', 'ws') + '/socket');
socket.onopen = function () { socket.send('hello'); };
socket.onmessage = function () { works('socket'); };
fetch('/api').then(function () { works('fetch'); });
function picture(address, name) { var one = new Image(); one.onload = function () { works(name); }; one.src = address; }
var svg = '<svg xmlns="http://www.w3.org/2000/svg" width="1" height="1"/>';
picture('data:image/svg+xml,' + encodeURIComponent(svg), 'data');
picture(URL.createObjectURL(new Blob([svg], { type: 'image/svg+xml' })), 'blob');
</script>
<script src="/own.js"></script>
<script type="module">import '/module.js';</script>
<script type="module">import 'own';</script>
"""
LIVELY_FILES = {
    "/own.js": "works('file');",
    "/module.js": "alive.push('module');",
    "/mapped.js": "alive.push('mapped');",
    "/worker.js": "onmessage = function () { postMessage(1); };",
    "/api": "1",
}

# What a file of the shop's own makes at run time, one path each; THERE is a host that nobody declared.
MAKES = """
(function () {
  var there = 'THERE', head = document.head;
  function add(tag, values, parent) {
    var made = document.createElement(tag);
    Object.keys(values).forEach(function (key) { made.setAttribute(key, values[key]); });
    (parent || head).appendChild(made);
    return made;
  }
  function quietly(make) {
    try { var made = make(); if (made && made.catch) { made.catch(function () {}); } } catch (refused) {}
  }
  new Image().src = there + '/image';
  quietly(function () { return navigator.sendBeacon(there + '/beacon', 'x'); });
  quietly(function () { return fetch(there + '/fetch', { mode: 'no-cors' }); });
  quietly(function () { return fetch(there + '/keepalive', { mode: 'no-cors', keepalive: true }); });
  quietly(function () { var x = new XMLHttpRequest(); x.open('GET', there + '/xhr'); x.send(); });
  quietly(function () { return new WebSocket(there.replace('http', 'ws') + '/socket'); });
  quietly(function () { return new EventSource(there + '/events'); });
  quietly(function () { return import(there + '/import'); });
  add('script', { src: there + '/script' });
  add('script', { src: there + '/module', type: 'module' });
  add('link', { rel: 'stylesheet', href: there + '/style' });
  add('link', { rel: 'preload', as: 'image', href: there + '/preload' });
  add('style', {}).textContent =
    '@import "' + there + '/css-import"; body { background: url(' + there + '/css-image) }';
  quietly(function () { return new FontFace('x', 'url(' + there + '/font)').load(); });
  function work(path, code) {
    quietly(function () { return new Worker(URL.createObjectURL(new Blob([code]))); });
  }
  work('', 'fetch("' + there + '/worker-fetch", { mode: "no-cors" })');
  work('', 'importScripts("' + there + '/worker-import")');
  quietly(function () { return new Worker('/worker.js'); });
  addEventListener('DOMContentLoaded', function () {
    add('iframe', { src: there + '/iframe' }, document.body);
    add('iframe', { srcdoc: '<img src="' + there + '/srcdoc-image">' }, document.body);
    add('video', { src: there + '/video', preload: 'auto' }, document.body);
    add('video', { poster: there + '/poster' }, document.body);
    add('object', { data: there + '/object' }, document.body);
    add('embed', { src: there + '/embed' }, document.body);
    add('img', { srcset: there + '/srcset 1x' }, document.body);
    document.body.insertAdjacentHTML('beforeend', '<img src="' + there + '/inserted">');
  });
})();
"""
MAKES_WORKER = "fetch('THERE/own-worker', { mode: 'no-cors' });"
VECTORS = {
    *(
        "image beacon fetch keepalive xhr socket events import script module style preload css-import css-image".split()
    ),
    *(
        "font worker-fetch worker-import own-worker iframe srcdoc-image video poster object embed srcset".split()
    ),
    "inserted",
}


def watched(visit: Visitors, **options: Any) -> tuple[Page, list[str]]:
    """Give a page, and what its console says of policies."""
    opened = visit(**options).new_page()
    opened.add_init_script(WATCH)
    said: list[str] = []
    opened.on("console", lambda line: said.append(line.text) if "Content Security" in line.text else None)
    return opened, said


@pytest.mark.parametrize("path", some_of(POLICIES, "/nonce", "/script-only-by-hash", "/plain"))
def test_banner_control_and_shop_live_under_the_shops_own_policy(
    visit: Visitors, guarded: Callable[..., str], path: str
) -> None:
    html, policy, has_style, has_script, files = POLICIES[path]
    app = TinyShop({path: html, "/thanks": page()}, {path: policy} if policy else {})
    shop = guarded(app)
    opened, said = watched(visit)
    asked: list[str] = []
    opened.on("request", lambda request: asked.append(request.url.removeprefix(shop)))

    opened.goto(shop + path)

    banner = opened.locator("#cg")
    assert banner.evaluate("one => getComputedStyle(one).position") == ("fixed" if has_style else "static")
    own = {one for one in asked if one.startswith("/_cg/")}
    assert len(own) == files
    if "dataset.own" in html:
        assert opened.evaluate("document.documentElement.dataset.own") == "runs"
    # With our script, what is typed stays; without it the form is a plain one, and the page comes anew.
    opened.get_by_label("Name").fill("Ida")
    opened.get_by_role("button", name="Accept all").click()
    if has_script:
        opened.get_by_text("nothing you typed is lost").wait_for()
        assert opened.get_by_label("Name").input_value() == "Ida"
    else:
        opened.get_by_role("button", name="Withdraw").wait_for()
        assert opened.get_by_label("Name").input_value() == ""
    assert opened.evaluate("violations") == []
    opened.goto(shop + path)
    control = opened.locator("#cg")
    assert control.get_by_role("button", name="Withdraw").is_visible()
    assert control.evaluate("one => getComputedStyle(one).display") == ("flex" if has_style else "inline")
    assert opened.evaluate("violations") == []
    assert said == []


def test_choice_is_posted_as_a_form_if_the_shops_policy_forbids_fetch(
    visit: Visitors, guarded: Callable[..., str]
) -> None:
    policy = "script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; connect-src 'none'"
    opened, _ = watched(visit)
    opened.goto(guarded(TinyShop({"/": pages_with(NONCED)}, {"/": policy})))

    opened.get_by_role("button", name="Refuse all").click()

    opened.get_by_role("link", name="Privacy choices").wait_for()
    assert opened.locator("h2").count() == 0


@pytest.mark.parametrize(
    "choice",
    some_of([(), ("reject",), ("save", "statistics"), ("accept",)], ("save", "statistics")),
    ids=str,
)
def test_the_shops_own_scripts_work_in_every_state(
    visit: Visitors, guarded: Callable[..., str], choice: tuple[str, ...]
) -> None:
    vendors = (Vendor(name="Count", purpose="statistics", hosts=("count.example",)),)
    shop = guarded(TinyShop({"/": page(body=LIVELY), "/start": page()}, files=LIVELY_FILES), vendors=vendors)
    opened, said = watched(visit)
    opened.goto(f"{shop}/start")
    if choice:
        answer(opened, *choice)

    opened.goto(shop)
    opened.wait_for_function("window.alive.length >= 11")

    assert set(opened.evaluate("alive")) == ALIVE
    assert opened.evaluate("violations") == []
    assert said == []


@pytest.fixture
def undeclared() -> Iterator[tuple[Recorder, str]]:
    """Serve a recorder as a host that nobody declared."""
    recorder = Recorder()
    with serving(recorder, http=counting(recorder.note_connection)) as server:
        yield recorder, server.at("undeclared.localhost")


# Their policy is longer than headers take: it stands in the page.
MANY = tuple(
    Vendor(name=f"V{number}", purpose="necessary", hosts=(f"*.vendor{number:03}.example",))
    for number in range(60)
)


@pytest.mark.parametrize("more", [(), MANY], ids=["in headers", "in the page"])
@pytest.mark.parametrize(
    "refusals", some_of([(), (("reject",), ("save", "statistics"))], ()), ids=["undecided", "refused"]
)
def test_requests_of_the_shops_own_scripts_reach_no_undeclared_host(
    visit: Visitors,
    guarded: Callable[..., str],
    undeclared: tuple[Recorder, str],
    refusals: tuple[tuple[str, ...], ...],
    more: tuple[Vendor, ...],
) -> None:
    recorder, there = undeclared
    files = {"/own.js": MAKES.replace("THERE", there), "/worker.js": MAKES_WORKER.replace("THERE", there)}
    app = TinyShop({"/": page('<script src="/own.js"></script>'), "/start": page()}, files=files)
    vendors = (Vendor(name="Count", purpose="statistics", hosts=("count.example",)), *more)
    shop, bare = guarded(app, vendors=vendors), guarded(app, is_guarded=False)

    def made(context: Any, address: str) -> set[str]:
        recorder.forget()
        opened = context.new_page()
        opened.goto(address)
        linger([opened])
        recorder.wait()
        opened.close()
        return {path.removeprefix("/") for path in recorder.paths}

    def after(*choice: str) -> set[str]:
        context = visit()
        opened = context.new_page()
        opened.goto(f"{shop}/start")
        answer(opened, *choice)
        return made(context, shop)

    assert made(visit(), bare) == VECTORS
    assert made(visit(), shop) == set()
    assert [after(*choice) for choice in refusals] == [set() for _ in refusals]
    assert after("accept") == VECTORS


def test_a_policy_in_the_page_lets_in_who_is_agreed_to_and_nobody_else(
    visit: Visitors, tmp_path: Path, undeclared: tuple[Recorder, str]
) -> None:
    recorder, there = undeclared
    held = there.replace("undeclared", "held")
    vendors = tuple(
        Vendor(name=name, purpose=purpose, hosts=(f"{name}.localhost",))
        for name, purpose in (("undeclared", "statistics"), ("held", "marketing"))
    )
    asks = f"for (const host of ['{there}', '{held}']) {{ new Image().src = host + '/' + document.title }}"
    framed = f"<title>frame</title><p>No tag of a document's<script>{asks}</script>"
    pages = {"/": page(f"<script>{asks}</script>", '<iframe src="/frame"></iframe>'), "/frame": framed}
    settings = Config(state_dir=str(tmp_path), vendors=(*MANY, *vendors), undeclared="block")
    opened, _ = watched(visit)
    with serving(CookieGuard(TinyShop(pages), settings)) as server:
        opened.goto(server.at("shop.localhost"))
        answer(opened, "save", "statistics")
        recorder.forget()
        opened.goto(server.at("shop.localhost"))
        linger([opened])
        recorder.wait()

    heard = sorted((contact.host, contact.path) for contact in recorder.requests)
    assert heard == [("undeclared.localhost", "/Tiny"), ("undeclared.localhost", "/frame")]
    assert opened.evaluate("violations") == [f"img-src {held}/Tiny"]
    assert opened.locator("meta[http-equiv]").count() == 0


def test_a_page_fetched_ahead_lets_in_who_is_agreed_to_once_it_is_opened(
    visit: Visitors, tmp_path: Path, undeclared: tuple[Recorder, str]
) -> None:
    recorder, there = undeclared
    last = Vendor(name="Last", purpose="statistics", hosts=("undeclared.localhost",))
    app = TinyShop({"/": page(), "/next": page(f"<script>new Image().src = '{there}/told'</script>")})

    async def cached(scope: Any, receive: Any, send: Any) -> None:
        async def told(message: Any) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message["headers"], (b"cache-control", b"max-age=600")]}
            await send(message)

        await app(scope, receive, told)

    many = tuple(Vendor(name=one.name, purpose="statistics", hosts=one.hosts) for one in MANY)
    settings = Config(state_dir=str(tmp_path), vendors=(*many, last), undeclared="block")
    opened, _ = watched(visit)
    with serving(CookieGuard(cached, settings)) as server:
        opened.goto(server.at("shop.localhost"))
        answer(opened, "accept")
        opened.evaluate("fetch('/next').then((answer) => answer.text())")
        opened.goto(f"{server.at('shop.localhost')}/next")
        recorder.wait()

    assert recorder.paths == {"/told"}
