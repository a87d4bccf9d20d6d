"""Patterns as `re` runs them soonest.

It looks a byte up in a set at once, but where the set says what is not in it (`[^"\\\\]`) it takes three steps. So sets
are spelled by what is in them: such runs of bytes take half the time.

Rule: a pattern in, one that matches the same out.
"""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import pairwise

ONE = (1, 255)  # bytes in a set, or outside of it: to that `re` is quick in any case
PART = re.compile(rb"\\.|(\[(?:\\.|[^\]\\])++\])|[^\\\[]++", re.DOTALL)


def quick(pattern: bytes, flags: int = 0) -> re.Pattern[bytes]:
    """Compile a pattern, which may not ignore case.

    >>> quick(rb"[^b-d]*+").pattern
    b'[\\\\x00-\\\\x61\\\\x65-\\\\xff]*+'
    """
    return re.compile(PART.sub(_written, pattern), flags)


def _written(part: re.Match[bytes]) -> bytes:
    return _spelled(part[0]) if part[1] else part[0]


@lru_cache(maxsize=256)
def _spelled(kind: bytes) -> bytes:
    """Spell a set by the runs of bytes in it."""
    known = re.compile(kind)
    inside = [known.match(bytes((byte,))) is not None for byte in range(256)]
    if sum(inside) in ONE:
        return kind
    edges = [at for at, (before, here) in enumerate(pairwise((False, *inside, False))) if before != here]
    runs = zip(edges[::2], edges[1::2], strict=True)
    return b"[" + b"".join(b"\\x%02x-\\x%02x" % (start, end - 1) for start, end in runs) + b"]"
