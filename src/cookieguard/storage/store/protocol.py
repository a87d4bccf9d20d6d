"""The store that all workers share, as both databases have it; what only one can do is in a file for that one."""

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
from cookieguard.storage.store.sealed_rows import SealedRows, Shelved, end_of_day
from cookieguard.storage.store.sealing_migration import move_clear_rows


class StoreDown(Exception):
    """Say that the store could not be asked; the reason holds no URL and no value."""


class Endings(Protocol):
    """Keep endings where no backup of the store takes them back."""

    @property
    def name(self) -> str:
        """Return the random name of the journal."""

    def write(self, revocations: Sequence[Revocation]) -> int:
        """Write endings; return the number of the last line, 0 if there is none."""


class Change(NamedTuple):
    """Name a change of a store: its number, and a mark at random, which two copies of a store do not share."""

    number: int
    mark: bytes


NO_CHANGE = Change(0, b"")
MARK_BYTES = 8
# So many are kept: a few MB. Who heard of none of these takes the store for another copy, and looks through all of it.
MARKS_KEPT = 10_000
FOR_EVER = 2**62  # milliseconds
END_OF_TIME = datetime.max.replace(tzinfo=UTC)
# A worker that starts reads at most so many revocations one after the other. Of more it reads each kind's last ones, as
# many as a worker may hold. It knows no customer until it has them.
AT_ONCE = 5_000
MOST_READ: Mapping[Revoked, int] = {what: above(limit) for what, limit in LIMITS.items()}
MAX_BYTES = 2_000_000_000  # of carts and sessions; of more those go that guests left, the oldest first
TRIES = 20  # each loses only to one that won
FORGET_AT_ONCE = 20_000  # rows in one statement: others write in between, and a server has 2 s for it


def later(before: Revocation | None, one: Revocation) -> Revocation:
    """Return what two revocations of the same say together; the owner that was named last counts."""
    if before is None:
        return one
    at, until, since = max(before.at, one.at), max(before.until, one.until), max(before.since, one.since)
    return one._replace(at=at, until=until, since=since, owner=one.owner or before.owner)


class StoredValue(NamedTuple):
    """Hold one value of the store: JSON, how often it was written, until when it is kept (milliseconds)."""

    value: bytes
    version: int
    until: int


Row = tuple[str, bytes, int, bytes]
"""A revocation's row: what it ends, its name, the number of its change, and the sealed rest."""


S = TypeVar("S")


def making_once(opened: Callable[..., S]) -> Callable[[], S]:
    """Return what opens a store: the first time it makes what is not there; `opened` takes `make`."""
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
    # What makes a silent server a store that is down, well within the 5 s in which a worker must know.
    statement_milliseconds=2000,
    lock_milliseconds=1000,
)
# The row is locked until its transaction ends, so numbers are seen in their order. A sequence's are not: a reader that
# saw 8 would miss a 7 that is committed later.
NEXT_NUMBER = "UPDATE cookieguard_change SET number = number + 1 RETURNING number"
# A server that takes no writes (a replica after a fail-over, say) may not know of a logout, and never will.
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
SHELF = "SELECT key, owner, sealed FROM cookieguard_kept WHERE shelf = :shelf"
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
    """Keep what every worker must know. Used by one thread, which may wait.

    Every method raises StoreDown where the store cannot be asked; then it is closed and opened anew. What went away
    while it was in use is not made again, unless `make` is true: with it went what had been ended.
    """

    endings: Endings | None = None
    """The journal of endings, where one is kept: what it has is ended again after a backup was restored."""

    def __init__(self, place: Path | str, keyring: Keyring, *, make: bool = True) -> None:
        self.database = open_database(place, TABLES, make=make)
        try:
            self._rows = SealedRows(self.database, keyring)
            move_clear_rows(self.database, self._rows)
        except BaseException:
            self.close()
            raise

    def record(self, revocations: Sequence[Revocation]) -> None:
        """Keep revocations, safe from a crash when it returns; of two for the same the later counts."""
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
        """Return the rows of revocations and of what they are known by, one for each name."""
        names = [self._rows.name(one.what, one.key) for one in revocations]
        rows = self.database.rows_in(KNOWN, names) if names else []
        latest = {row[1]: self._revocation(row) for row in rows}
        for name, one in zip(names, revocations, strict=True):
            latest[name] = later(latest.get(name), one)
        return [
            {
                "what": one.what.value,
                "key": name,
                "number": number,
                "until": end_of_day(one.until),
                "sealed": self._rows.close_revocation(one, name=name),
            }
            for name, one in latest.items()
            if one is not None
        ]

    def last_change(self) -> Change:
        """Return the last change; its mark is empty where an older release wrote it."""
        self.database.require_own()
        row = self.database.row(LAST_CHANGE)
        if row is None:
            raise StoreDown("the table of changes is empty")
        number, mark, *is_read_only = row
        if any(is_read_only):
            raise StoreDown("PostgreSQL: it accepts no writes")
        return Change(number, mark)

    def has_mark(self, change: Change) -> bool:
        """Return whether this store has the mark of a change: another copy of it has another one."""
        return change.mark == (self.database.value(MARK, number=change.number) or b"")

    def changes(self, after: int) -> Iterator[Revocation]:
        """Yield the revocations of all changes after a number: of very many each kind's last ones.

        Of customers' that are left out a revocation of the whole customer stands for those of whom there are many, and
        a cut-off for the others. Of guests' sessions and of carts it is no loss.
        """
        some: list[Row] = self.database.rows(CHANGES, after=after, count=AT_ONCE + 1)
        if len(some) <= AT_ONCE:
            found = [(row[2], one) for row in some if (one := self._revocation(row)) is not None]
            yield from (one for _, one in sorted(found, key=lambda pair: (pair[0], pair[1].at)))
            return
        for what in Revoked:
            yield from self._last(what, after)

    def _last(self, what: Revoked, after: int) -> Iterator[Revocation]:
        """Yield a kind's last revocations, and what takes the place of those before."""
        left: list[Revocation] = []
        count = MOST_READ[what] if what in FORGOTTEN else FOR_EVER
        with self.database.snapshot():
            rows = self.database.stream(LAST_CHANGES, what=what.value, after=after, count=count)
            for place, one in enumerate(map(self._revocation, rows)):
                if one is not None and place < MOST_READ[what]:
                    yield one
                elif one is not None:
                    left.append(one)
        # A cut-off until the end of time: the sync cuts it down to the present.
        yield from Revocations(lambda: True).stand_ins(what, left, END_OF_TIME)

    def _revocation(self, row: Row) -> Revocation | None:
        what, name, _, sealed = row
        return self._rows.open_revocation(what, sealed, name=name)

    def counts(self) -> dict[Revoked, int]:
        """Return how many revocations there are of each kind that has any."""
        return {Revoked(what): count for what, count in self.database.rows(COUNTS)}

    def oldest(self, what: Revoked, count: int) -> list[Revocation]:
        """Return so many revocations of a kind, those that were written first."""
        rows = self.database.rows(OLDEST, what=what.value, count=count)
        return [one for row in rows if (one := self._revocation(row)) is not None]

    def remove(self, revocations: Sequence[Revocation]) -> None:
        """Delete revocations."""
        self.database.write_each(REMOVE, ({"key": self._rows.name(one.what, one.key)} for one in revocations))

    def read(self, namespace: str, key: str) -> StoredValue | None:
        """Return the value under a key of a namespace; also one that is over and not yet forgotten.

        One that was changed outside of cookieguard is over, and empty.
        """
        place = self._rows.place(namespace, key)
        row = self.database.row(READ, **place._asdict())
        if row is None:
            return None
        sealed, version = row
        opened = self._rows.open_value(sealed, name=place.key)
        value, until = (b"", 0) if opened is None else (opened.value, opened.until)
        return StoredValue(value, version, until)

    def shelf(self, namespace: str) -> list[Shelved]:
        """Return all rows of a namespace, also those that were changed or moved outside of cookieguard."""
        return [self._rows.shelved(namespace, *row) for row in self.database.rows(SHELF, shelf=namespace)]

    def mark(self, owner: str) -> bytes:
        """Return what the rows of an owner are marked with."""
        return self._rows.owner(owner)

    def write(
        self, namespace: str, key: str, value: bytes, *, until: int, after: int | None = None, owner: str = ""
    ) -> int:
        """Keep a value, safe from a crash when it returns, and return its version: how often it was written.

        With `after` only over that version, 0 for a key that holds nothing; where another is there, nothing is
        written and 0 returned. Of two callers that read the same version, the second gets 0. `owner` is the customer
        by whom `keys` and `erase_owned` find it.
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
        """Write what `change` makes of a value (None where there is none), and until when; None leaves it as it is.

        It is called again where others wrote meanwhile. Return False where they did at every try.
        """
        for _ in range(TRIES):
            kept = self.read(namespace, key)
            new = change(None if kept is None else kept.value)
            after = 0 if kept is None else kept.version
            if new is None or self.write(namespace, key, new[0], until=new[1], after=after, owner=owner):
                return True
        return False

    def erase(self, namespace: str, key: str, *, after: int | None = None) -> bool:
        """Delete a value, with `after` that version only; return whether there was one to delete."""
        return self.database.write(ERASE, **self._rows.place(namespace, key)._asdict(), after=after) > 0

    def keys(self, namespace: str, owner: str) -> list[str]:
        """Return the keys of an owner's values of a namespace."""
        rows = self.database.rows(KEYS, shelf=namespace, owner=self._rows.owner(owner))
        opened = (self._rows.open_value(sealed, name=name) for name, sealed in rows)
        return sorted(one.key for one in opened if one is not None)

    def erase_owned(self, namespace: str, owner: str) -> None:
        """Delete an owner's values of a namespace, so that no file holds them."""
        self.database.write(ERASE_OWNED, shelf=namespace, owner=self._rows.owner(owner))
        self.database.empty_journal()

    @property
    def lost(self) -> int:
        """Return how many times this store started empty because no key of the keyring opened it."""
        return self._rows.lost

    def seal_anew(self) -> None:
        """Seal the store's secret with the key that signs now."""
        self._rows.seal_anew()

    def size(self) -> int:
        """Return about how many bytes values take; 0 where they are far from `MAX_BYTES`."""
        raise NotImplementedError

    def evict(self, count: int) -> None:
        """Delete so many values that guests left, the oldest first; where there are none, oversized ones."""
        any(self.database.write(statement, count=count) for statement in EVICT)

    def forget(self, moment: int) -> bool:
        """Delete of what need not be kept any longer (milliseconds) what can be at once; say whether more is left."""
        with self.database.transaction():
            gone = [self.database.write(one, moment=moment, count=FORGET_AT_ONCE) for one in FORGET]
        return max(gone) >= FORGET_AT_ONCE

    def close(self) -> None:
        """Let go of the connection; never raises."""
        self.database.close()
