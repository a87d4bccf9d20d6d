"""The judgement of a long style sheet in pieces, because it is too long to wait for its end.

A piece ends where no bracket is open that could take a URL, or inside a `data:` URL of a picture or font, which passes
because of its first bytes. Each piece is judged like a sheet of its own. If a piece reaches MAX_TEXT_BYTES without such
a place, it is left out, with the rest of the sheet.
"""

from __future__ import annotations

import re

from cookieguard.html.css.tokenizer import ESCAPED, S
from cookieguard.html.embeds import apply_edits
from cookieguard.html.fast.byte_search import has_pairs
from cookieguard.html.page import TagJudge
from cookieguard.html.tokenizer.foreign_text import text_carried, text_stop
from cookieguard.html.tokenizer.pending import MAX_TEXT_BYTES, UNKNOWN
from cookieguard.html.tokenizer.raw_text import LOST_SHEET, EndTags, raw_text
from cookieguard.html.types import MAX_HELD, STYLE, Held

NAME = b"style"
Noted = tuple[list[Held], set[str]]  # the page's lists of held URLs and of what was lost

# The tokens in which brackets have no meaning (comments, strings, escapes, unquoted URLs), and the brackets. Each
# alternative begins with its own character and not with a group or a set, so that the search skips all others at once.
MARK = re.compile(
    r"/\*[^*]*+(?:\*(?!/)[^*]*+)*+(?:\*/|\Z)"
    r"|\"[^\"\\\n\r\f]*+(?:\\(?:\r\n|[^\r]|\r(?!\Z))[^\"\\\n\r\f]*+)*+(?:\"|(?=[\n\r\f])|(?P<double>(?:\\\r?)?\Z))"
    r"|'[^'\\\n\r\f]*+(?:\\(?:\r\n|[^\r]|\r(?!\Z))[^'\\\n\r\f]*+)*+(?:'|(?=[\n\r\f])|(?P<single>(?:\\\r?)?\Z))"
    rf"|{ESCAPED}(?:[\w\-]|[^\x00-\x7f]|{ESCAPED})*+(?P<spelled>\()?"
    rf"|\((?!{S}[\"'])(?<=[uU][rR][lL]\()(?<![\w\-][uU][rR][lL]\()(?<![^\x00-\x7f][uU][rR][lL]\()"
    r"(?:[^)\\]++|\\(?:\r\n|[^\r]|\r(?!\Z)))*+(?:\)|(?P<bare>(?:\\\r?)?\Z))"
    r"|\(|\)|\[|\]|\{|\}|;"
)
LONGEST_BLANK = 20  # characters between a bracket and a quote
PICTURE = re.compile(
    rf"[uU][rR][lL]\({S}[\"']?data:(?:image|font|application/(?:x-)?(?:font|octet-stream|vnd\.ms-fontobject))"
)
CLOSERS = {"(": ")", "[": "]", "{": "}"}
# The rest of a `data:` URL up to its end, by the kind of its quotes. An escape that a chunk cuts off waits.
_ESCAPE = rb"\\(?:\r\n|[^\r]|\r(?!\Z))"
INSIDE = {
    "double": re.compile(rb"(?:[^\"\\\n\r\f]++|" + _ESCAPE + rb")*+", re.DOTALL),
    "single": re.compile(rb"(?:[^'\\\n\r\f]++|" + _ESCAPE + rb")*+", re.DOTALL),
    "bare": re.compile(rb"(?:[^)\\]++|" + _ESCAPE + rb")*+", re.DOTALL),
}
CUT_ESCAPE = (b"", b"\\", b"\\\r")


class LongSheet:
    """Judge the pieces of a sheet after the first one. Owns their bytes until they are judged."""

    sent = 0  # of the bytes that `take` returns, none were sent before
    stop = UNKNOWN  # and the text does not end in them

    def __init__(self, noted: Noted, judge: TagJudge, data: bytes, text: int, ends: EndTags) -> None:
        """Begin with data[text:], a sheet that goes on in the next chunk. `start` is where its first piece ends."""
        self._noted, self._judge, self._ends = noted, judge, ends
        place, self._inside = (0, "") if ends else _seam(data[text:])
        self._is_lost = not place
        self.start = text + place if place else text_carried(NAME, data, text, ends, None)
        self._rest, self._size = data[self.start :], 0
        self._pieces: list[bytes] = []
        self.passed = b""  # the bytes that are sent

    @property
    def lost(self) -> frozenset[str]:
        """Return what the page lost with this sheet, in words for the owner."""
        return frozenset({LOST_SHEET} if self._is_lost else ())

    def take(self, chunk: bytes) -> bytes | None:
        """Read the next chunk, and set `passed` to what can be sent; return what follows the sheet once it ends."""
        self.passed = b""
        window = self._rest + chunk
        stop = text_stop(NAME, window, 0, self._ends, None)
        limit = stop if stop >= 0 else text_carried(NAME, window, 0, self._ends, None)
        self._pieces.append(window[:limit])
        self._size += limit
        self._rest = window[limit:]
        if stop >= 0 or self._size >= MAX_TEXT_BYTES or self._inside or self._is_lost:
            self.passed = self._read(b"".join(self._pieces), is_last=stop >= 0)
        if stop < 0:
            return None
        if self._rest[2 : 2 + len(NAME)].lower() != NAME:  # the end tag of another element ends it
            self.passed += raw_text(NAME).closer
        return self._rest

    def finish(self) -> bytes:
        """Return the judged rest of a sheet that never ended."""
        out = self._read(b"".join((*self._pieces, self._rest)), is_last=True)
        self._noted[1].update(self.lost)
        return out

    def _read(self, sheet: bytes, *, is_last: bool) -> bytes:
        if self._is_lost:
            return self._keep(b"")
        start = self._end_of_url(sheet) if self._inside else 0
        out, sheet = sheet[:start], sheet[start:]
        if self._inside and not is_last:
            return out + self._keep(sheet)
        place, kind = len(sheet), ""
        if not is_last:
            if place < MAX_TEXT_BYTES:
                return out + self._keep(sheet)
            place, kind = _seam(sheet)
        decision = self._judge.judge_text(STYLE, sheet, 0, place, False)  # noqa: FBT003  # it is compiled
        held = self._noted[0]
        held.extend(decision.held[: MAX_HELD - len(held)])
        self._is_lost = decision.hold or not (place or is_last)
        if self._is_lost:
            self._inside = ""
            return out + self._keep(b"")
        self._inside = kind
        return out + apply_edits(sheet[:place], decision.edits) + self._keep(sheet[place:])

    def _keep(self, rest: bytes) -> bytes:
        self._pieces, self._size = [rest], len(rest)
        return b""

    def _end_of_url(self, sheet: bytes) -> int:
        """Return up to where the open URL goes on; mark it as closed if it ends there."""
        inside = INSIDE[self._inside].match(sheet)
        end = inside.end() if inside else 0
        if sheet[end:] in CUT_ESCAPE:
            return end
        end += self._inside == "bare" or sheet[end : end + 1] in (b"'", b'"')
        self._inside = ""
        return end


def _seam(sheet: bytes) -> tuple[int, str]:
    """Return where the first piece of an unfinished sheet can end, and the kind of URL that is open there, if any."""
    if has_pairs(sheet):
        return 0, ""  # in other encodings, some brackets are part of a character
    text = sheet.decode("latin-1")
    opened: list[str] = []  # the closers of the open brackets
    taking = place = 0  # `taking` counts the open brackets that may take URLs, round and square ones
    for mark in MARK.finditer(text):
        kind, sign = mark.lastgroup, mark[0]
        if kind == "spelled":
            break  # it may be `url(`
        if kind and taking == (kind != "bare") and _is_picture(text, mark.start(), kind):
            return mark.start(kind), kind
        if sign in CLOSERS:
            opened.append(CLOSERS[sign])
            taking += sign != "{"
        elif opened and opened[-1] == sign:
            opened.pop()
            taking -= sign != "}"
        if not taking and sign in "};":
            place = mark.end()
    return place, ""


def _is_picture(text: str, start: int, kind: str) -> bool:
    """Return whether a `data:` URL of a picture or font begins at the quote or bracket at `start`."""
    bracket = start if kind == "bare" else text.rfind("(", max(0, start - LONGEST_BLANK), start)
    return bracket > 2 and PICTURE.match(text, bracket - 3) is not None
