"""The held URLs in a style sheet or style attribute, and the edits that cut them out.

Each `url(`, `src(`, `@import` and `image-set(` is judged, unless it is in a comment. Comments are found as the CSS
tokenizer finds them, so tricks with comments and quotes cannot hide a URL. If a sheet spells these words with escapes,
it is judged with the escapes decoded, and held as a whole if it reaches a held host.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Iterator
from functools import cached_property

from cookieguard.html.css.tokenizer import AFTER_HEX, ESCAPED, ESCAPED_LETTER, S, comments, imports, urls_in
from cookieguard.html.css.url_strings import between_quotes, strings_taken

Holds = Callable[[str], bool]  # returns whether a reference reaches a held host
Edit = tuple[int, int, str]  # replaces text[start:end]

ByteEdit = tuple[int, int, bytes]

NAMES_ONLY = re.compile(
    rf"@(?:namespace{S}(?:[\w\-]++{S})?|(?:-moz-)?document\b[^;{{}}\"']*?)(?:url\({S})?", re.IGNORECASE
)
LOADING_WORDS = ("url", "src", "image-set", "image", "cross-fade")
_NAME = rf"(?:[\w\-]|[^\x00-\x7f]|{ESCAPED})"
# An escape in a function's name or an at-rule's. In other places, escapes match too, but without a group.
ESCAPED_NAME = re.compile(rf"{ESCAPED}{_NAME}*+(\()?|@(?:[\w\-]|[^\x00-\x7f])*+(\\)?")
NO_WORD = re.compile(r"[^\w\-]")
WORD = re.compile(rf"(@?)({_NAME}++)(\(?)")
# A reference that may reach another host. For others it does not matter whether they are in a comment.
LEAVES = re.compile(r"[/\\][/\\\t\n\r]|\\|[a-zA-Z][0-9+.\-]*+:")
ESCAPE = re.compile(rf"\\(?:([0-9a-fA-F]{{1,6}}){AFTER_HEX}|\r\n|[\n\r\f]|(.))", re.DOTALL)
NOTHING = "data:,"
NO_URL, NO_STRING = b"data:,", b'"data:,"'
# Edits in one sheet; real sheets need some hundred. A sheet that needs more is held as a whole, because the edits of
# 1 MB of short URLs took 36 MB.
MOST_EDITS = 5000


def held_parts(text: str, holds: Holds, is_markup: bool = False) -> list[Edit] | None:  # noqa: FBT001, FBT002  # compiled
    """Return the edits that cut all held references out of the sheet, or None if it has to be held as a whole.

    With `is_markup` (a sheet in SVG), browsers first remove comments and tags, so any quote may begin a string.
    """
    if ESCAPED_LETTER.search(text) and (plain := _spelled_out(text)) != text:
        return [] if held_parts(plain, holds, is_markup) == [] else None
    live = Live(text)
    known: dict[str, bool] = {}
    found: list[Edit] = []
    for start, end, reference, new in _references(text, live, is_markup):
        held = known.get(reference)
        if held is False or (LEAVES.search(reference) and not live(start)):
            continue
        if held is None:
            held = known[reference] = holds(unescape(reference))
        if held:
            found.append((start, end, new))
            if len(found) > MOST_EDITS:
                return None
    return _without_nested(sorted(found)) if len(found) > 1 else found


def _without_nested(edits: list[Edit]) -> list[Edit]:
    """Return the edits without those inside another one, such as in the quotes of a URL that is cut out."""
    kept: list[Edit] = []
    position = 0
    for edit in edits:
        if edit[0] >= position:
            kept.append(edit)
            position = edit[1]
    return kept


def held_in_sheet(sheet: bytes, holds: Holds, is_markup: bool = False) -> list[ByteEdit] | None:  # noqa: FBT001, FBT002
    """Return the same edits for a sheet in bytes, or None if it has to be held as a whole."""
    edits = held_parts(sheet.decode("latin-1"), holds, is_markup)
    return None if edits is None else [(start, end, new.encode("latin-1")) for start, end, new in edits]


class Live:
    """The places of a sheet that browsers read. Owns the list of comments, which is made at the first use."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __call__(self, place: int) -> bool:
        """Return whether the reference at `place` is loaded: it is in no comment, and no name, as in `@namespace`."""
        if not self.is_read(place):
            return False
        rule = self._text.rfind("@", max(0, place - 100), place)
        return rule < 0 or not NAMES_ONLY.fullmatch(self._text, rule, place)

    def is_read(self, place: int) -> bool:
        """Return whether `place` is in no comment."""
        before = bisect_left(self._comments, (place, 0)) - 1
        return before < 0 or self._comments[before][1] <= place

    @cached_property
    def _comments(self) -> list[tuple[int, int]]:
        return comments(self._text) if "/*" in self._text else []


def cut(text: str, edits: list[Edit]) -> str:
    """Return the text with the edits applied."""
    pieces: list[str] = []
    position = 0
    for start, end, new in edits:
        pieces += (text[position:start], new)
        position = end
    return "".join(pieces) + text[position:]


def unescape(text: str) -> str:
    """Return the text with CSS escapes decoded."""
    return ESCAPE.sub(_character, text) if "\\" in text else text


def _character(match: re.Match[str]) -> str:
    if match[1]:
        code = int(match[1], 16)
        return chr(code) if 0 < code <= 0x10FFFF and not 0xD800 <= code <= 0xDFFF else "\ufffd"
    return match[2] or ""


def _spelled_out(text: str) -> str:
    """Return the text with escapes decoded in the words that load, and only there, so that all else reads as before."""
    is_any = any(match.lastindex for match in ESCAPED_NAME.finditer(text))
    return WORD.sub(_word, text) if is_any else text


def _word(match: re.Match[str]) -> str:
    whole = match[0]
    if "\\" not in whole or not (match[1] or match[3]):
        return whole
    name = NO_WORD.sub("_", unescape(match[2]))  # `\22 url(` must not open a string
    is_loading = name.lower() == "import" if match[1] else name.lower().endswith(LOADING_WORDS)
    return match[1] + name + match[3] if is_loading else whole


def _references(text: str, live: Live, is_markup: bool) -> Iterator[tuple[int, int, str, str]]:  # noqa: FBT001
    """Yield (start, end, reference, its replacement if it is held)."""
    for start, end in imports(text) if "@" in text else ():
        yield start, end, _inside(text[start:end]), f'"{NOTHING}"'
    found, takers = urls_in(text)
    for start, end, is_string in found:
        if is_string:
            yield start, end, _inside(text[start:end]), f'"{NOTHING}"'
        else:
            yield start, end, text[start:end], NOTHING
    if takers:
        for start, end in between_quotes(text) if is_markup else strings_taken(text, takers, live.is_read):
            yield start, end, text[start:end], NOTHING


def _inside(string: str) -> str:
    return string[1:-1] if len(string) > 1 and string[-1] == string[0] else string[1:]
