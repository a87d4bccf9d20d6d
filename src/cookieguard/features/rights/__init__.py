"""Requests of customers about their data, from the first click to the answer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, ClassVar

from cookieguard.features.feature import Feature

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

    def checks(self, shop: Shop) -> Iterator[Finding]:
        """Yield what the queue of requests is like."""
        from cookieguard.features.rights.checks import checks_of

        return checks_of(shop)
