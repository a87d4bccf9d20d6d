"""What a store of the log must do, whichever database it is in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import NamedTuple, Protocol, runtime_checkable

from cookieguard.engines.proof.subjects import SubjectKey, SubjectStore, new_key
from cookieguard.proof.log import LogDown, Text
from cookieguard.proof.sealing import TIME_BYTES, Sealed
from cookieguard.proof.verification import RowTuple

__all__ = [
    "BothStores",
    "Job",
    "LogDown",
    "LogNotMade",
    "LogStore",
    "Old",
    "Row",
    "Stores",
    "SubjectKey",
    "SubjectStore",
    "UnsequencedRecord",
    "Window",
    "new_key",
]


class LogNotMade(LogDown):
    """Say that there is no log: no worker of the shop made its tables yet."""


class UnsequencedRecord(NamedTuple):
    """Hold a row that has no number yet."""

    place: int
    id: bytes
    entry: bytes
    mac: bytes


class Job(NamedTuple):
    """Hold that somebody is to be told of a record: its id as the row has it, and how often that failed."""

    place: int
    id: bytes
    tries: int


class Row(NamedTuple):
    """Hold a row as it is stored."""

    number: int | None
    id: bytes
    subject: bytes
    about: bytes
    entry: bytes
    sealed: bytes

    @property
    def contents(self) -> Sealed:
        """Return what `sealing.unseal` takes."""
        return Sealed(self.id, self.subject, self.about, self.entry, self.sealed)

    @property
    def label(self) -> bytes:
        """Return kind and topic."""
        return self.about[TIME_BYTES:]


class Old(NamedTuple):
    """Hold what is asked of a numbered row to say whether it is kept any longer.

    `is_replaced`: by the time that was asked about, a later record of the subject took its place; one that was imported
    takes that of imported ones only.
    """

    number: int
    subject: bytes
    about: bytes
    is_replaced: bool


class Window(NamedTuple):
    """Name numbered rows of a kind by when they were made: from `since` on, before `until`.

    `replaced_by`: only later records before this time count as replacing; `same_topic`: only those of the same topic.
    The times are 8 bytes, as `about` begins with.
    """

    kind: str
    since: bytes
    until: bytes
    replaced_by: bytes
    same_topic: bool


class LogStore(Protocol):
    """Keep rows, tiles and checkpoints. Every call is one transaction, but for those within `lease`."""

    def insert(
        self, rows: Sequence[tuple[Sealed, bytes]], texts: Iterable[Text], jobs: Sequence[bytes] = ()
    ) -> None:
        """Write rows with their marks, texts, and jobs for the rows of these ids. Durable on return.

        Of two rows with one id the first gets a number.
        """
        ...

    def lease(self) -> AbstractContextManager[bool]:
        """Do what follows as the only sequencer, in one transaction; False where another one is at it."""
        ...

    def snapshot(self) -> AbstractContextManager[None]:
        """Read what follows as it is at one time."""
        ...

    def waiting(self, count: int) -> list[UnsequencedRecord]:
        """Return so many rows without a number, in the order they came."""
        ...

    def has_waiting(self) -> bool:
        """Return whether a row has no number yet."""
        ...

    def numbered(self, ids: Sequence[bytes]) -> set[bytes]:
        """Return those of the ids that a numbered record has."""
        ...

    def drop(self, places: Sequence[int]) -> None:
        """Remove rows that have no number: another one of the same id was first."""
        ...

    def number(self, places: Sequence[int], first: int) -> None:
        """Number rows from `first` on."""
        ...

    def refuse(self, places: Sequence[int]) -> None:
        """Put rows aside that no worker wrote."""
        ...

    def size(self) -> int:
        """Return how many entries the newest checkpoint has."""
        ...

    def tile(self, level: int, index: int) -> bytes:
        """Return a tile as long as it is; empty where there is none."""
        ...

    def put_tiles(self, tiles: Mapping[tuple[int, int], bytes]) -> None:
        """Write tiles."""
        ...

    def checkpoint(self, *, at_least: int = 0) -> str | None:
        """Return the newest checkpoint, None where none is as large."""
        ...

    def checkpoints(self) -> Iterator[tuple[int, str]]:
        """Yield all checkpoints by size."""
        ...

    def put_checkpoint(self, size: int, note: str) -> None:
        """Write a checkpoint."""
        ...

    def fact(self, name: str, value: str | None = None) -> str | None:
        """Return a fact of the log, first set to `value` where it has none."""
        ...

    def change_fact(self, name: str, value: str) -> None:
        """Set a fact to another value."""
        ...

    def public_keys(self) -> list[str]:
        """Return all public keys that ever signed, oldest first."""
        ...

    def add_key(self, key: str) -> None:
        """Keep a public key."""
        ...

    def row(self, id_: bytes) -> Row | None:
        """Return the row of a record."""
        ...

    def rows(self, first: int = 0, count: int | None = None) -> Iterator[Row]:
        """Yield the numbered rows from a number on (at most `count`), as they are at one time."""
        ...

    def contents(self) -> Iterator[RowTuple]:
        """Yield what `verification.verify` takes of every numbered row, as they are at one time."""
        ...

    def rows_of(
        self, subject: bytes, first: bytes = b"", after: bytes = b"\xff", count: int | None = None
    ) -> list[Row]:
        """Return the rows of a subject whose labels are from `first` on and before `after`.

        First come the numbered rows, by label from the last one on, and of each label the newest first: at most
        `count`. All rows without a number follow, the newest first.
        """
        ...

    def unnumbered(self) -> list[Row]:
        """Return the rows that wait for a number, and those put aside (with a negative one)."""
        ...

    def old(self, window: Window, after: tuple[bytes, int], count: int) -> list[Old]:
        """Return so many rows of a window, in the order of `about` and number, after a place in it."""
        ...

    def remove(self, numbers: Sequence[int], note: str) -> None:
        """Remove numbered rows and keep the signed note that says so, in one transaction; their hashes stay."""
        ...

    def pruned(self) -> list[str]:
        """Return the notes of what was removed, oldest first."""
        ...

    def without_rows(self, subjects: Sequence[bytes]) -> list[bytes]:
        """Return those of the subjects that no row names."""
        ...

    def text(self, digest: str) -> bytes | None:
        """Return a text that was shown."""
        ...

    def take_jobs(self, now: int, until: int, count: int) -> list[Job]:
        """Take jobs that are due; nobody else gets them before `until` (both in milliseconds)."""
        ...

    def end_job(self, place: int) -> None:
        """Remove a job."""
        ...

    def put_off_job(self, place: int, due: int, tries: int) -> None:
        """Have a job taken again later."""
        ...

    def close(self) -> None:
        """Let go of it."""
        ...


@runtime_checkable
class BothStores(Protocol):
    """Be where rows and keys lie in one database."""

    def insert_new(
        self, subjects: Mapping[bytes, SubjectKey], rows: Sequence[tuple[Sealed, bytes]]
    ) -> set[bytes]:
        """Write keys of new subjects by their handles, and rows sealed with them, in one commit. Durable on return.

        Return the subjects that were new. Of the others neither key nor row is written: they have a key already.
        """
        ...


@dataclass(frozen=True, slots=True)
class Stores:
    """Hold both."""

    log: LogStore
    subjects: SubjectStore
    both: BothStores | None = None
    """None where the keys lie elsewhere."""

    def close(self) -> None:
        """Let go of both."""
        self.log.close()
        self.subjects.close()
