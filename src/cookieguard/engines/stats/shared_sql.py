"""What all engines of statistics ask alike, whatever their dialect: which hits a dimension counts, and names of sums.

Rule: conditions here are read the same by every engine; what is not stands in the engine's own file.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from hashlib import blake2b

from cookieguard.engines.stats.protocol import Filters
from cookieguard.stats.hits import GOAL_FROM, PARTLY_COUNTED, Dimension

HOURLY_SUMS = ("views", "visits", "arrivals", "errors", "bots", "bytes", "duration")
PEOPLE = "(bot = '')"
VIEW = "(bot = '' AND kind = 'view')"
# As `rollups.has_agreed`.
HAS_AGREED = f"(consent IN ('all', '{PARTLY_COUNTED}') OR (consent = 'partly' AND key != 0))"
# Which hits have a value of a dimension: the same as in the sums.
COUNTED: Mapping[Dimension, tuple[str, str]] = {
    **{dimension: (dimension.value, "kind = 'view'") for dimension in Dimension},
    Dimension.ENTRY: ("page", "kind = 'view' AND entry = 1"),
    Dimension.SOURCE: ("source", "kind = 'view' AND entry = 1"),
    Dimension.MEDIUM: ("medium", "kind = 'view' AND entry = 1 AND medium != ''"),
    Dimension.CAMPAIGN: ("campaign", "kind = 'view' AND entry = 1 AND campaign != ''"),
    Dimension.GOAL: ("event", "kind = 'goal' AND event != ''"),
    Dimension.AGREED_PAGE: ("page", f"kind = 'view' AND {HAS_AGREED}"),
    Dimension.AGREED_CAMPAIGN: (
        "campaign",
        f"kind = 'view' AND {HAS_AGREED} AND entry = 1 AND campaign != ''",
    ),
    Dimension.AGREED_COUNTRY: ("country", f"kind = 'view' AND {HAS_AGREED}"),
    Dimension.GOAL_SOURCE: (f"(event || '{GOAL_FROM}' || source)", "kind = 'goal' AND event != ''"),
    Dimension.GOAL_CAMPAIGN: (
        f"(event || '{GOAL_FROM}' || campaign)",
        "kind = 'goal' AND event != '' AND campaign != ''",
    ),
}


def conditions(where: Filters, marks: Iterator[str]) -> tuple[str, list[str]]:
    """Return what filters by these dimensions, as conditions and their values; `marks` are the dialect's parameters."""
    pairs = [(COUNTED[dimension], value) for dimension, value in where.items()]
    condition = "".join(
        f" AND {column} = {next(marks)} AND (kind != 'view' OR ({counted}))" for (column, counted), _ in pairs
    )
    return condition, [value for _, value in pairs]


@lru_cache(maxsize=4096)  # what batch after batch has, of some days
def digest(dimension: str, value: str) -> int:
    """Name a value in eight bytes: what was seen of a visitor has a row for each value."""
    text = f"{dimension} {value}".encode("utf-8", "surrogatepass")
    return int.from_bytes(blake2b(text, digest_size=8).digest(), "big", signed=True)
