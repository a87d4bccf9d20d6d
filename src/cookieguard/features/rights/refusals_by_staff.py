"""Refusals that staff enter for a customer; like the customer's own, they apply on all of the customer's devices."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from cookieguard.config import Config
from cookieguard.consent.customer_refusals import (
    Refusal,
    Restrictions,
    read_restrictions,
    write_restrictions,
)
from cookieguard.identity.revocations import refused_elsewhere
from cookieguard.identity.tokens import to_milliseconds
from cookieguard.storage.store.protocol import Store, StoreDown

NAMESPACE = "consent"
LONGEST = timedelta(days=400)  # without max_age: no browser keeps a cookie longer (RFC 6265bis)


def opt_out(store: Store, number: str, config: Config, *, now: datetime) -> None:
    """Store an opt-out of sale and sharing, as if each browser of the customer sent GPC; raises StoreDown."""
    _refuse(store, number, config, lambda before: replace(before, gpc=int(now.timestamp())), now=now)


def refuse_for(
    store: Store, number: str, config: Config, *, purpose: str, version: str, now: datetime
) -> None:
    """Refuse a purpose for the customer, under a version of the policy; raises StoreDown."""
    refusal = {purpose: Refusal(int(now.timestamp()), version)}
    _refuse(
        store, number, config, lambda before: replace(before, refused={**before.refused, **refusal}), now=now
    )


def _refuse(
    store: Store,
    number: str,
    config: Config,
    change: Callable[[Restrictions], Restrictions],
    *,
    now: datetime,
) -> None:
    """Store a refusal under the customer's number, and make their sessions load it."""
    idle = timedelta(days=config.identity.idle_days)
    life = timedelta(seconds=config.cookies.consent.max_age) or LONGEST

    def changed(kept: bytes | None) -> tuple[bytes, int]:
        before = Restrictions() if kept is None else read_restrictions(kept)
        return write_restrictions(change(before)), to_milliseconds(now + life)

    if not store.change(NAMESPACE, number, changed):
        raise StoreDown("a customer's refusals that others write all the time")
    store.record([refused_elsewhere(number, now=now, idle=idle)])
