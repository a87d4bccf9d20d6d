"""Mail: notices that wait to be sent, and the marketing lists that customers are on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from cookieguard.features.feature import Feature, Page, PersonalData, Place

if TYPE_CHECKING:
    from cookieguard.web.services import Services


class Outbox(Feature):
    """Send each mail once."""

    name: ClassVar[str] = "outbox"

    def pages(self, parts: Services) -> Sequence[Page]:
        """Return the pages behind the links of marketing mail."""
        from cookieguard.features.outbox.pages import pages_of

        return pages_of(parts)

    def personal(self, place: Place) -> PersonalData:
        """Return lists and waiting notices of customers."""
        from cookieguard.features.outbox.personal import PersonalMail

        return PersonalMail(place)
