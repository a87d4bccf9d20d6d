"""The page People: members, their sessions and passkeys, and the access journal, newest entry first."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from html import unescape
from pathlib import Path
from urllib.parse import urlencode

import pytest
from features.people.test_staff_guard import OWN, Desk
from harness.asgi import Answer, ask, no_app
from harness.parts import part_of

from cookieguard import CookieGuard
from cookieguard.features.people import people_page
from cookieguard.features.people.journal import FOLDER, read_journal
from cookieguard.features.people.part import PeoplePart
from cookieguard.features.people.passkeys import Passkey, _dumps

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
ROLES = ("analyst", "support", "officer", "owner")


@pytest.fixture
def desk(guard: Callable[..., CookieGuard], tmp_path: Path) -> Desk:
    return Desk(guard(no_app), tmp_path / "state")


def text(answer: Answer) -> str:
    return " ".join(unescape(re.sub("<[^>]+>", " ", answer.text)).split())


def ids(answer: Answer) -> list[str]:
    """Return what the page lets the one who asks end or remove."""
    return re.findall(r'people\?id=([^"]+)"', answer.text)


def end(desk: Desk, cookie: str, id_: str, *, bare: bool = False, asked: str = "") -> Answer:
    """Open the page that asks, and click its button; `asked` opens another one, whose form has the same value."""
    headers = [("cookie", f"__Host-cg_staff={cookie}")]
    shown = ask(desk.app, path="/_cg/people", query=f"id={asked or id_}", headers=headers)
    form = re.search(r'action="/_cg/people"><input type="hidden" name="form" value="([^"]+)"', shown.text)
    fields = {"id": id_} | ({} if bare or form is None else {"form": form[1]})
    body = urlencode(fields).encode()
    return ask(desk.app, path="/_cg/people", method="POST", headers=[*OWN, *headers], body=body, bare=True)


def give_passkey(desk: Desk, member: str) -> None:
    passkeys = part_of(desk.app, PeoplePart).staff.passkeys
    assert passkeys is not None
    kept = _dumps([Passkey("a-passkey", "key", 0, "Sam's telephone", "2026-11-20")])
    passkeys._told(lambda store: store.write("staff-passkey", member, kept, until=2**60))


def member_id(desk: Desk, name: str) -> str:
    return next(
        one.id for one in part_of(desk.app, PeoplePart).staff.members.members.values() if one.name == name
    )


def test_only_officer_and_owner_open_people(desk: Desk) -> None:
    opened = {role for role in ROLES if desk.get("/_cg/people", desk.add(role)).status == 200}

    assert opened == {"officer", "owner"}


def test_each_member_is_there_with_role_days_and_last_sign_in(desk: Desk) -> None:
    officer = desk.add("officer", name="Olga")
    desk.sign_in(desk.add("support", name="Sam", days=3))
    desk.add("analyst", name="Anna", days=-1)

    said = text(desk.get("/_cg/people", officer))

    assert (
        "Expires on 2026-11-27. Last signed in on 2026-11-24 at 12:00 UTC. Session since 2026-11-24 12:00 UTC"
        in said
    )
    assert "Anna analyst expired Member since 2026-11-23. Expired on 2026-11-23. No sign-in" in said
    assert 'cookieguard staff add "Anna" --role support' in said


def test_session_that_is_ended_opens_nothing_any_more_and_the_journal_says_who_did_it(desk: Desk) -> None:
    olga = desk.sign_in(desk.add("officer", name="Olga"))
    sam = desk.sign_in(desk.add("support", name="Sam"))
    of_sam = re.findall(
        r'people\?id=(\w+)" aria-label="End the session since [^"]+ of Sam"',
        desk.get("/_cg/people", cookie=olga).text,
    )

    asked = desk.get("/_cg/overview", cookie=sam).status
    answer = end(desk, olga, of_sam[0])

    assert (asked, answer.status, answer.get("location")) == (200, 303, "/_cg/people")
    assert desk.get("/_cg/overview", cookie=sam).status == 403
    assert desk.get("/_cg/overview", cookie=olga).status == 200
    entry = [one for one in read_journal(desk.state) if one["event"] == "session ended"]
    assert [(one["who"], one["what"]) for one in entry] == [("Olga", "of Sam")]
    asked_again = ask(
        desk.app, path="/_cg/people", query=f"id={of_sam[0]}", headers=[("cookie", f"__Host-cg_staff={olga}")]
    )
    assert "is gone already" in text(asked_again)


def test_passkey_is_removed_after_a_question(desk: Desk) -> None:
    olga = desk.sign_in(desk.add("officer", name="Olga"))
    desk.add("support", name="Sam")
    give_passkey(desk, member_id(desk, "Sam"))

    shown = text(desk.get("/_cg/people", cookie=olga))
    asked = text(
        ask(
            desk.app,
            path="/_cg/people",
            query="id=a-passkey",
            headers=[("cookie", f"__Host-cg_staff={olga}")],
        )
    )
    answer = end(desk, olga, "a-passkey")

    assert "Passkey Sam's telephone added 2026-11-20 Remove" in shown
    assert "Sam (support) can no longer sign in with the passkey" in asked
    assert answer.status == 303
    assert "a-passkey" not in ids(desk.get("/_cg/people", cookie=olga))
    assert [one["what"] for one in read_journal(desk.state) if one["event"] == "passkey removed"] == [
        "Sam's telephone of Sam"
    ]


def test_owner_removes_a_member_whose_sessions_and_token_open_nothing_any_more(desk: Desk) -> None:
    wim, token = desk.sign_in(desk.add("owner", name="Wim")), desk.add("officer", name="Olga")
    olga, id_ = desk.sign_in(token), member_id(desk, "Olga")
    desk.add("support", name="Sam")

    headers = [("cookie", f"__Host-cg_staff={wim}")]
    asked = text(ask(desk.app, path="/_cg/people", query=f"id={id_}", headers=headers))
    before = desk.get("/_cg/overview", cookie=olga).status, desk.get("/_cg/overview", token).status
    answer = end(desk, wim, id_)
    part_of(desk.app, PeoplePart).staff.members._next_look = 0.0  # every worker looks within 2 s
    after = desk.get("/_cg/overview", cookie=olga).status, desk.get("/_cg/overview", token).status

    assert "Olga (officer) can no longer sign in" in asked
    assert (before, answer.status, after) == ((200, 200), 303, (403, 403))
    said = text(desk.get("/_cg/people", cookie=wim))
    assert "Wim (owner) removed the member Olga" in said
    assert "Olga officer" not in said
    assert "Sam support" in said
    assert id_ not in ids(desk.get("/_cg/people", cookie=wim))


def test_officer_removes_no_member_and_nobody_removes_the_last_owner(desk: Desk) -> None:
    olga = desk.sign_in(desk.add("officer", name="Olga"))
    wim = desk.sign_in(desk.add("owner", name="Wim"))
    desk.add("support", name="Sam")
    desk.add("owner", name="Ole", days=-1)  # an expired owner is none
    names = {member_id(desk, name): name for name in ("Olga", "Wim", "Sam", "Ole")}

    offered = [
        [names[id_] for id_ in ids(desk.get("/_cg/people", cookie=one)) if id_ in names]
        for one in (olga, wim)
    ]
    by_officer = [end(desk, olga, id_).status for id_ in names]
    last = end(desk, wim, member_id(desk, "Wim"), asked=member_id(desk, "Sam"))

    assert offered == [[], ["Olga", "Sam", "Ole"]]
    assert set(by_officer) == {403}
    assert (last.status, "is the last owner" in text(last)) == (409, True)
    assert member_id(desk, "Wim")
    assert end(desk, wim, member_id(desk, "Sam")).status == 303  # the control


def test_a_member_ends_nothing_of_a_role_above_their_own(desk: Desk) -> None:
    olga = desk.sign_in(desk.add("officer", name="Olga"))
    wim = desk.sign_in(desk.add("owner", name="Wim"))
    all_ids = ids(desk.get("/_cg/people", cookie=wim))

    offered = ids(desk.get("/_cg/people", cookie=olga))
    (of_wim,) = set(all_ids) - {*offered, member_id(desk, "Olga")}  # an owner is offered to remove Olga

    assert len(offered) == 1
    assert [end(desk, olga, of_wim).status for _ in range(2)] == [403, 403]
    assert desk.get("/_cg/overview", cookie=wim).status == 200
    assert end(desk, wim, offered[0]).status == 303


def test_a_form_of_another_page_or_of_an_analyst_ends_nothing(desk: Desk) -> None:
    olga, anna = (
        desk.sign_in(desk.add(role, name=name)) for role, name in (("officer", "Olga"), ("analyst", "Anna"))
    )
    (first, second) = ids(desk.get("/_cg/people", cookie=olga))

    stale = end(desk, olga, first, bare=True)
    foreign = ask(
        desk.app,
        path="/_cg/people",
        method="POST",
        headers=[("sec-fetch-site", "same-site"), OWN[1], ("cookie", f"__Host-cg_staff={olga}")],
        body=f"id={first}".encode(),
        bare=True,
    )

    assert (stale.status, foreign.status) == (403, 403)
    assert [end(desk, anna, one).status for one in (first, second)] == [403, 403]
    assert len(ids(desk.get("/_cg/people", cookie=olga))) == 2


ENTRIES = [
    ("looked", "what is due", "opened the list of what is due."),
    ("looked", "people and access journal", "opened this page."),
    ("looked", "records", "opened the list of consent records."),
    ("looked", "records of 2026-11-23", "opened the consent records of 2026-11-23."),
    ("looked", "record abc", "opened consent record abc."),
    ("looked", "file of record abc", "downloaded consent record abc."),
    ("looked", "request r1", "opened request r1."),
    ("looked", "request r1 by command", "opened request r1 by a command on the server."),
    ("looked", "file, by request r1", "opened the customer's file, by request r1."),
    ("looked", "account", "used a customer's code for account."),
    (
        "looked",
        "erasure of records by command, approved by Anna",
        "erased the consent records of one person by a command on the server, approved by Anna.",
    ),
    ("erasure", "request r1: approved", "approved the erasure of request r1."),
    ("erasure", "a request to erase: entered", "entered a request to erase."),
    ("vendor changed", "hold Ads Ltd", "held the vendor Ads Ltd."),
    ("vendor changed", "confirm 3", "confirmed the vendors' change 3."),
    ("link made", "", "got a link from the server that signs in once."),
    ("passkey removed", "Telephone of Sam", "removed the passkey Telephone of Sam."),
    ("session ended", "of Sam", "ended a session of Sam."),
    ("member removed", "Sam", "removed the member Sam."),
    ("policy announced", "2026-12-15", "announced the policy of 2026-12-15."),
    (
        "reached the limit",
        "staff.daily_views (100)",
        "reached the limit of 100 views a day, and could open no more.",
    ),
    ("told a customer", "look abc: by mail", "told a customer that their data were opened, by mail."),
]


def test_each_entry_of_the_journal_is_a_sentence(desk: Desk) -> None:
    journal = part_of(desk.app, PeoplePart).staff.journal
    for event, what, _ in ENTRIES:
        journal.write(NOW, event, who="Olga", role="officer", what=what, customer="10042")
    journal.refuse(NOW, "a token at the sign-in")
    journal.refuse(NOW, "a code for file")
    token = desk.add("owner", name="Wim")

    said = text(desk.get("/_cg/people", token))

    for _, _, sentence in ENTRIES:
        assert f"12:00 Olga (officer) {sentence.removesuffix('.')}" in said.replace(" .", ".")
        assert sentence in said.replace(" .", ".").replace(" ,", ",")
    assert "Somebody tried to sign in with a token that was not valid." in said
    assert "Somebody entered a code for file that was not valid, and nothing was opened." in said
    assert "Wim (owner) opened this page" in said
    assert "10042" not in said


def test_journal_is_read_day_by_day_and_of_one_member(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = part_of(desk.app, PeoplePart).staff.journal
    for hour in range(60):
        at = NOW - timedelta(hours=hour)
        journal.write(at, "looked", who="Sam", role="support", what=f"request {hour:02}", customer="10042")
    journal.write(NOW, "looked", who="Olga", what="request of Olga")
    headers = [("authorization", f"Bearer {desk.add('owner', name='Wim')}")]

    def shown(query: str) -> tuple[list[str], list[str]]:
        answer = ask(desk.app, path="/_cg/people", query=query, headers=headers)
        days = re.findall(r'href="/_cg/people\?([^"]+)#journal">(?:Earlier|Later)', answer.text)
        return re.findall(r"<bdi>(\d\d)</bdi>", answer.text), [unescape(one) for one in days]

    first, (earlier,) = shown("who=Sam")
    second, (before, after) = shown(earlier)
    third, (later,) = shown(before)

    assert (first, second, third) == (
        [f"{hour:02}" for hour in reversed(range(13))],
        [f"{hour:02}" for hour in reversed(range(13, 37))],
        [f"{hour:02}" for hour in reversed(range(37, 60))],
    )
    assert (after, later) == ("who=Sam&day=2026-11-24", "who=Sam&day=2026-11-23")
    assert shown("who=Nobody")[0] == shown("day=2026-11-01")[0] == []
    assert shown("day=../../etc")[0] == first
    monkeypatch.setattr(people_page, "MOST_SHOWN", 5)
    assert len(shown("who=Sam")[0]) == 5
    said = text(ask(desk.app, path="/_cg/people", query="who=Sam&day=2026-11-23", headers=headers))
    assert "These are the newest 5 of 24 entries" in said


def test_without_the_journal_nothing_is_shown(desk: Desk) -> None:
    token = desk.add("owner")
    (desk.state / FOLDER).write_text("no folder")

    assert desk.get("/_cg/people", token).status == 503
