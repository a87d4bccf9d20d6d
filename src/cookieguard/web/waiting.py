"""Where a request waits for the store: in a thread, under asyncio and trio, and not for long."""

from __future__ import annotations

from cookieguard.web.exchange import Exchange
from cookieguard.web.patience import is_done
from cookieguard.web.request import RESOURCE_DESTINATIONS


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


def must_recall(exchange: Exchange) -> bool:
    """Tell whether the browser says it is remembered; pictures and the like log nobody in: shared caches keep them."""
    remembering, cookie = exchange.parts.remembering, exchange.headers.get(b"cookie")
    if remembering is None or cookie is None or remembering.mark not in cookie:
        return False
    return exchange.headers.get(b"sec-fetch-dest") not in RESOURCE_DESTINATIONS


async def recall(exchange: Exchange) -> None:
    """Log in whom the browser is remembered as; where nothing came of it, the app opens the session, or nobody."""
    remembering = exchange.parts.remembering
    if remembering is not None and not await remembering.recall(exchange.session):
        exchange.close_session()


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
    if exchange.parts.remembering is not None:
        await exchange.parts.remembering.settle(session)
    return has_answered


def tell_store(exchange: Exchange) -> None:
    """Tell the store what was ended after the response had started."""
    session, watch = exchange.news, exchange.parts.watch
    if session is not None and watch is not None:
        watch.record(session.take_news())
        if exchange.parts.remembering is not None:
            exchange.parts.remembering.tell(session)
