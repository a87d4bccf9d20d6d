"""SQL views for analysts' tools such as Grafana, with the disclosure control of `stats/k_anonymity.py` in SQL.

Rule: every figure passes `_placed` and is rounded. The views show only days that are over, because a query every second
would otherwise reveal each visitor. New columns are added at the end of a view, so grants and dashboards keep working.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from cookieguard.features.statistics.engines.protocol import BY_VIEWS
from cookieguard.stats.hits import OTHER, WHOLE
from cookieguard.stats.k_anonymity import STEP, VIEWS_EACH, VISITS_EACH, K

TABLES = ("hourly", "daily", "consent", "held", "bot")


class Dialect(NamedTuple):
    """Hold the expressions that differ between databases; `{}` stands for a day or an hour since 1970."""

    date: str
    moment: str
    today: str
    greatest: str
    whole: str  # a division without remainder; its operands are two `{}`
    tables: Mapping[str, str]  # the table or subquery to read for each of TABLES


def views(dialect: Dialect) -> Mapping[str, str]:
    """Return the query of each view, by the view's name."""
    return {
        "cookieguard_by_day": _by_day(dialect),
        "cookieguard_by_hour": _by_hour(dialect),
        "cookieguard_by_value": _by_value(dialect),
        "cookieguard_by_consent": _by_consent(dialect),
        "cookieguard_by_host": _by_host(dialect),
        "cookieguard_by_bot": _by_bot(dialect),
    }


def _by_day(dialect: Dialect) -> str:
    """Return the query for a day's totals, without days of too few people, and without visitors if they are too few."""
    number = _whole(dialect, "hour", 24)
    hours = f"""SELECT {number} AS number, CAST(sum(views) AS BIGINT) AS views, CAST(sum(visits) AS BIGINT) AS visits
        FROM {dialect.tables["hourly"]} GROUP BY {number}"""
    people = _people(dialect, "coalesce(visitors, 0)", "hours.visits")
    visitors = f"(CASE WHEN coalesce(visitors, 0) = 0 OR visitors >= {K} THEN coalesce(visitors, 0) END)"
    return f"""SELECT {dialect.date.format("number")} AS day, {_rounded(dialect, "hours.views")} AS views,
        {_rounded(dialect, "hours.visits")} AS visits, {_rounded(dialect, visitors)} AS visitors
    FROM ({hours}) AS hours
    LEFT JOIN {dialect.tables["daily"]} AS d ON d.day = number AND d.dimension = '' AND d.value = ''
    WHERE number < {dialect.today} AND {people} >= {K}"""


def _by_hour(dialect: Dialect) -> str:
    """Return the query for each hour's totals, without the hours that are folded."""
    cells = f"""SELECT {dialect.date.format(_whole(dialect, "hour", 24))} AS day, hour, CAST(hour AS TEXT) AS value,
        views, visits, {_people(dialect, "0", "visits")} AS people, 0 AS is_other
        FROM {dialect.tables["hourly"]} WHERE hour < {dialect.today} * 24"""
    shown = _folded(cells, ("day",), ("value",), ("views", "visits"))
    number = f"CASE WHEN value <> '{OTHER}' THEN CAST(value AS BIGINT) END"  # may be evaluated before the WHERE below
    return f"""SELECT {dialect.moment.format(number)} AS hour, {_rounded(dialect, "views")} AS views,
        {_rounded(dialect, "second")} AS visits
    FROM ({_second(shown, ("day",), "visits")}) AS shown WHERE value <> '{OTHER}'"""


def _by_value(dialect: Dialect) -> str:
    """Return the query for a day's values of each dimension: pages, sources, countries and so on."""
    by_views = ", ".join(f"'{by.value}'" for by in sorted(BY_VIEWS))
    of_views = _people(dialect, _whole(dialect, "views", VIEWS_EACH), "visits")
    # A dimension that counts a part of another's hits is left out: an analyst could subtract the part from the whole.
    wholes = ", ".join(f"'{by.value}'" for by in WHOLE)
    cells = f"""SELECT {dialect.date.format("day")} AS day, dimension, value, views, visits, visitors,
        CASE WHEN visitors = 0 AND dimension IN ({by_views}) THEN {of_views}
            ELSE {_people(dialect, "visitors", "visits")} END AS people,
        CASE WHEN value = '{OTHER}' THEN 1 ELSE 0 END AS is_other
        FROM {dialect.tables["daily"]}
        WHERE day < {dialect.today} AND dimension IN ({wholes})"""
    groups = ("day", "dimension")
    shown = _folded(cells, groups, ("value",), ("views", "visits", "visitors"))
    visits = _rounded(dialect, "visits")
    return f"""SELECT day, dimension, value, {_rounded(dialect, "views")} AS views, {visits} AS visits,
        {_rounded(dialect, "second")} AS visitors
    FROM ({_second(shown, groups, "visitors")}) AS shown"""


def _by_consent(dialect: Dialect) -> str:
    """Return the query for visitors' choices; each choice counts as one person.

    The folded row is left out: the statistics page shows each event of a day, and subtracting those from the folded row
    would reveal what it hides.
    """
    cells = f"""SELECT {dialect.date.format("day")} AS day, policy, event, times, times AS people, 0 AS is_other
        FROM {dialect.tables["consent"]} WHERE day < {dialect.today}"""
    shown = _folded(cells, ("day", "event"), ("policy",), ("times",))
    times = _rounded(dialect, "times")
    return f"SELECT day, policy, event, {times} AS times FROM ({shown}) AS shown WHERE policy <> '{OTHER}'"


def _by_host(dialect: Dialect) -> str:
    """Return the query for held hosts, over all pages together; the folded row is left out, as above."""
    cells = f"""SELECT {dialect.date.format("day")} AS day, host, vendor, purpose, sum(views) AS views,
        sum(elements) AS elements, sum(views) AS people, CASE WHEN host = '{OTHER}' THEN 1 ELSE 0 END AS is_other
        FROM {dialect.tables["held"]} WHERE day < {dialect.today} GROUP BY day, host, vendor, purpose"""
    shown = _folded(cells, ("day",), ("host", "vendor", "purpose"), ("views", "elements"))
    return f"""SELECT day, host, vendor, purpose, {_rounded(dialect, "views")} AS views,
        {_rounded(dialect, "elements")} AS elements FROM ({shown}) AS shown WHERE host <> '{OTHER}'"""


def _by_bot(dialect: Dialect) -> str:
    """Return the query for bots. It is suppressed too, because a person's client may call itself a bot."""
    cells = f"""SELECT {dialect.date.format("day")} AS day, kind, name, hits, hits AS people,
        CASE WHEN name = '{OTHER}' THEN 1 ELSE 0 END AS is_other
        FROM {dialect.tables["bot"]} WHERE day < {dialect.today}"""
    shown = _folded(cells, ("day",), ("kind", "name"), ("hits",))
    return f"SELECT day, kind, name, {_rounded(dialect, 'hits')} AS hits FROM ({shown}) AS shown"


def _folded(cells: str, groups: Sequence[str], names: Sequence[str], counts: Sequence[str]) -> str:
    """Fold cells as `k_anonymity.suppress` does. `cells` selects groups, names, counts, `people` and `is_other`."""
    any_count = " OR ".join(f"{count} > 0" for count in counts)
    there = f"SELECT * FROM ({cells}) AS cells WHERE people > 0 OR {any_count}"
    placed = _placed(there, groups, (*counts, *names))
    labels = ", ".join(f"CASE WHEN place > hidden THEN {name} ELSE '{OTHER}' END AS {name}" for name in names)
    sums = ", ".join(f"CAST(sum({count}) AS BIGINT) AS {count}" for count in counts)
    keys = ", ".join(str(number + 1) for number in range(len(groups) + len(names)))
    return f"""SELECT {", ".join(groups)}, {labels}, {sums}
    FROM ({placed}) AS placed WHERE total >= {K} GROUP BY {keys}"""


def _second(shown: str, groups: Sequence[str], count: str) -> str:
    """Suppress a second count of the shown rows as `k_anonymity.column` does: `second` is NULL where it is hidden."""
    cells = f"""SELECT *, {count} AS people, 0 AS is_other, CASE WHEN {count} > 0 THEN 1 ELSE 0 END AS is_there
        FROM ({shown}) AS first"""
    placed = _placed(cells, (*groups, "is_there"), ("value",))
    return f"""SELECT *, CASE WHEN is_there = 0 OR (total >= {K} AND place > hidden) THEN {count} END AS second
    FROM ({placed}) AS placed"""


def _placed(cells: str, groups: Sequence[str], ties: Sequence[str]) -> str:
    """Add to each cell its `place` in the group, in the order of folding, and `hidden`, the number of folded cells.

    Folding begins with the smallest cells and ends when it is safe (`k_anonymity._is_safe`), or with all cells.
    """
    by, order = ", ".join(groups), ", ".join(("small DESC", "people", *ties))
    small = f"SELECT *, CASE WHEN people < {K} OR is_other = 1 THEN 1 ELSE 0 END AS small FROM ({cells}) AS c"
    ordered = f"""SELECT *, row_number() OVER step AS place, sum(people) OVER step AS running,
        max(is_other) OVER step AS has_other, lead(people) OVER line AS smallest_shown,
        count(*) OVER whole AS size, sum(small) OVER whole AS smalls, sum(people) OVER whole AS total
        FROM ({small}) AS s
        WINDOW whole AS (PARTITION BY {by}), line AS (PARTITION BY {by} ORDER BY {order}),
            step AS (PARTITION BY {by} ORDER BY {order} ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)"""
    is_safe = f"""CASE WHEN place < 2 OR running < {K} THEN 0 WHEN has_other = 1 THEN 1
        WHEN running <= place OR running = place * {K - 1} THEN 0
        WHEN running <= (place - 1) * {K - 1} + smallest_shown - 2 THEN 1 ELSE 0 END"""
    ends = f"CASE WHEN place >= smalls AND (place = size OR {is_safe} = 1) THEN place END"
    return f"""SELECT *, CASE WHEN smalls = 0 THEN 0 ELSE min({ends}) OVER (PARTITION BY {by}) END AS hidden
    FROM ({ordered}) AS ordered"""


def _people(dialect: Dialect, people: str, visits: str) -> str:
    return f"{dialect.greatest}({people}, {_whole(dialect, visits, VISITS_EACH)})"


def _rounded(dialect: Dialect, count: str) -> str:
    """Round as `k_anonymity.rounded` does; NULL stays NULL."""
    return f"{_whole(dialect, f'({count} + {STEP // 2})', STEP)} * {STEP}"


def _whole(dialect: Dialect, count: str, by: int) -> str:
    return dialect.whole.format(count, by)
