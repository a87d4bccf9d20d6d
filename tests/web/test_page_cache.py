"""Pages that repeat: a cached result goes only to visitors who would get the same page."""

from __future__ import annotations

import asyncio
import gc
import itertools
import random
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from harness.asgi import HTML, Answer, App, ask, page, scope_of
from harness.kept_pages import page_of
from harness.quick import some_of

from cookieguard import CookieGuard
from cookieguard.html import Rewriter, Rules, Ruling
from cookieguard.html.page import Glance
from cookieguard.html.tags import judge_tag
from cookieguard.html.types import Tag, TagContext
from cookieguard.web.document import page_cache as repeats
from cookieguard.web.document.body import DocumentBody
from cookieguard.web.document.page_cache import Page, Repeats, like
from cookieguard.web.walls import WALLS_KEPT, Wall

Guard = Callable[..., CookieGuard]
PIXEL = b'<img src="https://ads.example/p.gif">'
DOCUMENT = (
    b'<!doctype html><html lang="de"><head><title>Shop</title></head><body><h1>Shop</h1>'
    + PIXEL
    + b'<iframe src="https://ads.example/film" title="Film"></iframe></body></html>'
)
OWN_POST = [("content-type", "application/x-www-form-urlencoded"), ("sec-fetch-site", "same-origin")]
COPIES = 4  # the page is noted, kept, and then given again


class Outcome:
    """The rewriter's outcome for a page without held elements."""

    held = ()
    lost = ()


def cookie_of(app: App, choice: str) -> list[tuple[str, str]]:
    answer = ask(app, path="/_cg/consent", method="POST", headers=OWN_POST, body=f"choice={choice}".encode())
    return [("cookie", "; ".join(f"{name}={value}" for name, value in answer.cookies().items()))]


def in_two(document: bytes, headers: list[tuple[str, str]]) -> App:
    """Return an app whose page comes in two messages, so that it is never kept."""
    return page(document[:40], document[40:], headers=headers)


def without_length(answer: Answer) -> list[tuple[str, str]]:
    return [pair for pair in answer.headers if pair[0] != "content-length"]


@pytest.mark.parametrize("choice", ["", "reject", "accept"])
def test_a_policy_that_the_shop_tries_out_stays_on_a_page_that_comes_again(guard: Guard, choice: str) -> None:
    tried = ("content-security-policy-report-only", "default-src 'self'; report-uri /reports")
    app = guard(page(DOCUMENT, headers=[*HTML, tried]))
    headers = cookie_of(app, choice) if choice else []

    answers = [ask(app, headers=headers) for _ in range(COPIES)]

    assert [answer.headers.count(tried) for answer in answers] == [1] * COPIES


@pytest.mark.parametrize("seed", some_of(range(3), 0))
def test_whoever_asks_gets_what_was_made_for_them(guard: Guard, seed: int) -> None:
    own = ("content-security-policy", "style-src 'self'")
    tried = ("content-security-policy-report-only", "script-src 'nonce-a'; style-src 'unsafe-inline'")
    apps = {
        "plain": (guard(page(DOCUMENT)), guard(in_two(DOCUMENT, HTML))),
        "own policy": (
            guard(page(DOCUMENT, headers=[*HTML, own])),
            guard(in_two(DOCUMENT, [*HTML, own])),
        ),
        "on trial": (
            guard(page(DOCUMENT, headers=[*HTML, tried])),
            guard(in_two(DOCUMENT, [*HTML, tried])),
        ),
        "xhtml": (
            guard(page(DOCUMENT, headers=[("content-type", "application/xhtml+xml")])),
            guard(in_two(DOCUMENT, [("content-type", "application/xhtml+xml")])),
        ),
    }
    keyed = apps["plain"][0]
    visitors = [[], *(cookie_of(keyed, choice) for choice in ("accept", "reject")), [("sec-gpc", "1")]]
    more = [
        [],
        [("accept-language", "fr")],
        [("sec-fetch-dest", "iframe"), ("sec-fetch-site", "cross-site")],
        [("hx-request", "true")],
        [("x-requested-with", "XMLHttpRequest")],
        [("x-requested-with", "com.shop.app")],
        [("sec-fetch-dest", "document"), ("sec-fetch-site", "same-origin")],
    ]
    places: list[dict[str, Any]] = [
        {},
        {"query": "a=1"},
        {"path": "/other"},
        {"path": "/shop/x", "root_path": "/shop"},
        {"host": "other.example"},
        {"scheme": "http"},
        {"method": "POST"},
        {"method": "HEAD"},
    ]
    every = [
        (kind, [*visitor, *extra], place)
        for kind in apps
        for visitor, extra, place in itertools.product(visitors, more, places)
    ]
    asked = random.Random(seed).sample(every, 80) * COPIES
    random.Random(seed).shuffle(asked)

    for kind, headers, place in asked:
        once, never = (ask(app, headers=headers, **place) for app in apps[kind])

        assert once.body == never.body or place.get("method") == "HEAD", (kind, headers, place)
        assert without_length(once) == without_length(never), (kind, headers, place)


def test_held_elements_of_a_cached_page_are_counted_every_time(guard: Guard, tmp_path: Path) -> None:
    app = guard(page(DOCUMENT))
    browser = [("accept", "text/html"), ("sec-fetch-dest", "document"), ("user-agent", "Firefox/153.0")]

    for _ in range(COPIES):
        assert PIXEL not in ask(app, headers=browser).body
    kept = len(app._parts.repeats)
    app.close()

    with closing(sqlite3.connect(tmp_path / "state" / "stats.db")) as database:
        held = [row[0] for row in database.execute("SELECT held FROM hit")]
    assert kept == 1
    assert held == ['[["ads.example",2,"Ads","marketing"]]'] * COPIES


def test_a_page_that_differs_where_nobody_looks_is_another(guard: Guard) -> None:
    prices = iter(range(100))
    filler = b"<p>Apples</p>" * 40

    app = page(act=lambda _: DOCUMENT + filler + b"<p>%03d</p>" % next(prices) + filler * 4)

    guarded = guard(app)

    for price in range(10):
        assert b"<p>%03d</p>" % price in ask(guarded).body


def test_a_cookie_goes_out_with_a_page_that_is_known(guard: Guard) -> None:
    number = itertools.count()

    def act(scope: Any) -> None:
        if scope["path"] == "/write":
            scope["session"]["n"] = next(number)

    guarded = guard(page(DOCUMENT, act=act))

    answers = [ask(guarded, path="/write") for _ in range(COPIES)]
    quiet = [ask(guarded, path="/read") for _ in range(COPIES)]

    assert all("__Host-cg_session" in one.cookies() for one in answers)
    assert all(one.get("cache-control") == "private, no-store" for one in answers)
    assert not any(one.cookies() for one in quiet)
    assert len({one.body for one in answers}) == 1


def test_an_app_that_changes_its_list_of_headers_is_heard(guard: Guard) -> None:
    headers = [(b"content-type", b"text/html")]

    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": DOCUMENT})

    guarded = guard(app)
    for _ in range(COPIES):
        ask(guarded)
    headers.append((b"x-version", b"2"))

    assert ask(guarded).get("x-version") == "2"


def test_what_is_written_into_our_headers_on_their_way_is_not_kept(guard: Guard) -> None:
    guarded = guard(page(DOCUMENT))

    async def around(scope: Any, receive: Any, send: Any) -> None:
        async def sign(message: Any) -> None:
            if message["type"] == "http.response.start":
                message["headers"].append((b"x-around", b"1"))
            await send(message)

        await guarded(scope, receive, sign)

    assert [ask(around).all("x-around") for _ in range(COPIES)] == [["1"]] * COPIES


def test_a_page_under_a_nonce_is_never_kept(guard: Guard) -> None:
    own = ("content-security-policy", "style-src 'nonce-abc'; script-src 'nonce-abc'")
    app = guard(page(DOCUMENT, headers=[*HTML, own]))

    for _ in range(COPIES):
        ask(app)

    assert not len(app._parts.repeats)


def test_a_page_that_is_asked_for_stays_while_thousands_of_others_go_by() -> None:
    kept = Repeats()
    home = page_of(b"home", b"home", Outcome())
    kept.keep(("home",), home)

    for number in range(3000):
        other = page_of(b"x" * 5000, b"x" * 5000, Outcome())
        kept.keep((number,), other)

        (known,) = kept.near(("home",))
        known[2] = True  # it was asked for
        assert known[0] is home
        assert kept.size <= repeats.MAX_SIZE
    assert len(kept) > 500


def test_of_two_variants_the_same_one_is_sent_without_reading_the_other() -> None:
    kept, bodies = Repeats(), [b"<p>guest</p>" * 100, b"<p>customer</p>" * 100]
    for body in bodies:
        kept.keep(("home",), page_of(body, body.upper(), Outcome()))

    found = [kept.find(("home",), body, lambda _: pytest.fail("the other one was read")) for body in bodies]

    assert [content for _, content in found] == [body.upper() for body in bodies]


def test_page_cache_keeps_at_most_its_number_of_places_and_bytes() -> None:
    kept = Repeats()
    outcome = Outcome()

    for number in range(repeats.MAX_PLACES + 10):
        assert not kept.is_due((number,))
    assert not kept.is_due((0,))  # it is forgotten that this one came before
    for number in range(400):
        body = b"%d" % number * 60_000
        kept.keep((number % 150,), page_of(body, body, outcome))
        assert kept.size <= repeats.MAX_SIZE
    assert 50 < len(kept) < 150


@pytest.mark.parametrize(
    "page",
    [
        page_of(b"x", b"y" * repeats.MAX_PAGE, Outcome()),
        page_of(b"x", b"y", Outcome(), given=[(b"x-a", b"z" * repeats.MAX_PAGE)], headers=[]),
        page_of(b"x", b"y", Outcome(), given=[], headers=[(b"set-cookie", b"sid=1")]),
        page_of(b"x", b"y", Outcome(), given=[], headers=[(b"cache-control", b"private, no-store")]),
    ],
)
def test_large_and_personal_pages_are_not_cached(page: Page) -> None:
    kept = Repeats()

    kept.keep((), page)
    kept.keep(("x" * repeats.MAX_PAGE,), page_of(b"x", b"y", Outcome()))

    assert not len(kept)
    assert not kept.size


def walls() -> int:
    gc.collect()
    return sum(type(one) is Wall for one in gc.get_objects())


def test_a_page_for_many_hosts_keeps_no_walls_alive(guard: Guard) -> None:
    app, before = guard(page(DOCUMENT)), walls()

    for number in range(100):
        for _ in range(2):
            ask(app, host=f"{number}.example")

    assert len(app._parts.repeats) == 100
    assert walls() - before <= 2 * WALLS_KEPT


def test_a_session_that_is_opened_while_the_page_waits_to_be_sent_gets_its_cookie(guard: Guard) -> None:
    async def app(scope: Any, _receive: Any, send: Any) -> None:
        await send(
            {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/html")]}
        )
        sending = send({"type": "http.response.body", "body": DOCUMENT})
        scope["session"]["n"] = 1
        await sending

    guarded = guard(app)

    assert all("__Host-cg_session" in ask(guarded).cookies() for _ in range(COPIES))


def test_nothing_passes_unread_after_a_page_that_is_known(guard: Guard) -> None:
    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        await send(
            {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/html")]}
        )
        await send({"type": "http.response.body", "body": DOCUMENT})
        await send({"type": "http.response.body", "body": PIXEL})

    guarded, scope = guard(app), scope_of()
    sent: list[bytes] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message.get("body", b""))

    for _ in range(COPIES):
        asyncio.run(guarded({**scope}, receive, send))

    assert PIXEL not in b"".join(sent)


def test_a_policy_as_a_bytearray_is_served(guard: Guard) -> None:
    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        policy = (b"content-security-policy", bytearray(b"img-src 'self'"))
        headers = [(b"content-type", b"text/html"), policy]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": DOCUMENT})

    guarded = guard(app)

    assert all(b"img-src" in ask(guarded).messages[0]["headers"][1][1] for _ in range(COPIES))


def near_page(token: bytes, *, inside: bytes = b"", head: bytes = b"") -> bytes:
    """Write a page of some pieces, with a token in a form, and something else beside it."""
    rows = b"".join(
        b'<li class="item"><a href="/p/%d">No. %d</a> %s</li>\n' % (n, n, b"x" * 90) for n in range(60)
    )
    form = b'<form method="post"><input type="hidden" name="csrf" value="%b">%b</form>\n' % (token, inside)
    start = b'<!doctype html><html lang="de"><head>%b<title>Shop</title></head><body><h1>Shop</h1>' % head
    return start + PIXEL + rows + form + rows + PIXEL + b"</body></html>"


def changing(bodies: Iterator[bytes], headers: list[tuple[str, str]] | None = None) -> App:
    """Return an app that answers with one body after the other."""
    return page(headers=headers or HTML, act=lambda _: next(bodies))


def assert_same_as_alone(
    guard: Guard, bodies: list[bytes], headers: list[tuple[str, str]], **asked: str
) -> None:
    """Hold the pages of one place to what each becomes where no other was before it."""
    known, never = guard(changing(iter(bodies), headers)), guard(changing(iter(bodies), headers))
    said = [(name.replace("_", "-"), value) for name, value in asked.items()]
    for number, body in enumerate(bodies):
        once = ask(known, headers=[*said, ("accept", "text/html,*/*;v=0")])
        # Pages are kept by it, too
        other = ask(never, headers=[*said, ("accept", f"text/html,*/*;v={number}")])

        assert once.body == other.body, body
        assert once.headers == other.headers, body


TOKENS = [b"%032x" % number for number in range(8)]
# What may stand where a page had something harmless.
HARMLESS = [
    b"<p>Two pears</p>",
    b"<b>Ten plums</b>",
    b"</form><b>1</b>.",
    b"</body></html> .",
    b"<!-- one plum-->",
    b"ten plums, 1 & 2",
    b"ten plums, 1 < 2",
    b"<script>1</script>",
    b"<textarea></textarea>",
    b"<title>1</title>",
]
TELLING = [
    b"<select><b>ten .",
    b"<!-- one plum --",
    b"<svg><p>ten </p>",
    b"<img src=//a.b/>",
    b"<base href=//a/>",
    b"<script>1 </scrip>",
    b"<script src=//a.b/></script>",
    b"<script>1<!--<script></script>",
    b"<textarea>one...",
    b"<title>plums ...",
    b"<p title='plums ",
    b"<plaintext>plum.",
    b"<template><b>1 .",
    b"<![CDATA[plums]]",
    b"<?xml-stylesheet",
    b"<p style=a:url(//a.b)",
    b"<noscript>1</noscript>",
    b"<style>@import '//a.b/c';</style>",
    b"<p>one plum</p><",
    b"<p>one plum</p",
]
SHIFTING = b"<p>a\x1b$B two </p>"
OTHERS = [*HARMLESS, *TELLING, SHIFTING]


@pytest.mark.parametrize("content_type", ["text/html; charset=utf-8", "text/html", "application/xhtml+xml"])
def test_a_page_like_a_known_one_becomes_what_it_would_have_become_alone(
    guard: Guard, content_type: str
) -> None:
    headers = [("content-type", content_type)]
    width = max(map(len, OTHERS))
    bodies = [
        near_page(token, inside=other.ljust(width, b"."))
        for other, token in itertools.product(OTHERS, TOKENS[:2])
    ]
    random.Random(1).shuffle(bodies)

    assert_same_as_alone(guard, bodies, headers)


@pytest.mark.parametrize("other", [b"<p>Three pears</p>", b"<p>One & two.</p>"])
def test_a_page_that_differs_by_a_token_is_made_of_the_pieces_of_the_one_before(other: bytes) -> None:
    rules = Rules(
        lambda url: Ruling("marketing", None) if url.host == "ads.example" else None, "https://shop.example/"
    )
    body, width = DocumentBody(Rewriter(rules, url="https://shop.example/"), None, on_event=print), len(other)
    first, second = near_page(TOKENS[0], inside=b"." * width), near_page(TOKENS[1], inside=other)

    passes = Glance(rules, rules.page("https://shop.example/")).passes
    content, pieces = body.cut(first, near_page(TOKENS[2], inside=b"-" * width), passes)
    page = page_of(first, content, body.rewriter, pieces=pieces)
    found = like(page, second, lambda _: passes)

    again = Rewriter(rules, url="https://shop.example/")
    assert like(page, first, lambda _: passes) == content
    assert found is not None
    assert found == again.feed(second) + again.close()
    assert TOKENS[0] not in found
    assert PIXEL not in found


# What may stand in a head where another page has the meta element of a token, and what may not.
METAS = [
    b'<meta name=csrf content="%b">' % TOKENS[3],
    b"<meta name=a><meta name=b>\n",
    b"<title>1 > 0</title><link href='/a.css?v=>1' rel=stylesheet>",
    b"<script>a = 1 < 2 && '<b>' + '</b>'</script>",
    b"<style>p > b {color: red}</style >\n<!-- 1 <b> 2 -->",
]
NO_METAS = [
    b"<meta http-equiv=refresh content='0;url=//ads.example/'>",
    b"<meta name=referrer content=unsafe-url>",
    b"<meta name=color-scheme content=dark>",
    b"<meta charset=iso-2022-jp>",
    b"<meta name=csrf>text",
    b"<meta name=csrf></head><p>1",
    b"<meta name=csrf><base href=//ads.example/>",
    b"<meta name=csrf><noscript>",
    b"<meta name=csrf><template>",
    b"<meta name=csrf><!--",
    b"<meta name=csrf><title>1",
    b"<meta name=csrf><script>1",
    b"<meta name=csrf><style>",
    b"<meta name=csrf><svg>",
    b"<meta name=csrf><body>",
    b"<meta name=csrf ",
    b"<meta name='csrf>",
    b"</meta>",
    b"<link rel=preload href=//ads.example/x>",
    b"<link title='a><script>' >1</script>",
    b"<meta name=a /=''><p>1",
    b"<title>1</title>1",
    b"<title>1</titles>",
    b"<title>1<title></title></title>",
    b"<script>1<!--</script>",
    b"<script>1<!--<script></script>",
    b"<style>@import '//ads.example/c';</style>",
    b"<style>p {background: url(//ads.example/d)}</style>",
    b"<script src=//ads.example/s></script>",
    b"<!--> <p>1 -->",
    b"<!--a--!><p>1-->",
    b"<noframes>1</noframes>",
]


def headed_page(meta: bytes, token: bytes) -> bytes:
    """Write a page with a meta element in its head, or what is as long."""
    links = b"".join(b'<link rel="alternate" hreflang="%d" href="/%d">\n' % (n, n) for n in range(40))
    return near_page(token, head=b'<meta charset="utf-8">\n' + links + meta.ljust(80) + links)


@pytest.mark.parametrize("content_type", ["text/html; charset=utf-8", "text/html", "application/xhtml+xml"])
def test_a_page_with_a_token_in_its_head_becomes_what_it_would_have_become_alone(
    guard: Guard, content_type: str
) -> None:
    bodies = [
        headed_page(meta, token)
        for meta, token in itertools.product([*METAS, METAS[0].replace(b"3", b"4"), *NO_METAS], TOKENS[:2])
    ]
    random.Random(2).shuffle(bodies)

    assert_same_as_alone(guard, bodies, [("content-type", content_type)], sec_fetch_dest="document")


def test_a_page_with_a_token_in_its_head_is_made_of_the_pieces_of_the_one_before() -> None:
    rules = Rules(
        lambda url: Ruling("marketing", None) if url.host == "ads.example" else None, "https://shop.example/"
    )
    passes = Glance(rules, rules.page("https://shop.example/")).passes
    first, second = headed_page(METAS[0], TOKENS[0]), headed_page(METAS[0].replace(b"3", b"4"), TOKENS[1])
    body = DocumentBody(Rewriter(rules, head=b"<script>1</script>"), None, on_event=print)

    content, pieces = body.cut(first, second, passes)
    page = page_of(first, content, body.rewriter, pieces=pieces)

    alone = Rewriter(rules, head=b"<script>1</script>")
    found = like(page, headed_page(METAS[1], TOKENS[2]), lambda _: passes)
    again = headed_page(METAS[1], TOKENS[2])
    assert [begin for begin, _, _, in_head in pieces if in_head]
    assert found == alone.feed(again) + alone.close()
    assert [one for one in [*METAS, *NO_METAS] if passes(one, True)] == METAS


@pytest.mark.parametrize(
    ("before", "after", "asked"),
    [
        (b"<plaintext>", b"<b>pear</b>", {"sec_fetch_dest": "document"}),
        (b"<!doctype html>", b"<b>pears</b>...", {}),
    ],
)
def test_what_tells_the_rest_of_a_page_something_is_not_taken_for_a_token(
    guard: Guard, before: bytes, after: bytes, asked: dict[str, str]
) -> None:
    rows = b"<p>pears</p>" * 200
    bodies = [rows + before + b"<i>%d</i>" % n + rows for n in range(6)]
    bodies.append(rows + after + b"<i>6</i>" + rows)

    assert_same_as_alone(guard, bodies, HTML, **asked)


def test_a_shift_that_begins_in_one_piece_and_ends_in_the_next_is_seen(guard: Guard) -> None:
    rows = b"<p>pears</p>" * 200
    bodies = [rows + b"\x1b" + b"<b>%d</b>" % n + rows for n in range(6)]
    bodies.append(rows + b"\x1b" + b"$B12</b>" + rows)
    headers = [("content-type", "text/html")]

    assert_same_as_alone(guard, bodies, headers, sec_fetch_dest="document")


def test_only_markup_with_nothing_to_do_may_be_another() -> None:
    rules = Rules(
        lambda url: Ruling("marketing", None) if url.host == "a.b" else None, "https://shop.example/"
    )

    plain = Glance(rules, rules.page("https://shop.example/"))

    # Which is told by its encoding
    assert [one for one in OTHERS if plain.passes(one)] == [*HARMLESS, SHIFTING]


def test_a_form_with_another_token_is_not_judged_in_full_again(monkeypatch: pytest.MonkeyPatch) -> None:
    judged: list[bytes] = []

    def counted(raw: bytes, context: TagContext) -> Tag:
        judged.append(raw)
        return judge_tag(raw, context)

    monkeypatch.setattr("cookieguard.html.page.judge_tag", counted)
    rules = Rules(lambda _: None, "https://shop.example/", own_is_free=True)
    form = b'<form action="/cart" method="post"><input type="hidden" name="csrf" value="%032x">'
    reader = Rewriter(rules, url="https://shop.example/")
    reader.feed(b"<!doctype html><body>" + form % 1)

    assert Glance(rules, rules.page("https://shop.example/")).passes(form % 2)
    assert [raw[:5] for raw in judged].count(b"<form") == 1


def test_pages_of_an_address_that_never_repeats_are_cached_ever_more_rarely() -> None:
    kept = Repeats()

    due = [number for number in range(200) if kept.is_due(("place",))]

    assert due == [1, 4, 9, 18, 35, 68, 133, 198]


@pytest.mark.parametrize("tag", [b"<b>", b"<", b"<p title='", b"<script>", b"x", b"<!--<svg>"])
def test_a_page_that_is_another_in_all_its_tags_is_cut_into_few_pieces(tag: bytes) -> None:
    rules = Rules(lambda _: None, "https://shop.example/")
    first, second = (b"<!doctype html><body><p>" + one * (200_000 // len(one)) for one in (tag, tag.upper()))
    body, alone = (Rewriter(rules, url="https://shop.example/") for _ in range(2))
    plain = Glance(rules, rules.page("https://shop.example/"))

    content, pieces = DocumentBody(body, None, on_event=print).cut(first, b" " + second, plain.passes)

    assert len(pieces) < 200 + 2 * 64
    assert content == alone.feed(first) + alone.close()
