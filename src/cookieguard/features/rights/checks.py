"""What the doctor says of the queue of requests."""

from __future__ import annotations

from collections.abc import Iterator

from cookieguard.engines.doctor_settings import Finding
from cookieguard.engines.doctor_shop import Shop
from cookieguard.features.rights.queue_checks import examine_requests


def checks_of(shop: Shop) -> Iterator[Finding]:
    """Yield what the queue is like. Raises QueueDown."""
    found = examine_requests(shop.config, shop.state, lambda: shop.keyring, shop.now, environ=shop.environ)
    yield from (Finding(*one) for one in found)
