"""Erasing a person from the log: the key of their records is destroyed, and the journal has that erasure, so that it is
repeated after a backup was restored. A line names a random number and a time, no person.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from cookieguard.config import Config
from cookieguard.features.records.store.protocol import LogDown, Stores, SubjectStore
from cookieguard.features.records.writer import key_of
from cookieguard.storage.journal import SUBJECT, Journal, journal_of

BEFORE = "erasures"  # the file of older releases, which stays
# Subjects of one question: each worker asks of all that were ever erased before its first record.
AT_ONCE = 1000
LINE = re.compile(rb"^([0-9a-f]{32}) [0-9TZ:.-]+\n", re.M)
TEXT = re.compile(r"[0-9a-f]{32}")


class Erasures:
    """Know the subjects that were erased: from the journal, and from the files of older releases."""

    def __init__(self, journal: Journal, before: Sequence[Path]) -> None:
        self.journal = journal
        self._before = before

    @classmethod
    def of(cls, config: Config, state: Path) -> Erasures:
        """Return those of a shop."""
        second = (Path(config.proof.erasures).absolute(),) if config.proof.erasures else ()
        return cls(journal_of(config, state), (state / BEFORE, *second))

    def write(self, subjects: Sequence[bytes], now: datetime) -> None:
        """Write subjects in both places before their keys are destroyed; raises LogDown if one place fails."""
        try:
            self.journal.write(SUBJECT, [one.hex() for one in subjects], now, in_both=True)
        except OSError as error:
            raise LogDown(f"the journal of erasures cannot be written: {error.strerror}") from error

    def read(self) -> set[bytes]:
        """Return all subjects that any of the places names; a half line, left by a crash, names nobody."""
        lines = self.journal.read(datetime.now(UTC))
        found = {one.text for one in lines if one.kind == SUBJECT and TEXT.fullmatch(one.text)}
        for path in self._before:
            with suppress(OSError):
                found |= {one.decode() for one in LINE.findall(path.read_bytes())}
        return {bytes.fromhex(one) for one in found}


def due_erasures(store: SubjectStore, erasures: Erasures) -> list[bytes]:
    """Return the subjects that were erased and whose keys are there all the same: an older copy was brought back."""
    erased, due = sorted(erasures.read()), set[bytes]()
    for at in range(0, len(erased), AT_ONCE):
        due |= store.with_keys(erased[at : at + AT_ONCE])
    return sorted(due)


def apply_erasures(store: SubjectStore, erasures: Erasures) -> int:
    """Destroy again what was destroyed before; return how many keys an older copy had brought back."""
    due = due_erasures(store, erasures)
    return store.forget(due) if due else 0


def erase_subject(stores: Stores, subject: str, *, erasures: Erasures, now: datetime) -> int:
    """Destroy the key of a subject; return how many records became unreadable.

    The journal is written first: whatever happens then, and whichever copy is brought back, it is done to the end.
    Raises LogDown; doing it again does no harm, and what could not be cleared away the first time.
    """
    key = key_of(stores, subject)
    if key is None:
        stores.subjects.forget(())
        return 0
    count = len(stores.log.rows_of(key.subject))
    erasures.write([key.subject], now)
    stores.subjects.forget([key.subject])
    return count
