"""The list of features names no page, job or command twice, and data outlive a feature that is switched off."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from harness.policies import two_versions
from harness.retention import retention_of
from harness.servers import START_SECONDS
from starlette.responses import HTMLResponse
from stats.traffic import PLAIN

from cookieguard import Config, CookieGuard, PolicyVersion, Vendor, features
from cookieguard.features import FEATURES
from cookieguard.features.checks import examine
from cookieguard.features.feature import Feature, Place
from cookieguard.features.letter import write_letter
from cookieguard.features.records.store.open import open_log
from cookieguard.features.records.values.records import Record
from cookieguard.features.statistics.engines.sqlite.writer import SqliteHits
from cookieguard.stats.hits import Batch
from cookieguard.storage.keyring_source import load_keyring
from cookieguard.storage.state_directory import StateDirectory

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
ADS = Vendor(name="Ads", purpose="marketing", hosts=("ads.example",), contract_end=date(2026, 1, 1))


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


@pytest.mark.parametrize("feature", FEATURES, ids=lambda one: one.name)
def test_table_of_features_lists_the_modules_of_their_rooms(feature: Feature, tmp_path: Path) -> None:
    room = Path(features.__file__).parent / feature.name
    asked = {"jobs", "personal", "checks", "due"}

    assert set(feature.modules) == asked & {file.stem for file in room.glob("*.py")}
    assert bool(feature.jobs(Place(Config(), tmp_path, {}))) == ("jobs" in feature.modules)


def test_doctor_leaves_an_empty_folder_empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    found = {finding.check for finding in examine(Config(), environ={}, now=NOW)}

    assert {"state directory", "statistics", "consent log"} <= found
    assert list(tmp_path.iterdir()) == []


def test_doctor_and_letter_list_the_same_due_tasks_faults_first(tmp_path: Path) -> None:
    state = StateDirectory(tmp_path / "state")
    ends = replace(ADS, name="Soon", hosts=("soon.example",), contract_end=date(2026, 12, 9))
    config = Config(
        state_dir=str(state.path),
        vendors=(ends, ADS),
        policy=PolicyVersion(folder=str(two_versions(tmp_path / "policy", announced="2026-11-28"))),
    )
    keyring = load_keyring(state, config.keys, environ={}, now=NOW)
    log = open_log(config, state, keyring, environ={})
    assert log is not None
    with closing(log):
        log.append(Record(kind="agreement", subject="shop", time=NOW, facts={})).result(START_SECONDS)
    (state.path / "checkpoint-7").write_text("the log was longer once")

    letter = write_letter(config, keyring, NOW)
    said = {one.what for one in examine(config, environ={}, now=NOW)}

    lines = {part.title: part.lines for part in letter.parts[:-1]}
    found = [line.partition(": ")[0].partition(" (")[0] for line in sum(lines.values(), ())]
    assert list(lines)[:2] == ["Overdue", "Today"]
    assert found == [
        "Renew or end the contract with Ads",
        "Consent log's past",
        "Announce policy 2026-12-15",
        "Renew or end the contract with Soon",
    ]
    assert letter.due == len(found)
    assert all(any(one.startswith(line) for one in said) for line in found)


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
