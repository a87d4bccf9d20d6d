"""The figures of the tabs beside the overview: what visitors chose, what was held, which bots came.

What is counted here are choices, views and requests; each counts as one of the five that may be shown. None has a key,
so all but the totals of choices are rounded.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from cookieguard.features.statistics.dashboard.answers import ANSWERS, answers
from cookieguard.features.statistics.dashboard.breakdowns import Row, Table, TableKind
from cookieguard.features.statistics.dashboard.charts import Point
from cookieguard.features.statistics.dashboard.consent_gap import Gap, Gaps
from cookieguard.features.statistics.dashboard.memo_reader import AskedOnce
from cookieguard.features.statistics.dashboard.selection import Range, Selection, widened
from cookieguard.features.statistics.dashboard.time_series import day_of, span_of
from cookieguard.features.statistics.engines.protocol import ConsentCount, Days, HeldCount, HitReader
from cookieguard.stats.hits import GOAL_FROM, OTHER, SECONDS_OF_DAY, Dimension, Event
from cookieguard.stats.k_anonymity import FEW, Cell, K, Shown, at_least, rounded, suppress

EVENTS: Mapping[Event, str] = {
    Event.SHOWN: "Shown",
    Event.ACCEPTED: "Accepted",
    Event.REFUSED: "Refused",
    Event.PARTLY: "Partly",
    Event.WITHDRAWN: "Withdrawn",
    Event.GPC: "GPC",
}
IGNORED, SIGNALLED = "Banners without an answer", "Views with GPC"
RATE = "Rate"
# Days of one bar of the course, where single days must be hidden: of a week, a month, a quarter and 52 weeks.
STEPS, FEWEST_BARS = (2, 3, 5, 6, 7, 10, 14, 28), 3
HIDDEN = "-"  # too few, or one that hides another


@dataclass(frozen=True, slots=True)
class PolicyDay:
    """Hold one day under one policy version: a text for each event, and the rate."""

    day: int
    label: str
    texts: Sequence[str]


@dataclass(frozen=True, slots=True)
class Policy:
    """Hold what happened under one policy version: totals and days, newest first."""

    version: str
    totals: Sequence[str]
    days: Sequence[PolicyDay]


@dataclass(frozen=True, slots=True)
class HeldHost:
    """Hold one third party that was held, with its pages."""

    host: str
    vendor: str
    purpose: str
    views: str
    elements: str
    pages: Sequence[tuple[str, int]]
    part: int  # of the views of the host that was held most, in percent


@dataclass(frozen=True, slots=True)
class Bots:
    """Hold one kind of bots."""

    kind: str
    hits: str
    names: Sequence[tuple[str, int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Details:
    """Hold what a tab shows; `range` is None where nothing was counted in any."""

    selection: Selection
    range: Range | None
    span: str = ""  # the days of the range
    notes: Sequence[str] = ()
    heads: Sequence[str] = ()
    totals: Sequence[tuple[str, str]] = ()
    shares: Sequence[tuple[str, int]] = ()  # of the answers, in percent; none where a total is hidden
    parts: Sequence[tuple[str, int]] = ()  # banners without an answer, and views with the signal, in percent
    gaps: Sequence[Gap] = ()
    points: Sequence[Point] = ()  # answers, and those that accepted
    step: int = 1  # days of one point
    policies: Sequence[Policy] = ()
    hosts: Sequence[HeldHost] = ()
    bots: Sequence[Bots] = ()
    tables: Sequence[Table] = ()


def read_details(reader: HitReader, selection: Selection, *, now: datetime, hit_days: int) -> Details:
    """Ask for a tab's figures; raises EngineDown, and BadSelection for a filter by what is not shown."""
    today = int(now.timestamp()) // SECONDS_OF_DAY
    reader.hold_still()
    if selection.tab == "consent":
        gaps = Gaps(AskedOnce(reader), selection, today, hit_days)
        return _gap(gaps, selection, today) if selection.filters else _consent(reader, gaps, selection, today)
    return READERS[selection.tab](reader, selection, today)


def _gap(gaps: Gaps, selection: Selection, today: int) -> Details:
    """Return the consent gap under a filter: choices have no page, campaign or country."""
    found = gaps.range()
    shown = gaps.read(found) if found else ()
    notes = [] if shown else [NO_GAP]
    if shown and found and found != selection.range:
        notes = [f"{selection.range.label}: not all its single hits are kept. Shown instead: {found.label}."]
    return Details(
        selection=selection,
        range=found,
        span=span_of(found.days(today)) if found else "",
        notes=notes,
        gaps=shown,
    )


def _consent(reader: HitReader, gaps: Gaps, selection: Selection, today: int) -> Details:
    found = widened(selection.range, lambda one: sum(c.times for c in reader.consent(one.days(today))) >= K)
    counts = reader.consent(found.days(today)) if found else []
    sums = {
        event: _summed((one.policy, one.times) for one in counts if one.event == event) for event in EVENTS
    }
    shown = {event: _suppressed(times) for event, times in sums.items()}
    policies = [
        _policy(version, counts, shown) for version in sorted({one.policy for one in counts}, reverse=True)
    ]
    step, points = _course(policies, counts, found.days(today)) if found else (1, ())
    return Details(
        selection=selection,
        range=found,
        span=span_of(found.days(today)) if found else "",
        notes=_notes(selection, found),
        heads=(*EVENTS.values(), RATE),
        totals=[(EVENTS[event], _text(sum(times.values()))) for event, times in sums.items()],
        shares=_shares([sum(sums[event].values()) for event in ANSWERS]),
        parts=_parts(
            {event: sum(times.values()) for event, times in sums.items()},
            sum(one.views for one in reader.by_day(found.days(today))) if found else 0,
        ),
        gaps=gaps.read(found) if found else (),
        tables=answers(reader, found.days(today)) if found else (),
        points=points,
        step=step,
        policies=policies,
    )


def _shares(answers: Sequence[int]) -> Sequence[tuple[str, int]]:
    """Return what part of the answers each is: of totals that are shown as they are, so it tells nothing more."""
    if not sum(answers) or any(at_least(count) is None for count in answers):
        return ()
    return [
        (EVENTS[event], round(100 * count / sum(answers)))
        for event, count in zip(ANSWERS, answers, strict=True)
    ]


def _parts(totals: Mapping[Event, int], views: int) -> Sequence[tuple[str, int]]:
    """Return which part of the banners nobody answered, and which of all views came with the signal.

    Both are of totals of the whole shop, which are shown as they are; none of fewer than may be shown.
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


def _policy(version: str, counts: Sequence[ConsentCount], shown: Mapping[Event, Shown]) -> Policy:
    """Show days only of what the version's own total is shown of: totals less days would give a hidden one back."""
    totals: list[str] = []
    columns: list[Mapping[str, str]] = []
    own = [one for one in counts if one.policy == version]
    for event in EVENTS:
        of_event = _summed((str(one.day), one.times) for one in own if one.event == event)
        has_place = version in shown[event].values
        totals.append(f"{rounded(sum(of_event.values())):,}" if has_place or not of_event else HIDDEN)
        visible = _suppressed(of_event).values if has_place else frozenset()
        columns.append(
            {day: f"{rounded(times):,}" if day in visible else HIDDEN for day, times in of_event.items()}
        )
    rows = []
    for day in sorted({one.day for one in own}, reverse=True):
        texts = [column.get(str(day), "0") for column in columns]
        rows.append(PolicyDay(day, f"{day_of(day):%a %-d %b %Y}", (*texts, _rate(texts))))
    return Policy(version, (*totals, _rate(totals)), rows)


def _rate(texts: Sequence[str]) -> str:
    """Return which part of the answers accepted everything: of what is shown beside it, so it tells nothing more."""
    answers, accepted = _answers([texts])
    return HIDDEN if not answers or accepted is None else f"{round(100 * accepted / answers)} %"


def _answers(rows: Iterable[Sequence[str]]) -> tuple[int | None, int | None]:
    """Add up answers and acceptances as they are shown, None where one of them is hidden."""
    shown = [dict(zip(EVENTS, texts, strict=False)) for texts in rows]
    parts = [row[event] for row in shown for event in ANSWERS]
    if HIDDEN in parts:
        return None, None
    counts = [int(part.replace(",", "")) for part in parts]
    return sum(counts), sum(int(row[Event.ACCEPTED].replace(",", "")) for row in shown)


def _course(
    policies: Sequence[Policy], counts: Sequence[ConsentCount], days: Days
) -> tuple[int, Sequence[Point]]:
    """Return the course by days, or by the fewest of which no bar must be hidden: in a small shop most would be."""
    by_day = _by_days(policies, days)
    if any(point.is_hidden for point in by_day):
        length = days.last - days.first + 1
        for step in (one for one in STEPS if length % one == 0 and length // one >= FEWEST_BARS):
            points = _by_steps(counts, days, step)
            if not any(point.is_hidden for point in points):
                return step, points
    return 1, by_day if any(point.views for point in by_day) else ()


def _by_steps(counts: Sequence[ConsentCount], days: Days, step: int) -> Sequence[Point]:
    """Return a point for so many days each, of all policy versions."""
    columns = []
    for event in ANSWERS:
        at = _summed((str((one.day - days.first) // step), one.times) for one in counts if one.event == event)
        shown = _suppressed(at).values
        columns.append({place: rounded(times) if place in shown else None for place, times in at.items()})
    points = []
    for place in range((days.last - days.first + 1) // step):
        answers = [column.get(str(place), 0) for column in columns]
        told = [one for one in answers if one is not None]
        first = day_of(days.first + place * step)
        is_hidden = len(told) < len(answers)
        accepted = None if is_hidden else answers[ANSWERS.index(Event.ACCEPTED)]
        points.append(
            Point(f"{first.day} {first:%b}", None if is_hidden else sum(told), accepted, is_hidden=is_hidden)
        )
    return points


def _by_days(policies: Sequence[Policy], days: Days) -> Sequence[Point]:
    """Return a point for each day, made of what the tables of all policy versions show of it."""
    rows: dict[int, list[Sequence[str]]] = defaultdict(list)
    for policy in policies:
        for one in policy.days:
            rows[one.day].append(one.texts)
    points = []
    for day in range(days.first, days.last + 1):
        answers, accepted = _answers(rows[day])
        label = f"{day_of(day).day} {day_of(day):%b}"
        points.append(Point(label, answers, accepted, is_hidden=answers is None))
    return points


def _held(reader: HitReader, selection: Selection, today: int) -> Details:
    found = widened(selection.range, lambda one: bool(reader.held(one.days(today))))
    by_host: dict[tuple[str, str, str], list[HeldCount]] = defaultdict(list)
    for one in reader.held(found.days(today)) if found else []:
        by_host[one.host, one.vendor, one.purpose].append(one)
    hosts = sorted(
        by_host.items(), key=lambda item: (item[0][1] != "", -sum(one.views for one in item[1]), item[0])
    )
    most = max((sum(one.views for one in counts) for _, counts in hosts), default=0)
    return Details(
        selection=selection,
        range=found,
        span=span_of(found.days(today)) if found else "",
        notes=_notes(selection, found),
        hosts=[_host(name, counts, most) for name, counts in hosts],
    )


def _host(name: tuple[str, str, str], counts: Sequence[HeldCount], most: int) -> HeldHost:
    views = sum(one.views for one in counts)
    is_shown = at_least(views) is not None
    pages = _suppressed(_summed((one.page, one.views) for one in counts))
    elements = f"{rounded(sum(one.elements for one in counts)):,}" if is_shown else FEW
    part = round(100 * rounded(views) / rounded(most)) if is_shown and rounded(most) else 0
    return HeldHost(*name, _text(rounded(views) if is_shown else views), elements, _pairs(pages), part)


def _bots(reader: HitReader, selection: Selection, today: int) -> Details:
    found = widened(selection.range, lambda one: bool(reader.bots(one.days(today))))
    counts = reader.bots(found.days(today)) if found else []
    kinds = _summed((one.kind, one.hits) for one in counts)
    shown = _suppressed(kinds)
    return Details(
        selection=selection,
        range=found,
        span=span_of(found.days(today)) if found else "",
        notes=_notes(selection, found),
        totals=_bots_of_all(reader, found.days(today)) if found else (),
        tables=[_asked_by_bots(reader, found.days(today))] if found else (),
        bots=[
            Bots(
                kind,
                f"{hits:,}",
                _pairs(_suppressed(_summed((one.name, one.hits) for one in counts if one.kind == kind))),
            )
            for kind, hits in _pairs(shown)
        ],
    )


def _bots_of_all(reader: HitReader, days: Days) -> Sequence[tuple[str, str]]:
    """Return how many hits were of bots, and which part of all that is."""
    totals = reader.by_day(days)
    bots, others = (sum(one.bots for one in totals), sum(one.views + one.errors for one in totals))
    if at_least(bots) is None or at_least(others) is None:
        return ()
    share = round(100 * rounded(bots) / max(1, rounded(bots) + rounded(others)))
    return (("Hits of bots", f"{rounded(bots):,}"), ("Of all hits", f"{share} %"))


def _asked_by_bots(reader: HitReader, days: Days) -> Table:
    """Return what bots asked for, and which did so most."""
    pages: dict[str, int] = defaultdict(int)
    most: dict[str, tuple[int, str]] = {}
    for one in reader.breakdown(days, Dimension.BOT_PAGE):
        name, _, page = one.value.partition(GOAL_FROM)
        pages[page or name] += one.views
        if one.views >= K:
            most[page] = max(most.get(page, (0, "")), (one.views, name))
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
NO_GAP = f"The consent gap cannot be shown here: there would be fewer than {K} people on one side."
READERS = {"held": _held, "bots": _bots}


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


def _notes(selection: Selection, found: Range | None) -> Sequence[str]:
    if found is None:
        return (NOTHING[selection.tab],)
    if found != selection.range:
        return (f"{selection.range.label}: too little to show. Shown instead: {found.label}.",)
    return ()
