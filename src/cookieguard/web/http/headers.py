"""Read and write header lists: lower-case byte names, several values kept apart."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

Headers = list[tuple[bytes, bytes]]
POLICY = b"content-security-policy"
CONTENT_TYPE = b"content-type"
COOKIE, SET_COOKIE = b"cookie", b"set-cookie"
# Most of what apps send: known to be in lower case without a look at their letters.
USUAL = frozenset(
    b"accept-ranges access-control-allow-origin cache-control content-disposition content-encoding content-language "
    b"content-length content-security-policy content-type cross-origin-opener-policy date etag expires last-modified "
    b"link location permissions-policy referrer-policy server set-cookie strict-transport-security vary "
    b"x-content-type-options x-frame-options".split()
)

# What invites a shared cache (RFC 9111), and what we write ourselves.
SHARED_DIRECTIVES = frozenset({b"public", b"s-maxage", b"private", b"proxy-revalidate"})
# What a cache in front of us obeys before Cache-Control: RFC 9213's CDN-Cache-Control and its relatives
# (Cloudflare-CDN-, Vercel-CDN-, X-LiteSpeed-Cache-Control), Surrogate-Control, Akamai, nginx.
CACHE_CONTROL = b"cache-control"
VARY = b"vary"
SILENT = USUAL - {CACHE_CONTROL, VARY}  # what most apps send, and says nothing of the kind
PRIVATE = (CACHE_CONTROL, b"private")
PRIVATE_UNSTORED = (CACHE_CONTROL, b"private, no-store")
TARGETED_SUFFIX = b"-cache-control"
TARGETED_HEADERS = frozenset({b"edge-control", b"surrogate-control", b"x-accel-expires"})
CONTROL_SUFFIXES = (b"-control", b"-expires")  # of all of these


# Header lines of a request that anybody reads, the app included: servers let hundreds of thousands through. A browser
# sends some dozens, over HTTP/2 a line more for each of its cookies (identity.cookies.MAX_COOKIES). A proxy
# writes its own behind them, so half of what is read are the last.
MOST_HEADERS = 2000


def listed(headers: Iterable[tuple[bytes, bytes]]) -> Headers:
    """Return a request's headers as a list of pairs, as many as are read."""
    lines = headers if isinstance(headers, list) else list(headers)
    if len(lines) > MOST_HEADERS:
        lines = [*lines[: MOST_HEADERS // 2], *lines[-MOST_HEADERS // 2 :]]
    return [(name, value) for name, value in lines]


def first(headers: Iterable[tuple[bytes, bytes]], name: bytes) -> bytes | None:
    """Return the first value of a header, None without one."""
    for key, value in headers:
        if key == name:
            return value
    return None


def every(headers: Iterable[tuple[bytes, bytes]], name: bytes) -> list[bytes]:
    """Return every value of a header, in order."""
    return [value for key, value in headers if key == name]


def read(headers: Iterable[Sequence[bytes]]) -> tuple[Headers, dict[bytes, bytes]]:
    """Return headers as pairs with lower-case names, and joined by name; some apps send them capitalized.

    The same list where it is one of tuples in lower case already. Blanks around a name go: not every server refuses
    them, and Chromium reads such a header as if they were not there.
    """
    if type(headers) is list and _are_pairs(headers):
        return headers, by_name(headers)
    pairs = [(bytes(name).strip().lower(), _bytes_of(value)) for name, value in headers]
    return pairs, by_name(pairs)


def _bytes_of(value: Any) -> Any:
    """Return a value as bytes, if it is of another kind of them; what is none is the server's to refuse or to take."""
    return bytes(value) if isinstance(value, bytearray | memoryview) else value


def quiet_type(headers: object, loud: frozenset[bytes], quiet: frozenset[bytes]) -> bytes:
    """Return the Content-Type of headers with none of `loud` among them; empty where it takes a closer look.

    Most responses have such headers: it is told without joining them by name. `quiet` are the usual ones not in `loud`.
    """
    found = b""
    if type(headers) is not list:
        return found
    for pair in headers:
        if type(pair) is not tuple:
            return b""
        name, value = pair
        if name not in quiet and (name in loud or not _is_lower(name)):
            return b""
        if name == CONTENT_TYPE:
            if found or not value or type(value) is not bytes:
                return b""
            found = value
    return found


def has_any(headers: Headers, names: frozenset[bytes]) -> bool:
    """Return whether one of these headers is there; names are lower-case."""
    for name, _ in headers:  # noqa: SIM110 - asked for each page of JSON: a generator takes three times as long
        if name in names:
            return True
    return False


def _are_pairs(headers: list[Sequence[bytes]]) -> bool:
    """Return whether these are tuples of bytes with lower-case names."""
    for pair in headers:
        if type(pair) is not tuple or type(pair[1]) is not bytes:
            return False
        if pair[0] not in USUAL and not _is_lower(pair[0]):
            return False
    return True


def _is_lower(name: bytes) -> bool:
    return type(name) is bytes and name == name.lower().strip()


def by_name(headers: Headers) -> dict[bytes, bytes]:
    """Join several values of a header with commas, cookies with semicolons (RFC 9110 5.3, RFC 9113 8.2.3)."""
    joined = {name: value for name, value in headers}  # noqa: C416  # compiled, `dict` takes twice as long
    if len(joined) == len(headers):
        return joined
    lines: dict[bytes, list[bytes]] = {}
    for name, value in headers:
        of_name = lines.get(name)
        if of_name is None:
            lines[name] = [value]
        else:
            of_name.append(value)
    for name, values in lines.items():
        joined[name] = (b"; " if name == COOKIE else b",").join(values)
    return joined


def essence(value: bytes) -> bytes:
    """Return a header value without its parameters, lower-case."""
    return value.partition(b";")[0].strip(b" \t\r\n").lower()


def without(headers: Headers, names: frozenset[bytes]) -> Headers:
    """Return the headers whose names are not in `names`."""
    return [pair for pair in headers if pair[0] not in names]


def replaced(headers: Headers, name: bytes, old: bytes, new: bytes) -> Headers:
    """Return headers with `new` for a header whose values, joined, are `old`."""
    try:
        index = headers.index((name, old))
    except ValueError:  # several of them
        return [*without(headers, frozenset((name,))), (name, new)]
    copy = headers.copy()
    copy[index] = (name, new)
    return copy


def add_vary(headers: Headers, *names: bytes) -> Headers:
    """Return headers whose Vary names `names` too."""
    values = every(headers, VARY)
    if not values:
        return [*headers, (VARY, b", ".join(names))]
    known = {one.strip().lower() for value in values for one in value.split(b",")}
    if b"*" in known:
        return headers
    missing = [name for name in names if name.lower() not in known]
    return [*headers, (VARY, b", ".join(missing))] if missing else headers


def make_private(headers: Headers, varying: tuple[bytes, ...], store: bool = True) -> Headers:  # noqa: FBT001, FBT002  # compiled
    """Return headers of a response that varies by `varying` and stays out of shared caches.

    Out of every cache without `store`.
    """
    for name, _ in headers:
        if name not in SILENT:
            return _keep_private(add_vary(headers, *varying), store)
    return [*headers, (VARY, b", ".join(varying)), PRIVATE if store else PRIVATE_UNSTORED]


def _keep_private(headers: Headers, store: bool) -> Headers:  # noqa: FBT001  # compiled
    """Return headers that keep the response out of shared caches, and out of every cache without `store`."""
    if not _speak_to_caches(headers):
        return [*headers, PRIVATE if store else PRIVATE_UNSTORED]
    kept = [
        (name, value)
        for name, value in headers
        if not (name == CACHE_CONTROL or name.endswith(TARGETED_SUFFIX) or name in TARGETED_HEADERS)
    ]
    directives = [] if len(kept) == len(headers) else _own_directives(headers)
    directives.append(b"private")
    if not store and b"no-store" not in directives:
        directives.append(b"no-store")
    kept.append((CACHE_CONTROL, b", ".join(directives)))
    return kept


def _speak_to_caches(headers: Headers) -> bool:
    """Return whether one of these may be a header that caches obey; all of those end alike."""
    for name, _ in headers:  # noqa: SIM110 - compiled, `any` makes a generator that costs as much as the rest
        if name.endswith(CONTROL_SUFFIXES):
            return True
    return False


def _own_directives(headers: Headers) -> list[bytes]:
    return [
        one.strip()
        for value in every(headers, b"cache-control")
        for one in value.split(b",")
        if one.strip() and essence(one.partition(b"=")[0]) not in SHARED_DIRECTIVES
    ]
