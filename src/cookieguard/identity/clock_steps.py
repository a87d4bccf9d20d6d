"""How far a clock was ahead of what it shows now, as far as this worker has seen: it may have been set back.

Rule: the worker's own evidence only: what the clock showed before, and how long it has been running since (a clock
that nobody sets). A token that was written then is genuine, and not from a host whose clock is wrong.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

# A wrong time zone, or a day that was mistaken. What was issued further ahead would live too long.
MOST_AHEAD = timedelta(hours=25)
MOST_AHEAD_MILLISECONDS = MOST_AHEAD // timedelta(milliseconds=1)


class Steps:
    """Remember the latest time that the clock showed, and when this worker began. Any thread may tell and ask.

    All times are in milliseconds; `monotonic` counts seconds.
    """

    __slots__ = ("_began", "_monotonic", "_seen")

    def __init__(self, now: int, monotonic: Callable[[], float]) -> None:
        self._seen = now
        self._monotonic = monotonic
        self._began = self._seen - round(monotonic() * 1000)

    def see(self, moment: int) -> None:
        """Note what the clock shows, here or on another worker."""
        if moment > self._seen:
            self._seen = moment

    def newest(self, moment: int) -> int:
        """Return the latest time that a clock of this shop may have shown by now; `moment` is what it shows."""
        return min(max(moment, self._seen, self._unset()), moment + MOST_AHEAD_MILLISECONDS)

    def oldest(self, moment: int) -> int:
        """Return the time until which what is over may be forgotten: the clock may be ahead just now."""
        return max(min(moment, self._unset()), moment - MOST_AHEAD_MILLISECONDS)

    def _unset(self) -> int:
        """Return what the clock would show, had nobody set it."""
        return self._began + round(self._monotonic() * 1000)
