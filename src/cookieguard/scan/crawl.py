"""The order in which a scan visits a shop's pages: few of each kind, because 500 product pages load the same tags."""

from __future__ import annotations

import html
import re
from collections import Counter
from collections.abc import Iterable
from urllib.parse import urlsplit

from cookieguard.html import parse_url

MOST_WAITING = 5000
# Addresses that end a session, change something or are no pages: in some shops a GET is enough to fill the cart.
SKIPPED = re.compile(
    r"(log|sign)-?out(?-i:(?![a-z]))|abmelden|unsubscribe|delete|remove(?!r)|(add|put)[-_]?to[-_]?(cart|basket)"
    r"|/cart/add|/wp-json|/feed/?$"
    r"|\.(?!html?$|php$|aspx?$|jsp$|cfm$|do$)[a-z][a-z0-9]{1,4}$",
    re.IGNORECASE,
)
# Visited first: pages where a visitor pays or signs in differ most from the others in their tags.
IMPORTANT = re.compile(
    r"cart|basket|checkout|account|login|warenkorb|kasse|konto|panier|compte|carrito|cuenta", re.IGNORECASE
)

LOC = re.compile(r"<(?:\w+:)?loc>\s*(?:<!\[CDATA\[)?\s*([^<\]]+?)\s*(?:\]\]>)?\s*</", re.IGNORECASE)
IN_ROBOTS = re.compile(r"^\s*sitemap\s*:\s*(\S+)", re.IGNORECASE | re.MULTILINE)
MOST_ADDRESSES = 5000
# The query parameters that name the page in shops that have all pages at one path.
ROUTES = frozenset(
    {"action", "controller", "do", "fc", "module", "p", "page_id", "product", "r", "route", "view"}
)
MOST_SITEMAPS = 3  # of an index: the first ones have pages of each kind


class Crawl:
    """Choose the next page. Owns the queue, in which the kinds of page that were visited least come first."""

    def __init__(self, start: str, *, prefix: str = "/_cg/") -> None:
        self._prefix = prefix  # of our own pages, which load no third party
        self._origin = _origin(start)
        self._waiting: dict[str, None] = {start: None}
        self._known: set[str] = {_key(start)}
        self._seen: Counter[str] = Counter()

    def add(self, addresses: Iterable[str]) -> None:
        """Add the addresses of links or a sitemap, except those of other origins and those that are no pages."""
        for address in addresses:
            if len(self._known) >= MOST_WAITING:
                return
            try:
                own = _origin(address) == self._origin
            except ValueError:
                continue
            if own and _key(address) not in self._known and self._is_page(address):
                self._known.add(_key(address))
                self._waiting[address.partition("#")[0]] = None

    def move_to(self, address: str) -> None:
        """Set the shop's origin to that of an address, to which the start redirected."""
        self._origin = _origin(address)

    def next(self) -> str | None:
        """Return the page to visit next, None at the end."""
        if not self._waiting:
            return None
        best = next(iter(self._waiting))
        if self._seen:  # the start comes first
            best = min(self._waiting, key=lambda url: (self._seen[kind_of(url)], not IMPORTANT.search(url)))
        del self._waiting[best]
        self._seen[kind_of(best)] += 1
        return best

    def _is_page(self, address: str) -> bool:
        parts = urlsplit(address)  # in many shops the query names the action of a link: ?add-to-cart=7
        is_skipped = SKIPPED.search(parts.path) or SKIPPED.search(parts.query)
        return not (parts.path.startswith(self._prefix) or is_skipped)

    def __len__(self) -> int:
        return len(self._waiting)


def kind_of(address: str) -> str:
    """Return the kind of page at an address, as a pattern.

    >>> kind_of("https://shop.example/product/blue-mug?colour=1")
    '/product/*?'
    """
    parts = urlsplit(address)
    segments = parts.path.strip("/").split("/")
    folder = "/".join([*segments[:-1][:3], "*"]) if len(segments) > 1 else segments[0]
    return f"/{folder}{'?' if parts.query else ''}"


def page_name(address: str) -> str:
    """Return the name of a page in a report: its path, and the names of its query parameters."""
    parts = urlsplit(address)
    names = "&".join(pair.partition("=")[0] for pair in parts.query.split("&") if pair)
    return (parts.path or "/") + (f"?{names}" if names else "")


def _origin(address: str) -> tuple[str, int | None]:
    url = parse_url(address)
    return url.host, url.port


def _key(address: str) -> str:
    parts = urlsplit(address)
    named = ((pair.partition("=")[0], pair) for pair in parts.query.split("&"))
    query = "&".join(pair if name in ROUTES else name for name, pair in named)
    return f"{parts.path.rstrip('/')}?{query}"


def named_in_robots(text: str) -> list[str]:
    """Return the sitemaps that a robots.txt names."""
    return IN_ROBOTS.findall(text)[:MOST_SITEMAPS]


def read_sitemap(text: str) -> tuple[list[str], list[str]]:
    """Return the pages and the further sitemaps that a sitemap names.

    The sitemap is read as text, because an XML parser would expand the entities that it defines.

    >>> read_sitemap("<urlset><url><loc>https://shop.example/a&amp;b</loc></url></urlset>")
    (['https://shop.example/a&b'], [])
    """
    found = [html.unescape(address) for address in LOC.findall(text)[:MOST_ADDRESSES]]
    if re.search(r"<(?:\w+:)?sitemapindex\b", text, re.IGNORECASE):
        return [], found[:MOST_SITEMAPS]
    return found, []
