"""A torn line in a file of the vault loses that line alone."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from cookieguard.errors import ConfigError
from cookieguard.features.vault.sealed_events import (
    PUBLIC_FILE,
    VaultWriter,
    make_keys,
    private_key,
    read_events,
    read_public_keys,
)
from cookieguard.features.vault.vault_records import Risk, open_box
from cookieguard.storage.state_directory import StateDirectory

NOW = datetime.now(UTC)


def test_line_torn_by_a_full_disk_takes_no_other_with_it(tmp_path: Path) -> None:
    state, private = StateDirectory(tmp_path / "state"), StateDirectory(tmp_path / "private")
    make_keys(state, private, today=NOW.date(), days=1)
    writer = VaultWriter(state)

    def write(name: str) -> None:
        writer.write([writer.form(Risk(event="abuse", id=name, time=NOW, address="203.0.113.7"))])

    write("one")
    write("torn")
    path = state.path / "vault" / f"{NOW.date()}.jsonl"
    with path.open("rb+") as file:
        file.truncate(path.stat().st_size - 40)
    write("three")

    events = read_events(state, NOW.date())
    key = private_key(private, NOW.date())
    assert key is not None
    assert [event["id"] for event in events] == ["one", "three"]
    assert [open_box(event, key)["address"] for event in events] == ["203.0.113.7"] * 2


def test_public_keys_that_a_restored_state_directory_lacks_are_made_of_the_private_ones(
    tmp_path: Path,
) -> None:
    state, private = StateDirectory(tmp_path / "state"), StateDirectory(tmp_path / "private")
    made = make_keys(state, private, today=NOW.date(), days=14)
    before = read_public_keys(state.path)
    (state.path / PUBLIC_FILE).unlink()

    assert make_keys(state, private, today=NOW.date(), days=14) == made

    assert read_public_keys(state.path) == before


def test_private_key_of_another_length_is_refused(tmp_path: Path) -> None:
    state, private = StateDirectory(tmp_path / "state"), StateDirectory(tmp_path / "private")
    private.create_once(f"vault-{NOW.date()}", lambda: b"half")

    with pytest.raises(ConfigError, match="with 4 bytes as the key of"):
        make_keys(state, private, today=NOW.date(), days=1)
