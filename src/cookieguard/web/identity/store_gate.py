"""Where a request waits for the store: before the app, and before its response starts."""

from __future__ import annotations

from concurrent.futures import Future
from functools import partial
from typing import Any

from cookieguard.errors import CookieGuardError
from cookieguard.identity.carts.stored_carts import StoreNamespace
from cookieguard.identity.oversized import MARK_IN_HEADER, resolve
from cookieguard.identity.tokens import to_milliseconds
from cookieguard.storage.store.logins import BROWSER_NAMES, LOGINS_NAMESPACE, Login, forget_login, note_login
from cookieguard.storage.store.sync import StoreSync
from cookieguard.storage.store.values import doing, key_of, size_of
from cookieguard.web.exchange import Exchange
from cookieguard.web.identity.store_wait import is_done, read_store
from cookieguard.web.request import RESOURCE_DESTINATIONS

LOGIN_BYTES = 300  # that wait for the store
# Told by whoever waited in vain: the thread that speaks with the store hangs with it, and says nothing.
SILENT = "store: it neither answers nor fails; until it does, logins, logouts and carts take up to 2 s each"
# A guest's cart would be gone with its session, and nobody logged in for it.
LATE = (
    "login was called after the response had started or a WebSocket was accepted: no cookie can be set any more, so "
    "the login counts for this request only; call login earlier"
)
MOST_RACES = 3  # how often a cart is overtaken by another tab's before it lets that one be the newer


def must_wait(exchange: Exchange) -> bool:
    """Return whether the store is to be asked first.

    A session came before this process heard what was ended: once, at its start. Or the store has what a cookie
    was too small for.
    """
    store_sync, identity = exchange.parts.store_sync, exchange.parts.identity
    if store_sync is None or identity is None:
        return False
    # Not `in`: between bytes it first takes what is looked for to be a number, and drops that error.
    if exchange.headers.get(b"cookie", b"").find(MARK_IN_HEADER) >= 0:
        return True
    return not store_sync.is_ready and identity.is_presented(exchange.jar)


async def hear_first(exchange: Exchange) -> None:
    """Wait for the store's first word, and for what is oversized; without one nobody is a customer."""
    store_sync, identity = exchange.parts.store_sync, exchange.parts.identity
    if store_sync is None or identity is None:
        return
    if not store_sync.is_ready and not await is_done(store_sync.begin()):
        store_sync.give_up()
    if MARK_IN_HEADER not in exchange.headers.get(b"cookie", b""):
        return
    places = identity.places(exchange.present())
    if places:
        keys = {(StoreNamespace.OVERSIZED, place.key) for place in places}
        answer = await read_store(store_sync, keys, now=to_milliseconds(exchange.now))
        values = None if answer is None else {key: value for (_, key), value in answer.items()}
        exchange.present().oversized = resolve(places, values, now=exchange.now)


async def customer_here(exchange: Exchange) -> str:
    """Return the number of the customer who is logged in, once the store has answered; empty for a guest."""
    if must_wait(exchange):
        await hear_first(exchange)
    try:
        return exchange.session.customer or ""
    except CookieGuardError:  # a session that cannot be opened belongs to no customer
        return ""


def must_recall(exchange: Exchange) -> bool:
    """Return whether the browser says it is remembered. Pictures log nobody in: shared caches keep them."""
    remembering, cookie = exchange.parts.remembering, exchange.headers.get(b"cookie")
    if remembering is None or cookie is None or cookie.find(remembering.mark) < 0:  # as above
        return False
    return exchange.destination not in RESOURCE_DESTINATIONS


async def recall(exchange: Exchange) -> None:
    """Log in whom the browser is remembered as; where nothing came of it, the app opens the session, or nobody.

    Who was logged in finds cart and orders on this very page: no page of a login comes before it.
    """
    remembering, store_sync = exchange.parts.remembering, exchange.parts.store_sync
    if remembering is None or store_sync is None:
        return
    was_open, is_new = exchange.has_open_session(), await remembering.recall(exchange.session)
    if not (was_open or is_new):  # what was done in an open one would be lost
        exchange.close_session()
    elif is_new and exchange.visit.asks:
        await _hear(exchange, store_sync, is_ahead=True)


async def settle(exchange: Exchange) -> bool:
    """Have the store know what this request ended and changed, and a login count after all that was ended before.

    Where that takes too long or fails, this worker obeys already and the rest is written later. Returns whether
    the store answered in time.
    """
    store_sync = exchange.parts.store_sync
    if store_sync is None:
        return True
    visit, is_own_host = exchange.visit, exchange.is_own_host
    session = visit.session
    told = store_sync.record(session.take_news()) if session.has_news else None
    answers = True
    if is_own_host and visit.asks:
        answers = await _hear(exchange, store_sync)
    elif told is not None:
        answers = await _answers(exchange, told)
    if told is not None:
        session.settle()
        if exchange.parts.remembering is not None:
            await exchange.parts.remembering.settle(session, waits=answers)
    if is_own_host:
        await _pay(exchange, store_sync, waits=answers and not store_sync.is_down)
        _note_login(exchange, store_sync)
    return answers


async def _hear(exchange: Exchange, store_sync: StoreSync, *, is_ahead: bool = False) -> bool:
    """Have the visit hear what the store has of its visitor; return whether the store answered in time."""
    visit = exchange.visit
    answer = await read_store(store_sync, visit.asks, now=to_milliseconds(exchange.now))
    visit.hear(answer, exchange.report_event, is_ahead=is_ahead)
    return answer is not None


async def _answers(exchange: Exchange, said: Future[Any]) -> bool:
    """Wait for the store, and tell the owner where nothing comes."""
    if await is_done(said):
        return True
    exchange.parts.findings.count(SILENT)
    return False


def _note_login(exchange: Exchange, store_sync: StoreSync) -> None:
    """Have the customer's list know of a session that begins or ends here; no response waits for that."""
    session, identity = exchange.visit.session, exchange.parts.identity
    now, before = session.binding, session.presented_binding
    if before.customer is not None and before.session_id is not None and now.customer != before.customer:
        forget = partial(forget_login, customer=before.customer, session=before.session_id)
        store_sync.enqueue((LOGINS_NAMESPACE, before.session_id), forget, size=LOGIN_BYTES)
    if identity is None or now.customer is None or now == before:
        return
    link = session.link
    login = Login(
        session=session.id,
        at=to_milliseconds(session.auth_time or exchange.now),
        agent="",
        series="" if link is None else link.series,
    )
    task = partial(
        note_login,
        customer=now.customer,
        login=login,
        before=before.session_id or "",
        header=exchange.headers.get(b"user-agent", b""),
        longest=identity.life.longest,
    )
    when = BROWSER_NAMES.are_loaded
    store_sync.enqueue((LOGINS_NAMESPACE, login.session), task, size=LOGIN_BYTES, when=when)


async def _pay(exchange: Exchange, store_sync: StoreSync, *, waits: bool) -> None:
    """Tell the store what this visit owes it, before the browser gets what depends on it."""
    visit = exchange.visit
    for _ in range(MOST_RACES):
        revocations, works = visit.owed(now=exchange.now)
        if not (revocations or works):
            return
        last: Future[Any] = store_sync.record(revocations)
        for work in works:
            last = store_sync.enqueue(key_of(work), doing(work), size=size_of(work))
        if not (waits and await _answers(exchange, last) and visit.cart.is_outrun):
            return


def tell_store(exchange: Exchange) -> None:
    """Tell the store what was ended, and which orders were placed, after the response had started."""
    session, store_sync = exchange.news, exchange.parts.store_sync
    if store_sync is not None and exchange.has_read_cookies and exchange.parts.identity is not None:
        late = exchange.visit.late_orders(now=exchange.now) if exchange.is_own_host else []
        for orders in late:
            store_sync.enqueue(key_of(orders), doing(orders), size=size_of(orders))
    if session is not None and session.lets_late_login_pass() and exchange.status:
        exchange.parts.findings.count(LATE)
    if session is not None and store_sync is not None:
        store_sync.record(session.take_news())
        if exchange.parts.remembering is not None:
            exchange.parts.remembering.tell(session)
