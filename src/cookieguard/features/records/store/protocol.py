"""What a worker's log is kept in: the rows, and apart from them the keys that open them."""

from __future__ import annotations

from dataclasses import dataclass

from cookieguard.features.records.store.log_store import LogStore
from cookieguard.features.records.store.rows import Job, LogNotMade, Old, Row, UnsequencedRecord, Window
from cookieguard.features.records.store.subjects import SubjectKey, SubjectStore, new_key
from cookieguard.features.records.values.log import LogDown

__all__ = [
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


@dataclass(frozen=True, slots=True)
class Stores:
    """Hold both."""

    log: LogStore
    subjects: SubjectStore
    both: LogStore | None = None
    """The log's store where the same server has the keys; it writes a new key with its row (`insert_new`)."""

    def close(self) -> None:
        self.log.close()
        self.subjects.close()
