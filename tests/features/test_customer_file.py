"""A customer's file: all kept data, shown once to staff with the customer's code or the approval of two members."""

from __future__ import annotations

import asyncio
import io
import re
import zipfile
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from html import unescape
from importlib import import_module
from pathlib import Path
from threading import Event, Thread
from typing import ClassVar
from urllib.parse import urlencode

import pytest
from features.people.test_staff_guard import OWN
from features.rights.test_requests_page import Queue, dark, form_of
from harness.asgi import Answer, ask, log_in, page
from harness.browser import chromium, playwright_started
from harness.parts import part_of
from harness.servers import wait_until
from markupsafe import Markup

from cookieguard import CookieGuard
from cookieguard.config import RightsSettings
from cookieguard.config.people.staff import StaffSettings
from cookieguard.features.people.break_glass import LEDGER, Look
from cookieguard.features.people.journal import read_journal
from cookieguard.features.people.part import PeoplePart
from cookieguard.features.rights.values.requests import Act, State, Via
from cookieguard.features.rights.values.rules import RequestKind
from cookieguard.features.work import work_once
from cookieguard.rights.hooks import Exported
from cookieguard.storage.store.logins import logins_of
from cookieguard.storage.store.open import store_opener
from cookieguard.web.assets import load_asset

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
CUSTOMER = "10042"
HOSTILE = "</bdi><script>alert(1)</script>"


shop = page(headers=(), act=log_in)


class Office(Queue):
    """A shop with a logged-in customer who made a request, and signed-in staff."""

    clock = NOW

    def code(self, scope: str = "file") -> str:
        return part_of(self.app, PeoplePart).access.make(CUSTOMER, scope)

    def file(
        self, session: str, code: str = "", *, id_: str = "one", form: str | None = None, **two: str
    ) -> Answer:
        cookie = ("cookie", f"__Host-cg_staff={session}")
        query = urlencode({"id": id_})
        asked = ask(self.app, path="/_cg/file", query=query, headers=[cookie, ("accept", "text/html")])
        if not code and not two:
            return asked
        value = re.findall(r'name="form" value="([^"]+)"', asked.text.partition("<main")[2])[0]
        fields = {"id": id_, "code": code, "form": value if form is None else form, **two}
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


def test_code_that_opens_nothing_is_no_look_and_counts_for_nothing(office: Office) -> None:
    session = office.sign_in(office.add("support", name="Sam"))
    for number in "12":
        office.put(number, kind=RequestKind.CORRECT, customer=f"other-{number}")

    wrong = [office.file(session, "AAAA-BBBB", id_=number).status for number in "12"]
    seen = [one["event"] for one in read_journal(office.state) if one.get("customer")]
    code = office.code()

    assert (wrong, seen) == ([403, 403], [])
    assert office.file(session, code).status == 200  # of two views a day
    assert [one["event"] for one in read_journal(office.state) if one.get("customer")] == ["looked"] * 2


def test_code_stays_valid_where_the_daily_limit_stops_a_member(office: Office) -> None:
    first, second = (office.add("support", name=name) for name in ("Sam", "Sue"))
    for number in "12":
        office.put(number, kind=RequestKind.CORRECT, customer=f"other-{number}")
        assert office.page(first, f"id={number}").status == 200
    code = office.code()

    statuses = [office.file(office.sign_in(token), code).status for token in (first, second)]

    assert statuses == [429, 200]


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


TWO = {"ground": "abuse", "event": "Ticket 7", "reason": "Orders on a stolen card"}


def looks_of(office: Office) -> list[Look]:
    with closing(store_opener(office.app.config, office.state, environ={})()) as store:
        return [look for look, _ in LEDGER.read(store).values()]


def test_two_persons_open_a_file_without_a_code_and_the_customer_is_to_be_told(office: Office) -> None:
    session, officer = office.sign_in(office.add("support", name="Sam")), office.add("officer", name="Olga")

    before = office.file(session)
    opened = office.file(session, **TWO, token=officer)

    assert 'name="token"' in before.text
    assert (opened.status, f"Customer {CUSTOMER}" in words(opened)) == (200, True)
    (look,) = looks_of(office)
    assert (look.by, look.approved, look.ground, look.event, look.reason, look.scope) == (
        "Sam",
        "Olga",
        *TWO.values(),
        "file",
    )
    events = [one["event"] for one in read_journal(office.state) if one.get("who") == "Sam"]
    assert "looked without a code" in events
    assert "two persons opened data without a code" in words(opened)
    due = ask(office.app, path="/_cg/due", headers=[("authorization", f"Bearer {officer}")])
    assert "Tell the customer about the look of " in due.text


def test_reload_of_a_file_that_two_persons_opened_opens_it_no_second_time(office: Office) -> None:
    session, officer = office.sign_in(office.add("support", name="Sam")), office.add("officer", name="Olga")

    opened, again = (office.file(session, **TWO, token=officer) for _ in range(2))

    assert (opened.status, again.status, CUSTOMER in again.text) == (200, 403, False)
    assert "say why in the reason" in words(again)
    assert len(looks_of(office)) == 1
    assert [one["event"] for one in read_journal(office.state)].count("looked without a code") == 1
    assert office.file(session, **{**TWO, "reason": "The page was closed"}, token=officer).status == 200


def test_one_person_alone_and_what_says_no_reason_opens_nothing(office: Office) -> None:
    own, other = office.add("officer", name="Sam"), office.add("officer", name="Olga")
    session = office.sign_in(own)

    answers = {
        "own token": office.file(session, **TWO, token=own),
        "same person": office.file(session, **TWO, token=office.add("owner", name="SAM")),
        "support": office.file(session, **TWO, token=office.add("support", name="Sue")),
        "wrong token": office.file(session, **TWO, token="2.a.b.c"),
        "no token": office.file(session, **TWO, token=""),
        "no reason": office.file(session, **{**TWO, "reason": " "}, token=other),
        "no case": office.file(session, **{**TWO, "event": ""}, token=other),
        "no ground": office.file(session, **{**TWO, "ground": "curiosity"}, token=other),
        "another form": office.file(session, **TWO, token=other, form="x"),
    }

    assert {name: one.status for name, one in answers.items()} == {
        **dict.fromkeys(("own token", "same person", "support", "wrong token", "no token"), 403),
        **dict.fromkeys(("no reason", "no case", "no ground"), 400),
        "another form": 403,
    }
    assert not [name for name, one in answers.items() if CUSTOMER in one.text or "Orders on" in one.text]
    assert looks_of(office) == []
    assert office.file(session, **TWO, token=other).status == 200  # the control


class Hooks:
    """Hooks of a shop."""

    def export(self, customer: str) -> list[Exported]:
        return [Exported(kind="orders", values={"Mug": f"2 {HOSTILE}"})]

    def erase(self, customer: str) -> None: ...

    def deactivate(self, customer: str) -> None: ...


class Keeping(Hooks):
    """Hooks of a shop that keeps many orders of a customer."""

    def export(self, customer: str) -> list[Exported]:
        values = {f"Order {number}": "2 mugs" for number in range(200)} | {"Last": "the-last"}
        return [Exported(kind="orders", values=values)]


class Marked(Hooks):
    """Hooks of a shop whose templates mark texts as safe HTML."""

    def export(self, customer: str) -> list[Exported]:
        live = Markup(HOSTILE)
        return [Exported(kind=live, values={live: live}, reason=live)]


class Failing(Hooks):
    """Hooks of a shop whose database is down."""

    def export(self, customer: str) -> list[Exported]:
        raise OSError(f"no database for {customer}")


class Counting(Hooks):
    """Be the hooks of a shop whose first export takes until another one is made; each says which it is."""

    asked: ClassVar[list[str]] = []
    again = Event()

    def export(self, customer: str) -> list[Exported]:
        number = len(self.asked)
        self.asked.append(customer)
        if number:
            return [Exported(kind="orders", values={"Export": str(number)})]
        self.again.wait(60)
        return [Exported(kind="orders", values={"Export": "of the worker"})]


Export = Callable[[type[Hooks]], Office]


@pytest.fixture
def export(guard: Callable[..., CookieGuard], tmp_path: Path) -> Iterator[Export]:
    made = []

    def shop_with(hooks: type[Hooks]) -> Office:
        rights = RightsSettings(hooks=f"features.test_customer_file:{hooks.__name__}")
        made.append(Office(guard(shop, rights=rights, clock=lambda: NOW), tmp_path / "state"))
        made[0].put(
            "one", kind=RequestKind.EXPORT, customer=CUSTOMER, steps=("collect",), contact="by letter"
        )
        return made[0]

    yield shop_with
    made[0].requests.close()


@pytest.fixture
def exporting(export: Export) -> Office:
    return export(Hooks)


def shown_copy(answer: Answer) -> str:
    (copy,) = re.findall(r'<div class="copy"[^>]*>(.*?)</div>', answer.text, re.DOTALL)
    return str(copy)


def main_of(content: bytes) -> str:
    """Return what the page in a copy shows."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return archive.read("index.html").decode().partition("<main>")[2].partition("</main>")[0]


def test_officer_reads_the_copy_before_it_goes_out_and_sends_what_they_read(exporting: Office) -> None:
    session = exporting.sign_in(exporting.add("officer", name="Olga"))
    first = exporting.shown(session, "id=one").text
    assert "Read the answer" in first
    assert 'action="/_cg/file"' in first

    opened = exporting.file(session, exporting.code())

    assert "Mug" in shown_copy(opened)
    assert "<script>alert" not in opened.text
    assert "<script>alert" not in shown_copy(opened)
    assert dark(opened) == ["done"]
    assert "Request for a copy , 2026-11-22: waiting for an officer's answer" in words(opened)
    asyncio.run(work_once(exporting.app.config))  # a worker leaves it to the officer
    assert exporting.found("one").may_change
    posted = {"act": "done", "id": "one", "text": exporting.found("one").kind.value}
    sure = exporting.shown(session, form=form_of(opened, "done"), **posted)
    assert exporting.shown(session, form=form_of(sure, "done"), **posted).status == 303
    assert exporting.found("one").state is State.DONE
    content = exporting.requests.file("one")
    assert content is not None
    assert main_of(content) == shown_copy(opened)
    events = [(one["event"], one.get("what", "")) for one in read_journal(exporting.state)]
    assert ("looked", "file, by request one") in events


@pytest.mark.browser
def test_copy_is_printed_whole_and_alone(export: Export) -> None:
    office = export(Keeping)
    session = office.sign_in(office.add("officer"))
    opened = office.file(session, office.code())
    style = f"<style>{load_asset('stats.css').text}</style></head>"

    with playwright_started() as driver, chromium(*driver) as launched:
        shown = launched.new_page()
        shown.set_content(opened.text.replace("</head>", style))
        pages = shown.pdf(format="A4").count(b"/Type /Page\n")
        shown.emulate_media(media="print")
        words = shown.inner_text("main").split()

    assert pages > 4  # of 200 orders
    assert " ".join(words[:4]) == "A copy of my"  # nothing of the page around it
    assert "the-last" in words


def test_copy_is_made_for_an_officer_alone_and_once(exporting: Office) -> None:
    support, officer = (exporting.sign_in(exporting.add(role)) for role in ("support", "officer"))

    by_support = exporting.file(support, exporting.code())
    untouched = exporting.found("one").events
    by_officer, again = (exporting.file(officer, exporting.code()) for _ in range(2))

    assert (by_support.status, 'class="copy"' in by_support.text, untouched) == (200, False, ())
    assert "Read the answer" not in exporting.shown(support, "id=one").text
    assert shown_copy(by_officer) == shown_copy(again)
    assert exporting.found("one").done_steps == ("collect",)
    page = exporting.shown(officer, "id=one")
    assert (dark(page), "Send it" in page.text) == (["done"], True)


def test_copy_escapes_texts_that_the_shops_hook_marks_as_safe(export: Export) -> None:
    office = export(Marked)

    opened = office.file(office.sign_in(office.add("officer")), office.code())

    assert shown_copy(opened).count("&lt;script&gt;alert(1)") == 4
    assert "<script>alert" not in opened.text


def test_copy_that_the_shops_hook_cannot_make_leaves_the_request_to_the_worker(
    export: Export,
) -> None:
    exporting = export(Failing)
    session = exporting.sign_in(exporting.add("officer"))

    answer = exporting.file(session, exporting.code())

    assert (answer.status, 'class="copy"' in answer.text) == (200, False)
    assert "The answer was not made: OSError: no database for ..." in words(answer)
    assert exporting.found("one").done_steps == ()
    assert f"Customer {CUSTOMER}" in words(answer)


def test_copy_of_a_worker_that_is_slower_does_not_replace_the_copy_that_was_read(export: Export) -> None:
    exporting = export(Counting)
    hooks = import_module("features.test_customer_file").Counting  # as the shop imports it
    session = exporting.sign_in(exporting.add("officer"))
    worker = Thread(target=lambda: asyncio.run(work_once(exporting.app.config)))
    worker.start()
    wait_until(lambda: hooks.asked, "the worker's export")

    opened = exporting.file(session, exporting.code())
    hooks.again.set()
    worker.join(60)

    assert exporting.found("one").may_change
    content = exporting.requests.file("one")
    assert content is not None
    assert main_of(content) == shown_copy(opened)


@pytest.mark.parametrize(
    ("act", "said"), [(Act.IDENTITY_ASKED, "waiting for proof"), (Act.HELD, "on hold until")]
)
def test_no_copy_is_made_of_a_request_that_is_in_doubt_or_on_hold(
    exporting: Office, act: Act, said: str
) -> None:
    exporting.put("two", kind=RequestKind.EXPORT, customer=CUSTOMER, steps=("collect",), via=Via.STAFF)
    officer = exporting.add("officer")
    exporting.do(officer, act=act.value, id="two", text="A dispute.", until="2026-12-24")

    opened = exporting.file(exporting.sign_in(officer), exporting.code(), id_="two")
    page = exporting.page(officer, "id=two").text

    assert (opened.status, "srcdoc" in opened.text, "Read the answer" in page) == (200, False, False)
    assert said in unescape(page)
    assert exporting.found("two").done_steps == ()
