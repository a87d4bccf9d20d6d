"""The figures of the tabs Consent, Held and Bots: what visitors chose, which hosts were held, which bots came.

They count choices, views and requests, each of which counts as one person. Their visitors have no key, so everything
but the totals of choices is rounded.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any, NamedTuple

from cookieguard.engines.doctor_shop import Shop
from cookieguard.features.statistics.asked import Asked, changes
from cookieguard.features.statistics.dashboard.answers import ANSWERS, answers, by_wording, course
from cookieguard.features.statistics.dashboard.breakdowns import Row, Table, TableKind
from cookieguard.features.statistics.dashboard.charts import Point
from cookieguard.features.statistics.dashboard.disclosure import Breakdowns, Disclosure
from cookieguard.features.statistics.dashboard.goal_tables import goals_and_steps
from cookieguard.features.statistics.dashboard.memo_reader import AnyDays, AskedOnce
from cookieguard.features.statistics.dashboard.page_tables import Regrouped
from cookieguard.features.statistics.dashboard.selection import (
    CUT,
    RANGES,
    Range,
    Selection,
    settled,
    widened,
)
from cookieguard.features.statistics.dashboard.time_series import day_of, span_of, with_marks
from cookieguard.features.statistics.engines.open import open_engine
from cookieguard.features.statistics.engines.protocol import Days, HeldCount, HitReader
from cookieguard.features.statistics.notes import Note, within
from cookieguard.stats.goals import VALUE_SIGN
from cookieguard.stats.hits import GOAL_FROM, OTHER, SECONDS_OF_DAY, Dimension, Event
from cookieguard.stats.k_anonymity import FEW, Cell, K, Shown, at_least, column, leaves_few, rounded, suppress

EVENTS: Mapping[Event, str] = {
    Event.SHOWN: "Shown",
    Event.ACCEPTED: "Accepted",
    Event.REFUSED: "Refused",
    Event.PARTLY: "Partly",
    Event.WITHDRAWN: "Withdrawn",
    Event.GPC: "GPC",
}
IGNORED, SIGNALLED = "Banners without an answer", "Views with GPC"
Figures = Mapping[str, Any]
HIDDEN = "-"  # for too few, or a figure that would reveal another one


@dataclass(frozen=True, slots=True)
class HeldHost:
    """Hold one third-party host whose loads were held, with the pages that would have contacted it."""

    host: str
    vendor: str
    purpose: str
    views: str
    elements: str
    pages: Sequence[tuple[str, int]]
    part: int  # its views in percent of those of the host that was held most
    since: date  # the first day on which it was held, as far back as figures go


@dataclass(frozen=True, slots=True)
class Bots:
    """Hold one kind of bots."""

    kind: str
    hits: str
    names: Sequence[tuple[str, int]]


class Gap(NamedTuple):
    """Hold the number of visits or orders, and how many of them were by visitors who agreed."""

    name: str
    all: int
    agreed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Details:
    """Hold everything that a tab shows. `range` is None if no range has figures."""

    selection: Selection
    range: Range | None
    span: str = ""  # the days of the range
    notes: Sequence[str] = ()
    totals: Sequence[tuple[str, str]] = ()
    shares: Sequence[tuple[str, int]] = ()  # of the answers, in percent; empty if a total is hidden
    parts: Sequence[tuple[str, int]] = ()  # banners without an answer, and views with GPC, in percent
    step: int = 0  # days of one bar; 0 if there is no chart
    points: Sequence[Point] = ()
    marks: Sequence[Note] = ()  # changes on these days, and the staff's notes
    gaps: Sequence[Gap] = ()
    hosts: Sequence[HeldHost] = ()
    bots: Sequence[Bots] = ()
    tables: Sequence[Table] = ()
    today: int = 0


def read_details(
    reader: HitReader,
    selection: Selection,
    *,
    now: datetime,
    asked: Sequence[Asked] = (),
    marks: Sequence[Note] = (),
    before_consent: str = "",
) -> Details:
    """Return the figures of a tab; raises EngineDown, and BadSelection for future days.

    Changes of what visitors are `asked` and the staff's `marks` explain the answers. How much a tool that waits for
    consent would miss is known only with `before_consent` "aggregate".
    """
    today, wanted = int(now.timestamp()) // SECONDS_OF_DAY, selection.range
    reader.hold_still()
    reader, (is_enough, figures) = AskedOnce(reader), READERS[selection.tab]
    readers = {False: reader, True: AnyDays(reader)}
    selection = replace(selection, range=settled(wanted, today))
    found = widened(selection.range, lambda wide: is_enough(readers[wide.is_free], wide.days(today)))
    if found is None:
        nothing = NOTHING[selection.tab] if wanted.last is None else NONE_THEN.format(wanted.label)
        return Details(selection=selection, range=None, notes=(nothing,), today=today)
    days, label = found.days(today), selection.range.label
    is_cut, is_wider = selection.range != wanted, found != selection.range
    notes = [CUT.format(wanted.label)] if is_cut else []
    notes += [f"{label}: too little to show. Shown instead: {found.label}."] if is_wider else []
    shown = figures(readers[found.is_free], days, is_exact=found.last is None)
    page = Details(selection=selection, range=found, span=span_of(days), notes=notes, today=today, **shown)
    if selection.tab != "consent":
        return page
    counts = readers[True].consent(days)
    step, points = course(counts, days, found.step)
    first, last = (day_of(day).date() for day in days)
    marks = within(sorted([*changes(asked), *marks], key=lambda note: note.day), first, last)
    return replace(
        page,
        step=step,
        points=with_marks(points, replace(found, step=step), days, marks),
        marks=marks,
        gaps=_gaps(readers, found, today) if before_consent == "aggregate" else (),
        tables=[*([by_wording(counts, asked)] if asked else []), *page.tables],
    )


def read_tab(shop: Shop, tab: str, range_id: str) -> Details | None:
    """Open the figures and read a tab; None if nothing was counted yet. Raises ConfigError and EngineDown."""
    engine = open_engine(shop.config.stats, shop.state, environ=shop.environ)
    if engine.retained() is None:
        return None
    with closing(engine.reader()) as reader:
        return read_details(reader, Selection(tab=tab, range=RANGES[range_id]), now=shop.now)


def _gaps(readers: Mapping[bool, HitReader], range_: Range, today: int) -> Sequence[Gap]:
    """Return all visits and goals beside those that a tool that waits for consent would have counted.

    It would have counted visits whose end is known and goals with a visitor. A goal has the figures of its table.
    """
    reader, days = readers[False], range_.days(today)
    breakdowns = Breakdowns(reader, today)
    if not Disclosure(reader, breakdowns, today, {}, 0).is_fit(range_):
        return []
    totals = readers[range_.is_free].by_day(days)
    visits, visitors = sum(day.visits for day in totals), sum(day.visitors for day in totals)
    ends = breakdowns.slices(days, Dimension.EXIT, Regrouped(reader, lambda _: ""))
    agreed = sum(row.views for row in ends)
    whole, part = (Cell("", visitors, (count, count, visitors)) for count in (visits, agreed))
    shown = visits if range_.last is None else rounded(visits)
    is_hidden = visitors < K or leaves_few(part, whole)
    gaps = [] if is_hidden else [Gap("Visits", shown, min(shown, rounded(agreed)))]
    goals, steps = goals_and_steps(breakdowns.shown(days, Dimension.GOAL))
    rows = [*goals.rows, *([goals.other] if goals.other else [])]
    valued = {row.value.rpartition(VALUE_SIGN)[0] for row in steps.rows}
    reached = zip(rows, column({row.value: row.counts[2] for row in rows}), strict=True)
    pairs = [(row.value, rounded(row.counts[0]), rounded(people)) for row, people in reached if people]
    return [*gaps, *(Gap(name, all_, min(all_, agreed)) for name, all_, agreed in pairs if name in valued)]


def _consent(reader: HitReader, days: Days, *, is_exact: bool) -> Figures:
    counts = _summed((row.event, row.times) for row in reader.consent(days))
    sums = {event: counts.get(event, 0) if is_exact else rounded(counts.get(event, 0)) for event in EVENTS}
    return {
        "totals": [
            (EVENTS[event], _text(times) if times or is_exact else HIDDEN) for event, times in sums.items()
        ],
        "shares": _shares([sums[event] for event in ANSWERS]),
        "parts": _parts(sums, sum(day.views for day in reader.by_day(days))),
        "tables": answers(reader, days),
    }


def _shares(answers: Sequence[int]) -> Sequence[tuple[str, int]]:
    """Return each answer's share of all answers, computed from totals that are shown, so it reveals nothing more."""
    if not sum(answers) or any(at_least(count) is None for count in answers):
        return ()
    return [
        (EVENTS[event], round(100 * count / sum(answers)))
        for event, count in zip(ANSWERS, answers, strict=True)
    ]


def _parts(totals: Mapping[Event, int], views: int) -> Sequence[tuple[str, int]]:
    """Return the share of banners without an answer, and the share of all views that came with GPC.

    Both are computed from totals of the whole shop that are shown, and left out if one of these totals is hidden.
    """
    shown, answers = totals[Event.SHOWN], sum(totals[event] for event in ANSWERS)
    found = []
    if (
        at_least(shown) is not None
        and shown
        and not any(at_least(totals[event]) is None for event in ANSWERS)
    ):
        found.append((IGNORED, round(100 * max(0, shown - answers) / shown)))
    gpc = totals[Event.GPC]
    if views >= K and at_least(gpc) is not None and gpc <= views:
        found.append((SIGNALLED, round(100 * gpc / views)))
    return found


def _held(reader: HitReader, days: Days, **_: bool) -> Figures:
    by_host: dict[tuple[str, str, str], list[HeldCount]] = defaultdict(list)
    for row in reader.held(days):
        by_host[row.host, row.vendor, row.purpose].append(row)
    hosts = sorted(
        by_host.items(), key=lambda item: (item[0][1] != "", -sum(row.views for row in item[1]), item[0])
    )
    most = max(sum(row.views for row in counts) for _, counts in hosts)
    first: dict[str, int] = {}
    oldest = min(days.first, (reader.span() or days).first)
    for row in reader.held(Days(oldest, days.last)):
        first[row.host] = min(row.since, first.get(row.host, row.since))
    return {"hosts": [_host(name, counts, most, day_of(first[name[0]]).date()) for name, counts in hosts]}


def _host(name: tuple[str, str, str], counts: Sequence[HeldCount], most: int, since: date) -> HeldHost:
    views = sum(row.views for row in counts)
    is_shown = at_least(views) is not None
    pages = _suppressed(_summed((row.page, row.views) for row in counts))
    elements = f"{rounded(sum(row.elements for row in counts)):,}" if is_shown else FEW
    part = round(100 * rounded(views) / rounded(most)) if is_shown and rounded(most) else 0
    return HeldHost(*name, _text(rounded(views) if is_shown else views), elements, _pairs(pages), part, since)


def _bots(reader: HitReader, days: Days, **_: bool) -> Figures:
    counts = reader.bots(days)
    names: dict[str, dict[str, int]] = defaultdict(dict)
    for bot in counts:
        names[bot.kind][bot.name] = names[bot.kind].get(bot.name, 0) + bot.hits
    kinds = _pairs(_suppressed(_summed((bot.kind, bot.hits) for bot in counts)))
    return {
        "totals": _bots_of_all(reader, days),
        "tables": [_asked_by_bots(reader, days)],
        "bots": [Bots(kind, f"{hits:,}", _pairs(_suppressed(names[kind]))) for kind, hits in kinds],
    }


def _bots_of_all(reader: HitReader, days: Days) -> Sequence[tuple[str, str]]:
    """Return the number of bots' hits, and its share of all hits: those of bots, and people's views and errors."""
    totals = reader.by_day(days)
    bots, others = (sum(day.bots for day in totals), sum(day.views + day.errors for day in totals))
    if at_least(bots) is None or at_least(others) is None:
        return ()
    share = round(100 * rounded(bots) / max(1, rounded(bots) + rounded(others)))
    return (("Hits of bots", f"{rounded(bots):,}"), ("Of views, errors and hits of bots", f"{share} %"))


def _asked_by_bots(reader: HitReader, days: Days) -> Table:
    """Return the table of addresses that bots requested, each with the bot that did so most often."""
    pages: dict[str, int] = defaultdict(int)
    most: dict[str, tuple[int, str]] = {}
    for row in reader.breakdown(days, Dimension.BOT_PAGE):
        name, _, page = row.value.partition(GOAL_FROM)
        pages[page or name] += row.views
        if row.views >= K:
            most[page] = max(most.get(page, (0, "")), (row.views, name))
    rows = _pairs(_suppressed(pages))
    largest = max([1, *(hits for page, hits in rows if page != OTHER)])
    lines = [
        Row(page, hits, None, round(100 * hits / largest), more=(most.get(page, (0, "-"))[1],))
        for page, hits in rows
        if page != OTHER
    ]
    return Table(ASKED_BY_BOTS, lines)


ASKED_BY_BOTS = TableKind("What bots ask for", "Hits", more=("Most by",), is_of_hits=True, is_always=True)
NOTHING = {
    "consent": f"Nothing to show yet: fewer than {K} banners and choices. They are counted from the first page on.",
    "held": "Nothing has been held yet: no page that was counted would have contacted a third party.",
    "bots": "No bot has visited yet.",
}
NONE_THEN = "{}: too little to show. Choose more days."
# tab -> whether some days have enough to be shown, and a function that returns their figures by fields of `Details`
READERS: Mapping[str, tuple[Callable[[HitReader, Days], bool], Callable[..., Figures]]] = {
    "consent": (lambda reader, days: sum(row.times for row in reader.consent(days)) >= K, _consent),
    "held": (lambda reader, days: bool(reader.held(days)), _held),
    "bots": (lambda reader, days: bool(reader.bots(days)), _bots),
}


def _summed(pairs: Iterable[tuple[str, int]]) -> dict[str, int]:
    sums: dict[str, int] = defaultdict(int)
    for value, times in pairs:
        sums[value] += times
    return dict(sums)


def _suppressed(times: Mapping[str, int]) -> Shown:
    return suppress([Cell(value, count, (count,)) for value, count in times.items()])


def _pairs(shown: Shown) -> list[tuple[str, int]]:
    rows = sorted(
        ((cell.value, rounded(cell.counts[0])) for cell in shown.rows), key=lambda row: (-row[1], row[0])
    )
    return [*rows, *([(OTHER, rounded(shown.other.counts[0]))] if shown.other else [])]


def _text(count: int) -> str:
    return FEW if at_least(count) is None else f"{count:,}"
