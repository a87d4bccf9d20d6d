"""A whole mailing, from the announcement to its day, with a relay that is down or slow, two machines, and SIGKILL."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from harness import senders
from harness.policies import FIRST, SECOND, two_versions
from harness.postgres import Postgres, postgres
from harness.relays import Relay, new_relay
from harness.stores import SqliteStore

from cookieguard.features.outbox.outbox import Outbox
from cookieguard.features.outbox.recipients import Recipients
from cookieguard.features.policy.announcement_run import fill_run, run_of
from cookieguard.features.policy.announcing import announce, complete
from cookieguard.features.policy.folder import read_versions
from cookieguard.features.policy.ledger import read_ledger
from cookieguard.features.policy.values.versions import Version, in_force
from cookieguard.features.records.acts import Acts
from cookieguard.keyring import Keyring
from cookieguard.mail.customers import Customer

AT = datetime(2026, 12, 1, 9, tzinfo=UTC)
CUSTOMERS = int(os.environ.get("NOTICES", "2000"))
KILLS = 5
TIMEOUT = 3600
NOBODY = Acts(None)


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    """Run one PostgreSQL for this module."""
    with postgres() as server:
        yield server


class World:
    """A shop whose senders run as processes."""

    def __init__(self, directory: Path, place: str) -> None:
        self.relay: Relay = new_relay()
        self.folder = two_versions(directory / "policy")
        self.config = senders.shop_of(self.folder, self.relay.url)
        self.versions = read_versions(self.config)
        self.keyring = directory / "keyring"
        self.keyring.write_text(Keyring.generate(AT).dumps())
        self.store = SqliteStore(directory / "store.db")
        self.place = place
        self.outbox: Outbox = Outbox(place)
        self.run = run_of(self.versions[1])
        self.processes: list[subprocess.Popen[bytes]] = []

    def announce(self, count: int) -> None:
        async def customers() -> AsyncIterator[Customer]:
            for at in range(count):
                yield Customer(str(at), f"c{at}@mail.example", random.Random(at).choice(["en", "de", ""]))

        announce(self.store, self.versions, self.versions[1], now=AT, notice_days=14, record=NOBODY)
        recipients = Recipients(Keyring.loads(self.keyring.read_text(), setting="keyring"))
        filled = fill_run(self.outbox, self.run, customers, recipients, now=AT, progress=lambda _: None)
        assert asyncio.run(filled) == count

    def begin_sender(self) -> subprocess.Popen[bytes]:
        options = [self.place, str(self.folder), self.relay.url, str(self.keyring), self.run, "4"]
        self.processes.append(subprocess.Popen([sys.executable, senders.__file__, *options]))
        return self.processes[-1]

    def on_day(self, day: int) -> Version | None:
        return in_force(self.versions, read_ledger(self.store), (AT + timedelta(days=day)).date())

    def complete(self) -> None:
        run = self.outbox.count(self.run)
        complete(self.store, self.versions[1], run, now=AT, notice_days=14, record=NOBODY)

    def until(self, is_so: Callable[[], bool]) -> None:
        end = time.monotonic() + TIMEOUT
        while not is_so():
            assert time.monotonic() < end
            time.sleep(0.02)

    def close(self) -> None:
        for one in self.processes:
            if one.poll() is None:
                one.kill()
            one.wait()
        self.outbox.close()
        self.store.close()


@pytest.fixture(params=["sqlite", "postgres"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    is_postgres = request.param == "postgres"
    place = request.getfixturevalue("server").url if is_postgres else str(tmp_path / "outbox.db")
    world = World(tmp_path, place)
    world.outbox.forget(world.run)
    yield world
    world.close()


def is_named(version: Version | None, name: str) -> bool:
    return version is not None and version.name == name


@pytest.mark.slow
@pytest.mark.timeout(TIMEOUT)
def test_every_customer_is_told_once_though_relay_and_senders_fail(world: World) -> None:
    world.announce(CUSTOMERS)
    for day in (0, 13, 14, 15):
        assert is_named(world.on_day(day), FIRST)
    first, second = world.begin_sender(), world.begin_sender()  # two machines, and the relay is down
    time.sleep(2)
    assert not world.relay.accepted

    with ExitStack() as listening:
        listening.enter_context(world.relay.up())
        world.relay.seconds = 0.05  # slow
        for kill in range(1, KILLS + 1):
            world.until(lambda kill=kill: len(world.relay.accepted) > kill * CUSTOMERS // (KILLS + 2))  # type: ignore[misc]
            first.send_signal(signal.SIGKILL)
            first.wait()
            first, second = second, world.begin_sender()
            world.relay.seconds = 0.01 * (kill % 2)
            world.complete()
            assert is_named(world.on_day(15), FIRST)  # not before everybody was told
    time.sleep(1)  # down once more
    with world.relay.up():
        world.relay.seconds = 0
        assert [one.wait(TIMEOUT) for one in (first, second)] == [0, 0]

    run = world.outbox.count(world.run)
    counts = world.relay.counts
    world.complete()
    twice = {address for address, count in counts.items() if count > 1}
    print(f"{CUSTOMERS} customers, {KILLS} kills: {run}, twice at the relay: {len(twice)}")
    assert (run.total, run.sent, run.refused) == (CUSTOMERS, CUSTOMERS, 0)
    assert len(counts) == CUSTOMERS  # nobody is missing
    assert len(twice) <= run.uncertain  # and whoever was told twice is told of
    assert max(counts.values()) <= 1 + KILLS
    assert is_named(world.on_day(13), FIRST)
    assert is_named(world.on_day(14), SECOND)
    assert is_named(world.on_day(15), SECOND)


def test_sender_that_was_killed_leaves_the_rest_to_the_next_one(world: World) -> None:
    world.announce(60)
    world.relay.seconds = 0.1
    with world.relay.up():
        first = world.begin_sender()
        world.until(lambda: len(world.relay.accepted) > 10)
        first.send_signal(signal.SIGKILL)
        first.wait()
        world.relay.seconds = 0
        assert world.begin_sender().wait(60) == 0

    run, counts = world.outbox.count(world.run), world.relay.counts
    assert (run.sent, len(counts)) == (60, 60)
    assert sum(counts.values()) - 60 <= run.uncertain <= 4
