"""The page People: who is a member, which sessions and passkeys they have, and the access journal, newest first."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from html import unescape
from pathlib import Path
from urllib.parse import urlencode

import pytest
from features.people.test_staff_guard import OWN, Desk, no_app
from harness.asgi import Answer, ask
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


def end(desk: Desk, cookie: str, id_: str, *, bare: bool = False) -> Answer:
    """Open the page that asks, and click its button."""
    headers = [("cookie", f"__Host-cg_staff={cookie}")]
    shown = ask(desk.app, path="/_cg/people", query=f"id={id_}", headers=headers)
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
        one.id
        for one in part_of(desk.app, PeoplePart).staff.members._staff.members.values()
        if one.name == name
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


def test_a_member_ends_nothing_of_a_role_above_their_own(desk: Desk) -> None:
    olga = desk.sign_in(desk.add("officer", name="Olga"))
    wim = desk.sign_in(desk.add("owner", name="Wim"))
    all_ids = ids(desk.get("/_cg/people", cookie=wim))

    offered = ids(desk.get("/_cg/people", cookie=olga))
    (of_wim,) = set(all_ids) - set(offered)

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


def test_journal_is_filtered_and_read_page_by_page_while_it_grows(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = part_of(desk.app, PeoplePart).staff.journal
    for hour in range(60):
        journal.write(
            NOW - timedelta(hours=hour),
            "looked",
            who="Sam",
            role="support",
            what=f"request {hour:02}",
            customer="10042",
        )
    journal.write(NOW, "looked", who="Olga", what="request of Olga")
    token = desk.add("owner", name="Wim")

    def shown(query: str) -> tuple[list[str], str]:
        answer = ask(
            desk.app, path="/_cg/people", query=query, headers=[("authorization", f"Bearer {token}")]
        )
        older = re.search(r'href="([^"]+)#journal">Older', answer.text)
        return re.findall(r"<bdi>request (\w+)", answer.text), "" if older is None else unescape(
            older[1]
        ).partition("?")[2]

    first, older = shown("who=Sam")
    second, end_ = shown(older)
    of_day, _ = shown("who=Sam&day=2026-11-23")
    monkeypatch.setattr(people_page, "MOST_READ", 20)
    some, further = shown("who=Sam&event=looked")

    assert sorted(first + second) == [f"{hour:02}" for hour in range(60)]
    assert (len(first), len(second), end_) == (50, 10, "")
    assert sorted(of_day) == [f"{hour:02}" for hour in range(13, 37)]
    assert 0 < len(some) < 20
    assert further != ""
    assert shown("day=2026-11-2x&before=nothing")[0] != []
    whole = desk.get("/_cg/people", token).text
    assert "10042" not in whole
    assert (desk.state / FOLDER).exists()


def test_without_the_journal_nothing_is_shown(desk: Desk) -> None:
    token = desk.add("owner")
    (desk.state / FOLDER).write_text("no folder")

    assert desk.get("/_cg/people", token).status == 503
