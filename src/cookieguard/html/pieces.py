"""A script cut into its code and its literals: the one step that reads every byte of a script in order.

Rule: bytes in, bytes out, and nothing here knows what a script does.
"""

from __future__ import annotations

import re

MARK = b"\x01"  # stands in the code where a literal was cut out
_SLASH = rb"/(?:\*[^*]*+(?:\*(?!/)[^*]*+)*+(?:\*/|\Z)|/(?<![:\\]//)[^\n]*+"
_REGEXP = (
    rb"|(?:(?<=[=(,:;!&|?{}\[\n]/)|(?<=[=(,:&|?] /)|(?<=return /))(?![*/])"
    rb"(?:[^/\\\n\[]{1,512}+|\\.|\[[^\]\\\n]{0,128}+(?:\\.[^\]\\\n]{0,128}+){0,64}+\]){1,128}+/[a-z]*+)"
)
# Strings are read in runs between their escapes: byte by byte takes more than twice as long.
PIECES = re.compile(
    rb"(\"[^\"\\\n]*+(?:\\.[^\"\\\n]*+)*+\"?|'[^'\\\n]*+(?:\\.[^'\\\n]*+)*+'?|`[^`\\]*+(?:\\.[^`\\]*+)*+`?|"
    + _SLASH
    + _REGEXP
    + rb")",
    re.DOTALL,
)
HOLE = re.compile(rb"\$\{([^{}]*+)\}")
SLASH = ord("/")
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
    parts = PIECES.split(text)
    literals = parts[1::2]
    marks = [MARK] * len(literals)
    for index in [index for index, piece in enumerate(literals) if piece[0] == SLASH]:
        if literals[index][1] in COMMENTS:
            marks[index], literals[index] = b" ", b""
    if b"${" in text:
        for index, piece in enumerate(literals):
            if b"${" in piece and piece[:1] == b"`":
                marks[index] += b"".join(b"+(" + hole + b")" for hole in HOLE.findall(piece))
    parts[1::2] = marks
    return b"".join(parts), MARK.join([b"", *filter(None, literals)])


def literals_of(joined: bytes, numbers: list[int]) -> list[bytes]:
    """List the literals of these numbers, which only grow."""
    literals = joined.split(MARK)
    return [literals[number + 1] for number in numbers]
