"""Fuzz the rewriter: its output does not depend on the chunks, and no parser finds a held element in it."""

from __future__ import annotations

import random
import zlib
from functools import lru_cache

from harness.grammar import SHARDS
from harness.node import Parse5
from harness.oracle import Oracle, html5lib_elements, turbo_elements
from harness.rewriting import every_byte, rewrite

WORDS = SHARDS
LONGEST_SINGLE = 300  # bytes of an input that is also fed byte by byte


def check(data: bytes) -> None:
    """Hold the rewriter to its promise on one page."""
    out = rewrite(data)
    rnd = random.Random(zlib.crc32(data))
    assert rewrite(data, sorted(rnd.sample(range(len(data)), min(len(data), 4)))) == out, "cut at random"
    if len(data) <= LONGEST_SINGLE:
        assert rewrite(data, every_byte(data)) == out, "byte by byte"
    page = out.decode("utf-8", "replace")
    for oracle in oracles():
        for scripting in (True, False):
            held = oracle.contacts(page, scripting=scripting).held
            assert not held, held


@lru_cache(maxsize=1)
def oracles() -> tuple[Oracle, ...]:
    """Return the parsers asked, with Node beside them for the URLs."""
    urls = Parse5()
    return Oracle(turbo_elements, urls), Oracle(html5lib_elements, urls)
