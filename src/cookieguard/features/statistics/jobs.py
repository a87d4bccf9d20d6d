"""What is done with hits and their sums: closed days are counted, then keys, hits and sums go."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import closing
from datetime import datetime, timedelta

from cookieguard.engines.retention import CUT, Step, Times
from cookieguard.features.feature import Place
from cookieguard.features.statistics.engines.open import open_existing
from cookieguard.features.statistics.engines.protocol import Capped, Crossing
from cookieguard.stats.hits import SECONDS_OF_DAY

# At most, in one run: a month of 100,000 hits a day takes a minute and a half.
COUNT_FOR = timedelta(minutes=10)
KEYS_FOR = timedelta(hours=46)  # after the beginning of their day; with an hour between two runs less than 48
MAX_HITS = 10_000_000  # about 2 GB of single hits; the oldest hours go first, their sums stay


def jobs_of(place: Place) -> Mapping[str, Step]:
    """Return the step that forgets, and the one that keeps single hits from filling the disk."""
    caps: dict[str, Step] = {CUT: lambda _: _cap(place)} if place.config.stats.enabled else {}
    return {"statistics": lambda times: _forget(place, times), **caps}


def key_day_limit(now: datetime) -> int:
    """Return the first UTC day (since 1970) whose visitor keys may still be there."""
    return int((now - KEYS_FOR).timestamp()) // SECONDS_OF_DAY + 1


def _forget(place: Place, times: Times) -> int:
    """Forget in the engine; statistics that were switched off grow old as well."""
    settings = place.config.stats
    engine = open_existing(settings, place.state, environ=place.environ)
    if engine is None:
        return 0
    today = int(times.believed.timestamp()) // SECONDS_OF_DAY
    with closing(engine):
        try:  # before the keys go, by which visitors are counted
            if isinstance(engine, Crossing):
                _count_days(engine, today)
        finally:
            engine.forget(
                keys_before=key_day_limit(times.now),
                hits_before=today - settings.hit_days,
                rollups_before=today - settings.rollup_days,
            )
    return 0  # engines do not say how much


def _count_days(engine: Crossing, today: int) -> None:
    """Count all days that are over, a month of them after an update: without their keys they cannot be counted."""
    ends = time.monotonic() + COUNT_FOR.total_seconds()
    while engine.count_closed_days(today) and time.monotonic() < ends:
        pass


def _cap(place: Place) -> int:
    engine = open_existing(place.config.stats, place.state, environ=place.environ)
    if engine is None:
        return 0
    with closing(engine):
        return engine.cap_hits(MAX_HITS) if isinstance(engine, Capped) else 0
