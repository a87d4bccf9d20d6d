"""Measure the rewriter alone in CPU time, the scanner that is loaded: MB/s cold and warm. The quick look.

    python benchmarks/rewriter.py [--pages DIR] [--rounds N]

DIR holds pages (*.html, *.html.gz); without it the demo's pages are used. Chunks are 16 KB. Cold: every round begins
with empty caches; warm: with the caches of the round before. The figure is the median of the rounds.
"""

from __future__ import annotations

import argparse
import statistics
from pathlib import Path

from contestants.guard import Guard
from figures import Figure, table
from pages import CHUNK, chunked, pages
from worker import timed

AT_LEAST = 0.1  # seconds of CPU time that make a round


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pages", type=Path, help="directory of pages (*.html, *.html.gz)")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    cut = [chunked(page) for page in pages(options.pages)]
    size = sum(len(chunk) for page in cut for chunk in page) / 1e6
    guard = Guard()
    figures: list[Figure] = []
    for state in ("cold", "warm"):
        rounds = [
            timed(guard, cut, cold=state == "cold", at_least=AT_LEAST) for _ in range(options.rounds + 1)
        ]
        rate = statistics.median(size / one["seconds"] for one in rounds[1:])
        figures.append(Figure(name=f"{guard.name}, {state}", value=rate, unit="MB/s"))
    print(f"{len(cut)} pages, {size:.1f} MB, chunks of {CHUNK // 1024} KB\n")
    print(table(figures))


if __name__ == "__main__":
    main()
