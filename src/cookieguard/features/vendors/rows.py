"""The rows of vendor changes in the store, and a sealed copy on each machine that reveals removed or altered rows.

A row is written once and never changed. A row is broken if it is missing, was changed, or does not continue the row
before it. The vendor of a broken row is held, and all other rows count.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from contextlib import closing, suppress
from dataclasses import replace

from cookieguard.config import Config
from cookieguard.config.purposes import NECESSARY
from cookieguard.engines.doctor_shop import Shop
from cookieguard.features.vendors.ledger import GONE, HELD, ChangeRefused, Ledger, Row, count, declared
from cookieguard.keyring import Keyring
from cookieguard.storage.sealing import Seal, SealBroken
from cookieguard.storage.state_directory import StateDirectory
from cookieguard.storage.store.open import store_file, store_opener
from cookieguard.storage.store.protocol import FOR_EVER, TRIES, Store
from cookieguard.storage.store.sealed_rows import Opened

NAMESPACE = "vendor-change"
COPY = "vendor-changes"
USE = b"changes of vendors"
Rows = Mapping[int, Row]


class Copy:
    """Keep all rows that this machine has seen, sealed by the keyring."""

    def __init__(self, state: StateDirectory, keyring: Keyring) -> None:
        self._state, self._seal = state, Seal(keyring, USE)

    def read(self) -> Rows | None:
        """Return the rows; None if there is no copy, or its seal cannot be opened."""
        sealed = self._state.read(COPY)
        with suppress(SealBroken, ValueError, TypeError, LookupError):
            if sealed is not None:
                found = map(Row.read, json.loads(self._seal.open(sealed, about=COPY)))
                return {row.number: row for row in found}
        return None

    def add(self, rows: Rows) -> None:
        """Add rows without replacing any that the copy has. Raises OSError."""
        before, sealed = self.read(), self._state.read(COPY)
        after = {**rows, **(before or {})}
        if before is None or after != before or (sealed is not None and not self._seal.is_current(sealed)):
            text = json.dumps([after[number].text for number in sorted(after)])
            self._state.replace(COPY, self._seal.close(text.encode(), about=COPY))


def read_ledger(shop: Shop) -> Ledger:
    """Return the ledger by the store and this machine's copy; creates no file. Raises StoreDown and ConfigError."""
    config, state, environ = shop.config, shop.state, shop.environ
    file = store_file(config.store, state, environ=environ)
    if not config.console.applies or (file is not None and not file.exists()):
        return Ledger()
    seen = Copy(StateDirectory(state), shop.keyring).read() if (state / COPY).exists() else None
    with closing(store_opener(config, state, environ=environ, keyring=shop.keyring)()) as store:
        return ledger_by(store.shelf(NAMESPACE), config, seen or {})


def in_force(shop: Shop) -> Config:
    """Return the configuration with the vendors in force instead of the file's. Raises StoreDown and ConfigError."""
    config = shop.config
    return replace(config, vendors=declared(config, read_ledger(shop))) if config.console.applies else config


def append(store: Store, config: Config, seen: Rows, make: Row | Callable[[Ledger], Row]) -> None:
    """Write a row, or the one that `make` returns for the current ledger. Raises StoreDown and ChangeRefused."""
    for _ in range(TRIES):
        known = ledger_by(store.shelf(NAMESPACE), config, seen)
        last = max([*known.rows, *known.broken], default=0)
        made, before = make if isinstance(make, Row) else make(known), known.rows.get(last)
        row = made._replace(number=last + 1)
        if row.of and row.of not in known.waiting:
            raise ChangeRefused(GONE)
        if before is not None:
            at = max(row.at, before.at + 1)
            row = row._replace(previous=before.seal, neighbour=before.vendor, at=at)
        key = str(row.number)
        if store.write(NAMESPACE, key, row.text.encode(), until=FOR_EVER, after=0, owner=row.vendor):
            return
    raise ChangeRefused("others changed vendors at the same time; try again")


def ledger_by(shelved: Collection[Opened | None], config: Config, seen: Rows) -> Ledger:
    """Return the ledger by the rows of the store; `seen` are the rows that this machine has read before."""
    stored = {row.number: row for opened in shelved if opened and (row := _row(opened))}
    rows, broken = _verified(stored, seen, last=max([len(shelved), *stored, *seen]))
    taken = max((row.number for row in rows.values() if row.kind == "take"), default=0)
    ledger = Ledger(rows=rows, broken=tuple(number for number in broken if number > taken))
    for row in rows.values():
        count(ledger, row)
    touched: set[str | None] = {row.vendor for row in rows.values()}
    refusable = {vendor.name for vendor in config.vendors if vendor.purpose != NECESSARY}
    held = set[str | None]()
    for number in ledger.broken:
        about: set[str | None] = {rows[number].vendor for rows in (seen, stored) if number in rows}
        about |= {stored[number + 1].neighbour} if number + 1 in stored else set()
        is_named = number in seen or about - {"", None}
        # A broken row without a vendor may have been the one by which the file took over, unless it was read here.
        held |= about if is_named else touched if about == {""} else touched | refusable
    ledger.held = frozenset(name for name in held if name)
    # If a held vendor's hosts are lost, restore the newest known ones, or they would count as undeclared
    for row in reversed(ledger.rows.values()):
        is_lost = "hosts" in row.after and "hosts" not in ledger.overlay(row.vendor)
        if row.vendor in ledger.held and is_lost:
            ledger.overlays[row.vendor] = {**row.after, HELD: True}
    return ledger


def _verified(stored: Rows, seen: Rows, *, last: int) -> tuple[dict[int, Row], list[int]]:
    """Return the rows that count and the numbers of broken rows, for which the copy that was read before counts."""
    rows, broken = dict[int, Row](), list[int]()
    for number in range(1, last + 1):
        row, own, before = stored.get(number), seen.get(number), rows.get(number - 1)
        follows = row is not None and (before is None or row.previous == before.seal)
        if not follows or (own is not None and own != row):
            broken.append(number)
            row = own
        if row is not None:
            rows[number] = row
    return rows, broken


def _row(opened: Opened) -> Row | None:
    with suppress(ValueError, TypeError, LookupError):
        row = Row.read(opened.value.decode())
        return row if str(row.number) == opened.key else None
    return None
