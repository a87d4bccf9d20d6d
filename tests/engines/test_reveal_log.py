"""The reveal log: each change, removal and lost end is seen."""

from __future__ import annotations

from pathlib import Path

import pytest

from cookieguard.engines.reveal_log import LOG_FILE, LogTampered, append_entry, read_entries


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
