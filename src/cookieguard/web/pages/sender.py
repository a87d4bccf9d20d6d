"""Check that a choice was posted by a page of the shop: the endpoint's defence against cross-site posts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from cookieguard.web.origin import origin_of


def is_own_post(headers: Mapping[bytes, bytes], *, host: str, origins: Sequence[str]) -> bool:
    """Tell whether a POST came from a page of the shop itself.

    `Sec-Fetch-Site: same-origin` suffices: no script can set it, and under `Referrer-Policy: no-referrer` our
    own form posts `Origin: null` beside it. Without it, Origin must be a configured one, or with none
    configured name the same host and port as `host` (the scheme is not compared: TLS may end before us).
    """
    fetch_site = headers.get(b"sec-fetch-site")
    if fetch_site is not None:
        return fetch_site == b"same-origin"
    origin = headers.get(b"origin")
    if origin is None:
        return False
    text = origin.decode("latin-1")
    if origins:
        return text in origins
    scheme, separator, authority = text.partition("://")
    if not separator or scheme not in ("http", "https"):
        return False
    return _is_same(origin_of(scheme, authority.encode("latin-1")).authority, host, scheme)


def _is_same(authority: str, host: str, scheme: str) -> bool:
    return authority == origin_of(scheme, host.encode("latin-1")).authority
