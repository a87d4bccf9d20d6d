"""Exit pages of closed days in SQLite are counted once, and equal those of the single hits."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from stats.traffic import DAY, MIDNIGHT, PLAIN, draw_hits, recount, with_bounces

from cookieguard.features.statistics.engines.protocol import Days
from cookieguard.features.statistics.engines.sqlite import exits as sqlite_exits
from cookieguard.features.statistics.engines.sqlite.reader import SqliteFigures
from cookieguard.features.statistics.engines.sqlite.writer import SqliteHits
from cookieguard.stats.hits import OTHER, Batch, Dimension, Hit
from cookieguard.stats.rollups import MAX_VALUES

FOUR = Days(DAY, DAY + 3)
Rows = list[tuple[str, int, int, int]]


def exit_pages(path: Path, days: Days = FOUR) -> Rows:
    reader = SqliteFigures(path)
    try:
        return [tuple(one) for one in reader.breakdown(days, Dimension.EXIT)]
    finally:
        reader.close()


def recounted(hits: list[Hit]) -> Rows:
    return recount(with_bounces(hits), "page")


def marked(path: Path) -> list[int]:
    return [day for (day,) in sqlite3.connect(path).execute("SELECT day FROM exit_day ORDER BY day")]


def forget_keys(engine: SqliteHits, before: int = DAY + 9) -> None:
    engine.forget(keys_before=before, hits_before=0, rollups_before=0)


@pytest.fixture
def hits() -> list[Hit]:
    """Draw four days of them, at times of their own: of two views within a second either may be the last."""
    drawn = draw_hits(2000, seed=5, days=4)
    return [hit._replace(time=MIDNIGHT + at * 172) for at, hit in enumerate(drawn)]


@pytest.mark.parametrize("counted", [[0, 1, 2, 3], [1, 2], [0, 3], []])
def test_exit_pages_are_those_of_the_single_hits(
    engine: SqliteHits, path: Path, hits: list[Hit], counted: list[int]
) -> None:
    engine.write(Batch("a", hits, {}, {}))
    known = recounted(hits)
    assert exit_pages(path) == known
    assert len(known) == 3

    engine.count_closed_days(DAY + 4)
    with sqlite3.connect(path) as connection:
        connection.executemany(
            "DELETE FROM exit_day WHERE day = ?", [(DAY + day,) for day in {0, 1, 2, 3} - {*counted}]
        )

    assert marked(path) == [DAY + day for day in counted]
    assert exit_pages(path) == exit_pages(path, Days(DAY - 400, DAY + 400)) == known
    for first, last in ((0, 0), (1, 2), (3, 3)):
        some = [hit for hit in hits if DAY + first <= hit.time // 86_400 <= DAY + last]
        assert exit_pages(path, Days(DAY + first, DAY + last)) == recounted(some)


def test_the_first_day_with_keys_is_in_no_other_days_figures(engine: SqliteHits, path: Path) -> None:
    engine.write(Batch("a", [PLAIN._replace(key=1)], {}, {}))

    assert exit_pages(path, Days(DAY, DAY)) == [("/", 1, 1, 1)]
    assert exit_pages(path, Days(DAY - 5, DAY - 1)) == exit_pages(path, Days(DAY + 1, DAY + 5)) == []
    for _ in range(3):  # each hour of a shop's first day
        forget_keys(engine, DAY)
        assert exit_pages(path) == [("/", 1, 1, 1)]


def test_figures_of_counted_days_read_no_single_hit(engine: SqliteHits, path: Path, hits: list[Hit]) -> None:
    engine.write(Batch("a", hits, {}, {}))
    engine.count_closed_days(DAY + 3)
    before = exit_pages(path, Days(DAY, DAY + 2))

    engine.cap_hits(0)

    assert exit_pages(path) == before
    assert sum(row[1] for row in before) > 100


def test_today_is_not_counted(engine: SqliteHits, path: Path, hits: list[Hit]) -> None:
    engine.write(Batch("a", hits, {}, {}))

    engine.count_closed_days(DAY + 3)

    assert marked(path) == [DAY, DAY + 1, DAY + 2]


def test_a_late_hit_is_in_the_figures_at_once_and_counted_again(engine: SqliteHits, path: Path) -> None:
    engine.write(Batch("a", [PLAIN._replace(key=1, page="/a")], {}, {}))
    engine.count_closed_days(DAY + 1)

    engine.write(Batch("b", [PLAIN._replace(key=1, page="/b", time=PLAIN.time + 60)], {}, {}))

    assert marked(path) == []
    assert exit_pages(path) == [("/b", 1, 0, 1)]
    engine.count_closed_days(DAY + 1)
    assert marked(path) == [DAY]
    assert exit_pages(path) == [("/b", 1, 0, 1)]


@pytest.mark.parametrize("counts", [lambda engine: engine.count_closed_days(DAY + 3), lambda _: None])
def test_exit_pages_stay_when_the_keys_go(
    engine: SqliteHits, path: Path, hits: list[Hit], counts: Callable[[SqliteHits], None]
) -> None:
    engine.write(Batch("a", hits, {}, {}))
    before = exit_pages(path)
    counts(engine)

    for keys_before in (DAY + 2, DAY + 2, DAY + 4, DAY + 4):
        forget_keys(engine, keys_before)
        assert exit_pages(path) == before
        engine.count_closed_days(DAY + 4)
        assert exit_pages(path) == before
    tables = ("exit_count", "exit_day")
    left = [sqlite3.connect(path).execute(f"SELECT count(*) FROM {one}").fetchone() for one in tables]
    assert left == [(0,), (0,)]


def test_a_late_hit_after_the_keys_went_adds_to_what_is_in_the_sums(engine: SqliteHits, path: Path) -> None:
    engine.write(Batch("a", [PLAIN._replace(key=key) for key in (1, 2, 3)], {}, {}))
    engine.count_closed_days(DAY + 1)
    forget_keys(engine)
    late = PLAIN._replace(key=4)  # a spool that was found late brings keys

    engine.write(Batch("b", [late], {}, {}))

    assert exit_pages(path) == [("/", 4, 4, 4)]
    engine.count_closed_days(DAY + 1)
    assert exit_pages(path) == [("/", 4, 4, 4)]
    forget_keys(engine)
    assert exit_pages(path) == [("/", 4, 4, 4)]


def test_a_hit_that_comes_while_its_day_is_counted_has_it_counted_later(
    engine: SqliteHits, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other, writing = SqliteHits(path), sqlite_exits.writing
    engine.write(Batch("a", [PLAIN._replace(key=1, page="/a")], {}, {}))

    def late(connection: sqlite3.Connection) -> object:
        other.write(Batch("b", [PLAIN._replace(key=1, page="/b", time=PLAIN.time + 60)], {}, {}))
        return writing(connection)

    monkeypatch.setattr(sqlite_exits, "writing", late)
    engine.count_closed_days(DAY + 1)

    assert marked(path) == []
    assert exit_pages(path) == [("/b", 1, 0, 1)]
    other.close()


def test_pages_beyond_the_limit_of_a_day_are_folded_as_in_its_other_sums(
    engine: SqliteHits, path: Path
) -> None:
    pages = MAX_VALUES + 500
    engine.write(Batch("a", [PLAIN._replace(page=f"/{at}", key=at + 1) for at in range(pages)], {}, {}))

    engine.count_closed_days(DAY + 1)

    found = exit_pages(path)
    assert found[0] == (OTHER, 500, 500, 500)
    assert len(found) == MAX_VALUES + 1
    forget_keys(engine)
    assert exit_pages(path) == found


def test_a_day_of_too_many_hits_is_read_hit_by_hit(
    engine: SqliteHits, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_exits, "MOST_HITS", 2)
    engine.write(Batch("a", [PLAIN._replace(key=key) for key in (1, 2, 3)], {}, {}))

    engine.count_closed_days(DAY + 1)

    assert marked(path) == []
    assert exit_pages(path) == [("/", 3, 3, 3)]


def test_what_was_counted_goes_with_the_sums(engine: SqliteHits, path: Path) -> None:
    engine.write(Batch("a", [PLAIN._replace(page="/very-old-page", key=1)], {}, {}))
    engine.count_closed_days(DAY + 1)

    engine.forget(keys_before=DAY + 1, hits_before=DAY + 1, rollups_before=DAY + 1)

    assert exit_pages(path) == []
    assert b"/very-old-page" not in b"".join(one.read_bytes() for one in path.parent.iterdir())


def test_a_file_of_an_older_release_is_read_hit_by_hit(engine: SqliteHits, path: Path) -> None:
    engine.write(Batch("a", [PLAIN._replace(key=1)], {}, {}))
    engine.count_closed_days(DAY + 1)
    with sqlite3.connect(path) as connection:
        connection.execute("DROP TABLE exit_count")
        connection.execute("DROP TABLE exit_day")

    assert exit_pages(path) == [("/", 1, 1, 1)]
    reader = SqliteFigures(path)
    assert reader.keyed_days(FOUR) == [DAY]  # what it did count stays
    reader.close()
