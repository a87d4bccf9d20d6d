"""The visitors' answers to the banner: over time, by wording, and by country, device and source.

Each banner that was shown counts once, and so does each answer.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import timedelta

from cookieguard.features.statistics.asked import Asked
from cookieguard.features.statistics.dashboard.breakdowns import Row, Table, TableKind
from cookieguard.features.statistics.dashboard.charts import Point
from cookieguard.features.statistics.dashboard.selection import EPOCH, UNKNOWN
from cookieguard.features.statistics.engines.protocol import ConsentCount, Days, HitReader
from cookieguard.stats.hits import ANSWER, GOAL_FROM, OTHER, Dimension, Event
from cookieguard.stats.k_anonymity import Cell, rounded, suppress

ANSWERS = (Event.ACCEPTED, Event.PARTLY, Event.REFUSED)
ASKED = (Event.SHOWN, *ANSWERS)
HEADS = ("Accepted", "Partly", "Refused", "Ignored")
BY_SOURCE = (
    "Only sources named by utm_source, and answers on the page that the link led to: nothing else ties an answer"
    " to a source."
)
# Each with its dimension, and the position of its values after the event's name.
PARTS: Sequence[tuple[TableKind, Dimension, int]] = (
    (
        TableKind("Answers by country", "Banners", more=HEADS, is_of_countries=True, is_of_hits=True),
        Dimension.PLACE,
        1,
    ),
    (TableKind("Answers by device", "Banners", more=HEADS, is_of_hits=True), Dimension.PLACE, 2),
    (
        TableKind("Answers by source", "Banners", more=HEADS, is_of_hits=True, note=BY_SOURCE),
        Dimension.GOAL_SOURCE,
        1,
    ),
)
BY_WORDING = TableKind(
    "Answers by wording",
    "Banners",
    more=HEADS,
    is_long=True,
    is_of_hits=True,
    note="The banner's text in the shop's language. The day of a change counts for the new wording.",
)
STEPS = (1, 2, 3, 5, 7, 14, 28)  # days of one bar
FEWEST_BARS = 4
LEAST_IN_A_BAR = 30  # answers, on average; smaller bars would mostly show the effect of rounding


def course(counts: Sequence[ConsentCount], days: Days, least: int) -> tuple[int, Sequence[Point]]:
    """Return the days of a bar, at least `least`, and the bars of all answers and of those that accepted everything."""
    length, total = days.last - days.first + 1, sum(row.times for row in counts if row.event in ANSWERS)
    for step in STEPS:
        count = length // step
        if step >= least and not length % step and count >= FEWEST_BARS and total >= count * LEAST_IN_A_BAR:
            points = []
            for first in range(days.first, days.last + 1, step):
                _, accepted, *others = _sums([row for row in counts if first <= row.day < first + step])
                label = f"{EPOCH + timedelta(days=first):%-d %b}"
                points.append(Point(label, accepted + sum(others), accepted))
            return step, points
    return 0, ()


def by_wording(counts: Sequence[ConsentCount], asked: Sequence[Asked]) -> Table:
    """Return the answers to each wording while it was in use; days before the first known one share a row."""
    names: dict[str, str] = {}
    for line in asked:
        names.setdefault(line.wording, f"From {line.day:%-d %b %Y}: {line.excerpt}")
    found: dict[str, list[ConsentCount]] = defaultdict(list)
    for count in counts:
        shown = [line for line in asked if line.day <= EPOCH + timedelta(days=count.day)]
        found[names[shown[-1].wording] if shown else f"Before {asked[0].day:%-d %b %Y}: not noted"].append(
            count
        )
    sums = {name: _sums(group) for name, group in found.items()}
    most = max([1, *(banners for banners, *_ in sums.values())])
    rows = [
        Row(name, banners, None, round(100 * banners / most), more=_shares(banners, answered))
        for name, (banners, *answered) in sums.items()
        if banners
    ]
    return Table(BY_WORDING, rows, note=BY_WORDING.note)


def _sums(counts: Sequence[ConsentCount]) -> Sequence[int]:
    return [sum(row.times for row in counts if row.event == event) for event in ASKED]


def answers(reader: HitReader, days: Days) -> Sequence[Table]:
    """Return the tables of answers as shares of banners; a banner without an answer counts as ignored."""
    tables = [_table(kind, counts_of(reader, days, by, place)) for kind, by, place in PARTS]
    return [table for table in tables if table.rows]


def counts_of(reader: HitReader, days: Days, by: Dimension, place: int) -> Mapping[str, Mapping[str, int]]:
    """Return how often each event happened, by event and value."""
    sums: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for row in reader.breakdown(days, by):
        event, *parts = row.value.split(GOAL_FROM)
        if event.startswith(ANSWER):
            sums[event.removeprefix(ANSWER)][parts[place - 1]] += row.views
    return sums


def _table(kind: TableKind, counts: Mapping[str, Mapping[str, int]]) -> Table:
    shown = {event: shown_of(counts.get(event, {})) for event in (Event.SHOWN, *ANSWERS)}
    banners = shown[Event.SHOWN]
    most = max([1, *(count or 0 for count in banners.values())])
    rows = []
    for value, count in sorted(banners.items(), key=lambda item: (-(item[1] or 0), item[0])):
        answered = [shown[event].get(value, 0) for event in ANSWERS]
        if count and value != OTHER and (any(answered) or kind.note != BY_SOURCE):
            rows.append(
                Row(value or UNKNOWN, count, None, round(100 * count / most), more=_shares(count, answered))
            )
    return Table(kind, rows, note=kind.note)


def shown_of(counts: Mapping[str, int]) -> Mapping[str, int | None]:
    """Return rounded counts by value; None for a count of too few people, and for a count that would reveal it."""
    shown = suppress([Cell(value, count, (count,)) for value, count in counts.items()]).values
    return {value: rounded(count) if value in shown else None for value, count in counts.items()}


def _shares(banners: int, answered: Sequence[int | None]) -> Sequence[str]:
    known = [count for count in answered if count is not None]
    ignored = None if len(known) < len(answered) else max(0, banners - sum(known))
    return [
        "-" if part is None else f"{min(100, round(100 * part / banners))} %" for part in (*answered, ignored)
    ]
