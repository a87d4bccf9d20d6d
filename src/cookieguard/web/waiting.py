"""Where a request waits for the store: in a thread, under asyncio and trio, and not for long."""

from __future__ import annotations

from concurrent.futures import Future, wait
from datetime import timedelta
from typing import Any

from anyio import to_thread

from cookieguard.web.exchange import Exchange

PATIENCE = timedelta(seconds=2)  # what a page may cost at most when the store does not answer


def must_wait(exchange: Exchange) -> bool:
    """Tell whether a session came before this process heard what was ended: once, at its start."""
    watch, identity = exchange.parts.watch, exchange.parts.identity
    if watch is None or watch.is_ready or identity is None:
        return False
    return identity.is_presented(exchange.jar)


async def hear_first(exchange: Exchange) -> None:
    """Wait for the store's first word; without one nobody is a customer."""
    watch = exchange.parts.watch
    if watch is not None and not await is_done(watch.begin()):
        watch.give_up()


async def settle(exchange: Exchange) -> bool:
    """Have the store know what this request ended, and a login count after all that was ended before.

    Where that takes too long or fails, this worker obeys already and the rest is written later. Returns whether
    the store answered in time.
    """
    session, watch = exchange.news, exchange.parts.watch
    if session is None or watch is None:
        return True
    has_answered = await is_done(watch.record(session.take_news()))
    session.settle()
    return has_answered


def tell_store(exchange: Exchange) -> None:
    """Tell the store what was ended after the response had started."""
    session, watch = exchange.news, exchange.parts.watch
    if session is not None and watch is not None:
        watch.record(session.take_news())


async def is_done(future: Future[Any]) -> bool:
    """Wait until a future ends, well or badly, but not longer than our patience."""
    await to_thread.run_sync(wait, [future], PATIENCE.total_seconds())
    return future.done()
