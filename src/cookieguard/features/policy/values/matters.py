"""The facts that a consent depends on: for each purpose, a digest of the recipients, their data and the period.

It leaves out wording. If the digest of a purpose changes, visitors who agreed are asked again; refusals stay valid.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

from cookieguard.config import Config, Vendor
from cookieguard.config.purposes import NECESSARY

STATISTICS = "statistics"


def matters_of(config: Config) -> Mapping[str, str]:
    """Return the digest of each purpose that visitors can agree to."""
    return {purpose.id: _digest(config, purpose.id) for purpose in config.purposes if purpose.id != NECESSARY}


def _digest(config: Config, purpose: str) -> str:
    facts = {
        "purpose": purpose,
        "recipients": sorted(
            [vendor.name, *sorted(vendor.hosts), *_facts_of(vendor)]
            for vendor in config.vendors
            if vendor.purpose == purpose
        ),
        "others": purpose == config.undeclared,  # undeclared hosts count as this purpose, too
        "days": config.stats.hit_days if purpose == STATISTICS and config.stats.enabled else None,
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def _facts_of(vendor: Vendor) -> list[str]:
    facts = {"data": ", ".join(sorted(vendor.data)), "kept": vendor.retention, "in": vendor.country}
    return [f"{name}: {fact}" for name, fact in facts.items() if fact]
