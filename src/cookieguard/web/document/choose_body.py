"""Choose whether a document's body is rewritten, passed unchanged, or passed unchanged under the strict policy."""

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
SHOWN_BY = (USE, b"Accept")  # show whether a page will be shown; Accept does if the browser sends no USE
# Vary for a response to `fetch`. A worker's cache compares Accept, but does not see Sec-Fetch-Dest. With Accept in Vary
# it would never find a stored drawing for an `<img>`.
FETCHED_BY = (USE, b"Sec-Fetch-Mode")
NONCE, LENGTH = b"'nonce-", b"content-length"
FOLDERS_KEPT = 32  # per wall; the rules keep answers for as many
STATES_KEPT = 64  # combinations of granted purposes, each with its own list of held cookies
JSON_STARTS = (b"{", b"[", b'"')
MOST_PIECES = 1024  # of a coded body (4 MB), read to find out whether it is JSON
READ_DESTINATIONS = frozenset({b"image", b"empty"})  # a document fetched for these does not run
# A browser uses the response as a script or a picture, whatever type the app gave it (Flask sends all bytes as HTML).
# Rewriting would remove text that looks like an unfinished tag, and insert a banner into its strings.
UNSHOWN_DESTINATIONS = RESOURCE_DESTINATIONS - WORKER_DESTINATIONS
SVG_TYPE = b"image/svg+xml"
XML = kind_of(b"text/xml")
LONGEST_FOLDER = 1024  # characters of a key in the cache; a client may request any path


def is_rewritten(exchange: Exchange, kind: Kind, names: dict[bytes, bytes]) -> bool:
    """Return whether a response is rewritten: HTML, XML or SVG to be shown, or a service worker's script."""
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
    """Return the body that sends a document, chosen by its headers and first bytes."""
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
    """Return the body of a document that could be decoded, and whose decoded start is `first`."""
    if first.lstrip()[:1] in JSON_STARTS and is_json_for_script(exchange, coding, start):
        return untouched(exchange, is_data=True)
    charset = charset_of(b",".join(every(headers, CONTENT_TYPE)), first)
    if charset is Charset.UNREAD:
        return give_up(exchange, "a charset that does not contain ASCII")
    # A browser shows a body without a tag at its start as text, which keeps its Content-Length. A script may insert it.
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
    """Return a body that passes unchanged, under the strict policy in case a cache or a browser shows it as a page."""
    is_strict = exchange.parts.config.html.enabled and not exchange.wall.has_everything
    on_event = exchange.parts.findings.count
    return DocumentBody(Untouched(), None, on_event=on_event, is_strict=is_strict, is_data=is_data)


def is_json_for_script(exchange: Exchange, coding: bytes, start: bytes) -> bool:
    """Return whether a script fetches complete JSON that the app sends as HTML.

    Its markup is not rewritten, as in JSON of the right type, since a quote that we insert would end a string. For a
    navigation, and for a library that inserts responses into a page, it is HTML.
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
    """Return whether more of a document is needed to know its encoding.

    A script that fetches a document reads it as UTF-8, whatever its `meta` element says. A response without a type is
    sent from its first byte on, since it may be a stream of data.
    """
    if len(start) >= FIRST_BYTES or kind.is_sniffed:
        return not start
    first = first_bytes(start, CODINGS.get(coding))
    if first is None or is_part_of_start(first):
        return first is not None
    may_say = exchange.destination != b"empty" or exchange.request.may_be_shown
    return may_say and is_undeclared(content_type, first)


def passing(exchange: Exchange) -> Passes:
    """Return the function, kept with the wall, that decides whether markup in this page's body passes unchanged."""
    wall, request = exchange.wall, exchange.request
    path: str = request.full_path if request.root_path else exchange.scope["path"]
    folder = path.rpartition("/")[0]
    glance = wall.folders.get(folder)
    if glance is None:
        glance = Glance(wall.rules, wall.rules.page(request.url))
        if len(wall.folders) >= FOLDERS_KEPT:
            wall.folders.clear()
        # Else `?query`, a link that depends on the page and not on its folder, may lead to a vendor's own path.
        if len(folder) <= LONGEST_FOLDER and wall.rules.own_is_free:
            wall.folders[folder] = glance
    return glance.passes


def give_up(exchange: Exchange, reason: str) -> DocumentBody:
    """Return a body that passes unchanged, under the strict policy unless the visitor accepted everything."""
    if not exchange.wall.has_everything:
        exchange.parts.findings.count(f"a page was not rewritten but sent under the strict policy: {reason}")
    return untouched(exchange)


def becomes_context(exchange: Exchange, kind: Kind) -> bool:
    """Return whether a response runs under its own policy: XML, a worker's script, or documents in a series.

    A 304 has no type, but the stored worker must not keep the policy of another state of consent. A worker runs a
    response of any type, even plain text.
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
    """Return the policy for a response that runs under its own policy, by this visitor's consent."""
    # The documents of a series are not rewritten, since it may never end, so it has the strict policy.
    is_strict = kind.is_series and not exchange.wall.has_everything
    return exchange.wall.in_headers(is_strict=is_strict, destination=exchange.destination)


def policy_for_everyone(exchange: Exchange, kind: Kind, names: dict[bytes, bytes]) -> bytes:
    """Return the strict policy for XML that is not shown, else an empty one; `names` are its headers.

    A picture, or XML that a script reads, does not run, so shared caches may keep a logo or a site map. The policy is
    for visitors who open what a cache without Vary has kept. A browser without fetch metadata may show an SVG.
    """
    destination = exchange.destination
    is_read = destination in READ_DESTINATIONS or (
        destination is None and essence(names.get(CONTENT_TYPE, b"")) != SVG_TYPE
    )
    if not (kind.is_xml and is_read):
        return b""
    return exchange.parts.walls.strictest(exchange.request.origin, base=exchange.own_base).strict_policy


def carries_policy(exchange: Exchange, kind: Kind) -> bool:
    """Return whether a page gets the policy as a `<meta>`, since it is too long for headers, and a parser reads it."""
    is_read = kind.is_document and not (kind.is_xml or kind.is_piece or kind.is_sniffed)
    request = exchange.request
    is_page = is_read and request.opens_document and not request.is_fragment
    return is_page and exchange.parts.config.csp.enabled and exchange.wall.meta != b""


def vary_by_use(exchange: Exchange, headers: Headers, kind: Kind, *, is_data: bool = False) -> Headers:
    """Return headers with a Vary that names how the browser uses the response, if the response depends on it.

    An SVG for an `<img>`, and data for a script, are not rewritten. Without Vary, a cache could show them to a visitor
    who opens the address. The same holds for fragments and frames, which have no banner.
    """
    if is_data or (kind.is_xml and not kind.is_document):
        is_fetched = exchange.request.is_fetched and not is_data
        return add_vary(headers, *(FETCHED_BY if is_fetched else SHOWN_BY))
    request = exchange.request
    names = request.swappers or ([] if request.wants_banner else [USE]) if kind.is_document else []
    return add_vary(headers, *(names or [USE])) if names or kind.is_script else headers


def is_service_worker(exchange: Exchange, kind: Kind) -> bool:
    """Return whether a browser installs the script as a service worker, which runs under the response's policy."""
    if not kind.is_script:
        return False
    return exchange.destination == b"serviceworker" and exchange.parts.config.csp.enabled


def _policies(exchange: Exchange, headers: Headers) -> list[bytes]:
    """Return the shop's policies that our markup has to satisfy: those in force, and Report-Only ones if that is free.

    It is free if a nonce, or no change, satisfies them. Without the nonce, each page would report each of our scripts.
    """
    in_force, tried = every(headers, POLICY), every(headers, REPORT_ONLY)
    if not tried:
        return in_force
    texts = [policy.decode("latin-1") for policy in (*in_force, *tried)]
    origin, base = exchange.request.origin.text, exchange.own_base
    ways = {allowance(texts, kind, origin=origin, path=base).way for kind in ("script", "style")}
    return [*in_force, *tried] if ways <= {Way.NONCE, Way.INLINE} else in_force


def _reader(
    exchange: Exchange, kind: Kind, policies: list[bytes], begin: bytes
) -> Rewriter | SourceKeeper | Untouched:
    """Return the reader of a body that begins so; without a type, browsers treat data as data, and XML as XML."""
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
        # A body without a type may be JSON, which our markup before it would turn into HTML, so it needs a tag first.
        is_document=exchange.request.opens_document and not kind.is_sniffed,
    )
    exchange.rewriter = reader = (
        SourceKeeper(rewriter) if exchange.parts.findings.wants_source() else rewriter
    )
    return reader


def _first_scripts(exchange: Exchange, policies: list[bytes]) -> bytes:
    """Return the scripts for the start of a document: the guard, and those that pass the choice on."""
    if policies:  # most have a nonce, so the wall's cache would not help
        return _guard_of(exchange, policies) + choice_scripts(exchange, policies)
    consent, heads = exchange.consent, exchange.wall.heads
    state = (consent.granted, consent.state)
    first: bytes | None = heads.get(state)
    if first is None:
        first = heads[state] = _guard_of(exchange, ()) + choice_scripts(exchange, ())
    return first


def _guard_of(exchange: Exchange, policies: Sequence[bytes]) -> bytes:
    """Return the guard for the start of a document; empty if no party is held, or if html.guard is off."""
    parts = exchange.parts
    if exchange.wall.is_open or not parts.config.html.guard:
        return b""
    held = _names(parts.shop_cookies.register.held_patterns(exchange.consent.in_force))
    script = head_allowance(exchange, policies)
    return parts.renderer.guard_script(exchange.wall.allowed, held, base=exchange.own_base, script=script)


@lru_cache(maxsize=STATES_KEPT)
def _names(patterns: Iterable[str]) -> str:
    """Return a JavaScript pattern, without blanks, that matches the declared cookies and storage keys."""
    names = [re.escape(name.removesuffix("*")) + "[^=;]*" * name.endswith("*") for name in patterns]
    joined = "|".join(names).replace(" ", "x20")
    return rf"^\s*({joined or '(?!)'})\s*(=|;|$)"


def key_of(exchange: Exchange, kind: Kind, names: dict[bytes, bytes], headers: Headers) -> Key | None:
    """Return the cache key of a rewritten page: everything but its bytes that it depends on; None if it is not cached.

    The wall is covered by the origin, the granted purposes and the path of our pages. Not cached are an answer to a
    POST (it depends on another page's path), a page with a grant or a nonce, a fragment, a page with the note that the
    browser keeps no choice (each is counted), and a page for a cache in front. `names` are the page's headers.
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
    policies = tuple([bytes(policy) for policy in every(headers, POLICY)]) if POLICY in names else ()
    tried = names.get(REPORT_ONLY, b"")
    if (policies or tried) and NONCE in b"".join((*policies, tried)).lower():
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
