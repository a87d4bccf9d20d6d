"""What a worker's log is kept in: the rows, and apart from them the keys that open them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from cookieguard.features.records.store.log_store import LogStore
from cookieguard.features.records.store.rows import Job, LogNotMade, Old, Row, UnsequencedRecord, Window
from cookieguard.features.records.store.subjects import SubjectKey, SubjectStore, new_key
from cookieguard.features.records.values.log import LogDown
from cookieguard.features.records.values.sealing import Sealed

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
        self.log.close()
        self.subjects.close()
