"""The newest version of each cart: an older one of the same session counts no more. Rule: pure memory."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple

from cookieguard.identity.tokens import to_milliseconds

SECONDS_BITS = 33  # in one number with the version, so that the later of two has the larger one (until 2242)
# A request that left before the newer cart came, and one whose answer came late, must not lose the cart.
IN_FLIGHT = timedelta(seconds=60)


class LowestVersion(NamedTuple):
    """Hold a version, and since when (seconds) there has been no newer one."""

    version: int
    since: int

    @classmethod
    def at(cls, version: int, now: datetime) -> LowestVersion:
        """Name a version that is written now."""
        return cls(version, to_milliseconds(now) // 1000)

    @classmethod
    def read(cls, packed: int) -> LowestVersion:
        """Read what `packed` wrote."""
        return cls(packed >> SECONDS_BITS, packed & ((1 << SECONDS_BITS) - 1))

    @property
    def packed(self) -> int:
        """Return both in one number."""
        return (self.version << SECONDS_BITS) | self.since

    def refuses(self, version: int, now: datetime) -> bool:
        """Return whether a version is older, and was not in flight when the newer one came."""
        if version >= self.version:
            return False
        return to_milliseconds(now) // 1000 - self.since >= IN_FLIGHT.total_seconds()


NO_LOWEST = LowestVersion(0, 0)
