"""The page Vendors lists everything seen or declared, and its three answers lead to the right configuration."""

from __future__ import annotations

import json
import re
import secrets
import tomllib
from collections.abc import Callable
from datetime import UTC, date, datetime
from html import unescape
from pathlib import Path
from urllib.parse import urlencode

import pytest
from features.people.test_staff_guard import Desk
from features.statistics.test_stats_page import people
from harness.asgi import Answer, ask, no_app
from web.test_undeclared_loads import report

from cookieguard import CookieGuard, Vendor
from cookieguard.config import CookieSettings, OwnCookie, PolicyVersion, Purpose, StatsSettings, load_config
from cookieguard.engines.files.undeclared_loads import (
    UndeclaredLoadsFile,
    read_reports,
    read_undeclared_loads,
)
from cookieguard.features.statistics.engines.sqlite.engine import STATS_FILE
from cookieguard.features.statistics.engines.sqlite.writer import SqliteHits
from cookieguard.stats.hits import Batch, Hit
from cookieguard.storage.state_directory import StateDirectory
from cookieguard.web.undeclared_loads import VISITORS

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
ADS = Vendor(name="Ads", purpose="marketing", hosts=("ads.example",), country="US")
WHOLE = Vendor(
    name="Tally",
    purpose="statistics",
    hosts=("tally.example",),
    contract_end=date(2027, 1, 1),
    role="processor",
    country="DE",
    data=("pages",),
    retention="1 year",
    privacy_url="https://tally.example/privacy",
)
HELD = [["ads.example", 1, "Ads", "marketing"], ["www.google-analytics.com", 1, "", "marketing"]]
ANSWERED = {
    "host": "www.google-analytics.com",
    "own": "no",
    "who": "google-analytics",
    "purpose": "statistics",
}
HOSTILE = (
    'x"onload="alert(1)',
    "<script>",
    "a" * 300,
    "evil.example/%22",
    "x.example\u202e",
    "",
    "..",
    "UP.example",
)
Guard = Callable[..., CookieGuard]


@pytest.fixture
def desk(guard: Guard, tmp_path: Path) -> Desk:
    return Desk(guard(no_app, vendors=(WHOLE, ADS)), tmp_path / "state")


def write(desk: Desk, *hits: Hit) -> None:
    engine = SqliteHits(desk.state / STATS_FILE)
    engine.write(Batch(secrets.token_hex(4), hits, {}, {}))
    engine.close()


def open_page(desk: Desk, role: str = "officer", **query: str) -> Answer:
    headers = [("authorization", f"Bearer {desk.add(role)}")]
    return ask(desk.app, path="/_cg/vendors", query=urlencode(query), headers=headers)


def rows(answer: Answer) -> dict[str, str]:
    """Return the text of each third party in the list, by its name."""
    found = re.findall(r"<li class=\"card\">\s*<h2><a [^>]*><bdi>([^<]+)(.*?)</li>", answer.text, re.DOTALL)
    return {unescape(name): " ".join(re.sub("<[^>]+>", " ", text).split()) for name, text in found}


def lines_of(answer: Answer) -> str:
    return unescape(re.findall(r"<pre[^>]*><code>(.*?)</code>", answer.text, re.DOTALL)[0])


@pytest.mark.parametrize(
    ("role", "opens", "drafts"),
    [("analyst", 200, 403), ("support", 403, 403), ("officer", 200, 200), ("owner", 200, 200)],
)
def test_analysts_look_and_officers_draft(desk: Desk, role: str, opens: int, drafts: int) -> None:
    write(desk, *people(9, held=json.dumps(HELD)))

    looked, drafted = open_page(desk, role), open_page(desk, role, **ANSWERED)
    downloaded = open_page(desk, role, **ANSWERED, file="toml")

    assert (looked.status, drafted.status, downloaded.status) == (opens, drafts, drafts)
    assert ("[[vendors]]" in downloaded.text) is (drafts == 200)
    assert "<pre" not in drafted.text or drafts == 200
    assert ask(desk.app, path="/_cg/vendors").status == 403


def test_the_undeclared_come_first_then_the_incomplete_and_then_the_rest(desk: Desk) -> None:
    write(
        desk,
        *people(9, held=json.dumps(HELD)),
        *people(9, days_ago=20, held=json.dumps(HELD[1:]), page="/cart"),
    )

    found = rows(open_page(desk))

    assert list(found) == ["Google Analytics", "Ads", "Tally"]
    assert "Held on 40 views in 30 days" in found["Google Analytics"]
    assert "First seen on 4 November 2026" in found["Google Analytics"]
    assert "Missing: end of the contract, role, transfer, data" in found["Ads"]
    assert "First seen on 24 November 2026" in found["Ads"]
    assert "complete" in found["Tally"]
    assert "Missing" not in found["Tally"]
    assert list(rows(open_page(desk, show="missing"))) == ["Ads"]
    assert list(rows(open_page(desk, show="undeclared"))) == ["Google Analytics"]


def test_the_first_day_is_older_than_the_range_that_is_shown(desk: Desk) -> None:
    write(desk, *people(9, held=json.dumps(HELD)), *people(9, days_ago=200, held=json.dumps(HELD)))

    found = rows(open_page(desk))

    assert "Held on 20 views in 30 days" in found["Ads"]
    assert "First seen on 8 May 2026" in found["Ads"]


@pytest.mark.parametrize(
    ("stats", "said"),
    [
        ({"enabled": False}, "The statistics are off"),
        ({}, "Nothing has been held yet"),
        ({"url": "postgresql://localhost:1/x"}, "The statistics cannot be read"),
    ],
)
def test_without_figures_the_page_says_so_and_shows_who_is_declared(
    guard: Guard, tmp_path: Path, stats: dict[str, object], said: str
) -> None:
    desk = Desk(guard(no_app, vendors=(ADS,), stats=StatsSettings(**stats)), tmp_path / "state")
    UndeclaredLoadsFile(StateDirectory(desk.state)).add("late.example", "Ads", "/", NOW.date())

    answer = open_page(desk)

    assert answer.status == 200
    assert said in answer.text
    assert list(rows(answer)) == ["late.example", "Ads"]
    assert "Reported by browsers, not verified" in rows(answer)["late.example"]


def test_a_shop_without_vendors_reads_what_would_appear(guard: Guard, tmp_path: Path) -> None:
    desk = Desk(guard(no_app, vendors=()), tmp_path / "state")

    answer = open_page(desk)

    assert "No third party yet." in answer.text
    assert f"--save {desk.state}/scan.json" in answer.text


def test_answers_lead_to_lines_that_the_file_takes(desk: Desk, tmp_path: Path) -> None:
    write(desk, *people(9, held=json.dumps(HELD)))

    answer, file = open_page(desk, **ANSWERED), open_page(desk, **ANSWERED, file="toml")

    assert file.text == f"{lines_of(answer)}\n"
    assert file.get("content-disposition") == 'attachment; filename="cookieguard-vendor.toml"'
    written = tmp_path / "cookieguard.toml"
    written.write_text(
        '[[vendors]]\nname = "Ads"\npurpose = "marketing"\nhosts = ["ads.example"]\n' + file.text
    )
    added = load_config(written).vendors[-1]
    assert (added.name, added.purpose) == ("Google Analytics", "statistics")
    assert "The purpose is new" not in answer.text
    assert "<strong><bdi>Google Analytics</bdi></strong>" in answer.text  # as the page of choices names it
    assert 'Nobody: visitors who agreed to <bdi lang="en">Statistics</bdi> let it in at once.' in answer.text


def test_a_list_of_names_gets_one_more(guard: Guard, tmp_path: Path) -> None:
    desk = Desk(guard(no_app, vendors=(Vendor(catalogue="stripe"),)), tmp_path / "state")
    write(desk, *people(9, held=json.dumps(HELD[1:])))

    lines = lines_of(open_page(desk, **{**ANSWERED, "purpose": "marketing"}))

    assert lines == 'vendors = ["stripe", { catalogue = "google-analytics", purpose = "marketing" }]'


def test_a_stranger_is_declared_by_name_and_a_new_purpose_asks_everybody_again(
    guard: Guard, tmp_path: Path
) -> None:
    stats = StatsSettings(enabled=False)
    desk = Desk(
        guard(no_app, vendors=(), stats=stats, purposes=(Purpose(id="chat", title="Chat"),)),
        tmp_path / "state",
    )
    UndeclaredLoadsFile(StateDirectory(desk.state)).add("talk.example", "", "/", NOW.date())
    answers = {
        "host": "talk.example",
        "own": "no",
        "name": 'Talk "Ltd" <b>',
        "privacy_url": "https://talk.example/p",
    }

    chat, films = (open_page(desk, **answers, purpose=one) for one in ("chat", "preferences"))

    assert 'name = "Talk \\"Ltd\\" <b>"\npurpose = "chat"\nhosts = ["talk.example"]' in lines_of(chat)
    assert "The banner stays as it is" in chat.text
    assert "Every visitor who agreed to something, because there is a new question" in films.text
    assert "The purpose is new, so the banner would name it" in films.text
    assert "<b>&#34;" not in chat.text
    assert 'Ltd" <b>' not in chat.text


def test_with_versions_of_the_policy_the_new_recipient_is_asked_for(guard: Guard, tmp_path: Path) -> None:
    policy = PolicyVersion(version="2026-01-15", folder="demo_site/policy")
    desk = Desk(guard(no_app, vendors=(ADS,), policy=policy), tmp_path / "state")
    write(desk, *people(9, held=json.dumps(HELD)))

    answer = open_page(desk, **ANSWERED)

    assert (
        'Visitors who agreed to <bdi lang="en">Statistics</bdi>, because it has a new recipient.'
        in answer.text
    )


def test_a_cookie_that_has_another_purpose_already_is_said_before_the_shop_stops_at_it(
    guard: Guard, tmp_path: Path
) -> None:
    cookies = CookieSettings(own=(OwnCookie(name="_ga", purpose="necessary"),))
    desk = Desk(guard(no_app, vendors=(), cookies=cookies), tmp_path / "state")
    write(desk, *people(9, held=json.dumps(HELD[1:])))

    answer = open_page(desk, **ANSWERED)

    assert answer.status == 400
    assert "a cookie that is not declared for statistics already" in answer.text


def test_the_shops_own_host_joins_those_before(guard: Guard, tmp_path: Path) -> None:
    own = {"first_party_hosts": ("cdn.example",), "vendors": ()}
    desk = Desk(guard(no_app, **own), tmp_path / "state")
    write(desk, *people(9, held='[["img.example",1,"","marketing"]]'))

    answer = open_page(desk, host="img.example", own="yes")

    assert lines_of(answer) == 'first_party_hosts = ["cdn.example", "img.example"]'
    assert "would load for every visitor, before any choice" in answer.text


def test_a_necessary_vendor_needs_a_reason_and_is_not_offered_first(desk: Desk) -> None:
    write(desk, *people(9, held='[["pay.unknown.example",1,"","marketing"]]'))
    answers = {"host": "pay.unknown.example", "own": "no", "name": "Pay", "purpose": "necessary"}

    asked, bare, whole = (
        open_page(desk, **one)
        for one in ({"host": answers["host"]}, answers, {**answers, "reason": "It takes the payment"})
    )

    assert 'value="necessary" checked' not in asked.text
    assert (bare.status, whole.status) == (400, 200)
    assert "<pre" not in bare.text
    assert 'reason = "It takes the payment"' in lines_of(whole)
    assert "no visitor can refuse it" in asked.text


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ({"purpose": "marketing"}, "Question 2 has no answer"),
        ({"name": "X"}, "Question 3 has no answer"),
        ({"name": "Ads", "purpose": "marketing"}, "This cannot be declared: vendors"),
        ({"name": "X", "purpose": "none-of-them"}, "This cannot be declared: vendors.X.purpose"),
        (
            {"name": "X", "purpose": "marketing", "privacy_url": "javascript:alert(1)"},
            "vendors.X.privacy_url",
        ),
    ],
)
def test_declaration_that_is_not_possible_is_refused_with_the_reason(
    desk: Desk, answers: dict[str, str], said: str
) -> None:
    write(desk, *people(9, held='[["odd.example",1,"","marketing"]]'))

    answer = open_page(desk, host="odd.example", own="no", **answers)

    assert answer.status == 400
    assert said in unescape(answer.text)
    assert "<pre" not in answer.text


@pytest.mark.parametrize("name", ["Tally \U0001f4ca", "X \u2764", 'Q"]\\', "\u202e[staff]"])
def test_lines_of_every_name_can_be_read_again(desk: Desk, name: str) -> None:
    write(desk, *people(9, held='[["odd.example",1,"","marketing"]]'))

    answer = open_page(desk, host="odd.example", own="no", name=name, purpose="marketing")

    assert (answer.status, lines_of(answer).isascii()) == (200, True)
    assert tomllib.loads(lines_of(answer)) == {
        "vendors": [{"name": name, "purpose": "marketing", "hosts": ["odd.example"]}]
    }


@pytest.mark.parametrize("host", HOSTILE)
def test_names_that_are_no_hosts_are_neither_shown_nor_found(desk: Desk, host: str) -> None:
    file = UndeclaredLoadsFile(StateDirectory(desk.state))
    file.add(host, "<b>by</b>", "/<i>page</i>", NOW.date())
    file.add("fine.example", "<b>by</b>", "/<i>page</i>", NOW.date())

    answer, page = open_page(desk), open_page(desk, host="fine.example")

    assert list(rows(answer)) == ["fine.example", "Ads", "Tally"]
    assert not re.search("<(b|i)>(by|page)", page.text)
    assert open_page(desk, host=host or "-").status == 404


def test_thousands_of_made_up_hosts_make_no_endless_page(desk: Desk) -> None:
    write(
        desk,
        *(
            hit
            for one in range(40)
            for hit in people(
                1,
                views=1,
                held=json.dumps([[f"h{one}-{two}.example", 1, "", "marketing"] for two in range(20)]),
            )
        ),
    )

    answer = open_page(desk)

    assert len(rows(answer)) == 300
    assert "more are not listed" in answer.text
    assert open_page(desk, host="h39-19.example").status == 200


def test_a_scan_that_is_kept_adds_what_it_found(desk: Desk) -> None:
    facts = {
        "at": "2026-11-20T10:00:00+00:00",
        "parties": [{"declared": "", "hosts": ["www.youtube.com"], "pages": ["/", "/film"]}],
    }
    file = desk.state / "scan.json"
    file.write_text(json.dumps(facts))
    found = rows(open_page(desk))
    broken = []
    for text in ("[]", "{", '{"at": 7}', '{"at": "2026-11-20", "parties": [7]}', "[" * 9000):
        file.write_text(text)
        broken.append(list(rows(open_page(desk))))

    assert "Seen on / and 1 more page. First seen on 20 November 2026." in found["YouTube"]
    assert broken == [["Ads", "Tally"]] * 5


def test_reports_of_what_was_held_leave_room_for_what_was_loaded(tmp_path: Path) -> None:
    file = UndeclaredLoadsFile(StateDirectory(tmp_path / "state"))

    while file.add("held.example", "", "/" + "p" * 2000, NOW.date(), is_held=True):
        pass

    assert file.add("loaded.example", "", "/", NOW.date())
    assert [one.host for one in read_undeclared_loads(tmp_path / "state")] == ["loaded.example"]


def test_what_the_policy_held_is_kept_apart_from_what_was_loaded(guard: Guard, tmp_path: Path) -> None:
    desk = Desk(guard(no_app, vendors=(WHOLE, ADS)), tmp_path / "state")
    for number in range(VISITORS):
        report(desk.app, ("x-none", ""), source="", client=f"203.0.{number}.9", disposition="enforce")
    report(
        desk.app, ("x-none", ""), "https://ext.example/", "chrome-extension://a/b.js", disposition="enforce"
    )

    answer = open_page(desk, host="x.example")

    assert [(one.host, one.page) for one in read_reports(desk.state)] == [("x.example", "/product/7")]
    assert read_undeclared_loads(desk.state) == []  # nobody is warned of what was held
    assert "stopped, as browsers reported (not verified)" in answer.text
