"""Measure the rewriter in CPU time: MB/s cold and warm, beside bytes that only pass.

    python benchmarks/rewriter.py [--pages DIR] [--rounds N]

DIR holds pages (*.html, *.html.gz); without it a generated page is used. Chunks are 16 KB. Cold: every round
begins with empty caches; warm: the caches of the round before. The figure is the median of the rounds.
"""

from __future__ import annotations

import argparse
import gzip
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

from cookieguard.html import Rewriter, Rules, Ruling, Url

CHUNK = 16 * 1024
HELD = Ruling("marketing", None)
CARD = (
    '<li class="card" data-id="{n}"><a href="/product/{n}?ref=list&amp;page=1"><img src="/img/{n}.jpg" alt="No. {n}"'
    ' width="320" height="240" loading="lazy"></a><div class="text"><h3>Product {n}</h3><p class="price" style="color:'
    '#333">{n},99</p><button type="button" class="buy" aria-label="Into the cart">Buy</button></div></li>\n'
)
HEAD = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Shop</title>
<link rel="stylesheet" href="/static/shop.css"><style>body{margin:0;background:url(/static/paper.png)}</style>
<script async src="https://www.tags.example/tag.js?id=T-1"></script>
<script>window.lane=window.lane||[];function lane_push(){lane.push(arguments)}lane_push('js',new Date());</script>
<script>(function(w,d,u){var s=d.createElement('script');s.async=1;s.src=u;d.head.appendChild(s)})(window,document,
'https://stats.example/collect.js');</script></head><body><noscript><img src="https://pixel.example/p"></noscript><ul>
"""


def judge(url: Url) -> Ruling | None:
    """Hold everything but the shop."""
    return None if url.host == "shop.example" else HELD


def pages(directory: Path | None) -> list[bytes]:
    """Read the pages named, or make one."""
    if directory is None:
        return [(HEAD + "".join(CARD.format(n=n) for n in range(2000)) + "</ul></body></html>").encode()]
    plain = [path.read_bytes() for path in sorted(directory.glob("*.html"))]
    return plain + [gzip.decompress(path.read_bytes()) for path in sorted(directory.glob("*.html.gz"))]


def chunked(page: bytes) -> list[bytes]:
    """Cut a page as a server would."""
    return [page[at : at + CHUNK] for at in range(0, len(page), CHUNK)]


def rewrite(page: list[bytes], rules: Rules) -> int:
    """Run one page through; return the bytes that came out."""
    rewriter = Rewriter(rules, insert=lambda _: b"<div></div>")
    return sum(len(rewriter.feed(chunk)) for chunk in page) + len(rewriter.close())


def passed(page: list[bytes], _: Rules) -> int:
    """Copy, chunk by chunk: what any server does at least."""
    return sum(len(bytes(memoryview(chunk))) for chunk in page)


def measure(
    job: Callable[[list[bytes], Rules], int], cut: list[list[bytes]], *, rounds: int, cold: bool
) -> float:
    """Return the median MB/s over the rounds."""
    size = sum(len(chunk) for page in cut for chunk in page)
    rules = Rules(judge, "https://shop.example/", own_is_free=True)
    rates: list[float] = []
    for _ in range(rounds + 1):
        rules = Rules(judge, "https://shop.example/", own_is_free=True) if cold else rules
        before = time.process_time()
        for page in cut:
            job(page, rules)
        rates.append(size / max(time.process_time() - before, 1e-9) / 1e6)
    return statistics.median(rates[1:])


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pages", type=Path, help="directory of pages (*.html, *.html.gz)")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    cut = [chunked(page) for page in pages(options.pages)]
    if not cut:
        sys.exit(f"no *.html or *.html.gz in {options.pages}")
    size = sum(len(chunk) for page in cut for chunk in page) / 1e6
    through = measure(passed, cut, rounds=options.rounds, cold=False)
    print(
        f"{len(cut)} pages, {size:.1f} MB, chunks of {CHUNK // 1024} KB, {sys.version.split()[0]}, CPU time"
    )
    for name, cold in (("cold", True), ("warm", False)):
        rate = measure(rewrite, cut, rounds=options.rounds, cold=cold)
        print(f"  {name}: {rate:8.1f} MB/s  (pass-through / rewriter: {through / rate:.0f})")


if __name__ == "__main__":
    main()
