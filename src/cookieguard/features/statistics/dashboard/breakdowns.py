"""The tables of the dashboard, the mail and the CSV: their kinds, titles and rows, after suppression and rounding."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass, replace

from cookieguard.stats.hits import Dimension


@dataclass(frozen=True, slots=True)
class TableKind:
    """Describe how tables of one kind are shown, on the page, in the mail and in files."""

    title: str
    head: str = "Views"  # the head of its main figure
    _: KW_ONLY
    by: Dimension = Dimension.GOAL  # its rows are the values of this dimension
    note: str = ""
    is_always: bool = False  # on the page even if no row may be shown
    is_mailed: bool = False
    is_long: bool = False  # its names are sentences, which need the whole width
    is_of_countries: bool = False  # its values are country codes
    is_of_hits: bool = False  # it counts hits, and their visitors are unknown
    is_compared: bool = False  # each row has its change since the days before
    is_in_views: bool = False  # the SQL views of the database contain its figures
    is_whole: bool = False  # the mail shows all of its rows, not only the first ones
    rate: str = ""  # the head of its rates on the page; empty if it has none
    rate_of: str = ""  # the whole that a rate is a part of
    more: Sequence[str] = ()  # the heads of further figures

    @property
    def lead(self) -> int:
        """The index of its main count: views (0) or visits (1)."""
        return int(self.head == "Visits")


NAMED_ERRORS = "An address is named if five people met the error there on one day."
SOURCES = TableKind(
    "Sources",
    "Visits",
    by=Dimension.SOURCE,
    is_always=True,
    is_mailed=True,
    is_compared=True,
    is_in_views=True,
)
PAGES = TableKind(
    "Pages", by=Dimension.PAGE, is_always=True, is_mailed=True, is_compared=True, is_in_views=True
)
ENTRIES = TableKind("Entry pages", "Visits", by=Dimension.ENTRY, is_in_views=True)
COUNTRIES = TableKind(
    "Countries", by=Dimension.COUNTRY, is_mailed=True, is_of_countries=True, is_in_views=True
)
DEVICES = TableKind("Devices", by=Dimension.DEVICE, is_in_views=True)
CAMPAIGNS = TableKind(
    "Campaigns", "Visits", by=Dimension.CAMPAIGN, is_mailed=True, is_compared=True, is_in_views=True
)
# In the order of the overview.
TABLES: Sequence[TableKind] = (PAGES, SOURCES, ENTRIES, CAMPAIGNS, COUNTRIES, DEVICES)
PAGES_AND_EXITS = replace(
    PAGES,
    more=("Exit rate",),
    note="Exit rate: of the views by visitors who agreed, the share that ended a visit.",
)
ENTRIES_AND_BOUNCES = replace(
    ENTRIES,
    is_always=True,
    more=("Bounce rate",),
    note="Bounce rate: of the visits that began here, by visitors who agreed, the share that had no second view.",
)
SEARCHES = TableKind("Searches", "Times", by=Dimension.SEARCH, is_mailed=True)
MISSING = TableKind(
    "Pages not found",
    "Times",
    by=Dimension.ERROR,
    is_mailed=True,
    is_always=True,
    note=f"Answered with 404 or 410. {NAMED_ERRORS}",
)
REFUSED = TableKind(
    "Other request errors (4xx)", "Times", is_always=True, by=Dimension.ERROR, note=NAMED_ERRORS
)
BROKEN = TableKind("Shop errors (5xx)", "Times", is_always=True, by=Dimension.ERROR, note=NAMED_ERRORS)
SPEED = TableKind(
    "Slow pages",
    by=Dimension.PAGE,
    is_of_hits=True,
    more=("Median", "95 % within", "1 s or more"),
    note="Time until the last byte of the page has left the server. Times are counted in steps, and each figure is the"
    " upper end of its step: 500 ms means at most 500 ms. Steps with fewer than five people are joined. A page needs"
    " 50 views.",
)
GOALS = TableKind("Goals", "Times", by=Dimension.GOAL, is_mailed=True, rate="Of all", rate_of="all visitors")
GOAL_VALUES = TableKind("Goal values", "Times", by=Dimension.GOAL, is_mailed=True, is_long=True)


@dataclass(frozen=True, slots=True)
class GoalPart:
    """Describe a way to divide a goal: the dimension of its parts, and that of all visitors they are compared with."""

    title: str
    by: Dimension
    of: Dimension
    place: int = 1  # position of the part's value after the goal's name


# In the order of the page.
GOAL_PARTS: Sequence[GoalPart] = (
    GoalPart("source", Dimension.GOAL_SOURCE, Dimension.SOURCE),
    GoalPart("page", Dimension.GOAL_PAGE, Dimension.PAGE),
    GoalPart("country", Dimension.PLACE, Dimension.COUNTRY),
    GoalPart("device", Dimension.PLACE, Dimension.DEVICE, 2),
)
FUNNEL = TableKind(
    "Funnel", "Times", is_mailed=True, is_whole=True, rate="Of the step before", rate_of="the step before"
)


@dataclass(frozen=True, slots=True)
class Row:
    """Hold one row of a table. `share` is its percentage of the largest row, and `query` filters by its value."""

    value: str
    main: int | None  # None for a step that is not shown
    visitors: int | None  # None if there are too few or none, or if the number would reveal another one
    share: int
    query: str = ""
    rate: str = ""  # as a part of its kind's `rate_of`
    more: Sequence[str] = ()  # figures under its kind's further heads
    change: int | None = None  # in percent since the days of comparison


@dataclass(frozen=True, slots=True)
class Table:
    """Hold one table."""

    kind: TableKind
    rows: Sequence[Row]
    other: Row | None = None
    note: str = ""
    has_change: bool = False
    sql: str = ""  # the statement that reads the same from the database
    sql_note: str = ""

    @property
    def title(self) -> str:
        """The table's name on the page, in the mail and in the address of its file."""
        return self.kind.title

    @property
    def head(self) -> str:
        """The head of the main figure."""
        return self.kind.head
