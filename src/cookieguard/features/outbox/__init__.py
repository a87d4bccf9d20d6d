"""Mail: notices that wait to be sent, and the marketing lists that customers are on."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from cookieguard.features.feature import Feature, PersonalData, Place

if TYPE_CHECKING:
    from cookieguard.web.parts.guard import Guard
    from cookieguard.web.parts.part import Part


class Outbox(Feature):
    """Send each mail once."""

    name: ClassVar[str] = "outbox"

    def serve(self, guard: Guard) -> Part | None:
        """Return the lists of marketing mail, and the pages behind its links."""
        from cookieguard.features.outbox.part import OutboxPart

        return OutboxPart(guard)

    def personal(self, place: Place) -> PersonalData:
        """Return lists and waiting notices of customers."""
        from cookieguard.features.outbox.personal import PersonalMail

        return PersonalMail(place)
