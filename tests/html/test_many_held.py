"""A page that holds more than any real one: what comes after MOST_HELD is held unread, whatever was answered before."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from harness.rewriting import ORIGIN, outside, rewrite

from cookieguard.html import Rewriter, Rules
from cookieguard.html.judging import LOST_TO_MANY, MOST_HELD, OF_A_DOCUMENT

PICTURE = b"<img src=//ads.example/%d>"
MANY = b"".join(PICTURE % number for number in range(MOST_HELD + 1))
DOCUMENT = b"<iframe srcdoc='<img src=/%d>'></iframe>"
MANY_DOCUMENTS = b"".join(DOCUMENT % number for number in range(MOST_HELD // OF_A_DOCUMENT + 1))


def after(many: bytes, rest: bytes) -> bytes:
    """Return what comes out for `rest` behind `many` others."""
    rules = Rules(outside, ORIGIN, own_is_free=True)
    return rewrite(many + rest, rules=rules)[len(rewrite(many, rules=rules)) :]


@pytest.mark.parametrize(
    ("source", "sent"),
    [
        (b"<img src=//ads.example/a class=b>", b"<img>"),
        (b"<img src=//shop.example/a>", b"<img>"),  # what might be another's is not looked at
        (b"<img src=/a class=b>", b"<img src=/a class=b>"),
        (b"<p style='background: url(//ads.example/)'>", b"<p>"),
        (b"<p class=a>", b"<p class=a>"),
        (b"<a href=//social.example/>", b"<a href=//social.example/>"),
        (b"<base href=//ads.example/>", b"<base data-cg-href=//ads.example/>"),
        (b"<script src='//ads.example/a'></script>", b'<script type="text/plain"></script>'),
        (b"<script src=/a.js></script>", b"<script src=/a.js></script>"),
        (
            b"<script>f('//shop.example/')</script>",
            b"<script type=\"text/plain\">f('//shop.example/')</script>",
        ),
        (b"<script>f('/a')</script>", b"<script>f('/a')</script>"),
        (
            b"<script type=importmap>{}</script>",
            b'<script type="text/plain" data-cg-type=importmap>{}</script>',
        ),
        (b"<style>a{b:url(/a)}</style>", b"<style>a{b:url(/a)}</style>"),
        (b"<style>@import '//a'</style>", b"<style type=\"text/plain\">-->@import '//a'</style>"),
        (b"<style>a{b:url(ht\ttp:a.example)}</style>", None),
        (b"<style>a{b:url(\\2f/a.example)}</style>", None),
        (b"<iframe srcdoc='<p>'></iframe>", b"<iframe srcdoc=''></iframe>"),
        (b"<svg><script>f(&#47;)</script>", b'<svg><script type="text/plain">f(&#47;)</script>'),
        (b"<svg><image href=//ads.example/ />", b"<svg><image />"),
    ],
)
def test_what_might_reach_others_is_held_unread(source: bytes, sent: bytes | None) -> None:
    out = after(MANY, source)

    assert out == sent if sent is not None else out.startswith(b'<style type="text/plain">-->')


@pytest.mark.parametrize("many", [MANY, MANY_DOCUMENTS])
def test_it_begins_where_it_did_on_the_visit_before_and_in_any_chunks(many: bytes) -> None:
    page = many + PICTURE % 1 + b"<script>new Image().src='//ads.example/'</script>" + DOCUMENT % 1
    rules = Rules(outside, ORIGIN, own_is_free=True)
    cold = rewrite(page, rules=rules)

    assert rewrite(page, rules=rules) == cold
    assert rewrite(page, range(4096, len(page), 4096), rules=rules) == cold
    assert cold.endswith(
        b"<script type=\"text/plain\">new Image().src='//ads.example/'</script><iframe srcdoc=''></iframe>"
    )


@pytest.mark.parametrize(
    ("page", "lost"), [(MANY, {LOST_TO_MANY}), (MANY[: -len(PICTURE % MOST_HELD)], set()), (b"<p>", set())]
)
def test_the_owner_hears_of_it(page: bytes, lost: set[str]) -> None:
    rewriter = Rewriter(Rules(outside, ORIGIN))

    rewriter.feed(page)

    assert rewriter.lost == lost


@pytest.mark.parametrize(
    "judge", [lambda _: None, lambda url: outside(url) if url.host == "ads.example" else None]
)
def test_a_page_that_may_load_from_strangers_is_read_to_its_end(judge: Callable[..., None]) -> None:
    page = MANY + MANY_DOCUMENTS + b"<img src=//cdn.example/a>"

    assert rewrite(page, rules=Rules(judge, ORIGIN)).endswith(b"<img src=//cdn.example/a>")
