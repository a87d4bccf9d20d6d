"""On a full disk, a look at personal data without an entry in the access journal fails, and no entry is lost."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from cookieguard.features.people.journal import Journal, read_journal
from cookieguard.keyring import Keyring
from cookieguard.storage.state_directory import StateDirectory

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)


def test_entry_that_the_disk_took_half_of_is_refused_and_the_next_one_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = Journal(StateDirectory(tmp_path / "state"), Keyring.generate(NOW))
    write = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, text: write(descriptor, text[:30]))
    with pytest.raises(OSError, match="No space left"):
        journal.write(NOW, "looked", who="Sam", customer="10001")
    monkeypatch.undo()

    journal.write(NOW, "looked", who="Olga", customer="10001")

    assert [one["who"] for one in read_journal(tmp_path / "state")] == ["Olga"]
