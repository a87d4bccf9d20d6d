"""Hourly keys are shared by workers, independent of each other, and destroyed."""

from __future__ import annotations

import logging
import os
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from cookieguard.storage.state_directory import HourKeys, StateDirectory

NOON = datetime(2026, 11, 24, 12, 30, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture
def state(tmp_path: Path) -> StateDirectory:
    return StateDirectory(tmp_path / "state")


def test_workers_share_the_key_of_an_hour(state: StateDirectory) -> None:
    one, other = HourKeys(state), HourKeys(state)

    key = one.key(NOON)

    assert len(key) == 32
    assert key == one.key(NOON + timedelta(minutes=29)) == other.key(NOON - timedelta(minutes=30))


def test_every_hour_has_another_key(state: StateDirectory) -> None:
    keys = HourKeys(state)

    assert len({keys.key(NOON + hours * HOUR) for hours in range(10)}) == 10


def test_hour_is_utc(state: StateDirectory) -> None:
    keys = HourKeys(state)
    half_past_in_india = NOON.astimezone(tz=datetime.fromisoformat("2026-01-01T00:00:00+05:30").tzinfo)

    assert keys.key(half_past_in_india) == keys.key(NOON)


def test_keys_two_hours_old_are_gone_from_the_disk(state: StateDirectory) -> None:
    keys = HourKeys(state)
    old = keys.key(NOON)

    keys.key(NOON + HOUR)
    assert old in {path.read_bytes() for path in state.path.iterdir()}
    keys.key(NOON + 2 * HOUR)
    assert old not in {path.read_bytes() for path in state.path.iterdir()}
    assert len(os.listdir(state.path)) == 2


def test_destroyed_key_is_not_revived_when_the_clock_steps_back(state: StateDirectory) -> None:
    keys = HourKeys(state)
    old = keys.key(NOON)
    keys.key(NOON + 24 * HOUR)

    assert keys.key(NOON) != old


def test_key_of_a_clock_that_ran_fast_is_destroyed(state: StateDirectory) -> None:
    ahead = HourKeys(state).key(NOON + 24 * HOUR)

    HourKeys(state).key(NOON)

    assert ahead not in {path.read_bytes() for path in state.path.iterdir()}


def test_draft_of_a_killed_worker_is_destroyed(state: StateDirectory) -> None:
    keys = HourKeys(state)
    keys.key(NOON)
    (name,) = os.listdir(state.path)
    (state.path / f".{name}.0123456789abcdef").write_bytes(b"draft")

    keys.destroy_old(NOON + 2 * HOUR)

    assert os.listdir(state.path) == []


def test_other_files_are_left_alone(state: StateDirectory) -> None:
    state.create_once("keyring", lambda: b"x")
    state.create_once("hour-glass", lambda: b"x")

    HourKeys(state).destroy_old(NOON)

    assert sorted(os.listdir(state.path)) == ["hour-glass", "keyring"]


def test_lost_directory_leaves_a_key_of_this_process(
    state: StateDirectory, caplog: pytest.LogCaptureFixture
) -> None:
    keys = HourKeys(state)
    shutil.rmtree(state.path)

    with caplog.at_level(logging.WARNING, "cookieguard"):
        one, two = keys.key(NOON), keys.key(NOON + HOUR)

    assert len(one) == len(two) == 32
    assert keys.key(NOON + HOUR) == two != one
    (record,) = caplog.records
    assert "No such file or directory" in record.message
    assert "rate limits count per worker" in record.message


def test_damaged_key_file_is_not_used(state: StateDirectory, caplog: pytest.LogCaptureFixture) -> None:
    HourKeys(state).key(NOON)
    (name,) = os.listdir(state.path)
    (state.path / name).write_bytes(b"")

    with caplog.at_level(logging.WARNING, "cookieguard"):
        key = HourKeys(state).key(NOON)

    assert len(key) == 32
    assert "0 bytes instead of 32" in caplog.text
