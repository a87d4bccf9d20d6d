"""What adds new hits to the sums, each statement written once for SQLite and PostgreSQL.

An engine fills the table `step` with hits that are in no sums yet, and has them added in the same transaction. The
tables `step...` belong to one connection and are empty between two steps. Statements use the words of
`storage/database.py`, and no parameters.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from cookieguard.features.statistics.engines.shared_sql import HOURLY_SUMS, PEOPLE, VIEW
from cookieguard.stats.hits import NO_KEY, OTHER, SECONDS_OF_HOUR, Dimension
from cookieguard.stats.rollups import MAX_BOTS, MAX_HELD, MAX_VALUES, SAFE_VALUES, held_hosts
from cookieguard.stats.visits import PAUSE

# ruff: noqa: S608 - names of ours
GOES_ON = 0  # what `seen` has of a visitor whose visit goes on from the day before
OF_VISITOR = f"(key != {NO_KEY} AND {VIEW})"
_VALUES = (by.counted.column for by in Dimension if by.counted.column.isidentifier())
TEXTS = tuple(dict.fromkeys(("kind", "bot", "consent", "policy", "event", "held", "referrer", *_VALUES)))
NUMBERS = ("time", "key", "status", "bytes", "duration", "gpc")
TEXT = 'TEXT /*postgres COLLATE "C"*/'
_ROW = "day INTEGER, dimension TEXT, {}, views INTEGER, visits INTEGER, visitors INTEGER"
TABLES = {
    # New hits. `entry` is decided; `nth` is the place among the visitor's views of the step, and `begins` says that
    # the visitor was not seen before that day.
    "step": f"""place INTEGER, day INTEGER, {", ".join(f"{name} INTEGER" for name in NUMBERS)},
        {", ".join(f"{name} {TEXT}" for name in TEXTS)}, is_visitor INTEGER, nth INTEGER, entry INTEGER,
        begins INTEGER""",
    "step_held": f"day INTEGER, page {TEXT}, host {TEXT}, vendor TEXT, purpose TEXT, views INTEGER, elements INTEGER",
    # What each value adds, the name it has in the sums, and what `seen` calls that.
    "step_value": f"{_ROW.format(f'value {TEXT}, name {TEXT}, what INTEGER, is_new INTEGER')},"
    " PRIMARY KEY (day, dimension, value)",
    "step_met": "day INTEGER, what INTEGER, key INTEGER",  # visitors who were not seen with a value before
    "step_gone": _ROW.format(f"value {TEXT}"),
}
MAKE = tuple(
    f"CREATE TEMP TABLE IF NOT EXISTS {name} ({columns}) /*postgres ON COMMIT DELETE ROWS*/"
    for name, columns in TABLES.items()
)
EMPTY = tuple(f"DELETE FROM {name}" for name in TABLES)


def fill(hits: str, place: str, days: str = "true") -> str:
    """Return what fills `step` with hits. A visit begins with a visitor's first view, and with one after a pause.

    `hits` is a table and what picks its rows, `place` their order within a second, and `days` limits the days of
    `known`, in which visitors of the steps before are looked up.
    """
    names = ", ".join(f"new.{name}" for name in (*NUMBERS, *TEXTS))
    return f"""
        INSERT INTO step SELECT new.place, new.day, {names}, is_visitor, nth,
            CASE WHEN is_visitor = 0 THEN entry
                WHEN nth > 1 AND (time <= prior + {PAUSE} OR time <= known.last + {PAUSE}) THEN 0
                WHEN nth > 1 THEN 1
                WHEN time BETWEEN known.first - {PAUSE} AND known.last + {PAUSE} THEN 0
                WHEN known.last IS NOT NULL THEN 1
                WHEN EXISTS (
                    SELECT 1 FROM cookieguard_seen AS s WHERE s.day = new.day AND s.what = {GOES_ON} AND s.key = new.key
                ) THEN 0 ELSE 1 END,
            CASE WHEN is_visitor = 1 AND nth = 1 AND known.last IS NULL THEN 1 ELSE 0 END
        FROM (
            SELECT *, row_number() OVER visitor AS nth, lag(time) OVER visitor AS prior FROM (
                SELECT time / 86400 AS day, {place} AS place, entry, {", ".join((*NUMBERS, *TEXTS))},
                    CASE WHEN {OF_VISITOR} THEN 1 ELSE 0 END AS is_visitor FROM {hits}
            ) AS hits WINDOW visitor AS (PARTITION BY is_visitor, day, key ORDER BY time, place)
        ) AS new
        LEFT JOIN cookieguard_visit AS known
            ON is_visitor = 1 AND known.day = new.day AND known.key = new.key AND {days}
    """


def _keep_visitors(more: Sequence[str]) -> str:
    """Note when visitors were seen first and last; `more` are columns of the first view that an engine keeps."""
    firsts = "".join(f", max({name}) FILTER (WHERE nth = 1)" for name in more)
    of_earlier = "".join(
        f", {name} = CASE WHEN excluded.first < kept.first THEN excluded.{name} ELSE kept.{name} END"
        for name in ("first", *more)
    )
    return f"""
        INSERT INTO cookieguard_visit AS kept ({", ".join(("day", "key", "first", "last", *more))})
        SELECT day, key, min(time), max(time){firsts} FROM step WHERE is_visitor = 1 GROUP BY day, key
        ON CONFLICT (day, key) DO UPDATE
        SET last = CASE WHEN excluded.last > kept.last THEN excluded.last ELSE kept.last END{of_earlier}
    """


ADD_HOURS = f"""
    INSERT INTO cookieguard_hourly AS kept SELECT * FROM (
        SELECT time / {SECONDS_OF_HOUR} AS hour, count(*) FILTER (WHERE {VIEW}) AS views,
            count(*) FILTER (WHERE {VIEW} AND entry = 1),
            count(*) FILTER (WHERE {VIEW} AND entry = 1 AND key = {NO_KEY}),
            count(*) FILTER (WHERE {PEOPLE} AND kind = 'error') AS errors, count(*) FILTER (WHERE bot != '') AS bots,
            coalesce(sum(bytes) FILTER (WHERE {VIEW}), 0), coalesce(sum(duration) FILTER (WHERE {VIEW}), 0)
        FROM step GROUP BY 1
    ) AS counted WHERE views + errors + bots > 0
    ON CONFLICT (hour) DO UPDATE SET {", ".join(f"{name} = kept.{name} + excluded.{name}" for name in HOURLY_SUMS)}
"""
ADD_CONSENT = f"""
    INSERT INTO cookieguard_consent AS kept SELECT day, policy, event, count(*) FROM (
        SELECT day, policy, event FROM step WHERE {PEOPLE} AND kind != 'goal' AND event != ''
        UNION ALL SELECT day, policy, 'gpc' FROM step WHERE {VIEW} AND gpc = 1
    ) AS events GROUP BY day, policy, event
    ON CONFLICT (day, policy, event) DO UPDATE SET times = kept.times + excluded.times
"""


def _named(counted: str, table: str, *, group: str, names: str, most: str, room: str) -> str:
    """Return rows of `counted`, and whether each has a place in a table of at most so many names in each group.

    Names that are there already have one. Of new ones those with the highest `most` get one, as far as there is
    `room`, which may refer to `there`, the number of names a group has.
    """
    both = f"{group}, {names}"
    same = " AND ".join(f"kept.{name} = counted.{name}" for name in both.split(", "))
    same_group = " AND ".join(f"known.{name} = ranked.{name}" for name in group.split(", "))
    return f"""
        WITH counted AS ({counted}), marked AS MATERIALIZED (
            SELECT counted.*, CASE WHEN (SELECT min(kept.day) FROM {table} AS kept WHERE {same}) IS NULL THEN 1 ELSE 0
                END AS is_new
            FROM counted
        )
        SELECT ranked.*, CASE WHEN is_new = 0 OR place <= {room} THEN 1 ELSE 0 END AS is_kept
        FROM (
            SELECT marked.*, dense_rank() OVER (PARTITION BY {group}, is_new ORDER BY {most} DESC, {names}) AS place
            FROM marked
        ) AS ranked LEFT JOIN (
            SELECT {group}, count(*) AS there FROM (
                SELECT DISTINCT {both} FROM {table} WHERE ({group}) IN (SELECT {group} FROM marked WHERE is_new = 1)
            ) AS names GROUP BY {group}
        ) AS known ON {same_group}
    """


def _of_bots() -> str:
    counted = """
        SELECT day, bot AS kind, browser AS name, count(*) AS hits,
            sum(count(*)) OVER (PARTITION BY day, browser) AS all_hits
        FROM step WHERE bot != '' GROUP BY day, bot, browser
    """
    room = f"{MAX_BOTS} - coalesce(there, 0)"
    named = _named(counted, "cookieguard_bot", group="day", names="name", most="all_hits", room=room)
    return f"""
        INSERT INTO cookieguard_bot AS kept
        SELECT day, kind, CASE WHEN is_kept = 1 THEN name ELSE '{OTHER}' END AS label, sum(hits)
        FROM ({named}) AS named WHERE true GROUP BY day, kind, label
        ON CONFLICT (day, kind, name) DO UPDATE SET hits = kept.hits + excluded.hits
    """


HELD = f"SELECT day, page, held, count(*) FROM step WHERE {VIEW} AND held != '' GROUP BY day, page, held"
PUT_HELD = "INSERT INTO step_held VALUES (:day, :page, :host, :vendor, :purpose, :views, :elements)"


def _of_held() -> str:
    counted = """
        SELECT day, host, page, vendor, purpose, sum(views) AS views, sum(elements) AS elements,
            sum(sum(views)) OVER (PARTITION BY day, host, page) AS all_views
        FROM step_held GROUP BY day, host, page, vendor, purpose
    """
    room = f"{MAX_HELD} - coalesce(there, 0)"
    named = _named(counted, "cookieguard_held", group="day", names="host, page", most="all_views", room=room)
    return f"""
        INSERT INTO cookieguard_held AS kept
        SELECT day, CASE WHEN is_kept = 1 THEN host ELSE '{OTHER}' END AS of_host,
            CASE WHEN is_kept = 1 THEN page ELSE '{OTHER}' END AS of_page, vendor, purpose, sum(views), sum(elements)
        FROM ({named}) AS named WHERE true GROUP BY day, of_host, of_page, vendor, purpose
        ON CONFLICT (day, host, page, vendor, purpose) DO UPDATE
        SET views = kept.views + excluded.views, elements = kept.elements + excluded.elements
    """


SUMMED = tuple(by for by in Dimension if by is not Dimension.EXIT)


def _of_values(what: Callable[[Dimension], str], dimensions: Sequence[Dimension], more: str = "") -> str:
    """Return a query for what each value of these dimensions has; `more` limits and groups the hits."""
    return " UNION ALL ".join(
        f"SELECT day, '{by.value}' AS dimension, {by.counted.column} AS value, {what(by)} FROM step"
        f" WHERE {by.counted.whose} AND {by.counted.which} {more.format(by.counted.column)}"
        for by in dimensions
    )


def _sums_of(by: Dimension) -> str:
    """Count what a value adds. Visitors of what follows from their key are counted with their first view."""
    visits = "sum(entry)" if by.counted.has_visits else "0"
    visitors = "sum(begins)" if by.counted.is_of_visitor else "0"
    return f"count(*) AS views, {visits} AS visits, {visitors} AS visitors"


def _name_values() -> str:
    counted = _of_values(_sums_of, SUMMED, "GROUP BY day, {}")
    free = f"{MAX_VALUES} - coalesce(there, 0)"
    room = f"CASE WHEN {free} > {MAX_VALUES - SAFE_VALUES} THEN {free} ELSE {MAX_VALUES - SAFE_VALUES} END"
    named = _named(
        counted, "cookieguard_daily", group="day, dimension", names="value", most="views", room=room
    )
    return f"""
        INSERT INTO step_value (day, dimension, value, name, what, is_new, views, visits, visitors)
        SELECT day, dimension, value, name, hashtextextended(dimension || ' ' || name, 0), is_new,
            views, visits, visitors
        FROM (SELECT *, CASE WHEN is_kept = 1 THEN value ELSE '{OTHER}' END AS name FROM ({named}) AS ranked) AS named
    """


_MET = tuple(by for by in SUMMED if not by.counted.is_of_visitor)
MEET = f"""
    INSERT INTO step_met SELECT DISTINCT named.day, named.what, met.key
    FROM ({_of_values(lambda _: "key", _MET, f"AND key != {NO_KEY} GROUP BY day, {{}}, key")}) AS met
    JOIN step_value AS named
        ON named.day = met.day AND named.dimension = met.dimension AND named.value = met.value
    WHERE (
        SELECT 1 FROM cookieguard_seen AS s WHERE s.day = named.day AND s.what = named.what AND s.key = met.key
    ) IS NULL
"""
KEEP_MET = "INSERT INTO cookieguard_seen (day, what, key) SELECT day, what, key FROM step_met"
ADD_SUMS = """
    ON CONFLICT (day, dimension, value) DO UPDATE SET views = kept.views + excluded.views,
        visits = kept.visits + excluded.visits, visitors = kept.visitors + excluded.visitors
"""
ADD_VALUES = f"""
    INSERT INTO cookieguard_daily AS kept
    SELECT added.day, dimension, name, views, visits, visitors + coalesce(new, 0) FROM (
        SELECT day, dimension, name, what, sum(views) AS views, sum(visits) AS visits, sum(visitors) AS visitors
        FROM step_value GROUP BY day, dimension, name, what
    ) AS added LEFT JOIN (
        SELECT day, what, count(*) AS new FROM step_met GROUP BY day, what
    ) AS met ON met.day = added.day AND met.what = added.what
    UNION ALL SELECT day, '', '', 0, 0, count(*) FROM step WHERE begins = 1 GROUP BY day
    {ADD_SUMS}
"""
# As many of the values with fewest views as a day has too many, drawn by lot, are folded into the rest.
DRAW = f"""
    INSERT INTO step_gone SELECT day, dimension, value, views, visits, visitors FROM (
        SELECT *, row_number() OVER (PARTITION BY day, dimension ORDER BY random()) AS turn FROM (
            SELECT d.*, surplus,
                row_number() OVER (PARTITION BY d.day, d.dimension ORDER BY views DESC, value) AS place
            FROM cookieguard_daily AS d JOIN (
                SELECT day, dimension, count(*) - {MAX_VALUES} AS surplus FROM cookieguard_daily
                WHERE value != '{OTHER}' AND (day, dimension) IN (
                    SELECT day, dimension FROM step_value WHERE is_new = 1
                )
                GROUP BY day, dimension HAVING count(*) > {MAX_VALUES}
            ) AS crowded ON crowded.day = d.day AND crowded.dimension = d.dimension
            WHERE value != '{OTHER}'
        ) AS ranked WHERE place > {SAFE_VALUES}
    ) AS drawn WHERE turn <= surplus
"""
REMOVE_DRAWN = """
    DELETE FROM cookieguard_daily
    WHERE (day, dimension, value) IN (SELECT day, dimension, value FROM step_gone)
"""
FOLD_DRAWN = f"""
    INSERT INTO cookieguard_daily AS kept
    SELECT day, dimension, '{OTHER}', sum(views), sum(visits), sum(visitors) FROM step_gone
    WHERE true GROUP BY day, dimension {ADD_SUMS}
"""


class Sums:
    """Add the hits of `step` to the sums.

    `text` translates a statement, and `visit_columns` are what an engine knows of a visitor's first view.
    """

    def __init__(self, text: Callable[[str], str], visit_columns: Sequence[str] = ()) -> None:
        self._make = [*map(text, MAKE)]
        self._held, self._put_held = text(HELD), text(PUT_HELD)
        statements = (
            _keep_visitors(visit_columns),
            ADD_HOURS,
            ADD_CONSENT,
            _of_bots(),
            _of_held(),
            _name_values(),
            MEET,
            KEEP_MET,
            ADD_VALUES,
            DRAW,
            REMOVE_DRAWN,
            FOLD_DRAWN,
            *EMPTY,
        )
        self._add = [*map(text, statements)]

    def make(self, connection: Any) -> None:
        """Make the tables of a step, which are gone with their connection."""
        for statement in self._make:
            connection.execute(statement)

    def add(self, connection: Any) -> None:
        """Add what is in `step`, and leave it empty."""
        cursor = connection.cursor()
        cursor.executemany(self._put_held, list(_hosts(cursor.execute(self._held).fetchall())))
        for statement in self._add:
            cursor.execute(statement)


def _hosts(rows: Sequence[Any]) -> Iterator[Mapping[str, Any]]:
    """Yield what each host adds. JSON is read here: PostgreSQL's own refuses some of what a browser may be told."""
    for day, page, held, views in rows:
        for host, elements, vendor, purpose in held_hosts(held):
            yield {
                "day": day,
                "page": page,
                "host": host,
                "vendor": vendor,
                "purpose": purpose,
                "views": views,
                "elements": views * elements,
            }
