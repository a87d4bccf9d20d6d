"""Remember-me: a visitor with this cookie and without a session is logged in before the app is called.

Each use rotates the number in the cookie. If an old number comes again, it was copied, and all sessions of the login
end.
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
    """Log remembered visitors in, and rotate their cookies in the store. All requests share one."""

    def __init__(self, identity: Identity, store_sync: StoreSync) -> None:
        self._channel = identity.remember_channel
        self._store_sync = store_sync
        self._life = identity.life
        self.mark = self._channel.name.encode()
        """The name of the cookie, to look for in a Cookie header."""

    async def recall(self, session: Session) -> bool:
        """Log in the customer whom the browser remembers; return whether the session was changed or refused.

        A customer with a session and a visitor whose session was ended are skipped, and all while the store is down.
        """
        if session.is_uncertain:
            return session.was_refused
        if session.customer is not None:
            return await self._check_customer(session)
        if session.ended_at is not None or not session.presented.jar.has(self._channel.name):
            return session.was_refused
        await self._log_in(session)
        return True

    async def settle(self, session: Session, *, waits: bool) -> None:
        """Write this request's changes of remember-me into the store, before the response starts.

        Without `waits` the store has just failed to answer, so the response does not wait for it again.
        """
        state = session.remember_state
        if not waits:
            self.record_ended(session)
            return
        if state is None or not state.is_news:
            return
        state.is_news = False
        update = self._update(session, state)
        done = await self._ask(partial(run, update=update))
        ended = self._end(session, update, is_forgotten=done is not None)
        if done is None:  # the store did not answer, so the response does not wait for it again
            return
        if ended is not None:
            await is_done(ended)
        if update.begun is not None:
            key, series = update.begun
            session.link, state.token = Link(key), _remember_token(key, series)
        if state.has_logged_in and done.warned is not None:
            session.warn(done.warned)

    def record_ended(self, session: Session) -> None:
        """Write into the store what ended after the response had started; no cookie can be set any more."""
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
        series = await self._advance(session, use, token.series, token.number)
        if series is not None:
            session.resume(series, Link(token.series, series.current, is_remembered=True))
            session.remember_state = RememberState(token=_remember_token(token.series, series))

    async def _check_customer(self, session: Session) -> bool:
        """Check that a customer's session has the newest number of its cookie; return whether the session changed.

        The number is also used when the session's cookie is renewed, every 1.4 days. A daily visitor would otherwise
        never use it, and a thief could use a copy for the whole life of the series.
        """
        link = session.link
        if link is not None and link.unseen:
            if await self._advance(session, see, link.series, link.unseen) is not None:
                session.link = link._replace(unseen=0)
            return True
        if not session.is_stale(session.presented.now):
            return False
        token = self._remember_token(session)
        if token is None or token.customer != session.customer:  # another customer's cookie may be planted
            session.remember_state = RememberState(is_over=True)
            return True
        is_remembered = session.is_remembered
        series = await self._advance(session, use, token.series, token.number)
        if series is not None:
            session.link = Link(token.series, series.current, is_remembered)
            session.remember_state = RememberState(token=_remember_token(token.series, series))
        return True

    async def _advance(self, session: Session, move: Move, key: str, number: int) -> Series | None:
        """Return the series after `move` in the store; None if the number is invalid, or the store does not answer."""
        now, revocations = session.presented.now, self._store_sync.revocations

        def step(series: Series) -> tuple[Outcome, Series]:
            if revocations.is_series_over(key, customer=series.customer, authenticated=series.authenticated):
                return Outcome.OVER, series
            return move(series, number, now=now)

        revocation = ended_series(key, now=now, longest=self._life.remembered)
        result = await self._ask(partial(turn, key=key, step=step, revocation=revocation))
        if result is None:
            return None  # the store is down, so the browser keeps its cookie
        if result.outcome is Outcome.GOOD:
            return result.series
        await self._refuse(session, result.outcome)
        return None

    async def _refuse(self, session: Session, outcome: Outcome) -> None:
        """Remove the cookie; after a copy, end the session too, and read from the store at once what ended with it."""
        session.presented.on_event(EVENTS[outcome])
        if outcome is Outcome.COPY:
            await self._ask(lambda _: None)
            if session.binding.customer is not None:
                session.logout()
        if session.remember_state is None:
            session.remember_state = RememberState()
        session.remember_state.is_over = True

    def _update(self, session: Session, state: RememberState) -> StoreUpdate:
        """Return the changes for the store, and decide whether the browser keeps its cookie."""
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
        """Return whether a login keeps the browser's cookie: it is the same customer's, and its series is in force."""
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
        """Revoke the sessions of series that were left; for the life of a series if the store could not delete it."""
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
        """Return the token in the browser's cookie; None if it has no valid one."""
        found = self._channel.read(session.presented, remember_token_of)
        return None if found is None else found[1]

    async def _ask(self, question: Callable[[Store], Answer]) -> Answer | None:
        """Return the store's answer; None if it has none, fails, or does not answer in time."""
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
