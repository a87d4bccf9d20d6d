"""The hourly jobs of statistics: count days that are over, then delete old visitor keys, hits and sums."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import closing
from datetime import timedelta

from cookieguard.engines.retention import CUT, Step, Times
from cookieguard.features.feature import Place
from cookieguard.features.statistics.engines.open import open_engine
from cookieguard.features.statistics.engines.protocol import Capped, Crossing
from cookieguard.stats.hits import SECONDS_OF_DAY

# At most, in one run; a month of 100,000 hits a day takes a minute and a half.
COUNT_FOR = timedelta(minutes=10)
KEYS_FOR = timedelta(hours=46)  # from the beginning of their day; less than 48 with an hour between two runs
MAX_HITS = 10_000_000  # about 2 GB of single hits; the oldest hours are deleted first, and their sums stay


def jobs_of(place: Place) -> Mapping[str, Step]:
    """Return the step that deletes old data, and the one that keeps single hits from filling the disk."""
    caps: dict[str, Step] = {CUT: lambda _: _cap(place)} if place.config.stats.enabled else {}
    return {"statistics": lambda times: _forget(place, times), **caps}


def _forget(place: Place, times: Times) -> int:
    """Delete old data in the engine, also after statistics were switched off."""
    settings = place.config.stats
    engine = open_engine(settings, place.state, environ=place.environ).existing()
    if engine is None:
        return 0
    today = int(times.believed.timestamp()) // SECONDS_OF_DAY
    with closing(engine):
        ends = time.monotonic() + COUNT_FOR.total_seconds()
        try:  # count before the keys are deleted, because visitors are counted by them
            while isinstance(engine, Crossing) and engine.count_closed_days(today):
                if time.monotonic() >= ends:
                    break
        finally:
            engine.forget(
                keys_before=int((times.now - KEYS_FOR).timestamp()) // SECONDS_OF_DAY + 1,
                hits_before=today - settings.hit_days,
                rollups_before=today - settings.rollup_days,
            )
    return 0  # engines do not report how much they deleted


def _cap(place: Place) -> int:
    engine = open_engine(place.config.stats, place.state, environ=place.environ).existing()
    if engine is None:
        return 0
    with closing(engine):
        return engine.cap_hits(MAX_HITS) if isinstance(engine, Capped) else 0
