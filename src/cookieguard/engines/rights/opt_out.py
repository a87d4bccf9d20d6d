"""An opt-out of sale and sharing for a customer: it counts as if each of their browsers sent the signal."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from cookieguard.config import Config
from cookieguard.consent.customer_refusals import Restrictions, read_restrictions, write_restrictions
from cookieguard.engines.store.protocol import Store, StoreDown
from cookieguard.identity.revocations import refused_elsewhere
from cookieguard.identity.tokens import to_milliseconds

NAMESPACE = "consent"
LONGEST = timedelta(days=400)
TRIES = 10


def opt_out(store: Store, number: str, config: Config, *, now: datetime) -> None:
    """Note the opt-out under the customer's number, and have their sessions ask for it; raises StoreDown."""
    idle = timedelta(days=config.identity.idle_days)
    life = timedelta(seconds=config.cookies.consent.max_age) or LONGEST
    for _ in range(TRIES):
        found = store.read(NAMESPACE, number)
        before = Restrictions() if found is None else read_restrictions(found.value)
        value = write_restrictions(replace(before, gpc=int(now.timestamp())))
        after, until = 0 if found is None else found.version, to_milliseconds(now + life)
        if store.write(NAMESPACE, number, value, until=until, after=after):
            store.record([refused_elsewhere(number, now=now, idle=idle)])
            return
    raise StoreDown("others changed this customer's refusals at every try")
