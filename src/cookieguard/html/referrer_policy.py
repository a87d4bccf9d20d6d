"""How much of the page's own address others are told: never more than a browser tells by default.

By default (`strict-origin-when-cross-origin`) another origin hears the page's origin, and nothing where https
leads to http. The shop itself hears the whole address under each of these policies, tightened or not.
"""

from __future__ import annotations

import re

# What tells others more than the default does -> the nearest that does not. `always` and `origin-when-crossorigin`
# are a meta element's older words. Policies that tell less, and no policy at all, stay as they are.
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
    """Return a referrer policy (a comma-separated list of them) that tells others no more than the default.

    >>> tighten("no-referrer, unsafe-url")
    'no-referrer, strict-origin-when-cross-origin'
    """
    return WORD.sub(lambda word: TIGHTER.get(word[0].lower(), word[0]), policy)
