"""An analyst who requests all figures and subtracts them isolates no group of one to four people."""

from __future__ import annotations

import random
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import combinations, product
from pathlib import Path

import pytest
from harness.quick import some_of
from stats.traffic import PLAIN

from cookieguard.features.statistics.dashboard.overview import Overview, read_overview
from cookieguard.features.statistics.dashboard.selection import RANGES, BadSelection, Range, Selection
from cookieguard.features.statistics.engines.sqlite.engine import STATS_FILE, SqliteStats
from cookieguard.features.statistics.engines.sqlite.writer import SqliteHits
from cookieguard.stats.hits import Batch, Dimension, Hit
from cookieguard.stats.k_anonymity import K, rounded

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
SECOND, DAY = int(NOW.timestamp()), 86_400
TODAY = SECOND // DAY
ASKED = (Dimension.PAGE, Dimension.COUNTRY, Dimension.DEVICE)
TABLES = {"Pages": Dimension.PAGE, "Countries": Dimension.COUNTRY, "Devices": Dimension.DEVICE}
SHARES = {
    Dimension.PAGE: (("/", 9), ("/shoes", 5), ("/hats", 1)),
    Dimension.COUNTRY: (("DE", 12), ("FR", 4), ("LI", 1)),
    Dimension.DEVICE: (("desktop", 12), ("mobile", 5), ("tablet", 1)),
}
Where = frozenset[tuple[Dimension, str]]


@dataclass(frozen=True)
class Shown:
    """One figure that the analyst saw: the views of visitors that match `where`, on days of a range."""

    where: Where
    range: Range
    views: int


def traffic(seed: int) -> list[Hit]:
    """Return views of people who agreed, one or two each, most of them of the same few kinds."""
    chance = random.Random(seed)
    hits = []
    for _ in range(chance.randint(30, 90)):
        values = {
            dimension.value: chance.choices(*zip(*shares, strict=True))[0]
            for dimension, shares in SHARES.items()
        }
        days_ago = chance.choice([0, 0, 1, 2, 3, 5, 8, 13, 21, 29])
        person = PLAIN._replace(time=SECOND - 3600 - days_ago * DAY, key=chance.getrandbits(62) + 1, **values)
        hits += [
            person._replace(time=person.time + 60 * step, source="" if step else "(direct)")
            for step in range(chance.randint(1, 2))
        ]
    return hits


def written(state: Path, hits: Sequence[Hit], history: str = "keyed", late: Sequence[Hit] = ()) -> None:
    """Write hits into a file of statistics, and let their days pass as they may have."""
    with closing(SqliteHits(state / STATS_FILE)) as engine:
        engine.write(Batch(secrets.token_hex(4), hits, {}, {}))
        if history in ("counted", "late"):
            count(engine)
        if history != "keyed":
            engine.forget(keys_before=TODAY, hits_before=0, rollups_before=0)
        if history == "late":
            engine.write(Batch(secrets.token_hex(4), late, {}, {}))
            count(engine)


def count(engine: SqliteHits) -> None:
    while engine.count_closed_days(TODAY):
        pass


def seen(state: Path) -> Iterator[Shown]:
    """Ask for every range and every selection of two filters at most; give each number that comes back."""
    with closing(SqliteStats("", state).reader()) as reader:
        for range_, filters in product(RANGES.values(), selections()):
            try:
                found = read_overview(reader, Selection("summary", range_, filters), now=NOW, hit_days=30)
            except BadSelection:
                continue
            if found.range is range_:
                yield from numbers(found, frozenset(filters.items()), range_)


def selections() -> Iterator[Mapping[Dimension, str]]:
    for size in range(3):
        for dimensions in combinations(ASKED, size):
            for values in product(*([value for value, _ in SHARES[one]] for one in dimensions)):
                yield dict(zip(dimensions, values, strict=True))


def numbers(found: Overview, where: Where, range_: Range) -> Iterator[Shown]:
    by_name = {figure.name: figure.value for figure in found.figures}
    yield Shown(where, range_, int(by_name["Views"].replace(",", "")))
    for table in found.tables:
        if (dimension := TABLES.get(table.title)) is not None:
            for row in table.rows:
                yield Shown(where | {(dimension, row.value)}, range_, row.main)


def disclosure(hits: Sequence[Hit], shown: Shown) -> frozenset[int]:
    """Return which hits a number is about."""
    first = TODAY - shown.range.length + 1
    return frozenset(
        at
        for at, hit in enumerate(hits)
        if hit.time // DAY >= first and all(getattr(hit, name) == value for name, value in shown.where)
    )


def subtracted(hits: Sequence[Hit], numbers_: Sequence[Shown]) -> list[tuple[Shown, Shown, int]]:
    """Subtract each number from every one of the next larger crowd; return whoever is then alone with few."""
    crowds = {one: disclosure(hits, one) for one in dict.fromkeys(numbers_)}
    for one, at in crowds.items():  # they say what is true
        assert one.views == (len(at) if not one.where else rounded(len(at)))
    found = []
    for whole, part in product(crowds, crowds):
        is_filter = (
            whole.range is part.range and whole.where < part.where and len(part.where - whole.where) == 1
        )
        lengths = sorted(one.length for one in RANGES.values())
        is_range = (
            not whole.where
            and not part.where
            and (lengths.index(whole.range.length) == lengths.index(part.range.length) + 1)
        )
        if is_filter or is_range:
            left = {hits[at].key for at in crowds[whole] - crowds[part]}
            if 0 < len(left) < K:
                found.append((whole, part, len(left)))
    return found


# Days that are over have their keys for two hours more; then they were counted before or not, and late hits come.
HISTORIES = ("keyed", "counted", "late", "never counted")


@pytest.mark.parametrize("history", HISTORIES)
@pytest.mark.parametrize("seed", some_of(range(12), 0))
def test_no_two_numbers_give_a_small_group_away(seed: int, history: str, tmp_path: Path) -> None:
    hits = traffic(seed)
    late = [PLAIN._replace(time=SECOND - days * DAY, page="/hats") for days in (1, 5)]

    written(tmp_path, hits, history, late)
    numbers_ = list(seen(tmp_path))

    assert len(numbers_) > 10
    assert all(one.views for one in numbers_)
    assert subtracted([*hits, *(late if history == "late" else ())], numbers_) == []


def visits(days_ago: int, people: int, views: int, **fields: str) -> list[Hit]:
    start = SECOND - days_ago * DAY
    return [
        PLAIN._replace(time=start + person + 60 * step, key=100 * days_ago + person + 1, **fields)
        for person in range(people)
        for step in range(views)
    ]


def one_alone() -> list[Hit]:
    """Return three days of Germans; on the first of them one person from France looks at seven pages."""
    hits = visits(3, 40, 10) + [hit._replace(key=99, country="FR") for hit in visits(3, 1, 7)]
    for day in (2, 1):
        hits += visits(day, 40, 10)
        hits += [hit._replace(key=hit.key + 50, country="FR") for hit in visits(day, 30, 10)]
    return sorted(hits)


def overview(state: Path, **filters: str) -> Overview:
    where = {Dimension(name): value for name, value in filters.items()}
    with closing(SqliteStats("", state).reader()) as reader:
        found = read_overview(reader, Selection("summary", RANGES["7"], where), now=NOW, hit_days=30)
    assert found.range is RANGES["7"]
    return found


@pytest.mark.parametrize("history", HISTORIES)
def test_one_person_is_not_the_difference_of_two_bars(history: str, tmp_path: Path) -> None:
    written(tmp_path, one_alone(), history, [PLAIN._replace(time=SECOND - 3 * DAY)])

    bars, germans = overview(tmp_path).points, overview(tmp_path, country="DE").points

    assert bars[3].views == rounded(407 + (history == "late"))
    assert germans[3].views is None
    assert germans[5].views == 400  # while days with enough people stay


@pytest.mark.parametrize("history", HISTORIES)
def test_one_person_is_not_the_difference_of_two_breakdowns(history: str, tmp_path: Path) -> None:
    """Of one page of one day; of other days, whose visitors may be known, there are enough for everything."""
    hits = [hit._replace(page="/hats") if hit.time < SECOND - 2 * DAY else hit for hit in one_alone()]
    today = [hit._replace(key=hit.key + 7000) for hit in visits(0, 30, 2)]
    written(tmp_path, [*hits, *today], history, [PLAIN._replace(time=SECOND - 3 * DAY, page="/hats")])

    shown = {
        title: {row.value for row in table.rows}
        for title in ("Pages", "Countries")
        for table in overview(tmp_path, **({"country": "DE"} if title == "Pages" else {})).tables
        if table.title == title
    }

    assert "DE" in shown["Countries"]
    assert "/hats" not in shown["Pages"]


def of_range(state: Path, name: str) -> Overview:
    with closing(SqliteStats("", state).reader()) as reader:
        found = read_overview(reader, Selection("summary", RANGES[name], {}), now=NOW, hit_days=30)
    assert found.range is RANGES[name]
    return found


def shows_before(found: Overview) -> bool:
    return any(figure.change is not None for figure in found.figures) or any(
        point.before is not None for point in found.points
    )


@pytest.mark.parametrize("alone", [0, 1])
def test_one_person_is_not_the_wider_range_without_both_periods(alone: int, tmp_path: Path) -> None:
    """The page of 7 days tells the 7 before as well; the page of 30 days less both is who came in the other 16."""
    hits = [hit for day in (2, 4, 9, 11) for hit in visits(day, 30, 2)] + visits(20, alone, 3)
    hits += visits(40, 30, 2)  # so that nothing began within 14 days
    written(tmp_path, sorted(hits))

    month, week = of_range(tmp_path, "30"), of_range(tmp_path, "7")

    left = figure(month, "Views") - 2 * figure(week, "Views")
    assert left == 3 * alone
    assert shows_before(week) is not bool(alone)


@pytest.mark.parametrize("alone", [0, 1])
def test_one_person_is_not_the_rest_of_yesterday(alone: int, tmp_path: Path) -> None:
    """The page of today tells yesterday until now, the page of 7 days all of yesterday."""
    hits = [hit for day in (0, 1) for hit in visits(day, 30, 2)]
    hits = [hit._replace(time=hit.time - 7200) for hit in hits]  # NOW is noon
    hits += [hit._replace(time=hit.time + 10_800, key=9999) for hit in visits(1, alone, 3)]
    hits += visits(5, 30, 2) + visits(20, 30, 2)
    written(tmp_path, sorted(hits))

    week, today = of_range(tmp_path, "7"), of_range(tmp_path, "today")

    assert week.points[-2].views == rounded(60 + 3 * alone)
    assert figure(today, "Views") == 60
    assert shows_before(today) is not bool(alone)


def figure(found: Overview, name: str) -> int:
    return next(int(one.value.replace(",", "")) for one in found.figures if one.name == name)
