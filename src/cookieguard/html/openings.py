"""Where the literal opens that a place in a script is in: for scripts that are not cut from their beginning.

Rule: as pieces.py, whose literals and comments these are.
"""

from __future__ import annotations

import re

# A regular expression stands where a value does: behind these signs and words, with blanks between, of which lists of
# expressions have many. A pattern looks back by a known number of bytes only, so each number is a choice of its own.
_SIGNS = rb"[=(,:;!&|?{\[]"
_BEGIN = rb"(?<![\w$.])"  # of a word: `$return` is a name, and `one.case` a member
_WORDS = (rb"=>", *(_BEGIN + word for word in (rb"return", rb"typeof", rb"case", rb"else", rb"throw")))
MOST_BLANKS, MOST_BEHIND_WORDS = 12, 1  # more take long to compile
_BEHIND = [(rb"[=(,:;!&|?{}\[\n]", 0), *((word, 0) for word in _WORDS)]
_BEHIND_BLANKS = [(_SIGNS, blanks) for blanks in range(1, MOST_BLANKS + 1)]
_BEHIND_BLANKS += [(word, blanks) for word in _WORDS for blanks in range(1, MOST_BEHIND_WORDS + 1)]
_AT_LINES = [(rb"\n", blanks) for blanks in range(1, MOST_BLANKS + 1)]


def _look_back(choices: list[tuple[bytes, int]]) -> bytes:
    return b"|".join([rb"(?<=%b[ \t]{%d}/)" % one for one in choices])


# A regular expression behind its first slash, as far as what stands before tells. A line of its own may go on with a
# division, too: with a blank behind, as it is written.
REGEXP = (
    rb"(?:"
    + _look_back(_BEHIND)
    + rb"|(?<=[ \t]/)(?:"
    + _look_back(_BEHIND_BLANKS)
    + rb"|(?![ \t])(?:"
    + _look_back(_AT_LINES)
    + rb")))(?![*/])"
    rb"(?:[^/\\\n\[]{1,512}+|\\.|\[[^\]\\\n]{0,128}+(?:\\.[^\]\\\n]{0,128}+){0,64}+\]){1,128}+/[a-z]*+"
)
# Up to where a comment of one line ends: there are more ends of lines than one.
LINE = rb"[^\n\r\xe2]*+(?:\xe2(?!\x80[\xa8\xa9])[^\n\r\xe2]*+)*+"
# Code, and literals that end; so it stops where one opens that does not.
WHOLE = re.compile(
    rb"(?:[^\"'`/]++"
    rb"|\"[^\"\\\n]*+(?:\\.[^\"\\\n]*+)*+(?:\"|(?=\n))|'[^'\\\n]*+(?:\\.[^'\\\n]*+)*+(?:'|(?=\n))"
    rb"|`[^`\\]*+(?:\\.[^`\\]*+)*+`"
    rb"|/(?:\*[^*]*+(?:\*(?!/)[^*]*+)*+\*/|/(?<![:\\]//)"
    + LINE
    + rb"(?=[\n\r\xe2])|"
    + REGEXP
    + rb"|(?![*/])|(?<=[:\\]/)(?=/)))*+",
    re.DOTALL,
)


def opened_at(text: bytes, start: int, place: int) -> int:
    """Return where the literal or comment opens that `place` is in; `place` itself where it is in none, as `start` is.

    >>> opened_at(b"a('b;c')", 0, 5), opened_at(b"a('b;c')", 0, 8)
    (2, 8)
    """
    return WHOLE.match(text, start, place).end()  # type: ignore[union-attr]  # matches always
