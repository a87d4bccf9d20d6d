"""Closes days in ClickHouse and deletes old data, in steps that can be repeated after an interruption at any point.

A closing lists the batches that it sums up, writes their sums and hits under its name, and marks itself as done. From
then on its rows count instead of the batches, whose hits with keys are deleted. Hits that come later get a closing of
their own.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

from clickhouse_connect.driver.client import Client

from cookieguard.features.statistics.engines.clickhouse import reader_sql as queries
from cookieguard.features.statistics.engines.clickhouse.schema import SUMS
from cookieguard.features.statistics.engines.shared_sql import RARE, RARE_DAYS
from cookieguard.stats.hits import LASTING, Dimension

OPEN_DAYS = "SELECT DISTINCT day FROM cookieguard_hit WHERE day < {day:Int64} ORDER BY day"
UNFINISHED = f"""
    SELECT DISTINCT closing FROM cookieguard_closed WHERE {queries.ONE_DAY} AND closing NOT IN {queries.DONE}
"""  # noqa: S608 - our own names
COUNT_DONE = f"SELECT uniqExact(closing) FROM cookieguard_done WHERE {queries.ONE_DAY}"  # noqa: S608
BEGIN = f"""
    INSERT INTO cookieguard_closed SELECT DISTINCT day, batch, {{closing:String}}
    FROM cookieguard_hit WHERE {queries.ONE_DAY}
        AND (day, batch) NOT IN (SELECT day, batch FROM cookieguard_closed WHERE {queries.ONE_DAY})
"""  # noqa: S608
END = "INSERT INTO cookieguard_done VALUES ({day:Int64}, {closing:String})"
REMOVE = f"ALTER TABLE cookieguard_hit DELETE WHERE (day, batch) IN {queries.CLOSED} AND day = "
HITS = queries.decided(f"{queries.ONE_DAY} AND {queries.OF_CLOSING}")
# Deleted rows stay in inactive files until a background thread removes them, which in an embedded engine never happens.
# DROP PARTITION removes inactive files that are older than a second, even for a partition that does not exist.
SWEEP = "ALTER TABLE cookieguard_{table} DROP PARTITION 0"
A_SECOND = 1.1
OF_SUMS = (*SUMS, "lost", "done")
OF_HITS = ("past", "hit")


def open_days(client: Client, before: int) -> Sequence[int]:
    """Return the days before this one that still have hits with keys, oldest first."""
    return [day for (day,) in client.query(OPEN_DAYS, parameters={"day": before}).result_rows]


def close_day(client: Client, day: int) -> None:
    """Sum up the hits of a day that came since it was last closed, and delete those hits with their keys."""
    closing = _begin(client, day)
    named = {"day": day, "closing": closing}
    for statement in _steps():
        client.command(statement, parameters=named)
    client.command(END, parameters=named)
    client.command(f"{REMOVE}{int(day)}")


def remove_days(client: Client, before: int) -> None:
    """Drop the partitions with hits of days before this one."""
    for table in OF_HITS:
        query = f"SELECT DISTINCT day FROM cookieguard_{table} WHERE day < {{day:Int64}}"  # noqa: S608
        for (day,) in client.query(query, parameters={"day": before}).result_rows:
            client.command(f"ALTER TABLE cookieguard_{table} DROP PARTITION {int(day)}")
    _delete_rows(client, "closed", f"day < {int(before)}")


def cap_days(client: Client, most: int) -> int:
    """Drop the oldest closed days until at most `most` hits are left, but no open day, which has no sums yet."""
    days = client.query("SELECT day, count() FROM cookieguard_past GROUP BY day ORDER BY day").result_rows
    ((open_hits,),) = client.query("SELECT count() FROM cookieguard_hit").result_rows
    excess, removed = open_hits + sum(count for _, count in days) - most, 0
    for day, count in days:
        if removed >= excess:
            break
        client.command(f"ALTER TABLE cookieguard_past DROP PARTITION {int(day)}")
        removed += count
    return removed


def forget_sums(client: Client, before: int) -> None:
    """Delete the sums of days before this one."""
    for table in OF_SUMS:
        _delete_rows(client, table, f"day < {int(before)}")


def forget_rare(client: Client, before: int) -> None:
    """Delete the sums of texts that fewer than five people wrote, on days before this one."""
    _delete_rows(client, "daily", f"day >= {int(before) - RARE_DAYS} AND day < {int(before)} AND {RARE}")


def sweep(client: Client) -> None:
    """Remove the files of deleted rows."""
    time.sleep(A_SECOND)
    for table in (*OF_HITS, *OF_SUMS, "closed"):
        client.command(SWEEP.format(table=table))


def _begin(client: Client, day: int) -> str:
    """Return a day's interrupted closing, or begin a new one, named after the number of closings done."""
    unfinished = client.query(UNFINISHED, parameters={"day": day}).result_rows
    if unfinished:
        return str(unfinished[0][0])
    ((done,),) = client.query(COUNT_DONE, parameters={"day": day}).result_rows
    closing = f"{day}-{done}"
    client.command(BEGIN, parameters={"day": day, "closing": closing})
    return closing


def _steps() -> Iterator[str]:
    """Yield the statements of a closing. If one is repeated, its rows replace themselves."""
    yield _into("hourly", queries.hours(HITS))
    yield _into("daily", queries.visitors(HITS), more="'' AS dimension, value, views, visits, visitors")
    for by in Dimension:
        more = f"'{by.value}' AS dimension, value, views, visits, visitors"
        yield _into("daily", queries.folded_values(HITS, by), more=more)
    yield _into("consent", queries.consent(HITS))
    yield _into("held", queries.held(HITS))
    yield _into("bot", queries.bots(HITS))
    names = ", ".join(LASTING)
    yield f"""
        INSERT INTO cookieguard_past (day, closing, batch, place, {names})
        SELECT day, {{closing:String}}, batch, place, {names} FROM {HITS}
    """  # noqa: S608


def _into(table: str, counted: str, *, more: str = "* EXCEPT day") -> str:
    names = ", ".join(column.split()[0] for column in SUMS[table].split(", "))
    selected = f"SELECT day, {{closing:String}}, {more} FROM ({counted})"  # noqa: S608
    return f"INSERT INTO cookieguard_{table} (day, closing, {names}) {selected}"


def _delete_rows(client: Client, table: str, which: str) -> None:
    """Delete rows, but only if there are any, because a mutation rewrites whole parts."""
    query = f"SELECT count() FROM cookieguard_{table} WHERE {which}"  # noqa: S608
    if client.query(query).result_rows != [(0,)]:
        client.command(f"ALTER TABLE cookieguard_{table} DELETE WHERE {which}")
