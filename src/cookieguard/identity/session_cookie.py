"""How a session is read from its cookie at the first access, and written back when it changed.

Rule: session.py holds the methods that the shop calls. This module holds reading and writing the cookie.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from cookieguard.identity.carts.cart_versions import IN_FLIGHT
from cookieguard.identity.carts.stored_carts import Write
from cookieguard.identity.encoding.canonical_json import encode, image, image_of
from cookieguard.identity.lazy_mapping import JsonMapping
from cookieguard.identity.lifetime import Life
from cookieguard.identity.oversized import Place
from cookieguard.identity.oversized_storage import NOWHERE, OversizedStorage, fetched
from cookieguard.identity.remember_me import RememberState
from cookieguard.identity.revocations import Revocation, Revocations
from cookieguard.identity.session_state import Binding, Claim, State, new_id, read_state
from cookieguard.identity.token_cookie import Channel, Mismatch, Presented, Refused
from cookieguard.identity.tokens import (
    Reason,
    Token,
    checked_time,
    from_milliseconds,
    milliseconds_until,
    to_milliseconds,
)
from cookieguard.security_events import SecurityEvent


class SessionCookie(JsonMapping):
    """Hold a session's entries as the browser sent them and as the request changed them, until the response.

    Mutable, owned by one request.
    """

    __slots__ = (
        "_before",
        "_came",
        "_came_customer",
        "_came_id",
        "_came_since",
        "_channel",
        "_claim",
        "_has_ended",
        "_has_logged_in",
        "_hidden",
        "_is_id_asked",
        "_is_peeked",
        "_life",
        "_oversized",
        "_present",
        "_presented",
        "_revocations",
        "_state",
        "_token",
        "ended",
        "ended_at",
        "remember_state",
        "revocations",
    )
    _came: bytes
    _came_customer: str | None
    _came_id: str | None
    _came_since: int
    _hidden: dict[str, Any] | None
    _oversized: OversizedStorage
    _has_ended: bool
    _has_logged_in: bool
    _is_id_asked: bool
    ended: list[Revocation]
    ended_at: int | None
    revocations: int
    remember_state: RememberState | None

    def __init__(
        self,
        channel: Channel,
        life: Life,
        present: Callable[[], Presented],
        revocations: Revocations | None = None,
    ) -> None:
        """Make an unopened session. `present` returns the request's cookies and is called at the first access.

        Every request makes a session and few open it, so `_read` sets the attributes that only an open one has.
        """
        self._channel = channel
        self._life = life
        self._present = present
        self._revocations = revocations
        self._presented: Presented | None = None
        self._state: State | None = None
        self._claim: Callable[[], Claim] | None = None

    def heed(self) -> None:
        """Apply the pending claim to the session's customer, if there is one."""
        raise NotImplementedError

    @property
    def is_uncertain(self) -> bool:
        """Return whether the store could not say what was ended; the session then counts as logged out."""
        self._open()
        if self._hidden is not None or (self._revocations is not None and not self._revocations.is_certain):
            return True
        oversized = self.presented.oversized
        return oversized is not None and oversized.is_incomplete and self._token is not None

    @property
    def is_open(self) -> bool:
        return self._state is not None and not self._is_peeked

    def peek(self) -> Binding:
        """Return the session id and customer that the browser presented, without opening the session."""
        if self._state is None:
            self._read()
            self._is_peeked = True
        return self.presented_binding

    @property
    def presented_binding(self) -> Binding:
        """Return the session id and customer that the browser presented. The session must have been read."""
        return Binding(self._came_id, self._came_customer)

    @property
    def presented_since(self) -> int:
        """Return when (milliseconds) the presented session's login happened. The session must have been read."""
        return self._came_since

    @property
    def is_hidden(self) -> bool:
        """Return whether the entries are hidden because the store could not be read. Valid after `peek`."""
        return self._hidden is not None

    @property
    def presented(self) -> Presented:
        """Return the request's cookies, host and time."""
        if self._presented is None:
            self._presented = self._present()
        return self._presented

    @property
    def state(self) -> State:
        """Return all of the session except its entries."""
        return self._open()

    @property
    def binding(self) -> Binding:
        """Return the session id and customer that a cart written now belongs to."""
        return self._open().binding

    @property
    def ends(self) -> datetime:
        """Return the absolute end of the session, which use does not postpone."""
        return from_milliseconds(self._open().ends)

    @property
    def is_continued(self) -> bool:
        """Return whether this is still the session that the browser presented."""
        return self._token is not None and self.binding == self.presented_binding

    @property
    def is_needed(self) -> bool:
        """Return whether to keep it: it has content, the app read its id, or it came empty and is unchanged."""
        state = self._open()
        is_held = len(self) > 0 or state.customer is not None or len(state.orders) > 0
        return is_held or self._is_id_asked or self._is_as_presented()

    @property
    def was_refused(self) -> bool:
        """Return whether the browser presented a session that was refused."""
        self._open()
        jar = self.presented.jar
        return self._token is None and (jar.is_over_limit or jar.has(self._channel.name))

    @property
    def is_just_ended(self) -> bool:
        """Return whether the browser may have sent this ended session before it received its new one."""
        # The response to such a request must not remove the new cookie.
        ended_at = self.ended_at
        return ended_at is not None and self.presented.now - from_milliseconds(ended_at) < IN_FLIGHT

    def settle(self) -> None:
        """Date a login of this request after every revocation known by now, so that none of them ends it."""
        state = self._state
        if self._revocations is None or state is None or not self._has_logged_in:
            return
        self._has_logged_in = False
        if state.customer is None:
            return
        earliest = self._revocations.not_before(state.customer) + 1
        state.authenticated = max(state.authenticated or 0, earliest)

    @property
    def has_news(self) -> bool:
        """Return whether the store must be written before this request's response starts."""
        if self._revocations is None or self._state is None:
            return False
        remembering = self.remember_state
        return self._has_logged_in or len(self.ended) > 0 or (remembering is not None and remembering.is_news)

    def take_news(self) -> list[Revocation]:
        """Return the revocations of this request, each only once."""
        ended, self.ended = self.ended, []
        return ended

    def is_stale(self, now: datetime) -> bool:
        """Return whether to write an unchanged cookie again: part of its idle time is used up, or its key is old."""
        token = self._token
        if token is None:
            return False
        is_used = self._moment(now) - token.issued_at > self._life.refresh_milliseconds
        return is_used or not token.was_current

    def _moment(self, now: datetime) -> int:
        """Return a time in milliseconds; for the request's own time this is computed already."""
        presented = self._presented
        if presented is not None and now is presented.now:
            return presented.moment
        return milliseconds_until(now)

    def is_at_rest(self, now: datetime) -> bool:
        """Return whether a session was only read, so that cookie and store are right as they are.

        This quick check comes first, because most sessions are only read. False if the full comparison is needed.
        """
        state = self._state
        if state is None or not self._came or self._hidden is not None or self.remember_state is not None:
            return False
        if state.merges or state.new_orders:
            return False
        return image(state.payload(self._opened())) == self._came and not self.is_stale(now)

    def set_cookie(self, *, now: datetime, is_needed: bool, has_store: bool = False) -> bytes | None:
        """Return the Set-Cookie header value that updates the browser's copy; None if the copy is right.

        Raises StoreFirst if its entries must first be written to the store, or removed from it.
        """
        overflow = self._oversized
        if not is_needed:
            if has_store:
                overflow.require_release()
            return None if self.is_just_ended else self._channel.expire(self.presented)
        state = self._identified()
        text, is_oversized = self._text(state), overflow.is_missing
        if self._is_unchanged(text, now):
            return None
        if has_store and overflow.takes(text, self._channel.fits, is_same=self._is_same):
            place = overflow.place_of(text, cookie=self._channel.name)
            text, is_oversized = encode(state.payload({}, place)), True
        moment = self._moment(now)
        expires = min(moment + self._life.idle_milliseconds, state.ends)
        return self._channel.write_until(text, self.presented.host, moment, expires, is_oversized)

    def spill(self, *, now: datetime, is_needed: bool) -> list[Write]:
        """Return the writes and removals that bring this session's entries in the store up to date."""
        if not is_needed:
            return self._oversized.release()
        text = self._text(self._identified())
        if self._is_unchanged(text, now):
            return []
        self._oversized = self._oversized.own()
        fits, until, owner = self._channel.fits, self._expires(now), self.binding.owner
        spill, is_same = self._oversized.spill, self._is_same
        return spill(text, self._entries(), fits, is_same=is_same, now=now, until=until, owner=owner)

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
        overflow = self._oversized
        return encode(state.payload(self._entries(), overflow.place if overflow.is_missing else None))

    @property
    def is_presented(self) -> bool:
        """Return whether the browser sent a session."""
        return self.presented.jar.has(self._channel.name)

    def mark_accessed(self) -> None:
        if self._state is None or self._is_peeked:
            self._open()

    def mark_changed(self) -> None:
        """Open the session, unless it is open, and have `is_at_rest` say False from now on."""
        self.mark_accessed()
        self._came = b""

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
        self._has_ended = False  # whether this request ended the presented session
        # The entries, while the store cannot be read.
        self._hidden = None
        self._before = b""  # the payload as it came, including the entries that the store had
        self._came = b""  # the image of that payload, if the cookie held all of it
        self._oversized = NOWHERE
        self.ended_at = None  # when the presented session was ended
        self.ended = []  # revocations of this request, for the store
        self.remember_state = None  # this request's changes to the remember-me series
        self._came_id = self._came_customer = None
        self._came_since = 0
        self.revocations = 0  # the number of logouts; the cart compares it to notice a logout
        presented = self.presented
        if presented.jar.is_over_limit:
            presented.on_event(SecurityEvent.COOKIES_OVER_LIMIT)
        found = self._channel.read(presented, self._parse)
        if found is None:
            return self._begin()
        self._token, (self._state, entries) = found
        revocations = self._revocations
        self._fill(entries)
        if self._oversized.is_missing:
            self._hide(always=True)
        elif revocations is not None and not revocations.is_certain:
            self._hide()
        self._came_id, self._came_customer = self._state.id, self._state.customer
        self._came_since = self._state.authenticated or self._state.begun
        return self._state

    def _hide(self, *, always: bool = False) -> None:
        """Hide a customer's entries while the store cannot say whether the session was ended.

        `always` hides a guest's too, because the store has entries that could not be read.
        """
        if self._state is None or self._hidden is not None:
            return
        if always or self._state.customer is not None:
            self._hidden = self._opened()
            self._fill({})

    def _begin(self) -> State:
        """Begin an anonymous session. Its id is made later, when there is something to keep."""
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
        if checked_time(state.ends) <= self.presented.moment:
            raise Refused(Reason.EXPIRED)
        if self._revocations is not None and (ended_at := self._end_of(state, token)) is not None:
            self.ended_at = ended_at
            raise Refused(Mismatch.ENDED)
        entries, self._before = token.payload["d"], token.text
        if place is None:
            self._came = image_of(token.payload, token.text)
        else:
            entries = self._fetch(place, state, entries)
        return state, entries

    def _fetch(self, place: Place, state: State, added: dict[str, Any]) -> dict[str, Any]:
        """Return the entries in the store, with those added while the store could not be read."""
        entries = fetched(self.presented, place, has_store=self._revocations is not None)
        self._oversized = OversizedStorage(place, is_missing=entries is None)
        if entries is None:
            return added
        self._before = encode(state.payload(entries))
        return {**entries, **added}

    def _end_of(self, state: State, token: Token) -> int | None:
        revocations = self._revocations
        if revocations is None:
            return None
        if state.customer is not None:
            not_before = revocations.not_before(state.customer)
            if (state.authenticated or state.begun) <= not_before:
                return not_before
        if state.link is not None and (ended_at := revocations.end_of_series(state.link.series)) is not None:
            return ended_at
        return revocations.end_of(state.id or "", token, customer=state.customer)
