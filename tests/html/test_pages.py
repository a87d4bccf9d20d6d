"""Real pages: no crash, no held reference left, and the same output for all chunks.

COOKIEGUARD_PAGES names a folder of pages (*.html, *.html.gz); without it a page of our own is used.
"""

from __future__ import annotations

import gzip
import os
import random
import re
from pathlib import Path

import pytest
from harness.rewriting import ORIGIN, outside, rewrite

from cookieguard.html import Rules

FOLDER = os.environ.get("COOKIEGUARD_PAGES")
WIDE_REFERRER = re.compile(rb'(<meta [^>]*name="referrer" content=")(?:always|unsafe-url)(?=")')
OWN = b"""<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Shop &amp; more</title>
<link rel="stylesheet" href="/shop.css"><link rel="preconnect" href="https://fonts.example">
<style>@import url("https://fonts.example/css"); body { background: url(/paper.png) }</style>
<script async src="https://tags.example/t.js?id=1"></script><script>window.lane=window.lane||[];lane.push(1)</script>
</head><body class="home"><noscript><iframe src="https://tags.example/ns"></iframe></noscript><svg><title>x</title>
<use href="#a"/></svg><main><img src="/a.jpg" srcset="https://cdn.example/a.jpg 2x" alt="a > b"><!-- <b> --></main>
<script type="application/ld+json">{"sameAs": ["https://social.example/shop"]}</script></body></html>
"""


def pages() -> list[object]:
    paths = [path for path in sorted(Path(FOLDER).iterdir()) if ".html" in path.name] if FOLDER else []
    named = [(path.name, path) for path in paths]
    return [pytest.param(OWN, id="own"), *(pytest.param(path, id=name) for name, path in named)]


@pytest.mark.parametrize("source", pages())
def test_a_page_comes_out_the_same_however_it_is_cut(source: bytes | Path) -> None:
    page = source if isinstance(source, bytes) else source.read_bytes()
    page = gzip.decompress(page) if page.startswith(b"\x1f\x8b") else page
    whole = rewrite(page, rules=Rules(outside, ORIGIN))
    rnd = random.Random(len(page))
    rules = Rules(outside, ORIGIN)

    for cuts in (
        range(16384, len(page), 16384),
        range(97, len(page), 97),
        sorted(rnd.sample(range(len(page)), 60)),
    ):
        assert rewrite(page, cuts, rules=rules) == whole
    assert rewrite(whole, rules=rules) == whole  # nothing is left to hold
    restored = WIDE_REFERRER.sub(rb"\1strict-origin-when-cross-origin", page)  # tightened in every state
    assert rewrite(page, rules=Rules(lambda url: None, ORIGIN)) == restored
