"""Constructs in which tags have no meaning (comments, raw text, CDATA, scripts): their ends, found across chunks."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from cookieguard.html.grammar import AFTER_NAME, any_case
from cookieguard.html.tokenizer.markup_declarations import Kind
from cookieguard.html.tokenizer.output import Output

EndTags = tuple[bytes, ...]  # elements whose end tag ends any construct (Context.ends in tree_state.py)

# Reports for the owner about parts of a page that were removed although they are not held.
LOST_CDATA = "a CDATA section was left out of a page, because browsers differ about where it ends"
LOST_SHEET = "the rest of a style sheet was left out of a page, because one of its rules is longer than 1 MB"
MOST_PATTERNS = 256
# A dict instead of lru_cache, because compiled code reads it without a call for every text in SVG.
PATTERNS: dict[tuple[bytes, EndTags], re.Pattern[bytes]] = {}
LONGEST_PARTIAL = 12  # bytes that may begin an end, such as `</plaintext`


@dataclass(frozen=True, slots=True)
class Construct:
    """One kind of construct: patterns of its end and of a partial end, and the bytes that close it early."""

    end: bytes
    partial: bytes
    closer: bytes
    dropped: bool = False
    is_text: bool = False  # it ends before an end tag, which is not part of it

    def carried(self, data: bytes, position: int, ends: EndTags) -> int:
        """Return where the bytes begin that have to be searched again with the next chunk."""
        partial = self.partial + rb"|<(?:/[a-zA-Z]{0,9})?" if ends else self.partial
        return carried(partial, data, position)


def pattern_of(end: bytes, ends: EndTags) -> re.Pattern[bytes]:
    """Return the compiled pattern `end`; its group `forced` matches if the end tag of an element in `ends` ends it."""
    known = PATTERNS.get((end, ends))
    return _pattern(end, ends) if known is None else known


def _pattern(end: bytes, ends: EndTags) -> re.Pattern[bytes]:
    if len(PATTERNS) >= MOST_PATTERNS:
        PATTERNS.clear()
    if ends:
        made = re.compile(end + rb"|</(?P<forced>" + b"|".join(map(any_case, ends)) + rb")" + AFTER_NAME)
    else:  # a literal prefix makes the search many times faster: no group, no flag
        made = re.compile(end)
    PATTERNS[end, ends] = made
    return made


@lru_cache(maxsize=64)
def _partial(partial: bytes) -> re.Pattern[bytes]:
    return re.compile(rb"(?:" + partial + rb")\Z")


def carried(partial: bytes, data: bytes, position: int) -> int:
    """Return where a partial end begins at the end of `data`, or len(data) if there is none."""
    match = _partial(partial).search(data, max(position, len(data) - LONGEST_PARTIAL))
    return match.start() if match else len(data)


COMMENT = Construct(rb"--!?>", rb"--?!?", b"-->")
BOGUS = Construct(rb">", rb"(?!)", b">")
CDATA = Construct(rb"\]\]>", rb"[\x81-\xff]?\]\]?|[\x81-\xff]", b"]]>")
SECTION_SIGN = b"]]>&lt;<![CDATA["  # writes `<` outside the section, so that a preload scanner sees no tag
DROPPED_CDATA = Construct(rb"\]\]>", rb"\]\]?", b"", dropped=True)
INSTRUCTION = Construct(rb"\?>", rb"\?", b"?>")
DROPPED_INSTRUCTION = Construct(rb"\?>", rb"\?", b"", dropped=True)
SUBSET = Construct(rb"\](?=[\t\n\r ]*>)", rb"\][\t\n\r ]{0,8}", b"", dropped=True)  # a doctype's, in XML


OPENED: dict[Kind, Construct] = {
    Kind.COMMENT: COMMENT,
    Kind.BOGUS: BOGUS,
    Kind.DOCTYPE: BOGUS,
    Kind.CDATA: CDATA,
    Kind.INSTRUCTION: INSTRUCTION,
    Kind.SUBSET: SUBSET,
}


@lru_cache(maxsize=16)
def raw_text(name: bytes) -> Construct:
    """Return the construct for the text of a raw text element, which ends before the element's end tag."""
    end = rb"</" + any_case(name) + AFTER_NAME
    return Construct(end, rb"<(?:/[a-zA-Z]{0,9})?", b"</" + name + b">", is_text=True)


def hide_signs(output: Output, data: bytes, position: int, stop: int, construct: Construct) -> None:
    """Escape each `<` in a comment or section of SVG, which a preload scanner may believe to have ended."""
    sign = SECTION_SIGN if construct is CDATA else b"&lt;"
    while (position := data.find(b"<", position, stop)) >= 0:
        output.replace(position, position + 1, sign)
        position += 1
    if construct is CDATA and data[stop - 4 : stop - 3] > b"\x80" and data.endswith(b"]]>", 0, stop):
        # Otherwise Shift_JIS and GBK would read the first bracket as the second byte of a character.
        output.insert(stop - 3, b" ")


def agreed(raw: bytes) -> bytes | None:
    """Return a tag that is safe if it is read as text: it has no end tag inside, which would end that text, and no
    `<!--`, which would hide the end of a script. Return None if the tag needs no change."""
    if raw.find(b"</", 1) < 0 and raw.find(b"<!", 1) < 0:
        return None
    return raw[:1] + raw[1:].replace(b"</", b"&lt;/").replace(b"<!", b"&lt;!")


SCRIPT_PARTIAL = rb"<(?:!-?|/?[a-zA-Z]{0,9})|--?"
# The states of a script's text: 0 plain, 1 escaped (after `<!--`), 2 double escaped (after `<script` in it). Each dict
# has the next state by the bytes that lead to it. Any other match of script_pattern ends the text.
SCRIPT_LEVELS = ({b"<!--": 1}, {b"-->": 0, b"<script": 2}, {b"-->": 0, b"</script": 1})
SCRIPT_CLOSER = b"--></script>"  # `-->` leaves the escaped states, and is harmless in a plain script


class ScriptEnd:
    """Find the end of a script's text through its escaped states, in one chunk after another. Owns the state."""

    def __init__(self) -> None:
        self._level = 0

    def find(self, data: bytes, position: int, ends: EndTags = ()) -> tuple[int, bytes]:
        """Return (where the text ends, the name of the end tag there), or (-1, b"") if it goes on."""
        while True:
            match = script_pattern(self._level, ends).search(data, position)
            if match is None:
                return -1, b""
            found = match[0].lower()
            level = SCRIPT_LEVELS[self._level].get(found)
            if level is None:
                return match.start(), found[2:]
            self._level = level
            position = match.end() - 2 * (found == b"<!--")  # the same dashes may end it, as in `<!-->`

    def carried(self, data: bytes, position: int) -> int:
        """Return where the bytes begin that have to be searched again with the next chunk."""
        return carried(SCRIPT_PARTIAL, data, position)


@lru_cache(maxsize=64)
def script_pattern(level: int, ends: EndTags) -> re.Pattern[bytes]:
    """Return the pattern of all that ends a script's text or changes its state (SCRIPT_LEVELS)."""
    names = b"|".join(any_case(name) for name in dict.fromkeys((b"script", *ends)))
    end = rb"</(?:" + names + rb")" + AFTER_NAME
    start = rb"<" + any_case(b"script") + AFTER_NAME
    return re.compile(end + (rb"|<!--", rb"|-->|" + start, rb"|-->")[level])
