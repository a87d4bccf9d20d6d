"""What an app sees of its visitor: consent, session, cart, customer number; never an address."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Protocol

from cookieguard.consent.decision import Consent
from cookieguard.errors import CookieGuardError
from cookieguard.identity.cart import Cart
from cookieguard.identity.session import Session
from cookieguard.web.orders import Orders

SCOPE_KEY = "cookieguard.visitor"


class HasScope(Protocol):
    """Be a request object of any ASGI framework: it keeps its scope at `.scope`."""

    @property
    def scope(self) -> Any: ...


class Source(Protocol):
    """Be where a Visitor takes its values from: the request's Exchange."""

    @property
    def consent(self) -> Consent: ...
    @property
    def session(self) -> Session: ...
    @property
    def cart(self) -> Cart: ...
    @property
    def orders(self) -> Orders: ...
    def throttle_key(self, purpose: str) -> str: ...


class Visitor:
    """Give an app what it may know of a visitor.

    Owned by the request it came with: use it until the response ends, do not keep it.
    """

    __slots__ = ("_source",)

    def __init__(self, source: Source) -> None:
        self._source = source

    @property
    def customer(self) -> str | None:
        """The customer number this session is logged in as, None for a guest."""
        return self.session.customer

    @property
    def consent(self) -> Consent:
        """What this visitor agreed to, as it applies to this request."""
        return self._source.consent

    @property
    def session(self) -> Session:
        """The signed session: a mapping of JSON values, the same object as `scope["session"]`."""
        return self._source.session

    @property
    def cart(self) -> Cart:
        """The signed cart: a mapping of JSON values bound to this session and customer."""
        return self._source.cart

    @property
    def orders(self) -> Orders:
        """The orders this visitor placed and may come back to."""
        return self._source.orders

    def login(self, customer_number: str | int) -> None:
        """Make this session the customer's: a new session id, the guest's cart comes along."""
        self.session.login(customer_number)

    def logout(self) -> None:
        """End the session: emptied, a new id, an empty cart. Copies of its cookie open no more, on any worker."""
        self.session.logout()

    def logout_everywhere(self) -> None:
        """End every session of this customer; every worker obeys within 5 s.

        After a change of password call `login` again: this browser then stays. Raises CookieGuardError without
        a store (`store.enabled = false`).
        """
        self.session.logout_everywhere()

    @property
    def is_uncertain(self) -> bool:
        """Whether the store is down: nobody is a customer then. The cart can be read; let it not check out."""
        return self.session.is_uncertain

    @property
    def auth_age(self) -> timedelta | None:
        """How long ago the customer logged in, None for a guest; ask for a new login where it is too long."""
        return self.session.auth_age

    def throttle_key(self, purpose: str) -> str:
        """Return a key that counts attempts of one address for `purpose` without being the address.

        Keyed with a random key of this hour that all workers share; next hour the same address has another
        key, and nobody can tell which. IPv6 counts by /64.
        """
        return self._source.throttle_key(purpose)


def visitor_of(connection: HasScope | Mapping[str, Any]) -> Visitor:
    """Return the Visitor behind a request object of any framework, or behind an ASGI scope.

    Raises CookieGuardError where no CookieGuard is around the app.
    """
    scope = connection if isinstance(connection, Mapping) else connection.scope
    visitor = scope.get(SCOPE_KEY)
    if not isinstance(visitor, Visitor):
        raise CookieGuardError("this request has no visitor: wrap the app as CookieGuard(app)")
    return visitor
