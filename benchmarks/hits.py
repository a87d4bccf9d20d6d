"""Measure statistics: what a page view costs its request, and how many hits a second SQLite takes with all sums.

    python benchmarks/hits.py [--hits N] [--views N]

The cost of a view is what the event loop's thread computes: building the hit and `put`, measured over one finished
exchange while the writer's thread sleeps. A whole request beside it is the median difference between the same page
guarded with statistics and without, the writer at work, where the two wait for each other's turns with the interpreter.
Hits are written in batches of 5,000 and of as many as the engine takes at once, and are like those of a shop: 300
pages, 54 sources, 20,000 visitors, a third with a key.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import random
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from copying import copying
from figures import Figure, table

from cookieguard import Config, CookieGuard
from cookieguard.config import LogSettings, StatsSettings, StoreSettings
from cookieguard.features.statistics.engines.sqlite.engine import SqliteStats
from cookieguard.features.statistics.engines.sqlite.writer import SqliteHits
from cookieguard.stats.hits import Batch, Hit
from cookieguard.web import flow
from cookieguard.web.recording.counting import Counting
from cookieguard.web.recording.hits import note
from cookieguard.web.recording.pipeline import Pipeline

BATCH = 5000
FEW = 10
HEADERS = [
    (b"host", b"shop.example"),
    (b"user-agent", b"Mozilla/5.0 (X11; Linux x86_64; rv:153.0) Gecko/20100101 Firefox/153.0"),
    (b"accept", b"text/html"),
    (b"accept-language", b"de-AT,de;q=0.9"),
    (b"referer", b"https://www.search.example/"),
    (b"sec-fetch-dest", b"document"),
]
PAGE = b'<!doctype html><title>x</title><script src="https://ads.example/t.js"></script><p>Hello'
HELD = '[["ads.example",2,"Ads","marketing"],["spy.example",1,"","marketing"]]'


async def shop(_: Any, __: Any, send: Any) -> None:
    """Answer with a page."""
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/html")]})
    await send({"type": "http.response.body", "body": PAGE})


async def _receive() -> dict[str, Any]:
    return {"type": "http.request", "body": b"", "more_body": False}


async def _send(_: Any) -> None:
    return None


def guarded(folder: Path, stats: StatsSettings) -> CookieGuard:
    """Guard the shop with this much of statistics."""
    off = {"log": LogSettings(enabled=False), "store": StoreSettings(enabled=False)}
    return CookieGuard(shop, Config(state_dir=str(folder), stats=stats, **off))  # type: ignore[arg-type]


async def _views(app: CookieGuard, count: int) -> float:
    """Return the microseconds of CPU that this thread takes for one of `count` views."""
    start = time.thread_time()
    for _ in range(count):
        scope = {
            "type": "http",
            "method": "GET",
            "scheme": "https",
            "path": "/product/7",
            "raw_path": b"/product/7",
            "query_string": b"utm_source=news",
            "headers": list(HEADERS),
            "client": ("198.51.100.7", 4711),
            "extensions": {},
        }
        await app(scope, _receive, _send)
    return (time.thread_time() - start) / count * 1e6


def costs(views: int) -> Iterator[Figure]:
    """Measure what a view costs more with statistics, without and with a visitor key."""
    with tempfile.TemporaryDirectory() as folder:
        without = guarded(Path(folder), StatsSettings(enabled=False))
        for name, before in (("without a key", "aggregate"), ("with a key", "hashed")):
            counted = guarded(Path(folder), StatsSettings(before_consent=before))
            whole = f"{_added(without, counted, views):.1f} us of a whole request, the writer at work"
            value = _alone(Path(folder), StatsSettings(before_consent=before), views * 10)
            yield Figure(
                name=f"a page view, {name}", value=value, unit="us", bar=10, at_most=True, note=whole
            )


def _alone(folder: Path, settings: StatsSettings, times: int) -> float:
    """Return the microseconds for building one hit and putting it into the queue."""
    found: list[float] = []

    def measure(counting: Counting, exchange: Any, **facts: Any) -> None:
        asleep = replace(counting, pipeline=_sleeping())
        for _ in range(9):
            start = time.thread_time()
            for _ in range(times):
                note(asleep, exchange, **facts)
            found.append((time.thread_time() - start) / times * 1e6)

    flow.note = measure  # type: ignore[assignment]  # where it is called, with a finished exchange
    try:
        asyncio.run(_views(guarded(folder, settings), 1))
    finally:
        flow.note = note
    return statistics.median(found)


def _sleeping() -> Pipeline[Any, Any]:
    """Make a pipeline whose thread sleeps all along."""
    return Pipeline(
        Nowhere(), form=lambda item: item, name="bench", limit=10**7, flush_every=timedelta(hours=1)
    )


class Nowhere:
    """Take records and drop them."""

    def write(self, records: Sequence[Any], /) -> int:
        """Say that all are safe."""
        return len(records)

    def close(self) -> None:
        """Do nothing."""


def _added(without: CookieGuard, counted: CookieGuard, views: int) -> float:
    for app in (without, counted):
        asyncio.run(_views(app, 500))
    found = []
    for _ in range(15):
        bare = asyncio.run(_views(without, views))
        found.append(asyncio.run(_views(counted, views)) - bare)
    counted.close()
    return statistics.median(found)


def draw(count: int, start: int, source: random.Random) -> list[Hit]:
    """Draw a batch of hits."""
    return [_hit(start + number // 50, source) for number in range(count)]


def _hit(time: int, source: random.Random) -> Hit:
    visitor = source.randrange(1, 20_000)
    is_arrival, has_key = source.random() < 0.3, visitor % 3 == 0
    number = int(source.paretovariate(1)) % 300
    return Hit(
        time=time,
        site="shop.example",
        kind="view",
        page=f"/product/{number}",
        status=200,
        bytes=9000,
        duration=12,
        source=f"source-{number % 54}.example" if is_arrival else "",
        referrer="",
        medium="",
        campaign="",
        term="",
        content="",
        browser=("Chrome", "Firefox", "Mobile Safari", "Edge")[visitor % 4],
        browser_major="156",
        os=("Windows", "Linux", "iOS", "Android")[visitor % 4],
        device=("desktop", "mobile")[visitor % 2],
        language=("de", "en", "fr")[visitor % 3],
        country=("DE", "US", "FR", "GB", "AT", "")[visitor % 6],
        entry=int(is_arrival and not has_key),
        consent="undecided",
        policy="1",
        event="shown",
        gpc=0,
        held=HELD,
        bot="" if visitor % 20 else "search",
        key=visitor * 7919 << 20 if has_key else 0,
    )


def written(count: int) -> Iterator[Figure]:
    """Measure how many hits a second are written, with their sums: in large batches, a shop's, and small ones."""
    yield _written(count, BATCH, 75_000)
    yield _written(count, SqliteStats.batch_hits, 75_000)
    yield _written(count // 10, FEW, 30_000)


def _written(count: int, size: int, bar: int) -> Figure:
    source = random.Random(1)
    batches = [
        Batch(f"{number}", draw(size, 1_795_000_000 + number * size // 50, source), {}, {})
        for number in range(count // size)
    ]
    with tempfile.TemporaryDirectory() as folder:
        engine = SqliteHits(Path(folder) / "stats.db")
        cpu, wall = time.process_time(), time.perf_counter()
        for batch in batches:
            engine.write(batch)
            engine.look_after()  # as the sink does
        engine.sum_up()
        cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
        engine.close()
    return Figure(
        name=f"hits written with all sums, {size:,} at once",
        value=count / cpu,
        unit="hits per CPU second",
        bar=bar,
        note=f"{count / wall:,.0f} by the clock on the wall",
    )


def main() -> None:
    """Print Markdown."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--hits", type=int, default=200_000)
    parser.add_argument("--views", type=int, default=400, help="in one measurement")
    options = parser.parse_args()
    logging.disable(logging.WARNING)
    print(table([*costs(options.views), *written(options.hits), *copying(draw)]))


if __name__ == "__main__":
    main()
