"""What all engines of statistics ask alike, whatever their dialect: conditions, exit pages, filters and names of sums.

Rule: conditions here are read the same by every engine; what is not stands in the engine's own file.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from hashlib import blake2b

from cookieguard.features.statistics.engines.protocol import Filters
from cookieguard.stats.hits import SECONDS_OF_DAY, VIEWS, Dimension
from cookieguard.stats.k_anonymity import VIEWS_EACH, K
from cookieguard.stats.visits import PAUSE

HOURLY_SUMS = ("views", "visits", "arrivals", "errors", "bots", "bytes", "duration")
PEOPLE = VIEWS.whose
VIEW = f"({PEOPLE} AND {VIEWS.sql})"

# Sums of one day of fewer than five people.
OF_FEW = f"(visitors < {K} AND (visitors > 0 OR views < {K * VIEWS_EACH}))"
# Of what visitors write: deleted of days whose single hits go.
RARE = (
    f"""dimension IN ({", ".join(f"'{by.value}'" for by in Dimension if by.counted.is_typed)}) AND {OF_FEW}"""
)
# Before those: nobody reads 25 months of sums each hour, a shop that stood still is caught up with.
RARE_DAYS = 60


def exits(hits: str, place: str) -> str:
    """Return a query for the last views of visits, by day: views, bounces and visitors of each page; of who has a key.

    `hits` is a table and what picks its rows, `place` what tells hits of one second apart. A visit that goes on, over
    midnight too, ends for now where it was seen last.
    """
    return f"""
        SELECT day, page AS value, count(*) AS views,
            count(*) FILTER (WHERE prior IS NULL OR time > prior + {PAUSE}) AS visits, count(DISTINCT key) AS visitors
        FROM (
            SELECT time / {SECONDS_OF_DAY} AS day, page, key, time, lead(time) OVER visitor AS next,
                lag(time) OVER visitor AS prior
            FROM {hits} AND key != 0 AND {VIEW}
            WINDOW visitor AS (PARTITION BY time / {SECONDS_OF_DAY}, key ORDER BY time, {place})
        ) AS views WHERE next IS NULL OR next > time + {PAUSE} GROUP BY day, page
    """  # noqa: S608 - names of ours


def conditions(where: Filters, marks: Iterator[str]) -> tuple[str, list[str]]:
    """Return what filters by these dimensions, as conditions and their values; `marks` are the dialect's parameters."""
    condition = "".join(
        f" AND {by.counted.column} = {next(marks)} AND (kind != 'view' OR ({by.counted.which}))"
        for by in where
    )
    return condition, list(where.values())


@lru_cache(maxsize=4096)  # what batch after batch has, of some days
def digest(text: str) -> int:
    """Name a value in eight bytes: what was seen of a visitor has a row for each value."""
    encoded = text.encode("utf-8", "surrogatepass")
    return int.from_bytes(blake2b(encoded, digest_size=8).digest(), "big", signed=True)
