"""The session: who this browser is to the shop, and what the shop remembers about it, in one cookie."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from cookieguard.errors import CookieGuardError
from cookieguard.identity import jsontext
from cookieguard.identity.channel import OVER_LIMIT, Channel, Mismatch, Presented, Refused
from cookieguard.identity.endings import Ending, Endings, ended_customer, ended_session
from cookieguard.identity.remember import COPY_USED, Link, Memory, SecurityWarning, Series
from cookieguard.identity.state import NOBODY, Binding, Claim, Life, State, customer_number, state_of
from cookieguard.identity.tokens import Reason, Token, from_milliseconds, to_milliseconds
from cookieguard.identity.values import JsonMapping

ID_BYTES = 18  # 144 bits; OWASP asks for 64 at least, 128 makes guessing hopeless
# A request that left before the answer that ended its session came must not take the new cookie away.
IN_FLIGHT = timedelta(seconds=60)
NO_STORE = "logging out everywhere needs the store, and store.enabled is false"
NO_MEMORY = "login(remember=True) needs the store, and store.enabled is false"


class Session(JsonMapping):
    """Be `request.session`: a dict of JSON values, with the customer it belongs to.

    The cookie is opened at the first touch. Owns what it held and what became of it, until the response.
    """

    __slots__ = (
        "_channel",
        "_claim",
        "_endings",
        "_has_logged_in",
        "_hidden",
        "_is_id_asked",
        "_is_peeked",
        "_life",
        "_present",
        "_presented",
        "_state",
        "_token",
        "ended",
        "ended_at",
        "endings",
        "memory",
        "presented_binding",
    )
    _hidden: dict[str, Any] | None
    ended: list[Ending]
    memory: Memory | None

    def __init__(
        self, channel: Channel, life: Life, present: Callable[[], Presented], endings: Endings | None = None
    ) -> None:
        """Begin unopened; `present` tells what the request brought, and is asked at the first touch.

        One is made for each request, and most touch none: what only an open session has is set by `_open`.
        """
        self._channel = channel
        self._life = life
        self._present = present
        self._endings = endings
        self._presented: Presented | None = None
        self._state: State | None = None
        self._claim: Callable[[], Claim] | None = None

    @property
    def id(self) -> str:
        """Return the random id of this session; asking for it makes the session one that is kept."""
        identity = self._identified().id or ""
        self._is_id_asked = True
        return identity

    @property
    def customer(self) -> str | None:
        """Return the customer number this session is logged in as; None while that is uncertain."""
        return None if self.is_uncertain else self._open().customer

    @property
    def is_uncertain(self) -> bool:
        """Say whether the store cannot be asked what was ended: then nobody is anybody's customer."""
        self._open()
        return self._hidden is not None or (self._endings is not None and not self._endings.is_certain)

    @property
    def auth_time(self) -> datetime | None:
        """Return when the customer logged in."""
        moment = self._open().authenticated
        return None if moment is None else from_milliseconds(moment)

    @property
    def auth_age(self) -> timedelta | None:
        """Return how long ago the customer logged in, None for a guest: a checkout may ask for a fresh login."""
        moment = None if self.customer is None else self.auth_time
        return None if moment is None else max(self.presented.now - moment, timedelta(0))

    @property
    def created(self) -> datetime:
        """Return when this session began; login begins a new one."""
        return from_milliseconds(self._open().begun)

    @property
    def is_remembered(self) -> bool:
        """Say whether nobody typed a password for this session: a remember-me cookie began it."""
        link = None if self.customer is None else self.link
        return link is not None and link.is_remembered

    @property
    def warnings(self) -> tuple[SecurityWarning, ...]:
        """Return what this customer should be told since a login, until it is taken."""
        warned = None if self.customer is None else self._open().warned
        return () if warned is None else (SecurityWarning(COPY_USED, from_milliseconds(warned)),)

    def take_warnings(self) -> tuple[SecurityWarning, ...]:
        """Return them for the last time: the customer is told now."""
        warnings, state = self.warnings, self._open()
        if warnings:
            self._news().shown, state.warned = state.warned, None
        return warnings

    def login(self, customer: str | int, *, remember: bool = False) -> None:
        """Begin a new session of this customer; entries and cart come along, but never another customer's.

        Raises CookieGuardError for `remember` where there is no store to remember anybody.
        """
        number = customer_number(customer)
        if remember and self._endings is None:
            raise CookieGuardError(NO_MEMORY)
        if self._open().customer not in (None, number):
            self.logout()
        self._end_presented()
        link, state = self.link, self._begin()
        state.customer = number
        state.authenticated = state.begun
        state.link = link and Link(link.series, link.unseen)
        self._has_logged_in = True
        if self._endings is not None:
            memory = self._news()
            memory.has_logged_in, memory.is_wanted = True, remember

    def logout(self) -> None:
        """End the session: no customer, no entries, an empty cart, a new id for what comes.

        `clear()` only removes entries, the customer stays.
        """
        self._open()
        self._end_presented()
        self._leave_series()
        self._begin()
        self._hidden = None
        self._fill({})
        self._is_id_asked = False
        self._has_logged_in = False
        self.endings += 1

    def logout_everywhere(self) -> None:
        """End every session of this customer, this one included; a login after it counts.

        Raises CookieGuardError where there is no store to tell the other sessions.
        """
        if self._endings is None:
            raise CookieGuardError(NO_STORE)
        customer, now = self._open().customer, self.presented.now
        if customer is not None:
            self.ended.append(ended_customer(customer, now=now, longest=self._life.longest))
        self.logout()

    def renew_id(self) -> None:
        """Give the session a new id and keep all else; for changes of privilege. Copies under the old one end."""
        state = self._open()
        self._end_presented()
        state.id = new_id()
        self._is_id_asked = True

    @property
    def is_open(self) -> bool:
        """Say whether anything was read or written."""
        return self._state is not None and not self._is_peeked

    # From here on: for whoever knows the customer, and for the shop's own cookies.

    def believe(self, claim: Callable[[], Claim]) -> None:
        """Have `claim` say whose session this is, once, when it is first touched."""
        self._claim = claim
        if self.is_open:
            self.heed()

    def heed(self) -> None:
        """Ask the claim, if it was not asked; where it is no news the session stays untouched."""
        claim, self._claim = self._claim, None
        if claim is None:
            return
        self.peek()
        claimed = claim()
        state = self._state or self._read()
        if not claimed.is_certain:
            self._hide()
        elif claimed.customer != state.customer:
            self.logout() if claimed.customer is None else self.login(claimed.customer)
            if not claimed.lasts:
                self.ended, self._has_logged_in = [], False

    def peek(self) -> Binding:
        """Return what the browser presented, without making this a response that a session took part in."""
        if self._state is None:
            self._read()
            self._is_peeked = True
        return self.presented_binding

    @property
    def is_hidden(self) -> bool:
        """Say whether this is a customer's session that nobody can vouch for; only after `peek`."""
        return self._hidden is not None

    # From here on: for the visit, the cart and whoever follows the customer.

    @property
    def followed(self) -> int:
        """Say what this login settled about consent: 0 nothing, 1 what was refused elsewhere, 2 the signal too."""
        return self._open().followed

    @followed.setter
    def followed(self, level: int) -> None:
        self._open().followed = level

    def is_owed(self, level: int) -> bool:
        """Say whether a customer's session has not come so far; opens nothing."""
        state = self._state
        return state is not None and state.customer is not None and state.followed < level

    @property
    def presented(self) -> Presented:
        """Return what the request brought."""
        if self._presented is None:
            self._presented = self._present()
        return self._presented

    @property
    def link(self) -> Link | None:
        """Return the series that this session is tied to."""
        return self._open().link

    @link.setter
    def link(self, link: Link | None) -> None:
        self._open().link = link

    def warn(self, moment: int) -> None:
        """Have the customer told of what happened then."""
        self._open().warned = moment

    def resume(self, series: Series, link: Link) -> None:
        """Begin a session of a remembered customer, as old as the login that it goes back to."""
        self._end_presented()
        state = self._begin()
        state.customer, state.authenticated, state.link = series.customer, series.authenticated, link
        state.ends = min(state.ends, series.ends)  # nothing that a login made outlives the longest it can

    @property
    def binding(self) -> Binding:
        """Return what a cart written now belongs to."""
        state = self._open()
        return Binding(state.id, state.customer)

    @property
    def ends(self) -> datetime:
        """Return the end that no use postpones."""
        return from_milliseconds(self._open().ends)

    @property
    def is_continued(self) -> bool:
        """Say whether this still is the session that the browser presented."""
        return self._token is not None and self.binding == self.presented_binding

    @property
    def is_needed(self) -> bool:
        """Say whether to remember it: it holds something, its id is in use, or it came empty and stays so."""
        state = self._open()
        return len(self) > 0 or state.customer is not None or self._is_id_asked or self._is_as_presented()

    @property
    def was_refused(self) -> bool:
        """Say whether the browser presented a session that does not count."""
        self._open()
        jar = self.presented.jar
        return self._token is None and (jar.is_over_limit or jar.has(self._channel.name))

    @property
    def is_just_ended(self) -> bool:
        """Say whether the browser may have sent this ended session before it heard of its new one."""
        ended_at = self.ended_at
        return ended_at is not None and self.presented.now - from_milliseconds(ended_at) < IN_FLIGHT

    def settle(self) -> None:
        """Let a login of this request count after every ending that is known by now."""
        state = self._state
        if self._endings is None or state is None or not self._has_logged_in:
            return
        self._has_logged_in = False
        if state.customer is None:
            return
        earliest = self._endings.not_before(state.customer) + 1
        state.authenticated = max(state.authenticated or 0, earliest)

    @property
    def has_news(self) -> bool:
        """Say whether the store must hear of this request before its response starts."""
        is_told = self._endings is not None and self._state is not None
        if not is_told:
            return False
        return self._has_logged_in or len(self.ended) > 0 or (self.memory is not None and self.memory.is_news)

    def take_news(self) -> list[Ending]:
        """Take what this request ended, each once."""
        ended, self.ended = self.ended, []
        return ended

    def is_stale(self, now: datetime) -> bool:
        """Say whether to write the cookie again although nothing changed: idle time used, or an old key."""
        token = self._token
        return token is not None and (
            now - token.issued > self._life.refresh or not self._channel.is_current(token)
        )

    def set_cookie(self, *, now: datetime, is_needed: bool) -> bytes | None:
        """Return the Set-Cookie header value that makes the browser's copy right, if it is not."""
        if not is_needed:
            return None if self.is_just_ended else self._channel.expire(self.presented)
        state = self._identified()
        text = self._text(state)
        if self._token is not None and text == self._token.text and not self.is_stale(now):
            return None
        expires = min(now + self._life.idle, self.ends)
        return self._channel.write(text, host=self.presented.host, now=now, expires=expires)

    def _is_as_presented(self) -> bool:
        return self._token is not None and self._text(self._open()) == self._token.text

    def _text(self, state: State) -> bytes:
        entries = self.copy()
        return jsontext.encode(state.payload({**self._hidden, **entries} if self._hidden else entries))

    @property
    def is_presented(self) -> bool:
        """Say whether the browser sent a session."""
        return self.presented.jar.has(self._channel.name)

    def mark_accessed(self) -> None:
        """Open the session, unless it is open."""
        if self._state is None or self._is_peeked:
            self._open()

    def _open(self) -> State:
        state = self._read() if self._state is None else self._state
        self._is_peeked = False
        if self._claim is not None:
            self.heed()
            state = self._state or state
        return state

    def _read(self) -> State:
        self._is_peeked = False
        self._token: Token | None = None
        self._is_id_asked = False
        self._has_logged_in = False
        # A customer's entries, while nobody knows whether the session was ended.
        self._hidden = None
        self.ended_at: int | None = None  # when the session that the browser presented was ended
        self.ended = []  # what this request ended, for the store
        self.memory = None  # what it makes of being remembered
        self.presented_binding = NOBODY
        self.endings = 0  # how often logout was called: the cart looks, so that neither holds the other
        presented = self.presented
        if presented.jar.is_over_limit:
            presented.on_event(OVER_LIMIT)
        found = self._channel.read(presented, self._parse)
        if found is None:
            return self._begin()
        self._token, (self._state, entries) = found
        endings = self._endings
        self._fill(entries)
        if endings is not None and not endings.is_certain:
            self._hide()
        self.presented_binding = Binding(self._state.id, self._state.customer)
        return self._state

    def _hide(self) -> None:
        """Hide a customer's entries, while nobody knows whether the session still is the customer's."""
        if self._state is not None and self._state.customer is not None and self._hidden is None:
            self._hidden = dict.copy(self)  # as it is: nothing is touched by it
            self._fill({})

    def _end_presented(self) -> None:
        """Have the session that the browser presented ended, once; copies of its cookie open no more."""
        session_id = self.presented_binding.session_id
        is_told = any(ending.key == session_id for ending in self.ended)
        if self._endings is not None and session_id is not None and not is_told:
            self.ended.append(ended_session(session_id, now=self.presented.now, idle=self._life.idle))

    def _news(self) -> Memory:
        """Return what the door has to tell the store."""
        if self.memory is None:
            self.memory = Memory()
        self.memory.is_news = True
        return self.memory

    def _leave_series(self) -> None:
        """Have this browser remembered no more; sessions that others were given by its series end too."""
        if self._endings is None:
            return
        memory, link = self._news(), self.link
        memory.ticket, memory.is_wanted, memory.has_logged_in = None, False, False
        if link is not None:
            memory.left.append(link.series)

    def _begin(self) -> State:
        """Start anew, anonymous; the id comes when there is something to keep."""
        now = self.presented.now
        self._state = State(begun=to_milliseconds(now), ends=to_milliseconds(now + self._life.absolute))
        return self._state

    def _identified(self) -> State:
        state = self._open()
        if state.id is None:
            state.id = new_id()
        return state

    def _parse(self, token: Token) -> tuple[State, dict[str, Any]]:
        state = state_of(token.payload)
        if from_milliseconds(state.ends) <= self.presented.now:
            raise Refused(Reason.EXPIRED)
        if self._endings is not None and (ended_at := self._end_of(state, token)) is not None:
            self.ended_at = ended_at
            raise Refused(Mismatch.ENDED)
        return state, token.payload["d"]

    def _end_of(self, state: State, token: Token) -> int | None:
        endings = self._endings
        if endings is None:
            return None
        if state.customer is not None:
            not_before = endings.not_before(state.customer)
            if (state.authenticated or state.begun) <= not_before:
                return not_before
        if state.link is not None and (ended_at := endings.end_of_series(state.link.series)) is not None:
            return ended_at
        return endings.end_of(state.id or "", token)


def new_id() -> str:
    """Return a random id, of a session or a series."""
    return secrets.token_urlsafe(ID_BYTES)
