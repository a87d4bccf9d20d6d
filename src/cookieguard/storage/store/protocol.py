"""What an engine is to those who use it: the store that all workers of a shop share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from operator import itemgetter
from os import urandom
from typing import NamedTuple, Protocol, TypeVar

from cookieguard.identity.encoding import canonical_json as jsontext
from cookieguard.identity.revocations import FORGOTTEN, LIMITS, Revocation, Revoked, above, cutoffs


class StoreDown(Exception):
    """Say that the store could not be asked; the reason holds no URL and no value."""


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
FORGET_AT_ONCE = 20_000  # rows in one statement: others write in between, and a server has 2 s for it


def new_mark(number: int) -> dict[str, object]:
    """Return what marks a change, as a statement's parameters; `older` is the key of the mark that goes for it."""
    older = str(number - MARKS_KEPT)
    return {
        "shelf": CHANGE,
        "key": str(number),
        "mark": urandom(MARK_BYTES),
        "until": FOR_EVER,
        "older": older,
    }


class StoredValue(NamedTuple):
    """Hold one value of the store: JSON, how often it was written, until when it is kept (milliseconds)."""

    value: bytes
    version: int
    until: int


def mark_of(owner: str) -> bytes:
    """Return what a value begins with that says whose it is."""
    return jsontext.encode({"o": owner})[:-1] + b","


class Store(Protocol):
    """Keep what every worker must know. Used by one thread, which may wait.

    Every method raises StoreDown where the store cannot be asked; then it is closed and opened anew.
    """

    def record(self, revocations: Sequence[Revocation]) -> None:
        """Keep revocations, safe from a crash when it returns; of two for the same the later counts."""

    def last_change(self) -> Change:
        """Return the last change; its mark is empty where an older release wrote it."""

    def changes(self, after: int) -> Iterator[Revocation]:
        """Yield the revocations of all changes after a number, and nothing less (see `streamed`)."""

    def read(self, namespace: str, key: str) -> StoredValue | None:
        """Return the value under a key of a namespace; also one that is over and not yet forgotten."""

    def write(self, namespace: str, key: str, value: bytes, *, until: int, after: int | None = None) -> int:
        """Keep a value, safe from a crash when it returns, and return its version: how often it was written.

        With `after` only over that version, 0 for a key that holds nothing; where another is there, nothing is
        written and 0 returned. So of two that read the same one loses, and hears of it.
        """

    def erase(self, namespace: str, key: str, *, after: int | None = None) -> bool:
        """Delete a value, with `after` that version only; return whether there was one to delete."""

    def keys(self, namespace: str, ending: str) -> list[str]:
        """Return the keys of a namespace that end so. Looks through all of it."""

    def erase_owned(self, namespace: str, owner: str) -> None:
        """Delete an owner's values of a namespace whose keys are random (see `mark_of`). Looks through all of it."""

    def counts(self) -> dict[Revoked, int]:
        """Return how many revocations there are of each kind that has any."""

    def oldest(self, what: Revoked, count: int) -> list[Revocation]:
        """Return so many revocations of a kind, those that were written first."""

    def remove(self, revocations: Sequence[Revocation]) -> None:
        """Delete revocations."""

    def size(self) -> int:
        """Return about how many bytes values take; 0 where they are far from `MAX_BYTES`."""

    def evict(self, count: int) -> None:
        """Delete so many values that guests left, the oldest first; where there are none, oversized ones."""

    def forget(self, moment: int) -> bool:
        """Delete of what need not be kept any longer (milliseconds) what can be at once; say whether more is left."""

    def close(self) -> None:
        """Let go of the connection; never raises."""


Row = tuple[str, str, int, int, str, int, int]
"""A revocation as its row says it (what, key, at, until, owner, since), and the number of its change."""


class LeftOut(NamedTuple):
    """Hold what rows of one customer had latest, or of all who have few each."""

    owner: str
    at: int
    until: int
    since: int


class Table(Protocol):
    """Ask for rows of revocations, a kind by its name."""

    def rows_after(self, after: int, count: int) -> Iterable[Row]:
        """Return so many rows of changes after a number, whichever."""

    def last_rows(self, what: str, after: int, count: int) -> Iterable[Row]:
        """Return so many rows of a kind after a number, the last ones, one by one; the first of these at the end."""

    def left_out(self, what: str, after: int, last: Row) -> list[LeftOut]:
        """Return what rows of a kind after a number and before a row had: one for each owner of more than FEW."""


def streamed(table: Table, after: int) -> Iterator[Revocation]:
    """Yield the revocations of all changes after a number: of very many each kind's last ones.

    Of customers' that are left out a revocation of the whole customer stands for those of whom there are many, and a
    cut-off for the others. Of guests' sessions and of carts it is no loss.
    """
    owners: dict[str, str] = {}  # one account may have very many
    some = list(table.rows_after(after, AT_ONCE + 1))
    if len(some) <= AT_ONCE:
        some.sort(key=itemgetter(6, 2))
        yield from (revocation_of(row, owners) for row in some)
        return
    for what in Revoked:
        row, count = None, 0
        for row in table.last_rows(what.value, after, MOST_READ[what]):
            count += 1
            yield Revocation(what, row[1], row[2], row[3], owners.setdefault(row[4], row[4]), row[5])
        if row is not None and count == MOST_READ[what] and what not in FORGOTTEN:
            for one in table.left_out(what.value, after, row):
                if one.owner:
                    yield Revocation(Revoked.CUSTOMER, one.owner, one.since, one.until)
                else:  # the sync cuts it down to the present when it reads it
                    yield from cutoffs(what, [Revocation(what, "", one.at, one.until)], now=FOR_EVER)


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
