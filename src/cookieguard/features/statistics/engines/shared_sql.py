"""SQL that all engines share, whatever their dialect: conditions, exit pages and the names of sums.

Rule: every engine must read these conditions the same way. An engine's own file has the others.
"""

from __future__ import annotations

from functools import lru_cache
from hashlib import blake2b

from cookieguard.stats.hits import SECONDS_OF_DAY, VIEWS, Dimension
from cookieguard.stats.k_anonymity import VIEWS_EACH, K
from cookieguard.stats.visits import PAUSE

HOURLY_SUMS = ("views", "visits", "arrivals", "errors", "bots", "bytes", "duration")
PEOPLE = VIEWS.whose
VIEW = f"({PEOPLE} AND {VIEWS.sql})"

# A day's sums that count fewer than five people.
OF_FEW = f"(visitors < {K} AND (visitors > 0 OR views < {K * VIEWS_EACH}))"
# Such sums of texts that visitors can write themselves. They are deleted with the single hits of their day.
RARE = (
    f"""dimension IN ({", ".join(f"'{by.value}'" for by in Dimension if by.counted.is_typed)}) AND {OF_FEW}"""
)
# Days before those hits in which such sums are looked for: not all 25 months every hour, yet enough for a shop that was
# switched off for some weeks.
RARE_DAYS = 60


def exits(hits: str, place: str) -> str:
    """Return a query that counts the last views of visits, by day and page, with bounces and visitors.

    It counts visitors with a key. `hits` is a table with a condition, `place` the order of hits within a second. A
    visit that is not over, or goes on after midnight, ends at its last view of that day.
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


@lru_cache(maxsize=4096)  # most values of a batch were in the batches before
def digest(text: str) -> int:
    """Return a value's digest of eight bytes, to keep the table small that has a row for each visitor and value."""
    encoded = text.encode("utf-8", "surrogatepass")
    return int.from_bytes(blake2b(encoded, digest_size=8).digest(), "big", signed=True)
