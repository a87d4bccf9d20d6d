"""Pages made from cached pieces equal a fresh rewrite byte for byte, and open no way around the walls.

PIECES_PAGES names a directory of pages (*.html.gz); then all of them are edited, EDITS times each.
"""

from __future__ import annotations

import gzip
import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from harness.asgi import ask
from harness.kept_pages import page_of

from cookieguard import CookieGuard, Vendor
from cookieguard.html import Held, Rewriter, Rules, Ruling, parse_url
from cookieguard.html.page import Glance
from cookieguard.web.document import choose_body
from cookieguard.web.document import page_cache as repeats
from cookieguard.web.document.body import DocumentBody
from cookieguard.web.document.page_cache import Page, Repeats, like

Guard = Callable[..., CookieGuard]
Make = Callable[[int], bytes]
SHOP = "https://shop.example/"
ADS = Vendor(name="Ads", purpose="marketing", hosts=("ads.example",), inline=("track(*'page'",))
EDITS = int(os.environ.get("EDITS", "150"))
TRACKS = Held("script", "", parse_url("https://ads.example/"), "marketing", "Ads")
RULES = Rules(
    lambda url: None if url.host == "shop.example" else Ruling("marketing", None),
    SHOP,
    own_is_free=True,
    inline=[("track(*'page'", TRACKS)],
)
PASSES = Glance(RULES, RULES.page(SHOP)).passes
ROW = b'<li class="item"><a href="/p/%d">No. %d</a> <img src="/i/%d.jpg" alt=""> %b</li>\n'
ROWS = b"".join(ROW % (n, n, n, b"pears " * 12) for n in range(40))
HEAD = (
    b'<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="csrf-token" content="TOKEN">'
    b'<title>Shop</title>\n<link rel="stylesheet" href="/shop.css?v=1"><script>var user = {"id": "TOKEN"};</script>'
    b'<script src="https://ads.example/a.js"></script><style>p {color: red}</style></head>\n'
)
BODY = (
    b'<body class="shop"><nav>'
    + ROWS
    + b'</nav><p>3 items</p><img src="https://ads.example/p.gif">'
    + ROWS
    + b"<svg>"
    b'<path d="M0"/></svg><form><input name="csrf" value="TOKEN"><select><option>1</select></form><script>var t="TOKEN"'
    b';</script><iframe src="https://ads.example/f"></iframe>' + ROWS + b"<p>TOKEN</p></body></html>\n"
)
SHOP_PAGE = HEAD + BODY
SNIPPETS = [
    *b"""
< > " ' = / & <! <!-- --> --!> <!--> <? ]]> <b> </b> <p> </p> <a <div> </div> 7 12 3f9a \x1b$B <body> </body> </html>
</head> <head> <title> </title> <style> </style> <script> </script> <textarea> </textarea> <svg> </svg> <math> <select>
</select> <template> </template> <plaintext> <noscript> </noscript> <frameset> <base> <meta> <table> </form> <br> </br>
<iframe> </iframe> </body></html> <option> <xmp> <font> <html>
""".split(),
    b" ",
    b"\n",
    b"track(1, 'page'",
    b"<p>12 items</p>",
    b'<input type="hidden" value="0f1e2d">',
    b"<script>track(1, 'page')</script>",
    b"<script>var a = 1 < 2;</script>",
    b"<!-- made in 12 ms -->",
    b'<base href="https://ads.example/">',
    b'<meta charset="iso-2022-jp">',
    b'<meta http-equiv="refresh" content="0;url=//ads.example/">',
    b'<link rel="stylesheet" href="/shop.css?v=22">',
    b'<link rel="preload" href="//ads.example/x">',
    b"<img src=//ads.example/x>",
    b'<p style="background:url(//ads.example/y)">',
    b"<style>@import '//ads.example/z';</style>",
    b'<a href="',
    b'">',
]


def pages() -> list[bytes]:
    folder = os.environ.get("PIECES_PAGES")
    real = sorted(Path(folder).glob("*.html.gz")) if folder else []
    return [SHOP_PAGE, BODY, HEAD + b"<p>short", *(gzip.decompress(path.read_bytes()) for path in real)]


def rewriter() -> Rewriter:
    return Rewriter(
        RULES, url=SHOP, insert=lambda _: b"<form>banner</form>", head=b"<script>0</script>", is_document=True
    )


def fresh(body: bytes) -> tuple[bytes, list[Held], set[str]]:
    alone = rewriter()
    return alone.feed(body) + alone.close(), alone.held, alone.lost


def kept(body: bytes, other: bytes) -> Page:
    """Keep a page, cut where another is another."""
    reader = rewriter()
    content, pieces = DocumentBody(reader, None, on_event=print).cut(body, other, PASSES)
    assert content == fresh(body)[0]
    return page_of(body, content, reader, pieces=pieces)


def edited(body: bytes, rnd: random.Random) -> bytes:
    """Put in, take out or change something, once or a few times; often next to a tag, as templates do."""
    for _ in range(rnd.choice((1, 1, 1, 2, 3))):
        place = rnd.randrange(len(body) + 1)
        if rnd.random() < 0.5:
            place = max(body.rfind(b"<", 0, place), 0)
        gone = rnd.choice((0, 0, 1, 4, 20))
        body = (
            body[:place] + b"".join(rnd.choices(SNIPPETS, k=rnd.choice((0, 1, 1, 2)))) + body[place + gone :]
        )
    return body


@pytest.mark.parametrize("number", range(len(pages())))
def test_a_page_made_of_pieces_is_what_a_fresh_reading_makes(number: int) -> None:
    page, rnd, made = pages()[number], random.Random(number), 0
    known = kept(page, page)

    for count in range(EDITS):
        body = edited(page, rnd)
        content = like(known, body, lambda _: PASSES)
        if (
            content is not None and b"\x1b" not in body and b"2022" not in body
        ):  # their encoding is looked at before
            made += 1
            assert (content, [*known.held], {*known.lost}) == fresh(body), body
        if count % 25 == 0:
            known = kept(page, body)  # in other pieces

    assert number or made > EDITS // 4


TOKENS: dict[str, Make] = {
    "meta": lambda n: SHOP_PAGE.replace(b'csrf-token" content="TOKEN', b'csrf-token" content="%032x' % n),
    "title": lambda n: SHOP_PAGE.replace(b"<title>Shop", b"<title>%d" % 7 ** (n % 5)),
    "version": lambda n: SHOP_PAGE.replace(b"?v=1", b"?v=%d" % n**4),
    "script in the head": lambda n: SHOP_PAGE.replace(b'"id": "TOKEN', b'"id": "%032x' % n),
    "script": lambda n: SHOP_PAGE.replace(b't="TOKEN', b't="%032x' % n),
    "length": lambda n: SHOP_PAGE.replace(b"3 items", b"%d items" % 7 ** (n % 5)),
    "field": lambda n: SHOP_PAGE.replace(b'csrf" value="TOKEN', b'csrf" value="%032x' % n),
    "end": lambda n: SHOP_PAGE.replace(b"<p>TOKEN</p></body>", b"<p>%032x</p></body>" % n),
    "comment": lambda n: SHOP_PAGE + b"<!-- made in %d ms -->" % n**3,
    "all": lambda n: SHOP_PAGE.replace(b"TOKEN", b"%032x" % n),
}


def answering(make: Make) -> Any:
    """Return an app whose page says how often it was requested."""
    number = iter(range(10**6))

    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        body = make(next(number))
        headers = [(b"content-type", b"text/html; charset=utf-8"), (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return app


@pytest.fixture
def readings(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Count the pages that are read anew."""
    made: list[int] = []

    def counted(*given: Any, **named: Any) -> Rewriter:
        made.append(1)
        return Rewriter(*given, **named)

    monkeypatch.setattr(choose_body, "Rewriter", counted)
    return made


@pytest.mark.parametrize("case", TOKENS)
def test_a_page_is_made_of_pieces_wherever_its_token_is(guard: Guard, readings: list[int], case: str) -> None:
    app, alone = guard(answering(TOKENS[case])), guard(answering(TOKENS[case]))
    asked = [("sec-fetch-dest", "document")]
    for _ in range(8):
        ask(app, headers=asked)
    readings.clear()

    answers = [ask(app, headers=asked) for _ in range(6)]

    assert readings == []
    others = [ask(alone, headers=[*asked, ("accept", f"v={number}")]) for number in range(14)][8:]
    assert [(one.body, one.headers) for one in answers] == [(one.body, one.headers) for one in others]
    assert all(len(one.body) == int(one.get("content-length")) for one in answers)


ATTACKS = [
    (b'"id": "TOKEN"', b"\"id\": track(1, 'page')"),
    (b'"id": "TOKEN"', b'"id": "</script><img src=//ads.example/leak>'),
    (b'"id": "TOKEN"', b'"id": "<!--<script>'),
    (b'content="TOKEN"', b'content="TOKEN"><base href="//ads.example/leak"'),
    (b'content="TOKEN"', b'content="0;url=//ads.example/leak" http-equiv="refresh"'),
    (b'content="TOKEN"', b'content="TOKEN><link rel=preload href=//ads.example/leak>'),
    (b"<title>Shop", b"<title>Shop</title><script src=//ads.example/leak></script><title>"),
    (b"?v=1", b"?v=1\"><style>@import '//ads.example/leak';</style><link href=\""),
    (b'/shop.css?v=1"', b'//ads.example/leak"'),
    (b"3 items", b"<img src=//ads.example/leak>"),
    (b"3 items", b"<!--"),
    (b"3 items", b"--><img src=//ads.example/leak>"),
    (b"3 items", b"<svg><script>"),
    (b"3 items", b"<b title='"),
    (b"3 items", b"<style>p{background:url(//ads.example/leak)}</style>"),
    (b"3 items", b"<iframe srcdoc='&lt;img src=//ads.example/leak>'></iframe>"),
    (b"<p>TOKEN</p></body>", b"<textarea></body>"),
    (b"<p>TOKEN</p></body>", b"<form action=//ads.example/leak><img srcset='//ads.example/leak 2x'></body>"),
    (b"</body></html>", b"<script src=//ads.example/leak></script></body></html>"),
    (b"</html>\n", b"</html><img src=//ads.example/leak>"),
]


@pytest.mark.parametrize(("place", "attack"), ATTACKS)
def test_no_edit_of_a_known_page_gets_past_the_walls(guard: Guard, place: bytes, attack: bytes) -> None:
    def make(number: int) -> bytes:
        page = SHOP_PAGE if number < 8 else SHOP_PAGE.replace(place, attack, 1)
        return page.replace(b"TOKEN", b"%032x" % number)

    known, alone = (guard(answering(make), vendors=(ADS,)) for _ in range(2))

    answers = [ask(known) for _ in range(10)]
    others = [ask(alone, headers=[("accept", f"v={number}")]) for number in range(10)]

    assert [one.body for one in answers] == [one.body for one in others]
    assert place == b"3 items" or answers[-1].body != answers[7].body


def test_pages_of_one_mb_are_kept(guard: Guard, readings: list[int]) -> None:
    page = HEAD + ROWS * (1_000_000 // len(ROWS)) + BODY
    app = guard(answering(lambda number: page.replace(b"TOKEN", b"%032x" % number)))

    for _ in range(8):
        ask(app)
    readings.clear()
    for _ in range(3):
        ask(app)

    assert readings == []
    assert len(page) < app._parts.repeats.size < 5 * len(page)  # two of them, and what both became


@pytest.mark.parametrize("token", [b"TOKEN", b"%032x"])
def test_two_variants_that_take_turns_are_both_kept(guard: Guard, readings: list[int], token: bytes) -> None:
    other = SHOP_PAGE.replace(b"<nav>", b'<iframe src="https://ads.example/g"></iframe><nav>')

    def make(number: int) -> bytes:
        return (other if number % 2 else SHOP_PAGE).replace(
            b"TOKEN", token % number if b"%" in token else token
        )

    app = guard(answering(make))
    for _ in range(24):
        ask(app)
    readings.clear()
    for _ in range(6):
        ask(app)

    assert readings == []


def test_page_cache_keeps_two_of_three_alternating_variants() -> None:
    place, pages = Repeats(), [b"<p>%d</p>" % number * 100 for number in range(3)]
    kept = 0

    for number in range(300):
        body = pages[number % 3]
        known = [one for one in place.near(("place",)) if one[0].body == body]
        for one in known:
            one[2] = True
        if not known and place.is_due(("place",)):
            kept += 1
            place.keep(("place",), page_of(body, body, rewriter()))

    assert len(place) == 2
    assert kept < 6


def test_page_cache_of_a_worker_is_bounded_for_pages_of_every_size() -> None:
    place, sizes = Repeats(), [10_000, 100_000, 1_000_000, repeats.MAX_PAGE // 2]

    for number in range(200):
        body = b"<p>1</p>" * (sizes[number % 4] // 8)
        pieces = tuple((at, at + 1024, at, False) for at in range(0, len(body), 1024))
        place.keep((number % 50,), page_of(body, body, rewriter(), pieces=pieces))
        assert place.size <= repeats.MAX_SIZE
