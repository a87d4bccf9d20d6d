"""What the doctor says of the policy."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC

from cookieguard.engines.doctor_settings import Finding
from cookieguard.engines.doctor_shop import Shop
from cookieguard.features.policy.folder_checks import examine_policy


def checks_of(shop: Shop) -> Iterator[Finding]:
    """Yield which version is in force, and whether notices are late. Raises ConfigError, StoreDown and LedgerError."""
    policy, today = shop.config.policy, shop.now.astimezone(UTC).date()
    if policy.folder:
        found = examine_policy(shop.config, shop.state, environ=shop.environ, today=today)
        yield from (Finding(*one) for one in found)
        return
    since = "from the start" if policy.effective is None else f"from {policy.effective}"
    if policy.effective is not None and policy.effective > today:
        since += ", not in force yet: all visitors are asked again on that day"
    yield Finding("policy", f"version {policy.version}, {since}")
