"""How long a request waits for the store: in a thread, under asyncio and trio."""

from __future__ import annotations

from concurrent.futures import Future, wait
from datetime import timedelta
from typing import Any

from anyio import to_thread

PATIENCE = timedelta(seconds=2)  # what a page may cost at most when the store does not answer


async def is_done(future: Future[Any]) -> bool:
    """Wait until a future ends, well or badly, but not longer than our patience."""
    await to_thread.run_sync(wait, [future], PATIENCE.total_seconds())
    return future.done()
