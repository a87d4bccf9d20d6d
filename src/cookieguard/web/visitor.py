"""The Visitor, through which an app reads consent, session, cart and customer number, but never an address."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Any, Protocol
from urllib.parse import quote

from markupsafe import Markup

from cookieguard.consent.decision import Consent
from cookieguard.errors import CookieGuardError
from cookieguard.identity.carts.cart import Cart
from cookieguard.identity.remember_me import SecurityWarning
from cookieguard.identity.session import Session
from cookieguard.identity.visit import Visit
from cookieguard.web.identity.orders import Orders
from cookieguard.web.parts.ports import Agreement
from cookieguard.web.request import Request
from cookieguard.web.services import Services

SCOPE_KEY = "cookieguard.visitor"
WSGI_SCOPE = "asgi.scope"  # the key of the ASGI scope in a2wsgi's environ


class HasScope(Protocol):
    """A request object of any ASGI framework, with its scope at `.scope`."""

    @property
    def scope(self) -> Any: ...


class Source(Protocol):
    """The Exchange of a request, from which a Visitor takes its values."""

    goals: tuple[str, ...]  # recorded when the request ends
    was_personal: bool  # the app asked who this is, so shared caches keep no answer

    @property
    def parts(self) -> Services: ...
    @property
    def consent(self) -> Consent: ...
    @property
    def session(self) -> Session: ...
    @property
    def visit(self) -> Visit: ...
    @property
    def own_base(self) -> str: ...
    @property
    def request(self) -> Request: ...
    def throttle_key(self, purpose: str) -> str: ...
    def risk(self, event: str, detail: str) -> None: ...
    def report_event(self, event: str) -> None: ...


class Visitor:
    """Give an app what it may know about a visitor.

    It belongs to one request: use it until the response ends, and do not keep it.
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
        self._source.was_personal = True
        return self._source.consent

    @property
    def session(self) -> Session:
        """The signed session: a mapping of JSON values, the same object as `scope["session"]`."""
        session = self._source.session
        session.mark_accessed()  # encoders in C bypass its methods and would write {}
        return session

    @property
    def cart(self) -> Cart:
        """The signed cart: a mapping of JSON values bound to this session and customer."""
        cart = self._source.visit.cart
        cart.mark_accessed()
        return cart

    @property
    def orders(self) -> Orders:
        """The orders this visitor placed and may come back to."""
        return Orders(self._source.session, self._source.parts.store_sync)

    @property
    def choices_url(self) -> str:
        """The address where this visitor can change the choice and then return to this page: for a link in the footer.

        The page is in the browser's language; append `&lang=de` for another one.
        """
        source = self._source
        return f"{source.own_base}choices?next={quote(source.request.return_path, safe='/')}"

    def cookie_table(self, lang: str = "") -> Markup:
        """Return the cookie declaration as a table, for the shop's own policy: `{{ visitor.cookie_table("de") }}`.

        The table is in the language `lang`, else in the browser's, else in the shop's.
        """
        source, parts = self._source, self._source.parts
        found = parts.renderer.pick_language(lang, source.request.text(b"accept-language"))
        return Markup(parts.declaration.table(found, base=source.own_base).decode())  # noqa: S704  # a template's

    def login(self, customer_number: str | int, *, remember: bool = False) -> None:
        """Make this session the customer's, with a new session id; the guest's cart is kept.

        With `remember`, this browser is logged in again after the session has ended, for 90 days. A browser that is
        remembered already stays so without it. `remember` raises CookieGuardError if `store.enabled = false`.
        """
        self.session.login(customer_number, remember=remember)

    def logout(self) -> None:
        """End the session: a new id, no values and an empty cart. Copies of its cookie count on no worker any more."""
        self.session.logout()

    def logout_everywhere(self) -> None:
        """End every session of this customer, on every worker within 5 s.

        After a change of password, call `login` again to keep this browser logged in. Raises CookieGuardError if
        `store.enabled = false`.
        """
        self.session.logout_everywhere()

    @property
    def is_uncertain(self) -> bool:
        """Whether the store is down, so that all visitors are guests. The cart can be read; do not let it check out."""
        return self.session.is_uncertain

    @property
    def is_remembered(self) -> bool:
        """Whether a remember-me cookie logged this customer in, and the customer has not typed a password since."""
        return self.session.is_remembered

    @property
    def warnings(self) -> tuple[SecurityWarning, ...]:
        """Warnings to show to this customer, from the page after a login until `take_warnings` is called."""
        return self.session.warnings

    def take_warnings(self) -> tuple[SecurityWarning, ...]:
        """Return the warnings and clear them, for a page that shows them."""
        return self.session.take_warnings()

    @property
    def auth_age(self) -> timedelta | None:
        """The time since the customer logged in, None for a guest; ask for a new login if it is too long."""
        return self.session.auth_age

    def agree(
        self,
        topic: str,
        *,
        text: str,
        given: bool,
        who: str = "",
        details: Mapping[str, Any] | None = None,
        language: str = "",
    ) -> Agreement:
        """Record whether this visitor agreed to something on a form: `visitor.agree("newsletter", ...)`.

        `text` is the wording next to the box, kept byte for byte. `given` is whether the box was ticked; a later call
        with False withdraws. `who` names a guest, for example by a mail address. `details` are JSON values. `language`
        is that of `text`, by default `consent.language`. Everything except topic and time is sealed. The response
        waits until the record is on disk, 2 s at most. Raises ValueError for values that cannot be recorded, and
        CookieGuardError if `proof.enabled = false`.
        """
        form = {"topic": topic, "text": text, "given": given, "details": details or {}, "language": language}
        return self._source.parts.agreements.agree(self._source, form, who=who)

    def agreements(self, who: str = "") -> Awaitable[tuple[Agreement, ...]]:
        """Return the newest agreement of each topic: `await visitor.agreements()`; empty if the log is down."""
        return self._source.parts.agreements.newest(self._source, who)

    def throttle_key(self, purpose: str) -> str:
        """Return a key under which an app counts attempts of one address for `purpose`, without learning the address.

        The key is made with a random secret that all workers share for one hour. In the next hour the same address
        has another key, and the two cannot be linked. IPv6 addresses in the same /64 have the same key.
        """
        self._source.was_personal = True
        return self._source.throttle_key(purpose)

    def goal(self, name: str, *, value: float | Decimal | None = None) -> None:
        """Count a goal that this visitor reached: `visitor.goal("order placed", value=89.90)`.

        Only the range of a value is kept (such as 50 to 100), as a second goal.

        The goal is counted when the request has ended, under the consent that applies to its views. The name is a
        constant of the shop's code: up to 60 letters, digits, spaces and simple signs. A name that may identify a
        person (with a long number or a mail address) is not counted, and the log says so once. Raises ValueError for a
        bad name with `dev = true`, and otherwise never raises.
        """
        source = self._source
        if (counting := source.parts.counting) is not None:
            source.goals = counting.with_goal(source.goals, name, value, source.report_event)

    def risk(self, event: str, detail: str = "") -> None:
        """Report a risk event: `login`, `checkout`, `payment_failure` or `abuse`. Raises ValueError for others.

        The address, the current customer number and `detail` (200 characters) are sealed in the vault after the
        response, which does not wait. Without a key of the day, the event is dropped.
        """
        self._source.risk(event, detail)


class HasEnviron(Protocol):
    """A request object of a WSGI framework, with its environ at `.environ`."""

    @property
    def environ(self) -> Any: ...


def visitor_of(connection: HasScope | HasEnviron | Mapping[str, Any]) -> Visitor:
    """Return the Visitor of a framework's request object, of an ASGI scope, or of a WSGI environ made by a2wsgi.

    Raises CookieGuardError if the app is not wrapped in CookieGuard.
    """
    # Mostly a dict: the check for any mapping takes 20 times as long.
    is_mapping = type(connection) is dict or isinstance(connection, Mapping)
    scope: Any = connection if is_mapping else getattr(connection, "scope", None)
    visitor = None if scope is None else scope.get(SCOPE_KEY)
    return visitor if isinstance(visitor, Visitor) else _visitor_by_environ(connection, scope)


def _visitor_by_environ(connection: Any, scope: Any) -> Visitor:
    """Return the Visitor of a WSGI app by the scope in its environ. Raises CookieGuardError if there is none."""
    environ = getattr(connection, "environ", None) if scope is None else scope
    if not isinstance(environ, Mapping):
        allowed = "a request of an ASGI or WSGI framework, an ASGI scope, or a WSGI environ"
        raise CookieGuardError(f"visitor_of got a {type(connection).__name__}; allowed: {allowed}")
    inner = environ.get(WSGI_SCOPE)
    visitor = inner.get(SCOPE_KEY) if isinstance(inner, Mapping) else None
    if isinstance(visitor, Visitor):
        return visitor
    if inner is None and "wsgi.version" in environ:
        raise CookieGuardError(
            "this WSGI request has no ASGI scope, because its adapter (asgiref, Starlette) does not pass it on; "
            "wrap the app as CookieGuard(a2wsgi.WSGIMiddleware(app))"
        )
    raise CookieGuardError("this request has no visitor: wrap the app as CookieGuard(app)")
