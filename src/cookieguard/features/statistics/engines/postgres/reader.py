"""Reads figures from PostgreSQL: from the sums, or with a filter from single hits.

A reader first adds new hits to the sums. These are few, since writers add theirs every few seconds.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, suppress
from typing import Any

import psycopg
from psycopg import errors

from cookieguard.features.statistics.engines.figures_sql import WITHIN, queries
from cookieguard.features.statistics.engines.postgres.rollups import IS_ANY_NEW, sum_up
from cookieguard.features.statistics.engines.postgres.schema import MARK, decided
from cookieguard.features.statistics.engines.protocol import EngineDown
from cookieguard.features.statistics.engines.shared_sql import exits
from cookieguard.features.statistics.engines.sums import UnsummedHits
from cookieguard.stats.hits import COLUMNS, Hit
from cookieguard.storage.postgres_connection import connect, patient, telling
from cookieguard.storage.postgres_database import on_server

# Long enough to scan a filtered year of single hits; only a few members of staff open such pages.
STATEMENT_MILLISECONDS = 10_000
EXPORT_MILLISECONDS = 600_000  # the server sorts a day of a million hits before it sends the first one
# The longest wait for another process that adds to the sums. After it, the figures are some seconds old.
LOCK_MILLISECONDS = 500
NOT_NOW = (errors.LockNotAvailable, errors.QueryCanceled, errors.ReadOnlySqlTransaction)
ROWS = 1000  # single hits fetched at a time
STILL = "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY"

OF_HITS = f"{decided(WITHIN)} AS hits"
HITS = on_server(f"SELECT {', '.join(COLUMNS)} FROM {OF_HITS} ORDER BY time, batch, place")  # noqa: S608 - our own names
KEYED_EXITS = exits(f"cookieguard_hit WHERE {WITHIN}", "batch, ctid")
QUERIES = queries(f"{OF_HITS} WHERE true", KEYED_EXITS)


class PostgresQueryRunner:
    """Runs queries on the tables that workers write; raises EngineDown if it cannot be opened."""

    def __init__(self, url: str) -> None:
        self._is_still = False
        with telling(EngineDown):
            self._connection = connect(url, statement=STATEMENT_MILLISECONDS, lock=LOCK_MILLISECONDS)
            is_there = self._connection.execute(MARK).fetchone() != (None,)
        if not is_there:
            self.close()
            raise EngineDown("PostgreSQL: nothing was counted yet")

    def ask(self, query: str, named: Mapping[str, Any]) -> Sequence[Any]:
        """Update the sums, and return all rows of the query."""
        # PostgreSQL refuses a NUL, which a filter in a request may contain. No stored value does, so no row matches.
        texts = {name: value.replace("\0", "?") for name, value in named.items() if isinstance(value, str)}
        with telling(EngineDown):
            if not self._is_still:
                self._sum_up()
            return self._connection.execute(on_server(query).encode(), {**named, **texts}).fetchall()

    def hold_still(self) -> None:
        """Update the sums, and read in one transaction from now on."""
        with telling(EngineDown):
            self._connection.commit()  # ends the transaction of the page before
            self._sum_up()
            self._connection.execute(STILL)
        self._is_still = True

    def hits(self, day: int) -> Iterator[Hit]:
        """Yield every hit of a UTC day by time. A cursor in the server holds them, so few are in memory."""
        with (
            telling(EngineDown),
            patient(self._connection, EXPORT_MILLISECONDS, usual=STATEMENT_MILLISECONDS),
            closing(self._connection.cursor("cookieguard_hits", withhold=True)) as cursor,
        ):
            cursor.itersize = ROWS
            cursor.execute(HITS.encode(), {"first": day, "last": day})
            yield from map(Hit._make, cursor)

    def close(self) -> None:
        with suppress(psycopg.Error):
            self._connection.close()

    def _sum_up(self) -> None:
        if self._connection.execute(IS_ANY_NEW).fetchone() == (True,):
            with suppress(*NOT_NOW):
                sum_up(self._connection, UnsummedHits(), wait=LOCK_MILLISECONDS)
