"""Ten daily questions of an analyst are answered by the dashboard; each figure is recomputed from raw hits."""

from __future__ import annotations

import json
import random
import re
import shutil
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from datetime import date, timedelta
from html import unescape
from pathlib import Path
from urllib.parse import quote

import pytest
from features.statistics.test_sheets import sheet
from features.statistics.test_stats_page import DAY, SECOND, Office, cells, figures, office
from stats.traffic import PLAIN, with_bounces, with_entries

from cookieguard.features.statistics.engines.sqlite.engine import STATS_FILE
from cookieguard.features.statistics.engines.sqlite.writer import SqliteHits
from cookieguard.stats.hits import BUCKETS, Batch, Hit
from cookieguard.stats.k_anonymity import rounded

__all__ = ["office"]

EPOCH, TODAY = date(1970, 1, 1), SECOND // DAY
PAGES = {"/": 9, "/catalogue": 6, "/product/moon-plate": 5, "/product/heron-teapot": 3, "/checkout": 4}
SOURCES = {"search.example": 6, "(direct)": 5, "letter": 9}
COUNTRIES, DEVICES = {"DE": 9, "AT": 4}, {"desktop": 5, "mobile": 6}
GOALS = {
    "/product/moon-plate": "put into the cart",
    "/product/heron-teapot": "put into the cart",
    "/checkout": "order",
}


def one_of(chance: random.Random, weights: dict[str, int]) -> str:
    return chance.choices(list(weights), list(weights.values()))[0]


def visit(chance: random.Random, day: int) -> Iterator[Hit]:
    """Walk through the shop, two in three having agreed; the others answer the banner, or do not."""
    source, key = one_of(chance, SOURCES), chance.getrandbits(62) + 1 if chance.random() < 0.66 else 0
    plain = PLAIN._replace(
        country=one_of(chance, COUNTRIES),
        device=one_of(chance, DEVICES),
        consent="all" if key else "undecided",
        key=key,
    )
    time = day * DAY + 3600 * chance.randrange(8, 11)
    for step in range(min(5, 1 + int(chance.expovariate(0.7)))):
        page = one_of(chance, PAGES)
        view = plain._replace(time=time + 90 * step, page=page, duration=int(chance.lognormvariate(4.5, 1)))
        if not step:
            tag = (
                {"medium": "email", "campaign": chance.choice(("winter", "spring"))}
                if source == "letter"
                else {}
            )
            led = {"referrer": source} if source == "search.example" else {}
            view = view._replace(
                source=source, entry=int(not key), event="" if key else "shown", **tag, **led
            )
        yield view
        if not step and not key and (answer := chance.choice(("accepted", "refused", "partly", "", ""))):
            of_link = source if source == "letter" else ""
            yield view._replace(kind="choice", event=answer, source=of_link, referrer="", entry=0)
        if page in GOALS and chance.random() < 0.5:
            goal = view._replace(kind="goal", event=GOALS[page], source="", medium="", campaign="", entry=0)
            yield goal
            if page == "/checkout":
                yield goal._replace(event=f"order: {chance.choice(('20 to 50', '50 to 100'))}")
        if chance.random() < 0.03:
            yield view._replace(
                kind="error", status=chance.choice((404, 403, 500)), page=chance.choice(("/old", "/cart"))
            )


def drawn() -> list[Hit]:
    chance, hits = random.Random(35), []
    for ago in (*range(60), 150, 300):
        for _ in range(70 + 20 * (ago % 3) - (ago > 20) * 20):
            hits += visit(chance, TODAY - ago)
        for name, kind in (("Googlebot", "search"), ("GPTBot", "ai")):
            bot = PLAIN._replace(time=(TODAY - ago) * DAY + 3600 * 9, browser=name, bot=kind)
            hits += [bot._replace(page=one_of(chance, PAGES)) for _ in range(12)]
    return with_entries(hit for hit in hits if hit.time <= SECOND)


HITS = drawn()


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write the hits once: each test copies them."""
    path = tmp_path_factory.mktemp("ten") / STATS_FILE
    engine = SqliteHits(path)
    raw = [hit._replace(entry=0) if hit.key else hit for hit in HITS]
    raw = [hit._replace(source="", medium="", campaign="") if hit.kind == "goal" else hit for hit in raw]
    for day in sorted({hit.day for hit in raw}):
        engine.write(Batch(f"{day}", [hit for hit in raw if hit.day == day], {}, {}))
    while engine.count_closed_days(TODAY):
        pass
    engine.close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return path


@pytest.fixture
def shop(office: Office, file: Path) -> Office:
    shutil.copy(file, office.state / STATS_FILE)
    return office


def number(day: str) -> int:
    return (date.fromisoformat(day) - EPOCH).days


def between(hits: Sequence[Hit], first: int, last: int) -> list[Hit]:
    return [hit for hit in hits if first <= hit.day <= last]


def views_of(hits: Sequence[Hit]) -> list[Hit]:
    return [hit for hit in hits if hit.kind == "view" and not hit.bot]


def visitors(hits: Sequence[Hit]) -> int:
    return len({(hit.day, hit.key) for hit in hits if hit.key})


Count = Callable[[Sequence[Hit]], int]


def shown(hits: Sequence[Hit], first: int, last: int, count: Count = len) -> int:
    """Return what a range shows: of each month the sum up to its last day less that before its first, each rounded."""
    total = 0
    for month in sorted({(EPOCH + timedelta(days=day)).replace(day=1) for day in range(first, last + 1)}):
        begin, end = (month - EPOCH).days, ((month + timedelta(days=32)).replace(day=1) - EPOCH).days - 1
        upto, before = (between(hits, begin, day) for day in (min(end, last), max(begin, first) - 1))
        total += rounded(count(upto)) - rounded(count(before))
    assert abs(total - count(between(hits, first, last))) < 10 * (2 + (last - first) // 28)
    return total


def of(hits: Sequence[Hit], column: str) -> dict[str, list[Hit]]:
    found = defaultdict(list)
    for hit in hits:
        found[getattr(hit, column)].append(hit)
    return found


def test_1_visitors_and_visits_yesterday_say_which_people_they_cover(shop: Office) -> None:
    yesterday = views_of(between(HITS, TODAY - 1, TODAY - 1))

    text = shop.get("range=2026-11-23").text

    assert figures(text)["Visitors"] == f"{rounded(visitors(yesterday)):,}"
    assert figures(text)["Visits"] == f"{rounded(sum(hit.entry for hit in yesterday)):,}"
    covers = re.findall(r'<dt>(\w+)</dt><dd>.*?</dd><dd class="covers">([^<]+)</dd>', text, re.DOTALL)
    assert dict(covers) == {
        "Visitors": "Visitors who agreed to statistics",
        "Visits": "All visitors; without consent, each arrival from elsewhere is a visit",
        "Views": "All visitors, whatever they chose",
    }
    assert 'range=2026-11-23">Yesterday</a>' in shop.get().text  # one click


@pytest.mark.parametrize(("first", "last"), [("2026-11-03", "2026-11-19"), ("2026-10-26", "2026-11-12")])
def test_2_top_pages_of_any_days_have_a_change_row_by_row(shop: Office, first: str, last: str) -> None:
    begin, end = number(first), number(last)
    length, pages = end - begin + 1, of(views_of(HITS), "page")

    found = cells(shop.get(f"from={first}&to={last}").text, "Pages")

    assert list(found) == sorted(found, key=lambda page: -shown(pages[page], begin, end))
    assert len(found) == len(PAGES)
    for page, line in found.items():
        now, then = shown(pages[page], begin, end), shown(pages[page], begin - length, end - length)
        change = f"{round(100 * (now - then) / then):+d} %" if then >= 30 else "-"
        assert line == [f"{now:,}", f"{shown(pages[page], begin, end, visitors):,}", change]


def test_2_whole_days_stand_beside_whole_days_in_ranges_that_end_today(shop: Office) -> None:
    pages = of(views_of(HITS), "page")

    found = cells(shop.get("range=7").text, "Pages")

    for page, line in found.items():
        now, then = (shown(pages[page], TODAY - ago, TODAY - ago + 5) for ago in (6, 13))
        assert line[2] == f"{round(100 * (now - then) / then):+d} %"


def test_3_campaigns_have_orders_revenue_and_rate(shop: Office) -> None:
    month = between(HITS, TODAY - 89, TODAY)
    entries = [hit for hit in views_of(month) if hit.entry]
    worth = {"20 to 50": 31.6, "50 to 100": 70.7}

    found = cells(shop.get("range=90&tab=goals&goal=order").text, "Campaigns")

    assert found.keys() == {"winter", "spring"}
    for campaign, line in found.items():
        led = [hit for hit in entries if hit.campaign == campaign]
        orders = [
            hit for hit in month if hit.kind == "goal" and hit.event == "order" and hit.campaign == campaign
        ]
        steps = Counter(
            hit.event[7:] for hit in month if hit.campaign == campaign and hit.event.startswith("order: ")
        )
        assert line[:3] == [f"{rounded(count):,}" for count in (len(led), visitors(led), len(orders))]
        about = int(line[3].replace(",", ""))
        assert abs(about / sum(worth[step] * count for step, count in steps.items()) - 1) < 0.1
        assert line[4] == f"{100 * rounded(visitors(orders)) / rounded(visitors(led)):.0f} %"


@pytest.mark.parametrize("goal", ["order", "put into the cart"])
@pytest.mark.parametrize(
    ("part", "column"), [("source",) * 2, ("page",) * 2, ("country",) * 2, ("device",) * 2]
)
def test_4_each_goal_has_its_rate_by_source_page_country_and_device(
    shop: Office, goal: str, part: str, column: str
) -> None:
    month = between(HITS, TODAY - 29, TODAY)
    reached = of([hit for hit in month if hit.kind == "goal" and hit.event == goal], column)
    came = of([hit for hit in views_of(month) if hit.entry or part != "source"], column)
    names = {"Germany": "DE", "Austria": "AT"}

    found = cells(shop.get(f"tab=goals&goal={quote(goal)}").text, f"{goal} by {part}")

    rated = {value: line for value, line in found.items() if line[2] != "-"}
    assert len(rated) >= (1 if part == "page" else 2)
    for value, (times, people, rate) in rated.items():
        some, all_ = reached[names.get(value, value)], came[names.get(value, value)]
        assert (times, people) == (f"{rounded(len(some)):,}", f"{rounded(visitors(some)):,}")
        assert rate == f"{100 * rounded(visitors(some)) / rounded(visitors(all_)):.0f} %"


def test_5_pages_have_exit_rates_and_entry_pages_bounce_rates(shop: Office) -> None:
    agreed = of([hit for hit in views_of(between(HITS, TODAY - 29, TODAY)) if hit.key], "page")
    ends = of(with_bounces(between(HITS, TODAY - 29, TODAY)), "page")

    text = shop.get("tab=pages").text

    pages, entries = cells(text, "Pages"), cells(text, "Entry pages")
    assert len(pages) == len(entries) == len(PAGES)
    for page in PAGES:
        exits, bounces = len(ends[page]), sum(hit.entry for hit in ends[page])
        begun = sum(hit.entry for hit in agreed[page])
        assert pages[page][2] == f"{round(100 * rounded(exits) / rounded(len(agreed[page])))} %"
        assert entries[page][2] == f"{round(100 * rounded(bounces) / rounded(begun))} %"


@pytest.mark.parametrize("part", ["country", "device", "source"])
def test_6_answers_to_the_banner_are_known_by_country_device_and_source(shop: Office, part: str) -> None:
    month = [hit for hit in between(HITS, TODAY - 29, TODAY) if not hit.bot]
    names = {"Germany": "DE", "Austria": "AT"}

    found = cells(shop.get("tab=consent").text, f"Answers by {part}")

    assert len(found) == (1 if part == "source" else 2)
    for value, (banners, *shares) in found.items():
        some = [hit for hit in month if getattr(hit, part) == names.get(value, value)]
        asked = rounded(sum(hit.kind == "view" and hit.event == "shown" for hit in some))
        answered = Counter(hit.event for hit in some if hit.kind == "choice")
        counts = [rounded(answered[name]) for name in ("accepted", "partly", "refused")]
        assert banners == f"{asked:,}"
        assert shares == [f"{round(100 * count / asked)} %" for count in (*counts, asked - sum(counts))]


def test_7_slow_pages_have_percentiles_and_errors_are_apart(shop: Office) -> None:
    month = between(HITS, TODAY - 29, TODAY)
    times = {page: sorted(hit.duration for hit in hits) for page, hits in of(views_of(month), "page").items()}
    failed = Counter(hit.status for hit in month if hit.kind == "error")

    text = shop.get("tab=speed").text

    for page, (_, median, most, _) in cells(text, "Slow pages").items():
        for part, told in ((0.5, median), (0.95, most)):
            true = times[page][int(part * (len(times[page]) - 1))]
            within = max(one for one in BUCKETS if one <= true), min(one for one in BUCKETS if one > true)
            assert told in (f"{within[1]:,} ms", f"over {within[0]:,} ms")
    assert figures(text) == {
        name: f"{rounded(failed[status]):,}"
        for name, status in (
            ("Pages not found (404, 410)", 404),
            ("Other request errors (4xx)", 403),
            ("Shop errors (5xx)", 500),
        )
    }


def test_goals_and_errors_are_known_of_any_days(shop: Office) -> None:
    """By the same rule as pages: what a month, week or day within the range names, from month-to-date figures."""
    first, last = number("2026-10-26"), number("2026-11-17")
    orders = [hit for hit in HITS if hit.kind == "goal" and hit.event == "order"]
    came = of([hit for hit in views_of(HITS) if hit.entry], "source")

    goals = shop.get("tab=goals&goal=order&from=2026-10-26&to=2026-11-17").text
    errors = figures(shop.get("tab=speed&from=2026-10-26&to=2026-11-17").text)

    found = cells(goals, "order by source")
    assert found.keys() - {"(unknown)"} == SOURCES.keys()
    for source in SOURCES:
        reached = [hit for hit in orders if hit.source == source]
        times, people = shown(reached, first, last), shown(reached, first, last, visitors)
        everybody = shown(came[source], first, last, visitors)
        assert found[source] == [f"{times:,}", f"{people:,}", f"{100 * people / everybody:.0f} %"]
    for name, status in (
        ("Pages not found (404, 410)", 404),
        ("Other request errors (4xx)", 403),
        ("Shop errors (5xx)", 500),
    ):
        failed = [hit for hit in HITS if hit.kind == "error" and hit.status == status]
        assert errors[name] == f"{shown(failed, first, last)}"


def test_8_bots_have_a_share_names_and_what_they_ask_for(shop: Office) -> None:
    month = between(HITS, TODAY - 29, TODAY)
    bots = [hit for hit in month if hit.bot]
    others = sum(hit.kind in ("view", "error") for hit in month if not hit.bot)

    text = shop.get("tab=bots").text

    share = round(100 * rounded(len(bots)) / (rounded(len(bots)) + rounded(others)))
    of_all = {"Of views, errors and hits of bots": f"{share} %"}
    assert figures(text) == {"Hits of bots": f"{rounded(len(bots)):,}", **of_all}
    asked = {page: line[0] for page, line in cells(text, "What bots ask for").items()}
    assert asked == {page: f"{rounded(len(hits)):,}" for page, hits in of(bots, "page").items()}
    assert re.findall(r"<bdi title=\"(\w+bot)\"|<bdi title=\"(GPTBot)\"", text, re.IGNORECASE)


def test_9_one_product_is_known_over_a_year(shop: Office) -> None:
    page = "/product/moon-plate"
    hits = [hit for hit in views_of(between(HITS, TODAY - 363, TODAY)) if hit.page == page]

    assert (
        f"range=30&amp;page={quote(page, safe='')}" in shop.get().text
    )  # a click on its row, and one on 12 months
    text = shop.get(f"range=12m&page={quote(page)}").text

    assert figures(text)["Views"] == f"{rounded(len(hits)):,}"
    assert figures(text)["Visitor-days"] == f"{rounded(visitors(hits)):,}"
    assert f"page: <bdi>{page}</bdi>" in text
    assert 'href="?tab=summary&amp;range=12m"' in text  # takes the filter away


def test_9_a_link_in_each_row_of_pages_leads_to_its_year(shop: Office) -> None:
    """From the Overview, Visits leads to the rows: the year is the second click."""
    text = shop.get("").text

    links = dict(
        re.findall(r'<a class="year" href="([^"]+)" aria-label="1 y: one year of ([^"]+)" title', text)
    )
    found = {page: unescape(link) for link, page in links.items()}

    assert found.keys() == PAGES.keys()
    year = shop.get(found["/product/moon-plate"].removeprefix("?")).text
    assert "12 months: " in year
    assert "page: <bdi>/product/moon-plate</bdi>" in year
    assert 'class="year"' not in shop.get("range=12m").text


def test_10_a_figure_is_the_same_in_csv_json_and_sql(shop: Office) -> None:
    text = shop.get("range=2026-11-23").text
    table = {page: line for page, line in cells(text, "Pages").items() if page != "(other)"}

    csv = {one["Pages"]: one["Views"] for one in sheet(shop, "range=2026-11-23&table=Pages")}
    found = json.loads(shop.get("range=2026-11-23&table=Pages&form=json").body)
    (statement,) = re.findall(r"<pre[^>]*>(SELECT[^<]*dimension = &#39;page&#39;[^<]*)</pre>", text)
    with sqlite3.connect(shop.state / STATS_FILE) as connection:
        rows = connection.execute(unescape(statement)).fetchall()

    shown_ = {page: int(line[0].replace(",", "")) for page, line in table.items()}
    assert {page: int(count) for page, count in csv.items() if page in table} == shown_
    assert {one["Pages"]: one["Views"] for one in found if one["Pages"] in table} == shown_
    assert {page: views for page, views, *_ in rows if page in table} == shown_
    assert found[0]["First day"] == "2026-11-23"
