"""A worker that ends during requests: one thread at a time uses a store, and no caller waits forever."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from harness import stores as sqlite
from harness.servers import START_SECONDS, wait_until

from cookieguard.features.records.erasure_journal import Erasures
from cookieguard.features.records.store.open import Place, open_stores, signer_of
from cookieguard.features.records.writer import LogWriter
from cookieguard.keyring import Keyring
from cookieguard.storage.journal import Journal
from cookieguard.storage.store.sync import StoreSync

Worker = LogWriter | StoreSync
OUT_OF_TURN_SECONDS = 0.3  # two threads at once: the second one answers in a few milliseconds
ENDS, EACH = 5, 20
KEYRING = Keyring.generate(datetime.now(UTC))


def log_writer(directory: Path) -> LogWriter:
    erasures = Erasures(Journal(directory, "", days=30), ())
    place = Place(str(directory / "log.db"), str(directory / "subjects.db"), erasures, lambda: KEYRING)
    return LogWriter(partial(open_stores, place), partial(signer_of, KEYRING), "shop.example/_cg/log")


def store_sync(directory: Path) -> StoreSync:
    return StoreSync(sqlite.opener(directory / "store.db"))


def threads_of_the_log() -> set[threading.Thread]:
    return {one for one in threading.enumerate() if one.name.startswith("cookieguard-proof")}


@pytest.fixture(params=[log_writer, store_sync])
def worker(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Worker]:
    """Give what owns a thread and a store."""
    made = request.param(tmp_path)
    yield made
    made.close()


def ended_by(worker: Worker) -> threading.Thread:
    """Close it in another thread, as a server does while a request is being answered."""
    closing = threading.Thread(target=worker.close)
    closing.start()
    wait_until(lambda: not worker._worker.runs, "it is being closed")
    return closing


def test_question_asked_while_a_thread_ends_is_answered_after_it(worker: Worker) -> None:
    has_begun, may_end = threading.Event(), threading.Event()
    order: list[str] = []

    def slow(_: Any) -> None:
        has_begun.set()
        may_end.wait(START_SECONDS)
        order.append("first")

    first = worker.ask(slow)
    assert has_begun.wait(START_SECONDS)
    closing = ended_by(worker)
    second: Future[None] = worker.ask(lambda _: order.append("second"))
    time.sleep(OUT_OF_TURN_SECONDS)
    assert order == []
    may_end.set()

    first.result(START_SECONDS)
    second.result(START_SECONDS)
    assert order == ["first", "second"]
    closing.join(START_SECONDS)


def test_all_that_is_asked_while_it_is_closed_again_and_again_is_answered(worker: Worker) -> None:
    asked: list[Future[int]] = []
    question: Callable[[Any], int] = lambda _: 1  # noqa: E731 - one type for both stores
    for _ in range(ENDS):
        asked.extend(worker.ask(question) for _ in range(EACH))
        closing = ended_by(worker)
        asked.extend(worker.ask(question) for _ in range(EACH))
        closing.join(START_SECONDS)

    assert sum(one.result(START_SECONDS) for one in asked) == 2 * ENDS * EACH


def test_a_worker_that_ends_as_it_begins_leaves_no_thread(tmp_path: Path) -> None:
    before = threads_of_the_log()
    for at in range(ENDS):
        writer = log_writer(tmp_path)
        writer._is_made = lambda: not time.sleep(OUT_OF_TURN_SECONDS)  # a slow disk
        writer.begin()
        if at:
            writer.ask(lambda _: None).result(START_SECONDS)
        writer.close()
        assert threads_of_the_log() == before
