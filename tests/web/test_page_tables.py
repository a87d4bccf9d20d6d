"""Tables beside that of pages: exits, searches, pages not found, slow ones; nobody alone in any of them."""

from __future__ import annotations

import pytest
from web.test_sheets import sheet
from web.test_stats_page import Office, office, people, rows

from cookieguard.stats.hits import Hit

__all__ = ["office"]


def goes_on(first: Hit, page: str, *, after: int = 60) -> Hit:
    return first._replace(page=page, time=first.time + after, source="")


def test_exits_are_the_last_pages_of_visits(office: Office) -> None:
    stay = people(20, views=1, page="/mugs")
    leave = people(30, views=1, page="/mugs")
    office.write([*leave, *stay, *(goes_on(one, "/cart") for one in stay)])

    text = office.get().text

    assert rows(text, "Exit pages") == {"/mugs": ("30", "30"), "/cart": ("20", "20")}
    lines = {
        one["Exit pages"]: one["Percent of the page's visitors"] for one in sheet(office, "table=Exit pages")
    }
    assert lines == {"/mugs": "60", "/cart": "100"}


def test_after_a_pause_the_page_before_was_an_exit_too(office: Office) -> None:
    first = people(20, views=1, page="/mugs")
    office.write([*first, *(goes_on(one, "/cart", after=1801) for one in first)])

    assert rows(office.get().text, "Exit pages") == {"/cart": ("20", "20"), "/mugs": ("20", "20")}


def test_few_who_went_on_hide_the_exits_of_a_page(office: Office) -> None:
    """With the page's own figures they would be told: 33 came and 30 left."""
    leave, stay = people(30, views=1, page="/mugs", source=""), people(3, views=1, page="/mugs", source="")
    other = people(40, views=1, page="/about")
    office.write([*leave, *stay, *(goes_on(one, "/about") for one in stay), *other])

    text = office.get().text

    assert set(rows(text, "Pages")) >= {"/mugs", "/about"}
    assert "/mugs" not in rows(text, "Exit pages")


def test_pages_that_are_not_there_are_listed(office: Office) -> None:
    missing = [one._replace(kind="error", status=404) for one in people(20, views=1, page="/old-mugs")]
    broken = [one._replace(kind="error", status=500) for one in people(30, views=1, page="/cart")]
    alone = [
        one._replace(kind="error", status=404)
        for page, count in (("/ada-lovelace", 3), ("/grace-hopper", 4))
        for one in people(count, views=1, page=page)
    ]
    office.write([*people(30), *missing, *broken, *alone])

    text = office.get().text

    assert set(rows(text, "Pages not found")) <= {"/old-mugs", "(other)"}
    assert "ada" not in text
    office.write([one._replace(kind="error", status=410) for one in people(20, views=1, page="/gone")])
    assert rows(office.get().text, "Pages not found")["/gone"] == ("20", "20")


def test_a_slow_page_says_how_many_of_its_views_are(office: Office) -> None:
    quick, slow = people(60, views=1, page="/mugs"), people(20, views=1, page="/mugs", duration=1000)
    office.write([*quick, *slow, *people(20, views=1, page="/about", duration=999)])

    text = office.get().text

    assert rows(text, "Slow pages") == {"/mugs": ("20", "20")}
    (line,) = sheet(office, "table=Slow pages")
    assert line["Percent of the page's views"] == "25"


def test_what_five_people_searched_for_is_shown(office: Office) -> None:
    office.write(
        [*people(20, views=1, search="blue mug"), *people(30, search="cup"), *people(3, search="ada")]
    )

    text = office.get().text

    assert set(rows(text, "Searches")) <= {"cup", "blue mug", "(other)"}
    assert rows(text, "Searches")["cup"] == ("60", "30")
    assert "ada" not in text


def test_media_systems_and_languages_are_broken_down(office: Office) -> None:
    office.write([*people(30, medium="email", os="Android"), *people(20, os="iOS", language="fr")])

    text = office.get().text

    assert rows(text, "Media") == {"email": ("30", "30")}
    assert rows(text, "Operating systems") == {"Android": ("60", "30"), "iOS": ("40", "20")}
    assert rows(text, "Languages") == {"en": ("60", "30"), "fr": ("40", "20")}


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

    text = office.get("range=7").text

    assert "cup" in rows(text, "Searches")
    assert "/old" in rows(text, "Pages not found")
    assert "lovelace" not in text
