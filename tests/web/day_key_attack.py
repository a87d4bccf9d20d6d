"""Attack the keys of a day as a thief of all copies would: any 32 bytes as a key, and as a private half."""

from __future__ import annotations

import re
from base64 import b64decode, urlsafe_b64decode
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from cookieguard.keyring import Keyring, length_prefixed
from cookieguard.stats.full_address import visitor_key
from cookieguard.stats.sealed_box import KEY_BYTES, open_sealed, public_half
from cookieguard.storage.store.day_key_sharing import BOX_USE, MAC_SALT, NAMESPACE, Table, _read
from cookieguard.storage.store.sealed_rows import SealedRows

Tables = dict[str, list[tuple[Any, ...]]]
TOKEN = re.compile(rb"[A-Za-z0-9+/_=-]{32,}")


def dump(url: str) -> Tables:
    """Return every row of every table of ours."""
    import psycopg

    with psycopg.connect(url, autocommit=True) as connection:
        names = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        return {name: connection.execute(f'SELECT * FROM "{name}"').fetchall() for (name,) in names}


def pieces(files: Iterable[Path], tables: Tables) -> list[bytes]:
    """Return the content of all files and of all values of text and bytes."""
    found = [path.read_bytes() for path in files if path.is_file()]
    values = {value for rows in tables.values() for row in rows for value in row}
    found += [
        one if isinstance(one, bytes) else one.encode() for one in values if isinstance(one, (bytes, str))
    ]
    return found


def candidates(found: Iterable[bytes]) -> set[bytes]:
    """Return what may be a key: every window of 32 bytes, as it lies there and decoded, and what derives from these."""
    made: set[bytes] = set()
    for piece in found:
        made.update(_windows(piece))
        for token in TOKEN.findall(piece):
            for decode in (bytes.fromhex, _base64, _urlsafe):
                with suppress(ValueError):
                    made.update(_windows(decode(token.decode())))
    return made


def derived(keyring: Keyring) -> set[bytes]:
    """Return what a thief of the keyring makes of it."""
    secret = keyring.signing
    return {secret.secret[:KEY_BYTES], keyring.derive(secret, MAC_SALT), keyring.derive(secret, BOX_USE)}


def opened(tables: Tables, tried: Iterable[bytes], keyring: Keyring) -> set[bytes]:
    """Return what is in the boxes of the store that any of these opens."""
    keys = set()
    halves = {public_half(one): one for one in tried}
    for name, table in shared(tables, keyring).items():
        use, _, day = name.partition("-")
        for public, entry in table.items():
            if public in halves and entry.box:
                about = length_prefixed(use.encode(), day.encode(), public)
                keys.add(open_sealed(entry.box, halves[public], about=about, use=BOX_USE))
    return keys


def shared(tables: Tables, keyring: Keyring) -> dict[str, Table]:
    """Return the tables of machines that are in the store, by use and day, as a thief of the keyring opens them."""
    rows = SealedRows(Copied(tables["cookieguard_secret"]), keyring)  # type: ignore[arg-type]
    kept = [row for row in tables["cookieguard_kept"] if row[0] == NAMESPACE]
    values = [value for _, name, _, sealed, *_ in kept if (value := rows.open_value(sealed, name=name))]
    return {one.key: _read(one.value) for one in values}


class Copied:
    """Answer what the store's secrets are."""

    def __init__(self, secrets: list[tuple[Any, ...]]) -> None:
        self._secrets = secrets

    def rows(self, _: str) -> list[tuple[Any, ...]]:
        return self._secrets


def rebuilt(wanted: set[int], agent: bytes, keys: Iterable[bytes], site: str) -> set[str]:
    """Return the addresses of the network that are behind visitors' keys."""
    return {
        address
        for key in keys
        for address in (f"198.51.100.{host}" for host in range(256))
        if visitor_key(site, address, agent, key) in wanted
    }


def _windows(text: bytes) -> Iterator[bytes]:
    return (text[start : start + KEY_BYTES] for start in range(min(len(text), 20_000) - KEY_BYTES + 1))


def _base64(text: str) -> bytes:
    return b64decode(text + "=" * (-len(text) % 4), validate=True)


def _urlsafe(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))
