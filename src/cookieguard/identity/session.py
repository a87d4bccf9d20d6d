"""The session: who this browser is to the shop, and what the shop remembers about it, in one cookie."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import NoneType
from typing import Any, NamedTuple

from cookieguard.config import IdentitySettings
from cookieguard.identity import jsontext
from cookieguard.identity.channel import OVER_LIMIT, Channel, Presented, Refused
from cookieguard.identity.tokens import Reason, Token, from_milliseconds, to_milliseconds
from cookieguard.identity.values import JsonMapping

ID_BYTES = 18  # 144 bits; OWASP asks for 64 at least, 128 makes guessing hopeless
MAX_CUSTOMER = 128  # characters; the number rides in two cookies of 4 KB
REFRESH_SHARE = 0.1  # write again when this share of the idle time is used: not with every request


@dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """Say how long a session lives unused, at most, and from which age its cookie is written again."""

    idle: timedelta
    absolute: timedelta
    refresh: timedelta

    @classmethod
    def of(cls, settings: IdentitySettings) -> Life:
        """Take both limits from the settings."""
        idle = timedelta(days=settings.idle_days)
        absolute = timedelta(days=settings.absolute_days)
        return cls(idle=idle, absolute=absolute, refresh=idle * REFRESH_SHARE)


class Binding(NamedTuple):
    """Name what a cart belongs to: a session and the customer it is logged in as."""

    session_id: str | None
    customer: str | None


NOBODY = Binding(None, None)
SHAPE: tuple[tuple[str, tuple[type, ...]], ...] = (
    ("i", (str,)),
    ("c", (str, NoneType)),
    ("b", (int,)),
    ("e", (int,)),
    ("a", (int, NoneType)),
    ("d", (dict,)),
)


@dataclass(slots=True)
class _State:
    begun: int  # times in milliseconds, as in the payload: most requests ask for none of them
    ends: int
    id: str | None = None
    customer: str | None = None
    authenticated: int | None = None

    def payload(self, entries: dict[str, Any]) -> dict[str, Any]:
        return {
            "i": self.id,
            "c": self.customer,
            "b": self.begun,
            "e": self.ends,
            "a": self.authenticated,
            "d": entries,
        }


class Session(JsonMapping):
    """Be `request.session`: a dict of JSON values, with the customer it belongs to.

    The cookie is opened at the first touch. Owns what it held and what became of it, until the response.
    """

    __slots__ = (
        "_channel",
        "_is_id_asked",
        "_life",
        "_present",
        "_presented",
        "_state",
        "_token",
        "endings",
        "presented_binding",
    )

    def __init__(self, channel: Channel, life: Life, present: Callable[[], Presented]) -> None:
        """Begin unopened; `present` tells what the request brought, and is asked at the first touch.

        One is made for each request, and most touch none: what only an open session has is set by `_open`.
        """
        self._channel = channel
        self._life = life
        self._present = present
        self._presented: Presented | None = None
        self._state: _State | None = None

    @property
    def id(self) -> str:
        """Return the random id of this session; asking for it makes the session one that is kept."""
        identity = self._identified().id or ""
        self._is_id_asked = True
        return identity

    @property
    def customer(self) -> str | None:
        """Return the customer number this session is logged in as."""
        return self._open().customer

    @property
    def auth_time(self) -> datetime | None:
        """Return when the customer logged in."""
        moment = self._open().authenticated
        return None if moment is None else from_milliseconds(moment)

    @property
    def created(self) -> datetime:
        """Return when this session began; login begins a new one."""
        return from_milliseconds(self._open().begun)

    def login(self, customer: str | int) -> None:
        """Begin a new session of this customer; entries and cart come along, but never another customer's."""
        number = _customer_number(customer)
        if self._open().customer not in (None, number):
            self.logout()
        state = self._begin()
        state.customer = number
        state.authenticated = state.begun

    def logout(self) -> None:
        """End the session: no customer, no entries, an empty cart, a new id for what comes.

        `clear()` only removes entries, the customer stays.
        """
        self._open()
        self._begin()
        self._fill({})
        self._is_id_asked = False
        self.endings += 1

    def renew_id(self) -> None:
        """Give the session a new id and keep all else; for changes of privilege."""
        self._open().id = _new_id()
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

    def is_stale(self, now: datetime) -> bool:
        """Say whether to write the cookie again although nothing changed: idle time used, or an old key."""
        token = self._token
        return token is not None and (
            now - token.issued > self._life.refresh or not self._channel.is_current(token)
        )

    def set_cookie(self, *, now: datetime, is_needed: bool) -> bytes | None:
        """Return the Set-Cookie header value that makes the browser's copy right, if it is not."""
        if not is_needed:
            return self._channel.expire(self.presented)
        state = self._identified()
        text = jsontext.encode(state.payload(self.copy()))
        if self._token is not None and text == self._token.text and not self.is_stale(now):
            return None
        expires = min(now + self._life.idle, self.ends)
        return self._channel.write(text, host=self.presented.host, now=now, expires=expires)

    def _is_as_presented(self) -> bool:
        return (
            self._token is not None and jsontext.encode(self._open().payload(self.copy())) == self._token.text
        )

    @property
    def is_presented(self) -> bool:
        """Say whether the browser sent a session."""
        return self.presented.jar.has(self._channel.name)

    def mark_accessed(self) -> None:
        """Open the session, unless it is open."""
        if self._state is None:
            self._open()

    def _open(self) -> _State:
        if self._state is not None:
            return self._state
        self._token: Token | None = None
        self._is_id_asked = False
        self.presented_binding = NOBODY
        self.endings = 0  # how often logout was called: the cart looks, so that neither holds the other
        presented = self.presented
        if presented.jar.is_over_limit:
            presented.on_event(OVER_LIMIT)
        found = self._channel.read(presented, self._parse)
        if found is None:
            return self._begin()
        self._token, (self._state, entries) = found
        self._fill(entries)
        self.presented_binding = Binding(self._state.id, self._state.customer)
        return self._state

    def _begin(self) -> _State:
        """Start anew, anonymous; the id comes when there is something to keep."""
        now = self.presented.now
        self._state = _State(begun=to_milliseconds(now), ends=to_milliseconds(now + self._life.absolute))
        return self._state

    def _identified(self) -> _State:
        state = self._open()
        if state.id is None:
            state.id = _new_id()
        return state

    def _parse(self, token: Token) -> tuple[_State, dict[str, Any]]:
        payload = token.payload
        for name, types in SHAPE:
            if type(payload[name]) not in types:
                raise TypeError(name)
        state = _State(payload["b"], payload["e"], payload["i"], payload["c"], payload["a"])
        if from_milliseconds(state.ends) <= self.presented.now:
            raise Refused(Reason.EXPIRED)
        return state, payload["d"]


def _new_id() -> str:
    return secrets.token_urlsafe(ID_BYTES)


def _customer_number(customer: object) -> str:
    if isinstance(customer, bool) or not isinstance(customer, str | int):
        raise TypeError(f"a customer number is a str or an int, not {type(customer).__name__}")
    number = str(customer)
    if not 0 < len(number) <= MAX_CUSTOMER:
        raise ValueError(f"a customer number of {len(number)} characters; allowed: 1 to {MAX_CUSTOMER}")
    return number
