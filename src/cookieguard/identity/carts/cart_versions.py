"""The lowest version at which a session's cart is still accepted. Rule: values only, no I/O."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple

from cookieguard.identity.tokens import to_milliseconds

# Version and seconds share one number, so that a later value is larger (until the year 2242).
SECONDS_BITS = 33
# The cart must survive a request sent before the browser received the newer version, and a delayed response.
IN_FLIGHT = timedelta(seconds=60)


class LowestVersion(NamedTuple):
    """A version, and since when (seconds since 1970) it has been the newest."""

    version: int
    since: int

    @classmethod
    def at(cls, version: int, now: datetime) -> LowestVersion:
        """Return a version that becomes the newest at `now`."""
        return cls(version, to_milliseconds(now) // 1000)

    @classmethod
    def read(cls, packed: int) -> LowestVersion:
        """Return the value that `packed` turned into a number."""
        return cls(packed >> SECONDS_BITS, packed & ((1 << SECONDS_BITS) - 1))

    @property
    def packed(self) -> int:
        """Return version and seconds in one number."""
        return (self.version << SECONDS_BITS) | self.since

    def refuses(self, version: int, now: datetime) -> bool:
        """Return whether a version is older, and too late to have been in flight when the newer one was written."""
        if version >= self.version:
            return False
        return to_milliseconds(now) // 1000 - self.since >= IN_FLIGHT.total_seconds()


NO_LOWEST = LowestVersion(0, 0)
