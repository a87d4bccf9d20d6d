"""Officers alone see a record as the person saw it, with text and policy, and each look is recorded."""

from __future__ import annotations

import io
import json
import re
import sqlite3
from base64 import b64encode
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from features.people.test_staff_guard import NOW, Desk
from harness.asgi import Answer, ask, page
from harness.parts import log_of, part_of
from harness.policies import two_versions
from harness.servers import START_SECONDS, wait_until
from markupsafe import escape

from cookieguard import CookieGuard, PolicyVersion, visitor_of
from cookieguard.cli.app import run
from cookieguard.config import LookSettings
from cookieguard.config.people.staff import StaffSettings
from cookieguard.features.people.journal import read_journal
from cookieguard.features.people.part import PeoplePart
from cookieguard.features.people.staff_list import change_staff
from cookieguard.features.records.values.consents import Event, Indication, Notice, consent_record
from cookieguard.features.records.values.records import Record
from cookieguard.features.records.values.shown import shown_as, text_of
from cookieguard.features.replay import MOST_LISTED
from cookieguard.identity.staff_token import Member, write_token

HTML = b"<!doctype html><html lang=fr><title>x</title><body>x"
FORM = ("content-type", "application/x-www-form-urlencoded")
OWN = ("sec-fetch-site", "same-origin")
TEXT = "Oui, <b>chaque</b> semaine & plus."


@pytest.fixture
def desk(guard: Callable[..., CookieGuard], tmp_path: Path) -> Desk:
    """Give a shop with a policy of two versions, in which every POST ticks a box of a customer's."""
    folder = two_versions(tmp_path / "policy")

    async def app(scope: Any, receive: Any, send: Any) -> None:
        visitor = visitor_of(scope)
        if scope["path"] == "/login":
            visitor.login("4711")
        if scope["path"] == "/yes":
            said["id"] = visitor.agree("newsletter", text=TEXT, given=True).id
        await page(HTML)(scope, receive, send)

    return Desk(guard(app, policy=PolicyVersion(folder=str(folder))), tmp_path / "state")


said: dict[str, str] = {}


def look(desk: Desk, token: str, query: str) -> Answer:
    headers = [("authorization", f"Bearer {token}")] if token else []
    return ask(desk.app, path="/_cg/record", query=query, headers=headers)


def tick(desk: Desk) -> str:
    """Tick the box as a customer who is logged in; return the record's id."""
    session = ask(desk.app, path="/login", method="POST").cookies()["__Host-cg_session"]
    ask(desk.app, path="/yes", method="POST", headers=[("cookie", f"__Host-cg_session={session}")])
    return said["id"]


def choice_of(desk: Desk) -> str:
    """Accept all in the banner, in French; return the record's id."""
    shown = ask(desk.app).text.partition('name="banner" value="')[2].partition('"')[0]
    body = f"choice=accept&banner={shown}".encode()
    answer = ask(desk.app, path="/_cg/consent", method="POST", headers=[FORM, OWN], body=body)
    consent = desk.app._parts.consents.decided(
        answer.cookies()["__Host-cg_consent"],
        host="shop.example",
        gpc=False,
        now=desk.app._clock(),
        report=print,
    )
    return consent.receipt_id


def test_the_banner_that_was_shown_stands_beside_its_policy_text_and_the_look_in_the_journal(
    desk: Desk,
) -> None:
    record = choice_of(desk)
    answer = look(desk, desk.add("officer"), f"id={record}")

    assert answer.status == 200
    drawn = unescape(unescape(answer.text.partition('srcdoc="')[2].partition('"')[0]))
    assert "Tout accepter" in drawn
    assert "<h1>Agreed to everything</h1>" in answer.text
    said = {one.split("<", 1)[0]: one for one in answer.text.split('<tr><th scope="row"><bdi>')[1:]}
    assert {name for name, one in said.items() if "Agreed</span>" in one} == {"Statistics", "Marketing"}
    assert "<bdi>Count</bdi>" in said["Statistics"]  # the vendor of that time
    assert "dpv:" not in answer.text.partition("<iframe")[0] + answer.text.partition("</iframe>")[2]
    assert 'sandbox=""' in answer.text
    assert "not the text that the record names" not in answer.text
    version = answer.text.partition("The privacy policy, version <bdi>")[2].partition("<")[0]
    assert version
    assert "SHA-256 of this text" in answer.text
    assert answer.get("cache-control") == "private, no-store"
    looks = [one for one in read_journal(desk.state) if one["event"] == "looked"]
    assert [(one["who"], one["what"]) for one in looks] == [("officer", f"record {record}")]


def test_the_text_beside_a_ticked_box_is_shown_as_text_and_the_customer_is_in_the_journal(desk: Desk) -> None:
    answer = look(desk, desk.add("owner"), f"id={tick(desk)}")

    assert TEXT.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;") in answer.text
    assert "Customer <bdi>4711</bdi>" in answer.text
    assert "<h1>Ticked the box for newsletter</h1>" in answer.text
    looks = [one for one in read_journal(desk.state) if one["event"] == "looked"]
    assert len(looks) == 1
    assert looks[0]["customer"]


@pytest.mark.parametrize("asked", ["", "id={}", "id={}&file=1", "day=2026-11-24"])
def test_only_officers_and_owners_see_records(desk: Desk, asked: str) -> None:
    query = asked.format(choice_of(desk))
    others = [look(desk, one, query) for one in ("", desk.add("support"), desk.add("analyst"), "2.a.b.c")]

    assert {(one.status, one.text) for one in others} == {(403, "not allowed\n")}
    assert [one for one in read_journal(desk.state) if one["event"] == "looked"] == []
    assert {look(desk, desk.add(one), query).status for one in ("officer", "owner")} <= {200, 503}


def test_sign_in_from_the_link_of_a_record_leads_to_the_record(desk: Desk) -> None:
    record = choice_of(desk)
    form = ask(desk.app, path="/_cg/record", query=f"id={record}", headers=[("accept", "text/html")])
    wanted = form.text.partition('name="next" value="')[2].partition('"')[0]
    body = urlencode({"token": desk.add("officer"), "next": wanted}).encode()

    answer = ask(desk.app, path="/_cg/staff", method="POST", headers=[FORM, OWN], body=body)

    assert (answer.status, answer.get("location")) == (303, f"/_cg/record?id={record}")


def test_a_text_that_was_changed_in_the_store_is_told_of(desk: Desk) -> None:
    record = choice_of(desk)
    with sqlite3.connect(desk.state / "log.db") as connection:
        connection.execute("UPDATE shown SET content = ?", (b'<p>Something else</p><script>"</script>',))

    answer = look(desk, desk.add("officer"), f"id={record}")
    assert "not the text that the record names" in answer.text
    assert "<script>" not in answer.text


@pytest.mark.parametrize("asked", ["", "id=", "id=unknown-record-of-nobody", "id=%3Cscript%3E", "a=1&" * 9])
def test_without_a_record_the_page_says_so(desk: Desk, asked: str) -> None:
    answer = look(desk, desk.add("officer"), asked)

    assert answer.status == (404 if "unknown" in asked or "%3C" in asked else 200)
    assert "<script>" not in answer.text


def test_an_erased_persons_record_shows_nothing(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = tick(desk)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cookieguard.toml").write_text(f'state_dir = "{desk.state}"\n')
    assert run(["log", "erase", "customer:4711"]) == 0

    answer = look(desk, desk.add("officer"), f"id={record}")
    assert answer.status == 404
    assert "erased" in answer.text
    assert "4711" not in answer.text


def frame_in(answer: Answer) -> str:
    """Return the document of the frame with what was shown."""
    return unescape(unescape(answer.text.partition('srcdoc="')[2].partition('"')[0]))


def test_banner_has_the_style_that_was_current_and_the_pages_policy_allows_that_sheet_alone(
    guard: Callable[..., CookieGuard], tmp_path: Path
) -> None:
    at_first = Desk(guard(page(HTML), look=LookSettings(button="#aa0011")), tmp_path / "state")
    record = choice_of(at_first)
    at_first.app.close()
    later = Desk(guard(page(HTML), look=LookSettings(button="#00bb22")), tmp_path / "state")

    answer = look(later, later.add("officer"), f"id={record}")

    drawn = frame_in(answer)
    sheet = drawn.partition("<style>")[2].partition("</style>")[0]
    assert "#cg{all:initial" in sheet
    assert "--cg-button:#aa0011" in sheet
    assert "#00bb22" not in answer.text
    digest = b64encode(sha256(sheet.encode()).digest()).decode()
    policy = answer.get("content-security-policy")
    assert f"'sha256-{digest}'" in policy
    assert "unsafe" not in policy
    assert "as it looked" in answer.text


def test_choice_on_the_page_of_choices_shows_that_page_with_its_style(desk: Desk) -> None:
    shown = ask(desk.app, path="/_cg/choices").text.partition('name="banner" value="')[2].partition('"')[0]
    referer = ("referer", "https://shop.example/_cg/choices")
    body = f"choice=save&purpose=statistics&banner={shown}".encode()
    ask(desk.app, path="/_cg/consent", method="POST", headers=[FORM, OWN, referer], body=body)
    officer, partly = desk.add("officer"), re.compile(r'record\?id=([^"]+)">Agreed to some purposes')
    wait_until(lambda: partly.search(look(desk, officer, "").text) is not None, "the choice is numbered")
    record = partly.findall(look(desk, officer, "").text)[0]

    answer = look(desk, desk.add("officer"), f"id={record}")

    assert "The page of privacy choices as it looked" in answer.text
    assert "max-inline-size:46rem" in frame_in(answer)  # page.css
    assert "<h1>Agreed to some purposes</h1>" in answer.text


def test_old_record_without_a_style_sheet_says_that_its_look_was_not_kept(desk: Desk) -> None:
    log = log_of(desk.app)
    text = text_of(b'<section id="cg">Old</section>')
    shown = shown_as(policy="1", policy_texts={}, language="en", wordings={"banner": text}, asked={})
    notice = Notice(digest=text[0], language="en", policy="1", shown=shown.digest)
    said = Indication(
        event=Event.REFUSAL,
        notice=notice,
        granted=frozenset({"necessary"}),
        refused=frozenset({"marketing"}),
        method="banner",
    )
    record = consent_record(log.asker("shop.example"), said, time=NOW, subject="browser:x", id="o" * 22)
    log.writer.append(record, texts=shown.texts).result(START_SECONDS)

    answer = look(desk, desk.add("officer"), f"id={record.id}")

    assert "Their look was not kept" in answer.text
    assert '<section id="cg">Old</section>' in frame_in(answer)
    assert "<h1>Refused everything</h1>" in answer.text


def test_style_sheet_that_was_changed_in_the_store_is_told_of_and_not_used(desk: Desk) -> None:
    record = choice_of(desk)
    with sqlite3.connect(desk.state / "log.db") as connection:
        changed = b"#cg{display:none}"
        connection.execute(
            "UPDATE shown SET content = ? WHERE CAST(content AS TEXT) LIKE '%#cg{all:initial%'", (changed,)
        )
        assert connection.total_changes >= 1

    answer = look(desk, desk.add("officer"), f"id={record}")

    assert "The style sheet is not the one that the record names" in answer.text
    assert "#cg{display:none}" not in frame_in(answer)
    assert "Tout accepter" in frame_in(answer)


def test_signed_file_of_a_record_verifies_by_command_and_the_log_too(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record, officer = choice_of(desk), desk.add("officer")
    wait_until(lambda: look(desk, officer, f"id={record}&file=1").status == 200, "the record is sealed")
    answer = look(desk, officer, f"id={record}&file=1")
    monkeypatch.chdir(tmp_path)
    Path("cookieguard.toml").write_text(f'state_dir = "{desk.state}"\n')
    Path("copy.json").write_bytes(answer.body)
    Path("changed.json").write_bytes(answer.body.replace(b'"cg:event": "grant"', b'"cg:event": "refusal"'))

    assert answer.get("content-disposition") == f'attachment; filename="record-{record}.json"'
    assert f'href="/_cg/record?id={record}&amp;file=1"' in look(desk, officer, f"id={record}").text
    assert run(["receipt", "verify", "copy.json"]) == 0
    assert run(["receipt", "verify", "changed.json"]) == 1
    assert run(["log", "verify"]) == 0
    with sqlite3.connect(desk.state / "log.db") as connection:  # the style sheet is among what is verified
        connection.execute("DELETE FROM shown WHERE CAST(content AS TEXT) LIKE '%#cg{all:initial%'")
    assert run(["log", "verify"]) == 1
    assert f"file of record {record}" in [one["what"] for one in read_journal(desk.state) if "what" in one]


def test_records_of_a_day_are_listed_by_page_without_names(desk: Desk) -> None:
    officer, most = desk.add("officer"), MOST_LISTED
    log = log_of(desk.app)
    for at in range(most + 2):
        made = Record(
            kind="agreement", topic="terms", subject="customer:Anna", time=NOW, facts={"cg:given": True}
        )
        log.writer.append(replace(made, id=f"{at:022}")).result(START_SECONDS)
    earlier = Record(
        kind="consent", topic="refusal", subject="browser:b", time=NOW - timedelta(days=1), facts={}
    )
    log.writer.append(earlier).result(START_SECONDS)
    wait_until(
        lambda: "record?day=2026-11-24&amp;page=1" in look(desk, officer, "day=2026-11-24").text, "numbered"
    )

    pages = [look(desk, officer, f"day=2026-11-24&page={one}") for one in (0, 1, 2)]
    before = look(desk, officer, "day=2026-11-23")

    assert [one.text.count("Ticked the box for terms") for one in pages] == [
        most - 1,
        3,
        0,
    ]  # and the policy's publication
    assert "Nothing was recorded on this day" in pages[2].text
    assert "page=0" in pages[1].text
    assert before.text.count("Refused everything") == 1
    assert not any("Anna" in one.text for one in (*pages, before))
    journal = [one for one in read_journal(desk.state) if one.get("what") == "records of 2026-11-24"]
    assert len(journal) >= 3
    assert all("customer" not in one for one in journal)


@pytest.mark.parametrize(
    ("asked", "status"),
    [("day=x", 400), ("day=0001-01-01", 200), ("day=9999-12-31", 200), ("page=-1", 200), ("page=99999", 200)],
)
def test_day_or_page_that_is_none_does_no_harm(desk: Desk, asked: str, status: int) -> None:
    tick(desk)

    assert look(desk, desk.add("officer"), asked).status == status


def open_customer(desk: Desk, token: str, number: str, code: str) -> Answer:
    headers = [FORM, OWN, ("authorization", f"Bearer {token}")]
    body = urlencode({"customer": number, "code": code}).encode()
    return ask(desk.app, path="/_cg/record", method="POST", headers=headers, body=body)


def test_customers_code_lists_their_records_once_and_the_journal_has_it_first(desk: Desk) -> None:
    record, officer = tick(desk), desk.add("officer")
    code = part_of(desk.app, PeoplePart).access.make("4711", "file")

    wrong = open_customer(desk, officer, "4711", "AAAA-AAAA")
    support = open_customer(desk, desk.add("support"), "4711", code)
    first, second = (open_customer(desk, officer, "4711", code) for _ in range(2))

    assert (wrong.status, support.status, first.status, second.status) == (403, 403, 200, 403)
    assert "Records of customer <bdi>4711</bdi>" in first.text
    assert f"record?id={record}" in first.text
    assert not any(record in one.text for one in (wrong, support, second))
    looks = [one for one in read_journal(desk.state) if one.get("customer")]
    assert [one["what"] for one in looks] == [
        "records of one customer",
        "file",
    ]  # a code that opens nothing is no look
    assert all(one["customer"] for one in looks)


def test_code_for_another_thing_opens_no_records(desk: Desk) -> None:
    record, officer = tick(desk), desk.add("officer")
    code = part_of(desk.app, PeoplePart).access.make("4711", "account")

    answer = open_customer(desk, officer, "4711", code)

    assert answer.status == 403
    assert record not in answer.text


def test_code_of_two_members_of_staff_lists_a_customers_records_too(
    guard: Callable[..., CookieGuard],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    desk = Desk(guard(page(HTML), clock=lambda: datetime.now(UTC)), tmp_path / "state")
    now, tokens = datetime.now(UTC).replace(microsecond=0), []
    for role, id_ in (("officer", "a" * 12), ("owner", "b" * 12)):
        member = Member(id=id_, name=role, role=role, made=now, expires=now + timedelta(days=1))
        change_staff(desk.state, lambda before, member=member: before | {member.id: member})
        tokens.append(write_token(desk.codec, member))
    part_of(desk.app, PeoplePart).staff.members._next_look = 0.0
    monkeypatch.chdir(tmp_path)
    Path("cookieguard.toml").write_text(f'state_dir = "{desk.state}"\n')
    monkeypatch.setattr("sys.stdin", io.StringIO("\n".join(tokens)))
    facts = ("--ground", "abuse", "--event", "ticket 7", "--reason", "stolen cards", "--scope", "file")

    assert run(["access", "open", "--customer", "4711", *facts, "--json"]) == 0
    code = json.loads(capsys.readouterr().out)["code"]
    other, answer = (open_customer(desk, token, "4711", code) for token in reversed(tokens))

    assert (other.status, answer.status) == (403, 200)  # the code is that of the member who asked
    assert "Two members of staff looked without a code" in answer.text  # which the log had first


def test_two_officers_list_a_customers_records_on_the_page_once_and_the_customer_is_to_be_told(
    desk: Desk,
) -> None:
    record, first, second = tick(desk), desk.add("officer", name="Olga"), desk.add("officer", name="Oscar")
    headers = [FORM, OWN, ("authorization", f"Bearer {first}")]
    facts = {"ground": "legal", "event": "12 Js 7/26", "reason": "A court asked", "customer": "4711"}
    begun = ask(desk.app, path="/_cg/record", headers=headers[2:]).text

    alone, opened, again = (
        ask(
            desk.app,
            path="/_cg/record",
            method="POST",
            headers=headers,
            body=urlencode({**facts, "token": token}).encode(),
        )
        for token in (first, second, second)
    )

    assert all(f'name="{name}"' in begun for name in (*facts, "token"))
    assert (alone.status, opened.status, again.status) == (403, 200, 403)
    assert [f"record?id={record}" in one.text for one in (alone, opened, again)] == [False, True, False]
    due = ask(desk.app, path="/_cg/due", headers=[("authorization", f"Bearer {second}")])
    assert "Tell the customer about the look of Olga" in due.text


def test_records_count_toward_the_daily_views_of_whom_they_are_about(
    guard: Callable[..., CookieGuard], tmp_path: Path
) -> None:
    desk = Desk(guard(page(HTML), staff=StaffSettings(daily_views=2)), tmp_path / "state")
    officer, records = desk.add("officer"), [choice_of(desk) for _ in range(3)]

    statuses = [look(desk, officer, f"id={one}").status for one in (*records, records[0])]

    assert statuses == [200, 200, 429, 200]  # three browsers, of which the first counts once
    code = part_of(desk.app, PeoplePart).access.make("4711", "file")
    assert open_customer(desk, officer, "4711", code).status == 429


@pytest.mark.parametrize("number", ["<script>alert(1)</script>", '"><img src=x>', "{{ 7*7 }}", "\u202eabc"])
def test_hostile_texts_in_a_record_are_shown_as_text(desk: Desk, number: str) -> None:
    log = log_of(desk.app)
    facts = {"cg:given": True, "cg:details": {"note": number}, "dpv:hasDataController": number}
    made = Record(kind="agreement", topic="terms", subject=f"customer:{number}", time=NOW, facts=facts)
    log.writer.append(made).result(START_SECONDS)
    officer = desk.add("officer")
    code = part_of(desk.app, PeoplePart).access.make(number, "file")

    answers = [look(desk, officer, f"id={made.id}"), open_customer(desk, officer, number, code)]

    for answer in answers:
        assert answer.status == 200
        assert str(escape(number)) in unescape_numbers(answer.text)
        assert "<script>" not in answer.text
        assert "<img" not in answer.text


def unescape_numbers(text: str) -> str:
    return re.sub(r"&#(\d{3,});", lambda found: chr(int(found[1])), text)


def test_form_of_another_page_opens_no_customer(desk: Desk) -> None:
    officer = desk.add("officer")
    session = desk.sign_in(officer)
    code = part_of(desk.app, PeoplePart).access.make("4711", "file")
    body = urlencode({"customer": "4711", "code": code, "form": "x"}).encode()

    answer = ask(
        desk.app,
        path="/_cg/record",
        method="POST",
        headers=[FORM, OWN, ("cookie", f"__Host-cg_staff={session}")],
        body=body,
    )

    assert answer.status == 403
    assert "Records of customer" not in answer.text
    assert open_customer(desk, officer, "4711", code).status == 200  # the code was not used up
