"""What a look at the bytes of a script or a tag tells, before either is read.

Rule: bytes in, an answer out that is never "no" where it should be "yes". `glances.pyx` says the same in C.
"""

from __future__ import annotations

import re

from cookieguard.html.grammar import TAG_NAME
from cookieguard.html.hosts import ESCAPED_HOST, ESCAPED_SLASH, HOST
from cookieguard.html.idioms import SINK

# A scheme that waits for its host.
GLUE_SLASHES = re.compile(rb"/\\?/(?:[A-Za-z0-9\-]{1,63}\.?)?[\"'`]")
GLUE_SCHEME = re.compile(rb"ttps?:[\"'`]")


def named_hosts(text: bytes) -> list[bytes]:
    """List the hosts a script names, each once."""
    found = HOST.findall(text)
    if ESCAPED_SLASH.search(text):
        found += ESCAPED_HOST.findall(text)
    return list(dict.fromkeys(found))


def has_glue(text: bytes) -> bool:
    """Tell whether a host may be put behind a scheme somewhere in a script."""
    return GLUE_SLASHES.search(text) is not None or GLUE_SCHEME.search(text) is not None


def has_sink(_code: bytes, back: bytes) -> bool:
    """Tell whether a script's code, here backwards as well, has anything that loads."""
    return SINK.search(back) is not None


def may_reach_others(raw: bytes) -> bool:
    """Tell whether a reference in a tag may leave the page's own origin.

    Tabs and newlines go from URLs: `/<tab>/host`.
    """
    return (
        b"//" in raw
        or b":" in raw
        or b"&" in raw
        or b"\\" in raw
        or b"/\n" in raw
        or b"/\t" in raw
        or b"/\r" in raw
    )


def name_of(raw: bytes) -> tuple[bytes, int]:
    """Return the name of a tag in lower case, and where it ends."""
    match = TAG_NAME.match(raw)
    assert match is not None  # noqa: S101  # the caller matched a tag
    return match[2].lower(), match.end()
