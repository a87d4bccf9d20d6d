"""The rewriter's output is the same at every split of the input, and in both builds."""

from __future__ import annotations

import hashlib
import os
import random
import subprocess
import sys
from itertools import combinations
from pathlib import Path

import pytest
from harness.grammar import Author
from harness.rewriting import every_byte, rewrite

from cookieguard.html import scanner
from cookieguard.html.insertion_point import END_BEGUN, LONGEST_END, end_begun

TESTS = Path(__file__).parent.parent
MARK, HEAD = b"<i id=cg-mark></i>", b"<b id=cg-head></b>"
# Small enough for every pair of splits; each ends many constructs where another may begin.
SMALL = [
    b"<!doctype html><img src=//ads.example>",
    b"<a b='<img src=//x.example>'><!--x--!><img src=//x.example>",
    b"<script>a.src='//x.example'</script >t",
    b"<script><!--<script></script>--></script>",
    b"<style>@import'//x.example';</style>",
    b"<svg><![CDATA[ </svg> ]]><style><!--</style>-->",
    b"<svg><script><!--</script>-->fetch('//x.example')</script>",
    b"<noscript><!-- </noscript><img src=//x.example>-->",
    b"<select><title><img src=//x.example></select>",
    b"<title></titl></title/><img/src=//x.example>",
    b"<iframe srcdoc='<img src=//x.example>'>",
    b"\xef\xbb\xbf <html><img src=//x.example>",
    b"<p\0a\x0c=\r\n\"//x.example\"/ srcset = ' //x.example 1x'>",
    b"<?xml-stylesheet href='//x.example'?></ x></><!><a",
]


@pytest.mark.parametrize("page", SMALL)
@pytest.mark.parametrize("xml", [False, True])
def test_every_pair_of_splits_gives_the_same_bytes(page: bytes, xml: bool) -> None:
    whole = rewritten(page, (), xml=xml)

    for cuts in combinations(range(len(page) + 1), 2):
        assert rewritten(page, cuts, xml=xml) == whole, cuts
    assert rewritten(page, every_byte(page), xml=xml) == whole


def rewritten(page: bytes, cuts: object, *, xml: bool = False) -> bytes:
    return rewrite(page, cuts, insert=lambda context: MARK, head=HEAD, xml=xml)  # type: ignore[arg-type]  # of ints


# -- both builds


def digests(seeds: range) -> list[str]:
    """Return what random pages come to, at random splits, in the build that runs here."""
    found = []
    for seed in seeds:
        rnd = random.Random(seed)
        author = Author(rnd)
        digest = hashlib.sha256()
        for number in range(200):
            page = author.page().encode()
            cuts = sorted(rnd.sample(range(len(page)), min(len(page), 5)))
            digest.update(rewritten(page, cuts, xml=number % 4 == 0))
        found.append(digest.hexdigest())
    return found


@pytest.mark.parametrize(
    "seeds",
    [range(5), *(pytest.param(range(at, at + 20), marks=pytest.mark.slow) for at in range(100, 300, 20))],
)
def test_both_builds_write_the_same_bytes(seeds: range) -> None:
    if scanner() != "compiled":
        pytest.skip("there is no compiled build here, or COOKIEGUARD_PURE=1")
    run = subprocess.run(
        [sys.executable, __file__, str(seeds.start), str(seeds.stop)],
        env={**os.environ, "COOKIEGUARD_PURE": "1", "PYTHONPATH": str(TESTS)},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )

    build, *there = run.stdout.split()

    assert build == "pure"
    assert there == digests(seeds)


if __name__ == "__main__":
    print(scanner(), *digests(range(int(sys.argv[1]), int(sys.argv[2]))))


@pytest.mark.parametrize("seed", range(4))
def test_the_end_tags_that_a_page_ends_with_are_found_where_a_search_finds_them(seed: int) -> None:
    rnd = random.Random(seed)
    shards = [
        b"</body>",
        b"</html>",
        b"</BODY\n>",
        b"</bo",
        b"</ht",
        b"<",
        b"</",
        b" ",
        b"\n" * 70,
        b"a",
        b"<p>",
    ]
    for _ in range(2000):
        text = b"".join(rnd.choices(shards, k=rnd.randint(0, 6)))
        found = END_BEGUN.search(text, max(0, len(text) - LONGEST_END))
        assert end_begun(text) == (len(text) if found is None else found.start()), text
