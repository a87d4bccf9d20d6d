"""Hostile input costs in proportion to its length, measured in calls, not in time."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType

import pytest
from harness.hostile import PATTERNS, hostile_page
from harness.quick import some_of
from harness.rewriting import ORIGIN, outside

from cookieguard.html import Rewriter, Rules, scanner
from cookieguard.html.tokenizer import raw_text
from cookieguard.html.tokenizer.foreign_text import TagEnd

SIZE = 40_000


def functions_of(work: Callable[[], None]) -> list[str]:
    """Name the function of each call; one from C to C is none, one from C to Python is."""
    found: list[str] = []

    def note(frame: FrameType, event: str, _arg: object) -> None:
        if event in ("call", "c_call"):
            found.append(frame.f_code.co_name if event == "call" else "")

    sys.setprofile(note)
    try:
        work()
    finally:
        sys.setprofile(None)
    return found


def calls_of(work: Callable[[], None]) -> int:
    return len(functions_of(work))


# Each pattern in small chunks or in large ones, in turn; all of them in both are slow.
BOTH_WAYS = [(name, chunk) for name in PATTERNS for chunk in (61, 4096)]


@pytest.mark.parametrize(
    "way", some_of(BOTH_WAYS, *BOTH_WAYS[::4], *BOTH_WAYS[3::4]), ids=lambda way: f"{way[0]}-{way[1]}"
)
def test_twice_the_input_is_at_most_three_times_the_work(way: tuple[str, int]) -> None:
    name, chunk = way

    def work(size: int) -> Callable[[], None]:
        page = hostile_page(name, size)

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


@pytest.mark.parametrize("attribute", [b"ab ", b"<a ", b"a=b ", b"a = 'b' "])
def test_attributes_of_a_tag_that_chunks_cut_are_passed_many_at_once(attribute: bytes) -> None:
    """One by one they cost 60 times as much, and nothing else told."""
    chunk = (attribute * 4096)[1:]  # it begins within an attribute

    def run() -> None:
        end = TagEnd()
        for _ in range(8):
            assert end.find(chunk, 0) == -1

    assert calls_of(run) < 500


def test_a_script_in_a_script_is_passed_as_text_once_it_means_nothing() -> None:
    """Each start tag was searched for by itself: two megabytes of them took 30 times as long."""
    script = b"<!--<script>" + b"<script><!--" * 1000 + b"--></script>"
    searched = raw_text.script_pattern.cache_info()

    found = raw_text.ScriptEnd().find(script, 0)

    asked = raw_text.script_pattern.cache_info()
    assert found == (len(script) - len(b"</script>"), b"script")
    assert asked.hits + asked.misses - searched.hits - searched.misses < 10


@pytest.mark.skipif(scanner() == "pure", reason="only the compiled build looks")
@pytest.mark.parametrize(
    ("plain", "not_plain", "reader"),
    [
        (b"<svg>" + b"<style>@import url(" * 200, b"<svg><style>@import url(//ads.example/\\75)", "urls_in"),
        (b"<style>@import url(//ads.example/a);", b"<style>@import '//ads.example/a'", "urls_in"),
        (
            b"<iframe srcdoc='<img src=//ads.example>'>",
            b"<iframe srcdoc='<img src=//ads.example>&amp;'>",
            "encode_attribute",
        ),
    ],
)
def test_common_markup_is_recognized_without_a_full_reading(
    plain: bytes, not_plain: bytes, reader: str
) -> None:
    """Its readers in Python are not called; no other test told that a page of it took twice as long."""

    def times_read(page: bytes) -> int:
        def run() -> None:
            rewriter = Rewriter(Rules(outside, ORIGIN, own_is_free=True))
            rewriter.feed(page)
            rewriter.close()

        return functions_of(run).count(reader)

    assert times_read(plain) == 0
    assert times_read(not_plain) > 0
