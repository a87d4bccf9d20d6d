"""Machines of one shop agree on the keys of a day, and no file on any disk reveals one."""

from __future__ import annotations

import json
import logging
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from harness.postgres import Postgres, postgres
from harness.servers import wait_until
from harness.stats_engines import new_database

from cookieguard.keyring import Keyring
from cookieguard.stats.sealed_box import new_key_pair
from cookieguard.storage.day_keys import DayKeys
from cookieguard.storage.runtime_directory import RuntimeDirectory, open_runtime
from cookieguard.storage.state_directory import StateDirectory
from cookieguard.storage.store import day_key_sharing
from cookieguard.storage.store import sync as store_sync
from cookieguard.storage.store.day_key_sharing import NAMESPACE, DayKeySharing, open_day_keys
from cookieguard.storage.store.protocol import Store
from cookieguard.storage.store.sync import StoreSync

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
EVENING = datetime(2026, 11, 24, 22, 30, tzinfo=UTC)
DAY = NOON.date()
KEYRING = Keyring.generate(NOON)


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    with postgres() as server:
        yield server


@pytest.fixture(autouse=True)
def haste(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the threads poll ten times a second, to save time."""
    monkeypatch.setattr(day_key_sharing, "LOOK_SECONDS", 0.1)
    monkeypatch.setattr(store_sync, "POLL_EVERY", timedelta(seconds=0.1))


@pytest.fixture
def url(server: Postgres) -> str:
    return new_database(server)


class Machine:
    """One machine: a directory in memory and a worker's thread for the store, for any number of workers."""

    def __init__(
        self, folder: Path, url: str, *, keyring: Keyring = KEYRING, gate: threading.Event | None = None
    ) -> None:
        from cookieguard.storage.store.postgres import opener

        self.now = NOON
        self._opener, self._gate, self._keyring = opener(url, keyring), gate, keyring
        self._state = StateDirectory(folder)
        self.start()

    def start(self) -> None:
        runtime = open_runtime("", self._state)
        assert runtime is not None
        self.runtime: RuntimeDirectory = runtime
        self.store_sync = StoreSync(self._open, clock=lambda: self.now)
        sharing = (self.store_sync, self._keyring)
        self.keys = open_day_keys(runtime, "visitor", sharing=sharing, clock=lambda: self.now)
        self.store_sync.begin()

    def _open(self) -> Store:
        if self._gate is not None:
            self._gate.wait()
        return self._opener()

    def reboot(self) -> None:
        self.end()
        self.start()

    def end(self) -> None:
        self.store_sync.close()
        shutil.rmtree(self.runtime.path, ignore_errors=True)

    def key(self) -> bytes:
        found = self.keys.key(self.now.date())
        assert found is not None
        return found

    def is_settled(self) -> bool:
        """Return whether it agreed with the others."""
        return self.now.date() in self.sharing._agreed

    @property
    def sharing(self) -> DayKeySharing:
        """Return what the store's thread asks after each round."""
        found: DayKeySharing = self.store_sync.listeners[0].__self__  # type: ignore[attr-defined]
        return found


@pytest.fixture
def machine(url: str, tmp_path: Path) -> Iterator[Callable[..., Machine]]:
    started: list[Machine] = []

    def start(url: str = url, keyring: Keyring = KEYRING, gate: threading.Event | None = None) -> Machine:
        started.append(Machine(tmp_path / f"machine{len(started)}", url, keyring=keyring, gate=gate))
        return started[-1]

    yield start
    for one in started:
        one.end()


def until_settled(*machines: Machine) -> set[bytes]:
    wait_until(lambda: all(one.is_settled() for one in machines), "the machines agreed")
    return {one.key() for one in machines}


def row(url: str, write: dict[str, list[str]] | None = None) -> dict[str, list[str]]:
    from cookieguard.storage.store.postgres import PostgresStore

    key, until = f"visitor-{DAY}", 2**60
    with closing(PostgresStore(url, KEYRING)) as store:
        if write is not None:
            store.write(NAMESPACE, key, json.dumps(write).encode(), until=until)
        found = store.read(NAMESPACE, key)
    return {} if found is None else json.loads(found.value)


def test_machines_that_start_at_once_have_one_key_and_every_worker_of_theirs_has_it(
    machine: Callable[..., Machine],
) -> None:
    machines = [machine() for _ in range(4)]

    agreed = until_settled(*machines)

    assert len(agreed) == 1
    workers = [DayKeys(one.runtime, "visitor", clock=lambda: NOON) for one in machines]
    assert {worker.key(DAY) for worker in workers} == agreed


def test_a_machine_that_joins_at_midday_or_was_rebooted_gets_the_key_of_the_day(
    machine: Callable[..., Machine],
) -> None:
    first = machine()
    before = until_settled(first)

    joined = machine()
    own = joined.key()  # asked before anybody answered
    assert until_settled(first, joined) == before
    first.reboot()

    assert until_settled(first, joined) == before
    assert {own} != before


def test_a_worker_that_had_a_key_of_its_own_takes_that_of_all_and_so_do_its_neighbours(
    machine: Callable[..., Machine], server: Postgres
) -> None:
    first = machine()
    before = until_settled(first)
    server.stop()
    try:
        late = machine()
        neighbour = DayKeys(late.runtime, "visitor", clock=lambda: NOON)
        assert {neighbour.key(DAY)} == {late.key()} != before
    finally:
        server.start()

    assert until_settled(late) == before
    neighbour.expire(NOON)
    assert {neighbour.key(DAY)} == before


def test_the_key_of_tomorrow_is_agreed_on_before_midnight(machine: Callable[..., Machine]) -> None:
    one, other = machine(), machine()
    today = until_settled(one, other)
    for each in (one, other):
        each.now = EVENING
    wait_until(lambda: len(one.sharing._agreed) == 2, "one knows tomorrow's")
    wait_until(lambda: len(other.sharing._agreed) == 2, "the other too")

    for each in (one, other):
        each.now = datetime(2026, 11, 25, 0, 0, 1, tzinfo=UTC)
    tomorrow = {one.key(), other.key()}

    assert len(tomorrow) == 1
    assert tomorrow != today


def test_with_the_store_down_a_machine_has_its_own_key_at_once_and_says_so_once(
    machine: Callable[..., Machine], server: Postgres, caplog: pytest.LogCaptureFixture
) -> None:
    gate = threading.Event()
    with server.hanging():  # the worst of it: whoever connects waits
        one = machine(gate=gate)
        key = one.key()
        gate.set()  # nobody waited for the store: its thread had not even begun to connect
        wait_until(lambda: one.store_sync.is_down, "the store is down")
        wait_until(lambda: "daily visitor key: the store is down" in caplog.text, "it is told")
        time.sleep(1)

    assert until_settled(one) == {key}  # nobody else had one
    told = [one for one in caplog.records if "daily visitor key" in one.message]
    assert [one.levelno for one in told] == [logging.WARNING]


def test_machines_agree_on_a_new_day_key_if_every_holder_of_the_old_one_is_gone(
    machine: Callable[..., Machine], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(day_key_sharing, "TIMEOUT_SECONDS", 2.0)
    alone = machine()
    before = until_settled(alone)
    alone.end()

    one, other = machine(), machine()

    after = until_settled(one, other)
    assert len(after) == 1
    assert after != before


def test_writer_of_the_store_without_the_keyring_can_neither_read_nor_plant_a_day_key(
    machine: Callable[..., Machine], url: str
) -> None:
    one, other = machine(), machine()
    before = until_settled(one, other)
    table = row(url)
    thief = DayKeySharing(one.keys, one.keys, Keyring.generate(NOON), use="visitor", clock=lambda: NOON)
    private, public = new_key_pair()

    def written(public: bytes, sharing: DayKeySharing, key: bytes | None) -> dict[str, list[str]]:
        """Return a question, or a box with a key."""
        about = sharing._about(DAY, public)
        box = (
            b""
            if key is None
            else day_key_sharing.seal_box(key, public, about=about, use=b"cookieguard day key 1")
        )
        made = sharing._entry(DAY, public, box)
        return {public.hex(): [made.box.hex(), made.key_id, made.mac.hex()]}

    planted = {
        name: entry
        for mine in table
        for name, entry in written(bytes.fromhex(mine), thief, bytes(32)).items()
    }
    foreign = written(public, thief, None)
    claimed = {public.hex(): [foreign[public.hex()][0], KEYRING.signing.id, foreign[public.hex()][2]]}
    row(url, table | claimed)
    time.sleep(1)
    assert row(url)[public.hex()][0] == ""
    row(url, planted)
    wait_until(lambda: len(row(url)) == 2 and row(url) != planted, "the boxes are made anew")
    assert until_settled(one, other) == before

    honest = DayKeySharing(one.keys, one.keys, KEYRING, use="visitor", clock=lambda: NOON)
    row(url, row(url) | written(public, honest, None))  # the control: it needs the keyring
    wait_until(lambda: row(url)[public.hex()][0] != "", "a box was made")
    assert {
        honest._opened(DAY, day_key_sharing._read(json.dumps(row(url)).encode())[public], private)
    } == before


def test_what_lay_in_store_and_memory_is_gone_within_48_hours(
    machine: Callable[..., Machine], url: str
) -> None:
    from cookieguard.storage.store.postgres import PostgresStore

    one = machine()
    until_settled(one)
    names = {path.name for path in one.runtime.paths()}
    one.store_sync.close()
    one.now = NOON - timedelta(hours=12) + timedelta(hours=26)
    one.keys.expire(one.now)
    DayKeys(one.runtime, "visitor-pair").expire(one.now)
    with closing(PostgresStore(url, KEYRING)) as store:
        store.forget(round(one.now.timestamp() * 1000) - 1)
        assert row(url)
        store.forget(round(one.now.timestamp() * 1000))

    assert names == {"visitor-day-20261124", "visitor-pair-day-20261124"}
    assert row(url) == {}
    assert not one.runtime.paths()


def test_a_table_that_cannot_be_read_is_made_anew_with_the_same_key(
    machine: Callable[..., Machine], url: str
) -> None:
    one, other = machine(), machine()
    before = until_settled(one, other)

    row(url, {"not": ["a", "table"]})

    wait_until(lambda: len(row(url)) == 2, "both are in it")
    assert until_settled(one, other) == before


def test_list_of_very_many_machines_keeps_the_newest(machine: Callable[..., Machine]) -> None:
    first = machine()
    until_settled(first)
    table: day_key_sharing.Table = {}
    for _ in range(day_key_sharing.MOST_MACHINES + 5):
        private, public = new_key_pair()
        _, table = first.sharing._answered(DAY, table, first.key(), private)

    assert len(table) == day_key_sharing.MOST_MACHINES
    assert public in table
