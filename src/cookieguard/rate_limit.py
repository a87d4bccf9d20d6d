"""Rate limits: how often something may happen in a span of time, counted by key. Callers define the limits."""

from __future__ import annotations

from datetime import datetime

# Keys of one span, about 1 MB. Beyond it the oldest key is forgotten, so that made-up keys cannot block other clients.
MOST_KEYS = 10_000


class RateLimit:
    """Count turns by key, from 0 in each span of `seconds`. Owns the counts; callers pass no addresses as keys."""

    def __init__(self, limit: int, *, seconds: int) -> None:
        self._limit, self._seconds = limit, seconds
        self._span = -1
        self.taken: dict[str, int] = {}

    def renews(self, now: datetime) -> bool:
        """Return whether a new span has begun, in which no turn was taken yet."""
        return int(now.timestamp()) // self._seconds != self._span

    def take(self, key: str, now: datetime) -> bool:
        """Count one turn, and return whether it is within the limit."""
        if self.renews(now):
            self._span = int(now.timestamp()) // self._seconds
            self.taken.clear()
        count = self.taken.get(key, 0)
        if count == 0 and len(self.taken) >= MOST_KEYS:
            del self.taken[next(iter(self.taken))]
        self.taken[key] = count + 1
        return count < self._limit
