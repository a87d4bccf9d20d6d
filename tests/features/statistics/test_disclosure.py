"""An analyst who combines all pages, exports and views is certain of no group of one to four people."""

from __future__ import annotations

import random
import secrets
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from itertools import product
from pathlib import Path

import pytest
from features.statistics.disclosure import (
    ASKED,
    DAY,
    EVERY_PERIOD,
    NOW,
    SECOND,
    SOME_PERIODS,
    STEP,
    TODAY,
    VIEWS,
    Bounds,
    Group,
    Told,
    Values,
    derived,
    free_ranges,
    of_count,
    of_row,
    of_table,
    of_total,
    span_of,
    told,
    truth,
)
from harness.quick import FOR_RELEASE
from stats.traffic import PLAIN, with_exits

from cookieguard.features.statistics.dashboard import answers, tabs
from cookieguard.features.statistics.dashboard.disclosure import Breakdowns
from cookieguard.features.statistics.dashboard.goal_tables import (
    goals_and_steps,
    shown_by_part,
    worth_by_part,
)
from cookieguard.features.statistics.dashboard.memo_reader import AnyDays, AskedOnce
from cookieguard.features.statistics.dashboard.month_to_date import breakdown
from cookieguard.features.statistics.dashboard.overview import read_overview
from cookieguard.features.statistics.dashboard.page_tables import Regrouped, of_crowds, parts_of
from cookieguard.features.statistics.dashboard.selection import RANGES, BadSelection, Selection
from cookieguard.features.statistics.dashboard.tables import page_if_slow
from cookieguard.features.statistics.dashboard.tabs import read_details
from cookieguard.features.statistics.engines.protocol import Days, HitReader
from cookieguard.features.statistics.engines.sqlite.engine import STATS_FILE, SqliteStats
from cookieguard.features.statistics.engines.sqlite.writer import SqliteHits
from cookieguard.stats.hits import Batch, Dimension, Event, Hit
from cookieguard.stats.k_anonymity import K, Shown, rounded

PAGES = (("/", 9), ("/shoes", 5), ("/hats", 2))
COUNTRIES = (("DE", 12), ("FR", 5), ("LI", 1))
DEVICES = (("desktop", 12), ("mobile", 6), ("tablet", 1))


def person(chance: random.Random, days_ago: int, **fields: str) -> list[Hit]:
    """Return what somebody who agreed looked at on a day."""
    of_all = {"country": chance.choices(*zip(*COUNTRIES, strict=True))[0]}
    of_all["device"] = chance.choices(*zip(*DEVICES, strict=True))[0]
    one = PLAIN._replace(time=SECOND - days_ago * DAY, key=chance.getrandbits(62) + 1, **{**of_all, **fields})
    pages = chance.choices(*zip(*PAGES, strict=True), k=chance.randint(1, 3))
    return [
        one._replace(
            time=one.time - 3600 * chance.randint(1, 15) + 60 * step, page=fields.get("page", page), entry=0
        )
        for step, page in enumerate(pages)
    ]


def shop(seed: int, each_day: int, days: Sequence[int] = range(30)) -> list[Hit]:
    chance = random.Random(seed)
    return [
        hit
        for day in days
        for _ in range(round(each_day * (0.5 + chance.random())))
        for hit in person(chance, day)
    ]


def small() -> list[Hit]:
    return shop(1, 8)


def large() -> list[Hit]:
    return shop(2, 60, (0, 1, 2, 4, 9))


def rare_days() -> list[Hit]:
    return [*shop(3, 3), *shop(4, 20, (0, 3, 12)), *shop(5, 2, (40, 100))]


def regular() -> list[Hit]:
    """Return a shop that one man from Liechtenstein comes to on five days."""
    hits = [hit._replace(country="DE") if hit.country == "LI" else hit for hit in shop(6, 15)]
    chance = random.Random(6)
    return [
        *hits,
        *(hit for day in range(1, 6) for hit in person(chance, day, country="LI", device="tablet")),
    ]


def reader() -> list[Hit]:
    """Return a shop that one woman from Liechtenstein looks at all day."""
    hits = [hit._replace(country="DE") if hit.country == "LI" else hit for hit in shop(7, 15)]
    one = PLAIN._replace(time=SECOND - DAY, key=7, country="LI", page="/hats", device="mobile")
    return [*hits, *(one._replace(time=one.time + 60 * step) for step in range(52))]


def refuser() -> list[Hit]:
    """Return the same of one who refused, and whose views nothing ties together."""
    return [
        hit._replace(key=0, entry=int(hit.time == SECOND - DAY)) if hit.key == 7 else hit for hit in reader()
    ]


def three_countries() -> list[Hit]:
    """Return countries that have the same devices, but for few: one is what two others leave of the third."""
    hits = []
    for country, counts in (("DE", (40, 21, 0)), ("FR", (20, 11, 7)), ("LI", (9, 3, 0))):
        for device, count in zip(("desktop", "mobile", "tablet"), counts, strict=True):
            chance = random.Random(f"{country} {device}")
            hits += [
                hit for at in range(count) for hit in person(chance, at % 3, country=country, device=device)
            ]
    return hits


SHOPS: Sequence[Callable[[], list[Hit]]] = (
    small,
    large,
    rare_days,
    regular,
    reader,
    refuser,
    three_countries,
)


def written(state: Path, hits: Sequence[Hit], *, has_keys: bool) -> None:
    """Write hits, and let their days pass: counted by two values before the keys go, or not."""
    with closing(SqliteHits(state / STATS_FILE)) as engine:
        engine.write(Batch(secrets.token_hex(4), sorted(hits), {}, {}))
        if has_keys:
            while engine.count_closed_days(TODAY):
                pass
        engine.forget(keys_before=TODAY, hits_before=0, rollups_before=0)


QUICK = (three_countries,)
ALL = [pytest.param(one, marks=() if one in QUICK else pytest.mark.slow) for one in SHOPS]


@pytest.mark.parametrize("has_keys", [True, pytest.param(False, marks=FOR_RELEASE)])
@pytest.mark.parametrize("draw", ALL)
def test_hardly_any_group_of_one_to_four_is_certain(
    draw: Callable[[], list[Hit]], has_keys: bool, tmp_path: Path
) -> None:
    """At most one, where bounds of many pages happen to meet; of exact figures it is one in ten such groups."""
    hits = draw()
    values = Values.of(hits)
    true = truth(hits, values)
    written(tmp_path, hits, has_keys=has_keys)

    found = list(told(tmp_path, values, EVERY_PERIOD if draw not in QUICK else SOME_PERIODS))

    exact = [Told(one.groups, *[sum(true.get(group, 0) for group in one.groups)] * 2) for one in found]
    assert len(found) > 500
    assert len(derived(Bounds(values, found), true)) <= 1
    assert len(derived(Bounds(values, exact), true)) > 20  # the control: unrounded


def buying(seed: int) -> list[Hit]:
    """Return a shop whose visitors come from three sources, a few of them to order something."""
    chance = random.Random(seed)
    hits = []
    for first, *more in (sorted(person(chance, day)) for day in (0, 1, 2, 5, 20) for _ in range(60)):
        source = chance.choices(("letter", "search", "blog"), (9, 5, 1))[0]
        hits += [first._replace(source=source), *more]
        for goal, often in (("order", 0.3), ("basket", 0.5), ("letter read", 0.04)):
            if chance.random() < often:
                keyless = {"key": 0} if chance.random() < 0.3 else {}
                hits.append(first._replace(kind="goal", event=goal, time=first.time + 1, **keyless))
    return hits


GOALS = ("order", "basket", "letter read")


def asked_for_goals(state: Path, values: Values, part: str) -> Iterator[Told]:
    """Ask for goals by source or country: of all, and under each source. A goal is read as a page here."""
    filters = [
        {},
        *({Dimension.SOURCE: one} for one in values[Dimension.COUNTRY] if one and part == "source"),
    ]
    with closing(SqliteStats("", state).reader()) as figures:
        for range_, where, goal in product(RANGES.values(), filters, GOALS):
            with suppress(BadSelection):
                asked = Selection("goals", range_, where, goal=goal)
                found = read_overview(figures, asked, now=NOW, hit_days=30)
                tables = {table.title: table for table in found.tables if found.range is range_}
                base = frozenset({(Dimension.COUNTRY, one) for one in where.values()})
                if "Goals" in tables:
                    yield from of_table(tables["Goals"], base, range_.id, Dimension.PAGE, values)
                by_part = tables.get(f"{goal} by {part}")
                for row in by_part.rows if by_part else ():
                    named = row.value.replace("(unknown)", "")
                    where_ = frozenset({(Dimension.PAGE, goal), (Dimension.COUNTRY, named)})
                    yield from of_row(row, [Group(VIEWS, where_, range_.id)])


@pytest.mark.parametrize("part", ["source", "country"])
@pytest.mark.parametrize("seed", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_goals_by_source_and_country_are_certain_of_nobody(seed: int, part: str, tmp_path: Path) -> None:
    hits = buying(seed)
    firsts = {hit.key: hit.source for hit in hits if hit.source}
    reached = [
        hit._replace(
            page=hit.event,
            country=firsts.get(hit.key, "") if part == "source" else hit.country,
            device="any",
        )
        for hit in hits
        if hit.kind == "goal"
    ]
    values = Values.of(reached)
    true = truth(reached, values)
    written(tmp_path, hits, has_keys=True)

    found = list(asked_for_goals(tmp_path, values, part))

    exact = [Told(one.groups, *[sum(true.get(group, 0) for group in one.groups)] * 2) for one in found]
    assert len(found) > 40
    assert derived(Bounds(values, found), true) == []
    assert len(derived(Bounds(values, exact), true)) > 3  # the control: unrounded


# What each table beside that of pages counts, as hits whose page is its value.
BESIDE: Mapping[str, Callable[[list[Hit]], list[Hit]]] = {
    "Exit pages": with_exits,
    "Slow pages": lambda hits: [hit for hit in hits if hit.duration >= 1000],
    "Searches": lambda hits: [hit._replace(page=hit.search) for hit in hits if hit.search],
    "Errors": lambda hits: [hit._replace(page=hit.failed) for hit in hits],
}


def wandering(seed: int) -> list[Hit]:
    """Return a shop in which a few leave early, wait, search for rare things or ask for what is not there."""
    chance, times, hits = random.Random(seed), dict[int, int](), list[Hit]()
    for hit in shop(seed, 60, (0, 1, 2, 5, 20)):
        times[hit.key] = times.get(hit.key, hit.time - 60) + 60  # one visit each
        terms, weights = ("", "cup", "mug", "ada", "lamp", "hat"), (90, 5, 3, 0.3, 0.3, 0.3)
        hits.append(
            hit._replace(
                time=times[hit.key],
                duration=chance.choice((10, 10, 10, 1000)) if hit.page != "/hats" else 10,
                search=chance.choices(terms, weights)[0],
                consent="all",
            )
        )
        if chance.random() < 0.1:
            page = chance.choices(("/old", "/older", "/ada", "/lamp", "/hat"), (9, 6, 0.5, 0.5, 0.5))[0]
            status = chance.choices((404, 403, 500), (6, 2, 2))[0]
            hits.append(hit._replace(kind="error", status=status, page=page, time=hit.time + 1))
    return hits


@pytest.mark.parametrize(
    "seed", [1, pytest.param(2, marks=pytest.mark.slow), pytest.param(3, marks=pytest.mark.slow)]
)
def test_the_tables_beside_that_of_pages_are_certain_of_nobody(seed: int, tmp_path: Path) -> None:
    hits = wandering(seed)
    written(tmp_path, hits, has_keys=True)
    seen: dict[str, list[Told]] = {}

    with closing(SqliteStats("", tmp_path).reader()) as figures:
        for range_ in RANGES.values():
            for title, shown in beside_pages(figures, range_.days(TODAY)).items():
                for row in shown.rows:
                    group = Group(VIEWS, frozenset({(Dimension.PAGE, row.value)}), range_.id)
                    seen.setdefault(title, []).append(of_count((group,), rounded(row.counts[0])))

    assert seen.keys() == BESIDE.keys()
    certain, controls = [], 0
    for title, rows in seen.items():
        some = beside(hits, title)
        values, true = Values.of(some), truth(some, Values.of(some))
        exact = [Told((group,), count, count) for group, count in true.items() if group.span in RANGES]
        certain += [(title, *one) for one in derived(Bounds(values, rows), true)]
        controls += len(derived(Bounds(values, [*rows, *exact]), true))
    assert certain == []
    assert controls > 3  # all of it, unrounded


def beside_pages(figures: HitReader, days: Days) -> Mapping[str, Shown]:
    """Return what shares and tables beside that of pages are made of, as if it stood there."""
    pages = Breakdowns(figures, TODAY).shown(days, Dimension.PAGE)
    agreed = parts_of(figures, days, Dimension.AGREED_PAGE, pages)
    slow = Regrouped(figures, page_if_slow)
    return {
        "Exit pages": parts_of(figures, days, Dimension.EXIT, agreed),
        "Slow pages": parts_of(slow, days, Dimension.SPEED, pages),
        **{
            title: of_crowds(figures, figures.of_a_crowd(days, by), days, by)
            for title, by in (("Searches", Dimension.SEARCH), ("Errors", Dimension.ERROR))
        },
    }


def beside(hits: list[Hit], title: str) -> list[Hit]:
    """Return what a table counts, of one country and device: nothing is told by those."""
    some = [hit for hit in hits if (hit.kind == "error") == (title == "Errors")]
    return [hit._replace(country="any", device="any") for hit in BESIDE[title](some)]


def answering(seed: int) -> list[Hit]:
    """Return a shop that asks everybody, in three countries of which one is small, and what was answered."""
    chance, hits = random.Random(seed), []
    for first, *_ in (sorted(person(chance, day)) for day in (0, 1, 2, 5, 20) for _ in range(60)):
        asked = first._replace(key=0, entry=1, source="letter", event="shown")
        answer = chance.choices(("accepted", "refused", "partly", ""), (5, 3, 0.5, 2))[0]
        hits += [asked, *([asked._replace(kind="choice", event=answer, entry=0)] if answer else [])]
    return hits


def test_answers_by_country_and_device_make_no_small_group_certain(tmp_path: Path) -> None:
    """Asked as if the counts that shares are made of stood there, beside the exact totals of each answer."""
    hits = answering(1)
    written(tmp_path, hits, has_keys=True)
    reached = [hit._replace(page=hit.event) for hit in hits]
    values, found = Values.of(reached), []
    true = {group: count for group, count in truth(reached, values).items() if group.metric == VIEWS}

    with closing(SqliteStats("", tmp_path).reader()) as figures:
        for range_, (place, by) in product(
            RANGES.values(), enumerate((Dimension.COUNTRY, Dimension.DEVICE), 1)
        ):
            for event, counts in answers.counts_of(
                figures, range_.days(TODAY), Dimension.PLACE, place
            ).items():
                base = frozenset({(Dimension.PAGE, event)})
                total = sum(counts.values())  # exact, but of fewer than five
                bounds = (total, total) if total >= K else (1, K - 1)
                found.append(Told((Group(VIEWS, base, range_.id),), *bounds))
                for value, count in answers.shown_of(counts).items():
                    if count is not None:
                        found.append(of_count((Group(VIEWS, base | {(by, value)}, range_.id),), count))

    everything = [Told((group,), count, count) for group, count in true.items() if group.span in RANGES]
    assert len(found) > 40
    told_of_few = {group for one in found for group in one.groups if (one.low, one.high) == (1, K - 1)}
    # The page says that a total is of few people, and does not say what it consists of.
    assert [one for one in derived(Bounds(values, found), true) if not is_of_few(one[0], told_of_few)] == []
    assert len(derived(Bounds(values, everything), true)) > 3  # the control: all of it


def test_answers_of_each_day_make_no_small_group_certain(tmp_path: Path) -> None:
    """Asked for the sums behind bars and wordings on every day, and for totals of days that are over and of ranges."""
    hits = [hit._replace(country="any", device="any") for hit in answering(2)]
    written(tmp_path, hits, has_keys=True)
    reached = [hit._replace(page=hit.event) for hit in hits]
    values, found, first = Values.of(reached), [], TODAY - 23
    true = {group: count for group, count in truth(reached, values).items() if group.metric == VIEWS}

    with closing(SqliteStats("", tmp_path).reader()) as figures:
        growths: dict[str, Counter[int]] = defaultdict(Counter)
        for one in AnyDays(AskedOnce(figures)).consent(Days(first, TODAY)):
            growths[one.event][one.day] += one.times
        for event in values[Dimension.PAGE]:
            base = frozenset({(Dimension.PAGE, event)})
            for last in range(first, TODAY + 1):
                groups = tuple(Group(VIEWS, base, day) for day in range(first, last + 1))
                found.append(of_count(groups, sum(growths[event][day] for day in range(first, last + 1))))
        by_day = len(found)
        for range_ in (*RANGES.values(), *EVERY_PERIOD):
            totals = dict(read_details(figures, Selection("consent", range_), now=NOW).totals)
            for event in values[Dimension.PAGE]:
                group, text = (
                    Group(VIEWS, frozenset({(Dimension.PAGE, event)}), span_of(range_)),
                    totals.get(tabs.EVENTS[Event(event)], "-"),
                )
                found.append(of_total(group, text, is_exact=range_.last is None))

    everything = [
        Told((group,), count, count) for group, count in true.items() if isinstance(group.span, int)
    ]
    alone = derived(Bounds(values, found[by_day:]), true)
    assert derived(Bounds(values, found), true) == alone == []
    assert len(derived(Bounds(values, [*found, *everything]), true)) > 3  # the control: each day unrounded


def test_the_consent_gap_is_certain_of_nobody(tmp_path: Path) -> None:
    """Asked for visits, and visits of visitors who agreed, of all ranges and days; the control is unrounded."""
    chance, hits = random.Random(3), []
    for day in range(30):
        for _ in range(chance.choice((1, 4, 7, 12))):
            agreed = chance.random() < 0.4
            key = {"key": chance.getrandbits(62) + 1, "consent": "all"} if agreed else {"key": 0, "entry": 1}
            hits.append(PLAIN._replace(time=SECOND - day * DAY, source="(direct)", device="any", **key))
    written(
        tmp_path, [*hits, *(hit._replace(kind="choice", event="accepted") for hit in hits)], has_keys=True
    )
    visits = [hit._replace(country="yes" if hit.key else "no") for hit in hits]
    values, found = Values.of(visits), []
    true = {group: count for group, count in truth(visits, values).items() if group.metric == VIEWS}

    with closing(SqliteStats("", tmp_path).reader()) as figures:
        for range_ in (*RANGES.values(), *EVERY_PERIOD, *free_ranges()):
            page = read_details(figures, Selection("consent", range_), now=NOW, before_consent="aggregate")
            for gap in page.gaps if page.range == range_ else ():
                days = range_.days(TODAY)
                spans = [span_of(range_)] if not range_.is_free else range(days.first, days.last + 1)
                for where, count, is_exact in (
                    (frozenset(), gap.all, range_.last is None),
                    (frozenset({(Dimension.COUNTRY, "yes")}), gap.agreed, False),
                ):
                    groups = tuple(Group(VIEWS, where, span) for span in spans)
                    width = STEP - 1 if range_.is_free else 0
                    one = Told(groups, count, count) if is_exact else of_count(groups, count)
                    found.append(one._replace(low=max(0, one.low - width), high=one.high + width))

    exact = [Told(one.groups, *[sum(true.get(group, 0) for group in one.groups)] * 2) for one in found]
    everything = [Told((group,), count, count) for group, count in true.items()]
    assert len(found) > 60
    assert derived(Bounds(values, found), true) == []
    assert len(derived(Bounds(values, [*exact, *everything]), true)) > 3


def is_of_few(group: Group, told_of_few: Collection[Group]) -> bool:
    """Return whether a group is a total that the page calls small, or that total on its only possible day."""
    return any(group.where == one.where and group.span in (one.span, TODAY) for one in told_of_few)


@pytest.mark.parametrize("draw", QUICK)
def test_figures_of_any_days_add_up_to_no_day(draw: Callable[[], list[Hit]], tmp_path: Path) -> None:
    """All ranges there are, as if each value were named in each: what they are made of is one rounded number a day."""
    hits = draw()
    values = Values.of(hits)
    true = truth(hits, values)
    written(tmp_path, hits, has_keys=True)
    first, found, alone = TODAY - 23, [], []

    with closing(SqliteStats("", tmp_path).reader()) as figures:
        for begin, end, by in product(range(first, TODAY), range(first, TODAY), ASKED):
            if begin == first <= end:
                for one in breakdown(figures, Days(begin, end), by):
                    groups = [
                        Group(VIEWS, frozenset({(by, one.value)}), day) for day in range(begin, end + 1)
                    ]
                    found.append(of_count(tuple(groups), one.views))
            if begin <= end:
                for one in figures.breakdown(Days(begin, end), by):
                    groups = [
                        Group(VIEWS, frozenset({(by, one.value)}), day) for day in range(begin, end + 1)
                    ]
                    alone.append(of_count(tuple(groups), rounded(one.views)))

    views = {group: count for group, count in true.items() if group.metric == VIEWS}
    assert derived(Bounds(values, found), views) == []
    assert len(derived(Bounds(values, alone), views)) > 0  # the control: each range rounded by itself


def test_values_of_goals_by_campaign_make_no_small_group_certain(tmp_path: Path) -> None:
    """Asked as if the steps and counts that a worth is made of stood there."""
    hits = spending(1)
    written(tmp_path, hits, has_keys=True)
    firsts = {hit.key: hit.campaign for hit in hits if hit.source}
    steps = [
        hit._replace(page=hit.event, country=firsts.get(hit.key, ""), device="any")
        for hit in hits
        if hit.kind == "goal" and ": " in hit.event and firsts.get(hit.key)
    ]
    values, true, found = Values.of(steps), truth(steps, Values.of(steps)), []

    with closing(SqliteStats("", tmp_path).reader()) as figures:
        for range_ in RANGES.values():
            days = range_.days(TODAY)
            goals, shown_steps = goals_and_steps(Breakdowns(figures, TODAY).shown(days, Dimension.GOAL))
            parts = shown_by_part(figures, days, Dimension.GOAL_CAMPAIGN, goals, shown_steps)
            assert worth_by_part(parts) or range_.id == "today"
            for cell in parts.steps.rows:
                step, _, campaign = cell.value.partition(" < ")
                where = frozenset({(Dimension.PAGE, step), (Dimension.COUNTRY, campaign)})
                found.append(of_count((Group(VIEWS, where, range_.id),), rounded(cell.counts[0])))
            for name, count in parts.valued.items():
                where = frozenset({(Dimension.COUNTRY, name.partition(" < ")[2])})
                found.append(of_count((Group(VIEWS, where, range_.id),), rounded(count)))

    exact = [Told(one.groups, *[sum(true.get(group, 0) for group in one.groups)] * 2) for one in found]
    views = {group: count for group, count in true.items() if group.metric == VIEWS}
    assert len(found) > 10
    assert derived(Bounds(values, found), views) == []
    assert len(derived(Bounds(values, [*found, *exact]), views)) > 0  # the control: unrounded


def spending(seed: int) -> list[Hit]:
    """Return a shop whose visitors come by three campaigns to order for little, and a few for much."""
    chance = random.Random(seed)
    hits = []
    for first, *more in (sorted(person(chance, day)) for day in (0, 1, 2, 5, 20) for _ in range(120)):
        campaign = chance.choices(("", "winter", "spring", "blog"), (5, 6, 4, 1))[0]
        hits += [first._replace(source="letter", campaign=campaign), *more]
        if chance.random() < 0.4:
            step = chance.choices(("20 to 50", "50 to 100", "100 to 200", "1k to 2k"), (6, 9, 2, 0.4))[0]
            order = first._replace(kind="goal", event="order", time=first.time + 1)
            hits += [order, order._replace(event=f"order: {step}")]
    return hits


@pytest.mark.parametrize("draw", [reader, pytest.param(refuser, marks=pytest.mark.slow)])
def test_single_visitor_of_a_country_is_in_no_exact_figure(
    draw: Callable[[], list[Hit]], tmp_path: Path
) -> None:
    hits = draw()
    written(tmp_path, hits, has_keys=True)

    found = told(tmp_path, Values.of(hits))

    alone = {Dimension.COUNTRY: "LI"}.items()
    named = [one for one in found if any(alone <= group.where for group in one.groups)]
    assert all(len({group.where for group in one.groups}) > 1 for one in named if one.high)


def test_one_visitor_more_moves_the_totals_alone(tmp_path: Path) -> None:
    """Before and after: a figure moves with one visitor in ten, and is the same for the nine."""
    hits = [
        PLAIN._replace(time=SECOND - 60 * at, key=at + 1, country=country)
        for at, country in enumerate(["DE"] * 41 + ["FR"] * 32 + ["LI"] * 22)
    ]
    values, more = Values.of(hits), PLAIN._replace(time=SECOND - 7, key=999, country="LI")
    written(tmp_path, hits, has_keys=True)

    before = set(told(tmp_path, values))
    written(tmp_path, [more], has_keys=True)
    after = set(told(tmp_path, values))

    assert before != after
    assert {group.where for one in before ^ after for group in one.groups} == {frozenset()}
