"""Readers of the log see the newest record of each kind, and do not wait for the thread that writes."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from concurrent.futures import Future
from datetime import timedelta
from functools import partial

import psycopg
import pytest
from harness.servers import START_SECONDS, wait_until

from cookieguard.features.records.log_reader import LogReader, newest_rows, opened, read_subject
from cookieguard.features.records.store.log_store import NEWEST, OLD, ROWS_OF, values_of
from cookieguard.features.records.store.open import open_stores
from cookieguard.features.records.store.protocol import LogDown, Stores
from cookieguard.features.records.store.rows import Row, Window
from cookieguard.features.records.values.records import Record, browser
from cookieguard.features.records.values.sealing import time_of

from .conftest import NOW, World

SUBJECT = browser("x")
MANY = 3000
OTHERS = """SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()"""
FETCHED = "SELECT coalesce(idx_tup_fetch, 0) + seq_tup_read FROM pg_stat_user_tables WHERE relname = 'cg_log_record'"


def made(kind: str, topic: str, number: int) -> Record:
    return Record(
        kind=kind, topic=topic, subject=SUBJECT, time=NOW + timedelta(seconds=number), facts={"n": number}
    )


def seconds_of(stores: Stores, rows: list[Row]) -> list[int]:
    return [opened(stores, row).milliseconds // 1000 - int(NOW.timestamp()) for row in rows]


@pytest.fixture
def long_history(world: World) -> World:
    """Give a subject two agreements, then very many choices."""
    choices = [made("consent", ("grant", "refusal")[number % 2], number) for number in range(10, MANY)]
    world.write(made("agreement", "terms", 1), made("agreement", "newsletter", 2), *choices)
    return world


def test_the_newest_of_each_label_are_found_among_any_number_of_others(long_history: World) -> None:
    stores = long_history.stores()

    agreements = newest_rows(stores, SUBJECT, "agreement", 1)
    times = seconds_of(stores, newest_rows(stores, SUBJECT, "consent", 2))
    stores.close()

    assert [row.label for row in agreements] == [b"agreement:terms", b"agreement:newsletter"]
    assert times == [MANY - 1, MANY - 3, MANY - 2, MANY - 4]


def test_a_record_without_a_number_is_the_newest_of_its_label(world: World) -> None:
    world.write(made("consent", "grant", 1), made("consent", "refusal", 2), made("consent", "grant", 3))
    world.edit("UPDATE record SET number = NULL WHERE number = 2")
    stores = world.stores()

    newest = seconds_of(stores, newest_rows(stores, SUBJECT, "consent", 1))
    every = [one.milliseconds // 1000 - int(NOW.timestamp()) for one in read_subject(stores, SUBJECT)]
    stores.close()

    assert newest == [2, 3]
    assert every == [1, 2, 3]


def rows_read(world: World, read: Callable[[Stores], object]) -> int:
    """Count what PostgreSQL reads of the log's rows."""
    with psycopg.connect(world.place.log, autocommit=True) as connection:
        # The writer counts what it read when it ends, and the plan depends on statistics that a long log has.
        wait_until(lambda: connection.execute(OTHERS).fetchone() == (0,), "the writer has ended")
        connection.execute("ANALYZE")
        connection.execute("SELECT pg_stat_reset()")
        stores = world.stores()
        read(stores)
        stores.close()
        wait_until(lambda: connection.execute(FETCHED).fetchone() not in (None, (0,)), "it was counted")
        row = connection.execute(FETCHED).fetchone()
    assert row is not None
    return int(row[0])


def plan_of(world: World, statement: str, values: dict[str, object]) -> str:
    """Return SQLite's plan for a statement."""
    stores = world.stores()
    plan = stores.log.database.rows(f"EXPLAIN QUERY PLAN {statement}", **values)
    stores.close()
    return str(plan)


def test_no_more_rows_are_read_than_are_asked_for(long_history: World) -> None:
    def read(stores: Stores) -> None:
        for _ in range(10):
            newest_rows(stores, SUBJECT, "agreement", 1)
            newest_rows(stores, SUBJECT, "consent", 20)

    if long_history.place.log_file is None:
        assert rows_read(long_history, read) < MANY
        return
    plan = plan_of(long_history, ROWS_OF, {"subject": b"", "first": b"", "after": b"\xff", "count": 1})
    assert "USING INDEX record_subject_kind (subject=? AND <expr>>? AND <expr><?)" in plan
    assert "TEMP B-TREE" not in plan


def test_whether_a_record_was_replaced_is_found_without_reading_all_others_of_its_subject(
    long_history: World,
) -> None:
    """A prune of 8,000 choices of one cookie took PostgreSQL longer than a statement may take."""
    until = time_of(int((NOW + timedelta(days=1)).timestamp() * 1000))
    window = Window("consent", time_of(0), until, until, same_topic=False)
    stores = long_history.stores()
    found = stores.log.old(window, (b"", -1), MANY)
    stores.close()

    assert [one.is_replaced for one in found] == [True] * (MANY - 11) + [False]
    if long_history.place.log_file is None:
        assert rows_read(long_history, lambda stores: stores.log.old(window, (b"", -1), MANY)) < 4 * MANY
        return
    plan = plan_of(long_history, OLD, values_of(window, (b"", -1), MANY))
    assert "USING INDEX record_subject_time (subject=? AND <expr>>? AND <expr><?)" in plan


def test_a_read_is_answered_while_the_writer_is_busy(world: World) -> None:
    world.write(made("consent", "grant", 1))
    writer, may_go_on = world.writer(), threading.Event()
    reader = LogReader(writer.open_stores)
    is_busy = threading.Event()
    writer.ask(lambda _: (is_busy.set(), may_go_on.wait(START_SECONDS)))
    assert is_busy.wait(START_SECONDS)

    read = reader.ask(lambda stores: len(newest_rows(stores, SUBJECT, "consent", 5))).result(START_SECONDS)
    may_go_on.set()
    reader.close()

    assert read == 1


def test_a_reader_opens_the_stores_again_after_they_failed_and_after_it_was_closed(world: World) -> None:
    world.write(made("consent", "grant", 1))
    opened_by: list[int] = []

    def open_here() -> Stores:
        opened_by.append(threading.get_ident())
        return open_stores(world.place, make=False)

    def fails(_: Stores) -> None:
        raise LogDown("then")

    def here(_: Stores) -> int:
        return threading.get_ident()

    reader = LogReader(open_here)
    first = reader.ask(here).result(START_SECONDS)
    failed: Future[None] = reader.ask(fails)
    with pytest.raises(LogDown, match="then"):
        failed.result(START_SECONDS)
    again = reader.ask(here).result(START_SECONDS)
    reader.close()
    after = reader.ask(here).result(START_SECONDS)
    reader.close()

    assert first == again == opened_by[0] == opened_by[1]
    assert after == opened_by[2]
    assert threading.get_ident() not in opened_by


def test_a_forked_process_reads_over_connections_of_its_own(world: World) -> None:
    world.write(made("consent", "grant", 1))
    reader = LogReader(partial(open_stores, world.place, make=False))
    count = lambda stores: len(newest_rows(stores, SUBJECT, "consent", 5))  # noqa: E731
    assert reader.ask(count).result(START_SECONDS) == 1

    child = os.fork()
    if child == 0:
        try:
            is_read = reader.ask(count).result(START_SECONDS) == 1
        finally:
            os._exit(0 if is_read else 1)
    _, status = os.waitpid(child, 0)

    assert status == 0
    assert reader.ask(count).result(START_SECONDS) == 1
    reader.close()


def test_the_newest_records_of_a_time_are_listed_by_page_among_any_number_of_others(
    long_history: World,
) -> None:
    stores = long_history.stores()
    day = {
        "since": time_of(int(NOW.timestamp() * 1000) + 20_000),
        "until": time_of(int(NOW.timestamp() * 1000) + 25_000),
    }

    pages = [stores.log.newest(**day, skipped=skipped, count=2) for skipped in (0, 2, 4, 6)]
    newest = stores.log.newest(since=b"", until=b"\xff", skipped=0, count=3)
    times = [seconds_of(stores, rows) for rows in (*pages, newest)]
    stores.close()

    assert times == [[24, 23], [22, 21], [20], [], [MANY - 1, MANY - 2, MANY - 3]]
    if long_history.place.log_file is None:
        assert rows_read(long_history, lambda stores: stores.log.newest(**day, skipped=0, count=2)) < 20
        return
    plan = plan_of(long_history, NEWEST, {**day, "skipped": 0, "count": 2})
    assert "USING INDEX record_about (about>? AND about<?)" in plan
    assert "TEMP B-TREE" not in plan
