"""What becomes of a document's body: rewritten, or passed as it is under the strict policy."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from functools import lru_cache, partial
from itertools import islice

from cookieguard.consent import Way, allowance
from cookieguard.html import Rewriter
from cookieguard.html.page import Glance
from cookieguard.web.banner.insertion import Insertion
from cookieguard.web.banner.page_scripts import choice_scripts, head_allowance, policy_in_page
from cookieguard.web.banner.placeholders import Placeholders
from cookieguard.web.document.body import DocumentBody, LateReader, Untouched, WorkerMark
from cookieguard.web.document.page_cache import Key, Passes
from cookieguard.web.document.source import SourceKeeper
from cookieguard.web.exchange import Exchange
from cookieguard.web.http.brotli_zstd import CodingError
from cookieguard.web.http.charsets import Charset, charset_of, is_part_of_start, is_undeclared
from cookieguard.web.http.content_coding import CODINGS, FIRST_BYTES, first_bytes
from cookieguard.web.http.content_type import (
    BLANK,
    BODILESS_STATUSES,
    EMBED_DESTINATIONS,
    NOT_MODIFIED,
    PARTIAL_CONTENT,
    RENDERED_DESTINATIONS,
    WORKER_DESTINATIONS,
    XML_START,
    Kind,
    is_attachment,
    is_binary,
    kind_of,
)
from cookieguard.web.http.headers import CONTENT_TYPE, POLICY, Headers, add_vary, essence, every
from cookieguard.web.request import FRAGMENT, NAVIGATE, RESOURCE_DESTINATIONS, SWAPPED
from cookieguard.web.walls import REPORT_ONLY

DISPOSITION = b"content-disposition"
USE = b"Sec-Fetch-Dest"
SHOWN_BY = (USE, b"Accept")  # what tells whether a page is to be shown; the latter where the former does not
# Of what a script fetches for itself. Workers' caches compare Accept, and see no such header: with Accept in it, a
# drawing that was stored ahead would be found for no `<img>`.
FETCHED_BY = (USE, b"Sec-Fetch-Mode")
NONCE, LENGTH = b"'nonce-", b"content-length"
FOLDERS_KEPT = 32  # of each wall: as many as the rules keep answers of
STATES_KEPT = 64  # purposes granted together
JSON_STARTS = (b"{", b"[", b'"')
MOST_PIECES = 1024  # of a coded body that are read to tell whether it is JSON: 4 MB
READ_DESTINATIONS = frozenset({b"image", b"empty"})  # whose documents are no contexts
# What is a script or a picture to who asked for it, whatever type its app gave it (Flask calls all bytes HTML). Read as
# HTML it would lose what looks like a tag that does not end, and get a banner into its strings.
UNSHOWN_DESTINATIONS = RESOURCE_DESTINATIONS - WORKER_DESTINATIONS
SVG_TYPE = b"image/svg+xml"
XML = kind_of(b"text/xml")
LONGEST_FOLDER = 1024  # characters; clients choose paths


def is_rewritten(exchange: Exchange, kind: Kind, names: dict[bytes, bytes]) -> bool:
    """Return whether this is a page: HTML, or XML and SVG that a browser asks for to show; `names` are its headers."""
    if kind.is_plain or exchange.status in BODILESS_STATUSES:
        return False
    if DISPOSITION in names and is_attachment(names[DISPOSITION]):
        return False
    if kind.is_document:
        return True
    if not (kind.is_xml or kind.is_script):
        return False
    is_shown = exchange.request.may_be_shown or exchange.destination in RENDERED_DESTINATIONS
    return (kind.is_xml and is_shown) or is_service_worker(exchange, kind)


def choose_body(
    exchange: Exchange, kind: Kind, headers: Headers, coding: bytes, start: bytes
) -> DocumentBody:
    """Choose how a document's body is sent, from its headers and first bytes."""
    count = exchange.parts.findings.count
    if is_service_worker(exchange, kind):
        mark = WorkerMark(exchange.wall.policy) if coding in CODINGS else Untouched()
        return DocumentBody(mark, CODINGS.get(coding), on_event=count)
    if not exchange.parts.config.html.enabled:
        return untouched(exchange)
    if exchange.destination in UNSHOWN_DESTINATIONS:
        return untouched(exchange, is_data=True)
    if exchange.status == PARTIAL_CONTENT:
        return give_up(exchange, "a partial response (206)")
    if coding not in CODINGS:
        return give_up(exchange, f"content-encoding {coding.decode('latin-1')[:40]}")
    first = first_bytes(start, CODINGS[coding])
    if first == b"" and len(start) >= FIRST_BYTES:
        return give_up(exchange, "a compressed body whose start decodes to nothing")
    return _read_body(exchange, kind, headers, coding, first or b"", start)


def _read_body(
    exchange: Exchange, kind: Kind, headers: Headers, coding: bytes, first: bytes, start: bytes
) -> DocumentBody:
    """Choose the body of what comes in a coding that is read, and begins so."""
    if first.lstrip()[:1] in JSON_STARTS and is_json_for_script(exchange, coding, start):
        return untouched(exchange, is_data=True)
    charset = charset_of(b",".join(every(headers, CONTENT_TYPE)), first)
    if charset is Charset.UNREAD:
        return give_up(exchange, "a charset that does not contain ASCII")
    # A browser makes no page of what begins with no tag, and what has a length would lose it. Scripts may put it in.
    is_put_in = exchange.marks & SWAPPED or exchange.destination == b"empty"
    is_file = first[:1].strip(BLANK + b"<") and every(headers, LENGTH) and not is_put_in
    if kind.is_sniffed and charset is Charset.PLAIN and (is_file or is_binary(first)):
        return untouched(exchange)
    make = partial(_reader, exchange, kind, _policies(exchange, headers))
    is_unsaid = kind.is_sniffed and (not first or is_part_of_start(first))
    is_strict = is_unsaid and not exchange.wall.has_everything
    reader, on_event = LateReader(make) if kind.is_sniffed else make(first), exchange.parts.findings.count
    return DocumentBody(reader, CODINGS[coding], on_event=on_event, charset=charset, is_strict=is_strict)


def untouched(exchange: Exchange, *, is_data: bool = False) -> DocumentBody:
    """Return a body that passes as it is; under the strict policy, should a cache or a browser show it as a page."""
    is_strict = exchange.parts.config.html.enabled and not exchange.wall.has_everything
    on_event = exchange.parts.findings.count
    return DocumentBody(Untouched(), None, on_event=on_event, is_strict=is_strict, is_data=is_data)


def is_json_for_script(exchange: Exchange, coding: bytes, start: bytes) -> bool:
    """Return whether this is JSON that its app calls HTML, for a script that asked for it, and whole.

    Markup in it is data to us, as in JSON of the right type: a quote that we put into a string would end the string.
    A browser that goes there, and what swaps answers into a page, read it as HTML.
    """
    if (
        exchange.destination not in (None, b"empty")
        or exchange.marks & SWAPPED
        or exchange.request.may_be_shown
    ):
        return False
    try:
        known = CODINGS[coding]
        body = (
            start if known is None else b"".join(islice(known.decoder(FIRST_BYTES).feed(start), MOST_PIECES))
        )
        json.loads(body)
    except (CodingError, ValueError, RecursionError):
        return False
    return True


def says_too_little(exchange: Exchange, kind: Kind, content_type: bytes, coding: bytes, start: bytes) -> bool:
    """Return whether a document's first bytes do not say yet in which encoding it is read.

    What a script streams into its page is UTF-8 there, whatever a `meta` element in it says. A response without a type
    starts with its first byte: streams of data have none.
    """
    if len(start) >= FIRST_BYTES or kind.is_sniffed:
        return not start
    first = first_bytes(start, CODINGS.get(coding))
    if first is None or is_part_of_start(first):
        return first is not None
    may_say = exchange.destination != b"empty" or exchange.request.may_be_shown
    return may_say and is_undeclared(content_type, first)


def passing(exchange: Exchange) -> Passes:
    """Return what says of markup in this page's body whether it passes as it is; by what is kept with the wall."""
    wall, request = exchange.wall, exchange.request
    path: str = request.full_path if request.root_path else exchange.scope["path"]
    folder = path.rpartition("/")[0]
    glance = wall.folders.get(folder)
    if glance is None:
        glance = Glance(wall.rules, wall.rules.page(request.url))
        if len(wall.folders) >= FOLDERS_KEPT:
            wall.folders.clear()
        # Else `?query` may lead from page to tracker
        if len(folder) <= LONGEST_FOLDER and wall.rules.own_is_free:
            wall.folders[folder] = glance
    return glance.passes


def give_up(exchange: Exchange, reason: str) -> DocumentBody:
    """Let a document pass as it is: under the strict policy, unless its visitor agreed to everything."""
    if not exchange.wall.has_everything:
        exchange.parts.findings.count(f"a page was not rewritten but sent under the strict policy: {reason}")
    return untouched(exchange)


def becomes_context(exchange: Exchange, kind: Kind) -> bool:
    """Return whether this runs under the policy of its own response: XML, a worker's script, documents in a series.

    A 304 names no type, and leaves a stored worker the policy of another state of consent. A worker runs whatever it
    gets, plain text as well.
    """
    destination = exchange.destination
    runs = destination in WORKER_DESTINATIONS
    if kind.is_plain and not runs and exchange.status != NOT_MODIFIED:
        return False
    if not exchange.parts.config.csp.enabled:
        return False
    if exchange.status == NOT_MODIFIED:
        return runs or destination in EMBED_DESTINATIONS
    if exchange.status in BODILESS_STATUSES:
        return False
    if kind.is_series:
        return destination != b"image"
    return runs or kind.is_xml or (kind.is_script and destination is None)


def policy_of_context(exchange: Exchange, kind: Kind) -> bytes:
    """Return the policy of what becomes a context, in this visitor's state."""
    # Nobody reads the documents of a series: they are told apart by their parts, and it has no end.
    is_strict = kind.is_series and not exchange.wall.has_everything
    return exchange.wall.in_headers(is_strict=is_strict, destination=exchange.destination)


def policy_for_everyone(exchange: Exchange, kind: Kind, names: dict[bytes, bytes]) -> bytes:
    """Return the strict policy for XML that is not shown, empty for all else; `names` are its headers.

    A picture and what a script reads run nothing: so caches in front may keep a logo or a site map. Who opens what a
    cache kept that knows no Vary is under that policy. Browsers without fetch metadata may show an SVG.
    """
    destination = exchange.destination
    is_read = destination in READ_DESTINATIONS or (
        destination is None and essence(names.get(CONTENT_TYPE, b"")) != SVG_TYPE
    )
    if not (kind.is_xml and is_read):
        return b""
    return exchange.parts.walls.strictest(exchange.request.origin, base=exchange.own_base).strict_policy


def carries_policy(exchange: Exchange, kind: Kind) -> bool:
    """Return whether a page has the policy in itself: headers do not take it, and a parser reads from the start."""
    is_read = kind.is_document and not (kind.is_xml or kind.is_piece or kind.is_sniffed)
    request = exchange.request
    is_page = is_read and request.opens_document and not request.is_fragment
    return is_page and exchange.parts.config.csp.enabled and exchange.wall.meta != b""


def vary_by_use(exchange: Exchange, headers: Headers, kind: Kind, *, is_data: bool = False) -> Headers:
    """Return headers that say so where a response depends on what a browser means to do with it.

    A picture in SVG is not read, nor what a script gets as data: out of a cache it would be what is shown to who then
    opens it. So would a piece of a page or a frame's, which has no banner.
    """
    if is_data or (kind.is_xml and not kind.is_document):
        is_fetched = exchange.request.is_fetched and not is_data
        return add_vary(headers, *(FETCHED_BY if is_fetched else SHOWN_BY))
    request = exchange.request
    names = request.swappers or ([] if request.wants_banner else [USE]) if kind.is_document else []
    return add_vary(headers, *(names or [USE])) if names or kind.is_script else headers


def is_service_worker(exchange: Exchange, kind: Kind) -> bool:
    """Return whether this is a script that a browser keeps running, under the policy it came with."""
    if not kind.is_script:
        return False
    return exchange.destination == b"serviceworker" and exchange.parts.config.csp.enabled


def _policies(exchange: Exchange, headers: Headers) -> list[bytes]:
    """Return the shop's policies that what we insert has to fit: those in force, and those on trial that cost nothing.

    A policy is tried out in Report-Only first: without its nonce each script of ours would be reported with each page.
    """
    in_force, tried = every(headers, POLICY), every(headers, REPORT_ONLY)
    if not tried:
        return in_force
    texts = [one.decode("latin-1") for one in (*in_force, *tried)]
    origin, base = exchange.request.origin.text, exchange.own_base
    ways = {allowance(texts, kind, origin=origin, path=base).way for kind in ("script", "style")}
    return [*in_force, *tried] if ways <= {Way.NONCE, Way.INLINE} else in_force


def _reader(
    exchange: Exchange, kind: Kind, policies: list[bytes], begin: bytes
) -> Rewriter | SourceKeeper | Untouched:
    """Return what reads a body that begins so. Without a type browsers take data for no page, and XML for XML."""
    if kind.is_sniffed:
        is_json = begin.lstrip(BLANK)[:1] in JSON_STARTS and not exchange.marks & SWAPPED
        if is_json or is_binary(begin):
            return Untouched()
        kind = XML if begin.startswith(XML_START) and exchange.request.may_be_shown else kind
    has_places = kind.is_document and exchange.parts.config.consent.enabled
    asks = has_places and not kind.is_piece and exchange.request.wants_banner
    if asks and exchange.consent.asks:
        asks = exchange.request.may_ask
    insertion = Insertion(exchange, policies=policies, is_xml=kind.is_xml) if asks else None
    is_whole = kind.is_document and not kind.is_piece and not exchange.request.is_fragment
    first = _first_scripts(exchange, policies) if is_whole else b""
    meta = policy_in_page(exchange, policies) if carries_policy(exchange, kind) else b""
    rewriter = Rewriter(
        exchange.wall.rules,
        url=exchange.request.url,
        insert=insertion,
        head=meta + first + (insertion.head if insertion else b""),
        stand=Placeholders(exchange, policies=policies) if has_places else None,
        xml=kind.is_xml,
        # What has no type may be JSON: our markup before it would make HTML of it. There only tags make a document.
        is_document=exchange.request.opens_document and not kind.is_sniffed,
    )
    exchange.rewriter = reader = (
        SourceKeeper(rewriter) if exchange.parts.findings.wants_source() else rewriter
    )
    return reader


def _first_scripts(exchange: Exchange, policies: list[bytes]) -> bytes:
    """Return what goes first into a document: the guard, and what tells of the choice; kept with the wall."""
    if policies:  # with a nonce in most
        return _guard_of(exchange, policies) + choice_scripts(exchange, policies)
    consent, heads = exchange.consent, exchange.wall.heads
    state = (consent.granted, consent.state)
    first: bytes | None = heads.get(state)
    if first is None:
        first = heads[state] = _guard_of(exchange, ()) + choice_scripts(exchange, ())
    return first


def _guard_of(exchange: Exchange, policies: Sequence[bytes]) -> bytes:
    """Return the guard for the start of a document; nothing where nobody is held or the shop wants none."""
    parts = exchange.parts
    if exchange.wall.is_open or not parts.config.html.guard:
        return b""
    held = _names(parts.shop_cookies.register.held_patterns(exchange.consent.in_force))
    script = head_allowance(exchange, policies)
    return parts.renderer.guard_script(exchange.wall.allowed, held, base=exchange.own_base, script=script)


@lru_cache(maxsize=STATES_KEPT)
def _names(patterns: Iterable[str]) -> str:
    """Write declared names of cookies as a JavaScript pattern for a cookie's text or a key, without blanks."""
    names = [re.escape(one.removesuffix("*")) + "[^=;]*" * one.endswith("*") for one in patterns]
    joined = "|".join(names).replace(" ", "x20")
    return rf"^\s*({joined or '(?!)'})\s*(=|;|$)"


def key_of(exchange: Exchange, kind: Kind, names: dict[bytes, bytes], headers: Headers) -> Key | None:
    """Return all that the rewriting of a page depends on, beside its bytes; `names` are its headers.

    The walls come from the configuration, the origin, what is granted and where our own pages are, so they are in it.
    None where that is more than can be told: the path of another page (a POST), a grant for this document alone, a
    piece of a page, a choice that the browser would not keep (which is counted), a nonce; and where a cache in front
    keeps the page.
    """
    if not kind.is_document or exchange.status == PARTIAL_CONTENT or not exchange.parts.config.html.enabled:
        return None
    asked, request = exchange.headers, exchange.request
    scope = request.scope
    is_piece = exchange.marks & SWAPPED or (exchange.marks & FRAGMENT and request.is_fragment)
    if exchange.grant or exchange.variant is not None or scope.get("method", "GET") != "GET" or is_piece:
        return None
    consent = exchange.consent
    if consent.asks and not request.is_secure_context:
        return None
    policies = tuple([bytes(one) for one in every(headers, POLICY)]) if POLICY in names else ()
    if (b"".join(policies) + names.get(REPORT_ONLY, b"")).lower().find(NONCE) >= 0:
        return None
    has_chosen = consent.receipt is not None or consent.is_overruled
    return (
        request.origin.text,
        consent.in_force,
        scope["path"],
        scope.get("root_path"),
        scope.get("query_string"),
        names.get(CONTENT_TYPE),
        policies,
        asked.get(b"accept-language"),
        asked.get(b"sec-fetch-dest"),
        asked.get(b"sec-fetch-mode") == NAVIGATE,
        asked.get(b"accept"),
        asked.get(b"sec-fetch-site") is None,
        asked.get(b"upgrade-insecure-requests"),
        consent.look,
        (consent.is_new(exchange.now), exchange.to_forget) if has_chosen else (),
        exchange.parts.look(exchange.now),
    )
