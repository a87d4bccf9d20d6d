"""The consent log's speed in one run: durable records beside the bare engine, verifying, proofs, CPU a record.

python benchmarks/proof.py [SECONDS [RECORDS]]: with RECORDS also PostgreSQL, so many by each of 32 writers
"""

from __future__ import annotations

import asyncio
import itertools
import os
import secrets
import sqlite3
import struct
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from hashlib import sha256
from pathlib import Path
from queue import SimpleQueue
from statistics import median
from threading import Thread
from typing import Any, Protocol

import psycopg

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from harness.asgi import Answer, drive, scope_of
from harness.postgres import Postgres, postgres

from cookieguard import Config, CookieGuard, visitor_of
from cookieguard.config.proof import ProofSettings
from cookieguard.features.records.erasure_journal import Erasures
from cookieguard.features.records.log_reader import verify_log
from cookieguard.features.records.pending_records import write
from cookieguard.features.records.store.open import Place, open_stores, signer_of, trusted_keys
from cookieguard.features.records.values.consents import Asker, Event, Indication, Notice, consent_record
from cookieguard.features.records.values.records import Record, browser, new_id, to_bytes
from cookieguard.features.records.values.sealing import mac_of, seal
from cookieguard.features.records.values.tiles import WIDTH, inclusion_proof, tree_root
from cookieguard.features.records.writer import NUMBERED_AT_ONCE as SEQUENCED
from cookieguard.features.records.writer import LogWriter, sequence
from cookieguard.keyring import Keyring
from cookieguard.storage.journal import Journal
from cookieguard.web.identity.store_wait import is_done

NOW = datetime(2026, 11, 28, 12, 0, tzinfo=UTC)
WRITERS, WORKERS = 32, 4
ROUNDS = 3
CHOICES = 600
CHOICE = [
    ("content-type", "application/json"),
    ("accept", "application/json"),
    ("sec-fetch-site", "same-origin"),
]
NAME = "shop.example/_cg/log"
AT_ONCE = 50
BIG = 10_000_000
VERIFIED = 100_000
ASKER = Asker(
    controller="shop.example",
    jurisdiction="DE",
    withdrawal="/_cg/choices",
    recipients={"marketing": ("Ads", "Pixels"), "statistics": ("Count",)},
)
INDICATION = Indication(
    event=Event.PARTIAL,
    notice=Notice(digest="0" * 64, language="en", policy="1"),
    granted=frozenset({"necessary", "statistics"}),
    refused=frozenset({"marketing", "preferences"}),
    method="banner",
)


def record_of(number: int, record_id: str = "") -> Record:
    subject = browser(f"b{number}")  # most who choose were never here before
    return consent_record(ASKER, INDICATION, time=NOW, subject=subject, id=record_id or new_id())


def bare_table(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None)
    for statement in ("PRAGMA journal_mode = WAL", "PRAGMA synchronous = FULL"):
        connection.execute(statement)
    connection.execute("CREATE TABLE record (place INTEGER PRIMARY KEY, id BLOB UNIQUE, sealed BLOB)")
    return connection


def insert_bare(connection: sqlite3.Connection) -> None:
    row = os.urandom(16), os.urandom(400)
    connection.execute("INSERT INTO record (id, sealed) VALUES (?, ?)", row)


def single_commits(path: Path, seconds: float) -> float:
    """Return how many such rows a second SQLite takes, each committed by itself."""
    connection = bare_table(path)
    count, ends, started = 0, time.perf_counter() + seconds, time.perf_counter()
    while time.perf_counter() < ends:
        insert_bare(connection)
        count += 1
    rate = count / (time.perf_counter() - started)
    connection.close()
    return rate


def place_in(folder: Path, keyring: Keyring) -> Place:
    """Return the place of a log in a folder."""
    erasures = Erasures(Journal(folder, "", days=30), ())
    return Place(str(folder / "log.db"), str(folder / "subjects.db"), erasures, lambda: keyring)


def grouped(place: Place, keyring: Keyring, seconds: float) -> tuple[float, float]:
    """Return records a second with 50 waiting at once, and the CPU each takes."""
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
    return rate, each


def filled(place: Place, keyring: Keyring) -> None:
    """Write a log of so many records, a thousand in each commit."""
    stores = open_stores(place)
    subject, key = stores.subjects.keys_of([os.urandom(16)]).popitem()[1]
    for _ in range(0, VERIFIED, SEQUENCED):
        written = [write(record_of(number)) for number in range(SEQUENCED)]
        rows = [seal(one.record, key=key, id=one.id, subject=subject, about=one.about) for one in written]
        stores.log.insert([(one, mac_of(one.entry, key)) for one in rows], ())
        sequence(stores.log, signer_of(keyring, NAME), key)
    stores.close()


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


class Commits(Protocol):
    """Be what a request without a log waits for."""

    async def one(self) -> None: ...
    def close(self) -> None: ...


class LogsCommits:
    """Have the log's own writer commit a record that the request knows nothing of, and wait for it."""

    def __init__(self, place: Place, keyring: Keyring, *, is_known: bool) -> None:
        self._writer = LogWriter(partial(open_stores, place), partial(signer_of, keyring), NAME)
        self._numbers = itertools.repeat(0) if is_known else itertools.count()

    async def one(self) -> None:
        record_id = new_id()
        record = partial(record_of, next(self._numbers), record_id)
        assert await is_done(self._writer.append_later(record_id, record))

    def close(self) -> None:
        self._writer.close()


class BareCommits:
    """Commit a row of a log's size in a thread, and have the event loop wait for it: what a commit costs by itself."""

    def __init__(self, path: Path) -> None:
        self._asked: SimpleQueue[Callable[[], object] | None] = SimpleQueue()
        self._path = path
        self._thread = Thread(target=self._run)
        self._thread.start()

    async def one(self) -> None:
        loop = asyncio.get_running_loop()
        future = loop.create_future()
        self._asked.put(partial(loop.call_soon_threadsafe, future.set_result, None))
        await future

    def close(self) -> None:
        self._asked.put(None)
        self._thread.join()

    def _run(self) -> None:
        connection = bare_table(self._path)
        while (tell := self._asked.get()) is not None:
            insert_bare(connection)
            tell()
        connection.close()


class Shop:
    """Be a shop whose requests are choices, or agreements; without a log each waits for another commit instead."""

    def __init__(self, directory: Path, commits: Commits | None, *, agrees: bool) -> None:
        logs = commits is None
        self._waits = not (logs or agrees)
        self._commits = commits
        self._path = "/" if agrees else "/_cg/consent"
        self.spent: list[float] = []
        """The seconds of CPU that each request took of its own thread."""
        self.all = 0.0
        """The seconds of CPU of all threads."""

        async def app(scope: Any, receive: Any, send: Any) -> None:
            if agrees and logs:
                visitor_of(scope).agree(
                    "newsletter", text="Yes, send it", given=True, who="anna@shop.example"
                )
            elif commits is not None:
                await commits.one()
            headers = [(b"content-type", b"application/json")]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await send({"type": "http.response.body", "body": b"{}"})

        config = Config(state_dir=str(directory), proof=ProofSettings(enabled=logs))
        self._guard = CookieGuard(app, config, clock=lambda: NOW)

    async def ask(self, count: int) -> None:
        before = time.process_time()
        for _ in range(count):
            answer = Answer(scope=scope_of(self._path, method="POST", headers=CHOICE))
            started = time.thread_time()
            if self._waits and self._commits is not None:
                await self._commits.one()
            await drive(self._guard, answer, b'{"choice": "reject"}')
            self.spent.append(time.thread_time() - started)
            assert answer.status == 200
        self.all += time.process_time() - before

    def close(self) -> None:
        self._guard.close()
        if self._commits is not None:
            self._commits.close()


def request_cost(base: Path, keyring: Keyring) -> None:
    """Print what the log costs a request: beside the same commit by the log's writer, and beside a bare one.

    All three take turns: on a busy machine any second is another one. Of the request's own thread the median, of all
    threads the mean. What it costs beside a bare commit alone is cold caches: it is as much with as much other work.
    """
    for name, agrees in (("a choice", False), ("visitor.agree", True)):
        at = base / f"agrees-{agrees}"
        for one in ("log", "writer", "bare"):
            (at / one).mkdir(mode=0o700, parents=True)
        place = place_in(at, keyring)
        commits = {
            "log": None,
            "writer": LogsCommits(place, keyring, is_known=agrees),
            "bare": BareCommits(at / "bare.db"),
        }
        shops = {one: Shop(at / one, commits[one], agrees=agrees) for one in commits}
        asyncio.run(take_turns(*shops.values()))
        own = {one: median(shop.spent) * 1e6 for one, shop in shops.items()}
        print(
            f"{name}: {own['log'] - own['writer']:.0f} us of CPU of its request beside the same commit, "
            f"{own['log'] - own['bare']:.0f} beside a bare one; "
            f"{(shops['log'].all - shops['bare'].all) / CHOICES * 1e6:.0f} with its commit"
        )
        for shop in shops.values():
            shop.close()


async def take_turns(*shops: Shop) -> None:
    for shop in shops:  # what is done once is done
        await shop.ask(20)
        shop.spent.clear()
        shop.all = 0.0
    for _ in range(CHOICES // 20):
        for shop in shops:
            await shop.ask(20)


def together(
    each: int, start: Callable[[int], Callable[[], None]], count: int = WRITERS
) -> tuple[float, float]:
    """Have so many processes write, as a shop's workers do; return records a second, and the CPU each took.

    `start` runs in a process and returns what writes one record; nobody begins before all have started.
    """
    ready, begin = os.pipe(), os.pipe()
    children = []
    for at in range(count):
        child = os.fork()
        if not child:
            _write(each, start(at), ready[1], begin[0])
        children.append(child)
    for _ in children:
        os.read(ready[0], 1)
    started = time.perf_counter()
    os.write(begin[1], b"." * count)
    spent = [struct.unpack("d", os.read(ready[0], 8))[0] for _ in children]
    rate = each * count / (time.perf_counter() - started)
    for child in children:
        assert os.waitpid(child, 0)[1] == 0
    return rate, sum(spent) / (each * count)


def _write(each: int, one: Callable[[], None], ready: int, begin: int) -> None:
    try:
        one()
        os.write(ready, b".")
        os.read(begin, 1)
        started = time.process_time()
        for _ in range(each):
            one()
        os.write(ready, struct.pack("d", time.process_time() - started))
        os._exit(0)
    finally:
        os._exit(1)


def bare_postgres(url: str, each: int) -> tuple[float, float]:
    """Insert the same rows, each in a transaction of its own."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("DROP TABLE IF EXISTS bare, bare_subject")
        connection.execute("CREATE TABLE bare_subject (handle bytea PRIMARY KEY, id bytea UNIQUE, key bytea)")
        connection.execute(
            "CREATE TABLE bare (place bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, id bytea UNIQUE, "
            "subject bytea, about bytea, entry bytea, sealed bytea, mac bytea)"
        )

    def start(_: int) -> Callable[[], None]:
        run = psycopg.connect(url, autocommit=True).execute

        def insert() -> None:
            subject = os.urandom(16)
            run("INSERT INTO bare_subject VALUES (%s, %s, %s)", (os.urandom(16), subject, os.urandom(32)))
            some = [os.urandom(size) for size in (23, 64, 240, 16)]
            run(
                "INSERT INTO bare (id, subject, about, entry, sealed, mac) VALUES (%s, %s, %s, %s, %s, %s)",
                (os.urandom(16), subject, *some),
            )

        return insert

    return together(each, start)


def log_in_postgres(place: Place, keyring: Keyring, each: int) -> tuple[float, float]:
    """Have as many workers append, each waiting for its record before the next."""

    def start(_: int) -> Callable[[], None]:
        writer = LogWriter(partial(open_stores, place), partial(signer_of, keyring), NAME)
        numbers = itertools.count(secrets.randbits(60))
        return lambda: writer.append(record_of(next(numbers))).result(60)

    return together(each, start)


def workers_in_postgres(place: Place, keyring: Keyring, each: int) -> tuple[float, float]:
    """Have the workers of a shop write as many choices at once, as their event loops do."""
    at_once = WRITERS // WORKERS

    def start(_: int) -> Callable[[], None]:
        writer = LogWriter(partial(open_stores, place), partial(signer_of, keyring), NAME)
        counts = iter((1, each))  # the first one makes the connections

        async def one_after_another(count: int) -> None:
            for _ in range(count):
                number, record_id = secrets.randbits(60), new_id()
                assert await is_done(writer.append_later(record_id, partial(record_of, number, record_id)))

        async def all_of_them(count: int) -> None:
            await asyncio.gather(*[one_after_another(count) for _ in range(at_once)])

        return lambda: asyncio.run(all_of_them(next(counts)))

    rate, cpu = together(1, start, count=WORKERS)
    return rate * each * at_once, cpu / (each * at_once)


def in_postgres(base: Path, keyring: Keyring, each: int) -> None:
    """Print the better of three rounds of each, which take turns; what CPU costs, the machine decides less of."""
    with postgres(fsync=True) as server:
        place = place_in(base, keyring)._replace(log=server.url, subjects=server.url)
        contestants: dict[str, Callable[[int], tuple[float, float]]] = {
            f"bare, {WRITERS} processes": partial(bare_postgres, server.url),
            f"the log, {WORKERS} workers": partial(workers_in_postgres, place, keyring),
            f"the log, {WRITERS} processes": partial(log_in_postgres, place, keyring),
        }
        rounds: list[list[tuple[float, float, float]]] = [[] for _ in contestants]
        for _ in range(ROUNDS):
            for found, write in zip(rounds, contestants.values(), strict=True):
                found.append(_with_server(server, each, write))
    best = [max(found) for found in rounds]
    for name, (rate, client, served) in zip(contestants, best, strict=True):
        cpu = f"{client * 1e6:.0f} us of CPU each, {served * 1e6:.0f} of the server's"
        print(f"PostgreSQL, {WRITERS} at once, {name}: {rate:,.0f}/s, {rate / best[0][0]:.2f} x; {cpu}")


def _with_server(
    server: Postgres, each: int, write: Callable[[int], tuple[float, float]]
) -> tuple[float, float, float]:
    """Write; return records a second, the CPU of each, and what the server spent on it."""
    before = _server_seconds(server)
    rate, client = write(each)
    return rate, client, (_server_seconds(server) - before) / (each * WRITERS)


def _server_seconds(server: Postgres) -> float:
    """Return the CPU that a server's processes took so far, those that ended included."""
    ticks = 0
    for pid in server.pids():
        with suppress(FileNotFoundError):  # its processes come and go
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            ticks += sum(map(int, fields[11:15]))
    return ticks / os.sysconf("SC_CLK_TCK")


def main() -> None:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 5.0
    keyring = Keyring.generate(NOW)
    with tempfile.TemporaryDirectory(dir=".") as directory:
        base = Path(directory)
        place = place_in(base, keyring)
        bare = single_commits(base / "bare.db", seconds)
        rate, cpu = grouped(place, keyring, seconds)
        print(f"SQLite FULL, single commits: {bare:,.0f} rows/s")
        each = f"{cpu * 1e6:.0f} us of CPU each"
        print(f"the log, {AT_ONCE} choices at once: {rate:,.0f} records/s, {rate / bare:.1f} x; {each}")
        if len(sys.argv) > 2:
            in_postgres(base, keyring, int(sys.argv[2]))
        request_cost(base, keyring)
        big = place._replace(log=str(base / "big.db"))
        filled(big, keyring)
        print(f"verify: {verifying(big, keyring):,.0f} records/s of CPU, of {VERIFIED:,}")
    proof, root = proving()
    print(f"a proof from {BIG:,}: {proof * 1e3:.2f} ms of CPU; a checkpoint of them: {root * 1e3:.2f} ms")
    print(f"a record's bytes: {writing() * 1e6:.0f} us of CPU")


if __name__ == "__main__":
    main()
