"""The part of a worker that counts: the queue of hits, and the dashboard page."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

from cookieguard.config import Config
from cookieguard.consent.decision import version_at
from cookieguard.engines.files.country import Countries
from cookieguard.features.people.part import PeoplePart
from cookieguard.features.people.staff_sign_in import staff_only
from cookieguard.features.statistics.asked import asked_on, note_asked
from cookieguard.features.statistics.engines.open import open_engine, open_sink
from cookieguard.features.statistics.engines.sink import Counted
from cookieguard.features.statistics.stats_page import STATS_PAGE, answer_stats
from cookieguard.stats.goals import Goals
from cookieguard.stats.raw_hits import RawHit, Reader
from cookieguard.web.parts.guard import Guard
from cookieguard.web.parts.part import READ_AND_POST, Part
from cookieguard.web.recording.counting import Counting
from cookieguard.web.recording.pipeline import Pipeline

KEY_USE = "visitor"
IDLE_EVERY = timedelta(minutes=10)


class StatisticsPart(Part):
    """Own the queue of hits, and write the file of what visitors are asked."""

    def __init__(self, guard: Guard, counting: Counting) -> None:
        self.counting = guard.ports.counting = counting
        staff, settings, state = guard.part(PeoplePart).staff, guard.config.stats, guard.state.path
        figures = open_engine(settings, state, environ=guard.environ).reader
        answer = partial(answer_stats, staff=staff, open_figures=figures)
        page = staff_only(staff, STATS_PAGE, READ_AND_POST, answer, role="analyst", title="Statistics")
        self.pages = (page,)
        self._guard = guard
        self._asked: tuple[object, ...] = ()

    def look(self, now: datetime) -> None:
        config, renderer = self._guard.services().config, self._guard.services().renderer
        asked = version_at(config.policy, now), config.vendors  # nothing else can change while a worker runs
        if asked != self._asked:
            self._asked = asked
            note_asked(self._guard.state.path, asked_on(now, config, renderer))

    def close(self, deadline: float) -> None:
        self.counting.pipeline.close(deadline)


def serve(guard: Guard) -> StatisticsPart:
    """Open the engine and return the part. Raises ConfigError."""
    return StatisticsPart(guard, _counting(guard))


def _counting(guard: Guard) -> Counting:
    config, settings = guard.config, guard.config.stats
    keys = guard.keys_of(KEY_USE)
    sink = open_sink(settings, guard.state, environ=guard.environ, keys=keys, clock=guard.clock)
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
