"""The sources of the keyring, and when a worker refuses to start."""

from __future__ import annotations

import os
import shutil
import stat
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest
from harness.disks import small_disk

from cookieguard.config import KeySettings
from cookieguard.errors import ConfigError
from cookieguard.keyring import Keyring
from cookieguard.storage.keyring_file import MAX_KEYRING_BYTES
from cookieguard.storage.keyring_source import beside, load_keyring, place_of
from cookieguard.storage.state_directory import StateDirectory

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
PRODUCTION = {"COOKIEGUARD_ENV": "production"}


@pytest.fixture
def state(tmp_path: Path) -> StateDirectory:
    return StateDirectory(tmp_path / "state")


def keyring_file(path: Path, text: str | None = None) -> Keyring:
    keyring = Keyring.generate(NOW)
    path.touch(mode=0o600)
    path.write_text(keyring.dumps() if text is None else text)
    return keyring


def test_keyring_is_made_once_for_all_workers(state: StateDirectory) -> None:
    one = load_keyring(state, KeySettings(), environ={}, now=NOW)
    other = load_keyring(StateDirectory(state.path), KeySettings(), environ={}, now=NOW)

    assert one.signing == other.signing
    assert stat.S_IMODE(beside(state.path).stat().st_mode) == 0o600
    assert os.listdir(state.path) == []


def test_a_job_beside_the_shop_makes_no_keyring_where_one_was_lost(state: StateDirectory) -> None:
    with pytest.raises(ConfigError, match=r"state_dir is .*no keyring"):
        load_keyring(state, KeySettings(), environ={})

    assert not beside(state.path).exists()  # workers would follow it: every session ended


def test_environment_wins_over_the_file_and_the_file_over_the_directory(
    state: StateDirectory, tmp_path: Path
) -> None:
    in_directory = keyring_file(state.path / "keyring")
    in_file = keyring_file(tmp_path / "keys")
    in_environment = Keyring.generate(NOW)
    settings = KeySettings(file=str(tmp_path / "keys"))
    environ = {"COOKIEGUARD_KEYS": in_environment.dumps()}

    found = [
        load_keyring(state, settings, environ=environ, now=NOW),
        load_keyring(state, settings, environ={}, now=NOW),
        load_keyring(state, KeySettings(), environ={}, now=NOW),
    ]

    assert [one.ids for one in found] == [in_environment.ids, in_file.ids, in_directory.ids]


def refusal(state: StateDirectory, settings: KeySettings, environ: dict[str, str]) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        load_keyring(state, settings, environ=environ, now=NOW)
    return caught.value


@pytest.mark.parametrize(
    ("settings", "environ"), [(KeySettings(generate=False), {}), (KeySettings(), PRODUCTION)]
)
def test_no_keyring_is_made_where_the_owner_brings_one(
    state: StateDirectory, settings: KeySettings, environ: dict[str, str]
) -> None:
    error = refusal(state, settings, environ)

    assert error.setting == "keys.generate"
    assert "COOKIEGUARD_KEYS" in str(error)
    assert "(`cookieguard keys add` makes it)" in str(error)
    assert os.listdir(state.path) == []


@pytest.mark.parametrize(
    ("settings", "environ"), [(KeySettings(generate=False), {}), (KeySettings(), PRODUCTION)]
)
def test_keyring_brought_along_is_used_everywhere(
    state: StateDirectory, settings: KeySettings, environ: dict[str, str]
) -> None:
    keyring = keyring_file(state.path / "keyring")

    assert load_keyring(state, settings, environ=environ, now=NOW).ids == keyring.ids


@pytest.mark.parametrize("mode", [0o604, 0o640, 0o644, 0o620, 0o601])
def test_keyring_others_can_read_is_refused(state: StateDirectory, tmp_path: Path, mode: int) -> None:
    keyring_file(tmp_path / "keys")
    (tmp_path / "keys").chmod(mode)

    error = refusal(state, KeySettings(file=str(tmp_path / "keys")), {})

    assert error.setting == "keys.file"
    assert f"chmod 600 {tmp_path / 'keys'}" in str(error)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"nonsense",
        b"\xff\xfe",
        b"k1 signing 2026-11-24T12:00:00Z c2hvcnQ",
        b"#" * (MAX_KEYRING_BYTES + 1),
    ],
)
def test_unreadable_keyring_is_refused(state: StateDirectory, tmp_path: Path, content: bytes) -> None:
    keyring_file(tmp_path / "keys")
    (tmp_path / "keys").write_bytes(content)
    (state.path / "keyring").touch(mode=0o600)
    (state.path / "keyring").write_bytes(content)

    assert refusal(state, KeySettings(file=str(tmp_path / "keys")), {}).setting == "keys.file"
    assert refusal(state, KeySettings(), {}).setting == "state_dir"


@pytest.mark.parametrize("value", ["", "nonsense"])
def test_environment_without_a_keyring_is_refused(state: StateDirectory, value: str) -> None:
    error = refusal(state, KeySettings(environment="SHOP_KEYS"), {"SHOP_KEYS": value})

    assert error.setting == "keys.environment (SHOP_KEYS)"


def test_missing_keys_file_is_not_made(state: StateDirectory, tmp_path: Path) -> None:
    error = refusal(state, KeySettings(file=str(tmp_path / "keys")), {})

    assert error.setting == "keys.file"
    assert "No such file" in str(error)
    assert not (tmp_path / "keys").exists()


def test_dangling_link_in_the_state_directory_is_refused(state: StateDirectory, tmp_path: Path) -> None:
    (state.path / "keyring").symlink_to(tmp_path / "elsewhere")

    assert refusal(state, KeySettings(), {}).setting == "state_dir"
    assert not (tmp_path / "elsewhere").exists()


def test_no_error_shows_a_key(state: StateDirectory, tmp_path: Path) -> None:
    secret = keyring_file(tmp_path / "keys").dumps().split()[-1]
    (tmp_path / "keys").write_text(f"k1 unknown 2026-11-24T12:00:00Z {secret}")

    error = refusal(state, KeySettings(file=str(tmp_path / "keys")), {})

    assert secret not in str(error)
    assert error.__cause__ is None


def place(state: StateDirectory) -> Path | None:
    return place_of(state.path, KeySettings(), environ={}).path


def test_keyring_of_an_earlier_release_stays_in_the_state_directory(state: StateDirectory) -> None:
    keyring = keyring_file(state.path / "keyring")

    assert load_keyring(state, KeySettings(), environ={}, now=NOW).ids == keyring.ids
    assert not beside(state.path).parent.exists()


def test_keyring_that_was_moved_counts_and_not_an_older_copy_that_came_back(state: StateDirectory) -> None:
    moved = load_keyring(state, KeySettings(), environ={}, now=NOW)
    keyring_file(state.path / "keyring")  # a restored backup of the state directory

    assert load_keyring(state, KeySettings(), environ={}, now=NOW).ids == moved.ids
    assert place(state) == beside(state.path)


def test_keyring_is_made_in_a_volume_unless_there_is_a_place_beside_it(tmp_path: Path) -> None:
    with small_disk(tmp_path / "state") as volume:
        state = StateDirectory(volume)
        assert place(state) == volume / "keyring"  # beside it, a container would lose it

        beside(volume).parent.mkdir(mode=0o700)
        assert place(state) == beside(volume)

        load_keyring(state, KeySettings(), environ={}, now=NOW)
        assert sorted(os.listdir(beside(volume).parent)) == [".gitignore", "keyring"]
        assert os.listdir(volume) == []


def test_no_keyring_is_made_for_a_consent_log_whose_own_is_missing(state: StateDirectory) -> None:
    (state.path / "subjects.db").touch()

    error = refusal(state, KeySettings(), {})

    assert error.setting == "state_dir"
    assert str(beside(state.path).parent) in str(error)
    assert "from a backup" in str(error)
    assert not beside(state.path).parent.exists()


def test_workers_that_start_together_with_a_new_store_get_one_keyring(tmp_path: Path) -> None:
    def start(number: int) -> str:
        state = StateDirectory(tmp_path / "state")
        keyring = load_keyring(state, KeySettings(), environ={}, now=NOW)
        (state.path / "subjects.db").touch()
        return keyring.signing.id

    for _ in range(20):
        with ThreadPoolExecutor(4) as threads:
            assert len(set(threads.map(start, range(4)))) == 1
        shutil.rmtree(tmp_path / "state")
        shutil.rmtree(tmp_path / "state-keys")
