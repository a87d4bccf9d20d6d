"""The store that all workers share, as both databases have it; what only one can do is in a file for that one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from cookieguard.identity.revocations import FEW, Revocation, Revoked
from cookieguard.storage.database import Step, Tables
from cookieguard.storage.open import open_database
from cookieguard.storage.store.protocol import (
    FORGET_AT_ONCE,
    Change,
    LeftOut,
    Row,
    StoreDown,
    StoredValue,
    mark_of,
    new_mark,
    revocation_of,
    streamed,
)

MAKE = (
    """CREATE TABLE IF NOT EXISTS cookieguard_change (
        one INTEGER PRIMARY KEY CHECK (one = 1), number INTEGER NOT NULL
    )""",
    "INSERT INTO cookieguard_change VALUES (1, 0) ON CONFLICT DO NOTHING",
    """CREATE TABLE IF NOT EXISTS cookieguard_ending (
        what TEXT NOT NULL, key TEXT NOT NULL, at INTEGER NOT NULL, until INTEGER NOT NULL,
        number INTEGER NOT NULL, owner TEXT NOT NULL DEFAULT '', since INTEGER NOT NULL DEFAULT 0,
        PRIMARY KEY (what, key)
    ) WITHOUT ROWID""",
    """CREATE TABLE IF NOT EXISTS cookieguard_kept (
        shelf TEXT NOT NULL, key TEXT NOT NULL, value BLOB NOT NULL, version INTEGER NOT NULL,
        until INTEGER NOT NULL, PRIMARY KEY (shelf, key)
    ) WITHOUT ROWID""",
    "CREATE INDEX IF NOT EXISTS cookieguard_kept_until ON cookieguard_kept (until)",
    "CREATE INDEX IF NOT EXISTS cookieguard_ending_change ON cookieguard_ending (what, number, key)",
)
# Of a release that did not know whose a session was.
OWNERS = (
    "ALTER TABLE cookieguard_ending ADD COLUMN owner TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE cookieguard_ending ADD COLUMN since INTEGER NOT NULL DEFAULT 0",
    "DROP INDEX IF EXISTS cookieguard_ending_number",
)
TABLES = Tables(
    main="cookieguard_ending",
    steps=(Step(MAKE), Step(OWNERS, unless=("cookieguard_ending", "owner"))),
    down=StoreDown,
    short=(
        ("cookieguard_", ""),
        # In the order of the table (that is what the + says): in that of changes each row would be looked up by
        # itself, which takes more than twice the time, as ids are random.
        ("number > :after AND (number, key) <", "+number > :after AND (+number, +key) <"),
    ),
    busy_seconds=1.0,  # each writer holds the lock for one small transaction
    # What makes a silent server a store that is down, well within the 5 s in which a worker must know.
    statement_milliseconds=2000,
    lock_milliseconds=1000,
)
# The row is locked until its transaction ends, so numbers are seen in their order. A sequence's are not: a reader that
# saw 8 would miss a 7 that is committed later.
NEXT_NUMBER = "UPDATE cookieguard_change SET number = number + 1 RETURNING number"
# A server that takes no writes (a replica after a fail-over, say) may not know of a logout, and never will.
LAST_CHANGE = """
    SELECT number, coalesce(value, x'') /*postgres , current_setting('transaction_read_only') = 'on'*/
    FROM cookieguard_change LEFT JOIN cookieguard_kept ON shelf = 'change' AND key = CAST(number AS TEXT)
"""
PUT_MARK = """
    INSERT INTO cookieguard_kept (shelf, key, value, version, until) VALUES (:shelf, :key, :mark, 1, :until)
    ON CONFLICT (shelf, key) DO UPDATE SET value = excluded.value
"""
DELETE_MARK = "DELETE FROM cookieguard_kept WHERE shelf = :shelf AND key = :older"
RECORD = """
    INSERT INTO cookieguard_ending AS old (what, key, at, until, owner, since, number)
    VALUES (:what, :key, :at, :until, :owner, :since, :number)
    ON CONFLICT (what, key) DO UPDATE SET
        at = greatest(old.at, excluded.at), until = greatest(old.until, excluded.until),
        since = greatest(old.since, excluded.since),
        owner = CASE WHEN excluded.owner = '' THEN old.owner ELSE excluded.owner END, number = excluded.number
"""
ROWS = "SELECT what, key, at, until, owner, since, number FROM cookieguard_ending"
KINDS = ", ".join(f"'{what}'" for what in Revoked)
CHANGES = f"{ROWS} WHERE what IN ({KINDS}) AND number > :after LIMIT :count"
LAST_CHANGES = f"{ROWS} WHERE what = :what AND number > :after ORDER BY number DESC, key DESC LIMIT :count"
LEFT_OUT = """
    WITH each AS MATERIALIZED (
        SELECT owner, count(*) AS many, max(at) AS at, max(until) AS until, max(since) AS since
        FROM cookieguard_ending
        WHERE what = :what AND number > :after AND (number, key) < (:number, :key) GROUP BY owner
    )
    SELECT owner, at, until, since FROM each WHERE owner <> '' AND many > :few
    UNION ALL SELECT '', max(at), max(until), 0 FROM each WHERE owner = '' OR many <= :few HAVING count(*) > 0
"""
COUNTS = "SELECT what, count(*) FROM cookieguard_ending GROUP BY what"
OLDEST = f"{ROWS} WHERE what = :what ORDER BY number, key LIMIT :count"
REMOVE = "DELETE FROM cookieguard_ending WHERE what = :what AND key = :key"
READ = "SELECT value, version, until FROM cookieguard_kept WHERE shelf = :shelf AND key = :key"
MAKE_VALUE = """
    INSERT INTO cookieguard_kept (shelf, key, value, until, version) VALUES (:shelf, :key, :value, :until, 1)
    ON CONFLICT (shelf, key) DO NOTHING RETURNING version
"""
REPLACE = """
    UPDATE cookieguard_kept SET value = :value, until = :until, version = version + 1
    WHERE shelf = :shelf AND key = :key AND version = :after RETURNING version
"""
PUT = """
    INSERT INTO cookieguard_kept AS old (shelf, key, value, until, version) VALUES (:shelf, :key, :value, :until, 1)
    ON CONFLICT (shelf, key) DO UPDATE SET
        value = excluded.value, until = excluded.until, version = old.version + 1
    RETURNING version
"""
ERASE = """
    DELETE FROM cookieguard_kept
    WHERE shelf = :shelf AND key = :key AND version = coalesce(CAST(:after AS BIGINT), version)
"""
KEYS = """
    SELECT key FROM cookieguard_kept
    WHERE shelf = :shelf AND substr(key, length(key) - length(:ending) + 1) = :ending ORDER BY key
"""
ERASE_OWNED = "DELETE FROM cookieguard_kept WHERE shelf = :shelf AND substr(value, 1, :length) = :mark"
EVICT = (
    """DELETE FROM cookieguard_kept WHERE (shelf, key) IN (
        SELECT shelf, key FROM cookieguard_kept WHERE shelf IN ('cart', 'orders') AND substr(key, 1, 2) = 's:'
        ORDER BY until LIMIT :count
    )""",
    """DELETE FROM cookieguard_kept WHERE (shelf, key) IN (
        SELECT shelf, key FROM cookieguard_kept WHERE shelf = 'spilled' ORDER BY until LIMIT :count
    )""",
)
FORGET = (
    """DELETE FROM cookieguard_ending WHERE (what, key) IN (
        SELECT what, key FROM cookieguard_ending WHERE until <= :moment LIMIT :count
    )""",
    """DELETE FROM cookieguard_kept WHERE (shelf, key) IN (
        SELECT shelf, key FROM cookieguard_kept WHERE until <= :moment LIMIT :count
    )""",
)


class DatabaseStore:
    """Be a Store, but for `size`.

    What went away while it was in use is not made again, unless `make` is true: with it went what had been ended.
    """

    def __init__(self, place: Path | str, *, make: bool = True) -> None:
        self.database = open_database(place, TABLES, make=make)

    def record(self, revocations: Sequence[Revocation]) -> None:
        """Keep revocations in one transaction."""
        with self.database.transaction():
            number = self.database.value(NEXT_NUMBER)
            if number is None:
                raise StoreDown("the table of changes is empty")
            mark = new_mark(number)
            self.database.write(PUT_MARK, **mark)
            self.database.write(DELETE_MARK, **mark)
            rows = ({**one._asdict(), "what": one.what.value, "number": number} for one in revocations)
            self.database.write_each(RECORD, rows)

    def last_change(self) -> Change:
        """Return the last change."""
        self.database.require_own()
        row = self.database.row(LAST_CHANGE)
        if row is None:
            raise StoreDown("the table of changes is empty")
        number, mark, *is_read_only = row
        if any(is_read_only):
            raise StoreDown("PostgreSQL: it accepts no writes")
        return Change(number, mark)

    def changes(self, after: int) -> Iterator[Revocation]:
        """Yield the revocations after a number; a write transaction gives the number, so none comes late."""
        return streamed(self, after)

    def rows_after(self, after: int, count: int) -> Iterable[Row]:
        """Return so many rows after a number."""
        return self.database.rows(CHANGES, after=after, count=count)

    def last_rows(self, what: str, after: int, count: int) -> Iterator[Row]:
        """Yield so many rows of a kind, the last first; never all of them in memory."""
        return self.database.stream(LAST_CHANGES, what=what, after=after, count=count)

    def left_out(self, what: str, after: int, last: Row) -> list[LeftOut]:
        """Return what rows of a kind before a row had."""
        rows = self.database.rows(LEFT_OUT, what=what, after=after, number=last[6], key=last[1], few=FEW)
        return [LeftOut(*row) for row in rows]

    def counts(self) -> dict[Revoked, int]:
        """Count the revocations of each kind."""
        return {Revoked(what): count for what, count in self.database.rows(COUNTS)}

    def oldest(self, what: Revoked, count: int) -> list[Revocation]:
        """Return so many that were written first."""
        rows: Iterable[Row] = self.database.rows(OLDEST, what=what.value, count=count)
        return [revocation_of(row, {}) for row in rows]

    def remove(self, revocations: Sequence[Revocation]) -> None:
        """Delete revocations."""
        self.database.write_each(REMOVE, ({"what": one.what.value, "key": one.key} for one in revocations))

    def read(self, namespace: str, key: str) -> StoredValue | None:
        """Return the value under a key of a namespace."""
        row = self.database.row(READ, shelf=namespace, key=key)
        return None if row is None else StoredValue(*row)

    def write(self, namespace: str, key: str, value: bytes, *, until: int, after: int | None = None) -> int:
        """Keep a value; nobody else writes in between."""
        statement = PUT if after is None else REPLACE if after else MAKE_VALUE
        version = self.database.value(
            statement, shelf=namespace, key=key, value=value, until=until, after=after
        )
        return int(version or 0)

    def erase(self, namespace: str, key: str, *, after: int | None = None) -> bool:
        """Delete a value."""
        return self.database.write(ERASE, shelf=namespace, key=key, after=after) > 0

    def keys(self, namespace: str, ending: str) -> list[str]:
        """Return the keys that end so."""
        return [key for (key,) in self.database.rows(KEYS, shelf=namespace, ending=ending)]

    def erase_owned(self, namespace: str, owner: str) -> None:
        """Delete an owner's values; the journal holds nothing any more of what was deleted before, either."""
        mark = mark_of(owner)
        self.database.write(ERASE_OWNED, shelf=namespace, mark=mark, length=len(mark))
        self.database.empty_journal()

    def evict(self, count: int) -> None:
        """Delete what guests left."""
        any(self.database.write(statement, count=count) for statement in EVICT)

    def forget(self, moment: int) -> bool:
        """Delete what is over."""
        with self.database.transaction():
            gone = [self.database.write(one, moment=moment, count=FORGET_AT_ONCE) for one in FORGET]
        return max(gone) >= FORGET_AT_ONCE

    def close(self) -> None:
        """Let go of the connection."""
        self.database.close()
