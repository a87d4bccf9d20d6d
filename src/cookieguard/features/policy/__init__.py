"""The shop's own privacy policy: its versions, and the notice before each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, ClassVar

from cookieguard.features.feature import Feature, Place

if TYPE_CHECKING:
    from cookieguard.engines.doctor_settings import Finding
    from cookieguard.engines.doctor_shop import Shop
    from cookieguard.engines.retention import Step


class Policy(Feature):
    """Serve and announce the policy."""

    name: ClassVar[str] = "policy"
    commands: ClassVar[Mapping[str, str]] = {"policy": "policy"}

    def jobs(self, place: Place) -> Mapping[str, Step]:
        """Return the forgetting of those who were sent a notice."""
        from cookieguard.features.policy.jobs import jobs_of

        return jobs_of(place)

    def due(self, shop: Shop) -> Iterator[Finding]:
        """Yield which version is in force, and which has to be announced or lacks notices."""
        from cookieguard.features.policy.due import due_of

        return due_of(shop)
