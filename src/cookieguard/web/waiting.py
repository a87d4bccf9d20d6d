"""Waiting for another thread without holding the event loop, whichever one it is (asyncio or trio)."""

from __future__ import annotations

from concurrent.futures import Future, wait
from datetime import timedelta
from enum import Enum, auto

from anyio import to_thread

PATIENCE = timedelta(seconds=2)  # what a page may cost at most when the store does not answer


class Ended(Enum):
    """Say how the waiting ended."""

    WELL = auto()
    BADLY = auto()
    LATE = auto()


async def ended(future: Future[None]) -> Ended:
    """Wait until a future ends, but not longer than our patience; raises nothing."""
    await to_thread.run_sync(wait, [future], PATIENCE.total_seconds())
    if not future.done():
        return Ended.LATE
    return Ended.WELL if future.exception() is None else Ended.BADLY
