"""Remember-me under races: tabs on two workers, lost answers, a store that fails, and a thief.

An honest customer is never thrown out, and a copy that was used ends both.
"""

from __future__ import annotations

import asyncio
import logging
import random
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from harness.asgi import Answer, drive
from harness.servers import START_SECONDS
from harness.stores import SqliteStore

from cookieguard.identity.remember_me import COPY_USED, Series, use
from cookieguard.identity.revocations import Revoked, ended_series
from cookieguard.keyring import new_key
from cookieguard.storage.keyring_file import HASTE, LOOK_EVERY, change_keyring
from cookieguard.storage.keyring_source import beside
from cookieguard.storage.store.remember_me import WARNING_NAMESPACE, turn

from .test_remember_me import REMEMBER, Client, Shop, store_of, until

SEEDS = 15
QUICK = 3  # of them; they wait most of the time
ROUNDS = 80
ALARM = "remember cookie used elsewhere"


seeds = pytest.mark.parametrize(
    "seed", [pytest.param(seed, marks=[] if seed < QUICK else [pytest.mark.slow]) for seed in range(SEEDS)]
)


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    shop = Shop(tmp_path / "state")
    yield shop
    shop.close()


def together(client: Client, paths: list[str], workers: list[int]) -> list[Answer]:
    """Send requests at once, all with what the browser has now."""
    answers = [Answer(scope=client.scope(path)) for path in paths]

    async def send() -> None:
        pairs = zip(workers, answers, strict=True)
        await asyncio.gather(*(drive(client.shop.workers[worker], answer) for worker, answer in pairs))

    asyncio.run(send())
    return answers


@contextmanager
def store_locked(shop: Shop, *, is_locked: bool = True) -> Iterator[None]:
    with closing(sqlite3.connect(shop.directory / "store.db", isolation_level=None, timeout=60)) as other:
        if is_locked:
            other.execute("BEGIN IMMEDIATE")
        yield
        if is_locked:
            other.execute("ROLLBACK")


def is_well(shop: Shop) -> bool:
    """Return whether both workers have written what waits, and then heard of it for long enough."""
    store_syncs = [worker._parts.store_sync for worker in shop.workers]
    asked = [store_sync.begin().exception(START_SECONDS) is None for store_sync in store_syncs * 2]  # type: ignore[union-attr]
    return all(asked) and all(store_sync.revocations.is_certain for store_sync in store_syncs)  # type: ignore[union-attr]


@seeds
def test_an_honest_browser_is_never_thrown_out_and_raises_no_alarm(
    seed: int, shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    chance = random.Random(seed)
    ada = Client(shop)
    assert ada.customer("/remember/17") == "17"
    login = shop.now
    told = {"opened": 0, "lost": 0, "locked": 0, "known": 0}
    caplog.set_level(logging.WARNING, "cookieguard")

    for _ in range(ROUNDS):
        if shop.now - login > timedelta(days=80):
            ada.get("/logout")
            assert ada.customer("/remember/17") == "17"
            login = shop.now
        if chance.random() < 0.6:
            ada.lose_session()  # the browser was closed
        shop.skew = timedelta(seconds=chance.uniform(-25, 25))  # 50 s from one to the next
        has_lock = chance.random() < 0.04
        with store_locked(shop, is_locked=has_lock):
            tabs = chance.randrange(1, 7)
            answers = together(ada, ["/"] * tabs, [chance.randrange(2) for _ in range(tabs)])
        until(lambda: is_well(shop))
        known = [answer for answer in answers if "'17'" in answer.text]
        assert has_lock or len(known) == tabs, [answer.text for answer in answers]
        assert all(answer.status == 200 for answer in answers)
        chance.shuffle(answers)
        arrived = [answer for answer in answers if chance.random() < 0.75]
        for answer in arrived:
            ada.take(answer)
        told["opened"] += tabs
        told["lost"] += tabs - len(arrived)
        told["locked"] += has_lock
        told["known"] += len(known)
        shop.wait(seconds=chance.choice([0, 1, 30, 70, 400, 700, 3600, 100_000, 200_000]))

    assert ALARM not in caplog.text
    assert told["lost"] > 10
    ada.lose_session()
    assert ada.customer() == "17"
    print(seed, told, store_of(ada).current)


@seeds
def test_a_copy_used_at_the_same_second_ends_both_once_both_went_on(
    seed: int, shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    """Both get the same number within the minute; who is second with it the next time is the copy."""
    chance = random.Random(seed)
    ada = Client(shop)
    ada.customer("/remember/17")
    ada.lose_session()
    thief = ada.copy()
    answers = together(ada, ["/"] * 4, [chance.randrange(2) for _ in range(4)])
    for client, answer in zip((ada, thief, ada, thief), answers, strict=True):
        assert "'17', True" in answer.text
        client.take(answer)
    pair = [ada, thief]
    chance.shuffle(pair)

    for client in pair:
        assert client.customer(worker=chance.randrange(2)) == "17"
    shop.wait(minutes=chance.choice([2, 90]))
    for client in pair:
        client.lose_session()
    first, second = pair
    assert first.customer(worker=chance.randrange(2)) == "17"
    assert first.customer(worker=chance.randrange(2)) == "17"
    shop.wait(minutes=2)
    with caplog.at_level(logging.WARNING, "cookieguard"):
        assert second.customer(worker=chance.randrange(2)) is None

    assert caplog.text.count(ALARM) == 1
    for client in pair:
        for worker in (0, 1):
            until(lambda client=client, worker=worker: client.customer(worker=worker) is None)  # type: ignore[misc]
    ada.get("/login/17")
    assert ada.get()[3] == [COPY_USED]


@pytest.mark.parametrize("how", ["/logout_everywhere", "/logout"])
@seeds
def test_a_rotation_beside_goodbye_leaves_nobody_logged_in(how: str, seed: int, shop: Shop) -> None:
    """Some tabs come back by the cookie while another says goodbye; whatever answer arrives last."""
    chance = random.Random(seed)
    ada = Client(shop)
    ada.customer("/remember/17")
    other = Client(shop)
    other.get("/login/17")
    before = dict(ada.cookies)
    returning = Client(shop, {REMEMBER: before[REMEMBER]})
    answers: list[Answer] = [Answer(scope=returning.scope("/")) for _ in range(4)]
    answers.insert(chance.randrange(5), Answer(scope=ada.scope(how)))

    async def send() -> None:
        await asyncio.gather(*(drive(shop.workers[chance.randrange(2)], answer) for answer in answers))

    asyncio.run(send())
    assert [answer.status for answer in answers] == [200] * 5
    chance.shuffle(answers)
    for answer in answers:
        ada.take(answer)
    shop.wait(seconds=1)
    until(lambda: is_well(shop))

    for worker in (0, 1):
        assert Client(shop, ada.cookies).customer(worker=worker) is None
        assert Client(shop, before).customer(worker=worker) is None
        for answer in answers:
            late = Client(shop)
            late.take(answer)
            assert late.customer(worker=worker) is None
        assert (other.customer(worker=worker) is None) is (how == "/logout_everywhere")


def test_goodbye_is_in_the_store_before_its_response_with_all_that_the_series_gave(shop: Shop) -> None:
    for number in range(10):
        ada = Client(shop)
        ada.customer(f"/remember/{number}")
        ada.get("/logout")
        with closing(SqliteStore(shop.directory / "store.db")) as store:
            ended = [one for one in store.changes(0) if one.what is Revoked.SERIES]
        assert len(ended) == number + 1


@pytest.mark.parametrize("seed", range(4))
def test_a_rotation_beside_another_key_costs_nobody_the_cookie(seed: int, shop: Shop) -> None:
    chance = random.Random(seed)
    ada = Client(shop)
    ada.customer("/remember/17")
    file = beside(shop.directory)
    signed = set()

    for number in range(6):
        now = datetime.now(UTC)
        new = new_key(now)
        change_keyring(file, "keys", lambda before, new=new: before.with_key(new))  # type: ignore[misc,union-attr]
        change_keyring(
            file,
            "keys",
            lambda before, new=new, now=now: before.promoted(new.id, now=now, force=True),  # type: ignore[misc,union-attr]
        )
        time.sleep(HASTE.total_seconds())  # commands take longer, too
        ada.lose_session()
        answers = together(ada, ["/"] * 4, [chance.randrange(2) for _ in range(4)])
        assert all("'17', True" in answer.text for answer in answers)
        for answer in answers:
            ada.take(answer)
        signed.add(ada.cookies[REMEMBER].split(".")[1])
        shop.wait(minutes=number)
        time.sleep(LOOK_EVERY.total_seconds() if number == 2 else 0)
    assert ada.customer() == "17"
    assert len(signed) > 1


def test_a_copy_is_told_though_the_store_goes_right_after_it_was_noticed(tmp_path: Path) -> None:
    """A worker that is killed between two writes: what was ended makes nobody ask again, so the warning is first."""
    now = datetime(2026, 11, 24, tzinfo=UTC)
    path = tmp_path / "store.db"
    series = Series(customer="17", authenticated=0, ends=10**14, current=5, previous=4, is_seen=True)
    until_ = 10**14

    class Going(SqliteStore):
        """A store that fails after so many writes."""

        left = 0

        def spend(self) -> None:
            if Going.left == 0:
                raise ConnectionError
            Going.left -= 1

        def record(self, revocations: Any) -> None:
            self.spend()
            super().record(revocations)

        def write(self, *args: Any, **more: Any) -> int:
            self.spend()
            return super().write(*args, **more)

        def erase(self, *args: Any, **more: Any) -> bool:
            self.spend()
            return super().erase(*args, **more)

    revocation = ended_series("k", now=now, longest=timedelta(days=90))
    for writes in range(4):
        for one in tmp_path.iterdir():
            one.unlink()
        store = SqliteStore(path)
        store.write("remember", "k", series.encode(), until=until_)
        going = Going(path)
        Going.left = writes
        with suppress(ConnectionError):
            turn(going, key="k", step=lambda one: use(one, 3, now=now), revocation=revocation)
        is_ended = any(True for _ in store.changes(0))
        is_there = store.read("remember", "k") is not None
        is_told = store.read(WARNING_NAMESPACE, "17") is not None
        assert is_told or (is_there and not is_ended), writes
        going.close()
        store.close()


def test_a_cookie_of_another_customer_is_not_renewed_beside_a_session(shop: Shop) -> None:
    """Somebody's cookie was put beside it: whoever is logged in must not become him when the session ends."""
    ada, eve = Client(shop), Client(shop)
    ada.customer("/login/17")
    eve.customer("/remember/99")
    ada.cookies[REMEMBER] = eve.cookies[REMEMBER]
    shop.wait(days=2)  # the session is renewed

    assert ada.customer() == "17"

    assert REMEMBER not in ada.cookies
    ada.lose_session()
    assert ada.customer() is None
    eve.lose_session()
    assert eve.customer() == "99"
