"""The same period a year before, on the dashboard: line and change, without a figure for a single person."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import closing, suppress
from datetime import timedelta
from itertools import product
from pathlib import Path

import pytest
from features.statistics.disclosure import (
    DAY,
    NOW,
    TODAY,
    VIEWS,
    VISITS,
    Bounds,
    Group,
    Told,
    Values,
    derived,
    of_bar,
    told,
    truth,
)
from features.statistics.test_disclosure import large, rare_days, shop, three_countries, written
from features.statistics.test_stats_page import Office, office, people

from cookieguard.features.statistics.dashboard.overview import Overview, read_overview
from cookieguard.features.statistics.dashboard.selection import (
    RANGES,
    YEAR,
    BadSelection,
    Range,
    Selection,
    period,
)
from cookieguard.features.statistics.engines.sqlite.engine import SqliteStats
from cookieguard.stats.k_anonymity import STEP, rounded

__all__ = ["office"]

LATER = NOW + timedelta(days=YEAR)


def change(office: Office, query: str) -> list[str]:
    return re.findall(r"<small><bdi>([^<]*)</bdi> ([^<]*)</small>", office.get(query).text)


def test_a_week_stands_beside_the_same_week_a_year_before(office: Office) -> None:
    office.write(
        [
            *people(40, days_ago=1),
            *people(20, days_ago=YEAR + 1),
            *people(60, days_ago=8),
            *people(9, days_ago=400),
        ]
    )

    assert change(office, "range=7&beside=year")[-1] == ("+100 %", "vs. a year before")
    assert change(office, "range=7")[-1] == ("-33 %", "vs. the period before")  # the control


def test_a_month_stands_beside_the_same_month_a_year_before() -> None:
    found = [period(text) for text in ("2026-10", "2028-02", "2026-W48", "2026-11-27")]

    spans = [one.beside(TODAY, "year") for one in found if one]

    assert spans == [
        one.days(0) for one in map(period, ("2025-10", "2027-02", "2025-W48", "2025-11-28")) if one
    ]


def test_a_longer_month_is_drawn_beside_a_shorter_one(office: Office) -> None:
    """February 2024 has a day more than that of 2023; the analyst's clock stands in November 2026."""
    february = (NOW.date() - NOW.date().replace(year=2024, month=2, day=10)).days
    office.write([*people(30, days_ago=february), *people(30, days_ago=february + 365)])

    answer = office.get("range=2024-02&beside=year")

    assert answer.status == 200
    assert re.findall(r"<tr><td>29 Feb</td><td>(.*?)</td><td>.*?</td><td>(.*?)</td>", answer.text) == [
        ("0", "-")
    ]


def test_page_says_that_the_year_before_has_no_figures(office: Office) -> None:
    office.write(people(40))

    assert "The year before cannot be shown" in office.get("beside=year").text
    assert "The year before cannot" not in office.get().text


@pytest.mark.parametrize("query", ["beside=always", "tab=consent&beside=year", "beside=year&beside=before"])
def test_other_comparisons_are_refused(office: Office, query: str) -> None:
    assert office.get(query).status == 400


def test_figures_of_few_people_a_year_before_are_hidden(office: Office) -> None:
    office.write([*people(40), *people(4, days_ago=YEAR), *people(9, days_ago=YEAR + 40)])

    assert not change(office, "range=7&beside=year")
    assert "The year before cannot be shown" in office.get("range=7&beside=year").text


def a_year_later(state: Path, values: Values, true: Mapping[Group, int]) -> Iterator[Told]:
    """Ask in a year for the days of now."""
    with closing(SqliteStats("", state).reader()) as reader:
        for range_, filters in product(RANGES.values(), values.selections(1)):
            with suppress(BadSelection):
                asked = Selection("summary", range_, filters, "year")
                found = read_overview(reader, asked, now=LATER, hit_days=30)
                if found.range is range_:
                    yield from of_year(found, frozenset(filters.items()), range_, true)


def of_year(found: Overview, where: frozenset, range_: Range, true: Mapping[Group, int]) -> Iterator[Told]:  # type: ignore[type-arg]
    for figure in found.figures:
        metric = {"Visits": VISITS, "Views": VIEWS}.get(figure.name)
        if metric and figure.change is not None and figure.value[0].isdigit() and range_.step:
            days = range(range_.days(TODAY).first, TODAY) if range_.length <= 30 else ()
            groups = tuple(Group(metric, where, day) for day in days)
            if groups and metric == VIEWS:  # what has changed is known to the visit: twice what was
                yield of_change(groups, 2 * sum(true.get(one, 0) for one in groups), figure.change)
    first = range_.days(TODAY).first
    for at, point in enumerate(found.points if range_.length <= 30 and range_.step else ()):
        if point.before is not None:
            yield of_bar(Group(VIEWS, where, first + at), point.before)


def of_change(groups: tuple[Group, ...], count: int, percent: int) -> Told:
    """Return the counts of whole days a year before that would be shown as this change."""
    now = rounded(count)
    befores = [one for one in range(STEP, 20 * now, STEP) if round(100 * (now - one) / one) == percent]
    return Told(groups, befores[0] - STEP // 2, befores[-1] + STEP // 2)


@pytest.mark.parametrize(
    "draw", [three_countries, *(pytest.param(one, marks=pytest.mark.slow) for one in (large, rare_days))]
)
def test_pages_saved_a_year_ago_make_an_analyst_certain_of_no_further_group(draw, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    hits = draw()
    early = shop(9, 30, (75,))  # from where on everything is counted
    values = Values.of([*hits, *early])
    true = truth([*hits, *early], values)
    again = [hit._replace(time=hit.time + YEAR * DAY) for hit in hits for _ in range(2)]
    written(tmp_path, [*hits, *early], has_keys=True)
    written(
        tmp_path, [hit._replace(key=hit.key and hit.key + at) for at, hit in enumerate(again)], has_keys=True
    )

    kept, later = list(told(tmp_path, values)), list(a_year_later(tmp_path, values, true))

    days = {
        group: count for group, count in true.items() if isinstance(group.span, int) and len(group.where) < 2
    }
    exact = [Told((group,), count, count) for group, count in days.items()]
    assert len(later) > 50
    certain = derived(Bounds(values, kept), true)
    assert derived(Bounds(values, [*kept, *later]), true) == certain
    assert len(certain) <= 1
    assert len(derived(Bounds(values, [*kept, *exact]), true)) > 10  # the control: all days, unrounded
