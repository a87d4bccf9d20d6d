"""The doctor's findings about a log that does not exist yet, and about one that grows while it is checked."""

from __future__ import annotations

from pathlib import Path

import pytest
from harness.postgres import Postgres

from cookieguard.config import Config
from cookieguard.config.store import StoreSettings
from cookieguard.engines.doctor_settings import Finding
from cookieguard.engines.doctor_shop import Shop
from cookieguard.features.records.anchors import NEWEST
from cookieguard.features.records.checks import _log, checks_of
from cookieguard.features.records.erasure_journal import Erasures
from cookieguard.features.records.store.open import open_log_store, open_stores
from cookieguard.features.records.store.protocol import LogNotMade
from cookieguard.keyring import Keyring
from cookieguard.storage.journal import Journal

from .conftest import NOW, World, emptied, record_of


def shop_in(state: Path) -> Shop:
    return Shop(config=Config(state_dir=str(state)), environ={}, now=NOW)


def test_tables_that_no_worker_made_yet_are_no_fault(server: Postgres, tmp_path: Path) -> None:
    place = emptied(server, Erasures(Journal(tmp_path, "", days=30), ()), Keyring.generate(NOW))
    config = Config(state_dir=str(tmp_path), store=StoreSettings(url=server.url))

    shop = Shop(config=config, environ={}, now=NOW)

    (told,) = checks_of(shop)
    (tmp_path / NEWEST).write_text("what was there")
    (gone,) = checks_of(shop)

    assert told == Finding("consent log", "not there yet: the first choice creates it")
    assert gone.found == "it is gone"
    assert gone.mend
    with pytest.raises(LogNotMade, match="no worker has made its tables yet"):
        open_stores(place, make=False)


def test_records_that_are_numbered_while_the_doctor_looks_are_no_fault(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.write(record_of())
    store = open_log_store(world.place.log, make=False)
    kind, size = type(store), type(store).size
    store.close()

    def size_and_more(self: object) -> int:
        found: int = size(self)  # type: ignore[arg-type]
        monkeypatch.setattr(kind, "size", size)
        world.write(record_of())
        return found

    monkeypatch.setattr(kind, "size", size_and_more)
    (told,) = _log(world.place, shop_in(tmp_path))

    assert told == Finding("consent log", "1 entries, 0 of them waiting for a number")


def test_log_that_was_set_back_is_named_before_a_worker_writes(world: World, tmp_path: Path) -> None:
    world.write(record_of())
    store = open_log_store(world.place.log, make=False)
    note = store.checkpoint()
    store.close()
    assert note is not None
    (tmp_path / NEWEST).write_text(note)
    (sound,) = _log(world.place, shop_in(tmp_path))
    lines = note.split("\n")
    lines[1] = "7"
    (tmp_path / NEWEST).write_text("\n".join(lines))

    _, told = _log(world.place, shop_in(tmp_path))

    assert (sound.mend, told.check, told.mend) == ("", "consent log's past", "run: cookieguard log verify")
    assert told.found == "the log was set back or replaced: 1 entries are not all that checkpoint names"
