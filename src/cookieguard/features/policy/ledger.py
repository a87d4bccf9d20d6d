"""The ledger of announced policy versions: one value in the store, which every worker on every machine reads."""

from __future__ import annotations

import json
from collections.abc import Callable

from cookieguard.errors import CookieGuardError
from cookieguard.features.policy.values.ledger import Ledger, read_announcement, write_announcement
from cookieguard.storage.store.protocol import Store
from cookieguard.storage.store.values import WholeValue


class LedgerError(CookieGuardError):
    """Say that the ledger of announcements cannot be read or written, and why."""


def read_ledger(store: Store) -> Ledger:
    """Read the ledger, empty if there is none yet. Raises StoreDown and LedgerError."""
    return LEDGER.read(store)


def change_ledger(store: Store, change: Callable[[Ledger], Ledger]) -> Ledger:
    """Write the ledger that `change` returns for the current one; raises StoreDown and the errors of `change`."""
    after = LEDGER.change(store, change)
    if after is None:
        raise LedgerError("the list of announcements kept changing meanwhile; run the command again")
    return after


def loads_ledger(value: bytes) -> Ledger:
    """Parse a stored ledger; raises LedgerError."""
    try:
        return {str(name): read_announcement(kept) for name, kept in json.loads(value).items()}
    except (ValueError, AttributeError) as error:
        raise LedgerError("the ledger of announcements was not written by cookieguard") from error


def dumps_ledger(ledger: Ledger) -> bytes:
    """Return a ledger as it is stored."""
    kept = {name: write_announcement(entry) for name, entry in sorted(ledger.items())}
    return json.dumps(kept, separators=(",", ":")).encode()


LEDGER = WholeValue("policy", "ledger", loads_ledger, dumps_ledger)
