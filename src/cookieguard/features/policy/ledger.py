"""The ledger of announcements in the store: one value that every worker of every machine reads."""

from __future__ import annotations

import json
from collections.abc import Callable

from cookieguard.errors import CookieGuardError
from cookieguard.features.policy.values.ledger import (
    Announcement,
    Ledger,
    read_announcement,
    write_announcement,
)
from cookieguard.storage.store.protocol import Store
from cookieguard.storage.store.values import WholeValue


class LedgerError(CookieGuardError):
    """Say that the ledger of announcements cannot be read or written, and why."""


def read_ledger(store: Store) -> Ledger:
    """Read what was announced; nothing where there is no ledger yet. Raises StoreDown and LedgerError."""
    return LEDGER.read(store)


def change_ledger(store: Store, change: Callable[[Ledger], Ledger]) -> Ledger:
    """Write what `change` makes of the ledger, over the version it was made of; raises whatever `change` raises."""
    after = LEDGER.change(store, change)
    if after is None:
        raise LedgerError("the list of announcements kept changing meanwhile; run the command again")
    return after


def loads_ledger(value: bytes) -> Ledger:
    """Read a ledger's text; raises LedgerError."""
    try:
        return {str(name): _entry(one) for name, one in json.loads(value).items()}
    except (ValueError, AttributeError) as error:
        raise LedgerError("the ledger of announcements was not written by cookieguard") from error


def dumps_ledger(ledger: Ledger) -> bytes:
    """Write a ledger's text."""
    kept = {name: json.loads(write_announcement(one)) for name, one in sorted(ledger.items())}
    return json.dumps(kept, separators=(",", ":")).encode()


def _entry(kept: object) -> Announcement:
    return read_announcement(json.dumps(kept).encode())


LEDGER = WholeValue("policy", "ledger", loads_ledger, dumps_ledger)
