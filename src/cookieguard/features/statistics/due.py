"""The undeclared hosts that were held: an officer has to say what they are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress

from cookieguard.consent import Register, shop_site
from cookieguard.engines.doctor_settings import Finding, vendor_page
from cookieguard.engines.doctor_shop import Shop, remembered
from cookieguard.features.statistics.dashboard.tabs import HeldHost, read_tab
from cookieguard.features.statistics.engines.protocol import EngineDown

MOST = 5  # hosts: the page of vendors has the others


def due_of(shop: Shop) -> Iterator[Finding]:
    """Yield undeclared hosts of the last 7 days. They were held, so nothing is wrong."""
    config = shop.config
    register = Register(
        purposes=config.purposes, vendors=config.vendors, first_party_hosts=config.first_party_hosts
    )
    site = shop_site(config)
    unknown = [
        one.host
        for one in remembered(shop, f"held {shop.state}", (), lambda: _held(shop))
        if not (one.vendor or register.is_named(one.host))
        and register.judge(one.host, None, "", shop=site).is_undeclared
    ]
    for host in unknown[:MOST]:
        told, task = f"{host} was held in the last 7 days", f"Say what {host} is"
        yield Finding("held hosts", told, role="officer", task=task, page=vendor_page(host=host))


def _held(shop: Shop) -> Sequence[HeldHost]:
    """Read what was held, nothing where that cannot be read: a check of its own says so."""
    with suppress(EngineDown):
        found = read_tab(shop, "held", "7")
        return () if found is None else found.hosts
    return ()
