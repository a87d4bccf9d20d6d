"""The tab Consent: answers over time with the changes that explain them, by wording, and what refusals hide."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from html import unescape
from pathlib import Path

from features.statistics.test_stats_page import DAY, SECOND, Office, cells, figures, office, people
from harness.asgi import ask, no_app
from stats.traffic import PLAIN

from cookieguard import CookieGuard, Vendor
from cookieguard.features.statistics.asked import ASKED_FILE, Asked, changes, note_asked, read_asked
from cookieguard.stats.hits import Hit

__all__ = ["office"]

TODAY = SECOND // DAY


def choices(event: str, times: int, ago: int) -> list[Hit]:
    kind = "view" if event == "shown" else "choice"
    return [PLAIN._replace(kind=kind, event=event, time=SECOND - ago * DAY - 60)] * times


def month() -> list[Hit]:
    """Return a month in which half accept, until a new wording halves that nine days ago."""
    counts = {ago: {"shown": 50, "accepted": 20 if ago > 8 else 10, "refused": 20} for ago in range(30)}
    return [
        hit
        for ago, some in counts.items()
        for event, times in some.items()
        for hit in choices(event, times, ago)
    ]


def asked(office: Office, *lines: Asked) -> None:
    (office.state / ASKED_FILE).unlink(missing_ok=True)
    for line in lines:
        note_asked(office.state, line)


OLD = Asked(date(2026, 10, 1), "1", ["Ads (marketing)"], "a1", "We use cookies for ads. Is that fine?")
NEW = Asked(date(2026, 11, 16), "2", ["Ads (marketing)", "Videos (media)"], "b2", "May we also show videos?")


def test_a_change_of_vendor_policy_and_wording_is_marked_on_its_day(office: Office) -> None:
    office.write(month())
    office.get()  # the first look of this worker
    asked(office, OLD, NEW)

    text = unescape(office.get("tab=consent").text)

    bars = re.findall(r"<title>([^<]+)</title>", text)[1:]
    assert len(bars) == 30
    assert bars[0] == "26 Oct: 40 answers, 20 accepted"
    assert bars[21].startswith("16 Nov: 30 answers, 10 accepted; 16 Nov: New vendor: Videos (media)")
    for mark in ("New vendor: Videos (media)", "New policy: 2", "New wording: May we also show videos?"):
        assert f"<bdi>{mark}</bdi>" in text
    assert "Vendor removed" not in text


def test_answers_are_counted_by_the_wording_in_force(office: Office) -> None:
    office.write(month())
    office.get()
    asked(office, OLD, NEW)

    found = {
        unescape(name): row
        for name, row in cells(office.get("tab=consent").text, "Answers by wording").items()
    }

    assert found == {
        f"From 1 Oct 2026: {OLD.excerpt}": ["1,050", "40 %", "0 %", "40 %", "20 %"],
        f"From 16 Nov 2026: {NEW.excerpt}": ["450", "20 %", "0 %", "40 %", "40 %"],
    }


def test_days_before_the_first_note_have_a_row_of_their_own(office: Office) -> None:
    office.write(month())
    office.get()
    asked(office, NEW)

    found = cells(office.get("tab=consent").text, "Answers by wording")

    assert next(iter(found)) == "Before 16 Nov 2026: not noted"
    assert len(found) == 2


def test_a_worker_notes_what_it_asks_once_and_again_when_it_differs(
    guard: Callable[..., CookieGuard], tmp_path: Path
) -> None:

    ads = Vendor(name="Ads", hosts=("ads.example",), purpose="marketing")
    for vendors, day in (((), 1), ((), 2), ((ads,), 3)):
        now = datetime(2026, 11, day, 12, tzinfo=UTC)
        ask(guard(no_app, vendors=vendors, clock=lambda now=now: now), path="/_cg/choices")

    lines = read_asked(tmp_path / "state")
    assert [line.day.day for line in lines] == [1, 3]
    assert next(note.text for note in changes(lines)) == "New vendor: Ads (marketing)"
    assert lines[0].excerpt
    assert "<" not in lines[0].excerpt


def test_a_change_that_is_undone_on_the_same_day_leaves_no_mark(office: Office) -> None:
    office.get()
    asked(office, OLD, NEW, OLD._replace(day=NEW.day))

    assert list(changes(read_asked(office.state))) == []


def test_a_file_that_cannot_be_read_leaves_the_figures(office: Office) -> None:
    office.write(month())
    office.get()
    (office.state / ASKED_FILE).write_text("{")

    answer = office.get("tab=consent")

    assert (answer.status, figures(answer.text)["Accepted"]) == (200, "510")
    assert "Answers by wording" not in answer.text


def gap(text: str) -> dict[str, tuple[str, str, str]]:
    part = r"<dt><bdi>([^<]+)</bdi></dt>.*?<strong>([\d,]+)</strong> of ([\d,]+) .*?<strong>([\d,]+)</strong> hidden"
    return {name: tuple(more) for name, *more in re.findall(part, text, re.DOTALL)}


def buyers() -> list[Hit]:
    """Return 60 visits of visitors who agreed, 40 of others, and their orders."""
    agreed = people(60, days_ago=1)
    others = [PLAIN._replace(time=SECOND - DAY - 60 * at, entry=1, source="(direct)") for at in range(40)]
    orders = [*agreed[::4], *others[:20]]  # 30 visitors who agreed
    goals = [
        hit._replace(kind="goal", event=name, source="", entry=0)
        for hit in orders
        for name in ("order", "order: 50 to 100")
    ]
    return [*agreed, *others, *goals, *choices("accepted", 60, 1), *choices("refused", 20, 1)]


def test_the_gap_is_what_visitors_who_did_not_agree_hide(office: Office) -> None:
    office.write(buyers())

    found = gap(office.get("tab=consent&range=7").text)

    assert found == {"Visits": ("60", "100", "40"), "Order": ("30", "50", "20")}
    assert json.loads(office.get("tab=consent&range=7&table=Consent+gap&form=json").text)[0]["All"] == 100


def test_no_gap_is_shown_of_few_on_either_side(office: Office) -> None:
    few = people(3, days_ago=1)
    office.write(
        [
            *few,
            *[PLAIN._replace(time=SECOND - DAY, entry=1, source="(direct)")] * 40,
            *choices("refused", 20, 1),
        ]
    )

    assert gap(office.get("tab=consent&range=7").text) == {}


def test_yesterday_and_any_two_days_are_offered_and_rounded_together(office: Office) -> None:
    office.write(month())

    for tab in ("consent", "bots"):
        text = unescape(office.get(f"tab={tab}").text)
        assert f"?tab={tab}&range=2026-11-23" in text
        assert '<input type="date" name="from"' in text
    assert figures(office.get("tab=consent&range=2026-11-23").text)["Shown"] == "50"
    text = office.get("tab=consent&from=2026-11-10&to=2026-11-19").text
    assert (figures(text)["Shown"], figures(text)["Accepted"]) == ("500", "160")
    assert "10 to 19 Nov" in text or "10 Nov to 19 Nov 2026" in text
    assert office.get("tab=held&range=2026-11-23").status == 400


def test_bots_of_any_days_are_known(office: Office) -> None:
    bot = PLAIN._replace(browser="Googlebot", bot="search", page="/cart")
    office.write(
        [*people(20), *[bot._replace(time=SECOND - ago * DAY) for ago in range(1, 11) for _ in range(10)]]
    )

    text = office.get("tab=bots&from=2026-11-16&to=2026-11-19").text

    assert cells(text, "What bots ask for") == {"/cart": ["40", "Googlebot"]}
    assert "<td>40</td>" in text
