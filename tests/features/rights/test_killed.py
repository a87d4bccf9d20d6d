"""If workers are killed at any point, every erasure is completed, and no hook runs twice at the same time."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
from harness.postgres import Postgres, postgres
from harness.servers import START_SECONDS
from harness.stores import contents_of

from cookieguard import Config
from cookieguard.config import RightsSettings
from cookieguard.config.store import StoreSettings
from cookieguard.features.records.store.open import open_log
from cookieguard.features.records.values.records import Record, customer
from cookieguard.features.rights.requests import Requests, requests_opener
from cookieguard.features.rights.values.plan import steps_of
from cookieguard.features.rights.values.requests import Request, State, Via, answer_told
from cookieguard.features.rights.values.rules import Law, RequestKind
from cookieguard.features.work import open_worker
from cookieguard.identity.carts.stored_carts import StoreNamespace
from cookieguard.identity.oversized import pack
from cookieguard.rights.hooks import Exported, Retained
from cookieguard.storage.keyring_source import load_keyring
from cookieguard.storage.state_directory import StateDirectory
from cookieguard.storage.store.open import store_opener

FAR = 4_000_000_000_000
SEED = 22
RUNS = int(os.environ.get("ERASURES", "50"))
LONGEST_LIFE = 0.5  # seconds until a worker is killed: about as long as all steps take on a busy machine


@dataclass
class Hooks:
    """Delete a row, slowly; a file that is there already says that two run at once."""

    folder: Path

    def export(self, customer: str) -> list[Exported]:
        return []

    def erase(self, customer: str) -> list[Retained]:
        mark = self.folder / f"running-{customer}"
        with suppress(FileExistsError):
            os.close(os.open(mark, os.O_CREAT | os.O_EXCL))
            time.sleep(0.01)
            with sqlite3.connect(self.folder / "shop.db") as connection:
                connection.execute("PRAGMA secure_delete = ON")
                connection.execute("DELETE FROM customer WHERE number = ?", (customer,))
            mark.unlink()
            return []
        (self.folder / "twice").touch()
        raise RuntimeError("two at once")

    def deactivate(self, customer: str) -> None:
        return None


class Place:
    """A shop's directory with data of persons in every store and file."""

    def __init__(self, folder: Path, url: str = "", *, backup_days: int = 0) -> None:
        self.folder = folder
        self.url = url
        self.config = Config(
            state_dir=str(folder / "state"),
            rights=RightsSettings(backup_days=backup_days),
            store=StoreSettings(url=url) if url else StoreSettings(),
        )
        self.state = StateDirectory(self.config.state_dir)
        self.keyring = load_keyring(self.state, self.config.keys, environ={}, now=datetime.now(UTC))
        with sqlite3.connect(folder / "shop.db") as connection:
            connection.execute("CREATE TABLE customer (number TEXT PRIMARY KEY, name TEXT)")

    def queue(self) -> Requests:
        return requests_opener(self.config, self.keyring, self.state, environ={})()

    def add(self, number: str, name: str) -> None:
        """Add a customer to the shop, the store and the log."""
        with sqlite3.connect(self.folder / "shop.db") as connection:
            connection.execute("INSERT INTO customer VALUES (?, ?)", (number, name))
        store = store_opener(self.config, self.state.path, environ={})()
        store.write(StoreNamespace.CART, f"c:{number}", json.dumps({"for": name}).encode(), until=FAR)
        content = pack(b"", {"to": name}, None, now=datetime.now(UTC))
        store.write(
            StoreNamespace.OVERSIZED, content.place.key, content.value, until=FAR, owner=f"c:{number}"
        )
        store.close()
        log = open_log(self.config, self.state, self.keyring, environ={})
        assert log is not None
        record = Record(
            kind="agreement", subject=customer(number), time=datetime.now(UTC), facts={"cg:who": name}
        )
        log.append(record).result(START_SECONDS)
        log.close()

    def ask(self, number: str, id_: str) -> None:
        steps = steps_of(RequestKind.ERASE, self.config)
        request = Request(
            id=id_,
            kind=RequestKind.ERASE,
            law=Law.GDPR,
            received=datetime.now(UTC),
            via=Via.LOGIN,
            customer=number,
            steps=steps,
        )
        with closing(self.queue()) as queue:
            queue.add(request, has_work=True)

    def work(self) -> None:
        async def do() -> None:
            async with open_worker(self.config, hooks=Hooks(self.folder), environ={}) as worker:
                await worker.work_all()

        asyncio.run(do())

    def start(self) -> int:
        """Start a worker in a process of its own."""
        pid = os.fork()
        if not pid:
            with suppress(BaseException):
                self.work()
            os._exit(0)
        return pid

    def forget_leases_of_the_dead(self) -> None:
        """Let their minute be over: nobody is alive who holds one."""
        for mark in self.folder.glob("running-*"):
            mark.unlink()
        if self.url:
            with psycopg.connect(self.url) as server:
                server.execute(
                    "UPDATE cookieguard_rights SET lease_until = '-infinity', work_at = now() WHERE is_open"
                )
            return
        with (
            closing(sqlite3.connect(self.state.path / "store-requests.db", timeout=20)) as connection,
            connection,
        ):
            connection.execute("UPDATE request SET lease_until = 0, work_at = 0 WHERE is_open")

    def files_with(self, text: str) -> list[str]:
        return sorted(
            one.name for one in self.folder.rglob("*") if one.is_file() and text.encode() in one.read_bytes()
        )


def kill(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    """Run one PostgreSQL for this module."""
    with postgres() as server:
        yield server


@pytest.mark.timeout(1800)
@pytest.mark.parametrize(
    ("runs", "engine"),
    [
        (8, "sqlite"),
        pytest.param(RUNS, "sqlite", marks=pytest.mark.slow),
        pytest.param(RUNS, "postgres", marks=pytest.mark.slow),
    ],
)
def test_erasure_is_done_to_its_end_wherever_workers_are_killed(
    tmp_path: Path, request: pytest.FixtureRequest, runs: int, engine: str
) -> None:
    url = request.getfixturevalue("server").url if engine == "postgres" else ""
    place, source = Place(tmp_path, url), random.Random(SEED)
    in_between = 0
    for run in range(runs):
        number, id_ = f"K-{run:04}-Q", f"{run:022}"
        with sqlite3.connect(tmp_path / "shop.db") as connection:
            connection.execute("INSERT INTO customer VALUES (?, ?)", (number, "x"))
        place.ask(number, id_)
        workers = [place.start(), place.start()]  # two machines
        time.sleep(source.uniform(0, LONGEST_LIFE))
        for pid in workers:
            kill(pid)
        with closing(place.queue()) as queue:
            left = queue.every_open(datetime.now(UTC))
        in_between += any(one.done_steps and one.may_change for one in left)
        place.forget_leases_of_the_dead()
    place.work()

    with closing(place.queue()) as queue:
        found = [queue.find(f"{run:022}") for run in range(runs)]
    assert [one.state for one in found if one is not None] == [State.DONE] * runs
    assert all(one.done_steps.count("shop") == 1 for one in found if one is not None)
    with sqlite3.connect(tmp_path / "shop.db") as connection:
        assert connection.execute("SELECT count(*) FROM customer").fetchone() == (0,)
    assert not (tmp_path / "twice").exists()
    assert in_between or runs < 100  # the control: some were killed between two steps


def test_after_an_erasure_files_hold_only_the_customers_who_were_not_erased(tmp_path: Path) -> None:
    place = Place(tmp_path)
    place.add("K-4711-Q", "Annegret Quandt")
    place.add("K-0815-Z", "Zoltan Control")
    place.ask("K-4711-Q", "r" * 22)
    assert place.files_with("Annegret Quandt")
    place.work()
    with closing(place.queue()) as queue:
        queue.change("r" * 22, lambda one: answer_told(one, now=datetime.now(UTC), by="mira", text="letter"))
        queue.queue.wake("r" * 22)
    place.work()

    assert place.files_with("Annegret Quandt") == place.files_with("K-4711-Q") == []
    assert place.files_with("Zoltan Control")
    with closing(store_opener(place.config, place.state.path, environ={})()) as store:
        said = contents_of(store)
        assert not any(text in said for text in ("Annegret Quandt", "K-4711-Q"))
        assert "Zoltan Control" in said
        # The number stays in one row that ends their sessions, as long as a cookie of theirs could come back.
        assert [(one.what, one.key) for one in store.changes(0)] == [("customer", "K-4711-Q")]
        store.forget(FAR)
        assert list(store.changes(0)) == []


def test_brought_back_queue_of_yesterday_erases_once_more(tmp_path: Path) -> None:
    place = Place(tmp_path)
    place.add("K-4711-Q", "Annegret Quandt")
    place.ask("K-4711-Q", "r" * 22)
    today = place.state.path / "store-requests.db"
    with (
        closing(sqlite3.connect(tmp_path / "yesterday.db")) as copy,
        closing(sqlite3.connect(today)) as source,
    ):
        source.backup(copy)
    place.work()
    for ending in ("", "-wal", "-shm"):
        (place.state.path / f"store-requests.db{ending}").unlink(missing_ok=True)
    (tmp_path / "yesterday.db").rename(place.state.path / "store-requests.db")
    with sqlite3.connect(tmp_path / "shop.db") as connection:
        connection.execute("INSERT INTO customer VALUES ('K-4711-Q', 'Annegret Quandt')")

    place.work()

    assert place.files_with("Annegret Quandt") == []
