"""Tasks of statistics: undeclared hosts that pages would have contacted, for an officer to declare or dismiss."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress

from cookieguard.engines.doctor_settings import Finding, undeclared, vendor_page
from cookieguard.engines.doctor_shop import Shop, remembered
from cookieguard.features.statistics.dashboard.tabs import HeldHost, read_tab
from cookieguard.features.statistics.engines.protocol import EngineDown

MOST = 5  # hosts; the page of vendors lists all


def due_of(shop: Shop) -> Iterator[Finding]:
    """Yield undeclared hosts of the last 7 days, as tasks only, because their loads were held."""
    found = remembered(shop, f"held {shop.state}", (), lambda: _held(shop))
    unknown = undeclared((held.host for held in found if not held.vendor), shop.config)
    for host in unknown[:MOST]:
        told, task = f"{host} was held in the last 7 days", f"Say what {host} is"
        yield Finding("held hosts", told, role="officer", task=task, page=vendor_page(host=host))


def _held(shop: Shop) -> Sequence[HeldHost]:
    """Return the hosts that were held; none if they cannot be read, which another check reports."""
    with suppress(EngineDown):
        found = read_tab(shop, "held", "7")
        return () if found is None else found.hosts
    return ()
