"""How PostgreSQL's hits are read: which views begin a visit is decided there, over all of a visitor's views of a day.

Rule: names of tables, columns and conditions are ours; values are parameters.
"""

from __future__ import annotations

from cookieguard.features.statistics.engines.sums import GOES_ON, OF_VISITOR
from cookieguard.stats.hits import COLUMNS
from cookieguard.stats.visits import PAUSE

# ruff: noqa: S608 - names of ours


def decided(where: str) -> str:
    """Return whole days of hits with `entry` decided; where the key is gone it is as it was decided then.

    `where` picks the days.
    """
    names = ", ".join(f'"{name}"' for name in COLUMNS if name != "entry")
    goes_on = f"""EXISTS (
        SELECT FROM cookieguard_seen AS s WHERE s.day = time / 86400 AND s.what = {GOES_ON} AND s.key = views.key
    )"""
    return f"""(
        SELECT {names}, entry, batch, ctid AS place FROM cookieguard_hit WHERE {where} AND NOT {OF_VISITOR}
        UNION ALL SELECT {names}, CASE WHEN prior IS NULL THEN NOT {goes_on} ELSE time > prior + {PAUSE} END::int,
            batch, place
        FROM (
            SELECT *, ctid AS place, lag(time) OVER (
                PARTITION BY time / 86400, key ORDER BY time, batch, ctid
            ) AS prior FROM cookieguard_hit WHERE {where} AND {OF_VISITOR}
        ) AS views
    )"""
