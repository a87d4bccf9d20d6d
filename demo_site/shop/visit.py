"""The visitor of a request: CookieGuard's if the shop is guarded, otherwise one with a plain session cookie."""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping, Sequence
from typing import Any, Protocol

from starlette.requests import Request

MOST_ORDERS = 20  # orders that a guest of the unguarded shop can see again


class Orders(Protocol):
    """Define what the shop uses of a visitor's orders."""

    def add(self, order: str, /) -> None:
        """Let the visitor see an order again."""

    async def has(self, order: str, /) -> bool:
        """Return whether this visitor may see an order."""


class Visitor(Protocol):
    """Define what the shop uses of a visitor; `cookieguard.Visitor` has all of it."""

    @property
    def customer(self) -> str | None:
        """The customer number, or None for a guest."""

    @property
    def session(self) -> MutableMapping[str, Any]:
        """Values that the shop keeps from page to page."""

    @property
    def cart(self) -> MutableMapping[str, Any]:
        """Quantities by article number."""

    @property
    def orders(self) -> Orders:
        """The orders that this visitor may see."""

    def login(self, customer_number: str, /, *, remember: bool = False) -> None:
        """Sign in a customer; `remember` keeps them signed in on this browser."""

    def logout(self) -> None:
        """Sign out, and empty the cart."""

    def logout_everywhere(self) -> None:
        """Sign out in every browser of this customer."""

    @property
    def is_uncertain(self) -> bool:
        """Whether it is not certain at the moment who this visitor is."""

    @property
    def is_remembered(self) -> bool:
        """Whether the visitor was recognised without a password in this visit."""

    def take_warnings(self) -> Sequence[object]:
        """Return a notice for the customer, once."""

    def cookie_table(self, lang: str = "", /) -> str:
        """Return the declaration of cookies, as a table."""

    def throttle_key(self, purpose: str, /) -> str:
        """Return a key for counting this visitor's attempts."""

    def goal(self, name: str, /, *, value: float | None = None) -> None:
        """Count a goal that was reached."""


def visitor_of(request: Request) -> Visitor:
    """Return the visitor of a request; every page uses this function only."""
    if "cookieguard.visitor" not in request.scope:
        return PlainVisitor(request)
    import cookieguard  # the unguarded shop runs without it

    visitor: Visitor = cookieguard.visitor_of(request)
    return visitor


class PlainVisitor:
    """Keep visits as Starlette's SessionMiddleware does: readable, the same before and after login."""

    def __init__(self, request: Request) -> None:
        self.session: MutableMapping[str, Any] = request.session
        self.cart: MutableMapping[str, Any] = PlainCart(request.session)
        self._address = request.client.host if request.client else ""

    @property
    def orders(self) -> Orders:
        """Return the orders the session carries."""
        return PlainOrders(self.session)

    @property
    def customer(self) -> str | None:
        """Return the customer number the session carries."""
        number = self.session.get("customer")
        return number if isinstance(number, str) else None

    def login(self, customer_number: str, /, *, remember: bool = False) -> None:
        """Write the customer number into the session; this shop cannot remember a browser."""
        self.session["customer"] = customer_number

    def logout(self) -> None:
        """Empty the session."""
        self.session.clear()

    def logout_everywhere(self) -> None:
        """Empty this session; a plain cookie cannot reach the others."""
        self.session.clear()

    @property
    def is_uncertain(self) -> bool:
        """Return False: a plain cookie is always believed."""
        return False

    @property
    def is_remembered(self) -> bool:
        """Return False: this shop does not remember browsers."""
        return False

    def take_warnings(self) -> Sequence[object]:
        """Return no notice: a plain cookie does not show whether it was copied."""
        return ()

    def cookie_table(self, lang: str = "", /) -> str:
        """Return an empty table: this shop declares no cookies."""
        return ""

    def throttle_key(self, purpose: str, /) -> str:
        """Return the visitor's address as the key, as in most shops."""
        return f"{purpose} {self._address}"

    def goal(self, name: str, /, *, value: float | None = None) -> None:
        """Do nothing: the ad network counts for this shop."""


class PlainOrders:
    """Keep the newest order numbers in the session."""

    def __init__(self, session: MutableMapping[str, Any]) -> None:
        self._session = session

    def add(self, order: str, /) -> None:
        """Put an order first; a plain cookie has no room for many."""
        self._session["orders"] = [order, *self._session.get("orders", [])][:MOST_ORDERS]

    async def has(self, order: str, /) -> bool:
        """Return whether the session has this order."""
        return order in self._session.get("orders", [])


class PlainCart(MutableMapping[str, Any]):
    """Show `session["cart"]` as a mapping. Each change writes all of it, because changes of a nested dict get lost."""

    def __init__(self, session: MutableMapping[str, Any]) -> None:
        self._session = session

    def __getitem__(self, sku: str) -> Any:
        return self._stored[sku]

    def __setitem__(self, sku: str, quantity: Any) -> None:
        self._session["cart"] = {**self._stored, sku: quantity}

    def __delitem__(self, sku: str) -> None:
        rest = dict(self._stored)
        del rest[sku]
        self._session["cart"] = rest

    def __iter__(self) -> Iterator[str]:
        return iter(self._stored)

    def __len__(self) -> int:
        return len(self._stored)

    @property
    def _stored(self) -> dict[str, Any]:
        stored = self._session.get("cart")
        return stored if isinstance(stored, dict) else {}
