"""Checks that the log's store still has, unchanged, each banner and policy text that records name."""

from __future__ import annotations

import re
from collections.abc import Iterator
from hashlib import sha256
from itertools import islice

from cookieguard.features.records.store.protocol import LogStore, Stores
from cookieguard.features.records.values.records import read_document
from cookieguard.features.records.values.sealing import SealBroken, unseal
from cookieguard.features.records.values.shown import digests_in
from cookieguard.features.records.values.verification import Report, Verdict

AT_ONCE = 500  # rows whose keys are read in one query
DIGEST = re.compile(rb'"([0-9a-f]{64})"')


def changed_texts(log: LogStore) -> list[str]:
    """Return the digests of stored texts whose content no longer has that SHA-256."""
    return [digest for digest, content in log.texts() if sha256(content).hexdigest() != digest]


def verify_stored_texts(log: LogStore, report: Report) -> None:
    """Report each text that was changed in the store. No key is needed for it."""
    for digest in changed_texts(log):
        report.add(Verdict.BROKEN, None, f"the stored text {digest} was changed")


def verify_named_texts(stores: Stores, report: Report) -> None:
    """Report each text that a record names and the store does not have.

    An erased person's records cannot be read, so their texts are not checked.
    """
    with stores.log.snapshot():
        known = {digest.encode() for digest, _ in stores.log.texts()}
        checked: set[bytes] = set()
        for number, record in _opened(stores, report):
            if checked.issuperset(DIGEST.findall(record)):  # nearly all records name the same few texts
                continue
            for digest in digests_in(read_document(record), stores.log.text):
                if digest.encode() not in known | checked:
                    what = f"row {number} names the text {digest}, which is missing in the store"
                    report.add(Verdict.BROKEN, number, what)
                checked.add(digest.encode())


def _opened(stores: Stores, report: Report) -> Iterator[tuple[int, bytes]]:
    """Yield number and record of each row that has a key and no reported fault; report rows that do not open."""
    faulty, rows = {fault.number for fault in report.faults}, stores.log.rows()
    while some := list(islice(rows, AT_ONCE)):
        keys = stores.subjects.keys_for({row.subject for row in some})
        for row in some:
            if row.number is None or row.number in faulty or row.subject not in keys:
                continue
            try:
                yield row.number, unseal(row.contents, keys[row.subject])[1]
            except SealBroken as error:
                report.add(Verdict.BROKEN, row.number, f"row {row.number} does not open: {error}")
