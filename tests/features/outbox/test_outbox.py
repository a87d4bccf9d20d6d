"""The outbox in SQLite and PostgreSQL: one sender leases each message, and a doubtful delivery counts as uncertain."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from statistics import median
from time import perf_counter, sleep

import psycopg
import pytest
from harness.postgres import Postgres, postgres

from cookieguard.features.outbox.outbox import Outbox, OutboxDown, Outcome, Row, State

Open = Callable[[], Outbox]
RUN = "policy-2026-12-15"
PLACE = (RUN, "000000")
MOST_GROWTH = 4  # the last third beside the first; where each claim goes through all it is ten times and more


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    """Run one PostgreSQL for this module."""
    with postgres() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgres"])
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Open]:
    """Return what opens an empty outbox once more."""
    made: list[Outbox] = []

    def open_outbox() -> Outbox:
        if request.param == "postgres":
            made.append(Outbox(request.getfixturevalue("server").url))
        else:
            made.append(Outbox(tmp_path / "outbox.db"))
        return made[-1]

    open_outbox().forget(RUN)
    yield open_outbox
    for one in made:
        one.close()


def filled(opened: Open, count: int) -> Outbox:
    outbox = opened()
    outbox.begin(RUN, "secret")
    outbox.add(RUN, [Row(f"{at:06}", f"sealed {at}") for at in range(count)])
    outbox.fill(RUN)
    return outbox


def test_messages_of_an_incomplete_run_are_not_sent(opened: Open) -> None:
    outbox = opened()
    outbox.begin(RUN, "secret")
    outbox.add(RUN, [Row("a", "x")])

    assert outbox.claim([RUN], 10, lease="one", seconds=60) == []
    assert outbox.wait([RUN]) is None
    outbox.fill(RUN)
    assert [one.who for one in outbox.claim([RUN], 10, lease="one", seconds=60)] == ["a"]


def test_customer_that_comes_twice_has_one_message_and_a_run_keeps_its_first_secret(opened: Open) -> None:
    outbox = opened()

    assert outbox.begin(RUN, "first") == "first"
    assert opened().begin(RUN, "second") == "first"
    assert outbox.add(RUN, [Row("a", "x"), Row("b", "y")]) == 2
    assert outbox.add(RUN, [Row("a", "other"), Row("c", "z")]) == 1
    assert outbox.count(RUN).total == 3


def test_claims_of_many_senders_never_meet(opened: Open) -> None:
    filled(opened, 300)
    ready = threading.Barrier(4)

    def claim_all(lease: str) -> list[str]:
        outbox, found = opened(), []
        ready.wait()
        while some := outbox.claim([RUN], 7, lease=lease, seconds=600):
            found += [one.who for one in some]
        return found

    with ThreadPoolExecutor(4) as threads:
        found = [who for some in threads.map(claim_all, "abcd") for who in some]

    assert len(found) == len(set(found)) == 300


def test_message_of_a_sender_that_died_before_handing_over_is_not_uncertain(opened: Open) -> None:
    outbox = filled(opened, 1)
    outbox.claim([RUN], 1, lease="dead", seconds=0.05)
    sleep(0.1)

    (again,) = outbox.claim([RUN], 1, lease="next", seconds=60)

    assert (again.tries, again.uncertain) == (2, 0)


def test_message_of_a_sender_that_died_while_handing_over_is_told_as_uncertain(opened: Open) -> None:
    outbox = filled(opened, 1)
    outbox.claim([RUN], 1, lease="dead", seconds=60)
    assert outbox.step([PLACE], [], lease="dead", seconds=0.05) == {PLACE}
    sleep(0.1)

    (again,) = outbox.claim([RUN], 1, lease="next", seconds=60)

    assert again.uncertain == 1
    assert outbox.count(RUN).uncertain == 1


def test_sender_whose_lease_is_over_may_not_hand_over_nor_note(opened: Open) -> None:
    outbox = filled(opened, 1)
    outbox.claim([RUN], 1, lease="slow", seconds=0.05)
    sleep(0.1)

    assert outbox.step([PLACE], [], lease="slow", seconds=60) == set()
    outbox.claim([RUN], 1, lease="next", seconds=60)
    assert outbox.step([PLACE], [Outcome(*PLACE, State.SENT)], lease="slow", seconds=60) == set()
    assert outbox.count(RUN).sent == 0
    assert outbox.step([PLACE], [], lease="next", seconds=60) == {PLACE}


def test_address_of_a_message_that_is_done_is_gone(opened: Open) -> None:
    outbox = filled(opened, 2)
    outbox.claim([RUN], 2, lease="one", seconds=60)
    done = [Outcome(*PLACE, State.SENT, "250"), Outcome(RUN, "000001", State.REFUSED, "550")]

    outbox.step([], done, lease="one", seconds=60)

    run = outbox.count(RUN)
    assert (run.sent, run.refused, run.waiting) == (1, 1, 0)
    assert outbox.replies(RUN) == {"550": 1}
    assert outbox.wait([RUN]) is None
    assert outbox.database.rows("SELECT DISTINCT recipient FROM cookieguard_mail") == [("",)]


def test_messages_that_wait_come_due_each_after_its_delay(opened: Open) -> None:
    outbox = filled(opened, 2)
    outbox.claim([RUN], 2, lease="one", seconds=60)
    soon = Outcome(*PLACE, State.WAITING, "450", delay=0.2)
    late = Outcome(RUN, "000001", State.WAITING, "450", delay=600.0)

    outbox.step([], [soon, late], lease="one", seconds=60)

    assert 0 <= (outbox.wait([RUN]) or 0) <= 0.2
    sleep(0.3)
    assert [one.who for one in outbox.claim([RUN], 2, lease="one", seconds=60)] == [PLACE[1]]
    assert 1 < (outbox.wait([RUN]) or 0) <= 600


@pytest.mark.slow
def test_a_claim_takes_as_long_however_many_were_claimed_before(opened: Open) -> None:
    outbox = filled(opened, 30_000)
    who, took = list[str](), list[float]()
    began = perf_counter()

    while some := outbox.claim([RUN], 500, lease="one", seconds=600):
        who += [one.who for one in some]
        took.append(perf_counter() - began - sum(took))

    print(f"{type(outbox.database).__name__}: {len(who) / sum(took):,.0f} claims/s")
    assert len(who) == len(set(who)) == 30_000
    assert median(took[-20:]) < MOST_GROWTH * median(took[:20])


def test_sender_goes_on_after_a_restart_of_the_server(server: Postgres) -> None:
    with closing(Outbox(server.url)) as outbox:
        outbox.forget(RUN)
        outbox.begin(RUN, "secret")
        outbox.add(RUN, [Row(PLACE[1], "sealed")])
        outbox.fill(RUN)
        with psycopg.connect(server.url, autocommit=True) as other:
            other.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
            )

        with pytest.raises(OutboxDown):
            outbox.claim([RUN], 1, lease="one", seconds=60)

        assert [one.who for one in outbox.claim([RUN], 1, lease="one", seconds=60)] == [PLACE[1]]
        assert outbox.step([PLACE], [], lease="one", seconds=60) == {PLACE}
        outbox.forget(RUN)


def test_message_that_is_withdrawn_is_sent_by_nobody_and_one_that_was_sent_stays_counted(
    opened: Open,
) -> None:
    outbox = filled(opened, 3)
    assert outbox.secrets()[RUN] == "secret"
    outbox.claim([RUN], 2, lease="one", seconds=60)
    outbox.step([], [Outcome(RUN, "000001", State.SENT, "250")], lease="one", seconds=60)

    for who in ("000000", "000001", "nobody"):
        outbox.withdraw(RUN, who)

    assert outbox.step([PLACE], [], lease="one", seconds=60) == set()
    assert (outbox.count(RUN).total, outbox.count(RUN).sent) == (2, 1)
