"""What is read from the log: a record, all of a subject, the visitor's copy, and whether all is as it was signed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import NamedTuple

from cookieguard.engines.proof.protocol import LogStore, Row, Stores
from cookieguard.engines.proof.writer import HANDLE_SECRET, handle_of
from cookieguard.proof.notes import NoteKey, read_checkpoint
from cookieguard.proof.receipts import write_receipt
from cookieguard.proof.sealing import digest_of_id, read_about, unseal
from cookieguard.proof.tiles import inclusion_proof
from cookieguard.proof.verification import Report, Verdict, verify, verify_tiles


class OpenedRecord(NamedTuple):
    """Hold a record as it was written; `record` is empty where its subject was erased."""

    row: Row
    kind: str
    milliseconds: int
    salt: bytes = b""
    record: bytes = b""


def read_record(stores: Stores, record_id: str) -> OpenedRecord | None:
    """Return a record by its id; raises SealBroken where it is not what the log committed to."""
    row = stores.log.row(digest_of_id(record_id))
    return None if row is None else opened(stores, row)


def read_subject(stores: Stores, subject: str) -> list[OpenedRecord]:
    """Return all records of a subject, in the order they were written; none once it was erased."""
    key = stores.subjects.find(handle_of(subject, stores.subjects.secret(HANDLE_SECRET)))
    return [] if key is None else [opened(stores, row) for row in stores.log.rows_of(key.subject)]


def opened(stores: Stores, row: Row) -> OpenedRecord:
    """Open a row with the key of its subject."""
    kind, milliseconds = read_about(row.about)
    key = stores.subjects.key_for(row.subject) if row.sealed else None
    if key is None:
        return OpenedRecord(row, kind, milliseconds)
    return OpenedRecord(row, kind, milliseconds, *unseal(row.contents, key))


def make_receipt(stores: Stores, record_id: str) -> bytes | None:
    """Return the visitor's copy of a record; None where there is none, or it is not under a checkpoint yet."""
    found = read_record(stores, record_id)
    if found is None or not found.record or found.row.number is None:
        return None
    note = stores.log.checkpoint(at_least=found.row.number + 1)
    if note is None:
        return None
    return write_receipt(
        found.record,
        salt=found.salt,
        entry=found.row.entry,
        index=found.row.number,
        # Its steps ask for one tile of a level many times.
        proof=inclusion_proof(cache(stores.log.tile), found.row.number, read_checkpoint(note).size),
        checkpoint=note,
        keys=public_keys(stores.log),
    )


def public_keys(log: LogStore) -> list[NoteKey]:
    """Return every key that ever signed."""
    return [NoteKey.parse(one) for one in log.public_keys()]


def verify_log(
    log: LogStore,
    *,
    keys: Sequence[NoteKey],
    anchors: Sequence[tuple[str, str]] = (),
    progress: Callable[[int], None] = lambda _: None,
) -> Report:
    """Verify everything the store holds."""
    with log.snapshot():
        former = public_keys(log)
        report = verify(
            log.contents(),
            log.tile,
            log.checkpoints(),
            keys=keys,
            former=former,
            anchors=anchors,
            pruned=log.pruned(),
            progress=progress,
        )
        verify_tiles(log.tile, report.size, report)
        for row in log.unnumbered():
            if row.number is not None:
                report.add(Verdict.BROKEN, row.number, "a row that no worker wrote waits for a number")
    return report
