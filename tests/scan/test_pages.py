"""On real pages behind a recorder: what a scan finds of the hosts that a full Chromium reaches.

COOKIEGUARD_PAGES names a folder of `*.html.gz`; without it this is skipped. Every host but the page's own is one
recorder, which answers everything with nothing and keeps whom it was asked as.
"""

from __future__ import annotations

import asyncio
import gzip
import os
import ssl
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import trustme
from harness.browser import Recorder, chromium, linger, playwright_started, stir
from harness.servers import serving

from cookieguard.html import parse_url
from cookieguard.scan.addresses import Address, Addresses
from cookieguard.scan.browser.browser_scan import scan_by_browser
from cookieguard.scan.browser.chromium import BROWSERS_OWN
from cookieguard.scan.observations import ASKED, Scan
from cookieguard.scan.plan import Parties, Plan
from cookieguard.scan.static_scan import scan_plainly

FOLDER = os.environ.get("COOKIEGUARD_PAGES", "")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.timeout(7200),
    pytest.mark.skipif(not FOLDER, reason="COOKIEGUARD_PAGES names no folder of pages"),
]
PAGES = int(os.environ.get("COOKIEGUARD_PAGES_MOST", "20"))
SHOP = "shop.page.example"
STATIC_BAR, BROWSER_BAR = 0.97, 1.0


class Everybody(Recorder):
    """A stand-in for every host that records their names."""

    def __init__(self) -> None:
        super().__init__()
        self.hosts: set[str] = set()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        host = dict(scope.get("headers", ())).get(b"host", b"").decode()
        self.hosts.add(host.partition(":")[0])
        await super().__call__(scope, receive, send)


@dataclass(frozen=True)
class World:
    """The addresses of the page and of all other hosts."""

    recorder: Everybody
    page: int
    plain: int
    secure: int

    def route(self, host: str, port: int) -> int:
        return self.page if host == SHOP else self.secure if port == 443 else self.plain


class Everywhere(Addresses):
    """Lead every host to the recorder, and the shop's to the page."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self._world = world

    async def of(self, host: str, port: int) -> list[Address]:
        return [("127.0.0.1", self._world.route(host, port))]


@contextmanager
def world(text: bytes) -> Iterator[World]:
    async def page(scope: Any, _: Any, send: Any) -> None:
        is_page = scope["path"] == "/"
        kind = b"text/html; charset=utf-8" if is_page else b"text/plain"
        await send(
            {
                "type": "http.response.start",
                "status": 200 if is_page else 404,
                "headers": [(b"content-type", kind)],
            }
        )
        await send({"type": "http.response.body", "body": text if is_page else b""})

    recorder = Everybody()
    authority = trustme.CA()
    issued = authority.issue_cert("recorder.example")
    with ExitStack() as stack, tempfile.NamedTemporaryFile(suffix=".pem") as file:
        file.write(issued.private_key_and_cert_chain_pem.bytes())
        file.flush()
        shop = stack.enter_context(serving(page, lifespan="off"))
        plain = stack.enter_context(serving(recorder))
        secure = stack.enter_context(
            serving(
                recorder, ssl_certfile=file.name, ssl_keyfile=file.name, ssl_version=ssl.PROTOCOL_TLS_SERVER
            )
        )
        yield World(recorder, shop.port, plain.port, secure.port)


def recorded(place: World) -> set[str]:
    """Open the page in a whole Chromium, without any of ours, and return whom it reached."""
    rules = ",".join(
        (
            f"MAP {SHOP}:80 127.0.0.1:{place.page}",
            f"MAP *:443 127.0.0.1:{place.secure}",
            f"MAP *:80 127.0.0.1:{place.plain}",
        )
    )
    place.recorder.forget()
    with playwright_started() as started, chromium(*started, f"--host-resolver-rules={rules}") as browser:
        page = browser.new_context(ignore_https_errors=True).new_page()
        page.goto(f"http://{SHOP}/", wait_until="load", timeout=60_000)
        stir(page)
        linger([page])
        place.recorder.wait()
    return foreign({one for one in place.recorder.hosts if one and not BROWSERS_OWN.fullmatch(one)})


def foreign(hosts: set[str]) -> set[str]:
    parties = Parties(f"http://{SHOP}/", Plan(start="", addresses=Addresses()).config)
    return {one for one in hosts if one and parties.is_foreign(parse_url(f"https://{one}/"))}


def plan(place: World) -> Plan:
    return Plan(start=f"http://{SHOP}/", addresses=Everywhere(place), pages=1, insecure=True, pictures=False)


def hosts(scan: Scan, *how: str) -> set[str]:
    return {one.host for one in scan.contacts if not how or one.how in how}


def test_a_scan_finds_what_a_full_recording_finds_on_real_pages() -> None:
    heard: dict[str, set[str]] = {}
    missed: dict[str, dict[str, set[str]]] = {"static": {}, "browser": {}}
    more = {"static": 0, "browser": 0}
    for file in sorted(Path(FOLDER).glob("*.html.gz"))[:PAGES]:
        with world(gzip.decompress(file.read_bytes())) as place:
            found = recorded(place)
            static = asyncio.run(scan_plainly(plan(place)))
            browser = asyncio.run(scan_by_browser(plan(place)))
        heard[file.name] = found
        missed["static"][file.name] = found - hosts(static)
        missed["browser"][file.name] = found - hosts(browser)
        more["static"] += len(hosts(static) - found)
        more["browser"] += len(hosts(browser, ASKED) - found)
        print(
            file.name,
            len(found),
            {way: sorted(by[file.name]) for way, by in missed.items()},
            more,
            flush=True,
        )
    count = sum(map(len, heard.values()))
    shares = {way: 1 - sum(map(len, by.values())) / count for way, by in missed.items()}
    print(f"{len(heard)} pages, {count} hosts: {shares}; more than the recording: {more}")

    assert count > 100
    assert shares["static"] >= STATIC_BAR, missed["static"]
    assert shares["browser"] >= BROWSER_BAR, missed["browser"]
