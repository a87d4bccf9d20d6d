"""What one request says: its headers by name, where it came in, what the browser means to do with the answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from cookieguard.consent import local_path as choice_path
from cookieguard.stats.anonymize import Client
from cookieguard.web.origin import Origin, full_path, local_path, origin_of

# Destinations that never become a document: their bodies pass as they are, so their requests do too.
RESOURCE_DESTINATIONS = frozenset(
    {
        b"audio",
        b"audioworklet",
        b"font",
        b"image",
        b"manifest",
        b"script",
        b"style",
        b"track",
        b"video",
        b"worker",
    }
)
GPC_ON = b"1"
PAGE_DESTINATIONS = frozenset({b"document", b"frame", b"iframe"})
FRAME_DESTINATIONS = frozenset({b"embed", b"frame", b"iframe", b"object"})
# What libraries send when they ask for a piece of a page.
FRAGMENT_HEADERS = frozenset(
    {b"hx-request", b"turbo-frame", b"x-requested-with", b"x-up-target", b"x-up-version"}
)


class Request:
    """Read one request. Never changes; `headers` are joined by name, without the forwarding ones."""

    __slots__ = ("_full_path", "_origin", "_scope", "_via", "headers", "path", "root_path")

    def __init__(self, scope: Any, headers: Mapping[bytes, bytes], via: Client | None) -> None:
        """`via` is what trusted proxies say of scheme and host, None where there are none."""
        self._scope = scope
        self._via = via
        self._origin: Origin | None = None  # read when it is first asked for, as is the full path
        self._full_path = ""
        self.headers = headers
        self.root_path: str = scope.get("root_path", "").rstrip("/")
        self.path = local_path(scope["path"], self.root_path)

    @property
    def method(self) -> str:
        """The method, GET for a WebSocket."""
        return str(self._scope.get("method", "GET"))

    @property
    def origin(self) -> Origin:
        """Where the request came in."""
        if self._origin is None:
            scheme, host = self._scope.get("scheme", "http"), self.headers.get(b"host", b"")
            via = self._via
            if via is not None:
                scheme, host = via.scheme or scheme, via.host.encode("latin-1") if via.host else host
            self._origin = origin_of(scheme, host)
        return self._origin

    @property
    def full_path(self) -> str:
        """The path from the host's root, percent-encoded."""
        if not self._full_path:
            self._full_path = full_path(self._scope["path"], self.root_path)
        return self._full_path

    @property
    def url(self) -> str:
        """The page's own URL, without its query."""
        return self.origin.text + self.full_path

    @property
    def query(self) -> str:
        """The query as it was sent, without the question mark."""
        return str(self._scope.get("query_string", b"").decode("latin-1"))

    @property
    def raw_path(self) -> bytes:
        """The path as it was sent, where the server says."""
        return bytes(self._scope.get("raw_path") or self.full_path.encode())

    @property
    def http_version(self) -> str:
        """The version of HTTP, as `1.1`."""
        return str(self._scope.get("http_version", "1.1"))

    def text(self, name: bytes) -> str:
        """Return a header's value as text, empty without one."""
        return self.headers.get(name, b"").decode("latin-1")

    @property
    def has_gpc(self) -> bool:
        """Tell whether Global Privacy Control is on: exactly `1`, in one of several headers at least."""
        value = self.headers.get(b"sec-gpc")
        return value is not None and GPC_ON in [one.strip(b" \t") for one in value.split(b",")]

    @property
    def is_secure_context(self) -> bool:
        """Tell whether a browser would keep a Secure cookie from the answer.

        Fetch metadata comes only from trustworthy origins, so it proves https where TLS ends before us.
        """
        origin = self.origin
        return origin.scheme in ("https", "wss") or origin.is_loopback or b"sec-fetch-site" in self.headers

    @property
    def is_navigation(self) -> bool:
        """Tell whether a browser asks for a page to show."""
        destination = self.headers.get(b"sec-fetch-dest")
        if destination is None:
            return b"text/html" in self.headers.get(b"accept", b"")
        return destination in PAGE_DESTINATIONS

    @property
    def wants_banner(self) -> bool:
        """Tell whether a document answered here may carry the banner: not in frames, not in fragments."""
        if self.headers.get(b"sec-fetch-dest") in FRAME_DESTINATIONS:
            return False
        if self.headers.get(b"hx-boosted") == b"true":
            return True
        return FRAGMENT_HEADERS.isdisjoint(self.headers)

    @property
    def return_path(self) -> str:
        """Return where a choice made on this page leads back to: the page, or the one that posted to it."""
        if self.method not in ("GET", "HEAD"):
            return choice_path(self._referring_path())
        return choice_path(f"{self.full_path}?{self.query}" if self.query else self.full_path)

    def own_base(self, prefix: str, *, is_foreign: bool = False) -> str:
        """Return where our own pages are: a path, or a URL where a page's <base> would lead a path astray."""
        path = quote(self.root_path) + prefix if self.root_path else prefix
        return f"{self.origin}{path}" if is_foreign else path

    def _referring_path(self) -> str:
        scheme, _, rest = self.text(b"referer").partition("://")
        authority, slash, path = rest.partition("/")
        is_ours = origin_of(scheme, authority.encode("latin-1")).authority == self.origin.authority
        return slash + path if slash and is_ours else quote(self.root_path) + "/"
