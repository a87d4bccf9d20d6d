"""The store in PostgreSQL: for shops on several machines."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from functools import partial

import psycopg

from cookieguard.engines.store.protocol import (
    AT_ONCE,
    FORGET_AT_ONCE,
    MAX_BYTES,
    Change,
    LeftOut,
    Row,
    StoreDown,
    StoredValue,
    latest,
    making_once,
    mark_of,
    new_mark,
    revocation_of,
    streamed,
)
from cookieguard.identity.revocations import FEW, Revocation, Revoked
from cookieguard.storage.postgres_connection import connect, patient, telling

# What makes a silent server a store that is down, well within the 5 s in which a worker must know.
STATEMENT_MILLISECONDS, LOCK_MILLISECONDS = 2000, 1000

# For who erases a person: up to 2 GB are looked through, and no visitor waits for that connection.
ERASE_MILLISECONDS = 120_000

# Two workers that make the same table at once would fail: one number, ours, lets them take turns.
MAKE_IN_TURN = "SELECT pg_advisory_xact_lock(4951760157141521099)"
SCHEMA = (
    """CREATE TABLE IF NOT EXISTS cookieguard_change (
        one INTEGER PRIMARY KEY CHECK (one = 1), number BIGINT NOT NULL
    )""",
    "INSERT INTO cookieguard_change VALUES (1, 0) ON CONFLICT DO NOTHING",
    """CREATE TABLE IF NOT EXISTS cookieguard_ending (
        what TEXT NOT NULL, key TEXT NOT NULL, at BIGINT NOT NULL, until BIGINT NOT NULL,
        number BIGINT NOT NULL, owner TEXT NOT NULL DEFAULT '', since BIGINT NOT NULL DEFAULT 0,
        PRIMARY KEY (what, key)
    )""",
    """CREATE TABLE IF NOT EXISTS cookieguard_kept (
        shelf TEXT NOT NULL, key TEXT NOT NULL, value BYTEA NOT NULL, version BIGINT NOT NULL,
        until BIGINT NOT NULL, PRIMARY KEY (shelf, key)
    )""",
    "CREATE INDEX IF NOT EXISTS cookieguard_kept_until ON cookieguard_kept (until)",
)
HAS_OWNERS = """
    SELECT EXISTS (
        SELECT 1 FROM pg_attribute WHERE attrelid = to_regclass('cookieguard_ending') AND attname = 'owner'
    )
"""
# Of a release before it was known whose a session was.
OWNERS = (
    "ALTER TABLE cookieguard_ending ADD COLUMN owner TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE cookieguard_ending ADD COLUMN since BIGINT NOT NULL DEFAULT 0",
    "DROP INDEX IF EXISTS cookieguard_ending_number",
)
ORDER_OF_CHANGES = (
    "CREATE INDEX IF NOT EXISTS cookieguard_ending_change ON cookieguard_ending (what, number, key)"
)
# For millions of rows; each worker that starts then waits for its turn.
MIGRATION_MILLISECONDS = 60_000
PATIENT = f"SET LOCAL statement_timeout = {MIGRATION_MILLISECONDS}"
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
    INSERT INTO cookieguard_ending AS kept (what, key, at, until, owner, since, number)
    SELECT *, %s FROM unnest(%s::text[], %s::text[], %s::bigint[], %s::bigint[], %s::text[], %s::bigint[])
    ON CONFLICT (what, key) DO UPDATE SET
        at = greatest(kept.at, excluded.at), until = greatest(kept.until, excluded.until),
        since = greatest(kept.since, excluded.since),
        owner = CASE WHEN excluded.owner = '' THEN kept.owner ELSE excluded.owner END,
        number = excluded.number
"""
ROWS = "SELECT what, key, at, until, owner, since, number FROM cookieguard_ending"
CHANGES = f"{ROWS} WHERE what = ANY(%s) AND number > %s LIMIT %s"
LAST_CHANGES = f"{ROWS} WHERE what = %s AND number > %s ORDER BY number DESC, key DESC LIMIT %s"
LEFT_OUT = """
    WITH each AS MATERIALIZED (
        SELECT owner, count(*) AS many, max(at) AS at, max(until) AS until, max(since) AS since
        FROM cookieguard_ending
        WHERE what = %(what)s AND number > %(after)s AND (number, key) < (%(number)s, %(key)s) GROUP BY owner
    )
    SELECT owner, at, until, since FROM each WHERE owner <> '' AND many > %(few)s
    UNION ALL SELECT '', max(at), max(until), 0 FROM each WHERE owner = '' OR many <= %(few)s HAVING count(*) > 0
"""
COUNTS = "SELECT what, count(*) FROM cookieguard_ending GROUP BY what"
OLDEST = f"{ROWS} WHERE what = %s ORDER BY number, key LIMIT %s"
REMOVE = """
    DELETE FROM cookieguard_ending AS one USING unnest(%s::text[], %s::text[]) AS gone (what, key)
    WHERE one.what = gone.what AND one.key = gone.key
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
ERASE = (
    "DELETE FROM cookieguard_kept WHERE shelf = %s AND key = %s AND version = coalesce(%s::bigint, version)"
)
ERASE_OWNED = """
    DELETE FROM cookieguard_kept
    WHERE shelf = %(shelf)s AND substring(value FROM 1 FOR octet_length(%(mark)s::bytea)) = %(mark)s::bytea
"""
# The size of the table never shrinks; what is in it is looked at only where that is near.
SIZE = """
    SELECT CASE WHEN pg_total_relation_size('cookieguard_kept') < %s / 2 THEN 0 ELSE (
        SELECT coalesce(sum(octet_length(value) + 100), 0) FROM cookieguard_kept
    ) END
"""
EVICT = (
    """DELETE FROM cookieguard_kept WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM cookieguard_kept WHERE shelf IN ('cart', 'orders') AND starts_with(key, 's:')
        ORDER BY until LIMIT %s
    ))""",
    """DELETE FROM cookieguard_kept WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM cookieguard_kept WHERE shelf = 'spilled' ORDER BY until LIMIT %s
    ))""",
)
FORGET = (
    """DELETE FROM cookieguard_ending WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM cookieguard_ending WHERE until <= %s LIMIT %s
    ))""",
    """DELETE FROM cookieguard_kept WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM cookieguard_kept WHERE until <= %s LIMIT %s
    ))""",
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
                self._know_owners()

    def _know_owners(self) -> None:
        """Bring the table of an older release up to date; with millions of rows that takes its time."""
        if not _first(self._connection.execute(HAS_OWNERS)):
            self._connection.wait_for(MIGRATION_MILLISECONDS)
            for statement in (PATIENT, *OWNERS):
                self._connection.execute(statement.encode())
        self._connection.execute(ORDER_OF_CHANGES)
        self._connection.wait_for(STATEMENT_MILLISECONDS)

    def record(self, revocations: Sequence[Revocation]) -> None:
        """Keep revocations in one transaction."""
        with telling(StoreDown), self._connection.transaction(), self._connection.cursor() as cursor:
            number = _first(cursor.execute(NEXT_NUMBER))
            cursor.execute(MARK, new_mark(number))
            if revocations:  # in one statement: none of them twice
                cursor.execute(RECORD, (number, *map(list, zip(*latest(revocations), strict=True))))

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

    def changes(self, after: int) -> Iterator[Revocation]:
        """Yield the revocations after a number."""
        with telling(StoreDown):
            yield from streamed(self, after)

    def rows_after(self, after: int, count: int) -> Iterable[Row]:
        """Return so many rows after a number."""
        return self._connection.execute(CHANGES, ([what.value for what in Revoked], after, count))

    def last_rows(self, what: str, after: int, count: int) -> Iterable[Row]:
        """Return so many rows of a kind, the last first; never all of them in memory, and each part within its time."""
        with self._connection.transaction(), self._connection.cursor(name="last_rows") as cursor:
            cursor.itersize = AT_ONCE
            yield from cursor.execute(LAST_CHANGES, (what, after, count))

    def left_out(self, what: str, after: int, last: Row) -> list[LeftOut]:
        """Return what rows of a kind before a row had."""
        values = {"what": what, "after": after, "number": last[6], "key": last[1], "few": FEW}
        return [LeftOut(*row) for row in self._connection.execute(LEFT_OUT, values)]

    def counts(self) -> dict[Revoked, int]:
        """Count the revocations of each kind."""
        with telling(StoreDown):
            return {Revoked(what): count for what, count in self._connection.execute(COUNTS)}

    def oldest(self, what: Revoked, count: int) -> list[Revocation]:
        """Return so many that were written first."""
        with telling(StoreDown):
            return [revocation_of(row, {}) for row in self._connection.execute(OLDEST, (what, count))]

    def remove(self, revocations: Sequence[Revocation]) -> None:
        """Delete revocations."""
        with telling(StoreDown):
            self._connection.execute(
                REMOVE, ([one.what for one in revocations], [one.key for one in revocations])
            )

    def read(self, namespace: str, key: str) -> StoredValue | None:
        """Return the value under a key of a namespace."""
        with telling(StoreDown):
            row = self._connection.execute(READ, (namespace, key)).fetchone()
        return None if row is None else StoredValue(*row)

    def write(self, namespace: str, key: str, value: bytes, *, until: int, after: int | None = None) -> int:
        """Keep a value; each statement is one step that nobody gets into."""
        statement = PUT if after is None else REPLACE if after else MAKE
        values = {"shelf": namespace, "key": key, "value": value, "until": until, "after": after}
        with telling(StoreDown):
            row = self._connection.execute(statement, values).fetchone()
        return 0 if row is None else int(row[0])

    def erase(self, namespace: str, key: str, *, after: int | None = None) -> bool:
        """Delete a value."""
        with telling(StoreDown):
            return self._connection.execute(ERASE, (namespace, key, after)).rowcount > 0

    def erase_owned(self, namespace: str, owner: str) -> None:
        """Delete an owner's values."""
        with (
            telling(StoreDown),
            patient(self._connection, ERASE_MILLISECONDS, usual=STATEMENT_MILLISECONDS),
        ):
            self._connection.execute(ERASE_OWNED, {"shelf": namespace, "mark": mark_of(owner)})

    def size(self) -> int:
        """Return about how many bytes values take."""
        with telling(StoreDown):
            row = self._connection.execute(SIZE, (MAX_BYTES,)).fetchone()
        return 0 if row is None else int(row[0])

    def evict(self, count: int) -> None:
        """Delete what guests left."""
        with telling(StoreDown):
            for statement in EVICT:
                if self._connection.execute(statement, (count,)).rowcount:
                    return

    def forget(self, moment: int) -> bool:
        """Delete what is over."""
        with telling(StoreDown):
            values = (moment, FORGET_AT_ONCE)
            gone = [self._connection.execute(statement, values).rowcount for statement in FORGET]
        return max(gone) >= FORGET_AT_ONCE

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
