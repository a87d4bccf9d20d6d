"""The dashboard's funnel shows its steps as the tables of pages and goals do."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from features.statistics.test_sheets import sheet
from features.statistics.test_stats_page import NOW, Office, people, rows
from harness.asgi import no_app

from cookieguard import CookieGuard
from cookieguard.config import StatsSettings
from cookieguard.errors import ConfigError
from cookieguard.features.statistics.dashboard.overview import read_overview
from cookieguard.features.statistics.dashboard.report_text import report_lines
from cookieguard.features.statistics.dashboard.selection import RANGES, Selection
from cookieguard.features.statistics.engines.sqlite.engine import SqliteStats
from cookieguard.stats.hits import Hit

STEPS = ("/mugs", "/cart", "order placed")


@pytest.fixture
def office(guard: Callable[..., CookieGuard], tmp_path: Path) -> Office:

    return Office(guard(no_app, stats=StatsSettings(funnel=STEPS)), tmp_path / "state")


def walk(count: int, upto: int, **fields: object) -> list[Hit]:
    """Return people who go through so many of the steps."""
    found = []
    for first in people(count, views=1, page="/mugs", **fields):
        found.append(first)
        found += [first._replace(page="/cart", time=first.time + 60, source="")] if upto > 1 else []
        goal = first._replace(kind="goal", event="order placed", time=first.time + 90, source="")
        found += [goal] if upto > 2 else []
    return found


def funnel(office: Office, query: str = "") -> Mapping[str, tuple[str, str, str]]:
    lines = sheet(office, f"{query}&table=Funnel")
    return {
        one["Funnel"]: (one["Times"], one["Visitor-days"], one["Percent of the step before"]) for one in lines
    }


def test_each_step_is_a_part_of_the_one_before(office: Office) -> None:
    office.write([*walk(100, 1), *walk(60, 2), *walk(40, 3)])

    assert funnel(office) == {
        "/mugs": ("200", "200", ""),
        "/cart": ("100", "100", "50"),
        "order placed": ("40", "40", "40"),
    }
    assert list(rows(office.get().text, "Funnel")) == list(STEPS)


def test_the_mail_tells_the_people_that_its_rates_are_of(office: Office) -> None:
    ways = [*walk(100, 1), *walk(60, 2)]
    office.write(
        [*ways, *(one._replace(time=one.time + 300, source="") for one in ways if one.page == "/cart")]
    )

    overview = read_overview(
        SqliteStats("", office.state).reader(),
        Selection(range=RANGES["7"]),
        now=NOW,
        hit_days=30,
        steps=STEPS[:2],
    )

    lines = [line.strip() for line in report_lines(overview, shop="", made="")]
    assert "160  /mugs, 160 visitor-days" in lines
    assert "120  /cart, 60 visitor-days, 38 % of the step before" in lines


def test_funnel_hides_a_step_of_few_people(office: Office) -> None:
    office.write([*walk(100, 1), *walk(60, 2), *walk(3, 3)])

    assert funnel(office)["order placed"] == ("", "", "")


def test_no_figure_is_its_own(office: Office) -> None:
    office.write([*walk(100, 1), *walk(60, 2, country="FR"), *walk(40, 3)])

    for query in ("", "range=7", "country=DE", "country=FR"):
        text = office.get(query).text
        shown = {**rows(text, "Pages"), **(rows(text, "Goals") if 'aria-label="Goals"' in text else {})}
        steps = {step: pair for step, pair in rows(text, "Funnel").items() if pair != ("-", "-")}
        assert len(steps) >= 2
        assert steps == {step: shown[step] for step in steps}


def test_without_two_steps_there_is_no_funnel(office: Office) -> None:
    office.write(walk(100, 1))

    assert 'aria-label="Funnel"' not in office.get().text


@pytest.mark.parametrize("steps", [("/cart",), ("/cart", "/cart"), ("/cart", ""), ("/cart", " x")])
def test_a_funnel_that_is_none_is_refused(steps: tuple[str, ...]) -> None:
    with pytest.raises(ConfigError, match=r"stats\.funnel"):
        StatsSettings(funnel=steps)
