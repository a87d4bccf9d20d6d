"""Pages that shared caches may keep: they depend on the variant that the cache names, and on no visitor's own data.

The cache in front names the variant in `CG-Variant` and does not pass Cookie on (docs/caches.md). A request with both,
or from an untrusted proxy, gets a private page. So a cache with an incomplete configuration keeps fewer pages, and
never gives a visitor the page of another one.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, time, timedelta
from hashlib import blake2b

from cookieguard.consent import Consent, Receipt
from cookieguard.web.exchange import Exchange
from cookieguard.web.http.content_type import NOT_MODIFIED, Kind
from cookieguard.web.http.etags import WHOLE
from cookieguard.web.http.headers import (
    CACHE_CONTROL,
    COOKIE,
    POLICY,
    SET_COOKIE,
    TARGETED_HEADERS,
    TARGETED_SUFFIX,
    VARY,
    Headers,
    add_vary,
)
from cookieguard.web.request import SWAPPED

VARIANT, SIGNAL = b"cg-variant", b"sec-gpc"
OF_VISITOR = frozenset({SIGNAL, b"accept-language"})  # removed, since like cookies they are one visitor's own
# A shared page is rendered as if a browser opened it.
AS_PAGE = {
    b"accept": b"text/html",
    b"sec-fetch-dest": b"document",
    b"sec-fetch-mode": b"navigate",
    b"upgrade-insecure-requests": b"1",
}
LONGEST = 300  # seconds after which a change of vendors or policy has reached every cached page
# Vary on the headers that change a page at the same address. nginx reads 128 characters of Vary.
USES = (b"CG-Variant", b"Sec-Fetch-Dest", b"X-Requested-With", b"HX-Request", b"Turbo-Frame", b"X-Up-Target")
UNSHARED = frozenset({b"private", b"no-store", b"no-cache"})
NONCE = b"'nonce-"
REPLACED = TARGETED_HEADERS | {CACHE_CONTROL, b"expires", b"pragma"}
TAG_SIZE = 12


def take_variant(exchange: Exchange) -> None:
    """Make the request use the variant that a trusted cache names, unless it has cookies or may change something."""
    name, via, variants = exchange.headers.get(VARIANT), exchange.forwarded, exchange.parts.variants
    if name is None or variants is None or via is None or not via.is_trusted:
        return
    parts, request = exchange.parts, exchange.request
    if COOKIE in exchange.headers or not request.is_read or exchange.path.startswith(parts.config.prefix):
        return
    if not exchange.is_own_host or parts.is_console(request.origin):
        return
    variant = variants.read(name, variants.generation(parts.policy.terms(exchange.now), exchange.now))
    headers = {name: value for name, value in exchange.headers.items() if name not in OF_VISITOR}
    if variant.consent.gpc:
        headers[SIGNAL] = b"1"
    if variant.is_known and _asks_for_whole_page(exchange):
        headers |= AS_PAGE
        variant = variant._replace(may_be_kept=True)
    exchange.read_as(variant, headers)


def _asks_for_whole_page(exchange: Exchange) -> bool:
    """Return whether this request may get a page that all visitors of the variant share, if the app allows it."""
    request, headers, strict = exchange.request, exchange.headers, exchange.parts.strict
    is_page = headers.get(b"sec-fetch-dest", b"document") == b"document"
    is_piece = exchange.marks & SWAPPED or request.is_fragment
    # On other hosts the banner has a note that the browser keeps no choice.
    is_kept = request.origin.scheme == "https" or request.origin.is_loopback
    is_personal = exchange.grant or b"authorization" in headers or exchange.parts.config.dev
    return is_page and is_kept and not (is_piece or is_personal or strict.has(exchange.path))


def seconds_shared(exchange: Exchange, kind: Kind, names: Mapping[bytes, bytes]) -> int:
    """Return for how many seconds shared caches may keep a document; `names` are the app's headers."""
    variant = exchange.variant
    if variant is None or not variant.may_be_kept or exchange.status not in (WHOLE, NOT_MODIFIED):
        return 0
    if kind.is_piece or kind.is_xml or kind.is_sniffed or not exchange.request.return_path:
        return 0
    if exchange.was_personal or exchange.goals or exchange.promised or not exchange.writes_nothing:
        return 0
    policies = names.get(POLICY, b"") + names.get(POLICY + b"-report-only", b"")
    varying = {name.strip().lower() for name in names.get(VARY, b"").split(b",")}
    if SET_COOKIE in names or NONCE in policies.lower() or varying & {COOKIE, b"*"}:
        return 0
    return min(_allowed(names.get(CACHE_CONTROL, b"")), _until_midnight(exchange.now))


def _allowed(cache_control: bytes) -> int:
    """Return for how many seconds an app lets caches keep its page; LONGEST if it does not say."""
    directives = {}
    for directive in cache_control.lower().split(b","):
        name, _, value = directive.strip().partition(b"=")
        directives[name.strip()] = value.strip(b' "')
    if not UNSHARED.isdisjoint(directives):
        return 0
    limit = directives.get(b"s-maxage", directives.get(b"max-age"))
    if limit is None:
        return LONGEST
    return min(int(limit), LONGEST) if limit.isdigit() else 0


def _until_midnight(now: datetime) -> int:
    """Return the seconds until midnight UTC, when contracts end, policies take effect and form values change."""
    today = now.astimezone(UTC)
    midnight = datetime.combine(today.date() + timedelta(days=1), time(), UTC)
    return int((midnight - today).total_seconds())


def share(headers: Headers, seconds: int) -> Headers:
    """Return a document's headers, which let shared caches keep it for `seconds`, and make browsers revalidate it."""
    kept = [pair for pair in headers if not (pair[0] in REPLACED or pair[0].endswith(TARGETED_SUFFIX))]
    life = b"public, s-maxage=%d, max-age=0, must-revalidate" % seconds
    return add_vary([*kept, (CACHE_CONTROL, life)], *USES)


def tag_of(exchange: Exchange, headers: Headers, content: bytes) -> Headers:
    """Return an ETag header for the whole content of a shared page; none if the app has set its own."""
    is_untagged = exchange.request.method == "HEAD" or not content
    if is_untagged or any(name == b"etag" for name, _ in headers):
        return []
    digest = blake2b(exchange.headers[VARIANT] + b"\0" + content, digest_size=TAG_SIZE).hexdigest()
    return [(b"etag", b'W/"%s"' % digest.encode())]


# The cookie by which the cache picks the variant


def variant_lines(exchange: Exchange) -> list[bytes]:
    """Return a Set-Cookie line that corrects the variant's cookie, if it is wrong; for pages that no cache keeps."""
    parts, variants = exchange.parts, exchange.parts.variants
    if variants is None or not exchange.is_own_host or parts.is_console(exchange.request.origin):
        return []
    if exchange.variant is not None:  # without the consent cookie, it cannot be set right here
        return [] if exchange.variant.is_known else [variants.line_of("")]
    if COOKIE not in exchange.headers:
        return []
    consent, sent = exchange.peek_consent(), exchange.jar.get(variants.cookie_name) or ""
    value = _value(exchange, consent)
    return [] if consent.is_overruled or value == sent else [variants.line_of(value)]


def choice_lines(exchange: Exchange, receipt: Receipt) -> list[bytes]:
    """Return the Set-Cookie line of the variant for a choice just made."""
    parts, variants = exchange.parts, exchange.parts.variants
    if variants is None:
        return []
    consent = parts.consents.decide_recorded(receipt, gpc=exchange.has_gpc, now=exchange.now)
    return [variants.line_of(_value(exchange, consent))]


def _value(exchange: Exchange, consent: Consent) -> str:
    variants, now = exchange.parts.variants, exchange.now
    terms = exchange.parts.policy.terms(now)
    return "" if variants is None else variants.value(consent, variants.generation(terms, now))
