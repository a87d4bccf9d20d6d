"""Keys of the day and hour are in memory, never on a disk, shared by workers and separate for each shop."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from cookieguard import Config, CookieGuard, CookieGuardError
from cookieguard.errors import ConfigError
from cookieguard.storage import runtime_directory as runtime
from cookieguard.storage.day_keys import DayKeys
from cookieguard.storage.runtime_directory import (
    RuntimeDirectory,
    is_in_memory,
    open_runtime,
    runtime_place,
)
from cookieguard.storage.state_directory import HourKeys, StateDirectory

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


@pytest.fixture
def state(tmp_path: Path) -> StateDirectory:
    return StateDirectory(tmp_path / "state")


@pytest.fixture
def memory(state: StateDirectory) -> Iterator[RuntimeDirectory]:
    opened = open_runtime("", state)
    assert opened is not None
    yield opened
    shutil.rmtree(opened.path, ignore_errors=True)


def files(directory: Path) -> set[str]:
    return {path.name for path in directory.rglob("*") if path.is_file()}


def test_keys_lie_in_memory_for_their_user_alone_and_nothing_is_beside_the_hits(
    state: StateDirectory, memory: RuntimeDirectory
) -> None:
    DayKeys(memory, "visitor", clock=lambda: NOON).key(NOON.date())
    HourKeys(memory).key(NOON)

    assert files(state.path) == set()
    assert len(files(memory.path)) == 2
    assert is_in_memory(memory.path)
    assert not is_in_memory(Path("/proc"))
    assert {oct(path.stat().st_mode & 0o777) for path in (memory.path, memory.path.parent)} == {"0o700"}
    assert {path.stat().st_mode & 0o777 for path in memory.path.iterdir()} == {0o600}


def test_two_shops_have_two_keys_and_the_workers_of_one_have_one(
    state: StateDirectory, memory: RuntimeDirectory, tmp_path: Path
) -> None:
    other = open_runtime("", StateDirectory(tmp_path / "other"))
    again = open_runtime("", StateDirectory(state.path))
    assert other is not None

    keys = [DayKeys(one, "visitor", clock=lambda: NOON).key(NOON.date()) for one in (memory, again, other)]

    assert keys[0] == keys[1] != keys[2]
    shutil.rmtree(other.path)


def test_keys_that_an_older_release_left_on_the_disk_go_at_the_start(tmp_path: Path) -> None:
    state = StateDirectory(tmp_path / "state")
    left = ("visitor-day-20261124", "log-day-20261123", ".log-day-20261124.0123abcd", "hour-489250")
    for name in (*left, "keyring-copy", "hours", "visitor-day-old"):
        (state.path / name).write_bytes(bytes(32))

    CookieGuard(lambda: None, Config(state_dir=str(state.path))).close()  # type: ignore[arg-type, return-value]

    assert files(state.path).isdisjoint(left)
    assert files(state.path) >= {"keyring-copy", "hours", "visitor-day-old"}


def test_a_runtime_directory_on_a_disk_does_not_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = Config(state_dir=str(tmp_path / "state"), runtime_dir=str(tmp_path / "runtime"))
    mounts = tmp_path / "mounts"  # whatever the tests' own disk is
    device = os.stat(tmp_path).st_dev
    mounts.write_text(f"1 2 {os.major(device)}:{os.minor(device)} / / rw - ext4 /dev/sda1 rw\n")
    monkeypatch.setattr(runtime, "MOUNTS", mounts)

    with pytest.raises(ConfigError, match=r"runtime_dir is .* \(on a disk\); allowed: a directory in memory"):
        CookieGuard(lambda: None, config)  # type: ignore[arg-type, return-value]


def test_a_runtime_directory_that_others_may_read_does_not_start(tmp_path: Path) -> None:
    (tmp_path / "runtime").mkdir(mode=0o755)
    config = Config(state_dir=str(tmp_path / "state"), runtime_dir=str(tmp_path / "runtime"))

    with pytest.raises(CookieGuardError, match=r"runtime_dir is .*open to others.*chmod 700"):
        CookieGuard(lambda: None, config)  # type: ignore[arg-type, return-value]


def test_a_machine_without_such_a_directory_keeps_keys_in_each_worker_and_says_so(
    state: StateDirectory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(runtime, "SHARED_MEMORY", tmp_path / "missing")

    memory = open_runtime("", state)

    assert memory is None
    assert "each worker uses its own daily keys" in caplog.text
    one, other = (DayKeys(memory, "visitor", clock=lambda: NOON) for _ in range(2))
    assert one.key(NOON.date()) == one.key(NOON.date()) != other.key(NOON.date())
    assert HourKeys(memory).key(NOON) != HourKeys(memory).key(NOON)
    assert files(tmp_path) == set()


def test_keys_that_were_removed_under_running_workers_come_back_the_same(memory: RuntimeDirectory) -> None:
    now = [NOON]
    one, other = (DayKeys(memory, "visitor", clock=lambda: now[0]) for _ in range(2))
    before = one.key(NOON.date())
    shutil.rmtree(memory.path)  # as logind does with its user's last session

    now[0] += timedelta(minutes=11)

    assert one.key(NOON.date()) == before
    assert other.key(NOON.date()) == before


def test_workers_that_had_keys_of_their_own_meet_again(memory: RuntimeDirectory) -> None:
    now = [NOON]
    one, other = (DayKeys(memory, "visitor", clock=lambda: now[0]) for _ in range(2))
    own = one.key(NOON.date())
    shutil.rmtree(memory.path)
    assert other.key(NOON.date()) != own

    now[0] += timedelta(minutes=11)

    assert one.key(NOON.date()) == other.key(NOON.date()) != own


def test_keys_of_shops_that_run_no_more_go_with_the_start_of_another(
    state: StateDirectory, memory: RuntimeDirectory, tmp_path: Path
) -> None:
    dead = open_runtime("", StateDirectory(tmp_path / "dead"))
    living = open_runtime("", StateDirectory(tmp_path / "living"))
    assert dead is not None
    assert living is not None
    for one in (dead, living):
        HourKeys(one).key(NOON)
    (path,) = dead.path.iterdir()
    os.utime(path, (0, 0))

    open_runtime("", state)

    assert not dead.path.exists()
    assert len(files(living.path)) == 1
    shutil.rmtree(living.path)


def test_a_state_directory_that_was_brought_back_has_another_place(tmp_path: Path) -> None:
    StateDirectory(tmp_path / "state")
    before = runtime_place("", tmp_path / "state")
    (tmp_path / "state").rename(tmp_path / "moved")
    StateDirectory(tmp_path / "state")

    assert runtime_place("", tmp_path / "state") != before


def test_a_shop_starts_while_others_sweep_the_same_memory(
    state: StateDirectory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three shops that start at once on one machine sweep the same dead ones, and each finds some gone."""
    monkeypatch.setattr(runtime, "SHARED_MEMORY", Path("/dev/shm", f"cookieguard-test-{os.getpid()}"))
    runtime.SHARED_MEMORY.mkdir()
    memory = open_runtime("", state)
    assert memory is not None
    place = memory.path.parent

    def start(number: int) -> None:
        for _ in range(30):
            assert open_runtime("", StateDirectory(tmp_path / f"shop{number}")) is not None

    try:
        for _ in range(5):
            for number in range(60):
                (place / f"dead{number}").mkdir(exist_ok=True)
                os.utime(place / f"dead{number}", (0, 0))
            with ThreadPoolExecutor(3) as pool:
                assert list(pool.map(start, range(3))) == [None] * 3
        assert not list(place.glob("dead*"))
    finally:
        shutil.rmtree(runtime.SHARED_MEMORY)
