"""Tasks about changes of vendors: proposed changes to confirm or stop, and rows that do not verify."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC

from cookieguard.engines.doctor_settings import Finding
from cookieguard.engines.doctor_shop import Shop
from cookieguard.features.vendors.ledger import LIFE, PERSONS
from cookieguard.features.vendors.rows import read_ledger
from cookieguard.identity.tokens import from_milliseconds, to_milliseconds

TAKE_OVER = "compare with the journal of staff, then have the file take over: cookieguard vendors freeze"
PAGE = "vendor-changes"


def due_of(shop: Shop) -> Iterator[Finding]:
    """Yield the rows that do not verify and the changes that wait for a decision; raises StoreDown."""
    ledger = read_ledger(shop)
    if ledger.broken:
        rows, held = ", ".join(map(str, ledger.broken)), ", ".join(sorted(ledger.held)) or "none"
        yield Finding("vendor changes", f"row {rows} does not verify; held for that: {held}", TAKE_OVER)
    for change in ledger.waiting.values():
        if not change.is_over(to_milliseconds(shop.now)):
            row, count = change.row, len(change.confirmed)
            told = f"a change proposed by {row.name} waits, confirmed by {count} of {PERSONS}"
            task, advice = f"Confirm or stop the change of {row.vendor}", "confirm it or stop it"
            day = from_milliseconds(row.at + LIFE).astimezone(UTC).date()
            yield Finding(f"vendor {row.vendor}", told, "", advice, day, "officer", task, PAGE)
