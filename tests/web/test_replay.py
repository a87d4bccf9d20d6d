"""The officer sees a record as the person saw it: text and policy; nobody else does, and each look is written down."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from harness.asgi import Answer, ask, page
from harness.policies import two_versions
from web.test_staff_guard import Desk

from cookieguard import CookieGuard, PolicyVersion, visitor_of
from cookieguard.cli.app import run
from cookieguard.features.people.journal import read_journal

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
    assert " the person agreed to: marketing, statistics. Refused: nothing.</p>" in answer.text
    assert 'sandbox=""' in answer.text
    assert "not the text that the record names" not in answer.text
    version = answer.text.partition("The policy, version <bdi>")[2].partition("<")[0]
    assert version
    assert "SHA-256 of this text" in answer.text
    assert answer.get("cache-control") == "private, no-store"
    looks = [one for one in read_journal(desk.state) if one["event"] == "looked"]
    assert [(one["who"], one["what"]) for one in looks] == [("officer", f"record {record}")]


def test_the_text_beside_a_ticked_box_is_shown_as_text_and_the_customer_is_in_the_journal(desk: Desk) -> None:
    answer = look(desk, desk.add("owner"), f"id={tick(desk)}")

    assert TEXT.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;") in answer.text
    assert "customer:4711" in answer.text
    assert " UTC the person ticked the box for newsletter.</p>" in answer.text
    looks = [one for one in read_journal(desk.state) if one["event"] == "looked"]
    assert len(looks) == 1
    assert looks[0]["customer"]


def test_nobody_but_officer_and_owner_sees_a_record(desk: Desk) -> None:
    record = choice_of(desk)
    answers = [look(desk, one, f"id={record}") for one in ("", desk.add("support"), "2.a.b.c")]

    assert {(one.status, one.text) for one in answers} == {(403, "not allowed\n")}
    assert [one for one in read_journal(desk.state) if one["event"] == "looked"] == []


def test_who_signs_in_for_a_record_lands_at_it(desk: Desk) -> None:
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
