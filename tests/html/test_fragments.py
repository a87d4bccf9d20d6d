"""Known parts of a page are skipped, and the page comes out as it did the first time."""

from __future__ import annotations

import random

import pytest

from cookieguard.html import Rewriter, Rules, Ruling, Url, scanner

HELD = Ruling("marketing", None)
COMPILED = pytest.mark.skipif(scanner() == "pure", reason="the pure build keeps no stretches")
# Lines as pages have them, and what a stretch must not end in, begin with or hide.
LINES = (
    b'<li class="card"><a href="/p/1?a=1&amp;b=2"><img src="/img/1.jpg" alt="No. 1"></a><p>1,99</p></li>\n',
    b'<li class="card"><a href="/p/2"><img src="//ads.example/2.gif" alt="No. 2"></a><p>2,99</p></li>\n',
    b'<div\n  class="wide"\n  title="> a < b"\n>\n',
    b'<img\nsrc="https://ads.example/p.gif"\n>\n',
    b"<p>text with < signs > and no tags, long enough to be more than a stretch would have to be at the least</p>\n",
    b"<!-- a comment with <img src=//ads.example/c.gif> in it\n and a second line -->\n",
    b"<script>var a = '<p>'\nfetch('https://ads.example/')</script>\n",
    b"<style>p { color: red }\n@import url(//ads.example/s.css);</style>\n",
    b"<textarea>\n<img src=//ads.example/t.gif>\n</textarea>\n",
    b"<select><option>1\n<option>2\n</select>\n",
    b"<svg><title>a</title>\n<path d='M0 0'/></svg>\n",
    b"<template><img src='/img/3.jpg'></template>\n",
    b"<noscript><img src='//ads.example/n.gif'></noscript>\n",
    b"<p>" + b"word " * 300 + b"</p><p title='>'>" + b"word " * 300 + b"</p>",
    b"</div><a href=//ads.example/>x</a><",
    b"\n",
)
ROUNDS = 12


def judge(url: Url) -> Ruling | None:
    is_held = url.host == "ads.example" or (url.host == "cdn.example" and url.path.startswith("/img"))
    return HELD if is_held else None


def rules() -> Rules:
    return Rules(judge, "https://shop.example/", own_is_free=True)


def numbered(count: int) -> bytes:
    """Make a page whose lines differ."""
    lines = (LINES[0].replace(b"/img/", b"/img/%d-" % n) for n in range(count))
    return b"<!doctype html><body>" + b"".join(lines)


def rewritten(known: Rules, page: bytes, cuts: list[int], url: str = "https://shop.example/a/b") -> bytes:
    rewriter = Rewriter(known, url=url, insert=lambda _: b"<b>banner</b>")
    pieces = [page[start:end] for start, end in zip([0, *cuts], [*cuts, len(page)], strict=True)]
    return b"".join([*map(rewriter.feed, pieces), rewriter.close()])


@pytest.mark.parametrize("seed", range(12))
def test_a_page_that_comes_again_goes_out_as_it_did_at_first(seed: int) -> None:
    rnd, known = random.Random(seed), rules()
    lines = [rnd.choice(LINES[: rnd.choice([2, 6, len(LINES)])]) for _ in range(80)]

    for _ in range(ROUNDS):
        page = b"<!doctype html><title>x</title><body>" + b"".join(lines)
        cuts = sorted(rnd.sample(range(len(page)), rnd.choice([0, 1, 4])))

        assert rewritten(known, page, cuts) == rewritten(rules(), page, cuts)
        lines[rnd.randrange(len(lines))] = rnd.choice(LINES)  # what is around a known stretch changes


@COMPILED
def test_stretches_are_kept_once_they_came_again() -> None:
    known, page = rules(), numbered(40)

    kept = []
    for _ in range(ROUNDS):
        rewritten(known, page, [])
        kept.append(len(known.stretches))

    assert kept[0] == 0
    assert kept[-1] > 0


@COMPILED
def test_they_do_not_count_on_pages_whose_references_lead_elsewhere() -> None:
    known, page = rules(), numbered(40)
    moved = page.replace(b"<body>", b"<base href='https://cdn.example/'><body>")
    for _ in range(ROUNDS):
        rewritten(known, page, [])

    assert len(known.stretches) > 0  # the control
    assert rewritten(known, moved, []) == rewritten(rules(), moved, [])
    assert rewritten(known, moved, []).count(b"data-cg-src") == 40


@COMPILED
def test_what_is_kept_is_bounded() -> None:
    known = rules()

    for number in range(400):
        page = b"<!doctype html><body>" + b"".join(
            b"<p>%d-%d %s</p>\n" % (number, n, b"x" * 700) for n in range(40)
        )
        for _ in range(6):
            rewritten(known, page, [])

    assert 0 < len(known.stretches) * 700 <= 1024 * 1024
