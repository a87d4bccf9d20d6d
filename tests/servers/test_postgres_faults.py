"""Two real workers with store and statistics in PostgreSQL, while that fails in every possible way.

Nobody gets a 500, a cart is always readable, whoever said goodbye stays gone, and each hit is counted once.
"""

from __future__ import annotations

import json
import random
import subprocess
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPException
from itertools import count
from pathlib import Path

import psycopg
import pytest
from harness.disks import filled, small_disk
from harness.postgres import Postgres, postgres
from harness.quick import some_of
from harness.servers import Process, spawned, wait_until
from harness.stats_engines import new_database
from harness.stores import KEYRING

from cookieguard.storage.store.postgres import PostgresStore
from servers.clients import ask
from servers.shop import STATE

WORKERS = 2
OBEYED = 5.0  # seconds, as promised
SECONDS = 60  # until a worker that waits tries again, on a busy machine
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:153.0) Gecko/20100101 Firefox/153.0"
LEFT = 1.5  # a request and its answer take their time on a busy machine


@dataclass(frozen=True)
class Pace:
    """The seconds that a fault lasts, and those that customers pause between two requests."""

    fault: float
    pause: float


QUICK, LONG = Pace(8.0, 0.05), Pace(8.0, 0.02)


class World:
    """Run a server of PostgreSQL and a shop; know what its customers did, and what they were told."""

    def __init__(self, server: Postgres, shop: Process, url: str) -> None:
        self.server, self.shop, self.url = server, shop, url
        self.pace = LONG
        self.statuses: Counter[int] = Counter()
        self.wrong: list[str] = []
        self.seen: Counter[str] = Counter()
        self.pages: set[int] = set()
        self._numbers = count()
        self._gone: list[tuple[dict[str, str], float]] = []
        self.slowest = 0.0

    @contextmanager
    def busy(self, times: int = 1) -> Iterator[None]:
        """Let customers shop, log in and log out until the block ends."""
        stop = threading.Event()
        roles = [self._stay, self._stay, self._leave, self._return, self._look] * times
        with ThreadPoolExecutor(len(roles)) as pool:
            running = [pool.submit(self._repeat, role, stop, seed) for seed, role in enumerate(roles)]
            try:
                yield
            finally:
                stop.set()
            for one in running:
                one.result()

    def _repeat(self, role: Callable[[random.Random], None], stop: threading.Event, seed: int) -> None:
        chance = random.Random(seed)
        while not stop.is_set():
            with suppress(HTTPException, OSError):  # of a worker that is killed
                role(chance)
            time.sleep(self.pace.pause)

    def ask(self, path: str, cookies: dict[str, str] | None = None, **more: str) -> object:
        start = time.monotonic()
        reply = ask(self.shop.port, path, cookies=cookies, headers={"User-Agent": FIREFOX, **HTML}, **more)  # type: ignore[arg-type]
        self.slowest = max(self.slowest, time.monotonic() - start)
        self.statuses[reply.status] += 1
        if cookies is not None:
            for name, value in reply.cookies.items():
                cookies[name] = value
                if not value:
                    del cookies[name]
        return json.loads(reply.text) if reply.text.startswith("{") else reply.text

    def _stay(self, chance: random.Random) -> None:
        """Check a customer during the fault: logged in, or a guest for the time being, and with the cart."""
        name = f"stay{chance.random()}"
        cookies: dict[str, str] = {}
        self.ask(f"/keep?name={name}", cookies, method="POST")
        for _ in range(chance.randrange(1, 40)):
            self.look_after(name, cookies)

    def look_after(self, name: str, cookies: dict[str, str]) -> None:
        """See whether somebody who never left is who they are, with their cart."""
        facts = self.ask("/state", dict(cookies))
        assert isinstance(facts, dict)
        self.seen["known" if facts["customer"] else "uncertain"] += 1
        if facts["customer"] not in (f"C-{name}", None):
            self.wrong.append(f"taken for {facts['customer']}")
        if facts["lines"] != [[name, 2]]:
            self.wrong.append(f"cart {facts['lines']} {facts}")
        if not facts["customer"] and not facts["is_uncertain"]:
            self.wrong.append(f"thrown out: {facts}")

    def _leave(self, chance: random.Random) -> None:
        cookies: dict[str, str] = {}
        self.ask(f"/keep?name=leave{chance.random()}", cookies, method="POST")
        copy = dict(cookies)
        time.sleep(chance.random() / 2)
        everywhere = chance.choice(["", "?everywhere"])
        self.ask(f"/logout{everywhere}", cookies, method="POST")
        self.note_gone(copy)

    def note_gone(self, cookies: dict[str, str]) -> None:
        """Remember the cookies of somebody who said goodbye now: they must open nothing from soon on."""
        self._gone.append((cookies, time.monotonic()))

    def _return(self, chance: random.Random) -> None:
        """Come with a cookie of before goodbye."""
        if not self._gone:
            return
        cookies, left = chance.choice(self._gone[-400:])
        asked = time.monotonic()
        facts = self.ask("/state", dict(cookies))
        assert isinstance(facts, dict)
        self.seen["returned"] += 1
        if facts["customer"] and asked - left > OBEYED + LEFT:
            self.wrong.append(f"came back {asked - left:.1f} s after goodbye")

    def _look(self, _: random.Random) -> None:
        number = next(self._numbers)
        self.ask(f"/page?utm_content=n{number}")
        self.pages.add(number)

    def everybody_gone(self) -> None:
        """Let each logged-out customer return once, to any worker."""
        for cookies, _ in self._gone:
            facts = self.ask("/state", dict(cookies))
            assert isinstance(facts, dict)
            if facts["customer"]:
                self.wrong.append("came back in the end")

    def end(self) -> Counter[int]:
        """Look at everything once more when all is well again; return how often each page was counted."""
        time.sleep(OBEYED + LEFT)
        self.everybody_gone()
        wait_until(self._is_replayed, "what waited is written", seconds=SECONDS)
        time.sleep(3)
        found = self.counted()
        print(dict(self.statuses), dict(self.seen), f"slowest {self.slowest:.2f} s, {len(self.pages)} pages")
        assert self.wrong == []
        assert set(self.statuses) == {200}
        assert {number: times for number, times in found.items() if times > 1 and number >= 0} == {}
        return found

    def _is_replayed(self) -> bool:
        self.ask("/page?utm_content=n-1")
        assert self.shop.log_file is not None
        return not list((self.shop.log_file.parent / STATE / "spool").glob("*.spool"))

    def counted(self) -> Counter[int]:
        with psycopg.connect(self.url) as connection, suppress(psycopg.errors.UndefinedTable):
            rows = connection.execute(
                "SELECT content FROM cookieguard_hit WHERE content LIKE 'n%'"
            ).fetchall()
            return Counter(int(content[1:]) for (content,) in rows)
        return Counter()  # no hit was written yet

    def is_well(self) -> bool:
        """Return whether both workers know a customer again."""
        cookies: dict[str, str] = {}
        self.ask("/keep?name=well", cookies, method="POST")
        pids = set()
        for _ in range(40):
            reply = ask(self.shop.port, "/state", cookies=cookies)
            if json.loads(reply.text)["customer"] != "C-well":
                return False
            pids.add(reply.pid)
            if len(pids) == WORKERS:
                return True
        return False


HTML = {"Accept": "text/html", "Sec-Fetch-Dest": "document"}


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    """Run PostgreSQL."""
    with postgres() as server:
        yield server


@pytest.fixture
def world(server: Postgres, tmp_path: Path) -> Iterator[World]:
    """Run a shop with a database of its own."""
    with shop_at(server, tmp_path) as world:
        yield world


@contextmanager
def shop_at(server: Postgres, tmp_path: Path) -> Iterator[World]:
    url = new_database(server)
    env = {"COOKIEGUARD_STORE": url, "COOKIEGUARD_STATS": url}
    arguments = ("--factory", "--workers", str(WORKERS), "--no-access-log")
    with spawned(
        "servers.shop:make_app", *arguments, env=env, cwd=tmp_path, log_file=tmp_path / "server.log"
    ) as shop:
        yield World(server, shop, url)


def sql(url: str, *statements: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement.encode())


@contextmanager
def killed(world: World) -> Iterator[None]:
    """Kill the server in the middle of whatever goes on, twice."""
    for _ in range(2):
        world.server.kill()
        time.sleep(world.pace.fault / 2)
        world.server.start()
        time.sleep(1)
    yield


@contextmanager
def restarted(world: World) -> Iterator[None]:
    for _ in range(3):
        world.server.stop()
        world.server.start()
        time.sleep(1)
    yield


@contextmanager
def terminated(world: World) -> Iterator[None]:
    """End every connection again and again."""
    end = time.monotonic() + world.pace.fault
    while time.monotonic() < end:
        sql(
            world.server.url,
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'cookieguard'",
        )
        time.sleep(0.05)
    yield


@contextmanager
def read_only(world: World) -> Iterator[None]:
    """Let nobody write, as on a replica after a fail-over."""
    sql(world.server.url, "ALTER SYSTEM SET default_transaction_read_only = on", "SELECT pg_reload_conf()")
    try:
        yield
    finally:
        sql(
            world.server.url,
            "SET default_transaction_read_only = off",
            "ALTER SYSTEM RESET default_transaction_read_only",
            "SELECT pg_reload_conf()",
        )


@contextmanager
def dropped(world: World) -> Iterator[None]:
    """Drop all tables, as somebody who is in the wrong database."""
    sql(world.url, "DROP SCHEMA public CASCADE", "CREATE SCHEMA public")
    yield
    PostgresStore(world.url, KEYRING).close()  # a worker that starts makes the tables again


@contextmanager
def hanging(world: World) -> Iterator[None]:
    """Stop the server's processes without ending a connection."""
    with world.server.hanging():
        yield


@contextmanager
def slow(world: World) -> Iterator[None]:
    """Lock the tables repeatedly, so that each statement exceeds its timeout."""
    end = time.monotonic() + world.pace.fault
    while time.monotonic() < end:
        with psycopg.connect(world.url) as other:
            other.execute(
                "LOCK TABLE cookieguard_change, cookieguard_kept, cookieguard_hit IN ACCESS EXCLUSIVE MODE"
            )
            time.sleep(6)
        time.sleep(0.5)
    yield


@contextmanager
def crowded(world: World) -> Iterator[None]:
    """Leave no connection for the workers."""
    taken = [psycopg.connect(world.server.url, autocommit=True)]
    ended = (
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = 'cookieguard'"
    )
    try:
        for _ in range(3):
            with suppress(psycopg.OperationalError):
                while len(taken) < 200:
                    taken.append(psycopg.connect(world.server.url))
            taken[0].execute(ended.encode())
        yield
    finally:
        for one in taken:
            one.close()


FAULTS: dict[str, Callable[[World], AbstractContextManager[None]]] = {
    one.__name__: one for one in (killed, restarted, terminated, read_only, dropped, hanging, slow, crowded)
}


@pytest.mark.parametrize("pace", some_of([QUICK, LONG], QUICK), ids=["quick", "long"])
@pytest.mark.parametrize("fault", some_of(FAULTS, "killed"))
def test_postgres_that_fails_makes_guests_and_no_500_and_no_hit_counts_twice(
    fault: str, pace: Pace, world: World
) -> None:
    world.pace = pace
    with world.busy():
        wait_until(lambda: world.seen["known"] > 20 and world.seen["returned"] > 20, "the shop is busy")
        wait_until(lambda: len(world.counted()) > 10, "hits are written")
        time.sleep(3)
        before = len(world.counted())
        world.slowest = 0.0
        with FAULTS[fault](world):
            time.sleep(pace.fault)
        wait_until(world.is_well, "both workers know customers again", seconds=SECONDS)
    found = world.end()
    print(fault, before, "hits before")
    assert world.seen["uncertain"] or fault in ("restarted", "terminated")
    if fault != "dropped":
        assert world.pages <= set(found)


@pytest.mark.slow
def test_a_disk_of_the_server_that_is_full_makes_no_500_and_no_hit_counts_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its own statements fail then, or all of it stops; its owner makes room and starts it."""
    with small_disk(tmp_path / "small", size="160m") as place:
        for directory in (place, tmp_path, *tmp_path.parents[:3]):
            # The last is the machine's own, where everybody may write.
            directory.chmod(directory.stat().st_mode | 0o055)
        monkeypatch.setattr(tempfile, "tempdir", str(place))
        with postgres() as server, shop_at(server, tmp_path) as world:
            with world.busy():
                wait_until(lambda: world.seen["known"] > 20 and world.seen["returned"] > 20, "it is busy")
                wait_until(lambda: len(world.counted()) > 10, "hits are written")
                with filled(place):
                    sql_until_full(world)
                    time.sleep(world.pace.fault)
                with suppress(subprocess.CalledProcessError):
                    server.start()  # it runs where only statements failed
                wait_until(world.is_well, "both workers know customers again", seconds=SECONDS)
            assert world.pages <= set(world.end())


def sql_until_full(world: World) -> None:
    """Have the server write until its disk is full."""
    with suppress(psycopg.Error):
        sql(
            world.url,
            "CREATE TABLE filler AS SELECT repeat('x', 1000) AS x FROM generate_series(1, 200000)",
        )
