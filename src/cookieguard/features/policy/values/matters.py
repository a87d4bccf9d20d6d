"""What matters in a consent: for each purpose a digest of who gets what, and for how long; no wording is in it.

Visitors are asked again where the digests of what they agreed to are others now. What they refused stays refused.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

from cookieguard.config import Config, Vendor
from cookieguard.config.purposes import NECESSARY

STATISTICS = "statistics"


def matters_of(config: Config) -> Mapping[str, str]:
    """Return the digest of each purpose that somebody can agree to."""
    return {one.id: _digest(config, one.id) for one in config.purposes if one.id != NECESSARY}


def _digest(config: Config, purpose: str) -> str:
    facts = {
        "purpose": purpose,
        "recipients": sorted(
            [vendor.name, *sorted(vendor.hosts), *_facts_of(vendor)]
            for vendor in config.vendors
            if vendor.purpose == purpose
        ),
        "others": purpose == config.undeclared,  # whoever is not declared gets it too
        "days": config.stats.hit_days if purpose == STATISTICS and config.stats.enabled else None,
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def _facts_of(vendor: Vendor) -> list[str]:
    facts = {"data": ", ".join(sorted(vendor.data)), "kept": vendor.retention, "in": vendor.country}
    return [f"{name}: {fact}" for name, fact in facts.items() if fact]
