"""Exits, searches, missing pages and slow pages on the dashboard, without a row for a single person."""

from __future__ import annotations

import pytest
from features.statistics.test_sheets import sheet
from features.statistics.test_stats_page import Office, cells, figures, office, people, rows

from cookieguard.stats.hits import Hit

__all__ = ["office"]


def goes_on(first: Hit, page: str, *, after: int = 60) -> Hit:
    return first._replace(page=page, time=first.time + after, source="")


def agreed(count: int, **fields: object) -> list[Hit]:
    return people(count, views=1, consent="all", **fields)  # type: ignore[arg-type]


def test_exit_rates_are_of_the_views_by_visitors_who_agreed(office: Office) -> None:
    stay, leave = agreed(20, page="/mugs"), agreed(30, page="/mugs")
    refused = [hit._replace(key=0, consent="refused") for hit in agreed(60, page="/mugs")]
    office.write([*leave, *stay, *(goes_on(one, "/cart") for one in stay), *refused])

    text = office.get("tab=pages").text

    assert {page: line[2] for page, line in cells(text, "Pages").items()} == {
        "/mugs": "60 %",
        "/cart": "100 %",
    }
    lines = {one["Pages"]: one["Exit rate"] for one in sheet(office, "tab=pages&table=Pages")}
    assert lines == {"/mugs": "60", "/cart": "100"}


def test_a_visit_without_a_second_view_is_a_bounce(office: Office) -> None:
    stay, leave = agreed(20, page="/mugs"), agreed(30, page="/mugs")
    office.write([*leave, *stay, *(goes_on(one, "/cart") for one in stay), *agreed(20, page="/cart")])

    text = office.get("tab=pages").text

    assert {page: line[2] for page, line in cells(text, "Entry pages").items()} == {
        "/mugs": "60 %",
        "/cart": "100 %",
    }


def test_after_a_pause_the_page_before_was_an_exit_too(office: Office) -> None:
    first = agreed(20, page="/mugs")
    office.write([*first, *(goes_on(one, "/cart", after=1801) for one in first)])

    assert {line[2] for line in cells(office.get("tab=pages").text, "Pages").values()} == {"100 %"}


def test_few_who_went_on_hide_the_exits_of_a_page(office: Office) -> None:
    """With the page's own figures they would be told: 33 came and 30 left."""
    leave, stay = agreed(30, page="/mugs", source=""), agreed(3, page="/mugs", source="")
    office.write([*leave, *stay, *(goes_on(one, "/about") for one in stay), *agreed(40, page="/about")])

    found = cells(office.get("tab=pages").text, "Pages")

    assert found["/mugs"][2] == "-"


def test_pages_that_are_not_there_are_listed(office: Office) -> None:
    missing = [one._replace(kind="error", status=404) for one in people(20, views=1, page="/old-mugs")]
    broken = [one._replace(kind="error", status=500) for one in people(30, views=1, page="/cart")]
    alone = [
        one._replace(kind="error", status=404)
        for page, count in (("/ada-lovelace", 3), ("/grace-hopper", 4))
        for one in people(count, views=1, page=page)
    ]
    office.write([*people(30), *missing, *broken, *alone])

    text = office.get("tab=speed").text

    assert set(rows(text, "Pages not found")) <= {"/old-mugs", "(other)"}
    assert "ada" not in text
    office.write([one._replace(kind="error", status=410) for one in people(20, views=1, page="/gone")])
    assert rows(office.get("tab=speed").text, "Pages not found")["/gone"] == ("20", "20")


def test_errors_of_the_shop_are_told_from_those_of_the_request(office: Office) -> None:
    faults = {("/cart", 500): 30, ("/search", 503): 20, ("/account", 403): 40, ("/old", 404): 50}
    office.write(
        [
            hit._replace(kind="error", status=status)
            for (page, status), count in faults.items()
            for hit in people(count, views=1, page=page)
        ]
    )
    office.write(people(30))

    text = office.get("tab=speed").text

    assert figures(text) == {
        "Pages not found (404, 410)": "50",
        "Other request errors (4xx)": "40",
        "Shop errors (5xx)": "50",
    }
    assert rows(text, "Shop errors .5xx.") == {"500 /cart": ("30", "30"), "503 /search": ("20", "20")}
    assert rows(text, "Other request errors .4xx.") == {"403 /account": ("40", "40")}


def test_a_slow_page_says_how_many_of_its_views_are(office: Office) -> None:
    quick, slow = people(60, views=1, page="/mugs"), people(20, views=1, page="/mugs", duration=1000)
    office.write([*quick, *slow, *people(20, views=1, page="/about", duration=999)])

    found = cells(office.get("tab=speed").text, "Slow pages")

    assert found["/mugs"] == ["80", "50 ms", "2,000 ms", "25 %"]
    assert found["/about"] == ["20", "-", "-", "-"]
    lines = {one["Slow pages"]: one["1 s or more"] for one in sheet(office, "tab=speed&table=Slow pages")}
    assert lines == {"/mugs": "25", "/about": ""}


def test_a_bucket_of_few_views_is_joined_with_the_next(office: Office) -> None:
    """Three visitors who waited for six seconds are not shown by themselves."""
    quick, alone = (
        people(95, views=1, page="/mugs", duration=60),
        people(3, views=1, page="/mugs", duration=6000),
    )
    office.write([*quick, *alone])

    assert cells(office.get("tab=speed").text, "Slow pages")["/mugs"] == [
        "100",
        "over 50 ms",
        "over 50 ms",
        "-",
    ]


def test_search_of_five_or_more_people_is_shown(office: Office) -> None:
    office.write(
        [*people(20, views=1, search="blue mug"), *people(30, search="cup"), *people(3, search="ada")]
    )

    text = office.get("tab=pages").text

    assert set(rows(text, "Searches")) <= {"cup", "blue mug", "(other)"}
    assert rows(text, "Searches")["cup"] == ("60", "30")
    assert "ada" not in text


def test_under_a_filter_there_are_none(office: Office) -> None:
    office.write([*people(20, views=1, search="cup"), *people(20, views=1, country="FR", search="cup")])

    text = office.get("country=FR").text

    assert 'aria-label="Pages"' in text
    assert not any(f'aria-label="{name}"' in text for name in ("Exit pages", "Searches"))


@pytest.mark.parametrize("key", [True, False])
def test_what_one_person_writes_day_after_day_is_not_shown(office: Office, key: bool) -> None:
    """As visitor-days they would count as six people, and show what one of them typed."""
    alone = [hit for day in range(6) for hit in people(1, days_ago=day, views=1 if key else 10)]
    alone = [hit if key else hit._replace(key=0, source="") for hit in alone]
    missing = [hit._replace(kind="error", status=404, page="/ada-lovelace", source="") for hit in alone]
    old = [
        hit._replace(kind="error", status=404, page=page)
        for page, count in (("/old", 30), ("/older", 20))
        for hit in people(count, views=1)
    ]
    office.write([*people(30, search="cup"), *people(20, search="mug"), *missing, *old])
    office.write([one._replace(search="ada lovelace") for one in alone])

    pages, errors = (office.get(f"range=7&tab={tab}").text for tab in ("pages", "speed"))

    assert "cup" in rows(pages, "Searches")
    assert "/old" in rows(errors, "Pages not found")
    assert "lovelace" not in pages + errors
