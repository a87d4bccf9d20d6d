"""The innermost loop: from one place in the markup to the next that has to be looked at.

This is the reference, in regular expressions. `scanner.pyx` says the same in C, where a compiler was there at the
installation; which one runs, `scanner()` tells.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache

from cookieguard.html.contact_points import ANYWHERE, NAMES
from cookieguard.html.fast.answers import Known
from cookieguard.html.fast.fragments import Strides
from cookieguard.html.fast.skip_patterns import COMMENT as WHOLE_COMMENT
from cookieguard.html.fast.skip_patterns import DRAWING_RUN, HEAD_RUN, run
from cookieguard.html.grammar import (
    AFTER_NAME,
    ATTRIBUTE,
    ATTRIBUTES,
    SCRIPT_LEVELS,
    TAG,
    TEXT,
    XML_TAG,
    XML_TEXT,
    S,
    any_case,
    own_name,
)
from cookieguard.html.types import Attribute, Tag

IS_COMPILED = False
SCRIPT_ENDS = b"</script>"  # nearly always
FEW_SIGNS = 16
LONG_WAIT = 1024  # bytes to the next look at a stretch: then nothing is cut short for it


class Scanner:
    """Find the places to look at. `tag` and `end` tell of the last one found."""

    __slots__ = ("_marks_links", "_run_at", "_tag_at", "_text_at", "_xml", "end", "known", "strides", "tag")

    def __init__(self, *, xml: bool, marks_links: bool = False) -> None:
        self._marks_links, self._xml = marks_links, xml
        self._run_at: Callable[..., re.Match[bytes] | None] = (
            _nowhere  # until `take`: compiling one takes 0.2 s
        )
        self._tag_at = (XML_TAG if xml else TAG).match
        self._text_at = (XML_TEXT if xml else TEXT).match
        self.known = Known()  # the tags decided about already, by their spelling
        self.strides: Strides | None = None  # none where `known` is not the rules' own
        self.tag: Tag | None = None  # what is known of the tag found
        self.end = -1  # where the tag found ends; -1: what was found is no complete tag

    def take(self, known: Known, own_is_free: bool) -> None:  # noqa: FBT001  # a compiled method takes no keywords
        """Take the answers that hold where the page is now, and whether nothing of its own host is held."""
        self.known = known
        self._run_at = run(self._marks_links, own_is_free, self._xml).match

    def skip(self, data: bytes, position: int) -> int:
        """Pass over text and over all tags that have nothing to do; return where something has, or the end."""
        strides, size = self.strides, len(data)
        if strides is None:
            return self._read(data, position, size)
        if strides.wait > LONG_WAIT:
            reached = self._read(data, position, size)
            strides.wait -= reached - position
            return reached
        while True:
            position, stop = strides.skip(data, position)
            reached = self._read(data, position, stop)
            strides.note(data, position, stop, reached)
            if reached == size or (reached < stop and self.end >= 0):
                return reached
            if reached < stop:  # what is here may only be cut off by the stretch
                return self._read(data, reached, size)
            position = stop

    def _read(self, data: bytes, position: int, stop: int) -> int:
        """Do so tag by tag, as if the data ended at `stop`."""
        known, run_at = self.known, self._run_at
        while True:
            match = run_at(data, position, stop)
            position = match.end()  # type: ignore[union-attr]  # matches always
            raw = match[1]  # type: ignore[index]  # as above
            if raw is None:
                self.end = -1
                return position
            tag = known.get(raw)
            if tag is None or not tag.plain:
                self.tag, self.end = tag, position
                return position - len(raw)

    def skip_head(self, data: bytes, position: int) -> int:
        """Pass over blanks and elements of a head that have nothing to do."""
        return HEAD_RUN.match(data, position).end()  # type: ignore[union-attr]  # matches always

    def skip_drawing(self, data: bytes, position: int) -> int:
        """Pass over whole elements of a drawing that have nothing to do."""
        return DRAWING_RUN.match(data, position).end()  # type: ignore[union-attr]  # matches always

    def text(self, data: bytes, position: int) -> int:
        """Return where the text at `position` ends."""
        return self._text_at(data, position).end()  # type: ignore[union-attr]  # matches always

    def look(self, data: bytes, position: int) -> None:
        """Look at the tag that begins at `position`, whatever it is; none does where no `<` stands."""
        match = self._tag_at(data, position)
        if match is None:
            self.end = -1
            return
        self.tag, self.end = self.known.get(match[0]), match.end()


def _nowhere(_data: bytes, _position: int, _stop: int) -> re.Match[bytes] | None:
    raise RuntimeError("no answers were taken")


class TagEnd:
    """Find the end of a tag that chunks cut apart, from its name on. Owns the tokenizer's state."""

    __slots__ = ("_state",)

    def __init__(self) -> None:
        self._state = _NAME

    def find(self, data: bytes, position: int) -> int:
        """Return where the tag ends in its next piece, read from `position` on; -1 where it does not."""
        while True:
            if self._state == _BEFORE:
                position = _WHOLE_ATTRIBUTES.match(data, position).end()  # type: ignore[union-attr]  # matches always
            stop = _STOPS[self._state].search(data, position)
            if stop is None:
                return -1
            byte = data[stop.start()]
            position = stop.end()
            if byte == 0x3E and self._state not in _QUOTED:
                return position
            follow = _NEXT[self._state]
            self._state = follow.get(byte, follow[None])


# Attributes that are complete whatever follows.
_WHOLE_ATTRIBUTES = re.compile(
    rb"(?:[\t\n\f\r /]++|[^\t\n\f\r />][^\t\n\f\r />=]*+(?:"
    + S
    + rb"*+=[\t\n\f\r ]*+(?:\"[^\"]*+\"|'[^']*+'|[^\t\n\f\r >\"'][^\t\n\f\r >]*+(?=[\t\n\f\r >]))|"
    + S
    + rb"*+(?=[^\t\n\f\r =])))*+"
)
_NAME, _BEFORE, _ATTRIBUTE, _AFTER, _EQUALS, _DOUBLE, _SINGLE, _PLAIN = range(8)
_STOPS = {
    _NAME: re.compile(rb"[\t\n\f\r />]"),
    _BEFORE: re.compile(rb"[^\t\n\f\r /]"),
    _ATTRIBUTE: re.compile(rb"[\t\n\f\r />=]"),
    _AFTER: re.compile(rb"[^\t\n\f\r ]"),
    _EQUALS: re.compile(rb"[^\t\n\f\r ]"),
    _DOUBLE: re.compile(rb'"'),
    _SINGLE: re.compile(rb"'"),
    _PLAIN: re.compile(rb"[\t\n\f\r >]"),
}
# What the byte that stops a state leads to; the default is under None.
_NEXT: dict[int, dict[int | None, int]] = {
    _NAME: {None: _BEFORE},
    _BEFORE: {None: _ATTRIBUTE},
    _ATTRIBUTE: {ord("="): _EQUALS, ord("/"): _BEFORE, None: _AFTER},
    _AFTER: {ord("="): _EQUALS, ord("/"): _BEFORE, None: _ATTRIBUTE},
    _EQUALS: {ord('"'): _DOUBLE, ord("'"): _SINGLE, None: _PLAIN},
    _DOUBLE: {None: _BEFORE},
    _SINGLE: {None: _BEFORE},
    _PLAIN: {None: _BEFORE},
}
_QUOTED = (_DOUBLE, _SINGLE)


def end_of_text(name: bytes, data: bytes, position: int) -> int:
    """Return where the end tag of the raw text element `name` begins, its text being at `position`; else -1."""
    position = data.find(b"<", position)  # finds it in a tenth of the time
    if position < 0:
        return -1
    if name == b"script":
        return position if data.startswith(SCRIPT_ENDS, position) else script_end(data, position, 0)[0]
    match = _end_of(name).search(data, position)
    return match.start() if match else -1


@lru_cache(maxsize=16)
def _end_of(name: bytes) -> re.Pattern[bytes]:
    return re.compile(rb"</" + any_case(name) + AFTER_NAME)


_NAMED_SCRIPT = any_case(b"script") + AFTER_NAME
_PLAIN_SCRIPT = re.compile(rb"<(?:!--|/" + _NAMED_SCRIPT + rb")")
_ESCAPED_SCRIPT = re.compile(rb"-->|</?" + _NAMED_SCRIPT)


def script_end(data: bytes, position: int, level: int) -> tuple[int, int]:
    """Return where the end tag of a script begins (-1: nowhere) and the state its text is in then."""
    while True:
        match = _ESCAPED_SCRIPT.search(data, position) if level else _plain_sign(data, position)
        if match is None:
            return -1, level
        found = match[0].lower()
        after = SCRIPT_LEVELS.get((found, level))
        if after is None:
            return match.start(), level
        level = after
        position = match.end() - 2 * (
            found == b"<!--"
        )  # `<!-->` ends at once: its dashes count for the end, too


def _plain_sign(data: bytes, position: int) -> re.Match[bytes] | None:
    """Find what counts in a script's text. Few have many `<`, and to find each alone is faster than the pattern."""
    for _ in range(FEW_SIGNS):
        position = data.find(b"<", position)
        if position < 0:
            return None
        if match := _PLAIN_SCRIPT.match(data, position):
            return match
        position += 1
    return _PLAIN_SCRIPT.search(data, position)


COMMENT = re.compile(rb"<!--(?:-?>)?+")
COMMENT_BEGINS = re.compile(rb"<!--(?!-?>|-?\Z)")
COMMENT_END = re.compile(rb"--!?>")


def has_sign(data: bytes, start: int, end: int) -> bool:
    """Return whether a `<` stands in data[start:end]."""
    return data.find(b"<", start, end) >= 0


def comment_begins(data: bytes, start: int) -> bool:
    """Return whether a comment begins at `start` for sure, and is not over at once."""
    return COMMENT_BEGINS.match(data, start) is not None


def comment_end(data: bytes, start: int) -> int:
    """Return where the comment that begins at `start` ends; -1: it does not, or there is none."""
    match = COMMENT.match(data, start)
    if match is None or match.end() > start + len(b"<!--"):
        return match.end() if match else -1
    match = COMMENT_END.search(data, match.end())
    return match.end() if match else -1


def pass_markup(
    name: bytes,
    data: bytes,
    position: int,
    depth: int,
    xml: bool,  # noqa: FBT001  # a compiled function takes no keywords
) -> tuple[int, int]:
    """Pass over markup that is complete, `depth` elements of this name deep; return where it is not, and how deep.

    Where the end tag begins with which none is open any more, that is.
    """
    step = _walk(name, xml)
    while True:
        match = step(data, position)
        assert match is not None  # noqa: S101  # matches always
        position = match.end()
        if match.lastindex == _OPENS:
            depth += 1
        elif match.lastindex == _CLOSES:
            depth -= 1
            if not depth:
                return match.start(_CLOSES), 0
        elif match.lastindex is None:
            return position, depth


Walk = Callable[[bytes, int], re.Match[bytes] | None]
_OPENS, _CLOSES = 2, 3  # groups of a walk; 1: the tag closes itself
_REST = rb"[^\t\n\f\r />]*+(?:[\t\n\f\r /]++|" + ATTRIBUTE + rb")*+>"  # of a tag
_WHOLE_SECTION = rb"<!\[CDATA\[(?:[^\]]++|\](?!\]>))*+\]\]>"


@lru_cache(maxsize=16)
def _walk(name: bytes, xml: bool) -> Walk:  # noqa: FBT001  # positional for the cache
    """Return what steps from one tag of this name to the next, and last to what is not complete."""
    own = own_name(name, xml=xml)
    if xml:
        other = (rb"</?(?!" + own + rb")[a-zA-Z_:]" + _REST, rb"<\?(?:[^?]++|\?(?!>))*+\?>")
    else:
        other = (
            rb"<(?!/?" + own + rb")(?:/?[a-zA-Z]|[_:])" + _REST,
            rb"<(?:!(?!--|\[CDATA\[)|\?|/(?!" + own + rb")[^a-zA-Z>])[^>]*+>",
        )
    end_tag = rb"</(?=[a-zA-Z])" + own + _REST
    pair = rb"<" + own + _REST + rb"(?<!/>)[^<]*+" + end_tag  # opens and closes: as deep as before
    dull = (
        rb"[^<]++",
        rb"<(?!/?[a-zA-Z_:]|[!?]|/[^>]|/?\Z)",
        *other,
        pair,
        b"<" + WHOLE_COMMENT,
        _WHOLE_SECTION,
    )
    empty = rb"<" + own + rb"(?:/>|" + _REST + rb"(?<=[\t\n\f\r ]/>))()"
    opens, closes = rb"(<" + own + _REST + rb")", rb"(" + end_tag + rb")"
    wanted = b"|".join((empty, opens, closes, rb"(?=<|\Z)"))
    return re.compile(rb"(?:" + b"|".join(dull) + rb")*+(?:" + wanted + rb")").match


QUOTES = {2: b'"', 3: b"'", 4: b""}


def attribute_of(match: re.Match[bytes], name: bytes) -> Attribute:
    """Make an attribute of a match of ATTRIBUTES."""
    group = match.lastindex or 1
    if group == 1:
        return Attribute(name, match.start(), b"", -1, -1, b"")
    return Attribute(name, match.start(), match[group], match.start(group), match.end(group), QUOTES[group])


def named_attributes(raw: bytes, position: int) -> list[Attribute]:
    """List the attributes of a start tag with a name of NAMES, and the last one whatever its name."""
    last = len(raw) - 1
    return [
        attribute_of(match, name)
        for match in ATTRIBUTES.finditer(raw, position, last)
        if (name := match[1].lower()) in NAMES or match.end() >= last - 1
    ]


def all_attributes(raw: bytes, position: int) -> list[Attribute]:
    """List the attributes of a start tag."""
    return [
        attribute_of(match, match[1].lower()) for match in ATTRIBUTES.finditer(raw, position, len(raw) - 1)
    ]


_ANYWHERE = re.compile(rb"[\t\n\f\r /\"'](?:" + b"|".join(sorted(ANYWHERE)) + rb")")


def names_anywhere(raw: bytes, position: int) -> bool:
    """Return whether a start tag may have an attribute of ANYWHERE, its name ending at `position`."""
    return _ANYWHERE.search(raw.lower(), position) is not None  # to search in any case takes longer
