"""PostgreSQL beside a bare COPY of the same rows, in turn; what their sums cost later; a page that is read meanwhile.

What is bare writes the rows down by the same code, in the same pieces, into a table of the same columns in partitions
of a day, and commits each batch; it has no index, no name of a batch and no sums. A round takes some batches one way
and then the other, by turns the one and the other first; then the hits of that round are added to the sums.

CPU is that of this process and of all processes of the server (its WAL writer and checkpointer too), as the kernel
counts it; ratios are of CPU, and of the clock beside it. Figures are the middle of the rounds. The server is a real one
on this machine, with fsync off. The page is "today" of the dashboard, a day with at least 100,000 hits, each time with
a batch that is in no sums yet.
"""

from __future__ import annotations

import random
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from figures import Figure

from cookieguard.features.statistics.engines.protocol import HitReader
from cookieguard.stats.hits import Batch, Hit

sys.path.append(str(Path(__file__).parents[1] / "tests"))

ROUNDS = 9
BATCHES = 4  # of a round
HITS = 5000  # of a batch
NEWS = 500  # hits that are in no sums when a page is asked for
START = 1_795_046_400
BAR = 0.7
MAKE_BARE = (
    "CREATE TABLE whole (LIKE cookieguard_hit)",
    "ALTER TABLE whole DROP COLUMN batch",
    "CREATE TABLE bare (LIKE whole) PARTITION BY RANGE (time)",
)
MAKE_DAY = (
    "CREATE TABLE bare_{day} PARTITION OF bare FOR VALUES FROM ({day} * 86400) TO (({day} + 1) * 86400)"
)

Done = TypeVar("Done")
Draw = Callable[[int, int, random.Random], list[Hit]]


class Cost(NamedTuple):
    """Hold seconds."""

    wall: float
    client: float
    server: float

    @property
    def cpu(self) -> float:
        """CPU of both sides."""
        return self.client + self.server

    def plus(self, other: Cost) -> Cost:
        """Add another."""
        return Cost(*map(sum, zip(self, other, strict=True)))


Rounds = dict[str, list[Cost]]


def copying(draw: Draw) -> Iterator[Figure]:
    """Measure all of it; nothing where there is no server."""
    from harness.postgres import postgres, why_not

    if why_not():
        print(f"PostgreSQL is NOT measured: {why_not()}")
        return
    with postgres() as server:
        ask = Meter(int((server.directory / "data" / "postmaster.pid").read_text().split()[0]))
        yield from _compared(_rounds(server.url, draw, ask))
        yield _page(server.url, draw, ask)


class Meter:
    """Measure what is done; `postmaster` is the server's first process."""

    def __init__(self, postmaster: int) -> None:
        self._postmaster = postmaster

    def __call__(self, do: Callable[[], Any]) -> Cost:
        """Return what it costs."""
        return self.of(do)[0]

    def of(self, do: Callable[[], Done]) -> tuple[Cost, Done]:
        """Return what it costs, and what it gives."""
        wall, client, spent = time.perf_counter(), time.process_time(), self._spent()
        done = do()
        wall, client, after = time.perf_counter() - wall, time.process_time() - client, self._spent()
        server = sum(one - spent.get(pid, 0) for pid, one in after.items()) / 1e9
        return Cost(wall, client, server), done

    def _spent(self) -> dict[str, int]:
        """Return the nanoseconds of each process of the server; those that just ended are left out."""
        found = {}
        for pid in Path(f"/proc/{self._postmaster}/task/{self._postmaster}/children").read_text().split():
            with suppress(FileNotFoundError, ProcessLookupError):
                found[pid] = int(Path(f"/proc/{pid}/schedstat").read_text().split()[0])
        return found


def _rounds(url: str, draw: Draw, meter: Meter) -> Rounds:
    import psycopg

    from cookieguard.features.statistics.engines.postgres.copy import copy_text
    from cookieguard.features.statistics.engines.postgres.writer import COPY_HITS, SLICE, PostgresHits

    copy_bare = COPY_HITS.replace("cookieguard_hit", "bare").replace(", batch)", ")")
    engine, source = PostgresHits(url), random.Random(1)
    found: Rounds = {"bare": [], "hits": [], "sums": []}
    with psycopg.connect(url, autocommit=True) as connection, closing(engine):
        for statement in MAKE_BARE:
            connection.execute(statement)
        for day in (START // 86_400, START // 86_400 + 1):
            connection.execute(MAKE_DAY.format(day=day))

        def copy(hits: Sequence[Hit]) -> None:
            with connection.transaction(), connection.cursor() as cursor, cursor.copy(copy_bare) as rows:
                for start in range(0, len(hits), SLICE):
                    rows.write(copy_text(hits[start : start + SLICE]))

        for number in range(-1, ROUNDS):  # the first warms both up
            batches = [_batch(draw, source, number, part) for part in range(BATCHES)]
            turns = [
                ("bare", lambda some: [copy(one.hits) for one in some]),
                ("hits", lambda some: [engine.write(one) for one in some]),
            ]
            for name, write in turns if number % 2 else reversed(turns):
                found[name].append(meter(lambda write=write, batches=batches: write(batches)))  # type: ignore[misc]
            found["sums"].append(meter(engine.look_after))
    return {name: costs[1:] for name, costs in found.items()}


def _compared(rounds: Rounds) -> Iterator[Figure]:
    bare, hits, sums = rounds["bare"], rounds["hits"], rounds["sums"]
    whole = [one.plus(other) for one, other in zip(hits, sums, strict=True)]
    rates = ", ".join(f"{_rate(costs):,.0f} {name}" for name, costs in (("written", hits), ("bare", bare)))
    yield Figure(
        name="PostgreSQL, of a bare COPY",
        value=_ratio(bare, hits, "cpu"),
        unit="of its rate",
        bar=BAR,
        note=f"by CPU of both sides: {_each(hits)}; bare {_each(bare)}",
    )
    yield Figure(
        name="the same by the clock",
        value=_ratio(bare, hits, "wall"),
        unit="of its rate",
        bar=BAR,
        note=f"{rates} hits a second",
    )
    yield Figure(
        name="the same and adding to the sums",
        value=_ratio(bare, whole, "cpu"),
        unit="of its rate",
        note=f"by CPU; adding: {_each(sums)}; by the clock {_ratio(bare, whole, 'wall'):.2f}",
    )


def _page(url: str, draw: Draw, meter: Meter) -> Figure:
    from cookieguard.features.statistics.dashboard.overview import read_overview
    from cookieguard.features.statistics.dashboard.selection import RANGES, Selection
    from cookieguard.features.statistics.engines.postgres.engine import PostgresStats
    from cookieguard.features.statistics.engines.postgres.writer import PostgresHits

    engine, source, costs = PostgresStats(url, Path()), random.Random(2), []
    now = datetime.fromtimestamp(START + 5000, UTC)
    today = Selection(range=RANGES["today"])

    def read() -> HitReader:
        reader = engine.reader()
        read_overview(reader, today, now=now, hit_days=30)
        return reader

    with closing(PostgresHits(url)) as writer:
        for number in range(ROUNDS):
            writer.write(Batch(f"page-{number}", draw(NEWS, START + 4000, source), {}, {}))
            cost, reader = meter.of(read)
            costs.append(cost)
            reader.close()  # a process that ends takes its CPU along
    value, best = statistics.median(one.wall for one in costs) * 1000, min(costs).wall * 1000
    client, server = (statistics.median(one) * 1000 for one in list(zip(*costs, strict=True))[1:])
    note = f"{client:,.0f} of CPU here and {server:,.0f} of the server's, the best {best:,.0f}"
    name = f"its page of a day with {(ROUNDS + 1) * BATCHES * HITS:,} hits"
    return Figure(name=name, value=value, unit="ms", bar=300, at_most=True, note=note)


def _batch(draw: Draw, source: random.Random, number: int, part: int) -> Batch:
    at = (number + 1) * BATCHES + part
    return Batch(f"bench-{at}", draw(HITS, START + at * 100, source), {}, {})


def _ratio(some: Sequence[Cost], others: Sequence[Cost], what: str) -> float:
    return statistics.median(
        getattr(one, what) / getattr(other, what) for one, other in zip(some, others, strict=True)
    )


def _rate(costs: Sequence[Cost]) -> float:
    return BATCHES * HITS / statistics.median(one.wall for one in costs)


def _each(costs: Sequence[Cost]) -> str:
    client, server = (
        statistics.median(getattr(one, what) for one in costs) / BATCHES / HITS * 1e6
        for what in ("client", "server")
    )
    return f"{client:.1f} us of the client and {server:.1f} of the server a hit"
