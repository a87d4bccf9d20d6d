"""What is counted in memory is what the databases would count by the same table."""

from __future__ import annotations

import random
import sqlite3
from collections import Counter, defaultdict
from contextlib import closing

import pytest
from stats.traffic import draw_hits

from cookieguard.stats.hits import COLUMNS, OTHER, PARTLY_COUNTED, Dimension, Hit
from cookieguard.stats.rollups import COLUMNS as COUNTED
from cookieguard.stats.rollups import MAX_VALUES, SAFE_VALUES, VALUES, Column, Rows, Sums, fold

CONSENTS = ("all", "partly", PARTLY_COUNTED, "refused", "undecided")


def traffic(seed: int) -> list[Hit]:
    """Draw hits that are in every group; `entry` is decided at random."""
    rnd = random.Random(seed)
    return [
        hit._replace(
            entry=int(hit.kind == "view" and rnd.random() < 0.4),
            consent=rnd.choice(CONSENTS),
            status=rnd.choice((200, 404, 410, 500)),
            duration=rnd.randrange(2000),
            campaign=rnd.choice(("", "spring", "sale")),
            search=rnd.choice(("", "shoes", "hats")),
        )
        for hit in draw_hits(1500, seed=seed, days=2)
    ]


@pytest.mark.parametrize("by", COUNTED, ids=lambda by: by.name)
def test_a_dimension_counts_in_memory_what_it_counts_in_sql(by: Column) -> None:
    hits, counted = traffic(3), Dimension(by.name).counted
    with closing(sqlite3.connect(":memory:")) as database:
        database.execute(f"CREATE TABLE hit ({', '.join(COLUMNS)})")
        database.executemany(f"INSERT INTO hit VALUES ({', '.join('?' * len(COLUMNS))})", map(tuple, hits))
        in_sql = database.execute(f"""
            SELECT time / 86400, {counted.column}, count(*), sum(entry) FROM hit
            WHERE bot = '' AND {counted.which} GROUP BY 1, 2 ORDER BY 1, 2
        """).fetchall()

    sums = Sums()
    for start in range(0, len(hits), 100):
        sums.add(hits[start : start + 100])
    rows = sorted((day, value, *row) for (day, name, value), row in sums.daily().items() if name == by.name)
    in_memory = [(day, value, views, visits) for day, value, views, visits, _ in rows]

    assert len(in_memory) > 1
    assert in_memory == [(*one[:3], one[3] if counted.has_visits else 0) for one in in_sql]


def test_new_values_that_come_most_often_get_the_room_there_is() -> None:
    rows: Rows = defaultdict(lambda: [0, 0, 0])
    rows |= {(1, "page", f"/{number:04}"): [number, 1, 0] for number in range(MAX_VALUES)}
    known = {(1, "page"): {(f"/known/{number}",) for number in range(MAX_VALUES)}}

    folded = fold(rows, VALUES, known)

    lost = MAX_VALUES - SAFE_VALUES
    assert len(folded) == lost
    assert set(folded.values()) == {(1, "page", OTHER)}
    assert rows[1, "page", OTHER] == [sum(range(lost)), lost, 0]
    assert min(number for (_, _, value), (number, *_) in rows.items() if value != OTHER) == lost
    assert Counter(value == OTHER for _, _, value in rows) == {False: SAFE_VALUES, True: 1}
