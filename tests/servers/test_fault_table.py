"""Two workers and 50 clients, while the store (SQLite or PostgreSQL), keys, disk, clock or a worker fails.

No 5xx, nobody who logged out comes back, nobody is taken for another, and every cart that was acknowledged is there.
"""

from __future__ import annotations

import os
import signal
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from harness.disks import filled, small_disk
from harness.postgres import postgres
from harness.quick import FOR_RELEASE
from harness.servers import spawned, wait_until

from cookieguard.storage.keyring_source import beside
from servers.shop import CLOCK, STATE
from servers.test_postgres_faults import (
    LEFT,
    OBEYED,
    SECONDS,
    WORKERS,
    World,
    dropped,
    hanging,
    killed,
    shop_at,
)

pytestmark = [*FOR_RELEASE, pytest.mark.timeout(300)]
TIMES = 10  # five roles each
FAULT_SECONDS = 6.0


@contextmanager
def nothing(_: World, __: Path) -> Iterator[None]:
    yield


@contextmanager
def locked(_: World, folder: Path) -> Iterator[None]:
    """Hold the store as a writer does that never ends."""
    with closing(sqlite3.connect(folder / STATE / "store.db", isolation_level=None, timeout=30)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


@contextmanager
def worker_killed(world: World, _: Path) -> Iterator[None]:
    """Kill one worker; its supervisor starts another."""
    os.kill(world.shop.workers[0], signal.SIGKILL)
    yield


@contextmanager
def garbage(_: World, folder: Path) -> Iterator[None]:
    """Overwrite the keyring, and bring it back."""
    keyring = beside(folder / STATE)
    good = keyring.read_bytes()
    keyring.write_bytes(b"\xff garbage" * 99)
    yield
    keyring.write_bytes(good)


@contextmanager
def moved(_: World, folder: Path) -> Iterator[None]:
    """Move the store away, and bring it back."""
    store, aside = folder / STATE / "store.db", folder / STATE / "aside.db"
    store.rename(aside)
    yield
    aside.rename(store)


@contextmanager
def full(_: World, folder: Path) -> Iterator[None]:
    """Fill the disk until the block ends."""
    with filled(folder / STATE):
        yield


def stepped(seconds: int) -> Callable[[World, Path], Any]:
    @contextmanager
    def step(_: World, folder: Path) -> Iterator[None]:
        set_clock(folder, seconds)
        yield
        set_clock(folder, 0)

    return step


def set_clock(folder: Path, seconds: int) -> None:
    """Set the clock of both workers at once."""
    made = folder / "clock.new"
    made.write_text(f"{seconds:+d}")
    made.rename(folder / CLOCK)


FAULTS: dict[str, Callable[[World, Path], Any]] = {
    "nothing": nothing,
    "store locked": locked,
    "worker killed": worker_killed,
    "keyring garbage": garbage,
    "store moved": moved,
    "disk full": full,
    "clock an hour ahead and back": stepped(3600),
    "clock an hour back and ahead": stepped(-3600),
}


POSTGRES_FAULTS = {
    "PostgreSQL killed": killed,
    "PostgreSQL stopped": hanging,
    "tables dropped": dropped,
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_makes_no_500_no_stale_login_and_loses_no_cart(fault: str, tmp_path: Path) -> None:
    with ExitStack() as stack:
        if fault == "disk full":
            stack.enter_context(small_disk(tmp_path / STATE, size="30m"))
        world = stack.enter_context(shop_in(tmp_path))
        with busy(world), FAULTS[fault](world, tmp_path):
            time.sleep(FAULT_SECONDS)
        judge(world, fault)
    assert set(world.statuses) == {200}
    assert world.wrong == []


@pytest.mark.parametrize("fault", POSTGRES_FAULTS)
def test_a_fault_of_postgres_makes_no_500_no_stale_login_and_loses_no_cart(
    fault: str, tmp_path: Path
) -> None:
    with postgres() as server, shop_at(server, tmp_path) as world:
        with busy(world), POSTGRES_FAULTS[fault](world):
            time.sleep(FAULT_SECONDS)
        judge(world, fault)
    assert world.seen["uncertain"] > 0
    assert set(world.statuses) == {200}
    assert world.wrong == []


def test_the_table_sees_a_stale_login_a_lost_cart_and_a_500_that_are_planted(tmp_path: Path) -> None:
    """The control: each of its zeros can be another number."""
    with shop_in(tmp_path) as world:
        with busy(world):
            stale: dict[str, str] = {}
            world.ask("/keep?name=stale", stale, method="POST")
            world.note_gone(stale)  # who never said goodbye
            lost: dict[str, str] = {}
            world.ask("/keep?name=lost", lost, method="POST")
            world.look_after("lost", {name: value for name, value in lost.items() if "cart" not in name})
            world.ask("/boom")
        judge(world, "planted")
    assert {one.split()[0] for one in world.wrong} == {"came", "cart"}
    assert sum(one == "came back in the end" for one in world.wrong) == 1
    assert world.statuses[500] == 1


@contextmanager
def shop_in(folder: Path) -> Iterator[World]:
    """Run a shop whose store is a file."""
    set_clock(folder, 0)
    arguments = ("--factory", "--workers", str(WORKERS), "--no-access-log")
    with spawned("servers.shop:make_app", *arguments, cwd=folder, log_file=folder / "server.log") as shop:
        yield World(None, shop, "")  # type: ignore[arg-type]


@contextmanager
def busy(world: World) -> Iterator[None]:
    """Let 50 clients visit before, during and after the block."""
    with world.busy(TIMES):
        wait_until(lambda: world.seen["known"] > 50 and world.seen["returned"] > 20, "it is busy", seconds=60)
        yield
        time.sleep(FAULT_SECONDS)


def judge(world: World, fault: str) -> None:
    """Let all logged-out customers return after the fault, and print what they saw."""
    wait_until(world.is_well, "both workers know customers again", seconds=SECONDS)
    time.sleep(OBEYED + LEFT)
    with suppress(OSError):
        world.everybody_gone()
    print(fault, dict(world.statuses), dict(world.seen), f"slowest {world.slowest:.2f} s", world.wrong[:3])
