"""Statistics in PostgreSQL: a server that goes away, days that are closed, and writers that wait."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from harness.postgres import Postgres, postgres, why_not
from harness.quick import some_of
from harness.servers import START_SECONDS, wait_until
from harness.stats_engines import new_database
from stats.traffic import DAY, MIDNIGHT, PLAIN, draw_hits, people, recount, with_entries

from cookieguard.config import StatsSettings
from cookieguard.errors import ConfigError
from cookieguard.features.statistics.engines import sink as hit_sink
from cookieguard.features.statistics.engines import sums
from cookieguard.features.statistics.engines.open import open_engine
from cookieguard.features.statistics.engines.protocol import Days, EngineDown, HitReader
from cookieguard.features.statistics.engines.sink import HitSink
from cookieguard.features.statistics.engines.spool import Spool
from cookieguard.stats.hits import OTHER, Batch, Dimension
from cookieguard.stats.rollups import MAX_VALUES

if why_not():
    pytest.skip(f"PostgreSQL is NOT tested: {why_not()}", allow_module_level=True)

import psycopg

from cookieguard.features.statistics.engines.postgres import reader as postgres_reader
from cookieguard.features.statistics.engines.postgres import writer as postgres_hits
from cookieguard.features.statistics.engines.postgres.engine import PostgresStats
from cookieguard.features.statistics.engines.postgres.schema import LOCK_SUMS
from cookieguard.features.statistics.engines.postgres.writer import PostgresHits

BOTH = Days(DAY, DAY + 1)
NOON = datetime.fromtimestamp(MIDNIGHT + 43_200, UTC)
KEY = 0x1122334455667788
LOCK = "SELECT pg_advisory_xact_lock(4951760157141521100)"


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    with postgres() as server:
        yield server


@pytest.fixture
def url(server: Postgres) -> str:
    return new_database(server)


@pytest.fixture
def writer(url: str) -> Iterator[PostgresHits]:
    writer = PostgresHits(url)
    yield writer
    writer.close()


@pytest.fixture
def figures(url: str, writer: PostgresHits) -> Iterator[HitReader]:
    reader = PostgresStats(url, Path()).reader()
    yield reader
    reader.close()


def asked(url: str, query: str) -> list[Any]:
    with psycopg.connect(url, autocommit=True) as connection:
        return connection.execute(query).fetchall()


def partitions(url: str, table: str) -> list[str]:
    query = (
        f"SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = '{table}'::regclass ORDER BY 1"
    )
    return [name for (name,) in asked(url, query)]


def sink_at(url: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> HitSink:
    pause = timedelta(milliseconds=1)
    monkeypatch.setattr(hit_sink, "TRY_AGAIN", (pause, pause))
    return HitSink(lambda: PostgresHits(url), Spool(folder / "spool"), clock=lambda: NOON, batch_hits=40)


def test_a_server_that_stops_and_starts_while_hits_are_written_costs_none_and_doubles_none(
    server: Postgres, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hits = draw_hits(4000, seed=5)
    sink, was_down = sink_at(url, tmp_path, monkeypatch), []

    stopped = [threading.Event(), threading.Event()]

    def write() -> None:
        for number, start in enumerate(range(0, len(hits), 80)):
            if number in (15, 35):  # there is always something left to write while the server is away
                stopped[number > 15].wait(START_SECONDS)
            sink.write([(hit, 0) for hit in hits[start : start + 80]])
            was_down.append(sink.is_down)
            time.sleep(0.01)

    thread = threading.Thread(target=write)
    thread.start()
    for one in stopped:
        time.sleep(0.1)
        server.stop()
        before = len(was_down)
        one.set()
        wait_until(lambda before=before: len(was_down) > before + 1, "hits come while it is away")  # type: ignore[misc]
        server.start()
    thread.join(START_SECONDS)
    while sink.is_down or list((tmp_path / "spool").glob("*.spool")):
        time.sleep(0.01)
        sink.look_after()
    sink.close()

    assert True in was_down
    assert False in was_down
    assert not sink.lost
    with closing(PostgresStats(url, tmp_path).reader()) as figures:
        assert sum(one.views for one in figures.by_day(BOTH)) == len(people(hits))
        assert sum(one.bots for one in figures.by_day(BOTH)) == sum(bool(hit.bot) for hit in hits)
    assert asked(url, "SELECT count(*) FROM cookieguard_hit") == [(len(hits),)]


KILLED = """
import sys
sys.path[:0] = sys.argv[3:]
from features.statistics.engines.test_postgres_hits import Batch, PostgresHits, draw_hits
writer, hits = PostgresHits(sys.argv[1]), draw_hits(1000, seed=int(sys.argv[2]))
print("ready", flush=True)
for start in range(0, 1000, 20):
    writer.write(Batch(f"b{start}", hits[start : start + 20], {}, {}))
"""


@pytest.mark.parametrize("delays", some_of([(0.0, 0.01, 0.03, 0.06), (0.03,)], (0.03,)), ids=len)
def test_killed_writers_leave_whole_batches_and_no_lock(
    url: str, writer: PostgresHits, figures: HitReader, delays: tuple[float, ...]
) -> None:
    hits, tests = draw_hits(1000, seed=8), str(Path(__file__).parents[3])
    for after in delays:
        command = [sys.executable, "-c", KILLED, url, "8", tests]
        process = subprocess.Popen(command, stdout=subprocess.PIPE)
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(after)
        process.kill()
        process.communicate(timeout=240)

    for start in range(0, 1000, 20):  # whoever replays writes all of them again
        writer.write(Batch(f"b{start}", hits[start : start + 20], {}, {}))

    assert sum(one.views for one in figures.by_day(BOTH)) == len(people(hits))


def test_a_lock_that_is_not_given_back_is_waited_for_no_longer_than_a_second(
    url: str, writer: PostgresHits, figures: HitReader
) -> None:
    writer.write(Batch("a", [PLAIN], {}, {}))
    with psycopg.connect(url) as other:
        other.execute(LOCK)
        start = time.monotonic()
        with pytest.raises(EngineDown, match=r"^PostgreSQL: LockNotAvailable$"):
            writer.write(Batch("b", [PLAIN], {}, {}))
        waited = time.monotonic() - start
        assert [one.views for one in figures.by_day(BOTH)] == [1]  # reading waits for nobody

    assert 0.9 < waited < 10  # the machine may be busy
    writer.write(Batch("b", [PLAIN], {}, {}))
    assert [one.views for one in figures.by_day(BOTH)] == [2]


def test_a_server_that_hangs_is_waited_for_no_longer_than_its_own_time_outs_would_take(
    url: str, writer: PostgresHits, figures: HitReader
) -> None:
    writer.write(Batch("a", [PLAIN], {}, {}))
    backend = writer._connection.info.backend_pid
    os.kill(backend, signal.SIGSTOP)
    try:
        start = time.monotonic()
        with pytest.raises(EngineDown, match=r"^PostgreSQL: OperationalError$"):
            writer.write(Batch("b", [PLAIN], {}, {}))
        waited = time.monotonic() - start
    finally:
        os.kill(backend, signal.SIGCONT)

    assert 1 < waited < 10
    assert [one.views for one in figures.by_day(BOTH)] == [1]
    with closing(PostgresHits(url)) as again:
        again.write(Batch("b", [PLAIN], {}, {}))
        again.write(Batch("b", [PLAIN], {}, {}))
    assert [one.views for one in figures.by_day(BOTH)] == [2]


def test_why_a_server_cannot_be_reached_is_told_without_its_url(url: str) -> None:
    wrong = {
        "postgresql://shop:hush@db.invalid/shop": "its host is unknown",
        url.replace("//postgres@", "//hush@"): "it has no such user or database",
        f"{url.rpartition('/')[0]}/hush": "it has no such user or database",
    }

    for address, reason in wrong.items():
        with pytest.raises(EngineDown) as told:
            PostgresStats(address, Path()).writer()
        assert str(told.value) == f"PostgreSQL: OperationalError, {reason}"


def test_a_server_that_is_not_there_is_told_without_its_url() -> None:
    engine = PostgresStats("postgresql://shop:hush@127.0.0.1:1/shop", Path())

    for ask in (engine.writer, engine.existing, engine.reader, engine.retained):
        with pytest.raises(EngineDown) as told:
            ask()
        assert str(told.value) == "PostgreSQL: OperationalError, no server listens at its address"
    assert "hush" not in repr(StatsSettings(url="postgresql://shop:hush@127.0.0.1:1/shop"))


def test_a_missing_driver_is_named_with_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "cookieguard.features.statistics.engines.postgres.engine", None)

    with pytest.raises(ConfigError, match=r"stats.url.*pip install '\.\[postgres\]'") as told:
        open_engine(StatsSettings(url="postgresql://shop:hush@db/shop"), tmp_path, environ={})

    assert "hush" not in str(told.value)


def test_days_are_made_ahead(url: str, writer: PostgresHits) -> None:
    writer.write(Batch("a", [PLAIN], {}, {}))

    assert partitions(url, "cookieguard_hit") == [f"cookieguard_hit_{DAY + ahead}" for ahead in range(3)]


def _bytes_of(path: Path) -> bytes:
    """Return what is in a file; nothing of one that the server has removed since it was listed."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""


def test_deleted_hits_are_in_no_file_of_postgres_except_its_recovery_log(
    server: Postgres, url: str, writer: PostgresHits
) -> None:
    old = PLAIN._replace(key=KEY, page="/very-old-page")
    needles = KEY.to_bytes(8, "little"), b"/very-old-page"
    writer.write(Batch("a", [old], {}, {}))

    def found(folder: str) -> list[bool]:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("CHECKPOINT")
        files = [one for one in (server.directory / "data" / folder).rglob("*") if one.is_file()]
        content = b"".join(_bytes_of(one) for one in files)
        return [needle in content for needle in needles]

    assert found("base") == [True, True]
    writer.forget(keys_before=DAY + 1, hits_before=0, rollups_before=0)
    assert found("base") == [False, True]
    assert partitions(url, "cookieguard_visit") == [f"cookieguard_visit_{DAY + ahead}" for ahead in (1, 2)]
    writer.forget(keys_before=DAY + 1, hits_before=DAY + 1, rollups_before=0)
    assert partitions(url, "cookieguard_hit") == [f"cookieguard_hit_{DAY + ahead}" for ahead in (1, 2)]
    assert found("pg_wal")[0]  # SECURITY.md says so, and for how long


def test_a_hit_that_comes_after_its_key_is_gone_has_none(
    url: str, writer: PostgresHits, figures: HitReader
) -> None:
    writer.write(Batch("a", [PLAIN._replace(key=7)], {}, {}))
    writer.forget(keys_before=DAY + 1, hits_before=0, rollups_before=0)

    writer.write(Batch("b", [PLAIN._replace(key=7), PLAIN._replace(key=8, source="news.example")], {}, {}))

    assert asked(url, "SELECT DISTINCT key FROM cookieguard_hit") == [(0,)]
    assert [one[1:5] for one in figures.by_day(BOTH)] == [(3, 2, 1, 1)]
    writer.forget(keys_before=DAY + 1, hits_before=0, rollups_before=0)  # nothing left to do


def test_hits_that_go_before_anybody_asked_are_in_the_sums(
    url: str, writer: PostgresHits, figures: HitReader
) -> None:
    hits = draw_hits(600, seed=3)
    writer.write(Batch("a", hits, {}, {}))

    writer.forget(keys_before=DAY + 2, hits_before=DAY + 1, rollups_before=0)

    views = people(with_entries(hits))
    assert asked(url, f"SELECT count(*) FROM cookieguard_hit WHERE time < {MIDNIGHT + 86_400}") == [(0,)]
    assert sum(one.visits for one in figures.by_day(BOTH)) == sum(hit.entry for hit in views)
    assert sum(one.visitors for one in figures.by_day(BOTH)) == len({hit.key for hit in views if hit.key})
    pages = [tuple(one) for one in figures.breakdown(BOTH, Dimension.PAGE)]
    assert pages == recount(views, "page")


def test_entries_stay_with_hits_whose_keys_are_gone(writer: PostgresHits, figures: HitReader) -> None:
    hits = draw_hits(600, seed=4)
    early = PLAIN._replace(time=MIDNIGHT + 86_400 + 60, key=22, country="AT")
    writer.write(Batch("a", [*hits, PLAIN._replace(time=MIDNIGHT + 86_400 - 60, key=11)], {}, {}))
    writer.write(Batch("b", [early], {22: 11}, {}))
    where = {Dimension.COUNTRY: "FR"}
    before = [one[:4] for one in figures.by_day(BOTH, where)]

    writer.forget(keys_before=DAY + 2, hits_before=0, rollups_before=0)

    assert [one[1:3] for one in figures.by_day(BOTH, {Dimension.COUNTRY: "AT"})] == [(1, 0)]
    assert sum(one[2] for one in before) > 0
    after = [(one.at, one.views, one.visits) for one in figures.by_day(BOTH, where)]
    assert after == [one[:3] for one in before]


def test_late_hits_of_a_day_that_was_summed_up_are_in_its_sums(
    writer: PostgresHits, figures: HitReader
) -> None:
    hits = draw_hits(1200, seed=5)
    first, late = hits[::2], hits[1::2]
    writer.write(Batch("a", first, {}, {}))
    assert sum(one.views for one in figures.by_day(BOTH)) == len(people(first))

    writer.write(Batch("b", late, {}, {}))  # as a spool does

    views = people(hits)
    assert sum(one.views for one in figures.by_day(BOTH)) == len(views)
    assert [(one.value, one.views, one.visitors) for one in figures.breakdown(BOTH, Dimension.PAGE)] == [
        (value, seen, visitors) for value, seen, _, visitors in recount(views, "page")
    ]


def test_values_that_come_more_often_take_the_place_of_rare_ones(
    writer: PostgresHits, figures: HitReader
) -> None:
    pages = [PLAIN._replace(page=f"/{number}", key=number + 1) for number in range(MAX_VALUES - 10)]
    news = [PLAIN._replace(page=f"/new/{number % 30}", key=9000 + number) for number in range(60)]
    writer.write(Batch("first", pages, {}, {}))
    assert len(figures.breakdown(BOTH, Dimension.PAGE)) == len(pages)

    writer.write(Batch("more", news, {}, {}))

    found = {one.value: one for one in figures.breakdown(BOTH, Dimension.PAGE)}
    assert len(found) == MAX_VALUES + 1
    assert [found[f"/new/{number}"].views for number in range(30)] == [2] * 30
    assert (found[OTHER].views, found[OTHER].visitors) == (20, 20)


def test_sums_are_made_where_nobody_reads(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sums, "SUM_UP_SECONDS", 1000)
    sink = sink_at(url, tmp_path, monkeypatch)
    views = "SELECT sum(views) FROM cookieguard_hourly"

    sink.write([(PLAIN, 0)])
    assert asked(url, views) == [(1,)]
    sink.write([(PLAIN, 0)] * 100)
    assert asked(url, views) == [(1,)]  # not yet
    monkeypatch.setattr(postgres_hits, "STEP_HITS", 100)
    sink.look_after()  # as it is where nobody comes

    assert asked(url, views) == [(101,)]
    assert asked(url, "SELECT count(*) FROM cookieguard_batch WHERE NOT is_summed") == [(0,)]
    sink.close()


SUMMING = """
import sys
sys.path[:0] = sys.argv[3:]
from features.statistics.engines.test_postgres_hits import Batch, PostgresHits, PostgresStats, Path, BOTH, draw_hits
url, part = sys.argv[1], int(sys.argv[2])
writer, reader, hits = PostgresHits(url), PostgresStats(url, Path()).reader(), draw_hits(2000, seed=9)[part::4]
print("ready", flush=True)
for start in range(0, 500, 10):
    writer.write(Batch(f"{part}-{start}", hits[start : start + 10], {}, {}))
    reader.by_day(BOTH)
"""


@pytest.mark.parametrize("kills", some_of([0, 1, 5], 1))
def test_four_that_write_and_sum_up_at_once_and_are_killed_count_each_hit_once(
    url: str, writer: PostgresHits, figures: HitReader, kills: int
) -> None:
    hits, tests = draw_hits(2000, seed=9), str(Path(__file__).parents[3])
    commands = [[sys.executable, "-c", SUMMING, url, str(part), tests] for part in range(4)]

    for turn in range(kills):
        process = subprocess.Popen(commands[turn % 4], stdout=subprocess.PIPE)
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(0.05 + 0.15 * turn)
        process.kill()
        process.communicate(timeout=240)
    for process in [subprocess.Popen(one, stdout=subprocess.DEVNULL) for one in commands]:
        assert process.wait(120) == 0

    views = people(with_entries(hits))
    assert sum(one.views for one in figures.by_day(BOTH)) == len(views)
    assert sum(one.visitors for one in figures.by_day(BOTH)) == len({hit.key for hit in views if hit.key})
    assert [(one.value, one.views, one.visitors) for one in figures.breakdown(BOTH, Dimension.PAGE)] == [
        (value, seen, visitors) for value, seen, _, visitors in recount(views, "page")
    ]


def test_sums_that_cannot_be_added_are_told_and_added_later(
    url: str, writer: PostgresHits, figures: HitReader, caplog: pytest.LogCaptureFixture
) -> None:
    with psycopg.connect(url, autocommit=True) as other:
        other.execute("ALTER TABLE cookieguard_hourly RENAME TO elsewhere")
        writer.write(Batch("a", [PLAIN], {}, {}))
        writer.look_after()
        other.execute("ALTER TABLE elsewhere RENAME TO cookieguard_hourly")

    assert "sums are updated later (PostgreSQL: UndefinedTable)" in caplog.text
    assert [one.views for one in figures.by_day(BOTH)] == [1]
    writer.write(Batch("b", [PLAIN], {}, {}))
    assert [one.views for one in figures.by_day(BOTH)] == [2]


def test_a_user_who_may_make_no_temporary_tables_adds_to_the_sums_and_forgets(
    server: Postgres, url: str, caplog: pytest.LogCaptureFixture
) -> None:
    name, user = url.rpartition("/")[2], f"user_{url.rpartition('_')[2]}"
    with psycopg.connect(url, autocommit=True) as owner:
        owner.execute(f"CREATE ROLE {user} LOGIN")
        owner.execute(f"REVOKE ALL ON DATABASE {name} FROM PUBLIC")
        owner.execute(f"GRANT CONNECT ON DATABASE {name} TO {user}")
        owner.execute(f"GRANT CREATE ON SCHEMA public TO {user}")
        with closing(PostgresHits(url.replace("//postgres@", f"//{user}@"))) as writer:
            writer.write(Batch("a", [PLAIN._replace(key=KEY)], {}, {}))
            writer.look_after()
            views = owner.execute("SELECT views FROM cookieguard_hourly").fetchall()
            writer.forget(keys_before=DAY + 1, hits_before=0, rollups_before=0)
        keys = owner.execute("SELECT key FROM cookieguard_hit").fetchall()

    assert (keys, views) == ([(0,)], [(1,)])
    assert "sums are updated later" not in caplog.text


def test_hits_that_another_worker_wrote_are_summed_as_our_own(
    url: str, writer: PostgresHits, figures: HitReader
) -> None:
    odd = PLAIN._replace(page='a\tb\\c\nd"e{f},\\N', key=KEY)
    with closing(PostgresHits(url)) as other:
        other.write(Batch("a", [odd], {}, {}))
        writer.write(Batch("b", [odd._replace(time=odd.time + 60)], {}, {}))
        writer.look_after(at_once=True)

    assert [tuple(one) for one in figures.breakdown(BOTH, Dimension.PAGE)] == [(odd.page, 2, 1, 1)]


def test_readers_of_figures_do_not_wait_for_the_writer_of_sums(
    url: str, writer: PostgresHits, figures: HitReader
) -> None:
    writer.write(Batch("a", [PLAIN], {}, {}))
    writer.look_after()
    with psycopg.connect(url) as other:
        other.execute(LOCK_SUMS)
        writer.write(Batch("b", [PLAIN], {}, {}))  # nor does who writes
        start = time.monotonic()
        assert [one.views for one in figures.by_day(BOTH)] == [1]
        waited = time.monotonic() - start

    assert 0.4 < waited < 5
    assert [one.views for one in figures.by_day(BOTH)] == [2]


def test_keys_stay_where_a_hit_comes_while_they_are_taken_out(url: str, writer: PostgresHits) -> None:
    writer.write(Batch("a", [PLAIN._replace(key=7)], {}, {}))
    with psycopg.connect(url) as other:  # it has the lock, and writes to that day
        other.execute(LOCK)
        other.execute(f"INSERT INTO cookieguard_hit SELECT * FROM cookieguard_hit_{DAY}")
        with pytest.raises(EngineDown):
            writer.forget(keys_before=DAY + 1, hits_before=0, rollups_before=0)

    writer.forget(keys_before=DAY + 1, hits_before=0, rollups_before=0)

    assert asked(url, "SELECT count(*), max(key) FROM cookieguard_hit") == [(2, 0)]


def test_two_machines_forget_at_once(url: str, writer: PostgresHits) -> None:
    for day in range(12):
        hits = [PLAIN._replace(time=PLAIN.time + day * 86_400, key=number) for number in range(1, 200)]
        writer.write(Batch(f"d{day}", hits, {}, {}))
    told: list[str] = []

    def forget() -> None:
        with closing(PostgresHits(url)) as other:
            try:
                other.forget(keys_before=DAY + 10, hits_before=DAY + 3, rollups_before=DAY)
            except EngineDown as error:
                told.append(str(error))

    threads = [threading.Thread(target=forget) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert told == []
    counts = "SELECT time / 86400, count(*), max(key) FROM cookieguard_hit GROUP BY 1 ORDER BY 1"
    assert asked(url, counts) == [(DAY + day, 199, 0 if day < 10 else 199) for day in range(3, 12)]


def test_text_that_postgresql_cannot_hold_is_marked(writer: PostgresHits, figures: HitReader) -> None:
    writer.write(Batch("a", [PLAIN._replace(page="/a\0b"), PLAIN._replace(page="/\ud800")], {}, {}))

    pages = [one.value for one in figures.breakdown(BOTH, Dimension.PAGE)]
    assert pages == ["/?", "/a?b"]


@pytest.mark.parametrize("page", ["/a", "/\0"])
@pytest.mark.parametrize("field", ["bytes", "status", "duration", "key"])
def test_a_batch_the_server_will_never_take_holds_up_no_other(
    url: str, figures: HitReader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, field: str, page: str
) -> None:
    """Left of a release that wrote no checksum, say: as a server that is down it would be tried for ever."""
    sink = sink_at(url, tmp_path, monkeypatch)

    bad = PLAIN._replace(page=page, **{field: 2**70})
    sink.write([(bad, 0)])
    sink.write([(PLAIN, 0)])
    spool = Spool(tmp_path / "spool")
    spool.add(Batch("bad", [bad] * 3, {}, {}))
    spool.add(Batch("good", [PLAIN], {}, {}))
    spool.close()
    sink.look_after()
    sink.write([(PLAIN, 0)])
    sink.close()

    assert sum(one.views for one in figures.by_day(BOTH)) == 3
    assert figures.lost(BOTH) == {"refused: Unstorable": 4}
    assert not list((tmp_path / "spool").glob("*.spool"))


def test_hits_of_a_day_are_given_however_long_the_server_sorts_them(
    url: str, writer: PostgresHits, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of 1.5 million it sorted for longer than a page may take, and such a day could not be exported."""
    writer.write(Batch("one", [PLAIN, PLAIN], {}, {}))
    monkeypatch.setattr(postgres_reader, "STATEMENT_MILLISECONDS", 300)
    slow = postgres_reader.HITS.replace("AS hits ORDER", "AS hits, (SELECT pg_sleep(1.5)) AS slow ORDER")
    monkeypatch.setattr(postgres_reader, "HITS", slow)

    with closing(PostgresStats(url, Path()).reader()) as figures:
        assert len(list(figures.hits(PLAIN.day))) == 2  # type: ignore[attr-defined] # it is ours
        with pytest.raises(EngineDown):  # a page waits no longer than before
            figures._runner.ask("SELECT pg_sleep(1)", {})  # type: ignore[attr-defined]
