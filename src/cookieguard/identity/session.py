"""The session: who this browser is to the shop, and what the shop remembers about it, in one cookie."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from cookieguard.errors import CookieGuardError
from cookieguard.identity import jsontext
from cookieguard.identity.channel import OVER_LIMIT, Channel, Mismatch, Presented, Refused
from cookieguard.identity.endings import Ending, Endings, ended_customer, ended_session
from cookieguard.identity.floors import IN_FLIGHT
from cookieguard.identity.keeping import Write
from cookieguard.identity.life import Life
from cookieguard.identity.overflow import NOWHERE, Overflow, fetched
from cookieguard.identity.spilling import Place
from cookieguard.identity.state import NOBODY, Binding, State, customer_number, new_id, read_state
from cookieguard.identity.tokens import Reason, Token, from_milliseconds, to_milliseconds
from cookieguard.identity.values import JsonMapping

NO_STORE = "logging out everywhere needs the store, and store.enabled is false"


class Session(JsonMapping):
    """Be `request.session`: a dict of JSON values, with the customer it belongs to.

    The cookie is opened at the first touch. Owns what it held and what became of it, until the response.
    """

    __slots__ = (
        "_before",
        "_channel",
        "_endings",
        "_has_logged_in",
        "_hidden",
        "_is_id_asked",
        "_life",
        "_overflow",
        "_present",
        "_presented",
        "_state",
        "_token",
        "ended",
        "ended_at",
        "endings",
        "presented_binding",
    )
    _hidden: dict[str, Any] | None
    _overflow: Overflow
    ended: list[Ending]
    endings: int

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
        if self._hidden is not None or (self._endings is not None and not self._endings.is_certain):
            return True
        spilled = self.presented.spilled
        return spilled is not None and spilled.is_incomplete

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

    def login(self, customer: str | int) -> None:
        """Begin a new session of this customer; entries and cart come along, but never another customer's."""
        number = customer_number(customer)
        if self._open().customer not in (None, number):
            self.logout()
        self._end_presented()
        before, state = self._open(), self._begin()
        state.customer = number
        state.authenticated = state.begun
        state.orders, state.new_orders = before.orders, before.new_orders
        state.merges = self._endings is not None
        self._has_logged_in = True

    def logout(self) -> None:
        """End the session: no customer, no entries, an empty cart, a new id for what comes.

        `clear()` only removes entries, the customer stays.
        """
        self._open()
        self._end_presented()
        self._begin()
        self._hidden = None
        self._overflow = self._overflow.left()
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
        return self._state is not None

    # From here on: for the visit and the cart.

    @property
    def presented(self) -> Presented:
        """Return what the request brought."""
        if self._presented is None:
            self._presented = self._present()
        return self._presented

    @property
    def state(self) -> State:
        """Return all of the session but its entries."""
        return self._open()

    @property
    def binding(self) -> Binding:
        """Return what a cart written now belongs to."""
        return self._open().binding

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
        is_held = len(self) > 0 or state.customer is not None or len(state.orders) > 0
        return is_held or self._is_id_asked or self._is_as_presented()

    @property
    def was_refused(self) -> bool:
        """Say whether the browser presented a session that does not count."""
        self._open()
        jar = self.presented.jar
        return self._token is None and (jar.is_over_limit or jar.has(self._channel.name))

    @property
    def is_just_ended(self) -> bool:
        """Say whether the browser may have sent this ended session before it heard of its new one."""
        # A request that left before the answer that ended its session must not take the new cookie away.
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
        return is_told and (self._has_logged_in or len(self.ended) > 0)

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

    def set_cookie(self, *, now: datetime, is_needed: bool, has_store: bool = False) -> bytes | None:
        """Return the Set-Cookie header value that makes the browser's copy right, if it is not.

        Raises StoreFirst where the store is to have its entries, or had them, and did not hear of that.
        """
        overflow = self._overflow
        if not is_needed:
            if has_store:
                overflow.require_release()
            return None if self.is_just_ended else self._channel.expire(self.presented)
        state = self._identified()
        text, is_spilled = self._text(state), overflow.is_missing
        if self._is_unchanged(text, now):
            return None
        if has_store and overflow.takes(text, self._channel.fits, is_same=self._is_same):
            place = overflow.place_of(text, cookie=self._channel.name)
            text, is_spilled = jsontext.encode(state.payload({}, place)), True
        host, expires = self.presented.host, self._expires(now)
        return self._channel.write(text, host=host, now=now, expires=expires, is_spilled=is_spilled)

    def spill(self, *, now: datetime, is_needed: bool) -> list[Write]:
        """Return what the store is to keep of this session, and what no more."""
        if not is_needed:
            return self._overflow.release()
        text = self._text(self._identified())
        if self._is_unchanged(text, now):
            return []
        self._overflow = self._overflow.own()
        return self._overflow.spill(
            text, self._entries(), self._channel.fits, is_same=self._is_same, until=self._expires(now)
        )

    def _expires(self, now: datetime) -> datetime:
        return min(now + self._life.idle, self.ends)

    @property
    def _is_same(self) -> bool:
        return self.binding.session_id == self.presented_binding.session_id

    def _is_unchanged(self, text: bytes, now: datetime) -> bool:
        return self._token is not None and text == self._before and not self.is_stale(now)

    def _is_as_presented(self) -> bool:
        return self._token is not None and self._text(self._open()) == self._before

    def _entries(self) -> dict[str, Any]:
        entries = self.copy()
        return {**self._hidden, **entries} if self._hidden else entries

    def _text(self, state: State) -> bytes:
        overflow = self._overflow
        return jsontext.encode(
            state.payload(self._entries(), overflow.place if overflow.is_missing else None)
        )

    @property
    def is_presented(self) -> bool:
        """Say whether the browser sent a session."""
        return self.presented.jar.has(self._channel.name)

    def mark_accessed(self) -> None:
        """Open the session, unless it is open."""
        if self._state is None:
            self._open()

    def _open(self) -> State:
        if self._state is not None:
            return self._state
        self._token: Token | None = None
        self._is_id_asked = False
        self._has_logged_in = False
        # A customer's entries, while nobody knows whether the session was ended.
        self._hidden = None
        self._before = b""  # the payload as it came, with what the store had of it
        self._overflow = NOWHERE
        self.ended_at: int | None = None  # when the session that the browser presented was ended
        self.ended = []  # what this request ended, for the store
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
        if self._overflow.is_missing or (
            self._state.customer is not None and endings is not None and not endings.is_certain
        ):
            self._hidden, entries = entries, {}
        self._fill(entries)
        self.presented_binding = self._state.binding
        return self._state

    def _end_presented(self) -> None:
        """Have the session that the browser presented ended, once; copies of its cookie open no more."""
        session_id = self.presented_binding.session_id
        is_told = any(ending.key == session_id for ending in self.ended)
        if self._endings is not None and session_id is not None and not is_told:
            self.ended.append(ended_session(session_id, now=self.presented.now, idle=self._life.idle))

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
        state, place = read_state(token.payload)
        if from_milliseconds(state.ends) <= self.presented.now:
            raise Refused(Reason.EXPIRED)
        if self._endings is not None and (ended_at := self._end_of(state, token)) is not None:
            self.ended_at = ended_at
            raise Refused(Mismatch.ENDED)
        entries, self._before = token.payload["d"], token.text
        if place is not None:
            entries = self._fetch(place, state, entries)
        return state, entries

    def _fetch(self, place: Place, state: State, added: dict[str, Any]) -> dict[str, Any]:
        """Return what the store had, and what was added while it could not be asked."""
        entries = fetched(self.presented, place)
        self._overflow = Overflow(place, is_missing=entries is None)
        if entries is None:
            return added
        self._before = jsontext.encode(state.payload(entries))
        return {**entries, **added}

    def _end_of(self, state: State, token: Token) -> int | None:
        endings = self._endings
        if endings is None:
            return None
        if state.customer is not None:
            not_before = endings.not_before(state.customer)
            if (state.authenticated or state.begun) <= not_before:
                return not_before
        return endings.end_of(state.id or "", token)
