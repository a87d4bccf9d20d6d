"""The consent gap on the dashboard: views that happened beside those a tool that waits for consent would have."""

from __future__ import annotations

import re
from contextlib import closing
from itertools import pairwise

import pytest
from stats.traffic import PLAIN
from web.test_stats_page import DAY, SECOND, Office, office, people

from cookieguard.features.statistics.engines.sqlite.engine import STATS_FILE
from cookieguard.features.statistics.engines.sqlite.writer import SqliteHits
from cookieguard.stats.hits import PARTLY_COUNTED, Hit

__all__ = ["office"]

ROW = re.compile(
    r"<bdi title=\"([^\"]*)\">(?:<a [^>]*>)?[^<]*(?:</a>)?</bdi></td><td>([\d,]+)</td><td>([\d,]+)</td><td>(\d+) %</td>"
)


def refusers(count: int, **fields: str) -> list[Hit]:
    return [hit._replace(key=0, consent="refused", entry=1, **fields) for hit in people(count, views=1)]


def agreed(count: int, **fields: str) -> list[Hit]:
    return [hit._replace(consent="all", **fields) for hit in people(count, views=1)]


def gap(office: Office, query: str = "tab=consent") -> dict[str, tuple[str, str, str]]:
    text = office.get(query).text.partition("What a tool that waits")[2].partition("</section>")[0]
    return {value: (happened, counted, part) for value, happened, counted, part in ROW.findall(text)}


def told(office: Office) -> None:
    choice = PLAIN._replace(kind="choice", time=SECOND - 60, event="accepted")
    office.write([choice] * 9)


def test_the_gap_is_shown_of_the_shop_and_of_each_page(office: Office) -> None:
    office.write([*agreed(30, page="/"), *refusers(90, page="/"), *agreed(20, page="/mugs")])
    told(office)

    assert gap(office) == {
        "Whole shop": ("140", "50", "36"),
        "/": ("120", "30", "25"),
        "/mugs": ("20", "20", "100"),
        "DE": ("140", "50", "36"),
    }


def test_countries_of_the_gap_are_called_by_their_names(office: Office) -> None:
    office.write([*agreed(30, page="/"), *refusers(90, page="/")])
    told(office)

    assert re.search('<bdi title="DE"><a [^>]*>Germany</a></bdi>', office.get("tab=consent").text)


def test_a_page_on_which_few_agreed_or_few_did_not_is_left_out(office: Office) -> None:
    office.write(
        [
            *agreed(30, page="/"),
            *refusers(90, page="/"),
            *agreed(25, page="/hats"),
            *refusers(30, page="/hats"),
        ]
    )
    office.write([*agreed(2, page="/few"), *refusers(90, page="/few")])
    office.write([*agreed(40, page="/most"), *refusers(8, page="/most")])
    told(office)

    found = gap(office)

    assert "/few" not in found
    assert "/most" not in found
    assert "/" in found


def test_a_page_on_which_nobody_agreed_says_so(office: Office) -> None:
    office.write([*agreed(30, page="/"), *refusers(90, page="/"), *refusers(60, page="/policy")])
    told(office)

    assert gap(office)["/policy"] == ("60", "0", "0")


def test_the_gap_of_one_country_is_a_link_away(office: Office) -> None:
    office.write([*agreed(30, page="/"), *refusers(90, page="/"), *agreed(20, page="/mugs")])
    office.write(
        [*agreed(60, country="FR"), *refusers(40, country="FR"), *agreed(20, country="FR", page="/mugs")]
    )
    told(office)

    link = re.search(r'<a href="\?([^"]*)">Germany</a>', office.get("tab=consent").text)

    assert link is not None
    assert gap(office, link[1].replace("&amp;", "&")) == {
        "DE": ("140", "50", "36"),
        "/": ("120", "30", "25"),
        "/mugs": ("20", "20", "100"),
    }


def test_a_filter_by_campaign_shows_its_entry_pages_and_countries(office: Office) -> None:
    office.write(
        [*agreed(30, campaign="winter"), *refusers(90, campaign="winter"), *agreed(40), *refusers(40)]
    )
    office.write([*agreed(30, page="/mugs"), *refusers(40, page="/mugs")])
    told(office)

    assert gap(office, "tab=consent&campaign=winter") == {
        "winter": ("120", "30", "25"),
        "/": ("120", "30", "25"),
        "DE": ("120", "30", "25"),
    }


def test_who_partly_agreed_still_counts_once_the_keys_are_gone(office: Office) -> None:
    partly = [hit._replace(consent=PARTLY_COUNTED) for hit in people(30, views=1, days_ago=9)]
    office.write([*partly, *refusers(90)])
    told(office)
    with closing(SqliteHits(office.state / STATS_FILE)) as engine:
        engine.forget(keys_before=SECOND // DAY - 2, hits_before=0, rollups_before=0)

    assert gap(office)["DE"] == ("120", "30", "25")
    assert gap(office, "tab=consent&country=DE")["/"] == ("120", "30", "25")


def test_few_on_one_side_under_a_filter_are_left_out(office: Office) -> None:
    office.write([*agreed(60), *refusers(60), *agreed(60, page="/mugs"), *refusers(60, page="/mugs")])
    office.write([*agreed(60, country="FR"), *refusers(60, country="FR")])
    office.write([*agreed(3, country="FR", page="/mugs"), *refusers(60, country="FR", page="/mugs")])
    told(office)

    found = gap(office, "tab=consent&country=FR")

    assert "/mugs" not in found
    assert "/mugs" in gap(office, "tab=consent")  # the control


@pytest.mark.parametrize(
    "query",
    ["country=LI", "device=desktop", "source=(direct)", "country=DE&page=/", "range=2026-10&country=DE"],
)
def test_what_the_gap_cannot_be_filtered_by_is_refused(office: Office, query: str) -> None:
    office.write([*agreed(30), *refusers(90), *agreed(1, country="LI"), *agreed(9, country="AT")])
    told(office)

    assert office.get("tab=consent&country=DE").status == 200
    assert office.get(f"tab=consent&{query}").status == 400


def test_a_range_that_the_overview_hides_has_no_gap(office: Office) -> None:
    """Beside the twelve months, whose total is exact, ninety days rounded told of the two people between them."""
    office.write([*agreed(30), *refusers(90), *people(2, days_ago=100, views=1)])
    told(office)

    assert "Shown instead: 12 months" in office.get("range=90").text
    assert gap(office, "tab=consent&range=90") == {}
    assert gap(office, "tab=consent&range=12m")


def test_the_page_of_before_against_that_of_now_tells_of_no_single_visitor(office: Office) -> None:
    """Ten visitors come one by one: each figure moves once, by ten; the file moves with its page and no earlier."""
    office.write([*agreed(61), *refusers(62), *agreed(63, country="FR"), *refusers(64, country="FR")])
    told(office)
    pages, files = [], []

    for _ in range(11):
        pages.append(gap(office, "tab=consent&country=DE"))
        files.append(office.get("tab=consent&country=DE&table=Gap%3A+Pages").text)
        office.write(agreed(1))

    assert {frozenset(page) for page in pages} == {frozenset({"DE", "/"})}
    for row in ("DE", "/"):
        happened, counted = ([int(page[row][at]) for page in pages] for at in (0, 1))
        for figures in (happened, counted):
            assert sorted({after - before for before, after in pairwise(figures)}) == [0, 10]
            assert figures[-1] - figures[0] == 10
    moved = [before != after for before, after in pairwise(pages)]
    assert [before != after for before, after in pairwise(files)] == moved
    assert sum(moved) <= 2
