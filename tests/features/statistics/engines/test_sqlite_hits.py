"""The contents of the SQLite file of statistics; test_stats_engines.py has what all engines share."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import time
from collections.abc import ItemsView
from contextlib import closing
from pathlib import Path

import pytest
from harness.locks import checkpointing
from stats.traffic import DAY, MIDNIGHT, PLAIN, draw_hits, people, recount, with_entries

from cookieguard.features.statistics.engines.protocol import Days, EngineDown
from cookieguard.features.statistics.engines.sqlite.reader import SqliteFigures
from cookieguard.features.statistics.engines.sqlite.writer import SqliteHits
from cookieguard.stats.hits import Batch, Dimension

BOTH = Days(DAY, DAY + 1)


def test_the_keys_of_a_visit_across_midnight_are_not_linked(engine: SqliteHits, path: Path) -> None:
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


def test_visitors_whom_the_release_before_saw_that_day_count_once(engine: SqliteHits, path: Path) -> None:
    """An update in the middle of a day: what was seen is named by digests, here as that release wrote them."""
    engine.close()
    with closing(sqlite3.connect(path)) as file, file:
        of_page, of_entry, of_source = 7784067967631225486, -769397914894813351, 4404577456037928430
        file.executemany(
            "INSERT INTO seen VALUES (?, ?, 7)", [(DAY, what) for what in (of_page, of_entry, of_source)]
        )
        file.execute("INSERT INTO visit VALUES (?, 7, ?, ?)", (DAY, PLAIN.time, PLAIN.time))
        sums = [
            (DAY, by, value, 1, 1, 1) for by, value in (("page", "/"), ("entry_page", "/"), ("source", ""))
        ]
        file.executemany("INSERT INTO daily VALUES (?, ?, ?, ?, ?, ?)", sums)

    later = SqliteHits(path)
    later.write(Batch("a", [PLAIN._replace(key=key, time=PLAIN.time + 7200) for key in (7, 8)], {}, {}))
    later.close()

    figures = SqliteFigures(path)
    for by in (Dimension.PAGE, Dimension.ENTRY, Dimension.SOURCE):
        assert [(one.views, one.visits, one.visitors) for one in figures.breakdown(BOTH, by)] == [(3, 3, 2)]


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


def test_forgetting_waits_for_another_worker_that_empties_the_journal(engine: SqliteHits, path: Path) -> None:
    engine.write(Batch("a", [PLAIN], {}, {}))

    with checkpointing(path, 0.3):
        engine.forget(keys_before=DAY + 1, hits_before=0, rollups_before=0)

    assert path.with_name(f"{path.name}-wal").stat().st_size == 0


def test_a_file_that_went_away_is_not_written_to_any_more(engine: SqliteHits, path: Path) -> None:
    path.rename(path.with_suffix(".old"))

    with pytest.raises(EngineDown, match="No such file"):
        engine.write(Batch("a", [PLAIN], {}, {}))


def test_no_new_file_is_made_beside_the_journal_of_one_that_was_moved_away(
    engine: SqliteHits, path: Path
) -> None:
    engine.write(Batch("a", [PLAIN], {}, {}))
    aside = path.with_suffix(".old")
    path.rename(aside)
    engine.close()

    with pytest.raises(EngineDown, match="the file is gone but its journal is not"):
        SqliteHits(path)

    aside.rename(path)
    SqliteHits(path).close()
    assert [one.views for one in SqliteFigures(path).by_day(BOTH)] == [1]


def test_a_second_connection_of_a_worker_leaves_the_first_one_its_locks(
    engine: SqliteHits, path: Path
) -> None:
    """Else another worker that closes the file takes itself for the last one and deletes the journal in use."""
    SqliteHits(path)  # as the thread that forgets has one
    closing = "import sys; from pathlib import Path\n"
    closing += "from cookieguard.features.statistics.engines.sqlite.writer import SqliteHits\n"
    closing += "SqliteHits(Path(sys.argv[1])).close()"
    subprocess.run([sys.executable, "-c", closing, path], check=True)

    engine.write(Batch("a", [PLAIN], {}, {}))

    counting = "import sqlite3, sys; print(sqlite3.connect(sys.argv[1]).execute('SELECT count(*) FROM hit').fetchone())"
    counted = subprocess.run([sys.executable, "-c", counting, path], check=True, capture_output=True)
    assert counted.stdout == b"(1,)\n"


def test_a_batch_that_went_into_a_file_that_is_replaced_meanwhile_is_written_again(
    engine: SqliteHits, path: Path
) -> None:
    restored = path.with_suffix(".backup")
    SqliteHits(restored).close()

    class Replacing(dict[str, int]):
        def items(self) -> ItemsView[str, int]:
            """Return what was lost, read within the transaction."""
            if restored.exists():
                restored.rename(path)
            return super().items()

    batch = Batch("a", [PLAIN], {}, Replacing())
    for _ in range(2):  # the second time the old file has it, which nobody reads
        with pytest.raises(EngineDown, match="took the place"):
            engine.write(batch)
    again = SqliteHits(path)
    again.write(batch)
    again.close()

    assert [one.views for one in SqliteFigures(path).by_day(BOTH)] == [1]


def test_hits_wait_for_others_and_are_summed_at_the_latest_when_somebody_asks(
    engine: SqliteHits, path: Path
) -> None:
    engine.write(Batch("a", [PLAIN], {}, {}))
    engine.look_after()
    engine.write(Batch("b", [PLAIN], {}, {}))
    engine.look_after()
    with closing(sqlite3.connect(path)) as file:
        assert file.execute("SELECT sum(views) FROM hourly").fetchone() == (1,)

    assert [one.views for one in SqliteFigures(path).by_day(BOTH)] == [2]
    with closing(sqlite3.connect(path)) as file:
        assert file.execute("SELECT count(*) FROM waiting").fetchone() == (0,)


def test_visitors_whose_hits_wait_are_counted_before_their_keys_go(engine: SqliteHits, path: Path) -> None:
    engine.write(Batch("a", [PLAIN._replace(key=key) for key in (7, 8, 7)], {}, {}))

    engine.forget(keys_before=DAY + 1, hits_before=0, rollups_before=0)

    assert [(one.views, one.visits, one.visitors) for one in SqliteFigures(path).by_day(BOTH)] == [(3, 2, 2)]


def test_hits_that_wait_are_counted_before_they_are_cut(engine: SqliteHits, path: Path) -> None:
    engine.write(Batch("a", [PLAIN] * 20, {}, {}))

    assert engine.cap_hits(10) == 20
    assert [one.views for one in SqliteFigures(path).by_day(BOTH)] == [20]


def test_hits_that_a_worker_of_the_release_before_sums_at_once_are_not_summed_again(
    engine: SqliteHits, path: Path
) -> None:
    columns = ", ".join("?" * len(PLAIN))
    with closing(sqlite3.connect(path)) as file, file:
        file.execute("DROP TABLE waiting")  # as it left the file
        file.execute(f"INSERT INTO hit VALUES (NULL, {columns})", PLAIN)
        file.execute("INSERT INTO hourly VALUES (?, 1, 0, 0, 0, 0, 0, 0)", (PLAIN.hour,))
    assert [one.views for one in SqliteFigures(path).by_day(BOTH)] == [1]

    later = SqliteHits(path)
    later.write(Batch("a", [PLAIN], {}, {}))
    with closing(sqlite3.connect(path)) as file, file:  # it goes on while others are restarted
        file.execute(f"INSERT INTO hit VALUES (NULL, {columns})", PLAIN)
        file.execute("UPDATE hourly SET views = views + 1")
    later.write(Batch("b", [PLAIN], {}, {}))
    later.close()

    assert [one.views for one in SqliteFigures(path).by_day(BOTH)] == [4]


KILLED = """
import sys
from pathlib import Path
sys.path[:0] = sys.argv[2:]
from features.statistics.engines.test_sqlite_hits import Batch, SqliteHits, draw_hits
from cookieguard.features.statistics.engines import sums
sums.SUM_UP_SECONDS = 0.01
writer, hits = SqliteHits(Path(sys.argv[1])), draw_hits(2000, seed=9)
print("ready", flush=True)
for start in range(0, 2000, 10):
    writer.write(Batch(f"{start}", hits[start : start + 10], {}, {}))
    writer.look_after()
"""


def test_a_worker_that_is_killed_at_any_time_loses_and_doubles_no_hit(path: Path) -> None:
    command = [sys.executable, "-c", KILLED, str(path), str(Path(__file__).parents[3])]
    left = 0
    for turn in range(4):
        process = subprocess.Popen(command, stdout=subprocess.PIPE)
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(0.02 + 0.03 * turn)
        process.kill()
        process.communicate(timeout=60)
        with closing(sqlite3.connect(path)) as file:
            left += file.execute("SELECT count(*) FROM waiting").fetchone()[0]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, timeout=60)

    figures, views = SqliteFigures(path), people(with_entries(draw_hits(2000, seed=9)))
    assert left > 0  # some were killed between a batch and its sums
    assert sum(one.views for one in figures.by_day(BOTH)) == len(views)
    assert sum(one.visitors for one in figures.by_day(BOTH)) == len({h.key for h in views if h.key})
    assert [tuple(one)[::3] for one in figures.breakdown(BOTH, Dimension.PAGE)] == [
        one[::3] for one in recount(views, "page")
    ]
