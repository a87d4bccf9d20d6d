"""Requests of customers about their data, from the first click to the answer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, ClassVar

from cookieguard.features.feature import Feature, PersonalData, Place

if TYPE_CHECKING:
    from cookieguard.engines.doctor_settings import Finding
    from cookieguard.engines.doctor_shop import Shop


class Rights(Feature):
    """Answer requests."""

    name: ClassVar[str] = "rights"
    commands: ClassVar[Mapping[str, str]] = {
        "work": "rights.work",
        "processing": "rights.work",
        "requests": "rights.queue",
    }

    def personal(self, place: Place) -> PersonalData:
        """Return the terms of one customer alone; a worker reads and deletes cart, orders and refusals by itself."""
        from cookieguard.features.rights.personal import PersonalTerms

        return PersonalTerms(place)

    def checks(self, shop: Shop) -> Iterator[Finding]:
        """Yield whether the journal of erasures has a second place and was applied."""
        from cookieguard.features.rights.checks import checks_of

        return checks_of(shop)

    def due(self, shop: Shop) -> Iterator[Finding]:
        """Yield the open requests."""
        from cookieguard.features.rights.due import due_of

        return due_of(shop)
