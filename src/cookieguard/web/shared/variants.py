"""Variants of a page: the name by which a shared cache keeps the page for all visitors with the same consent.

A variant is `u` (no choice), `n` (refused), `a` (all accepted) or `p` with a hexadecimal mask of purposes. A `g` behind
`a` or `p` says that the choice was made under Global Privacy Control. After a dot follows a digest of the terms of the
choice. The visitor's cookie has this name; the cache adds `-g` if the browser sends the signal.
"""

from __future__ import annotations

import re
from datetime import datetime
from hashlib import blake2b
from typing import NamedTuple

from cookieguard.config import Config
from cookieguard.config.purposes import NECESSARY
from cookieguard.consent import Consent, Terms
from cookieguard.consent.decision import NOTHING_BEYOND, State, state_of, version_at
from cookieguard.identity.cookies import cookie_name, expire_cookie, set_cookie

NAMED = re.compile(rb"(?:u|(?:(n|a|p)([0-9a-f]{0,8})(g?)\.([0-9a-f]{8})))(-g)?")


class Variant(NamedTuple):
    """Hold the consent by which a shared document is rendered, in place of the visitor's cookies."""

    consent: Consent
    is_known: bool = True
    """Whether the choice was made under today's purposes, vendors and policy."""
    may_be_kept: bool = False
    """Whether the request is for a whole page, and has the headers that every shared page is rendered for."""


class Variants:
    """Turn consent into the cookie's value, and a variant's name back into consent."""

    def __init__(self, config: Config) -> None:
        self._spec, self._dev = config.cookies.variant, config.dev
        self.cookie_name = cookie_name(self._spec, dev=config.dev)
        self._policy, self._heeds_gpc = config.policy, config.consent.gpc
        self._purposes = tuple(purpose.id for purpose in config.asked if purpose.id != NECESSARY)
        self._ids = frozenset(self._purposes) | NOTHING_BEYOND
        vendors = sorted(
            (vendor.name, vendor.purpose, vendor.hosts, vendor.held) for vendor in config.vendors
        )
        self._facts = repr((self._purposes, vendors))
        self._generations: dict[str, str] = {}  # the digest of the last terms, by version

    def generation(self, terms: Terms | None, now: datetime) -> str:
        """Return a digest of the terms of a choice: purposes, vendors and the version of the policy."""
        version = version_at(self._policy, now) if terms is None else terms.version
        if version not in self._generations:
            matters = {} if terms is None else terms.matters
            text = repr((self._facts, version, sorted(matters.items())))
            self._generations = {version: blake2b(text.encode(), digest_size=4).hexdigest()}
        return self._generations[version]

    def value(self, consent: Consent, generation: str) -> str:
        """Return the cookie's value for a consent; empty if it is undecided, or cannot be expressed as a variant."""
        receipt = consent.receipt
        if receipt is None or consent.kept or consent.is_asked_anew or not consent.granted <= self._ids:
            return ""
        state = state_of(consent.granted, self._ids)
        if state is State.REFUSED:
            return f"n.{generation}"
        bits = (1 << place for place, purpose in enumerate(self._purposes) if purpose in consent.granted)
        name = "a" if state is State.ALL else f"p{sum(bits):x}"
        return f"{name}{'g' if receipt.gpc else ''}.{generation}"

    def read(self, name: bytes, generation: str) -> Variant:
        """Return the variant of this name; an invalid name, or one of another generation, counts as undecided."""
        found = NAMED.fullmatch(name)
        gpc = self._heeds_gpc and found is not None and found[5] is not None
        undecided = Consent(gpc=gpc, has_question=len(self._ids) > 1)
        if found is None or found[1] is None:
            return Variant(undecided, is_known=found is not None)
        granted = self._granted(found[1], found[2])
        if granted is None or found[4].decode() != generation:
            return Variant(undecided, is_known=False)
        if gpc and not found[3] and granted != NOTHING_BEYOND:
            return Variant(Consent(gpc=True, is_overruled=True))
        return Variant(Consent(granted=granted, state=state_of(granted, self._ids), gpc=gpc))

    def _granted(self, state: bytes, mask: bytes) -> frozenset[str] | None:
        """Return the granted purposes; None for a spelling that `value` never writes: a variant has one cache key."""
        if state != b"p":
            return (NOTHING_BEYOND if state == b"n" else self._ids) if not mask else None
        bits = int(mask or b"0", 16)
        if not 0 < bits < (1 << len(self._purposes)) - 1 or f"{bits:x}".encode() != mask:
            return None
        return NOTHING_BEYOND | {purpose for place, purpose in enumerate(self._purposes) if bits >> place & 1}

    def line_of(self, value: str) -> bytes:
        """Return the Set-Cookie line of a value; an empty one removes the cookie."""
        if not value:
            return expire_cookie(self._spec, dev=self._dev)
        return set_cookie(self._spec, value, dev=self._dev)
