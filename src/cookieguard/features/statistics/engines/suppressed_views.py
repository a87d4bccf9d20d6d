"""The views analysts get in SQL, for Grafana or Metabase: the rule of `stats/k_anonymity.py`, said in window functions.

Rule: whatever is shown here has passed `_placed` and is rounded, and only days that are over are: who asks every second
would otherwise see each visitor come. Columns of a view are only ever added, at its end: grants and dashboards stay.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from cookieguard.features.statistics.engines.protocol import BY_VIEWS
from cookieguard.stats.hits import OTHER, WHOLE
from cookieguard.stats.k_anonymity import STEP, VIEWS_EACH, VISITS_EACH, K

TABLES = ("hourly", "daily", "consent", "held", "bot")


class Words(NamedTuple):
    """Say how a dialect says what the others say otherwise; `{}` is a day or an hour since 1970."""

    date: str
    moment: str
    today: str
    greatest: str
    whole: str  # of a division, whose two sides are `{}`
    tables: Mapping[str, str]  # what is read for each of TABLES


def views(words: Words) -> Mapping[str, str]:
    """Return what each view asks, by its name."""
    return {
        "cookieguard_by_day": _by_day(words),
        "cookieguard_by_hour": _by_hour(words),
        "cookieguard_by_value": _by_value(words),
        "cookieguard_by_consent": _by_consent(words),
        "cookieguard_by_host": _by_host(words),
        "cookieguard_by_bot": _by_bot(words),
    }


def _by_day(words: Words) -> str:
    """Ask for the totals of a day: none of a day with too few people, and no visitors where those are too few."""
    number = _whole(words, "hour", 24)
    hours = f"""SELECT {number} AS number, CAST(sum(views) AS BIGINT) AS views, CAST(sum(visits) AS BIGINT) AS visits
        FROM {words.tables["hourly"]} GROUP BY {number}"""
    people = _people(words, "coalesce(visitors, 0)", "hours.visits")
    visitors = f"(CASE WHEN coalesce(visitors, 0) = 0 OR visitors >= {K} THEN coalesce(visitors, 0) END)"
    return f"""SELECT {words.date.format("number")} AS day, {_rounded(words, "hours.views")} AS views,
        {_rounded(words, "hours.visits")} AS visits, {_rounded(words, visitors)} AS visitors
    FROM ({hours}) AS hours
    LEFT JOIN {words.tables["daily"]} AS d ON d.day = number AND d.dimension = '' AND d.value = ''
    WHERE number < {words.today} AND {people} >= {K}"""


def _by_hour(words: Words) -> str:
    """Ask for the hours of each day; an hour that is folded is left out."""
    cells = f"""SELECT {words.date.format(_whole(words, "hour", 24))} AS day, hour, {_text("hour")} AS value,
        views, visits, {_people(words, "0", "visits")} AS people, 0 AS is_other
        FROM {words.tables["hourly"]} WHERE hour < {words.today} * 24"""
    shown = _folded(cells, ("day",), ("value",), ("views", "visits"))
    number = f"CASE WHEN value <> '{OTHER}' THEN CAST(value AS BIGINT) END"  # whoever evaluates it first
    return f"""SELECT {words.moment.format(number)} AS hour, {_rounded(words, "views")} AS views,
        {_rounded(words, "second")} AS visits
    FROM ({_second(shown, ("day",), "visits")}) AS shown WHERE value <> '{OTHER}'"""


def _by_value(words: Words) -> str:
    """Ask for a day's values of each dimension: pages, sources, countries and all others."""
    by_views = ", ".join(f"'{by.value}'" for by in sorted(BY_VIEWS))
    of_views = _people(words, _whole(words, "views", VIEWS_EACH), "visits")
    wholes = ", ".join(
        f"'{by.value}'" for by in WHOLE
    )  # of a part, anybody who has the whole too could subtract
    cells = f"""SELECT {words.date.format("day")} AS day, dimension, value, views, visits, visitors,
        CASE WHEN visitors = 0 AND dimension IN ({by_views}) THEN {of_views}
            ELSE {_people(words, "visitors", "visits")} END AS people,
        CASE WHEN value = '{OTHER}' THEN 1 ELSE 0 END AS is_other
        FROM {words.tables["daily"]}
        WHERE day < {words.today} AND dimension IN ({wholes})"""
    groups = ("day", "dimension")
    shown = _folded(cells, groups, ("value",), ("views", "visits", "visitors"))
    return f"""SELECT day, dimension, value, {_rounded(words, "views")} AS views, {_rounded(words, "visits")} AS visits,
        {_rounded(words, "second")} AS visitors
    FROM ({_second(shown, groups, "visitors")}) AS shown"""


def _by_consent(words: Words) -> str:
    """Ask for what visitors chose; each answer counts as one of the five.

    What is folded is left out: the statistics page tells each event of a day by itself, and the fold less what is
    told there would be what it hides.
    """
    cells = f"""SELECT {words.date.format("day")} AS day, policy, event, times, times AS people, 0 AS is_other
        FROM {words.tables["consent"]} WHERE day < {words.today}"""
    shown = _folded(cells, ("day", "event"), ("policy",), ("times",))
    times = _rounded(words, "times")
    return f"SELECT day, policy, event, {times} AS times FROM ({shown}) AS shown WHERE policy <> '{OTHER}'"


def _by_host(words: Words) -> str:
    """Ask for who was held on how many views, of all pages together; what is folded is left out, as above."""
    cells = f"""SELECT {words.date.format("day")} AS day, host, vendor, purpose, sum(views) AS views,
        sum(elements) AS elements, sum(views) AS people, CASE WHEN host = '{OTHER}' THEN 1 ELSE 0 END AS is_other
        FROM {words.tables["held"]} WHERE day < {words.today} GROUP BY day, host, vendor, purpose"""
    shown = _folded(cells, ("day",), ("host", "vendor", "purpose"), ("views", "elements"))
    return f"""SELECT day, host, vendor, purpose, {_rounded(words, "views")} AS views,
        {_rounded(words, "elements")} AS elements FROM ({shown}) AS shown WHERE host <> '{OTHER}'"""


def _by_bot(words: Words) -> str:
    """Ask for the bots; somebody may call himself one."""
    cells = f"""SELECT {words.date.format("day")} AS day, kind, name, hits, hits AS people,
        CASE WHEN name = '{OTHER}' THEN 1 ELSE 0 END AS is_other
        FROM {words.tables["bot"]} WHERE day < {words.today}"""
    shown = _folded(cells, ("day",), ("kind", "name"), ("hits",))
    return f"SELECT day, kind, name, {_rounded(words, 'hits')} AS hits FROM ({shown}) AS shown"


def _folded(cells: str, groups: Sequence[str], names: Sequence[str], counts: Sequence[str]) -> str:
    """Fold cells as `suppress` does. They have their groups, names and counts, `people` and `is_other`."""
    any_count = " OR ".join(f"{count} > 0" for count in counts)
    there = f"SELECT * FROM ({cells}) AS cells WHERE people > 0 OR {any_count}"
    placed = _placed(there, groups, (*counts, *names))
    labels = ", ".join(f"CASE WHEN place > hidden THEN {name} ELSE '{OTHER}' END AS {name}" for name in names)
    sums = ", ".join(f"CAST(sum({count}) AS BIGINT) AS {count}" for count in counts)
    keys = ", ".join(str(number + 1) for number in range(len(groups) + len(names)))
    return f"""SELECT {", ".join(groups)}, {labels}, {sums}
    FROM ({placed}) AS placed WHERE total >= {K} GROUP BY {keys}"""


def _second(shown: str, groups: Sequence[str], count: str) -> str:
    """Hide a second column of what is shown as `column` does: `second` is NULL where it must not be seen."""
    cells = f"""SELECT *, {count} AS people, 0 AS is_other, CASE WHEN {count} > 0 THEN 1 ELSE 0 END AS is_there
        FROM ({shown}) AS first"""
    placed = _placed(cells, (*groups, "is_there"), ("value",))
    return f"""SELECT *, CASE WHEN is_there = 0 OR (total >= {K} AND place > hidden) THEN {count} END AS second
    FROM ({placed}) AS placed"""


def _placed(cells: str, groups: Sequence[str], ties: Sequence[str]) -> str:
    """Give each cell its `place` among those of its group, from the one folded first, and how many are `hidden`.

    A fold grows from what is small until it is safe, or everything is in it: see `_is_safe` there.
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


def _people(words: Words, people: str, visits: str) -> str:
    return f"{words.greatest}({people}, {_whole(words, visits, VISITS_EACH)})"


def _rounded(words: Words, count: str) -> str:
    """Round as `k_anonymity.rounded` does; what is NULL stays so."""
    return f"{_whole(words, f'({count} + {STEP // 2})', STEP)} * {STEP}"


def _whole(words: Words, count: str, by: int) -> str:
    return words.whole.format(count, by)


def _text(name: str) -> str:
    return f"CAST({name} AS TEXT)"
