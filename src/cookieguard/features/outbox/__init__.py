"""Mail: notices that wait to be sent, and the marketing lists that customers are on."""

from __future__ import annotations

from typing import ClassVar

from cookieguard.features.feature import Feature, PersonalData, Place


class Outbox(Feature):
    """Send each mail once."""

    name: ClassVar[str] = "outbox"

    def personal(self, place: Place) -> PersonalData:
        """Return lists and waiting notices of customers."""
        from cookieguard.features.outbox.personal import PersonalMail

        return PersonalMail(place)
