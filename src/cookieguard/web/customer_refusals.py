"""Refusals that follow their customer: told to the store, and applied where the customer logs in next.

A session is asked about once, at its login; where the store does not answer, with a later request of the session.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import TypeVar

from cookieguard.consent import (
    Consent,
    Receipt,
    Restrictions,
    decide,
    own_word,
    read_restrictions,
    restricted,
    to_payload,
    updated_restrictions,
    write_restrictions,
)
from cookieguard.engines.store.protocol import Store
from cookieguard.errors import CookieGuardError, CookieTooLarge
from cookieguard.identity.carts.stored_carts import StoreFirst
from cookieguard.web.cookies.consent_cookie import LONGEST_CONSENT
from cookieguard.web.cookies.own_cookies import consent_line
from cookieguard.web.exchange import MOST_ROUNDS, Exchange
from cookieguard.web.identity.store_gate import hear_first, must_wait, settle
from cookieguard.web.identity.store_wait import answer_of, is_done
from cookieguard.web.proof.recording import record_choice

Line = TypeVar("Line")

NAMESPACE = "consent"
# Of two who write at once one begins anew: as many devices of one customer answer at the same moment
TRIES = 5
# What restricts nothing any more is kept so long that nobody who read it before takes it for another one.
EMPTIED = timedelta(hours=1)


async def speak(exchange: Exchange) -> None:
    """Speak with the store before a response starts: of what ended first, then of what the customer refused."""
    promised, exchange.promised = exchange.promised, ()
    for future in promised:  # of these one that fails is written later; the page goes out all the same
        await is_done(future)
    if promised and not exchange.must_settle:
        return
    if await settle(exchange) and exchange.must_settle:
        await follow(exchange)
    exchange.heed_own_terms()  # of who logged in with this very response
    exchange.rounds += 1


async def settled(exchange: Exchange, lines: Callable[[], list[Line]]) -> list[Line]:
    """Return lines with our cookies once the store knows what they depend on; its answer may change them once more."""
    while True:
        try:
            return lines()
        except StoreFirst:
            if exchange.rounds >= MOST_ROUNDS:
                raise
            await speak(exchange)


async def follow(exchange: Exchange) -> None:
    """Tell the store what the customer of this session says, and apply what was refused elsewhere; once a session."""
    session, level = exchange.session, 1 + exchange.has_gpc
    since = session.auth_time
    if since is None or not exchange.parts.follows or not exchange.is_own_host or session.customer is None:
        return
    before = exchange.consent
    kept = await _tell(exchange, session.customer, own_word(before, since=since))
    if kept is None:
        return
    session.followed = level
    register = exchange.parts.register
    receipt = restricted(
        before,
        kept,
        purposes=register.ids,
        policy=exchange.parts.config.policy,
        now=exchange.now,
        terms=exchange.parts.terms(exchange.now),
    )
    if receipt is not None:
        _apply(exchange, await record_choice(exchange, receipt))


async def keep_choice(exchange: Exchange, receipt: Receipt) -> list[bytes]:
    """Keep a choice just posted, if a customer made it; return the Set-Cookie lines of the session it changed."""
    parts = exchange.parts
    if not parts.follows or parts.identity is None or not parts.identity.is_presented(exchange.jar):
        return []
    if must_wait(exchange):
        await hear_first(exchange)
    session = exchange.session
    customer = session.customer
    if customer is None:
        return []
    is_kept = await _tell(exchange, customer, receipt) is not None
    # Where it could not be kept the next request of the session tries again: the cookie holds the choice.
    session.followed = 1 + exchange.has_gpc if is_kept else 0
    try:
        return await settled(exchange, partial(exchange.visit.set_cookies, now=exchange.now))
    except (CookieTooLarge, StoreFirst):  # by the mark alone: the choice counts all the same
        return []


def _apply(exchange: Exchange, receipt: Receipt) -> None:
    """Put the narrower consent in force for this very response, and into the browser with it."""
    parts = exchange.parts
    taken = exchange.consent.granted - receipt.granted
    consent: Consent = decide(
        to_payload(receipt),
        gpc=exchange.consent.gpc,
        policy=parts.config.policy,
        purposes=parts.register.ids,
        now=exchange.now,
        matters=parts.matters,
    )
    exchange.replace_consent(consent)
    exchange.followed = (consent_line(exchange, receipt), bool(taken))


async def _tell(exchange: Exchange, customer: str, word: Receipt | None) -> Restrictions | None:
    """Ask the store; None where it does not answer in time, or not at all."""
    store_sync, spec = exchange.parts.store_sync, exchange.parts.config.cookies.consent
    if store_sync is None or not customer.isprintable():  # PostgreSQL keeps no NUL and no half surrogates
        return None
    life = timedelta(seconds=spec.max_age) or LONGEST_CONSENT
    question = _Question(customer, word, gpc=exchange.has_gpc, now=exchange.now, life=life)
    return await answer_of(store_sync.ask(question))


class ContentionError(CookieGuardError):
    """Say that others wrote the same customer's restrictions all the time."""


@dataclass(frozen=True, slots=True)
class _Question:
    """Read, change and write what one customer refused; runs in the store's thread."""

    customer: str
    word: Receipt | None
    gpc: bool
    now: datetime
    life: timedelta

    def __call__(self, store: Store) -> Restrictions:
        for _ in range(TRIES):
            found = store.read(NAMESPACE, self.customer)
            before = Restrictions() if found is None else read_restrictions(found.value)
            after = updated_restrictions(before, self.word, gpc=self.gpc, now=self.now, life=self.life)
            if after == before or self._write(store, after, 0 if found is None else found.version):
                return after
        raise ContentionError("the restrictions of one customer are written by many at once")

    def _write(self, store: Store, kept: Restrictions, version: int) -> int:
        newest = kept.newest
        last = (
            self.now + EMPTIED
            if newest is None
            else datetime.fromtimestamp(newest, self.now.tzinfo) + self.life
        )
        until = int(last.timestamp() * 1000)
        return store.write(NAMESPACE, self.customer, write_restrictions(kept), until=until, after=version)
