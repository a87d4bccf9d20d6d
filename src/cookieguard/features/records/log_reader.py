"""What is read from the log: a record, all of a subject, the visitor's copy, and whether all is as it was signed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import NamedTuple

from cookieguard.features.records.store.protocol import LogDown, LogStore, Stores
from cookieguard.features.records.store.rows import Row
from cookieguard.features.records.values.notes import NoteKey, read_checkpoint
from cookieguard.features.records.values.receipts import write_receipt
from cookieguard.features.records.values.records import read_document
from cookieguard.features.records.values.sealing import digest_of_id, read_about, unseal
from cookieguard.features.records.values.shown import read_shown
from cookieguard.features.records.values.tiles import inclusion_proof
from cookieguard.features.records.values.verification import Report, Verdict, verify, verify_tiles
from cookieguard.features.records.writer import key_of
from cookieguard.runtime.questions import Questions

OPEN_SECONDS = 60.0  # then the stores are opened again: a file may have been replaced by its backup
CLOSE_SECONDS = 5.0


class LogReader(Questions[Stores]):
    """Answer questions over connections of its own; a future ends with LogDown where the stores do not answer."""

    def __init__(self, open_stores: Callable[[], Stores]) -> None:
        super().__init__(
            "proof-reads",
            open_stores,
            broken_by=(LogDown,),
            patience=CLOSE_SECONDS,
            keep_seconds=OPEN_SECONDS,
        )


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
    key = key_of(stores, subject)
    rows = [] if key is None else reversed(stores.log.rows_of(key.subject))
    return [opened(stores, row) for row in sorted(rows, key=lambda row: (row.number is None, row.number))]


def newest_rows(stores: Stores, subject: str, kind: str, count: int) -> list[Row]:
    """Return the newest `count` rows of each label (`KIND:TOPIC`) of a kind; none once the subject was erased."""
    key = key_of(stores, subject)
    found: list[Row] = []
    first, after = f"{kind}:".encode(), f"{kind};".encode()  # the next character: behind all topics
    while key is not None and (rows := stores.log.rows_of(key.subject, first, after, count)):
        after = max(row.label for row in rows)
        # Without a number: newer than those that have one.
        ours = sorted((row for row in rows if row.label == after), key=lambda row: row.number is not None)
        found += ours[:count]
    return found


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
    notice = read_document(found.record).get("dpv:hasNotice", {})
    return write_receipt(
        found.record,
        shown=read_shown(notice, stores.log.text),
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
