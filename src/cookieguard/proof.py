"""Names for shops that write to the consent log: `Record`, and `customer`, which names the person of a record."""

from __future__ import annotations

from cookieguard.features.records.values.records import Record, customer

__all__ = ["Record", "customer"]
