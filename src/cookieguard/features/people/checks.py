"""The doctor's check of the host that serves staff pages."""

from __future__ import annotations

from collections.abc import Iterator

from cookieguard.engines.doctor_settings import Finding
from cookieguard.engines.doctor_shop import Shop
from cookieguard.features.people.staff_list import read_staff

ADVICE = "set staff.origin; else any script in a page of the shop can read and post staff pages in a signed-in browser"


def checks_of(shop: Shop) -> Iterator[Finding]:
    """Yield which host serves staff pages, if the shop has staff; raises ConfigError."""
    settings = shop.config.staff
    if settings.origin:
        yield Finding("staff pages", f"served at {settings.origin} only")
    elif settings.header or read_staff(shop.state):
        yield Finding("staff pages", "served at the shop's own address", advice=ADVICE)
