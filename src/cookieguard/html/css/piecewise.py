"""A style sheet too long to be waited for, judged piece by piece.

A piece ends where no bracket is open that takes URLs, or within a picture or font in a `data:` URL, which passes by
its first bytes. Each piece is judged like a sheet of its own. A piece of this much without such a place is left out,
with the rest of the sheet.
"""

from __future__ import annotations

import re

from cookieguard.html.css.tokenizer import ESCAPED, S
from cookieguard.html.fast.byte_search import has_pairs
from cookieguard.html.page import TagJudge
from cookieguard.html.tokenizer.foreign_text import text_carried, text_stop
from cookieguard.html.tokenizer.output import Output
from cookieguard.html.tokenizer.pending import MAX_TEXT_BYTES, UNKNOWN
from cookieguard.html.tokenizer.raw_text import LOST_SHEET, EndTags, raw_text
from cookieguard.html.types import MAX_HELD, STYLE, Decision, Held

NAME = b"style"
Noted = tuple[list[Held], set[str]]  # of a page: what is held, and what is lost

# As the tokenizer reads: strings, comments and URLs without quotes are passed as one.
MARK = re.compile(
    r"/\*[^*]*+(?:\*(?!/)[^*]*+)*+(?:\*/|\Z)"
    r"|\"(?:[^\"\\\n\r\f]++|\\(?:\r\n|[^\r]|\r(?!\Z)))*+(?:\"|(?=[\n\r\f])|(?P<double>(?:\\\r?)?\Z))"
    r"|'(?:[^'\\\n\r\f]++|\\(?:\r\n|[^\r]|\r(?!\Z)))*+(?:'|(?=[\n\r\f])|(?P<single>(?:\\\r?)?\Z))"
    rf"|{ESCAPED}(?:[\w\-]|[^\x00-\x7f]|{ESCAPED})*+(?P<spelled>\()?"
    r"|\((?<=[uU][rR][lL]\()(?<![\w\-][uU][rR][lL]\()(?<![^\x00-\x7f][uU][rR][lL]\()"
    + S
    + r"(?![\"'])(?:[^)\\]++|\\(?:\r\n|[^\r]|\r(?!\Z)))*+(?:\)|(?P<bare>(?:\\\r?)?\Z))"
    r"|(?P<sign>[()\[\]{};])"
)
LONGEST_BLANK = 20  # between a bracket and a quote
PICTURE = re.compile(
    rf"[uU][rR][lL]\({S}[\"']?data:(?:image|font|application/(?:x-)?(?:font|octet-stream|vnd\.ms-fontobject))"
)
CLOSERS = {"(": ")", "[": "]", "{": "}"}
# What a `data:` URL holds until it ends; an escape that chunks cut waits.
_ESCAPE = rb"\\(?:\r\n|[^\r]|\r(?!\Z))"
INSIDE = {
    "double": re.compile(rb"(?:[^\"\\\n\r\f]++|" + _ESCAPE + rb")*+", re.DOTALL),
    "single": re.compile(rb"(?:[^'\\\n\r\f]++|" + _ESCAPE + rb")*+", re.DOTALL),
    "bare": re.compile(rb"(?:[^)\\]++|" + _ESCAPE + rb")*+", re.DOTALL),
}
CUT_ESCAPE = (b"", b"\\", b"\\\r")


class LongSheet:
    """Judge what follows the first piece of a sheet. Owns its bytes until they are judged."""

    sent = 0  # bytes of what is returned that went out before
    stop = UNKNOWN  # where the text ends in what is returned: nowhere

    def __init__(self, noted: Noted, judge: TagJudge, data: bytes, text: int, ends: EndTags) -> None:
        """Begin with a sheet, data[text:], that has no end yet; `start` is where its first piece ends."""
        self._noted, self._judge, self._ends = noted, judge, ends
        place, self._inside = (0, "") if ends else _seam(data[text:])
        self._is_lost = not place
        self.start = text + place if place else text_carried(NAME, data, text, ends, None)
        self._rest, self._size = data[self.start :], 0
        self._pieces: list[bytes] = []
        self.passed = b""  # what goes out

    @property
    def lost(self) -> frozenset[str]:
        """Return what of the sheet is gone."""
        return frozenset({LOST_SHEET} if self._is_lost else ())

    def take(self, chunk: bytes) -> bytes | None:
        """Read on; set what of the sheet goes out, and once it ends, return what follows."""
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
        if self._rest[2 : 2 + len(NAME)].lower() != NAME:  # another element's end tag ends it
            self.passed += raw_text(NAME).closer
        return self._rest

    def finish(self) -> bytes:
        """Return the rest of a sheet that never ends."""
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
        return out + _edited(sheet[:place], decision) + self._keep(sheet[place:])

    def _keep(self, rest: bytes) -> bytes:
        self._pieces, self._size = [rest], len(rest)
        return b""

    def _end_of_url(self, sheet: bytes) -> int:
        """Return up to where a URL goes on that is open; it is open no more where it ends there."""
        inside = INSIDE[self._inside].match(sheet)
        end = inside.end() if inside else 0
        if sheet[end:] in CUT_ESCAPE:
            return end
        end += self._inside == "bare" or sheet[end : end + 1] in (b"'", b'"')
        self._inside = ""
        return end


def _edited(sheet: bytes, decision: Decision) -> bytes:
    output = Output(sheet)
    for start, end, new in decision.edits:
        output.replace(start, end, new)
    return output.finish()


def _seam(sheet: bytes) -> tuple[int, str]:
    """Return up to where a sheet that goes on can be judged alone, and which kind of URL is open there, if any."""
    if has_pairs(sheet):
        return 0, ""  # other encodings read other brackets
    text = sheet.decode("latin-1")
    brackets = _Brackets()
    place = 0
    for mark in MARK.finditer(text):
        kind, sign = mark.lastgroup or "", mark[0]
        if kind == "spelled":
            break  # it may be `url(`
        if kind == "sign":
            brackets.turn(sign)
            if sign in "};" and not brackets.taking:
                place = mark.end()
        elif kind and brackets.taking == (kind != "bare") and _is_picture(text, mark.start(), kind):
            return mark.start(kind), kind
    return place, ""


class _Brackets:
    """Count the brackets open that may take URLs: round ones and square ones. Owns which are open."""

    def __init__(self) -> None:
        self._opened: list[str] = []
        self.taking = 0

    def turn(self, sign: str) -> None:
        if sign in CLOSERS:
            self._opened.append(CLOSERS[sign])
            self.taking += sign != "{"
        elif self._opened and self._opened[-1] == sign:
            self._opened.pop()
            self.taking -= sign != "}"


def _is_picture(text: str, start: int, kind: str) -> bool:
    """Return whether a picture or font begins, in quotes or a bracket at `start`."""
    bracket = start if kind == "bare" else text.rfind("(", max(0, start - LONGEST_BLANK), start)
    return bracket > 2 and PICTURE.match(text, bracket - 3) is not None
