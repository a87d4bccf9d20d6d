"""One request and its response: all that is known of it, and the only place that holds the full address."""

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
LITESTAR = "litestar_app"  # the key of a scope that Litestar answers
MOST_ROUNDS = 4  # two are needed: what the customer refused elsewhere changes the session once more


class Exchange:
    """Hold one request and what became of it.

    Mutable, owned by the middleware for the time of one response. `full_address` is the visitor's full address:
    it is in no scope, repr, exception or log, and gone with this object.
    """

    __slots__ = (
        "__weakref__",
        "_consent",
        "_decided",
        "_granted",
        "_has_written_cookies",
        "_is_own",
        "_jar",
        "_presented",
        "_request",
        "_session",
        "_visit",
        "_wall",
        "bytes_sent",
        "client",
        "destination",
        "followed",
        "forwarded",
        "full_address",
        "given_scope",
        "goals",
        "grant",
        "headers",
        "marks",
        "now",
        "parts",
        "path",
        "promised",
        "rewriter",
        "rounds",
        "scope",
        "shared_for",
        "status",
        "variant",
        "was_personal",
    )

    def __init__(self, parts: Services, scope: Any, now: datetime) -> None:
        self.parts = parts
        self.scope = scope
        self.now = now
        self.status = 0
        self.bytes_sent = 0
        self.rewriter: Outcome | None = None  # of a document: what is known of it
        self.goals: tuple[str, ...] = ()  # that the app says were reached
        self.promised: tuple[Written, ...] = ()  # records that the response waits for
        self.rounds = 0  # how often the store was spoken with before the start
        self.followed: tuple[bytes, bool] | None = None  # cookie of what came along; it took
        self.variant: Variant | None = (
            None  # what a shared cache in front says of the visitor, in place of cookies
        )
        self.shared_for = 0  # seconds that such a cache may keep the document
        self.was_personal = False  # the app asked who this is
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
        """Take the address out of the scope, in place, for the app and the server's log; return the headers by name."""
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
        if peer or (self.forwarded and self.forwarded.is_trusted):  # a proxy at a Unix socket has none
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
        self.destination = names.get(b"sec-fetch-dest")  # what the browser means to do with the answer
        self.grant = take_grant(scope) if given.get("query_string") else b""
        path, root_path = given["path"], given.get("root_path")
        self.path: str = str(local_path(path, root_path) if root_path else path)
        return names

    @property
    def request(self) -> Request:
        """What the request says, read on the first question."""
        if self._request is None:
            self._request = Request(self.scope, self.headers, self.forwarded)
        return self._request

    def read_as(self, variant: Variant, headers: dict[bytes, bytes]) -> None:
        """Read this request as a shared cache in front names it: by a variant, and headers that are no visitor's."""
        self.variant, self.headers, self._request, self._decided = variant, headers, None, variant.consent
        self.destination = headers.get(b"sec-fetch-dest")

    def app_scope(self, opens_session: bool) -> dict[str, Any]:  # noqa: FBT001  # compiled
        """Return the scope the app gets: anonymous, with the visitor and the session in it.

        `opens_session` for frameworks that hand the session to encoders without touching it.
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
        """What the visitor agreed to, decided on the first question."""
        if self._consent is None:
            self._consent = self.peek_consent()
        return self._consent

    def peek_consent(self) -> Consent:
        """Return the same without making this response one that depends on it, and belongs in no shared cache."""
        if self._decided is None:
            self._decided = self._decide()
        return self._decided

    @property
    def jar(self) -> CookieJar:
        """The request's cookies, read on the first question."""
        if self._jar is None:
            cookie = self.headers.get(b"cookie")
            self._jar = NO_COOKIES if cookie is None else parse_cookies([cookie])
        return self._jar

    def forget_cookies(self) -> None:
        """Let no cookie of ours count in this exchange."""
        self._jar = NO_COOKIES

    @property
    def session(self) -> Session:
        """The visitor's session; it opens when something in it is touched."""
        return self._made_session()

    def _made_session(self) -> Session:
        if self._session is None:
            self._session = self._identity_here().session(self.present)
        return self._session

    def close_session(self) -> None:
        """Have the session be opened anew when it is touched: a look into it has not touched it."""
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
        """What this request brought: no cookie that came to another host than ours."""
        if self._presented is None:
            jar = self.jar if self.is_own_host else NO_COOKIES
            self._presented = Presented(jar, self.request.origin.host, self.now, self.report_event)
        return self._presented

    def throttle_key(self, purpose: str) -> str:
        """Return the visitor's key of this hour for counting attempts."""
        return throttle_key(self.full_address, purpose, self.parts.hour_keys.key(self.now))

    def risk(self, event: str, detail: str) -> None:
        """Hand an event to the vault's thread, with the address."""
        customer = self.session.customer if self.parts.identity is not None else None
        self.parts.risks.put(event, detail, address=self.full_address, customer=customer, time=self.now)

    @property
    def news(self) -> Session | None:
        """The session, where the store must hear of it before the response starts: a login or an end."""
        session = self._session
        return session if session is not None and session.has_news else None

    @property
    def must_settle(self) -> bool:
        """Return whether the store must be spoken with before the response starts."""
        if self.promised:
            return True
        session = self._session
        if session is None or not session.is_open:
            return False
        is_owed = session.is_owed(2) and self.parts.follows and not self.rounds  # a guest's owes nothing
        return session.has_news or (is_owed and session.is_owed(1 + self.has_gpc))

    def replace_consent(self, consent: Consent) -> None:
        """Put another consent in force, before walls were built for the one before."""
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
        """What this document may contact: the purposes agreed to, and whoever is let in for it alone."""
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
        """Return whether somebody is let in for this document alone: no cache may keep it."""
        return bool(self.grant) and is_once(self.granted)

    def holds(self, reference: str) -> bool:
        """Return whether a URL reference on this page reaches a host that is held from this visitor."""
        return self.wall.holds(reference)

    @property
    def is_own_host(self) -> bool:
        """Return whether the request came for one of the configured origins (any, with none configured) or staff's."""
        if self._is_own is None:
            parts = self.parts
            is_shop = is_ours(self.request.origin, parts.config.dev, parts.domains, parts.authorities)
            self._is_own = is_shop or parts.is_console(self.request.origin)
        return self._is_own

    def is_untouched(self) -> bool:
        """Return whether the app asked for nothing of ours: consent, session or cart."""
        # Where nothing was presented nobody opened the session: that settles most, in one step.
        is_idle = self._presented is None and self.given_scope.get("session") is self._session
        return self._consent is None and (is_idle or self._is_session_idle())

    def has_open_session(self) -> bool:
        """Return whether the app opened the session, or the store is to hear of it."""
        session = self._session
        return session is not None and (session.is_open or session.has_news)

    @property
    def has_read_cookies(self) -> bool:
        """Return whether a cookie of ours took part in this response."""
        return self._consent is not None or (self._session is not None and self._session.is_open)

    @property
    def writes_nothing(self) -> bool:
        """Return whether no cookie of ours goes out with this response."""
        return self.followed is None and not self.jar.has_doubles and self._is_session_idle()

    def _is_session_idle(self) -> bool:
        """Return whether the app has neither opened the session nor put another in its place."""
        session = self._session
        return session is None or (not session.is_open and self.given_scope.get("session") is session)

    def set_cookies(self) -> list[bytes]:
        """Return the Set-Cookie lines of session and cart.

        Raises what the app must hear before its response starts (CookieTooLarge, NotJsonError), but once: the
        error page that follows gets through. The visit stays as it is for what is streamed after the start.
        """
        session = self._session
        if session is None or self._has_written_cookies or not self.is_own_host:
            return [] if self.is_own_host else tell_of_lost(session, self.parts)
        self._has_written_cookies = True
        current = self.given_scope.get("session")
        if current is not session and LITESTAR in self.given_scope:
            # set_session puts another mapping there, clear_session a marker; what middleware puts there is its own.
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
        """The path our own pages are under, root_path included."""
        return self.request.own_base(self.parts.config.prefix)

    @property
    def state_tag(self) -> bytes:
        """Name, in 12 hex digits, all that our part of a document depends on."""
        consent, request = self.consent, self.request
        seen = (*sorted(self.granted), *map(str, (*consent.look, consent.is_new(self.now))), *self.to_forget)
        asked = (request.use, request.text(b"accept-language"), self.parts.look(self.now))
        return blake2b("\0".join(seen + asked).encode(), digest_size=6).hexdigest().encode()

    @property
    def to_forget(self) -> tuple[str, ...]:
        """What a document clears the browser's storage of: names and patterns of what is held."""
        return self.parts.shop_cookies.to_forget(self.consent, self.now)

    @property
    def has_gpc(self) -> bool:
        """Return whether this request carries a signal that counts."""
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
        """Let go of what points back here: else address and page wait for the garbage collection, which takes 4 us."""
        self.given_scope = NO_SCOPE
        self._session = self._visit = self._presented = self.rewriter = None

    def report_event(self, event: str) -> None:
        """Write one security event to the log: what and where, never a value."""
        self.parts.findings.event(event, f"{self.request.method} {shown_path(self.request.path)!a}", self.now)
