"""Visits, orders and answers to the banner, counted without personal data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, ClassVar

from cookieguard.features.feature import Feature, Place

if TYPE_CHECKING:
    from cookieguard.engines.doctor_settings import Finding
    from cookieguard.engines.doctor_shop import Shop
    from cookieguard.engines.retention import Step


class Statistics(Feature):
    """Count hits, and show the sums."""

    name: ClassVar[str] = "statistics"
    commands: ClassVar[Mapping[str, str]] = {"report": "report", "note": "people.note", "export": "export"}

    def jobs(self, place: Place) -> Mapping[str, Step]:
        """Return the forgetting of keys, hits and sums."""
        from cookieguard.features.statistics.jobs import jobs_of

        return jobs_of(place)

    def checks(self, shop: Shop) -> Iterator[Finding]:
        """Yield what statistics keep, and what they lost."""
        from cookieguard.features.statistics.checks import checks_of

        return checks_of(shop)
