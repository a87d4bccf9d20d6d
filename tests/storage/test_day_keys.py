"""Keys of a day are shared by workers, independent of each other, destroyed within 48 hours, and never made again."""

from __future__ import annotations

import os
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from cookieguard.storage.day_keys import DayKeys
from cookieguard.storage.state_directory import StateDirectory

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
DAY = timedelta(days=1)


class Clock:
    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def state(tmp_path: Path) -> StateDirectory:
    return StateDirectory(tmp_path / "state")


def on_disk(state: StateDirectory) -> set[bytes]:
    return {path.read_bytes() for path in state.path.iterdir()}


def test_workers_share_the_key_of_a_day_and_each_day_has_another(state: StateDirectory, clock: Clock) -> None:
    one, other = DayKeys(state, "log", clock=clock), DayKeys(state, "log", clock=clock)
    keys = set()
    for _ in range(5):
        key = one.key(clock.now.date())
        assert key == other.key(clock.now.date())
        assert key is not None
        assert len(key) == 32
        keys.add(key)
        clock.now += DAY

    assert len(keys) == 5


def test_two_uses_have_two_keys(state: StateDirectory, clock: Clock) -> None:
    assert DayKeys(state, "log", clock=clock).key(NOON.date()) != DayKeys(state, "hit", clock=clock).key(
        NOON.date()
    )


@pytest.mark.parametrize("hours", [26, 48, 24 * 400])
def test_key_is_gone_from_the_disk_two_hours_after_its_day(
    state: StateDirectory, clock: Clock, hours: int
) -> None:
    clock.now = datetime(2026, 11, 24, tzinfo=UTC)
    keys = DayKeys(state, "log", clock=clock)
    old = keys.key(clock.now.date())
    assert old in on_disk(state)
    clock.now += timedelta(hours=25, minutes=59)
    assert keys.key(NOON.date()) == old
    assert old in on_disk(state)

    clock.now = datetime(2026, 11, 24, tzinfo=UTC) + timedelta(hours=hours, minutes=10)
    keys.key(clock.now.date())

    assert old not in on_disk(state)
    assert keys.key(NOON.date()) is None
    assert old not in on_disk(state)


def test_destroyed_key_is_not_revived_when_the_clock_steps_back(state: StateDirectory, clock: Clock) -> None:
    keys = DayKeys(state, "log", clock=clock)
    old = keys.key(NOON.date())
    clock.now += 2 * DAY
    keys.key(clock.now.date())

    clock.now = NOON

    assert keys.key(NOON.date()) not in (old, None)


def test_key_of_a_clock_that_ran_fast_is_destroyed(state: StateDirectory, clock: Clock) -> None:
    fast = Clock()
    fast.now += DAY
    ahead = DayKeys(state, "log", clock=fast).key(fast.now.date())

    DayKeys(state, "log", clock=clock).key(NOON.date())

    assert ahead not in on_disk(state)


def test_draft_of_a_killed_worker_goes_and_other_files_stay(state: StateDirectory, clock: Clock) -> None:
    (state.path / ".log-day-20261120.0123456789abcdef").write_bytes(b"draft")
    (state.path / "log-day-20269999").write_bytes(b"x")
    (state.path / "keyring").write_bytes(b"x")
    (state.path / "log-daylight").write_bytes(b"x")

    DayKeys(state, "log", clock=clock).expire(NOON)

    assert sorted(os.listdir(state.path)) == ["keyring", "log-daylight"]


def test_lost_directory_leaves_a_key_of_this_process(
    state: StateDirectory, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    keys = DayKeys(state, "log", clock=clock)
    shutil.rmtree(state.path)

    key = keys.key(NOON.date())

    assert key is not None
    assert keys.key(NOON.date()) == key
    assert "each worker uses a key of its own until this is fixed" in caplog.text
