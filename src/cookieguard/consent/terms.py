"""The terms of a choice: the policy's version in force, the digest of its text, and what matters about each purpose."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import NamedTuple

from cookieguard.config.purposes import NECESSARY

DIGEST = 12  # hex digits in a cookie: 48 bits are enough to distinguish the configurations of one shop
Matters = Mapping[str, str]
News = Mapping[str, tuple[str, int]]
"""New vendor -> its purpose, and the mark of the change that added it. Later changes have larger marks."""


class Terms(NamedTuple):
    """Hold the version in force and the digest of its text; `matters` has a digest for each purpose."""

    version: str
    text: str
    matters: Matters


def matter_of(granted: frozenset[str], matters: Matters) -> str:
    """Return a digest of what matters in all granted purposes: who gets which data for how long, not the wording."""
    purposes = sorted(granted - {NECESSARY})
    lines = "".join(f"{purpose} {matters.get(purpose, '')}\n" for purpose in purposes)
    return hashlib.sha256(lines.encode()).hexdigest()[:DIGEST]
