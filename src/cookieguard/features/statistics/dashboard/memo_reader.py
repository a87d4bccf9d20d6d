"""HitReaders for one page, which needs the same figures several times, both as parts and as wholes."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from cookieguard.features.statistics.dashboard import month_to_date
from cookieguard.features.statistics.engines.protocol import ALL, Days, Filters, HitReader, Slice, Totals
from cookieguard.stats.hits import Dimension


class AskedOnce:
    """Read each figure only once from another HitReader."""

    def __init__(self, reader: HitReader) -> None:
        self._reader = reader
        self._totals: dict[object, Sequence[Totals]] = {}
        self._slices: dict[object, Sequence[Slice]] = {}
        self.span, self.by_hour, self.by_day_of = reader.span, reader.by_hour, reader.by_day_of
        self.of_a_crowd, self.keyed_days = reader.of_a_crowd, reader.keyed_days
        self.consent, self.held, self.bots = reader.consent, reader.held, reader.bots
        self.lost, self.hits = reader.lost, reader.hits
        self.hold_still, self.close = reader.hold_still, reader.close

    def by_day(self, days: Days, where: Filters = ALL) -> Sequence[Totals]:
        key = (days, frozenset(where.items()))
        if key not in self._totals:
            self._totals[key] = self._reader.by_day(days, where)
        return self._totals[key]

    def breakdown(self, days: Days, by: Dimension, where: Filters = ALL) -> Sequence[Slice]:
        key = (days, by, frozenset(where.items()))
        if key not in self._slices:
            self._slices[key] = self._reader.breakdown(days, by, where)
        return self._slices[key]


class AnyDays(AskedOnce):
    """Read figures for any past days, rounded together by `month_to_date`; each of them only once."""

    def __init__(self, reader: HitReader) -> None:
        super().__init__(reader)
        self.consent = partial(month_to_date.consent, reader)
        self.bots = partial(month_to_date.bots, reader)

    def by_day(self, days: Days, where: Filters = ALL) -> Sequence[Totals]:
        return month_to_date.by_day(partial(self._reader.by_day, where=where), days)

    def breakdown(self, days: Days, by: Dimension, where: Filters = ALL) -> Sequence[Slice]:
        return month_to_date.breakdown(self._reader, days, by)
