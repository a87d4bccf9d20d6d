"""The store that all workers share: revocations and values, in the same SQL for SQLite and PostgreSQL.

The few differences are in sqlite.py and postgres.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from os import urandom
from pathlib import Path
from typing import Any, NamedTuple, Protocol, TypeVar

from cookieguard.identity.revocations import FORGOTTEN, LIMITS, Revocation, Revocations, Revoked, above
from cookieguard.keyring import Keyring
from cookieguard.storage.database import Tables
from cookieguard.storage.journal_marks import raise_mark
from cookieguard.storage.open import open_database
from cookieguard.storage.store.schema import STEPS
from cookieguard.storage.store.sealed_rows import Opened, SealedRows, end_of_day
from cookieguard.storage.store.sealing_migration import move_clear_rows


class StoreDown(Exception):
    """The store could not be used. The reason contains no URL and no value."""


class Endings(Protocol):
    """A journal of ended sessions that restoring a backup of the store does not reset."""

    @property
    def name(self) -> str:
        """Return the random name of the journal."""

    def write(self, revocations: Sequence[Revocation]) -> int:
        """Write revocations to the journal; return the number of the last line, or 0 if none was written."""


class Change(NamedTuple):
    """A change of a store: its number, and a random mark that differs between copies of a store."""

    number: int
    mark: bytes


NO_CHANGE = Change(0, b"")
MARK_BYTES = 8
# A few MB. A worker whose last change is older than these takes the store for another copy, and reads all of it.
MARKS_KEPT = 10_000
FOR_EVER = 2**62  # milliseconds
END_OF_TIME = datetime.max.replace(tzinfo=UTC)
# A starting worker reads up to this many revocations in order. If there are more, it reads the last ones of each kind,
# as many as it may hold. Until then it treats all customers as guests.
AT_ONCE = 5_000
MOST_READ: Mapping[Revoked, int] = {what: above(limit) for what, limit in LIMITS.items()}
MAX_BYTES = 2_000_000_000  # of carts and sessions; beyond this guests' values are deleted, the oldest first
TRIES = 20  # attempts; each fails only if another writer succeeded
FORGET_AT_ONCE = 20_000  # rows in a statement, so that others can write in between; a server has 2 s for it


def later(before: Revocation | None, new: Revocation) -> Revocation:
    """Return two revocations of the same key combined: the later times, and the owner named last."""
    if before is None:
        return new
    at, until, since = max(before.at, new.at), max(before.until, new.until), max(before.since, new.since)
    return new._replace(at=at, until=until, since=since, owner=new.owner or before.owner)


class StoredValue(NamedTuple):
    """A value of the store: its JSON, how often it was written, and until when it is kept (milliseconds)."""

    value: bytes
    version: int
    until: int


Row = tuple[str, bytes, int, bytes]
"""A revocation's row: its kind, its name, the number of its change, and the other fields, sealed."""


S = TypeVar("S")


def making_once(opened: Callable[..., S]) -> Callable[[], S]:
    """Return a function that calls `opened` with `make`, which is true until the store was opened once."""
    made = False

    def open_store() -> S:
        nonlocal made
        store = opened(make=not made)
        made = True
        return store

    return open_store


TABLES = Tables(
    main="cookieguard_ending",
    steps=STEPS,
    down=StoreDown,
    short=(("cookieguard_", ""),),
    busy_seconds=1.0,  # each writer holds the lock for one small transaction
    # A server that does not answer in time counts as down, well within the 5 s in which a worker must know.
    statement_milliseconds=2000,
    lock_milliseconds=1000,
)
# The row is locked until its transaction ends, so numbers become visible in order. Those of a sequence do not: a reader
# that saw 8 would miss a 7 that is committed later.
NEXT_NUMBER = "UPDATE cookieguard_change SET number = number + 1 RETURNING number"
# Also whether the server accepts writes. One that does not, such as a replica after a fail-over, may miss logouts.
LAST_CHANGE = """
    SELECT number, coalesce(mark, x'') /*postgres , current_setting('transaction_read_only') = 'on'*/
    FROM cookieguard_change LEFT JOIN cookieguard_change_mark USING (number)
"""
PUT_MARK = """
    INSERT INTO cookieguard_change_mark (number, mark) VALUES (:number, :mark)
    ON CONFLICT (number) DO UPDATE SET mark = excluded.mark
"""
MARK = "SELECT mark FROM cookieguard_change_mark WHERE number = :number"
DELETE_MARK = "DELETE FROM cookieguard_change_mark WHERE number <= :older"
RECORD = """
    INSERT INTO cookieguard_ending (what, key, number, until, sealed) VALUES (:what, :key, :number, :until, :sealed)
    ON CONFLICT (key) DO UPDATE SET number = excluded.number, until = excluded.until, sealed = excluded.sealed
"""
ROWS = "SELECT what, key, number, sealed FROM cookieguard_ending"
KNOWN = f"{ROWS} WHERE key IN (:these)"
KINDS = ", ".join(f"'{what}'" for what in Revoked)
CHANGES = f"{ROWS} WHERE what IN ({KINDS}) AND number > :after LIMIT :count"
LAST_CHANGES = f"{ROWS} WHERE what = :what AND number > :after ORDER BY number DESC, key DESC LIMIT :count"
COUNTS = "SELECT what, count(*) FROM cookieguard_ending GROUP BY what"
OLDEST = f"{ROWS} WHERE what = :what ORDER BY number, key LIMIT :count"
REMOVE = "DELETE FROM cookieguard_ending WHERE key = :key"
READ = "SELECT sealed, version FROM cookieguard_kept WHERE shelf = :shelf AND key = :key"
SHELF = "SELECT key, sealed FROM cookieguard_kept WHERE shelf = :shelf"
MAKE_VALUE = """
    INSERT INTO cookieguard_kept (shelf, key, owner, sealed, until, version)
    VALUES (:shelf, :key, :owner, :sealed, :until, 1) ON CONFLICT (shelf, key) DO NOTHING RETURNING version
"""
REPLACE = """
    UPDATE cookieguard_kept SET owner = :owner, sealed = :sealed, until = :until, version = version + 1
    WHERE shelf = :shelf AND key = :key AND version = :after RETURNING version
"""
PUT = """
    INSERT INTO cookieguard_kept AS old (shelf, key, owner, sealed, until, version)
    VALUES (:shelf, :key, :owner, :sealed, :until, 1)
    ON CONFLICT (shelf, key) DO UPDATE SET
        owner = excluded.owner, sealed = excluded.sealed, until = excluded.until, version = old.version + 1
    RETURNING version
"""
ERASE = """
    DELETE FROM cookieguard_kept
    WHERE shelf = :shelf AND key = :key AND version = coalesce(CAST(:after AS BIGINT), version)
"""
OWNED = "FROM cookieguard_kept WHERE shelf = :shelf AND owner = :owner AND owner <> x''"
KEYS = f"SELECT key, sealed {OWNED}"
ERASE_OWNED = f"DELETE {OWNED}"
EVICT = (
    """DELETE FROM cookieguard_kept WHERE (shelf, key) IN (
        SELECT shelf, key FROM cookieguard_kept WHERE shelf IN ('guest-cart', 'guest-orders')
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


class Store:
    """The revocations and values that every worker must know. Used by one thread, which may wait.

    Every method raises StoreDown if the store cannot be used; the caller then closes it and opens it again. A store
    that disappeared while it was in use is created again only with `make`, because its revocations are lost.
    """

    endings: Endings | None = None
    """The journal of ended sessions, if there is one. After a restored backup its revocations are written again."""

    def __init__(self, place: Path | str, keyring: Keyring, *, make: bool = True) -> None:
        self.database = open_database(place, TABLES, make=make)
        try:
            self._rows = SealedRows(self.database, keyring)
            move_clear_rows(self.database, self._rows)
        except BaseException:
            self.close()
            raise

    def record(self, revocations: Sequence[Revocation]) -> None:
        """Keep revocations, durably on return. Revocations of the same key are combined (see `later`)."""
        line = 0 if self.endings is None else self.endings.write(revocations)
        with self.database.transaction():
            if self.endings is not None and line:
                raise_mark(self.database, self.endings.name, line)
            number = self.database.value(NEXT_NUMBER)
            if number is None:
                raise StoreDown("the table of changes is empty")
            self.database.write(PUT_MARK, number=number, mark=urandom(MARK_BYTES))
            self.database.write(DELETE_MARK, older=number - MARKS_KEPT)
            self.database.write_each(RECORD, self._ending_rows(revocations, number))

    def _ending_rows(self, revocations: Sequence[Revocation], number: int) -> list[dict[str, Any]]:
        """Return the rows to write: one for each name, combined with the row that the store has."""
        names = [self._rows.name(revocation.what, revocation.key) for revocation in revocations]
        rows = self.database.rows_in(KNOWN, names) if names else []
        latest = {row[1]: self._revocation(row) for row in rows}
        for name, new in zip(names, revocations, strict=True):
            latest[name] = later(latest.get(name), new)
        return [
            {
                "what": revocation.what.value,
                "key": name,
                "number": number,
                "until": end_of_day(revocation.until),
                "sealed": self._rows.close_revocation(revocation, name=name),
            }
            for name, revocation in latest.items()
            if revocation is not None
        ]

    def last_change(self) -> Change:
        """Return the last change; its mark is empty if an older release wrote it."""
        self.database.require_own()
        row = self.database.row(LAST_CHANGE)
        if row is None:
            raise StoreDown("the table of changes is empty")
        number, mark, *is_read_only = row
        if any(is_read_only):
            raise StoreDown("PostgreSQL: it accepts no writes")
        return Change(number, mark)

    def has_mark(self, change: Change) -> bool:
        """Return whether this store has the mark of a change. Another copy of the store has another mark."""
        return change.mark == (self.database.value(MARK, number=change.number) or b"")

    def changes(self, after: int) -> Iterator[Revocation]:
        """Yield the revocations of all changes after a number; if there are very many, only the last of each kind.

        Omitted ones of customers are replaced: by one of the whole customer for customers with many, and by a cut-off
        for the others. Those of guests' sessions and carts need no replacement.
        """
        rows: list[Row] = self.database.rows(CHANGES, after=after, count=AT_ONCE + 1)
        if len(rows) <= AT_ONCE:
            found = [(row[2], opened) for row in rows if (opened := self._revocation(row)) is not None]
            yield from (revocation for _, revocation in sorted(found, key=lambda pair: (pair[0], pair[1].at)))
            return
        for what in Revoked:
            yield from self._last(what, after)

    def _last(self, what: Revoked, after: int) -> Iterator[Revocation]:
        """Yield the last revocations of a kind, and the replacements of earlier ones."""
        left: list[Revocation] = []
        count = MOST_READ[what] if what in FORGOTTEN else FOR_EVER
        with self.database.snapshot():
            rows = self.database.stream(LAST_CHANGES, what=what.value, after=after, count=count)
            for place, revocation in enumerate(map(self._revocation, rows)):
                if revocation is not None and place < MOST_READ[what]:
                    yield revocation
                elif revocation is not None:
                    left.append(revocation)
        # The cut-off has no limit here; the sync limits it to the present.
        yield from Revocations(lambda: True).stand_ins(what, left, END_OF_TIME)

    def _revocation(self, row: Row) -> Revocation | None:
        what, name, _, sealed = row
        return self._rows.open_revocation(what, sealed, name=name)

    def counts(self) -> dict[Revoked, int]:
        """Return the number of revocations of each kind of which there are any."""
        return {Revoked(what): count for what, count in self.database.rows(COUNTS)}

    def oldest(self, what: Revoked, count: int) -> list[Revocation]:
        """Return the `count` revocations of a kind that were written first."""
        rows = self.database.rows(OLDEST, what=what.value, count=count)
        return [revocation for row in rows if (revocation := self._revocation(row)) is not None]

    def remove(self, revocations: Sequence[Revocation]) -> None:
        """Delete revocations."""
        self.database.write_each(REMOVE, ({"key": self._rows.name(row.what, row.key)} for row in revocations))

    def read(self, namespace: str, key: str) -> StoredValue | None:
        """Return the value under a key of a namespace, even if it has expired and is not deleted yet.

        A value that was changed outside cookieguard is returned as expired and empty.
        """
        place = self._rows.place(namespace, key)
        row = self.database.row(READ, **place._asdict())
        if row is None:
            return None
        sealed, version = row
        opened = self._rows.open_value(sealed, name=place.key)
        value, until = (b"", 0) if opened is None else (opened.value, opened.until)
        return StoredValue(value, version, until)

    def shelf(self, namespace: str) -> list[Opened | None]:
        """Return all rows of a namespace; None for each that was changed or moved outside cookieguard."""
        return [self._rows.shelved(namespace, *row) for row in self.database.rows(SHELF, shelf=namespace)]

    def write(
        self, namespace: str, key: str, value: bytes, *, until: int, after: int | None = None, owner: str = ""
    ) -> int:
        """Keep a value, durably on return, and return its version, which is how often it was written.

        With `after`, replace only that version, or with 0 write only if there is no value; otherwise write no value and
        return 0. If two callers have read the same version, the second gets 0. `keys` and `erase_owned` find the value
        by its `owner`.
        """
        statement = PUT if after is None else REPLACE if after else MAKE_VALUE
        place = self._rows.place(namespace, key)
        version = self.database.value(
            statement,
            **place._asdict(),
            owner=self._rows.owner(owner),
            sealed=self._rows.close_value(key, value, until, name=place.key),
            until=end_of_day(until),
            after=after,
        )
        return int(version or 0)

    def change(
        self,
        namespace: str,
        key: str,
        change: Callable[[bytes | None], tuple[bytes, int] | None],
        *,
        owner: str = "",
    ) -> bool:
        """Write the value and end time that `change` returns for the current value (None if there is none).

        If `change` returns None, the value stays as it is. It is called again if another worker wrote meanwhile. Return
        False if that happened at every try.
        """
        for _ in range(TRIES):
            kept = self.read(namespace, key)
            new = change(None if kept is None else kept.value)
            after = 0 if kept is None else kept.version
            if new is None or self.write(namespace, key, new[0], until=new[1], after=after, owner=owner):
                return True
        return False

    def erase(self, namespace: str, key: str, *, after: int | None = None) -> bool:
        """Delete a value, with `after` only if it has that version; return whether it was deleted."""
        return self.database.write(ERASE, **self._rows.place(namespace, key)._asdict(), after=after) > 0

    def keys(self, namespace: str, owner: str) -> list[str]:
        """Return the keys of an owner's values of a namespace."""
        rows = self.database.rows(KEYS, shelf=namespace, owner=self._rows.owner(owner))
        opened = (self._rows.open_value(sealed, name=name) for name, sealed in rows)
        return sorted(value.key for value in opened if value is not None)

    def erase_owned(self, namespace: str, owner: str) -> None:
        """Delete an owner's values of a namespace, also from the database's journal file."""
        self.database.write(ERASE_OWNED, shelf=namespace, owner=self._rows.owner(owner))
        self.database.empty_journal()

    @property
    def lost(self) -> int:
        """Return how many times this store started empty because no key of the keyring opened it."""
        return self._rows.lost

    def seal_anew(self) -> None:
        """Seal the store's secret with the current signing key."""
        self._rows.seal_anew()

    def size(self) -> int:
        """Return approximately how many bytes the values take; it may be 0 if that is far from `MAX_BYTES`."""
        raise NotImplementedError

    def evict(self, count: int) -> None:
        """Delete up to `count` values of guests, the oldest first; if there are none, oversized entries."""
        any(self.database.write(statement, count=count) for statement in EVICT)

    def forget(self, moment: int) -> bool:
        """Delete rows that expired before `moment` (milliseconds), up to a limit; return whether more are left."""
        with self.database.transaction():
            gone = [self.database.write(text, moment=moment, count=FORGET_AT_ONCE) for text in FORGET]
        return max(gone) >= FORGET_AT_ONCE

    def close(self) -> None:
        """Close the connection; never raises."""
        self.database.close()
