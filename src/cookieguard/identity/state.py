"""What a session is made of: how long it lives, whom it belongs to, what its token says.

Rule: values only; what becomes of them is the session's.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from types import NoneType
from typing import Any, NamedTuple

from cookieguard.config import IdentitySettings
from cookieguard.identity.remember import Link, link_of

MAX_CUSTOMER = 128  # characters; the number rides in two cookies of 4 KB
REFRESH_SHARE = 0.1  # write again when this share of the idle time is used: not with every request


@dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """Say how long a session lives unused, at most, and from which age its cookie is written again."""

    idle: timedelta
    absolute: timedelta
    refresh: timedelta
    longest: timedelta
    """The most that anything can live which a customer's login made."""
    remembered: timedelta
    """How long a customer is remembered after a login."""

    @classmethod
    def of(cls, settings: IdentitySettings, *, remembered: timedelta = timedelta(0)) -> Life:
        """Take both limits from the settings; `remembered` is how long a customer is."""
        idle = timedelta(days=settings.idle_days)
        absolute = timedelta(days=settings.absolute_days)
        refresh = idle * REFRESH_SHARE
        remembered = (
            remembered or absolute
        )  # a cookie that goes with the browser's session has no age of its own
        longest = max(absolute, remembered)
        return cls(idle=idle, absolute=absolute, refresh=refresh, longest=longest, remembered=remembered)


class Binding(NamedTuple):
    """Name what a cart belongs to: a session and the customer it is logged in as."""

    session_id: str | None
    customer: str | None


NOBODY = Binding(None, None)


@dataclass(frozen=True, slots=True)
class Claim:
    """Say whose session this is, where not the shop's login but somebody else knows."""

    customer: str | None
    is_certain: bool = True
    """False where nobody could be asked: then the session is nobody's, and kept for the next request."""
    lasts: bool = True
    """False where no cookie can tell the browser any more: then it counts for this request only."""


SHAPE: tuple[tuple[str, tuple[type, ...]], ...] = (
    ("i", (str,)),
    ("c", (str, NoneType)),
    ("b", (int,)),
    ("e", (int,)),
    ("a", (int, NoneType)),
    ("d", (dict,)),
)


@dataclass(slots=True)
class State:
    """Hold it while a request changes it. Owned by its Session."""

    begun: int  # times in milliseconds, as in the payload: most requests ask for none of them
    ends: int
    id: str | None = None
    customer: str | None = None
    authenticated: int | None = None
    link: Link | None = None
    warned: int | None = None
    followed: int = 0

    def payload(self, entries: dict[str, Any]) -> dict[str, Any]:
        """Return what the cookie holds; few sessions are tied to a series, fewer carry a warning."""
        payload: dict[str, Any] = {
            "i": self.id,
            "c": self.customer,
            "b": self.begun,
            "e": self.ends,
            "a": self.authenticated,
            "d": entries,
        }
        if self.link is not None:
            payload["r"] = list(self.link)
        if self.warned is not None:
            payload["w"] = self.warned
        if self.followed:
            payload["f"] = self.followed
        return payload


def state_of(payload: dict[str, Any]) -> State:
    """Read a payload; KeyError or TypeError for what is of another shape."""
    for name, types in SHAPE:
        if type(payload[name]) not in types:
            raise TypeError(name)
    state = State(payload["b"], payload["e"], payload["i"], payload["c"], payload["a"])
    if "r" in payload:
        state.link = link_of(payload["r"])
    if "w" in payload:
        state.warned = int(payload["w"])
    state.followed = payload["f"] if payload.get("f") in (1, 2) else 0
    return state


def customer_number(customer: object) -> str:
    """Take a customer number as text; TypeError or ValueError for what is none."""
    if isinstance(customer, bool) or not isinstance(customer, str | int):
        raise TypeError(f"a customer number is a str or an int, not {type(customer).__name__}")
    number = str(customer)
    if not 0 < len(number) <= MAX_CUSTOMER:
        raise ValueError(f"a customer number of {len(number)} characters; allowed: 1 to {MAX_CUSTOMER}")
    return number
