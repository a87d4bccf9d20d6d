"""Which pages of a shop come next, from links and its sitemap: few of each kind, as 500 products load the same tags."""

from __future__ import annotations

import html
import re
from collections import Counter
from collections.abc import Iterable
from urllib.parse import urlsplit

from cookieguard.html import parse_url

MOST_WAITING = 5000
# What ends a visit, changes something or is no page. A scan only asks (GET), and some shops change things by links.
PASSED_OVER = re.compile(
    r"(log|sign)-?out(?-i:(?![a-z]))|abmelden|unsubscribe|delete|remove(?!r)|(add|put)[-_]?to[-_]?(cart|basket)"
    r"|/cart/add|/wp-json|/feed/?$"
    r"|\.(?!html?$|php$|aspx?$|jsp$|cfm$|do$)[a-z][a-z0-9]{1,4}$",
    re.IGNORECASE,
)
# Looked at first: where a visitor pays or signs in, tags differ most from all other pages.
TELLING = re.compile(
    r"cart|basket|checkout|account|login|warenkorb|kasse|konto|panier|compte|carrito|cuenta", re.IGNORECASE
)

LOC = re.compile(r"<(?:\w+:)?loc>\s*(?:<!\[CDATA\[)?\s*([^<\]]+?)\s*(?:\]\]>)?\s*</", re.IGNORECASE)
IN_ROBOTS = re.compile(r"^\s*sitemap\s*:\s*(\S+)", re.IGNORECASE | re.MULTILINE)
MOST_ADDRESSES = 5000
# What names a page in the query, in shops that have all of them at one path.
ROUTES = frozenset(
    {"action", "controller", "do", "fc", "module", "p", "page_id", "product", "r", "route", "view"}
)
MOST_SITEMAPS = 3  # of an index: pages of each kind stand in the first ones


class Crawl:
    """Know which pages wait. Owns the queue; a page of a kind that was seen waits behind all others."""

    def __init__(self, start: str, *, prefix: str = "/_cg/") -> None:
        self._prefix = prefix  # our own pages: they load nothing of anybody, and always ask
        self._origin = _origin(start)
        self._waiting: dict[str, None] = {start: None}
        self._known: set[str] = {_key(start)}
        self._seen: Counter[str] = Counter()

    def add(self, addresses: Iterable[str]) -> None:
        """Take addresses from links or a sitemap; those of other origins, and what is no page, are left out."""
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

    def lands_at(self, address: str) -> None:
        """Take the origin that the start leads to for the shop's."""
        self._origin = _origin(address)

    def next(self) -> str | None:
        """Return the page to look at next, None at the end."""
        if not self._waiting:
            return None
        best = next(iter(self._waiting))
        if self._seen:  # the start comes first
            best = min(self._waiting, key=lambda one: (self._seen[kind_of(one)], not TELLING.search(one)))
        del self._waiting[best]
        self._seen[kind_of(best)] += 1
        return best

    def _is_page(self, address: str) -> bool:
        parts = urlsplit(address)  # many a shop says in the query what a link does: ?add-to-cart=7
        is_passed_over = PASSED_OVER.search(parts.path) or PASSED_OVER.search(parts.query)
        return not (parts.path.startswith(self._prefix) or is_passed_over)

    def __len__(self) -> int:
        return len(self._waiting)


def kind_of(address: str) -> str:
    """Name what kind of page an address is of.

    >>> kind_of("https://shop.example/product/blue-mug?colour=1")
    '/product/*?'
    """
    parts = urlsplit(address)
    segments = parts.path.strip("/").split("/")
    folder = "/".join([*segments[:-1][:3], "*"]) if len(segments) > 1 else segments[0]
    return f"/{folder}{'?' if parts.query else ''}"


def page_name(address: str) -> str:
    """Return how a page is named in a report: its path, and the names in its query."""
    parts = urlsplit(address)
    names = "&".join(one.partition("=")[0] for one in parts.query.split("&") if one)
    return (parts.path or "/") + (f"?{names}" if names else "")


def _origin(address: str) -> tuple[str, int | None]:
    url = parse_url(address)
    return url.host, url.port


def _key(address: str) -> str:
    parts = urlsplit(address)
    named = ((one.partition("=")[0], one) for one in parts.query.split("&"))
    query = "&".join(one if name in ROUTES else name for name, one in named)
    return f"{parts.path.rstrip('/')}?{query}"


def named_in_robots(text: str) -> list[str]:
    """Return the sitemaps that a robots.txt names."""
    return IN_ROBOTS.findall(text)[:MOST_SITEMAPS]


def read_sitemap(text: str) -> tuple[list[str], list[str]]:
    """Return the pages and the further sitemaps that a sitemap names.

    It is read as text: entities of an XML document are nothing a scan would expand.

    >>> read_sitemap("<urlset><url><loc>https://shop.example/a&amp;b</loc></url></urlset>")
    (['https://shop.example/a&b'], [])
    """
    found = [html.unescape(one) for one in LOC.findall(text)[:MOST_ADDRESSES]]
    if re.search(r"<(?:\w+:)?sitemapindex\b", text, re.IGNORECASE):
        return [], found[:MOST_SITEMAPS]
    return found, []
