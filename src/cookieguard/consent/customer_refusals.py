"""Applies a customer's refusals to all of their browsers: stored by customer number, and removed from each consent.

Rule: only refusals are transferred. A later grant by the customer cancels a refusal, but grants no purpose elsewhere.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from cookieguard.config.policy import PolicyVersion
from cookieguard.config.purposes import NECESSARY
from cookieguard.consent.decision import NOTHING_BEYOND, Consent, is_announced_only, version_at, write_receipt
from cookieguard.consent.receipts import Receipt, Source
from cookieguard.consent.terms import Terms

FORMAT = 1


@dataclass(frozen=True, slots=True)
class Refusal:
    """When a purpose was refused (seconds since 1970), and under which policy version."""

    at: int
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Restrictions:
    """One customer's refusals, by purpose, and when a browser of the customer last sent the GPC signal."""

    refused: Mapping[str, Refusal] = field(default_factory=dict)
    gpc: int | None = None

    @property
    def newest(self) -> int | None:
        """Return the time of the latest refusal or signal; None if there is none."""
        times = [refusal.at for refusal in self.refused.values()]
        times += [] if self.gpc is None else [self.gpc]
        return max(times, default=None)


def read_restrictions(value: bytes) -> Restrictions:
    """Return the restrictions that `write_restrictions` wrote; empty ones if the value cannot be read."""
    try:
        kept = json.loads(value)
        refused = {
            str(name): Refusal(int(at), str(version)) for name, (at, version) in kept["refused"].items()
        }
        gpc = kept["gpc"]
        return Restrictions(refused=refused, gpc=None if gpc is None else int(gpc))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return Restrictions()


def write_restrictions(kept: Restrictions) -> bytes:
    """Return restrictions as JSON."""
    refused = {name: [refusal.at, refusal.version] for name, refusal in sorted(kept.refused.items())}
    return json.dumps({"v": FORMAT, "refused": refused, "gpc": kept.gpc}, separators=(",", ":")).encode()


def updated_restrictions(
    kept: Restrictions, word: Receipt | None, *, gpc: bool, now: datetime, life: timedelta
) -> Restrictions:
    """Return the restrictions to store after a request of the customer.

    `word` is the customer's choice in this browser, and `gpc` is this request's signal. For each purpose the newest
    choice counts. A choice cancels an earlier signal of another device, but not this request's own signal.
    """
    oldest = int((now - life).timestamp())
    refused = {name: refusal for name, refusal in kept.refused.items() if refusal.at > oldest}
    signal = kept.gpc if kept.gpc is not None and kept.gpc > oldest else None
    if word is not None:
        at = int(word.decided.timestamp())
        refused = {name: refusal for name, refusal in refused.items() if refusal.at > at}
        refused |= {name: Refusal(at, word.policy_version) for name in word.refused if name not in refused}
        signal = signal if signal is not None and signal > at else None
    return Restrictions(refused=refused, gpc=int(now.timestamp()) if gpc else signal)


def restricts_more(after: Restrictions, before: Restrictions) -> bool:
    """Return whether `after` has a refusal or signal that `before` does not have."""
    is_signalled = after.gpc is not None and before.gpc is None
    return is_signalled or not after.refused.items() <= before.refused.items()


def restricted(
    consent: Consent,
    kept: Restrictions,
    *,
    purposes: frozenset[str],
    policy: PolicyVersion,
    now: datetime,
    terms: Terms | None = None,
) -> Receipt | None:
    """Return the receipt without the purposes refused in other browsers; None if the consent stays the same.

    Without a choice in this browser, the new receipt grants only the necessary purpose, if the refusal was made under
    the policy text in force. With another text the visitor is asked again, except with `terms`, under which a new text
    is no reason to ask. If this browser sends the signal itself, no receipt is needed for it.
    """
    signal = kept.gpc is not None and not consent.gpc
    stays = signal or terms is not None
    barred = (purposes if signal else purposes & frozenset(kept.refused)) - NOTHING_BEYOND
    source = Source.SIGNAL if signal else Source.PROFILE
    receipt = consent.receipt
    if receipt is None:
        in_force = {name for name in barred if stays or _is_in_force(kept.refused[name], policy, now)}
        granted = NOTHING_BEYOND
        if not in_force:
            return None
    else:
        granted = receipt.in_force - barred
        if granted == receipt.in_force:
            return None
        barred |= receipt.refused
    written = write_receipt(
        granted,
        purposes=purposes,
        policy=policy,
        banner="",
        gpc=consent.gpc and receipt is not None,
        now=now,
        terms=terms,
    )
    barred -= {NECESSARY}
    if receipt is None:
        return replace(written, refused=barred, source=source)
    return replace(written, refused=barred, source=source, subject=receipt.subject, listed=receipt.listed)


def own_word(consent: Consent, *, since: datetime) -> Receipt | None:
    """Return the choice in force if the customer made it in this browser after `since`, the login."""
    receipt = consent.receipt
    is_own = receipt is not None and receipt.source is Source.HERE and receipt.decided > since
    return receipt if is_own else None


def _is_in_force(refusal: Refusal, policy: PolicyVersion, now: datetime) -> bool:
    return refusal.version == version_at(policy, now) or is_announced_only(policy, now)
