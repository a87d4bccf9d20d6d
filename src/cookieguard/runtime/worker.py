"""The class for all threads: a Worker runs the rounds of one part, starts again after a fork, and ends in time.

Rule: a thread closes what it opened, after its last round. `close` only waits for the thread, because SQLite crashes
the process if a connection is closed while another thread is still in it. Threads wait by the monotonic clock.
"""

from __future__ import annotations

import asyncio
import atexit
import logging
import math
import os
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from contextvars import copy_context
from threading import Lock, Thread, current_thread
from typing import Any
from weakref import WeakKeyDictionary, WeakMethod

logger = logging.getLogger("cookieguard")


def seconds(_count: Callable[[], float] = time.monotonic) -> float:
    """Return the monotonic time, even while a test freezes `time`: as a default argument, the clock is not patched."""
    return _count()


Round = Callable[[], float | None]
"""Does what is due, and returns the seconds until the next round, or None to wait until `ask`."""

CLOSE_SECONDS = 15.0  # for all workers of a guard, or of a process that exits, together
RETRY_SECONDS = 1.0  # after a round that raised
NOW = 0.0  # the next round follows at once


class Worker:
    """Run the rounds of a part in a thread, which begins when it is first asked. Owns the thread.

    It holds the part weakly, and its thread ends with the part. A forked child has no thread until it asks.
    """

    _thread: Thread | None
    _is_closed: bool

    def __init__(
        self,
        name: str,
        round: Round,  # noqa: A002 - the usual word for it in this project
        *,
        end: Callable[[], None] | None = None,
        reset: Callable[[], None] | None = None,
        patience: float = CLOSE_SECONDS,
        is_brief: bool = False,
    ) -> None:
        """`round`, `end` and `reset` are methods of the part. `end` closes what rounds opened, in their thread.

        `reset` is called in a forked child, where the part's connections are its parent's. `close` waits for
        `patience` seconds at most. A brief thread ends instead of waiting for the next question, which begins another.
        """
        self._name = name
        self._patience = patience
        self._is_brief = is_brief
        self._round = WeakMethod(round, lambda _: self._bell.ring())
        self._end = None if end is None else WeakMethod(end)
        self._reset_part = None if reset is None else WeakMethod(reset)
        self._is_failing = False
        self._reset()
        _WORKERS[self] = None

    @property
    def runs(self) -> bool:
        """Return whether a thread runs that `close` has not ended."""
        return self._thread is not None

    def begin(self) -> bool:
        """Start the thread unless it runs; return whether it runs. Two threads are never in a round at once."""
        with self._lock:
            return self._start()

    def ask(self) -> bool:
        """Run a round soon, in a new thread after `close` or a fork; return whether a thread runs."""
        self._bell.ring()
        return self._thread is not None or self.begin()

    def wake(self) -> None:
        """Run a round soon, as `ask` does, but start no thread after `close`."""
        self._bell.ring()
        with self._lock:
            if not self._is_closed:
                self._start()

    def rest(self, wait: float) -> None:
        """Wait inside a round, until the next `ask`, `wake` or `close` at the latest."""
        self._bell.wait(wait)

    @property
    def is_ending(self) -> bool:
        """Return, inside a round, whether `close` asked the thread to end."""
        return self._thread is not current_thread()

    def close(self, deadline: float = math.inf) -> bool:
        """End the thread after one more round; return whether it ended by the deadline, a time of `seconds`.

        If a round takes longer, the thread ends after it.
        """
        with self._lock:
            thread, self._thread = self._thread, None
            self._is_closed = True
        self._bell.ring()
        if thread is None:
            return True
        thread.join(max(0.0, min(self._patience, deadline - seconds())))
        return not thread.is_alive()

    def _start(self) -> bool:
        if self._thread is None:
            self._thread = thread = Thread(target=self._run, name=f"cookieguard-{self._name}", daemon=True)
            self._is_closed = False
            try:
                thread.start()
            except RuntimeError:  # no more threads, or the interpreter ends: the next question tries again
                self._thread = None
        return self._thread is not None

    def _run(self) -> None:
        with self._turn:  # an earlier thread may have outlived its `close`
            self._bell.wait(NOW)  # the first round sees what has been asked so far
            while (round_ := self._round()) is not None:
                is_last = self.is_ending
                pause = self._do(round_)
                has_more = pause is not None and pause <= NOW
                if is_last and (not has_more or self._thread is not None):  # the next thread does the rest
                    break
                del round_  # a waiting thread must not hold a reference to the part
                if pause is None and self._is_brief:
                    if self._has_ended():
                        break
                elif not self.is_ending:
                    self._bell.wait(NOW if has_more else pause)
            end = None if self._end is None else self._end()
            if end is not None:
                self._do(end)

    def _has_ended(self) -> bool:
        """End a brief thread and return True, unless it was asked or closed since its round began."""
        with self._lock:
            if self.is_ending:
                return False
            self._thread = None  # before the bell is checked, so that a later question begins another thread
            if self._bell.wait(NOW):
                self._thread = current_thread()
            return self._thread is None

    def _do(self, act: Callable[[], float | None]) -> float | None:
        try:
            pause = act()
        except BaseException as error:  # noqa: BLE001 - the part would stop working without its thread
            if not self._is_failing:
                logger.error("%s: %s; it goes on", self._name, type(error).__name__)
            self._is_failing = True
            return RETRY_SECONDS
        self._is_failing = False
        return pause

    def _reset(self) -> None:
        self._lock, self._turn, self._bell = Lock(), Lock(), Bell()
        self._thread = None
        self._is_closed = False

    def begin_again(self) -> None:
        """Reset the worker and its part in a forked child, which has none of its parent's threads."""
        self._reset()
        reset = None if self._reset_part is None else self._reset_part()
        if reset is not None:
            reset()


class Bell:
    """Wake the one thread that waits. A ring that comes while the thread is busy wakes it from its next wait.

    The bell is a lock that is held until it rings. An Event takes four locks and a list to do the same.
    """

    def __init__(self) -> None:
        self._rung = Lock()
        self._rung.acquire()

    def ring(self) -> None:
        """Wake the thread that waits; any thread may call this."""
        if self._rung.locked():
            with suppress(RuntimeError):  # another thread rang just before
                self._rung.release()

    def wait(self, wait: float | None) -> bool:
        """Wait for a ring, at most so many seconds; return whether it rang."""
        return self._rung.acquire(timeout=-1 if wait is None else wait)


def start_thread(act: Callable[[], object]) -> Thread:
    """Start a thread for one act of a tool, such as the server of a scan. Parts of a guard use a Worker."""
    thread = Thread(target=act, daemon=True)
    thread.start()
    return thread


def call_in_thread(call: Callable[[], Any]) -> asyncio.Future[Any]:
    """Return the future result of the shop's own code, which may hang and must not keep the process from ending."""
    future, context = Future[Any](), copy_context()

    def answer() -> None:
        try:
            future.set_result(context.run(call))
        except BaseException as error:  # noqa: BLE001 - the waiting caller raises it
            future.set_exception(error)

    future.set_running_or_notify_cancel()  # a running thread cannot be cancelled
    Thread(target=answer, name="cookieguard-hook", daemon=True).start()
    return asyncio.wrap_future(future)


def leave_to_parent(*things: object) -> None:
    """Keep objects in a forked child that its parent still uses: freeing them would close what both share."""
    _OF_PARENTS.extend(things)


_OF_PARENTS: list[object] = []
_WORKERS: WeakKeyDictionary[Worker, None] = WeakKeyDictionary()  # in the order they were made


def _begin_again() -> None:
    for worker in list(_WORKERS):
        worker.begin_again()


def _close_all() -> None:
    """End all threads when the process exits. Those made last end first, because they need the others."""
    deadline = seconds() + CLOSE_SECONDS
    for worker in reversed(list(_WORKERS)):
        worker.close(deadline)


os.register_at_fork(after_in_child=_begin_again)
atexit.register(_close_all)
