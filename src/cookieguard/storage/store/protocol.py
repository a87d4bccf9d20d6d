"""The store that all workers share, as both databases have it; what only one can do is in a file for that one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from operator import itemgetter
from os import urandom
from pathlib import Path
from typing import NamedTuple, Protocol, TypeVar

from cookieguard.identity.encoding import canonical_json as jsontext
from cookieguard.identity.revocations import FEW, FORGOTTEN, LIMITS, Revocation, Revoked, above, cutoffs
from cookieguard.storage.database import Step, Tables
from cookieguard.storage.journal_marks import raise_mark
from cookieguard.storage.open import open_database


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
CHANGE = "change"  # the namespace of marks, by number
MARK_BYTES = 8
# So many are kept: a few MB. Who heard of none of these takes the store for another copy, and looks through all of it.
MARKS_KEPT = 10_000
FOR_EVER = 2**62  # milliseconds
# A worker that starts reads at most so many revocations one after the other. Of more it reads each kind's last ones, as
# many as a worker may hold. It knows no customer until it has them.
AT_ONCE = 5_000
MOST_READ: Mapping[Revoked, int] = {what: above(limit) for what, limit in LIMITS.items()}
MAX_BYTES = 2_000_000_000  # of carts and sessions; of more those go that guests left, the oldest first
TRIES = 20  # each loses only to one that won
FORGET_AT_ONCE = 20_000  # rows in one statement: others write in between, and a server has 2 s for it


class StoredValue(NamedTuple):
    """Hold one value of the store: JSON, how often it was written, until when it is kept (milliseconds)."""

    value: bytes
    version: int
    until: int


def mark_of(owner: str) -> bytes:
    """Return what a value begins with that says whose it is."""
    return jsontext.encode({"o": owner})[:-1] + b","


Row = tuple[str, str, int, int, str, int, int]
"""A revocation as its row says it (what, key, at, until, owner, since), and the number of its change."""


class LeftOut(NamedTuple):
    """Hold what rows of one customer had latest, or of all who have few each."""

    owner: str
    at: int
    until: int
    since: int


def revocation_of(row: Row, owners: dict[str, str]) -> Revocation:
    """Return the revocation of a row; `owners` holds each owner's name once."""
    what, key, at, until, owner, since, _ = row
    return Revocation(Revoked(what), key, at, until, owners.setdefault(owner, owner), since)


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


class Store:
    """Keep what every worker must know. Used by one thread, which may wait.

    Every method raises StoreDown where the store cannot be asked; then it is closed and opened anew. What went away
    while it was in use is not made again, unless `make` is true: with it went what had been ended.
    """

    endings: Endings | None = None
    """The journal of endings, where one is kept: what it has is ended again after a backup was restored."""

    def __init__(self, place: Path | str, *, make: bool = True) -> None:
        self.database = open_database(place, TABLES, make=make)

    def record(self, revocations: Sequence[Revocation]) -> None:
        """Keep revocations, safe from a crash when it returns; of two for the same the later counts."""
        line = 0 if self.endings is None else self.endings.write(revocations)
        with self.database.transaction():
            if self.endings is not None and line:
                raise_mark(self.database, self.endings.name, line)
            number = self.database.value(NEXT_NUMBER)
            if number is None:
                raise StoreDown("the table of changes is empty")
            mark = urandom(MARK_BYTES)
            self.database.write(PUT_MARK, shelf=CHANGE, key=str(number), mark=mark, until=FOR_EVER)
            self.database.write(DELETE_MARK, shelf=CHANGE, older=str(number - MARKS_KEPT))
            rows = ({**one._asdict(), "what": one.what.value, "number": number} for one in revocations)
            self.database.write_each(RECORD, rows)

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

    def changes(self, after: int) -> Iterator[Revocation]:
        """Yield the revocations of all changes after a number: of very many each kind's last ones.

        Of customers' that are left out a revocation of the whole customer stands for those of whom there are many, and
        a cut-off for the others. Of guests' sessions and of carts it is no loss.
        """
        owners: dict[str, str] = {}  # one account may have very many
        some = list(self.rows_after(after, AT_ONCE + 1))
        if len(some) <= AT_ONCE:
            some.sort(key=itemgetter(6, 2))
            yield from (revocation_of(row, owners) for row in some)
            return
        for what in Revoked:
            row, count = None, 0
            for row in self.last_rows(what.value, after, MOST_READ[what]):
                count += 1
                yield Revocation(what, row[1], row[2], row[3], owners.setdefault(row[4], row[4]), row[5])
            if row is not None and count == MOST_READ[what] and what not in FORGOTTEN:
                for one in self.left_out(what.value, after, row):
                    if one.owner:
                        yield Revocation(Revoked.CUSTOMER, one.owner, one.since, one.until)
                    else:  # the sync cuts it down to the present when it reads it
                        yield from cutoffs(what, [Revocation(what, "", one.at, one.until)], now=FOR_EVER)

    def rows_after(self, after: int, count: int) -> Iterable[Row]:
        """Return so many rows of changes after a number, whichever."""
        return self.database.rows(CHANGES, after=after, count=count)

    def last_rows(self, what: str, after: int, count: int) -> Iterator[Row]:
        """Return so many rows of a kind after a number, the last ones, one by one; the first of these at the end."""
        return self.database.stream(LAST_CHANGES, what=what, after=after, count=count)

    def left_out(self, what: str, after: int, last: Row) -> list[LeftOut]:
        """Return what rows of a kind after a number and before a row had: one for each owner of more than FEW."""
        rows = self.database.rows(LEFT_OUT, what=what, after=after, number=last[6], key=last[1], few=FEW)
        return [LeftOut(*row) for row in rows]

    def counts(self) -> dict[Revoked, int]:
        """Return how many revocations there are of each kind that has any."""
        return {Revoked(what): count for what, count in self.database.rows(COUNTS)}

    def oldest(self, what: Revoked, count: int) -> list[Revocation]:
        """Return so many revocations of a kind, those that were written first."""
        rows: Iterable[Row] = self.database.rows(OLDEST, what=what.value, count=count)
        return [revocation_of(row, {}) for row in rows]

    def remove(self, revocations: Sequence[Revocation]) -> None:
        """Delete revocations."""
        self.database.write_each(REMOVE, ({"what": one.what.value, "key": one.key} for one in revocations))

    def read(self, namespace: str, key: str) -> StoredValue | None:
        """Return the value under a key of a namespace; also one that is over and not yet forgotten."""
        row = self.database.row(READ, shelf=namespace, key=key)
        return None if row is None else StoredValue(*row)

    def write(self, namespace: str, key: str, value: bytes, *, until: int, after: int | None = None) -> int:
        """Keep a value, safe from a crash when it returns, and return its version: how often it was written.

        With `after` only over that version, 0 for a key that holds nothing; where another is there, nothing is
        written and 0 returned. Of two callers that read the same version, the second gets 0.
        """
        statement = PUT if after is None else REPLACE if after else MAKE_VALUE
        version = self.database.value(
            statement, shelf=namespace, key=key, value=value, until=until, after=after
        )
        return int(version or 0)

    def change(
        self, namespace: str, key: str, change: Callable[[bytes | None], tuple[bytes, int] | None]
    ) -> bool:
        """Write what `change` makes of a value (None where there is none), and until when; None leaves it as it is.

        It is called again where others wrote meanwhile. Return False where they did at every try.
        """
        for _ in range(TRIES):
            kept = self.read(namespace, key)
            new = change(None if kept is None else kept.value)
            after = 0 if kept is None else kept.version
            if new is None or self.write(namespace, key, new[0], until=new[1], after=after):
                return True
        return False

    def erase(self, namespace: str, key: str, *, after: int | None = None) -> bool:
        """Delete a value, with `after` that version only; return whether there was one to delete."""
        return self.database.write(ERASE, shelf=namespace, key=key, after=after) > 0

    def keys(self, namespace: str, ending: str) -> list[str]:
        """Return the keys of a namespace that end so. Looks through all of it."""
        return [key for (key,) in self.database.rows(KEYS, shelf=namespace, ending=ending)]

    def erase_owned(self, namespace: str, owner: str) -> None:
        """Delete an owner's values of a namespace whose keys are random (see `mark_of`). Looks through all of it."""
        mark = mark_of(owner)
        self.database.write(ERASE_OWNED, shelf=namespace, mark=mark, length=len(mark))
        self.database.empty_journal()

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
