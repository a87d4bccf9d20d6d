"""The page's address stays hidden from third parties: referrer policies, pings, links that lead away."""

from __future__ import annotations

import pytest
from harness.rewriting import HELD, ORIGIN, every_byte

from cookieguard.html import Rewriter, Rules
from cookieguard.html.referrer_policy import tighten

START = b"<!doctype html><body>"
SAFE = b"strict-origin-when-cross-origin"
# somebody who agreed to everything: nobody is held, others are others all the same
GRANTED = Rules(lambda _: None, ORIGIN, is_foreign=lambda url: url.host != "shop.example")
MARKED = Rules(lambda _: None, ORIGIN, is_foreign=lambda url: url.host != "shop.example", marks_links=True)


def rewrite(page: bytes, rules: Rules = GRANTED) -> bytes:
    rewriter, whole = Rewriter(rules), Rewriter(rules)
    pieces = [rewriter.feed(page[cut - 1 : cut]) for cut in every_byte(page)]
    written = whole.feed(page) + whole.close()

    assert b"".join([*pieces, rewriter.feed(page[-1:]), rewriter.close()]) == written
    return written


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ("unsafe-url", "strict-origin-when-cross-origin"),
        ("no-referrer-when-downgrade", "strict-origin-when-cross-origin"),
        ("Origin-When-Cross-Origin", "strict-origin-when-cross-origin"),
        ("origin", "strict-origin"),
        ("always", "strict-origin-when-cross-origin"),
        ("no-referrer, unsafe-url", "no-referrer, strict-origin-when-cross-origin"),
        *[
            (one, one)
            for one in ("", "no-referrer", "same-origin", "strict-origin", SAFE.decode(), "nonsense")
        ],
    ],
)
def test_a_policy_tells_no_more_than_browsers_do_by_default(asked: str, told: str) -> None:
    assert tighten(asked) == told


@pytest.mark.parametrize(
    ("tag", "written"),
    [
        (
            b'<iframe src=//v.example referrerpolicy="no-referrer-when-downgrade">',
            b'referrerpolicy="' + SAFE + b'"',
        ),
        (b"<a href=//v.example ReferrerPolicy=unsafe-url>", b'ReferrerPolicy="' + SAFE + b'"'),
        (b"<meta name=referrer content=unsafe-url>", b'content="' + SAFE + b'"'),
        (b"<meta content='origin' name='Referrer'>", b"content='strict-origin'"),
        (b"<script src=//v.example referrerpolicy='&#117;nsafe-url'>", b"='" + SAFE + b"'"),
    ],
)
def test_a_page_that_asks_for_more_is_tightened_in_every_state(tag: bytes, written: bytes) -> None:
    assert written in rewrite(START + tag)


@pytest.mark.parametrize(
    "tag",
    [
        b"<iframe src=//v.example referrerpolicy=strict-origin-when-cross-origin>",
        b"<img src=//v.example referrerpolicy=no-referrer>",
        b"<meta name=referrer content=no-referrer>",
        b"<meta name=description content=unsafe-url>",
        b"<a href=/own ping=/count>",
        b"<p>referrerpolicy=unsafe-url</p>",
        b"<a href=//v.example rel=nofollow>",
    ],
)
def test_tag_whose_referrer_policy_is_strict_enough_is_not_changed(tag: bytes) -> None:
    assert rewrite(START + tag) == START + tag


def test_a_meta_element_that_is_both_is_still_held() -> None:
    held = Rules(lambda url: None if url.host == "shop.example" else HELD, ORIGIN)
    tag = b"<meta name=referrer http-equiv=refresh content='0;url=//v.example'>"

    assert b"data-cg-http-equiv=refresh" in rewrite(tag, held)


@pytest.mark.parametrize("ping", [b"//v.example/p", b"'/own //v.example'", b'"https:\\\\v.example"'])
def test_a_ping_to_others_is_gone_for_good(ping: bytes) -> None:
    assert b"<a data-cg-ping=" in rewrite(START + b"<a ping=" + ping + b" href=/>")


@pytest.mark.parametrize(
    ("tag", "written"),
    [
        (b"<a href=//v.example>", b'<a rel="noreferrer" href=//v.example>'),
        (b'<a class=x href="https://v.example/a?b" rel="nofollow">', b'rel="nofollow noreferrer">'),
        (b"<a rel=opener href=//v.example>", b'<a rel="opener noreferrer" href=//v.example>'),
        (b"<a rel href=//v.example>", b'<a rel="noreferrer" data-cg-rel href=//v.example>'),
        (b"<area href=//v.example>", b'<area rel="noreferrer" href=//v.example>'),
        (b"<svg><a href=//v.example>", b'<a rel="noreferrer" href=//v.example>'),
    ],
)
def test_links_that_lead_away_are_marked_where_this_is_wanted(tag: bytes, written: bytes) -> None:
    assert written in rewrite(START + tag, MARKED)
    assert rewrite(START + tag) == START + tag


@pytest.mark.parametrize(
    "tag",
    [
        b"<a href=/own>",
        b"<a href=https://shop.example/x>",
        b"<a href=mailto:a@v.example>",
        b"<a href=#top>",
        b"<a name=x>",
        b"<a href=//v.example rel='NoReferrer'>",
        b"<abbr href=//v.example>",
    ],
)
def test_links_that_stay_are_not_marked(tag: bytes) -> None:
    assert rewrite(START + tag, MARKED) == START + tag
