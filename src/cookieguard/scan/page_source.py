"""Read the HTML of a page: the hosts that its elements contact or its inline scripts name, and its links."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from cookieguard.html import Rewriter, Rules, Ruling, Url, parse_url, readings, resolve
from cookieguard.scan.observations import HELD, NAMED, WOULD, Contact, shown_url

IsForeign = Callable[[Url], bool]

PIECE = 4096  # bytes for each `feed`; the rewriter lists at most 200 held URLs until the list is emptied
MOST_SOURCE = 8 * 1024 * 1024
MOST_LINKS = 2000
OURS = "cookieguard"  # the purpose in a scan's rulings, which hold every foreign URL
# The attributes that the guard renamed. If an element has both names, the first one is the page's own.
HELD_NAME = re.compile(rb"(?<=[\s\"'/])data-cg-(?=[a-z-]+[\s=>/])", re.IGNORECASE)
NEUTRAL = re.compile(rb"<(script|style)\b([^>]*?) type=\"text/plain\"(?=[^>]*\bdata-cg-)", re.IGNORECASE)
SCRIPT = re.compile(rb"<script\b([^>]*)>(.*?)</script", re.IGNORECASE | re.DOTALL)
SCRIPT_TYPE = re.compile(rb"(?<![\w-])type\s*=\s*[\"']?\s*([^\"'\s>]*)", re.IGNORECASE)
RUNS = re.compile(rb"|module|(text|application)/(x-)?(java|ecma)script", re.IGNORECASE)
# An address in a script: `https://host/`, `//host/` in quotes, slashes escaped or not.
NAMED_HOST = re.compile(
    r"(?:https?:|[\"'`])(?:\\?/){2}((?:[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?\.)+[a-z]{2,24}\.?)(:\d{2,5})?(?=[/\\\"'`?#:\s]|$)",
    re.IGNORECASE,
)
# A domain to which a script adds its own first label: `"//" + id + ".example.com/x"`.
JOINED_HOST = re.compile(r"[\"'`}]\.((?:[a-z0-9-]+\.)+[a-z]{2,24})/", re.IGNORECASE)
# Namespaces, schemas and links that scripts name without a request.
NEVER_ASKED = frozenset({"www.w3.org", "schema.org", "ogp.me", "purl.org", "gmpg.org"})
LINK = re.compile(rb"<a\b[^>]*?\bhref\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|([^\s>\"']+))", re.IGNORECASE)
SHEET = re.compile(rb"<link\b[^>]*\brel\s*=\s*[\"']?stylesheet\b[^>]*>", re.IGNORECASE)
HREF = re.compile(rb"(?<![\w-])href\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|([^\s>\"']+))", re.IGNORECASE)
REFRESH = re.compile(
    rb"<meta\b(?=[^>]*\bhttp-equiv\s*=\s*[\"']?\s*refresh\b)[^>]*\bcontent\s*=\s*[\"'][^\"'>]*url\s*=\s*['\"]?([^\"'>\s]+)",
    re.IGNORECASE,
)
TITLE = re.compile(rb"<title[^>]*>(.*?)</title", re.IGNORECASE | re.DOTALL)
DEFAULT_SRC = re.compile(r"(?:^|[;,])\s*default-src\s([^;,]*)", re.IGNORECASE)
UNFILLED = re.compile(r"\$\{|\{\{")  # a placeholder of a script's template, not yet an address
BASE = re.compile(rb"<base\b[^>]*\bhref\s*=\s*[\"']?([^\"'\s>]+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class PageSource:
    """Hold one page's HTML, as it was served."""

    url: str
    text: bytes
    page: str
    """Its path, as the report names it."""
    state: str
    policies: tuple[str, ...] = ()
    """Its Content-Security-Policy headers."""

    @property
    def title(self) -> str:
        """Return the text of its title element, at most 200 characters."""
        found = TITLE.search(self.text)
        return html.unescape(" ".join(_text(found[1]).split()))[:200] if found else ""

    @property
    def links(self) -> list[str]:
        """Return the absolute addresses of its links, in order; the target of a meta refresh comes first."""
        found = (b'<a href="' + match[1] + b'">' for match in REFRESH.finditer(self.text[:MOST_SOURCE]))
        return _addresses(b"".join(found) + self.text[:MOST_SOURCE], self.text, self.url)

    @property
    def sheets(self) -> list[str]:
        """Return the absolute addresses of its style sheets."""
        found = (HREF.search(tag[0]) for tag in SHEET.finditer(self.text[:MOST_SOURCE]))
        tags = b"".join(b"<a " + match[0] + b">" for match in found if match)
        return _addresses(tags, self.text, self.url)


def contacts_in(source: PageSource, is_foreign: IsForeign) -> list[Contact]:
    """Return the foreign hosts that a page's elements contact, that cookieguard holds, or that inline scripts name."""
    text = source.text[:MOST_SOURCE]
    live = _elements(text, source.url, is_foreign)
    # The page with the guard's changes undone, as far as they hide which hosts were held
    plain = HELD_NAME.sub(b"", NEUTRAL.sub(rb"<\1\2", text)) if b"data-cg-" in text else text
    whole = live if plain is text else _elements(plain, source.url, is_foreign)
    named = set(named_in(text, is_foreign))
    found = [_contact(source, element, url, WOULD) for element, url in live]
    found += [_contact(source, element, url, HELD) for element, url in whole if (element, url) not in live]
    return found + [_contact(source, "inline script", url, NAMED) for url in sorted(named)]


def contacts_of_sheet(source: PageSource, address: str, sheet: bytes, is_foreign: IsForeign) -> list[Contact]:
    """Return the foreign hosts that a style sheet contacts."""
    text = b"<style>" + sheet[:MOST_SOURCE].replace(b"</", b"<\\/") + b"</style>"
    by = shown_url(address)
    return [
        _contact(source, "style sheet", url, WOULD if lets_in(source.policies, url) else HELD, by)
        for _, url in _elements(text, address, is_foreign)
    ]


def lets_in(policies: Iterable[str], url: Url) -> bool:
    """Return whether every policy's `default-src` allows a URL in a style sheet; a policy without it allows all."""
    return all(
        any(_matches(source, url) for source in found[1].split())
        for policy in policies
        for found in DEFAULT_SRC.finditer(policy)
    )


def _matches(source: str, url: Url) -> bool:
    name = source.rpartition("://")[2].partition("/")[0].partition(":")[0]
    is_scheme = source == f"{url.scheme}:" or source == "*"
    return is_scheme or url.host == name or (name.startswith("*.") and url.host.endswith(name[1:]))


def named_in(text: bytes, is_foreign: IsForeign) -> Iterator[Url]:
    """Yield the foreign hosts that the inline scripts of a page name in their text."""
    for attributes, script in SCRIPT.findall(text):
        kind = SCRIPT_TYPE.search(attributes)
        is_held = b"data-cg-" in attributes
        if b"data-cg=" in attributes or not (kind is None or is_held or RUNS.fullmatch(kind[1])):
            continue
        words = _text(script)
        found = [(match[1], match[2]) for match in NAMED_HOST.finditer(words)]
        found += [(match[1], None) for match in JOINED_HOST.finditer(words)]
        for host, port in found:
            url = resolve(f"https://{host}{port or ''}/", BLANK)
            if url is not None and url.host not in NEVER_ASKED and is_foreign(url):
                yield url


BLANK = Url("https", "", None, "/")


def _elements(text: bytes, address: str, is_foreign: IsForeign) -> dict[tuple[str, Url], None]:
    """Run the rewriter over a page with every foreign URL held, and return the elements it held, in order."""
    asked: dict[Url, None] = {}

    def judge(url: Url) -> Ruling | None:
        if not is_foreign(url):
            return None
        asked[url] = None
        return Ruling(OURS, None)

    rewriter = Rewriter(Rules(judge, address), url=address)
    found: dict[tuple[str, Url], None] = {}
    for start in range(0, len(text), PIECE):
        rewriter.feed(text[start : start + PIECE])
        _take(rewriter, found)
    rewriter.close()
    _take(rewriter, found)
    known = {url for _, url in found}
    return found | {("element", url): None for url in asked if url not in known}


def _take(rewriter: Rewriter, found: dict[tuple[str, Url], None]) -> None:
    for held in rewriter.held:
        found[f"{held.element} {held.attribute}".strip(), held.url] = None
    rewriter.held.clear()


def _contact(source: PageSource, element: str, url: Url, how: str, by: str = "") -> Contact:
    return Contact(
        host=url.host,
        port=url.port,
        url=shown_url(address_of(url)),
        how=how,
        element=element,
        by=by,
        page=source.page,
        state=source.state,
        line=0 if by else line_of(source.text, url.host),
    )


def line_of(text: bytes, host: str) -> int:
    """Return the first line of a source that names a host; 0 if none does."""
    place = text.find(host.encode())
    return text.count(b"\n", 0, place) + 1 if place >= 0 else 0


def address_of(url: Url) -> str:
    """Return a URL as text; a `Url` has no query."""
    return f"{url.scheme}://{url.host}{f':{url.port}' if url.port else ''}{url.path}"


def _addresses(links: bytes, page: bytes, address: str) -> list[str]:
    base = parse_url(address)
    named = BASE.search(page)
    if named is not None:
        base = resolve(html.unescape(_text(named[1])), base) or base
    found: dict[str, None] = {}
    for match in LINK.finditer(links):
        reference = html.unescape(_text(match[1] or match[2] or match[3] or b"")).strip()
        if UNFILLED.search(reference):
            continue
        for url in readings(reference, base)[:1]:
            query = reference.partition("#")[0].partition("?")[2]
            found[address_of(url) + (f"?{query}" if query else "")] = None
        if len(found) >= MOST_LINKS:
            break
    return list(found)


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")
