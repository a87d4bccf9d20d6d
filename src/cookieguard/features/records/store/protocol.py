"""The pair of stores that a consent log needs: one for its rows, and a separate one for the keys that open them."""

from __future__ import annotations

from dataclasses import dataclass

from cookieguard.features.records.store.log_store import LogStore
from cookieguard.features.records.store.rows import LogNotMade
from cookieguard.features.records.store.subjects import SubjectStore
from cookieguard.features.records.values.log import LogDown

__all__ = ["LogDown", "LogNotMade", "LogStore", "Stores", "SubjectStore"]


@dataclass(frozen=True, slots=True)
class Stores:
    """Hold the two open stores of a log."""

    log: LogStore
    subjects: SubjectStore
    both: LogStore | None = None
    """The log's store if one server has log and keys; `insert_new` then writes a new key together with its row."""

    def close(self) -> None:
        self.log.close()
        self.subjects.close()
