"""One tag, judged: what is sent in its place, what was held in it, and how the text after it is read."""

from __future__ import annotations

import re
from collections.abc import Callable

from cookieguard.html import charrefs
from cookieguard.html.css import cut, held_parts
from cookieguard.html.documents import document_in, script_in
from cookieguard.html.grammar import ATTRIBUTES, TAG_NAME
from cookieguard.html.loads import (
    ANYWHERE,
    INERT_RELATIONS,
    JAVASCRIPT_TYPES,
    LOADS,
    RULE_TYPES,
    TEXT_NAMES,
    Load,
)
from cookieguard.html.model import JUDGED_TEXTS, Attribute, Bench, Held, Tag, Text
from cookieguard.html.scripts import held_hosts
from cookieguard.html.urls import Url, readings, resolve

# Nothing else in a value can reach another host or path: no reference is spelled without one of these or a
# letter; so this only spares style attributes and the like the reading.
CSS_MAY_LOAD = re.compile(rb"[(\\&]")
REFRESH = re.compile(r"[\t\n\v\f\r ]*[0-9.]*[\t\n\f\r ]*(?:[;,][\t\n\f\r ]*|(?<=[\t\n\f\r ]))(.*)", re.DOTALL)
REFRESH_URL = re.compile(r"[uU][rR][lL][\t\n\f\r ]*=[\t\n\f\r ]*(.*)", re.DOTALL)
ANYWHERE_NAMED = re.compile(
    rb"[\t\n\f\r /\"'](?:" + b"|".join(sorted(ANYWHERE)) + rb")"
)  # in lower case: to search in any case takes longer
NAMES = frozenset(ANYWHERE).union(*LOADS.values()) | frozenset(
    {b"data-cg", b"type", b"language", b"rel", b"lang", b"xml:lang", b"http-equiv", b"content", b"encoding"}
    | {b"color", b"face", b"size", b"src"}
)
CONTEXT_NAMES = frozenset({b"html", b"meta", b"font", b"annotation-xml"})
EQUIV = re.compile(rb"-[eE][qQ][uU][iI][vV]")  # of nothing else does a meta element load
ALWAYS_READ = TEXT_NAMES | CONTEXT_NAMES | {b"base"}
# Without these a reference stays with the page's own origin (tabs and newlines go from URLs: `/<tab>/host`).
MAY_REACH_OTHERS = re.compile(rb"/[/\t\n\r]|[\\:&]")
READ_NAMES = frozenset(LOADS) | TEXT_NAMES | CONTEXT_NAMES
NAMES_TO_KEEP = frozenset(
    {b"lang", b"xml:lang", b"http-equiv", b"content", b"encoding", b"color", b"face", b"size"}
)


def judge_tag(raw: bytes, bench: Bench) -> Tag:
    """Decide about one tag."""
    closing, name, end = _name(raw, xml=bench.xml)
    if closing:
        return Tag(name, closing=True, empty=False)
    if bench.own_is_free and name not in ALWAYS_READ and not MAY_REACH_OTHERS.search(raw, end):
        return Tag(
            name,
            empty=raw[-2:] == b"/>" and _is_empty(raw, _attributes(raw, end, xml=bench.xml)),
            plain=name not in ATTENTION,
        )
    if (
        name not in READ_NAMES or (name == b"meta" and not EQUIV.search(raw, end))
    ) and not ANYWHERE_NAMED.search(raw.lower(), end):
        return Tag(
            name,
            closing=False,
            empty=raw[-2:] == b"/>" and _is_empty(raw, _attributes(raw, end, xml=bench.xml)),
            plain=name not in ATTENTION or name == b"meta",
        )
    return _Judged(raw, name, end, bench).tag()


def _name(raw: bytes, *, xml: bool) -> tuple[bool, bytes, int]:
    match = TAG_NAME.match(raw)
    assert match is not None  # noqa: S101  # the caller matched a tag
    name = match[2]
    # A prefixed XHTML element is the element: fail closed about what the prefix stands for.
    name = name.rpartition(b":")[2] if xml else name.lower()
    return bool(match[1]), name.lower(), match.end()


class _Judged:
    """Judge one start tag. Owns the edits made to it."""

    def __init__(self, raw: bytes, name: bytes, end: int, bench: Bench) -> None:
        self.raw, self.name, self.name_end = raw, name, end
        self.bench = bench
        self.attributes = _attributes(raw, end, xml=bench.xml)
        self.first: dict[bytes, Attribute] = {}
        for attribute in self.attributes:
            self.first.setdefault(attribute.name, attribute)
        self.held: list[Held] = []
        self.edits: list[tuple[int, int, bytes]] = []
        self.near = False
        self.hold_type = False

    def tag(self) -> Tag:
        text = self._text()
        exempt = self.says(b"data-cg") == "necessary"
        if not exempt:
            self._judge_attributes()
        if exempt and text in (Text.SCRIPT, Text.RULES, Text.STYLE):
            text = Text.DATA if self.name == b"script" else Text.RAW
        if self.name == b"script" and self.held:
            self.hold_type, text = True, Text.DATA
        live = self._written(neutral=self.hold_type)
        plain = text is Text.NONE and live is None and not self.held
        return Tag(
            name=self.name,
            closing=False,
            empty=_is_empty(self.raw, self.attributes),
            live=live,
            inert=self._written(neutral=True) or b"" if text in JUDGED_TEXTS else b"",
            held=tuple(self.held),
            text=text,
            near=self.near,
            attributes=self._kept(),
            base=self._base(),
            plain=plain and self.name not in ATTENTION,
        )

    def reaches(self, reference: str, attribute: str) -> bool:
        """Judge one reference; note what is held."""
        if not reference or reference.startswith("#"):
            return False
        for url in readings(reference, self.bench.base):
            self.near = self.near or not FAR.match(reference)
            if self.judge(url, attribute):
                return True
        return False

    def judge(self, url: Url, attribute: str) -> bool:
        """Judge one URL; note it where it is held."""
        ruling = self.bench.judge(url)
        if ruling is None:
            return False
        self.held.append(Held(self.name.decode("latin-1"), attribute, url, ruling.purpose, ruling.vendor))
        return True

    def _judge_attributes(self) -> None:
        loads = LOADS.get(self.name, NO_LOADS)
        for name, attribute in self.first.items():
            load = loads.get(name) or ANYWHERE.get(name)
            if (
                load is None
                or not attribute.raw
                or (load is Load.CSS and not CSS_MAY_LOAD.search(attribute.raw))
            ):
                continue
            replaced = JUDGES[load](self, attribute, name.decode("latin-1"))
            if replaced is HOLD:
                self.rename(name)
            elif replaced is not None:
                self._replace(attribute, replaced)

    def rename(self, name: bytes) -> None:
        """Take the attribute and its duplicates out of the way: without the first, the second would count."""
        for attribute in self.attributes:
            if attribute.name == name:
                end = attribute.start + len(_spelling(self.raw, attribute.start))
                self.edits.append((attribute.start, end, b"data-cg-" + name.replace(b":", b"-")))

    def _replace(self, attribute: Attribute, text: str) -> None:
        quote = attribute.quote or b'"'
        written = charrefs.encode_attribute(text, quote.decode())
        value = b"".join(
            character.encode("utf-8", "surrogateescape")
            if "\udc80" <= character <= "\udcff"
            else character.encode("ascii", "xmlcharrefreplace")
            for character in written
        )
        start, end = attribute.span
        self.edits.append((start, end, value if attribute.quote else quote + value + quote))

    def _written(self, *, neutral: bool) -> bytes | None:
        """Write the tag with its edits; `neutral` gives it a type that nobody runs."""
        edits = list(self.edits)
        if neutral:
            edits.append((self.name_end, self.name_end, b' type="text/plain"'))
            edits += [
                (a.start, a.start + len(_spelling(self.raw, a.start)), b"data-cg-type")
                for a in self.attributes
                if a.name == b"type"
            ]
        if not edits:
            return None
        pieces: list[bytes] = []
        position = 0
        for start, end, new in sorted(edits):
            pieces += (self.raw[position:start], new)
            position = end
        return b"".join(pieces) + self.raw[position:]

    def says(self, name: bytes) -> str | None:
        attribute = self.first.get(name)
        return None if attribute is None else attribute.value

    def _text(self) -> Text:
        if self.name not in TEXT_NAMES:
            return Text.NONE
        return TEXTS.get(self.name, Text.RAW) if self.name != b"script" else self._script_text()

    def _script_text(self) -> Text:
        # An svg script runs its `href`; in HTML that attribute means nothing and the text runs: judge it.
        if b"src" in self.first:
            return Text.DATA
        kind = self.says(b"type")
        if kind is None and (language := self.says(b"language")):
            kind = f"text/{language}"
        kind = (kind or "text/javascript").strip("\t\n\f\r ").lower()
        if kind in RULE_TYPES:
            return Text.RULES
        return Text.SCRIPT if kind.partition(";")[0].strip() in JAVASCRIPT_TYPES else Text.DATA

    def _kept(self) -> tuple[tuple[bytes, str], ...]:
        if self.name not in CONTEXT_NAMES:
            return ()
        return tuple((name, self.says(name) or "") for name in self.first if name in NAMES_TO_KEEP)

    def _base(self) -> str | None:
        if self.name != b"base" or self.held:
            return None
        return self.says(b"href")


def _is_empty(raw: bytes, attributes: list[Attribute]) -> bool:
    """Tell whether the tag closes itself: `/` counts right before `>` and outside of an unquoted value."""
    if raw[-2:] != b"/>":
        return False
    last = attributes[-1] if attributes else None
    return last is None or last.span[1] != len(raw) - 1 or last.quote != b""


def _spelling(raw: bytes, start: int) -> bytes:
    match = ATTRIBUTES.match(raw, start)
    return match[1] if match else b""


def _attributes(raw: bytes, position: int, *, xml: bool) -> list[Attribute]:
    found: list[Attribute] = []
    last = len(raw) - 1
    for match in ATTRIBUTES.finditer(raw, position, last):
        name = match[1].lower()
        if name not in NAMES and not xml and match.end() < last - 1:
            continue
        group = match.lastindex or 1
        if xml and name.partition(b":")[2] == b"href":
            name = b"xlink:href"  # whatever the prefix is
        if group == 1:
            found.append(Attribute(name, match.start(), b"", (-1, -1), b""))
        else:
            found.append(Attribute(name, match.start(), match[group], match.span(group), QUOTES[group]))
    return found


FAR = re.compile(r"[/\\]|[a-zA-Z][a-zA-Z0-9+.\-]*:[/\\]{2}")  # the page's own path has no part in it


HOLD = "\0hold"  # the answer of a judge: take the whole attribute away


def _url(tag: _Judged, attribute: Attribute, name: str) -> str | None:
    return HOLD if tag.reaches(attribute.value, name) else None


def _urls(tag: _Judged, attribute: Attribute, name: str) -> str | None:
    return HOLD if any(tag.reaches(url, name) for url in attribute.value.split()) else None


def _values(tag: _Judged, attribute: Attribute, name: str) -> str | None:
    return HOLD if any(tag.reaches(url, name) for url in dict.fromkeys(attribute.value.split(";"))) else None


def _srcset(tag: _Judged, attribute: Attribute, name: str) -> str | None:
    return HOLD if any(tag.reaches(url, name) for url in dict.fromkeys(candidates(attribute.value))) else None


def _css(tag: _Judged, attribute: Attribute, name: str) -> str | None:
    text = attribute.value
    edits = held_parts(text, lambda reference: tag.reaches(reference, name))
    if edits is None:
        return HOLD
    return cut(text, edits) if edits else None


def _link(tag: _Judged, attribute: Attribute, name: str) -> str | None:
    tokens = (tag.says(b"rel") or "").lower().split()
    if INERT_RELATIONS.issuperset(tokens):
        return None
    return _url(tag, attribute, name)


def _refresh(tag: _Judged, attribute: Attribute, name: str) -> str | None:
    if (tag.says(b"http-equiv") or "").lower() != "refresh":
        return None
    match = REFRESH.match(attribute.value)
    if match is None:
        return None
    named = REFRESH_URL.match(match[1])
    url = named[1] if named else match[1]
    if url[:1] in ("'", '"'):
        url = url[1:].partition(url[0])[0]
    if tag.reaches(url, "content"):
        tag.rename(b"http-equiv")
    return None


def _base(tag: _Judged, attribute: Attribute, name: str) -> str | None:
    tag.near = True  # and it changes what follows: never taken from another page's answer
    own = resolve(attribute.value, tag.bench.base)
    # on the page's own host it only says where relative references begin, and those are judged
    return None if own and own.host == tag.bench.base.host else _url(tag, attribute, name)


def _document(tag: _Judged, attribute: Attribute, name: str) -> str | None:
    reference = attribute.value
    if tag.reaches(reference, name):
        return HOLD
    script = script_in(reference)
    if script is not None:
        return HOLD if any(tag.judge(url, name) for url in held_hosts(script, tag.bench.judge)) else None
    document = document_in(reference)
    if document is None:
        return None
    tag.near = True
    changed, held = tag.bench.nest(document)
    tag.held += held
    return HOLD if held or changed != document else None


def _srcdoc(tag: _Judged, attribute: Attribute, name: str) -> str | None:
    document = attribute.value.encode("utf-8", "surrogateescape")
    tag.near = True
    changed, held = tag.bench.nest(document)
    tag.held += held
    return None if changed == document else changed.decode("utf-8", "surrogateescape")


def candidates(srcset: str) -> list[str]:
    """List the URLs of a srcset (WHATWG: parse a srcset attribute)."""
    return [match[1].rstrip(",") for match in CANDIDATE.finditer(srcset)]


CANDIDATE = re.compile(r"[\t\n\f\r ,]*+([^\t\n\f\r ]++)(?:(?<!,)(?:\([^)]*+\)?|[^,(])*+)?")
NO_LOADS: dict[bytes, Load] = {}
QUOTES = {2: b'"', 3: b"'", 4: b""}
TEXTS = {b"style": Text.STYLE, b"noscript": Text.NOSCRIPT}
ATTENTION = frozenset(
    {
        b"html",
        b"head",
        b"body",
        b"base",
        b"meta",
        b"svg",
        b"math",
        b"select",
        b"frameset",
        b"template",
        b"col",
    }
)
SPECIAL_NAMES = READ_NAMES | ATTENTION  # of all other elements only the attributes of ANYWHERE may count
JUDGES: dict[Load, Callable[[_Judged, Attribute, str], str | None]] = {
    Load.URL: _url,
    Load.URLS: _urls,
    Load.SRCSET: _srcset,
    Load.CSS: _css,
    Load.LINK: _link,
    Load.REFRESH: _refresh,
    Load.BASE: _base,
    Load.DOCUMENT: _document,
    Load.SRCDOC: _srcdoc,
    Load.VALUES: _values,
}
