"""The tables of the tabs Summary, Pages, Goals, and Speed and errors, as far as they may be shown.

Rule: changes, rates and shares are computed from figures that some page shows, so they reveal nothing more.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

from cookieguard.features.statistics.dashboard import breakdowns as kinds
from cookieguard.features.statistics.dashboard.breakdowns import GoalPart, Row, Table, TableKind
from cookieguard.features.statistics.dashboard.disclosure import Breakdowns, Disclosure
from cookieguard.features.statistics.dashboard.funnel import funnel
from cookieguard.features.statistics.dashboard.goal_tables import (
    ByPart,
    goals_and_steps,
    parted,
    percent_of,
    rate,
    shown_by_part,
    worth,
    worth_by_part,
)
from cookieguard.features.statistics.dashboard.page_tables import (
    Regrouped,
    of_crowds,
    parts_of,
    percent,
    speeds,
)
from cookieguard.features.statistics.dashboard.selection import (
    EPOCH,
    FILTERS,
    LONE,
    UNKNOWN,
    Range,
    Selection,
)
from cookieguard.features.statistics.engines.protocol import Days, HitReader
from cookieguard.stats.hits import GOAL_FROM, SLOW_FROM, Dimension
from cookieguard.stats.k_anonymity import FEW, MOST_DIMENSIONS, Cell, Shown, at_least, column, rounded

SQL = """SELECT value, sum(views) AS views, sum(visits) AS visits, sum(visitors) AS visitors
FROM cookieguard_by_value WHERE dimension = '{}' AND day BETWEEN '{}' AND '{}'
GROUP BY value ORDER BY {} DESC;"""
SAME = "These figures, from the views in your database."
OF_DAYS = "The views contain single days, each rounded. A sum of {} days can differ from this table by up to 5 a day."
LEAST_CHANGED = 30  # for a change; below it, one person can change a rounded figure by a third
LEAST_RATED = 100  # visitors for a rate; below it, rounding changes the rate too much
RATED = (
    "Rate: the share of the visitors who agreed, from 100 of them on. Figures are rounded, so of 100 visitors it may"
    " be 5 points off, and of 1,000 half a point."
)
CURRENCY = "Worth is in the currency of the values that the shop passes to visitor.goal()."
RATED_CAMPAIGNS = f"Goals count only visitors who agreed. {RATED} {CURRENCY} It needs 50 goals with a value."
# The other heads of a table with a goal's own head, on the page and in files: a goal may have one of these names.
OTHER_HEADS = frozenset(
    "Campaigns|Visits|Visitors|Visitor-days|Daily visitors|Worth about|Rate|Change|First day|Last day".split(
        "|"
    )
)
LINKS = {**{by: by for by in FILTERS.values()}, Dimension.ENTRY: Dimension.PAGE}  # filters of rows' links


class Tables:
    """Return the tables of a selection, as far as they may be shown."""

    def __init__(
        self,
        reader: HitReader,
        breakdowns: Breakdowns,
        disclosure: Disclosure,
        selection: Selection,
        range_: Range,
        today: int,
        steps: Sequence[str] = (),
        *,
        has_rates: bool = True,
    ) -> None:
        self._reader, self._breakdowns, self._disclosure = reader, breakdowns, disclosure
        self._selection, self._range, self._today = selection, range_, today
        self._days, self._steps, self._has_rates = range_.days(today), steps, has_rates
        self._has_visitors = disclosure.has_visitors(range_)

    def all(self, visitors: str) -> Sequence[Table]:
        """Return the tables with something to show; `visitors` is the total that the page shows."""
        if self._has_none():
            return ()
        made = {
            "summary": self._overview,
            "pages": self._pages,
            "goals": self._goals_tab,
            "speed": self._speed,
        }
        tables = [self._with_sql(table) for table in made[self._selection.tab](visitors)]
        return [table for table in tables if table.rows or table.other or table.kind.is_always]

    def _overview(self, visitors: str) -> Sequence[Table]:
        where = self._selection.filters
        shown = [
            kind
            for kind in kinds.TABLES
            if kind.by not in where and not (kind is kinds.PAGES and Dimension.SOURCE in where)
        ]
        tables = [self._with_change(self._table(self._shown(kind.by), kind)) for kind in shown]
        if not where:
            tables = [self._with_orders(made) if made.kind is kinds.CAMPAIGNS else made for made in tables]
        tables = [*tables, *self._goals(visitors)]
        steps = funnel(self._steps, tables)
        return tables if steps is None else [steps, *tables]

    def _pages(self, _: str) -> Sequence[Table]:
        pages, entries = (self._shown(by) for by in (Dimension.PAGE, Dimension.ENTRY))
        agreed = self._parts(Dimension.AGREED_PAGE, pages)
        exits = {row.value or UNKNOWN: row for row in self._parts(Dimension.EXIT, agreed).rows}
        wholes = {row.value or UNKNOWN: row for row in agreed.rows if self._has_rates}

        def rates(table: Table, place: int) -> Table:
            def of(row: Row) -> Sequence[str]:
                part, whole = exits.get(row.value), wholes.get(row.value)
                return (percent(part and part.counts[place], whole and whole.counts[place]),)

            return replace(table, rows=[replace(row, more=of(row)) for row in table.rows])

        return [
            self._with_change(rates(self._table(pages, kinds.PAGES_AND_EXITS), 0)),
            rates(self._table(entries, kinds.ENTRIES_AND_BOUNCES), 1),
            self._table(self._of_crowds(Dimension.SEARCH), kinds.SEARCHES),
        ]

    def _speed(self, _: str) -> Sequence[Table]:
        pages = self._shown(Dimension.PAGE)
        slow = self._parts(Dimension.SPEED, pages, page_if_slow)
        found = speeds(self._breakdowns.slices(self._days, Dimension.SPEED))
        parts = {row.value: row.counts[0] for row in slow.rows}
        table = self._table(pages, kinds.SPEED)

        def more(row: Row) -> Sequence[str]:
            return (*found.get(row.value, ("-", "-")), percent(parts.get(row.value), row.main))

        rows = sorted(table.rows, key=lambda row: -parts.get(row.value, 0))
        errors = [
            self._table(self._of_crowds(Dimension.ERROR, _error_of(first)), kind)
            for first, kind in (("/", kinds.MISSING), ("4", kinds.REFUSED), ("5", kinds.BROKEN))
        ]
        return [replace(table, rows=[replace(row, more=more(row)) for row in rows], other=None), *errors]

    def errors(self) -> Sequence[tuple[str, str]]:
        """Return the numbers of failed requests by kind; each request counts as one person."""
        kinds_of = Regrouped(self._reader, lambda value: value[0])
        found = {
            row.value: row.views for row in self._breakdowns.slices(self._days, Dimension.ERROR, kinds_of)
        }
        names = {
            "/": "Pages not found (404, 410)",
            "4": "Other request errors (4xx)",
            "5": "Shop errors (5xx)",
        }
        counts = [(name, found.get(kind, 0)) for kind, name in names.items()]
        return [(name, FEW if at_least(count) is None else f"{rounded(count):,}") for name, count in counts]

    def _goals(self, visitors: str) -> Sequence[Table]:
        """Return the tables of how often goals were reached, and how much that was worth."""
        goals, steps = goals_and_steps(self._shown(Dimension.GOAL))
        reached = self._table(goals, kinds.GOALS)
        asked = self._selection.with_tab("goals")
        rows = [
            replace(row, rate=rate(row.visitors, visitors), query=asked.query(goal=row.value))
            for row in reached.rows
        ]
        total = worth(steps)
        note = f"{total}. {CURRENCY}" if total else ""
        worth_of = replace(self._table(steps, kinds.GOAL_VALUES), note=note)
        return [replace(reached, rows=rows), worth_of]

    def _goals_tab(self, visitors: str) -> Sequence[Table]:
        """Return the tables of goals, and those of where the selected goal's visitors came from."""
        tables = self._goals(visitors)
        goal = self._goal()
        if self._selection.filters or not goal:
            return tables
        campaigns = self._with_orders(self._table(self._shown(Dimension.CAMPAIGN), kinds.CAMPAIGNS))
        return [*tables, campaigns, *(self._by_part(goal, part) for part in kinds.GOAL_PARTS)]

    def _goal(self) -> str:
        """Return the selected goal, or else the last step to an order, a goal with values, or the most frequent one."""
        goals, steps = goals_and_steps(self._shown(Dimension.GOAL))
        valued = [row.value.rpartition(": ")[0] for row in sorted(steps.rows, key=lambda row: -row.counts[0])]
        names = [row.value for row in sorted(goals.rows, key=lambda row: -row.counts[0])]
        found = [
            name for name in (self._selection.goal, *reversed(self._steps), *valued, *names) if name in names
        ]
        return found[0] if found else ""

    def _by_part(self, goal: str, part: GoalPart) -> Table:
        """Return the table of where a goal's visitors came from, with their share of all visitors from there."""
        kind = TableKind(
            f"{goal} by {part.title}",
            "Times",
            by=part.of,
            is_always=True,
            is_of_countries=part.of is Dimension.COUNTRY,
            rate="Rate",
            rate_of=f"the {part.title}'s visitors",
            note=RATED,
        )
        found = self._reached(part.by, part.place)[0]
        named = [
            row._replace(value=row.value.partition(GOAL_FROM)[2])
            for row in found.rows
            if row.value.partition(GOAL_FROM)[0] == goal
        ]
        wholes = {row.value or UNKNOWN: row.counts[2] for row in self._shown(part.of).rows}
        table = self._table(Shown(tuple(named)), kind)
        rows = [replace(row, rate=_rate(row.visitors, wholes.get(row.value, 0))) for row in table.rows]
        return replace(table, rows=rows)

    def _reached(self, by: Dimension, place: int = 1) -> tuple[Shown, Mapping[str, int]]:
        """Return goals by a part of their values, and about how much they were worth."""
        reader = Regrouped(self._reader, _goal_and(place))

        def rule(days: Days) -> Shown:
            parts.append(
                shown_by_part(
                    reader, days, by, *goals_and_steps(self._breakdowns.shown(days, Dimension.GOAL))
                )
            )
            return Shown((*parts[-1].goals.rows, *parts[-1].steps.rows))

        parts: list[ByPart] = []
        shown = self._breakdowns.of_rule(self._days, by, rule, reader)
        found = parted(shown) if self._range.is_free else parts[-1]
        return found.goals, worth_by_part(found)

    def _with_orders(self, table: Table) -> Table:
        """Return the table of campaigns with how often their visitors reached the goal, its worth and its rate."""
        goal = self._goal()
        if not goal:
            return table
        reached, worths = self._reached(Dimension.GOAL_CAMPAIGN)
        parts = {row.value: row for row in reached.rows}

        def more(row: Row) -> Sequence[str]:
            name = f"{goal}{GOAL_FROM}{row.value}"
            part = parts.get(name)
            if part is None:
                return ("-", "-", "-")
            times, value = rounded(part.counts[0]), worths.get(name, 0)
            return (
                f"{times:,}",
                f"{value:,}" if value else "-",
                _rate(part.counts[2], row.visitors or 0) or "-",
            )

        head = goal.capitalize()
        kind = replace(
            table.kind,
            more=(f"{head} (goal)" if head in OTHER_HEADS else head, "Worth about", "Rate"),
            note=RATED_CAMPAIGNS,
        )
        return replace(
            table, kind=kind, note=kind.note, rows=[replace(row, more=more(row)) for row in table.rows]
        )

    def _parts(self, by: Dimension, wholes: Shown, part: Callable[[str], str | None] | None = None) -> Shown:
        """Return the parts of shown pages that may be shown as well."""
        reader = Regrouped(self._reader, part) if part else self._reader
        names = {row.value for row in wholes.rows}

        def rule(days: Days) -> Shown:
            whole = wholes if days == self._days else self._breakdowns.shown(days, Dimension.PAGE)
            return parts_of(reader, days, by, whole)

        shown = self._breakdowns.of_rule(self._days, by, rule, reader)
        return Shown(tuple(row for row in shown.rows if row.value in names))

    def _of_crowds(self, by: Dimension, part: Callable[[str], str | None] | None = None) -> Shown:
        reader = Regrouped(self._reader, part) if part else self._reader
        return self._breakdowns.of_rule(
            self._days,
            by,
            lambda days: of_crowds(reader, self._reader.of_a_crowd(days, by), days, by),
            reader,
        )

    def _shown(self, by: Dimension) -> Shown:
        return self._disclosure.shown(self._days, by)

    def _with_change(self, table: Table) -> Table:
        """Return a table with the change of each row since the days of comparison, by days that are over."""
        whole = self._range.whole_days(self._today)
        before = self._range.whole_days_beside(self._today, self._selection.beside)
        span = self._reader.span()
        is_compared = table.kind.is_compared and self._range.step and not self._selection.filters
        if not is_compared or span is None or before.first < span.first:
            return table
        now, then = (
            {
                row.value or UNKNOWN: row.counts[table.kind.lead]
                for row in self._breakdowns.shown(days, table.kind.by).rows
            }
            for days in (whole, before)
        )
        rows = [
            replace(row, change=_change(now.get(row.value, 0), then.get(row.value, 0))) for row in table.rows
        ]
        return replace(table, rows=rows, has_change=True)

    def _with_sql(self, table: Table) -> Table:
        """Return a table with the statement that reads it from the SQL views, if the views have it."""
        days, lead = self._range.whole_days(self._today), ("views", "visits")[table.kind.lead]
        count = days.last - days.first + 1
        if not table.kind.is_in_views or self._selection.filters or count < 1:
            return table
        first, last = (EPOCH + timedelta(days=day) for day in days)
        note = SAME if count == 1 and self._range.last is not None else OF_DAYS.format(count)
        return replace(table, sql=SQL.format(table.kind.by, first, last, lead), sql_note=note)

    def _table(self, shown: Shown, kind: TableKind) -> Table:
        link = LINKS.get(kind.by)
        cells = sorted(shown.rows, key=lambda cell: (-cell.counts[kind.lead], cell.value))
        every: list[Cell] = [*cells, *([shown.other] if shown.other else [])]
        visitors = column({cell.value: cell.counts[2] for cell in every})
        leads = [rounded(cell.counts[kind.lead]) for cell in every]
        largest = max([1, *leads[: len(cells)]])
        asked = replace(self._selection.with_tab("summary"), filters=self._selection.filters)
        rows = [
            Row(
                cell.value or UNKNOWN,
                main,
                rounded(there) if self._has_visitors and there else None,
                round(100 * main / largest),
                asked.query(filters={**asked.filters, link: cell.value}) if link else "",
            )
            for cell, main, there in zip(every, leads, visitors, strict=True)
        ]
        other = replace(rows.pop(), visitors=None, share=0, query="") if shown.other else None
        return Table(kind, rows, other, kind.note)

    def _has_none(self) -> bool:
        """Return whether filters allow no tables, because single hits were deleted or groups would be too small."""
        where = self._selection.filters
        is_past = self._range.last is not None or not self._disclosure.has_hits(self._range)
        return len(where) == MOST_DIMENSIONS or bool(where and is_past) or bool(LONE & where.keys())


def _change(now: int, then: int) -> int | None:
    now, then = rounded(now), rounded(then)
    return round(100 * (now - then) / then) if then >= LEAST_CHANGED and now else None


def _rate(part: int | None, whole: int) -> str:
    part, whole = rounded(part or 0), rounded(whole)
    return percent_of(part, whole) if part and whole >= LEAST_RATED else ""


def _goal_and(place: int) -> Callable[[str], str | None]:
    """Return a function that reduces a value to the goal and one of its parts, and drops answers to the banner."""

    def part(value: str) -> str | None:
        name, *parts = value.split(GOAL_FROM)
        is_goal = bool(parts) and not name.startswith("?")
        return f"{name}{GOAL_FROM}{parts[place - 1]}" if is_goal else None

    return part


def page_if_slow(value: str) -> str | None:
    """Return the page of a bucket of slow views, None for a faster one; an earlier release wrote no buckets."""
    bucket, _, page = value.rpartition(GOAL_FROM)
    return page if not bucket or int(bucket) >= SLOW_FROM else None


def _error_of(first: str) -> Callable[[str], str | None]:
    return lambda value: value if value.startswith(first) else None
