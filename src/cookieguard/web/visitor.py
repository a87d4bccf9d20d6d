"""What an app sees of its visitor: consent, session, cart, customer number; never an address."""

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
WSGI_SCOPE = "asgi.scope"  # where a2wsgi puts the scope into an environ


class HasScope(Protocol):
    """Be a request object of any ASGI framework: it keeps its scope at `.scope`."""

    @property
    def scope(self) -> Any: ...


class Source(Protocol):
    """Be where a Visitor takes its values from: the request's Exchange."""

    goals: tuple[str, ...]  # kept until the request has ended
    was_personal: bool  # the app asked who this is: no shared cache keeps the answer

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
        self._source.was_personal = True
        return self._source.consent

    @property
    def session(self) -> Session:
        """The signed session: a mapping of JSON values, the same object as `scope["session"]`."""
        session = self._source.session
        session.mark_accessed()  # encoders written in C ask it nothing, and would write an empty one
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
        """Where this visitor changes the choice, and comes back to this page: for a link in the shop's footer.

        It speaks the browser's language; `&lang=de` behind it asks for another one.
        """
        source = self._source
        return f"{source.own_base}choices?next={quote(source.request.return_path, safe='/')}"

    def cookie_table(self, lang: str = "") -> Markup:
        """Return the cookie declaration as a table, for the shop's own policy: `{{ visitor.cookie_table("de") }}`.

        In the language of `lang`, else in the browser's, else in the shop's.
        """
        source, parts = self._source, self._source.parts
        found = parts.renderer.pick_language(lang, source.request.text(b"accept-language"))
        return Markup(parts.declaration.table(found, base=source.own_base).decode())  # noqa: S704  # a template's

    def login(self, customer_number: str | int, *, remember: bool = False) -> None:
        """Make this session the customer's: a new session id, the guest's cart comes along.

        With `remember` this browser is logged in again when the session is over, for 90 days. Who is remembered
        already stays so without it. Raises CookieGuardError for it without a store (`store.enabled = false`).
        """
        self.session.login(customer_number, remember=remember)

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
    def is_remembered(self) -> bool:
        """Whether a remember-me cookie logged this customer in and nobody typed a password since."""
        return self.session.is_remembered

    @property
    def warnings(self) -> tuple[SecurityWarning, ...]:
        """What this customer should be told: from the page after a login on, until `take_warnings`."""
        return self.session.warnings

    def take_warnings(self) -> tuple[SecurityWarning, ...]:
        """Return the warnings for the last time, for a page that shows them."""
        return self.session.take_warnings()

    @property
    def auth_age(self) -> timedelta | None:
        """How long ago the customer logged in, None for a guest; ask for a new login where it is too long."""
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
        """Write down that this visitor agreed to something on a form, or did not: `visitor.agree("newsletter", ...)`.

        `text` is the wording beside the box, kept byte for byte; `given` whether it was ticked; once more with False it
        is withdrawn. `who` names the person where nobody is logged in, such as a mail address; `details` are JSON
        values; `language` is that of `text`, by default `consent.language`. All but topic and time is sealed. The
        response waits until the record is on disk, 2 s at most. Raises ValueError for what cannot be written down,
        CookieGuardError with `proof.enabled = false`.
        """
        form = {"topic": topic, "text": text, "given": given, "details": details or {}, "language": language}
        return self._source.parts.agreements.agree(self._source, form, who=who)

    def agreements(self, who: str = "") -> Awaitable[tuple[Agreement, ...]]:
        """Return the newest agreement of each topic: `await visitor.agreements()`; empty where the log is down."""
        return self._source.parts.agreements.newest(self._source, who)

    def throttle_key(self, purpose: str) -> str:
        """Return a key that counts attempts of one address for `purpose` without being the address.

        Keyed with a random key of this hour that all workers share; next hour the same address has another
        key, and nobody can tell which. IPv6 counts by /64.
        """
        self._source.was_personal = True
        return self._source.throttle_key(purpose)

    def goal(self, name: str, *, value: float | Decimal | None = None) -> None:
        """Say that this visitor did something worth counting: `visitor.goal("order placed", value=89.90)`.

        Of a value only the step is kept in which it lies (50 to 100), as a goal beside the goal.

        Counted when the request has ended, under the consent that its views are counted under. The name belongs to
        the shop's code: 60 letters, digits, spaces and simple signs; one that holds what may name a person (a long
        number, a mail address) is not counted, and the log says so once. Never raises, but for a bad name with
        `dev = true`: ValueError.
        """
        source = self._source
        if (counting := source.parts.counting) is not None:
            source.goals = counting.with_goal(source.goals, name, value, source.report_event)

    def risk(self, event: str, detail: str = "") -> None:
        """Declare a risk event: `login`, `checkout`, `payment_failure` or `abuse`.

        Address, customer number as it is now, and `detail` (200 characters) are sealed in the vault after the
        response; nothing waits, and without a key of the day the event is dropped. Raises ValueError for others.
        """
        self._source.risk(event, detail)


class HasEnviron(Protocol):
    """Be a request object of a WSGI framework: it keeps its environ at `.environ`."""

    @property
    def environ(self) -> Any: ...


def visitor_of(connection: HasScope | HasEnviron | Mapping[str, Any]) -> Visitor:
    """Return the Visitor behind a request object of any framework, behind an ASGI scope, or a WSGI environ of a2wsgi's.

    Raises CookieGuardError where no CookieGuard is around the app.
    """
    # Mostly a dict: to ask for any mapping takes 20 times as long.
    is_mapping = type(connection) is dict or isinstance(connection, Mapping)
    scope: Any = connection if is_mapping else getattr(connection, "scope", None)
    visitor = None if scope is None else scope.get(SCOPE_KEY)
    return visitor if isinstance(visitor, Visitor) else _visitor_by_environ(connection, scope)


def _visitor_by_environ(connection: Any, scope: Any) -> Visitor:
    """Find the Visitor of an app that speaks WSGI, by the scope that its environ holds; raise where there is none."""
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
