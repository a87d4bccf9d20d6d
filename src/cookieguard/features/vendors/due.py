"""What people have to do about changes of vendors: confirm or stop those that wait, and look into broken rows."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC

from cookieguard.engines.doctor_settings import Finding
from cookieguard.engines.doctor_shop import Shop
from cookieguard.features.vendors.rows import has_store, read_known
from cookieguard.features.vendors.values.changes import LIFE
from cookieguard.identity.tokens import from_milliseconds, to_milliseconds

CONFIRM = "confirm it, or stop it, on the page of vendor changes"
TAKE_OVER = "compare with the journal of staff, then have the file take over: cookieguard vendors freeze"


def due_of(shop: Shop) -> Iterator[Finding]:
    """Yield rows that do not verify, and the changes that wait; raises StoreDown."""
    if not shop.config.console.applies or not has_store(shop.config, shop.state, environ=shop.environ):
        return
    known = read_known(shop.config, shop.state, shop.keyring, environ=shop.environ)
    if known.broken:
        rows, held = ", ".join(map(str, known.broken)), ", ".join(sorted(known.held)) or "none"
        yield Finding("vendor changes", f"row {rows} does not verify; held for that: {held}", TAKE_OVER)
    for change in known.ledger.waiting.values():
        if not change.is_over(to_milliseconds(shop.now)):
            told = f"a change proposed by {change.row.name} waits, confirmed by {len(change.confirmed)} of 2"
            day = from_milliseconds(change.row.at + LIFE).astimezone(UTC).date()
            yield Finding(f"vendor {change.row.vendor}", told, advice=CONFIRM, day=day, role="officer")
