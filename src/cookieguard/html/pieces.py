"""A script cut into its code and its literals: the one step that reads every byte of a script in order.

Rule: bytes in, bytes out, and nothing here knows what a script does.
"""

from __future__ import annotations

import re

from cookieguard.html.openings import LINE, REGEXP
from cookieguard.html.quick import quick

MARK = b"\x01"  # stands in the code where a literal was cut out
# Behind the slash of a comment or of a regular expression.
_SLASHED = rb"(?:\*[^*]*+(?:\*(?!/)[^*]*+)*+(?:\*/|\Z)|/(?<![:\\]//)" + LINE + rb"|" + REGEXP + rb")"
# Code and the literal behind it: to search for literals takes twice as long for each byte of code. Strings are read in
# runs between their escapes: byte by byte takes more than twice as long.
PIECES = quick(
    rb"([^\"'`/]*+(?:/(?!" + _SLASHED + rb")[^\"'`/]*+)*+)"
    rb"(\"[^\"\\\n]*+(?:\"|(?:\\.[^\"\\\n]*+)*+\"?)|'[^'\\\n]*+(?:'|(?:\\.[^'\\\n]*+)*+'?)|"
    rb"`[^`\\]*+(?:\\.[^`\\]*+)*+`?|/" + _SLASHED + rb"|\Z)",
    re.DOTALL,
)
HOLE = quick(rb"\$\{([^{}]*+)\}")
MARKED_SLASH = MARK + b"/"
COMMENTS = b"/*"  # the second byte of one
NO_MARKS = bytes.maketrans(MARK, b" ")


def cut(text: bytes) -> tuple[bytes, bytes]:
    r"""Return the code, with a MARK for each literal, and the literals with their quotes, each behind a MARK.

    Regular expressions are literals too, comments go. The code in the holes of a template follows its mark.

    >>> cut(b"a('x', /y/) // z")
    (b'a(\x01, \x01)  ', b"\x01'x'\x01/y/")
    """
    if MARK in text:
        text = text.translate(NO_MARKS)
    code, literals = _split(text)
    if b"`" in text and b"${" in text:  # one sign is found much sooner than two
        for index, piece in enumerate(literals):
            if b"${" in piece and piece[:1] == b"`":
                holes = b"".join(b"+(" + hole + b")" for hole in HOLE.findall(piece))
                code[index + 1] = holes + code[index + 1]
    joined = MARK.join([b"", *literals])
    comments = _comments(joined)
    if not comments:
        return MARK.join(code), joined
    stretches: list[bytes] = []
    kept = [b""]
    start = 0
    for end in (*comments, len(literals)):
        stretches.append(MARK.join(code[start : end + 1]))
        kept += literals[start:end]
        start = end + 1
    return b" ".join(stretches), MARK.join(kept)


def _split(text: bytes) -> tuple[list[bytes], list[bytes]]:
    """List the code before, between and behind the literals, and these."""
    parts = PIECES.split(text)
    code, literals = parts[1::3], parts[2::3]
    literals.pop()  # the end of the text is the last
    if literals and not literals[-1]:  # or the last two, where code is before it
        literals.pop()
        code.pop()
    return code, literals


def _comments(joined: bytes) -> list[int]:
    """List the numbers of the literals that are comments; a MARK leads each."""
    found: list[int] = []
    number = counted = 0
    at = joined.find(MARKED_SLASH)
    while at >= 0:
        number += joined.count(MARK, counted, at)
        counted = at
        if joined[at + 2] in COMMENTS:
            found.append(number)
        at = joined.find(MARKED_SLASH, at + 1)
    return found


def literals_of(joined: bytes, numbers: list[int]) -> list[bytes]:
    """List the literals of these numbers, which only grow."""
    literals = joined.split(MARK)
    return [literals[number + 1] for number in numbers]
