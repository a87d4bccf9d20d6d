"""Rows of the log as a store takes and gives them."""

from __future__ import annotations

from typing import NamedTuple

from cookieguard.features.records.values.log import LogDown
from cookieguard.features.records.values.sealing import TIME_BYTES, Sealed


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
