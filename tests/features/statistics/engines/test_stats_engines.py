"""In every engine, statistics equal a plain recount, for any writers and any order of hits."""

from __future__ import annotations

import random
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from harness.quick import some_of
from harness.stats_engines import MAKERS
from stats.traffic import DAY, HELD, MIDNIGHT, PLAIN, draw_hits, people, recount, with_bounces, with_entries

from cookieguard.config import StatsSettings
from cookieguard.features.statistics.engines.open import open_engine
from cookieguard.features.statistics.engines.protocol import (
    Days,
    EngineDown,
    HeldCount,
    HitEngine,
    HitReader,
    HitWriter,
)
from cookieguard.stats.hits import OTHER, PARTLY_COUNTED, Batch, Dimension, Hit
from cookieguard.stats.rollups import MAX_BOTS, MAX_HELD, MAX_VALUES

BOTH = Days(DAY, DAY + 1)
CONSTANT = (Dimension.COUNTRY, Dimension.DEVICE, Dimension.BROWSER)
ODD = "a\tb\\c\nd\re'f\"g{h},i%s \u00e4\u20ac\U0001f600 \\N"


# ClickHouse is 300 MB to download, and takes half a second for each test: in `make test-all` alone.
@pytest.fixture(scope="module", params=some_of(MAKERS, "sqlite", "postgres"))
def named(request: pytest.FixtureRequest) -> Iterator[Callable[[Path], str]]:
    """Give what names an empty engine of one kind."""
    with MAKERS[request.param]() as make:
        yield make


@pytest.fixture
def url(named: Callable[[Path], str], tmp_path: Path) -> str:
    return named(tmp_path)


@pytest.fixture
def engine(url: str, tmp_path: Path) -> HitEngine:
    return engine_at(url, tmp_path)


@pytest.fixture
def writer(engine: HitEngine) -> Iterator[HitWriter]:
    writer = engine.writer()
    yield writer
    writer.close()


@pytest.fixture
def figures(engine: HitEngine, writer: HitWriter) -> Iterator[HitReader]:
    """Read what `writer` wrote."""
    assert writer is not None
    reader = engine.reader()
    yield reader
    reader.close()


def engine_at(url: str, state_dir: Path) -> HitEngine:
    return open_engine(StatsSettings(url=url), state_dir, environ={})


def batches(hits: Sequence[Hit], size: int = 100, prefix: str = "b") -> Iterator[Batch]:
    for start in range(0, len(hits), size):
        yield Batch(f"{prefix}{start}", hits[start : start + size], {}, {})


def write_all(writer: HitWriter, hits: Sequence[Hit], size: int = 100) -> None:
    for batch in batches(hits, size):
        writer.write(batch)


def slices(figures: HitReader, by: Dimension) -> list[tuple[str, int, int, int]]:
    return [tuple(one) for one in figures.breakdown(BOTH, by)]


@pytest.mark.parametrize("size", [20, 5000])
def test_totals_are_what_a_plain_recount_gives(writer: HitWriter, figures: HitReader, size: int) -> None:
    hits = draw_hits(2000, seed=1)

    write_all(writer, hits, size)

    known = with_entries(hits)
    for step, totals in ((3600, figures.by_hour(BOTH)), (86_400, figures.by_day(BOTH))):
        for one in totals:
            then = [hit for hit in known if hit.time // step == one.at]
            views = people(then)
            assert one.views == len(views) > 0
            assert one.visits == sum(hit.entry for hit in views)
            assert one.arrivals == sum(hit.entry for hit in views if not hit.key)
            assert one.errors == len(people(then, "error"))
            assert one.bots == sum(bool(hit.bot) for hit in then)
            assert (one.bytes, one.duration) == (sum(h.bytes for h in views), sum(h.duration for h in views))
            if step == 86_400:
                assert one.visitors == len({hit.key for hit in views if hit.key}) > 0
    assert figures.span() == BOTH


@pytest.mark.parametrize("size", [20, 5000])
def test_slices_are_what_a_plain_recount_gives(writer: HitWriter, figures: HitReader, size: int) -> None:
    hits = with_consents(draw_hits(2000, seed=2))

    write_all(writer, hits, size)

    views = people(with_entries(hits))
    entries = [hit for hit in views if hit.entry]
    for dimension in (Dimension.PAGE, *CONSTANT):
        assert slices(figures, dimension) == recount(views, dimension.value)
    for dimension, column in ((Dimension.ENTRY, "page"), (Dimension.SOURCE, "source")):
        assert slices(figures, dimension) == recount(entries, column)
    assert slices(figures, Dimension.MEDIUM) == recount([hit for hit in entries if hit.medium], "medium")
    assert slices(figures, Dimension.GOAL) == recount(people(hits, "goal"), "event")
    agreed = list(filter(is_agreed, views))
    assert 0 < len(agreed) < len(views)
    assert slices(figures, Dimension.AGREED_PAGE) == recount(agreed, "page")


def test_dimensions_counted_for_some_hits_equal_a_plain_recount(
    writer: HitWriter, figures: HitReader
) -> None:
    hits = at_times_of_their_own(draw_hits(2000, seed=4))
    hits = [
        hit._replace(status=(404, 410, 403, 500)[hit.time % 4]) if hit.kind == "error" else hit
        for hit in hits
    ]

    write_all(writer, hits)

    views = people(hits)
    happened = [
        hit
        for hit in hits
        if not hit.bot and (hit.kind in ("goal", "choice") or (hit.kind == "view" and hit.event == "shown"))
    ]
    found = {
        Dimension.SPEED: with_names(views, "bucket", "page"),
        Dimension.SEARCH: with_names([hit for hit in views if hit.search], "search"),
        Dimension.ERROR: with_names(people(hits, "error"), "failed"),
        Dimension.PLACE: with_names(happened, "happened", "country", "device"),
        Dimension.GOAL_PAGE: with_names(people(hits, "goal"), "event", "page"),
        Dimension.BOT_PAGE: with_names(
            [hit for hit in hits if hit.bot and hit.kind != "choice"], "browser", "page"
        ),
    }
    for by, some in found.items():
        assert slices(figures, by) == recount([hit._replace(entry=0) for hit in some], "page"), by
        assert len(some) > 20
    assert (
        len({hit.page.split()[0] for hit in found[Dimension.ERROR]}) > 3
    )  # missing pages, and statuses of others
    before = {by: slices(figures, by) for by in found}
    writer.forget(keys_before=DAY + 1, hits_before=0, rollups_before=0)
    assert {by: slices(figures, by) for by in found} == before
    writer.forget(keys_before=DAY + 2, hits_before=0, rollups_before=0)
    writer.forget(keys_before=DAY + 2, hits_before=0, rollups_before=0)
    assert {by: slices(figures, by) for by in found} == before
    assert not {hit.search for day in BOTH for hit in figures.hits(day)} - {""}  # type: ignore[attr-defined]


def test_a_visit_that_ends_where_it_began_is_a_bounce(writer: HitWriter, figures: HitReader) -> None:
    hits = at_times_of_their_own(draw_hits(2000, seed=6))

    write_all(writer, hits)

    of_visits = with_bounces(hits)
    assert 0 < sum(hit.entry for hit in of_visits) < len(of_visits)
    for ends in range(DAY, DAY + 3):  # before and after the keys go
        assert slices(figures, Dimension.EXIT) == recount(of_visits, "page")
        writer.forget(keys_before=ends, hits_before=0, rollups_before=0)


def with_names(hits: Sequence[Hit], *columns: str) -> list[Hit]:
    """Return hits whose page is what these columns and properties say."""
    return [hit._replace(page=" < ".join(getattr(hit, one) for one in columns)) for hit in hits]


def at_times_of_their_own(hits: Sequence[Hit]) -> list[Hit]:
    """Move hits apart: of two views within a second either may be the last."""
    return [hit._replace(time=MIDNIGHT + at * 86) for at, hit in enumerate(hits[:1999])]


def test_searches_of_few_people_are_deleted_with_the_single_hits(
    writer: HitWriter, figures: HitReader
) -> None:
    one = PLAIN._replace(time=MIDNIGHT + 60)
    hits = [
        *(one._replace(search="mug", key=key) for key in range(1, 6)),
        *(one._replace(search="ada lovelace", key=key) for key in range(1, 5)),
        *[one._replace(search="hat")] * 50,
        *[one._replace(search="cup")] * 49,
    ]
    write_all(writer, hits)
    terms = ("hat", "cup", "mug", "ada lovelace")

    def kept() -> list[str]:
        return [one for one in terms if figures.by_day_of(BOTH, Dimension.SEARCH, one)]

    before = kept()
    writer.forget(keys_before=DAY + 1, hits_before=DAY + 1, rollups_before=0)

    assert before == list(terms)
    assert kept() == ["hat", "mug"]


def test_text_that_fewer_than_five_people_wrote_on_each_day_is_not_of_a_crowd(
    writer: HitWriter, figures: HitReader
) -> None:
    """Visitors of several days may be one person, who writes his name on each."""
    one, other = PLAIN._replace(time=MIDNIGHT + 60), PLAIN._replace(time=MIDNIGHT + 86_460)
    hits = [
        *(one._replace(search="ada lovelace", key=key) for key in range(1, 5)),
        *(other._replace(search="ada lovelace", key=key) for key in range(1, 5)),
        *(hit._replace(search="lamp") for hit in (*[one] * 49, *[other] * 49)),
        *(one._replace(search="mug", key=key) for key in range(1, 6)),
        other._replace(search="mug", key=9),
    ]
    missing = [hit._replace(kind="error", status=404, page=f"/{hit.search}", search="") for hit in hits]

    write_all(writer, [*hits, *missing])

    for by, name in ((Dimension.SEARCH, "mug"), (Dimension.ERROR, "/mug")):
        assert len(slices(figures, by)) == 3
        assert figures.of_a_crowd(BOTH, by) == {name}
        writer.forget(keys_before=DAY + 2, hits_before=0, rollups_before=0)
        assert figures.of_a_crowd(BOTH, by) == {name}


def with_consents(hits: Sequence[Hit]) -> list[Hit]:
    consents = ("all", "partly", "refused", "undecided", PARTLY_COUNTED)
    campaigns = ("", "spring", "winter")
    return [
        hit._replace(consent=consents[at % 5], campaign=campaigns[at % 3] if hit.source else "")
        for at, hit in enumerate(hits)
    ]


def is_agreed(hit: Hit) -> bool:
    return hit.consent in ("all", PARTLY_COUNTED) or (hit.consent == "partly" and bool(hit.key))


def test_views_of_who_agreed_are_counted_under_a_filter(writer: HitWriter, figures: HitReader) -> None:
    hits = with_consents(draw_hits(2000, seed=3))

    write_all(writer, hits)

    agreed = [hit for hit in people(with_entries(hits)) if is_agreed(hit)]
    of_campaign = [hit for hit in agreed if hit.entry and hit.campaign == "spring"]
    assert of_campaign
    for where, by, column, expected in (
        ({Dimension.CAMPAIGN: "spring"}, Dimension.AGREED_PAGE, "page", of_campaign),
        (
            {Dimension.COUNTRY: "DE"},
            Dimension.AGREED_PAGE,
            "page",
            [hit for hit in agreed if hit.country == "DE"],
        ),
    ):
        found = [tuple(one) for one in figures.breakdown(BOTH, by, where)]
        assert found == recount(expected, column)


def test_figures_asked_for_all_along_are_the_same_in_the_end(writer: HitWriter, figures: HitReader) -> None:
    hits, source = draw_hits(1500, seed=11), random.Random(1)

    for batch in batches(hits, 30):
        writer.write(batch)
        if source.random() < 0.4:
            written = hits[: int(batch.id[1:]) + 30]
            assert sum(one.views for one in figures.by_hour(BOTH)) == len(people(written))

    known = with_entries(hits)
    views = people(known)
    entries = [hit for hit in views if hit.entry]
    assert sum(one.visits for one in figures.by_day(BOTH)) == len(entries)
    assert sum(one.visitors for one in figures.by_day(BOTH)) == len({hit.key for hit in views if hit.key})
    for dimension in (Dimension.PAGE, *CONSTANT):
        assert slices(figures, dimension) == recount(views, dimension.value)
    for dimension, column in ((Dimension.ENTRY, "page"), (Dimension.SOURCE, "source")):
        assert slices(figures, dimension) == recount(entries, column)
    assert slices(figures, Dimension.GOAL) == recount(people(hits, "goal"), "event")
    home = sum(hit.held == HELD and hit.page == "/" for hit in views)
    first = min(hit.day for hit in views if hit.held == HELD and hit.page == "/")
    assert HeldCount("ads.example", "/", "Ads", "marketing", home, 2 * home, first) in figures.held(BOTH)
    assert sum(one.hits for one in figures.bots(BOTH)) == sum(bool(hit.bot) for hit in hits)


def test_filtered_figures_are_what_a_plain_recount_gives(writer: HitWriter, figures: HitReader) -> None:
    hits = draw_hits(3000, seed=3)

    write_all(writer, hits)

    kept = [hit for hit in with_entries(hits) if hit.country == "FR" and hit.device == "desktop"]
    views = people(kept)
    where = {Dimension.COUNTRY: "FR", Dimension.DEVICE: "desktop"}
    assert [tuple(one) for one in figures.breakdown(BOTH, Dimension.PAGE, where)] == recount(views, "page")
    entries = [hit for hit in views if hit.entry]
    assert [tuple(one) for one in figures.breakdown(BOTH, Dimension.ENTRY, where)] == recount(entries, "page")
    for step, totals in ((3600, figures.by_hour(BOTH, where)), (86_400, figures.by_day(BOTH, where))):
        assert sum(one.views for one in totals) == len(views) > 0
        for one in totals:
            then = [hit for hit in kept if hit.time // step == one.at]
            now = people(then)
            visitors = len({hit.key for hit in now if hit.key}) if step == 86_400 else 0
            assert one == (
                one.at,
                len(now),
                sum(hit.entry for hit in now),
                sum(hit.entry for hit in now if not hit.key),
                visitors,
                len(people(then, "error")),
                sum(bool(hit.bot) for hit in then),
                sum(hit.bytes for hit in now),
                sum(hit.duration for hit in now),
            )


def test_single_hits_of_a_day_come_back_in_order(writer: HitWriter, figures: HitReader) -> None:
    hits = draw_hits(1000, seed=8)

    write_all(writer, hits)

    found = list(figures.hits(DAY))
    assert [hit.time for hit in found] == sorted(hit.time for hit in found)
    assert sorted(found) == [hit for hit in with_entries(hits) if hit.day == DAY]


def test_consent_held_and_bots_are_what_a_plain_recount_gives(writer: HitWriter, figures: HitReader) -> None:
    hits = draw_hits(3000, seed=4)

    write_all(writer, hits)

    views = people(hits)
    events = Counter((h.day, h.event) for h in (*views, *people(hits, "choice")) if h.event)
    events.update((hit.day, "gpc") for hit in views if hit.gpc)
    assert {(one.day, one.event): one.times for one in figures.consent(BOTH)} == events
    home = sum(hit.held == HELD and hit.page == "/" for hit in views)
    first = min(hit.day for hit in views if hit.held == HELD and hit.page == "/")
    held = figures.held(BOTH)
    assert HeldCount("ads.example", "/", "Ads", "marketing", home, 2 * home, first) in held
    assert [one.host for one in held] == ["spy.example"] * 3 + ["ads.example"] * 3  # undeclared first
    assert sum(one.hits for one in figures.bots(BOTH)) == sum(bool(hit.bot) for hit in hits)


def test_a_batch_is_written_once(writer: HitWriter, figures: HitReader) -> None:
    batch = Batch("one", [PLAIN, PLAIN], {}, {"queue full": 3})

    writer.write(batch)
    writer.write(batch)
    writer.write(batch._replace(id="two"))

    assert [one.views for one in figures.by_day(BOTH)] == [4]
    assert figures.lost(BOTH) == {"queue full": 6}


def test_what_only_says_what_was_lost_is_written(writer: HitWriter, figures: HitReader) -> None:
    writer.write(Batch("one", [], {}, {"queue full": 3}))

    assert figures.lost(Days(0, DAY)) == {"queue full": 3}


def test_no_day_is_said_to_have_its_visitors_for_good(writer: HitWriter, figures: HitReader) -> None:
    writer.write(Batch("a", [PLAIN._replace(key=1)], {}, {}))

    assert list(figures.keyed_days(BOTH)) == []


def test_a_visit_goes_on_across_midnight(writer: HitWriter, figures: HitReader) -> None:
    late = PLAIN._replace(time=MIDNIGHT + 86_400 - 300, key=11)
    early = PLAIN._replace(time=MIDNIGHT + 86_400 + 300, key=22)

    writer.write(Batch("a", [late], {}, {}))
    assert [(one.visits, one.visitors) for one in figures.by_day(BOTH)] == [(1, 1)]
    writer.write(Batch("b", [early], {22: 11}, {}))
    writer.write(Batch("c", [early._replace(key=33)], {33: 44}, {}))  # somebody who was not there before

    assert [(one.visits, one.visitors) for one in figures.by_day(BOTH)] == [(1, 1), (1, 2)]


def test_a_visit_that_began_without_a_key_goes_on_with_one(writer: HitWriter, figures: HitReader) -> None:
    arrival = PLAIN._replace(key=0, entry=1, source="search.example", time=MIDNIGHT + 60)
    inside = PLAIN._replace(source="", time=MIDNIGHT + 120, key=5)
    keyed = [arrival, inside, inside._replace(time=MIDNIGHT + 180), inside._replace(time=MIDNIGHT + 9000)]

    writer.write(Batch("a", keyed[:2], {5: 5}, {}))
    writer.write(Batch("b", keyed[2:3], {5: 5}, {}))
    assert [(one.visits, one.visitors) for one in figures.by_day(BOTH)] == [(1, 1)]
    writer.write(Batch("c", keyed[3:], {}, {}))  # hours later
    writer.write(Batch("d", [inside._replace(key=6, time=MIDNIGHT + 200)], {}, {}))  # agreed long ago

    assert [(one.views, one.visits, one.visitors) for one in figures.by_day(BOTH)] == [(5, 3, 2)]
    mobile = {Dimension.DEVICE: PLAIN.device}
    assert [(one.views, one.visits, one.visitors) for one in figures.by_day(BOTH, mobile)] == [(5, 3, 2)]


def test_visitor_who_agrees_again_keeps_the_visit_under_way(writer: HitWriter, figures: HitReader) -> None:
    first = PLAIN._replace(time=MIDNIGHT + 60, key=5)
    writer.write(Batch("a", [first], {}, {}))

    writer.write(Batch("b", [first._replace(time=MIDNIGHT + 600, source="")], {5: 5}, {}))

    mobile = {Dimension.DEVICE: PLAIN.device}
    for where in (None, mobile):
        assert [one.visits for one in figures.by_day(BOTH, where or {})] == [1]


def test_hits_that_come_late_do_not_begin_a_visit_again(writer: HitWriter, figures: HitReader) -> None:
    hits = [PLAIN._replace(time=MIDNIGHT + minute * 60, key=5) for minute in (0, 10, 20, 90)]
    writer.write(Batch("a", [hits[0], hits[2], hits[3]], {}, {}))

    writer.write(Batch("b", [hits[1]], {}, {}))

    assert [one.visits for one in figures.by_day(BOTH)] == [2]


def test_a_goal_before_any_view_hides_no_visitor(writer: HitWriter, figures: HitReader) -> None:
    goal = PLAIN._replace(kind="goal", event="order", key=5)

    for name in "ab":
        writer.write(Batch(name, [goal], {}, {}))
    writer.write(Batch("c", [PLAIN._replace(key=5)], {}, {}))

    assert [(one.visits, one.visitors) for one in figures.by_day(BOTH)] == [(1, 1)]
    assert slices(figures, Dimension.GOAL) == [("order", 2, 0, 1)]


def reached(key: int, at: int, **fields: str) -> Hit:
    return PLAIN._replace(kind="goal", event="order", key=key, time=PLAIN.time + at, **fields)


def came(key: int, at: int, source: str = "", campaign: str = "") -> Hit:
    return PLAIN._replace(key=key, time=PLAIN.time + at, source=source, campaign=campaign, medium=campaign)


def test_a_goal_has_the_source_of_the_visitors_first_view_that_day(
    writer: HitWriter, figures: HitReader
) -> None:
    tomorrow = 86_400
    writer.write(Batch("a", [came(1, 0, "letter", "winter"), came(1, 9, "pay.example"), came(2, 0)], {}, {}))
    assert figures.span()  # PostgreSQL adds to its sums
    writer.write(
        Batch(
            "b",
            [
                # The second came from nowhere, one has no key
                *(reached(1, 20), reached(2, 20), reached(0, 20)),
                *(came(3, 30, "search.example"), reached(3, 31), came(1, 40, "search.example")),
                *(reached(1, tomorrow), reached(4, 50)._replace(bot="search", key=0)),
            ],
            {},
            {},
        )
    )
    writer.write(Batch("c", [came(3, 29, "(direct)"), reached(3, 60), reached(1, 61)], {}, {}))

    assert slices(figures, Dimension.GOAL) == [("order", 7, 0, 4)]
    expected = [("order < ", 3, 0, 2), ("order < letter", 2, 0, 1)]
    assert slices(figures, Dimension.GOAL_SOURCE) == [
        *expected,
        ("order < (direct)", 1, 0, 1),
        ("order < search.example", 1, 0, 1),
    ]
    assert slices(figures, Dimension.GOAL_CAMPAIGN) == [("order < winter", 2, 0, 1)]
    of_letter = {Dimension.SOURCE: "letter"}
    assert [tuple(one) for one in figures.breakdown(BOTH, Dimension.GOAL, of_letter)] == [("order", 2, 0, 1)]
    assert [(one.views, one.visits) for one in figures.by_day(BOTH, of_letter)] == [(1, 1), (0, 0)][:1]


def test_a_goal_keeps_its_source_when_the_keys_go(writer: HitWriter, figures: HitReader) -> None:
    writer.write(Batch("a", [came(1, 0, "letter"), reached(1, 20)], {}, {}))
    writer.forget(keys_before=DAY + 2, hits_before=0, rollups_before=0)

    assert slices(figures, Dimension.GOAL_SOURCE) == [("order < letter", 1, 0, 1)]
    of_letter = {Dimension.SOURCE: "letter"}
    assert [(one.value, one.views) for one in figures.breakdown(BOTH, Dimension.GOAL, of_letter)] == [
        ("order", 1)
    ]


def test_values_beyond_the_limit_of_a_day_are_folded(writer: HitWriter, figures: HitReader) -> None:
    hits = [PLAIN._replace(page=f"/{number}", key=number + 1) for number in range(MAX_VALUES + 500)]

    write_all(writer, hits, 400)

    found = {one.value: one for one in figures.breakdown(BOTH, Dimension.PAGE)}
    assert len(found) == MAX_VALUES + 1
    assert (found[OTHER].views, found[OTHER].visitors) == (500, 500)
    assert sum(one.views for one in found.values()) == len(hits)


@pytest.mark.parametrize("times", [1, 4])
def test_after_a_flood_of_made_up_values_those_that_come_often_are_shown(
    writer: HitWriter, figures: HitReader, times: int
) -> None:
    def came(name: str) -> Hit:
        return PLAIN._replace(page=f"/{name}", source=name, campaign=name, search=name, entry=1, key=0)

    made_up = [came(f"made-up-{number}") for number in range(3300)] * times
    real = [came(f"real-{number}") for number in range(30) for _ in range(40 + number)]
    random.Random(7).shuffle(real)

    for batch in (*batches(made_up, 550, prefix="made-up-"), *batches(real, 100, prefix="real-")):
        writer.write(batch)
        figures.by_day(BOTH)  # PostgreSQL sums up where somebody reads

    for by in (Dimension.PAGE, Dimension.SOURCE, Dimension.CAMPAIGN, Dimension.SEARCH):
        found = {one.value: one.views for one in figures.breakdown(BOTH, by)}
        start = "/" if by is Dimension.PAGE else ""
        shown = [found.get(f"{start}real-{number}", 0) for number in range(30)]
        assert sum(found.values()) == len(made_up) + len(real)
        assert len(found) == MAX_VALUES + 1
        assert min(shown) > 20
        assert sum(shown) > 0.9 * len(real)


def test_held_pages_and_bots_beyond_their_limits_are_folded(writer: HitWriter, figures: HitReader) -> None:
    held = [PLAIN._replace(page=f"/{number}", held=HELD) for number in range(MAX_HELD // 2 + 50)]
    bots = [PLAIN._replace(bot="tool", browser=f"bot {number}") for number in range(MAX_BOTS + 50)]

    write_all(writer, held + bots, 1000)

    assert len({(one.host, one.page) for one in figures.held(BOTH)}) == MAX_HELD + 1
    assert sum(one.views for one in figures.held(BOTH)) == 2 * len(held)
    assert len(figures.bots(BOTH)) == MAX_BOTS + 1
    assert figures.bots(BOTH)[0] == ("tool", OTHER, 50)


@pytest.mark.parametrize("value", [ODD, "'; DROP TABLE hit; --", " ", "(null)", "NULL"])
def test_odd_text_is_kept_as_it_is(writer: HitWriter, figures: HitReader, value: str) -> None:
    where = {Dimension.CAMPAIGN: value}
    writer.write(Batch("a", [PLAIN._replace(page=value, source="x", campaign=value, entry=1)] * 2, {}, {}))

    assert slices(figures, Dimension.PAGE) == [(value, 2, 2, 0)]
    assert [tuple(one) for one in figures.breakdown(BOTH, Dimension.PAGE, where)] == [(value, 2, 2, 0)]


def test_filter_by_an_unknown_value_matches_no_hit(writer: HitWriter, figures: HitReader) -> None:
    writer.write(Batch("a", [PLAIN], {}, {}))

    assert figures.breakdown(BOTH, Dimension.PAGE, {Dimension.COUNTRY: "\0"}) == []


def test_deleted_hits_are_in_no_figure(engine: HitEngine, writer: HitWriter, figures: HitReader) -> None:
    first, second = (PLAIN._replace(time=MIDNIGHT + day * 86_400 + 9, key=7 + day) for day in (0, 1))
    where = {Dimension.COUNTRY: "DE"}
    writer.write(Batch("a", [first, second], {}, {}))

    def found() -> list[tuple[int, int, int]]:
        return [(one.at, one.views, one.visitors) for one in figures.by_day(BOTH, where)]

    assert found() == [(DAY, 1, 1), (DAY + 1, 1, 1)]
    assert engine.retained() is not None
    assert engine.retained().oldest_key == DAY
    writer.forget(keys_before=DAY + 1, hits_before=0, rollups_before=0)
    assert found() == [(DAY, 1, 0), (DAY + 1, 1, 1)]
    assert engine.retained()[:4] == (first.time, second.time, DAY, DAY + 1)
    writer.forget(keys_before=DAY + 1, hits_before=DAY + 1, rollups_before=DAY)
    assert found() == [(DAY + 1, 1, 1)]
    assert [one.at for one in figures.by_day(BOTH)] == [DAY, DAY + 1]
    writer.forget(keys_before=DAY + 2, hits_before=DAY + 2, rollups_before=DAY + 2)
    assert figures.span() is None
    assert engine.retained() == (None, None, None, None, 0, {})
    writer.write(Batch("b", [second], {}, {}))  # and it goes on
    assert found() == [(DAY + 1, 1, 1)]


def test_engine_has_no_data_before_the_first_hit(engine: HitEngine) -> None:
    assert engine.retained() is None
    assert engine.existing() is None
    with pytest.raises(EngineDown):
        engine.reader()


WRITER = """
import sys
from pathlib import Path
sys.path[:0] = sys.argv[4:]
from features.statistics.engines.test_stats_engines import EngineDown, batches, draw_hits, engine_at
hits = draw_hits(1600, seed=int(sys.argv[2]))[int(sys.argv[3])::4]
engine, writer = engine_at(sys.argv[1], Path.cwd()), None
for batch in batches(hits, 25, prefix=sys.argv[3] + "-"):
    for _ in range(2):  # each of them twice
        while True:
            try:
                writer = writer or engine.writer()
                writer.write(batch)
                break
            except EngineDown as error:
                print(error, flush=True)
                writer = None
"""


# Of an engine that several processes write to: chdb belongs to one, test_clickhouse.py writes from several threads.
@pytest.mark.parametrize("named", some_of(["sqlite", "postgres"], "sqlite"), indirect=True, scope="module")
def test_four_processes_begin_and_write_at_once_and_lose_nothing(
    engine: HitEngine, url: str, tmp_path: Path
) -> None:
    tests = str(Path(__file__).parents[3])
    commands = [[sys.executable, "-c", WRITER, url, "9", str(part), tests] for part in range(4)]

    for process in [subprocess.Popen(command, cwd=tmp_path) for command in commands]:
        assert process.wait(240) == 0

    hits = draw_hits(1600, seed=9)
    views = people(hits)
    figures = engine.reader()
    assert sum(one.views for one in figures.by_day(BOTH)) == len(views)
    assert sum(one.visitors for one in figures.by_day(BOTH)) == len({(h.day, h.key) for h in views if h.key})
    pages = [(value, seen, visitors) for value, seen, _, visitors in recount(views, "page")]
    assert [(o.value, o.views, o.visitors) for o in figures.breakdown(BOTH, Dimension.PAGE)] == pages
    assert sum(one.hits for one in figures.bots(BOTH)) == sum(bool(hit.bot) for hit in hits)
    figures.close()


FOLDER = """
import sys
from pathlib import Path
sys.path[:0] = sys.argv[3:]
from features.statistics.engines.test_stats_engines import PLAIN, EngineDown, batches, engine_at
mine = int(sys.argv[2])
hits = [PLAIN._replace(page=f"/{mine}/{number}", key=number + 1) for number in range(400)]
def until_it_is_there(do):  # as the sink does: another process may have had a turn too many
    for _ in range(20):
        try:
            return do()
        except EngineDown as error:
            last = error
    raise last
writer = until_it_is_there(engine_at(sys.argv[1], Path.cwd()).writer)
for batch in batches(hits, 40, prefix=sys.argv[2] + "-"):
    until_it_is_there(lambda: writer.write(batch))
"""


@pytest.mark.parametrize("named", some_of(["sqlite", "postgres"], "postgres"), indirect=True, scope="module")
def test_four_processes_fold_at_once_at_the_limit(
    engine: HitEngine, writer: HitWriter, figures: HitReader, url: str, tmp_path: Path
) -> None:
    writer.write(Batch("first", [PLAIN], {}, {}))
    tests = str(Path(__file__).parents[3])
    commands = [[sys.executable, "-c", FOLDER, url, str(part), tests] for part in range(4)]

    for process in [subprocess.Popen(command, cwd=tmp_path) for command in commands]:
        assert process.wait(240) == 0

    found = {one.value: one.views for one in figures.breakdown(BOTH, Dimension.PAGE)}
    assert len(found) == MAX_VALUES + 1
    assert found[OTHER] == 1601 - MAX_VALUES
    assert sum(found.values()) == 1601


def test_random_order_gives_the_same_views_and_visitors(writer: HitWriter, figures: HitReader) -> None:
    hits = draw_hits(1000, seed=6)

    write_all(writer, random.Random(1).sample(hits, len(hits)))

    assert [(o.value, o.views, o.visitors) for o in figures.breakdown(BOTH, Dimension.PAGE)] == [
        (value, views, visitors) for value, views, _, visitors in recount(people(hits), "page")
    ]


def test_one_value_by_day_is_what_a_plain_recount_gives(writer: HitWriter, figures: HitReader) -> None:
    """Its visitors stay when their keys have gone: whoever filters by one value is told of all of them."""
    hits = draw_hits(2000, seed=12)

    write_all(writer, hits)
    views = people(with_entries(hits))
    entries = [hit for hit in views if hit.entry]

    def check() -> None:
        for by, column, counted in (
            (Dimension.COUNTRY, "country", views),
            (Dimension.PAGE, "page", views),
            (Dimension.SOURCE, "source", entries),
        ):
            for value in sorted({getattr(hit, column) for hit in counted})[:2]:
                found = figures.by_day_of(BOTH, by, value)
                expected = [
                    (day, *counts)
                    for day in (DAY, DAY + 1)
                    for name, *counts in recount([hit for hit in counted if hit.day == day], column)
                    if name == value
                ]
                assert [(one.at, one.views, one.visits, one.visitors) for one in found] == expected

    check()
    writer.forget(keys_before=DAY + 2, hits_before=0, rollups_before=0)
    check()
