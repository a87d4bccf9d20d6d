"""Figures read from PostgreSQL: from the sums, or from single hits where something is filtered.

Whoever asks adds to the sums what came since that was done last: a few hits, since writers do it every few seconds.
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
from cookieguard.features.statistics.engines.reader import Figures
from cookieguard.features.statistics.engines.shared_sql import exits
from cookieguard.features.statistics.engines.sums import Waiting
from cookieguard.stats.hits import COLUMNS, Hit
from cookieguard.storage.postgres_connection import connect, patient, telling
from cookieguard.storage.postgres_database import on_server

# A filtered year of single hits takes its time; a page is asked for by one person
STATEMENT_MILLISECONDS = 10_000
EXPORT_MILLISECONDS = 600_000  # a day of a million hits is sorted before the first one comes
# Who adds to the sums now is waited for so long; after that they are shown as they were some seconds ago.
LOCK_MILLISECONDS = 500
NOT_NOW = (errors.LockNotAvailable, errors.QueryCanceled, errors.ReadOnlySqlTransaction)
ROWS = 1000  # of single hits, fetched at a time
STILL = "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY"

OF_HITS = f"{decided(WITHIN)} AS hits"
HITS = on_server(f"SELECT {', '.join(COLUMNS)} FROM {OF_HITS} ORDER BY time, batch, place")  # noqa: S608 - names of ours
KEYED_EXITS = exits(f"cookieguard_hit WHERE {WITHIN}", "batch, ctid")
QUERIES = queries(f"{OF_HITS} WHERE true", KEYED_EXITS)


class PostgresSource:
    """Be the Source of tables that workers write."""

    def __init__(self, url: str) -> None:
        self._is_still = False
        with telling(EngineDown):
            self._connection = connect(url, statement=STATEMENT_MILLISECONDS, lock=LOCK_MILLISECONDS)
            is_there = self._connection.execute(MARK).fetchone() != (None,)
        if not is_there:
            self.close()
            raise EngineDown("PostgreSQL: nothing was counted yet")

    def ask(self, query: str, named: Mapping[str, Any]) -> Sequence[Any]:
        """Return all rows, once the sums are up to date."""
        # What comes from a browser may hold what PostgreSQL cannot: no value of ours does, so no row is found.
        clean = {name: one.replace("\0", "?") if isinstance(one, str) else one for name, one in named.items()}
        with telling(EngineDown):
            if not self._is_still:
                self._sum_up()
            return self._connection.execute(on_server(query).encode(), clean).fetchall()

    def hold_still(self) -> None:
        """Read in one transaction, once the sums are up to date."""
        with telling(EngineDown):
            self._connection.commit()  # of the page before
            self._sum_up()
            self._connection.execute(STILL)
        self._is_still = True

    def hits(self, day: int) -> Iterator[Hit]:
        """Give every hit of a UTC day in the order of time; the server holds them, some are in memory."""
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
                sum_up(self._connection, Waiting(), wait=LOCK_MILLISECONDS)


class PostgresFigures(Figures):
    """Be a HitReader of tables that workers write; raises EngineDown where it cannot be opened."""

    def __init__(self, url: str) -> None:
        super().__init__(PostgresSource(url), QUERIES)
