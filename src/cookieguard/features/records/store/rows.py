"""The tuples that the log's store takes and returns: rows, jobs for the shop's hook, and queries of old rows."""

from __future__ import annotations

from typing import NamedTuple

from cookieguard.features.records.values.log import LogDown
from cookieguard.features.records.values.sealing import TIME_BYTES, Sealed


class LogNotMade(LogDown):
    """There is no log, since no worker of the shop has made its tables yet."""


class UnsequencedRecord(NamedTuple):
    """Hold the fields of a row without a number that are needed to number it."""

    place: int
    id: bytes
    entry: bytes
    mac: bytes


class HookJob(NamedTuple):
    """Hold a pending call of the shop's hook: the id of the record's row, and the number of failed calls."""

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
        """Return the row in the form that `sealing.unseal` takes."""
        return Sealed(self.id, self.subject, self.about, self.entry, self.sealed)

    @property
    def label(self) -> bytes:
        """Return `KIND:TOPIC`, or the kind alone if there is no topic."""
        return self.about[TIME_BYTES:]


class AgedRow(NamedTuple):
    """Hold the fields of a numbered row that decide whether it is still kept.

    `is_replaced` is true if a later record of the subject replaced it before the time of the query. An imported record
    replaces only imported ones.
    """

    number: int
    subject: bytes
    about: bytes
    is_replaced: bool


class Window(NamedTuple):
    """Select numbered rows of a kind that were made from `since` on and before `until`.

    Only later records from before `replaced_by` count as replacements; with `same_topic`, only those of the same topic.
    The times are 8 bytes, in the form of `sealing.time_of`.
    """

    kind: str
    since: bytes
    until: bytes
    replaced_by: bytes
    same_topic: bool
