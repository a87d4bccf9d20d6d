"""The shop's people: who may see what of a customer, and the journal of what they saw."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, ClassVar

from cookieguard.features.feature import Feature, Place

if TYPE_CHECKING:
    from cookieguard.engines.doctor_settings import Finding
    from cookieguard.engines.doctor_shop import Shop
    from cookieguard.engines.retention import Step


class People(Feature):
    """Let members of staff in by their role."""

    name: ClassVar[str] = "people"
    commands: ClassVar[Mapping[str, str]] = {"staff": "people.staff", "access": "people.access"}

    def jobs(self, place: Place) -> Mapping[str, Step]:
        """Return the forgetting of old journal entries."""
        from cookieguard.features.people.jobs import jobs_of

        return jobs_of(place)

    def due(self, shop: Shop) -> Iterator[Finding]:
        """Yield the customers who have not been told yet of a look at their data."""
        from cookieguard.features.people.due import due_of

        return due_of(shop)
