"""Whether a browser or a library asks for a page ahead of a click, as its headers say."""

from __future__ import annotations

from collections.abc import Mapping

# In which browsers and libraries say so.
SEC_PURPOSE = b"sec-purpose"
AHEAD = (SEC_PURPOSE, b"x-sec-purpose", b"purpose")


def is_ahead(headers: Mapping[bytes, bytes]) -> bool:
    """Return whether a request's headers show that nobody asked for the page yet."""
    for name in AHEAD:
        said = headers.get(name)  # hardly ever anything
        if said is not None and said.find(b"prefetch") >= 0:
            return True
    return False
