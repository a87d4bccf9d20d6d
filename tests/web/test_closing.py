"""A guard closes within its deadline even if a part hangs, loses nothing, and leaves other guards running."""

from __future__ import annotations

import math
import os
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from harness.asgi import ask, page
from harness.parts import log_of, part_of
from harness.servers import START_SECONDS, wait_until
from harness.shops import NOW

from cookieguard import Config, CookieGuard
from cookieguard.config.proof import ProofSettings
from cookieguard.engines import retention
from cookieguard.features.records.store.open import open_stores, place_of
from cookieguard.features.rights.part import RightsPart
from cookieguard.features.vault.part import RisksPart
from cookieguard.runtime import worker
from cookieguard.web import middleware
from cookieguard.web.parts.guard import Core

FORM = [("content-type", "application/x-www-form-urlencoded"), ("sec-fetch-site", "same-origin")]
CLOSE_SECONDS = 2.0  # for all threads of a guard, in place of 15
NAMES = "decisions log proof proof-reads requests retention stats store vault witness".split()
Make = Callable[..., CookieGuard]


class Gate:
    """Hold up every thread that comes; note their names."""

    def __init__(self) -> None:
        self.held: dict[str, threading.Thread] = {}
        self._opened = threading.Event()

    def __call__(self, *_: Any) -> Any:
        thread = threading.current_thread()
        self.held[thread.name.removeprefix("cookieguard-")] = thread
        self._opened.wait(START_SECONDS)
        return 0

    def open(self) -> None:
        self._opened.set()
        wait_until(lambda: not any(one.is_alive() for one in self.held.values()), "all threads end")


@pytest.fixture
def gate() -> Iterator[Gate]:
    made = Gate()
    yield made
    made.open()


@pytest.fixture
def make(tmp_path: Path) -> Make:
    def make(name: str, **options: Any) -> CookieGuard:
        config = Config(state_dir=str(tmp_path / name), proof=ProofSettings(witness=str(tmp_path)))
        return CookieGuard(page(b"<title>a</title>"), config, clock=lambda: NOW, **options)

    return make


def choose(app: CookieGuard) -> int:
    return ask(app, path="/_cg/consent", method="POST", headers=FORM, body=b"choice=reject").status


def hold_all(app: CookieGuard, gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make each thread of a guard hang in its task."""
    parts: Any = app._parts
    vault: Any = part_of(app, RisksPart)
    log: Any = log_of(app)
    desk: Any = part_of(app, RightsPart).room.desk
    monkeypatch.setattr(retention, "FIRST_LOOK", timedelta(0))
    job: Any = part_of(app, Core).retention
    job._steps = {"step": gate}
    for pipeline in (parts.recorder, parts.counting.pipeline, vault._pipeline):
        pipeline._form = gate
    vault.put("abuse", "", address="203.0.113.7", customer=None, time=NOW)
    assert choose(app) == 303
    wait_until(lambda: "decisions" in gate.held, "the hook hangs")
    log.writer._anchor._witness._hand_on = gate
    log.writer._anchor._witness.give("a checkpoint")
    for ask_one in (log._reader.ask, desk.ask, parts.store_sync.ask, log.writer.ask):
        ask_one(gate)
    wait_until(lambda: sorted(gate.held) == NAMES, "all hang", seconds=30)


def test_a_guard_closes_in_its_time_though_every_thread_of_it_hangs(
    make: Make, gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert worker.CLOSE_SECONDS == 15.0
    monkeypatch.setattr(middleware, "CLOSE_SECONDS", CLOSE_SECONDS)
    app = make("one", on_decision=gate)
    hold_all(app, gate, monkeypatch)
    before = time.monotonic()

    app.close()

    assert CLOSE_SECONDS <= time.monotonic() - before < 2 * CLOSE_SECONDS
    assert all(one.is_alive() for one in gate.held.values())  # nothing was closed under them


def test_a_guard_whose_threads_hang_leaves_another_one_in_the_process_alone(
    make: Make, gate: Gate, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(middleware, "CLOSE_SECONDS", CLOSE_SECONDS)
    told: list[Any] = []
    stuck, sound = make("stuck", on_decision=gate), make("sound", on_decision=told.append)
    hold_all(stuck, gate, monkeypatch)
    stuck.close()

    assert choose(sound) == 303
    wait_until(lambda: len(told) == 1, "the other's hook is called")
    parts: Any = sound._parts
    assert parts.store_sync.ask(lambda _: "asked").result(START_SECONDS) == "asked"
    before = threading.active_count()
    monkeypatch.setattr(middleware, "CLOSE_SECONDS", START_SECONDS)
    sound.close()
    assert threading.active_count() < before
    assert (parts.counting.pipeline.dropped, log_of(sound).writer.waiting) == ({}, 0)
    assert list((tmp_path / "sound" / "logs").glob("access-*.log"))


def test_statistics_and_access_log_close_before_the_store_and_the_hook_before_the_log(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The store's thread carries the day keys of both, and the hook asks the log until its last round."""
    closed: list[str] = []
    close = worker.Worker.close

    def note(self: worker.Worker, deadline: float = math.inf) -> bool:
        closed.append(self._name)
        return close(self, deadline)

    app = make("one", on_decision=lambda _: None)
    app._begin()
    assert choose(app) == 303
    monkeypatch.setattr(worker.Worker, "close", note)

    app.close()

    for one, other in (("stats", "store"), ("log", "store"), ("decisions", "proof")):
        assert closed.index(one) < closed.index(other)


def test_a_guard_that_closed_begins_again_with_the_next_lifespan(make: Make) -> None:
    before = set(threading.enumerate())
    told: list[Any] = []
    app = make("one", on_decision=told.append)
    for times in range(1, 4):
        app._begin()  # as a lifespan does
        assert choose(app) == 303
        wait_until(lambda times=times: len(told) == times, "it is told")  # type: ignore[misc]
        app.close()
        assert not set(threading.enumerate()) - before


def test_a_worker_forked_from_a_guard_in_use_records_its_choices_and_so_does_its_parent(
    make: Make, tmp_path: Path
) -> None:
    """As under `gunicorn --preload`, where the app was already asked something before the fork."""
    told = tmp_path / "told"

    async def on_decision(_: Any) -> None:
        with told.open("a") as file:
            file.write(f"{os.getpid()}\n")

    app = make("one", on_decision=on_decision)
    parts: Any = app._parts
    app._begin()
    assert choose(app) == 303
    wait_until(told.exists, "the hook is called")  # every thread has opened what it needs
    assert log_of(app)._reader.ask(lambda stores: stores.log.size()).result(START_SECONDS) >= 0
    child = os.fork()
    if child == 0:
        is_well = False
        try:
            app._begin()
            is_well = choose(app) == 303 and log_of(app).writer.waiting == 0
            log_of(app)._reader.ask(lambda stores: stores.log.size()).result(START_SECONDS)
            parts.store_sync.ask(lambda _: None).result(START_SECONDS)
            app.close()
        finally:
            os._exit(0 if is_well else 1)

    assert os.waitpid(child, 0)[1] == 0
    assert choose(app) == 303
    wait_until(lambda: len(told.read_text().split()) >= 3, "all three were told")
    app.close()
    stores = open_stores(place_of(app.config, tmp_path / "one", environ={}))
    assert stores.log.size() == 3
    stores.close()
