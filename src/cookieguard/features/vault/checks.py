"""The doctor's check of the vault."""

from __future__ import annotations

from collections.abc import Iterator

from cookieguard.engines.doctor_settings import Finding
from cookieguard.engines.doctor_shop import RUN_JOB, Shop
from cookieguard.features.vault.sealed_events import event_days


def checks_of(shop: Shop) -> Iterator[Finding]:
    """Yield how many days have sealed events, and whether some are kept too long."""
    days = event_days(shop.state)
    found = f"{len(days)} days, the oldest is {days[0]}" if days else "none"
    is_over = bool(days) and days[0] < shop.first_day(shop.config.vault.keep_days)
    yield Finding("sealed events", found, RUN_JOB if is_over else "")
