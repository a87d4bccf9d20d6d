"""The kinds of privacy requests, and how long the law gives for the answer, as a table with its sources.

Rule: a date is the last day on which an answer is in time. If a law moves that day past a weekend or a holiday, this
table does not, because an earlier deadline is always safe.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Mapping
from datetime import date, timedelta
from enum import StrEnum
from typing import NamedTuple

SATURDAY = 5
YEAR_MONTHS = 12


class RequestKind(StrEnum):
    """Name a kind of request."""

    EXPORT = "export"
    CORRECT = "correct"
    ERASE = "erase"
    DEACTIVATE = "deactivate"
    OBJECT = "object"
    OPT_OUT = "opt-out"


class Law(StrEnum):
    """Name the law that sets the deadline."""

    GDPR = "gdpr"
    CCPA = "ccpa"


class Span(NamedTuple):
    """Hold a length of time as laws count it."""

    months: int = 0
    days: int = 0
    working_days: int = 0

    def after(self, day: date) -> date:
        """Return the last day of this length of time, which begins on the day after `day`."""
        months = day.month - 1 + self.months
        year, month = day.year + months // YEAR_MONTHS, months % YEAR_MONTHS + 1
        # In a month without this day, the period ends on the month's last day (Regulation 1182/71 art. 3(2)(c)).
        end = date(year, month, min(day.day, monthrange(year, month)[1])) + timedelta(days=self.days)
        left = self.working_days
        while left:
            end += timedelta(days=1)
            left -= end.weekday() < SATURDAY
        return end


class Rule(NamedTuple):
    """Say how long an answer may take: `within`, or `extended` if the person got a reason for the delay in time."""

    within: Span
    extended: Span | None
    pauses: bool
    """Whether the clock pauses while the person is asked to prove their identity."""
    source: str


MONTH = Rule(
    Span(months=1),
    Span(months=3),
    pauses=True,
    source="art. 12(3) GDPR; it pauses while identity is checked under art. 12(6): EDPB Guidelines 01/2022, 157-159",
)
DAYS_45 = Rule(
    Span(days=45),
    Span(days=90),
    pauses=False,
    source="Cal. Civ. Code 1798.130(a)(2)(A); 11 CCR 7021(b): from the day of receipt, however long checking takes",
)
WORKING_DAYS_15 = Rule(
    Span(working_days=15),
    None,
    pauses=False,
    source="11 CCR 7026(f), 7027(g): as soon as feasible, at most 15 business days; no identity is checked",
)
RULES: Mapping[tuple[Law, RequestKind], Rule] = {
    **{(Law.GDPR, kind): MONTH for kind in RequestKind},  # arts. 15 and 20, 16, 17, 18, 21, 21(2)
    (Law.CCPA, RequestKind.EXPORT): DAYS_45,  # 1798.110
    (Law.CCPA, RequestKind.CORRECT): DAYS_45,  # 1798.106
    (Law.CCPA, RequestKind.ERASE): DAYS_45,  # 1798.105
    (Law.CCPA, RequestKind.DEACTIVATE): WORKING_DAYS_15,  # 1798.121: limit use
    (Law.CCPA, RequestKind.OBJECT): DAYS_45,  # no such right in that law; the shop answers all the same
    (Law.CCPA, RequestKind.OPT_OUT): WORKING_DAYS_15,  # 1798.120
}
