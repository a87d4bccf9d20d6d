"""Statistics in SQLite: figures are what a plain recount gives, whoever writes and whatever fails."""

from __future__ import annotations

import random
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from stats.traffic import DAY, HELD, MIDNIGHT, PLAIN, draw_hits, people, recount, with_entries

from cookieguard.engines.hit_ports import Days, EngineDown, HeldCount
from cookieguard.engines.sqlite_figures import SqliteFigures
from cookieguard.engines.sqlite_hits import SqliteHits
from cookieguard.stats.hits import OTHER, Batch, Dimension, Hit
from cookieguard.stats.rollups import MAX_VALUES

BOTH = Days(DAY, DAY + 1)
CONSTANT = (Dimension.COUNTRY, Dimension.DEVICE, Dimension.BROWSER)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "stats.db"


@pytest.fixture
def engine(path: Path) -> Iterator[SqliteHits]:
    engine = SqliteHits(path)
    yield engine
    engine.close()


def batches(hits: Sequence[Hit], size: int = 100, prefix: str = "b") -> Iterator[Batch]:
    for start in range(0, len(hits), size):
        yield Batch(f"{prefix}{start}", hits[start : start + size], {}, {})


def written(path: Path, hits: Sequence[Hit], size: int = 100) -> SqliteFigures:
    engine = SqliteHits(path)
    for batch in batches(hits, size):
        engine.write(batch)
    engine.close()
    return SqliteFigures(path)


@pytest.mark.parametrize("size", [20, 5000])
def test_totals_are_what_a_plain_recount_gives(path: Path, size: int) -> None:
    hits = draw_hits(2000, seed=1)

    figures = written(path, hits, size)

    known = with_entries(hits)
    for step, totals in ((3600, figures.by_hour(BOTH)), (86_400, figures.by_day(BOTH))):
        for one in totals:
            then = [hit for hit in known if hit.time // step == one.at]
            views = people(then)
            assert one.views == len(views) > 0
            assert one.visits == sum(hit.entry for hit in views)
            assert one.arrivals == sum(hit.entry for hit in views if not hit.key)
            assert one.errors == len(people(then, "error"))
            assert one.bots == sum(bool(hit.bot) for hit in then)
            assert (one.bytes, one.duration) == (sum(h.bytes for h in views), sum(h.duration for h in views))
            if step == 86_400:
                assert one.visitors == len({hit.key for hit in views if hit.key}) > 0
    assert figures.span() == BOTH


@pytest.mark.parametrize("size", [20, 5000])
def test_slices_are_what_a_plain_recount_gives(path: Path, size: int) -> None:
    hits = draw_hits(2000, seed=2)

    figures = written(path, hits, size)

    views = people(with_entries(hits))
    entries = [hit for hit in views if hit.entry]
    for dimension in (Dimension.PAGE, *CONSTANT):
        assert [tuple(one) for one in figures.breakdown(BOTH, dimension)] == recount(views, dimension.value)
    for dimension, column in ((Dimension.ENTRY, "page"), (Dimension.SOURCE, "source")):
        assert [tuple(one) for one in figures.breakdown(BOTH, dimension)] == recount(entries, column)
    with_medium = [hit for hit in entries if hit.medium]
    assert [tuple(one) for one in figures.breakdown(BOTH, Dimension.MEDIUM)] == recount(with_medium, "medium")
    goals = people(hits, "goal")
    assert [tuple(one) for one in figures.breakdown(BOTH, Dimension.GOAL)] == recount(goals, "event")


def test_filtered_figures_are_what_a_plain_recount_gives(path: Path) -> None:
    hits = draw_hits(3000, seed=3)

    figures = written(path, hits)

    views = [hit for hit in people(with_entries(hits)) if hit.country == "FR" and hit.device == "desktop"]
    where = {Dimension.COUNTRY: "FR", Dimension.DEVICE: "desktop"}
    assert [tuple(one) for one in figures.breakdown(BOTH, Dimension.PAGE, where)] == recount(views, "page")
    entries = [hit for hit in views if hit.entry]
    assert [tuple(one) for one in figures.breakdown(BOTH, Dimension.ENTRY, where)] == recount(entries, "page")
    by_day = figures.by_day(BOTH, where)
    assert sum(one.views for one in by_day) == len(views) > 0
    assert sum(one.visitors for one in by_day) == len({(hit.day, hit.key) for hit in views if hit.key}) > 0


def test_consent_held_and_bots_are_what_a_plain_recount_gives(path: Path) -> None:
    hits = draw_hits(3000, seed=4)

    figures = written(path, hits)

    views = people(hits)
    events = Counter((h.day, h.event) for h in (*views, *people(hits, "choice")) if h.event)
    events.update((hit.day, "gpc") for hit in views if hit.gpc)
    assert {(one.day, one.event): one.times for one in figures.consent(BOTH)} == events
    home = sum(hit.held == HELD and hit.page == "/" for hit in views)
    held = figures.held(BOTH)
    assert HeldCount("ads.example", "/", "Ads", "marketing", home, 2 * home) in held
    assert [one.host for one in held] == ["spy.example"] * 3 + ["ads.example"] * 3  # undeclared first
    assert sum(one.hits for one in figures.bots(BOTH)) == sum(bool(hit.bot) for hit in hits)


def test_a_batch_is_written_once(engine: SqliteHits, path: Path) -> None:
    batch = Batch("one", [PLAIN, PLAIN], {}, {"queue full": 3})

    engine.write(batch)
    engine.write(batch)
    engine.write(batch._replace(id="two"))

    figures = SqliteFigures(path)
    assert [one.views for one in figures.by_day(BOTH)] == [4]
    assert figures.lost(BOTH) == {"queue full": 6}


def test_visit_goes_on_across_midnight_and_the_keys_are_not_linked(engine: SqliteHits, path: Path) -> None:
    late, early = (
        PLAIN._replace(time=MIDNIGHT + 86_400 - 300, key=11),
        PLAIN._replace(time=MIDNIGHT + 86_400 + 300, key=22),
    )

    engine.write(Batch("a", [late], {}, {}))
    engine.write(Batch("b", [early], {22: 11}, {}))
    engine.write(Batch("c", [early._replace(key=33)], {33: 44}, {}))  # somebody who was not there before

    figures = SqliteFigures(path)
    assert [(one.visits, one.visitors) for one in figures.by_day(BOTH)] == [(1, 1), (1, 2)]
    rows = sqlite3.connect(path).execute("SELECT day, key FROM visit ORDER BY key").fetchall()
    assert rows == [(DAY, 11), (DAY + 1, 22), (DAY + 1, 33)]


def test_hits_that_come_late_do_not_begin_a_visit_again(engine: SqliteHits, path: Path) -> None:
    hits = [PLAIN._replace(time=MIDNIGHT + minute * 60, key=5) for minute in (0, 10, 20, 90)]
    engine.write(Batch("a", [hits[0], hits[2], hits[3]], {}, {}))

    engine.write(Batch("b", [hits[1]], {}, {}))

    assert [one.visits for one in SqliteFigures(path).by_day(BOTH)] == [2]


def test_values_beyond_the_limit_of_a_day_are_folded(engine: SqliteHits, path: Path) -> None:
    hits = [PLAIN._replace(page=f"/{number}", key=number + 1) for number in range(MAX_VALUES + 500)]

    for batch in batches(hits, 400):
        engine.write(batch)

    slices = {one.value: one for one in SqliteFigures(path).breakdown(BOTH, Dimension.PAGE)}
    assert len(slices) == MAX_VALUES + 1
    assert (slices[OTHER].views, slices[OTHER].visitors) == (500, 500)
    assert sum(one.views for one in slices.values()) == len(hits)


def test_forgotten_keys_and_hits_are_gone_from_the_file(engine: SqliteHits, path: Path) -> None:
    old = PLAIN._replace(key=0x1122334455667788, page="/very-old-page")
    engine.write(Batch("a", [old], {}, {}))
    needles = (0x1122334455667788).to_bytes(8, "big"), b"/very-old-page"

    def found() -> list[bool]:
        content = b"".join(one.read_bytes() for one in path.parent.iterdir())
        return [needle in content for needle in needles]

    assert found() == [True, True]
    engine.forget(keys_before=DAY + 1, hits_before=0, rollups_before=0)
    assert found() == [False, True]
    engine.forget(keys_before=DAY + 1, hits_before=DAY + 1, rollups_before=DAY + 1)
    assert found() == [False, False]
    assert SqliteFigures(path).span() is None


def test_a_file_that_went_away_is_not_written_to_any_more(engine: SqliteHits, path: Path) -> None:
    path.rename(path.with_suffix(".old"))

    with pytest.raises(EngineDown, match="No such file"):
        engine.write(Batch("a", [PLAIN], {}, {}))


WRITER = """
import sys
from pathlib import Path
sys.path[:0] = sys.argv[4:]
from engines.test_sqlite_hits import SqliteHits, batches, draw_hits
hits = draw_hits(800, seed=int(sys.argv[2]))[int(sys.argv[3])::4]
engine = SqliteHits(Path(sys.argv[1]))
for batch in batches(hits, 50, prefix=sys.argv[3] + "-"):
    while True:
        try:
            engine.write(batch)
            break
        except Exception as error:
            print(error)
"""


def test_four_processes_write_at_once_and_lose_nothing(path: Path) -> None:
    tests = str(Path(__file__).parents[1])
    commands = [[sys.executable, "-c", WRITER, str(path), "9", str(part), tests] for part in range(4)]

    for process in [subprocess.Popen(command) for command in commands]:
        assert process.wait(60) == 0

    views = people(draw_hits(800, seed=9))
    figures = SqliteFigures(path)
    assert sum(one.views for one in figures.by_day(BOTH)) == len(views)
    pages = [(value, views, visitors) for value, views, _, visitors in recount(views, "page")]
    assert [(o.value, o.views, o.visitors) for o in figures.breakdown(BOTH, Dimension.PAGE)] == pages


def test_random_order_gives_the_same_views_and_visitors(path: Path) -> None:
    hits = draw_hits(1000, seed=6)
    shuffled = random.Random(1).sample(hits, len(hits))

    figures = written(path, shuffled)

    assert [(o.value, o.views, o.visitors) for o in figures.breakdown(BOTH, Dimension.PAGE)] == [
        (value, views, visitors) for value, views, _, visitors in recount(people(hits), "page")
    ]
