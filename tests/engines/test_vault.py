"""The vault's files: a torn line is lost whole, and takes no other with it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from cookieguard.engines.files.state_directory import StateDirectory
from cookieguard.engines.files.vault import VaultWriter, make_keys, private_key, read_events
from cookieguard.stats.vault_records import Risk, open_box

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
