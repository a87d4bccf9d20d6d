"""The protocols of a statistics database, called an engine: how hits are written to it, and how figures are read.

Days and hours are UTC, counted since 1970. Figures of people exclude bots. `visitors` are daily visitors: distinct
visitor keys within one UTC day. Their sum over several days is visitor-days, since keys of two days cannot be
compared. A hit without a key (the visitor did not agree to one) counts as a view, and as a visit if it comes from
another site.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple, Protocol, runtime_checkable

from cookieguard.errors import CookieGuardError
from cookieguard.stats.hits import DASHBOARD_ONLY, Batch, Dimension, Hit
from cookieguard.stats.k_anonymity import Cell, people_of

Filters = Mapping[Dimension, str]
ALL: Filters = {}
# Dimensions whose values most people reach without beginning a visit there, so that only views show how many they are.
BY_VIEWS = frozenset({Dimension.PAGE, Dimension.GOAL, *DASHBOARD_ONLY})


class EngineDown(CookieGuardError):
    """Say that the engine did not answer or store anything. The reason contains no URL and no visitor's data."""


class Days(NamedTuple):
    """Name a range of UTC days, both included, in days since 1970."""

    first: int
    last: int


def runs_of(days: Iterable[int]) -> Iterator[Days]:
    """Yield ranges of consecutive days, from days in ascending order."""
    run: Days | None = None
    for day in days:
        if run is not None and day == run.last + 1:
            run = Days(run.first, day)
            continue
        if run is not None:
            yield run
        run = Days(day, day)
    if run is not None:
        yield run


class Totals(NamedTuple):
    """Sum up one hour or day (`at`: hours or days since 1970). `arrivals` are the visits without a key."""

    at: int
    views: int
    visits: int  # arrivals included
    arrivals: int
    visitors: int  # 0 for an hour, which has no visitors of its own
    errors: int
    bots: int
    bytes: int
    duration: int  # milliseconds of all views together

    def people(self, *, by_views: bool = False) -> int:
        """Return the least number of people behind these totals; `by_views` if they are of one page."""
        return people_of(visitors=self.visitors, visits=self.visits, views=self.views, by_views=by_views)


class Slice(NamedTuple):
    """Sum up one value of a dimension over a range."""

    value: str
    views: int
    visits: int
    visitors: int  # visitor-days

    def cell(self, *, by_views: bool) -> Cell:
        """Return the value for disclosure control (`stats/k_anonymity.py`); `by_views` if it is in `BY_VIEWS`."""
        people = people_of(visitors=self.visitors, visits=self.visits, views=self.views, by_views=by_views)
        return Cell(self.value, people, (self.views, self.visits, self.visitors))


class ConsentCount(NamedTuple):
    """Count one Event of a day under a policy version."""

    day: int
    policy: str
    event: str
    times: int


class HeldCount(NamedTuple):
    """Count the elements of one host held on one page over a range; `vendor` is empty for an undeclared host."""

    host: str
    page: str
    vendor: str
    purpose: str
    views: int  # views on which it was held
    elements: int
    since: int  # its first day in the range


class BotCount(NamedTuple):
    """Count the hits of one bot over a range."""

    kind: str
    name: str
    hits: int


class RetainedData(NamedTuple):
    """Say how far back an engine's data goes; None if it has no data of the kind."""

    oldest_hit: int | None  # seconds since 1970
    newest_hit: int | None
    oldest_sum: int | None  # UTC day, as the days below
    oldest_key: int | None  # the oldest day that still has visitor keys, in any table
    hits: int  # an upper bound
    lost: Mapping[int, int]  # hits dropped, by day


@runtime_checkable
class Capped(Protocol):
    """A HitWriter whose hits fill the shop's own disk, so their number has a limit."""

    def cap_hits(self, most: int) -> int:
        """Delete the oldest hits, by whole hours or days, until at most `most` are left, and return how many went."""


@runtime_checkable
class Summing(Protocol):
    """A HitWriter that adds hits to the sums later, several batches at a time."""

    def look_after(self, *, at_once: bool = False) -> None:
        """Add new hits to the sums if it is time, if there are many, or `at_once`; never raises."""


@runtime_checkable
class Crossing(Protocol):
    """A HitWriter that stores filtered figures of closed days, so that readers need not go through single hits."""

    def count_closed_days(self, before: int) -> int:
        """Count some uncounted days before this one, while others write, and return how many days were counted."""


class HitEngine(Protocol):
    """The database that a URL names. It is opened by these methods only, and each of them raises EngineDown.

    `batch_hits` is the number of hits that one transaction writes.
    """

    batch_hits: int

    def writer(self) -> HitWriter:
        """Open it for writing, and create its tables if they are missing."""

    def existing(self) -> HitWriter | None:
        """Open it to delete old data, or return None if nothing was counted yet."""

    def reader(self) -> HitReader:
        """Open it for reading; raises EngineDown if nothing was counted yet."""

    def retained(self) -> RetainedData | None:
        """Return how far back its data goes, without writing; None if nothing was counted yet."""


class HitWriter(Protocol):
    """Writes batches of hits. One thread uses it, and may wait about a second for it."""

    def write(self, batch: Batch) -> None:
        """Write a batch in one transaction, unless it was written before. Its hits may be added to the sums later.

        Raises EngineDown if nothing was written, or if that is not known; the caller then sends the batch again.
        """

    def forget(self, *, keys_before: int, hits_before: int, rollups_before: int) -> None:
        """Delete visitor keys, hits and rollups of days before these three.

        Raises EngineDown if it could not delete them, or if traces of them are still in a file.
        """

    def close(self) -> None:
        """Close the connection; never raises."""


class HitReader(Protocol):
    """Reads the dashboard's figures; each method raises EngineDown. A filter is a dimension with one value.

    Filtered figures are counted from single hits, so they go back only as far as hits are kept, unless the engine
    counted them when their day was over (Crossing).
    """

    def hold_still(self) -> None:
        """Answer all further queries as of this moment, until it is closed, if the engine can.

        A page's figures are compared with each other: a hit between two queries would show up as their difference.
        """

    def span(self) -> Days | None:
        """Return the first and the last day that have figures, or None."""

    def by_hour(self, days: Days, where: Filters = ALL) -> Sequence[Totals]:
        """Return totals by hour, in order; hours without a hit are left out."""

    def by_day(self, days: Days, where: Filters = ALL) -> Sequence[Totals]:
        """Return totals by day, in order; days without a hit are left out."""

    def by_day_of(self, days: Days, by: Dimension, value: str) -> Sequence[Totals]:
        """Return views, visits and visitors of one value by day, in order, as far back as the sums go.

        Visitors are complete, even if their keys are deleted. The other fields of the totals are 0.
        """

    def of_a_crowd(self, days: Days, by: Dimension) -> frozenset[str]:
        """Return the values that at least five people had on a single day; over several days it may be one person."""

    def breakdown(self, days: Days, by: Dimension, where: Filters = ALL) -> Sequence[Slice]:
        """Return the sums of every value, most views first, then alphabetically."""

    def keyed_days(self, days: Days) -> Sequence[int]:
        """Return the days, in order, whose filtered figures count all visitors, even if their keys are deleted.

        Figures of other days that are over may count too few visitors, or none.
        """

    def consent(self, days: Days) -> Sequence[ConsentCount]:
        """Return the counts of visitors' choices, by day, policy version and event."""

    def held(self, days: Days) -> Sequence[HeldCount]:
        """Return the held hosts and pages, undeclared hosts first, then most views first."""

    def bots(self, days: Days) -> Sequence[BotCount]:
        """Return the hits of bots, most first."""

    def lost(self, days: Days) -> Mapping[str, int]:
        """Return how many hits were dropped, by reason, in all workers."""

    def hits(self, day: int) -> Iterator[Hit]:
        """Yield every hit of a UTC day by time, with its final `entry` (whether it begins a visit), for exports."""

    def close(self) -> None:
        """Close the connection; never raises."""
