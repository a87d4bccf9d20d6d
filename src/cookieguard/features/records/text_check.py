"""Whether the store still has each text that records name, unchanged."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from hashlib import sha256
from itertools import islice
from typing import Any

from cookieguard.features.records.store.protocol import LogStore, Stores
from cookieguard.features.records.values.records import read_document
from cookieguard.features.records.values.sealing import SealBroken, unseal
from cookieguard.features.records.values.shown import digests_in, parts_of, read_shown
from cookieguard.features.records.values.verification import Report, Verdict

AT_ONCE = 500  # rows whose keys are read together
DIGEST = re.compile(rb'"([0-9a-f]{64})"')


def changed_texts(log: LogStore) -> list[str]:
    """Return the digests of stored texts that have another SHA-256 now."""
    return [digest for digest, content in log.texts() if sha256(content).hexdigest() != digest]


def verify_texts(stores: Stores, report: Report) -> None:
    """Report each text that was changed in the store, and each that a record names and the store does not have.

    The records of a person who was erased cannot be read, so their texts are not looked for.
    """
    with stores.log.snapshot():
        for digest in changed_texts(stores.log):
            report.add(Verdict.BROKEN, None, f"the stored text {digest} was changed")
        kept = {digest for digest, _ in stores.log.texts()}
        for digest, number in _named_texts(stores, report).items():
            if digest not in kept:
                what = f"row {number} names the text {digest}, which is missing in the store"
                report.add(Verdict.BROKEN, number, what)


def _named_texts(stores: Stores, report: Report) -> dict[str, int]:
    """Return each text that a record names, itself or in what was shown, with the first row that does."""
    named: dict[str, int] = {}
    seen: set[bytes] = set()
    for number, record in _opened(stores, report):
        if seen.issuperset(DIGEST.findall(record)):  # as in nearly all
            continue
        document = read_document(record)
        for digest in (*digests_in(document), *_shown_parts(stores.log, document)):
            named.setdefault(digest, number)
            seen.add(digest.encode())
    return named


def _shown_parts(log: LogStore, record: Mapping[str, Any]) -> Iterator[str]:
    digest = record.get("dpv:hasNotice", {}).get("cg:digest", "")
    shown = read_shown(log.text(digest) or b"", digest) if digest else None
    if shown is not None:
        yield from parts_of(shown)


def _opened(stores: Stores, report: Report) -> Iterator[tuple[int, bytes]]:
    """Yield number and record of each row that has a key and no fault yet."""
    faulty, rows = {one.number for one in report.faults}, stores.log.rows()
    while some := list(islice(rows, AT_ONCE)):
        keys = stores.subjects.keys_for({row.subject for row in some})
        for row in some:
            if row.number is None or row.number in faulty or row.subject not in keys:
                continue
            try:
                yield row.number, unseal(row.contents, keys[row.subject])[1]
            except SealBroken as error:
                report.add(Verdict.BROKEN, row.number, f"row {row.number} does not open: {error}")
