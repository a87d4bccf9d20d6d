"""Referrer policies, tightened so that other sites learn no more of a page's address than browsers send by default.

By default (`strict-origin-when-cross-origin`), browsers send another origin only the page's origin, and no referrer
from https to http. The shop itself gets the whole address under each of these policies, tightened or not.
"""

from __future__ import annotations

import re

# Policies that send more than the default -> the nearest that does not. `always` and `origin-when-crossorigin` are
# older keywords of meta elements. A policy that sends less, or no policy at all, stays as it is.
TIGHTER = {
    "always": "strict-origin-when-cross-origin",
    "no-referrer-when-downgrade": "strict-origin-when-cross-origin",
    "origin": "strict-origin",
    "origin-when-cross-origin": "strict-origin-when-cross-origin",
    "origin-when-crossorigin": "strict-origin-when-cross-origin",
    "unsafe-url": "strict-origin-when-cross-origin",
}
WORD = re.compile(r"[A-Za-z-]+")


def tighten(policy: str) -> str:
    """Return a referrer policy, or a comma-separated list, that sends other origins no more than the default.

    >>> tighten("no-referrer, unsafe-url")
    'no-referrer, strict-origin-when-cross-origin'
    """
    return WORD.sub(lambda word: TIGHTER.get(word[0].lower(), word[0]), policy)
