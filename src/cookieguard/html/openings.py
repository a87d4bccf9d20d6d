"""Where the literal opens that a place in a script is in: for scripts that are not cut from their beginning.

Rule: as pieces.py, whose literals and comments these are.
"""

from __future__ import annotations

import re

# A regular expression behind its first slash, as far as what stands before tells.
REGEXP = (
    rb"(?:(?<=[=(,:;!&|?{}\[\n]/)|(?<=[=(,:&|?] /)|(?<=return /))(?![*/])"
    rb"(?:[^/\\\n\[]{1,512}+|\\.|\[[^\]\\\n]{0,128}+(?:\\.[^\]\\\n]{0,128}+){0,64}+\]){1,128}+/[a-z]*+"
)
# Code, and literals that end; so it stops where one opens that does not.
WHOLE = re.compile(
    rb"(?:[^\"'`/]++"
    rb"|\"[^\"\\\n]*+(?:\\.[^\"\\\n]*+)*+(?:\"|(?=\n))|'[^'\\\n]*+(?:\\.[^'\\\n]*+)*+(?:'|(?=\n))"
    rb"|`[^`\\]*+(?:\\.[^`\\]*+)*+`"
    rb"|/(?:\*[^*]*+(?:\*(?!/)[^*]*+)*+\*/|/(?<![:\\]//)[^\n]*+(?=\n)|"
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
