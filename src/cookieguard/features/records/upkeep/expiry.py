"""What ran out, as a record: one for all consents of a day, whether their visitors ever come back or not.

Each consent's own record says until when it counts. So this one need not name anybody, and costs a look at one day of
records, where one for each guest would double the log. Whichever worker comes first writes it, under the day's name.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta

from cookieguard.config import Config
from cookieguard.features.records.acts import acts_of, named
from cookieguard.features.records.store.open import stores_if_made
from cookieguard.features.records.store.protocol import LogStore, Window
from cookieguard.features.records.upkeep.pruning import life_of, pages_of
from cookieguard.features.records.values.consents import CONSENT, EXPIRY, GRANTS
from cookieguard.features.records.values.sealing import digest_of_id, read_about, time_of
from cookieguard.storage.keyring_source import load_keyring
from cookieguard.storage.state_directory import StateDirectory

LOOKS_BACK = 31  # days for which no worker of the shop ran


def record_expiries(
    config: Config, state: StateDirectory, *, environ: Mapping[str, str], now: datetime
) -> int:
    """Record each day that is over and on which consents ran out; return 0, for nothing goes. Raises LogDown."""
    # Of days before that the record itself was kept long enough, and went
    days = min(LOOKS_BACK, config.proof.kept_days.get(EXPIRY, LOOKS_BACK))
    with stores_if_made(config, state.path, environ=environ) as stores:
        due = [] if stores is None else list(_days_without_record(stores.log, life_of(config), now, days))
    if not due:
        return 0
    keyring = load_keyring(state, config.keys, environ=environ)
    with acts_of(config, state, keyring, environ=environ, clock=lambda: now) as acts:
        for day, count in due:
            if acts is not None:
                acts.append(EXPIRY, {"day": str(day), "ranOut": dict(count)}, once=str(day))
    return 0


def _days_without_record(
    log: LogStore, life: timedelta, now: datetime, days: int
) -> Iterator[tuple[date, Counter[str]]]:
    today = now.astimezone(UTC).date()
    for back in range(days, 0, -1):
        day = today - timedelta(days=back)
        if log.row(digest_of_id(named(EXPIRY, str(day)))) is None:
            count = ran_out(log, day, life)
            if count:
                yield day, count


def ran_out(log: LogStore, day: date, life: timedelta) -> Counter[str]:
    """Count the consents that counted to the end of their life, on a day (UTC), by what they granted."""
    begins = datetime.combine(day, time(), UTC)
    ends = begins + timedelta(days=1)
    since, until = (time_of(max(0, int((one - life).timestamp() * 1000))) for one in (begins, ends))
    window = Window(CONSENT, since, until, time_of(int(ends.timestamp() * 1000)), same_topic=False)
    kept = (one for rows in pages_of(log, window) for one in rows if not one.is_replaced)
    topics = (read_about(one.about)[0].partition(":")[2] for one in kept)
    return Counter(topic for topic in topics if topic in GRANTS)
