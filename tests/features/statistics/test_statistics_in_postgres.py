"""A shop with statistics in PostgreSQL, from the request to the page, the doctor and the job that deletes hits."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from harness.asgi import ask, page, scope_of
from harness.postgres import Postgres, postgres
from harness.retention import retention_of
from harness.stats_engines import new_database

from cookieguard import Config, CookieGuard
from cookieguard.config import StatsSettings
from cookieguard.features.checks import examine
from cookieguard.features.statistics.dashboard.overview import read_overview
from cookieguard.features.statistics.dashboard.selection import Selection
from cookieguard.features.statistics.engines.open import open_engine
from cookieguard.features.statistics.engines.protocol import Days

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
TODAY = int(NOW.timestamp()) // 86_400
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:153.0) Gecko/20100101 Firefox/153.0"
BROWSING = (("accept", "text/html"), ("sec-fetch-dest", "document"), ("user-agent", FIREFOX))
DOCUMENT = page(b"<!doctype html><p>Hello")


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    with postgres() as server:
        yield server


@pytest.fixture
def config(server: Postgres, tmp_path: Path) -> Config:
    """Configure statistics in an empty database."""
    stats = StatsSettings(url=new_database(server), before_consent="hashed")
    return Config(state_dir=str(tmp_path / "state"), stats=stats)


@pytest.fixture
def start(config: Config) -> Iterator[Callable[[], CookieGuard]]:
    """Start workers, and end them."""
    started: list[CookieGuard] = []

    def start() -> CookieGuard:
        started.append(CookieGuard(DOCUMENT, config, clock=lambda: NOW))
        return started[-1]

    yield start
    for worker in started:
        worker.close()


def visit(worker: CookieGuard, visitors: int) -> None:
    for number in range(visitors):
        client = (f"198.51.100.{number + 1}", 4711)
        ask(worker, scope_of("/about", headers=[*BROWSING], client=client))


def by_day(config: Config) -> list[tuple[int, int]]:
    with closing(open_engine(config.stats, Path(config.state_dir), environ={}).reader()) as reader:
        return [(one.views, one.visitors) for one in reader.by_day(Days(TODAY, TODAY))]


def test_views_of_two_workers_come_to_one_page(config: Config, start: Callable[[], CookieGuard]) -> None:
    one, other = start(), start()

    for worker in (one, other):
        visit(worker, 8)
        worker.close()

    assert by_day(config) == [(16, 8)]  # the same eight people on both
    with closing(open_engine(config.stats, Path(config.state_dir), environ={}).reader()) as reader:
        overview = read_overview(reader, Selection(), now=NOW, hit_days=30)
    assert {one.name: one.value for one in overview.figures}["Views"] == "16"
    assert ("/about", 20) in [(row.value, row.main) for table in overview.tables for row in table.rows]
    assert not (Path(config.state_dir) / "stats.db").exists()


def test_hits_of_an_outage_come_when_the_server_is_back(
    server: Postgres, config: Config, start: Callable[[], CookieGuard]
) -> None:
    worker = start()
    visit(worker, 1)
    worker.close()  # else its view may fall into the outage as well, and waits in a spool of its own
    server.stop()
    try:
        worker = start()
        visit(worker, 5)
        worker.close()
        spooled = list((Path(config.state_dir) / "spool").glob("*.spool"))
    finally:
        server.start()
    worker = start()
    visit(worker, 1)
    worker.close()

    assert spooled
    assert by_day(config)[0][0] == 7
    assert not list((Path(config.state_dir) / "spool").glob("*.spool"))


def test_the_job_forgets_and_the_doctor_sees_it(config: Config, start: Callable[[], CookieGuard]) -> None:
    worker = start()
    visit(worker, 5)
    worker.close()

    def told(now: datetime) -> dict[str, bool]:
        found = examine(config, environ={}, now=now)
        return {
            one.found: one.is_fine
            for one in found
            if one.check in ("statistics", "visitor keys in hits", "hits")
        }

    later = NOW + timedelta(days=3)
    assert told(NOW)["the oldest of 2026-11-24, kept for 48 hours"]
    assert not told(later)["the oldest of 2026-11-24, kept for 48 hours"]
    retention_of(config, lambda: later).look()
    assert told(later)["none, kept for 48 hours"]
    assert told(later)["oldest hit from 2026-11-24, kept for 30 days"]
    for days in range(4, 41):  # a clock that leaps would not be believed
        moment = NOW + timedelta(days=days)
        retention_of(config, partial(lambda now: now, moment)).look()
    kept = open_engine(config.stats, Path(config.state_dir), environ={}).retained()
    assert kept is not None
    assert (kept.oldest_hit, kept.hits, kept.oldest_sum) == (None, 0, TODAY)


def test_a_doctor_of_a_server_that_is_away_says_so_without_its_url(tmp_path: Path) -> None:
    stats = StatsSettings(url="postgresql://shop:hush@127.0.0.1:1/shop")
    config = Config(state_dir=str(tmp_path / "state"), stats=stats)

    found = examine(config, environ={}, now=NOW)

    assert ("statistics", "PostgreSQL: OperationalError, no server listens at its address") in [
        one[:2] for one in found
    ]
    assert "hush" not in repr(found)
