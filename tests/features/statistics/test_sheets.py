"""The dashboard's tables as CSV hold what the page shows, and are safe to open in a spreadsheet."""

from __future__ import annotations

import csv
import json
import re
from io import StringIO
from urllib.parse import quote

import pytest
from features.statistics.test_stats_page import SECOND, Office, office, people, rows
from stats.traffic import PLAIN

from cookieguard.stats.hits import Hit

__all__ = ["office"]

CSV_LINK = re.compile(r'<a href="\?([^"]*)" aria-label="CSV: ')


def sheet(office: Office, query: str) -> list[dict[str, str]]:
    answer = office.get(query)
    assert answer.status == 200, answer.text
    assert answer.get("content-type") == "text/csv; charset=utf-8"
    return list(csv.DictReader(StringIO(answer.text.removeprefix("\ufeff"))))


def links(office: Office, query: str) -> list[str]:
    return [found.replace("&amp;", "&") for found in CSV_LINK.findall(office.get(query).text)]


def busy() -> list[Hit]:
    choice = PLAIN._replace(kind="choice", time=SECOND - 60, event="accepted", page="")
    held = '[["ads.example",2,"Ads","marketing"]]'
    bot = PLAIN._replace(bot="search", browser="Googlebot", time=SECOND - 60)
    goal = PLAIN._replace(kind="goal", event="order", time=SECOND - 60, country="DE")
    return [
        *people(30, country="DE", campaign="winter", consent="all", held=held),
        *people(20, country="FR", page="/about", days_ago=3),
        *people(9, country="AT", page="/hats"),
        *people(1, country="LI", page="/alone"),
        *[choice] * 9,
        *[bot] * 12,
        *[goal] * 60,
    ]


def test_every_table_of_every_tab_has_its_file(office: Office) -> None:
    office.write(busy())

    found = {tab: links(office, f"tab={tab}") for tab in ("summary", "consent", "held", "bots")}

    assert len(found["summary"]) >= 8
    assert all(found.values())
    for link in (link for tab in found.values() for link in tab):
        assert sheet(office, link), link


def test_a_file_has_what_the_page_shows_beside_its_days(office: Office) -> None:
    office.write(busy())

    lines = sheet(office, "range=7&table=Countries")

    shown = rows(office.get("range=7").text, "Countries")
    assert {one["Countries"]: (one["Views"], one["Visitor-days"] or "-") for one in lines} == shown
    assert {(one["First day"], one["Last day"]) for one in lines} == {("2026-11-18", "2026-11-24")}


def test_filters_are_in_the_file(office: Office) -> None:
    office.write(busy())

    lines = sheet(office, "country=DE&table=Pages")

    assert {one["Of country"] for one in lines} == {"DE"}


def test_exported_sheets_hold_no_single_visitor(office: Office) -> None:
    office.write(busy())

    for link in links(office, "") + links(office, "tab=consent") + links(office, "range=today"):
        assert not re.search("/alone|Liechtenstein|LI\\b", office.get(link).text), link
    assert "/about" in office.get("table=Pages").text  # the control


def test_a_hidden_value_is_no_filter_of_a_file_either(office: Office) -> None:
    office.write(busy())

    assert office.get("country=LI&table=Pages").status == 400


@pytest.mark.parametrize("name", ["Pages of hosts", "x", "../keys", "Countries\r\nx: y"])
def test_a_table_that_the_page_has_not_is_refused(office: Office, name: str) -> None:
    office.write(busy())

    answer = office.get(f"table={quote(name)}")

    assert answer.status == 400
    assert "this page shows Totals, Course" in answer.text


def test_a_formula_is_text(office: Office) -> None:
    office.write(people(30, campaign="x;=1+1;", entry=1))

    (line,) = sheet(office, "table=Campaigns")

    assert line["Campaigns"] == "x;'=1+1;"


def test_a_file_needs_the_role(office: Office) -> None:
    office.write(busy())

    assert office.get("table=Countries", token="").status == 403


@pytest.mark.parametrize("goal", ["rate", "visits", "first day"])
def test_a_goal_named_as_a_column_overwrites_none(office: Office, goal: str) -> None:
    reached = [hit._replace(kind="goal", event=goal, source="") for hit in people(12, campaign="winter")]
    office.write([*people(30, campaign="winter"), *reached])

    rows = json.loads(office.get("tab=goals&table=Campaigns&form=json").text)

    assert rows[0][f"{goal.capitalize()} (goal)"] == 20
    assert (rows[0]["Visits"], rows[0]["First day"]) == (30, "2026-10-26")


def test_bots_have_a_file_though_their_total_is_hidden(office: Office) -> None:
    office.write([PLAIN._replace(bot="search", browser="Googlebot", time=SECOND - 60)] * 12)
    office.write(people(1, views=2))

    text = office.get("tab=bots").text

    assert 'aria-label="Share of bots"' not in text
    assert "tab=bots&amp;range=30&amp;table=Bots" in text
    assert sheet(office, "tab=bots&table=Bots")[0]["Hits"] == "10"
