"""One worker of a crash test: it appends records as fast as it can, and prints the ids of those on disk.

Run as `python -m engines.proof.crash PLACE SUBJECTS JOURNAL KEYRING`; a line on standard output is an acknowledgement.
"""

from __future__ import annotations

import sys
from concurrent.futures import Future
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from cookieguard.features.records.erasure_journal import Erasures
from cookieguard.features.records.store.open import Place, open_stores, signer_of
from cookieguard.features.records.values.records import Record, browser, customer, new_id
from cookieguard.features.records.writer import LogWriter
from cookieguard.keyring import Keyring
from cookieguard.storage.journal import Journal

NAME = "shop.example/_cg/log"
AT_ONCE = 25
NOW = datetime(2026, 11, 28, 12, 0, tzinfo=UTC)


def main() -> None:
    """Append until somebody kills this."""
    log, subjects, journal, keyring = sys.argv[1:5]
    keys = Keyring.loads(Path(keyring).read_text())
    place = Place(log, subjects, Erasures(Journal(Path(journal), "", days=30), ()), lambda: keys)
    writer = LogWriter(partial(open_stores, place), partial(signer_of, keys), NAME)
    number = 0
    while True:
        sent: list[tuple[Record, Future[None]]] = []
        for _ in range(AT_ONCE):
            number += 1
            # Every other one is of somebody new, whose key is made with it.
            subject = customer(f"c{number % 40}") if number % 2 else browser(new_id())
            record = Record(kind="consent", subject=subject, time=NOW, facts={"n": number})
            sent.append((record, writer.append(record)))
        for record, future in sent:
            try:
                future.result(30)
            except Exception:  # noqa: BLE001 - a store that is down acknowledges nothing
                sys.stdout.write("failed\n")
                continue
            sys.stdout.write(f"{record.id}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
