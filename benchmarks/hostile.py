"""Measure pages made to cost too much: 2 MB and 4 MB of each pattern, in CPU milliseconds.

    python benchmarks/hostile.py [--repeats N] [--only WORD]

Each is fed in 16 KB chunks and in one, with empty caches; the least of N runs counts. Twice the page may cost three
times as much. Both scanners are measured where both are there, each in a process of its own. The patterns are those
of tests/harness/hostile.py, where the tests count calls instead of time.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time

from contestants.guard import SCANNERS, Guard
from figures import Figure, grid, table, written
from pages import CHUNK, ROOT, chunked

sys.path.insert(0, str(ROOT / "tests"))
from harness.hostile import PATTERNS, hostile_page

SIZE = 2_000_000
WAYS = {"16 KB chunks": CHUNK, "one chunk": 2 * SIZE + CHUNK}
BARS = {"compiled": 100, "pure": 500}  # milliseconds for SIZE
MOST_GROWTH = 3  # times as much for twice the page
NOISE = 2  # milliseconds; below, growth says nothing
HOPELESS = 20_000  # milliseconds; nothing is measured again that takes longer


def milliseconds(guard: Guard, page: list[bytes], repeats: int) -> float:
    """Return the least CPU time of some runs, each with empty caches."""
    least = float("inf")
    for _ in range(repeats):
        guard.forget()
        before = time.process_time()
        guard.rewrite(page)
        spent = (time.process_time() - before) * 1e3
        least = min(least, spent)
        if spent > HOPELESS:
            break
    return least


def measured(scanner: str, only: str, repeats: int) -> dict[str, dict[str, tuple[float, float]]]:
    """Return for each pattern and way of feeding the time of one page and of one twice as long."""
    guard = Guard(scanner)
    found: dict[str, dict[str, tuple[float, float]]] = {}
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


def in_its_process(scanner: str, only: str, repeats: int) -> dict[str, dict[str, tuple[float, float]]] | None:
    """Measure one scanner in a process of its own; None where it is not there."""
    command = [sys.executable, __file__, "--scanner", scanner, "--only", only, "--repeats", str(repeats)]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env={**os.environ, **SCANNERS[scanner]}
    )
    if done.returncode:
        print(f"MISSING: {scanner}: {done.stderr.strip()[-200:]}", file=sys.stderr)
        return None
    found: dict[str, dict[str, tuple[float, float]]] = json.loads(done.stdout)
    return found


def faults(scanner: str, ways: dict[str, tuple[float, float]]) -> str:
    """Say which bar a pattern misses."""
    slow = any(once > BARS[scanner] for once, _ in ways.values())
    grows = any(twice > MOST_GROWTH * once and twice > NOISE for once, twice in ways.values())
    return " ".join(["MISSED: time"] * slow + ["MISSED: growth"] * grows)


def report(scanner: str, found: dict[str, dict[str, tuple[float, float]]]) -> str:
    """Write a row for each pattern, the slowest first."""
    header = tuple(f"{way}, {megabytes} MB" for way in WAYS for megabytes in (2, 4))
    rows = [("ms", *header, "")]
    for name, ways in sorted(found.items(), key=lambda item: -max(once for once, _ in item[1].values())):
        rows.append((name, *(written(ms) for pair in ways.values() for ms in pair), faults(scanner, ways)))
    return f"{scanner}:\n\n{grid(rows)}"


def bars(scanner: str, found: dict[str, dict[str, tuple[float, float]]] | None) -> list[Figure]:
    """Hold the worst pattern to the bars."""
    note = f"the {scanner} scanner is not there"
    time_bar = Figure(name=f"{scanner}, slowest", value=None, unit="ms", bar=BARS[scanner], note=note)
    growth_bar = Figure(name=f"{scanner}, growth", value=None, unit="x", bar=MOST_GROWTH, note=note)
    if found:
        times = {name: max(once for once, _ in ways.values()) for name, ways in found.items()}
        growth = {
            name: max((twice / once for once, twice in ways.values() if twice > NOISE), default=1.0)
            for name, ways in found.items()
        }
        slowest, steepest = max(times, key=times.__getitem__), max(growth, key=growth.__getitem__)
        many = sum(ms > BARS[scanner] for ms in times.values())
        time_note = f"{slowest}; {many} of {len(times)} patterns above the bar"
        time_bar = Figure(
            name=f"{scanner}, slowest pattern",
            value=times[slowest],
            unit="ms",
            bar=BARS[scanner],
            at_most=True,
            note=time_note,
        )
        growth_bar = Figure(
            name=f"{scanner}, twice the page",
            value=growth[steepest],
            unit="x",
            bar=MOST_GROWTH,
            at_most=True,
            note=steepest,
        )
    return [time_bar, growth_bar]


def main() -> None:
    """Print Markdown: the patterns of each scanner, and the bars."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--only", default="", help="patterns whose name contains this")
    parser.add_argument("--scanner", choices=SCANNERS, help=argparse.SUPPRESS)  # the process of one
    options = parser.parse_args()
    if options.scanner:
        try:
            print(json.dumps(measured(options.scanner, options.only, options.repeats)))
        except LookupError as error:
            sys.exit(str(error))
        return
    results = {scanner: in_its_process(scanner, options.only, options.repeats) for scanner in SCANNERS}
    print(f"{len(PATTERNS)} patterns, 2 MB and 4 MB, empty caches, least of {options.repeats} runs\n")
    print(table([figure for scanner, found in results.items() for figure in bars(scanner, found)]))
    for scanner, found in results.items():
        if found:
            print("\n" + report(scanner, found))


if __name__ == "__main__":
    main()
