"""Apply a customer's refusals in all of their browsers, through the store.

A session reads the store at its login, and again when the worker learns of a later refusal by the customer. If the
store does not answer, a later request of the session tries again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import TypeVar

from starlette.responses import Response

from cookieguard.consent import (
    Receipt,
    Restrictions,
    State,
    own_word,
    read_restrictions,
    restricted,
    updated_restrictions,
    write_restrictions,
)
from cookieguard.consent.customer_refusals import restricts_more
from cookieguard.consent.decision import NOTHING_BEYOND
from cookieguard.errors import CookieGuardError, CookieTooLarge
from cookieguard.identity.carts.stored_carts import StoreFirst
from cookieguard.identity.revocations import refused_elsewhere
from cookieguard.identity.tokens import from_milliseconds, to_milliseconds
from cookieguard.storage.store.protocol import Store
from cookieguard.web.cookies.consent_cookie import LONGEST_CONSENT
from cookieguard.web.cookies.own_cookies import consent_line, own_lines
from cookieguard.web.exchange import MOST_ROUNDS, Exchange
from cookieguard.web.http.headers import make_private
from cookieguard.web.identity.store_gate import hear_first, must_wait, settle
from cookieguard.web.identity.store_wait import answer_of, is_done
from cookieguard.web.recording.choices import record_choice
from cookieguard.web.request import RESOURCE_DESTINATIONS

Line = TypeVar("Line")

NAMESPACE = "consent"
# If empty restrictions were deleted at once, a worker could take a new record for the one that it had read before.
EMPTIED = timedelta(hours=1)
# The headers of a withdrawal: the browser clears its cache of earlier pages, and stops network error reports (NEL).
WITHDRAWN = ((b"clear-site-data", b'"cache"'), (b"nel", b'{"max_age":0}'))


async def speak(exchange: Exchange) -> None:
    """Wait for the store before a response starts: first for records and sessions, then for the customer's refusals."""
    promised, exchange.promised = exchange.promised, ()
    for future in promised:  # the page is sent even if a write fails; it is repeated later
        await is_done(future)
    if promised and not exchange.must_settle:
        return
    if await settle(exchange) and exchange.must_settle:
        await follow(exchange)
    exchange.rounds += 1


async def settled(exchange: Exchange, lines: Callable[[], list[Line]]) -> list[Line]:
    """Return the result of `lines`; if it needs the store first, wait for the store, at most MOST_ROUNDS times."""
    while True:
        try:
            return lines()
        except StoreFirst:
            if exchange.rounds >= MOST_ROUNDS:
                raise
            await speak(exchange)


def may_be_behind(exchange: Exchange) -> bool:
    """Return whether the customer may have refused something elsewhere that this browser does not know yet.

    Pictures and the like are left out, since a page follows soon, and forms of our own pages, since they are newer.
    """
    parts, store_sync = exchange.parts, exchange.parts.store_sync
    is_form = exchange.path.startswith(parts.config.prefix) and not exchange.request.is_read
    if store_sync is None or is_form or exchange.destination in RESOURCE_DESTINATIONS:
        return False
    return not store_sync.is_ready or (len(store_sync.revocations.refusals) > 0 and _missed(exchange) > 0)


async def catch_up(exchange: Exchange) -> None:
    """Apply what the customer refused in other browsers, before any part of this request reads the consent."""
    if must_wait(exchange):
        await hear_first(exchange)
    if not (missed := _missed(exchange)):
        return
    await follow(exchange)
    consent = exchange.consent
    if exchange.session.state.followed_until < missed and consent.receipt is not None:
        # The store did not say what was refused, so everything counts as refused.
        exchange.replace_consent(replace(consent, granted=NOTHING_BEYOND, state=State.REFUSED))


async def bring_along(exchange: Exchange, answer: Response) -> None:
    """Make our own page save refusals from other browsers in this one, unless it answers a form, which is newer."""
    if exchange.followed is not None and exchange.request.is_read:
        lines = await settled(exchange, partial(own_lines, exchange))
        headers = make_private(answer.raw_headers, (b"Cookie",), store=False)
        told = WITHDRAWN if exchange.followed[1] else ()
        answer.raw_headers = [*headers, *told, *((b"set-cookie", line) for line in lines)]


def _missed(exchange: Exchange) -> int:
    """Return when the customer last refused something that this browser does not know, in milliseconds; 0 for never."""
    identity = exchange.parts.identity
    token = None if identity is None else identity.session_channel.peek(exchange.present())
    if token is None or identity is None or identity.revocations is None:
        return 0
    refused = identity.revocations.refused_at(str(token.payload.get("c")))
    if refused <= token.payload.get("u", 0):
        return 0
    return 0 if own_word(exchange.peek_consent(), since=from_milliseconds(refused)) else refused


async def follow(exchange: Exchange) -> None:
    """Send the choice of this session's customer to the store, and apply the refusals from other browsers."""
    session, level = exchange.session, 1 + exchange.has_gpc
    since = session.auth_time
    if since is None or not exchange.parts.follows or not exchange.is_own_host or session.customer is None:
        return
    before = exchange.consent
    # Each choice is sent once, because the customer may have changed it on another device since then.
    word = None if session.followed else own_word(before, since=since)
    kept = await _tell(exchange, session.customer, word, gpc=exchange.has_gpc and session.followed < level)
    if kept is None:
        return
    session.followed = level
    receipt = restricted(
        before,
        kept,
        purposes=exchange.parts.config.purpose_ids,
        policy=exchange.parts.config.policy,
        now=exchange.now,
        terms=exchange.parts.policy.terms(exchange.now),
    )
    if receipt is not None:
        _apply(exchange, await record_choice(exchange, receipt))


async def keep_choice(exchange: Exchange, receipt: Receipt) -> list[bytes]:
    """Save a choice just posted, if a customer made it; return the Set-Cookie lines of the session it changed."""
    parts = exchange.parts
    if not parts.follows or parts.identity is None or not parts.identity.is_presented(exchange.jar):
        return []
    if must_wait(exchange):
        await hear_first(exchange)
    session = exchange.session
    customer = session.customer
    if customer is None:
        return []
    is_kept = await _tell(exchange, customer, receipt, gpc=exchange.has_gpc) is not None
    # If the store did not answer, the next request of the session tries again with the choice in the cookie.
    session.followed = 1 + exchange.has_gpc if is_kept else 0
    try:
        return await settled(exchange, partial(exchange.visit.set_cookies, now=exchange.now))
    except (CookieTooLarge, StoreFirst):  # only the mark `followed` is lost; the choice counts
        return []


def _apply(exchange: Exchange, receipt: Receipt) -> None:
    """Put the narrower consent in force for this response already, and let it set the browser's consent cookie."""
    parts = exchange.parts
    taken = exchange.consent.granted - receipt.granted
    consent = parts.consents.decide_recorded(receipt, gpc=exchange.consent.gpc, now=exchange.now)
    exchange.replace_consent(consent)
    exchange.followed = (consent_line(exchange, receipt), bool(taken))


async def _tell(exchange: Exchange, customer: str, word: Receipt | None, *, gpc: bool) -> Restrictions | None:
    """Return the customer's restrictions from the store, with `word` added; None if the store does not answer in time.

    A new restriction is announced to every worker, so that the customer's other sessions read the store too.
    """
    store_sync, spec = exchange.parts.store_sync, exchange.parts.config.cookies.consent
    identity, now = exchange.parts.identity, exchange.now
    # PostgreSQL cannot store NUL or lone surrogates.
    if store_sync is None or identity is None or not customer.isprintable():
        return None
    told = store_sync.revocations.refused_at(customer)
    life = timedelta(seconds=spec.max_age) or LONGEST_CONSENT
    question = _Question(customer, word, gpc=gpc, now=now, life=life)
    kept, is_news = await answer_of(store_sync.ask(question)) or (None, False)
    if is_news:
        refusal = refused_elsewhere(customer, now=now, idle=identity.life.idle, after=told)
        store_sync.record([refusal])
        told = refusal.at
    if kept is not None:
        exchange.session.state.followed_until = told
    return kept


class ContentionError(CookieGuardError):
    """Say that other writers changed the same customer's restrictions at every try."""


@dataclass(frozen=True, slots=True)
class _Question:
    """Update a customer's restrictions in the store's thread; return them, and whether they restrict more now."""

    customer: str
    word: Receipt | None
    gpc: bool
    now: datetime
    life: timedelta

    def __call__(self, store: Store) -> tuple[Restrictions, bool]:
        before = after = Restrictions()

        def changed(value: bytes | None) -> tuple[bytes, int] | None:
            nonlocal before, after
            before = Restrictions() if value is None else read_restrictions(value)
            after = updated_restrictions(before, self.word, gpc=self.gpc, now=self.now, life=self.life)
            return None if after == before else (write_restrictions(after), self._until(after))

        if store.change(NAMESPACE, self.customer, changed):
            return after, restricts_more(after, before)
        raise ContentionError("others changed this customer's restrictions at every try")

    def _until(self, kept: Restrictions) -> int:
        newest = kept.newest
        if newest is None:
            return to_milliseconds(self.now + EMPTIED)
        return to_milliseconds(datetime.fromtimestamp(newest, self.now.tzinfo) + self.life)
