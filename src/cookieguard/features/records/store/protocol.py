"""What a worker's log is kept in: the rows, and apart from them the keys that open them."""

from __future__ import annotations

from dataclasses import dataclass

from cookieguard.features.records.store.log_store import LogStore
from cookieguard.features.records.store.rows import LogNotMade
from cookieguard.features.records.store.subjects import SubjectStore
from cookieguard.features.records.values.log import LogDown

__all__ = ["LogDown", "LogNotMade", "LogStore", "Stores", "SubjectStore"]


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
