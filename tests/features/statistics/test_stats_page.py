"""The dashboard is for analysts alone, shows figures as they were written, and hides small groups."""

from __future__ import annotations

import asyncio
import os
import re
import secrets
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from urllib.parse import urlencode

import pytest
from anyio import to_thread
from harness.asgi import Answer, ask, drive, no_app, scope_of
from stats.traffic import PLAIN

from cookieguard import CookieGuard
from cookieguard.features.people.staff_list import change_staff
from cookieguard.features.statistics.engines.sqlite.engine import STATS_FILE
from cookieguard.features.statistics.engines.sqlite.writer import SqliteHits
from cookieguard.features.statistics.notes import NOTES_FILE
from cookieguard.identity.staff_token import Member, staff_codec, write_token
from cookieguard.keyring import Keyring
from cookieguard.stats.hits import Batch, Hit
from cookieguard.stats.k_anonymity import rounded
from cookieguard.storage.keyring_source import beside

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
SECOND = int(NOW.timestamp())
DAY = 86_400
YEARS = re.compile(r'<a class="year".*?</a>')
EVIL = "<script>alert(1)</script>\"'&"


class Office:
    """A guarded shop with an analyst and a file of statistics."""

    def __init__(self, app: CookieGuard, state: Path) -> None:
        self.app, self.state = app, state
        codec = staff_codec(Keyring.loads(beside(state).read_text(), setting="test"))
        until = NOW + timedelta(days=9)
        member = Member(id="a" * 12, name="Anna", role="analyst", made=NOW, expires=until)
        change_staff(state, lambda before: before | {member.id: member})
        self.token = write_token(codec, member)

    def write(self, hits: Sequence[Hit]) -> None:
        engine = SqliteHits(self.state / STATS_FILE)
        engine.write(Batch(secrets.token_hex(4), hits, {}, {}))
        engine.close()

    def get(self, query: str = "", *, token: str | None = None) -> Answer:
        headers = [("authorization", f"Bearer {self.token if token is None else token}")]
        return ask(self.app, path="/_cg/stats", query=query, headers=headers)


@pytest.fixture
def office(guard: Callable[..., CookieGuard], tmp_path: Path) -> Office:

    return Office(guard(no_app), tmp_path / "state")


def people(count: int, *, days_ago: int = 0, views: int = 2, **fields: object) -> list[Hit]:
    """Return the views of so many visitors who agreed."""
    first = SECOND - 3600 - days_ago * DAY
    plain = PLAIN._replace(**{"source": "(direct)", **fields})
    return [
        hit._replace(time=first + 60 * step, source=hit.source if not step else "")
        for hit in (plain._replace(key=secrets.randbits(62) + 1) for _ in range(count))
        for step in range(views)
    ]


def figures(text: str) -> dict[str, str]:
    return dict(re.findall(r"<dt>([^<]+)</dt><dd[^>]*>([^<]+)", text))


def rows(text: str, title: str) -> dict[str, tuple[str, str]]:
    """Return value -> both figures of one breakdown."""
    section = re.search(rf'<section class="card[^"]*" aria-label="{title}">(.*?)</section>', text, re.DOTALL)
    assert section is not None, title
    line = r"<bdi[^>]*>(?:<a [^>]*>)?([^<]*)(?:</a>)?</bdi></td>\s*<td>([^<]*)</td><td>([^<]*)</td>"
    return {value: (main, visitors) for value, main, visitors in re.findall(line, YEARS.sub("", section[1]))}


def cells(text: str, title: str) -> dict[str, list[str]]:
    """Return value -> all figures of one breakdown."""
    section = re.search(
        rf'<section class="card[^"]*" aria-label="{re.escape(title)}">(.*?)</section>', text, re.DOTALL
    )
    assert section is not None, title
    lines = re.findall(
        r"<tr[^>]*>\s*<td>.*?<bdi[^>]*>(.*?)</bdi></td>(.*?)</tr>", YEARS.sub("", section[1]), re.DOTALL
    )
    tags = re.compile(r"<[^>]+>")
    return {
        tags.sub("", value): [tags.sub("", one) for one in re.findall(r"<td>(.*?)</td>", rest)]
        for value, rest in lines
    }


def test_dashboard_answers_403_without_an_analysts_token(office: Office) -> None:
    office.write(people(9))

    for answer in (office.get(token=""), office.get("tab=held", token="2.a.b.c")):
        assert (answer.status, answer.text) == (403, "not allowed\n")
    assert office.get().status == 200


BROWSER = ("accept", "text/html,application/xhtml+xml")


def test_browser_without_the_role_is_asked_to_sign_in_and_lands_where_it_wanted_to(office: Office) -> None:
    form = ask(office.app, path="/_cg/stats", query="range=7&country=DE", headers=[BROWSER])

    assert form.status == 403
    assert '<input type="hidden" name="next" value="stats?range=7&amp;country=DE"/>' in form.text
    assert "Statistics" not in form.text
    signed = sign_in(office, office.token, "stats?range=7&country=DE")
    assert (signed.status, signed.get("location")) == (303, "/_cg/stats?range=7&country=DE")
    assert 'name="next" value="stats?range=7"' in sign_in(office, "wrong", "stats?range=7").text


@pytest.mark.parametrize(
    "path", ["//evil.example", "https://evil.example/", "stats\r\nx: y", "../cart", "stats/../x"]
)
def test_signing_in_leads_to_no_other_place(office: Office, path: str) -> None:
    assert sign_in(office, office.token, path).get("location") == "/_cg/overview"
    assert "evil" not in sign_in(office, "wrong", path).text


def sign_in(office: Office, token: str, wanted: str) -> Answer:
    headers = [("sec-fetch-site", "same-origin"), ("content-type", "application/x-www-form-urlencoded")]
    body = urlencode({"token": token, "next": wanted}).encode()
    return ask(office.app, path="/_cg/staff", method="POST", headers=headers, body=body)


def test_third_filter_leads_back(office: Office) -> None:
    office.write([*people(9, country="FR", page="/about"), *people(9)])

    answer, two = office.get("page=/&device=desktop&country=DE"), office.get("page=/&country=DE")

    assert answer.status == 400
    assert "?tab=summary&amp;range=30&amp;page=%2F&amp;country=DE" in answer.text  # without the device
    assert "All figures without filters" in answer.text
    assert re.findall(r'<select name="(\w+)" disabled', two.text) == ["source", "device", "campaign"]


def test_figures_are_what_was_written(office: Office) -> None:
    hits = [
        *people(7, country="DE"),
        *people(6, country="FR", days_ago=3, page="/about", device="mobile", views=3),
        *people(9, country="DE", days_ago=40),  # before this range
    ]
    office.write(hits)

    text = office.get("range=30").text

    now = [hit for hit in hits if hit.time > SECOND - 30 * DAY]
    assert figures(text) == {"Visitor-days": "13", "Visits": "13", "Views": "32", "Views per visit": "2.5"}
    assert len(now) == 32
    views = Counter(hit.country for hit in now)
    assert rows(text, "Countries") == {
        name: (str(rounded(views[code])), str(rounded(count)))
        for name, code, count in (("France", "FR", 6), ("Germany", "DE", 7))
    }
    assert rows(text, "Pages") == {"/about": ("20", "10"), "/": ("10", "10")}
    assert rows(text, "Devices") == {"mobile": ("20", "10"), "desktop": ("10", "10")}
    assert rows(text, "Sources") == {"(direct)": ("10", "10")}


def test_goals_are_counted_by_name_and_few_people_are_not_shown(office: Office) -> None:
    readers = people(12, views=1)
    signed = [hit._replace(kind="goal", event="newsletter", source="") for hit in readers]
    ordered = [hit._replace(event="order placed") for hit in signed[:6]]
    office.write([*readers, *signed, *ordered, *ordered[:3]])

    assert rows(office.get("range=30").text, "Goals") == {
        "newsletter": ("10", "10"),
        "order placed": ("10", "10"),
    }

    office.write([hit._replace(event="complaint") for hit in signed[:2]])

    text = office.get("range=30").text
    assert rows(text, "Goals") == {"(other)": ("20", "-")}
    assert "complaint" not in text


def test_one_filter_keeps_breakdowns_and_two_do_not(office: Office) -> None:
    office.write([*people(7, country="DE"), *people(6, country="FR", page="/about", views=3)])

    one, two = office.get("country=FR").text, office.get("country=FR&device=desktop").text

    assert figures(one)["Views"] == figures(two)["Views"] == "20"  # of 18: as all under a filter
    assert rows(one, "Pages") == {"/about": ("20", "10")}
    assert "No breakdowns with two filters. At most 2 filters at once: one more could" in two
    assert 'aria-label="Pages"' not in two


def test_small_values_are_folded_and_cannot_be_filtered_by(office: Office) -> None:
    office.write([*people(20, country="DE"), *people(12, country="FR"), *people(1, country="LI")])

    text = office.get().text

    assert rows(text, "Countries") == {"Germany": ("40", "20"), "(other)": ("30", "-")}
    assert '"LI"' not in text
    assert "Liechtenstein" not in text
    hidden, made_up = office.get("country=LI"), office.get("country=QQ")
    assert (hidden.status, hidden.text) == (400, made_up.text)


def test_visitors_that_would_be_few_are_left_out_beside_views_of_many(office: Office) -> None:
    guests = [PLAIN._replace(time=SECOND - 60, source="x.example", entry=1, country="AT")] * 30
    office.write([*people(3, country="AT"), *people(12, country="DE"), *people(40, country="CH"), *guests])

    assert rows(office.get().text, "Countries") == {
        "Switzerland": ("80", "40"),
        "Austria": ("40", "-"),
        "Germany": ("20", "-"),
    }


def test_range_widens_and_says_so(office: Office) -> None:
    office.write([*people(2), *people(8, days_ago=5)])

    text = office.get("range=today").text

    assert "Today: fewer than 5 people. Shown instead: 7 days." in text
    assert figures(text)["Visitor-days"] == "10"


def test_days_weeks_and_months_of_the_calendar_are_shown_rounded_beside_the_time_before(
    office: Office,
) -> None:
    office.write(
        [*people(23, days_ago=1), *people(14, days_ago=4), *people(31, days_ago=11), *people(9, days_ago=30)]
    )

    day, week, month = (office.get(f"range={one}").text for one in ("2026-11-23", "2026-W47", "2026-10"))

    assert "<p>Day: Mon 23 Nov 2026 (UTC)</p>" in day
    assert figures(day)["Views"] == "50"  # 46
    assert "<p>Week 47: 16 Nov to 22 Nov 2026 (UTC)</p>" in week
    assert figures(week)["Views"] == "30"  # 28
    assert re.search(r"-50 %</bdi> vs\. the period before", week)  # 60 of 62
    assert figures(month)["Views"] == "20"  # 18
    assert "Day: fewer than 5 people" in office.get("range=2026-11-01").text


def test_a_day_is_compared_with_the_day_before_and_says_why_it_has_no_chart(office: Office) -> None:
    office.write([*people(40, days_ago=1), *people(80, days_ago=2), *people(40, days_ago=9)])

    day = office.get("range=2026-11-23").text

    assert "<bdi>-50 %</bdi> vs. the day before" in day
    assert "One day has no chart" in day
    assert "One day has no chart" not in office.get("range=7").text


def test_links_lead_to_yesterday_last_week_and_last_month(office: Office) -> None:
    office.write(people(23, days_ago=1))

    found = re.findall(r'range=([^"&]+)">(Yesterday|Last \w+)</a>', office.get().text)

    assert found == [("2026-11-23", "Yesterday"), ("2026-W47", "Last week"), ("2026-10", "Last month")]


@pytest.mark.parametrize(
    "query",
    [
        *("range=2026-11-24", "range=2026-W48", "range=2026-11", "range=2026-W60", "range=2026-02-30"),
        *("range=2026-11-23&tab=held", "range=2026-W47&country=DE&device=desktop"),
        *("from=2026-11-25&to=2026-11-26", "from=2026-11-31", "range=2026-11-03..2026-11-31"),
        *("from=0001-01-01&to=2026-11-20", "range=1969-01-01..1969-02-03"),
        *("range=2026-11-03..2026-11-19&country=DE&device=desktop", "from=2026-11-03&to=2026-11-19&tab=held"),
    ],
)
def test_a_period_that_is_not_over_or_is_none_is_answered_in_one_line(office: Office, query: str) -> None:
    office.write([*people(23, days_ago=1), *people(23)])

    answer = office.get(query)

    assert answer.status == 400
    assert answer.text.count('role="alert"') == 1


def test_too_few_in_every_range_shows_nothing(office: Office) -> None:
    office.write(people(4, page="/secret-page"))

    text = office.get().text

    assert "Fewer than 5 people came in every range" in text
    assert figures(text) == {}
    assert "secret-page" not in text


def at_hours(day: int, visitors: dict[int, int]) -> list[Hit]:
    """Return one view of each of so many visitors by hour of a day."""
    midnight = SECOND // DAY * DAY - day * DAY
    return [
        PLAIN._replace(
            time=midnight + hour * 3600 + 9, key=secrets.randbits(62) + 1, source="(direct)", entry=1
        )
        for hour, count in visitors.items()
        for _ in range(count)
    ]


def bars(text: str) -> dict[str, tuple[str, ...]]:
    """Return the rows of the table of a course: views, second figure, views before."""
    cells = re.findall(r"<tr><td>(\d\d:00)</td><td>([^<]+)</td><td>([^<]+)</td><td>([^<]+)</td></tr>", text)
    return {label: tuple(three) for label, *three in cells}


def test_today_shows_the_later_hours_of_yesterday_and_no_hour_to_come(office: Office) -> None:
    office.write([*at_hours(0, dict.fromkeys(range(13), 20)), *at_hours(1, dict.fromkeys(range(24), 30))])
    office.write([*people(30, days_ago=4), *people(30, days_ago=20)])

    text = office.get("range=today").text

    assert bars(text)["12:00"] == ("20", "20", "30")
    assert len(bars(text)) == 13
    (line,) = re.findall(r'<polyline class="b" points="([^"]+)"', text)
    assert len(line.split()) == 24
    # As many at each hour, to the end of the day
    assert len({point.partition(",")[2] for point in line.split()}) == 1
    assert "too few people" not in text.lower()


def test_small_shop_sees_blocks_of_hours_and_no_stub(office: Office) -> None:
    """At nine o'clock six visits began, which may be of three people: hours are put together before any is hidden."""
    office.write(at_hours(0, {4: 12, 9: 6, 10: 16, 11: 11}))
    office.write([*people(30, days_ago=4), *people(30, days_ago=20)])

    text = office.get("range=today").text

    assert {label: row[0] for label, row in bars(text).items()} == {
        "00:00": "0",
        "03:00": "10",
        "06:00": "0",
        "09:00": "30",
        "12:00": "0",
    }
    assert 'class="h"' not in text


def test_day_of_few_people_has_totals_and_no_empty_course(office: Office) -> None:
    office.write(at_hours(0, {9: 3, 12: 2}))
    office.write([*people(30, days_ago=4), *people(30, days_ago=20)])

    text = office.get("range=today").text

    assert figures(text)["Daily visitors"] == "5"
    assert 'class="chart"' not in text
    assert "Too few people come within an hour" in text


def test_one_person_who_reads_a_lot_is_no_crowd(office: Office) -> None:
    """One who agreed and looks at 52 pages on a day, and one who refused and looks at 50."""
    refused = PLAIN._replace(time=SECOND - 60, country="SM", page="/", key=0)
    office.write(
        [
            *people(40, country="DE"),
            *people(30, country="FR"),
            *people(1, country="LI", views=52),
            *[refused] * 50,
        ]
    )

    text = office.get("range=7").text

    assert set(rows(text, "Countries")) == {"Germany", "(other)"}
    assert office.get("range=7&country=LI").status == office.get("range=7&country=SM").status == 400


def test_filters_total_is_that_of_its_row_though_keys_are_gone(office: Office) -> None:
    office.write(
        [*people(140, days_ago=5, device="mobile"), *people(60, days_ago=3), *people(30, device="mobile")]
    )
    engine = SqliteHits(office.state / STATS_FILE)
    engine.forget(keys_before=SECOND // DAY, hits_before=0, rollups_before=0)
    engine.close()

    text, month = office.get("range=7&device=mobile").text, office.get("range=90&device=mobile").text

    assert figures(text)["Visitor-days"] == figures(month)["Visitor-days"] == "170"
    assert rows(text, "Pages") == {"/": ("340", "-")}  # of single hits, which have no keys any more
    assert "Visitors are left out under this filter" in text
    assert 'aria-label="Pages"' not in month
    assert "No breakdowns: under a filter they go back only 30 days" in month


def test_comparison_is_with_the_whole_period_before_only(office: Office) -> None:
    office.write([*people(10, days_ago=1), *people(5, days_ago=8)])
    assert "vs. the period before" not in office.get("range=7").text  # counted for a part of it

    office.write(people(5, days_ago=20))

    assert "+100 %" in office.get("range=7").text
    assert "Views in the period before" in office.get("range=7").text
    assert "Changes compare whole days, without today." in office.get("range=7").text


def test_whole_days_are_compared_with_whole_days(office: Office) -> None:
    """What came today has nothing to be compared with until the day is over."""
    office.write([*people(20, days_ago=1), *people(20, days_ago=8), *people(9, days_ago=20)])
    before = office.get("range=7").text

    office.write(people(60))

    after = office.get("range=7").text
    assert figures(before)["Views"] == "40"
    assert figures(after)["Views"] == "160"
    assert "<bdi>+0 %</bdi> vs. the period before" in before
    assert "<bdi>+0 %</bdi> vs. the period before" in after
    assert cells(before, "Pages")["/"][2] == cells(after, "Pages")["/"][2] == "+0 %"


def test_a_period_that_is_over_says_nothing_of_today(office: Office) -> None:
    office.write([*people(40, days_ago=8), *people(20, days_ago=15), *people(9, days_ago=30)])

    text = office.get("range=2026-W47").text
    assert "vs. the period before" in text
    assert "without today" not in text


@pytest.mark.parametrize(
    "query",
    [
        "range=31",
        "tab=secrets",
        "x=1",
        "range=7&range=7",
        "browser=Firefox",
        "page=/&source=x&country=DE",
        "tab=held&page=/",
        "page=" + "a" * 500,
        "&".join(f"a{number}=1" for number in range(30)),
        "country=%00%ff%27;DROP",
        "range=%3Cscript%3E",
    ],
)
def test_impossible_query_of_the_dashboard_is_answered_in_one_line(office: Office, query: str) -> None:
    office.write(people(9))

    answer = office.get(query)

    assert answer.status == 400
    assert answer.text.count('role="alert"') == 1
    assert "script" not in answer.text
    assert "DROP" not in answer.text


@pytest.mark.parametrize("tab", ["summary", "consent", "held", "bots"])
def test_page_is_kept_nowhere_and_its_values_are_text(office: Office, tab: str) -> None:
    held = f'[["{"h" * 9}<b>",1,"","x"]]'
    hits = people(
        9, page=EVIL, source=EVIL, campaign=EVIL, browser=EVIL, held=held, policy=EVIL, event="shown"
    )
    office.write([*hits, *[hit._replace(bot="ai", key=0) for hit in hits]])

    answer = office.get(f"tab={tab}")

    assert answer.status == 200
    assert "<script" not in answer.text
    assert "<b>" not in answer.text.replace("<b>20</b>", "")
    assert answer.get("cache-control") == "private, no-store"
    assert answer.get("content-security-policy").startswith("default-src 'none'; style-src 'self';")
    assert "http://" not in answer.text.replace("http://www.w3.org", "")
    assert " style=" not in answer.text


def test_value_that_was_shown_filters_by_its_own_link(office: Office) -> None:
    page = "/a b/ü?&=#%+;"
    office.write([*people(9, page=page), *people(9, page="/other", country="")])

    for title, value in (("Pages", "/a b"), ("Countries", "(unknown)")):
        section = office.get().text.partition(f'aria-label="{title}"')[2]
        links = re.findall(r'<a href="\?([^"]+)">([^<]+)</a>', section)
        query = next(link.replace("&amp;", "&") for link, text in links if text.startswith(value))

        assert figures(office.get(query).text)["Views"] == "20"


def test_a_link_by_the_former_name_of_the_summary_still_works(office: Office) -> None:
    office.write(people(20))

    former, now = office.get("tab=overview&range=7"), office.get("tab=summary&range=7")

    assert (former.status, former.text) == (200, now.text)


def test_consent_counts_events(office: Office) -> None:
    choice = PLAIN._replace(kind="choice", time=SECOND - 60, policy="v2")
    office.write(
        [
            *[choice._replace(event="accepted")] * 12,
            *[choice._replace(event="refused")] * 6,
            *[choice._replace(event="refused", time=SECOND - 2 * DAY)] * 2,
            *[choice._replace(event="withdrawn")] * 3,
        ]
    )

    text = office.get("tab=consent").text

    assert figures(text)["Accepted"] == "12"
    assert figures(text)["Refused"] == "8"
    assert figures(text)["Withdrawn"] == "fewer than 5"


def test_the_shares_of_the_answers_are_of_totals_that_are_shown(office: Office) -> None:
    choice = PLAIN._replace(kind="choice", time=SECOND - 60)
    office.write(
        [choice._replace(event="accepted")] * 12
        + [choice._replace(event="partly")] * 6
        + [choice._replace(event="refused")] * 6
    )

    shares = re.findall(r"<bdi>(\w+)</bdi></td><td>(\d+) %</td>", office.get("tab=consent").text)

    assert shares == [("Accepted", "50"), ("Partly", "25"), ("Refused", "25")]


def test_shares_of_the_signal_and_of_unanswered_banners_are_shown(office: Office) -> None:
    view, choice = PLAIN._replace(time=SECOND - 60), PLAIN._replace(kind="choice", time=SECOND - 60)
    office.write(
        [view._replace(gpc=1)] * 20
        + [view._replace(event="shown")] * 40
        + [view] * 20
        + [choice._replace(event="refused")] * 10
    )

    text = office.get("tab=consent").text

    assert "<bdi>Banners without an answer</bdi></td><td>75 %</td>" in text
    assert "<bdi>Views with GPC</bdi></td><td>25 %</td>" in text


def test_no_share_of_the_signal_is_shown_of_fewer_than_five(office: Office) -> None:
    view = PLAIN._replace(time=SECOND - 60)
    office.write([view._replace(gpc=1)] * 3 + [view._replace(event="shown")] * 40)

    assert "Views with GPC" not in office.get("tab=consent").text


def test_no_share_is_shown_where_a_total_is_hidden(office: Office) -> None:
    choice = PLAIN._replace(kind="choice", time=SECOND - 60)
    office.write([choice._replace(event="accepted")] * 12 + [choice._replace(event="refused")] * 3)

    text = office.get("tab=consent").text

    assert figures(text)["Refused"] == "fewer than 5"
    assert " %</td>" not in text


@pytest.mark.parametrize("query", ["", "&country=DE"])
def test_weeks_before_the_first_visit_have_no_bar_and_are_not_called_left_out(
    office: Office, query: str
) -> None:
    office.write(
        [*people(20, country="DE"), *people(20, country="FR"), *people(9, country="DE", days_ago=20)]
    )

    shown = office.get(f"range=12m{query}").text

    told = re.findall("<title>([^<]+)</title><rect", shown)
    assert [one.partition(":")[0] for one in told] == ["4 Nov", "11 Nov", "18 Nov"]
    table = shown.partition("As a table")[2].partition("</table>")[0]
    assert table.count("<tr>") == 1 + 3
    left_out = [one for one in told if "too few" in one]
    assert ("Left out (see below)" in shown) is bool(left_out)


def test_every_page_names_the_days_it_shows(office: Office) -> None:
    choice = PLAIN._replace(kind="choice", time=SECOND - 60, event="accepted")
    office.write([*people(9), *[choice] * 9])

    for query in ("tab=summary&range=30", "tab=consent&range=30"):
        assert "<p>30 days: 26 Oct to 24 Nov 2026 (UTC)</p>" in office.get(query).text
    assert "<p>12 months: 26 Nov 2025 to 24 Nov 2026 (UTC)</p>" in office.get("range=12m").text
    assert "<p>Today: Tue 24 Nov 2026 (UTC)</p>" in office.get("range=today").text


def test_a_page_says_whose_figures_it_shows(guard: Callable[..., CookieGuard], tmp_path: Path) -> None:
    office = Office(guard(None, origins=("https://shop.example",)), tmp_path / "state")
    office.write(people(9))

    for query in ("tab=summary", "tab=held"):
        assert "<bdi>shop.example</bdi></a></p>" in office.get(query).text


def test_held_hosts_and_bots_have_bars_of_what_is_shown(office: Office) -> None:
    held = '[["ads.example",1,"Ads","marketing"]]'
    few = '[["rare.example",1,"Ads","marketing"]]'
    bots = [PLAIN._replace(time=SECOND - 60, bot="search", browser=name) for name in ["A"] * 20 + ["B"] * 10]
    office.write([*people(10, held=held), *people(1, held=few, views=1), *bots])

    shown, crawled = office.get("tab=held").text, office.get("tab=bots").text

    assert re.findall(r'<rect width="(\d+)%"', shown) == ["100"]  # none for the host that is hidden
    assert re.findall(r'<rect width="(\d+)%"', crawled) == ["100", "100", "50"]  # a page, and two bots
    assert figures(crawled) == {
        "Hits of bots": "30",
        "Of views, errors and hits of bots": "60 %",
    }  # beside 20 views, rounded
    assert cells(crawled, "What bots ask for") == {"/": ["30", "A"]}


def test_held_names_undeclared_hosts_first(office: Office) -> None:
    held = '[["ads.example",2,"Ads","marketing"],["spy.example",1,"","marketing"]]'
    office.write([*people(9, held=held), *people(1, held='[["rare.example",1,"","marketing"]]', views=1)])

    text = office.get("tab=held").text

    assert re.findall(r"<h2><bdi>([^<]+)", text) == ["spy.example", "rare.example", "ads.example"]
    assert text.count(">not declared<") == 2
    assert "Held on <b>fewer than 5</b> views" in text
    assert "Held on <b>20</b> views, <b>40</b> elements" in text


def test_what_scrolls_can_be_reached_by_keys_and_headings_follow_each_other(office: Office) -> None:
    choice = PLAIN._replace(kind="choice", time=SECOND - 60, event="accepted")
    office.write([*people(9, held='[["ads.example",2,"Ads","marketing"]]'), *[choice] * 9])

    for query in ("tab=consent", "tab=held", "tab=summary", "country=DE"):
        text = office.get(query).text
        levels = [1, *map(int, re.findall(r"<h(\d)", text))]
        assert all(after - before <= 1 for before, after in pairwise(levels)), query
        scrolling = re.findall(r'<div class="wide"([^>]*)>', text)
        assert all(
            'tabindex="0"' in one and 'role="region"' in one and "aria-label=" in one for one in scrolling
        )
        assert bool(scrolling) is (query not in ("tab=held", "tab=consent"))


def test_figures_that_cannot_be_read_give_a_page(office: Office) -> None:
    assert office.get().status == 503  # nothing was ever counted

    (office.state / STATS_FILE).write_bytes(b"no database at all" * 100)
    answer = office.get()

    assert answer.status == 503
    assert "cannot be read at the moment" in answer.text
    assert office.app._parts.findings is not None


def test_many_requests_that_read_figures_leave_threads_to_the_shop(office: Office) -> None:
    office.write(people(9))
    notes = office.state / NOTES_FILE
    os.mkfifo(notes, 0o600)
    writer = os.open(notes, os.O_RDWR)  # until it is closed, the file is a disk that does not answer
    scope = scope_of("/_cg/stats", headers=[("authorization", f"Bearer {office.token}")])
    answers = [Answer(scope=dict(scope)) for _ in range(45)]

    async def ask_all() -> None:
        asked = asyncio.gather(*(drive(office.app, answer) for answer in answers))
        try:
            await asyncio.sleep(0.5)
            await asyncio.wait_for(to_thread.run_sync(int), 5)  # as a `def` endpoint of the shop
        finally:
            notes.unlink()
            os.close(writer)
            await asked

    asyncio.run(ask_all())
    assert {answer.status for answer in answers} == {200}


def test_without_statistics_there_is_no_page(guard: Callable[..., CookieGuard]) -> None:
    from cookieguard.config.stats import StatsSettings

    app = guard(None, stats=StatsSettings(enabled=False))

    assert ask(app, path="/_cg/stats").status == 404
