"""Pages in other encodings and codings, in a real browser: nothing leaves before consent, everything afterwards."""

from __future__ import annotations

import gzip
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from harness.browser import LINGER, Recorder, counting
from harness.quick import some_of
from harness.servers import serving
from playwright.sync_api import BrowserContext

from cookieguard import Config, CookieGuard, Vendor
from cookieguard.web.http.brotli_zstd import BROTLI, ZSTD

from .conftest import Visitors, answer

KANJI = "東京都".encode("iso2022_jp").decode()
BODY = "<p>%s</p><img src='THERE/NAME/image'><iframe src='THERE/NAME/frame'></iframe>"
DOCUMENT = "<!doctype html><html><head>%s<title>x</title></head><body>" + BODY % "x" + "</body></html>"
# The text's bytes hold `<!--` and a quote: read as ASCII, they would hide the picture that follows.
JAPANESE = "<!doctype html><html><head>%s</head><body>" + BODY % '\x1b$B<!--$"\x1b(B' + "</body></html>"
SVG = '<svg xmlns="http://www.w3.org/2000/svg"><image href="THERE/NAME/image" width="9" height="9"/></svg>'
XHTML = (
    '<html xmlns="http://www.w3.org/1999/xhtml"><head><title>x</title></head><body>'
    + BODY % "x"
    + "</body></html>"
)
TRANSFORM = """<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">
<xsl:template match="/"><html><body><img src="THERE/NAME/image"/><iframe src="THERE/NAME/frame"/>
<script>new Image().src = 'THERE/NAME/script'</script></body></html></xsl:template></xsl:stylesheet>"""
HTML = "text/html"


class Case(NamedTuple):
    """Hold a page: its type, its bytes, its coding; whether we rewrite it, so that not even a frame connects."""

    content_type: str
    body: bytes
    coding: str = ""
    is_rewritten: bool = True


CASES = {
    "utf-16": Case(HTML, ("\ufeff" + DOCUMENT % "").encode("utf-16-le")),
    "utf-16-against-the-header": Case(HTML + "; charset=utf-8", ("\ufeff" + DOCUMENT % "").encode("utf-16-be")),
    "utf-16-by-header": Case(HTML + "; charset=utf-16be", (DOCUMENT % "").encode("utf-16-be")),
    "utf-16-by-declaration": Case(HTML, ('<?xml version="1.0"?>' + DOCUMENT % "").encode("utf-16-le")),
    "utf-16-in-disguise": Case(HTML, (DOCUMENT % "<meta charset=utf-16>").encode()),
    "xhtml": Case("application/xhtml+xml", ('<?xml version="1.0"?>' + XHTML).encode("utf-16-le")),
    "svg": Case("image/svg+xml", ('\ufeff<?xml version="1.0" encoding="utf-16"?>' + SVG).encode("utf-16-be")),
    "iso-2022-jp": Case(HTML + "; charset=iso-2022-jp", (JAPANESE % "").encode(), is_rewritten=False),
    "iso-2022-jp-by-meta": Case(HTML, (JAPANESE % "<meta charset=ISO-2022-JP>").encode(), is_rewritten=False),
    "iso-2022-jp-late": Case(
        HTML, (JAPANESE % (f"<style>{'p{} ' * 2000}</style><meta charset=iso-2022-jp>")).encode(), is_rewritten=False
    ),
    "iso-2022-jp-by-declaration": Case(
        HTML, ('<?xml version="1.0" encoding="iso-2022-jp"?>' + JAPANESE % "").encode(), is_rewritten=False
    ),
    "gzip": Case(HTML, gzip.compress((DOCUMENT % "").encode()), "gzip"),
    "br": Case(HTML, BROTLI.compress((DOCUMENT % "").encode()), "br"),
    "zstd": Case(HTML, ZSTD.compress((DOCUMENT % "").encode()), "zstd"),
    "transform": Case(
        "text/xml", b'<?xml-stylesheet type="text/xsl" href="/transform.xsl"?><x/>', is_rewritten=False
    ),
}  # fmt: skip
# What they ask for unguarded. A transformation is no page we read: the policy alone holds what comes of it.
ALL = {name: {"image", "frame"} for name in CASES} | {
    "svg": {"image"},
    "transform": {"image", "frame", "script"},
}

# What `make test` opens: each way that a page's bytes become text, and one coding.
ONE_OF_A_KIND = ("utf-16", "utf-16-in-disguise", "xhtml", "svg", "iso-2022-jp", "br", "transform")


class Pages:
    """A shop with these pages by name; `there` is the third-party host in them."""

    def __init__(self, there: str) -> None:
        self._there = there

    async def __call__(self, scope: Any, _: Any, send: Any) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        name = scope["path"].strip("/")
        case = CASES.get(name, Case(HTML, b"<!doctype html><html><head></head><body>start</body></html>"))
        if name == "transform.xsl":
            case = Case("text/xsl", TRANSFORM.replace("NAME", "transform").encode())
        headers = [(b"content-type", case.content_type.encode())]
        if case.coding:
            headers.append((b"content-encoding", case.coding.encode()))
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": self._named(case, name)})

    def _named(self, case: Case, name: str) -> bytes:
        ways = {"gzip": gzip, "br": BROTLI, "zstd": ZSTD}
        body = ways[case.coding].decompress(case.body) if case.coding else case.body
        for codec in ("utf-8", "utf-16-le", "utf-16-be"):
            for what, becomes in (("THERE", self._there), ("NAME", name)):
                body = body.replace(what.encode(codec), becomes.encode(codec))
        return bytes(ways[case.coding].compress(body)) if case.coding else body


@pytest.fixture
def vendor() -> Iterator[tuple[Recorder, str]]:
    """Serve a recorder as the host of a vendor."""
    recorder = Recorder()
    with serving(recorder, http=counting(recorder.note_connection)) as server:
        yield recorder, server.at("ads.localhost")


@pytest.mark.parametrize(
    "names", some_of([tuple(CASES), ONE_OF_A_KIND], ONE_OF_A_KIND), ids=["all", "one of a kind"]
)
def test_other_encodings_and_codings_leak_nothing_and_lose_nothing(
    visit: Visitors, vendor: tuple[Recorder, str], tmp_path: Path, names: tuple[str, ...]
) -> None:
    recorder, there = vendor
    vendors = (Vendor(name="Ads", purpose="marketing", hosts=("ads.localhost",)),)
    guarded = CookieGuard(Pages(there), Config(state_dir=str(tmp_path / "state"), vendors=vendors))

    def heard(context: BrowserContext, shop: str, names: Iterable[str] = names) -> dict[str, set[str]]:
        """Open these pages at once; return what was asked for by page."""
        recorder.forget()
        pages = [context.new_page() for _ in names]
        for one, name in zip(pages, names, strict=True):
            one.goto(f"{shop}/{name}", wait_until="commit")
        for one in pages:
            one.wait_for_load_state("load")
        time.sleep(LINGER)
        recorder.wait()
        for one in pages:
            one.close()
        asked: dict[str, set[str]] = {name: set() for name in names}
        for path in recorder.paths:
            asked[path.split("/")[1]].add(path.split("/")[2])
        return asked

    with serving(Pages(there)) as bare, serving(guarded) as server:
        control = heard(visit(), bare.at("bare.localhost"))
        context, shop = visit(), server.at("shop.localhost")
        undecided = heard(context, shop, [name for name in names if CASES[name].is_rewritten])
        connections = recorder.connections
        undecided |= heard(context, shop, [name for name in names if not CASES[name].is_rewritten])
        opened = context.new_page()
        opened.goto(f"{shop}/start")
        answer(opened, "accept")
        accepted = heard(context, shop)

    assert control == {name: ALL[name] for name in names}
    assert undecided == {name: set() for name in names}
    assert connections == 0
    assert accepted == control
