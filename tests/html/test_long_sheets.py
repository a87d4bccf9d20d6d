"""A style sheet too long to wait for is judged in pieces: held references stay out, and nothing else is lost."""

from __future__ import annotations

import random
import time

import pytest
from harness.quick import some_of
from harness.rewriting import RULES, rewrite

from cookieguard.html import Rewriter

MIB = 1024 * 1024
FONT = b"data:font/woff2;base64," + b"AbC9" * (3 * MIB // 8)
HELD = b".h{background:url(//ads.example/%d)}"
CUT = b".h{background:url(data:,)}"
RULE = b".a{color:red;background:url(/a.png)}\n"
WAYS = [b"url(%b)", b'url("%b")', b"url('%b')", b'URL( "%b" )']


def chunks(page: bytes, seed: int) -> list[int]:
    """Cut a page where chance has it, sometimes within every sign."""
    rnd = random.Random(seed)
    places: list[int] = []
    while not places or places[-1] < len(page):
        places.append((places[-1] if places else 0) + rnd.choice([1, 2, 3, 500, 16_384, 200_000]))
    return places[:-1]


@pytest.mark.parametrize("way", WAYS)
def test_a_font_of_1_5_mb_passes_and_what_is_held_around_it_does_not(way: bytes) -> None:
    sheet = b"%b@font-face{font-family:x;src:" + way % FONT + b" format('woff2')}%b%b%b"
    page = b"<style>" + sheet + b"</style><p>after<img src=//ads.example/>"
    given = page % (HELD % 1, HELD % 2, RULE * 40_000, HELD % 3)

    for seed in range(3):
        out = rewrite(given, chunks(given, seed))
        assert out.startswith(
            (b"<style>" + sheet + b"</style><p>after<img data-cg") % (CUT, CUT, RULE * 40_000, CUT)
        )


def test_a_sheet_of_many_rules_loses_only_what_is_held() -> None:
    given = b"<style>" + (RULE * 5000 + HELD % 1) * 20 + b"</style>x"

    assert rewrite(given, chunks(given, 1)) == b"<style>" + (RULE * 5000 + CUT) * 20 + b"</style>x"


@pytest.mark.parametrize(
    "start",
    [
        b"a{b:image-set(url('%b') 1x, '//ads.example/' 2x)}",
        b"a{b:image-set({)}'%b' 1x, '//ads.example/' 2x)}",
        b"@import url(data:text/css,%b);a{b:url(//ads.example/)}",
        b'a{b:url(data:image/png,%b\\) ");c:url(//ads.example/)}',
        b"a{b:url('data:image/png,%b\\\r\n\\' ');c:url(//ads.example/)}",
        b"a{b:url('data:image/png,%b\n);c:url(//ads.example/)}",
        b"/* %b */a{b:url(//ads.example/)}",
        b"/* url(data:image/png,%b */a{b:url(//ads.example/)}",
    ],
)
def test_no_way_to_write_it_hides_what_is_held(start: bytes) -> None:
    given = b"<style>" + start % (b"x" * (MIB + 50_000)) + b"</style>after"

    for seed in range(2):
        out = rewrite(given, chunks(given, seed))
        assert b"//ads.example" not in out or b'<style type="text/plain">' in out
        assert out.endswith(b"</style>after")


def test_a_rule_without_end_is_cut_and_told() -> None:
    rewriter = Rewriter(RULES)
    out = b"".join(rewriter.feed(b"<style>a{}" if not n else b"b:image-set(" * 1000) for n in range(300))
    out += rewriter.feed(b"</sty") + rewriter.feed(b"le>after") + rewriter.close()

    assert any("style sheet" in one for one in rewriter.lost)
    assert out.endswith(b"</style>after")
    assert len(out) < 2 * MIB


@pytest.mark.parametrize(
    "piece",
    some_of(
        [b"{", b"};", b"(", b"a{}", b'"', b"\\", b"/*", b"url(", b"a{b:url('data:image/png,'"],
        b"(",
        b"/*",
        b"a{b:url('data:image/png,'",
    ),
)
def test_long_sheets_take_linear_time(piece: bytes) -> None:
    rewriter = Rewriter(RULES)
    start = time.process_time()

    rewriter.feed(b"<style>")
    for _ in range(2 * MIB // 4096):
        rewriter.feed(piece * (4096 // len(piece)))
    rewriter.close()

    assert time.process_time() - start < 8
