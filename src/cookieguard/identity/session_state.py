"""What stands in a session's cookie beside the shop's entries: whose it is, since when, and what belongs to it."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from operator import itemgetter
from typing import Any, NamedTuple

from cookieguard.identity.carts.stored_carts import MOST_CARRIED, Order, joined, orders_of
from cookieguard.identity.oversized import Place, place_of
from cookieguard.identity.remember_me import Link, link_of
from cookieguard.identity.tokens import checked_time

ID_BYTES = 18  # 144 bits; OWASP asks for 64 at least, 128 makes guessing hopeless
MAX_CUSTOMER = 128  # characters; the number rides in two cookies of 4 KB
UNSTORABLE = re.compile("[\0\ud800-\udfff]")  # in PostgreSQL, or in anything that is UTF-8


class Binding(NamedTuple):
    """Name what a cart belongs to: a session and the customer it is logged in as."""

    session_id: str | None
    customer: str | None

    @property
    def owner(self) -> str:
        """Return the key under which the store keeps what is the customer's, or the guest's."""
        return f"s:{self.session_id}" if self.customer is None else f"c:{self.customer}"


NOBODY = Binding(None, None)


@dataclass(frozen=True, slots=True)
class Claim:
    """Say whose session this is, where not the shop's login but somebody else knows."""

    customer: str | None
    is_certain: bool = True
    """False where nobody could be asked: then the session is nobody's, and kept for the next request."""
    lasts: bool = True
    """False where no cookie can tell the browser any more: then it counts for this request only."""


MEMBERS = ("b", "e", "i", "c", "a", "d")
_members = itemgetter(*MEMBERS)


class State:
    """Hold all of a session but its entries.

    Times are in milliseconds, as in the payload: most requests ask for none of them. `new_orders` are those of
    this request, and those that they pushed out of the cookie: for the store. `merges`: the store is still to be
    asked for what this customer left elsewhere. `link` is the series of a remembered browser. `warned`: when a
    copy of the remember-me cookie was used, until the customer is told. `followed`: what this login settled about
    consent (0 nothing, 1 what was refused elsewhere, 2 the signal too), and `followed_until` the time of the last
    refusal that it was told of.
    """

    __slots__ = (
        "authenticated",
        "begun",
        "customer",
        "ends",
        "followed",
        "followed_until",
        "id",
        "link",
        "merges",
        "new_orders",
        "orders",
        "warned",
    )

    def __init__(
        self,
        begun: int,
        ends: int,
        id: str | None = None,  # noqa: A002  # as in the payload
        customer: str | None = None,
        authenticated: int | None = None,
    ) -> None:
        self.begun = begun
        self.ends = ends
        self.id = id
        self.customer = customer
        self.authenticated = authenticated
        self.orders: tuple[Order, ...] = ()
        self.new_orders: tuple[Order, ...] = ()
        self.merges = False
        self.link: Link | None = None
        self.warned: int | None = None
        self.followed = 0
        self.followed_until = 0

    def payload(self, entries: dict[str, Any], place: Place | None = None) -> dict[str, Any]:
        """Return what the token carries; `place` is where the store has the other entries."""
        payload: dict[str, Any] = {
            "i": self.id,
            "c": self.customer,
            "b": self.begun,
            "e": self.ends,
            "a": self.authenticated,
            "d": entries,
        }
        if self.orders:
            payload["o"] = [list(order) for order in self.orders]  # as they come from JSON
        if self.merges:
            payload["m"] = 1
        if self.link is not None:
            payload["r"] = list(self.link)
        if self.warned is not None:
            payload["w"] = self.warned
        if self.followed:
            payload["f"] = self.followed
        if self.followed_until:
            payload["u"] = self.followed_until
        if place is not None:
            payload["n"] = place
        return payload

    def add_order(self, order: Order) -> None:
        """Let this visitor come back to an order."""
        orders = joined([order], self.orders)
        self.orders = orders[:MOST_CARRIED]
        self.new_orders = joined([order], orders[MOST_CARRIED:], self.new_orders)

    def take_over(self, orders: tuple[Order, ...]) -> None:
        """Add the orders that the customer placed elsewhere; that is what `merges` asked for."""
        self.orders, self.merges = joined(self.orders, orders)[:MOST_CARRIED], False

    @property
    def binding(self) -> Binding:
        """Return what a cart written now belongs to."""
        return Binding(self.id, self.customer)


def read_state(payload: Mapping[str, Any]) -> tuple[State, Place | None]:
    """Read a payload; KeyError, TypeError or ValueError where it has another shape."""
    begun, ends, session_id, customer, authenticated, entries = _members(payload)
    if not (
        type(begun) is int
        and type(ends) is int
        and type(session_id) is str
        and (customer is None or type(customer) is str)
        and (authenticated is None or type(authenticated) is int)
        and type(entries) is dict
    ):
        raise TypeError("session payload")
    state = State(begun, ends, session_id, customer, authenticated)
    if len(payload) == len(MEMBERS):
        return state, None
    state.orders = orders_of(payload.get("o", ()))
    state.merges = "m" in payload
    if "r" in payload:
        state.link = link_of(payload["r"])
    if "w" in payload:
        state.warned = checked_time(int(payload["w"]))
    state.followed = payload["f"] if payload.get("f") in (1, 2) else 0
    if "u" in payload:
        state.followed_until = checked_time(int(payload["u"]))
    return state, place_of(payload.get("n"))


def new_id() -> str:
    """Make a session id."""
    return secrets.token_urlsafe(ID_BYTES)


def customer_number(customer: object) -> str:
    """Return a customer number as text; TypeError or ValueError for what is none, without showing it."""
    if isinstance(customer, bool) or not isinstance(customer, str | int):
        raise TypeError(f"a customer number must be a str or an int, not {type(customer).__name__}")
    number = str(customer)
    if not 0 < len(number) <= MAX_CUSTOMER:
        raise ValueError(f"the customer number has {len(number)} characters; allowed: 1 to {MAX_CUSTOMER}")
    if UNSTORABLE.search(number):  # the store would take neither, again and again, and so count as down
        raise ValueError("the customer number contains a NUL or half a surrogate pair; allowed: other text")
    return number
