"""The state directory: its required owner, and files that appear once and whole."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from harness.disks import filled, small_disk

from cookieguard.config import LogSettings
from cookieguard.engines.files.access_log import log_directory
from cookieguard.errors import ConfigError, KeyringFixed
from cookieguard.storage.keyring_file import change_file
from cookieguard.storage.state_directory import StateDirectory


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


@pytest.fixture
def state(tmp_path: Path) -> StateDirectory:
    return StateDirectory(tmp_path / "state")


@pytest.fixture(params=[0o000, 0o022, 0o077, 0o777], ids="{:03o}".format)
def umask(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[None]:
    assert tmp_path.exists()  # made under the usual umask
    before = os.umask(request.param)
    yield
    os.umask(before)


@pytest.mark.usefixtures("umask")
def test_directory_and_files_are_private_whatever_the_umask(tmp_path: Path) -> None:
    state = StateDirectory(tmp_path / "state")
    state.create_once("keyring", lambda: b"secret")
    state.subdirectory("logs")

    assert [mode(state.path), mode(state.path / "keyring"), mode(state.path / "logs")] == [
        0o700,
        0o600,
        0o700,
    ]


def test_existing_directory_of_ours_is_used_again(state: StateDirectory) -> None:
    state.create_once("keyring", lambda: b"first")

    assert StateDirectory(str(state.path) + "/").read("keyring") == b"first"


def test_relative_directory_survives_a_change_of_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    state = StateDirectory("state")
    state.create_once("keyring", lambda: b"first")
    monkeypatch.chdir("/")

    assert state.read("keyring") == b"first"


def refusal(path: Path) -> str:
    with pytest.raises(ConfigError) as caught:
        StateDirectory(path)
    assert caught.value.setting == "state_dir"
    return str(caught.value)


@pytest.mark.parametrize("bits", [0o701, 0o710, 0o704, 0o750, 0o755, 0o777, 0o1777])
def test_directory_open_to_others_is_refused(tmp_path: Path, bits: int) -> None:
    path = tmp_path / "state"
    path.mkdir()
    path.chmod(bits)

    message = refusal(path)

    assert f"mode {bits:04o}" in message
    assert f"chmod 700 {path}" in message
    assert mode(path) == bits


def test_link_to_a_directory_is_refused(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir(mode=0o700)
    (tmp_path / "link").symlink_to("real")

    assert "symbolic link" in refusal(tmp_path / "link")
    assert "symbolic link" in refusal(Path(f"{tmp_path}/link/"))


def test_file_in_its_place_is_refused(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("")

    assert "not a directory" in refusal(tmp_path / "state")


def test_missing_parent_is_said(tmp_path: Path) -> None:
    assert f"mkdir -p {tmp_path}/a/b" in refusal(tmp_path / "a" / "b" / "state")
    assert not (tmp_path / "a").exists()


def test_file_as_parent_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("")

    assert "Not a directory" in refusal(tmp_path / "a" / "state")


def test_directory_without_own_rights_is_refused(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir(mode=0o500)

    assert "not writable" in refusal(tmp_path / "state")


@pytest.mark.skipif(
    os.geteuid() != 0, reason="only root can give a directory away: ownership is not shown here"
)
def test_directory_of_somebody_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir(mode=0o700)
    os.chown(tmp_path / "state", 12345, -1)

    assert "owned by user 12345" in refusal(tmp_path / "state")


def test_first_content_stays(state: StateDirectory) -> None:
    assert state.create_once("keyring", lambda: b"first") == b"first"
    assert state.create_once("keyring", lambda: b"second") == b"first"
    assert state.read("keyring") == b"first"


def test_writer_that_loses_the_race_gets_the_winners_content(state: StateDirectory) -> None:
    def make() -> bytes:
        state.create_once("keyring", lambda: b"winner")
        return b"loser"

    assert state.create_once("keyring", make) == b"winner"
    assert os.listdir(state.path) == ["keyring"]


def test_missing_file_reads_as_none_and_removes_quietly(state: StateDirectory) -> None:
    state.remove("keyring")

    assert state.read("keyring") is None


@pytest.mark.parametrize("name", ["../keyring", "a/b", "", ".", "Keyring", ".keyring"])
def test_names_cannot_leave_the_directory(state: StateDirectory, name: str) -> None:
    with pytest.raises(ValueError, match="state file name"):
        state.create_once(name, lambda: b"x")


RACER = """
import hashlib, os, sys
from cookieguard.storage.state_directory import StateDirectory
sys.stdin.read(1)
state = StateDirectory(sys.argv[1])
for number in range(40):
    content = state.create_once(f"file-{number}", lambda: os.urandom(32) * 20_000)
    print(number, len(content), hashlib.sha256(content).hexdigest())
"""


def test_racing_processes_agree_on_whole_files(tmp_path: Path) -> None:
    command = [sys.executable, "-c", RACER, str(tmp_path / "state")]
    racers = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(4)
    ]
    for racer in racers:
        assert racer.stdin is not None
        racer.stdin.write("g")
        racer.stdin.flush()

    outputs = [racer.communicate(timeout=240)[0].splitlines() for racer in racers]

    assert len(outputs[0]) == 40
    assert all(line.split()[1] == "640000" for line in outputs[0])
    assert outputs[1:] == outputs[:1] * 3
    assert sorted(os.listdir(tmp_path / "state")) == sorted(f"file-{number}" for number in range(40))


def test_log_goes_into_the_state_directory_by_default(state: StateDirectory) -> None:
    assert log_directory(state, LogSettings()) == state.path / "logs"


def test_log_directory_of_the_owners_choice_is_made(state: StateDirectory, tmp_path: Path) -> None:
    chosen = tmp_path / "var" / "log"

    assert log_directory(state, LogSettings(directory=str(chosen))) == chosen
    assert mode(chosen) == 0o700


def test_log_directory_that_cannot_be_is_refused(state: StateDirectory, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(ConfigError, match=r"log\.directory"):
        log_directory(state, LogSettings(directory=str(tmp_path / "file" / "logs")))


def test_a_read_only_file_system_is_told_as_such_and_no_mode_is_blamed(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk") as place:
        StateDirectory(place / "state")
        subprocess.run(["mount", "-o", "remount,ro", str(place)], check=True)

        told = refusal(place / "state")

    assert "on a read-only file system" in told
    assert "chmod" not in told


def test_a_full_disk_is_told_as_such_and_no_user_is_blamed(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk") as place:
        state = StateDirectory(place / "state")
        with filled(place), pytest.raises(KeyringFixed) as caught:
            change_file(state.path / "notes.json", lambda: "x" * 100_000, str)

    assert "cannot be written (No space left on device); make room on its disk" in str(caught.value)
