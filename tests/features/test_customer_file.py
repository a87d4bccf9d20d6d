"""A customer's file: all that is kept of them, for staff, once, by a code of theirs or the approval of two."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from features.people.test_staff_guard import OWN
from features.rights.test_requests_page import Queue, form_of
from harness.asgi import Answer, ask
from harness.parts import part_of
from harness.servers import wait_until

from cookieguard import CookieGuard
from cookieguard.config.people.staff import StaffSettings
from cookieguard.features.people.journal import read_journal
from cookieguard.features.people.part import PeoplePart
from cookieguard.features.rights.values.rules import RequestKind
from cookieguard.storage.store.logins import logins_of
from cookieguard.storage.store.open import store_opener

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
CUSTOMER = "10042"
HOSTILE = "</bdi><script>alert(1)</script>"


async def shop(scope: Any, _: Any, send: Any) -> None:
    if scope["path"] == "/login":
        scope["cookieguard.visitor"].login(scope["query_string"].decode())
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b""})


class Office(Queue):
    """Be a shop with a customer who is logged in and asked for something, and staff who are signed in."""

    clock = NOW

    def code(self, scope: str = "file") -> str:
        return part_of(self.app, PeoplePart).access.make(CUSTOMER, scope)

    def file(self, session: str, code: str = "", *, id_: str = "one", form: str | None = None) -> Answer:
        cookie = ("cookie", f"__Host-cg_staff={session}")
        query = urlencode({"id": id_})
        asked = ask(self.app, path="/_cg/file", query=query, headers=[cookie, ("accept", "text/html")])
        if not code:
            return asked
        value = re.findall(r'name="form" value="([^"]+)"', asked.text.partition("<main")[2])[0]
        fields = {"id": id_, "code": code, "form": value if form is None else form}
        return ask(
            self.app, path="/_cg/file", method="POST", headers=[*OWN, cookie], body=urlencode(fields).encode()
        )


@pytest.fixture
def office(guard: Callable[..., CookieGuard], tmp_path: Path) -> Iterator[Office]:
    staff = StaffSettings(daily_views=2)
    agent = ("user-agent", HOSTILE)
    made = Office(guard(shop, staff=staff, clock=lambda: Office.clock), tmp_path / "state")
    ask(made.app, path="/login", query=CUSTOMER, headers=[agent])
    with closing(
        store_opener(made.app.config, made.state, environ={})()
    ) as store:  # the first one may be late
        wait_until(lambda: logins_of(store, CUSTOMER), "the login")
    made.put("one", kind=RequestKind.CORRECT, customer=CUSTOMER, text="My name")
    made.put("guest", kind=RequestKind.CORRECT, customer="", contact="Anna, Street 1")
    yield made
    made.requests.close()


def words(answer: Answer) -> str:
    return " ".join(unescape(re.sub("<[^>]+>", " ", answer.text.partition("<main")[2])).split())


def test_code_opens_once_what_every_feature_keeps_and_all_of_it_is_written_down(office: Office) -> None:
    session = office.sign_in(office.add("support", name="Sam"))
    code = office.code()

    before, opened, again = (office.file(session, one) for one in ("", code, code))

    assert (before.status, opened.status, again.status) == (200, 200, 403)
    assert CUSTOMER not in before.text
    assert CUSTOMER not in again.text
    said = words(opened)
    for one in (
        f"Customer {CUSTOMER}",
        "Request for a correction",
        "Logins",
        "the customer made a code",
        "your people used a code",
    ):
        assert one in said
    assert "<script>alert" not in opened.text
    assert opened.get("cache-control") == "private, no-store"
    events = [(one["event"], one.get("who", ""), one.get("what", "")) for one in read_journal(office.state)]
    assert ("looked", "Sam", "file, by request one") in events
    assert ("looked", "Sam", "file") in events
    assert events[-1][0] == "refused"


def test_logins_have_a_day_and_a_browser_and_no_session_id(office: Office) -> None:
    session = office.sign_in(office.add("support", name="Sam"))

    said = words(office.file(session, office.code()))
    with closing(store_opener(office.app.config, office.state, environ={})()) as store:
        kept = logins_of(store, CUSTOMER)

    assert f"Since {kept[0].began:%Y-%m-%d %H:%M} UTC Browser" in said
    assert kept[0].session not in said
    assert "Value" not in said


def test_file_without_a_request_says_where_it_opens(office: Office) -> None:
    session = office.sign_in(office.add("support", name="Sam"))

    said = words(office.file(session, id_=""))

    assert "Open it from one of the customer's requests" in said
    assert "The code" not in said


def test_only_the_customers_own_code_for_the_file_opens_it(office: Office) -> None:
    session = office.sign_in(office.add("officer"))

    answers = {
        "of something else": office.file(session, office.code("account")),
        "guessed": office.file(session, "AAAA-BBBB"),
        "of a guest": office.file(session, office.code(), id_="guest"),
        "of no request": office.file(session, office.code(), id_="none"),
        "from another form": office.file(session, office.code(), form="x"),
    }

    assert {name: one.status for name, one in answers.items()} == {
        "of something else": 403,
        "guessed": 403,
        "of a guest": 404,
        "of no request": 404,
        "from another form": 403,
    }
    assert not [name for name, one in answers.items() if CUSTOMER in one.text or "Logins" in one.text]
    assert office.file(session, office.code()).status == 200


def test_analysts_strangers_and_late_codes_open_nothing(office: Office) -> None:
    session = office.sign_in(office.add("owner"))
    code = office.code()
    analyst = [("authorization", f"Bearer {office.add('analyst')}")]
    body = urlencode({"id": "one", "code": code}).encode()

    refused = [
        ask(office.app, path="/_cg/file", method="POST", headers=[*OWN, *more], body=body)
        for more in ([], analyst)
    ]
    read = [ask(office.app, path="/_cg/file", query="id=one", headers=more) for more in ([], analyst)]
    Office.clock = NOW + timedelta(minutes=10)
    late = office.file(session, code)
    Office.clock = NOW

    assert {one.status for one in (*refused, *read)} == {403}
    assert (late.status, CUSTOMER in late.text) == (403, False)


def test_file_counts_toward_the_daily_views_of_its_member(office: Office) -> None:
    token = office.add("support")
    for number in ("1", "2"):
        office.put(number, kind=RequestKind.CORRECT, customer=f"other-{number}")
        assert office.page(token, f"id={number}").status == 200

    answer = office.file(office.sign_in(token), office.code())

    assert (answer.status, "daily_views (2)" in answer.text, CUSTOMER in answer.text) == (429, True, False)


def test_file_is_not_shown_where_the_journal_takes_nothing(office: Office) -> None:
    session = office.sign_in(office.add("support"))
    code = office.code()
    for path in (office.state / "staff-journal").iterdir():
        path.unlink()
    (office.state / "staff-journal").rmdir()
    (office.state / "staff-journal").write_text("in the way")

    answer = office.file(session, code)

    assert (answer.status, CUSTOMER in answer.text) == (503, False)


def test_shop_without_the_scope_says_which_setting_lacks_it(
    guard: Callable[..., CookieGuard], tmp_path: Path
) -> None:
    office = Office(guard(shop, staff=StaffSettings(scopes=("orders",))), tmp_path / "state")
    session = office.sign_in(office.add("support"))

    text = words(office.file(session))

    assert 'staff.scopes does not contain "file"' in text
    assert "cookieguard access open" in text
    office.requests.close()


def test_page_of_a_request_leads_to_the_file_of_a_customer_and_not_of_a_guest(office: Office) -> None:
    token = office.add("support")

    customer, guest = (office.page(token, f"id={one}").text for one in ("one", "guest"))

    assert 'href="/_cg/file?id=one"' in customer
    assert "/_cg/file" not in guest
    assert form_of(office.shown(office.sign_in(token), "id=one"), "note")
