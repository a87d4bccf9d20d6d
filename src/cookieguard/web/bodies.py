"""What becomes of a document's body: rewritten, or passed as it is under the strict policy."""

from __future__ import annotations

from cookieguard.html import Rewriter
from cookieguard.web.banner import Insertion
from cookieguard.web.charsets import Charset, charset_of
from cookieguard.web.coding import CODINGS, FIRST_BYTES, first_bytes
from cookieguard.web.document import DocumentBody, RawBody, WorkerMark
from cookieguard.web.exchange import Exchange
from cookieguard.web.headers import Headers, every
from cookieguard.web.kinds import Kind
from cookieguard.web.placeholders import Placeholders
from cookieguard.web.repeats import PARTIAL_CONTENT, POLICY


def choose_body(
    exchange: Exchange, kind: Kind, headers: Headers, coding: bytes, start: bytes
) -> DocumentBody | RawBody:
    """Choose how a document's body is sent, from its headers and first bytes."""
    count = exchange.parts.findings.count
    if is_service_worker(exchange, kind):
        mark = WorkerMark(exchange.wall.policy)
        return DocumentBody(mark, CODINGS[coding], on_event=count) if coding in CODINGS else RawBody()
    if not exchange.parts.config.html.enabled:
        return RawBody()
    if exchange.status == PARTIAL_CONTENT:
        return give_up(exchange, "a part of a page")
    if coding not in CODINGS:
        return give_up(exchange, f"content-encoding {coding.decode('latin-1')[:40]}")
    first = first_bytes(start, CODINGS[coding])
    if first == b"" and len(start) >= FIRST_BYTES:
        return give_up(exchange, "a coding that says nothing for long")
    charset = charset_of(b",".join(every(headers, b"content-type")), first or b"")
    if charset is Charset.UNREAD:
        return give_up(exchange, "a charset that is not ASCII's")
    rewriter = _rewriter(exchange, kind, every(headers, POLICY))
    return DocumentBody(rewriter, CODINGS[coding], on_event=count, charset=charset)


def give_up(exchange: Exchange, reason: str) -> RawBody:
    """Let a document pass as it is: under the strict policy, unless its visitor agreed to everything."""
    if exchange.wall.has_everything:
        return RawBody()
    exchange.parts.findings.count(f"sent under the strict policy: {reason}")
    return RawBody(is_strict=True)


def is_service_worker(exchange: Exchange, kind: Kind) -> bool:
    """Tell whether this is a script that a browser keeps running, under the policy it came with."""
    if not kind.is_script:
        return False
    destination = exchange.headers.get(b"sec-fetch-dest")
    return destination == b"serviceworker" and exchange.parts.config.csp.enabled


def _rewriter(exchange: Exchange, kind: Kind, policies: list[bytes]) -> Rewriter:
    has_places = kind.is_document and exchange.parts.config.consent.enabled
    asks = has_places and exchange.request.wants_banner
    insertion = Insertion(exchange, policies=policies) if asks else None
    exchange.rewriter = rewriter = Rewriter(
        exchange.wall.rules,
        url=exchange.request.url,
        insert=insertion,
        head=insertion.head if insertion else b"",
        stand=Placeholders(exchange, policies=policies) if has_places else None,
        xml=kind.is_xml,
    )
    return rewriter
