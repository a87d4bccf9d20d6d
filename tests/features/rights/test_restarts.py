"""PostgreSQL restarts, killed workers and a restored backup: every request is completed, no hook runs twice at once."""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import httpx
import psycopg
import pytest
from browser.tiny import TinyShop, page
from features.rights.test_killed import Hooks, Place, kill
from harness.postgres import Postgres, postgres
from harness.servers import free_port, serving, wait_until
from harness.stores import contents_of

from cookieguard import CookieGuard
from cookieguard.config import LogSettings, StatsSettings
from cookieguard.features.records.log_reader import read_subject
from cookieguard.features.records.store.open import open_stores, place_of
from cookieguard.features.records.values.log import LogDown
from cookieguard.features.records.values.records import customer
from cookieguard.features.rights.queue import QueueDown
from cookieguard.features.rights.values.requests import State, answer_told
from cookieguard.features.work import open_worker
from cookieguard.rights.hooks import Retained
from cookieguard.storage.keyring_source import beside
from cookieguard.storage.store.open import store_opener

SEED = 23
RUNS = int(os.environ.get("RESTARTS", "15"))
TIMEOUT = 60  # seconds, on a machine with other work
LONGEST_LIFE = 0.6  # seconds until something happens to the workers: about as long as all steps take
NAME, CONTROL = "Annegret Quandt", "Zoltan Control"
# What PostgreSQL deleted lies in its pages and its write-ahead log until they are written anew.
SWEEP = (
    "VACUUM FULL",
    "ALTER SYSTEM SET wal_recycle = off",
    "ALTER SYSTEM SET min_wal_size = '32MB'",
    "SELECT pg_reload_conf()",
)
NEXT_FILE = ("SELECT pg_switch_wal()", "CHECKPOINT")
# A file of the log that was recycled before lies ahead with all it held, until its turn comes. The server's writer may
# read its settings late, and recycle one more.
ROUNDS = 3
AHEAD = "SELECT count(*) FROM pg_ls_waldir() WHERE name > pg_walfile_name(pg_current_wal_lsn())"


@pytest.fixture
def server() -> Iterator[Postgres]:
    """Run a PostgreSQL of this test alone: its files are searched."""
    with postgres() as server:
        yield server


class Machines:
    """A shop on two machines, each with a state directory of its own, and one database."""

    def __init__(self, folder: Path, server: Postgres) -> None:
        self.folder, self.server = folder, server
        self.places = [Place(folder, server.url, backup_days=30), self._second(folder, server.url)]
        self.log = folder / "workers.log"

    @staticmethod
    def _second(folder: Path, url: str) -> Place:
        (folder / "b").mkdir()
        state = folder / "b" / "state"
        state.mkdir(mode=0o700)
        shutil.copy2(beside(folder / "state"), state / "keyring")
        second = Place(folder / "b", url, backup_days=30)
        second.folder = folder  # the hooks of both speak to one shop
        return second

    def add(self, number: str, name: str) -> None:
        """Add a customer to the shop, the store and the log."""
        place = self.places[0]
        place.add(number, name)

    def visit(self, number: str) -> None:
        """Have them look around on each machine while its statistics are down: logs and spool have their visit."""
        for place in self.places:
            config = replace(
                place.config,
                dev=True,
                log=LogSettings(),
                stats=StatsSettings(url=f"postgresql://nobody@127.0.0.1:{free_port()}/none"),
            )
            shop = TinyShop({"/login": page(), "/seen": page()}, logins={"/login": number})
            with serving(CookieGuard(shop, config)) as server, httpx.Client(base_url=server.url) as client:
                client.get("/login").raise_for_status()
                client.get("/seen", params={"name": NAME, "number": number}).raise_for_status()

    def start(self) -> list[int]:
        return [forked(place.work, self.log) for place in self.places]

    def again(self) -> int:
        """Do what is to be done on each machine once a backup was brought back."""

        async def do(place: Place) -> int:
            async with open_worker(place.config, hooks=Hooks(self.folder), environ={}) as worker:
                return await worker.again()

        return sum(asyncio.run(do(place)) for place in self.places)

    def tool(self, name: str, *arguments: str, stdin: bytes = b"") -> bytes:
        command = [self.server.binaries / name, *arguments, "-d", self.server.url]
        return subprocess.run(command, input=stdin, capture_output=True, check=True).stdout

    def sweep(self) -> None:
        with psycopg.connect(self.server.url, autocommit=True) as connection:
            for statement in SWEEP:
                connection.execute(statement)  # type: ignore[arg-type]
            clean = 0
            while clean < ROUNDS:
                for statement in NEXT_FILE:
                    connection.execute(statement)  # type: ignore[arg-type]
                clean = clean + 1 if connection.execute(AHEAD).fetchone() == (0,) else 0

    def opened(self) -> list[str]:
        """Return what the keyring opens of the store."""
        place = self.places[0]
        with closing(store_opener(place.config, place.state.path, environ={})()) as store:
            return [contents_of(store)]

    def files_with(self, text: str) -> set[str]:
        """Return which files of both machines, of the server and of the shop hold a text."""
        found = set()
        for folder in (self.folder, self.server.directory):
            for one in folder.rglob("*"):
                with suppress(FileNotFoundError):
                    if one.is_file() and text.encode() in one.read_bytes():
                        found.add(str(one.relative_to(folder)))
        return found

    def records_of(self, number: str) -> int:
        place, end = self.places[1], time.monotonic() + TIMEOUT
        while True:
            try:
                with closing(open_stores(place_of(place.config, place.state.path, environ={}))) as stores:
                    return len(read_subject(stores, customer(number)))
            except LogDown:  # a server that writes its pages anew may be slow to answer
                if time.monotonic() > end:
                    raise
                time.sleep(0.1)

    def tell(self, ids: list[str]) -> None:
        with closing(self.places[0].queue()) as queue:
            for id_ in ids:
                queue.change(
                    id_, lambda one: answer_told(one, now=datetime.now(UTC), by="mira", text="letter")
                )
                queue.queue.wake(id_)


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("runs", [2, pytest.param(RUNS, marks=pytest.mark.slow)])
def test_every_erasure_completes_despite_killed_workers_restarts_of_postgres_and_restored_backups(
    tmp_path: Path, server: Postgres, runs: int
) -> None:
    machines, source = Machines(tmp_path, server), random.Random(SEED)
    people = {f"K-{run:04}-Q": f"{run:022}" for run in range(runs)}
    first = next(iter(people))
    machines.add("K-9999-Z", CONTROL)
    for number in people:
        machines.add(number, f"{NAME} {number}")
    machines.visit(first)
    backup = tmp_path.parent / f"{tmp_path.name}-backup"
    backup.mkdir()
    shutil.copy2(tmp_path / "shop.db", backup / "shop.db")
    dump = machines.tool("pg_dump", "--clean", "--if-exists")
    assert NAME in dump.decode(errors="replace") or machines.files_with(NAME)

    restarts = in_between = 0
    for number, id_ in people.items():
        machines.places[0].ask(number, id_)
        workers = machines.start()
        time.sleep(source.uniform(0, LONGEST_LIFE))
        if source.random() < 0.5:
            kill(workers.pop(source.randrange(2)))
        if is_restart := source.random() < 0.6:
            restart(server)
            restarts += 1
            time.sleep(source.uniform(0, LONGEST_LIFE))
        for pid in workers:
            kill(pid)
        with closing(machines.places[1].queue()) as queue:
            left = queue.every_open(datetime.now(UTC))
        in_between += is_restart and any(one.done_steps and one.may_change for one in left)
        machines.places[0].forget_leases_of_the_dead()
    machines.places[1].work()

    ids = list(people.values())
    with closing(machines.places[0].queue()) as queue:
        found = [queue.find(id_) for id_ in ids]
    assert [one.state for one in found if one is not None] == [State.DONE] * runs
    assert all(one.done_steps.count("shop") == 1 for one in found if one is not None)
    assert not (tmp_path / "twice").exists()
    machines.tell(ids)
    machines.places[1].work()
    require_nobody(machines, people)

    with psycopg.connect(server.url, autocommit=True) as connection:  # everything of today is lost
        connection.execute("DROP SCHEMA public CASCADE")
        connection.execute("CREATE SCHEMA public")
    machines.tool("psql", "-q", "-v", "ON_ERROR_STOP=1", stdin=dump)
    shutil.copy2(backup / "shop.db", tmp_path / "shop.db")
    assert "shop.db" in machines.files_with(f"{NAME} {first}")  # they are back
    assert machines.again() >= runs
    require_nobody(machines, people)
    print(
        f"{runs} erasures, {restarts} restarts of PostgreSQL, {in_between} found between two steps after one"
    )
    assert in_between or runs < 50  # the control: some were stopped between two steps


def require_nobody(machines: Machines, people: dict[str, str]) -> None:
    """Require that no file anywhere has a word of theirs, beside one whose name is everywhere still."""
    machines.visit("K-0000-X")  # each machine's workers read what the store has now
    machines.sweep()
    assert machines.files_with(NAME) == set()
    assert machines.files_with(CONTROL) == {"shop.db"}
    for said in machines.opened():  # what is sealed in database and files
        assert NAME not in said
        assert CONTROL in said
        assert not any(number in said for number in people)
    for number in people:
        assert machines.files_with(number) == set()
        assert machines.records_of(number) == 0
    assert machines.records_of("K-9999-Z") == 1
    assert {one.rpartition("/")[0] for one in machines.files_with("/seen")} >= {"state/logs", "b/state/logs"}


def forked(task: Callable[[], object], log: Path | None = None) -> int:
    """Do a task in a process of its own, whose words go into a log."""
    pid = os.fork()
    if not pid:
        with suppress(BaseException):
            if log is not None:
                with log.open("ab") as file:
                    os.dup2(file.fileno(), 1)
                    os.dup2(file.fileno(), 2)
            task()
        os._exit(0)
    return pid


class SlowHooks(Hooks):
    """Take as long as one and a half leases, and say when it began."""

    def __init__(self, folder: Path, lease: float) -> None:
        super().__init__(folder)
        self.lease = lease

    def erase(self, customer: str) -> list[Retained]:
        (self.folder / f"began-{os.getpid()}").touch()
        mark = self.folder / "running"
        try:
            os.close(os.open(mark, os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            (self.folder / "twice").touch()
            return []
        time.sleep(self.lease * 1.5)
        mark.unlink()
        return []


def restart(server: Postgres) -> None:
    server.stop()
    server.start()


def end_connections(server: Postgres) -> None:
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
        )


@pytest.mark.parametrize(
    ("lease", "interrupt"), [(2.0, end_connections), pytest.param(12.0, restart, marks=pytest.mark.slow)]
)
def test_lease_outlives_what_ends_its_connection_while_a_hook_runs(
    tmp_path: Path, server: Postgres, lease: float, interrupt: Callable[[Postgres], None]
) -> None:
    place = Place(tmp_path, server.url)
    place.ask("K-4711-Q", "r" * 22)

    async def work() -> int:
        hooks = SlowHooks(tmp_path, lease)
        async with open_worker(place.config, hooks=hooks, environ={}, lease_seconds=lease) as worker:
            return await worker.work_all()

    first = forked(lambda: asyncio.run(work()))
    wait_until(lambda: list(tmp_path.glob("began-*")) != [], "the hook runs")
    interrupt(server)
    while (tmp_path / "running").exists() and not (tmp_path / "twice").exists():
        with suppress(QueueDown):
            asyncio.run(work())  # another worker, again and again
        time.sleep(0.1)
    os.waitpid(first, 0)
    asyncio.run(work())

    assert not (tmp_path / "twice").exists()
    with closing(place.queue()) as queue:
        found = queue.find("r" * 22)
    assert found is not None
    assert found.state is State.DONE
