"""One HTTP request as values: its headers, origin and paths, and how the browser will use the answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, unquote

from cookieguard.consent import local_path as choice_path
from cookieguard.identity import is_inside
from cookieguard.stats.anonymize import FORWARDING_HEADERS, Client
from cookieguard.web.http.etags import CONDITIONS, NONE_MATCH
from cookieguard.web.http.origin import NOWHERE, Origin, full_path, known_origin, local_path, origin_of

# Destinations that never become a document, so that their requests and responses pass unchanged.
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
NAVIGATE = b"navigate"
PASSED_ON = frozenset({NAVIGATE, b"same-origin"})
FRAME_DESTINATIONS = frozenset({b"embed", b"frame", b"iframe", b"object"})
SHOWN_DESTINATIONS = PAGE_DESTINATIONS | FRAME_DESTINATIONS
# Headers of libraries that ask for a piece of a page. X-Requested-With is also sent with requests for data.
SWAPPER_HEADERS = frozenset({b"hx-request", b"turbo-frame", b"x-up-target", b"x-up-version"})
REQUESTED_WITH = b"x-requested-with"
SEC_PURPOSE = b"sec-purpose"
AHEAD = (
    SEC_PURPOSE,
    b"x-sec-purpose",
    b"purpose",
)  # headers by which browsers and libraries announce a prefetch
FRAGMENT_HEADERS = SWAPPER_HEADERS | {REQUESTED_WITH}
WHOLE_HEADERS = (b"hx-boosted", b"hx-history-restore-request")  # with these, htmx asks for a whole page
CONDITION_HEADERS = CONDITIONS | NONE_MATCH
# A request's headers are searched once, for all sets below: each set has a bit, which is on if one of its headers came.
FORWARDED, CONDITIONAL, SWAPPED, SCRIPTED, EARLY = 1, 2, 4, 8, 16
FRAGMENT = SWAPPED | SCRIPTED
MARKS: dict[bytes, int] = {
    **dict.fromkeys(FORWARDING_HEADERS, FORWARDED),
    **dict.fromkeys(CONDITION_HEADERS, CONDITIONAL),
    **dict.fromkeys(FRAGMENT_HEADERS, SCRIPTED),
    **dict.fromkeys(SWAPPER_HEADERS, SWAPPED),
    **dict.fromkeys(AHEAD, EARLY),
}
MARKED = frozenset(MARKS)


class Request:
    """Read one request. Immutable; `headers` are joined by name, without the forwarding headers."""

    __slots__ = ("_full_path", "_is_fragment", "_origin", "_via", "headers", "path", "root_path", "scope")

    def __init__(self, scope: Any, headers: Mapping[bytes, bytes], via: Client | None, marks: int) -> None:
        """`via` has the scheme and host that trusted proxies report; `marks` are those of the headers."""
        self.scope: dict[str, Any] = scope if type(scope) is dict else dict(scope)
        self._via = via
        self._origin: Origin | None = None  # read at first use, as is the full path
        self._full_path = ""
        self._is_fragment = None if marks & FRAGMENT else False
        self.headers = headers
        path, root_path = self.scope["path"], self.scope.get("root_path")
        self.root_path: str = root_path.rstrip("/") if root_path else ""
        # Middleware may put Starlette's URLPath there, which compiled code does not accept as a `str`.
        self.path: str = str(local_path(path, self.root_path) if root_path else path)

    @property
    def method(self) -> str:
        """The HTTP method; GET for a WebSocket."""
        return str(self.scope.get("method", "GET"))

    @property
    def origin(self) -> Origin:
        """The origin (scheme, host and port) that the request was sent to."""
        if self._origin is None:
            scheme, host = self.scope.get("scheme", "http"), self.headers.get(b"host", b"")
            via = self._via
            if via is not None:
                scheme, host = via.scheme or scheme, via.host.encode("latin-1") if via.host else host
            self._origin = known_origin((scheme, host))
        return self._origin

    @property
    def full_path(self) -> str:
        """The path from the host's root, percent-encoded."""
        if not self._full_path:
            self._full_path = full_path(self.scope["path"], self.root_path)
        return self._full_path

    @property
    def url(self) -> str:
        """The page's own URL, without its query."""
        return self.origin.text + self.full_path

    @property
    def query(self) -> str:
        """The query as it was sent, without the question mark."""
        return str(self.scope.get("query_string", b"").decode("latin-1"))

    def text(self, name: bytes) -> str:
        """Return a header's value as text; empty if the header did not come."""
        return self.headers.get(name, b"").decode("latin-1")

    @property
    def has_gpc(self) -> bool:
        """Return whether Global Privacy Control is on: at least one Sec-GPC header is exactly `1`."""
        value = self.headers.get(b"sec-gpc")
        return value is not None and GPC_ON in [part.strip(b" \t") for part in value.split(b",")]

    @property
    def is_secure_context(self) -> bool:
        """Return whether a browser would keep a Secure cookie from the answer.

        Browsers send fetch metadata to trustworthy origins only, so it proves https if TLS ends at a proxy before us.
        """
        if b"sec-fetch-site" in self.headers:
            return True
        return self.origin.scheme in ("https", "wss") or self.origin.is_loopback

    @property
    def is_navigation(self) -> bool:
        """Return whether a browser asks for a page to show, in a frame too."""
        destination = self.headers.get(b"sec-fetch-dest")
        if destination is None:
            return accepts_pages(self.headers)
        return destination in PAGE_DESTINATIONS

    @property
    def may_be_shown(self) -> bool:
        """Return whether a browser shows the answer, also if a service worker makes the request for it."""
        said = self.headers
        is_passed_on = said.get(b"sec-fetch-dest") == b"empty" and said.get(b"sec-fetch-mode") in PASSED_ON
        return self.is_navigation or (is_passed_on and accepts_pages(said))

    @property
    def is_fetched(self) -> bool:
        """Return whether a script made the request, and not a service worker for a page; its Accept does not matter."""
        mode = self.headers.get(b"sec-fetch-mode", NAVIGATE)
        return self.headers.get(b"sec-fetch-dest") == b"empty" and mode not in PASSED_ON

    @property
    def wants_banner(self) -> bool:
        """Return whether a document in the answer may have the banner; frames and fragments do not get one."""
        if self.headers.get(b"sec-fetch-dest") in FRAME_DESTINATIONS:
            return False
        return not self.is_fragment

    @property
    def may_ask(self) -> bool:
        """Return whether a document may ask for a choice.

        Not after a post from another site, because browsers withhold the consent cookie then (SameSite=Lax).
        """
        is_post = self.scope.get("method") == "POST"
        return self.wants_banner and not (is_post and self.headers.get(b"sec-fetch-site") == b"cross-site")

    @property
    def opens_document(self) -> bool:
        """Return whether a browser opens the answer as a page, also in a frame, whatever the tags of that page are.

        Plain http has no fetch metadata, but browsers send `Upgrade-Insecure-Requests` with navigations only. A request
        that a service worker passes on has the destination `empty` and the mode `navigate`, which scripts cannot set.
        """
        said = self.headers
        destination = said.get(b"sec-fetch-dest")
        if destination is None:
            return said.get(b"upgrade-insecure-requests") == b"1" and accepts_pages(said)
        if destination == b"empty":
            return said.get(b"sec-fetch-mode") == NAVIGATE
        return destination == b"document" or destination in FRAME_DESTINATIONS

    @property
    def is_parsed_as_page(self) -> bool:
        """Return whether a browser parses the answer as a page; an answer to a script is inserted by the script."""
        return self.headers.get(b"sec-fetch-dest") != b"empty"

    @property
    def is_fragment(self) -> bool:
        """Return whether a library asks for a piece of a page."""
        if self._is_fragment is None:
            said = self.headers
            is_swapped = not SWAPPER_HEADERS.isdisjoint(said) or is_of_library(said.get(REQUESTED_WITH, b""))
            self._is_fragment = is_swapped and not takes_whole(said)
        return self._is_fragment

    @property
    def use(self) -> str:
        """Return a key for the use of the answer, on which documents depend: as a page, in a frame, as a fragment."""
        frame = self.wants_banner, self.is_fragment, self.is_secure_context
        return str((*frame, self.opens_document, self.is_parsed_as_page))

    @property
    def swappers(self) -> list[bytes]:
        """Return the headers by which a library asks for a piece of a page; none if it asks for a whole page."""
        return sorted(FRAGMENT_HEADERS.intersection(self.headers)) if self.is_fragment else []

    @property
    def is_read(self) -> bool:
        """Return whether the method only reads (GET or HEAD)."""
        return self.method in ("GET", "HEAD")

    @property
    def address(self) -> str:
        """The path from the host's root with its query, safe for a Location header."""
        return choice_path(f"{self.full_path}?{self.query}" if self.query else self.full_path)

    @property
    def place(self) -> str:
        """Return host, path and query as one text."""
        return f"{self.text(b'host')}{self.full_path}?{self.query}"

    @property
    def return_path(self) -> str:
        """Return the address that a choice on this page leads back to: the page itself, or the page that posted to it.

        Empty if the address is too long to be posted; banner.js then uses the page it runs on. Never exactly the
        address of a page that answered a POST, because banner.js would reload it and so post again.
        """
        if self.is_read:
            address = self.address
            return "" if address == "/" and (self.query or self.full_path != "/") else address
        page = choice_path(self.referring_path)
        if unquote(page) != unquote(self.address):
            return page
        return page + ("&" if "?" in page else "?")

    @property
    def comes_from_own_page(self) -> bool:
        """Return whether a page of this host led here, which scripts and links on other hosts cannot forge.

        Fetch metadata covers every step of a redirect. Without it (plain http), the Referer decides.
        """
        fetch_site = self.headers.get(b"sec-fetch-site")
        if fetch_site is not None:
            return fetch_site == b"same-origin"
        return bool(self.own_referrer)

    def own_base(self, prefix: str, *, is_foreign: bool = False) -> str:
        """Return the address that our own pages are below: a path, or a URL if the page's <base> names another host."""
        path = quote(self.root_path) + prefix if self.root_path else prefix
        return f"{self.origin}{path}" if is_foreign else path

    @property
    def referring_path(self) -> str:
        """The path of this host's page that led here; the home page if the Referer names none."""
        return self.own_referrer or quote(self.root_path) + "/"

    @property
    def own_referrer(self) -> str:
        """The path of this host's page in the Referer; empty if the Referer names none."""
        scheme, _, rest = self.text(b"referer").partition("://")
        authority, slash, path = rest.partition("/")
        is_ours = origin_of(scheme, authority.encode("latin-1")).authority == self.origin.authority
        return slash + path if slash and is_ours else ""

    def path_in_app(self, address: str) -> str:
        """Return the path of an address of this host as the app gets it: decoded, below `root_path`."""
        return local_path(unquote(address.partition("?")[0]), self.root_path)


def is_ours(origin: Origin, dev: bool, domains: tuple[str, ...], authorities: frozenset[str]) -> bool:  # noqa: FBT001  # compiled
    """Return whether an origin belongs to the shop: its authority is configured, or none is configured.

    Its host has to be inside every domain that our cookies are shared with, and with `dev` a developer's machine.
    """
    host = origin.host
    if host == NOWHERE or (dev and not origin.is_developers):
        return False
    for domain in domains:
        if not is_inside(domain, host):
            return False
    return not authorities or origin.authority in authorities


def marks_of(names: Mapping[bytes, bytes]) -> int:
    """Return the bits of MARKS that are on for these headers."""
    marks = 0
    for name in names:
        if name in MARKED:  # few headers are
            marks |= MARKS[name]
    return marks


def is_of_library(requested_with: bytes) -> bool:
    """Return whether an X-Requested-With comes from a JavaScript library, such as `XMLHttpRequest`.

    Android's WebView sends this header with every request, also for whole pages: with the name of its app
    (`com.instagram.android`), or empty.
    """
    return len(requested_with) > 0 and requested_with.find(b".") < 0


def takes_whole(headers: Mapping[bytes, bytes]) -> bool:
    """Return whether such a library asks for a whole page; Unpoly names `body` if its page names no target."""
    targets = headers.get(b"x-up-target", b"")
    is_body = b"body" in [target.strip(b" ") for target in targets.split(b",")]
    return is_body or any(headers.get(name) == b"true" for name in WHOLE_HEADERS)


def accepts_pages(headers: Mapping[bytes, bytes]) -> bool:
    """Return whether a request accepts HTML."""
    # `find` is faster than `in`, which for bytes first tries to read its operand as a number, and drops the error.
    return headers.get(b"accept", b"").find(b"text/html") >= 0


def asks_for_html(headers: Mapping[bytes, bytes], marks: int) -> bool:
    """Return whether the app must use a coding that can be decoded here, since the answer is a page or a piece of one.

    A script that fetches data keeps every coding it offers; HTML that it gets is guarded all the same.
    """
    destination = headers.get(b"sec-fetch-dest", b"empty")
    if destination != b"empty":
        return destination in SHOWN_DESTINATIONS
    return marks & SWAPPED != 0 or headers.get(b"accept", b"").find(b"html") >= 0  # or a Turbo stream


def is_ahead(headers: Mapping[bytes, bytes]) -> bool:
    """Return whether a request's headers announce a prefetch, so that the visitor has not asked for the page yet."""
    for name in AHEAD:
        said = headers.get(name)  # hardly ever set
        if said is not None and said.find(b"prefetch") >= 0:
            return True
    return False
