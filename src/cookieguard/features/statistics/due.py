"""The hosts that were held because nobody declared them: somebody has to say what they are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing, suppress

from cookieguard.consent import Register, site_of
from cookieguard.engines.doctor_settings import VENDORS, Finding
from cookieguard.engines.doctor_shop import Shop, remembered
from cookieguard.features.statistics.dashboard.selection import RANGES, Selection
from cookieguard.features.statistics.dashboard.tabs import HeldHost, read_details
from cookieguard.features.statistics.engines.open import open_reader, read_retained
from cookieguard.features.statistics.engines.protocol import EngineDown

MOST = 5  # hosts: the page of vendors has the others


def due_of(shop: Shop) -> Iterator[Finding]:
    """Yield undeclared hosts of the last 7 days. They were held, so nothing is wrong."""
    config = shop.config
    register = Register(
        purposes=config.purposes, vendors=config.vendors, first_party_hosts=config.first_party_hosts
    )
    site = site_of(config.origins[0].partition("://")[2] if config.origins else "")
    unknown = [
        one.host
        for one in remembered(shop, f"held {shop.state}", (), lambda: _held(shop))
        if not (one.vendor or register.is_named(one.host))
        and register.judge(one.host, None, "", shop=site).is_undeclared
    ]
    for host in unknown[:MOST]:
        told, task = f"{host} was held in the last 7 days", f"Say what {host} is"
        yield Finding("held hosts", told, role="officer", task=task, page=VENDORS)


def _held(shop: Shop) -> Sequence[HeldHost]:
    """Read what was held, nothing where that cannot be read: a check of its own says so."""
    stats = shop.config.stats
    with suppress(EngineDown):
        if read_retained(stats, shop.state, environ=shop.environ) is not None:
            with closing(open_reader(stats, shop.state, environ=shop.environ)) as reader:
                return read_details(reader, Selection(tab="held", range=RANGES["7"]), now=shop.now).hosts
    return ()
