"""From the queue to the engine: hits survive an outage, and each is written once."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from harness.disks import filled, small_disk
from stats.traffic import DAY, MIDNIGHT, PLAIN

from cookieguard.features.statistics.engines import sink as hit_sink
from cookieguard.features.statistics.engines.protocol import Days, EngineDown
from cookieguard.features.statistics.engines.sink import HitSink
from cookieguard.features.statistics.engines.spool import Spool
from cookieguard.features.statistics.engines.sqlite import writer as sqlite_hits
from cookieguard.features.statistics.engines.sqlite.reader import SqliteFigures
from cookieguard.features.statistics.engines.sqlite.writer import SqliteHits
from cookieguard.stats.hits import Batch
from cookieguard.storage.day_keys import DayKeys
from cookieguard.storage.state_directory import StateDirectory

NOON = datetime.fromtimestamp(MIDNIGHT, UTC) + timedelta(hours=12)
ONE = Days(DAY, DAY)


@pytest.fixture
def state(tmp_path: Path) -> StateDirectory:
    return StateDirectory(tmp_path / "state")


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait less for a lock than in a shop."""
    monkeypatch.setattr(sqlite_hits, "BUSY_SECONDS", 0.05)


@pytest.fixture
def sink(state: StateDirectory, monkeypatch: pytest.MonkeyPatch) -> Iterator[HitSink]:
    pause = timedelta(milliseconds=1)
    monkeypatch.setattr(hit_sink, "TRY_AGAIN", (pause, pause))
    sink = sink_in(state)
    yield sink
    sink.close()


def sink_in(state: StateDirectory, *, limit: int = 1 << 20, now: datetime = NOON) -> HitSink:
    spool = Spool(state.path / "spool", limit=limit)
    return HitSink(lambda: SqliteHits(state.path / "stats.db"), spool, clock=lambda: now)


def views(state: StateDirectory) -> int:
    figures = SqliteFigures(state.path / "stats.db")
    try:
        return sum(one.views for one in figures.by_day(ONE))
    finally:
        figures.close()


def lost(state: StateDirectory) -> Mapping[str, int]:
    return SqliteFigures(state.path / "stats.db").lost(ONE)


def spooled(state: StateDirectory) -> list[Path]:
    return list((state.path / "spool").glob("*.spool"))


def until_back(sink: HitSink) -> None:
    time.sleep(0.01)
    sink.look_after()


def locked(state: StateDirectory) -> sqlite3.Connection:
    other = sqlite3.connect(state.path / "stats.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    return other


def test_a_locked_database_costs_no_hit(state: StateDirectory, sink: HitSink) -> None:
    sink.write([(PLAIN, 0)])
    other = locked(state)

    for _ in range(2):
        sink.write([(PLAIN, 987_654_321_987), (PLAIN, 0)])
    assert sink.is_down
    assert spooled(state)
    assert b"987654321987" not in spooled(state)[0].read_bytes()  # the key of the day before
    other.execute("ROLLBACK")
    until_back(sink)

    assert views(state) == 5
    assert not sink.is_down
    assert not spooled(state)
    assert not sink.lost


def test_spooled_hits_of_a_killed_worker_are_replayed_once(state: StateDirectory, sink: HitSink) -> None:
    sink.write([(PLAIN, 0)])
    other = locked(state)
    sink.write([(PLAIN, 0)] * 3)
    other.execute("ROLLBACK")
    (left,) = spooled(state)
    content = left.read_bytes()
    sink.close()

    sink_in(state).look_after()
    assert views(state) == 4
    left.write_bytes(content + content + b'{"id": "torn')  # killed before it was unlinked, and while writing
    sink_in(state).look_after()

    assert views(state) == 4
    assert not spooled(state)


KILLED = """
import sys, time
sys.path[:0] = sys.argv[2:]
from features.statistics.engines.test_stats_sink import *
state = StateDirectory(Path(sys.argv[1]))
sink = sink_in(state)
other = sqlite3.connect(state.path / "stats.db", timeout=0, isolation_level=None)
for number in range(10_000):
    try:
        other.execute("BEGIN IMMEDIATE" if number % 2 else "ROLLBACK")
    except sqlite3.OperationalError:
        pass
    sink._not_before = 0.0
    sink.write([(PLAIN._replace(bytes=number), 0)])
    print(number, flush=True)
"""


def test_sigkill_loses_nothing_that_was_taken_and_doubles_nothing(state: StateDirectory) -> None:
    sink_in(state).write([(PLAIN._replace(page="/control"), 0)])
    tests = str(Path(__file__).parents[3])
    taken = 0
    for _ in range(2):
        command = [
            sys.executable,
            "-c",
            KILLED.replace("sink._not_before = 0.0", FAST),
            str(state.path),
            tests,
        ]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as worker:
            assert worker.stdout is not None
            lines = [worker.stdout.readline() for _ in range(25)]
            os.kill(worker.pid, signal.SIGKILL)
            taken += len(lines) + len(worker.stdout.readlines())

    last = sink_in(state)
    last.look_after()

    rows = sqlite3.connect(state.path / "stats.db").execute("SELECT bytes, count(*) FROM hit GROUP BY bytes")
    most = max(count for number, count in rows if number != 1000)
    assert most <= 2  # once from each worker
    assert taken <= views(state) - 1 <= taken + 2  # a hit may have been written whose number was not printed


FAST = "sink._not_before = 0.0; import cookieguard.features.statistics.engines.sqlite.writer as e; e.BUSY_SECONDS = 0.0"


def test_a_full_spool_drops_and_counts_and_the_figures_say_so(state: StateDirectory) -> None:
    SqliteHits(state.path / "stats.db").close()
    sink = sink_in(state, limit=1500)
    other = locked(state)

    for _ in range(4):
        sink.write([(PLAIN, 0)])
    other.execute("ROLLBACK")
    dropped = dict(sink.lost)
    sink._not_before = 0.0
    sink.write([(PLAIN, 0)])

    assert dropped == {"spool full": 4 - views(state) + 1}
    assert 0 < dropped["spool full"] < 4
    assert lost(state) == dropped
    sink.close()


def test_a_full_disk_drops_and_counts_and_recovers(tmp_path: Path) -> None:
    with small_disk(tmp_path / "small") as place:
        state = StateDirectory(place / "state")
        sink = sink_in(state)
        sink.write([(PLAIN, 0)])
        with filled(place):
            sink.write([(PLAIN, 0)] * 2000)
            assert sum(sink.lost.values()) == 2000, sink.lost
        sink._not_before = 0.0
        sink.write([(PLAIN, 0)])

        assert views(state) == 2
        assert lost(state) == sink.lost
        assert "No space left" in next(iter(sink.lost))
        sink.close()


def test_a_refused_batch_counts_once_although_its_file_is_brought_again(
    state: StateDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hit_sink, "TRY_AGAIN", (timedelta(milliseconds=1),) * 2)
    failures = ["later", "later"]

    class GoesDown(SqliteHits):
        """An engine that fails at the second batch of the file, twice."""

        def write(self, batch: Batch) -> None:
            if batch.id in failures:
                failures.remove(batch.id)
                raise EngineDown("gone")
            super().write(batch)

    spool = Spool(state.path / "spool")
    spool.add(Batch("refused", [PLAIN._replace(bytes=2**70)] * 3, {}, {}))
    spool.add(Batch("later", [PLAIN], {}, {}))
    spool.close()
    sink = HitSink(lambda: GoesDown(state.path / "stats.db"), spool, clock=lambda: NOON)
    for _ in range(3):
        until_back(sink)
    sink.write([(PLAIN, 0)])
    sink.close()

    assert (views(state), lost(state), spooled(state)) == (2, {"refused: OverflowError": 3}, [])


def test_hits_lost_before_they_came_are_told(state: StateDirectory, sink: HitSink) -> None:
    sink.note_lost("queue full", 7)
    sink.write([(PLAIN, 0)])

    assert lost(state) == {"queue full": 7}


def test_a_day_key_is_gone_within_48_hours_though_nobody_comes(state: StateDirectory) -> None:
    now = [NOON]
    keys = DayKeys(state, "visitor", clock=lambda: now[0])
    key = keys.key(NOON.date())
    assert key is not None
    spool = Spool(state.path / "spool")
    sink = HitSink(lambda: SqliteHits(state.path / "stats.db"), spool, keys=keys, clock=lambda: now[0])

    def is_there() -> bool:
        return any(key in path.read_bytes() for path in state.path.iterdir() if path.is_file())

    assert is_there()
    now[0] += timedelta(hours=47 - 12)
    sink.look_after()
    assert not is_there()
    now[0] -= timedelta(hours=24)  # the clock is stepped back
    assert keys.key(NOON.date()) != key
    sink.close()
