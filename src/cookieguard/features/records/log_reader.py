"""Queries of the consent log: one record, all records of a subject, a visitor's receipt, and its verification."""

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

OPEN_SECONDS = 60.0  # then the stores are opened again, since a backup may have replaced a file
CLOSE_SECONDS = 5.0


class LogReader(Questions[Stores]):
    """Answer questions over its own connections. A future ends with LogDown if the stores do not answer."""

    def __init__(self, open_stores: Callable[[], Stores]) -> None:
        super().__init__(
            "proof-reads",
            open_stores,
            broken_by=(LogDown,),
            patience=CLOSE_SECONDS,
            keep_seconds=OPEN_SECONDS,
        )


class OpenedRecord(NamedTuple):
    """Hold a record as it was written. `record` is empty if its subject was erased."""

    row: Row
    kind: str
    milliseconds: int
    salt: bytes = b""
    record: bytes = b""


def read_record(stores: Stores, record_id: str) -> OpenedRecord | None:
    """Return a record by its id, None if there is none. Raises SealBroken if the row differs from its commitment."""
    row = stores.log.row(digest_of_id(record_id))
    return None if row is None else opened(stores, row)


def read_subject(stores: Stores, subject: str) -> list[OpenedRecord]:
    """Return all records of a subject in the order they were written, none if the subject was erased."""
    key = key_of(stores, subject)
    rows = [] if key is None else reversed(stores.log.rows_of(key.subject))
    return [opened(stores, row) for row in sorted(rows, key=lambda row: (row.number is None, row.number))]


def newest_rows(stores: Stores, subject: str, kind: str, count: int) -> list[Row]:
    """Return the newest `count` rows of each label (`KIND:TOPIC`) of a kind, none if the subject was erased."""
    key = key_of(stores, subject)
    found: list[Row] = []
    first, after = f"{kind}:".encode(), f"{kind};".encode()  # ";" follows ":" in ASCII: after all topics
    while key is not None and (rows := stores.log.rows_of(key.subject, first, after, count)):
        after = max(row.label for row in rows)
        # Rows without a number are newer than all numbered ones.
        ours = sorted((row for row in rows if row.label == after), key=lambda row: row.number is not None)
        found += ours[:count]
    return found


def opened(stores: Stores, row: Row) -> OpenedRecord:
    """Return the record of a row, opened with the key of its subject; raises SealBroken."""
    kind, milliseconds = read_about(row.about)
    key = stores.subjects.key_for(row.subject) if row.sealed else None
    if key is None:
        return OpenedRecord(row, kind, milliseconds)
    return OpenedRecord(row, kind, milliseconds, *unseal(row.contents, key))


def make_receipt(stores: Stores, record_id: str) -> bytes | None:
    """Return the visitor's receipt, None if no checkpoint covers the record yet, or if it is missing or erased."""
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
        # A proof reads the same tile many times.
        proof=inclusion_proof(cache(stores.log.tile), found.row.number, read_checkpoint(note).size),
        checkpoint=note,
        keys=public_keys(stores.log),
    )


def public_keys(log: LogStore) -> list[NoteKey]:
    """Return every public key that ever signed the log."""
    return [NoteKey.parse(key) for key in log.public_keys()]


def verify_log(
    log: LogStore,
    *,
    keys: Sequence[NoteKey],
    anchors: Sequence[tuple[str, str]] = (),
    progress: Callable[[int], None] = lambda _: None,
) -> Report:
    """Return the report of all rows, tiles, checkpoints and notes that the store holds, as of one moment."""
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
