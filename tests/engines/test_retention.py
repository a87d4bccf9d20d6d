"""Data whose time is over are deleted, also from the files' bytes: by one worker, once an hour, despite failures."""

from __future__ import annotations

import asyncio
import gc
import os
import sqlite3
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from harness.asgi import ask
from harness.parts import part_of
from harness.retention import retention_of
from harness.servers import wait_until
from starlette.responses import PlainTextResponse
from stats.traffic import DAY, MIDNIGHT, PLAIN

from cookieguard import Config, CookieGuard
from cookieguard.config import LogSettings, StatsSettings
from cookieguard.config.proof import ProofSettings
from cookieguard.config.root import CspSettings, VaultSettings
from cookieguard.engines import retention
from cookieguard.engines.files.undeclared_loads import (
    UNDECLARED_LOADS_FILE,
    UndeclaredLoadsFile,
    read_undeclared_loads,
)
from cookieguard.engines.retention import CUT, RECORD_FILE, Retention, hold_record, read_run
from cookieguard.features.statistics import jobs
from cookieguard.features.statistics.engines.protocol import Days
from cookieguard.features.statistics.engines.sqlite import writer as sqlite_hits
from cookieguard.features.statistics.engines.sqlite.reader import SqliteFigures
from cookieguard.features.statistics.engines.sqlite.writer import SqliteHits
from cookieguard.features.vault.sealed_events import VaultWriter, make_keys, read_public_keys
from cookieguard.features.vault.vault_records import Risk
from cookieguard.stats.hits import Batch, Dimension, Hit
from cookieguard.storage.day_keys import DayKeys
from cookieguard.storage.runtime_directory import RuntimeDirectory, runtime_place
from cookieguard.storage.state_directory import HourKeys, StateDirectory
from cookieguard.web.parts.guard import Core

NOW = datetime.fromtimestamp(MIDNIGHT, UTC) + timedelta(hours=23)
KEY = 0x1122334455667788


class Shop:
    """The files of a shop, and a clock."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.state = StateDirectory(directory / "state")
        self.config = Config(state_dir=str(self.state.path), runtime_dir=str(directory / "runtime"))
        self.runtime = RuntimeDirectory(runtime_place(self.config.runtime_dir, self.state.path))
        self.now = NOW
        self.engine = SqliteHits(self.state.path / "stats.db")  # a worker's, open all the time
        self.batches = 0

    def worker(self) -> Retention:
        return retention_of(self.config, lambda: self.now, state=self.state.path)

    def write(self, *hits: Hit) -> None:
        self.batches += 1
        self.engine.write(Batch(f"b{self.batches}", hits, {}, {}))

    def holds(self, *needles: bytes) -> list[bool]:
        """Return for each needle whether a file under the directory has it in its bytes or name."""
        files = [path for path in self.directory.rglob("*") if path.is_file()]
        written = b"".join(path.read_bytes() + path.name.encode() for path in files)
        return [needle in written for needle in needles]


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    shop = Shop(tmp_path)
    yield shop
    shop.engine.close()


def hit(page: str, at: datetime, key: int = 0) -> Hit:
    return PLAIN._replace(page=page, time=int(at.timestamp()), key=key)


def test_bytes_of_hits_sums_and_keys_are_gone_when_their_time_is_over(shop: Shop) -> None:
    shop.write(hit("/sum-over", NOW - timedelta(days=761)))
    shop.write(hit("/hit-over", NOW - timedelta(days=31)), hit("/hit-kept", NOW - timedelta(days=30)))
    key = KEY.to_bytes(8, "big")
    shop.write(hit("/keyed", NOW - timedelta(hours=47), KEY), hit("/today", NOW, KEY + 1))
    assert shop.holds(b"/sum-over", b"/hit-over", b"/hit-kept", key) == [True] * 4

    run = shop.worker().look()

    assert run is not None
    assert run.failed == {}
    assert shop.holds(b"/sum-over", key) == [False, False]
    assert shop.holds(b"/hit-kept", b"/keyed", b"/today", (KEY + 1).to_bytes(8, "big")) == [True] * 4
    figures = SqliteFigures(shop.state.path / "stats.db")
    old = Days(DAY - 31, DAY - 31)
    assert [one.views for one in figures.by_day(old)] == [1]  # the sum outlives its hit
    figures.close()
    assert shop.engine._connection.execute(
        "SELECT count(*) FROM hit WHERE page = '/hit-over'"
    ).fetchone() == (0,)


def test_days_that_are_over_are_counted_for_filters_before_their_keys_go(shop: Shop) -> None:
    shop.write(hit("/", NOW - timedelta(hours=47), KEY), hit("/", NOW, KEY))

    assert shop.worker().look() is not None

    figures, where = SqliteFigures(shop.state.path / "stats.db"), {Dimension.COUNTRY: "DE"}
    days = figures.by_day(Days(DAY - 9, DAY), where)
    assert [(one.views, one.visitors) for one in days] == [(1, 1), (1, 1)]
    figures.close()
    assert shop.engine._connection.execute("SELECT day FROM crosstab_day").fetchall() == [(DAY - 1,)]


def test_one_run_counts_all_days_that_close_at_once(shop: Shop) -> None:
    """A spool that comes back, or figures taken over: the keys of all these days go in the same run."""
    shop.write(*(hit("/", NOW - timedelta(days=ago), KEY + ago) for ago in range(12, -1, -1)))

    assert shop.worker().look() is not None

    figures = SqliteFigures(shop.state.path / "stats.db")
    assert list(figures.keyed_days(Days(0, DAY))) == list(range(DAY - 12, DAY))
    assert [
        one.visitors for one in figures.breakdown(Days(0, DAY), Dimension.PAGE, {Dimension.COUNTRY: "DE"})
    ] == [13]
    figures.close()


def test_old_logs_and_keys_are_gone_though_nobody_comes(shop: Shop) -> None:
    logs = shop.state.subdirectory("logs")
    for days in (14, 13):
        (logs / f"access-{NOW - timedelta(days=days):%Y-%m-%d}-7.log").write_text(f"line of {days}\n")
    then = NOW - timedelta(days=2)
    keys = [DayKeys(shop.runtime, use, clock=lambda: then).key(then.date()) for use in ("log", "visitor")]
    keys += [DayKeys(shop.runtime, use, clock=lambda: NOW).key(NOW.date()) for use in ("log", "visitor")]
    # The second one removed it
    (shop.runtime.path / f"visitor-day-{then:%Y%m%d}").write_bytes(keys[1] or b"")
    hours = [HourKeys(shop.runtime).key(NOW - timedelta(hours=5)), HourKeys(shop.runtime).key(NOW)]
    needles = [b"line of 14", b"line of 13", keys[1], keys[2], keys[3], hours[1]]

    run = shop.worker().look()

    assert run is not None
    assert run.removed["access log"] == 1
    assert shop.holds(*(needle or b"" for needle in needles)) == [False, True, False, True, True, True]


def test_sealed_events_and_their_public_keys_go_without_the_private_directory(shop: Shop) -> None:
    private = StateDirectory(shop.directory / "private")
    old = NOW - timedelta(days=8)
    make_keys(shop.state, private, today=old.date(), days=10)
    writer = VaultWriter(shop.state)
    for at, name in ((old, "gone"), (NOW, "kept")):
        writer.write([writer.form(Risk(event="abuse", id=name, time=at, address="203.0.113.7"))])

    run = shop.worker().look()

    assert run is not None
    assert run.removed["sealed events"] == 1
    assert shop.holds(b'"gone"', b'"kept"') == [False, True]
    assert min(read_public_keys(shop.state.path)) == (NOW - timedelta(days=7)).date()
    assert (private.path / f"vault-{old:%Y-%m-%d}").exists()  # no worker touches a private key


def test_one_of_all_workers_runs_the_retention_job_once_an_hour(shop: Shop) -> None:
    one, other = shop.worker(), shop.worker()

    assert one.look() is not None
    shop.now += timedelta(minutes=59)
    assert (one.look(), other.look()) == (None, None)
    shop.now += timedelta(minutes=2)
    with hold_record(shop.state) as record:
        assert record is not None
        assert other.look() is None
    assert other.look() is not None
    shop.now -= timedelta(days=1)  # a clock that ran ahead must not put it off
    assert one.look() is not None
    for rubbish in (
        "{half",
        "[]",
        '{"at": 7}',
        '{"at": "2031-01-01T00:00:00", "removed": {}, "failed": {}, "cut": 0}',
    ):
        (shop.state.path / RECORD_FILE).write_text(rubbish)
        assert one.look() is not None


def test_lock_is_free_again_though_a_child_was_forked_meanwhile(shop: Shop) -> None:
    reading, writing = os.pipe()
    with hold_record(shop.state):
        child = os.fork()
        if not child:
            os.close(writing)
            os.read(reading, 1)
            os._exit(0)
    try:
        assert shop.worker().look() is not None
    finally:
        os.close(writing)
        os.waitpid(child, 0)
        os.close(reading)


def test_step_that_fails_is_told_once_and_holds_up_no_other(
    shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    shop.engine.close()
    for path in shop.state.path.glob("stats.db*"):
        path.unlink()
    (shop.state.path / "stats.db").write_bytes(b"no database at all, but a file of some length" * 30)
    (shop.state.subdirectory("logs") / "access-2020-01-01-7.log").write_text("old")
    worker = shop.worker()

    run = worker.look()
    shop.now += timedelta(hours=2)
    worker.look()

    assert run is not None
    assert set(run.failed) == {"statistics", CUT}
    assert run.removed["access log"] == 1
    assert caplog.text.count("retention: statistics failed: SQLite: ") == 1
    last = read_run(shop.state.path)
    assert last is not None
    assert set(last.failed) == {"statistics", CUT}


def test_journal_that_somebody_reads_is_emptied_a_few_minutes_later(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_hits, "BUSY_SECONDS", 0.05)
    shop.write(hit("/over", NOW - timedelta(days=761)))
    reader = sqlite3.connect(shop.state.path / "stats.db", isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM hit").fetchone()
    worker = shop.worker()

    run = worker.look()

    assert run is not None
    assert "a reader is still active" in run.failed["statistics"]
    assert shop.holds(b"/over") == [True]
    reader.close()
    shop.now += timedelta(minutes=6)
    run = worker.look()
    assert run is not None
    assert run.failed == {}
    assert shop.holds(b"/over") == [False]


def test_flood_of_hits_is_cut_by_its_oldest_hours_and_sums_stay(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "MAX_HITS", 50)
    shop.write(hit("/ahead", NOW + timedelta(days=3)))  # the first row is the newest one
    for hour in range(4):
        shop.write(*(hit(f"/hour-{hour}", NOW - timedelta(hours=5 - hour, seconds=n)) for n in range(20)))
    worker = shop.worker()
    assert worker.look() is not None  # 81 rows: two hours go
    shop.write(*(hit("/more", NOW) for _ in range(30)))

    assert worker.look() is None  # not due, but the disk must not fill up meanwhile

    pages = dict(shop.engine._connection.execute("SELECT page, count(*) FROM hit GROUP BY page").fetchall())
    assert pages == {"/ahead": 1, "/more": 30} | ({"/hour-3": 1} if "/hour-3" in pages else {})
    figures = SqliteFigures(shop.state.path / "stats.db")
    assert sum(one.views for one in figures.by_day(Days(DAY - 1, DAY + 4))) == 111
    figures.close()
    last = read_run(shop.state.path)
    assert last is not None
    assert last.cut == 111 - sum(pages.values())


def test_idle_shop_forgets_from_its_start_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "FIRST_LOOK", timedelta(0))
    old = tmp_path / "state" / "logs" / "access-2020-01-01-7.log"
    guard = started(Config(state_dir=str(tmp_path / "state")), old.touch)

    wait_until(lambda: not old.exists(), "the old log goes")
    guard.close()


def test_without_anything_to_forget_there_is_no_thread(tmp_path: Path) -> None:
    off = {
        "log": LogSettings(enabled=False),
        "stats": StatsSettings(enabled=False),
        "proof": ProofSettings(enabled=False),
        "csp": CspSettings(enabled=False),  # without it no browser reports undeclared loads
    }

    guard = started(Config(state_dir=str(tmp_path / "off"), vault=VaultSettings(enabled=False), **off))
    control = started(Config(state_dir=str(tmp_path / "on")))

    assert part_of(guard, Core).retention is None
    thread = thread_of(control)
    assert thread is not None
    control.close()
    wait_until(lambda: not thread.is_alive(), "the thread ends")
    guard.close()


def test_without_a_lifespan_the_first_request_starts_it(tmp_path: Path) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await PlainTextResponse("hello")(scope, receive, send)

    guard = CookieGuard(app, Config(state_dir=str(tmp_path / "state")))
    assert thread_of(guard) is None

    ask(guard)
    thread = thread_of(guard)
    ask(guard)

    assert thread is not None
    assert thread_of(guard) is thread
    guard.close()


def test_thread_ends_with_its_shop(tmp_path: Path) -> None:
    guard: Any = started(Config(state_dir=str(tmp_path / "state")))
    thread = thread_of(guard)
    assert thread is not None
    assert thread.is_alive()

    del guard

    def is_over() -> bool:
        gc.collect()  # does nothing while another thread is at it
        return not thread.is_alive()

    wait_until(is_over, "the thread ends")


def thread_of(guard: CookieGuard) -> threading.Thread | None:
    retention = part_of(guard, Core).retention
    assert retention is not None
    return retention._worker._thread


def started(config: Config, prepare: Any = None) -> CookieGuard:
    """Go through the start of a lifespan."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "lifespan.startup.complete"})

    async def receive() -> Any:
        return {"type": "lifespan.startup"}

    async def send(_: Any) -> None:
        pass

    guard = CookieGuard(app, config)
    if prepare is not None:
        prepare()
    asyncio.run(guard({"type": "lifespan"}, receive, send))  # type: ignore[arg-type]
    return guard


def test_undeclared_loads_of_long_ago_go_while_the_shop_runs(shop: Shop) -> None:
    file = UndeclaredLoadsFile(shop.state)
    file.add("old.example", "", "/", NOW.date() - timedelta(days=100))
    file.add("new.example", "", "/", NOW.date())
    with (shop.state.path / UNDECLARED_LOADS_FILE).open("ab") as raw:
        raw.write(b'{"day": "2026-1')  # that a full disk cut off

    run = shop.worker().look()

    assert run is not None
    assert run.removed["undeclared loads"] == 1
    assert [one.host for one in read_undeclared_loads(shop.state.path)] == ["new.example"]
    assert (shop.state.path / UNDECLARED_LOADS_FILE).stat().st_mode & 0o777 == 0o600
