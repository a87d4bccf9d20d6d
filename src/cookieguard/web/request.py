"""What one request says: its headers by name, where it came in, what the browser means to do with the answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, unquote

from cookieguard.consent import local_path as choice_path
from cookieguard.identity import is_inside
from cookieguard.stats.anonymize import FORWARDING_HEADERS, Client
from cookieguard.web.http.etags import CONDITIONS, NONE_MATCH
from cookieguard.web.http.origin import NOWHERE, Origin, full_path, known_origin, local_path, origin_of

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
NAVIGATE = b"navigate"
PASSED_ON = frozenset({NAVIGATE, b"same-origin"})
FRAME_DESTINATIONS = frozenset({b"embed", b"frame", b"iframe", b"object"})
SHOWN_DESTINATIONS = PAGE_DESTINATIONS | FRAME_DESTINATIONS
# What libraries send when they ask for a piece of a page; the last one also with requests for data.
SWAPPER_HEADERS = frozenset({b"hx-request", b"turbo-frame", b"x-up-target", b"x-up-version"})
REQUESTED_WITH = b"x-requested-with"
SEC_PURPOSE = b"sec-purpose"
AHEAD = (SEC_PURPOSE, b"x-sec-purpose", b"purpose")  # in which browsers and libraries say that they prefetch
FRAGMENT_HEADERS = SWAPPER_HEADERS | {REQUESTED_WITH}
WHOLE_HEADERS = (b"hx-boosted", b"hx-history-restore-request")  # htmx's beside its own, for a whole page
CONDITION_HEADERS = CONDITIONS | NONE_MATCH
# What a request's headers are looked through for, once: a bit for each set that has one of them.
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
    """Read one request. Never changes; `headers` are joined by name, without the forwarding ones."""

    __slots__ = ("_full_path", "_is_fragment", "_origin", "_via", "headers", "path", "root_path", "scope")

    def __init__(self, scope: Any, headers: Mapping[bytes, bytes], via: Client | None) -> None:
        """`via` is what trusted proxies say of scheme and host, None where there are none."""
        self.scope: dict[str, Any] = scope if type(scope) is dict else dict(scope)
        self._via = via
        self._origin: Origin | None = None  # read when it is first asked for, as is the full path
        self._full_path = ""
        self._is_fragment: bool | None = None
        self.headers = headers
        path, root_path = self.scope["path"], self.scope.get("root_path")
        self.root_path: str = root_path.rstrip("/") if root_path else ""
        # Who rewrites it may give a URLPath of Starlette's, which compiled code takes for no `str`.
        self.path: str = str(local_path(path, self.root_path) if root_path else path)

    @property
    def method(self) -> str:
        """The method, GET for a WebSocket."""
        return str(self.scope.get("method", "GET"))

    @property
    def origin(self) -> Origin:
        """Where the request came in."""
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

    @property
    def raw_path(self) -> bytes:
        """The path as it was sent, where the server says."""
        return bytes(self.scope.get("raw_path") or self.full_path.encode())

    @property
    def http_version(self) -> str:
        """The version of HTTP, as `1.1`."""
        return str(self.scope.get("http_version", "1.1"))

    def text(self, name: bytes) -> str:
        """Return a header's value as text, empty without one."""
        return self.headers.get(name, b"").decode("latin-1")

    @property
    def has_gpc(self) -> bool:
        """Return whether Global Privacy Control is on: exactly `1`, in one of several headers at least."""
        value = self.headers.get(b"sec-gpc")
        return value is not None and GPC_ON in [one.strip(b" \t") for one in value.split(b",")]

    @property
    def is_secure_context(self) -> bool:
        """Return whether a browser would keep a Secure cookie from the answer.

        Fetch metadata comes only from trustworthy origins, so it proves https where TLS ends before us.
        """
        origin = self.origin
        return origin.scheme in ("https", "wss") or origin.is_loopback or b"sec-fetch-site" in self.headers

    @property
    def is_navigation(self) -> bool:
        """Return whether a browser asks for a page to show."""
        destination = self.headers.get(b"sec-fetch-dest")
        if destination is None:
            return accepts_pages(self.headers)
        return destination in PAGE_DESTINATIONS

    @property
    def may_be_shown(self) -> bool:
        """Return whether a browser shows the answer, or a service worker asks for it on behalf of one that does."""
        said = self.headers
        is_passed_on = said.get(b"sec-fetch-dest") == b"empty" and said.get(b"sec-fetch-mode") in PASSED_ON
        return self.is_navigation or (is_passed_on and accepts_pages(said))

    @property
    def is_fetched(self) -> bool:
        """Return whether a script asks, and no service worker on behalf of a page: whatever it accepts."""
        mode = self.headers.get(b"sec-fetch-mode", NAVIGATE)
        return self.headers.get(b"sec-fetch-dest") == b"empty" and mode not in PASSED_ON

    @property
    def wants_banner(self) -> bool:
        """Return whether a document answered here may carry the banner: not in frames, not in fragments."""
        if self.headers.get(b"sec-fetch-dest") in FRAME_DESTINATIONS:
            return False
        return not self.is_fragment

    @property
    def may_ask(self) -> bool:
        """Return whether a document may ask who made no choice: where another site posts, no Lax cookie told of one."""
        is_post = self.scope.get("method") == "POST"
        return self.wants_banner and not (is_post and self.headers.get(b"sec-fetch-site") == b"cross-site")

    @property
    def opens_document(self) -> bool:
        """Return whether a browser opens the answer as a page, in a frame too, whatever tags that page has.

        Over plain http there is no fetch metadata; `Upgrade-Insecure-Requests` goes with navigations alone. What a
        service worker passes on is `empty`, and still a navigation, which no script's own request can be.
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
        """Return whether a parser makes a page of the answer: what a script fetches, it puts in by other means."""
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
        """Name how the answer is used, as far as a document depends on it: as a page, in a frame, as a piece of one."""
        frame = self.wants_banner, self.is_fragment, self.is_secure_context
        return str((*frame, self.opens_document, self.is_parsed_as_page))

    @property
    def swappers(self) -> list[bytes]:
        """Name the headers by which a library asks for a piece of a page; none where a whole page is asked for."""
        return sorted(FRAGMENT_HEADERS.intersection(self.headers)) if self.is_fragment else []

    @property
    def is_read(self) -> bool:
        """Return whether the method only asks for something."""
        return self.method in ("GET", "HEAD")

    @property
    def address(self) -> str:
        """The path from the host's root with its query, as it is fit for a Location header."""
        return choice_path(f"{self.full_path}?{self.query}" if self.query else self.full_path)

    @property
    def place(self) -> str:
        """Name what is asked for, host and query included."""
        return f"{self.text(b'host')}{self.full_path}?{self.query}"

    @property
    def return_path(self) -> str:
        """Return where a choice made on this page leads back to: the page, or the one that posted to it.

        Empty for an address too long to be posted, which banner.js takes for the page it stands on. Never the very
        address of a page that answered a POST: banner.js would reload it, which posts once more.
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
        """Return whether a page of this very host led here: no script and no link elsewhere can make it look so.

        Fetch metadata says it, for every step of a redirect; without it (plain http) the Referer has to.
        """
        fetch_site = self.headers.get(b"sec-fetch-site")
        if fetch_site is not None:
            return fetch_site == b"same-origin"
        return bool(self.own_referrer)

    def own_base(self, prefix: str, *, is_foreign: bool = False) -> str:
        """Return where our own pages are: a path, or a URL where a page's <base> would lead a path astray."""
        path = quote(self.root_path) + prefix if self.root_path else prefix
        return f"{self.origin}{path}" if is_foreign else path

    @property
    def referring_path(self) -> str:
        """The path of the page of this host that led here, the home page where that is not told."""
        return self.own_referrer or quote(self.root_path) + "/"

    @property
    def own_referrer(self) -> str:
        """The same, empty where that is not told."""
        scheme, _, rest = self.text(b"referer").partition("://")
        authority, slash, path = rest.partition("/")
        is_ours = origin_of(scheme, authority.encode("latin-1")).authority == self.origin.authority
        return slash + path if slash and is_ours else ""

    def path_in_app(self, address: str) -> str:
        """Return the path of an address of this host as the app knows it: decoded, below `root_path`."""
        return local_path(unquote(address.partition("?")[0]), self.root_path)


def is_ours(origin: Origin, dev: bool, domains: tuple[str, ...], authorities: frozenset[str]) -> bool:  # noqa: FBT001  # compiled
    """Return whether what came in there counts as the shop: a configured authority (any, with none configured).

    It is inside every domain that cookies are shared with, and with `dev` a developer's.
    """
    host = origin.host
    if host == NOWHERE or (dev and not origin.is_developers):
        return False
    for domain in domains:
        if not is_inside(domain, host):
            return False
    return not authorities or origin.authority in authorities


def marks_of(names: Mapping[bytes, bytes]) -> int:
    """Return the bits of MARKS that these headers have."""
    marks = 0
    for name in names:
        if name in MARKED:  # most are not
            marks |= MARKS[name]
    return marks


def is_of_library(requested_with: bytes) -> bool:
    """Return whether an X-Requested-With is a library's of scripts, such as `XMLHttpRequest`.

    Android's WebView writes its app's name there (`com.instagram.android`), or nothing, into every request: into those
    for whole pages too, which visitors open in that app.
    """
    return len(requested_with) > 0 and requested_with.find(b".") < 0


def takes_whole(headers: Mapping[bytes, bytes]) -> bool:
    """Return whether such a library asks for a whole page: Unpoly names `body` where its page names no target."""
    targets = headers.get(b"x-up-target", b"")
    is_body = b"body" in [one.strip(b" ") for one in targets.split(b",")]
    return is_body or any(headers.get(name) == b"true" for name in WHOLE_HEADERS)


def accepts_pages(headers: Mapping[bytes, bytes]) -> bool:
    """Return whether a request names HTML among what it takes."""
    # Not `in`: between bytes it first takes what is looked for to be a number, and drops that error.
    return headers.get(b"accept", b"").find(b"text/html") >= 0


def asks_for_html(headers: Mapping[bytes, bytes], marks: int) -> bool:
    """Return whether the answer is wanted in a coding that is read here: a page to show, or a piece of one.

    A script that fetches data keeps every coding it offers; what it gets of HTML is guarded all the same.
    """
    destination = headers.get(b"sec-fetch-dest", b"empty")
    if destination != b"empty":
        return destination in SHOWN_DESTINATIONS
    return marks & SWAPPED != 0 or headers.get(b"accept", b"").find(b"html") >= 0  # Turbo's streams too


def is_ahead(headers: Mapping[bytes, bytes]) -> bool:
    """Return whether a request's headers show that nobody asked for the page yet."""
    for name in AHEAD:
        said = headers.get(name)  # hardly ever anything
        if said is not None and said.find(b"prefetch") >= 0:
            return True
    return False
