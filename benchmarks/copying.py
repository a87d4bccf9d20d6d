"""PostgreSQL beside a bare COPY of the same rows: the same batches, the same bytes, the same kind of table, in turn.

What is bare still formats the rows, by the same code, and commits each batch. A round takes some batches one way and
then the other; the figure is the middle of the rounds. The server is a real one, beside this process on the machine.
"""

from __future__ import annotations

import random
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from figures import Figure

from cookieguard.stats.hits import Batch, Hit

sys.path.append(str(Path(__file__).parents[1] / "tests"))

ROUNDS = 9
BATCHES = 4  # of a round
HITS = 5000  # of a batch
START = 1_795_046_400
BAR = 0.7
MAKE_BARE = "CREATE TABLE bare (LIKE cookieguard_hit) PARTITION BY RANGE (time)"
MAKE_DAY = (
    "CREATE TABLE bare_{day} PARTITION OF bare FOR VALUES FROM ({day} * 86400) TO (({day} + 1) * 86400)"
)

Draw = Callable[[int, int, random.Random], list[Hit]]


def copying(draw: Draw) -> Iterator[Figure]:
    """Measure both; nothing where there is no server."""
    from harness.postgres import postgres, why_not

    if why_not():
        print(f"PostgreSQL is NOT measured: {why_not()}")
        return
    with postgres() as server:
        yield _measured(server.url, draw)


def _measured(url: str, draw: Draw) -> Figure:
    import psycopg

    from cookieguard.engines.postgres_copy import copy_text
    from cookieguard.engines.postgres_hits import COPY_HITS, PostgresHits

    copy_bare = COPY_HITS.replace("cookieguard_hit", "bare")
    engine, source = PostgresHits(url), random.Random(1)
    bare, full = [], []
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(MAKE_BARE)
        for day in (START // 86_400, START // 86_400 + 1):
            connection.execute(MAKE_DAY.format(day=day))

        def copy(hits: Sequence[Hit]) -> None:
            with connection.transaction(), connection.cursor() as cursor, cursor.copy(copy_bare) as rows:
                rows.write(copy_text(hits))

        for number in range(-1, ROUNDS):  # the first warms both up
            batches = [_batch(draw, source, number, part) for part in range(BATCHES)]
            turns = [
                (bare, lambda one: copy(one.hits)),
                (full, engine.write),
            ]
            for taken, write in turns if number % 2 else reversed(turns):
                taken.append(_seconds(write, batches))
    engine.close()
    ratio = statistics.median(one / other for one, other in zip(bare[1:], full[1:], strict=True))
    rate = BATCHES * HITS / statistics.median(full[1:])
    note = (
        f"{rate:,.0f} hits a second with all sums; bare {BATCHES * HITS / statistics.median(bare[1:]):,.0f}"
    )
    return Figure(name="PostgreSQL, of a bare COPY", value=ratio, unit="of its rate", bar=BAR, note=note)


def _batch(draw: Draw, source: random.Random, number: int, part: int) -> Batch:
    at = (number + 1) * BATCHES + part
    return Batch(f"bench-{at}", draw(HITS, START + at * 100, source), {}, {})


def _seconds(write: Callable[[Batch], Any], batches: Sequence[Batch]) -> float:
    start = time.perf_counter()
    for batch in batches:
        write(batch)
    return time.perf_counter() - start
