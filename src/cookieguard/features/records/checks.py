"""What the doctor says of the consent log."""

from __future__ import annotations

from collections.abc import Iterator

from cookieguard.engines.doctor_settings import Finding
from cookieguard.engines.doctor_shop import Shop
from cookieguard.features.records.log_checks import examine_log


def checks_of(shop: Shop) -> Iterator[Finding]:
    """Yield what the log and the keys of its subjects are like. Raises LogDown."""
    yield from (Finding(*it) for it in examine_log(shop.config, shop.state, shop.now, environ=shop.environ))
