"""What the doctor says of the vault."""

from __future__ import annotations

from collections.abc import Iterator

from cookieguard.engines.doctor_settings import Finding
from cookieguard.engines.doctor_shop import RUN_JOB, Shop
from cookieguard.features.vault.sealed_events import event_days


def checks_of(shop: Shop) -> Iterator[Finding]:
    """Yield how many sealed events there are."""
    events = event_days(shop.state)
    told = f"{len(events)} days, the oldest is {events[0]}" if events else "none"
    is_over = bool(events) and events[0] < shop.first_day(shop.config.vault.keep_days)
    yield Finding("sealed events", told, RUN_JOB if is_over else "")
