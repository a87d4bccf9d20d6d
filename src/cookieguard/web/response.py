"""Send one response: documents are rewritten and get our headers, and everything else passes unchanged."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from cookieguard.identity.carts.stored_carts import StoreFirst
from cookieguard.web.app_scope import revalidates_document
from cookieguard.web.cookies.consent_filter import Gate
from cookieguard.web.cookies.own_cookies import own_lines
from cookieguard.web.customer_refusals import WITHDRAWN, settled, speak
from cookieguard.web.document.body import DocumentBody, Sent
from cookieguard.web.document.choose_body import (
    becomes_context,
    carries_policy,
    choose_body,
    give_up,
    is_rewritten,
    key_of,
    passing,
    policy_for_everyone,
    policy_of_context,
    says_too_little,
    vary_by_use,
)
from cookieguard.web.document.contact_headers import CONTACT_NAMES, filter_contacts, tighten_referrers
from cookieguard.web.document.page_cache import Key, Page, Passes
from cookieguard.web.document.prefetch import REDIRECTS, is_same_for_all, leads_to_others, put_off
from cookieguard.web.exchange import Exchange
from cookieguard.web.http.charsets import Charset, as_utf_8, charset_of
from cookieguard.web.http.content_coding import coding_of
from cookieguard.web.http.content_type import (
    NOT_MODIFIED,
    PIECE,
    WORKER_DESTINATIONS,
    Kind,
    is_put_in,
    is_unsniffed,
    kind_of,
    one_type,
)
from cookieguard.web.http.etags import STALE_HEADERS, VALIDATING, WHOLE, mark_state
from cookieguard.web.http.headers import (
    CONTENT_TYPE,
    POLICY,
    SET_COOKIE,
    USUAL,
    Headers,
    add_vary,
    has_any,
    make_private,
    quiet_type,
    read,
    without,
)
from cookieguard.web.request import PAGE_DESTINATIONS, SWAPPED
from cookieguard.web.shared.pages import seconds_shared, share, tag_of, variant_lines
from cookieguard.web.walls import DOCUMENT_VARY

Message = Any
Send = Callable[[Message], Awaitable[None]]

CODING, TRANSFER = b"content-encoding", b"transfer-encoding"
TYPE, LENGTH = frozenset({CONTENT_TYPE}), frozenset({b"content-length"})
COOKIE_VARY = (b"Cookie",)
LOUD = CONTACT_NAMES | {SET_COOKIE}  # headers that are checked for every type
QUIET = USUAL - LOUD
LOUD_STATUSES = REDIRECTS | {NOT_MODIFIED}
# Firefox looks up the host of every plain link, and no policy prevents that: name servers would see them all.
NO_LOOKUPS = (b"x-dns-prefetch-control", b"off")
# Speculation rules are files that the walls do not read and no policy covers. They are only a hint, so drop them.
HELD_HEADERS = LENGTH | {NO_LOOKUPS[0], b"speculation-rules"}
NO_HEADERS: dict[bytes, bytes] = {}  # never changed
PLAIN = kind_of(b"text/plain")  # the kind of a response before its start is read
SENT = DocumentBody(Sent(), None, on_event=lambda _: None)  # stands for a body already sent, and cannot fail
START, BODY, EARLY_HINT = "http.response.start", "http.response.body", "http.response.early_hint"
FILE_SENDS = frozenset({"http.response.pathsend", "http.response.zerocopysend"})


class Response:
    """Send one response through the walls.

    Mutable; the middleware owns it for the time of one response. `_start` is a document's start message, with
    lower-case headers, while it waits for the first body event; `_body` is set from then on.

    For messages that pass unchanged, the app gets the awaitable of the server's `send`. A coroutine around it would
    cost as much as all other work here.
    """

    def __init__(self, exchange: Exchange, send: Send) -> None:
        self._exchange = exchange
        self._send = send
        self._gate: Gate | None = None  # if the request has cookies
        self._start: Message | None = None
        self.waits = False  # whether `_start` waits
        self._kind = PLAIN
        self._names = NO_HEADERS
        self._coding = b""
        self._waiting = b""
        self._body: DocumentBody | None = None

    @property
    def is_document(self) -> bool:
        """Return whether the app's response may be a whole document, not a fragment of one."""
        return self._kind.is_document and not self._kind.is_piece

    def shown(self, app_scope: dict[str, Any]) -> dict[str, Any]:
        """Return the app's scope without held cookies; called only if the request has cookies."""
        self._gate = Gate(self._exchange)
        return self._gate.shown(app_scope)

    def send(self, message: Message) -> Awaitable[None]:
        """Send one message of the app, changed if necessary."""
        kind = message["type"]
        try:
            if kind == BODY:  # checked first: nearly all messages are bodies or starts
                if self._start is not None or self._body is not None:
                    return self._on_document(message)
                self._exchange.bytes_sent += len(message.get("body", b""))
                return self._send(message)
            if kind == START:
                return self._on_start(message)
            return self._on_hint(message) if kind == EARLY_HINT else self._on_other(message)
        except StoreFirst:
            return self._start_settled(message)

    async def finish(self) -> None:
        """Send what still waits, after the app has returned without completing its response."""
        await self._start_unread()
        if self._waiting and self._body is not None:
            await self._send_pieces({"type": "http.response.body"}, self._body, self._waiting, has_more=True)

    async def _start_unread(self) -> None:
        """Send the start that waits, and choose the body first, so that later pieces cannot pass unread."""
        if self._exchange.must_settle:
            await speak(self._exchange)
        self._body = self._body or self._choose_body(self._waiting)
        await self._release()

    async def send_own(self, message: Message) -> None:
        """Send one message of our own page with the page's own headers; a HEAD request gets no body."""
        self._exchange.status = message.get("status", self._exchange.status)
        if self._is_head and "body" in message:
            message = {**message, "body": b""}
        self._exchange.bytes_sent += len(message.get("body", b""))
        await self._send(message)

    def _on_start(self, message: Message) -> Awaitable[None]:
        exchange, status, gate = self._exchange, message["status"], self._gate
        is_untouched = exchange.is_untouched()
        if (exchange.promised or not is_untouched) and exchange.must_settle:
            return self._start_settled(message)
        if not (status in LOUD_STATUSES or (gate is not None and gate.holds)):
            told = quiet_type(message.get("headers"), LOUD, QUIET)
            self._kind = kind = kind_of(told)
            is_used = exchange.marks & SWAPPED != 0 or exchange.destination in WORKER_DESTINATIONS
            if kind.is_plain and not is_used:  # most are; htmx and workers use any type
                exchange.status = status
                shown = status == WHOLE and exchange.destination in PAGE_DESTINATIONS
                if shown and has_any(message["headers"], VALIDATING):
                    exchange.parts.files.note(exchange.request.place, message["headers"])
                return self._send(message if is_untouched else self._with_ours(message))
            if told and kind.is_document and not kind.is_torn:  # no other header needs a check
                exchange.status = status
                headers, names = read(message["headers"])
                return self._hold_or_pass(message, kind, headers, names)
        return self._on_read_start(message)

    def _on_hint(self, message: Message) -> Awaitable[None]:
        """Pass on the links to hosts that are not held; browsers follow them before a policy is in force."""
        links = filter_contacts([(b"link", bytes(link)) for link in message["links"]], self._exchange.holds)
        return self._send({**message, "links": [link for _, link in links]}) if links else _nothing()

    def _with_ours(self, message: Message) -> Message:
        """Return a start whose body passes unchanged, with our cookies and the cache headers that they need."""
        has_read = self._exchange.has_read_cookies
        return {**message, "headers": self._with_cookies(message["headers"], COOKIE_VARY, has_read=has_read)}

    def _on_read_start(self, message: Message) -> Awaitable[None]:
        """Send a start after checking each of its headers."""
        exchange, gate = self._exchange, self._gate
        exchange.status = status = message["status"]
        headers, names = read(message.get("headers") or ())
        if status in REDIRECTS:
            if leads_to_others(exchange, names):
                return self._on_start(put_off(message, headers))
            headers = tighten_referrers(headers)  # browsers use it for the next page
        if SET_COOKIE in names or (gate is not None and gate.holds):
            headers, names = self._passed(headers, names)
        kind = PLAIN if is_same_for_all(exchange, status, names) else kind_of(names.get(CONTENT_TYPE, b""))
        if kind.is_torn:  # browsers could choose different parsers, so send the standard's one type
            told = one_type(names[CONTENT_TYPE])
            headers, names = read([*without(headers, TYPE), (CONTENT_TYPE, told)])
            kind = kind_of(told)
        if is_put_in(kind, names, exchange.headers):
            kind, headers = PIECE, add_vary(headers, b"HX-Request")
        return self._hold_or_pass(message, kind, headers, names)

    def _hold_or_pass(
        self, message: Message, kind: Kind, headers: Headers, names: dict[bytes, bytes]
    ) -> Awaitable[None]:
        """Hold the start of a document back until its body begins; send any other start at once."""
        exchange, status = self._exchange, self._exchange.status
        kind = PLAIN if kind.is_sniffed and is_unsniffed(names) and not exchange.marks & SWAPPED else kind
        self._names, self._kind = names, kind
        if status == NOT_MODIFIED and revalidates_document(exchange):
            exchange.shared_for = 0 if exchange.variant is None else seconds_shared(exchange, kind, names)
            return self._send({**message, "headers": self._document_headers(headers)})
        if is_rewritten(exchange, kind, names):
            exchange.shared_for = 0 if exchange.variant is None else seconds_shared(exchange, kind, names)
            self._start, self.waits = {**message, "headers": headers}, True
            self._coding = coding_of(names[CODING]) if CODING in names else b""
            # A stream of data has no type, coding or length.
            is_stream = kind.is_sniffed and not self._coding and LENGTH.isdisjoint(names)
            return self._start_unread() if is_stream and not exchange.request.may_be_shown else _nothing()
        return self._send({**message, "headers": self._passing_headers(headers)})

    def _passed(self, headers: Headers, names: dict[bytes, bytes]) -> tuple[Headers, dict[bytes, bytes]]:
        """Return the headers without held cookies, and with lines that remove these from the browser."""
        gate = self._gate or Gate(self._exchange)
        passed = gate.passed(headers)
        return (headers, names) if passed is headers else read(passed)

    async def _start_settled(self, message: Message) -> None:
        """Send the start after the store has recorded logins, ended sessions and changes."""
        await speak(self._exchange)
        await self.send(message)

    def _on_document(self, message: Message) -> Awaitable[None]:
        """Send a body event of a document; nearly all documents come in one event."""
        body = message.get("body", b"")
        is_whole = self._body is None and not (self._waiting or self._coding or message.get("more_body"))
        if is_whole and type(body) is bytes and not self._exchange.must_settle:
            return self._send_whole(self._start, message, body)
        return self._on_piece(message)

    async def _on_piece(self, message: Message) -> None:
        body, start = self._waiting + message.get("body", b""), self._start
        has_more, told = message.get("more_body", False), (self._names.get(CONTENT_TYPE, b""), self._coding)
        if start is not None and has_more and says_too_little(self._exchange, self._kind, *told, body):
            self._waiting = body
            return
        self._waiting = b""
        if start is not None and self._exchange.must_settle:  # after a change since the start was held
            await speak(self._exchange)
        if start is not None and self._body is None and not (has_more or self._coding):
            await self._send_whole(start, message, body)
            return
        transform = self._body or self._choose_body(body)
        if not has_more and not transform.is_coded:
            await self._send_rest(message, transform.whole(body), of=body)
            return
        await self._release()
        await self._send_pieces(message, transform, body, has_more=has_more)

    async def _send_whole(self, start: Message, message: Message, body: bytes) -> None:
        """Send a document that came in one message, from the cache of rewritten pages if possible."""
        exchange, given = self._exchange, start["headers"]
        key, repeats = key_of(exchange, self._kind, self._names, given), exchange.parts.repeats
        page, content = (None, b"") if key is None else repeats.find(key, body, self._passes)
        if page is None:
            await self._send_new(key, message, body, [*given])
            return
        self._body, exchange.rewriter = SENT, page
        is_same = len(content) == len(page.content) and page.given == given and exchange.writes_nothing
        if not is_same or (exchange.parts.variants is not None and variant_lines(exchange)):
            await self._send_rest(message, content, of=body)
            return
        self._start, self.waits = None, False
        exchange.bytes_sent += len(content)
        await self._send({**start, "headers": exchange.wall.watched(page.headers)})
        await self._send({**message, "body": content})

    def _passes(self, body: bytes) -> Passes | None:
        """Return the check whether other markup passes unchanged; None if that markup could change the encoding."""
        is_plain = charset_of(self._names.get(CONTENT_TYPE, b""), body) is Charset.PLAIN
        return passing(self._exchange) if is_plain else None

    async def _send_new(self, key: Key | None, message: Message, body: bytes, given: Headers) -> None:
        """Rewrite and send a document that is not in the cache, and add it if it is likely to come again."""
        exchange, transform = self._exchange, self._choose_body(body)
        repeats = exchange.parts.repeats
        if key is None or not repeats.is_due(key):
            await self._send_rest(message, transform.whole(body), of=body)
            return
        near = repeats.near(key)
        content, pieces = transform.cut(body, near[0][0].body if near else body, passing(exchange))
        headers = await self._send_rest(message, content, of=body)
        outcome = exchange.rewriter
        if outcome is not None and transform.is_faithful and exchange.followed is None:
            told = tuple(outcome.held), frozenset(outcome.lost)
            repeats.keep(key, Page(body, content, *told, given, exchange.wall.unwatched(headers), pieces))

    async def _on_other(self, message: Message) -> None:
        """Pass on a message of any other type, after the start that waits."""
        if self._start is not None and message["type"] != "http.response.debug":
            if message["type"] in FILE_SENDS:  # although the scope offered no such extension
                self._body = give_up(self._exchange, "a file that the server sends itself")
            await self._start_unread()
        await self._send(message)

    async def _send_rest(self, message: Message, content: bytes, *, of: bytes) -> Headers:
        """Send the last content of a document, made from the app's body `of`; return the headers sent before it."""
        is_left_out = self._is_head and self._names.get(b"content-length") != b"%d" % len(of)
        headers = await self._release(length=b"" if is_left_out else b"%d" % len(content), whole=content)
        content = b"" if self._is_head else content
        self._exchange.bytes_sent += len(content)
        await self._send({**message, "body": content})
        return headers

    async def _send_pieces(
        self, message: Message, transform: DocumentBody, body: bytes, *, has_more: bool
    ) -> None:
        for piece in transform.feed(body):
            if piece or (has_more and not body):
                self._exchange.bytes_sent += len(piece)
                await self._send({**message, "body": piece, "more_body": True})
        if not has_more:
            # An encoded body ends in bytes even if it is empty, but HEAD gets no body.
            rest = b"" if self._is_head else transform.close()
            self._exchange.bytes_sent += len(rest)
            await self._send({**message, "body": rest, "more_body": False})

    async def _release(self, *, length: bytes = b"", whole: bytes = b"") -> Headers:
        """Send the start that waits, since the body is chosen now; return the headers."""
        start, self._start, self.waits = self._start, None, False
        if start is None:
            return []
        if self._exchange.news is not None:  # a login or end since the start was held
            await speak(self._exchange)
        try:
            headers = self._document_headers(start["headers"])
        except StoreFirst:
            headers = await settled(self._exchange, partial(self._document_headers, start["headers"]))
        if self._exchange.shared_for:
            headers += tag_of(self._exchange, headers, whole)
        if self._body is not None and not self._body.has_head:
            length = self._names.get(b"content-length", length)
        # nginx and granian reject a length next to the app's own Transfer-Encoding, h11 one next to trailers.
        if length and TRANSFER not in self._names and not start.get("trailers"):
            headers.append((b"content-length", length))
        await self._send({**start, "headers": headers.copy()})  # outer middleware may change its list
        return headers

    @property
    def _is_head(self) -> bool:
        return self._exchange.request.method == "HEAD"

    def _choose_body(self, start: bytes) -> DocumentBody:
        headers: Headers = self._start["headers"] if self._start is not None else []
        self._body = body = choose_body(self._exchange, self._kind, headers, self._coding, start)
        return body

    def _document_headers(self, headers: Headers) -> Headers:
        exchange = self._exchange
        wall, names, body = exchange.wall, self._names, self._body
        has_meta = body is not None and body.has_head and carries_policy(exchange, self._kind)
        is_strict, is_data = (False, False) if body is None else (body.is_strict, body.is_data)
        headers = without(headers, LENGTH if wall.is_open else HELD_HEADERS)
        if not CONTACT_NAMES.isdisjoint(names):
            headers = filter_contacts(headers, wall.holds)
        if b"referrer-policy" in names:
            headers = tighten_referrers(headers)
        if not wall.is_open:
            headers.append(NO_LOOKUPS)
        if body is not None and body.is_transcoded:
            headers = as_utf_8(headers)
        if not STALE_HEADERS.isdisjoint(names):
            # A 304 does not say whether the page in the cache contains a policy, or is data.
            headers = mark_state(headers, b"" if has_meta or is_data else exchange.state_tag)
        headers = vary_by_use(exchange, headers, self._kind, is_data=is_data)
        headers = self._with_cookies(headers, wall.vary, has_read=True)
        if exchange.parts.config.csp.enabled:
            headers += wall.policies(is_strict=is_strict, has_meta=has_meta, destination=exchange.destination)
        return headers

    def _passing_headers(self, headers: Headers) -> Headers:
        exchange, kind = self._exchange, self._kind
        is_context = becomes_context(exchange, kind)
        if not CONTACT_NAMES.isdisjoint(self._names):
            headers = filter_contacts(headers, exchange.holds)
        elif kind.is_plain and exchange.is_untouched() and not is_context:
            return headers
        headers = vary_by_use(exchange, headers, kind)
        if not is_context or (of_all := policy_for_everyone(exchange, kind, self._names)):
            headers = self._with_cookies(headers, COOKIE_VARY, has_read=exchange.has_read_cookies)
            return [*headers, (POLICY, of_all)] if is_context else headers
        headers = self._with_cookies(headers, DOCUMENT_VARY, has_read=True)
        return [*headers, (POLICY, policy_of_context(exchange, kind))]

    def _with_cookies(self, headers: Headers, varying: tuple[bytes, ...], has_read: bool) -> Headers:  # noqa: FBT001  # compiled
        """Add our cookies; a response that read or set one becomes private, and varies."""
        lines = own_lines(self._exchange)
        if not (has_read or lines):
            return headers
        if self._exchange.shared_for and not lines:
            return share(headers, self._exchange.shared_for)
        headers = make_private(headers, varying, store=not (lines or self._exchange.is_lifted))
        if lines:
            headers += [(SET_COOKIE, line) for line in lines]
        followed = self._exchange.followed
        return [*headers, *WITHDRAWN] if followed is not None and followed[1] else headers


async def _nothing() -> None:
    """The app awaits this if nothing is sent, or not yet."""
