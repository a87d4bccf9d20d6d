"""Sums made in memory equal those of the databases, from the same table."""

from __future__ import annotations

import random
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import closing

import pytest
from stats.traffic import draw_hits

from cookieguard.stats.hits import (
    BUCKETS,
    COLUMNS,
    DERIVED,
    DIRECT,
    OTHER,
    PARTLY_COUNTED,
    Dimension,
    Group,
    Hit,
)
from cookieguard.stats.rollups import COLUMNS as COUNTED
from cookieguard.stats.rollups import MAX_VALUES, OF_VALUES, SAFE_VALUES, Column, Rows, Sums, fold

GROUPS = dict.fromkeys(one for by in COUNTED for one in (by.counted.of.within, by.counted.of) if one)
CONSENTS = ("all", "partly", PARTLY_COUNTED, "refused", "undecided")


def traffic(seed: int) -> list[Hit]:
    """Draw hits that are in every group; `entry` is decided at random."""
    rnd = random.Random(seed)
    return [
        hit._replace(
            entry=int(hit.kind == "view" and rnd.random() < 0.4),
            consent=rnd.choice(CONSENTS),
            status=rnd.choice((200, 404, 410, 500)),
            duration=rnd.choice((0, *(one + by for one in BUCKETS for by in (-1, 0, 1)))),
            source=rnd.choice(("", DIRECT, "search.example", "news")),
            referrer=rnd.choice(("", "search.example")),
            campaign=rnd.choice(("", "spring", "sale")),
            search=rnd.choice(("", "shoes", "hats")),
        )
        for hit in draw_hits(1500, seed=seed, days=2)
    ]


@pytest.fixture(scope="module")
def hits() -> list[Hit]:
    return traffic(3)


@pytest.fixture(scope="module")
def database(hits: list[Hit]) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(":memory:")) as opened:
        opened.execute(f"CREATE TABLE hit ({', '.join(COLUMNS)})")
        opened.executemany(f"INSERT INTO hit VALUES ({', '.join('?' * len(COLUMNS))})", map(tuple, hits))
        yield opened


@pytest.mark.parametrize("by", COUNTED, ids=lambda by: by.name)
def test_a_dimension_counts_in_memory_what_it_counts_in_sql(
    hits: list[Hit], database: sqlite3.Connection, by: Column
) -> None:
    counted = Dimension(by.name).counted
    in_sql = database.execute(f"""
        SELECT time / 86400, {counted.column}, count(*), sum(entry), count(DISTINCT nullif(key, 0)) FROM hit
        WHERE {counted.of.whose} AND {counted.which} GROUP BY 1, 2 ORDER BY 1, 2
    """).fetchall()

    sums = Sums()
    for start in range(0, len(hits), 100):
        sums.add(hits[start : start + 100])
    rows = sorted((day, value, *row) for (day, name, value), row in sums.daily().items() if name == by.name)
    met = {
        (day, value): len({key for one, key in pairs if one == value})
        for day, value, *_ in rows
        for pairs in [sums.met[day, by.name]]
    }

    assert len(rows) > 1
    assert [row[:3] for row in rows] == [row[:3] for row in in_sql]
    assert [row[3] for row in rows] == [row[3] if counted.has_visits else 0 for row in in_sql]
    if not counted.is_of_visitor:  # whose visitors are counted by their first views
        assert list(met.values()) == [row[4] for row in in_sql]


@pytest.mark.parametrize("group", GROUPS, ids=lambda group: group.sql)
def test_a_group_picks_from_hits_in_memory_what_it_picks_in_sql(
    hits: list[Hit], database: sqlite3.Connection, group: Group
) -> None:
    in_sql = database.execute(f"SELECT * FROM hit WHERE {group.whose} AND {group.sql}").fetchall()

    assert 0 < len(in_sql) < len(hits)
    assert list(map(tuple, picked(hits, group))) == in_sql


def picked(hits: Sequence[Hit], group: Group | None) -> Sequence[Hit]:
    return group.pick(picked(hits, group.within)) if group else hits


@pytest.mark.parametrize("name", DERIVED)
def test_a_derived_value_is_the_same_in_memory_and_in_sql(
    hits: list[Hit], database: sqlite3.Connection, name: str
) -> None:
    in_sql = [value for (value,) in database.execute(f"SELECT {DERIVED[name]} FROM hit")]

    assert len(set(in_sql)) > 3
    assert [getattr(hit, name) for hit in hits] == in_sql


def test_new_values_that_come_most_often_get_the_room_there_is() -> None:
    rows: Rows = defaultdict(lambda: [0, 0, 0])
    rows |= {(1, "page", f"/{number:04}"): [number, 1, 0] for number in range(MAX_VALUES)}
    known = {(1, "page"): {(f"/known/{number}",) for number in range(MAX_VALUES)}}

    folded = fold(rows, OF_VALUES, known)

    lost = MAX_VALUES - SAFE_VALUES
    assert len(folded) == lost
    assert set(folded.values()) == {(1, "page", OTHER)}
    assert rows[1, "page", OTHER] == [sum(range(lost)), lost, 0]
    assert min(number for (_, _, value), (number, *_) in rows.items() if value != OTHER) == lost
    assert Counter(value == OTHER for _, _, value in rows) == {False: SAFE_VALUES, True: 1}
