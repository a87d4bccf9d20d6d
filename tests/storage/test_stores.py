"""The store in SQLite and PostgreSQL: workers see each other's revocations, and a store that fails counts as down."""

from __future__ import annotations

import gc
import logging
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from harness import stores as sqlite
from harness.locks import checkpointing
from harness.postgres import Postgres, postgres, why_not
from harness.servers import START_SECONDS, wait_until
from harness.stores import SqliteStore

from cookieguard.config import Config, StoreSettings
from cookieguard.errors import ConfigError
from cookieguard.identity.revocations import Revocation, Revoked
from cookieguard.storage.state_directory import StateDirectory
from cookieguard.storage.store.protocol import NO_CHANGE, Change, Store, StoreDown, StoredValue
from cookieguard.storage.store.sealed_rows import DAY
from cookieguard.storage.store.sync import StoreSync, open_store_sync

TIMEOUT = START_SECONDS
PROMISED_SECONDS = 5
SLOWLY = 2  # seconds: as long as a connection may take
END = Revocation(Revoked.SESSION, "s1", 1_000, 9_000)
WRITERS, EACH = 4, 25
TRIES = 20
TABLES = tuple(f"cookieguard_{name}" for name in ("change", "ending", "kept", "change_mark", "secret"))
TODAY, TOMORROW = DAY, DAY + 1  # in milliseconds: what is kept until a moment is deleted with its day


@dataclass
class Engine:
    """One kind of store: how it is opened, and how it fails and returns."""

    open: Callable[[], Store]
    take_away: Callable[[], None]
    bring_back: Callable[[], None]


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    """Run one PostgreSQL for this module."""
    with postgres() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgres"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Engine:
    """Return an engine with an empty store."""
    if request.param == "postgres":
        return _postgres(request.getfixturevalue("server"))
    path, aside = tmp_path / "store.db", tmp_path / "aside.db"
    opener = sqlite.opener(path)
    opener().close()  # the file is there: one that went away is not made again
    return Engine(opener, lambda: _move(path, aside), lambda: _move(aside, path))


def _move(one: Path, other: Path) -> None:
    one.rename(other)


def _postgres(server: Postgres) -> Engine:
    import psycopg

    from cookieguard.storage.store.postgres import opener

    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute(f"DROP TABLE IF EXISTS {', '.join(TABLES)}")
    return Engine(opener(server.url, sqlite.KEYRING), server.stop, server.start)


@pytest.fixture
def worker(engine: Engine) -> Iterator[Callable[[], StoreSync]]:
    """Start workers on one store, and end them."""
    started: list[StoreSync] = []

    def start() -> StoreSync:
        started.append(StoreSync(engine.open))
        return started[-1]

    yield start
    for store_sync in started:
        store_sync.close()


def test_what_is_recorded_is_read_after_its_number_only(engine: Engine) -> None:
    store = engine.open()
    assert (store.last_change(), list(store.changes(0))) == (NO_CHANGE, [])

    store.record([END])
    first = store.last_change().number
    store.record([END._replace(key="s2"), Revocation(Revoked.CUSTOMER, "17", 2_000, 9_000)])

    assert [one.key for one in store.changes(first)] == ["s2", "17"]
    assert list(store.changes(store.last_change().number)) == []
    assert len(list(engine.open().changes(0))) == 3


def test_later_of_two_revocations_is_used_and_reaches_the_other_workers(engine: Engine) -> None:
    store = engine.open()
    customer = Revocation(Revoked.CUSTOMER, "17", 2_000, 9_000)
    store.record([customer])
    number = store.last_change().number
    store.record([customer._replace(at=3_000, until=8_000)])
    store.record([customer._replace(at=1_000)])

    assert list(store.changes(number)) == [customer._replace(at=3_000)]


def test_revocations_past_their_time_are_deleted(engine: Engine) -> None:
    store = engine.open()
    store.record([END._replace(until=TODAY), END._replace(key="s2", until=TOMORROW)])
    store.forget(TODAY)

    assert [one.key for one in store.changes(0)] == ["s2"]


def test_a_value_is_read_as_it_was_written_last(engine: Engine) -> None:
    store = engine.open()
    assert store.read("cart", "17") is None

    versions = [store.write("cart", "17", value, until=9_000) for value in (b"{}", b'{"tea":1}')]
    store.write("receipts", "17", b"[]", until=9_000)

    assert versions == [1, 2]
    assert engine.open().read("cart", "17") == StoredValue(b'{"tea":1}', 2, 9_000)
    store.erase("cart", "17")
    assert store.read("cart", "17") is None
    assert store.read("receipts", "17") is not None


def test_a_value_is_written_over_the_version_that_was_read_and_no_other(engine: Engine) -> None:
    store = engine.open()
    assert store.write("series", "s", b"1", until=9_000, after=1) == 0
    assert store.write("series", "s", b"1", until=9_000, after=0) == 1
    assert store.write("series", "s", b"2", until=9_000, after=0) == 0
    assert store.write("series", "s", b"2", until=9_000, after=1) == 2
    assert store.write("series", "s", b"3", until=9_000, after=1) == 0

    assert store.read("series", "s") == StoredValue(b"2", 2, 9_000)
    assert store.erase("series", "s", after=1) is False
    assert store.erase("series", "s", after=2) is True
    assert store.erase("series", "s") is False


def test_one_of_many_writers_of_the_same_version_succeeds(engine: Engine) -> None:
    engine.open().write("series", "s", b"first", until=9_000)

    def write(worker: int) -> int:
        return engine.open().write("series", "s", str(worker).encode(), until=9_000, after=1)

    with ThreadPoolExecutor(WRITERS) as pool:
        versions = list(pool.map(write, range(WRITERS)))

    assert sorted(versions) == [0] * (WRITERS - 1) + [2]
    kept = engine.open().read("series", "s")
    assert kept is not None
    assert versions[int(kept.value)] == 2


def test_a_value_that_is_over_is_forgotten(engine: Engine) -> None:
    store = engine.open()
    store.write("cart", "17", b"{}", until=TODAY)
    store.write("cart", "18", b"{}", until=TOMORROW)
    store.forget(TODAY)

    assert store.read("cart", "17") is None
    assert store.read("cart", "18") is not None


def test_keys_are_found_by_their_owner_and_in_their_namespace_alone(engine: Engine) -> None:
    store = engine.open()
    for namespace, key, owner in (
        ("list", "news:17", "17"),
        ("list", "a:17", "17"),
        ("list", "7", ""),
        ("list", "news:117", "117"),
        ("x", "a:17", "17"),
    ):
        store.write(namespace, key, b"{}", until=9_000, owner=owner)

    assert store.keys("list", "17") == ["a:17", "news:17"]
    assert store.keys("list", "") == store.keys("list", "7") == []


def test_a_reader_misses_nothing_that_many_write_at_once(engine: Engine) -> None:
    reader, heard, number = engine.open(), set[str](), 0
    written = threading.Event()

    def write(worker: int) -> None:
        store = engine.open()
        for count in range(EACH):
            keep(store, END._replace(key=f"{worker}-{count}"))
        store.close()

    def keep(store: Store, revocation: Revocation) -> None:
        """Try again where a busy machine lets nobody write for a second, as a watch does."""
        for _ in range(TRIES):
            with suppress(StoreDown):
                store.record([revocation])
                return
        raise AssertionError("nobody could write")

    def write_all() -> None:
        try:
            with ThreadPoolExecutor(WRITERS) as pool:
                list(pool.map(write, range(WRITERS)))
        finally:
            written.set()

    thread = threading.Thread(target=write_all)
    thread.start()
    is_last = False
    while not is_last:
        is_last = written.is_set()
        now = reader.last_change().number
        if now == number:
            continue
        heard |= {one.key for one in reader.changes(number)}
        number = now
    thread.join()

    assert len(heard) == WRITERS * EACH


def test_every_worker_hears_within_5_s_what_one_ended(worker: Callable[[], StoreSync]) -> None:
    one, other = worker(), worker()
    other.begin().result(TIMEOUT)
    one.record([Revocation(Revoked.CUSTOMER, "17", 5, 2**50)]).result(TIMEOUT)

    wait_until(lambda: other.revocations.not_before("17") == 5, "the other worker heard", seconds=TIMEOUT)
    late = worker()
    late.begin().result(TIMEOUT)
    assert late.revocations.not_before("17") == 5


def test_question_to_the_store_sees_all_earlier_revocations(worker: Callable[[], StoreSync]) -> None:
    one, other = worker(), worker()
    other.begin().result(TIMEOUT)
    for at in range(1, 6):
        one.record([Revocation(Revoked.CUSTOMER, "17", at, 2**50)]).result(TIMEOUT)
        other.ask(lambda _: None).result(TIMEOUT)
        assert other.revocations.not_before("17") == at


def test_a_store_that_goes_away_leaves_every_worker_uncertain_until_it_is_back(
    engine: Engine, worker: Callable[[], StoreSync], caplog: pytest.LogCaptureFixture
) -> None:
    one, other = worker(), worker()
    one.begin().result(TIMEOUT)
    other.begin().result(TIMEOUT)
    assert one.revocations.is_certain

    engine.take_away()
    gone = time.monotonic()
    wait_until(
        lambda: not one.revocations.is_certain and not other.revocations.is_certain, "they are uncertain"
    )
    assert time.monotonic() - gone < 4 * PROMISED_SECONDS  # the machine may be busy
    with pytest.raises(StoreDown):
        one.record([END._replace(until=2**50)]).result(TIMEOUT)
    assert one.revocations._kept[Revoked.SESSION]

    engine.bring_back()
    wait_until(lambda: one.revocations.is_certain and other.revocations.is_certain, "they are certain again")
    wait_until(
        lambda: other.revocations._kept[Revoked.SESSION],
        "what was ended meanwhile is heard",
        seconds=TIMEOUT,
    )
    told = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert [line.partition(" (")[0] for line in told].count("store: down") == 2
    assert told.count("store: it answers again") == 2


def test_a_store_that_is_back_counts_only_when_all_had_the_time_to_write_what_was_ended(
    engine: Engine,
) -> None:
    """Whoever was faster to connect again would know those who said goodbye to the slower one meanwhile."""

    is_through = threading.Event()
    is_through.set()

    def open_slowly() -> Store:
        is_through.wait()
        return engine.open()

    slow, fast = StoreSync(open_slowly), StoreSync(engine.open)
    slow.begin().result(TIMEOUT)
    fast.begin().result(TIMEOUT)
    is_through.clear()
    engine.take_away()
    wait_until(lambda: not fast.revocations.is_certain, "it knows nobody")
    slow.record([END._replace(until=2**50)])

    engine.bring_back()
    threading.Timer(SLOWLY, is_through.set).start()
    wait_until(lambda: fast.revocations.is_certain, "it knows customers again", seconds=2 * TIMEOUT)
    assert fast.revocations._kept[Revoked.SESSION]
    slow.close()
    fast.close()


def postgres_sql(server: Postgres, *statements: str) -> None:
    import psycopg

    with psycopg.connect(server.url, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement.encode())


def test_a_server_that_takes_no_writes_leaves_every_worker_uncertain(server: Postgres) -> None:
    """Who could only read would go on knowing those who said goodbye to another worker meanwhile."""
    engine = _postgres(server)
    one, other = StoreSync(engine.open), StoreSync(engine.open)
    one.begin().result(TIMEOUT)
    other.begin().result(TIMEOUT)

    postgres_sql(server, "ALTER SYSTEM SET default_transaction_read_only = on", "SELECT pg_reload_conf()")
    try:
        one.record([END._replace(until=2**50)])
        wait_until(
            lambda: not one.revocations.is_certain and not other.revocations.is_certain,
            "both know nobody",
            seconds=6,
        )
        assert other.revocations._kept[Revoked.SESSION] == {}
    finally:
        postgres_sql(
            server,
            "SET default_transaction_read_only = off",
            "ALTER SYSTEM RESET default_transaction_read_only",
            "SELECT pg_reload_conf()",
        )
    wait_until(
        lambda: other.revocations.is_certain and other.revocations._kept[Revoked.SESSION], "the other heard"
    )
    one.close()
    other.close()


def test_tables_that_were_dropped_are_not_made_again_by_who_used_them(server: Postgres) -> None:
    """As a SQLite file that went away: with them went what had been ended, so nobody is known."""
    engine = _postgres(server)
    store_sync = StoreSync(engine.open)
    store_sync.record([END._replace(until=2**50)]).result(TIMEOUT)

    postgres_sql(server, f"DROP TABLE {', '.join(TABLES)}")

    wait_until(lambda: not store_sync.revocations.is_certain, "it knows nobody")
    time.sleep(2)
    assert not store_sync.revocations.is_certain
    from cookieguard.storage.store.postgres import opener

    opener(server.url, sqlite.KEYRING)().close()  # a worker that starts makes them
    wait_until(lambda: store_sync.revocations.is_certain, "it knows customers again", seconds=TIMEOUT)
    assert store_sync.revocations._kept[Revoked.SESSION]  # and what it knew itself
    assert hears_of_it(engine.open)
    store_sync.close()


def hears_of_it(open_store: Callable[[], Store]) -> bool:
    """Return whether a worker that starts now hears of END within 5 s."""
    late = StoreSync(open_store)
    late.begin()
    wait_until(
        lambda: late.revocations._kept[Revoked.SESSION], "who comes later hears of it", seconds=TIMEOUT
    )
    late.close()
    return True


def test_an_older_copy_of_the_file_gets_what_a_worker_knows(tmp_path: Path) -> None:
    """Of a goodbye that was written after the backup no other worker may have heard."""
    path, backup = tmp_path / "store.db", tmp_path / "backup.db"
    sqlite.opener(backup)().close()
    store_sync = StoreSync(sqlite.opener(path))
    store_sync.record([END._replace(until=2**50)]).result(TIMEOUT)

    restore(backup, path)

    assert hears_of_it(sqlite.opener(path))
    store_sync.close()


def restore(backup: Path, path: Path) -> None:
    """Put a backup in the place of a file that is in use, and take away what belonged to that one."""
    for beside in ("-wal", "-shm"):
        path.with_name(path.name + beside).unlink()
    backup.replace(path)


def test_revocation_right_after_the_file_was_replaced_is_in_the_new_file(tmp_path: Path) -> None:
    path, other = tmp_path / "store.db", tmp_path / "other.db"
    store_sync = StoreSync(sqlite.opener(path))
    store_sync.begin().result(TIMEOUT)
    sqlite.opener(other)().close()

    restore(other, path)
    store_sync.record([END._replace(until=2**50)]).exception(TIMEOUT)

    heard = sqlite.opener(path)()
    wait_until(lambda: [one.key for one in heard.changes(0)] == [END.key], "it is written", seconds=TIMEOUT)
    store_sync.close()


def test_an_older_copy_is_noticed_although_what_is_written_first_brings_its_number_up_again(
    tmp_path: Path,
) -> None:
    """As after a fail-over to a replica that lagged by one goodbye, while another waits to be written."""
    path, backup = tmp_path / "store.db", tmp_path / "backup.db"
    first, second, third = (END._replace(key=f"s{number}", until=2**50) for number in (1, 2, 3))
    one, other = StoreSync(sqlite.opener(path)), StoreSync(sqlite.opener(path))
    one.record([first]).result(TIMEOUT)
    with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(backup)) as copy:
        source.backup(copy)
    one.record([second]).result(TIMEOUT)
    other.begin().result(TIMEOUT)

    restore(backup, path)
    other.record([third]).exception(TIMEOUT)

    everything = {first.key, second.key, third.key}
    late = StoreSync(sqlite.opener(path))
    late.begin()
    for store_sync in (one, other, late):
        wait_until(
            lambda store_sync=store_sync: set(store_sync.revocations._kept[Revoked.SESSION]) == everything,  # type: ignore[misc]
            "each worker knows all",
            seconds=TIMEOUT,
        )
        store_sync.close()


def test_an_older_copy_is_noticed_although_others_wrote_more_into_it_than_it_lacks(tmp_path: Path) -> None:
    """As after a fail-over to a replica that lagged by one goodbye, which others had not heard of yet."""
    path, backup = tmp_path / "store.db", tmp_path / "backup.db"
    first, second, *others = (END._replace(key=f"s{number}", until=2**50) for number in range(5))
    store_sync = StoreSync(sqlite.opener(path))
    store_sync.record([first]).result(TIMEOUT)
    with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(backup)) as copy:
        source.backup(copy)
    store_sync.record([second]).result(TIMEOUT)
    write_all(sqlite.opener(backup), others)

    restore(backup, path)

    assert hears_of_all(sqlite.opener(path), [first, second, *others])
    store_sync.close()


class Swapped(SqliteStore):
    """A store whose file is replaced by an older copy after each write, while copies are left."""

    path: Path
    copies: list[Path]

    def record(self, revocations: Sequence[Revocation]) -> None:
        """Write, and lose it."""
        super().record(revocations)
        if self.copies:
            restore(self.copies.pop(), self.path)


def swapped(path: Path, copies: list[Path]) -> Callable[[], Store]:
    """Return what opens such a store."""

    def open_store() -> Store:
        store = Swapped(path)
        store.path, store.copies = path, copies
        return store

    return open_store


def copies_of(path: Path, count: int) -> list[Path]:
    """Make backups of a store in use."""
    names = [path.with_name(f"copy{number}.db") for number in range(count)]
    for name in names:
        with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(name)) as copy:
            source.backup(copy)
    return names


@pytest.mark.parametrize("has_heard", [False, True])
def test_revocation_lost_with_a_replaced_file_is_written_again(tmp_path: Path, has_heard: bool) -> None:
    """For a logout just made, and for one that an earlier older copy had lost."""
    path, copies = tmp_path / "store.db", list[Path]()
    first, goodbye = (END._replace(key=key, until=2**50) for key in ("first", "goodbye"))
    store_sync = StoreSync(swapped(path, copies))
    store_sync.record([first]).result(TIMEOUT)
    one, *others = copies_of(path, 3)
    if has_heard:
        store_sync.record([goodbye]).result(TIMEOUT)
        copies += others
        restore(one, path)
    else:
        copies += others
        store_sync.record([goodbye]).exception(TIMEOUT)

    wait_until(lambda: not copies, "each copy was in place", seconds=TIMEOUT)
    assert hears_of_all(sqlite.opener(path), [first, goodbye])
    store_sync.close()


def test_older_tables_are_noticed_although_others_wrote_more_into_them_than_they_lack(
    server: Postgres,
) -> None:
    import psycopg

    open_store = _postgres(server).open
    first, second, *others = (END._replace(key=f"s{number}", until=2**50) for number in range(5))
    store_sync = StoreSync(open_store)
    store_sync.record([first]).result(TIMEOUT)
    with psycopg.connect(server.url, autocommit=True) as connection:
        for table in TABLES:
            connection.execute(f"CREATE TABLE {table}_copy AS TABLE {table}")
        store_sync.record([second]).result(TIMEOUT)
        with connection.transaction():
            for table in TABLES:
                connection.execute(f"TRUNCATE {table}")
                connection.execute(f"INSERT INTO {table} TABLE {table}_copy")
        write_all(open_store, others)
        for table in TABLES:
            connection.execute(f"DROP TABLE {table}_copy")

    assert hears_of_all(open_store, [first, second, *others])
    store_sync.close()


def write_all(open_store: Callable[[], Store], revocations: list[Revocation]) -> None:
    """Write revocations as a worker does that had heard of none, each a change of its own."""
    with closing(open_store()) as store:
        for revocation in revocations:
            store.record([revocation])


def hears_of_all(open_store: Callable[[], Store], revocations: list[Revocation]) -> bool:
    """Return whether workers that start now hear of these within 5 s."""
    expected = {one.key for one in revocations}

    def heard() -> bool:
        # A file that is replaced at this moment is down, and a worker opens it again.
        with suppress(StoreDown), closing(open_store()) as store:
            return {one.key for one in store.changes(0)} == expected
        return False

    wait_until(heard, "who comes later hears of all", seconds=TIMEOUT)
    return True


def test_marks_of_changes_do_not_pile_up(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cookieguard.storage.store.protocol.MARKS_KEPT", 10)
    with closing(engine.open()) as store:
        for number in range(15):
            store.record([END._replace(at=number)])

        rows = store.database.rows("SELECT number, mark FROM cookieguard_change_mark ORDER BY number")
        assert (len(rows), Change(*rows[-1])) == (10, store.last_change())


@pytest.mark.parametrize(
    "write",
    [
        lambda store: store.record([END]),
        lambda store: store.write("cart", "c:17", b"{}", until=9_000),
        lambda store: store.erase("cart", "c:17"),
    ],
)
def test_nothing_is_acknowledged_by_a_file_that_was_replaced(tmp_path: Path, write: Any) -> None:
    path, other = tmp_path / "store.db", tmp_path / "other.db"
    store = sqlite.opener(path)()
    sqlite.opener(other)().close()
    write(store)

    restore(other, path)

    with pytest.raises(StoreDown, match="another file took the place"):
        write(store)


def test_no_new_file_is_made_beside_the_journal_of_one_that_was_moved_away(tmp_path: Path) -> None:
    """A worker that starts just then must not delete the last goodbyes: they are only in the journal yet."""
    path, aside = tmp_path / "store.db", tmp_path / "aside"
    store = sqlite.opener(path)()
    store.record([END._replace(until=2**50)])
    path.rename(aside)
    store.close()

    with pytest.raises(StoreDown, match="the file is gone but its journal is not"):
        sqlite.opener(path)()

    aside.rename(path)
    with closing(sqlite.opener(path)()) as store:
        assert [one.key for one in store.changes(0)] == [END.key]


def test_a_store_that_is_down_at_the_start_is_uncertain_and_no_error(
    engine: Engine, worker: Callable[[], StoreSync]
) -> None:
    engine.open().close()
    engine.take_away()
    store_sync = worker()
    with pytest.raises(StoreDown):
        store_sync.begin().result(TIMEOUT)

    assert (store_sync.is_ready, store_sync.revocations.is_certain) == (True, False)
    engine.bring_back()
    wait_until(lambda: store_sync.revocations.is_certain, "it is certain", seconds=TIMEOUT)


def test_watch_without_references_ends_its_thread(tmp_path: Path) -> None:
    before = set(threading.enumerate())
    store_sync = StoreSync(sqlite.opener(tmp_path / "store.db"))
    store_sync.begin().result(TIMEOUT)
    (thread,) = [
        one for one in threading.enumerate() if one not in before and one.name == "cookieguard-store"
    ]

    del store_sync
    gc.collect()  # it and its revocations know each other
    wait_until(lambda: not thread.is_alive(), "the thread ended", seconds=TIMEOUT)


def test_a_forked_worker_listens_itself(tmp_path: Path) -> None:
    store_sync = StoreSync(sqlite.opener(tmp_path / "store.db"))
    store_sync.begin().result(TIMEOUT)
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            assert not store_sync.is_ready
            store_sync.record([END._replace(until=2**50)]).result(TIMEOUT)
            assert store_sync.revocations.is_certain
            code = 0
        finally:
            os._exit(code)
    assert os.waitpid(pid, 0)[1] == 0

    wait_until(lambda: store_sync.revocations._kept[Revoked.SESSION], "the parent heard", seconds=TIMEOUT)
    store_sync.close()


def test_the_file_is_private(tmp_path: Path) -> None:
    store = sqlite.SqliteStore(tmp_path / "store.db")
    store.record([END])

    modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}
    assert modes == dict.fromkeys(["store.db", "store.db-shm", "store.db-wal"], 0o600)


@pytest.mark.parametrize(
    "url", ["mysql://root:secret@db/shop", "sqlite://store.db", "postgresql://a b:secret@db"]
)
def test_another_url_is_refused_without_showing_it(tmp_path: Path, url: str) -> None:
    with pytest.raises(ConfigError, match=r"^store\.url is a URL of another form; allowed: ") as caught:
        StoreSettings(url=url)
    assert "secret" not in str(caught.value)
    state = StateDirectory(tmp_path / "state")
    with pytest.raises(ConfigError, match=r"store\.environment \(COOKIEGUARD_STORE\)") as caught:
        open_store_sync(Config(), state, sqlite.KEYRING, environ={"COOKIEGUARD_STORE": url})
    assert "secret" not in str(caught.value)


def test_a_password_in_the_url_is_in_no_repr_and_no_event(
    caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    settings = StoreSettings(url="postgresql://shop:hush@127.0.0.1:1/shop")
    if why_not():
        pytest.skip(f"PostgreSQL is NOT tested: {why_not()}")
    config, state = Config(store=settings), StateDirectory(tmp_path / "state")
    store_sync = open_store_sync(config, state, sqlite.KEYRING, environ={})
    assert store_sync is not None
    with pytest.raises(StoreDown):
        store_sync.begin().result(TIMEOUT)
    store_sync.close()

    assert "store: down (PostgreSQL: " in caplog.text
    assert "hush" not in caplog.text + repr(settings)


def test_a_store_that_is_switched_off_opens_nothing(tmp_path: Path) -> None:
    state = StateDirectory(tmp_path / "state")

    config = Config(store=StoreSettings(enabled=False))
    assert open_store_sync(config, state, sqlite.KEYRING, environ={}) is None


def test_a_worker_opens_a_store_in_a_file_and_reads_it_while_another_writes(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    writer = SqliteStore(path)
    writer.record([END])
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")

        reader = SqliteStore(path, make=False)

        assert list(reader.changes(0)) == [END]
        assert reader.last_change() == writer.last_change()


def test_erasing_waits_for_another_worker_that_empties_the_journal(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    with closing(SqliteStore(path)) as store:
        store.write("oversized", "one", b"{}", until=2**60, owner="c:17")

        with checkpointing(path, 0.3):
            store.erase_owned("oversized", "c:17")

        assert (tmp_path / "store.db-wal").stat().st_size == 0
        assert list(sqlite.values(store)) == []


def test_erasing_an_owners_rows_leaves_those_of_others(engine: Engine) -> None:
    store = engine.open()
    for owner, key in (("c:17", "one"), ("c:18", "two"), ("", "guest")):
        store.write("oversized", key, b"{}", until=2**60, owner=owner)

    store.erase_owned("oversized", "c:17")
    store.erase_owned("oversized", "")

    assert sorted(key for _, key, *_ in sqlite.values(store)) == ["guest", "two"]
