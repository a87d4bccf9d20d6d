"""Filtered figures of closed days in SQLite are counted once, and equal those of the single hits."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from stats.traffic import DAY, MIDNIGHT, PLAIN, draw_hits, people, recount, with_entries

from cookieguard.features.statistics.dashboard.breakdowns import TABLES
from cookieguard.features.statistics.dashboard.selection import FILTERS, LONE
from cookieguard.features.statistics.engines.protocol import Crossing, Days, Totals
from cookieguard.features.statistics.engines.sqlite import crosstabs as sqlite_crosstabs
from cookieguard.features.statistics.engines.sqlite import reader as sqlite_figures
from cookieguard.features.statistics.engines.sqlite.crosstabs import BROKEN_DOWN, FILTERED, count_closed_days
from cookieguard.features.statistics.engines.sqlite.reader import SqliteFigures
from cookieguard.features.statistics.engines.sqlite.writer import SqliteHits
from cookieguard.stats.hits import OTHER, Batch, Dimension, Hit
from cookieguard.stats.rollups import MAX_VALUES

FOUR = Days(DAY, DAY + 3)
Where = Mapping[Dimension, str]


def selections(hits: Sequence[Hit]) -> Iterator[Where]:
    """Give every filter, and every two, by values there are and one there is not."""
    values = {
        by: {getattr(hit, "page" if by is Dimension.ENTRY else by.value) for hit in hits} for by in FILTERED
    }
    singles = [{by: value} for by, some in values.items() for value in sorted(some | {"nothing"})]
    yield from singles
    yield from ({**one, **two} for one in singles for two in singles if one.keys() != two.keys())


def figures_of(path: Path, hits: Sequence[Hit], days: Days) -> list[object]:
    """Ask for all that a filtered dashboard may ask for."""
    reader = SqliteFigures(path)
    found: list[object] = []
    for where in selections(hits):
        found.append((where, reader.by_day(days, where), reader.by_hour(days, where)))
        found += [(where, by, reader.breakdown(days, by, where)) for by in Dimension if len(where) == 1]
    reader.close()
    return found


def counted_of(path: Path, hits: Sequence[Hit]) -> list[object]:
    """Ask for what is counted of days that are over."""
    reader = SqliteFigures(path)
    where = list(selections(hits))
    found: list[object] = [reader.by_day(FOUR, one) for one in where]
    found += [
        reader.breakdown(FOUR, by, one)
        for one in where
        for by in BROKEN_DOWN
        if len(one) == 1 and by not in one
    ]
    reader.close()
    return found


def count(engine: SqliteHits, before: int = DAY + 4) -> None:
    while engine.count_closed_days(before):
        pass


def marked(path: Path) -> list[int]:
    return [day for (day,) in sqlite3.connect(path).execute("SELECT day FROM crosstab_day ORDER BY day")]


@pytest.mark.parametrize("counted", [[0, 1, 2, 3], [1, 2], [0, 3], []])
def test_figures_are_those_of_the_single_hits(engine: SqliteHits, path: Path, counted: list[int]) -> None:
    hits = draw_hits(1500, seed=12, days=4)
    engine.write(Batch("a", hits, {}, {}))
    before = figures_of(path, hits, FOUR)

    count(engine)
    with sqlite3.connect(path) as connection:
        connection.executemany(
            "DELETE FROM crosstab_day WHERE day = ?", [(DAY + day,) for day in {0, 1, 2, 3} - {*counted}]
        )

    assert marked(path) == [DAY + day for day in counted]
    assert figures_of(path, hits, FOUR) == before
    assert figures_of(path, hits, Days(DAY - 30, DAY + 30)) == before


def test_figures_are_what_a_plain_recount_gives(engine: SqliteHits, path: Path) -> None:
    hits = draw_hits(3000, seed=3, days=4)
    engine.write(Batch("a", hits, {}, {}))

    count(engine)
    engine.cap_hits(0)  # nothing but what was counted is there

    views = [hit for hit in people(with_entries(hits)) if hit.country == "FR"]
    reader, where = SqliteFigures(path), {Dimension.COUNTRY: "FR"}
    assert sum(one.views for one in reader.by_day(FOUR, where)) == len(views) > 0
    for by, column, some in (
        (Dimension.PAGE, "page", views),
        (Dimension.ENTRY, "page", [hit for hit in views if hit.entry]),
        (Dimension.SOURCE, "source", [hit for hit in views if hit.entry]),
        (Dimension.DEVICE, "device", views),
        (Dimension.GOAL, "event", [hit for hit in people(hits, "goal") if hit.country == "FR"]),
    ):
        assert [tuple(one) for one in reader.breakdown(FOUR, by, where)] == recount(some, column)


def test_everything_the_dashboard_shows_of_one_filter_is_counted() -> None:
    assert {*FILTERS.values()} - LONE == set(FILTERED)
    assert {kind.by for kind in TABLES} | {Dimension.GOAL} == set(BROKEN_DOWN)


def test_today_is_not_counted(engine: SqliteHits, path: Path) -> None:
    engine.write(Batch("a", draw_hits(100, seed=1), {}, {}))

    count(engine, before=DAY + 1)

    assert marked(path) == [DAY]


def test_a_run_counts_a_few_days_newest_first(engine: SqliteHits, path: Path) -> None:
    days = sqlite_crosstabs.MOST_DAYS + 2
    engine.write(Batch("a", [PLAIN._replace(time=MIDNIGHT + 86_400 * day) for day in range(days)], {}, {}))

    assert engine.count_closed_days(DAY + days) == days - 2
    assert marked(path) == list(range(DAY + 2, DAY + days))
    assert engine.count_closed_days(DAY + days) == 2
    assert engine.count_closed_days(DAY + days) == 0


def test_a_late_hit_is_in_the_figures_at_once_and_counted_again(engine: SqliteHits, path: Path) -> None:
    engine.write(Batch("a", [PLAIN, PLAIN._replace(time=PLAIN.time + 86_400)], {}, {}))
    count(engine)
    where = {Dimension.COUNTRY: "DE"}

    engine.write(Batch("b", [PLAIN], {}, {}))

    assert marked(path) == [DAY + 1]
    assert [one.views for one in SqliteFigures(path).by_day(FOUR, where)] == [2, 1]
    count(engine)
    assert marked(path) == [DAY, DAY + 1]
    assert [one.views for one in SqliteFigures(path).by_day(FOUR, where)] == [2, 1]


def test_a_hit_that_comes_while_its_day_is_counted_has_it_counted_later(
    engine: SqliteHits, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = SqliteHits(path)
    engine.write(Batch("a", [PLAIN], {}, {}))
    queries = list(sqlite_crosstabs.queries())

    def interrupted() -> Iterator[str]:
        yield from queries
        other.write(Batch("b", [PLAIN], {}, {}))

    monkeypatch.setattr(sqlite_crosstabs, "queries", interrupted)

    assert engine.count_closed_days(DAY + 1) == 0
    assert marked(path) == []
    assert [one.views for one in SqliteFigures(path).by_day(FOUR, {Dimension.COUNTRY: "DE"})] == [2]
    other.close()


def test_visitors_stay_when_their_keys_go(engine: SqliteHits, path: Path) -> None:
    engine.write(Batch("a", [PLAIN._replace(key=key) for key in (1, 1, 2)], {}, {}))
    count(engine)

    engine.forget(keys_before=DAY + 1, hits_before=0, rollups_before=0)

    (one,) = SqliteFigures(path).by_day(FOUR, {Dimension.COUNTRY: "DE"})
    assert one == Totals(DAY, 3, 2, 0, 2, 0, 0, 3000, 21)


GERMANS = {Dimension.COUNTRY: "DE"}


def gone(engine: SqliteHits) -> None:
    """Let the visitor keys go."""
    engine.forget(keys_before=DAY + 1, hits_before=0, rollups_before=0)


def test_a_late_hit_after_the_keys_went_leaves_visitors_and_arrivals_as_they_were(
    engine: SqliteHits, path: Path
) -> None:
    engine.write(
        Batch("a", [*(PLAIN._replace(key=key) for key in range(1, 21)), PLAIN._replace(entry=1)], {}, {})
    )
    count(engine)
    gone(engine)

    engine.write(Batch("b", [PLAIN, PLAIN._replace(entry=1), PLAIN._replace(entry=1, page="/new")], {}, {}))
    count(engine)

    reader = SqliteFigures(path)
    (one,) = reader.by_day(FOUR, GERMANS)
    assert one[1:5] == reader.by_day(FOUR)[0][1:5] == (24, 23, 3, 20)
    assert reader.by_day(FOUR, {**GERMANS, Dimension.PAGE: "/new"}) == [(DAY, 1, 1, 1, 0, 0, 0, 1000, 7)]
    pages = [("/", 23, 22, 20), ("/new", 1, 1, 0)]
    assert [tuple(one) for one in reader.breakdown(FOUR, Dimension.PAGE, GERMANS)] == pages


def test_days_are_said_to_have_all_visitors_only_while_that_is_certain(
    engine: SqliteHits, path: Path
) -> None:
    def keyed() -> list[int]:
        return list(SqliteFigures(path).keyed_days(FOUR))

    engine.write(Batch("a", [PLAIN._replace(key=key) for key in (1, 2)], {}, {}))
    assert keyed() == []  # read from single hits, whose keys go
    count(engine)
    assert keyed() == [DAY]
    engine.write(Batch("b", [PLAIN], {}, {}))
    assert keyed() == []
    count(engine)
    gone(engine)
    assert keyed() == [DAY]
    engine.write(Batch("c", [PLAIN._replace(key=3)], {}, {}))  # a spool that was found late brings keys
    count(engine)
    assert keyed() == []
    assert marked(path) == [DAY]


def test_a_day_first_counted_when_its_keys_were_gone_does_not_say_it_has_its_visitors(
    engine: SqliteHits, path: Path
) -> None:
    engine.write(Batch("a", [PLAIN._replace(key=1), PLAIN], {}, {}))
    gone(engine)
    count(engine)

    assert marked(path) == [DAY]
    assert list(SqliteFigures(path).keyed_days(FOUR)) == []


def test_a_day_whose_hits_were_cut_and_then_more_came_has_what_is_left(
    engine: SqliteHits, path: Path
) -> None:
    engine.write(Batch("a", [PLAIN._replace(key=key, page=f"/{key}") for key in (1, 2, 3)], {}, {}))
    count(engine)
    gone(engine)
    engine.cap_hits(0)

    engine.write(Batch("b", [PLAIN._replace(page="/3")], {}, {}))
    count(engine)

    reader = SqliteFigures(path)
    assert reader.by_day(FOUR, GERMANS) == [(DAY, 1, 0, 0, 1, 0, 0, 1000, 7)]
    assert [one.value for one in reader.breakdown(FOUR, Dimension.PAGE, GERMANS)] == ["/3"]
    assert list(reader.keyed_days(FOUR)) == []


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Note how many rows each transaction of a count changes."""
    found: list[int] = []
    writing = sqlite_crosstabs.writing

    @contextmanager
    def noting(connection: sqlite3.Connection) -> Iterator[None]:
        before = connection.total_changes
        with writing(connection):
            yield
        found.append(connection.total_changes - before)

    monkeypatch.setattr(sqlite_crosstabs, "writing", noting)
    monkeypatch.setattr(sqlite_crosstabs, "SLICE", 20)
    monkeypatch.setattr(sqlite_crosstabs, "PAUSE", 0)
    return found


def test_a_day_is_written_a_few_rows_at_a_time(engine: SqliteHits, path: Path, written: list[int]) -> None:
    hits = draw_hits(300, seed=12, days=1)
    engine.write(Batch("a", hits, {}, {}))
    before = figures_of(path, hits, FOUR)

    count(engine)

    assert sum(written) > 60
    assert max(written) <= 20
    assert figures_of(path, hits, FOUR) == before


def test_a_count_that_is_cut_off_between_two_writes_leaves_all_as_it_was(
    engine: SqliteHits, path: Path, written: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    hits = [hit._replace(key=hit.key or 7, entry=0) for hit in draw_hits(300, seed=12, days=1)]
    engine.write(Batch("a", hits, {}, {}))
    count(engine)
    before = counted_of(path, hits)
    gone(engine)
    engine.write(Batch("b", [PLAIN._replace(kind="choice")], {}, {}))  # in no figure of these

    def cut(_: float) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(sqlite_crosstabs.time, "sleep", cut)
        with pytest.raises(KeyboardInterrupt):
            engine.count_closed_days(DAY + 1)
    assert marked(path) == []
    count(engine)

    assert marked(path) == [DAY]
    assert counted_of(path, hits) == before


def test_a_hit_that_comes_while_rows_are_written_has_its_day_counted_later(
    engine: SqliteHits, path: Path, written: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    other = SqliteHits(path)
    engine.write(Batch("a", draw_hits(300, seed=12, days=1), {}, {}))
    engine.sum_up()

    with monkeypatch.context() as patch:
        late = Batch("late", [PLAIN], {}, {})
        patch.setattr(sqlite_crosstabs.time, "sleep", lambda _: other.write(late))
        assert engine.count_closed_days(DAY + 1) == 0
    assert marked(path) == []
    assert engine.count_closed_days(DAY + 1) == 1
    other.close()


def test_what_was_counted_goes_with_its_hits(engine: SqliteHits, path: Path) -> None:
    engine.write(Batch("a", [PLAIN._replace(page="/very-old-page")], {}, {}))
    count(engine)

    engine.forget(keys_before=DAY + 1, hits_before=DAY + 1, rollups_before=DAY + 1)

    assert SqliteFigures(path).by_day(FOUR, {Dimension.COUNTRY: "DE"}) == []
    assert marked(path) == []
    assert b"/very-old-page" not in b"".join(one.read_bytes() for one in path.parent.iterdir())


def test_values_beyond_the_limit_of_a_day_are_folded_as_in_its_other_sums(
    engine: SqliteHits, path: Path
) -> None:
    hits = [PLAIN._replace(page=f"/{number}", key=number + 1) for number in range(MAX_VALUES + 500)]
    engine.write(Batch("a", hits, {}, {}))

    count(engine)

    reader = SqliteFigures(path)
    found = reader.breakdown(FOUR, Dimension.PAGE, {Dimension.COUNTRY: "DE"})
    assert found == reader.breakdown(FOUR, Dimension.PAGE)
    assert {one.value: one for one in found}[OTHER][1:] == (500, 500, 500)


def test_a_day_of_too_many_hits_is_read_hit_by_hit(
    engine: SqliteHits, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_crosstabs, "MOST_HITS", 2)
    engine.write(Batch("a", [PLAIN] * 3, {}, {}))

    assert engine.count_closed_days(DAY + 1) == 0
    assert [one.views for one in SqliteFigures(path).by_day(FOUR, {Dimension.COUNTRY: "DE"})] == [3]


def test_a_day_of_too_many_different_values_is_read_hit_by_hit(
    engine: SqliteHits, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_crosstabs, "MOST_ROWS", 100)
    engine.write(Batch("a", [PLAIN._replace(page=f"/{number}") for number in range(200)], {}, {}))

    assert engine.count_closed_days(DAY + 1) == 0
    assert sqlite3.connect(path).execute("SELECT count(*) FROM crosstab").fetchone() == (0,)
    assert [one.views for one in SqliteFigures(path).by_day(FOUR, {Dimension.COUNTRY: "DE"})] == [200]


@pytest.mark.parametrize(("limit", "most"), [("MOST_HITS", 2), ("MOST_ROWS", 60)])
def test_days_that_are_too_large_do_not_keep_older_ones_from_being_counted(
    engine: SqliteHits, path: Path, monkeypatch: pytest.MonkeyPatch, limit: str, most: int
) -> None:
    monkeypatch.setattr(sqlite_crosstabs, limit, most)
    large = [PLAIN._replace(page=f"/{number}") for number in range(30)]
    days = range(1, sqlite_crosstabs.MOST_DAYS + 2)
    hits = [hit._replace(time=MIDNIGHT + 86_400 * day) for day in days for hit in large]
    engine.write(Batch("a", [PLAIN, *hits], {}, {}))

    for _ in range(2):
        engine.count_closed_days(DAY + 9)

    assert marked(path) == [DAY]
    monkeypatch.setattr(sqlite_crosstabs, "_count", None)
    assert engine.count_closed_days(DAY + 9) == 0  # what is too large is not tried again


def test_hits_too_many_to_pick_out_are_gone_through(
    engine: SqliteHits, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hits = draw_hits(300, seed=12, days=4)
    engine.write(Batch("a", hits, {}, {}))
    before = figures_of(path, hits, FOUR)

    monkeypatch.setattr(sqlite_figures, "MOST_COLLECTED", 299)

    assert figures_of(path, hits, FOUR) == before


def test_a_file_of_an_older_release_is_read_hit_by_hit(engine: SqliteHits, path: Path) -> None:
    engine.write(Batch("a", [PLAIN], {}, {}))
    with sqlite3.connect(path) as connection:
        connection.execute("DROP TABLE crosstab_day")

    assert [one.views for one in SqliteFigures(path).by_day(FOUR, {Dimension.COUNTRY: "DE"})] == [1]


def test_closed_days_are_counted_in_memory_without_temporary_files(engine: SqliteHits, path: Path) -> None:
    engine.write(Batch("a", draw_hits(100, seed=1), {}, {}))
    connection = sqlite3.connect(path, isolation_level=None)

    count_closed_days(connection, DAY + 4)

    assert connection.execute("PRAGMA temp_store").fetchone() == (2,)  # in memory
    assert connection.execute("SELECT count(*) FROM temp.sqlite_master").fetchone() == (0,)
    assert isinstance(engine, Crossing)
