"""Updates that wait for the store, in SQLite and PostgreSQL: newer values win, and waiting ones arrive."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event

import pytest
from harness import stores as sqlite
from harness.postgres import postgres
from harness.servers import START_SECONDS

from cookieguard.identity.carts.stored_carts import (
    Add,
    Order,
    StoreNamespace,
    Write,
    cart_write,
    read_cart,
    read_orders,
)
from cookieguard.identity.oversized import pack
from cookieguard.identity.revocations import Revocation, Revoked
from cookieguard.storage.store.protocol import Store, StoreDown
from cookieguard.storage.store.sync import StoreSync
from cookieguard.storage.store.values import doing, key_of, reading

NOON = datetime(2026, 11, 28, 12, tzinfo=UTC)
FAR = 4_000_000_000_000
PLACE = (StoreNamespace.CART, "c:17")
Open = Callable[[], Store]


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def open_store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Open]:
    """Return what opens a store, which is empty for the first test."""
    if request.param == "sqlite":
        path = tmp_path_factory.mktemp("store") / "store.db"
        yield lambda: sqlite.SqliteStore(path)
        return
    with postgres() as server:
        from cookieguard.storage.store.postgres import PostgresStore

        yield lambda: PostgresStore(server.url, sqlite.KEYRING)


@pytest.fixture
def store(open_store: Open) -> Iterator[Store]:
    """Return an open store."""
    opened = open_store()
    yield opened
    opened.close()


def cart(order: int) -> Write:
    return Write(StoreNamespace.CART, "c:17", b'{"t":%d,"d":{}}' % order, order, FAR)


def test_owner_s_values_go_from_a_shelf_of_random_keys_and_nobody_else_s(store: Store) -> None:
    contents = {owner: pack(b"", {"o": "c:17", "x": owner}, None, now=NOON) for owner in ("c:17", "c:171")}
    for owner, one in contents.items():
        doing(Write(StoreNamespace.OVERSIZED, one.place.key, one.value, until=FAR, owner=owner))(store)

    store.erase_owned(StoreNamespace.OVERSIZED, "c:17")

    left = {
        owner: store.read(StoreNamespace.OVERSIZED, one.place.key) is not None
        for owner, one in contents.items()
    }
    assert left == {"c:17": False, "c:171": True}


def test_the_newer_of_two_values_stays_in_whatever_order_they_come(store: Store) -> None:
    for order in (5, 3, 7, 7, 6):
        doing(cart(order))(store)

    assert reading([PLACE], now=0)(store) == {PLACE: cart(7).value}
    assert reading([PLACE], now=FAR)(store) == {PLACE: None}
    doing(Write(*PLACE, None))(store)
    assert reading([PLACE], now=0)(store) == {PLACE: None}


def test_orders_that_are_added_at_once_are_all_there(open_store: Open) -> None:
    def add(number: int) -> None:
        own = open_store()
        doing(Add("c:1", (Order(f"{number}", number),), FAR))(own)
        own.close()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(add, range(12)))

    store = open_store()
    kept = store.read(StoreNamespace.ORDERS, "c:1")
    assert kept is not None
    assert [one.id for one in read_orders(kept.value)] == [str(number) for number in range(11, -1, -1)]
    store.close()


def test_floors_of_carts_are_heard_by_a_worker_that_comes_later(store: Store) -> None:
    store.record([Revocation(Revoked.CART, "s1", 8, FAR), Revocation(Revoked.CART, "s1", 5, FAR)])

    assert Revocation(Revoked.CART, "s1", 8, FAR) in store.changes(0)


def test_store_that_returns_gets_the_last_pending_value(tmp_path: Path) -> None:
    path, aside = tmp_path / "store.db", tmp_path / "aside.db"
    store_sync = StoreSync(sqlite.opener(path))
    store_sync.begin().result(timeout=60)
    path.rename(aside)
    for order in (1, 2, 3):
        future = store_sync.enqueue(key_of(cart(order)), doing(cart(order)))
        with pytest.raises(StoreDown):
            future.result(timeout=60)
    assert store_sync.is_down
    store_sync.enqueue(key_of(cart(4)), doing(cart(4)))
    aside.rename(path)
    store_sync.begin().result(timeout=60)

    assert store_sync.ask(reading([PLACE], now=0)).result(timeout=60) == {PLACE: cart(4).value}
    assert not store_sync.is_down
    store_sync.close()


def test_failing_task_delays_no_other_task(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    store_sync = StoreSync(sqlite.opener(tmp_path / "store.db"))
    store_sync.enqueue("bad", lambda _: {}["secret"]).exception(timeout=60)
    store_sync.enqueue(key_of(cart(1)), doing(cart(1))).result(timeout=60)

    assert store_sync.ask(reading([PLACE], now=0)).result(timeout=60) == {PLACE: cart(1).value}
    assert caplog.messages == ["store: a value could not be kept (KeyError)"]
    store_sync.close()


def test_a_question_that_is_called_off_fails_no_other_and_no_store(tmp_path: Path) -> None:
    store_sync = StoreSync(sqlite.opener(tmp_path / "store.db"))
    has_begun, may_go_on = Event(), Event()

    def wait_with(_: Store) -> str:
        has_begun.set()
        assert may_go_on.wait(START_SECONDS)
        return "answered"

    asked = store_sync.ask(wait_with)
    assert has_begun.wait(START_SECONDS)
    called_off, other = store_sync.ask(lambda _: "nobody waits"), store_sync.ask(lambda _: "answered")
    is_called_off = asked.cancel(), called_off.cancel()  # as asyncio does for a task that is over
    may_go_on.set()

    assert other.result(START_SECONDS) == "answered"
    assert store_sync.ask(lambda _: "answered").result(START_SECONDS) == "answered"
    assert is_called_off == (False, True)  # what is being answered is
    assert asked.result(START_SECONDS) == "answered"
    assert not store_sync.is_down
    store_sync.close()


def test_a_thousand_carts_that_wait_push_no_logout_out(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    store_sync = StoreSync(sqlite.opener(path))
    store_sync.begin().result(timeout=60)
    path.rename(tmp_path / "aside.db")
    logout = Revocation(Revoked.SESSION, "s0", 1, FAR)
    store_sync.record([logout]).exception(timeout=60)
    store_sync.record(
        [Revocation(Revoked.CART, f"s{number}", number, FAR) for number in range(20_000)]
    ).exception(timeout=60)

    (tmp_path / "aside.db").rename(path)
    store_sync.begin().result(timeout=60)
    assert logout in store_sync.ask(lambda store: list(store.changes(0))).result(timeout=60)
    store_sync.close()


def test_version_decides_which_cart_of_a_session_is_newer_for_any_clocks(
    store: Store,
) -> None:
    ahead, behind, older = (cart_of("a", 2, 50), cart_of("a", 3, 0), cart_of("a", 1, 90))
    for one in (ahead, behind, older):
        doing(one)(store)

    kept = store.read(StoreNamespace.CART, "c:21")
    assert kept is not None
    assert read_cart(kept.value).entries == {"v": 3}


def test_older_cart_of_another_session_is_dropped_beyond_the_leeway_of_clocks(
    store: Store,
) -> None:
    for one in (
        cart_of("a", 9, 100, owner="c:22"),
        cart_of("b", 1, 50, owner="c:22"),
        cart_of("c", 5, -30, owner="c:22"),
    ):
        doing(one)(store)

    kept = store.read(StoreNamespace.CART, "c:22")
    assert kept is not None
    assert read_cart(kept.value).entries == {"v": 1}


def cart_of(session_id: str, version: int, seconds: int, *, owner: str = "c:21") -> Write:
    """Keep a cart of one session, so many seconds from now."""
    now = datetime(2026, 11, 24, 12, tzinfo=UTC) + timedelta(seconds=seconds)
    until = now + timedelta(days=9)
    return cart_write(owner, {"v": version}, session_id=session_id, version=version, now=now, until=until)
