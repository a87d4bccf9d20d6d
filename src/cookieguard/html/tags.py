"""One tag, judged: what is sent in its place, what was held in it, and how the text after it is read."""

from __future__ import annotations

import re
from functools import lru_cache, partial

from cookieguard.html.attributes import HOLD, JUDGED, JUDGED_ANYWHERE
from cookieguard.html.contact_points import (
    ALWAYS_READ,
    ATTENTION,
    CONTEXT_NAMES,
    JAVASCRIPT_TYPES,
    LINKS,
    LOADS,
    READ_NAMES,
    RULE_TYPES,
    TEXT_NAMES,
)
from cookieguard.html.embeds import EMBEDS, anchor_of, apply_edits, place_in
from cookieguard.html.fast.answers import record
from cookieguard.html.fast.byte_search import may_reach_others, meta_counts, name_of
from cookieguard.html.grammar import ATTRIBUTES
from cookieguard.html.tokenizer import character_references as charrefs
from cookieguard.html.tokenizer.scanner import all_attributes, attribute_of, named_attributes, names_anywhere
from cookieguard.html.types import (
    JUDGED_TEXTS,
    NO_TEXT,
    SCRIPT,
    STYLE,
    Attribute,
    Edit,
    Embed,
    Held,
    Room,
    Tag,
    TagContext,
    Text,
)
from cookieguard.html.urls import Url, readings

# Chromium's preload scanner asks for what a sheet imports at its start, whatever the sheet's type is, and ends its
# search at this; to a style sheet it means nothing, and to markup it is text.
STOPS_PRELOADS = b"-->"
# A page goes on without what it lacks in `onerror`. So where a tag has one, the address that is held gives way to one
# that fails at once and asks nobody. Scripts fail in place and in order, as a fetch: a `data:` URL without a comma is
# none. In a drawing `href` is what a script is from, and its text would run beside a `src`.
FAILS = {b"img": b' src=""', b"script": b' src="data:" href="data:"'}
NAMES_TO_KEEP = frozenset(
    {b"lang", b"xml:lang", b"http-equiv", b"name", b"content", b"encoding", b"color", b"face", b"size"}
)


def judge_tag(raw: bytes, context: TagContext) -> Tag:
    """Decide about one tag."""
    name, end = name_of(raw)
    if context.xml:  # a prefixed XHTML element is the element: fail closed about what the prefix stands for
        name = name.rpartition(b":")[2]
    if raw[1] == SLASH:
        return _closing(name) if end <= SHORT_NAME else Tag(name, closing=True, empty=False)
    if _has_nothing_to_judge(raw, name, end, context):
        return _plain(name, raw[-2:] == b"/>" and _is_empty(raw, _attributes(raw, end, xml=context.xml)))
    return _Judged(raw, name, end, context).tag()


def _has_nothing_to_judge(raw: bytes, name: bytes, end: int, context: TagContext) -> bool:
    """Tell by a look at its bytes that nothing in a tag can be held or changed; most tags end here."""
    if context.own_is_free and name not in ALWAYS_READ and not may_reach_others(raw):
        return True
    if name in READ_NAMES and (name != b"meta" or meta_counts(raw)):
        return False
    return not (context.marks_links and name in LINKS) and not names_anywhere(raw, end)


def neutral_script(raw: bytes) -> bytes:
    """Return a script's tag as one of a script that nobody runs: in HTML the first of two types counts."""
    return raw[:SCRIPT_NAME] + b' type="text/plain"' + raw[SCRIPT_NAME:]


@lru_cache(maxsize=512)
def _closing(name: bytes) -> Tag:
    return Tag(name, closing=True, empty=False)


def _plain(name: bytes, empty: bool) -> Tag:  # noqa: FBT001  # positional for the cache
    """Return what is known of a tag that nothing is to be done about; a page may not fill the cache with long names."""
    return _dull(name, empty) if len(name) <= SHORT_NAME else _dull.__wrapped__(name, empty)


@lru_cache(maxsize=512)
def _dull(name: bytes, empty: bool) -> Tag:  # noqa: FBT001  # positional for the cache
    """Return what is known of every tag of this name that nothing is to be done about."""
    return Tag(name, empty=empty, plain=name not in ATTENTION or name == b"meta")


class _Judged:
    """Judge one start tag. Owns the edits made to it."""

    def __init__(self, raw: bytes, name: bytes, end: int, context: TagContext) -> None:
        self.raw, self.name, self.name_end = raw, name, end
        self.context = context
        self.attributes = _attributes(raw, end, xml=context.xml)
        self.first: dict[bytes, Attribute] = {}
        for attribute in self.attributes:
            self.first.setdefault(attribute.name, attribute)
        self.held: list[Held] = []
        self.edits: list[Edit] = []
        self.near = False
        self.hold_type = False
        self.fails = False  # what it names cannot be loaded, and its `onerror` hears of it
        self.lost = ""

    def tag(self) -> Tag:
        text = drawn = self._text()
        said = self.says(b"data-cg")
        exempt = said == "necessary"
        if not exempt:
            self._judge_attributes()
            if self.context.marks_links:
                self._mark_link()
        if exempt and text in JUDGED_TEXTS:
            text = DATA if self.name == b"script" else RAW
        if self.name == b"script" and (self._loads_held() or (said == "hold" and self.context.holds_marked)):
            self.hold_type, text = True, DATA
        drawn = text if exempt or self.hold_type else drawn
        if self.name == b"script" and b"src" in self.first:
            text = DATA
        live = self._written(neutral=self.hold_type) if self.edits or self.hold_type else None
        plain = text is NO_TEXT and live is None and not self.held
        empty = _is_empty(self.raw, self.attributes)
        if plain and not self.near and not self.lost and self.name not in NOTED_NAMES:
            return _plain(self.name, empty)
        return Tag(
            name=self.name,
            closing=False,
            empty=empty,
            live=live,
            inert=self._inert() if (drawn if self.context.xml else text) in JUDGED_TEXTS else b"",
            held=tuple(self.held),
            text=text,
            drawn=drawn,
            near=self.near,
            attributes=self._kept() if self.name in CONTEXT_NAMES else (),
            base=self._base() if self.name == b"base" else None,
            plain=plain and self.name not in ATTENTION,
            room=self._room() if self.held and self.name in EMBEDS else None,
            lost=self.lost,
        )

    def _loads_held(self) -> bool:
        """Return whether the script itself is held, and not only what else its tag says."""
        return any(one.attribute.encode("latin-1") in SCRIPT_SOURCES for one in self.held)

    def _room(self) -> Room | None:
        """Return where a placeholder may stand, where it is the embedded thing that is held."""
        attribute = self.first.get(EMBEDS[self.name])
        if attribute is None or not any(start == attribute.start for start, _, _ in self.edits):
            return None
        return room_of(self.raw, self.name, self.name_end, self.edits, tuple(self.held), xml=self.context.xml)

    def _mark_link(self) -> None:
        if self.name not in LINKS or not (href := self.says(b"href")):
            return
        if any(self.context.is_foreign(url) for url in readings(href, self.context.base)):
            relations = self.first.get(b"rel")
            if relations is None:
                self.edits.append((self.name_end, self.name_end, b' rel="noreferrer"'))
            elif relations.span == (-1, -1):
                self.rename(b"rel")
                self.edits.append((self.name_end, self.name_end, b' rel="noreferrer"'))
            elif "noreferrer" not in relations.value.lower().split():
                self._replace(relations, f"{relations.value} noreferrer")

    def lift(self, reference: str) -> None:
        """Give what is loaded in this one document a name to come back to (a fragment)."""
        if self.name in EMBEDS and any(map(self.context.is_lifted, readings(reference, self.context.base))):
            every = _attributes(self.raw, self.name_end, xml=self.context.xml, every=True)
            first = {one.name: one for one in reversed(every)}
            if b"id" not in first:
                name = anchor_of(first, EMBEDS[self.name]).encode("ascii")
                self.edits.append((self.name_end, self.name_end, b' id="%b"' % name))

    def reaches(self, reference: str, attribute: bytes) -> bool:
        """Judge one reference; note what is held."""
        if not reference or reference.startswith("#"):
            return False
        for url in readings(reference, self.context.base):
            self.near = self.near or not FAR.match(reference)
            if self.judge(url, attribute):
                return True
        return False

    def judge(self, url: Url, attribute: bytes) -> bool:
        """Judge one URL; note it where it is held."""
        ruling = self.context.judge(url)
        if ruling is None:
            return False
        names = (self.name.decode("latin-1"), attribute.decode("latin-1"))
        self.held.append(record(Held, (*names, url, ruling.purpose, ruling.vendor)))
        return True

    def _judge_attributes(self) -> None:
        judged = JUDGED.get(self.name, JUDGED_ANYWHERE)
        for name, attribute in self.first.items():
            judge = judged.get(name)
            if judge is None or not attribute.raw:
                continue
            replaced = judge(self, attribute, name)
            if replaced is HOLD:
                self.rename(name)
            elif replaced is not None:
                self._replace(attribute, replaced)

    def rename(self, name: bytes) -> None:
        """Take the attribute and its duplicates out of the way: without the first, the second would count."""
        if name == b"src" and self._has_way_on():
            self.fails = True
            self.edits.append((self.name_end, self.name_end, FAILS[self.name]))
        renamed = b"data-cg-" + name.replace(b":", b"-")
        for attribute in self.attributes:
            if attribute.name == name:
                self.edits.append((attribute.start, self._name_end(attribute), renamed))

    def _has_way_on(self) -> bool:
        """Return whether the page goes on without what this names, and in no circle: scripts fail once.

        A picture whose way on is another one that is held would fail for ever.
        """
        way_on = self.first.get(b"onerror")
        if way_on is None or self.name not in FAILS or self.context.xml:
            return False
        return self.name == b"script" or b"//" not in way_on.raw

    def _name_end(self, attribute: Attribute) -> int:
        """Return where the name of an attribute ends; in XML its spelling may have another prefix."""
        spelling = _spelling(self.raw, attribute.start) if self.context.xml else attribute.name
        return attribute.start + len(spelling)

    def _replace(self, attribute: Attribute, text: str) -> None:
        quote = attribute.quote or b'"'
        written = charrefs.encode_attribute(text, quote.decode())
        value = written.encode("ascii") if written.isascii() else _encoded(written)
        start, end = attribute.span
        self.edits.append((start, end, value if attribute.quote else quote + value + quote))

    def _written(self, *, neutral: bool) -> bytes | None:
        """Write the tag with its edits; `neutral` gives it a type that nobody runs, unless it fails to load."""
        edits = list(self.edits)
        if neutral and not self.fails:
            edits.append((self.name_end, self.name_end, b' type="text/plain"'))
            edits += [
                (one.start, self._name_end(one), b"data-cg-type")
                for one in self.attributes
                if one.name == b"type"
            ]
        return apply_edits(self.raw, edits) if edits else None

    def _inert(self) -> bytes:
        inert = self._written(neutral=True) or b""
        return inert + STOPS_PRELOADS if self.name == b"style" else inert

    def says(self, name: bytes) -> str | None:
        attribute = self.first.get(name)
        return None if attribute is None else attribute.value

    def _text(self) -> Text:
        if self.name not in TEXT_NAMES:
            return NO_TEXT
        return TEXTS.get(self.name, RAW) if self.name != b"script" else self._script_text()

    def _script_text(self) -> Text:
        # An svg script runs its `href`; in HTML that attribute means nothing and the text runs: judge it.
        text = script_text(self.says(b"type"), self.says(b"language"))
        return text if text is not SCRIPT or self.context.reads_scripts else DATA

    def _kept(self) -> tuple[tuple[bytes, str], ...]:
        return tuple((name, self.says(name) or "") for name in self.first if name in NAMES_TO_KEEP)

    def _base(self) -> str | None:
        return None if self.held else self.says(b"href")


def room_of(
    raw: bytes, name: bytes, name_end: int, edits: list[Edit], held: tuple[Held, ...], *, xml: bool
) -> Room:
    """Return where a placeholder may stand: many pages have none, so the tag is read again where one does."""
    return Room(partial(_embed_in, raw, name, name_end, edits, held, xml))


def _embed_in(
    raw: bytes,
    name: bytes,
    name_end: int,
    edits: list[Edit],
    held: tuple[Held, ...],
    xml: bool,  # noqa: FBT001  # positional for a partial
) -> Embed | None:
    every = _attributes(raw, name_end, xml=xml, every=True)
    return place_in(raw, name, name_end, attributes=every, edits=edits, held=held)


def script_text(kind: str | None, language: str | None) -> Text:
    """Say how the text of a script without `src` is read, by its type and language."""
    if kind is None and language:
        kind = f"text/{language}"
    kind = (kind or "text/javascript").strip("\t\n\f\r ").lower()
    if kind in RULE_TYPES:
        return Text.RULES
    return SCRIPT if kind.partition(";")[0].strip() in JAVASCRIPT_TYPES else DATA


def _is_empty(raw: bytes, attributes: list[Attribute]) -> bool:
    """Return whether the tag closes itself: `/` counts right before `>` and outside of an unquoted value."""
    if raw[-2:] != b"/>":
        return False
    last = attributes[-1] if attributes else None
    return last is None or last.span[1] != len(raw) - 1 or last.quote != b""


def _encoded(text: str) -> bytes:
    """Write what is not ASCII as references, but for the bytes that were no text: those stay."""
    return b"".join(
        character.encode("utf-8", "surrogateescape")
        if "\udc80" <= character <= "\udcff"
        else character.encode("ascii", "xmlcharrefreplace")
        for character in text
    )


def _spelling(raw: bytes, start: int) -> bytes:
    match = ATTRIBUTES.match(raw, start)
    return match[1] if match else b""


def _attributes(raw: bytes, position: int, *, xml: bool, every: bool = False) -> list[Attribute]:
    """List the attributes with a name that is read, and the last one; in XML and on request `every` one."""
    if not xml:
        return all_attributes(raw, position) if every else named_attributes(raw, position)
    found: list[Attribute] = []
    for match in ATTRIBUTES.finditer(raw, position, len(raw) - 1):
        name = match[1].lower()
        if name.partition(b":")[2] == b"href":
            name = b"xlink:href"  # whatever the prefix is
        found.append(attribute_of(match, name))
    return found


FAR = re.compile(r"[/\\]|[a-zA-Z][a-zA-Z0-9+.\-]*:[/\\]{2}")  # the page's own path has no part in it
TEXTS = {b"style": STYLE, b"noscript": Text.NOSCRIPT}
RAW, DATA = Text.RAW, Text.DATA
SLASH = ord("/")
SHORT_NAME = 64
SCRIPT_NAME = len(b"<script")
SCRIPT_SOURCES = frozenset(LOADS[b"script"])
NOTED_NAMES = ATTENTION | CONTEXT_NAMES
