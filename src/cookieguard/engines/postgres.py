"""The store in PostgreSQL: for shops on several machines."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial

import psycopg

from cookieguard.engines.ports import Change, Kept, StoreDown, making_once, new_mark
from cookieguard.engines.postgres_link import connect, telling
from cookieguard.identity.endings import MAX_FLOORS, Ending, Ends

# What makes a silent server a store that is down, well within the 5 s in which a worker must know.
STATEMENT_MILLISECONDS, LOCK_MILLISECONDS = 2000, 1000

# Two workers that make the same table at once would fail: one number, ours, lets them take turns.
MAKE_IN_TURN = "SELECT pg_advisory_xact_lock(4951760157141521099)"
SCHEMA = (
    """CREATE TABLE IF NOT EXISTS cookieguard_change (
        one INTEGER PRIMARY KEY CHECK (one = 1), number BIGINT NOT NULL
    )""",
    "INSERT INTO cookieguard_change VALUES (1, 0) ON CONFLICT DO NOTHING",
    """CREATE TABLE IF NOT EXISTS cookieguard_ending (
        what TEXT NOT NULL, key TEXT NOT NULL, at BIGINT NOT NULL, until BIGINT NOT NULL,
        number BIGINT NOT NULL, PRIMARY KEY (what, key)
    )""",
    "CREATE INDEX IF NOT EXISTS cookieguard_ending_number ON cookieguard_ending (number)",
    """CREATE TABLE IF NOT EXISTS cookieguard_kept (
        shelf TEXT NOT NULL, key TEXT NOT NULL, value BYTEA NOT NULL, version BIGINT NOT NULL,
        until BIGINT NOT NULL, PRIMARY KEY (shelf, key)
    )""",
    "CREATE INDEX IF NOT EXISTS cookieguard_kept_until ON cookieguard_kept (until)",
)
# The row is locked until its transaction ends, so numbers are seen in their order. A sequence's are not: a
# reader that saw 8 would miss a 7 that is committed later.
NEXT_NUMBER = "UPDATE cookieguard_change SET number = number + 1 RETURNING number"
# A server that takes no writes (a replica after a fail-over, say) may not have heard of a logout, nor will it.
LAST_CHANGE = """
    SELECT number, coalesce(value, ''), current_setting('transaction_read_only') = 'on'
    FROM cookieguard_change LEFT JOIN cookieguard_kept ON shelf = 'change' AND key = number::text
"""
MARK = """
    WITH older AS (DELETE FROM cookieguard_kept WHERE shelf = %(shelf)s AND key = %(older)s)
    INSERT INTO cookieguard_kept (shelf, key, value, version, until)
    VALUES (%(shelf)s, %(key)s, %(mark)s, 1, %(until)s)
    ON CONFLICT (shelf, key) DO UPDATE SET value = excluded.value
"""
RECORD = """
    INSERT INTO cookieguard_ending AS kept (what, key, at, until, number) VALUES (%s, %s, %s, %s, %s)
    ON CONFLICT (what, key) DO UPDATE SET
        at = greatest(kept.at, excluded.at), until = greatest(kept.until, excluded.until),
        number = excluded.number
"""
CHANGES = (
    "SELECT what, key, at, until FROM cookieguard_ending WHERE number > %s AND what <> 'cart' ORDER BY at"
)
# There may be very many carts: as many as a worker holds, the last ones.
CARTS = """
    SELECT what, key, at, until FROM cookieguard_ending WHERE number > %s AND what = 'cart'
    ORDER BY number DESC LIMIT %s
"""
READ = "SELECT value, version, until FROM cookieguard_kept WHERE shelf = %s AND key = %s"
MAKE = """
    INSERT INTO cookieguard_kept (shelf, key, value, until, version)
    VALUES (%(shelf)s, %(key)s, %(value)s, %(until)s, 1)
    ON CONFLICT (shelf, key) DO NOTHING RETURNING version
"""
REPLACE = """
    UPDATE cookieguard_kept SET value = %(value)s, until = %(until)s, version = version + 1
    WHERE shelf = %(shelf)s AND key = %(key)s AND version = %(after)s RETURNING version
"""
PUT = """
    INSERT INTO cookieguard_kept AS kept (shelf, key, value, until, version)
    VALUES (%(shelf)s, %(key)s, %(value)s, %(until)s, 1)
    ON CONFLICT (shelf, key) DO UPDATE SET
        value = excluded.value, until = excluded.until, version = kept.version + 1
    RETURNING version
"""
ERASE = "DELETE FROM cookieguard_kept WHERE shelf = %s AND key = %s"
FORGET = (
    "DELETE FROM cookieguard_ending WHERE until <= %s",
    "DELETE FROM cookieguard_kept WHERE until <= %s",
)


class PostgresStore:
    """Be a Store in the tables `cookieguard_*` of one database, made where there are none and `make` is true.

    Tables that went away while they were in use are not made again: with them went what had been ended.
    """

    def __init__(self, url: str, *, make: bool = True) -> None:
        with telling(StoreDown):
            self._connection = connect(url, statement=STATEMENT_MILLISECONDS, lock=LOCK_MILLISECONDS)
            if not make:
                return
            with self._connection.transaction():
                self._connection.execute(MAKE_IN_TURN)
                for statement in SCHEMA:
                    self._connection.execute(statement)

    def record(self, endings: Sequence[Ending]) -> None:
        """Keep endings in one transaction."""
        with telling(StoreDown), self._connection.transaction(), self._connection.cursor() as cursor:
            number = _first(cursor.execute(NEXT_NUMBER))
            cursor.execute(MARK, new_mark(number))
            cursor.executemany(RECORD, [(*ending, number) for ending in endings])

    def last_change(self) -> Change:
        """Return the last change."""
        with telling(StoreDown):
            row = self._connection.execute(LAST_CHANGE).fetchone()
        if row is None:
            raise StoreDown("PostgreSQL: the table of changes is empty")
        number, mark, is_read_only = row
        if is_read_only:
            raise StoreDown("PostgreSQL: it takes no writes")
        return Change(int(number), mark)

    def changes(self, after: int) -> list[Ending]:
        """Return the endings after a number."""
        with telling(StoreDown):
            rows = self._connection.execute(CHANGES, (after,)).fetchall()
            rows += self._connection.execute(CARTS, (after, MAX_FLOORS)).fetchall()
        return [Ending(Ends(what), key, at, until) for what, key, at, until in rows]

    def read(self, shelf: str, key: str) -> Kept | None:
        """Return the value under a key of a shelf."""
        with telling(StoreDown):
            row = self._connection.execute(READ, (shelf, key)).fetchone()
        return None if row is None else Kept(*row)

    def write(self, shelf: str, key: str, value: bytes, *, until: int, after: int | None = None) -> int:
        """Keep a value; each statement is one step that nobody gets into."""
        statement = PUT if after is None else REPLACE if after else MAKE
        values = {"shelf": shelf, "key": key, "value": value, "until": until, "after": after}
        with telling(StoreDown):
            row = self._connection.execute(statement, values).fetchone()
        return 0 if row is None else int(row[0])

    def erase(self, shelf: str, key: str) -> None:
        """Delete a value."""
        with telling(StoreDown):
            self._connection.execute(ERASE, (shelf, key))

    def forget(self, moment: int) -> None:
        """Delete what is over."""
        with telling(StoreDown):
            for statement in FORGET:
                self._connection.execute(statement, (moment,))

    def close(self) -> None:
        """Close the connection."""
        with suppress(psycopg.Error):
            self._connection.close()


def _first(cursor: psycopg.Cursor[tuple[int, ...]]) -> int:
    row = cursor.fetchone()
    if row is None:
        raise StoreDown("PostgreSQL: the table of changes is empty")
    return row[0]


def opener(url: str) -> Callable[[], PostgresStore]:
    """Return what opens the store: the first time it makes the tables."""
    return making_once(partial(PostgresStore, url))
