"""A store in a file, opened with the keyring next to it, or with the tests' own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from cookieguard.keyring import Keyring
from cookieguard.storage.keyring_source import KEYRING_FILE, beside
from cookieguard.storage.store import sqlite
from cookieguard.storage.store.protocol import Store, making_once

KEYRING = Keyring.generate(datetime(2026, 11, 24, tzinfo=UTC))


def keyring_beside(path: Path) -> Keyring:
    """Return the keyring of a file's state directory, and the tests' own if there is none."""
    places = (beside(path.parent), path.parent / KEYRING_FILE)
    return next((Keyring.loads(one.read_text()) for one in places if one.exists()), KEYRING)


def give_keyring(state: Path) -> None:
    """Put the tests' own keyring into a state directory that no worker has opened yet."""
    inside = state / KEYRING_FILE
    inside.touch(mode=0o600)
    inside.write_text(KEYRING.dumps())


class SqliteStore(sqlite.SqliteStore):
    """A store in a file."""

    def __init__(self, path: Path, *, make: bool = True) -> None:
        super().__init__(path, keyring_beside(path), make=make)


def values(store: Store, shelf: str = "") -> Iterator[tuple[str, str, bytes, int]]:
    """Yield each decrypted row of a store: shelf, key, value, and expiry."""
    for found, name, sealed in store.database.rows("SELECT shelf, key, sealed FROM cookieguard_kept"):
        if shelf in ("", found):
            opened = store._rows.open_value(sealed, name=name)
            assert opened is not None
            yield found, opened.key, opened.value, opened.until


def contents_of(store: Store) -> str:
    """Return all decrypted keys and values of a store."""
    return "\n".join(f"{key} {value.decode('latin-1')}" for _, key, value, _ in values(store))


def opener(path: Path) -> Callable[[], SqliteStore]:
    """Return a function that opens the store in a file."""
    return making_once(partial(SqliteStore, path))
