"""A breakdown as the dashboard, the mail and the CSV show it: a table of values, fit to be shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass


@dataclass(frozen=True, slots=True)
class Kind:
    """Say how the tables of one kind are shown, wherever that is."""

    title: str
    _: KW_ONLY
    is_always: bool = False  # on the page though nothing may be shown of it
    is_mailed: bool = False
    is_long: bool = False  # its names are sentences, which need the whole width
    is_of_countries: bool = False  # its values are codes of countries
    is_whole: bool = False  # it is read as one: the mail has all of its rows
    rate: str = ""  # the head of its rates on the page; empty where it has none
    rate_of: str = ""  # what a rate is a part of


SOURCES = Kind("Sources", is_always=True, is_mailed=True)
PAGES = Kind("Pages", is_always=True, is_mailed=True)
ENTRY_PAGES = Kind("Entry pages")
COUNTRIES = Kind("Countries", is_mailed=True, is_of_countries=True)
DEVICES = Kind("Devices")
BROWSERS = Kind("Browsers")
CAMPAIGNS = Kind("Campaigns", is_mailed=True)
GOALS = Kind("Goals", is_mailed=True, rate="Of all", rate_of="all visitors")
GOAL_VALUES = Kind("Goal values", is_mailed=True, is_long=True)
GOALS_BY_SOURCE = Kind("Goals by source", is_mailed=True, is_long=True)
GOALS_BY_CAMPAIGN = Kind("Goals by campaign", is_long=True)
FUNNEL = Kind("Funnel", is_mailed=True, is_whole=True, rate="Of before", rate_of="the step before")


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

    kind: Kind
    head: str
    rows: Sequence[Row]
    other: Row | None
    note: str = ""

    @property
    def title(self) -> str:
        """The name it has on the page, in the mail and in the address of its file."""
        return self.kind.title
