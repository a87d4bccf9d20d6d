"""python-lolhtml (Rust: lol-html) doing the same job: the same elements and attributes, the same judge.

How it is written, for its best speed: the selectors name the attributes, so that Rust calls into Python only for
elements that may load; what needs no judge is sorted out by one regular expression; handlers are made once and
serve every page. URLs, references and sheets are read by cookieguard's own functions, compiled ones where they are
there. What a script says is read by neither.

What it does not do, and cookieguard does: see inside `<noscript>` (raw text for it), keep bytes that are no
UTF-8, survive `<select><xmp>` (it raises), remove the second of two equal attributes, judge import maps and
speculation rules, decode svg scripts.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from importlib.metadata import version

import lolhtml  # type: ignore[import-not-found, unused-ignore]  # only in the group `bench`
from pages import BANNER, SHOP, SHOP_HOST

from contestants.guard import judge
from contestants.table import LOADING, TABLE
from cookieguard.html.attributes import REFRESH, REFRESH_URL, candidates
from cookieguard.html.contact_points import INERT_RELATIONS
from cookieguard.html.css.stylesheet import cut, held_parts
from cookieguard.html.data_urls import documents_in
from cookieguard.html.tokenizer.character_references import decode_attribute
from cookieguard.html.urls import parse_url, readings, resolve

# Anything else is a path of the shop's own: nine of ten values end here.
MAY_REACH = re.compile(r"//|[\\:&\t\n\r]")
MAY_LOAD = re.compile(r"[(\\&]")
HTML = lolhtml.ContentType.HTML
DEPTH = 3
PAGE = parse_url(SHOP)
ValueJudge = Callable[["LolHtml", str], bool]


class LolHtml:
    """Rewrite page after page. Owns the memo and the state of the page at hand."""

    def __init__(self, *, memo: bool = False, depth: int = 0) -> None:
        self.name = f"python-lolhtml {version('python-lolhtml')}"
        self._has_memo, self._depth = memo, depth
        self.aborted = 0
        self.forget()
        self._handlers = self._make_handlers()

    def forget(self) -> None:
        """Begin with an empty memo."""
        self._values: dict[str, dict[str, bool]] = {kind: {} for kind in JUDGES}
        self._sheets: dict[str, str | None] = {}

    def rewrite(self, page: list[bytes]) -> list[bytes]:
        """Rewrite one page; return what a server would send."""
        out: list[bytes] = []
        self.base, self.is_own, self._has_base = PAGE, True, False
        rewriter = lolhtml.HTMLRewriter(out.append)
        for selector, handler in self._handlers:
            rewriter.on(selector, handler)
        try:
            for chunk in page:
                rewriter.write(chunk)
            rewriter.end()
        except RuntimeError:
            self.aborted += 1
        return out

    def _make_handlers(self) -> list[tuple[str, object]]:
        handlers: list[tuple[str, object]] = [
            (", ".join(LOADING), Loading(self)),
            ('meta[http-equiv="refresh" i][content]', Refresh(self)),
            ("base[href]", Base(self)),
            ("style", Style(self)),
        ]
        return [*handlers, ("body", Body())] if self._depth == 0 else handlers

    def holds(self, kind: str, value: str) -> bool:
        """Return whether a value reaches a held host."""
        if not self._has_memo or not self.is_own:
            return self._holds(kind, value)
        memo = self._values[kind]
        known = memo.get(value)
        if known is None:
            known = memo[value] = self._holds(kind, value)
        return known

    def _holds(self, kind: str, value: str) -> bool:
        may_reach = not self.is_own or kind == "srcdoc" or MAY_REACH.search(value) is not None
        return may_reach and JUDGES[kind](self, decode_attribute(value))

    def reaches(self, reference: str) -> bool:
        """Return whether one reference reaches a held host."""
        if not reference or reference[0] == "#":
            return False
        return any(judge(url) is not None for url in readings(reference, self.base))

    def sheet(self, text: str) -> str | None:
        """Return a sheet without what is held; None where it has to be held whole."""
        if not self._has_memo or not self.is_own:
            return self._sheet(text)
        if text not in self._sheets:
            self._sheets[text] = self._sheet(text)
        return self._sheets[text]

    def _sheet(self, text: str) -> str | None:
        edits = held_parts(text, self.reaches)
        return None if edits is None else cut(text, edits)

    def set_base(self, href: str) -> None:
        """Resolve by `href` from here on."""
        found = resolve(decode_attribute(href), self.base)
        if found and not self._has_base:
            self.base, self._has_base = found, True
            self.is_own = found.host == SHOP_HOST

    def nested(self, document: bytes) -> bool:
        """Return whether a nested document holds something."""
        if self._depth >= DEPTH:
            return True
        inner = LolHtml(memo=self._has_memo, depth=self._depth + 1)
        return b"".join(inner.rewrite([document])) != document


def hold(element: lolhtml.Element, name: str, value: str) -> None:
    """Rename an attribute."""
    element.set_attribute(f"data-cg-{name.replace(':', '-')}", value)
    element.remove_attribute(name)


class Loading:
    """Judge the attributes of an element that may load."""

    def __init__(self, page: LolHtml) -> None:
        self._page = page

    def element(self, element: lolhtml.Element) -> None:
        """Hold what reaches a held host."""
        tag, page = element.tag_name, self._page
        loads = TABLE.get(tag, TABLE[""])
        for name, value in element.attributes:
            kind = loads.get(name)
            if kind is None or not value:
                continue
            if kind == "css":
                self._cut(element, name, value)
            elif page.holds(kind, value) and (tag != "link" or is_loading_link(element, name)):
                hold(element, name, value)
                if tag == "script":
                    neutralize(element)

    def _cut(self, element: lolhtml.Element, name: str, value: str) -> None:
        """Cut out of a style attribute what is held."""
        if not MAY_LOAD.search(value):
            return
        text = decode_attribute(value)
        new = self._page.sheet(text)
        if new is None:
            hold(element, name, value)
        elif new != text:
            element.set_attribute(name, new.replace("&", "&amp;"))


def is_loading_link(element: lolhtml.Element, name: str) -> bool:
    """Return whether a link's relation makes a browser fetch."""
    return name != "href" or not INERT_RELATIONS.issuperset(
        (element.get_attribute("rel") or "").lower().split()
    )


def neutralize(element: lolhtml.Element) -> None:
    """Give a script a type nobody runs."""
    kind = element.get_attribute("type")
    if kind is not None:
        hold(element, "type", kind)
    element.set_attribute("type", "text/plain")


class Refresh:
    """Judge `<meta http-equiv=refresh>`."""

    def __init__(self, page: LolHtml) -> None:
        self._page = page

    def element(self, element: lolhtml.Element) -> None:
        """Hold one that leads to a held host."""
        value = element.get_attribute("content") or ""
        match = REFRESH.match(decode_attribute(value))
        if match:
            named = REFRESH_URL.match(match[1])
            url = named[1] if named else match[1]
            if url[:1] in ("'", '"'):
                url = url[1:].partition(url[0])[0]
            if self._page.reaches(url):
                hold(element, "content", value)
                hold(element, "http-equiv", "refresh")


class Base:
    """Follow `<base>`, and hold one on another host."""

    def __init__(self, page: LolHtml) -> None:
        self._page = page

    def element(self, element: lolhtml.Element) -> None:
        """Hold it or resolve by it."""
        href = element.get_attribute("href") or ""
        if self._page.holds("url", href):
            hold(element, "href", href)
        else:
            self._page.set_base(href)


class Style:
    """Judge the text of a sheet, once all of it is there."""

    def __init__(self, page: LolHtml) -> None:
        self._page = page
        self._parts: list[str] = []

    def text(self, chunk: lolhtml.TextChunk) -> None:
        """Keep the text back until what is held is cut out."""
        if not chunk.last_in_text_node:
            self._parts.append(chunk.text)
            chunk.remove()
            return
        text = "".join(self._parts) + chunk.text
        self._parts.clear()
        chunk.replace(self._page.sheet(text) or "", HTML)


class Body:
    """Insert the banner."""

    def element(self, element: lolhtml.Element) -> None:
        """Put it first."""
        element.prepend(BANNER, HTML)


def _urls(page: LolHtml, value: str) -> bool:
    return any(map(page.reaches, value.split()))


def _values(page: LolHtml, value: str) -> bool:
    return any(map(page.reaches, value.split(";")))


def _srcset(page: LolHtml, value: str) -> bool:
    return any(map(page.reaches, candidates(value)))


def _document(page: LolHtml, value: str) -> bool:
    if page.reaches(value):
        return True
    document = next(iter(documents_in(value)), None)
    return document is not None and page.nested(document)


def _srcdoc(page: LolHtml, value: str) -> bool:
    return page.nested(value.encode())


JUDGES: dict[str, ValueJudge] = {
    "url": LolHtml.reaches,
    "urls": _urls,
    "srcset": _srcset,
    "values": _values,
    "document": _document,
    "srcdoc": _srcdoc,
}
