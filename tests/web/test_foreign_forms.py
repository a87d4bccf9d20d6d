"""Forms without our token change nothing, and our own forms work for two days."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from features.records.test_consent_log import recorded
from features.rights.test_requests_page import Queue
from harness.asgi import Answer, ask, form_of, hidden_fields, page
from harness.parts import log_of

from cookieguard import CookieGuard, visitor_of
from cookieguard.config import MailSettings, RightsSettings
from cookieguard.config.people.staff import StaffSettings
from cookieguard.keyring import Keyring, KeyState, new_key
from cookieguard.storage.keyring_source import beside
from cookieguard.web.walls import REPORT_PAGE

Guard = Callable[..., CookieGuard]
NOW = datetime(2026, 11, 24, 23, 59, tzinfo=UTC)
DAY = timedelta(days=1)
FORM = ("content-type", "application/x-www-form-urlencoded")
JSON = ("content-type", "application/json")
OWN = ("sec-fetch-site", "same-origin")
CONSENT, SESSION, STAFF = "__Host-cg_consent", "__Host-cg_session", "__Host-cg_staff"
EMBED = {"party": "@vendor Ads", "next": "/p"}
RIGHTS = RightsSettings(hooks="", login_url="/login")


class Clock:
    """A clock that stands still until a test sets it."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


async def shop(scope: Any, _: Any, send: Any) -> None:
    if scope["path"] == "/login":
        visitor_of(scope).login("10001")
    await page(b"<!doctype html><html lang=en><body>shop")(scope, None, send)


@pytest.fixture
def app(guard: Guard, clock: Clock) -> CookieGuard:
    return guard(shop, clock=clock, rights=RIGHTS, staff=StaffSettings(scopes=("account",)))


def post(
    app: CookieGuard, name: str, fields: Any, *headers: tuple[str, str], bare: bool = True, **more: Any
) -> Answer:
    body = urlencode(fields, doseq=True).encode()
    sent = [FORM, OWN, *headers]
    return ask(app, path=f"/_cg/{name}", method="POST", headers=sent, body=body, bare=bare, **more)


def banner_of(app: CookieGuard, path: str = "/_cg/choices", **more: Any) -> str:
    """Return the field of a form, as a visitor's page has it."""
    found = re.search(r'name="banner" value="([^"]*)"', ask(app, path=path, **more).text)
    assert found
    return found[1]


# The banner, placeholders and the page of choices


@pytest.mark.parametrize(
    ("name", "fields", "ticked"),
    [
        ("consent", {"choice": "accept"}, {"necessary", "statistics", "marketing"}),
        ("consent", {"choice": "save", "purpose": ["statistics"]}, {"necessary", "statistics"}),
        ("consent", {"choice": "reject"}, {"necessary"}),
        ("embed", {**EMBED, "act": "always"}, {"necessary", "marketing"}),
        ("embed", {**EMBED, "act": "once"}, {"necessary"}),
    ],
)
@pytest.mark.parametrize("banner", [None, "", ".", "0123456789abcdef.AAAAAAAAAAAA", "\udcff.é", "x" * 5000])
def test_a_form_without_the_value_shows_the_choice_again_and_changes_nothing(
    app: CookieGuard, name: str, fields: dict[str, Any], ticked: set[str], banner: str | None
) -> None:
    more = {} if banner is None else {"banner": banner.encode("utf-8", "surrogatepass")}
    answer = post(app, name, {**fields, **more, "next": "/p"})

    assert answer.status == 403
    assert answer.all("set-cookie") == []
    assert "out of date" in answer.text
    assert set(re.findall(r'value="(\w+)"[^>]* checked=""', answer.text)) == ticked
    assert 'name="next" value="/p"' in answer.text
    assert not log_of(app).writer.exists  # nobody has written into the log


def test_the_page_that_asks_again_takes_the_choice(app: CookieGuard) -> None:
    asked = post(app, "consent", {"choice": "save", "purpose": "statistics", "next": "/p"})
    body = b"choice=save&purpose=statistics" + hidden_fields(asked.body)

    taken = ask(app, path="/_cg/consent", method="POST", headers=[FORM, OWN], body=body, bare=True)

    assert (taken.status, list(taken.cookies())) == (303, [CONSENT])
    assert len(recorded(app)) == 1


@pytest.mark.parametrize(("days", "status"), [(0, 303), (1, 303), (2, 403), (-1, 403)])
def test_a_value_counts_today_and_tomorrow(app: CookieGuard, clock: Clock, days: int, status: int) -> None:
    banner = banner_of(app)
    clock.now += days * DAY

    assert post(app, "consent", {"choice": "accept", "banner": banner}).status == status


def test_a_value_counts_on_the_host_it_was_shown_on_and_at_every_worker(guard: Guard, clock: Clock) -> None:
    first, second = guard(shop, clock=clock), guard(shop, clock=clock)
    there = {"choice": "accept", "banner": banner_of(first)}

    assert post(second, "consent", there).status == 303
    assert post(second, "consent", there, host="other.example").status == 403


def test_a_value_counts_after_a_rotation_of_keys_and_not_once_its_key_is_gone(
    guard: Guard, clock: Clock, tmp_path: Path
) -> None:
    fields = {"choice": "accept", "banner": banner_of(guard(shop, clock=clock))}
    file = beside(tmp_path / "state")
    before = Keyring.loads(file.read_text())
    new = new_key(NOW - DAY)
    rotated = before.with_key(new).promoted(new.id, now=NOW)

    file.write_text(rotated.dumps())
    after = guard(shop, clock=clock)
    assert post(after, "consent", fields).status == 303
    assert banner_of(after) != fields["banner"]
    file.write_text(Keyring(one for one in rotated.every if one.state is KeyState.SIGNING).dumps())
    assert post(guard(shop, clock=clock), "consent", fields).status == 403


def test_a_page_has_the_value_of_its_day_out_of_every_cache(app: CookieGuard, clock: Clock) -> None:
    def shown(etag: str = "") -> Answer:
        return ask(app, headers=[("if-none-match", etag), *DOCUMENT] if etag else DOCUMENT)

    first = [shown() for _ in range(4)][-1]
    clock.now += DAY
    second = shown()

    assert hidden_fields(first.body) != hidden_fields(second.body)


DOCUMENT = [("sec-fetch-dest", "document"), ("sec-fetch-mode", "navigate"), OWN]


@pytest.mark.parametrize("wording", ["", "0123456789abcdef"])
def test_a_form_agrees_to_no_wording_that_is_not_ours(app: CookieGuard, wording: str) -> None:
    value = banner_of(app).partition(".")[2]
    fields = {"banner": f"{wording}.{value}"}

    assert post(app, "consent", {"choice": "accept", **fields}).status == 403
    assert post(app, "embed", {**EMBED, "act": "always", **fields}).status == 403
    assert not log_of(app).writer.exists
    assert post(app, "consent", {"choice": "reject", **fields}).status == 303


def test_withdrawal_by_the_control_needs_its_token(app: CookieGuard) -> None:
    agreed = post(app, "consent", {"choice": "accept", "banner": banner_of(app)}).cookies()[CONSENT]
    cookie = ("cookie", f"{CONSENT}={agreed}")
    banner = banner_of(app, "/", headers=[cookie, *DOCUMENT])

    refused = post(app, "consent", {"choice": "reject"}, cookie)
    assert (refused.status, refused.all("set-cookie"), refused.all("clear-site-data")) == (403, [], [])
    withdrawn = post(app, "consent", {"choice": "reject", "banner": banner}, cookie)

    assert (withdrawn.status, withdrawn.get("clear-site-data")) == (303, '"cache"')


def test_the_script_is_told_to_go_the_plain_way(app: CookieGuard) -> None:
    answer = post(app, "consent", {"choice": "accept"}, ("accept", "application/json"))

    assert (answer.status, json.loads(answer.body)["ok"]) == (403, False)
    assert answer.all("set-cookie") == []


def test_json_needs_no_value_since_no_form_sends_it(app: CookieGuard) -> None:
    body = json.dumps({"choice": "save", "purpose": ["statistics"]}).encode()

    answer = ask(app, path="/_cg/consent", method="POST", headers=[JSON, OWN], body=body)

    assert answer.status == 303
    assert CONSENT in answer.cookies()


def test_placeholders_carry_the_value(guard: Guard, clock: Clock) -> None:
    held = b'<!doctype html><body><iframe src="https://ads.example/" width="400" height="300"></iframe>'
    app = guard(page(held), clock=clock)
    text = ask(app, headers=DOCUMENT).text
    place = ask(
        app, path="/_cg/place", query="party=@vendor+Ads", headers=[("sec-fetch-dest", "object")]
    ).text
    values = re.findall(r"name=&#34;banner&#34; value=&#34;(\w+\.[\w-]{12})&#34;", text)
    values += re.findall(r'name="banner" value="(\w+\.[\w-]{12})"', place)

    assert len(values) == 2
    for value in values:
        assert post(app, "embed", {**EMBED, "act": "always", "banner": value}).status == 303


# Pages of our own


def login(app: CookieGuard) -> tuple[str, str]:
    return ("cookie", f"{SESSION}={ask(app, path='/login').cookies()[SESSION]}")


ACTS = [
    {"act": "ask", "kind": "export"},
    {"act": "ask", "kind": "erase"},
    {"act": "erase"},
    {"act": "sessions"},
]
ACTS += [{"act": "withdraw", "id": "x"}, {"act": "copy", "id": "x"}, {"act": "end", "id": "x"}]


@pytest.mark.parametrize("fields", ACTS)
def test_no_form_of_others_acts_for_a_customer(
    app: CookieGuard, clock: Clock, fields: dict[str, str]
) -> None:
    anna, bert = login(app), login(app)
    of_bert = form_of(ask(app, path="/_cg/privacy", headers=[bert]))
    of_the_week_before = form_of(ask(app, path="/_cg/privacy", headers=[anna]))
    of_another_page = form_of(ask(app, path="/_cg/permission", headers=[anna]))
    clock.now += 3 * timedelta(minutes=3)

    for form in ("", "x", of_bert, of_another_page):
        answer = post(app, "privacy", {**fields, "form": form}, anna)
        assert (answer.status, answer.all("set-cookie")) == (403, [])
        assert "out of date" in answer.text
    clock.now += 2 * DAY
    assert post(app, "privacy", {**fields, "form": of_the_week_before}, anna).status == 403


def test_an_erasure_is_confirmed_by_its_own_page_alone(app: CookieGuard) -> None:
    anna = login(app)
    form = form_of(ask(app, path="/_cg/privacy", headers=[anna]))

    asked = post(app, "privacy", {"act": "ask", "kind": "erase", "text": "a\nb", "form": form}, anna)
    skipped = post(app, "privacy", {"act": "erase", "form": form}, anna)
    assert (asked.status, skipped.status) == (200, 403)
    assert "cannot be undone" in asked.text
    assert "recorded" not in asked.text
    done = post(app, "privacy", {"act": "erase", "text": "a\nb", "form": form_of(asked)}, anna)

    assert "Your request is recorded" in done.text
    assert ask(app, path="/_cg/privacy", headers=[anna]).text.count("<article data-state") == 0  # logged out


def test_no_form_of_others_makes_a_code(app: CookieGuard) -> None:
    anna = login(app)

    answer = post(app, "permission", {"scope": "account"}, anna)

    assert answer.status == 403
    assert "out of date" in answer.text
    assert "<strong" not in answer.text
    again = post(app, "permission", {"scope": "account", "form": form_of(answer)}, anna)
    assert "<strong" in again.text


@pytest.fixture
def queue(guard: Guard, clock: Clock, tmp_path: Path) -> Iterator[Queue]:
    clock.now = datetime(2026, 11, 24, 12, tzinfo=UTC)
    made = Queue(guard(shop, rights=RIGHTS, clock=clock), tmp_path / "state")
    yield made
    made.requests.close()


LETTER = {
    "act": "add",
    "kind": "correct",
    "who": "known",
    "customer": "10002",
    "received": "2026-11-24",
    "text": "x",
}


def test_no_form_of_others_acts_for_a_member(queue: Queue, clock: Clock) -> None:
    anna, bert = (
        ("cookie", f"{STAFF}={queue.sign_in(queue.add('support', name=one))}") for one in ("anna", "bert")
    )
    queue.put("r" * 22)
    of_bert = form_of(ask(queue.app, path="/_cg/requests", headers=[bert]))

    for fields in (
        LETTER,
        LETTER | {"act": "erase", "kind": "erase"},
        {"act": "note", "id": "r" * 22, "text": "x"},
    ):
        for form in ("", of_bert):
            answer = post(queue.app, "requests", {**fields, "form": form}, anna)
            assert answer.status == 403
            assert "out of date" in answer.text
    assert len(queue.requests.survey(clock.now)[0]) == 1
    assert queue.found("r" * 22).events == ()
    assert 'value="10002"' in post(queue.app, "requests", LETTER, anna).text  # what was typed is there


def test_an_erasure_that_a_member_enters_is_asked_about_and_a_script_is_not(
    queue: Queue, clock: Clock
) -> None:
    token = queue.add("support")
    anna, erasure = ("cookie", f"{STAFF}={queue.sign_in(token)}"), LETTER | {"kind": "erase"}
    form = form_of(ask(queue.app, path="/_cg/requests", headers=[anna]))

    asked = post(queue.app, "requests", erasure | {"form": form}, anna)
    assert asked.status == 200
    assert "Erase <bdi>10002</bdi>" in asked.text
    assert queue.requests.survey(clock.now)[0] == []
    assert post(queue.app, "requests", erasure | {"act": "erase", "form": form}, anna).status == 403
    done = post(queue.app, "requests", erasure | {"act": "erase", "form": form_of(asked)}, anna)

    assert done.status == 303
    assert post(queue.app, "requests", erasure, ("authorization", f"Bearer {token}")).status == 303


def test_a_member_whom_a_proxy_names_needs_the_form_too(guard: Guard, tmp_path: Path) -> None:
    staff, clock = StaffSettings(header="x-user"), Clock()
    clock.now = datetime(2026, 11, 24, 12, tzinfo=UTC)
    app = guard(shop, rights=RIGHTS, staff=staff, trusted_proxies=("198.51.100.7",), clock=clock)
    queue = Queue(app, tmp_path / "state")
    token = queue.add("support", name="anna")
    named = [("x-user", "anna"), ("x-forwarded-for", "192.0.2.1")]

    # A proxy may add a header that a form cannot send: then it says nothing of who posted.
    assert post(app, "requests", LETTER, *named, ("authorization", f"Bearer {token}")).status == 403
    form = form_of(ask(app, path="/_cg/requests", headers=named))
    assert post(app, "requests", LETTER | {"form": form}, *named).status == 303
    queue.requests.close()


def test_no_form_of_others_signs_a_member_out_or_writes_a_note(queue: Queue) -> None:
    anna = ("cookie", f"{STAFF}={queue.sign_in(queue.add('analyst'))}")

    for name, fields in (("staff", {"leave": "1"}), ("stats", {"day": "2026-11-20", "text": "x"})):
        answer = post(queue.app, name, fields, anna)
        assert (answer.status, answer.all("set-cookie")) == (403, [])
        assert "out of date" in answer.text
    signed_out = post(queue.app, "staff", {"leave": "1"}, anna, bare=False)
    assert (signed_out.status, list(signed_out.cookies())) == (303, [STAFF])


def test_every_page_of_ours_that_takes_a_form_refuses_one_of_others(guard: Guard, clock: Clock) -> None:
    mail = MailSettings(url="smtp://localhost:1", sender="a@shop.example", lists=("news",))
    app = guard(shop, clock=clock, dev=True, rights=RIGHTS, mail=mail, origins=("http://localhost",))
    paths = [path for path, (methods, _) in app._pages._pages.items() if "POST" in methods]
    fields = {"choice": "accept", "act": "once", "party": "@vendor Ads", "leave": "1", "scope": "account"}

    answers = {
        path.rpartition("_cg/")[2]: post(
            app, path.removeprefix("/_cg/"), fields, host="localhost", scheme="http"
        )
        for path in paths
        if not path.endswith(REPORT_PAGE)  # it takes no form
    }

    assert len(answers) == 14
    refused = {name for name, one in answers.items() if one.status in (400, 403, 404, 410)}
    assert set(answers) - refused == set()
    assert all(one.all("set-cookie") == [] for one in answers.values())


# No cookie before a choice


def test_no_page_sets_a_cookie_before_a_choice(app: CookieGuard) -> None:
    paths = ["/", "/product/1", *app._pages._pages]
    answers = [ask(app, path=one, headers=DOCUMENT) for one in paths]
    answers += [
        post(app, name, {"choice": "accept", "act": "ask"})
        for name in ("consent", "embed", "privacy", "staff")
    ]

    assert {one.status for one in answers} >= {200, 403}
    assert [one.all("set-cookie") for one in answers] == [[]] * len(answers)
