"""How the store is waited for: without a thread, under asyncio and trio, and not for long."""

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

TIMEOUT = timedelta(seconds=2)  # what a page may cost at most when the store does not answer


class Waitable(Protocol):
    """Be what a thread ends, well or badly: a Future, or an Acknowledgement of the log."""

    def done(self) -> bool:
        """Return whether it ended."""
        ...

    def add_done_callback(self, tell: Callable[[Any], object], /) -> None:
        """Call `tell` once it ends, in whichever thread; at once where it did."""
        ...


class Written(Waitable, Protocol):
    """Be what ends when a record is on disk, or with the error that says why it is not there yet."""

    @property
    def is_kept(self) -> bool:
        """Whether the record is on disk."""
        ...


async def is_done(future: Waitable) -> bool:
    """Wait until a future ends, well or badly, but not longer than TIMEOUT.

    No thread waits: a store that hangs would take all threads of the shop, whose plain functions need them.
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
    """Wait in one event loop for what threads end. Owns who waits: one timer and one wake-up serve many of them.

    By the loop's own means: anyio's event and scope cost a choice as much as all else of it, and a timer for each
    waiter a fifth.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._until: deque[tuple[float, asyncio.Future[None]]] = deque()
        self._ended: deque[asyncio.Future[None]] = deque()
        self._is_timed = self._is_called = False

    def begin(self) -> asyncio.Future[None]:
        """Return what ends with `end`, or with TIMEOUT."""
        waiter = self.loop.create_future()
        until = self.loop.time() + TIMEOUT.total_seconds()
        self._until.append((until, waiter))
        if not self._is_timed:
            self._is_timed = True
            self.loop.call_at(until, self._give_up)
        return waiter

    def end(self, waiter: asyncio.Future[None], _: object) -> None:
        """Have the loop end a wait, in any thread; those of one commit end with one call."""
        self._ended.append(waiter)
        if not self._is_called:
            self._is_called = True
            _call(partial(self.loop.call_soon_threadsafe, self._wake))

    def _wake(self) -> None:
        self._is_called = False  # first: what ends from here on calls once more
        while self._ended:
            _end(self._ended.popleft())

    def _give_up(self) -> None:
        """End the waits whose time is over; they began in this order, and each may wait as long."""
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
    token = import_module("trio.lowlevel").current_trio_token()  # which need not be installed
    ended = Event()
    future.add_done_callback(lambda _: _call(partial(token.run_sync_soon, ended.set)))
    with move_on_after(TIMEOUT.total_seconds()):
        await ended.wait()
    return future.done()


def _call(wake: Callable[[], object]) -> None:
    """Wake a loop, in any thread; nothing where it is over by then."""
    with suppress(RuntimeError):  # trio's RunFinishedError is one
        wake()


async def read_store(
    store_sync: StoreSync, keys: Iterable[tuple[StoreNamespace, str]], *, now: int
) -> dict[tuple[StoreNamespace, str], bytes | None] | None:
    """Return values of the store (times in milliseconds), None where it does not answer in time."""
    if store_sync.is_down:
        return None
    return await answer_of(store_sync.ask(reading(keys, now=now)))


async def answer_of(future: Future[Answer]) -> Answer | None:
    """Return what the store says; None where it does not answer in time, or not at all."""
    return future.result() if await is_done(future) and future.exception() is None else None
