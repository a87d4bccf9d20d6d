"""The log in SQLite: acknowledged records are stored, numbered and signed, and edits are found."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import replace
from datetime import timedelta
from threading import get_ident

import pytest
from harness.servers import START_SECONDS, wait_until

from cookieguard.features.records.log_reader import make_receipt, read_record, read_subject
from cookieguard.features.records.store.open import trusted_keys
from cookieguard.features.records.store.protocol import LogDown, Stores
from cookieguard.features.records.values.log import Acknowledgement
from cookieguard.features.records.values.notes import open_signed
from cookieguard.features.records.values.receipts import verify_receipt
from cookieguard.features.records.values.records import Record, customer, read_document
from cookieguard.features.records.values.verification import Verdict
from cookieguard.features.records.writer import NUMBERED_AT_ONCE, SEQUENCE_SECONDS

from .conftest import NAME, World, record_of

PROMISED_SECONDS = 5


def test_what_was_acknowledged_is_there_sealed_numbered_and_signed(world: World) -> None:
    records = [record_of(customer(f"c-{number}"), note=f"text {number}") for number in range(300)]
    world.write(*records)

    stores = world.stores()
    for one in records:
        found = read_record(stores, one.id)
        assert found is not None
        assert read_document(found.record)["note"] == one.facts["note"]
    note = stores.log.checkpoint()
    assert note is not None
    assert open_signed(note, trusted_keys(world.keyring, NAME))[0].size == 300
    assert world.verify().verdict is Verdict.WHOLE
    stores.close()


def test_files_of_the_log_hold_only_kind_and_time_of_a_record_in_clear(world: World) -> None:
    if world.place.log_file is None:
        pytest.skip("a server's files are not ours to read")
    world.write(record_of(customer("customer-number-4711"), kind="consent", secret="said-in-private"))

    content = b"".join(path.read_bytes() for path in world.place.log_file.parent.iterdir())
    assert b"consent" in content
    for secret in (b"customer-number-4711", b"said-in-private"):
        assert secret not in content


def test_a_record_of_an_id_that_is_there_changes_nothing(world: World) -> None:
    first = record_of(said="first")
    world.write(first)
    world.write(replace(first, facts={"said": "second"}), record_of())

    stores = world.stores()
    found = read_record(stores, first.id)
    assert found is not None
    assert read_document(found.record)["said"] == "first"
    assert world.verify().size == 2
    stores.close()


def test_all_records_of_a_subject_are_found_in_order_and_nobody_elses(world: World) -> None:
    records = [record_of(customer("1" if number % 2 else "2"), number=number) for number in range(6)]
    world.write(*records)

    stores = world.stores()
    mine = [read_document(found.record)["number"] for found in read_subject(stores, customer("1"))]
    assert mine == [1, 3, 5]
    assert read_subject(stores, customer("3")) == []
    stores.close()


def test_a_receipt_proves_a_record_to_who_has_the_logs_key_alone(world: World) -> None:
    records = [record_of(number=number) for number in range(20)]
    world.write(*records)
    stores = world.stores()
    text = make_receipt(stores, records[7].id)
    stores.close()

    assert text is not None
    receipt = verify_receipt(text, keys=trusted_keys(world.keyring, NAME))
    assert receipt.record["number"] == 7
    assert (receipt.index, receipt.size, receipt.origin) == (7, 20, NAME)
    assert len(json.loads(text)["proof"]) < 1200


def test_a_row_put_there_by_hand_is_not_signed_but_named(world: World) -> None:
    world.write(record_of(), record_of())
    world.edit(
        "INSERT INTO record (id, subject, about, entry, sealed, mac) "
        "SELECT subject, subject, about, entry, sealed, subject FROM record WHERE number = 0"
    )
    world.write(record_of())

    report = world.verify()
    assert report.size == 3
    assert report.verdict is Verdict.BROKEN
    assert "no worker wrote" in report.faults[0].what


def test_eight_workers_on_two_clocks_and_after_a_restart_keep_one_log(world: World) -> None:
    for start in (0, 200):
        workers = [world.writer() for _ in range(8)]
        futures = []
        for number in range(start, start + 200):
            late = timedelta(seconds=50 if number % 2 else 0)  # of two machines
            record = record_of(customer(str(number % 8)), number=number)
            futures.append(workers[number % 8].append(replace(record, time=record.time + late)))
        for future in futures:
            future.result(30)
        for worker in workers:
            worker.close()

    report = world.verify()
    assert (report.verdict, report.size, report.rows) == (Verdict.WHOLE, 400, 400)
    stores = world.stores()
    for subject in range(8):
        found = [read_document(one.record)["number"] for one in read_subject(stores, customer(str(subject)))]
        assert found == list(range(subject, 400, 8))
    stores.close()


def test_a_record_gets_its_number_within_five_seconds(world: World) -> None:
    writer = world.writer()
    one = record_of()
    assert SEQUENCE_SECONDS < PROMISED_SECONDS

    writer.append(one).result(START_SECONDS)
    wait_until(
        lambda: writer.ask(lambda stores: make_receipt(stores, one.id)).result(START_SECONDS) is not None,
        "it has a number, on a machine that has too much to do",
    )


@pytest.mark.parametrize("world", ["postgres"], indirect=True)
def test_about_one_of_many_workers_a_second_numbers_the_rows_of_all(world: World) -> None:
    workers = [world.writer() for _ in range(6)]
    begun, futures = time.monotonic(), []
    for turn in range(24):  # one after the other, so that their seconds end apart
        futures += [one.append(record_of()) for one in workers[: turn + 1]]
        time.sleep(0.16)
    for future in futures:
        future.result(START_SECONDS)

    stores = world.stores()
    signed, seconds = len(list(stores.log.checkpoints())), time.monotonic() - begun
    stores.close()
    assert 1 <= signed <= 1 + 1.7 * seconds  # each by itself: six a second


@pytest.mark.parametrize("world", ["postgres"], indirect=True)
def test_subjects_that_two_workers_meet_at_once_have_one_key_each(world: World) -> None:
    workers = [world.writer() for _ in range(2)]
    for one in workers:  # the first record opens the stores
        one.append(record_of()).result(START_SECONDS)
    subjects = [customer(f"new-{number}") for number in range(60)]
    futures = [
        worker.append(record_of(one))
        for worker, order in zip(workers, (subjects, subjects[::-1]), strict=True)
        for one in order
    ]
    for future in futures:
        future.result(START_SECONDS)

    stores = world.stores()
    assert [len(read_subject(stores, one)) for one in subjects] == [2] * 60
    assert all(found.record for one in subjects for found in read_subject(stores, one))
    stores.close()


def test_rows_of_a_dead_worker_are_numbered_by_another(world: World) -> None:
    writer = world.writer()
    writer.append(record_of()).result(START_SECONDS)
    writer.__class__._number, kept = lambda *_, **__: None, writer.__class__._number  # type: ignore[method-assign]
    try:
        writer.append(record_of()).result(START_SECONDS)
        writer.close()
    finally:
        writer.__class__._number = kept  # type: ignore[method-assign]
    stores = world.stores()
    assert stores.log.has_waiting()
    stores.close()

    other = world.writer()
    other.begin()
    wait_until(
        lambda: not other.ask(lambda stores: stores.log.has_waiting()).result(START_SECONDS), "it is numbered"
    )


@pytest.mark.parametrize("world", ["sqlite"], indirect=True)
def test_worker_that_ends_numbers_all_its_rows(world: World) -> None:
    writer = world.writer()
    writer.__class__._number, kept = lambda *_, **__: None, writer.__class__._number  # type: ignore[method-assign]
    try:
        for future in [writer.append(record_of(n=at)) for at in range(NUMBERED_AT_ONCE * 2 + 10)]:
            future.result(START_SECONDS)
        writer.close()
    finally:
        writer.__class__._number = kept  # type: ignore[method-assign]
    world.write(record_of())

    stores = world.stores()
    assert not stores.log.has_waiting()
    assert stores.log.size() == NUMBERED_AT_ONCE * 2 + 11
    stores.close()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE tile SET hashes = (SELECT entry FROM record WHERE number = 1) WHERE level = 0",
        "UPDATE record SET number = number + 1000 WHERE number = 1",
    ],
)
def test_changed_tree_gets_no_further_signatures(world: World, statement: str) -> None:
    world.write(record_of(), record_of())
    world.edit(statement)
    if "tile" in statement:
        writer = world.writer()
        writer.append(record_of()).result(START_SECONDS)
        writer.close()
        assert "not the one that was signed" in writer.broken

    report = world.verify()
    assert report.size == 2
    assert report.verdict is Verdict.BROKEN


def test_a_batch_of_which_no_record_can_be_made_harms_no_store(world: World) -> None:
    writer = world.writer()
    writer.append(record_of()).result(START_SECONDS)

    def wrong() -> Record:
        raise ValueError("nothing to write")

    ended: Future[Acknowledgement] = Future()
    writer.append_later("a-record-of-nothing", wrong).add_done_callback(ended.set_result)
    assert str(ended.result(START_SECONDS).exception()) == "nothing to write"
    assert not writer.is_down
    writer.append(record_of()).result(START_SECONDS)


class LateLook(Acknowledgement):
    """A failed acknowledgement; a second read in the thread that made it waits until `until` is true."""

    def __init__(self, until: Callable[[], bool]) -> None:
        super().__init__()
        self._until, self._thread = until, get_ident()

    def done(self) -> bool:
        ends = time.monotonic() + 1
        while get_ident() == self._thread and not self._until() and time.monotonic() < ends:
            time.sleep(0.01)
        return super().done()


@pytest.mark.parametrize("world", ["sqlite"], indirect=True)
def test_second_request_for_a_record_gets_the_result_of_the_write_under_way(world: World) -> None:
    writer, record = world.writer(), record_of()
    writer.append(record_of()).result(START_SECONDS)
    other = sqlite3.connect(world.place.log, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(LogDown):
        writer.append(record).result(30)
    (item,) = writer._waiting._known.values()
    # As if it was written between a look and a new one.
    item.acknowledgement = LateLook(lambda: not writer.waiting)
    item.acknowledgement.end(LogDown("then"))
    other.execute("ROLLBACK")
    other.close()

    writer.append(record).result(START_SECONDS)


# What each schema of before has not; none had a number where one is kept now.
BEFORE_PRUNING = {
    "sqlite": (
        "PRAGMA user_version = 0",
        "UPDATE fact SET value = '3' WHERE name = 'schema'",
        "DROP INDEX record_about",
        "DROP TABLE pruned",
    ),
    "postgres": (
        "DELETE FROM cookieguard_schema",
        "UPDATE cg_log_fact SET value = '3' WHERE name = 'schema'",
        "DROP INDEX cg_log_record_about",
        "DROP TABLE cg_log_pruned",
        "DROP TABLE cg_subject_fading",
    ),
}
BEFORE = {
    "sqlite": (
        *BEFORE_PRUNING["sqlite"],
        "UPDATE fact SET value = '1' WHERE name = 'schema'",
        "DROP INDEX record_id",
        "DROP INDEX record_subject_kind",
        "DROP INDEX record_waiting_id",
        "DROP TABLE job",
        "CREATE UNIQUE INDEX record_id ON record (id) WHERE id <> x''",
        "CREATE INDEX record_subject ON record (subject)",
    ),
    "postgres": (
        *BEFORE_PRUNING["postgres"],
        "UPDATE cg_log_fact SET value = '1' WHERE name = 'schema'",
        "DROP INDEX cg_log_record_id",
        "DROP INDEX cg_log_record_subject_kind",
        "DROP INDEX cg_log_record_waiting_id",
        "DROP TABLE cg_log_job",
        "CREATE UNIQUE INDEX cg_log_record_id ON cg_log_record (id) WHERE id <> ''",
        "CREATE INDEX cg_log_record_subject ON cg_log_record (subject)",
    ),
}


def test_a_log_of_the_first_schema_goes_on_as_one_log(world: World) -> None:
    first = record_of()
    world.write(first, record_of())
    for statement in BEFORE["postgres" if world.place.log_file is None else "sqlite"]:
        world.run(statement)

    workers = [world.writer() for _ in range(3)]  # each may be the one that upgrades it
    for future in [one.append(record_of(number=at)) for at, one in enumerate(workers)]:
        future.result(30)
    workers[0].append(first).result(30)  # there by its id, also after the upgrade
    for one in workers:
        one.close()
    report = world.verify()
    assert (report.verdict, report.size) == (Verdict.WHOLE, 5)
    stores = world.stores()
    assert stores.log.fact("schema") == "5"
    stores.close()


def test_a_log_of_before_pruning_is_upgraded_by_whatever_opens_it(world: World) -> None:
    first = record_of()
    world.write(first)
    for statement in BEFORE_PRUNING["postgres" if world.place.log_file is None else "sqlite"]:
        world.run(statement)
    if world.place.log_file is not None:
        with sqlite3.connect(world.place.subjects) as connection:
            connection.execute("DROP TABLE fading")
            connection.execute("PRAGMA user_version = 0")

    stores = world.stores()  # as `cookieguard log verify` does
    found = read_record(stores, first.id)
    assert found is not None
    assert found.record
    assert stores.log.pruned() == []
    assert stores.subjects.faded(1) == []
    stores.close()
    world.write(record_of())
    assert world.verify().size == 2


def test_text_that_a_restored_store_lost_is_written_again(world: World) -> None:
    """A fail-over to a replica that lagged, or a copy brought back under a running worker."""
    text = "a" * 64, b"what was shown"
    writer = world.writer()
    writer.append(record_of(), texts=[text]).result(START_SECONDS)
    world.run("DELETE FROM shown" if world.place.log_file else "DELETE FROM cg_log_shown")

    def is_gone(_: Stores) -> None:
        raise LogDown("the server went")

    with pytest.raises(LogDown):
        writer.ask(is_gone).result(START_SECONDS)
    writer.append(record_of(), texts=[text]).result(START_SECONDS)

    assert writer.ask(lambda stores: stores.log.text(text[0])).result(START_SECONDS) == text[1]
