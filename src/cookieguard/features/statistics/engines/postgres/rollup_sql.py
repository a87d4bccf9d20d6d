"""What adds a step of new hits to the sums, as PostgreSQL reads it: one statement each, over the hits where they are.

Parameters are `numbers` of batches, and `since` and `before`, the times their hits lie between. Names are ours.
"""

from __future__ import annotations

from cookieguard.features.statistics.engines.postgres.reader_sql import GOES_ON, OF_VISITOR
from cookieguard.features.statistics.engines.shared_sql import COUNTED, HAS_AGREED, HOURLY_SUMS, PEOPLE, VIEW
from cookieguard.stats.hits import GOAL_PARTS, OTHER, Dimension
from cookieguard.stats.rollups import (
    LEFT_OUT_WHEN_EMPTY,
    MAX_BOTS,
    MAX_HELD,
    MAX_VALUES,
    OF_ENTRIES,
    OF_SOME,
    OF_VISITORS,
    SAFE_VALUES,
)
from cookieguard.stats.visits import PAUSE

# ruff: noqa: S608 - names of ours
OF_STEP = """cookieguard_hit WHERE batch = ANY(%(numbers)s::bigint[])
        AND time >= %(since)s::bigint AND time < %(before)s::bigint"""
DAYS = "day BETWEEN %(since)s::bigint / 86400 AND (%(before)s::bigint - 1) / 86400"
TEXTS = (
    "page",
    "source",
    "medium",
    "campaign",
    *OF_VISITORS,
    "kind",
    "event",
    "policy",
    "bot",
    "consent",
    "search",
)
NUMBERS = ("time", "status", "bytes", "duration", "gpc", "key", "entry")
COLUMNS = ", ".join((*TEXTS, *NUMBERS, "day", "is_view"))
WHAT = "hashtextextended(dimension || ' ' || name, 0)"

# Entries as `stats/visits.py` decides them: by a visitor's views of this step in the order of time, and by when the
# visitor was seen in the steps before. `begins` is the first view of the day.
STEP = f"""
    step AS MATERIALIZED (
        SELECT batch, ctid AS place, (time / 86400)::int AS day, {VIEW} AS is_view, {OF_VISITOR} AS is_visitor,
            {", ".join(NUMBERS)}, {", ".join(f'{name} COLLATE "C" AS {name}' for name in TEXTS)}
        FROM {OF_STEP}
    ),
    seen AS (
        SELECT *, row_number() OVER visitor AS nth, lag(time) OVER visitor AS prior FROM step WHERE is_visitor
        WINDOW visitor AS (PARTITION BY day, key ORDER BY time, batch, place)
    ),
    decided AS MATERIALIZED (
        SELECT {COLUMNS}, is_visitor, entry = 1 AS is_entry, false AS begins FROM step WHERE NOT is_visitor
        UNION ALL
        SELECT {COLUMNS}, is_visitor, CASE
                WHEN nth > 1 THEN time > greatest(last, prior) + {PAUSE}
                WHEN last IS NOT NULL THEN time NOT BETWEEN first - {PAUSE} AND last + {PAUSE}
                ELSE NOT EXISTS (
                    SELECT FROM cookieguard_seen AS s WHERE s.day = seen.day AND s.what = {GOES_ON} AND s.key = seen.key
                ) END,
            nth = 1 AND last IS NULL
        FROM seen LEFT JOIN (SELECT day, key, first, last FROM cookieguard_visit WHERE {DAYS}) AS known USING (day, key)
    )"""
KEEP_VISITORS = """
    visitors AS (
        INSERT INTO cookieguard_visit AS kept
        SELECT day, key, min(time), max(time), max(source) FILTER (WHERE nth = 1), max(medium) FILTER (WHERE nth = 1),
            max(campaign) FILTER (WHERE nth = 1)
        FROM seen GROUP BY day, key
        ON CONFLICT (day, key) DO UPDATE
        SET first = least(kept.first, excluded.first), last = greatest(kept.last, excluded.last),
            source = CASE WHEN excluded.first < kept.first THEN excluded.source ELSE kept.source END,
            medium = CASE WHEN excluded.first < kept.first THEN excluded.medium ELSE kept.medium END,
            campaign = CASE WHEN excluded.first < kept.first THEN excluded.campaign ELSE kept.campaign END
    )"""
ADD_HOURS = f"""
    hours AS (
        INSERT INTO cookieguard_hourly AS kept SELECT * FROM (
            SELECT time / 3600 AS hour, count(*) FILTER (WHERE is_view) AS views,
                count(*) FILTER (WHERE is_view AND is_entry), count(*) FILTER (WHERE is_view AND is_entry AND key = 0),
                count(*) FILTER (WHERE {PEOPLE} AND kind = 'error') AS errors,
                count(*) FILTER (WHERE bot != '') AS bots,
                coalesce(sum(bytes) FILTER (WHERE is_view), 0), coalesce(sum(duration) FILTER (WHERE is_view), 0)
            FROM decided GROUP BY 1
        ) AS counted WHERE views + errors + bots > 0
        ON CONFLICT (hour) DO UPDATE SET {", ".join(f"{name} = kept.{name} + excluded.{name}" for name in HOURLY_SUMS)}
    )"""
ADD_CONSENT = f"""
    consents AS (
        INSERT INTO cookieguard_consent AS kept SELECT day, policy, event, count(*) FROM (
            SELECT day, policy, event FROM decided WHERE {PEOPLE} AND kind != 'goal' AND event != ''
            UNION ALL SELECT day, policy, 'gpc' FROM decided WHERE is_view AND gpc = 1
        ) AS events GROUP BY day, policy, event
        ON CONFLICT (day, policy, event) DO UPDATE SET times = kept.times + excluded.times
    )"""
ADD_BOTS = f"""
    bots AS (
        INSERT INTO cookieguard_bot AS kept SELECT day, kind, name, sum(hits) FROM (
            SELECT day, bot AS kind, hits,
                CASE WHEN is_known OR dense_rank() OVER (PARTITION BY day, is_known ORDER BY all_hits DESC, browser)
                    + (SELECT count(DISTINCT name) FROM cookieguard_bot AS b WHERE b.day = counted.day) <= {MAX_BOTS}
                    THEN browser ELSE '{OTHER}' END AS name
            FROM (
                SELECT day, bot, browser, count(*) AS hits,
                    sum(count(*)) OVER (PARTITION BY day, browser) AS all_hits,
                    EXISTS (SELECT FROM cookieguard_bot AS b WHERE b.day = d.day AND b.name = browser) AS is_known
                FROM decided AS d WHERE bot != '' GROUP BY day, bot, browser
            ) AS counted
        ) AS named GROUP BY day, kind, name
        ON CONFLICT (day, kind, name) DO UPDATE SET hits = kept.hits + excluded.hits
    )"""


def _either(columns: dict[Dimension, str]) -> str:
    """Return which of these dimensions a row of grouping sets is of."""
    cases = " ".join(f"WHEN grouping({column}) = 0 THEN '{by.value}'" for by, column in columns.items())
    return f"CASE {cases} END"


def _sets(columns: dict[Dimension, str]) -> str:
    return ", ".join(f"(day, {column})" for column in columns.values())


_OF_VIEWS = {Dimension.PAGE: "page"} | {by: by.value for by in OF_VISITORS}
_OF_ENTRIES = dict(OF_ENTRIES)
_OF_AGREED = {Dimension.AGREED_PAGE: "page", Dimension.AGREED_COUNTRY: "country"}
_NOT_EMPTY = " AND ".join(
    f"(grouping({column}) = 1 OR {column} != '')"
    for by, column in _OF_ENTRIES.items()
    if by in LEFT_OUT_WHEN_EMPTY
)


def _of_some(what: str, condition: str) -> str:
    """Ask for goals by name and source, by name and campaign, and for what some hits alone are counted by."""
    key = ", key" if what == "key" else ""
    return " ".join(
        f"UNION ALL SELECT day, '{by.value}', {column} COLLATE \"C\", {what} FROM decided"
        f" WHERE {PEOPLE} AND {counted} {condition} GROUP BY day, {column}{key}"
        for by, (column, counted) in ((by, COUNTED[by]) for by in (*GOAL_PARTS, *OF_SOME))
    )


# What a value adds. What follows from a visitor's key is counted with the first view; other values have visitors of
# their own, in `met`.
COUNT_VALUES = f"""
    counted AS MATERIALIZED (
        SELECT day, {_either(_OF_VIEWS)} AS dimension, coalesce({", ".join(_OF_VIEWS.values())}) AS value,
            count(*) AS views, sum(is_entry::int) AS visits,
            CASE WHEN grouping(page) = 0 THEN 0 ELSE sum(begins::int) END AS visitors
        FROM decided WHERE is_view GROUP BY GROUPING SETS ({_sets(_OF_VIEWS)})
        UNION ALL
        SELECT day, {_either(_OF_ENTRIES)}, coalesce({", ".join(_OF_ENTRIES.values())}), count(*), count(*), 0
        FROM decided WHERE is_view AND is_entry GROUP BY GROUPING SETS ({_sets(_OF_ENTRIES)}) HAVING {_NOT_EMPTY}
        UNION ALL
        SELECT day, '{Dimension.GOAL}', event, count(*), 0, 0
        FROM decided WHERE {PEOPLE} AND kind = 'goal' AND event != '' GROUP BY day, event
        {_of_some("count(*), 0, 0", "")}
        UNION ALL
        SELECT day, {_either(_OF_AGREED)}, coalesce({", ".join(_OF_AGREED.values())}), count(*), sum(is_entry::int), 0
        FROM decided WHERE is_view AND {HAS_AGREED} GROUP BY GROUPING SETS ({_sets(_OF_AGREED)})
        UNION ALL
        SELECT day, '{Dimension.AGREED_CAMPAIGN}', campaign, count(*), count(*), 0
        FROM decided WHERE is_view AND is_entry AND {HAS_AGREED} AND campaign != '' GROUP BY day, campaign
    ),
    met AS (
        SELECT day, '{Dimension.PAGE}' AS dimension, page AS value, key FROM decided
        WHERE is_visitor GROUP BY day, page, key
        UNION ALL
        SELECT day, {_either(_OF_ENTRIES)}, coalesce({", ".join(_OF_ENTRIES.values())}), key
        FROM decided WHERE is_visitor AND is_entry
        GROUP BY GROUPING SETS ({", ".join(f"(day, {column}, key)" for column in _OF_ENTRIES.values())})
        HAVING {_NOT_EMPTY}
        UNION ALL
        SELECT day, '{Dimension.GOAL}', event, key
        FROM decided WHERE {PEOPLE} AND kind = 'goal' AND event != '' AND key != 0 GROUP BY day, event, key
        {_of_some("key", "AND key != 0")}
        UNION ALL
        SELECT day, {_either(_OF_AGREED)}, coalesce({", ".join(_OF_AGREED.values())}), key
        FROM decided WHERE is_visitor AND {HAS_AGREED}
        GROUP BY GROUPING SETS ({", ".join(f"(day, {column}, key)" for column in _OF_AGREED.values())})
        UNION ALL
        SELECT day, '{Dimension.AGREED_CAMPAIGN}', campaign, key
        FROM decided WHERE is_visitor AND is_entry AND {HAS_AGREED} AND campaign != '' GROUP BY day, campaign, key
    )"""
# Among the new values of a step those with most views get a place, as far as there is room or MAKE_ROOM makes some.
NAME_VALUES = f"""
    placed AS (
        SELECT counted.*, kept.value IS NOT NULL AS is_known,
            row_number() OVER (
                PARTITION BY day, dimension, kept.value IS NULL ORDER BY counted.views DESC, value
            ) AS place
        FROM counted LEFT JOIN (SELECT day, dimension, value FROM cookieguard_daily WHERE {DAYS}) AS kept
            USING (day, dimension, value)
    ),
    named AS MATERIALIZED (
        SELECT placed.*,
            CASE WHEN is_known OR place <= greatest({MAX_VALUES} - coalesce(there, 0), {MAX_VALUES - SAFE_VALUES})
                THEN value ELSE '{OTHER}' END AS name
        FROM placed LEFT JOIN (
            SELECT day, dimension, count(*) AS there FROM cookieguard_daily WHERE {DAYS} GROUP BY day, dimension
        ) AS kept USING (day, dimension)
    )"""
ADD_VALUES = f"""
    first_met AS (
        INSERT INTO cookieguard_seen SELECT DISTINCT day, {WHAT}, key FROM met JOIN named USING (day, dimension, value)
        ON CONFLICT (day, what, key) DO NOTHING RETURNING day, what
    ),
    added AS (
        SELECT day, dimension, name, {WHAT} AS what,
            sum(views) AS views, sum(visits) AS visits, sum(visitors) AS visitors
        FROM named GROUP BY day, dimension, name
    )
    INSERT INTO cookieguard_daily AS kept
    SELECT day, dimension, name, views, visits, visitors + coalesce(new, 0)
    FROM added LEFT JOIN (
        SELECT day, what, count(*) AS new FROM first_met GROUP BY day, what
    ) AS counts USING (day, what)
    UNION ALL SELECT day, '', '', 0, 0, count(*) FROM decided WHERE begins GROUP BY day
    ON CONFLICT (day, dimension, value) DO UPDATE SET views = kept.views + excluded.views,
        visits = kept.visits + excluded.visits, visitors = kept.visitors + excluded.visitors
"""
ADD = "WITH" + ",".join(
    (STEP, KEEP_VISITORS, ADD_HOURS, ADD_CONSENT, ADD_BOTS, COUNT_VALUES, NAME_VALUES, ADD_VALUES)
)

# Folds as many of the values with fewest views as a day has too many, drawn by lot.
MAKE_ROOM = f"""
    WITH crowded AS (
        SELECT day, dimension, count(*) - {MAX_VALUES} AS surplus FROM cookieguard_daily
        WHERE {DAYS} AND value != '{OTHER}' GROUP BY day, dimension HAVING count(*) > {MAX_VALUES}
    ),
    ranked AS (
        SELECT day, dimension, value, surplus,
            row_number() OVER (PARTITION BY day, dimension ORDER BY views DESC, value) AS place
        FROM cookieguard_daily JOIN crowded USING (day, dimension) WHERE value != '{OTHER}'
    ),
    drawn AS (
        SELECT *, row_number() OVER (PARTITION BY day, dimension ORDER BY random()) AS turn
        FROM ranked WHERE place > {SAFE_VALUES}
    ),
    gone AS (
        DELETE FROM cookieguard_daily WHERE (day, dimension, value) IN (
            SELECT day, dimension, value FROM drawn WHERE turn <= surplus
        ) RETURNING day, dimension, views, visits, visitors
    )
    INSERT INTO cookieguard_daily AS kept
    SELECT day, dimension, '{OTHER}', sum(views), sum(visits), sum(visitors) FROM gone GROUP BY day, dimension
    ON CONFLICT (day, dimension, value) DO UPDATE SET views = kept.views + excluded.views,
        visits = kept.visits + excluded.visits, visitors = kept.visitors + excluded.visitors
"""

# What was held is JSON, which is read here: PostgreSQL's own refuses some of what a browser may be told.
HELD = f"""
    SELECT (time / 86400)::int AS day, page, held, count(*) FROM {OF_STEP} AND {VIEW} AND held != ''
    GROUP BY 1, page, held
"""
ADD_HELD = f"""
    WITH counted AS (
        SELECT day, host COLLATE "C" AS host, page COLLATE "C" AS page, vendor, purpose,
            sum(views) AS views, sum(elements) AS elements,
            sum(sum(views)) OVER (PARTITION BY day, host, page) AS all_views
        FROM unnest(%(day)s::int[], %(page)s::text[], %(host)s::text[], %(vendor)s::text[], %(purpose)s::text[],
            %(views)s::bigint[], %(elements)s::bigint[]) AS new (day, page, host, vendor, purpose, views, elements)
        GROUP BY day, host, page, vendor, purpose
    ),
    pairs AS (SELECT DISTINCT day, host, page FROM cookieguard_held WHERE {DAYS}),
    placed AS (
        SELECT counted.*, pairs.day IS NOT NULL AS is_known,
            dense_rank() OVER (PARTITION BY day, pairs.day IS NULL ORDER BY all_views DESC, host, page) AS place
        FROM counted LEFT JOIN pairs USING (day, host, page)
    ),
    named AS (
        SELECT placed.*, is_known OR place + coalesce(there, 0) <= {MAX_HELD} AS is_kept
        FROM placed LEFT JOIN (SELECT day, count(*) AS there FROM pairs GROUP BY day) AS kept USING (day)
    )
    INSERT INTO cookieguard_held AS kept
    SELECT day, CASE WHEN is_kept THEN host ELSE '{OTHER}' END, CASE WHEN is_kept THEN page ELSE '{OTHER}' END,
        vendor, purpose, sum(views), sum(elements)
    FROM named GROUP BY 1, 2, 3, 4, 5
    ON CONFLICT (day, host, page, vendor, purpose) DO UPDATE
    SET views = kept.views + excluded.views, elements = kept.elements + excluded.elements
"""
