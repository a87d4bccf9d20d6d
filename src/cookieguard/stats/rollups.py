"""What the sums of a day are limited to, and how what was held is read, in every engine."""

from __future__ import annotations

import json
from functools import lru_cache

from cookieguard.stats.hits import GOAL_PARTS, Dimension

# Values kept of one dimension and day; an attacker may name any number of them. Of a full day the half with most views
# stays, and the other half makes room for new ones by lot; otherwise the first values would keep out all others.
MAX_VALUES = 1000
SAFE_VALUES = MAX_VALUES // 2
MAX_HELD = 5000  # pairs of host and page kept of one day
MAX_BOTS = 500

# What one visitor has one of all day long, since it is part of the key: counted with the visitor's first view.
OF_VISITORS = (Dimension.COUNTRY, Dimension.LANGUAGE, Dimension.DEVICE, Dimension.BROWSER, Dimension.OS)
OF_SOME = (Dimension.NOT_FOUND, Dimension.SLOW, Dimension.SEARCH)  # what some hits alone are counted by
WITHOUT_VISITS = (Dimension.GOAL, *GOAL_PARTS, *OF_SOME)  # no visit begins with these


@lru_cache(maxsize=1024)
def held_hosts(held: str) -> tuple[tuple[str, int, str, str], ...]:
    """Read a hit's `held`: host, elements, vendor, purpose of each."""
    return tuple(tuple(one) for one in json.loads(held)) if held else ()
