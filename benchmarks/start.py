"""Measure what a worker takes to start, what it keeps in memory, and what its first request after a pause costs.

    python benchmarks/start.py [--rounds N] [--seconds S]

Each figure is the same shop bare, quiet (no access log, no statistics) and guarded with every default. Memory is that
of smaps_rollup after the first page and after 5,000: RSS, PSS, and what the process alone holds (private). During a
pause the caches of the processor fill with other things, so the first request costs more than the next one, bare as
well.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from figures import Figure, table
from requests import PAGE, answering, page_of
from served import Client, serve, served, written

from cookieguard import Config, CookieGuard

ROUNDS = 5
SECONDS = 2.0
WARM = 100  # pages of each kind before the first pause
KINDS = ("bare", "guarded")
WORKERS = ("bare", "quiet", "guarded")


def main() -> None:
    """Print the table, or be the server that it asks."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--seconds", type=float, default=SECONDS, help="length of a pause")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        _serve()
        return
    figures = _starts(options.rounds)
    with served(__file__) as client:
        figures += _after_pauses(client, options.rounds, options.seconds)
    print(f"A page of 8 KB, medians of {options.rounds} rounds\n")
    print(table(figures))


def _serve() -> None:
    page = answering(page_of(8_000), b"text/html; charset=utf-8")
    with tempfile.TemporaryDirectory() as folder:
        config = Config(state_dir=f"{folder}/state")
        serve({"/bare": page, "/guarded": CookieGuard(page, config, vendors=["google-analytics", "youtube"])})


def _starts(rounds: int) -> list[Figure]:
    taken: dict[tuple[str, str, str], list[float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for turn in range(rounds + 1):
            for kind in WORKERS:
                for name, unit, value in _start(kind, folder):
                    if turn:  # the first one compiles the sources
                        taken.setdefault((name, unit, kind), []).append(value)
    return [
        Figure(name=f"{name}, {kind}", value=statistics.median(values), unit=unit)
        for (name, unit, kind), values in sorted(taken.items(), key=lambda one: one[0][:2])
    ]


def _start(kind: str, folder: str) -> list[tuple[str, str, float]]:
    command = [sys.executable, str(Path(__file__).with_name("started.py")), kind]
    environ = {**os.environ, "PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": folder}
    done = subprocess.run(command, capture_output=True, check=True, env=environ)
    return [tuple(figure) for figure in json.loads(done.stdout)]


def _after_pauses(client: Client, rounds: int, seconds: float) -> list[Figure]:
    """Compare the first page after a pause with the next one, bare and guarded in turn."""
    requests = {kind: written(f"/{kind}", PAGE) for kind in KINDS}
    for request in requests.values():
        client.taken(request, WARM)
    taken: dict[tuple[int, str], list[float]] = {(place, kind): [] for place in (0, 1) for kind in KINDS}
    for _ in range(rounds):
        for kind, request in requests.items():
            time.sleep(seconds)
            for place in (0, 1):
                taken[place, kind].append(client.taken(request, 1))
    names = (f"first page after {seconds:g} s without a request", "the next page")
    return [
        Figure(name=f"{names[place]}, {kind}", value=statistics.median(times), unit="us")
        for (place, kind), times in taken.items()
    ]


if __name__ == "__main__":
    main()
