"""Addresses of risky events, sealed for the one person who may open them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, ClassVar

from cookieguard.features.feature import Feature, Place

if TYPE_CHECKING:
    from cookieguard.engines.doctor_settings import Finding
    from cookieguard.engines.doctor_shop import Shop
    from cookieguard.engines.retention import Step


class Vault(Feature):
    """Seal addresses."""

    name: ClassVar[str] = "vault"
    commands: ClassVar[Mapping[str, str]] = {"reveal": "people.vault", "vault": "people.vault"}

    def jobs(self, place: Place) -> Mapping[str, Step]:
        """Return the forgetting of sealed events and of the keys that open them."""
        from cookieguard.features.vault.jobs import jobs_of

        return jobs_of(place)

    def checks(self, shop: Shop) -> Iterator[Finding]:
        """Yield what the vault keeps."""
        from cookieguard.features.vault.checks import checks_of

        return checks_of(shop)

    def due(self, shop: Shop) -> Iterator[Finding]:
        """Yield for how many days there are keys, and which keys are too old."""
        from cookieguard.features.vault.checks import due_of

        return due_of(shop)
