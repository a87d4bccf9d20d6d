"""Measure the dashboard over a month of real hits in SQLite and a year of their sums, as an analyst's browser asks.

    python benchmarks/dashboard.py [--hits N] [--rounds N] [--folder DIR]

Fills a file with N hits (3 million) over 30 days as `benchmarks/hits.py` draws them, through the engine that a shop
writes with, and copies their sums to the eleven months before; DIR keeps it for another time. What looks after it each
hour is done before `/_cg/stats` is asked for through the whole middleware: the keys of days that are over are gone, as
in a shop at that hour.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import random
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from figures import Figure, table
from hits import BATCH, draw

from cookieguard import Config, CookieGuard
from cookieguard.features.feature import Place
from cookieguard.features.people.staff_list import change_staff
from cookieguard.features.retention import open_retention
from cookieguard.features.statistics.engines.sqlite.engine import STATS_FILE
from cookieguard.features.statistics.engines.sqlite.writer import SqliteHits
from cookieguard.identity.staff_token import Member, staff_codec, write_token
from cookieguard.keyring import Keyring
from cookieguard.stats.hits import SECONDS_OF_DAY, Batch
from cookieguard.storage.keyring_source import beside

DAYS = 30
NOW = datetime(2026, 11, 24, 23, 59, tzinfo=UTC)
QUERIES = {
    "30 days": ("range=30", 300),
    "7 days": ("range=7", 300),
    "12 months": ("range=12m", 300),
    "days of one's choice": ("from=2026-09-09&to=2026-11-17", 300),
    "a year of one's choice": ("from=2025-12-09&to=2026-11-17", 300),
    "12 months, pages": ("range=12m&tab=pages", 300),
    "12 months, goals": ("range=12m&tab=goals", 300),
    "12 months, speed and errors": ("range=12m&tab=speed", 300),
    "12 months, consent": ("range=12m&tab=consent", 300),
    "12 months, bots": ("range=12m&tab=bots", 300),
    "12 months, of one page": ("range=12m&page=/product/1", 300),
    "30 days, bots": ("range=30&tab=bots", None),
    "30 days, held": ("range=30&tab=held", None),
    "30 days, of one country": ("range=30&country=DE", 1000),
    "30 days, of one page": ("range=30&page=/product/1", 1000),
    "30 days, of one source": ("range=30&source=source-1.example", 1000),
    "30 days, of one device": ("range=30&device=mobile", 1000),
    "30 days, of one country and device": ("range=30&country=US&device=mobile", 1000),
    "7 days, of one country": ("range=7&country=DE", 1000),
    "today, of one country (single hits)": ("range=today&country=DE", 1000),
}


def fill(path: Path, count: int) -> Figure:
    """Write the hits, by day, and measure that."""
    engine, source, cpu, wall = SqliteHits(path), random.Random(3), 0.0, 0.0
    a_day = count // DAYS
    for day in range(DAYS):
        start = int((NOW - timedelta(days=DAYS - 1 - day)).replace(hour=0, minute=0).timestamp())
        for number in range(0, a_day, BATCH):
            size = min(BATCH, a_day - number)
            second = start + 86_000 * number // a_day
            batch = Batch(f"{day}-{number}", draw(size, second, source), {}, {})
            begun = time.process_time(), time.perf_counter()
            engine.write(batch)
            engine.look_after()
            cpu, wall = cpu + time.process_time() - begun[0], wall + time.perf_counter() - begun[1]
    engine.sum_up()
    engine.close()
    note = f"{count / wall:,.0f} by the clock on the wall, {path.stat().st_size / 1e6:,.0f} MB"
    return Figure(
        name=f"{count:,} hits written", value=count / cpu, unit="hits per CPU second", bar=75_000, note=note
    )


def extend(path: Path) -> None:
    """Copy the sums of the month to the eleven months before it."""
    with closing(sqlite3.connect(path)) as connection, connection:
        for month in range(1, 12):
            days = month * DAYS
            for table, unit in (("hourly", 24), ("daily", 1), ("consent", 1), ("held", 1), ("bot", 1)):
                key, *others = (row[1] for row in connection.execute(f"PRAGMA table_info({table})"))
                names = ", ".join(others)
                since = int(NOW.timestamp()) // SECONDS_OF_DAY - DAYS
                connection.execute(
                    f"INSERT INTO {table} SELECT {key} - {days * unit}, {names} FROM {table} WHERE {key} >= {(since + 1) * unit}"  # noqa: E501
                )


def closed(path: Path) -> Figure:
    """Count the days that are over by two dimensions, as the job that keeps rules does, and measure that."""
    engine, days, cpu = SqliteHits(path), 0, time.process_time()
    while counted := engine.count_closed_days(int(NOW.timestamp()) // SECONDS_OF_DAY):
        days += counted
    cpu = time.process_time() - cpu
    engine.close()
    note = f"{days} days, {path.stat().st_size / 1e6:,.0f} MB then; without the interpreter's lock"
    return Figure(
        name="a closed day counted for filters", value=cpu / max(1, days), unit="s of CPU", note=note
    )


def tend(folder: Path) -> None:
    """Do what a worker does once an hour, from 30 s after its start: else it begins in the midst of what is measured.

    The clock stands still, so the record of this run keeps that worker from another.
    """
    retention = open_retention(Place(Config(state_dir=str(folder)), folder, {}), clock=lambda: NOW)
    run = retention.look() if retention is not None else None
    if run is not None and run.failed:
        raise RuntimeError(f"the hourly job failed: {dict(run.failed)}")


def asked(folder: Path, rounds: int) -> Iterator[Figure]:
    """Measure each page of the dashboard."""
    guarded = CookieGuard(_nobody, Config(state_dir=str(folder)), clock=lambda: NOW)
    token = _token(folder)
    for name, (query, bar) in QUERIES.items():
        walls, cpus = [], []
        for _ in range(rounds):
            begun = time.process_time(), time.perf_counter()
            size = asyncio.run(_get(guarded, query, token))
            cpus.append((time.process_time() - begun[0]) * 1000)
            walls.append((time.perf_counter() - begun[1]) * 1000)
        note = f"of CPU {statistics.median(cpus):,.0f}, the best {min(walls):,.0f}; {size // 1000} KB"
        value = statistics.median(walls)
        yield Figure(name=f"dashboard, {name}", value=value, unit="ms", bar=bar, at_most=True, note=note)
    guarded.close()


def _token(folder: Path) -> str:
    codec = staff_codec(Keyring.loads(beside(folder).read_text(), setting="benchmark"))
    until = NOW + timedelta(days=9)
    member = Member(id="a" * 12, name="Anna", role="analyst", made=NOW, expires=until)
    change_staff(folder, lambda before: before | {member.id: member})
    return write_token(codec, member)


async def _get(app: Any, query: str, token: str) -> int:
    size = 0

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        nonlocal size
        if message["type"] == "http.response.start" and message["status"] != 200:
            raise RuntimeError(f"the dashboard answers {message['status']}")
        size += len(message.get("body", b""))

    scope = {
        "type": "http",
        "method": "GET",
        "scheme": "https",
        "path": "/_cg/stats",
        "raw_path": b"/_cg/stats",
        "query_string": query.encode(),
        "headers": [(b"host", b"shop.example"), (b"authorization", f"Bearer {token}".encode())],
        "client": ("198.51.100.7", 4711),
        "extensions": {},
    }
    await app(scope, receive, send)
    return size


async def _nobody(_: Any, __: Any, ___: Any) -> None:
    raise AssertionError("the shop itself is not asked")


def measure(folder: Path, hits: int, rounds: int) -> list[Figure]:
    """Fill the folder where that was not done, and ask."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / STATS_FILE
    found = []
    if not path.exists():
        found = [fill(path, hits), closed(path)]
        extend(path)
    tend(folder)
    return [*found, *asked(folder, rounds)]


def main() -> None:
    """Print Markdown."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--hits", type=int, default=3_000_000)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--folder", type=Path)
    options = parser.parse_args()
    logging.disable(logging.WARNING)
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.folder or Path(scratch) / "state"
        print(table(measure(folder, options.hits, options.rounds)))


if __name__ == "__main__":
    main()
