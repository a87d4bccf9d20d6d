"""Erasing a person from the log: the key of their records is destroyed, and a journal has that erasure, so that it is
repeated after an older copy was brought back.

The journal is a file of its own, so that restoring the stores does not take it back. It may be kept in a second place,
so that restoring the whole directory does not either. A line names a random number and a time, no person.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from cookieguard.features.records.store.protocol import LogDown, Stores, SubjectStore
from cookieguard.features.records.values.records import to_text
from cookieguard.features.records.writer import key_of
from cookieguard.storage.state_directory import append_lines, sync_directory

JOURNAL = "erasures"
# Subjects of one question: each worker asks of all that were ever erased before its first record.
AT_ONCE = 1000
LINE = re.compile(rb"([0-9a-f]{32}) [0-9TZ:.-]+\n")


def write_erasures(places: Sequence[Path], subjects: Sequence[bytes], now: datetime) -> None:
    """Write subjects down in every place before their keys go; raises LogDown where one cannot be written."""
    text = b"".join(b"%s %s\n" % (one.hex().encode(), to_text(now).encode()) for one in subjects)
    for place in places:
        try:
            _append(place, text)
        except OSError as error:
            raise LogDown(f"the journal of erasures {place} cannot be written: {error.strerror}") from error


def read_erasures(places: Sequence[Path]) -> set[bytes]:
    """Return all subjects that any of the places names; a half line, left by a crash, names nobody."""
    found: set[bytes] = set()
    for place in places:
        with suppress(FileNotFoundError):
            found.update(bytes.fromhex(one.decode()) for one in LINE.findall(place.read_bytes()))
    return found


def due_erasures(store: SubjectStore, places: Sequence[Path]) -> list[bytes]:
    """Return the subjects that were erased and whose keys are there all the same: an older copy was brought back."""
    erased, due = sorted(read_erasures(places)), set[bytes]()
    for at in range(0, len(erased), AT_ONCE):
        due |= store.with_keys(erased[at : at + AT_ONCE])
    return sorted(due)


def apply_erasures(store: SubjectStore, places: Sequence[Path]) -> int:
    """Destroy again what was destroyed before; return how many keys an older copy had brought back."""
    due = due_erasures(store, places)
    return store.forget(due) if due else 0


def _append(place: Path, text: bytes) -> None:
    is_new = not place.exists()
    append_lines(place, text)
    if is_new:
        sync_directory(place.parent)


def erase_subject(stores: Stores, subject: str, *, journals: Sequence[Path], now: datetime) -> int:
    """Destroy the key of a subject; return how many records nobody can read any more.

    The journal is written first: whatever happens then, and whichever copy is brought back, it is done to the end.
    Raises LogDown; doing it again does no harm, and what could not be cleared away the first time.
    """
    key = key_of(stores, subject)
    if key is None:
        stores.subjects.forget(())
        return 0
    count = len(stores.log.rows_of(key.subject))
    write_erasures(journals, [key.subject], now)
    stores.subjects.forget([key.subject])
    return count
