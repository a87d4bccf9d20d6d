"""One request and its response, with everything known about them; the only object that holds the full address."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import datetime
from hashlib import blake2b
from types import MappingProxyType
from typing import Any

from cookieguard.consent import Consent
from cookieguard.consent.vendors import STRICT, is_once
from cookieguard.errors import CookieGuardError
from cookieguard.identity.carts.stored_carts import StoreFirst
from cookieguard.identity.cookies import CookieJar, parse_cookies
from cookieguard.identity.session import Session
from cookieguard.identity.token_cookie import Presented
from cookieguard.identity.visit import Identity, Visit
from cookieguard.stats.anonymize import LOOPBACK, Client, read_client, throttle_key, without_forwarding
from cookieguard.stats.text_cleaning import shown_path
from cookieguard.web.app_scope import ask_for_document
from cookieguard.web.banner.load_once import MARK, take_grant, without_grant
from cookieguard.web.document.page_cache import Outcome
from cookieguard.web.http.dotted_quad import network_24
from cookieguard.web.http.headers import COOKIE, MOST_HEADERS, by_name, listed
from cookieguard.web.http.origin import local_path
from cookieguard.web.identity.store_wait import Written
from cookieguard.web.identity.unkept_session import tell_of_lost
from cookieguard.web.request import FORWARDED, RESOURCE_DESTINATIONS, Request, is_ours, marks_of
from cookieguard.web.services import Services
from cookieguard.web.shared.variants import Variant
from cookieguard.web.visitor import SCOPE_KEY, Visitor
from cookieguard.web.walls import Wall

logger = logging.getLogger("cookieguard")

NO_COOKIES = parse_cookies([])
NO_SCOPE: Mapping[str, Any] = MappingProxyType({})
LITESTAR = "litestar_app"  # a key that Litestar adds to its scopes
MOST_ROUNDS = 4  # two are needed, since refusals from other browsers change the session again


class Exchange:
    """Hold one request and its outcome.

    Mutable; the middleware owns it for the time of one response. `full_address` is the visitor's full address: no
    scope, repr, exception or log contains it, and it is dropped with this object.
    """

    def __init__(self, parts: Services, scope: Any, now: datetime) -> None:
        self.parts = parts
        self.scope = scope
        self.now = now
        self.status = 0
        self.bytes_sent = 0
        self.rewriter: Outcome | None = None  # the findings in a document
        self.goals: tuple[str, ...] = ()  # goals that the app reported
        self.promised: tuple[Written, ...] = ()  # records that the response waits for
        self.rounds = 0  # how often the response has waited for the store
        self.followed: tuple[bytes, bool] | None = None  # refusals from elsewhere: cookie, is withdrawal
        self.variant: Variant | None = None  # the visitor's state as a shared cache names it
        self.shared_for = 0  # seconds for which a shared cache may keep the document
        self.was_personal = False  # whether the app asked who the visitor is
        self._has_written_cookies = False
        self.given_scope: Mapping[str, Any] = NO_SCOPE
        self._is_own: bool | None = None
        self._jar: CookieJar | None = None
        self._presented: Presented | None = None
        self._consent: Consent | None = None
        self._decided: Consent | None = None
        self._session: Session | None = None
        self._granted: frozenset[str] | None = None
        self._visit: Visit | None = None
        self._wall: Wall | None = None
        self._request: Request | None = None
        self.forwarded: Client | None = None
        self.headers = self._anonymize(scope)

    def _anonymize(self, scope: Any) -> dict[bytes, bytes]:
        """Shorten the scope's address in place, since app and server log read it there; return the headers by name."""
        parts, given = self.parts, scope if type(scope) is dict else dict(scope)
        peer, headers = given.get("client"), given["headers"]
        if type(headers) is not list or len(headers) > MOST_HEADERS:
            headers = scope["headers"] = listed(headers)
        self.full_address = address = (peer and peer[0]) or LOOPBACK
        if parts.trusted is not None:
            self.forwarded = read_client(address, headers, parts.trusted)
            self.full_address = address = self.forwarded.address
        short = network_24(address) if parts.cuts_to_24 else ""
        self.client = short or parts.truncate(address)
        if peer or (self.forwarded and self.forwarded.is_trusted):  # a peer at a Unix socket has no address
            scope["client"] = (self.client, 0)
        names = by_name(headers)
        self.marks = marks_of(names)
        if self.marks & FORWARDED:
            headers = scope["headers"] = without_forwarding(headers)
            names = by_name(headers)
        referrer = names.get(b"referer")
        if referrer is not None and referrer.find(MARK) >= 0:
            scope["headers"] = without_grant(headers)
            names = by_name(scope["headers"])
        self.destination = names.get(b"sec-fetch-dest")  # how the browser will use the answer
        self.grant = take_grant(scope) if given.get("query_string") else b""
        path, root_path = given["path"], given.get("root_path")
        self.path: str = str(local_path(path, root_path) if root_path else path)
        return names

    @property
    def request(self) -> Request:
        """The request's headers and addresses, read at first use."""
        if self._request is None:
            self._request = Request(self.scope, self.headers, self.forwarded, self.marks)
        return self._request

    def read_as(self, variant: Variant, headers: dict[bytes, bytes]) -> None:
        """Answer this request for the variant that a shared cache names, with headers that identify no visitor."""
        self.variant, self.headers, self._request, self._decided = variant, headers, None, variant.consent
        self.destination = headers.get(b"sec-fetch-dest")

    def app_scope(self, opens_session: bool) -> dict[str, Any]:  # noqa: FBT001  # compiled
        """Return the scope for the app: with the visitor and the session, and without the full address.

        `opens_session` is for frameworks that give the session to an encoder without reading it first.
        """
        self.given_scope = scope = {**self.scope}
        scope[SCOPE_KEY] = Visitor(self)
        if self.parts.identity is not None:
            scope["session"] = session = self._made_session()
            if opens_session and session.is_presented:
                session.mark_accessed()
        if self.destination not in RESOURCE_DESTINATIONS and scope["type"] == "http":
            ask_for_document(self, scope)
        return scope

    @property
    def consent(self) -> Consent:
        """What the visitor agreed to, decided at first use; from then on the response depends on the consent."""
        if self._consent is None:
            self._consent = self.peek_consent()
        return self._consent

    def peek_consent(self) -> Consent:
        """Return the consent for our own use: the response does not depend on it, so shared caches may keep it."""
        if self._decided is None:
            self._decided = self._decide()
        return self._decided

    @property
    def jar(self) -> CookieJar:
        """The request's cookies, parsed at first use."""
        if self._jar is None:
            cookie = self.headers.get(b"cookie")
            self._jar = NO_COOKIES if cookie is None else parse_cookies([cookie])
        return self._jar

    def forget_cookies(self) -> None:
        """Ignore all of our cookies in this exchange."""
        self._jar = NO_COOKIES

    @property
    def session(self) -> Session:
        """The visitor's session; it opens when something in it is read or written."""
        return self._made_session()

    def _made_session(self) -> Session:
        if self._session is None:
            self._session = self._identity_here().session(self.present)
        return self._session

    def close_session(self) -> None:
        """Make the next use start with an unopened session, so that our own reading does not count as the app's."""
        self._session = None

    @property
    def visit(self) -> Visit:
        """The visitor's session and cart."""
        if self._visit is None:
            self._visit = Visit(self._identity_here(), self._made_session())
        return self._visit

    def _identity_here(self) -> Identity:
        identity = self.parts.identity
        if identity is None:
            raise CookieGuardError("identity.enabled is false, so there is no session and no cart")
        return identity

    def present(self) -> Presented:
        """Return the cookies and the host of this request; no cookies if the host is not one of ours."""
        if self._presented is None:
            jar = self.jar if self.is_own_host else NO_COOKIES
            self._presented = Presented(jar, self.request.origin.host, self.now, self.report_event)
        return self._presented

    def throttle_key(self, purpose: str) -> str:
        """Return the visitor's key for counting attempts, which changes every hour."""
        return throttle_key(self.full_address, purpose, self.parts.hour_keys.key(self.now))

    def risk(self, event: str, detail: str) -> None:
        """Hand a risk event with the full address to the vault's thread."""
        customer = self.session.customer if self.parts.identity is not None else None
        self.parts.risks.put(event, detail, address=self.full_address, customer=customer, time=self.now)

    @property
    def news(self) -> Session | None:
        """The session if the store must learn of its login or end before the response starts, else None."""
        session = self._session
        return session if session is not None and session.has_news else None

    @property
    def must_settle(self) -> bool:
        """Return whether the response has to wait for the store before it starts."""
        if self.promised:
            return True
        session = self._session
        if session is None or not session.is_open:
            return False
        is_owed = session.is_owed(2) and self.parts.follows and not self.rounds  # never for a guest
        return session.has_news or (is_owed and session.is_owed(1 + self.has_gpc))

    def replace_consent(self, consent: Consent) -> None:
        """Put another consent in force, and drop the walls of the former one."""
        self._consent = self._decided = consent
        self._granted = self._wall = None

    @property
    def wall(self) -> Wall:
        """The walls for this shop origin and this visitor's consent."""
        if self._wall is None:
            self._wall = self.parts.walls.around(self.request.origin, self.granted, base=self.own_base)
        return self._wall

    @property
    def granted(self) -> frozenset[str]:
        """What this document may contact: the purposes agreed to, and a party let in for this document alone."""
        in_force, strict = self.consent.in_force, self.parts.strict
        if strict.folders:
            in_force = strict.narrowed(in_force, self.path)
        if not self.grant or STRICT in in_force:
            return in_force
        if self._granted is None:
            grants, register = self.parts.grants, self.parts.register
            party = grants.let_in(self.grant, self.request, register, self.now) if self.is_own_host else ""
            self._granted = in_force | ({party} if party else frozenset())
        return self._granted

    @property
    def is_lifted(self) -> bool:
        """Return whether a party is let in for this document alone, so that no cache may keep it."""
        return bool(self.grant) and is_once(self.granted)

    def holds(self, reference: str) -> bool:
        """Return whether a URL reference on this page leads to a host that is held for this visitor."""
        return self.wall.holds(reference)

    @property
    def is_own_host(self) -> bool:
        """Return whether the request came to an origin of the shop (any, if none is configured) or of its staff."""
        if self._is_own is None:
            parts = self.parts
            is_shop = is_ours(self.request.origin, parts.config.dev, parts.domains, parts.authorities)
            self._is_own = is_shop or parts.is_console(self.request.origin)
        return self._is_own

    def is_untouched(self) -> bool:
        """Return whether the app used neither consent nor session nor cart."""
        # If no cookies were presented, the session was not opened. This check alone settles most requests.
        is_idle = self._presented is None and self.given_scope.get("session") is self._session
        return self._consent is None and (is_idle or self._is_session_idle())

    def has_open_session(self) -> bool:
        """Return whether the app opened the session, or changed it so that the store must learn of it."""
        session = self._session
        return session is not None and (session.is_open or session.has_news)

    @property
    def has_read_cookies(self) -> bool:
        """Return whether this response depends on one of our cookies."""
        return self._consent is not None or (self._session is not None and self._session.is_open)

    @property
    def writes_nothing(self) -> bool:
        """Return whether this response sets none of our cookies."""
        has_doubles = self._jar is not None and self._jar.has_doubles  # doubles are found when it is read
        return self.followed is None and not has_doubles and self._is_session_idle()

    def _is_session_idle(self) -> bool:
        """Return whether the app has neither opened the session nor put another in its place."""
        session = self._session
        return session is None or (not session.is_open and self.given_scope.get("session") is session)

    def set_cookies(self) -> list[bytes]:
        """Return the Set-Cookie lines of session and cart.

        Raises errors of the app's own values (CookieTooLarge, NotJsonError) before its response starts, but only once,
        so that the error page can be sent. The visit stays usable for an app that streams after the start.
        """
        session = self._session
        if session is None or self._has_written_cookies or not self.is_own_host:
            return [] if self.is_own_host else tell_of_lost(session, self.parts)
        self._has_written_cookies = True
        current = self.given_scope.get("session")
        if current is not session and LITESTAR in self.given_scope:
            # Litestar's set_session puts a mapping there, clear_session a marker. Elsewhere it is other middleware's.
            session.replace(current) if isinstance(current, Mapping) else session.clear()
        try:
            if not session.is_open or (self._visit is None and session.is_at_rest(self.now)):
                return []
            return self.visit.set_cookies(now=self.now)
        except StoreFirst:
            self._has_written_cookies = self.rounds >= MOST_ROUNDS
            if not self._has_written_cookies:
                raise
            logger.error("session and cart kept changing, so the response was sent without their cookies")
            return []

    @property
    def own_base(self) -> str:
        """The path that our own pages are below, root_path included."""
        return self.request.own_base(self.parts.config.prefix)

    @property
    def state_tag(self) -> bytes:
        """Return 12 hex digits that change with anything our part of a document depends on."""
        consent, request = self.consent, self.request
        seen = (*sorted(self.granted), *map(str, (*consent.look, consent.is_new(self.now))), *self.to_forget)
        asked = (request.use, request.text(b"accept-language"), str(self.parts.look(self.now)))
        return blake2b("\0".join(seen + asked).encode(), digest_size=6).hexdigest().encode()

    @property
    def to_forget(self) -> tuple[str, ...]:
        """Names and patterns of held cookies and storage keys, which a document clears in the browser."""
        return self.parts.shop_cookies.to_forget(self.consent, self.now)

    @property
    def has_gpc(self) -> bool:
        """Return whether the request sends the Global Privacy Control signal, and the shop respects it."""
        return b"sec-gpc" in self.headers and self.parts.config.consent.gpc and self.request.has_gpc

    def _decide(self) -> Consent:
        consents, gpc = self.parts.consents, b"sec-gpc" in self.headers and self.has_gpc
        cookie = self.jar.get(consents.cookie_name) if COOKIE in self.headers and self.is_own_host else None
        if cookie is None:
            return consents.undecided(gpc)
        host, report = self.request.origin.host, self.report_event
        consent = consents.decided(cookie, host=host, gpc=gpc, now=self.now, report=report)
        receipt, records, now = consent.receipt, self.parts.records, self.now
        if receipt and records.is_recorded(receipt, host=host, address=self.full_address, now=now):
            consent, self.followed = consents.recorded(receipt, host=host, gpc=gpc, now=now)
        return consent

    def end(self) -> None:
        """Drop the references back here; else address and page wait for the garbage collector, which takes 4 us."""
        self.given_scope = NO_SCOPE
        self._session = self._visit = self._presented = self.rewriter = None

    def report_event(self, event: str) -> None:
        """Log a security event: what happened and where, never a value."""
        self.parts.findings.event(event, f"{self.request.method} {shown_path(self.request.path)!a}", self.now)
