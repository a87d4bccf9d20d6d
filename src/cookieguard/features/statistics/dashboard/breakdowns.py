"""A breakdown as the dashboard, the mail and the CSV show it: a table of values, fit to be shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass, replace

from cookieguard.stats.hits import Dimension


@dataclass(frozen=True, slots=True)
class TableKind:
    """Say how the tables of one kind are shown, wherever that is."""

    title: str
    head: str = "Views"  # of its main figure
    _: KW_ONLY
    by: Dimension = Dimension.GOAL  # whose values its rows are
    note: str = ""
    is_always: bool = False  # on the page though nothing may be shown of it
    is_mailed: bool = False
    is_long: bool = False  # its names are sentences, which need the whole width
    is_of_countries: bool = False  # its values are codes of countries
    is_whole: bool = False  # it is read as one: the mail has all of its rows
    rate: str = ""  # the head of its rates on the page; empty where it has none
    rate_of: str = ""  # what a rate is a part of
    of_page: str = ""  # which figure of a page's row this is a part of

    @property
    def lead(self) -> int:
        """Which count leads: views (0) or visits (1)."""
        return int(self.head == "Visits")


PAGES = TableKind("Pages", by=Dimension.PAGE, is_always=True, is_mailed=True)
# In this order on the page.
TABLES: Sequence[TableKind] = (
    TableKind("Sources", "Visits", by=Dimension.SOURCE, is_always=True, is_mailed=True),
    PAGES,
    TableKind("Entry pages", "Visits", by=Dimension.ENTRY),
    TableKind("Countries", by=Dimension.COUNTRY, is_mailed=True, is_of_countries=True),
    TableKind("Devices", by=Dimension.DEVICE),
    TableKind("Browsers", by=Dimension.BROWSER),
    TableKind("Campaigns", "Visits", by=Dimension.CAMPAIGN, is_mailed=True),
)
# Without a filter alone: under one no engine has counted them.
OF_ALL: Sequence[TableKind] = (
    TableKind(
        "Media",
        "Visits",
        by=Dimension.MEDIUM,
        note="utm_medium, such as email or cpc, where a link names it.",
    ),
    TableKind("Operating systems", by=Dimension.OS),
    TableKind(
        "Languages", by=Dimension.LANGUAGE, note="The first language each browser asks for, as an ISO code."
    ),
)
# Beside that of pages: where visits end, which pages are slow or not there, and what was searched for.
BESIDE_PAGES: Sequence[TableKind] = (
    TableKind(
        "Exit pages",
        "Exits",
        by=Dimension.EXIT,
        of_page="visitors",
        rate="Of visitors",
        rate_of="the page's visitors",
        note="The last page of each visit, for visitors who agreed. An open visit counts at the page seen last.",
    ),
    TableKind("Searches", "Times", by=Dimension.SEARCH, is_mailed=True),
    TableKind("Pages not found", "Times", by=Dimension.ERROR, is_mailed=True),
    TableKind(
        "Slow pages",
        by=Dimension.SPEED,
        of_page="main",
        rate="Of views",
        rate_of="the page's views",
        note="Views that took a second or more until their last byte had left the server.",
    ),
)
GOALS = TableKind("Goals", "Times", by=Dimension.GOAL, is_mailed=True, rate="Of all", rate_of="all visitors")
GOAL_VALUES = TableKind("Goal values", "Times", by=Dimension.GOAL, is_mailed=True, is_long=True)
VALUES_BY_SOURCE = TableKind(
    "Goal values by source",
    "About",
    is_mailed=True,
    is_long=True,
    note="How often goals were reached, multiplied by the average worth of the steps that are shown.",
)
# From where, and what they were worth.
PARTS_OF_GOALS: Sequence[tuple[TableKind, TableKind]] = (
    (
        TableKind("Goals by source", "Times", by=Dimension.GOAL_SOURCE, is_mailed=True, is_long=True),
        VALUES_BY_SOURCE,
    ),
    (
        TableKind("Goals by campaign", "Times", by=Dimension.GOAL_CAMPAIGN, is_long=True),
        replace(VALUES_BY_SOURCE, title="Goal values by campaign"),
    ),
)
FUNNEL = TableKind(
    "Funnel", "Times", is_mailed=True, is_whole=True, rate="Of the step before", rate_of="the step before"
)


@dataclass(frozen=True, slots=True)
class Row:
    """Hold one line of a breakdown; `share` is its part of the largest, in percent, `query` filters by it."""

    value: str
    main: int | None  # None of a step that is not shown
    visitors: int | None  # None where there are too few or none, or where they would give others back
    share: int
    query: str = ""
    rate: str = ""  # which part it is of its kind's `rate_of`


@dataclass(frozen=True, slots=True)
class Table:
    """Hold one breakdown."""

    kind: TableKind
    rows: Sequence[Row]
    other: Row | None = None
    note: str = ""

    @property
    def title(self) -> str:
        """The name it has on the page, in the mail and in the address of its file."""
        return self.kind.title

    @property
    def head(self) -> str:
        """The head of its main figure."""
        return self.kind.head
