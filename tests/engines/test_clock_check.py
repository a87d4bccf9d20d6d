"""If the clock leaps ahead, keys of visitors go at once, and figures stay until the leap has lasted a day."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from harness.retention import retention_of
from stats.traffic import PLAIN

from cookieguard import Config
from cookieguard.engines import retention
from cookieguard.engines.retention import RECORD_FILE, Doubt, Reading, Run, doubt_of, read_clock, read_run
from cookieguard.features.statistics.engines.sqlite.writer import SqliteHits
from cookieguard.stats.hits import Batch
from cookieguard.storage.day_keys import DayKeys
from cookieguard.storage.runtime_directory import RuntimeDirectory, runtime_place
from cookieguard.storage.state_directory import StateDirectory
from cookieguard.web.recording.access_log import open_access_log

NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
YEAR = timedelta(days=365)
START = Reading(now=NOON, boot="one", uptime=1000)


def later(clock: timedelta, up: timedelta, boot: str = "one") -> Reading:
    return Reading(now=NOON + clock, boot=boot, uptime=1000 + up.total_seconds())


@pytest.mark.parametrize(
    ("reading", "is_doubted"),
    [
        (later(HOUR, HOUR), False),
        (later(-24 * HOUR, HOUR), False),
        (later(24 * HOUR, HOUR), False),  # set by a day: nothing is lost that is kept for many
        (later(YEAR, HOUR), True),
        (later(YEAR, YEAR), False),  # the shop stood still, the machine did not
        (later(30 * HOUR, timedelta(0), boot="two"), False),
        (later(YEAR, timedelta(0), boot="two"), True),
        (Reading(now=NOON + YEAR), True),
    ],
)
def test_a_clock_is_doubted_where_it_is_ahead_of_what_can_have_passed(
    reading: Reading, is_doubted: bool
) -> None:
    assert (doubt_of(reading, last=START, doubt=None) is not None) is is_doubted
    assert doubt_of(reading, last=None, doubt=None) is None


def test_a_doubt_ends_after_a_day_or_when_the_clock_is_set_right() -> None:
    doubt = doubt_of(later(YEAR, HOUR), last=START, doubt=None)
    assert doubt is not None
    assert doubt.believed(later(YEAR + 2 * HOUR, 3 * HOUR)) == NOON + 3 * HOUR

    def after(reading: Reading) -> Doubt | None:
        return doubt_of(reading, last=later(YEAR, HOUR), doubt=doubt)

    assert after(later(YEAR + 22 * HOUR, 23 * HOUR)) == doubt
    assert after(later(2 * YEAR, 23 * HOUR)) == doubt  # a second leap is no day that passed
    assert after(later(YEAR + 24 * HOUR, 25 * HOUR)) is None
    assert after(later(YEAR + 25 * HOUR, timedelta(0), boot="two")) is None
    assert after(later(2 * HOUR, 2 * HOUR)) is None


def test_monotonic_clock_ignores_changes_of_the_wall_clock() -> None:
    first, second = read_clock(NOON), read_clock(NOON + YEAR)

    passed = second.passed_since(first)
    assert passed is not None
    assert timedelta(0) <= passed < timedelta(minutes=1)


class Shop:
    """A shop with hits of a month, a log file of a week ago, today's key, and a clock."""

    def __init__(self, directory: Path) -> None:
        self.state = StateDirectory(directory / "state")
        self.config = Config(state_dir=str(self.state.path), runtime_dir=str(directory / "runtime"))
        self.runtime = RuntimeDirectory(runtime_place(self.config.runtime_dir, self.state.path))
        self.now = NOON
        self.engine = SqliteHits(self.state.path / "stats.db")
        hits = [
            PLAIN._replace(time=int((NOON - timedelta(days=days)).timestamp()), key=7) for days in range(30)
        ]
        self.engine.write(Batch("one", hits, {}, {}))
        (self.state.subdirectory("logs") / "access-2026-11-17-7.log").write_text("a line\n")
        DayKeys(self.runtime, "visitor", clock=lambda: NOON).key(NOON.date())

    def look(self, at: datetime) -> Run:
        self.now = at
        found = retention_of(self.config, lambda: self.now, state=self.state.path).look()
        assert found is not None
        return found

    def kept(self) -> tuple[int, int, int, int, int]:
        """Count hits, hits with a key, days of sums, log files and keys of a day."""
        ask = self.engine._connection.execute
        names = [path.name for path in self.state.path.parent.rglob("*") if path.is_file()]
        return (
            ask("SELECT count(*) FROM hit").fetchone()[0],
            ask("SELECT count(*) FROM hit WHERE key != 0").fetchone()[0],
            ask("SELECT count(DISTINCT day) FROM daily").fetchone()[0],
            sum(name.startswith("access-") for name in names),
            sum(name.startswith("visitor-day-") for name in names),
        )


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    shop = Shop(tmp_path)
    yield shop
    shop.engine.close()


def test_a_leap_of_years_deletes_keys_at_once_and_nothing_else(
    shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    assert shop.look(NOON).doubt is None
    assert shop.kept() == (30, 2, 30, 1, 1)

    worker = shop.look(NOON + 3 * YEAR)
    again = shop.look(NOON + 3 * YEAR + 2 * HOUR)

    assert shop.kept() == (30, 0, 30, 1, 0)
    assert worker.doubt is not None
    assert again.doubt is not None
    assert worker.doubt.since.now == again.doubt.since.now
    line = (
        "the clock jumped from 2026-11-24T12:00:00Z to 2029-11-23T12:00:00Z; for a day no hits, sums, logs or"
    )
    assert line in caplog.text

    assert shop.look(NOON + 2 * HOUR).doubt is None
    assert shop.kept() == (30, 0, 30, 1, 0)


def test_a_line_that_is_written_after_a_leap_removes_no_log(shop: Shop) -> None:
    log = open_access_log(shop.state, no_keys, shop.config.log, lambda: NOON + 3 * YEAR)
    assert log is not None

    assert log._sink.write([b"a line\n"]) == 1
    log.close()

    names = sorted(path.name[:17] for path in (shop.state.path / "logs").iterdir())
    assert names == ["access-2026-11-17", "access-2029-11-23"]


def no_keys(use: str) -> DayKeys:
    raise AssertionError(use)


def test_a_leap_that_lasts_a_day_is_believed(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.look(NOON)
    shop.look(NOON + 3 * YEAR)
    up = read_clock(NOON).uptime + 25 * 3600
    boot = read_clock(NOON).boot
    monkeypatch.setattr(retention, "read_clock", lambda now: Reading(now=now, boot=boot, uptime=up))

    assert shop.look(NOON + 3 * YEAR + 25 * HOUR).doubt is None

    assert shop.kept() == (0, 0, 0, 0, 0)


def test_a_record_of_an_older_release_is_read(shop: Shop) -> None:
    shop.look(NOON)
    record = shop.state.path / RECORD_FILE
    facts = json.loads(record.read_text())
    for name in ("boot", "uptime", "doubt"):
        del facts[name]
    record.write_text(json.dumps(facts))

    run = read_run(shop.state.path)

    assert run is not None
    assert (run.at, run.doubt) == (NOON, None)
    assert shop.look(NOON + HOUR).doubt is None
