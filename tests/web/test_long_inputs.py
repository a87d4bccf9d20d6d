"""Every input costs at most in proportion to its length: headers, cookies, paths, queries, forms and reports.

Each doubling of an input at most triples the CPU time of the whole process, the threads that write included.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from time import process_time
from typing import Any
from urllib.parse import quote, unquote, urlencode

import pytest
from features.rights.test_requests_page import Queue
from harness.asgi import Answer, drive, hidden_fields, scope_of
from harness.long_inputs import (
    ANSWERED,
    CHANGE_FIELDS,
    COOKIES,
    COUNTRY,
    FILLINGS,
    FORMS,
    HEADERS,
    IN_EACH_RUN,
    OTHER_COOKIES,
    PATHS,
    QUERIES,
    REPORT,
    STARTED,
    USER,
    VENDOR,
    filled,
)

import cookieguard
from cookieguard import CookieGuard, PolicyVersion, Vendor, visitor_of
from cookieguard.config import CookieSettings, IdentitySettings, MailSettings, SignedCookie, StatsSettings
from cookieguard.config.people.staff import StaffSettings
from cookieguard.web.assets import STATIC

Guard = Callable[..., CookieGuard]
Headers = list[tuple[str, str]]
NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
PAGE = b'<!doctype html><head><title>a</title></head><body><iframe src="//ads.example/b"></iframe>'
SIZES = (8 * 1024, 16 * 1024, 32 * 1024)
BODIES = (5 * 1024, 10 * 1024, 20 * 1024)  # a body of more than 24 KB is not read
MOST_GROWTH = 3.0
SMALL = 0.005  # seconds: less is too little to compare, and no burden; a usual request takes 0.002
REPEATS = 3
NAVIGATION = [("sec-fetch-dest", "document"), ("sec-fetch-mode", "navigate"), ("accept", "text/html")]
FETCH = [("sec-fetch-dest", "empty"), ("sec-fetch-mode", "cors")]
FORM, JSON, CSP_REPORT = "application/x-www-form-urlencoded", "application/json", "application/csp-report"
OWN = [("sec-fetch-site", "same-origin")]
FOR_STAFF = ("declaration", "file", "people", "policies", "record", "requests", "stats")
FOR_CUSTOMERS = ("permission", "privacy")
SOURCES = Path(cookieguard.__file__).parent
# Names that the pattern below finds and no client writes: of the app's answers, of a scope, of our own records.
NOT_OF_CLIENTS = set(
    "content-length etag last-modified body more_body made c dct:created dct:hasVersion dct:language "
    "x-content-type-options dpv:hasConsentStatus dpv:hasDataSubject dpv:hasNotice dpv:hasProcess cg:sha256 max-age "
    "s-maxage time".split()
)


@dataclass(frozen=True)
class Input:
    """Name one input, and make the request in which it is filled with a text."""

    name: str
    ask: Callable[[str], dict[str, Any]]
    sizes: tuple[int, ...] = SIZES
    by: str = ""
    """Who asks: a `customer` who has just logged in, an `officer`, or anybody."""


class Shop:
    """A guarded shop that reads every input. Each request comes from another network, a moment later."""

    def __init__(self, guard: Guard, state: Path, **settings: Any) -> None:
        self.now = NOW
        self.answered: Headers = []
        self._asked = 0
        self._senders: dict[str, Headers] = {"": []}
        self._carried: dict[tuple[str, str], bytes] = {}
        self.app = guard(self._answer, clock=lambda: self.now, **settings)
        parts = self.app._parts
        self._pipelines = [one for one in (parts.recorder, parts.counting and parts.counting.pipeline) if one]
        for pipeline in self._pipelines:
            pipeline._worker.ask = lambda: True  # type: ignore[method-assign]
        if not settings.get("dev"):
            staff = Queue(self.app, state)
            staff.put("one")
            staff.requests.close()
            self._senders["officer"] = [("authorization", f"Bearer {staff.add('officer')}")]

    def log_in(self) -> None:
        """Make the customer's login a fresh one."""
        answer = self._driven({"path": "/login"})
        cookie = f"__Host-cg_session={answer.cookies().get('__Host-cg_session', '')}"
        self._senders["customer"] = [("cookie", cookie)]
        self._carried.clear()

    def cost(self, asked: dict[str, Any], by: str) -> float:
        """Return the CPU time of one request, with what is written of it."""
        asked = {**asked, "headers": [*asked.get("headers", ()), *self._senders[by]]}
        if ("content-type", FORM) in asked["headers"]:
            asked["body"] += self._hidden(asked["path"], by)
        before = process_time()
        self._driven(asked)
        self._write()
        return process_time() - before

    def _hidden(self, path: str, by: str) -> bytes:
        """Return what the page's own form carries against forms of others; asked for once."""
        if (path, by) not in self._carried:
            page = "/_cg/choices" if path in ("/_cg/consent", "/_cg/embed") else path
            shown = self._driven({"path": page, "headers": self._senders[by]})
            self._carried[path, by] = hidden_fields(shown.body)
        return self._carried[path, by]

    def _driven(self, asked: dict[str, Any]) -> Answer:
        self._asked += 1
        self.now += timedelta(seconds=0.15)
        given = {name: value for name, value in asked.items() if name not in ("type", "body", "answered")}
        self.answered = asked.get("answered", [])
        client = (f"203.{self._asked // 250 % 250}.{self._asked % 250}.7", 4711)
        answer = Answer(scope=scope_of(**given, client=client) | {"type": asked.get("type", "http")})
        asyncio.run(drive(self.app, answer, asked.get("body", b""), bare=True))
        return answer

    async def _answer(self, scope: Any, _: Any, send: Any) -> None:
        visitor = visitor_of(scope)
        if scope["type"] == "websocket":
            scope["session"].get("seen")
            await send({"type": "websocket.accept", "headers": []})
            return
        if scope["path"] == "/login":
            visitor.login("10042")
        visitor.cart.get("mug")
        given = [("content-type", "text/html; charset=utf-8"), ("etag", '"a"')]
        said = [*(pair for pair in given if pair[0] not in dict(self.answered)), *self.answered]
        headers = [(name.encode(), value.encode("latin-1")) for name, value in said]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": PAGE})

    def _write(self) -> None:
        """Write the log and the statistics in this thread, because the pipelines start none here."""
        for pipeline in self._pipelines:
            pipeline._flush()


def least(shop: Shop, one: Input, filling: str, size: int, repeats: int) -> float:
    """Return the least time of some requests; each is a byte shorter than the last, so that no cache answers."""
    return min(shop.cost(one.ask(filled(filling, size - turn)), one.by) for turn in range(repeats))


def grows_too_fast(shop: Shop, one: Input, filling: str) -> str:
    """Return the factors by which the time grows too much; empty if all are within bounds."""
    small, middle, large = one.sizes
    if least(shop, one, filling, middle - REPEATS, 1) < SMALL:
        return ""
    times = [least(shop, one, filling, small, REPEATS)]
    for size in (middle, large):
        times.append(least(shop, one, filling, size, REPEATS))
        if times[-1] > 2 * SMALL and times[-1] > MOST_GROWTH * times[-2]:
            shown = " -> ".join(f"{time:.3f} s" for time in times)
            return f"{one.name} filled with {filling[:20]!r}: {shown} as it doubles from {small} bytes"
    return ""


def too_fast(shop: Shop, inputs: Iterable[Input], fillings: Iterable[str]) -> list[str]:
    """Name each input whose time grows too fast with a text, each time that it is measured: other processes disturb."""
    found, texts = [], tuple(fillings)
    for one in inputs:
        if one.by == "customer":
            shop.log_in()
        said = (grows_too_fast(shop, one, text) and grows_too_fast(shop, one, text) for text in texts)
        found.append(next(filter(None, said), ""))
    return list(filter(None, found))


# What is asked


def header(name: str, context: Headers, start: str = "", **more: Any) -> Input:
    def ask(text: str) -> dict[str, Any]:
        others = [pair for pair in context if pair[0] != name]
        host = {"host": text} if name == "host" else {}
        return {"headers": others if host else [*others, (name, start + text)], **host, **more}

    return Input(f"header {name}: {start}... with {more or 'a page'}", ask)


def answered(name: str, start: str = "") -> Input:
    def ask(text: str) -> dict[str, Any]:
        return {"headers": NAVIGATION, "answered": [(name, start + text)]}

    return Input(f"header {name}: {start}... of an answer", ask)


def cookie(header_of: Callable[[str], Headers], name: str) -> Input:
    return Input(name, lambda text: {"headers": [*NAVIGATION, *header_of(text)]})


def query(page: str, name: str) -> Input:
    start = {"place": f"party={VENDOR}&"}.get(page, "").replace(" ", "+")

    def ask(text: str) -> dict[str, Any]:
        asked = start + with_start(name) + text
        headers = [("sec-fetch-dest", "object")] if page == "place" else NAVIGATION
        return {"path": f"/_cg/{page}" if page else "/", "query": asked, "headers": headers}

    return Input(f"query {name or 'of no name'} of {page or 'a page'}", ask, by=asker(page))


def form(page: str, fields: dict[str, str], name: str) -> Input:
    field, _, start = with_start(name).partition("=")

    def write(text: str) -> str:
        others = {one: value for one, value in fields.items() if one != field}
        return f"{field}={quote(start + text, safe='%')}&{urlencode(others)}"

    return body(page, FORM, write, f"{fields.get('act', '')} {name}")


def with_start(name: str) -> str:
    return name if not name or "=" in name else f"{name}="


def body(page: str, kind: str, write: Callable[[str], str], name: str = "") -> Input:
    def ask(text: str) -> dict[str, Any]:
        sent = write(text).encode()
        headers = [("content-type", kind), *OWN]
        return {"path": f"/_cg/{page}", "method": "POST", "headers": headers, "body": sent}

    return Input(f"{kind} {name} of {page}", ask, BODIES, asker(page))


def asker(page: str) -> str:
    return "officer" if page in FOR_STAFF else "customer" if page in FOR_CUSTOMERS else ""


def reported(name: str, start: str) -> Input:
    def write(text: str) -> str:
        return json.dumps({"csp-report": {**REPORT, name: start + unquote(text)}}, ensure_ascii=False)

    return body("report", CSP_REPORT, write, name)


def all_inputs() -> dict[str, list[Input]]:
    socket = {"type": "websocket", "scheme": "wss"}
    own = [("origin", "https://shop.example")]
    named = [f"__Host-cg_{kind}" for kind in COOKIES] + list(OTHER_COOKIES)
    names = {page: ("", *found) for page, found in QUERIES.items()}
    pages = dict.fromkeys(page for page, *_ in FORMS)
    return {
        "cookies": [
            cookie(lambda text: [("cookie", text)], "a name of a cookie"),
            cookie(
                lambda text: [("cookie", one) for one in text.split(";")], "cookies in lines of their own"
            ),
            *(
                cookie(partial(lambda name, text: [("cookie", f"{name}={text}")], name), name)
                for name in named
            ),
        ],
        "headers of a page": [
            *(header(name, NAVIGATION) for name in HEADERS),
            *(header(name, NAVIGATION, start) for name, start in STARTED),
        ],
        "headers of a fetch": [header(name, FETCH, path="/a.json") for name in HEADERS],
        "headers of a socket": [header(name, own, **socket) for name in HEADERS],
        "paths": [
            Input(f"path {one}", partial(lambda one, text: {"path": one.format(text)}, one)) for one in PATHS
        ],
        "queries": [query(page, name) for page, found in names.items() for name in found],
        "forms": [
            *(form(page, fields, name) for page, fields, found in FORMS for name in found),
            *(body(page, kind, str) for page in pages for kind in (FORM, JSON)),
            body("consent", JSON, lambda text: json.dumps({"choice": "save", "purpose": list(text[:4000])})),
        ],
        "reports": [
            body("report", CSP_REPORT, str),
            *(
                reported(name, start)
                for name, value in REPORT.items()
                for start in ("", "https://", f"{value}/")
            ),
        ],
        "headers of answers": [
            *(answered(name) for name in ANSWERED),
            *(answered("set-cookie", start) for start in ("_ad=", "_ad=1; Max-Age=", "_ad=1; Expires=")),
            *(answered("link", start) for start in ("<", "<//", "<//ads.example/a>; ")),
            *(answered("location", start) for start in ("//", "https://late.example/", "/a?b=")),
            answered("content-type", "text/html;"),
            answered("refresh", "1; url="),
            answered("content-security-policy", "script-src "),
        ],
    }


INPUTS = all_inputs()


@pytest.fixture(autouse=True)
def silent() -> Iterator[None]:
    logging.getLogger("cookieguard").setLevel(logging.CRITICAL)
    yield
    logging.getLogger("cookieguard").setLevel(logging.NOTSET)


@pytest.fixture
def shop(guard: Guard, tmp_path: Path) -> Shop:
    return Shop(
        guard,
        tmp_path / "state",
        vendors=(Vendor(name="Ads", purpose="marketing", hosts=("ads.example",), cookies=("_ad", "_ads_*")),),
        origins=("https://shop.example",),
        trusted_proxies=("203.0.0.0/8",),
        cookies=CookieSettings(sign=(SignedCookie(name="basket"),)),
        identity=IdentitySettings(customer_header="X-Customer"),
        mail=MailSettings(lists=("news",)),
        policy=PolicyVersion(version="2026-11", privacy_url="/privacy", folder="demo_site/policy"),
        staff=StaffSettings(header=USER),
        stats=StatsSettings(search=("q",), country_header=COUNTRY, pages="path"),
    )


@pytest.mark.parametrize("group", INPUTS)
def test_each_doubling_of_an_input_at_most_triples_the_cpu_time(shop: Shop, group: str) -> None:
    assert too_fast(shop, INPUTS[group], FILLINGS[:IN_EACH_RUN]) == []


@pytest.mark.slow
@pytest.mark.parametrize("group", INPUTS)
def test_nor_does_it_grow_faster_with_any_other_filling(shop: Shop, group: str) -> None:
    assert too_fast(shop, INPUTS[group], FILLINGS[IN_EACH_RUN:]) == []


def test_hosts_that_the_dev_panel_asks_about_cost_in_proportion_too(guard: Guard, tmp_path: Path) -> None:
    def ask(text: str) -> dict[str, Any]:
        return {"path": "/_cg/dev", "query": f"hosts={text}", "host": "localhost", "scheme": "http"}

    shop = Shop(guard, tmp_path / "state", dev=True)

    assert too_fast(shop, [Input("hosts of the dev panel", ask)], FILLINGS) == []


def test_every_name_that_the_sources_read_is_among_the_inputs() -> None:
    sources = [
        path.read_text()
        for folder in ("features", "web", "stats", "identity")
        for path in SOURCES.glob(f"{folder}/**/*.py")
    ]
    headers = {
        name
        for text in sources
        for name in re.findall(r'(?:\.get|text|_last)\((?:headers, )?b"([a-z-]+)"', text)
    }
    folders = ("web/pages", "features", "features/rights/web")
    modules = [path for folder in folders for path in SOURCES.glob(f"{folder}/*.py")]
    pages = [
        path.read_text()
        for path in (
            *modules,
            *SOURCES.glob("features/*/*_page.py"),
            *SOURCES.glob("features/people/staff_*.py"),
        )
    ]
    read = {name for text in pages for name in re.findall(r'(?:\.get\(|\bname == )"([A-Za-z:_-]+)"', text)}
    templates = "".join(path.read_text() for path in STATIC.joinpath("templates").glob("*.html"))
    forms = set(re.findall(r'<(?:input|select|button|textarea)[^>]* name="(\w+)"', templates))
    written = [name for *_, names in FORMS for name in names] + [
        name for names in QUERIES.values() for name in names
    ]
    tried = {name.partition("=")[0] for name in written} | set(CHANGE_FIELDS)

    assert headers - NOT_OF_CLIENTS <= set(HEADERS)
    assert len(read) > 30
    assert len(forms) > 20
    assert (read | forms) - NOT_OF_CLIENTS - set(REPORT) - {"csp-report", "hosts", "open"} <= tried
