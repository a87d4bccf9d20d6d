"""How the store is waited for: in a thread, under asyncio and trio, and not for long."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import Future, wait
from datetime import timedelta
from typing import Any, TypeVar

from anyio import to_thread

from cookieguard.engines.shelves import reading
from cookieguard.engines.watch import Watch
from cookieguard.identity.keeping import Shelf

Answer = TypeVar("Answer")

PATIENCE = timedelta(seconds=2)  # what a page may cost at most when the store does not answer


async def is_done(future: Future[Any]) -> bool:
    """Wait until a future ends, well or badly, but not longer than our patience."""
    await to_thread.run_sync(wait, [future], PATIENCE.total_seconds())
    return future.done()


async def read_store(
    watch: Watch, keys: Iterable[tuple[Shelf, str]], *, now: int
) -> dict[tuple[Shelf, str], bytes | None] | None:
    """Return values of the store (times in milliseconds), None where it does not answer in time."""
    if watch.is_down:
        return None
    return await answer_of(watch.ask(reading(keys, now=now)))


async def answer_of(future: Future[Answer]) -> Answer | None:
    """Return what the store says; None where it does not answer in time, or not at all."""
    return future.result() if await is_done(future) and future.exception() is None else None
