"""How the store is waited for: without a thread, under asyncio and trio, and not for long."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from contextlib import suppress
from datetime import timedelta
from functools import partial
from importlib import import_module
from typing import Any, TypeVar

from anyio import Event, move_on_after

from cookieguard.engines.store.sync import StoreSync
from cookieguard.engines.store.values import reading
from cookieguard.identity.carts.stored_carts import Shelf

Answer = TypeVar("Answer")

PATIENCE = timedelta(seconds=2)  # what a page may cost at most when the store does not answer


async def is_done(future: Future[Any]) -> bool:
    """Wait until a future ends, well or badly, but not longer than our patience.

    No thread waits: a store that hangs would take all threads of the shop, whose plain functions need them.
    """
    if future.done():
        return True
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        return await _is_done_in_trio(future)
    # By the loop's own means: anyio's event and scope cost a choice as much as all else of it.
    waiter = loop.create_future()
    future.add_done_callback(lambda _: _call(partial(loop.call_soon_threadsafe, _wake, waiter)))
    timer = loop.call_later(PATIENCE.total_seconds(), _wake, waiter)
    try:
        await waiter
    finally:
        timer.cancel()
    return future.done()


def _wake(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)


async def _is_done_in_trio(future: Future[Any]) -> bool:
    token = import_module("trio.lowlevel").current_trio_token()  # which need not be installed
    ended = Event()
    future.add_done_callback(lambda _: _call(partial(token.run_sync_soon, ended.set)))
    with move_on_after(PATIENCE.total_seconds()):
        await ended.wait()
    return future.done()


def _call(wake: Callable[[], object]) -> None:
    """Wake a loop, in any thread; nothing where it is over by then."""
    with suppress(RuntimeError):  # trio's RunFinishedError is one
        wake()


async def read_store(
    store_sync: StoreSync, keys: Iterable[tuple[Shelf, str]], *, now: int
) -> dict[tuple[Shelf, str], bytes | None] | None:
    """Return values of the store (times in milliseconds), None where it does not answer in time."""
    if store_sync.is_down:
        return None
    return await answer_of(store_sync.ask(reading(keys, now=now)))


async def answer_of(future: Future[Answer]) -> Answer | None:
    """Return what the store says; None where it does not answer in time, or not at all."""
    return future.result() if await is_done(future) and future.exception() is None else None
