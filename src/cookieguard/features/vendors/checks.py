"""What the doctor says of the changes of vendors that staff made."""

from __future__ import annotations

from collections.abc import Iterator

from cookieguard.engines.doctor_settings import Finding
from cookieguard.engines.doctor_shop import Shop
from cookieguard.features.vendors.reading import known_of

TAKE_OVER = "compare with the journal of staff, then have the file take over: cookieguard vendors freeze"


def checks_of(shop: Shop) -> Iterator[Finding]:
    """Yield how many changes there are, and which rows do not verify; raises StoreDown."""
    known = known_of(shop)
    if known is None:
        return
    yield Finding("vendor changes", f"{len(known.ledger.overlays)} vendors were changed by staff")
    if known.broken:
        rows, held = ", ".join(map(str, known.broken)), ", ".join(sorted(known.held)) or "none"
        yield Finding("vendor changes", f"row {rows} does not verify; held for that: {held}", TAKE_OVER)
