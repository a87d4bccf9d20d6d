"""The decision about one tag: the bytes to send instead, the held URLs in it, and how the text after it is read."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from cookieguard.html.attributes import HOLD, JUDGED, JUDGED_ANYWHERE, JudgedTag, attributes_of
from cookieguard.html.contact_points import (
    ALWAYS_READ,
    ANYWHERE,
    ATTENTION,
    CONTEXT_NAMES,
    JAVASCRIPT_TYPES,
    LINKS,
    LOADS,
    NAMES,
    READ_NAMES,
    RULE_TYPES,
    SPECIAL_NAMES,
    TEXT_NAMES,
)
from cookieguard.html.embeds import EMBEDS, apply_edits, place_in
from cookieguard.html.fast.byte_search import may_reach_others, meta_counts, name_of
from cookieguard.html.tokenizer import character_references as charrefs
from cookieguard.html.types import (
    JUDGED_TEXTS,
    NO_TEXT,
    NOSCRIPT,
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
from cookieguard.html.urls import readings

# Chromium's preload scanner fetches the imports at the start of a sheet of any type, but stops its search at `-->`. CSS
# ignores these characters, and HTML reads them as text.
STOPS_PRELOADS = b"-->"
LONGEST_NAME = 64  # bytes; the longest attribute name that is judged has 18
NAMES_TO_KEEP = frozenset(
    {b"lang", b"xml:lang", b"http-equiv", b"name", b"content", b"encoding", b"color", b"face", b"size"}
)


def judge_tag(raw: bytes, context: TagContext) -> Tag:
    """Return the decision about one tag."""
    name, end = name_of(raw)
    if context.xml:  # fail closed: any prefix may be bound to the namespace of XHTML
        name = name.rpartition(b":")[2]
    if raw[1] == SLASH:
        return end_tag(name)
    if _has_nothing_to_judge(raw, name, end, context):
        return dull_tag(name, raw[-2:] == b"/>" and _is_empty(raw, attributes_of(raw, end, xml=context.xml)))
    return _StartTagJudge(raw, name, end, context).tag()


def _has_nothing_to_judge(raw: bytes, name: bytes, end: int, context: TagContext) -> bool:
    """Return whether the bytes of a tag show that it needs no change, as for most tags."""
    stays = context.own_is_free and name not in ALWAYS_READ and not may_reach_others(raw)
    if stays and raw.lower().find(b"action") < 0:  # `action` of a form, or `formaction` of its button
        return True
    if name in READ_NAMES and (name != b"meta" or meta_counts(raw)):
        return False
    return not (context.marks_links and name in LINKS) and not _names_anywhere(raw, end)


def is_open_ended(raw: bytes) -> bool:
    """Return whether the last part of an unfinished tag is never judged, whatever follows.

    It is the value of an attribute that is not read, or a name longer than all names that are."""
    name, end = name_of(raw)
    read = NAMES if name in SPECIAL_NAMES else ANYWHERE
    for last in attributes_of(raw, end, xml=False)[-1:]:
        return last.name not in read and (last.value_start >= 0 or len(last.name) > LONGEST_NAME)
    return True


def neutral_script(raw: bytes) -> bytes:
    """Return a script's tag with a type that browsers do not run. It comes first, and in HTML the first one counts."""
    return raw[:SCRIPT_NAME] + b' type="text/plain"' + raw[SCRIPT_NAME:]


def end_tag(name: bytes) -> Tag:
    """Return the decision about an end tag. Long names are not cached, so that a page cannot fill the cache."""
    return _closing(name) if len(name) <= SHORT_NAME else _closing.__wrapped__(name)


@lru_cache(maxsize=512)
def _closing(name: bytes) -> Tag:
    return Tag(name, closing=True, empty=False)


def dull_tag(name: bytes, empty: bool) -> Tag:  # noqa: FBT001  # positional for the cache
    """Return the decision about a start tag that passes unchanged."""
    return _dull(name, empty) if len(name) <= SHORT_NAME else _dull.__wrapped__(name, empty)


@lru_cache(maxsize=512)
def _dull(name: bytes, empty: bool) -> Tag:  # noqa: FBT001  # as above
    return Tag(name, empty=empty, plain=name not in ATTENTION or name == b"meta")


class _StartTagJudge(JudgedTag):
    """Judge the attributes of one start tag and how its text is read."""

    hold_type = False

    def tag(self) -> Tag:
        text = drawn = self._text()
        marking = self.says(b"data-cg")
        exempt = marking == "necessary" and self.name != b"form" and b"formaction" not in self.first
        if not exempt:
            self._judge_attributes()
            if self.context.marks_links:
                self._mark_link()
        if exempt and text in JUDGED_TEXTS:
            text = DATA if self.name == b"script" else RAW
        if self.name == b"script" and (
            self._loads_held() or (marking == "hold" and self.context.holds_marked)
        ):
            self.hold_type, text = True, DATA
        drawn = text if exempt or self.hold_type else drawn
        if self.name == b"script" and b"src" in self.first:
            text = DATA
        live = self._written(neutral=self.hold_type) if self.edits or self.hold_type else None
        plain = text is NO_TEXT and live is None and not self.held
        empty = _is_empty(self.raw, self.attributes)
        if plain and not self.near and not self.lost and self.name not in NOTED_NAMES:
            return dull_tag(self.name, empty)
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
            attributes=self._attributes_to_keep() if self.name in CONTEXT_NAMES else (),
            base=self._base() if self.name == b"base" else None,
            plain=plain and self.name not in ATTENTION,
            room=self._room() if self.held and self.name in EMBEDS else None,
            lost=self.lost,
        )

    def _loads_held(self) -> bool:
        """Return whether the script's own URL is held, and not only another attribute of its tag."""
        return any(held.attribute.encode("latin-1") in SCRIPT_SOURCES for held in self.held)

    def _room(self) -> Room | None:
        """Return how a placeholder may replace this element; None unless the embedded URL itself is held."""
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
            elif relations.value_start < 0:
                self.rename(b"rel")
                self.edits.append((self.name_end, self.name_end, b' rel="noreferrer"'))
            elif "noreferrer" not in relations.value.lower().split():
                self._replace(relations, f"{relations.value} noreferrer")

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

    def _replace(self, attribute: Attribute, text: str) -> None:
        quote = attribute.quote or b'"'
        written = charrefs.encode_attribute(text, quote.decode())
        value = written.encode("ascii") if written.isascii() else _encoded(written)
        self.edits.append(
            (attribute.value_start, attribute.end, value if attribute.quote else quote + value + quote)
        )

    def _written(self, *, neutral: bool) -> bytes | None:
        """Return the edited tag, or None if it is unchanged. `neutral` adds a type that browsers ignore."""
        edits = list(self.edits)
        if neutral and not self.fails:
            edits.append((self.name_end, self.name_end, b' type="text/plain"'))
            edits += [
                (attribute.start, self._name_end(attribute), b"data-cg-type")
                for attribute in self.attributes
                if attribute.name == b"type"
            ]
        return apply_edits(self.raw, edits) if edits else None

    def _inert(self) -> bytes:
        inert = self._written(neutral=True) or b""
        return inert + STOPS_PRELOADS if self.name == b"style" else inert

    def _text(self) -> Text:
        if self.name not in TEXT_NAMES:
            return NO_TEXT
        return TEXTS.get(self.name, RAW) if self.name != b"script" else self._script_text()

    def _script_text(self) -> Text:
        # Scripts with an `href` are judged too: SVG loads the address, but HTML ignores it and runs the text.
        text = script_text(self.says(b"type"), self.says(b"language"))
        return text if text is not SCRIPT or self.context.reads_scripts else DATA

    def _attributes_to_keep(self) -> tuple[tuple[bytes, str], ...]:
        return tuple((name, self.says(name) or "") for name in self.first if name in NAMES_TO_KEEP)

    def _base(self) -> str | None:
        return None if self.held or self.lost else self.says(b"href")


def room_of(
    raw: bytes, name: bytes, name_end: int, edits: list[Edit], held: tuple[Held, ...], *, xml: bool
) -> Room:
    """Return a function that reads the tag for a placeholder only when one is made: many pages make none."""
    return _Room(raw, name, name_end, edits, held, xml)


class _Room:
    """Read a held tag again for its placeholder. Owns the result, because a cache would be slower."""

    def __init__(self, *arguments: Any) -> None:
        self._arguments = arguments

    def __call__(self) -> Embed | None:
        if self._arguments:
            self._embed, self._arguments = _embed_in(*self._arguments), ()
        return self._embed


def _embed_in(
    raw: bytes,
    name: bytes,
    name_end: int,
    edits: list[Edit],
    held: tuple[Held, ...],
    xml: bool,  # noqa: FBT001  # positional for a partial
) -> Embed | None:
    every = attributes_of(raw, name_end, xml=xml, every=True)
    return place_in(raw, name, name_end, attributes=every, edits=edits, held=held)


def script_text(kind: str | None, language: str | None) -> Text:
    """Return how the text of a script without `src` is read, by its type and language."""
    if kind is None and language:
        kind = f"text/{language}"
    kind = (kind or "text/javascript").strip("\t\n\f\r ").lower()
    if kind in RULE_TYPES:
        return Text.RULES
    return SCRIPT if kind.partition(";")[0].strip() in JAVASCRIPT_TYPES else DATA


def _is_empty(raw: bytes, attributes: list[Attribute]) -> bool:
    """Return whether the tag closes itself: its `/` comes right before `>` and belongs to no unquoted value."""
    if raw[-2:] != b"/>":
        return False
    last = attributes[-1] if attributes else None
    return last is None or last.end != len(raw) - 1 or last.quote != b""


def _encoded(text: str) -> bytes:
    """Return text with character references for all that is not ASCII; bytes that were invalid UTF-8 stay."""
    return b"".join(
        character.encode("utf-8", "surrogateescape")
        if "\udc80" <= character <= "\udcff"
        else character.encode("ascii", "xmlcharrefreplace")
        for character in text
    )


def _names_anywhere(raw: bytes, position: int) -> bool:
    """Return whether a start tag, whose name ends at `position`, has an attribute of ANYWHERE with a value."""
    if NAMED_ANYWHERE.search(raw.lower(), position) is None:  # a case-insensitive search would be slower
        return False
    return any(
        attribute.raw and attribute.name in ANYWHERE for attribute in attributes_of(raw, position, xml=False)
    )


NAMED_ANYWHERE = re.compile(rb"[\t\n\f\r /\"'](?:" + b"|".join(sorted(ANYWHERE)) + rb")")
TEXTS = {b"style": STYLE, b"noscript": NOSCRIPT}
RAW, DATA = Text.RAW, Text.DATA
SLASH = ord("/")
SHORT_NAME = 64
SCRIPT_NAME = len(b"<script")
SCRIPT_SOURCES = frozenset(LOADS[b"script"])
NOTED_NAMES = ATTENTION | CONTEXT_NAMES
