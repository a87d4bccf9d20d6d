"""Wait for an answer of the store's thread, for at most 2 s, under asyncio or trio, without using a thread."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from contextlib import suppress
from datetime import timedelta
from functools import partial
from importlib import import_module
from typing import Any, Protocol, TypeVar

from anyio import Event, move_on_after

from cookieguard.identity.carts.stored_carts import StoreNamespace
from cookieguard.storage.store.sync import StoreSync
from cookieguard.storage.store.values import reading

Answer = TypeVar("Answer")

TIMEOUT = timedelta(seconds=2)  # the longest delay of a page when the store does not answer


class Waitable(Protocol):
    """An operation that a thread completes, with success or an error: a Future, or an Acknowledgement of the log."""

    def done(self) -> bool:
        """Return whether it is complete."""
        ...

    def add_done_callback(self, callback: Callable[[Any], object], /) -> None:
        """Call `callback` on completion, in any thread; call it at once if it is complete already."""
        ...


class Written(Waitable, Protocol):
    """The writing of a record, which completes when the record is on disk, or with the error that prevented it."""

    @property
    def is_kept(self) -> bool:
        """Whether the record is on disk."""
        ...


async def is_done(future: Waitable) -> bool:
    """Return whether a future completes within TIMEOUT, with a result or an error.

    No thread waits. Else a store that hangs would take all threads of the shop, whose plain functions need them.
    """
    if future.done():
        return True
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        return await _is_done_in_trio(future)
    waits = getattr(_OF_THREAD, "waits", None)
    if waits is None or waits.loop is not loop:
        waits = _OF_THREAD.waits = _Waits(loop)
    waiter = waits.begin()
    future.add_done_callback(partial(waits.end, waiter))
    await waiter
    return future.done()


class _Waits:
    """Wait in an event loop for operations of threads. Owns the waiters, who share a timer and a wake-up.

    It uses the loop directly: anyio's event and scope would double the cost of a choice, and a timer for each waiter
    would add a fifth.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._until: deque[tuple[float, asyncio.Future[None]]] = deque()
        self._ended: deque[asyncio.Future[None]] = deque()
        self._is_timed = self._is_called = False

    def begin(self) -> asyncio.Future[None]:
        """Return a future that `end` completes, or else TIMEOUT."""
        waiter = self.loop.create_future()
        until = self.loop.time() + TIMEOUT.total_seconds()
        self._until.append((until, waiter))
        if not self._is_timed:
            self._is_timed = True
            self.loop.call_at(until, self._give_up)
        return waiter

    def end(self, waiter: asyncio.Future[None], _: object) -> None:
        """Ask the loop, from any thread, to end a wait; waits that end together share a call."""
        self._ended.append(waiter)
        if not self._is_called:
            self._is_called = True
            _call(partial(self.loop.call_soon_threadsafe, self._wake))

    def _wake(self) -> None:
        self._is_called = False  # reset first, so that a wait which ends from now on calls again
        while self._ended:
            _end(self._ended.popleft())

    def _give_up(self) -> None:
        """End the waits that have timed out; they are in order, since all have the same timeout."""
        now, until = self.loop.time(), self._until
        while until and (until[0][0] <= now or until[0][1].done()):
            _end(until.popleft()[1])
        self._is_timed = bool(until)
        if until:
            self.loop.call_at(until[0][0], self._give_up)


_OF_THREAD = threading.local()


def _end(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)


async def _is_done_in_trio(future: Waitable) -> bool:
    token = import_module("trio.lowlevel").current_trio_token()  # imported here because trio is optional
    ended = Event()
    future.add_done_callback(lambda _: _call(partial(token.run_sync_soon, ended.set)))
    with move_on_after(TIMEOUT.total_seconds()):
        await ended.wait()
    return future.done()


def _call(wake: Callable[[], object]) -> None:
    """Call `wake`, which wakes a loop from any thread, and ignore the error of a loop that has ended."""
    with suppress(RuntimeError):  # trio's RunFinishedError is a RuntimeError too
        wake()


async def read_store(
    store_sync: StoreSync, keys: Iterable[tuple[StoreNamespace, str]], *, now: int
) -> dict[tuple[StoreNamespace, str], bytes | None] | None:
    """Return values from the store (`now` is in milliseconds); None if it does not answer in time."""
    if store_sync.is_down:
        return None
    return await answer_of(store_sync.ask(reading(keys, now=now)))


async def answer_of(future: Future[Answer]) -> Answer | None:
    """Return the store's answer; None if it fails or does not answer in time."""
    return future.result() if await is_done(future) and future.exception() is None else None
