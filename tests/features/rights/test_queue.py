"""The queue in SQLite and PostgreSQL: one worker leases each request, and a person's requests run one at a time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from harness.postgres import Postgres, postgres

from cookieguard.features.rights.queue import Queue, QueueDown
from cookieguard.features.rights.requests import Requests
from cookieguard.features.rights.values.by_staff import Standing
from cookieguard.features.rights.values.requests import Act, Request, Via, answer_told, noted, step_done
from cookieguard.features.rights.values.rules import Law, RequestKind
from cookieguard.keyring import Keyring, new_key
from cookieguard.storage.sealing import Seal, SealBroken

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
Open = Callable[[], Requests]
KEYRING = Keyring.generate(NOW)
LEASE = 60.0


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    """Run one PostgreSQL for this module."""
    with postgres() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgres"])
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Open]:
    """Return what opens an empty queue once more."""
    made: list[Requests] = []

    def open_queue() -> Requests:
        if request.param == "postgres":
            made.append(Requests(Queue(request.getfixturevalue("server").url), KEYRING))
        else:
            made.append(Requests(Queue(tmp_path / "requests.db"), KEYRING))
        return made[-1]

    queue = open_queue()
    for one in (*queue.queue.open_rows(), *queue.queue.closed_rows()):
        queue.queue.forget(one.id)
    yield open_queue
    for queue in made:
        queue.close()


def asked(id_: str, customer: str = "10001", **values: object) -> Request:
    return Request(
        id=id_,
        kind=RequestKind.ERASE,
        law=Law.GDPR,
        received=NOW,
        via=Via.LOGIN,
        customer=customer,
        steps=("shop",),
        **values,  # type: ignore[arg-type]
    )


def test_request_is_found_by_its_id_and_by_its_person(opened: Open) -> None:
    queue = opened()

    assert queue.add(asked("a"), has_work=True)
    assert not queue.add(asked("a", "10002"), has_work=True)
    letter = Request(
        id="b",
        kind=RequestKind.EXPORT,
        law=Law.GDPR,
        received=NOW,
        via=Via.STAFF,
        contact="Anna@shop.example",
    )
    assert queue.add(letter, has_work=False)
    assert queue.find("a") == asked("a")
    assert queue.of_customer("10001") == [asked("a")]
    assert queue.of_customer("10002") == []
    assert queue.of_contact("anna@shop.example") == [letter]


def test_letter_reads_what_is_open_with_days_left_and_nobody_s_name(opened: Open) -> None:
    queue = opened()
    queue.add(asked("a", text="please, Anna"), has_work=True)
    queue.change("a", lambda one: noted(one, Act.FAILED, now=NOW, by="w", name="shop", text="locked"))

    ((one,), _) = queue.survey(NOW + timedelta(days=10))

    assert (one.id, one.days_left, one.standing, one.trouble) == ("a", 20, Standing.BY_HAND, "shop: locked")
    assert "10001" not in repr(one)
    assert "Anna" not in repr(one)


def test_closed_requests_come_newest_first_page_by_page_and_one_that_does_not_open_is_left_out(
    opened: Open,
) -> None:
    queue = opened()
    for name in "abcd":
        queue.add(asked(name, text="please, Anna"), has_work=False)
    for name in "abc":
        queue.change(name, partial(noted, act=Act.WITHDRAWN, now=NOW, by="x"))
    row = queue.queue.read("b")
    assert row is not None
    queue.queue.write(row._replace(sealed=row.sealed[:-1] + bytes([row.sealed[-1] ^ 1])))

    pages = [queue.survey_closed(NOW, skipped=skipped, count=2) for skipped in (0, 2, 4)]

    assert [([one.id for one in found], more) for found, more in pages] == [
        (["c"], True),
        (["a"], False),
        ([], False),
    ]
    assert pages[0][0][0].closed == NOW.date()
    assert "10001" not in repr(pages)
    assert "Anna" not in repr(pages)


def test_two_writers_of_one_request_lose_no_note(opened: Open) -> None:
    queue = opened()
    queue.add(asked("a"), has_work=False)

    def write(by: str) -> None:
        mine = opened()
        for at in range(5):
            mine.change("a", lambda one, at=at: noted(one, Act.NOTE, now=NOW, by=by, text=f"{at}"))  # type: ignore[misc]

    threads = [threading.Thread(target=write, args=(by,)) for by in ("x", "y")]
    for one in threads:
        one.start()
    for one in threads:
        one.join()

    found = queue.find("a")
    assert found is not None
    assert sorted((one.by, one.text) for one in found.events) == [
        (by, f"{at}") for by in ("x", "y") for at in range(5)
    ]


def test_work_is_leased_once_and_of_one_person_one_request_at_a_time(opened: Open) -> None:
    queue, other = opened(), opened()
    queue.add(asked("a"), has_work=True)
    queue.add(asked("b"), has_work=True)
    queue.add(asked("c", "10002"), has_work=True)
    queue.add(asked("d", "10003"), has_work=False)

    first, second = queue.claim("one", LEASE), other.claim("two", LEASE)
    assert first is not None
    assert second is not None
    assert (first[0].id, second[0].id) == ("a", "c")
    assert other.claim("three", LEASE) is None
    assert queue.queue.release("a", "one", work_in=None, failed=False)
    third = other.claim("three", LEASE)
    assert third is not None
    assert third[0].id == "b"


def test_lease_of_a_worker_that_died_ends_by_itself_and_it_cannot_end_another_s(opened: Open) -> None:
    queue = opened()
    queue.add(asked("a"), has_work=True)
    assert queue.claim("dead", 0.0) is not None

    again = queue.claim("alive", LEASE)

    assert again is not None
    assert not queue.queue.renew("a", "dead", LEASE)
    assert not queue.queue.release("a", "dead", work_in=None, failed=False)
    assert queue.queue.renew("a", "alive", LEASE)


def test_failure_is_counted_and_waits_and_success_begins_anew(opened: Open) -> None:
    queue = opened()
    queue.add(asked("a"), has_work=True)
    assert queue.claim("one", LEASE) is not None
    queue.queue.release("a", "one", work_in=3600, failed=True)

    assert queue.claim("two", LEASE) is None
    queue.queue.wake("a")
    claimed = queue.claim("two", LEASE)
    assert claimed is not None
    assert claimed[1] == 1
    queue.queue.release("a", "two", work_in=0, failed=False)
    claimed = queue.claim("three", LEASE)
    assert claimed is not None
    assert claimed[1] == 0


def test_closed_request_leaves_the_list_and_a_forgotten_person_is_in_no_row(opened: Open) -> None:
    queue = opened()
    queue.add(asked("a", text="I am Anna"), has_work=False)
    queue.change("a", lambda one: step_done(one, "shop", now=NOW, by="w"))
    queue.change("a", lambda one: noted(one, Act.DONE, now=NOW, by="w", text="Gone, Anna."))
    assert [one.standing for one in queue.survey(NOW)[0]] == [Standing.UNSENT]
    queue.change("a", lambda one: answer_told(one, now=NOW, by="w"))
    queue.keep_file("a", b"everything")
    assert queue.file("a") == b"everything"

    queue.queue.forget_file("a")
    queue.forget_person("10001", "")

    assert queue.survey(NOW)[0] == []
    (left,) = queue.every_closed()
    assert "Anna" not in repr(left)
    assert "10001" not in repr(left)
    assert queue.of_customer("10001") == []
    assert queue.file("a") is None


def test_files_hold_nobody_in_the_clear_and_open_with_the_shop_s_keyring_only(tmp_path: Path) -> None:
    queue = Requests(Queue(tmp_path / "requests.db"), KEYRING)
    queue.add(asked("a", "K-4711-0815", text="I am Anna Quandt"), has_work=True)
    queue.keep_file("a", b"Anna Quandt's orders")
    written = b"".join(one.read_bytes() for one in tmp_path.iterdir())

    assert b"request" in written  # the control: names of tables are in the clear
    assert b"K-4711-0815" not in written
    assert b"Quandt" not in written
    with pytest.raises(SealBroken):
        Requests(Queue(tmp_path / "requests.db"), Keyring.generate(NOW))
    sealed = Seal(KEYRING).close(b"x", about="a")
    with pytest.raises(SealBroken, match="another place"):
        Seal(KEYRING).open(sealed, about="b")
    queue.close()


def test_everything_opens_once_the_key_it_was_sealed_with_is_retired(opened: Open) -> None:
    queue = opened()
    queue.add(asked("open"), has_work=True)
    queue.add(asked("copy"), has_work=True)
    queue.keep_file("copy", b"orders")
    successor = new_key(NOW)
    both = KEYRING.with_key(successor).promoted(successor.id, now=NOW, force=True)
    alone = both.retired(KEYRING.signing.id, now=NOW, life=timedelta(), force=True)

    rotated = Requests(queue.queue, both)
    assert not rotated.is_sealed_anew
    rotated.seal_anew()

    after = Requests(queue.queue, alone)
    assert {one.id for one in after.of_customer("10001")} == {"open", "copy"}
    assert after.file("copy") == b"orders"
    assert after.is_sealed_anew
    # Back, for the tests that share the database
    Requests(queue.queue, both.promoted(KEYRING.signing.id, now=NOW, force=True)).seal_anew()


def test_a_row_that_does_not_open_stops_no_list_and_no_worker_and_is_named(opened: Open) -> None:
    queue = opened()
    queue.add(asked("broken"), has_work=True)
    queue.add(asked("whole"), has_work=True)
    row = queue.queue.read("broken")
    assert row is not None
    queue.queue.write(row._replace(sealed=row.sealed[:-1] + bytes([row.sealed[-1] ^ 1])))

    assert [one.id for one in queue.every_open(NOW)] == ["whole"]
    assert [one.id for one in queue.of_customer("10001")] == ["whole"]
    assert queue.survey(NOW)[1] == ["broken"]
    claimed = queue.claim("one", LEASE)
    assert claimed is not None
    assert claimed[0].id == "whole"
    queue.queue.release("whole", "one", work_in=None, failed=False)
    assert queue.claim("two", LEASE) is None  # it is tried again later, and blocks nobody until then
    queue.seal_anew()


def test_id_of_another_kind_finds_nothing_and_is_no_fault_of_the_queue(opened: Open) -> None:
    queue = opened()

    assert [queue.find(one) for one in ("x\x00", "\ud800", "", "a" * 65)] == [None] * 4


def test_request_that_is_woken_while_leased_is_worked_once_more(opened: Open) -> None:
    queue = opened()
    queue.add(asked("a"), has_work=True)
    for work_in in (None, 3600.0):
        assert queue.claim("mine", LEASE) is not None
        queue.queue.wake("a")
        assert queue.claim("theirs", LEASE) is None
        queue.queue.release("a", "mine", work_in=work_in, failed=False)
    assert queue.claim("mine", LEASE) is not None
    queue.queue.release("a", "mine", work_in=None, failed=False)

    assert queue.claim("mine", LEASE) is None


@pytest.mark.parametrize("asks", [Requests.every_closed, lambda queue: queue.add(asked("b"), has_work=True)])
def test_queue_whose_place_a_backup_took_is_down_and_not_read_or_written_on(
    tmp_path: Path, asks: Callable[[Requests], object]
) -> None:
    file, kept = tmp_path / "requests.db", tmp_path / "backup.db"
    Requests(Queue(kept), KEYRING).close()
    queue = Requests(Queue(file), KEYRING)
    kept.replace(file)

    with pytest.raises(QueueDown, match="another file"):
        asks(queue)

    queue.close()
