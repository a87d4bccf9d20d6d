"""Measure pages made to cost too much: 2 MB and 4 MB of each pattern, in CPU milliseconds.

    python benchmarks/hostile.py [--repeats N] [--only WORD]

Each is fed in 16 KB chunks and in one, with empty caches; the least of N runs counts. Twice the page may cost three
times as much. Both scanners are measured where both are there, each in a process of its own. The patterns are those
of tests/harness/hostile.py, where the tests count calls instead of time.
"""

from __future__ import annotations

import argparse
import json
import sys
import time

from contestants.guard import Guard
from figures import Figure, grid, table, written
from pages import CHUNK, ROOT, chunked
from scanners import SCANNERS, in_their_processes

sys.path.insert(0, str(ROOT / "tests"))
from harness.hostile import PATTERNS, hostile_page

SIZE = 2_000_000
WAYS = {"16 KB chunks": CHUNK, "one chunk": 2 * SIZE + CHUNK}
BARS = {"compiled": 100, "pure": 500}  # milliseconds for SIZE
MOST_GROWTH = 3  # times as much for twice the page
FIRST = (
    "a tag that never ends",
    "a value that never ends",
    "single quotes that never end",
    "comments in a comment",
    "tags in a tag",
    "nested noscript",
    "references",
    "attributes without end",
)
NOISE = 2  # milliseconds; below, growth says nothing
ENOUGH = 200  # milliseconds; a run as long as this is not taken again
Found = dict[str, dict[str, tuple[float, float]]]  # pattern -> way of feeding -> once, twice the page


def milliseconds(guard: Guard, page: list[bytes], repeats: int) -> float:
    """Return the least CPU time of some runs, each with empty caches."""
    least = float("inf")
    for _ in range(repeats):
        guard.forget()
        before = time.process_time()
        guard.rewrite(page)
        spent = (time.process_time() - before) * 1e3
        least = min(least, spent)
        if spent > ENOUGH:
            break
    return least


def measured(scanner: str, only: str, repeats: int) -> Found:
    """Return for each pattern and way of feeding the time of one page and of one twice as long."""
    guard = Guard(scanner)
    found: Found = {}
    for name in PATTERNS:
        if only not in name:
            continue
        once, twice = hostile_page(name, SIZE), hostile_page(name, 2 * SIZE)
        guard.rewrite([once[: SIZE // 100]])
        found[name] = {
            way: (
                milliseconds(guard, chunked(once, size), repeats),
                milliseconds(guard, chunked(twice, size), repeats),
            )
            for way, size in WAYS.items()
        }
    return found


def faults(scanner: str, ways: dict[str, tuple[float, float]]) -> str:
    """Return which bar a pattern misses."""
    slow = any(once > BARS[scanner] for once, _ in ways.values())
    grows = any(twice > MOST_GROWTH * once and twice > NOISE for once, twice in ways.values())
    return " ".join(["MISSED: time"] * slow + ["MISSED: growth"] * grows)


def report(scanner: str, found: Found) -> str:
    """Write a row for each pattern, the slowest first."""
    header = tuple(f"{way}, {megabytes} MB" for way in WAYS for megabytes in (2, 4))
    rows = [("ms", *header, "")]
    for name, ways in sorted(found.items(), key=lambda item: -max(once for once, _ in item[1].values())):
        rows.append((name, *(written(ms) for pair in ways.values() for ms in pair), faults(scanner, ways)))
    return f"{scanner}:\n\n{grid(rows)}"


def bars(scanner: str, found: Found | None) -> list[Figure]:
    """Hold the worst patterns to the bars."""
    note = "" if found else f"the {scanner} scanner is not there"
    times = {name: max(once for once, _ in ways.values()) for name, ways in (found or {}).items()}
    growth = {
        name: max((twice / once for once, twice in ways.values() if twice > NOISE), default=1.0)
        for name, ways in (found or {}).items()
    }
    many = sum(ms > BARS[scanner] for ms in times.values())
    first = {name: ms for name, ms in times.items() if name in FIRST}
    return [
        _worst(f"{scanner}, slowest of the {len(FIRST)} oldest tricks", first, "ms", BARS[scanner], note),
        _worst(
            f"{scanner}, slowest of all",
            times,
            "ms",
            BARS[scanner],
            note or f"{many} of {len(times)} patterns above the bar",
        ),
        _worst(f"{scanner}, twice the page", growth, "x", MOST_GROWTH, note),
    ]


def _worst(name: str, values: dict[str, float], unit: str, bar: float, note: str) -> Figure:
    worst = max(values, key=values.__getitem__, default="")
    return Figure(
        name=name,
        value=values.get(worst),
        unit=unit,
        bar=bar,
        at_most=True,
        note="; ".join(filter(None, (worst, note))),
    )


def main() -> None:
    """Print Markdown: the patterns of each scanner, and the bars."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--only", default="", help="patterns whose name contains this")
    parser.add_argument("--scanner", choices=SCANNERS, help=argparse.SUPPRESS)  # the process of one
    options = parser.parse_args()
    if options.scanner:
        try:
            print(json.dumps(measured(options.scanner, options.only, options.repeats)))
        except LookupError as error:
            sys.exit(str(error))
        return
    results = in_their_processes(__file__, ["--only", options.only, "--repeats", str(options.repeats)])
    print(f"{len(PATTERNS)} patterns, 2 MB and 4 MB, empty caches, least of {options.repeats} runs\n")
    print(table([figure for scanner, found in results.items() for figure in bars(scanner, found)]))
    for scanner, found in results.items():
        if found:
            print("\n" + report(scanner, found))


if __name__ == "__main__":
    main()
