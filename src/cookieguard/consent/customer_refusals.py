"""What a customer refused anywhere: kept under the customer number, and taken out of what a browser grants.

Rule: only restrictions travel. A grant lifts what the same customer refused earlier, and grants nothing elsewhere.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from cookieguard.config.policy import PolicyVersion
from cookieguard.config.purposes import NECESSARY
from cookieguard.consent.decision import (
    NOTHING_BEYOND,
    Consent,
    is_announced_only,
    version_at,
    write_receipt,
)
from cookieguard.consent.receipts import Receipt, Source
from cookieguard.consent.terms import Terms

FORMAT = 1


@dataclass(frozen=True, slots=True)
class Refusal:
    """Say when a purpose was refused (seconds since 1970), and under which policy version."""

    at: int
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Restrictions:
    """Hold what one customer refused, by purpose, and when the customer's browser last sent the signal."""

    refused: Mapping[str, Refusal] = field(default_factory=dict)
    gpc: int | None = None

    @property
    def newest(self) -> int | None:
        """Return when the latest of them was made, None without any."""
        times = [one.at for one in self.refused.values()]
        times += [] if self.gpc is None else [self.gpc]
        return max(times, default=None)


def read_restrictions(value: bytes) -> Restrictions:
    """Read what `write_restrictions` wrote; what cannot be read restricts nobody."""
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
    """Write restrictions as JSON."""
    refused = {name: [one.at, one.version] for name, one in sorted(kept.refused.items())}
    return json.dumps({"v": FORMAT, "refused": refused, "gpc": kept.gpc}, separators=(",", ":")).encode()


def updated_restrictions(
    kept: Restrictions, word: Receipt | None, *, gpc: bool, now: datetime, life: timedelta
) -> Restrictions:
    """Return what is kept after a request of the customer: `word` is the customer's own choice, `gpc` the signal.

    For each purpose the newest word counts. A choice answers an earlier signal of another device; a signal that
    comes with this very request stays.
    """
    oldest = int((now - life).timestamp())
    refused = {name: one for name, one in kept.refused.items() if one.at > oldest}
    signal = kept.gpc if kept.gpc is not None and kept.gpc > oldest else None
    if word is not None:
        at = int(word.decided.timestamp())
        refused = {name: one for name, one in refused.items() if one.at > at}
        refused |= {name: Refusal(at, word.policy_version) for name in word.refused if name not in refused}
        signal = signal if signal is not None and signal > at else None
    return Restrictions(refused=refused, gpc=int(now.timestamp()) if gpc else signal)


def restricts_more(after: Restrictions, before: Restrictions) -> bool:
    """Return whether something was refused since then; a signal that goes on is no news."""
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
    """Return the receipt that takes what was refused elsewhere out of what is in force; None where nothing changes.

    Who decided nothing here gets one that grants nothing beyond the necessary, if the refusal is of the text in force:
    another text asks again, but not with `terms`, where wording asks nobody. A signal that this
    browser sends itself needs none.
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
    """Return the choice in force where the customer made it here, logged in since then."""
    receipt = consent.receipt
    is_own = receipt is not None and receipt.source is Source.HERE and receipt.decided > since
    return receipt if is_own else None


def _is_in_force(refusal: Refusal, policy: PolicyVersion, now: datetime) -> bool:
    return refusal.version == version_at(policy, now) or is_announced_only(policy, now)
