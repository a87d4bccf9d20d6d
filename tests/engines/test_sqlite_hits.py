"""Statistics in SQLite: what is in the file and what is not; test_stats_engines.py has what all engines do."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import ItemsView
from contextlib import closing
from pathlib import Path

import pytest
from stats.traffic import DAY, MIDNIGHT, PLAIN

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
            """Say what was lost: asked for within the transaction."""
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
