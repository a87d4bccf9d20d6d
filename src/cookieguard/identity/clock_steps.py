"""A record of the latest time that the host's clock showed, for the case that the clock is set back.

A token written before that has a time in the future, but is genuine.

Rule: the evidence is what this worker saw: the times its clock showed, and the monotonic clock, which cannot be set.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

# Covers a wrong time zone or a wrong day. A token issued further ahead would stay valid for too long.
MOST_AHEAD = timedelta(hours=25)
MOST_AHEAD_MILLISECONDS = MOST_AHEAD // timedelta(milliseconds=1)


class Steps:
    """Hold the latest time that the clock showed, and when this worker began. Any thread may call it.

    All times are in milliseconds; `monotonic` returns seconds.
    """

    __slots__ = ("_began", "_monotonic", "_seen")

    def __init__(self, now: int, monotonic: Callable[[], float]) -> None:
        self._seen = now
        self._monotonic = monotonic
        self._began = self._seen - round(monotonic() * 1000)

    def see(self, moment: int) -> None:
        """Record a time that the clock of this worker or of another one showed."""
        if moment > self._seen:
            self._seen = moment

    def newest(self, moment: int) -> int:
        """Return the latest time that a clock of this shop may have shown; `moment` is what it shows now."""
        return min(max(moment, self._seen, self._unset()), moment + MOST_AHEAD_MILLISECONDS)

    def oldest(self, moment: int) -> int:
        """Return the time before which expired data may be deleted, as the clock may be ahead at the moment."""
        return max(min(moment, self._unset()), moment - MOST_AHEAD_MILLISECONDS)

    def _unset(self) -> int:
        """Return what the clock would show if it had not been set since this worker began."""
        return self._began + round(self._monotonic() * 1000)
