"""Put statistics together from a configuration."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from pathlib import Path

from cookieguard.config import Config
from cookieguard.engines.files.country import Countries
from cookieguard.features.statistics.engines.open import open_sink
from cookieguard.features.statistics.engines.sink import Counted
from cookieguard.stats.goals import Goals
from cookieguard.stats.raw_hits import RawHit, Reader
from cookieguard.storage.day_keys import DayKeys
from cookieguard.storage.state_directory import StateDirectory
from cookieguard.web.recording.counting import Counting
from cookieguard.web.recording.pipeline import Pipeline

KEY_USE = "visitor"
IDLE_EVERY = timedelta(minutes=10)


def open_counting(
    config: Config,
    state: StateDirectory,
    keys_of: Callable[[str], DayKeys],
    *,
    environ: Mapping[str, str],
    clock: Callable[[], datetime] | None = None,
) -> Counting | None:
    """Put statistics together; None where they are switched off. Raises ConfigError.

    `keys_of` gives the keys of the day for a use, which never lie beside the hits.
    """
    settings = config.stats
    if not settings.enabled:
        return None
    keys = keys_of(KEY_USE)
    sink = open_sink(settings, state, environ=environ, keys=keys, clock=clock)
    reader = Reader(
        own_hosts=_own_hosts(config), names_routes=settings.pages == "route", search=settings.search
    )

    def form(raw_hit: RawHit) -> Counted:
        hit = reader.read(raw_hit)
        return hit, reader.before(raw_hit, hit)

    return Counting(
        pipeline=Pipeline(
            sink, form=form, name="stats", idle=(IDLE_EVERY, sink.look_after), on_drop=sink.note_lost
        ),
        sink=sink,
        keys=keys,
        goals=Goals(raises=config.dev),
        named_pages=frozenset(settings.named_pages),
        keys_unasked=settings.before_consent == "hashed",
        counts_unasked=settings.before_consent != "none",
        policy=config.policy.version,
        asks=config.consent.enabled and config.html.enabled,
        prefix=config.prefix,
        country_header=settings.country_header.lower().encode(),
        country_of=Countries(Path(settings.mmdb)) if settings.mmdb else None,
    )


def _own_hosts(config: Config) -> frozenset[str]:
    places = [origin.partition("://")[2] for origin in config.origins]
    places += [host.partition("/")[0] for host in config.first_party_hosts]
    return frozenset(place.partition(":")[0].removeprefix("www.") for place in places)
