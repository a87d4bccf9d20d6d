"""Hostile input costs no more than its length: counted in calls made, not in time."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType

import pytest
from harness.rewriting import ORIGIN, outside

from cookieguard.html import Rewriter, Rules

SIZE = 40_000
PATTERNS: dict[str, tuple[bytes, bytes, bytes]] = {
    "a tag that never ends": (b"<div ", b"a=b ", b""),
    "a value that never ends": (b'<a b="', b"xxxx ", b""),
    "tags in a tag": (b"", b"<a ", b""),
    "less-than signs": (b"", b"<", b""),
    "ends of nothing": (b"", b"</", b""),
    "comments in a comment": (b"", b"<!--", b""),
    "dashes": (b"<!--", b"-", b""),
    "nested noscript": (b"", b"<noscript>", b""),
    "noscript in a comment": (b"", b"<noscript><!-- </noscript>", b""),
    "scripts in a script": (b"", b"<script><!--", b""),
    "almost the end of a script": (b"<script>", b"</scrip", b""),
    "scripts in svg": (b"<svg>", b"<script>", b""),
    "ends in comments in svg": (b"<svg><script>", b"<!--</script>-->", b""),
    "ends in a comment in svg": (b"<svg><script><!--", b"</script>", b""),
    "scripts in a script in svg": (b"<svg><script>", b"<script></script>", b""),
    "style sheets in svg": (b"<svg>", b"<style>@import url(", b""),
    "deep svg": (b"<svg>", b"<g>", b"</svg>"),
    "sections": (b"<svg>", b"<![CDATA[", b""),
    "references": (b'<img src="', b"&amp;", b'">'),
    "attributes without end": (b"<img ", b"src=//ads.example ", b">"),
    "urls in a sheet": (b"<style>", b'url("', b"</style>"),
    "imports in a sheet": (b"<style>", b"@import/*", b"</style>"),
    "held urls in a script": (b"<script>", b"x.src=a('//ads.example/');", b"</script>"),
    "brackets in a script": (b"<script>src='//ads.example/';", b"((", b"</script>"),
    "calls in a script": (b"<script>src;a='//ads.example/';", b"a(a)", b"</script>"),
    "candidates": (b'<img srcset="', b"a 1x,", b'">'),
    "dots": (b'<img src="//ads.example', b"/..", b'">'),
    "selects": (b"<select>", b"<style>", b""),
}


def calls_of(work: Callable[[], None]) -> int:
    count = 0

    def note(_frame: FrameType, event: str, _arg: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(note)
    try:
        work()
    finally:
        sys.setprofile(None)
    return count


@pytest.mark.parametrize("chunk", [61, 4096])
@pytest.mark.parametrize("name", PATTERNS)
def test_twice_the_input_is_at_most_three_times_the_work(name: str, chunk: int) -> None:
    before, repeated, after = PATTERNS[name]

    def work(size: int) -> Callable[[], None]:
        page = before + repeated * (size // len(repeated)) + after

        def run() -> None:
            rewriter = Rewriter(Rules(outside, ORIGIN))
            for at in range(0, len(page), chunk):
                rewriter.feed(page[at : at + chunk])
            rewriter.close()

        return run

    work(SIZE // 4)()  # patterns are compiled now
    once, twice = calls_of(work(SIZE)), calls_of(work(2 * SIZE))

    assert twice <= 3 * once + 500
    assert twice <= 40 * SIZE  # a bound for each byte, too
