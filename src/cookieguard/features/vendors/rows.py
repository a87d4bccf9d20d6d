"""The rows of changes in the store, and a sealed copy in the state directory that notices what was taken out of it.

A row is written once and never changed. One that is missing, was changed, or does not continue the row before it is
broken: its vendor is held, and all other rows count.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from cookieguard.config import Config
from cookieguard.config.purposes import NECESSARY
from cookieguard.errors import ConfigError, CookieGuardError
from cookieguard.features.vendors.values.changes import Kind, Ledger, Row, dumps_row, ledger_of, loads_row
from cookieguard.keyring import Keyring
from cookieguard.storage.sealing import Seal, SealBroken
from cookieguard.storage.state_directory import StateDirectory
from cookieguard.storage.store.open import store_file, store_opener
from cookieguard.storage.store.protocol import FOR_EVER, TRIES, Store
from cookieguard.storage.store.sealed_rows import Shelved

NAMESPACE = "vendor-change"
COPY = "vendor-changes"
USE = b"changes of vendors"
Rows = Mapping[int, Row]


class ChangeRefused(CookieGuardError):
    """Say why a change of a vendor is refused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """Hold the rows that count, and the numbers of those that do not verify."""

    rows: Rows = field(default_factory=dict)
    broken: tuple[int, ...] = ()
    held: frozenset[str] = frozenset()
    """The vendors of broken rows."""
    is_blind: bool = False
    """No row was ever read here, so any host may be that of a vendor which is held."""
    last: int = 0
    ledger: Ledger = field(default_factory=Ledger)


class Copy:
    """Keep all rows that this machine has seen, sealed by the keyring. Owns what it read last."""

    def __init__(self, state: StateDirectory, keyring: Keyring) -> None:
        self._state, self._seal = state, Seal(keyring, USE)

    def read(self) -> Rows | None:
        """Return the rows; None if there is no copy that opens."""
        sealed = self._state.read(COPY)
        with suppress(SealBroken, ValueError):
            if sealed is not None:
                found = [loads_row(one.encode()) for one in json.loads(self._seal.open(sealed, about=COPY))]
                return {one.number: one for one in found}
        return None

    def add(self, rows: Rows) -> None:
        """Add rows; one that is there stays as it is. Raises OSError."""
        before, sealed = self.read(), self._state.read(COPY)
        after = dict(rows) | dict(before or {})
        if before is None or after != before or (sealed is not None and not self._seal.is_current(sealed)):
            text = json.dumps([dumps_row(after[number]).decode() for number in sorted(after)])
            self._state.replace(COPY, self._seal.close(text.encode(), about=COPY))


def read_rows(store: Store, config: Config, seen: Rows) -> Known:
    """Read all rows; `seen` are those that this machine knows. Raises StoreDown."""
    return known_by(store.shelf(NAMESPACE), config, seen, store.mark)


def has_store(config: Config, state: Path, *, environ: Mapping[str, str]) -> bool:
    """Return whether there is a store, which the shop's first start makes."""
    file = store_file(config.store, state, environ=environ)
    return file is None or file.exists()


def read_known(config: Config, state: Path, keyring: Keyring, *, environ: Mapping[str, str]) -> Known:
    """Return what the store and this machine's copy say; creates no file. Raises StoreDown and ConfigError."""
    if not has_store(config, state, environ=environ):
        raise ConfigError(
            "store.url", was="a file that is not there", allowed="that of a shop that has started once"
        )
    seen = (Copy(StateDirectory(state), keyring).read() if (state / COPY).exists() else None) or {}
    with closing(store_opener(config, state, environ=environ, keyring=keyring)()) as store:
        return read_rows(store, config, seen)


def unread(config: Config, seen: Rows | None) -> Known:
    """Return what counts while the store has not answered yet: each vendor that a row may be about is held.

    On a machine that never read a row this is every third party but the necessary ones of the file.
    """
    if seen is None:
        names = frozenset(one.name for one in config.vendors if one.purpose != NECESSARY)
        return Known(held=names, is_blind=True)
    rows = dict(sorted(seen.items()))
    ledger = ledger_of(rows.values())
    return Known(rows=rows, held=frozenset(ledger.overlays), last=max(rows, default=0), ledger=ledger)


def append(store: Store, config: Config, seen: Rows, make: Callable[[Known], Row]) -> Known:
    """Write the row that `make` makes of what is known, and return what is known with it.

    Raises StoreDown, and ChangeRefused from `make`, or if others wrote at every try.
    """
    for _ in range(TRIES):
        known = read_rows(store, config, seen)
        before, number = known.rows.get(known.last), known.last + 1
        row = make(known)._replace(number=number)
        if before is not None:
            at = max(row.at, before.at + 1)
            row = row._replace(previous=before.seal, neighbour=before.vendor, at=at)
        if store.write(NAMESPACE, str(number), dumps_row(row), until=FOR_EVER, after=0, owner=row.vendor):
            return read_rows(store, config, {**known.rows, number: row})
    raise ChangeRefused("others changed vendors at the same time; try again")


def known_by(shelved: Collection[Shelved], config: Config, seen: Rows, mark: Callable[[str], bytes]) -> Known:
    """Return what these rows say; `mark` says which rows are marked with a vendor."""
    stored = {row.number: row for one in shelved if (row := _row(one)) is not None}
    last = max([len(shelved), *stored, *seen])
    rows, broken = _verified(stored, seen, last)
    taken = max((one.number for one in rows.values() if one.kind is Kind.TAKE), default=0)
    broken = [number for number in broken if number > taken]
    held = set[str]()
    if broken:
        touched = {one.vendor for one in rows.values()}
        owners = {mark(name): name for name in {*touched, *(one.name for one in config.vendors)}}
        held = {owners[one.owner] for one in shelved if not one.value and one.owner in owners}
    for number in broken:
        after = stored.get(number + 1)
        about = {one.vendor for one in (seen.get(number), stored.get(number)) if one is not None}
        about |= {after.neighbour} if after is not None else set()
        # A row about no vendor may be the one by which the file took over, unless it was seen here.
        held |= about if number in seen or about - {""} else touched
    ledger = ledger_of(rows.values())
    for row in reversed(
        rows.values()
    ):  # else the hosts of a vendor whose rows are broken would count as undeclared
        if row.vendor in held and row.after.table is not None and ledger.overlay(row.vendor).table is None:
            ledger.overlays[row.vendor] = replace(row.after, held=True)
    return Known(rows=rows, broken=tuple(broken), held=frozenset(held - {""}), last=last, ledger=ledger)


def _verified(stored: Rows, seen: Rows, last: int) -> tuple[dict[int, Row], list[int]]:
    """Return the rows that count, and the numbers of the broken ones; of these the row counts that was seen before."""
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


def _row(one: Shelved) -> Row | None:
    with suppress(ValueError):
        row = loads_row(one.value) if one.value else None
        return row if row is not None and str(row.number) == one.key else None
    return None
