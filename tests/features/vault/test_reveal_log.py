"""Each change, removal or lost end of the reveal log is detected."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from cookieguard.features.vault import reveal_log
from cookieguard.features.vault.reveal_log import HEAD_FILE, LOG_FILE, LogTampered, append_entry, read_entries

FULL_DISK = """
import resource, signal, sys
from pathlib import Path
from cookieguard.features.vault.reveal_log import LOG_FILE, append_entry
log = Path(sys.argv[1])
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, ((log / LOG_FILE).stat().st_size + 20,) * 2)
append_entry(log, {"event": "e3", "reason": "no room for it"})
"""


@pytest.fixture
def log(tmp_path: Path) -> Path:
    for number in range(3):
        append_entry(tmp_path, {"event": f"e{number}", "reason": "fraud case 7"})
    return tmp_path


def test_untouched_log_verifies(log: Path) -> None:
    assert [entry["number"] for entry in read_entries(log)] == [1, 2, 3]


def test_each_changed_byte_is_seen(log: Path) -> None:
    text = (log / LOG_FILE).read_bytes()
    for at in range(len(text)):
        (log / LOG_FILE).write_bytes(text[:at] + bytes([text[at] ^ 1]) + text[at + 1 :])
        with pytest.raises(LogTampered):
            read_entries(log)
    (log / LOG_FILE).write_bytes(text)
    assert len(read_entries(log)) == 3


def test_removed_moved_added_and_cut_entries_are_seen(log: Path) -> None:
    lines = (log / LOG_FILE).read_bytes().splitlines(keepends=True)
    others = [
        lines[1:],
        lines[:1] + lines[2:],
        lines[:2],
        [],
        [lines[1], lines[0], lines[2]],
        [*lines, lines[2]],
    ]
    others.append([*lines[:2], lines[2][:-1]])
    for changed in others:
        (log / LOG_FILE).write_bytes(b"".join(changed))
        with pytest.raises(LogTampered):
            read_entries(log)
        with pytest.raises(LogTampered):
            append_entry(log, {"event": "more"})


@pytest.mark.parametrize("lines", [0, 3])
def test_machine_that_stops_before_the_head_is_written_leaves_a_log_that_verifies(
    tmp_path: Path, lines: int
) -> None:
    for number in range(lines):
        append_entry(tmp_path, {"event": f"e{number}"})
    head = (tmp_path / HEAD_FILE).read_bytes() if lines else b""
    append_entry(tmp_path, {"event": "last"})
    if lines:
        (tmp_path / HEAD_FILE).write_bytes(head)
    else:
        (tmp_path / HEAD_FILE).unlink()
    assert [entry["event"] for entry in read_entries(tmp_path)][lines:] == ["last"]
    append_entry(tmp_path, {"event": "next"})
    assert [entry["event"] for entry in read_entries(tmp_path)][lines:] == ["last", "next"]


def test_machine_that_stops_within_a_line_leaves_a_log_that_verifies(log: Path) -> None:
    whole, head = (log / LOG_FILE).read_bytes(), (log / HEAD_FILE).read_bytes()
    append_entry(log, {"event": "e3"})
    line = (log / LOG_FILE).read_bytes()[len(whole) :]
    for cut in range(len(line)):
        (log / LOG_FILE).write_bytes(whole + line[:cut])
        (log / HEAD_FILE).write_bytes(head)
        assert len(read_entries(log)) == 3
        append_entry(log, {"event": "e3"})
        assert (log / LOG_FILE).read_bytes() == whole + line


def test_head_that_lags_by_two_entries_is_seen(log: Path) -> None:
    head = (log / HEAD_FILE).read_bytes()
    append_entry(log, {"event": "e3"})
    append_entry(log, {"event": "e4"})
    (log / HEAD_FILE).write_bytes(head)
    with pytest.raises(LogTampered):
        read_entries(log)


def test_head_that_cannot_be_written_twice_leaves_a_log_that_verifies(
    log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The line fits its block, and the head needs a new one."""

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(reveal_log, "put_file", full)
        for _ in range(2):
            with pytest.raises(OSError, match="No space"):
                append_entry(log, {"event": "e3"})

    append_entry(log, {"event": "e4"})
    assert [entry["event"] for entry in read_entries(log)] == ["e0", "e1", "e2", "e3", "e4"]


def test_full_disk_leaves_nothing_of_an_entry(log: Path) -> None:
    before = (log / LOG_FILE).read_bytes()
    found = subprocess.run(
        [sys.executable, "-c", FULL_DISK, log], capture_output=True, text=True, check=False
    )
    assert "No space left" in found.stderr or "File too large" in found.stderr
    assert (log / LOG_FILE).read_bytes() == before
    append_entry(log, {"event": "e3"})
    assert len(read_entries(log)) == 4
