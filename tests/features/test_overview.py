"""The Overview and the navigation of staff pages show each role its places, and no figure of few people."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from html import unescape
from pathlib import Path

import pytest
from features.people.test_staff_guard import Desk
from features.statistics.test_stats_page import people
from features.test_officer import ask_to_erase
from harness.asgi import Answer, ask, no_app
from harness.retention import retention_of

from cookieguard import CookieGuard, Vendor
from cookieguard.config import CspSettings
from cookieguard.features.hourly_facts import FACTS_FILE
from cookieguard.features.statistics.engines.sqlite.engine import STATS_FILE
from cookieguard.features.statistics.engines.sqlite.writer import SqliteHits
from cookieguard.stats.hits import Batch, Hit

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
TITLES = {
    "analyst": ["Overview", "Statistics", "Consent", "Vendors"],
    "support": ["Overview", "Due", "Requests"],
    "officer": [
        "Overview",
        "Due",
        "Statistics",
        "Consent",
        "Vendors",
        "Requests",
        "Records",
        "People",
        "Health",
    ],
}
FIGURES = ["Left the shop before consent", "Visitors who agreed", "Visits", "Orders", "Revenue"]
LINES = {"analyst": FIGURES, "support": ["Due"], "officer": [*FIGURES, "Due", "Broken"]}
PAGES = {
    "overview": "Overview",
    "stats": "Statistics",
    "stats?tab=consent": "Consent",
    "stats?tab=held": "Statistics",
    "vendors": "Vendors",
}
PAGES |= {"requests": "Requests", "record": "Records", "due": "Due", "people": "People", "health": "Health"}


@pytest.fixture
def desk(guard: Callable[..., CookieGuard], tmp_path: Path) -> Desk:
    return Desk(guard(no_app, vendors=()), tmp_path / "state")


def run_job(desk: Desk) -> None:
    retention_of(desk.app.config, lambda: NOW).look()


def write(desk: Desk, *hits: Hit) -> None:
    engine = SqliteHits(desk.state / STATS_FILE)
    engine.write(Batch(secrets.token_hex(4), hits, {}, {}))
    engine.close()


def orders(count: int, *, days_ago: int) -> list[Hit]:
    """Return orders of 50 to 100 of so many visitors."""
    views = people(count, days_ago=days_ago, views=1)
    goals = [view._replace(kind="goal", event="order placed", source="", entry=0) for view in views]
    return [*views, *goals, *(goal._replace(event="order placed: 50 to 100") for goal in goals)]


def lines(answer: Answer) -> dict[str, str]:
    """Return each line's text by its title."""
    found = re.findall(r"<h2>(.*?)</h2>\s*<div>(.*?)</div>", answer.text, re.DOTALL)
    return {
        re.sub("<[^>]+>", "", title): " ".join(re.sub("<[^>]+>", " ", unescape(text)).split())
        for title, text in found
    }


def navigation(answer: Answer) -> dict[str, str]:
    """Return the links of the navigation by their titles."""
    found = re.search(r'<nav aria-label="Console">(.*?)</nav>', answer.text, re.DOTALL)
    return (
        {}
        if found is None
        else {title: link for link, title in re.findall(r'href="([^"]+)"[^>]*>([^<]+)', found[1])}
    )


@pytest.mark.parametrize("role", TITLES)
def test_each_role_sees_the_places_and_lines_that_it_may_open(desk: Desk, role: str) -> None:
    token = desk.add(role)

    answer = desk.get("/_cg/overview", token)

    assert answer.status == 200
    assert list(navigation(answer)) == TITLES[role]
    assert list(lines(answer)) == LINES[role]
    links = {*navigation(answer).values(), *re.findall(r'<h2><a href="([^"]+)"', answer.text)}
    opened = {
        link: ask(
            desk.app,
            path=link.partition("?")[0],
            query=link.partition("?")[2],
            headers=[("authorization", f"Bearer {token}")],
        )
        for link in links
    }
    assert {link: one.status for link, one in opened.items() if one.status not in (200, 503)} == {}


def test_strangers_see_no_place_and_no_line(desk: Desk) -> None:
    assert desk.get("/_cg/overview").text == "not allowed\n"
    assert desk.get("/_cg/overview", "2.a.b.c").status == 403
    assert "<nav" not in desk.get("/_cg/staff").text


def test_every_staff_page_names_its_place_and_its_member(desk: Desk) -> None:
    write(desk, *people(9))
    session = desk.sign_in(desk.add("owner", name="Bo B"))

    for page, title in PAGES.items():
        path, _, query = page.partition("?")
        answer = ask(
            desk.app, path=f"/_cg/{path}", query=query, headers=[("cookie", f"__Host-cg_staff={session}")]
        )

        assert answer.status == 200, page
        assert re.findall(r'<a [^>]*aria-current="page">([^<]+)', answer.text)[0] == title
        assert "<bdi>Bo B</bdi> <small>owner</small>" in answer.text
        assert answer.text.count("<h1") == 1
        assert 'href="#content"' in answer.text


def test_sign_out_takes_one_click_on_every_page(desk: Desk) -> None:
    session = desk.sign_in(desk.add("owner"))
    answer = desk.get("/_cg/overview", cookie=session)
    (form,) = re.findall(r'name="form" value="([^"]+)"', answer.text)
    headers = [
        ("sec-fetch-site", "same-origin"),
        ("content-type", "application/x-www-form-urlencoded"),
        ("cookie", f"__Host-cg_staff={session}"),
    ]

    ended = desk.post({"form": form, "leave": "1"}, headers)

    assert ended.status == 303
    assert desk.get("/_cg/overview", cookie=session).status == 403
    assert "leave" not in desk.get("/_cg/overview", desk.add("owner", name="script")).text


def test_before_the_first_run_each_line_says_when_it_appears(desk: Desk) -> None:
    found = lines(desk.get("/_cg/overview", desk.add("officer")))

    assert {found[name] for name in ("Visits", "Orders", "Revenue", "Visitors who agreed", "Broken")} == {
        "- Not known yet. It appears within a minute of the shop's start and is updated every hour."
    }
    assert found["Due"] == "Nothing"
    assert found["Left the shop before consent"].startswith("- Not known yet.")


def test_figures_are_those_of_the_statistics_with_the_change_before(desk: Desk) -> None:
    write(
        desk,
        *people(40),
        *people(20, days_ago=40),
        *orders(120, days_ago=5),
        *orders(60, days_ago=45),
        *people(40, days_ago=80),
    )
    run_job(desk)
    token = desk.add("analyst")

    found = lines(desk.get("/_cg/overview", token))

    page = desk.get("/_cg/stats", token).text
    visits = re.search(r"<dt>Visits</dt><dd>([^<]+)<small><bdi>\+(\d+) %", page)
    assert visits is not None
    assert found["Visits"] == f"{visits[1]} +{visits[2]} % against the 30 days before"
    assert found["Orders"] == "120 +100 % against the 30 days before"
    assert found["Revenue"] == "about 8,500 +100 % against the 30 days before"


def test_fewer_than_five_people_are_no_figure(desk: Desk) -> None:
    write(desk, *orders(4, days_ago=1))
    run_job(desk)

    found = lines(desk.get("/_cg/overview", desk.add("owner")))

    facts = json.loads((desk.state / FACTS_FILE).read_bytes())
    assert facts.get("figures", {}) == {}
    assert found["Visits"].startswith("- Too few visitors")
    assert (
        found["Orders"]
        == '- To count orders, call visitor.goal("order placed", value=89.90) where one is placed.'
    )


def test_change_of_orders_is_left_out_where_few_people_remain_beside_it(desk: Desk) -> None:
    write(desk, *orders(60, days_ago=5), *orders(60, days_ago=45), *orders(3, days_ago=70))
    run_job(desk)

    assert lines(desk.get("/_cg/overview", desk.add("owner")))["Orders"] == "60"


def test_statistics_that_cannot_be_read_take_no_other_line_away(desk: Desk) -> None:
    (desk.state / STATS_FILE).write_bytes(b"no database" * 99)
    run_job(desk)

    found = lines(desk.get("/_cg/overview", desk.add("owner")))

    assert found["Visits"].startswith("- The statistics could not be read (")
    assert found["Due"] == "Nothing"
    assert "statistics: " in found["Broken"]


def test_due_tasks_are_shown_to_the_roles_that_do_them_without_names_of_customers(desk: Desk) -> None:
    ask_to_erase(desk, {"a" * 16: 40})

    told = {role: desk.get("/_cg/overview", desk.add(role)).text for role in ("support", "owner", "analyst")}

    assert {role for role, text in told.items() if "a" * 16 in text} == {"support", "owner"}
    assert not [text for text in told.values() if "4711" in text or "anna@" in text]


def test_broken_things_are_known_within_the_hour_and_a_late_job_at_once(
    guard: Callable[..., CookieGuard], tmp_path: Path
) -> None:
    times = [NOW]
    desk = Desk(guard(no_app, clock=lambda: times[0]), tmp_path / "state")
    token = desk.add("owner")

    def broken_after(hours: int) -> str:
        times[0] = NOW + timedelta(hours=hours)
        return lines(desk.get("/_cg/overview", token))["Broken"]

    run_job(desk)
    fine = broken_after(0)
    (desk.state / FACTS_FILE).chmod(0o644)
    retention_of(desk.app.config, lambda: NOW + timedelta(hours=1)).look()
    checked, late = broken_after(1), broken_after(40)

    assert fine == "Nothing Last checked at 12:00 UTC. Checked every hour."
    # A worker may be making its store meanwhile, which the doctor reports as one that was cut off.
    assert "state directory: other users have access to overview" in checked
    assert "Retention: last done" not in checked
    assert "things Retention: last done 2026-11-24T13:00:00Z" in late
    assert not [one for one in ("run: ", "cookieguard ") if one in checked or one in late]


@pytest.mark.parametrize("settings", [{"undeclared": "report"}, {"csp": CspSettings(enabled=False)}])
def test_settings_that_let_third_parties_out_are_named(
    guard: Callable[..., CookieGuard], tmp_path: Path, settings: dict[str, object]
) -> None:
    desk = Desk(guard(no_app, **settings), tmp_path / "state")

    said = lines(desk.get("/_cg/overview", desk.add("analyst")))["Left the shop before consent"]

    assert said.startswith("1 thing ")
    assert next(iter(settings)) in said


def test_tracker_on_an_own_host_and_necessary_vendors_are_named(
    guard: Callable[..., CookieGuard], tmp_path: Path
) -> None:
    pay = Vendor(name="Pay", purpose="necessary", hosts=("pay.example",), reason="Payment")
    desk = Desk(guard(no_app, vendors=(pay,)), tmp_path / "state")
    logs = desk.state / "logs"
    logs.mkdir(exist_ok=True)
    line = '198.51.100.0 - - [24/Nov/2026:11:00:00 +0000] "GET /matomo.js HTTP/1.1" 200 9 "-" "-"\n'
    (logs / "access-2026-11-24-1.log").write_text(line)
    run_job(desk)

    said = lines(desk.get("/_cg/overview", desk.add("owner")))["Left the shop before consent"]

    assert said.startswith("1 thing Matomo is served at /matomo.js")
    assert "because you declared them as necessary: Pay." in said


def test_half_a_file_of_facts_is_none(desk: Desk) -> None:
    for text in ("", "[]", "null", "4", '{"at": 4}', '{"at": "2026-11-24T12:00:00+00:00", "more": 1}'):
        (desk.state / FACTS_FILE).write_text(text)

        assert desk.get("/_cg/overview", desk.add("owner")).status == 200
