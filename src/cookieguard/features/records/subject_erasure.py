"""Erasing a person from the log: the key of their records goes, from every file; the tree stays what was signed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from cookieguard.features.records.erasure_journal import write_erasures
from cookieguard.features.records.store.protocol import Stores
from cookieguard.features.records.writer import HANDLE_SECRET, handle_of


def erase_subject(stores: Stores, subject: str, *, journals: Sequence[Path], now: datetime) -> int:
    """Destroy the key of a subject; return how many records nobody can read any more.

    The journal is written first: whatever happens then, and whichever copy is brought back, it is done to the end.
    Raises LogDown; doing it again does no harm, and what could not be cleared away the first time.
    """
    key = stores.subjects.find(handle_of(subject, stores.subjects.secret(HANDLE_SECRET)))
    if key is None:
        stores.subjects.forget(())
        return 0
    count = len(stores.log.rows_of(key.subject))
    write_erasures(journals, [key.subject], now)
    stores.subjects.forget([key.subject])
    return count
