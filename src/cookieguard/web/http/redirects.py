"""Whether a browser follows a redirect: it then shows nothing of the body, so the body is no page."""

from __future__ import annotations

import re
from collections.abc import Mapping

REDIRECTS = frozenset({301, 302, 303, 307, 308})
LOCATION = b"location"
# An address on this host, or one of http with a plain name. Browsers show the body beside an empty Location; what is
# not surely an address counts as none.
FOLLOWED = re.compile(
    rb"(?:https?://[a-z0-9-]+(?:\.[a-z0-9-]+)*(?::[0-5]?[0-9]{1,4})?)?[/?](?![/\\])[!-~]*", re.IGNORECASE
)


def is_followed(status: int, names: Mapping[bytes, bytes]) -> bool:
    """Return whether a response with this status and these headers leads a browser on; `names` are lower-case."""
    return status in REDIRECTS and FOLLOWED.fullmatch(names.get(LOCATION, b"")) is not None
