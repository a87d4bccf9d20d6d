"""The gate of a shop whose own cookies are signed, or whose customers are named by somebody else."""

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

# Where browsers send SameSite=Lax cookies too: a session that is missing there is gone.
FULL_SENDERS = frozenset({b"same-origin", b"same-site", b"none"})
STARTS = SOCKET_STARTS | {"http.response.start"}
Lines = list[tuple[bytes, bytes]]
USER = "user"  # where the middleware of Starlette, Litestar and Channels puts whom it knows
ASKED_TOO_EARLY = (
    'customer_from reads scope["user"], which middleware of the app sets too late: a signed cookie is bound to the '
    "session, so customer_from is called before the app. Have it read the request's own cookies, or set "
    'binding = "none"; until then every visitor counts as a guest'
)


def signs(parts: Services) -> bool:
    """Return whether this gate is needed: who signs no cookie and asks nobody for customers pays for none of it."""
    return parts.signed_cookies.are_there or parts.customers.are_asked


class SigningGate:
    """Show the app its own values, and the browser tokens that belong to session and customer.

    `_opened` are the signed cookies the app was shown, `_removed` the lines for what the browser need not keep.
    """

    __slots__ = ("_asked_with", "_exchange", "_filter", "_has_raised", "_opened", "_removed", "_send")

    def __init__(self, exchange: Exchange, send: Send) -> None:
        self._exchange = exchange
        self._send = send
        self._filter = Gate(exchange)  # what the browser will not get is not wrapped
        self._opened: dict[ShopToken, Content] = {}
        self._removed: dict[bytes, bytes] = {}
        self._has_raised = False
        self._asked_with: dict[str, Any] | None = (
            None  # the scope by which the customer was asked for before the app
        )

    def shown(self, scope: dict[str, Any]) -> dict[str, Any]:
        """Return the scope that the app gets, of one without what is held: what is signed is plain."""
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
            if self._heed():
                self._show(scope)
        return scope

    def send(self, message: Message) -> Awaitable[None]:
        """Take one message of the app."""
        return self._send(self._start(message) if message["type"] in STARTS else message)

    def _claim(self, scope: Any) -> Any:
        """Ask the shop whose request this is. After the start, and after a handshake, no cookie can follow."""
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
        """Look at what came under one name; of different values neither counts."""
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
        if not self._is_told(refusal):
            self._report(token, refusal)
        if content is not None and self._is_over(refusal):
            self._removed[token.name] = token.removal(content)

    def _is_told(self, refusal: Refusal) -> bool:
        """Return whether the event of a refused session says it all: what belongs to it is the consequence."""
        return refusal is Mismatch.NO_SESSION and self._exchange.session.is_presented

    def _is_over(self, refusal: Refusal) -> bool:
        """Return whether a genuine cookie can never open again, not only now: what is in flight takes nothing away."""
        if refusal is Reason.EXPIRED:
            return True
        if refusal not in (Mismatch.NO_SESSION, Mismatch.OTHER_SESSION):
            return False
        is_sent = self._exchange.headers.get(b"sec-fetch-site") in FULL_SENDERS
        return is_sent and not self._exchange.session.is_just_ended

    def _heed(self) -> bool:
        """Have the session follow whoever knows the customer; say whether cookies of the last one have to go."""
        exchange, session = self._exchange, self._exchange.session
        session.heed()
        if not self._is_resource and session.is_stale(exchange.now):
            session.mark_accessed()  # it is in use, so it is kept
        if not (session.is_hidden or session.revocations):
            return False
        if not session.revocations:  # a customer's, while nobody can tell whether it was ended
            exchange.report_event(SecurityEvent.CUSTOMER_UNVOUCHED)
        self._forget(is_removed=bool(session.revocations))
        return True

    def _forget(self, *, is_removed: bool) -> None:
        """Take away what belongs to the customer before."""
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
            self._tell_of_late_user(self._asked_with)
        headers = self._signed(self._obey(self._filter.without_held(read(given)[0])))
        return message if headers is given else {**message, "headers": headers}

    def _tell_of_late_user(self, scope: dict[str, Any]) -> None:
        """Tell the owner where the app knows by now who it is, and nobody did when the customer was asked for."""
        exchange, customers = self._exchange, self._exchange.parts.customers
        if customers.ask is None or USER in exchange.scope or exchange.session.binding.customer is not None:
            return
        if customers.claim(scope, lasts=False, report=lambda _: None).customer is not None:
            exchange.parts.findings.count(ASKED_TOO_EARLY)

    def _obey(self, headers: Headers) -> Headers:
        """Log in or out as the app's header says, and take the header out."""
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
        """Wrap what the app sets; beside it, bind anew what it leaves as it is, and remove what is over."""
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
        """Return the name and the line that goes out for one of the app's; none where it could never open."""
        exchange, signed = self._exchange, self._exchange.parts.signed_cookies
        read_one = read_line(line, exchange.now)
        token = signed.of(read_one.name)
        is_removal = read_one.ends is not None and read_one.ends <= exchange.now
        if token is None or is_removal:
            return read_one.name, line
        if not exchange.is_own_host or self._is_overtaken(token):
            return read_one.name, b""
        try:
            host, now = exchange.request.origin.host, exchange.now
            return read_one.name, token.wrap(read_one, self._binding(token), host=host, now=now)
        except CookieTooLarge:
            if self._has_raised:  # the error page that follows gets through
                return read_one.name, b""
            self._has_raised = True
            raise

    def _is_overtaken(self, token: ShopToken) -> bool:
        return token.is_bound and is_overtaken(self._exchange.session, self._exchange.destination)

    def _lines_beside(self, named: set[bytes]) -> Lines:
        """Return the lines for signed cookies that the app did not name itself."""
        session = self._exchange.session if any(token.is_bound for token in self._opened) else None
        if session is not None and session.revocations:
            self._forget(is_removed=True)
        elif session is not None and session.is_open and session.is_continued:
            _ = session.id  # what belongs to it keeps it
        lines = []
        if not self._is_resource:
            lines += [line for name, line in self._removed.items() if name not in named]
        for token, content in self._opened.items():
            if token.name not in named and self._must_follow(token, content):
                lines.append(self._following(token, content))
        return [(SET_COOKIE, line) for line in lines]

    def _must_follow(self, token: ShopToken, content: Content) -> bool:
        if content.token is None:  # what was never signed came without its attributes
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
        except CookieTooLarge:  # by a longer key id: the app did nothing wrong, so no error of its
            self._report(token, Reason.TOO_LONG, "too long once it is signed again")
            return token.removal(content)

    def _binding(self, token: ShopToken) -> Binding:
        """Return what is written now belongs to; it begins a session that is kept where there is none."""
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
