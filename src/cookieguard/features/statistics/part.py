"""The statistics of a worker: the queue of hits, and the dashboard."""

from __future__ import annotations

from functools import partial

from cookieguard.features.people.part import PeoplePart
from cookieguard.features.statistics.counting import open_counting
from cookieguard.features.statistics.engines.open import open_reader
from cookieguard.features.statistics.stats_page import STATS_PAGE, answer_stats, refuse_stats
from cookieguard.web.parts.guard import Guard
from cookieguard.web.parts.page import READ_AND_POST, Page
from cookieguard.web.parts.part import Part
from cookieguard.web.recording.counting import Counting


class StatisticsPart(Part):
    """Own the queue of hits."""

    def __init__(self, guard: Guard, counting: Counting) -> None:
        self.counting = guard.ports.counting = counting
        staff, settings, state = guard.part(PeoplePart).staff, guard.config.stats, guard.state.path
        figures = partial(open_reader, settings, state, environ=guard.environ)
        answer = partial(answer_stats, open_figures=figures)
        guarded = staff.guarded("analyst", answer, refused=refuse_stats)
        self.pages = (Page(STATS_PAGE, READ_AND_POST, guarded, "analyst", "Statistics"),)

    def close(self, deadline: float) -> None:
        self.counting.pipeline.close(deadline)


def serve(guard: Guard) -> StatisticsPart | None:
    """Open the engine, None if nothing is counted. Raises ConfigError."""
    counting = open_counting(
        guard.config, guard.state, guard.keys_of, environ=guard.environ, clock=guard.clock
    )
    return None if counting is None else StatisticsPart(guard, counting)
