"""Sign a shop's own cookies around its app, and let the app itself say which customer a request belongs to."""

from __future__ import annotations

from collections.abc import Awaitable
from functools import partial
from typing import Any

from cookieguard.errors import CookieTooLarge
from cookieguard.identity.session_state import NOBODY, Binding
from cookieguard.identity.shop_token import Content, Plain, Refusal, ShopToken, read_line
from cookieguard.identity.token_cookie import PHRASES, Mismatch
from cookieguard.identity.tokens import Reason
from cookieguard.security_events import SecurityEvent
from cookieguard.web.cookies.consent_filter import SOCKET_STARTS, Gate, Message, Send
from cookieguard.web.cookies.own_page import is_own_page
from cookieguard.web.exchange import Exchange
from cookieguard.web.http.headers import COOKIE, SET_COOKIE, Headers, make_private, read
from cookieguard.web.identity.customers import GUEST
from cookieguard.web.identity.unkept_session import is_overtaken
from cookieguard.web.request import RESOURCE_DESTINATIONS
from cookieguard.web.services import Services

# With these values browsers send SameSite=Lax cookies too, so a session that is missing has ended.
FULL_SENDERS = frozenset({b"same-origin", b"same-site", b"none"})
STARTS = SOCKET_STARTS | {"http.response.start"}
Lines = list[tuple[bytes, bytes]]
USER = "user"  # the scope's key under which middleware of Starlette, Litestar and Channels puts the user
ASKED_TOO_EARLY = (
    'customer_from reads scope["user"], which middleware of the app sets too late: a signed cookie is bound to the '
    "session, so customer_from is called before the app. Have it read the request's own cookies, or set "
    'binding = "none"; until then every visitor counts as a guest'
)


def signs(parts: Services) -> bool:
    """Return whether this gate is needed: the shop signs cookies, or its app names the customer."""
    return parts.signed_cookies.are_there or parts.customers.are_asked


class SigningGate:
    """Give the app plain values, and the browser tokens that are bound to session and customer.

    `_opened` has the signed cookies that the app reads, `_removed` the lines that remove invalid ones from the browser.
    """

    __slots__ = ("_asked_with", "_exchange", "_filter", "_has_raised", "_opened", "_removed", "_send")

    def __init__(self, exchange: Exchange, send: Send) -> None:
        self._exchange = exchange
        self._send = send
        self._filter = Gate(exchange)  # it drops held cookies before they are signed
        self._opened: dict[ShopToken, Content] = {}
        self._removed: dict[bytes, bytes] = {}
        self._has_raised = False
        # The scope with which customer_from was called before the app
        self._asked_with: dict[str, Any] | None = None

    def shown(self, scope: dict[str, Any]) -> dict[str, Any]:
        """Return the app's scope, with signed cookies replaced by their plain values; held ones are gone already."""
        exchange, parts = self._exchange, self._exchange.parts
        signed, customers = parts.signed_cookies, parts.customers
        scope["headers"] = customers.without(scope["headers"])
        header = exchange.headers.get(COOKIE)
        if header is not None and signed.occur_in(header):
            self._open(scope)
        if customers.ask is not None:
            exchange.session.believe(partial(self._claim, scope))
        if any(token.is_bound for token in self._opened):
            self._asked_with = scope
            if self._follow_customer():
                self._show(scope)
        return scope

    def send(self, message: Message) -> Awaitable[None]:
        """Send a message of the app, with its cookies signed if it starts a response."""
        return self._send(self._start(message) if message["type"] in STARTS else message)

    def _claim(self, scope: Any) -> Any:
        """Call customer_from. After the response's start no cookie can be set, so the answer is not kept."""
        exchange, customers = self._exchange, self._exchange.parts.customers
        return customers.claim(scope, lasts=not exchange.status, report=exchange.report_event)

    # The request

    def _open(self, scope: dict[str, Any]) -> None:
        exchange = self._exchange
        if exchange.jar.is_over_limit:
            exchange.report_event(SecurityEvent.COOKIES_OVER_LIMIT)
        elif exchange.is_own_host and self._is_own_page:
            values: dict[ShopToken, set[bytes | None]] = {}
            header = b";".join(value for name, value in scope["headers"] if name == COOKIE)
            for _, token, value in exchange.parts.signed_cookies.pairs(header):
                if token is not None:
                    values.setdefault(token, set()).add(value)
            for token, found in values.items():
                self._judge(token, found)
        self._show(scope)

    def _judge(self, token: ShopToken, found: set[bytes | None]) -> None:
        """Open a signed cookie, or report why not; different values under one name are all refused."""
        exchange, values = self._exchange, [value for value in found if value is not None]
        if len(values) < len(found):
            self._report(token, Plain.SPELLING)
        if len(values) > 1:
            self._report(token, Mismatch.DOUBLED)
        if len(values) != 1:
            return
        binding = exchange.session.peek() if token.is_bound else NOBODY
        verdict = token.read(values[0], binding, host=exchange.request.origin.host, now=exchange.now)
        if verdict.refusal is not None:
            self._refuse(token, verdict.content, verdict.refusal)
        elif verdict.content is not None:
            self._opened[token] = verdict.content

    def _refuse(self, token: ShopToken, content: Content | None, refusal: Refusal) -> None:
        if not self._is_reported(refusal):
            self._report(token, refusal)
        if content is not None and self._is_over(refusal):
            self._removed[token.name] = token.removal(content)

    def _is_reported(self, refusal: Refusal) -> bool:
        """Return whether the refused session was reported already, which explains that its cookies are refused too."""
        return refusal is Mismatch.NO_SESSION and self._exchange.session.is_presented

    def _is_over(self, refusal: Refusal) -> bool:
        """Return whether a genuine cookie can never be valid again; one sent just before a logout is not removed."""
        if refusal is Reason.EXPIRED:
            return True
        if refusal not in (Mismatch.NO_SESSION, Mismatch.OTHER_SESSION):
            return False
        is_sent = self._exchange.headers.get(b"sec-fetch-site") in FULL_SENDERS
        return is_sent and not self._exchange.session.is_just_ended

    def _follow_customer(self) -> bool:
        """Give the session the customer that the shop names; return whether cookies of the former one were dropped."""
        exchange, session = self._exchange, self._exchange.session
        session.heed()
        if not self._is_resource and session.is_stale(exchange.now):
            session.mark_accessed()  # the session is in use, so its cookie is renewed
        if not (session.is_hidden or session.revocations):
            return False
        if not session.revocations:  # the store cannot say whether the customer's session was ended
            exchange.report_event(SecurityEvent.CUSTOMER_UNVOUCHED)
        self._forget(is_removed=bool(session.revocations))
        return True

    def _forget(self, *, is_removed: bool) -> None:
        """Drop the opened cookies that are bound to the former customer's session."""
        for token, content in list(self._opened.items()):
            if token.is_bound and content.token is not None:
                del self._opened[token]
                if is_removed:
                    self._removed[token.name] = token.removal(content)

    def _show(self, scope: dict[str, Any]) -> None:
        signed = self._exchange.parts.signed_cookies
        values = {token.name: content.value for token, content in self._opened.items()}
        shown = [
            (name, signed.shown(value, values) if name == COOKIE else value)
            for name, value in scope["headers"]
        ]
        scope["headers"] = [(name, value) for name, value in shown if value or name != COOKIE]

    def _report(self, token: ShopToken, refusal: Refusal, phrase: str = "") -> None:
        words = phrase or (PHRASES.get(refusal, refusal) if isinstance(refusal, Reason) else refusal)
        event = SecurityEvent.SHOP_COOKIE_REFUSED.format(name=token.name.decode(), reason=words)
        self._exchange.report_event(event)

    # The response

    def _start(self, message: Message) -> Message:
        given = message.get("headers") or ()
        if self._asked_with is not None and USER in self._asked_with:
            self._warn_of_late_user(self._asked_with)
        headers = self._signed(self._obey(self._filter.without_held(read(given)[0])))
        return message if headers is given else {**message, "headers": headers}

    def _warn_of_late_user(self, scope: dict[str, Any]) -> None:
        """Warn the owner if the app knows the customer only now, after customer_from found none before the app."""
        exchange, customers = self._exchange, self._exchange.parts.customers
        if customers.ask is None or USER in exchange.scope or exchange.session.binding.customer is not None:
            return
        if customers.claim(scope, lasts=False, report=lambda _: None).customer is not None:
            exchange.parts.findings.count(ASKED_TOO_EARLY)

    def _obey(self, headers: Headers) -> Headers:
        """Log the customer in or out as the app's response header says, and remove the header."""
        exchange, customers = self._exchange, self._exchange.parts.customers
        headers, customer = customers.take(headers, exchange.report_event)
        if customer is None or exchange.parts.identity is None or not exchange.is_own_host:
            return headers
        session = exchange.session
        if customer == GUEST:
            if session.binding.customer is not None:
                session.logout()
        elif session.binding.customer != customer:
            session.login(customer)
        return headers

    def _signed(self, headers: Headers) -> Headers:
        """Return the headers with the app's cookies signed, opened ones renewed if needed, and invalid ones removed."""
        if not (self._opened or self._removed) and not any(name == SET_COOKIE for name, _ in headers):
            return headers
        kept, is_changed, named = [], False, set()
        for name, line in headers:
            wrapped = line
            if name == SET_COOKIE:
                cookie, wrapped = self._wrapped(line)
                named.add(cookie)
                is_changed = is_changed or wrapped != line
            if wrapped:
                kept.append((name, wrapped))
        lines = self._lines_beside(named)
        if not (lines or is_changed):
            return headers
        if self._exchange.scope["type"] == "http":
            kept = make_private(kept, (b"Cookie",), store=False)
        return [*kept, *lines]

    def _wrapped(self, line: bytes) -> tuple[bytes, bytes]:
        """Return the name and the signed form of the app's Set-Cookie line; empty if the token could never be valid."""
        exchange, signed = self._exchange, self._exchange.parts.signed_cookies
        cookie = read_line(line, exchange.now)
        token = signed.of(cookie.name)
        is_removal = cookie.ends is not None and cookie.ends <= exchange.now
        if token is None or is_removal:
            return cookie.name, line
        if not exchange.is_own_host or self._is_overtaken(token):
            return cookie.name, b""
        try:
            host, now = exchange.request.origin.host, exchange.now
            return cookie.name, token.wrap(cookie, self._binding(token), host=host, now=now)
        except CookieTooLarge:
            if self._has_raised:  # the app's error page sets it again, and must not fail too
                return cookie.name, b""
            self._has_raised = True
            raise

    def _is_overtaken(self, token: ShopToken) -> bool:
        return token.is_bound and is_overtaken(self._exchange.session, self._exchange.destination)

    def _lines_beside(self, named: set[bytes]) -> Lines:
        """Return Set-Cookie lines for signed cookies that the app did not set itself."""
        session = self._exchange.session if any(token.is_bound for token in self._opened) else None
        if session is not None and session.revocations:
            self._forget(is_removed=True)
        elif session is not None and session.is_open and session.is_continued:
            _ = session.id  # cookies are bound to the session, so reading its id keeps it
        lines = []
        if not self._is_resource:
            lines += [line for name, line in self._removed.items() if name not in named]
        for token, content in self._opened.items():
            if token.name not in named and self._must_follow(token, content):
                lines.append(self._following(token, content))
        return [(SET_COOKIE, line) for line in lines]

    def _must_follow(self, token: ShopToken, content: Content) -> bool:
        if content.token is None:  # an unsigned cookie came without its attributes, so it cannot be set again
            return False
        is_old = not token.is_current(content) and not self._is_resource
        if not token.is_bound:
            return is_old
        session = self._exchange.session
        return is_old or (session.is_open and session.binding != session.presented_binding)

    def _following(self, token: ShopToken, content: Content) -> bytes:
        exchange = self._exchange
        try:
            host, now = exchange.request.origin.host, exchange.now
            return token.follow(content, self._binding(token), host=host, now=now)
        except CookieTooLarge:  # through a longer key id, which is no error of the app's
            self._report(token, Reason.TOO_LONG, "too long once it is signed again")
            return token.removal(content)

    def _binding(self, token: ShopToken) -> Binding:
        """Return the binding of a cookie that is signed now; a bound cookie begins a session if there is none."""
        if not token.is_bound:
            return NOBODY
        session = self._exchange.session
        _ = session.id
        return session.binding

    @property
    def _is_own_page(self) -> bool:
        return self._exchange.scope["type"] == "http" or is_own_page(self._exchange)

    @property
    def _is_resource(self) -> bool:
        return self._exchange.destination in RESOURCE_DESTINATIONS
