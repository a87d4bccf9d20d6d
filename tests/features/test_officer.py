"""The page of what is due and the weekly letter: one list by day, with the lines and links of each role."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from html import unescape
from pathlib import Path

import pytest
from features.people.test_staff_guard import Desk
from harness.asgi import Answer, ask, no_app
from harness.policies import two_versions
from stats.traffic import PLAIN

from cookieguard import Config, CookieGuard, PolicyVersion, Vendor
from cookieguard.config import IdentitySettings
from cookieguard.features.letter import Part, write_letter
from cookieguard.features.people.break_glass import LEDGER, Look
from cookieguard.features.people.journal import read_journal
from cookieguard.features.rights.requests import requests_opener
from cookieguard.features.rights.values.requests import Request, Via
from cookieguard.features.rights.values.rules import Law, RequestKind
from cookieguard.features.statistics.engines.sqlite.engine import STATS_FILE
from cookieguard.features.statistics.engines.sqlite.writer import SqliteHits
from cookieguard.keyring import Keyring
from cookieguard.stats.hits import Batch
from cookieguard.storage.keyring_source import beside
from cookieguard.storage.state_directory import StateDirectory
from cookieguard.storage.store.open import store_opener

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
ENDS = Vendor(name="Ads", purpose="marketing", hosts=("ads.example",), contract_end=date(2026, 12, 1))
BROWSER = ("accept", "text/html")
ALL = "Everything that is due"


@pytest.fixture
def desk(guard: Callable[..., CookieGuard], tmp_path: Path) -> Desk:
    return Desk(guard(no_app, vendors=(ENDS,)), tmp_path / "state")


def page(desk: Desk, token: str = "", *, is_browser: bool = False) -> Answer:
    headers = [("authorization", f"Bearer {token}")] if token else []
    return ask(desk.app, path="/_cg/due", headers=[*headers, *([BROWSER] if is_browser else [])])


def tasks(answer: Answer) -> dict[str, list[tuple[str, str]]]:
    """Return what to do under each day, with its link, or how it is done where no page does it."""
    return {
        re.sub("<[^>]+>", "", day): [
            (unescape(re.sub("<[^>]+>", "", line)), (re.findall('href="([^"]+)"', line) or [""])[0])
            for line in re.findall(r"<h3>(.*?)</h3>", body, re.DOTALL)
        ]
        for day, body in re.findall(r"<h2 id=\"day-\d+\">(.*?)</h2>(.*?)</section>", answer.text, re.DOTALL)
    }


def keyring(desk: Desk) -> Keyring:
    return Keyring.loads(beside(desk.state).read_text(), setting="test")


def ask_to_erase(desk: Desk, days: dict[str, int], steps: tuple[str, ...] = ()) -> None:
    """Put requests into the queue, by their ids, so many days old, of somebody whom no page may name."""
    with closing(
        requests_opener(desk.app.config, keyring(desk), StateDirectory(desk.state), environ={})()
    ) as requests:
        for id_, age in days.items():
            made = Request(
                id=id_,
                kind=RequestKind.ERASE,
                law=Law.GDPR,
                customer="number-4711",
                contact="anna@mail.example",
                text="<script>alert(1)</script>",
                received=NOW - timedelta(days=age),
                via=Via.LOGIN,
                steps=steps,
            )
            requests.add(made, has_work=True)


def test_officer_and_owner_see_it_and_the_look_is_in_the_journal(desk: Desk) -> None:
    answers = [page(desk, desk.add(role)) for role in ("officer", "owner")]

    assert [one.status for one in answers] == [200, 200]
    assert answers[0].get("cache-control") == "private, no-store"
    assert tasks(answers[0]) == {
        "Tuesday, 1 December 2026": [("Renew or end the contract with Ads", "/_cg/vendors?vendor=Ads")]
    }
    looks = [one for one in read_journal(desk.state) if one["event"] == "looked"]
    assert [(one["who"], one["what"]) for one in looks] == [
        ("officer", "what is due"),
        ("owner", "what is due"),
    ]


def test_each_role_reads_its_own_lines_and_strangers_get_the_same_403_without_a_hint(desk: Desk) -> None:
    ask_to_erase(desk, {"c" * 16: 40})
    tokens = ["", desk.add("analyst"), "2.a.b.c"]

    answers = [page(desk, one) for one in tokens]
    support, officer = (tasks(page(desk, desk.add(role))) for role in ("support", "officer"))

    assert {(one.status, one.text) for one in answers} == {(403, "not allowed\n")}
    assert list(support) == ["Overdue"]
    assert list(officer) == ["Overdue", "Tuesday, 1 December 2026"]
    session = desk.sign_in(tokens[1])
    cookie = ("cookie", f"__Host-cg_staff={session}")
    signed_in, stranger = (
        ask(desk.app, path="/_cg/due", headers=[BROWSER, *more]) for more in ([cookie], [])
    )
    assert (signed_in.status, stranger.status) == (403, 403)
    assert "This page needs the role support." in signed_in.text
    assert "<h1>What is due</h1>" in signed_in.text
    assert "needs the role" not in stranger.text


def test_address_in_earlier_letters_leads_to_the_list(desk: Desk) -> None:
    support, analyst = ([("authorization", f"Bearer {desk.add(one)}")] for one in ("support", "analyst"))

    led, refused = (ask(desk.app, path="/_cg/officer", headers=one) for one in (support, analyst))

    assert (led.status, led.get("location"), refused.status) == (303, "/_cg/due", 403)


def test_page_is_not_shown_where_the_journal_takes_nothing(desk: Desk) -> None:
    token = desk.add("officer")
    (desk.state / "staff-journal").write_text("in the way")

    answer = page(desk, token)

    assert answer.status == 503
    assert "Ads" not in answer.text


def test_each_request_is_one_line_under_its_day_that_leads_to_it_and_names_nobody(desk: Desk) -> None:
    ask_to_erase(desk, {"a" * 16: 25, "b" * 16: 2, "c" * 16: 41}, steps=("cart",))
    ask_to_erase(desk, {"d" * 16: 31, "e" * 16: 30})

    answer = page(desk, desk.add("support"))
    letter = write_letter(desk.app.config, keyring(desk), NOW)

    days = {part.title: [line.rpartition("id=")[2] for line in part.lines] for part in letter.parts}
    assert days["Overdue"] == ["c" * 16]
    assert days["Today"] == ["d" * 16]
    assert days["Tomorrow"] == ["e" * 16]
    assert days["This week"] == ["a" * 16]
    assert letter.parts[0].lines == (
        f"Answer the request for erasure (10 days late): /_cg/requests?id={'c' * 16}",
    )
    assert letter.parts[-1] == Part(title=ALL, lines=("1 more: /_cg/due",))  # b, which has three weeks left
    assert len(letter.text) < 20
    assert [tasks(answer)[day][0][0] for day in ("Today", "Tomorrow")] == [
        "Answer the request for erasure by 24 November",
        "Answer the request for erasure by 25 November",
    ]
    assert "(by 25 November)" in "".join(letter.text)
    links = [link for lines in tasks(answer).values() for _, link in lines]
    assert links == [f"/_cg/requests?id={one * 16}" for one in "cdeab"]
    for hidden in ("number-4711", "anna@", "alert(1)", "cookieguard "):
        assert hidden not in answer.text


def test_line_names_a_request_by_kind_and_day_and_a_look_by_its_person(desk: Desk) -> None:
    ask_to_erase(desk, {"a" * 16: 25}, steps=("cart",))
    with closing(store_opener(desk.app.config, desk.state, environ={}, keyring=keyring(desk))()) as store:
        LEDGER.change(store, lambda _: {"f3a9": (LOOK, "sealed")})

    answer = page(desk, desk.add("support"))

    said = unescape(re.sub("<[^>]+>", "", answer.text))
    assert "request for erasure of 30 October 2026, 6 days left, due on 30 November" in said
    assert "Sam opened a customer's data without their code on 21 November 2026: customer not told" in said
    assert not [id_ for id_ in ("a" * 16, "f3a9", "break-glass") if id_ in said]


def test_next_step_of_a_request_is_in_words(desk: Desk) -> None:
    ask_to_erase(desk, {"a" * 16: 25}, steps=("stored", "sessions"))  # a worker does both
    ask_to_erase(desk, {"b" * 16: 24}, steps=("stored", "by phone"))

    answer = page(desk, desk.add("support"))

    assert [task for lines in tasks(answer).values() for task, _ in lines] == [
        "Check on the request for erasure by 30 November",
        "Answer the request for erasure by 30 November",
    ]
    assert "waiting for cookieguard to do its part" in answer.text
    assert "waiting for work by hand: by phone" in answer.text


def test_letter_names_ten_late_requests_and_counts_the_others(desk: Desk) -> None:
    ask_to_erase(desk, {f"{at:016}": 60 - at for at in range(12)})

    found = tasks(page(desk, desk.add("support")))
    letter = write_letter(desk.app.config, keyring(desk), NOW)

    links = [link for _, link in found["Overdue"]]
    assert links == [*(f"/_cg/requests?id={at:016}" for at in range(10)), "/_cg/requests"]
    assert found["Overdue"][-1][0].startswith("Answer 2 more requests ")
    assert (len(letter.parts[0].lines), letter.due) == (7, 12)
    assert letter.parts[-1].lines == ("5 more: /_cg/due",)


def test_hosts_and_errors_of_others_are_shown_as_text(desk: Desk) -> None:
    host = "x.example\u202e<img src=x>"
    line = {"day": "2026-11-23", "host": host, "by": "<b>Ads</b>\r\nBcc: all@x.example", "page": "/"}
    (desk.state / "beyond").write_text(json.dumps(line) + "\n")

    text = page(desk, desk.add("officer")).text
    letter = write_letter(desk.app.config, keyring(desk), NOW)

    assert "&lt;img src=x&gt;" in text
    assert "<img" not in text
    assert all(one.isprintable() for one in letter.text)
    assert any(
        one.startswith("- Say what x.example") and "/_cg/vendors?host=x.example%E2%80%AE%3Cimg" in one
        for one in letter.text
    )


def test_hosts_that_were_held_and_nobody_declared_wait_for_an_officer_and_are_not_urgent(
    guard: Callable[..., CookieGuard], tmp_path: Path
) -> None:
    port = Vendor(name="Port", purpose="marketing", hosts=("port.example:8443",))
    desk = Desk(guard(no_app, vendors=(ENDS, port)), tmp_path / "state")  # both were declared since
    held = (
        '[["chat.example",1,"","marketing"],["ads.example",1,"","marketing"],["port.example",1,"","marketing"],'
        '["film.example",1,"Film","marketing"]]'
    )
    views = [PLAIN._replace(time=int(NOW.timestamp()) - 86_400 - at, held=held) for at in range(20)]
    with closing(SqliteHits(desk.state / STATS_FILE)) as engine:
        engine.write(Batch("one", views, {}, {}))

    letter = write_letter(desk.app.config, keyring(desk), NOW)
    answers = {role: page(desk, desk.add(role)) for role in ("support", "officer")}

    assert tasks(answers["officer"])["No date"] == [
        ("Say what chat.example is", "/_cg/vendors?host=chat.example")
    ]
    assert "chat.example was held in the last 7 days" in answers["officer"].text
    assert "chat.example" not in answers["support"].text
    assert letter.due == 1  # the contract that ends
    assert letter.parts[-1].lines == ("1 more: /_cg/due",)


def test_loads_are_told_where_the_statistics_cannot_be_read(tmp_path: Path) -> None:
    state = StateDirectory(tmp_path / "state")
    (state.path / STATS_FILE).write_text("no database")
    line = {"day": "2026-11-23", "host": "x.example", "by": "Ads", "page": "/"}
    (state.path / "beyond").write_text(json.dumps(line) + "\n")

    letter = write_letter(Config(state_dir=str(state.path), vendors=(ENDS,)), Keyring.generate(NOW), NOW)

    assert any(line.startswith("- Say what x.example is: ") for line in letter.text)
    assert any(line.startswith("- Statistics: ") for line in letter.text)


def test_list_and_letter_of_a_shop_in_which_nothing_is_due_are_one_sentence(
    guard: Callable[..., CookieGuard], tmp_path: Path
) -> None:
    desk = Desk(guard(no_app, vendors=()), tmp_path / "state")

    letter = write_letter(desk.app.config, keyring(desk), NOW)
    text = page(desk, desk.add("officer")).text

    assert re.findall(r"<main.*?</header>\s*<p[^>]*>(.*?)</p>\s*<footer>", text, re.DOTALL) == [
        "Nothing is due: every request is answered, every contract runs, and every announcement is out."
    ]
    assert letter.parts == (Part(title=ALL, lines=("Nothing is due.", "/_cg/due")),)
    assert letter.subject.endswith(": no things need you")


LOOK = Look(
    kind="break-glass",
    ground="legal",
    event="1",
    reason="law",
    scope="account",
    by="Sam",
    approved="Olga",
    at=NOW - timedelta(days=3),
)


@pytest.mark.parametrize("identity", [IdentitySettings(), IdentitySettings(enabled=False)])
def test_command_is_shown_as_code_where_no_page_does_it(
    guard: Callable[..., CookieGuard], tmp_path: Path, identity: IdentitySettings
) -> None:
    desk = Desk(guard(no_app, vendors=(), identity=identity), tmp_path / "state")
    config, ring = desk.app.config, keyring(desk)
    with closing(store_opener(config, desk.state, environ={}, keyring=ring)()) as store:
        LEDGER.change(store, lambda _: {"1": (LOOK, "sealed")})

    answer = page(desk, desk.add("support"))

    assert tasks(answer) == {"Overdue": [("Tell the customer about the look of Sam 3 days late", "")]}
    assert "support, run: <code>cookieguard access notify</code></p>" in answer.text


@pytest.mark.parametrize(
    ("announced", "is_due"), [("2026-11-20", True), ("2026-11-24", True), ("2026-12-01", False)]
)
def test_a_version_that_waits_for_its_announcement_is_named(
    tmp_path: Path, announced: str, is_due: bool
) -> None:
    folder = two_versions(tmp_path / "policy", announced=announced)
    config = Config(state_dir=str(tmp_path / "state"), policy=PolicyVersion(folder=str(folder)))
    CookieGuard(no_app, config).close()

    letter = write_letter(config, Keyring.generate(NOW), NOW)

    day = "Overdue" if announced == "2026-11-20" else "Today"
    if is_due:
        (line,) = letter.parts[0].lines
        assert letter.parts[0].title == day
        late = " (4 days late)" if day == "Overdue" else " (by 24 November)"
        assert line == f"Announce policy 2026-12-15{late}: /_cg/policies"
    assert letter.due == is_due


def test_unreadable_store_is_reported_where_its_tasks_would_be(tmp_path: Path) -> None:
    state = StateDirectory(tmp_path / "state")
    (state.path / "store.db").write_text("no database")
    (state.path / "store-requests.db").write_text("no database")
    config = Config(
        state_dir=str(state.path), policy=PolicyVersion(folder=str(two_versions(tmp_path / "policy")))
    )

    letter = write_letter(config, Keyring.generate(NOW), NOW)

    (part,) = [one for one in letter.parts if one.is_due]
    unread = [line.partition(":")[0] for line in part.lines if "SQLite" in line]
    assert (part.title, unread) == ("Today", ["People", "Policy", "Rights"])
