"""Sealed rows of a store after a rotation, with a lost or restored keyring, and after changes by an attacker."""

from __future__ import annotations

import logging
import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from harness.asgi import ask, page
from harness.stores import give_keyring

from cookieguard import Config, CookieGuard, visitor_of
from cookieguard.config import LogSettings
from cookieguard.errors import ConfigError
from cookieguard.identity.revocations import Revocation, Revoked
from cookieguard.keyring import Keyring, KeyState, new_key
from cookieguard.storage.keyring_file import WatchedKeyring, change_keyring
from cookieguard.storage.store.housekeeping import examine_store
from cookieguard.storage.store.open import store_opener
from cookieguard.storage.store.protocol import StoredValue
from cookieguard.storage.store.sealed_rows import DAY, HOUR, end_of_day
from cookieguard.storage.store.sqlite import SqliteStore

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
FAR = 1_800_000_000_123
FIRST = Keyring.generate(NOW)
END = Revocation(Revoked.SESSION, "s1", 1_000, FAR, "17", 500)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return a store with a value and an ending, under the first keyring."""
    path = tmp_path / "store.db"
    with closing(SqliteStore(path, FIRST)) as store:
        store.write("cart", "c:17", b"tea", until=FAR)
        store.record([END])
    return path


def rotated(keyring: Keyring) -> Keyring:
    """Return a keyring in which a new key signs and the others verify."""
    after = keyring.with_key(new_key(NOW))
    return after.promoted(after.ids[-1], now=NOW + timedelta(hours=1))


def without(keyring: Keyring, before: Keyring) -> Keyring:
    return Keyring(key for key in keyring.every if key.id not in before.ids)


def sealed(path: Path) -> list[tuple[bytes, ...]]:
    with closing(sqlite3.connect(path)) as file:
        return file.execute("SELECT sealed FROM kept UNION ALL SELECT sealed FROM ending").fetchall()


def require_both(path: Path, keyring: Keyring) -> None:
    with closing(SqliteStore(path, keyring)) as store:
        assert store.read("cart", "c:17") == StoredValue(b"tea", 1, FAR)
        assert list(store.changes(0)) == [END]
        assert not any("seal" in check for check, _, _ in examine_store(store))


def test_rotation_seals_the_secret_anew_and_no_row_and_the_key_before_can_go(path: Path) -> None:
    before, second = sealed(path), rotated(FIRST)

    require_both(path, second)
    require_both(path, without(second, FIRST))

    assert sealed(path) == before


def test_worker_that_keeps_its_connection_follows_the_keyring(path: Path) -> None:
    give_keyring(path.parent)
    file = path.parent / "keyring"
    file.write_text(FIRST.dumps())
    keyring = WatchedKeyring(file, "keys.file", look_every=timedelta(0))
    with closing(SqliteStore(path, keyring)) as store:
        change_keyring(file, "keys.file", lambda _: rotated(FIRST))
        store.seal_anew()
        assert keyring.signing.id not in FIRST.ids
        SqliteStore(
            path, FIRST.with_key(replace(keyring.signing, state=KeyState.VERIFY))
        ).close()  # of another machine
        store.seal_anew()  # an hour later

    require_both(path, without(keyring, FIRST))


def test_lost_keyring_is_an_error_that_says_so_and_one_that_is_brought_back_opens_all(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    other = Keyring.generate(NOW)
    with caplog.at_level(logging.ERROR), closing(SqliteStore(path, other)) as store:
        assert store.read("cart", "c:17") is None
        assert list(store.changes(0)) == []
        store.write("cart", "c:17", b"coffee", until=FAR)
        told = {check: (found, mend) for check, found, mend in examine_store(store)}
    assert "no key of the keyring opens what it holds, so it starts empty" in caplog.text
    assert told["store seal"][1]

    caplog.clear()
    with closing(SqliteStore(path, other)) as store:
        assert store.read("cart", "c:17") == StoredValue(b"coffee", 1, FAR)
    assert caplog.text == ""
    require_both(path, FIRST)


def test_row_that_was_moved_or_changed_counts_as_missing_and_can_be_written_over(path: Path) -> None:
    with closing(SqliteStore(path, FIRST)) as store:
        store.write("cart", "c:18", b"coffee", until=FAR)
        names = [name for (name,) in store.database.rows("SELECT key FROM cookieguard_kept ORDER BY key")]
        swap = "UPDATE cookieguard_kept SET sealed = (SELECT sealed FROM cookieguard_kept WHERE key = :other)"
        store.database.write(f"{swap} WHERE key = :key", key=names[0], other=names[1])
        read = [store.read("cart", key) for key in ("c:17", "c:18")]
        assert sorted(one.value for one in read if one) in ([b"", b"coffee"], [b"", b"tea"])

        assert store.change("cart", "c:17", lambda kept: (b"new", FAR))
        assert store.change("cart", "c:18", lambda kept: (b"new", FAR))
        assert {one.value for key in ("c:17", "c:18") if (one := store.read("cart", key))} == {b"new"}

        store.database.write("UPDATE cookieguard_ending SET sealed = :junk", junk=b"junk")
        assert list(store.changes(0)) == []


@pytest.mark.parametrize("sealed_with", ["''", "'text'", "5", "x''", "substr(sealed, 1, 13)"])
def test_row_of_any_type_that_was_changed_stops_no_other(path: Path, sealed_with: str) -> None:
    with closing(SqliteStore(path, FIRST)) as store:
        store.record([END._replace(key="s2")])
        other = store.database.value("SELECT max(key) FROM cookieguard_ending")
        store.write("cart", "c:18", b"coffee", until=FAR)
        changed = f"sealed = {sealed_with} WHERE key"
        store.database.write(f"UPDATE cookieguard_ending SET {changed} = :key", key=other)
        place = store._rows.place("cart", "c:17")
        store.database.write(f"UPDATE cookieguard_kept SET {changed} = :key", key=place.key)

        assert len(list(store.changes(0))) == 1
        assert store.read("cart", "c:17") == StoredValue(b"", 1, 0)
        assert store.read("cart", "c:18") == StoredValue(b"coffee", 1, FAR)


def test_secret_that_was_cut_short_is_a_lost_one(path: Path) -> None:
    for length in range(60, 0, -6):
        with closing(sqlite3.connect(path)) as file, file:
            file.execute("DELETE FROM secret WHERE number > 1")
            file.execute("UPDATE secret SET sealed = substr(sealed, 1, ?)", (length,))
        with closing(SqliteStore(path, FIRST)) as store:
            assert store.lost == 1


def test_keyring_that_is_lost_again_leaves_an_empty_store_that_works(path: Path) -> None:
    for _ in range(3):
        with closing(SqliteStore(path, Keyring.generate(NOW))) as store:
            assert store.read("cart", "c:17") is None
            store.write("cart", "c:17", b"tea", until=FAR)
            assert store.lost == 1
        with closing(sqlite3.connect(path)) as file, file:  # as docs/operations.md says
            file.execute("DELETE FROM secret WHERE number < (SELECT max(number) FROM secret)")


@pytest.mark.parametrize(
    ("moment", "kept"),
    [(1, DAY), (DAY, DAY), (DAY + 1, 2 * DAY), (DAY + 2 * HOUR, DAY + 2 * HOUR), (2**62, None)],
)
def test_clear_time_is_the_end_of_a_day_or_a_whole_hour(moment: int, kept: int | None) -> None:
    found = end_of_day(moment)

    assert found >= moment
    assert found % HOUR == 0
    assert kept in (None, found)
    assert found < 2**63


def test_the_same_key_has_another_name_on_another_shelf_and_in_another_store(tmp_path: Path) -> None:
    opened: list[Callable[[str, str], bytes]] = []
    for name in ("one", "other"):
        with closing(SqliteStore(tmp_path / f"{name}.db", FIRST)) as store:
            opened.append(store._rows.name)
    one, other = opened

    assert len({one("cart", "17"), one("orders", "17"), one("cart", "171"), other("cart", "17")}) == 4
    assert one("cart", "17") == one("cart", "17")


def test_keys_in_the_environment_seal_the_store_without_a_keyring_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COOKIEGUARD_KEYS", FIRST.dumps())
    config = Config(state_dir=str(tmp_path / "state"), log=LogSettings(enabled=False))

    def act(scope: Any) -> None:
        visitor_of(scope).login("4711")
        visitor_of(scope).cart["tea"] = 1

    app = CookieGuard(page(headers=(), act=act), config, clock=lambda: NOW)
    assert ask(app).status == 200
    app.close()

    state = tmp_path / "state"
    assert not (state / "keyring").exists()
    with closing(store_opener(config, state, environ=os.environ)()) as store:
        cart = store.read("cart", "c:4711")
    assert cart is not None
    assert b"tea" in cart.value
    assert b"tea" not in (state / "store.db").read_bytes()
    with pytest.raises(ConfigError, match="no keyring is in it"):
        store_opener(config, state, environ={})
