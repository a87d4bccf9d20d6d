"""The consent log: what visitors chose, as records that an outsider can check."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

from cookieguard.features.feature import Feature, Page, PersonalData, Place

if TYPE_CHECKING:
    from cookieguard.engines.doctor_settings import Finding
    from cookieguard.engines.doctor_shop import Shop
    from cookieguard.engines.retention import Step
    from cookieguard.web.services import Services


class Records(Feature):
    """Keep choices as signed records."""

    name: ClassVar[str] = "records"
    commands: ClassVar[Mapping[str, str]] = {"log": "proof.log", "receipt": "proof.receipt"}

    def pages(self, parts: Services) -> Sequence[Page]:
        """Return the log for outsiders, and a visitor's copy."""
        from cookieguard.features.records.pages import pages_of

        return pages_of(parts)

    def jobs(self, place: Place) -> Mapping[str, Step]:
        """Return what ages in the log, and what has to be witnessed."""
        from cookieguard.features.records.jobs import jobs_of

        return jobs_of(place)

    def personal(self, place: Place) -> PersonalData:
        """Return the records about customers."""
        from cookieguard.features.records.personal import PersonalRecords

        return PersonalRecords(place)

    def checks(self, shop: Shop) -> Iterator[Finding]:
        """Yield what the log and the keys of its subjects are like."""
        from cookieguard.features.records.checks import checks_of

        return checks_of(shop)
