"""What an engine of statistics is: to the pipeline that writes, and to whoever reads figures.

Days are UTC, counted since 1970, and so are hours. People's figures leave bots out. `visitors` are daily visitors:
distinct keys within one UTC day. Over several days their sum is visitor-days, since keys of two days cannot be
compared. Hits without a key (no consent to one) count as views and, where they come from elsewhere, as visits.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple, Protocol, runtime_checkable

from cookieguard.errors import CookieGuardError
from cookieguard.stats.hits import DASHBOARD_ONLY, Batch, Dimension, Hit
from cookieguard.stats.k_anonymity import Cell, people_of

Filters = Mapping[Dimension, str]
ALL: Filters = {}
# What most people come to without beginning a visit there.
BY_VIEWS = frozenset({Dimension.PAGE, Dimension.GOAL, *DASHBOARD_ONLY})


class EngineDown(CookieGuardError):
    """Say that the engine took nothing; the reason holds no URL and no value."""


class Days(NamedTuple):
    """Name a range of UTC days, both included, in days since 1970."""

    first: int
    last: int


def runs_of(days: Iterable[int]) -> Iterator[Days]:
    """Put days, in order, together where one follows the other."""
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
        """Return how many people these are at least; `by_views` where hits are of one page."""
        return people_of(visitors=self.visitors, visits=self.visits, views=self.views, by_views=by_views)


class Slice(NamedTuple):
    """Sum up one value of a dimension over a range."""

    value: str
    views: int
    visits: int
    visitors: int  # visitor-days

    def cell(self, *, by_views: bool) -> Cell:
        """Return the value as the rule of what may be shown takes it; `by_views` where it is in `BY_VIEWS`."""
        people = people_of(visitors=self.visitors, visits=self.visits, views=self.views, by_views=by_views)
        return Cell(self.value, people, (self.views, self.visits, self.visitors))


class ConsentCount(NamedTuple):
    """Count one Event of a day under a policy version."""

    day: int
    policy: str
    event: str
    times: int


class HeldCount(NamedTuple):
    """Count what was held of one host on one page over a range; `vendor` is empty where nobody declared it."""

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
    """Say how far back an engine goes, as it was found by looking; None where there is nothing of the kind."""

    oldest_hit: int | None  # seconds since 1970
    newest_hit: int | None
    oldest_sum: int | None  # UTC day, as the ones below
    oldest_key: int | None  # of visits, of who was seen with what, of hits
    hits: int  # at most
    lost: Mapping[int, int]  # hits dropped, by day


@runtime_checkable
class Capped(Protocol):
    """Be an engine that lives on the shop's own disk."""

    def cap_hits(self, most: int) -> int:
        """Delete the oldest hits beyond so many, by whole hours or days, leave all sums, and return how many went."""


@runtime_checkable
class Summing(Protocol):
    """Be a HitWriter whose sums need not be added with each batch."""

    def look_after(self, *, at_once: bool = False) -> None:
        """Add to the sums where it is time to, or many hits are not in them, or at once; never raises."""


@runtime_checkable
class Crossing(Protocol):
    """Be a HitWriter that keeps what filters ask of days that are over."""

    def count_closed_days(self, before: int) -> int:
        """Count some of the days before this one that are not counted yet, and return how many; while others write."""


@runtime_checkable
class HitRows(Protocol):
    """Be a HitReader that also gives single hits, for exports."""

    def hits(self, day: int) -> Iterator[Hit]:
        """Give every hit of a UTC day in the order of time, its `entry` decided."""


class HitEngine(Protocol):
    """Be what a URL names; nothing is opened before it is asked for. Each raises EngineDown.

    `batch_hits` is how many hits one transaction takes.
    """

    batch_hits: int

    def writer(self) -> HitWriter:
        """Open it for writing, made where there is nothing yet."""

    def existing(self) -> HitWriter | None:
        """Open it for forgetting; None where nothing was counted yet."""

    def reader(self) -> HitReader:
        """Open it for reading."""

    def retained(self) -> RetainedData | None:
        """Look how far back it goes, writing nothing; None where nothing was counted yet."""


class HitWriter(Protocol):
    """Take batches; used by one thread, which may wait about a second."""

    def write(self, batch: Batch) -> None:
        """Write hits in one transaction, nothing where they were written before; sums may be made later.

        Raises EngineDown where nothing was written, or where that is not known: the same batch comes again.
        """

    def forget(self, *, keys_before: int, hits_before: int, rollups_before: int) -> None:
        """Delete what belongs to days before these: who came when (visits, keys of hits), hits, rollups.

        Raises EngineDown where that was not done, or traces of it are still in a file.
        """

    def close(self) -> None:
        """Let go of the connection; never raises."""


class HitReader(Protocol):
    """Answer what a dashboard asks. A filter is on a dimension's value; with filters hits are read, not rollups,
    unless an engine counted them once their day was over (Crossing).

    So a filtered range goes back only as far as hits are kept. Raises EngineDown where it cannot be asked.
    """

    def hold_still(self) -> None:
        """Have all that is asked from now on answered as of one moment, until it is closed, where the engine can.

        For a page, whose figures are compared: a hit that comes between two questions would be their difference.
        """

    def span(self) -> Days | None:
        """Return the first and last day there are figures of, None where there are none."""

    def by_hour(self, days: Days, where: Filters = ALL) -> Sequence[Totals]:
        """Return totals by hour, in order; hours without a hit are left out."""

    def by_day(self, days: Days, where: Filters = ALL) -> Sequence[Totals]:
        """Return totals by day, in order; days without a hit are left out."""

    def by_day_of(self, days: Days, by: Dimension, value: str) -> Sequence[Totals]:
        """Return views, visits and visitors of one value by day, in order, from the sums: as far back as those go.

        Visitors are all there, whatever became of their keys. What else totals have is 0.
        """

    def of_a_crowd(self, days: Days, by: Dimension) -> frozenset[str]:
        """Return the values that five people had on one day of these; of several days one may be all of them."""

    def breakdown(self, days: Days, by: Dimension, where: Filters = ALL) -> Sequence[Slice]:
        """Return every value's sums, most views first, values alphabetically where they are equal."""

    def keyed_days(self, days: Days) -> Sequence[int]:
        """Return days, in order, of which filtered figures have all visitors though their keys may be gone.

        Of others that are over they may have too few, down to none.
        """

    def consent(self, days: Days) -> Sequence[ConsentCount]:
        """Return what happened with consent, by day, policy version and event."""

    def held(self, days: Days) -> Sequence[HeldCount]:
        """Return what was held, undeclared hosts first, then most views first."""

    def bots(self, days: Days) -> Sequence[BotCount]:
        """Return the hits of bots, most first."""

    def lost(self, days: Days) -> Mapping[str, int]:
        """Return how many hits were dropped, by reason, in all workers."""

    def close(self) -> None:
        """Let go of the connection; never raises."""
