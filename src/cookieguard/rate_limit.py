"""How often somebody may do something in a span of time, counted by key. Each `RateLimit(` has its limit beside it."""

from __future__ import annotations

from datetime import datetime

# Of one span, about 1 MB. Beyond them the first is forgotten: so nobody uses up the turns of all others.
MOST_KEYS = 10_000


class RateLimit:
    """Count turns by key, each `seconds` anew. Owns the counts; never an address, only what the caller made of it."""

    def __init__(self, limit: int, *, seconds: int) -> None:
        self._limit, self._seconds = limit, seconds
        self._span = -1
        self.taken: dict[str, int] = {}

    def renews(self, now: datetime) -> bool:
        """Return whether another span has begun, with no turn taken yet in it."""
        return int(now.timestamp()) // self._seconds != self._span

    def take(self, key: str, now: datetime) -> bool:
        """Count one turn; tell whether it was within the limit."""
        if self.renews(now):
            self._span = int(now.timestamp()) // self._seconds
            self.taken.clear()
        count = self.taken.get(key, 0)
        if count == 0 and len(self.taken) >= MOST_KEYS:
            del self.taken[next(iter(self.taken))]
        self.taken[key] = count + 1
        return count < self._limit
