"""What a choice is made under: the version of the policy in force, its text, and what matters of each purpose."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import NamedTuple

from cookieguard.config.purposes import NECESSARY

DIGEST = 12  # hex digits in a cookie: 48 bits tell configurations of one shop apart
Matters = Mapping[str, str]
News = Mapping[str, tuple[str, int]]
"""Hold by vendor the purpose in which it is new, and the mark of the change by which it came: later ones are larger."""


class Terms(NamedTuple):
    """Name the version in force and the digest of its text; `matters` has a digest for each purpose."""

    version: str
    text: str
    matters: Matters


def matter_of(granted: frozenset[str], matters: Matters) -> str:
    """Name what matters in all that was granted: it changes with who gets what and for how long, not with wording."""
    lines = "".join(f"{one} {matters.get(one, '')}\n" for one in sorted(granted) if one != NECESSARY)
    return hashlib.sha256(lines.encode()).hexdigest()[:DIGEST]
