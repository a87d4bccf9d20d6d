"""The consent log's speed in one run: durable records beside the bare engine, verifying, proofs, CPU a record.

python benchmarks/proof.py [SECONDS]
"""

from __future__ import annotations

import os
import sqlite3
import sys
import tempfile
import time
from concurrent.futures import Future
from datetime import UTC, datetime
from functools import partial
from hashlib import sha256
from pathlib import Path

from cookieguard.engines.proof.open import Place, open_stores, signer_of, trusted_keys
from cookieguard.engines.proof.reading import verify_log
from cookieguard.engines.proof.writer import LogWriter
from cookieguard.keyring import Keyring
from cookieguard.proof.consents import Asker, Event, Notice, consent_facts
from cookieguard.proof.records import Record, browser, to_bytes
from cookieguard.proof.tiles import WIDTH, inclusion_proof, tree_root

NOW = datetime(2026, 11, 28, 12, 0, tzinfo=UTC)
NAME = "shop.example/_cg/log"
AT_ONCE = 50
BIG = 10_000_000
ASKER = Asker(
    controller="shop.example",
    jurisdiction="DE",
    withdrawal="/_cg/choices",
    recipients={"marketing": ("Ads", "Pixels"), "statistics": ("Count",)},
)
GRANTED, REFUSED = frozenset({"necessary", "statistics"}), frozenset({"marketing", "preferences"})


def record_of(number: int) -> Record:
    facts = consent_facts(
        ASKER,
        Event.PARTIAL,
        Notice(digest="0" * 64, language="en", policy="1"),
        granted=GRANTED,
        refused=REFUSED,
        method="banner",
        gpc=False,
        time=NOW,
    )
    subject = browser(f"b{number % 100}")
    return Record(kind="consent", topic="partial", subject=subject, time=NOW, facts=facts, is_ours=True)


def single_commits(path: Path, seconds: float) -> float:
    """Return how many such rows a second SQLite takes, each committed by itself."""
    connection = sqlite3.connect(path, isolation_level=None)
    for statement in ("PRAGMA journal_mode = WAL", "PRAGMA synchronous = FULL"):
        connection.execute(statement)
    connection.execute("CREATE TABLE record (place INTEGER PRIMARY KEY, id BLOB UNIQUE, sealed BLOB)")
    count, ends, started = 0, time.perf_counter() + seconds, time.perf_counter()
    while time.perf_counter() < ends:
        connection.execute(
            "INSERT INTO record (id, sealed) VALUES (?, ?)", (os.urandom(16), os.urandom(1000))
        )
        count += 1
    rate = count / (time.perf_counter() - started)
    connection.close()
    return rate


def grouped(place: Place, keyring: Keyring, seconds: float) -> tuple[float, float, int]:
    """Return records a second with 50 waiting at once, the CPU each takes, and how many there were."""
    writer = LogWriter(partial(open_stores, place), partial(signer_of, keyring), NAME)
    writer.append(record_of(0)).result(30)
    count, started, cpu = 0, time.perf_counter(), time.process_time()
    while time.perf_counter() - started < seconds:
        waiting: list[Future[None]] = [writer.append(record_of(count + at)) for at in range(AT_ONCE)]
        for future in waiting:
            future.result(30)
        count += AT_ONCE
    rate, each = count / (time.perf_counter() - started), (time.process_time() - cpu) / count
    writer.close()
    return rate, each, count + 1


def verifying(place: Place, keyring: Keyring) -> float:
    stores = open_stores(place, make=False)
    cpu = time.process_time()
    report = verify_log(stores.log, keys=trusted_keys(keyring, NAME))
    rate = report.size / (time.process_time() - cpu)
    assert not report.faults, report.faults[:3]
    stores.close()
    return rate


def proving() -> tuple[float, float]:
    """Return the seconds of CPU of a proof, and of the root, in a tree of ten million (of made-up hashes)."""
    tile = b"".join(sha256(bytes([one])).digest() for one in range(WIDTH))
    cpu = time.process_time()
    for index in range(50):
        inclusion_proof(lambda *_: tile, index * 199_999, BIG)
    proof = (time.process_time() - cpu) / 50
    cpu = time.process_time()
    for _ in range(50):
        tree_root(lambda *_: tile, BIG)
    return proof, (time.process_time() - cpu) / 50


def writing() -> float:
    """Return the seconds of CPU that making a record's bytes takes."""
    cpu = time.process_time()
    for number in range(5000):
        to_bytes(record_of(number))
    return (time.process_time() - cpu) / 5000


def main() -> None:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 5.0
    keyring = Keyring.generate(NOW)
    with tempfile.TemporaryDirectory(dir=".") as directory:
        base = Path(directory)
        place = Place(str(base / "log.db"), str(base / "subjects.db"), (base / "erasures",))
        bare = single_commits(base / "bare.db", seconds)
        rate, cpu, count = grouped(place, keyring, seconds)
        print(f"SQLite FULL, single commits: {bare:,.0f} rows/s")
        each = f"{cpu * 1e6:.0f} us of CPU each"
        print(f"the log, {AT_ONCE} choices at once: {rate:,.0f} records/s, {rate / bare:.1f} x; {each}")
        print(f"verify: {verifying(place, keyring):,.0f} records/s of CPU, of {count:,}")
    proof, root = proving()
    print(f"a proof from {BIG:,}: {proof * 1e3:.2f} ms of CPU; a checkpoint of them: {root * 1e3:.2f} ms")
    print(f"a record's bytes: {writing() * 1e6:.0f} us of CPU")


if __name__ == "__main__":
    main()
