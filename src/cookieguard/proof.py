"""What a shop writes into the consent log by itself: `Record`, and `customer`, which names whose it is."""

from __future__ import annotations

from cookieguard.features.records.values.records import Record, customer

__all__ = ["Record", "customer"]
