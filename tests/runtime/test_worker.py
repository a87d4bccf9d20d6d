"""The class for threads: rounds, ends within a deadline, forks, and parts that are no longer referenced."""

from __future__ import annotations

import gc
import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest
from harness import servers
from harness.servers import START_SECONDS

from cookieguard.runtime import worker as module
from cookieguard.runtime.questions import Questions
from cookieguard.runtime.worker import Worker

SOON = 0.05
HUNG_SECONDS = 0.3  # that a test grants a thread which never ends


def wait_until(is_so: Callable[[], object]) -> None:
    servers.wait_until(is_so, "the thread did it")


class Part:
    """Note what its thread does; `task` is done in each round, and says when the next one comes."""

    def __init__(self, task: Callable[[], float | None] = lambda: None, **options: Any) -> None:
        self.task = task
        self.rounds = self.ends = self.resets = 0
        self.threads: set[threading.Thread] = set()
        self.worker = Worker("part", self._round, end=self._end, reset=self._reset, **options)

    def _round(self) -> float | None:
        self.threads.add(threading.current_thread())
        self.rounds += 1
        return self.task()

    def _end(self) -> None:
        self.threads.add(threading.current_thread())
        self.ends += 1

    def _reset(self) -> None:
        self.resets += 1


class Hung:
    """A task that hangs until it is released."""

    def __init__(self) -> None:
        self.has_begun, self.may_end = threading.Event(), threading.Event()

    def __call__(self) -> None:
        self.has_begun.set()
        self.may_end.wait(START_SECONDS)


@pytest.fixture
def hung() -> Iterator[Hung]:
    task = Hung()
    yield task
    task.may_end.set()


def alive(part: Part) -> list[threading.Thread]:
    return [one for one in part.threads if one.is_alive()]


def test_part_that_was_never_asked_has_no_thread() -> None:
    before = threading.active_count()
    part = Part()

    assert part.worker.close()
    assert (threading.active_count(), part.rounds, part.ends) == (before, 0, 0)


def test_each_question_has_a_round_and_the_end_comes_in_the_same_thread() -> None:
    part = Part()
    for asked in range(1, 4):
        part.worker.ask()
        wait_until(lambda asked=asked: part.rounds == asked)  # type: ignore[misc]

    assert part.worker.close()

    assert (part.rounds, part.ends) == (4, 1)  # the last round is that of the end
    (thread,) = part.threads
    assert thread.name == "cookieguard-part"
    assert thread.daemon
    assert not thread.is_alive()


def test_rounds_come_again_after_their_pause_without_anybody_asking() -> None:
    part = Part(lambda: SOON)
    part.worker.begin()

    wait_until(lambda: part.rounds > 3)
    part.worker.close()


def test_a_round_that_leaves_something_is_followed_by_another_before_the_end() -> None:
    left = list(range(5))
    part = Part(lambda: (left.pop(), 0.0 if left else None)[1])
    part.worker.close()
    part.worker.begin()
    part.worker.close()

    assert left == []


def test_close_ends_at_its_deadline_though_the_round_hangs_and_the_thread_ends_later(hung: Hung) -> None:
    part = Part(hung)
    part.worker.ask()
    assert hung.has_begun.wait(START_SECONDS)
    before = time.monotonic()

    assert not part.worker.close(before + HUNG_SECONDS)

    assert HUNG_SECONDS <= time.monotonic() - before < module.CLOSE_SECONDS  # which it would take without one
    assert part.ends == 0  # nothing is closed under it
    hung.may_end.set()
    wait_until(lambda: not alive(part))
    assert part.ends == 1


def test_one_deadline_of_many_hung_parts_is_not_added_up() -> None:
    parts = [Part(Hung()) for _ in range(60)]
    for one in parts:
        one.worker.ask()
    before = time.monotonic()
    for one in parts:
        one.worker.close(before + HUNG_SECONDS)

    assert time.monotonic() - before < len(parts) * HUNG_SECONDS / 2
    for one in parts:
        one.task.may_end.set()  # type: ignore[attr-defined]


def test_question_asked_while_the_last_thread_hangs_is_answered_after_it(hung: Hung) -> None:
    """Two threads at once would be two in one connection."""
    part = Part(hung)
    part.worker.ask()
    assert hung.has_begun.wait(START_SECONDS)
    part.worker.close(0)

    part.worker.ask()
    time.sleep(SOON)
    assert (part.rounds, part.ends) == (1, 0)
    hung.may_end.set()
    part.task = lambda: None
    wait_until(lambda: len(part.threads) == 2)
    part.worker.close()
    assert part.ends == 2


def test_questions_to_a_part_that_is_closed_repeatedly_are_all_answered() -> None:
    asked: list[int] = []
    done: list[int] = []

    def task() -> float | None:
        while asked:
            done.append(asked.pop())
        return None

    part, is_over = Part(task), threading.Event()

    def close() -> None:
        while not is_over.is_set():
            part.worker.close()

    closing = threading.Thread(target=close)
    closing.start()
    for number in range(2000):
        asked.append(number)
        part.worker.ask()
        if number % 100 == 0:
            wait_until(lambda number=number: number in done)  # type: ignore[misc]
    wait_until(lambda: len(done) == 2000)
    is_over.set()
    closing.join()
    part.worker.close()
    assert len(part.threads) > 1


def test_a_wake_begins_a_part_and_begins_none_again_that_was_closed() -> None:
    part = Part()
    part.worker.wake()
    wait_until(lambda: part.rounds == 1)
    part.worker.close()

    part.worker.wake()
    assert len(part.threads) == 1
    assert not alive(part)
    part.worker.ask()
    wait_until(lambda: len(part.threads) == 2)
    part.worker.close()


def test_a_round_that_raises_is_reported_once_and_others_follow(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "RETRY_SECONDS", SOON)
    part = Part(lambda: 1 / 0)
    with caplog.at_level(logging.ERROR, "cookieguard"):
        part.worker.begin()
        wait_until(lambda: part.rounds > 3)
    part.task = sys.exit  # a shop's own code may do it
    before = part.rounds
    wait_until(lambda: part.rounds > before + 1)

    assert part.worker.close()
    assert [one.getMessage() for one in caplog.records] == ["part: ZeroDivisionError; it goes on"]
    assert part.ends == 1


def test_a_brief_thread_ends_once_it_left_nothing_and_the_next_question_begins_another() -> None:
    left = [0, 0]
    part = Part(lambda: 0.0 if left and left.pop() is not None else None, is_brief=True)
    for count in range(1, 3):
        part.worker.ask()
        wait_until(lambda count=count: part.ends == count and not alive(part))  # type: ignore[misc]

    assert (part.rounds, len(part.threads)) == (4, 2)


def test_a_brief_thread_that_is_asked_as_it_ends_forgets_nobody() -> None:
    asked: list[int] = []
    done: list[int] = []

    def task() -> None:
        while asked:
            done.append(asked.pop())

    part, interval = Part(task, is_brief=True), sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for number in range(2000):
            asked.append(number)
            part.worker.ask()
            if number % 10 == 0:
                wait_until(lambda number=number: number in done)  # type: ignore[misc]
    finally:
        sys.setswitchinterval(interval)
    wait_until(lambda: len(done) == 2000)
    assert len(part.threads) > 1


def test_next_question_starts_a_thread_that_could_not_start_before(monkeypatch: pytest.MonkeyPatch) -> None:
    def none_left(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    part, start = Part(), threading.Thread.start
    monkeypatch.setattr(threading.Thread, "start", none_left)
    assert not part.worker.ask()
    monkeypatch.setattr(threading.Thread, "start", start)
    assert part.worker.ask()
    assert part.worker.close()
    assert part.rounds


def test_part_without_references_ends_its_waiting_thread() -> None:
    parts = [Part()]
    parts[0].worker.ask()
    wait_until(lambda: parts[0].rounds == 1)
    (thread,) = parts[0].threads

    parts.clear()
    gc.collect()
    wait_until(lambda: not thread.is_alive())


def test_two_parts_in_one_process_do_not_affect_each_other(hung: Hung) -> None:
    stuck, raises, sound = Part(hung, patience=SOON), Part(lambda: 1 / 0), Part()
    for one in (stuck, raises, sound):
        one.worker.ask()
    assert hung.has_begun.wait(START_SECONDS)
    assert not stuck.worker.close()

    before = sound.rounds
    sound.worker.ask()
    wait_until(lambda: sound.rounds > before)
    raises.worker.close()
    assert len(alive(sound)) == 1
    assert sound.worker.close()


def test_a_forked_child_has_a_thread_of_its_own_and_the_parent_keeps_its() -> None:
    part = Part()
    part.worker.ask()
    wait_until(lambda: part.rounds == 1)
    child = os.fork()
    if child == 0:
        before, part.threads = part.rounds, set()
        part.worker.ask()
        wait_until(lambda: part.rounds > before)
        is_well = part.worker.close() and (part.resets, part.ends, len(part.threads)) == (1, 1, 1)
        os._exit(0 if is_well else 1)

    assert os.waitpid(child, 0)[1] == 0
    assert part.resets == 0
    part.worker.ask()
    wait_until(lambda: part.rounds == 2)
    assert len(part.threads) == 1
    part.worker.close()


def test_a_child_forked_in_the_midst_of_everything_gets_answers(hung: Hung) -> None:
    """Locks that other threads held at that moment are held for good in the child."""
    part = Part(hung)
    part.worker.ask()
    assert hung.has_begun.wait(START_SECONDS)
    part.worker._lock.acquire()
    child = os.fork()
    if child == 0:
        part.task = lambda: None
        part.worker.ask()
        os._exit(0 if part.worker.close() and part.ends == 1 else 1)
    part.worker._lock.release()

    assert os.waitpid(child, 0)[1] == 0
    hung.may_end.set()
    part.worker.close()


AT_EXIT = """
import sys, time
from pathlib import Path
from cookieguard.runtime.worker import Worker

class Part:
    def __init__(self, name, hangs):
        self.name, self.hangs = name, hangs
        self.worker = Worker(name, self.round, end=self.end, patience=0.2 if hangs else 15)
    def round(self):
        if self.hangs:
            time.sleep(600)
    def end(self):
        with Path(sys.argv[1]).open("a") as file:
            file.write(self.name + " ")

parts = [Part("first", False), Part("hangs", True), Part("last", False)]
for part in parts:
    part.worker.ask()
"""


def test_a_process_that_exits_ends_its_threads_the_last_one_first_and_waits_for_none_that_hangs(
    tmp_path: Path,
) -> None:
    ended = tmp_path / "ended"
    subprocess.run([sys.executable, "-c", AT_EXIT, str(ended)], check=True, timeout=START_SECONDS)

    assert ended.read_text() == "last first "


class Source:
    """A source that is asked and closed in one thread."""

    def __init__(self) -> None:
        self.thread = threading.current_thread()
        self.is_open = True

    def close(self) -> None:
        assert threading.current_thread() is self.thread
        self.is_open = False


def test_questions_are_answered_over_one_source_that_its_thread_closes() -> None:
    opened: list[Source] = []
    questions = Questions("asked", lambda: (opened.append(Source()), opened[-1])[1], patience=START_SECONDS)
    answers: list[Future[Source]] = [questions.ask(lambda source: source) for _ in range(3)]

    assert {one.result(START_SECONDS) for one in answers} == set(opened)
    questions.close()
    assert [one.is_open for one in opened] == [False]


def test_a_question_gets_its_error_and_the_next_a_new_source_where_the_last_was_broken() -> None:
    opened: list[Source] = []
    questions = Questions(
        "asked",
        lambda: (opened.append(Source()), opened[-1])[1],
        broken_by=(ZeroDivisionError,),
        patience=START_SECONDS,
    )
    wrong: Future[str] = questions.ask(lambda _: "".nothing)  # type: ignore[attr-defined]
    with pytest.raises(AttributeError):
        wrong.result(START_SECONDS)
    failed: Future[float] = questions.ask(lambda _: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        failed.result(START_SECONDS)

    assert questions.ask(lambda source: source.is_open).result(START_SECONDS)
    assert [one.is_open for one in opened] == [False, True]
    questions.close()


def test_a_question_called_off_before_its_turn_is_not_asked() -> None:
    may_go = threading.Event()
    questions = Questions("asked", Source, patience=START_SECONDS)
    questions.ask(lambda _: may_go.wait(START_SECONDS))
    called_off: Future[int] = questions.ask(lambda _: 1 // 0)
    assert called_off.cancel()
    may_go.set()

    assert questions.ask(lambda source: source.is_open).result(START_SECONDS)
    questions.close()


def test_a_child_opens_a_source_of_its_own_and_leaves_its_parents_open() -> None:
    questions = Questions("asked", Source, patience=START_SECONDS)
    of_parent = questions.ask(lambda source: source).result(START_SECONDS)
    child = os.fork()
    if child == 0:
        own = questions.ask(lambda source: source).result(START_SECONDS)
        questions.close()
        os._exit(0 if own is not of_parent and of_parent.is_open and not own.is_open else 1)

    assert os.waitpid(child, 0)[1] == 0
    assert questions.ask(lambda source: source).result(START_SECONDS) is of_parent
    questions.close()
