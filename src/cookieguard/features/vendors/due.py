"""What people have to do about changes of vendors: confirm or stop those that wait."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC

from cookieguard.engines.doctor_settings import Finding
from cookieguard.engines.doctor_shop import Shop
from cookieguard.features.vendors.reading import known_of
from cookieguard.features.vendors.values.changes import LIFE
from cookieguard.identity.tokens import from_milliseconds, to_milliseconds

CONFIRM = "confirm it, or stop it, on the page of vendor changes"


def due_of(shop: Shop) -> Iterator[Finding]:
    """Yield the changes that wait; raises StoreDown."""
    known = known_of(shop)
    for change in () if known is None else known.ledger.waiting.values():
        if not change.is_over(to_milliseconds(shop.now)):
            told = f"a change proposed by {change.row.name} waits, confirmed by {len(change.confirmed)} of 2"
            day = from_milliseconds(change.row.at + LIFE).astimezone(UTC).date()
            yield Finding(f"vendor {change.row.vendor}", told, advice=CONFIRM, day=day, role="officer")
