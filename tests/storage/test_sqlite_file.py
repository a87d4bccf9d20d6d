"""Workers that start at once create a new SQLite file together, and all of them can use it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from harness.stores import KEYRING, SqliteStore

from cookieguard.features.outbox.outbox import Outbox
from cookieguard.features.records.store.log_store import LogStore
from cookieguard.features.records.store.subjects import SubjectStore
from cookieguard.features.statistics.engines.sqlite.writer import SqliteHits


def subject_store(path: Path) -> SubjectStore:
    return SubjectStore(path, lambda: KEYRING)


OPENERS: tuple[Callable[[Path], object], ...] = (
    SqliteStore,
    SqliteHits,
    LogStore,
    subject_store,
    Outbox,
)
WORKERS = 8
TIMES = 12  # without a wait for the journal several of 480 fail; more where each worker is a process


@pytest.mark.parametrize("opened", OPENERS)
def test_workers_that_open_a_new_file_together_all_can_use_it(
    tmp_path: Path, opened: Callable[[Path], object]
) -> None:
    together = threading.Barrier(WORKERS)

    def start(path: Path) -> object:
        together.wait()
        return opened(path)

    with ThreadPoolExecutor(WORKERS) as pool:
        for number in range(TIMES):
            path = tmp_path / f"{number}.db"
            stores = [one.result() for one in [pool.submit(start, path) for _ in range(WORKERS)]]
            assert len(stores) == WORKERS
