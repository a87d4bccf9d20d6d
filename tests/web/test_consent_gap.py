"""The consent gap on the dashboard: views that happened beside those a tool that waits for consent would have."""

from __future__ import annotations

import re

from stats.traffic import PLAIN
from web.test_stats_page import SECOND, Office, office, people

from cookieguard.stats.hits import Hit

__all__ = ["office"]

ROW = re.compile(
    r"<bdi title=\"([^\"]*)\">[^<]*</bdi></td><td>([\d,]+)</td><td>([\d,]+)</td><td>(\d+) %</td>"
)


def refusers(count: int, **fields: str) -> list[Hit]:
    return [hit._replace(key=0, consent="refused", entry=1, **fields) for hit in people(count, views=1)]


def agreed(count: int, **fields: str) -> list[Hit]:
    return [hit._replace(consent="all", **fields) for hit in people(count, views=1)]


def gap(office: Office) -> dict[str, tuple[str, str, str]]:
    text = office.get("tab=consent").text.partition("What a tool that waits")[2].partition("</section>")[0]
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

    assert '<bdi title="DE">Germany</bdi>' in office.get("tab=consent").text


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
