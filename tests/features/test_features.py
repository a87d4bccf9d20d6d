"""The list of features: no page, job or command is listed twice, and data outlive the switch of their feature."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from harness.retention import retention_of
from starlette.responses import HTMLResponse
from stats.traffic import PLAIN

from cookieguard import Config, CookieGuard
from cookieguard.features import FEATURES
from cookieguard.features.checks import examine
from cookieguard.features.feature import Place
from cookieguard.features.statistics.engines.sqlite.writer import SqliteHits
from cookieguard.stats.hits import Batch
from cookieguard.storage.state_directory import StateDirectory

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)


def test_pages_and_jobs_of_features_have_names_of_their_own(tmp_path: Path) -> None:
    config = Config(state_dir=str(tmp_path / "state"))
    guard = CookieGuard(shop, config)
    pages = [page.name for part in guard._served for page in part.pages]
    jobs = [name for feature in FEATURES for name in feature.jobs(Place(config, tmp_path / "state", {}))]
    commands = [name for feature in FEATURES for name in feature.commands]

    for names in (pages, jobs, commands):
        assert len(names) > len(FEATURES) // 2
        assert len(names) == len(set(names))
    guard.close()


def test_doctor_leaves_an_empty_folder_empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    found = {finding.check for finding in examine(Config(), environ={}, now=NOW)}

    assert {"state directory", "statistics", "consent log"} <= found
    assert list(tmp_path.iterdir()) == []


def test_jobs_create_nothing_before_they_are_done(tmp_path: Path) -> None:
    place = Place(Config(state_dir=str(tmp_path / "state")), tmp_path / "state", {})

    assert [name for feature in FEATURES for name in feature.jobs(place)]
    assert list(tmp_path.iterdir()) == []


def test_hits_of_statistics_that_were_switched_off_still_go_after_their_days(tmp_path: Path) -> None:
    config = Config(state_dir=str(StateDirectory(tmp_path / "state").path))
    engine = SqliteHits(tmp_path / "state" / "stats.db")
    old = PLAIN._replace(page="/old", time=int((NOW - timedelta(days=800)).timestamp()))
    engine.write(Batch("b1", (old,), {}, {}))
    assert engine._connection.execute("SELECT count(*) FROM hit").fetchone() == (1,)
    switched_off = replace(config, stats=replace(config.stats, enabled=False))

    run = retention_of(switched_off, lambda: NOW).look()

    assert run is not None
    assert run.failed == {}
    assert engine._connection.execute("SELECT count(*) FROM hit").fetchone() == (0,)
    engine.close()


async def shop(scope, receive, send) -> None:  # type: ignore[no-untyped-def]
    await HTMLResponse("<p>A mug")(scope, receive, send)
