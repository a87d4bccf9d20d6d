"""The judges of a tag's attributes: one for each way in which a value names a URL, and what replaces a held value."""

from __future__ import annotations

import re
from collections.abc import Callable

from cookieguard.html.contact_points import ANYWHERE, INERT_RELATIONS, LOADS, NAMES, SHIFTING_CHARSETS, Load
from cookieguard.html.css.stylesheet import cut, held_parts
from cookieguard.html.data_urls import documents_in, is_unread, is_xml
from cookieguard.html.embeds import EMBEDS, anchor_of
from cookieguard.html.fast.answers import record
from cookieguard.html.grammar import ATTRIBUTES
from cookieguard.html.referrer_policy import tighten
from cookieguard.html.types import ANYBODY, Attribute, Edit, Held, TagContext, nobody
from cookieguard.html.urls import Url, readings, resolve

# A style without any of these characters loads nothing, so it is not parsed: `url(` needs the bracket, and a backslash
# or a character reference may spell it.
CSS_MAY_LOAD = re.compile(rb"[(\\&]")
# The seconds may be any characters, because browsers differ: Chromium accepts exponents and any white space there.
REFRESH = re.compile(
    r"[\t\n\f\r ]*[^\t\n\f\r ;,]*[\t\n\f\r ]*(?:[;,][\t\n\f\r ]*|(?<=[\t\n\f\r ]))(.*)", re.DOTALL
)
REFRESH_URL = re.compile(r"[uU][rR][lL][\t\n\f\r ]*=[\t\n\f\r ]*(.*)", re.DOTALL)
CHARSET = re.compile(r"charset[\t\n\f\r ]*=[\t\n\f\r \"']*([^\t\n\f\r ;\"']+)", re.IGNORECASE)


# Pages use `onerror` to go on without something that did not load. So if a held tag has this attribute, its address is
# replaced by one that fails at once without a request. `data:` without a comma is an invalid URL, which makes a script
# fail in its turn, like a failed fetch. `href` is for scripts in SVG, which ignore `src` and would run their text.
FAILS = {b"img": b' src=""', b"script": b' src="data:" href="data:"'}
FAR = re.compile(r"[/\\]|[a-zA-Z][a-zA-Z0-9+.\-]*:[/\\]{2}")  # a reference that ignores the page's own path
QUOTES = (b"", b"", b'"', b"'", b"")  # the quote, by the group of ATTRIBUTES that matched the value


class JudgedTag:
    """Judge the references in the attributes of one start tag. Owns the list of held URLs and the edits."""

    def __init__(self, raw: bytes, name: bytes, end: int, context: TagContext) -> None:
        self.raw, self.name, self.name_end = raw, name, end
        self.context = context
        self.attributes = attributes_of(raw, end, xml=context.xml)
        self.first: dict[bytes, Attribute] = {}
        for attribute in self.attributes:
            self.first.setdefault(attribute.name, attribute)
        self.held: list[Held] = []
        self.edits: list[Edit] = []
        self.near = False
        self.fails = False  # whether its address is replaced by one that fails (FAILS)
        self.lost = ""

    def says(self, name: bytes) -> str | None:
        attribute = self.first.get(name)
        return None if attribute is None else attribute.value

    def lift(self, reference: str) -> None:
        """Give an element that only this document may load an id, so that a link can lead back to it."""
        if self.name in EMBEDS and any(map(self.context.is_lifted, readings(reference, self.context.base))):
            every = attributes_of(self.raw, self.name_end, xml=self.context.xml, every=True)
            first = {attribute.name: attribute for attribute in reversed(every)}
            if b"id" not in first:
                name = anchor_of(first, EMBEDS[self.name]).encode("ascii")
                self.edits.append((self.name_end, self.name_end, b' id="%b"' % name))

    def reaches(self, reference: str, attribute: bytes) -> bool:
        """Return whether a reference may reach a held URL, and record that URL."""
        if not reference or reference.startswith("#"):
            return False
        for url in readings(reference, self.context.base):
            self.near = self.near or not FAR.match(reference)
            if self.judge(url, attribute):
                return True
        return False

    def judge(self, url: Url, attribute: bytes) -> bool:
        """Return whether a URL is held, and record it if so."""
        ruling = self.context.judge(url)
        if ruling is None:
            return False
        names = (self.name.decode("latin-1"), attribute.decode("latin-1"))
        self.held.append(record(Held, (*names, url, ruling.purpose, ruling.vendor)))
        return True

    def rename(self, name: bytes) -> None:
        """Rename an attribute and its duplicates, because a duplicate would take effect without the first one."""
        if name == b"src" and self._can_go_on():
            self.fails = True
            self.edits.append((self.name_end, self.name_end, FAILS[self.name]))
        renamed = b"data-cg-" + name.replace(b":", b"-")
        for attribute in self.attributes:
            if attribute.name == name:
                self.edits.append((attribute.start, self._name_end(attribute), renamed))

    def _can_go_on(self) -> bool:
        """Return whether `onerror` lets the page go on without this element.

        A picture's handler with an address in it does not count: if that address is held as well, the picture would
        fail again and again. Scripts fail only once.
        """
        onerror = self.first.get(b"onerror")
        if onerror is None or self.name not in FAILS or self.context.xml:
            return False
        return self.name == b"script" or b"//" not in onerror.raw

    def _name_end(self, attribute: Attribute) -> int:
        """Return where the name of an attribute ends; in XML the page may spell it with another prefix."""
        spelling = _spelling(self.raw, attribute.start) if self.context.xml else attribute.name
        return attribute.start + len(spelling)


def _spelling(raw: bytes, start: int) -> bytes:
    match = ATTRIBUTES.match(raw, start)
    return match[1] if match else b""


def attributes_of(raw: bytes, position: int, *, xml: bool, every: bool = False) -> list[Attribute]:
    """Return the attributes whose names are read, and the last one; in XML, or with `every`, return all."""
    found: list[Attribute] = []
    last = len(raw) - 1
    for match in ATTRIBUTES.finditer(raw, position, last):
        name = match[1].lower()
        if xml and name.partition(b":")[2] == b"href":
            name = b"xlink:href"  # any prefix may be bound to XLink's namespace
        if every or xml or name in NAMES or match.end() >= last - 1:
            group = match.lastindex or 1
            value = (match[group], *match.span(group)) if group > 1 else (b"", -1, -1)
            found.append(Attribute(name, match.start(), *value, QUOTES[group]))
    return found


LATE_CHARSET = "the encoding in a page's meta element was not used: name it in the Content-Type header"
FORM_TO_US = "a form that posts to one of cookieguard's pages was disabled: link to that page instead"
STILL = {b"method": b"dialog", b"type": b"button"}  # values with which a click sends nothing
HOLD = "\0hold"  # a judge returns it to have the whole attribute renamed


def _url(tag: JudgedTag, attribute: Attribute, name: bytes) -> str | None:
    return HOLD if tag.reaches(attribute.value, name) else None


def _urls(tag: JudgedTag, attribute: Attribute, name: bytes) -> str | None:
    return HOLD if any(tag.reaches(url, name) for url in attribute.value.split()) else None


def _pings(tag: JudgedTag, attribute: Attribute, name: bytes) -> str | None:
    if _urls(tag, attribute, name) is HOLD:
        return HOLD
    found = (url for ping in attribute.value.split() for url in readings(ping, tag.context.base))
    return HOLD if any(map(tag.context.is_foreign, found)) else None


def _referrer(_: JudgedTag, attribute: Attribute, __: bytes) -> str | None:
    tightened = tighten(attribute.value)
    return None if tightened == attribute.value else tightened


def _values(tag: JudgedTag, attribute: Attribute, name: bytes) -> str | None:
    """Judge the values that an SVG animation sets: references, or properties with `url()`."""
    if any(tag.reaches(url, name) for url in dict.fromkeys(attribute.value.split(";"))):
        return HOLD
    return None if _css(tag, attribute, name) is None else HOLD


def _srcset(tag: JudgedTag, attribute: Attribute, name: bytes) -> str | None:
    return HOLD if any(tag.reaches(url, name) for url in dict.fromkeys(candidates(attribute.value))) else None


def _css(tag: JudgedTag, attribute: Attribute, name: bytes) -> str | None:
    if not CSS_MAY_LOAD.search(attribute.raw):
        return None
    text = attribute.value
    edits = held_parts(text, lambda reference: tag.reaches(reference, name))
    if edits is None:
        return HOLD
    return cut(text, edits) if edits else None


def _link(tag: JudgedTag, attribute: Attribute, name: bytes) -> str | None:
    tokens = (tag.says(b"rel") or "").lower().split()
    if INERT_RELATIONS.issuperset(tokens):
        return None
    return _url(tag, attribute, name)


def _charset(tag: JudgedTag, attribute: Attribute, name: bytes) -> str | None:
    """Remove a charset that a scanner of bytes cannot read, because the bytes before it were read in another one."""
    if not _shifts(attribute.value.strip("\t\n\f\r ")):
        return None
    tag.lost = LATE_CHARSET
    return HOLD


def _shifts(label: str) -> bool:
    return label.lower().encode("utf-8", "surrogateescape") in SHIFTING_CHARSETS


def _content(tag: JudgedTag, attribute: Attribute, name: bytes) -> str | None:
    """Judge the `content` of a meta element by its `http-equiv` or `name`."""
    judge_content = META_JUDGES.get((tag.says(b"http-equiv") or "").lower())
    if judge_content is not None:
        return judge_content(tag, attribute, name)
    return _referrer(tag, attribute, name) if (tag.says(b"name") or "").lower() == "referrer" else None


def _content_type(tag: JudgedTag, attribute: Attribute, name: bytes) -> str | None:
    label = CHARSET.search(attribute.value)
    if label is None or not _shifts(label[1]):
        return None
    tag.lost = LATE_CHARSET
    return HOLD


def _refresh(tag: JudgedTag, attribute: Attribute, name: bytes) -> str | None:
    match = REFRESH.match(attribute.value)
    if match is None:
        return None
    named = REFRESH_URL.match(match[1])
    url = named[1] if named else match[1]
    if url[:1] in ("'", '"'):
        url = url[1:].partition(url[0])[0]
    if _loads_document(tag, url, b"content"):  # in a frame, a refresh may lead to a data: URL
        tag.rename(b"http-equiv")
    return None


def _base(tag: JudgedTag, attribute: Attribute, name: bytes) -> str | None:
    tag.near = True  # the base depends on the page's address, so other pages must not reuse this decision
    own = resolve(attribute.value, tag.context.base)
    # With such a base, relative actions of all the page's forms, even of earlier ones, would lead to our pages.
    if own and any(map(tag.context.acts, (own, *readings("-", own)))):
        tag.lost = FORM_TO_US
        return HOLD
    # A base on the page's own host passes: the references that it changes are judged one by one.
    return None if own and own.host == tag.context.base.host else _url(tag, attribute, name)


def _form(tag: JudgedTag, attribute: Attribute, name: bytes) -> str | None:
    """Disable a form that would post to one of our pages, because it would act in the visitor's name."""
    tag.near = tag.near or not FAR.match(attribute.value)
    if not any(map(tag.context.acts, readings(attribute.value, tag.context.base))):
        return None
    tag.lost, how = FORM_TO_US, b"method" if tag.name == b"form" else b"type"
    tag.rename(how)
    tag.edits.append((tag.name_end, tag.name_end, b' %b="%b"' % (how, STILL[how])))
    return HOLD


def _document(tag: JudgedTag, attribute: Attribute, name: bytes) -> str | None:
    reference = attribute.value
    if _loads_document(tag, reference, name):
        return HOLD
    if tag.context.is_lifted is not nobody:
        tag.lift(reference)
    return None


def _later(tag: JudgedTag, attribute: Attribute, name: bytes) -> str | None:
    return HOLD if _loads_document(tag, attribute.value, name) else None


def _loads_document(tag: JudgedTag, reference: str, name: bytes) -> bool:
    """Return whether a reference reaches a held host, directly or by the document inside a `data:` URL."""
    if tag.reaches(reference, name):
        return True
    for document in documents_in(reference):
        if is_unread(reference, document) and tag.context.judge(ANYBODY) is not None:
            return True  # fail closed: its encoding cannot be read, so it may contact any host
        tag.near = True
        changed, held = tag.context.nest(document, is_xml(reference))
        tag.held += held
        if held or changed != document:
            return True
    return False


def _srcdoc(tag: JudgedTag, attribute: Attribute, name: bytes) -> str | None:
    document = attribute.value.encode("utf-8", "surrogateescape")
    tag.near = True
    changed, held = tag.context.nest(document, False)  # noqa: FBT003  # as compiled functions want it
    tag.held += held
    return None if changed == document else changed.decode("utf-8", "surrogateescape")


def candidates(srcset: str) -> list[str]:
    """Return the URLs of a srcset, as WHATWG's "parse a srcset attribute" finds them."""
    return [match[1].rstrip(",") for match in CANDIDATE.finditer(srcset)]


CANDIDATE = re.compile(r"[\t\n\f\r ,]*+([^\t\n\f\r ]++)(?:(?<!,)(?:\([^)]*+\)?|[^,(])*+)?")
META_JUDGES = {"content-type": _content_type, "refresh": _refresh}
AttributeJudge = Callable[[JudgedTag, Attribute, bytes], str | None]
JUDGES: dict[Load, AttributeJudge] = {
    Load.URL: _url,
    Load.URLS: _urls,
    Load.SRCSET: _srcset,
    Load.CSS: _css,
    Load.LINK: _link,
    Load.CHARSET: _charset,
    Load.REFRESH: _content,
    Load.BASE: _base,
    Load.DOCUMENT: _document,
    Load.SRCDOC: _srcdoc,
    Load.VALUES: _values,
    Load.PING: _pings,
    Load.REFERRER: _referrer,
    Load.LATER: _later,
    Load.FORM: _form,
}
JUDGED_ANYWHERE = {name: JUDGES[load] for name, load in ANYWHERE.items()}
JUDGED = {
    element: JUDGED_ANYWHERE | {name: JUDGES[load] for name, load in loads.items()}
    for element, loads in LOADS.items()
}
