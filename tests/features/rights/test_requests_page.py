"""The request queue at {prefix}requests: each role sees and does what it may, and every look is recorded."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.header import decode_header, make_header
from functools import partial
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from features.people.test_staff_guard import OWN, Desk
from harness.asgi import Answer, ask, no_app
from harness.policies import FIRST, two_versions
from harness.relays import new_relay

from cookieguard import CookieGuard, PolicyVersion
from cookieguard.config import RightsSettings
from cookieguard.config.mail import MailSettings
from cookieguard.features.people.journal import marks_of, read_journal
from cookieguard.features.rights.requests import Requests, requests_opener
from cookieguard.features.rights.values.requests import Act, Request, State, Via, noted
from cookieguard.features.rights.values.rules import Law, RequestKind
from cookieguard.features.rights.web.requests import ACTS
from cookieguard.features.work import work_once
from cookieguard.keyring import Keyring
from cookieguard.storage.keyring_source import beside
from cookieguard.storage.state_directory import StateDirectory

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
HOSTILE = '"><script>alert(1)</script>\u202e'
STAFF = {"support": "Sam", "officer": "Olga"}
BY_HAND = "deleted at the parcel service"


class Queue(Desk):
    """A guarded shop, its staff, and its queue of requests."""

    def __init__(self, app: CookieGuard, state: Path) -> None:
        super().__init__(app, state)
        keyring = Keyring.loads(beside(state).read_text(), setting="test")
        self.marks = lambda number: marks_of(keyring, number)
        self.requests: Requests = requests_opener(app.config, keyring, StateDirectory(state), environ={})()

    def put(self, id_: str, *, days: int = 2, kind: RequestKind = RequestKind.ERASE, **values: Any) -> None:
        made: dict[str, Any] = {
            "customer": "number-4711",
            "contact": "anna@mail.example",
            "via": Via.LOGIN,
            **values,
        }
        request = Request(id=id_, kind=kind, law=Law.GDPR, received=NOW - timedelta(days=days), **made)
        self.requests.add(request, has_work=True)

    def page(self, token: str, query: str = "") -> Answer:
        headers = [("authorization", f"Bearer {token}"), ("accept", "text/html")]
        return ask(self.app, path="/_cg/requests", query=query, headers=headers)

    def do(self, token: str, *, own: bool = True, **fields: str) -> Answer:
        headers = [*(OWN if own else OWN[1:]), ("authorization", f"Bearer {token}")]
        return ask(
            self.app,
            path="/_cg/requests",
            method="POST",
            headers=headers,
            body=urlencode(fields, errors="surrogatepass").encode(),
        )

    def shown(self, session: str, query: str = "", **fields: str) -> Answer:
        """Answer a browser that is signed in, also to a form with the value that the page gave it."""
        cookie = ("cookie", f"__Host-cg_staff={session}")
        if not fields:
            return ask(self.app, path="/_cg/requests", query=query, headers=[cookie, ("accept", "text/html")])
        body = urlencode(fields).encode()
        return ask(self.app, path="/_cg/requests", method="POST", headers=[*OWN, cookie], body=body)

    def found(self, id_: str) -> Request:
        request = self.requests.find(id_)
        assert request is not None
        return request


@pytest.fixture
def queue(guard: Callable[..., CookieGuard], tmp_path: Path) -> Iterator[Queue]:
    made = Queue(guard(no_app, rights=RightsSettings(by_hand=(BY_HAND,))), tmp_path / "state")
    yield made
    made.requests.close()


def test_list_stands_by_days_left_names_nobody_and_one_broken_row_does_not_stop_it(queue: Queue) -> None:
    queue.put("later", days=2)
    queue.put("sooner", days=20, text=HOSTILE)
    queue.put("broken", days=1)
    row = queue.requests.queue.read("broken")
    assert row is not None
    queue.requests.queue.write(row._replace(sealed=row.sealed[:-1] + bytes([row.sealed[-1] ^ 1])))

    answer = queue.page(queue.add("support"))
    officer = ask(queue.app, path="/_cg/due", headers=[("authorization", f"Bearer {queue.add('officer')}")])

    assert answer.status == 200
    assert answer.text.index("sooner") < answer.text.index("later")
    assert "Request broken cannot be read" in answer.text
    assert "broken cannot be read" in officer.text
    assert not [one for one in ("4711", "anna@", "alert(1)") if one in answer.text]


def test_open_request_is_in_the_journal_before_it_is_shown_and_others_words_are_text(queue: Queue) -> None:
    queue.put("one", text=HOSTILE, customer=f"n{HOSTILE}", contact="", steps=(HOSTILE,))
    queue.requests.change("one", lambda one: noted(one, Act.NOTE, now=NOW, by="x", text=HOSTILE))
    token = queue.add("support", name="Sam Support")

    answer = queue.page(token, "id=one")

    assert answer.status == 200
    assert "<script>alert" not in answer.text
    assert answer.text.count("&lt;script&gt;alert(1)") >= 4
    (look,) = [one for one in read_journal(queue.state) if one["event"] == "looked"]
    assert (look["who"], look["what"]) == ("Sam Support", "request one")
    assert look["customer"] == queue.marks(f"n{HOSTILE}")[0]

    for path in (queue.state / "staff-journal").iterdir():
        path.unlink()
    (queue.state / "staff-journal").rmdir()
    (queue.state / "staff-journal").write_text("in the way")
    assert (queue.page(token, "id=one").status, "4711" in queue.page(token, "id=one").text) == (503, False)


def test_clock_of_who_is_logged_in_cannot_be_stopped(queue: Queue) -> None:
    queue.put("login")
    queue.put("letter", via=Via.STAFF)
    support = queue.add("support")

    refused = queue.do(support, act="identity-asked", id="login")

    assert (refused.status, "request login was made after a fresh login" in refused.text) == (409, True)
    assert queue.found("login").events == ()
    assert 'value="identity-asked"' not in queue.page(support, "id=login").text
    assert 'value="identity-asked"' in queue.page(support, "id=letter").text


def test_support_works_and_an_officer_decides(queue: Queue) -> None:
    queue.put("one", steps=("shop", BY_HAND), via=Via.STAFF)
    support, officer = queue.add("support", name="Sam"), queue.add("officer", name="Olga")
    decide = {"extended": "Many data.", "refused": "No.", "done": "Gone.", "held": "A dispute."}

    refused = [queue.do(support, act=act, id="one", text=text) for act, text in decide.items()]
    assert {one.status for one in refused} == {403}
    assert queue.found("one").events == ()
    assert queue.do(support, act="note", id="one", text="Called them.").status == 303
    assert queue.do(support, act="identity-asked", id="one").status == 303
    assert queue.do(support, act="identity-shown", id="one").status == 303
    assert queue.do(officer, act="approved", id="one").status == 303
    for step in ("shop", BY_HAND):  # without hooks the shop's step is one by hand
        assert queue.do(support, act="step", id="one", step=step, text="by phone").status == 303
    assert queue.do(officer, act="extended", id="one", text="Many data.").status == 303
    assert queue.do(officer, act="held", id="one", text="A dispute.", until="2026-12-01").status == 303
    answer = queue.do(officer, act="done", id="one", text="Gone.")
    assert (answer.status, answer.get("location")) == (303, "/_cg/requests?id=one")
    assert queue.do(officer, act="told", id="one", text="by letter").status == 303

    found = queue.found("one")
    assert (found.state, found.answer, found.is_open) == (State.DONE, "Gone.", False)
    assert [(one.act.value, one.by) for one in found.events] == [
        ("note", "Sam"),
        ("identity-asked", "Sam"),
        ("identity-shown", "Sam"),
        ("approved", "Olga"),
        ("step", "Sam"),
        ("step", "Sam"),
        ("extended", "Olga"),
        ("held", "Olga"),
        ("done", "Olga"),
        ("told", "Olga"),
    ]
    shown = queue.page(support, "id=one").text
    assert "by phone" in shown
    assert "by letter" in shown


def test_step_by_hand_begins_no_erasure_that_waits_for_proof_or_for_a_second_person(queue: Queue) -> None:
    for id_ in ("doubted", "entered"):
        queue.put(id_, steps=("stored", BY_HAND), via=Via.STAFF, entered_by="Sam")
    support, officer = (queue.add(role, name=name) for role, name in STAFF.items())
    queue.do(support, act="identity-asked", id="doubted")

    answers = [queue.do(support, act="step", id=id_, step=BY_HAND) for id_ in ("doubted", "entered")]
    pages = [queue.page(support, f"id={id_}").text for id_ in ("doubted", "entered")]

    assert [one.status for one in answers] == [409, 409]
    assert "waiting for proof of the person" in answers[0].text
    assert "waiting for approval by a second person" in answers[1].text
    assert [queue.found(id_).done_steps for id_ in ("doubted", "entered")] == [(), ()]
    assert [one for one in pages if 'value="step"' in one] == []
    queue.do(officer, act="approved", id="entered")
    assert queue.do(support, act="step", id="entered", step=BY_HAND).status == 303


def test_closed_requests_are_listed_newest_first_in_pages_of_50_and_name_nobody(queue: Queue) -> None:
    empty = queue.page(queue.add("support"), "closed=1").text
    queue.put("open-one")
    queue.put("untold")
    for number in range(51):
        queue.put(f"closed-{number:02}", kind=RequestKind.CORRECT, text=HOSTILE)
        queue.requests.change(f"closed-{number:02}", partial(noted, act=Act.WITHDRAWN, now=NOW, by="x"))
    queue.requests.change("untold", partial(noted, act=Act.REFUSED, now=NOW, by="x", text="No."))
    support = queue.add("support")

    pages = [queue.page(support, f"closed={page}") for page in ("1", "2", "3")]

    ids = [re.findall(r'id=([\w-]+)">Request', one.text) for one in pages]
    assert [len(one) for one in ids] == [50, 1, 0]
    assert [*ids[0], *ids[1]] == [f"closed-{number:02}" for number in reversed(range(51))]
    assert "Withdrawn" in pages[0].text
    assert "closed on 2026-11-24" in pages[0].text
    assert ["Older" in one.text for one in pages] == [True, False, False]
    assert ["Newer" in one.text for one in pages] == [False, True, True]
    assert "No request is closed yet" in empty
    assert 'href="/_cg/requests?closed=1"' in queue.page(support).text
    assert not [one for one in pages if "4711" in one.text or "alert(1)" in one.text]
    for wrong in ("x", "0", "-1", "99999", "\u0663"):
        assert "open-one" in queue.page(support, urlencode({"closed": wrong})).text


SAID = {
    "waiting for an officer's answer": {"kind": RequestKind.CORRECT},
    "waiting for cookieguard to do its part": {"steps": ("stored",)},
    "waiting for work by hand: the shop's own data, by phone": {"steps": ("shop", "stored", "by phone")},
    "waiting for approval by a second person": {"steps": ("stored",), "via": Via.STAFF},
}


@pytest.mark.parametrize("said", SAID)
def test_state_of_a_request_has_the_same_words_on_every_page(queue: Queue, said: str) -> None:
    queue.put("one", **SAID[said])  # type: ignore[arg-type]
    officer = queue.add("officer")

    pages = [queue.page(officer), queue.page(officer, "id=one")]
    pages.append(ask(queue.app, path="/_cg/due", headers=[("authorization", f"Bearer {officer}")]))

    for page in pages:
        assert said in unescape(page.text).replace("Waiting", "waiting")


def test_decided_request_says_that_the_person_has_no_answer_yet(queue: Queue) -> None:
    queue.put("one", kind=RequestKind.CORRECT, via=Via.STAFF)
    officer = queue.add("officer")
    queue.do(officer, act="done", id="one", text="It is corrected.")

    pages = [unescape(queue.page(officer, query).text) for query in ("", "id=one")]

    assert [one.lower().count("decided, but the person does not have the answer yet") for one in pages] == [
        1,
        1,
    ]


def dark(answer: Answer) -> list[str]:
    """Return what the dark buttons of a page do."""
    main = answer.text.partition("<main")[2]
    return re.findall(r'<button name="act" value="([^"]+)"', main)


def form_of(answer: Answer, act: str) -> str:
    """Return the value of the form that does this."""
    form = answer.text.partition(f'name="act" value="{act}"')[0].rpartition("<form")[2]
    return re.findall(r'name="form" value="([^"]+)"', form)[0]


@pytest.mark.parametrize(
    ("values", "support", "officer"),
    [
        ({"kind": RequestKind.EXPORT, "steps": ("collect",)}, ["step"], ["step"]),  # without hooks, by hand
        ({"kind": RequestKind.CORRECT}, [], ["done"]),
        ({"steps": ("stored",), "via": Via.LOGIN}, [], []),  # the worker's turn
        ({"steps": ("stored",), "via": Via.STAFF, "entered_by": "Sam"}, [], ["approved"]),
        ({"steps": ("stored",), "via": Via.STAFF, "entered_by": "OLGA"}, [], []),
        ({"kind": RequestKind.OBJECT, "text": "no ads"}, [], ["done"]),
    ],
)
def test_next_step_is_the_only_dark_button(
    queue: Queue, values: dict[str, Any], support: list[str], officer: list[str]
) -> None:
    queue.put("one", **values)

    pages = [queue.page(queue.add(role, name=name), "id=one") for role, name in STAFF.items()]

    assert [dark(one) for one in pages] == [support, officer]
    assert all('value="note"' in one.text for one in pages)
    assert ['value="refused"' in one.text for one in pages] == [False, True]


def test_next_step_is_to_find_out_who_asks_and_at_the_end_to_note_the_answer(queue: Queue) -> None:
    queue.put("one", kind=RequestKind.CORRECT, via=Via.STAFF)
    support, officer = (queue.add(role, name=name) for role, name in STAFF.items())

    queue.do(support, act="identity-asked", id="one")
    assert [dark(queue.page(one, "id=one")) for one in (support, officer)] == [["identity-shown"]] * 2
    queue.do(support, act="identity-shown", id="one")
    queue.do(officer, act="done", id="one", text="It is corrected.")
    assert [dark(queue.page(one, "id=one")) for one in (support, officer)] == [[], ["told"]]
    queue.do(officer, act="told", id="one", text="by letter")
    assert [dark(queue.page(one, "id=one")) for one in (support, officer)] == [[], []]


@pytest.mark.parametrize(
    ("act", "said"),
    [
        ("refused", ["Abgelehnt", "Zu viele Anfragen."]),
        ("extended", ["Antwort bis", "Zu viele Anfragen."]),
        ("held", ["Wir arbeiten daran", "Nothing informs the person of the hold"]),
    ],
)
def test_what_the_person_will_read_is_shown_in_their_language_before_it_is_done(
    queue: Queue, act: str, said: list[str]
) -> None:
    queue.put("one", language="de", kind=RequestKind.CORRECT)
    session = queue.sign_in(queue.add("officer", name="Olga"))
    page = queue.shown(session, "id=one")
    posted = {"act": act, "id": "one", "text": "Zu viele\r\nAnfragen.", "until": "2026-12-24"}

    shown = queue.shown(session, form=form_of(page, act), **posted)

    words = " ".join(unescape(re.sub("<[^>]+>", " ", shown.text)).split())
    assert (shown.status, queue.found("one").events) == (200, ())
    assert [one for one in said if one not in words] == []
    assert dark(shown) == [act]
    sure = form_of(shown, act)
    again = queue.shown(session, form=sure, **{**posted, "text": "Other words."})  # confirmed were others
    assert (again.status, queue.found("one").events) == (403, ())
    assert queue.shown(session, form=sure, **posted).status == 303
    (event,) = queue.found("one").events
    assert (event.act.value, event.text) == (act, "Zu viele\nAnfragen.")


@pytest.mark.parametrize("act", ["refused", "extended", "done"])
def test_mail_that_is_shown_is_the_mail_that_is_sent(
    guard: Callable[..., CookieGuard], tmp_path: Path, act: str
) -> None:
    relay = new_relay()
    mail = MailSettings(url=relay.url, sender="Shop <privacy@shop.example>")
    queue = Queue(guard(no_app, mail=mail), tmp_path / "state")
    queue.put("one", language="fr", kind=RequestKind.CORRECT)
    session = queue.sign_in(queue.add("officer"))
    posted = {"act": act, "id": "one", "text": "C'est <b>fait</b>.\nMerci"}

    shown = queue.shown(session, form=form_of(queue.shown(session, "id=one"), act), **posted)
    subject, lines = re.findall(
        r'<dd lang="fr"[^>]*>(.*?)</dd>.*?<blockquote[^>]*>(.*?)</blockquote>', shown.text, re.DOTALL
    )[0]
    assert queue.shown(session, form=form_of(shown, act), **posted).status == 303
    with relay.up():
        asyncio.run(work_once(queue.app.config))
    queue.requests.close()

    (message,) = relay.messages
    assert str(make_header(decode_header(message["Subject"]))) == unescape(subject)
    sent = message.get_payload(decode=True).decode()  # type: ignore[union-attr]
    assert sent.replace("\r\n", "\n").strip() == unescape(lines).strip()
    assert "anna@mail.example" in shown.text


def test_objection_is_beside_the_passage_that_it_quotes(
    guard: Callable[..., CookieGuard], tmp_path: Path
) -> None:
    policy = PolicyVersion(folder=str(two_versions(tmp_path / "policy")))
    queue = Queue(guard(no_app, policy=policy), tmp_path / "state")
    words = "I object: 'your parcel GOES with Post' <b>"
    queue.put("quoted", kind=RequestKind.OBJECT, policy=FIRST, text=words)
    queue.put("other", kind=RequestKind.OBJECT, policy=FIRST, text="No ads with my parcel please")
    queue.put("gone", kind=RequestKind.OBJECT, policy="2020-01-01", text="Something")
    officer = queue.add("officer")

    quoted, other, gone = (queue.page(officer, f"id={one}").text for one in ("quoted", "other", "gone"))
    queue.requests.close()

    assert re.findall(r"<mark>(.*?)</mark>", quoted) == ["Your parcel goes with Post."] * 2
    assert "GOES with Post&#39; &lt;b&gt;" in quoted
    assert f'href="/_cg/policy/{FIRST}"' in quoted
    assert "They quote no passage of it." in other
    assert "We keep your orders for ten years." in other
    assert "announced: " not in other
    assert "What they object to" not in gone


def test_support_is_shown_no_words_and_what_is_not_allowed_is_said_before_them(queue: Queue) -> None:
    queue.put("one", kind=RequestKind.CORRECT)
    support, officer = (queue.sign_in(queue.add(role, name=name)) for role, name in STAFF.items())
    form = {one: form_of(queue.shown(one, "id=one"), "note") for one in (support, officer)}

    refused = queue.shown(support, act="refused", id="one", text="No.", form=form[support])
    empty = queue.shown(officer, act="refused", id="one", text=" ", form=form[officer])
    none = queue.shown(officer, act="refused", id="none", text="No.", form=form[officer])

    assert (refused.status, empty.status, none.status) == (403, 409, 404)
    assert "refused has no text" in empty.text
    assert queue.found("one").events == ()


def test_what_the_law_or_the_plan_forbids_is_said_and_changes_nothing(queue: Queue) -> None:
    queue.put("one", steps=("stored", BY_HAND))
    officer = queue.add("officer")
    tries = [
        {"act": "done", "text": "Gone."},
        {"act": "refused", "text": "  "},
        {"act": "note", "text": ""},
        {"act": "step", "step": "stored"},  # the worker does it
        {"act": "step", "step": HOSTILE},
        {"act": "identity-shown"},
        {"act": "held", "until": "2026-12-01", "text": ""},
        {"act": "told", "text": ""},
    ]

    answers = [queue.do(officer, id="one", **one) for one in tries]

    assert {one.status for one in answers} == {409}
    assert all("Not done" in one.text and "<script>alert" not in one.text for one in answers)
    assert queue.do(officer, id="one", act="held", until="soon", text="x").status == 400
    assert queue.do(officer, id="none", act="note", text="x").status == 404
    assert queue.do(officer, id="%00", act="note", text="x").status == 404
    assert queue.do(officer, id="one", act="drop").status == 400
    assert queue.found("one").events == ()


def test_letter_is_entered_by_support_with_its_day_and_nothing_typed_is_lost(queue: Queue) -> None:
    support = queue.add("support", name="Sam")
    letter = {
        "act": "add",
        "kind": "correct",
        "who": "known",
        "contact": "Anna, Street 1",
        "received": "2026-11-20",
    }

    wrong = queue.do(support, **letter, text="")
    late = queue.do(support, **{**letter, "received": "2026-11-25"}, text=HOSTILE)
    unsaid = queue.do(support, **{**letter, "who": ""}, text="My name is Quandt")
    entered = queue.do(support, **letter, text="My name is Quandt", law="gdpr", language="de")

    assert (wrong.status, late.status, unsaid.status, entered.status) == (409, 400, 400, 303)
    assert "whether you know who asks" in unsaid.text
    assert "Anna, Street 1" in wrong.text
    assert "&lt;script&gt;alert(1)" in late.text
    (found,) = queue.requests.every_open(NOW)
    assert (found.entered_by, found.via, str(found.received.date()), found.language) == (
        "Sam",
        Via.STAFF,
        "2026-11-20",
        "de",
    )
    assert entered.get("location").endswith(found.id)


BAD = (
    "\x00",
    "\ud800",
    "\u202egnp.exe",
    "a\r\nBcc: eve@evil.example",
    "=1+1",
    "../../etc/passwd",
    "x" * 60_000,
)


def test_a_letter_is_entered_in_a_script_whose_letters_take_nine_bytes(queue: Queue) -> None:
    letter = {"kind": "object", "who": "known", "received": "2026-11-20", "customer": "10001"}

    answer = queue.do(queue.add("support"), act="add", **letter, text="\u0e01" * 2000, contact="\u0e01" * 200)

    assert answer.status == 303


BAD_DAYS = ("0001-01-01", "0026-11-20", "9999-12-31", "2026-02-30", "", "\x00", "tomorrow")


@pytest.mark.parametrize(
    "field", ["customer", "contact", "text", "language", "law", "kind", "received", "who"]
)
def test_no_word_that_is_entered_breaks_the_list_or_the_worker(queue: Queue, field: str) -> None:
    support = queue.add("support")
    letter = {"act": "add", "kind": "object", "who": "known", "customer": "10001", "text": "no ads"}

    for value in BAD_DAYS if field == "received" else BAD:
        answer = queue.do(support, **{**letter, "received": "2026-11-20", field: value})

        assert answer.status in (303, 400, 409, 413), (value[:20], answer.status)
        assert queue.page(support).status == 200
        assert "\u202e" not in answer.text
    for one in queue.requests.every_open(NOW):
        shown = queue.page(support, f"id={one.id}")
        assert shown.status == 200
        assert not [char for char in "\x00\u202e" if char in shown.text]


def test_letter_of_another_age_is_a_slip_of_the_pen(queue: Queue) -> None:
    letter = {"act": "add", "kind": "erase", "who": "known", "customer": "10001", "received": "0026-11-20"}

    answer = queue.do(queue.add("support"), **letter)

    assert (answer.status, "in the last ten years" in answer.text) == (409, True)


@pytest.mark.parametrize("day", ["0001-01-01", "9999-12-31"])
def test_hold_until_any_day_there_is_stops_no_worker(queue: Queue, day: str) -> None:
    queue.put("one", steps=("shop",))
    officer = queue.add("officer")

    assert queue.do(officer, act="held", id="one", until=day, text="court").status in (303, 409)

    found = queue.found("one")
    assert found.end_of(found.held_until or NOW.date()) > datetime.min.replace(tzinfo=UTC)
    assert queue.page(officer, "id=one").status == 200


def test_request_queue_is_closed_to_other_roles_and_other_sites(queue: Queue) -> None:
    queue.put("one")
    analyst, officer = queue.add("analyst"), queue.add("officer")

    reads = [ask(queue.app, path="/_cg/requests", query="id=one"), queue.page(analyst, "id=one")]
    writes = [
        queue.do(analyst, act="note", id="one", text="x"),
        queue.do(officer, own=False, act="note", id="one", text="x"),
        ask(
            queue.app,
            path="/_cg/requests",
            method="POST",
            headers=[("sec-fetch-site", "cross-site"), OWN[1], ("authorization", f"Bearer {officer}")],
            body=b"act=note&id=one&text=x",
        ),
    ]

    assert {one.status for one in (*reads, *writes)} == {403}
    assert not [one for one in (*reads, *writes) if "4711" in one.text]
    assert queue.found("one").events == ()


PAGES = ("due", "officer", "requests", "requests?id=one", "file?id=one")
BY_SUPPORT = ("add", "erase", "step", "note", "identity-asked", "identity-shown")
BY_OFFICER = ("approved", "extended", "held", "done", "refused", "told", "refuse-for")


def test_each_role_against_each_page_and_each_act(queue: Queue) -> None:
    queue.put("one", kind=RequestKind.CORRECT, via=Via.STAFF)
    allowed = {
        "": [],
        "analyst": [],
        "support": [*PAGES, *BY_SUPPORT],
        "officer": [*PAGES, *BY_SUPPORT, *BY_OFFICER],
        "owner": [*PAGES, *BY_SUPPORT, *BY_OFFICER],
    }
    assert {*BY_SUPPORT, *BY_OFFICER} == set(ACTS)

    opened = {}
    for role in allowed:
        token = queue.add(role) if role else "2.a.b.c"
        headers = [("authorization", f"Bearer {token}")]
        asked = {
            page: ask(
                queue.app,
                path=f"/_cg/{page.partition('?')[0]}",
                query=page.partition("?")[2],
                headers=headers,
            )
            for page in PAGES
        }
        # Without the fields that an act needs, nothing changes for the next one
        asked |= {act: queue.do(token, act=act, id="none") for act in ACTS}
        opened[role] = [name for name, answer in asked.items() if answer.status != 403]

    assert {role: sorted(names) for role, names in opened.items()} == {
        role: sorted(names) for role, names in allowed.items()
    }


def test_step_of_a_hook_that_cannot_be_loaded_is_done_by_nobody_s_hand(
    guard: Callable[..., CookieGuard], tmp_path: Path
) -> None:
    app = guard(no_app, rights=RightsSettings(hooks="no_such_module_of_a_shop:Hooks"))
    queue = Queue(app, tmp_path / "state")
    queue.put("one", steps=("shop",))
    support = queue.add("support")

    refused = queue.do(support, act="step", id="one", step="shop", text="by phone")

    assert (refused.status, queue.found("one").events) == (409, ())
    queue.requests.close()
