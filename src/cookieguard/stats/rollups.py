"""What the sums of a day are limited to, and how what was held is read, in every engine."""

from __future__ import annotations

import json
from functools import lru_cache

# Values kept of one dimension and day; an attacker may name any number of them. Of a full day the half with most views
# stays, and the other half makes room for new ones by lot; otherwise the first values would keep out all others.
MAX_VALUES = 1000
SAFE_VALUES = MAX_VALUES // 2
MAX_HELD = 5000  # pairs of host and page kept of one day
MAX_BOTS = 500


@lru_cache(maxsize=1024)
def held_hosts(held: str) -> tuple[tuple[str, int, str, str], ...]:
    """Read a hit's `held`: host, elements, vendor, purpose of each."""
    return tuple(tuple(one) for one in json.loads(held)) if held else ()
