"""Measure what a fault under statistics, log and vault does to a request: its p99 during the fault and before.

    python benchmarks/faults.py [--rounds N] [--seconds N]

A guarded page is asked for 200 times a second, in one process with its writers' threads; latency is that of the whole
call. A round is some seconds without the fault and as many with it; the figure is the median of the rounds' ratios.
"No fault" is the same with nothing done: how far two stretches differ by themselves. As root the state directory is a
small file system, so that a full one is the kernel's; else that line is not measured.

What is lost: a shop in a process of its own is asked as often and killed eight times, at another part of a second each
time; what it had answered and is not in the database afterwards is lost. And the queue is filled while its writer waits
for the database: what is missing afterwards must be what the figures say was dropped.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

from figures import Figure, table
from hits import HEADERS, PAGE, guarded

from cookieguard import Config, CookieGuard, visitor_of
from cookieguard.config import StatsSettings
from cookieguard.config.store import StoreSettings
from cookieguard.features.statistics.engines.sqlite.engine import STATS_FILE
from cookieguard.features.vault.sealed_events import make_keys
from cookieguard.storage.state_directory import StateDirectory
from cookieguard.web.recording.pipeline import FLUSH_EVERY

EVERY = 0.005  # seconds between two requests
DAY = timedelta(days=1)
KILLS = 8
ASKED = 3.0  # seconds until a kill: the first hit has the writer load its parser of user agents
WRITING = timedelta(milliseconds=100)  # a batch that was collected for a second is then read and written
FLOOD = 30_000  # hits, three times as many as wait in memory


@dataclass
class Shop:
    """Be a guarded shop, its files, and a clock that can be set."""

    place: Path
    has_own_disk: bool
    ahead: timedelta = timedelta(0)
    app: CookieGuard = field(init=False)

    def __post_init__(self) -> None:
        state, private = StateDirectory(self.place / "state"), StateDirectory(self.place / "private")
        make_keys(state, private, today=datetime.now(UTC).date() - DAY, days=4)
        self.state = state.path
        settings = {"stats": StatsSettings(before_consent="hashed"), "store": StoreSettings(enabled=False)}
        config = Config(state_dir=str(self.state), **settings)  # type: ignore[arg-type]
        self.app = CookieGuard(page, config, clock=lambda: datetime.now(UTC) + self.ahead)


async def page(scope: Any, _: Any, send: Any) -> None:
    """Answer with a page, a goal and now and then a risk."""
    visitor = visitor_of(scope)
    visitor.goal("seen")
    if scope["client"][1] % 20 == 0:
        visitor.risk("abuse")
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/html")]})
    await send({"type": "http.response.body", "body": PAGE})


async def latencies(app: Any, seconds: float) -> list[float]:
    """Ask for pages so long, and return how many milliseconds each took."""
    found = []
    end = time.perf_counter() + seconds
    number = 0
    while (start := time.perf_counter()) < end:
        number += 1
        await app(_scope(number), _receive, _send)
        found.append((time.perf_counter() - start) * 1000)
        await asyncio.sleep(EVERY)
    return found


def _scope(number: int) -> dict[str, Any]:
    return {
        "type": "http",
        "method": "GET",
        "scheme": "https",
        "path": f"/product/{number % 300}",
        "raw_path": b"/product",
        "query_string": b"",
        "headers": list(HEADERS),
        "client": (f"198.51.{number % 250}.{number % 200}", number),
        "extensions": {},
    }


async def _receive() -> dict[str, Any]:
    return {"type": "http.request", "body": b"", "more_body": False}


async def _send(_: Any) -> None:
    return None


@contextmanager
def _nothing(_: Shop) -> Iterator[None]:
    yield


@contextmanager
def _locked(shop: Shop) -> Iterator[None]:
    with closing(sqlite3.connect(shop.state / STATS_FILE, isolation_level=None, timeout=20)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


@contextmanager
def _full(shop: Shop) -> Iterator[None]:
    filler = shop.place / "filler"
    with suppress(OSError), filler.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))
    yield
    filler.unlink()


def _stepped(days: int) -> Callable[[Shop], Any]:
    @contextmanager
    def step(shop: Shop) -> Iterator[None]:
        shop.ahead = days * DAY
        yield
        shop.ahead = timedelta(0)

    return step


FAULTS: dict[str, Callable[[Shop], Any]] = {
    "no fault": _nothing,
    "database locked": _locked,
    "disk full": _full,
    "clock a day ahead": _stepped(1),
    "clock a day back": _stepped(-1),
}


def measure(rounds: int, seconds: float) -> Iterator[Figure]:
    """Measure every fault, round by round in turn."""
    ratios: dict[str, list[float]] = {name: [] for name in FAULTS}
    before_all: dict[str, list[float]] = {name: [] for name in FAULTS}
    with place() as (folder, has_own_disk):
        shop = Shop(folder, has_own_disk)
        asyncio.run(latencies(shop.app, 3))  # the parser of user agents is loaded, files are made
        for _ in range(rounds):
            for name, fault in FAULTS.items():
                if fault is _full and not has_own_disk:
                    continue
                before = _p99(asyncio.run(latencies(shop.app, seconds)))
                with fault(shop):
                    during = _p99(asyncio.run(latencies(shop.app, seconds)))
                asyncio.run(latencies(shop.app, 2))  # what waited is written
                ratios[name].append(during / before)
                before_all[name].append(before)
        shop.app.close()
    for name, found in ratios.items():
        if not found:
            yield Figure(name=name, value=None, unit="times", bar=2, at_most=True, note="needs a mount")
            continue
        note = (
            f"{', '.join(f'{one:.2f}' for one in found)}; before {statistics.median(before_all[name]):.2f} ms"
        )
        bar = None if name == "no fault" else 2
        yield Figure(
            name=name, value=statistics.median(found), unit="times", bar=bar, at_most=True, note=note
        )


def killed() -> Iterator[Figure]:
    """Measure how old the oldest hit is that a SIGKILL takes along."""
    ages, answered, lost = [], 0, 0
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        for number in range(KILLS):
            sent, died = _run_and_kill(folder, number)
            kept = _kept(folder)
            gone = [at for name, at in sent.items() if name not in kept]
            answered, lost = answered + len(sent), lost + len(gone)
            ages.append(max((died - at for at in gone), default=0.0))
        twice = sum(times > 1 for times in _kept(folder).values())
    note = f"{KILLS} times, {lost} of {answered} hits lost, {twice} written twice; {_spelled(ages)}"
    bar = (FLUSH_EVERY + WRITING).total_seconds()
    name = "SIGKILL: age of the oldest hit lost"
    yield Figure(name=name, value=max(ages), unit="s", bar=bar, at_most=True, note=note)


def _run_and_kill(folder: Path, number: int) -> tuple[dict[str, float], float]:
    """Have a shop answer, kill it at another part of a second each time, and say when it answered what, and died."""
    sent: dict[str, float] = {}
    command = [sys.executable, __file__, "--serve", str(folder), str(number)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        lines = process.stdout or ()
        end, died = float("inf"), float("inf")
        for line in lines:
            name, _, at = line.partition(" ")
            sent[name] = float(at)
            end = min(end, sent[name] + ASKED + number / KILLS)
            if sent[name] > end and died == float("inf"):
                died = time.monotonic()
                process.kill()  # what it had answered by then is still read
    return sent, died


async def _serve(folder: Path, number: int) -> None:
    """Ask a shop of one's own for pages until the end, and say of each when it was answered."""
    app = guarded(folder, StatsSettings())
    for view in count():
        name = f"k{number}v{view}"
        await app(_scope(view) | {"query_string": f"utm_content={name}".encode()}, _receive, _send)
        os.write(sys.stdout.fileno(), f"{name} {time.monotonic()}\n".encode())
        await asyncio.sleep(EVERY)


def dropped() -> Iterator[Figure]:
    """Fill the queue while its writer waits for the database, and compare what is missing with what figures say."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        app = guarded(folder, StatsSettings())
        asyncio.run(_ask(app, 1))
        time.sleep(2)
        with closing(sqlite3.connect(folder / STATS_FILE, isolation_level=None, timeout=20)) as other:
            other.execute("BEGIN IMMEDIATE")
            asyncio.run(_ask(app, FLOOD))
            other.execute("ROLLBACK")
        app.close()
        asyncio.run(_ask(app, 1))  # which takes along what was dropped, once what waited is written
        app.close()
        kept = sum(_kept(folder).values())
        with closing(sqlite3.connect(folder / STATS_FILE)) as database:
            said = database.execute("SELECT coalesce(sum(count), 0) FROM lost").fetchone()[0]
        waiting = [*(folder / "spool").glob("*.spool")]
    sent = FLOOD + 2
    note = f"{sent:,} hits, {kept:,} kept, {said:,} dropped and shown{'; some wait' if waiting else ''}"
    name = "flood: hits that are in no figure"
    yield Figure(name=name, value=abs(sent - kept - said), unit="hits", bar=0, at_most=True, note=note)


async def _ask(app: Any, times: int) -> None:
    for number in range(times):
        await app(_scope(number), _receive, _send)


def _kept(folder: Path) -> Counter[str]:
    """Count the hits that are in the database, by what names them."""
    with closing(sqlite3.connect(folder / STATS_FILE)) as database:
        if not database.execute("SELECT 1 FROM sqlite_master WHERE name = 'hit'").fetchone():
            return Counter()  # on a busy machine the kill came before the first batch
        return Counter(name for (name,) in database.execute("SELECT content FROM hit"))


def _spelled(ages: list[float]) -> str:
    return ", ".join(f"{one:.2f}" for one in ages)


def _p99(found: list[float]) -> float:
    return statistics.quantiles(found, n=100)[98]


@contextmanager
def place() -> Iterator[tuple[Path, bool]]:
    """Give a folder, on a small disk of its own where this user may mount one."""
    with tempfile.TemporaryDirectory() as scratch, ExitStack() as stack:
        folder = Path(scratch) / "disk"
        folder.mkdir(mode=0o700)
        command = ["mount", "-t", "tmpfs", "-o", "size=64m,mode=0700", "tmpfs", str(folder)]
        mounted = subprocess.run(command, capture_output=True, check=False).returncode == 0
        if mounted:
            stack.callback(subprocess.run, ["umount", "--lazy", str(folder)], check=True)
        yield folder, mounted


def main() -> None:
    """Print Markdown."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=6)
    parser.add_argument("--serve", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    logging.disable(logging.WARNING)
    if options.serve:
        asyncio.run(_serve(Path(options.serve[0]), int(options.serve[1])))
    print(table([*measure(options.rounds, options.seconds), *killed(), *dropped()]))


if __name__ == "__main__":
    main()
