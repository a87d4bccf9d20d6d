"""The consent log: what visitors chose, as records that an outsider can check."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, ClassVar

from cookieguard.features.feature import Feature, PersonalData, Place

if TYPE_CHECKING:
    from cookieguard.engines.doctor_settings import Finding
    from cookieguard.engines.doctor_shop import Shop
    from cookieguard.engines.retention import Step


class Records(Feature):
    """Keep choices as signed records."""

    name: ClassVar[str] = "records"
    commands: ClassVar[Mapping[str, str]] = {"log": "proof.log", "receipt": "proof.receipt"}

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
