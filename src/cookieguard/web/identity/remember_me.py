"""Remember-me in a request: a visitor with its cookie and no session is logged in before the app is called.

Each use rotates the number in the cookie; a number that somebody else used ends everything that came of the login.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from typing import TypeVar

from cookieguard.identity import Identity
from cookieguard.identity.remember_me import (
    Link,
    Outcome,
    RememberState,
    RememberToken,
    Series,
    remember_token_of,
    see,
    use,
)
from cookieguard.identity.revocations import ended_series
from cookieguard.identity.session import Session
from cookieguard.identity.session_state import new_id
from cookieguard.identity.tokens import to_milliseconds
from cookieguard.security_events import SecurityEvent
from cookieguard.storage.store.protocol import Store, StoreDown
from cookieguard.storage.store.remember_me import StoreUpdate, run, turn
from cookieguard.storage.store.sync import StoreSync
from cookieguard.web.identity.store_wait import is_done

logger = logging.getLogger("cookieguard")
Answer = TypeVar("Answer")
Move = Callable[..., tuple[Outcome, Series]]
EVENTS = {
    Outcome.OVER: SecurityEvent.REMEMBER_ENDED,
    Outcome.COPY: SecurityEvent.REMEMBER_COPIED,
}


class Remembering:
    """Know the cookie, the store and how long who is remembered; one for all requests."""

    def __init__(self, identity: Identity, store_sync: StoreSync) -> None:
        self._channel = identity.remember_channel
        self._store_sync = store_sync
        self._life = identity.life
        self.mark = self._channel.name.encode()
        """What a Cookie header holds that concerns remember-me."""

    async def recall(self, session: Session) -> bool:
        """Log in whom the browser is remembered as; say whether something became of it.

        Not who is a customer already, who comes with a session that was ended, or while the store is silent.
        """
        if session.is_uncertain:
            return session.was_refused
        if session.customer is not None:
            return await self._go_on(session)
        if session.ended_at is not None or not session.presented.jar.has(self._channel.name):
            return session.was_refused
        await self._log_in(session)
        return True

    async def settle(self, session: Session, *, waits: bool) -> None:
        """Have the store know what this request made of being remembered, before its response starts.

        Without `waits`, since it just did not answer, nobody waits for it a second time.
        """
        state = session.remember_state
        if not waits:
            self.tell(session)
            return
        if state is None or not state.is_news:
            return
        state.is_news = False
        update = self._update(session, state)
        done = await self._ask(partial(run, update=update))
        told = self._end(session, update, is_forgotten=done is not None)
        if done is None:  # nobody waits a second time
            return
        if told is not None:
            await is_done(told)
        if update.begun is not None:
            key, series = update.begun
            session.link, state.token = Link(key), _remember_token(key, series)
        if state.has_logged_in and done.warned is not None:
            session.warn(done.warned)

    def tell(self, session: Session) -> None:
        """Tell the store what was ended after the response had started; nobody waits, nobody gets a cookie."""
        state = session.remember_state
        if state is not None and state.is_news:
            state.is_news = state.is_wanted = False
            update = self._update(session, state)
            self._end(session, update, is_forgotten=False)
            self._store_sync.ask(partial(run, update=update))

    async def _log_in(self, session: Session) -> None:
        token = self._remember_token(session)
        if token is None:
            session.remember_state = RememberState(is_over=True)
            return
        series = await self._turn(session, use, token.series, token.number)
        if series is not None:
            session.resume(series, Link(token.series, series.current, is_remembered=True))
            session.remember_state = RememberState(token=_remember_token(token.series, series))

    async def _go_on(self, session: Session) -> bool:
        """Look after a customer's session: whether it came with its number, and is still alone with it.

        The latter when its cookie is renewed, every 1.4 days: who comes daily would never use the number, and a
        thief could for all the life of a series.
        """
        link = session.link
        if link is not None and link.unseen:
            if await self._turn(session, see, link.series, link.unseen) is not None:
                session.link = link._replace(unseen=0)
            return True
        if not session.is_stale(session.presented.now):
            return False
        token = self._remember_token(session)
        if token is None or token.customer != session.customer:  # whoever planted it would be in next
            session.remember_state = RememberState(is_over=True)
            return True
        is_remembered = session.is_remembered
        series = await self._turn(session, use, token.series, token.number)
        if series is not None:
            session.link = Link(token.series, series.current, is_remembered)
            session.remember_state = RememberState(token=_remember_token(token.series, series))
        return True

    async def _turn(self, session: Session, move: Move, key: str, number: int) -> Series | None:
        """Have the store take a series on; None where the number does not count, or the store is silent."""
        now, revocations = session.presented.now, self._store_sync.revocations

        def step(series: Series) -> tuple[Outcome, Series]:
            if revocations.is_series_over(key, customer=series.customer, authenticated=series.authenticated):
                return Outcome.OVER, series
            return move(series, number, now=now)

        revocation = ended_series(key, now=now, longest=self._life.remembered)
        result = await self._ask(partial(turn, key=key, step=step, revocation=revocation))
        if result is None:
            return None  # the browser keeps its cookie for better times
        if result.outcome is Outcome.GOOD:
            return result.series
        await self._refuse(session, result.outcome)
        return None

    async def _refuse(self, session: Session, outcome: Outcome) -> None:
        """Take the cookie away; after a copy the session too, and hear at once what ends with it."""
        session.presented.on_event(EVENTS[outcome])
        if outcome is Outcome.COPY:
            await self._ask(lambda _: None)
            if session.binding.customer is not None:
                session.logout()
        if session.remember_state is None:
            session.remember_state = RememberState()
        session.remember_state.is_over = True

    def _update(self, session: Session, state: RememberState) -> StoreUpdate:
        """Gather what the store has to do, and decide whether the browser's cookie stays."""
        token, customer = self._remember_token(session), session.binding.customer
        left = dict.fromkeys(state.left, session.presented_binding.customer or "")
        if token is not None and not self._is_kept(token, customer, state):
            left[token.series] = token.customer
        state.is_over = state.is_over or token is None or token.series in left
        if token is not None and not state.is_over and session.link is None:
            session.link = Link(token.series)
        begun = self._begun(session) if state.is_wanted and customer is not None else None
        return StoreUpdate(left, begun, customer, state.shown)

    def _is_kept(self, token: RememberToken, customer: str | None, state: RememberState) -> bool:
        """Return whether a login leaves the browser its cookie: the same customer's, and of a series that lives."""
        is_theirs = token.customer == customer and not state.is_wanted
        return is_theirs and self._store_sync.revocations.end_of_series(token.series) is None

    def _begun(self, session: Session) -> tuple[str, Series] | None:
        customer, since = session.binding.customer, session.auth_time
        if customer is None or since is None:
            return None
        now, ends = to_milliseconds(session.presented.now), to_milliseconds(since + self._life.remembered)
        return new_id(), Series(
            customer=customer, authenticated=to_milliseconds(since), ends=ends, rotated=now
        )

    def _end(self, session: Session, update: StoreUpdate, *, is_forgotten: bool) -> Future[None] | None:
        """End what came of series that are left; where the store could not forget them, for as long as they live."""
        if not update.left:
            return None
        longest = self._life.idle if is_forgotten else self._life.remembered
        now = self._store_sync.revocations.latest(session.presented.now)
        return self._store_sync.record(
            [
                ended_series(key, now=now, longest=longest, customer=update.left[key])
                for key in sorted(update.left)
            ]
        )

    def _remember_token(self, session: Session) -> RememberToken | None:
        """Read the cookie."""
        found = self._channel.read(session.presented, remember_token_of)
        return None if found is None else found[1]

    async def _ask(self, question: Callable[[Store], Answer]) -> Answer | None:
        """Ask the store; None where it says nothing in time, as where it has nothing to say."""
        future = self._store_sync.ask(question)
        if not await is_done(future):
            self._store_sync.give_up()
            return None
        error = future.exception()
        if error is None:
            return future.result()
        if not isinstance(error, StoreDown):
            logger.error("remember-me: a query of the store failed (%s)", type(error).__name__)
        return None


def _remember_token(key: str, series: Series) -> RememberToken:
    return RememberToken(key, series.current, series.customer, series.ends)
