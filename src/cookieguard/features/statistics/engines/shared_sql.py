"""What all engines of statistics ask alike, whatever their dialect: which hits a dimension counts, and names of sums.

Rule: conditions here are read the same by every engine; what is not stands in the engine's own file.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from hashlib import blake2b

from cookieguard.features.statistics.engines.protocol import Filters
from cookieguard.stats.hits import (
    GOAL_FROM,
    MISSING,
    PARTLY_COUNTED,
    SECONDS_OF_DAY,
    SLOW_FROM,
    TYPED,
    Dimension,
)
from cookieguard.stats.k_anonymity import VIEWS_EACH, K
from cookieguard.stats.visits import PAUSE

HOURLY_SUMS = ("views", "visits", "arrivals", "errors", "bots", "bytes", "duration")
PEOPLE = "(bot = '')"
VIEW = "(bot = '' AND kind = 'view')"
# To everything, or to statistics. Hits of an earlier release have "partly" for both: those with a key agreed.
HAS_AGREED = f"(consent IN ('all', '{PARTLY_COUNTED}') OR (consent = 'partly' AND key != 0))"
# Which hits have a value of a dimension: the same as in the sums.
COUNTED: Mapping[Dimension, tuple[str, str]] = {
    **{dimension: (dimension.value, "kind = 'view'") for dimension in Dimension},
    Dimension.ENTRY: ("page", "kind = 'view' AND entry = 1"),
    Dimension.SOURCE: ("source", "kind = 'view' AND entry = 1"),
    Dimension.MEDIUM: ("medium", "kind = 'view' AND entry = 1 AND medium != ''"),
    Dimension.CAMPAIGN: ("campaign", "kind = 'view' AND entry = 1 AND campaign != ''"),
    Dimension.GOAL: ("event", "kind = 'goal' AND event != ''"),
    Dimension.EXIT: ("page", "kind = 'view'"),  # of the hits of `exits`
    Dimension.NOT_FOUND: ("page", f"kind = 'error' AND status IN {MISSING}"),
    Dimension.SLOW: ("page", f"kind = 'view' AND duration >= {SLOW_FROM}"),
    Dimension.SEARCH: ("search", "kind = 'view' AND search != ''"),
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


# Sums of one day of fewer than five people.
OF_FEW = f"(visitors < {K} AND (visitors > 0 OR views < {K * VIEWS_EACH}))"
# Of what visitors write: deleted of days whose single hits go.
RARE = f"""dimension IN ({", ".join(f"'{by.value}'" for by in TYPED)}) AND {OF_FEW}"""
# Before those: nobody reads 25 months of sums each hour, a shop that stood still is caught up with.
RARE_DAYS = 60


def exits(hits: str, place: str) -> str:
    """Return a query for the last views of visits, by day: views, and visitors, of each page; of who has a key.

    `hits` is a table and what picks its rows, `place` what tells hits of one second apart. A visit that goes on, over
    midnight too, ends for now where it was seen last.
    """
    return f"""
        SELECT day, page AS value, count(*) AS views, 0 AS visits, count(DISTINCT key) AS visitors FROM (
            SELECT time / {SECONDS_OF_DAY} AS day, page, key, time,
                lead(time) OVER (PARTITION BY time / {SECONDS_OF_DAY}, key ORDER BY time, {place}) AS next
            FROM {hits} AND key != 0 AND {VIEW}
        ) AS views WHERE next IS NULL OR next > time + {PAUSE} GROUP BY day, page
    """  # noqa: S608 - names of ours


def conditions(where: Filters, marks: Iterator[str]) -> tuple[str, list[str]]:
    """Return what filters by these dimensions, as conditions and their values; `marks` are the dialect's parameters."""
    pairs = [(COUNTED[dimension], value) for dimension, value in where.items()]
    condition = "".join(
        f" AND {column} = {next(marks)} AND (kind != 'view' OR ({counted}))" for (column, counted), _ in pairs
    )
    return condition, [value for _, value in pairs]


@lru_cache(maxsize=4096)  # what batch after batch has, of some days
def digest(text: str, _: int) -> int:
    """Name a value in eight bytes: what was seen of a visitor has a row for each value."""
    encoded = text.encode("utf-8", "surrogatepass")
    return int.from_bytes(blake2b(encoded, digest_size=8).digest(), "big", signed=True)
