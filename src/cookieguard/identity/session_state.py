"""The fields of a session's cookie other than the shop's entries: id, customer, times, orders and remember-me link."""

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

ID_BYTES = 18  # 144 bits; OWASP requires at least 64, and 128 bits cannot be guessed
MAX_CUSTOMER = 128  # characters; the number is in two cookies of 4 KB each
UNSTORABLE = re.compile("[\0\ud800-\udfff]")  # PostgreSQL refuses NUL, and UTF-8 has no surrogates


class Binding(NamedTuple):
    """The owner of a cart: a session id and the customer logged in to that session."""

    session_id: str | None
    customer: str | None

    @property
    def owner(self) -> str:
        """Return the store's key for the customer's data, or for the guest's."""
        return f"s:{self.session_id}" if self.customer is None else f"c:{self.customer}"


NOBODY = Binding(None, None)


@dataclass(frozen=True, slots=True)
class Claim:
    """The customer of a session according to another source than the shop's call of `login`."""

    customer: str | None
    is_certain: bool = True
    """False if that source could not be asked; the entries are then hidden, and kept for the next request."""
    lasts: bool = True
    """False if it is too late to set a cookie; the claim then applies to this request only."""


MEMBERS = ("b", "e", "i", "c", "a", "d")
_members = itemgetter(*MEMBERS)


class State:
    """Hold all of a session except its entries.

    Times are in milliseconds, as in the payload, because most requests read none of them. `new_orders` are the
    orders to write to the store: this request's, and those that they pushed out of the cookie. `merges` says that
    the customer's cart and orders of other browsers must still be read from the store. `link` is the series of a
    remembered browser. `warned` is when a copy of the remember-me cookie was used, and is None again once the
    customer has seen the warning. `followed` is how far consent was synchronized since the login (0 not at all, 1
    refusals of other browsers applied, 2 the browser's signal too). `followed_until` is the time of the last
    refusal applied here.
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
        """Return the token's payload; `place` is where the store has entries that are not in the cookie."""
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
        """Add an order to those that this visitor may view."""
        orders = joined([order], self.orders)
        self.orders = orders[:MOST_CARRIED]
        self.new_orders = joined([order], orders[MOST_CARRIED:], self.new_orders)

    def take_over(self, orders: tuple[Order, ...]) -> None:
        """Add the orders that the customer placed in other browsers, and clear `merges`."""
        self.orders, self.merges = joined(self.orders, orders)[:MOST_CARRIED], False

    @property
    def binding(self) -> Binding:
        """Return the session id and customer that a cart written now belongs to."""
        return Binding(self.id, self.customer)


def read_state(payload: Mapping[str, Any]) -> tuple[State, Place | None]:
    """Return the state in a payload; KeyError, TypeError or ValueError if it has another shape."""
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
    """Return a new random session id."""
    return secrets.token_urlsafe(ID_BYTES)


def customer_number(customer: object) -> str:
    """Return a customer number as text. The TypeError or ValueError for an invalid one does not show it."""
    if isinstance(customer, bool) or not isinstance(customer, str | int):
        raise TypeError(f"a customer number must be a str or an int, not {type(customer).__name__}")
    number = str(customer)
    if not 0 < len(number) <= MAX_CUSTOMER:
        raise ValueError(f"the customer number has {len(number)} characters; allowed: 1 to {MAX_CUSTOMER}")
    if UNSTORABLE.search(number):  # the store would refuse it at each retry, and so count as unavailable
        raise ValueError("the customer number contains a NUL or half a surrogate pair; allowed: other text")
    return number
