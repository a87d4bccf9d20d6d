"""Very many revocations, of one account or of guests or without the store: none is lost, and others stay logged in."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from harness import stores as sqlite
from harness.postgres import postgres
from harness.servers import wait_until
from harness.stats_engines import new_database
from harness.stores import SqliteStore

from cookieguard.identity.revocations import Revocation, Revocations, Revoked
from cookieguard.identity.tokens import Token
from cookieguard.storage.store import protocol as ports
from cookieguard.storage.store.backlog import MAX_WAITING, Backlog
from cookieguard.storage.store.housekeeping import examine_store, note_overflows, tidied
from cookieguard.storage.store.protocol import Store
from cookieguard.storage.store.sealed_rows import DAY
from cookieguard.storage.store.sync import StoreSync

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
MOMENT = round(NOW.timestamp() * 1000)
FAR = MOMENT + 2**40
HOUR = 3_600_000
VICTIM = Revocation(Revoked.SESSION, "victim", MOMENT, FAR, "C-victim", MOMENT - HOUR)
SOON = 15  # seconds


def mine(number: int) -> Revocation:
    """End one more session of one account."""
    return Revocation(Revoked.SESSION, f"mine-{number}", MOMENT + number, FAR, "C-flood", MOMENT + number - 1)


def guest(number: int) -> Revocation:
    """End one more session of some guest."""
    return Revocation(Revoked.GUEST, f"guest-{number}", MOMENT + number, FAR)


def issued(moment: int) -> Token:
    return Token({}, moment, FAR, "k", 2, b"{}")


def test_endings_of_one_account_come_down_to_one_and_log_out_nobody_else() -> None:
    revocations = Revocations(lambda: True, limit=100)
    revocations.add([VICTIM, *(mine(number) for number in range(1_000))])
    pruned = revocations.prune(NOW)

    assert [one.key for one in pruned.news] == ["C-flood"]
    assert revocations.counts()[Revoked.SESSION] == 1
    assert revocations.cutoff == 0
    assert revocations.end_of("victim", issued(MOMENT), customer="C-victim") == MOMENT
    assert revocations.end_of("other", issued(MOMENT - HOUR), customer="C-other") is None
    # Of the account itself every session is over that began before the last that ended, and no later one.
    assert revocations.not_before("C-flood") == MOMENT + 998


def test_guests_that_are_too_many_are_forgotten_and_raise_nobodys_cut_off() -> None:
    revocations = Revocations(lambda: True, limit=100)
    revocations.add([VICTIM, *(guest(number) for number in range(1_000))])
    pruned = revocations.prune(NOW)

    assert (pruned.news, pruned.forgotten) == ([], {Revoked.GUEST: 900})
    assert revocations.cutoff == 0
    assert revocations.end_of("guest-999", issued(MOMENT), customer=None) == MOMENT + 999
    assert revocations.end_of("guest-1", issued(MOMENT), customer=None) is None
    assert revocations.end_of("victim", issued(MOMENT), customer="C-victim") == MOMENT


def test_too_many_accounts_cut_off_customers_until_now_at_most_and_no_guests() -> None:
    revocations = Revocations(lambda: True, limit=100)
    revocations.add(
        Revocation(Revoked.SESSION, f"s{number}", MOMENT, FAR, f"C-{number}", MOMENT) for number in range(200)
    )
    revocations.prune(NOW)

    assert revocations.cutoff == MOMENT
    assert revocations.end_of("other", issued(MOMENT), customer="C-x") == MOMENT
    assert revocations.end_of("other", issued(MOMENT + 1), customer="C-x") is None
    assert revocations.end_of("other", issued(MOMENT), customer=None) is None
    revocations.heed_clock(NOW - timedelta(hours=1))  # the clock was set back
    assert revocations.cutoff == MOMENT - HOUR


@pytest.mark.parametrize("kind", [Revoked.GUEST, Revoked.SESSION])
def test_a_logout_that_waits_is_not_crowded_out_by_later_ones(
    tmp_path: Path, kind: Revoked, caplog: pytest.LogCaptureFixture
) -> None:
    path, aside = tmp_path / "store.db", tmp_path / "aside.db"
    store_sync, other = (StoreSync(sqlite.opener(path), clock=lambda: NOW) for _ in range(2))
    store_sync.begin().result(SOON)
    other.begin().result(SOON)
    path.rename(aside)
    store_sync.record([VICTIM])
    make = guest if kind is Revoked.GUEST else mine
    store_sync.record([make(number) for number in range(MAX_WAITING + 100)])
    assert store_sync.backlog.has_overflowed
    aside.rename(path)

    wait_until(
        lambda: "victim" in other.revocations.known()[Revoked.SESSION], "the other heard", seconds=SOON
    )
    with closing(sqlite.opener(path)()) as store:
        assert VICTIM in list(store.changes(0))
    told = [line for line in caplog.messages if "revocations wait" in line]
    assert len(told) == 1
    store_sync.close()
    other.close()


class SlowStore(SqliteStore):
    """A store that writes slowly."""

    def record(self, revocations: Sequence[Revocation]) -> None:
        """Write, slowly."""
        time.sleep(0.01)
        super().record(revocations)


def test_what_was_acknowledged_while_a_slow_disk_wrote_others_is_there(tmp_path: Path) -> None:
    """The queue was full when these came: what is taken away must be what was written."""
    path = tmp_path / "store.db"
    store_sync = StoreSync(lambda: SlowStore(path), clock=lambda: NOW)
    store_sync.begin().result(SOON)
    last = [mine(number) for number in range(-200, 0)]
    store_sync.record([guest(number) for number in range(20_000)])
    time.sleep(0.02)  # these are being written
    futures = [store_sync.record([one]) for one in last]
    for future in futures:
        future.result(2 * SOON)

    with closing(sqlite.opener(path)()) as store:
        assert {one.key for one in last} <= {one.key for one in store.changes(0)}
    store_sync.close()


@pytest.fixture(params=["sqlite", "postgres"])
def opener(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[], Store]]:
    """Return what opens an empty store, of each kind."""
    if request.param == "sqlite":
        yield sqlite.opener(tmp_path / "store.db")
        return
    with postgres() as server:
        from cookieguard.storage.store.postgres import opener

        yield opener(new_database(server), sqlite.KEYRING)


def test_a_start_reads_no_more_than_a_worker_holds_and_the_store_gets_smaller(
    opener: Callable[[], Store], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ports, "AT_ONCE", 50)
    monkeypatch.setattr(ports, "MOST_READ", dict.fromkeys(Revoked, 112))
    monkeypatch.setattr("cookieguard.storage.store.sync.TIDY_AFTER", 0)
    with closing(opener()) as store:
        store.record([VICTIM])
        for start in range(0, 1_000, 100):
            store.record([guest(number) for number in range(start, start + 100)])
            store.record([mine(number) for number in range(start, start + 100)])
    store_sync = StoreSync(opener, clock=lambda: NOW)
    store_sync.revocations = Revocations(store_sync._is_certain, limit=100)
    store_sync.begin().result(SOON)

    counts = store_sync.revocations.counts()
    assert (counts[Revoked.GUEST], counts[Revoked.SESSION], counts[Revoked.CUSTOMER]) == (112, 112, 1)
    assert store_sync.revocations.not_before("C-flood") >= MOMENT + 800
    assert store_sync.revocations.cutoff == MOMENT  # of the one that was left out: its copy must not open
    assert store_sync.revocations.end_of("guest-1", issued(MOMENT - HOUR), customer=None) is None
    wait_until(lambda: is_small(opener), "the store is small", seconds=SOON)
    store_sync.close()
    late = StoreSync(opener, clock=lambda: NOW)
    late.begin().result(SOON)
    assert late.revocations.not_before("C-flood") >= MOMENT + 800
    assert late.revocations.cutoff == MOMENT
    late.close()


def is_small(opener: Callable[[], Store]) -> bool:
    with closing(opener()) as store:
        return all(count <= 112 for count in store.counts().values())


def test_a_store_of_the_release_before_is_read_and_brought_up_to_date(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    with closing(sqlite3.connect(path)) as old:
        old.executescript(
            """CREATE TABLE change (one INTEGER PRIMARY KEY CHECK (one = 1), number INTEGER NOT NULL);
            INSERT INTO change VALUES (1, 1);
            CREATE TABLE ending (
                what TEXT NOT NULL, key TEXT NOT NULL, at INTEGER NOT NULL, until INTEGER NOT NULL,
                number INTEGER NOT NULL, PRIMARY KEY (what, key)
            ) WITHOUT ROWID;
            CREATE INDEX ending_number ON ending (number);
            INSERT INTO ending VALUES ('session', 's1', 5, 9000000000000, 1);"""
        )
    with closing(sqlite.opener(path)()) as store:
        store.record([VICTIM])
        assert [one.key for one in store.changes(0)] == ["s1", "victim"]


def test_guests_carts_that_fill_the_store_go_the_oldest_first_and_customers_stay(
    opener: Callable[[], Store], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ports, "MAX_BYTES", 2_000_000)
    monkeypatch.setattr("cookieguard.storage.store.postgres.MAX_BYTES", 2_000_000)
    monkeypatch.setattr("cookieguard.storage.store.housekeeping.EVICT_AT_ONCE", 20)
    with closing(opener()) as store:
        store.write("cart", "c:17", b"{}", until=FAR)
        for number in range(60):
            store.write("cart", f"s:{number}", os.urandom(60_000), until=FAR + number * DAY)
        known = Revocations(lambda: True)
        rounds = 0
        while tidied(store, known, NOW):
            rounds += 1
            assert rounds < 9

        assert rounds
        assert store.size() <= 2_000_000
        assert store.read("cart", "c:17") is not None
        assert store.read("cart", "s:0") is None
        assert store.read("cart", "s:59") is not None


def test_doctor_says_how_much_is_kept_what_overflowed_and_what_is_cut_off(
    opener: Callable[[], Store],
) -> None:
    backlog = Backlog(threading.Lock())
    with closing(opener()) as store:
        before = {check: (told, mend) for check, told, mend in examine_store(store)}
        store.record([VICTIM, guest(1), Revocation(Revoked.CUTOFF, Revoked.SESSION, MOMENT, FAR)])
        backlog.add([guest(number) for number in range(MAX_WAITING + 1)])
        backlog.lost = 3
        note_overflows(store, backlog, now=MOMENT)
        note_overflows(store, backlog, now=MOMENT)
        after = {check: (told, mend) for check, told, mend in examine_store(store)}

    assert [mend for _, mend in before.values()] == ["", "", "", ""]
    assert after["revocations"][0].startswith("1 of 200000 session, 1 of 50000 guest, 0 of 200000 customer")
    assert after["cut-off"][0] == "sessions that customers got before 2026-11-24 12:00 UTC have ended"
    assert after["cut-off"][1]
    assert after["store queue"][0] == "overflowed 1 times in 30 days, 3 values found no room"
