"""Erasure of a person from the log: it destroys the key of their records, and notes that in a journal. After a backup
was restored, the erasure is repeated from the journal. A line holds a random number and a time, but no name.
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

BEFORE = "erasures"  # the file that older releases wrote; it is still read
# Subjects of one query. Before its first record, each worker checks all subjects that were ever erased.
AT_ONCE = 1000
LINE = re.compile(rb"^([0-9a-f]{32}) [0-9TZ:.-]+\n", re.M)
TEXT = re.compile(r"[0-9a-f]{32}")


class Erasures:
    """Read and write the list of erased subjects: the journal, and the files that older releases wrote."""

    def __init__(self, journal: Journal, before: Sequence[Path]) -> None:
        self.journal = journal
        self._before = before

    @classmethod
    def of(cls, config: Config, state: Path) -> Erasures:
        """Return the erasures of a shop."""
        second = (Path(config.proof.erasures).absolute(),) if config.proof.erasures else ()
        return cls(journal_of(config, state), (state / BEFORE, *second))

    def write(self, subjects: Sequence[bytes], now: datetime) -> None:
        """Write subjects to both copies of the journal before their keys are destroyed; raises LogDown if one fails."""
        try:
            self.journal.write(SUBJECT, [subject.hex() for subject in subjects], now, in_both=True)
        except OSError as error:
            raise LogDown(f"the journal of erasures cannot be written: {error.strerror}") from error

    def read(self) -> set[bytes]:
        """Return the erased subjects of all files. An incomplete line, which a crash can leave, is skipped."""
        lines = self.journal.read(datetime.now(UTC))
        found = {line.text for line in lines if line.kind == SUBJECT and TEXT.fullmatch(line.text)}
        for path in self._before:
            with suppress(OSError):
                found |= {subject.decode() for subject in LINE.findall(path.read_bytes())}
        return {bytes.fromhex(subject) for subject in found}


def due_erasures(store: SubjectStore, erasures: Erasures) -> list[bytes]:
    """Return the erased subjects whose keys exist again because an older copy of the store was restored."""
    erased, due = sorted(erasures.read()), set[bytes]()
    for at in range(0, len(erased), AT_ONCE):
        due |= store.with_keys(erased[at : at + AT_ONCE])
    return sorted(due)


def apply_erasures(store: SubjectStore, erasures: Erasures) -> int:
    """Destroy the keys of erased subjects that a restored copy brought back; return how many there were."""
    due = due_erasures(store, erasures)
    return store.forget(due) if due else 0


def erase_subject(stores: Stores, subject: str, *, erasures: Erasures, now: datetime) -> int:
    """Destroy the key of a subject; return how many records became unreadable.

    The journal is written first. So the erasure is completed even if the worker dies, or if an older copy is restored.
    Raises LogDown. A repeated call is harmless, and clears key bytes that the first call had to leave in the store.
    """
    key = key_of(stores, subject)
    if key is None:
        stores.subjects.forget(())
        return 0
    count = len(stores.log.rows_of(key.subject))
    erasures.write([key.subject], now)
    stores.subjects.forget([key.subject])
    return count
