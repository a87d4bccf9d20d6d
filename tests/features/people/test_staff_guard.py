"""Staff pages answer everybody else with one and the same 403, and sign staff in by a form without JavaScript."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlencode

import pytest
from harness.asgi import Answer, ask, no_app, page
from harness.parts import part_of
from starlette.responses import PlainTextResponse, Response

from cookieguard import Config, CookieGuard
from cookieguard.config.people.staff import StaffSettings
from cookieguard.config.store import StoreSettings
from cookieguard.errors import ConfigError
from cookieguard.features.people.journal import forget_entries, read_journal
from cookieguard.features.people.part import PeoplePart
from cookieguard.features.people.staff_guard import Visit, refuse
from cookieguard.features.people.staff_list import STAFF_FILE, change_staff
from cookieguard.identity.staff_token import Member, dumps_staff, loads_staff, staff_codec, write_token
from cookieguard.identity.tokens import TokenCodec, TokenKind
from cookieguard.keyring import Keyring
from cookieguard.storage.keyring_source import beside
from cookieguard.web.exchange import Exchange
from cookieguard.web.pages.form import Receive

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
OWN = [("sec-fetch-site", "same-origin"), ("content-type", "application/x-www-form-urlencoded")]


class Desk:
    """A guarded shop with a page for analysts, one for owners, and a list of staff."""

    def __init__(self, app: CookieGuard, state: Path) -> None:
        self.app = app
        self.state = state
        self.codec = staff_codec(Keyring.loads(beside(state).read_text(), setting="test"))
        for path, role in (("/_cg/test-stats", "analyst"), ("/_cg/test-vault", "owner")):
            app._pages._pages[path] = (
                ("GET",),
                part_of(app, PeoplePart).staff.guarded(role, secret_page, refused),
            )

    def add(self, role: str, *, days: int = 90, name: str = "") -> str:
        """Add a member and return the token."""
        number = len(list(self.state.glob("*"))) + int.from_bytes((name or role).encode()[:4], "big")
        member = Member(
            id=f"{number:012x}"[-12:],
            name=name or role,
            role=role,
            made=NOW - timedelta(days=1),
            expires=NOW + timedelta(days=days),
        )
        change_staff(self.state, lambda before: before | {member.id: member})
        part_of(self.app, PeoplePart).staff.members._next_look = 0.0
        return write_token(self.codec, member)

    def sign_in(self, token: str) -> str:
        """Sign in by the form, and return the cookie."""
        return self.post({"token": token}).cookies()["__Host-cg_staff"]

    def get(self, path: str, token: str = "", *, cookie: str = "") -> Answer:
        headers = [("authorization", f"Bearer {token}")] if token else []
        headers += [("cookie", f"__Host-cg_staff={cookie}")] if cookie else []
        return ask(self.app, path=path, headers=headers)

    def post(self, fields: dict[str, str], headers: list[tuple[str, str]] | None = None) -> Answer:
        return ask(
            self.app,
            path="/_cg/staff",
            method="POST",
            headers=OWN if headers is None else headers,
            body=urlencode(fields).encode(),
        )


def without_challenge(answer: Answer) -> str:
    """Return a page without what differs each time."""
    return re.sub(r"(?:challenge|cookie)&#34;: &#34;[^&]*", "", answer.text)


async def secret_page(_: Exchange, __: Receive, ___: Member) -> Response:
    return PlainTextResponse("figures")


async def refused(exchange: Exchange, _: Receive, __: Visit) -> Response:
    return refuse(exchange)


@pytest.fixture
def desk(guard: Callable[..., CookieGuard], tmp_path: Path) -> Desk:
    return Desk(guard(no_app), tmp_path / "state")


def test_member_with_the_role_gets_the_page(desk: Desk) -> None:
    analyst, owner = desk.add("analyst"), desk.add("owner")

    assert desk.get("/_cg/test-stats", analyst).text == "figures"
    assert desk.get("/_cg/test-stats", owner).text == "figures"
    assert desk.get("/_cg/test-vault", owner).text == "figures"
    session = desk.sign_in(analyst)
    assert desk.get("/_cg/test-stats", cookie=session).get("cache-control") == "private, no-store"


def test_roles_open_what_is_theirs(desk: Desk) -> None:
    for path, role in (("/_cg/test-support", "support"), ("/_cg/test-officer", "officer")):
        desk.app._pages._pages[path] = (
            ("GET",),
            part_of(desk.app, PeoplePart).staff.guarded(role, secret_page, refused),
        )
    paths = ["/_cg/test-stats", "/_cg/test-support", "/_cg/test-officer", "/_cg/test-vault"]
    opened = {}
    for role in ("analyst", "support", "officer", "owner"):
        token = desk.add(role)
        opened[role] = {one.rpartition("-")[2] for one in paths if desk.get(one, token).status == 200}

    assert opened == {
        "analyst": {"stats"},
        "support": {"support"},
        "officer": {"stats", "support", "officer"},
        "owner": {"stats", "support", "officer", "vault"},
    }


def test_member_of_an_older_list_without_a_role_is_an_analyst() -> None:
    row = '[[staff]]\nid = "aaaaaaaaaaaa"\nname = "Ann"\nmade = 2026-01-01T00:00:00Z\nexpires = 2027-01-01T00:00:00Z\n'

    assert loads_staff(row, "test")["aaaaaaaaaaaa"].role == "analyst"


def test_everybody_else_gets_one_and_the_same_403(desk: Desk) -> None:
    analyst, late = desk.add("analyst"), desk.add("analyst", days=0, name="late")
    keyring = Keyring.loads(beside(desk.state).read_text(), setting="test")
    ghost = Member(id="0" * 12, name="ghost", role="owner", made=NOW, expires=NOW + timedelta(days=9))
    cart = TokenCodec(keyring, kind=TokenKind.CART, name="staff", sealed=False)
    tokens = [
        "",
        analyst,  # not enough for this page
        late,
        analyst[:-1] + ("A" if analyst[-1] != "A" else "B"),
        analyst + "x",
        write_token(desk.codec, ghost),  # genuine, and in no list
        write_token(staff_codec(Keyring.generate(NOW)), ghost),
        write_token(cart, ghost),
        "Bearer",
        "\xff" * 5000,
        "2.a.b.c",
    ]

    answers = [desk.get("/_cg/test-vault", token) for token in tokens]
    answers += [desk.get("/_cg/test-vault", cookie=token) for token in tokens if token.isascii()]
    answers.append(desk.get("/_cg/test-vault", cookie=desk.sign_in(analyst)))

    assert {(one.status, one.body, tuple(one.headers)) for one in answers} == {
        (answers[0].status, answers[0].body, tuple(answers[0].headers))
    }
    assert (answers[0].status, answers[0].text) == (403, "not allowed\n")


@pytest.mark.parametrize(
    ("page", "role", "member", "opened"),
    [
        ("requests", "support", "analyst", "stats"),
        ("stats", "analyst", "support", "requests"),
        ("record", "officer", "support", "requests"),
    ],
)
def test_browser_of_a_signed_in_member_learns_which_role_a_page_needs(
    desk: Desk, page: str, role: str, member: str, opened: str
) -> None:
    session = desk.sign_in(desk.add(member, name="Sam"))
    browser = [("accept", "text/html"), ("cookie", f"__Host-cg_staff={session}")]

    answer = ask(desk.app, path=f"/_cg/{page}", headers=browser)

    assert answer.status == 403
    assert f"Signed in as Sam ({member})." in answer.text
    assert f"This page needs the role {role}." in answer.text
    assert f'href="/_cg/{opened}"' in answer.text
    assert 'name="token"' not in answer.text
    assert 'name="token"' in ask(desk.app, path=f"/_cg/{page}", headers=browser[:1]).text


def test_revoked_member_is_out_at_the_next_look(desk: Desk) -> None:
    token = desk.add("analyst")
    assert desk.get("/_cg/test-stats", token).status == 200

    change_staff(desk.state, lambda _: {})
    part_of(desk.app, PeoplePart).staff.members._next_look = 0.0

    assert desk.get("/_cg/test-stats", token).status == 403


@pytest.mark.parametrize("text", ["[[staff", '[[staff]]\nid = "x"', "staff = 3", "\0"])
def test_unreadable_list_lets_nobody_in(desk: Desk, text: str, caplog: pytest.LogCaptureFixture) -> None:
    token = desk.add("owner")
    (desk.state / STAFF_FILE).write_text(text)
    part_of(desk.app, PeoplePart).staff.members._next_look = 0.0

    assert [desk.get("/_cg/test-stats", token).status for _ in range(2)] == [403, 403]
    assert caplog.text.count("no member of staff can sign in") == 1


def test_form_signs_in_and_out_without_javascript(desk: Desk) -> None:
    token = desk.add("analyst", name="Anna O'Hara")
    form = desk.get("/_cg/staff")
    assert form.status == 200
    assert '<input id="token" name="token"' in form.text

    signed = desk.post({"token": f" {token} "})

    assert (signed.status, signed.get("location")) == (303, "/_cg/overview")
    (line,) = signed.all("set-cookie")
    session = signed.cookies()["__Host-cg_staff"]
    assert token not in line
    assert {"Secure", "HttpOnly", "SameSite=Strict", "Path=/"} <= set(line.split("; "))
    assert desk.get("/_cg/test-stats", cookie=session).text == "figures"
    assert "Signed in as Anna O&#39;Hara (analyst)" in desk.get("/_cg/staff", cookie=session).text
    left = desk.post({"leave": "1"}, [*OWN, ("cookie", f"__Host-cg_staff={session}")])
    assert left.cookies()["__Host-cg_staff"].startswith("left.")  # for what other tabs say
    assert desk.get("/_cg/test-stats", cookie=session).status == 403  # of a copy too
    assert [one["event"] for one in read_journal(desk.state)] == ["signed in", "signed out"]
    assert {one["who"] for one in read_journal(desk.state)} == {"Anna O'Hara"}


def test_session_ends_when_idle_when_old_and_with_its_member(
    guard: Callable[..., CookieGuard], tmp_path: Path
) -> None:
    now = NOW
    desk = Desk(guard(no_app, clock=lambda: now), tmp_path / "state")
    token = desk.add("analyst")
    idle, used, revoked = (desk.sign_in(token) for _ in range(3))

    statuses = []
    for _ in range(40):
        now += timedelta(minutes=14)
        statuses.append(desk.get("/_cg/test-stats", cookie=used).status)
    now = NOW + timedelta(minutes=16)

    assert statuses.index(403) == 34  # 8 hours
    assert set(statuses[34:]) == {403}
    assert desk.get("/_cg/test-stats", cookie=idle).status == 403
    now = NOW
    assert desk.get("/_cg/test-stats", cookie=revoked).status == 200
    change_staff(desk.state, lambda _: {})
    part_of(desk.app, PeoplePart).staff.members._next_look = 0.0
    assert desk.get("/_cg/test-stats", cookie=revoked).status == 403


def test_no_token_in_a_cookie_counts_and_no_session_in_a_header(desk: Desk) -> None:
    token = desk.add("owner")
    session = desk.sign_in(token)

    assert desk.get("/_cg/test-stats", cookie=token).status == 403
    assert desk.get("/_cg/test-stats", session).status == 403


def test_session_is_not_kept_as_it_is_sent(desk: Desk) -> None:
    session = desk.sign_in(desk.add("owner"))

    written = b"".join(path.read_bytes() for path in desk.state.glob("*.db*"))

    assert b"staff-session" in written
    assert session.encode() not in written


def test_shop_without_a_store_keeps_sessions_of_its_staff(
    guard: Callable[..., CookieGuard], tmp_path: Path
) -> None:
    desk = Desk(guard(no_app, store=StoreSettings(enabled=False)), tmp_path / "state")

    session = desk.sign_in(desk.add("analyst"))

    assert desk.get("/_cg/test-stats", cookie=session).text == "figures"
    desk.post({"leave": "1"}, [*OWN, ("cookie", f"__Host-cg_staff={session}")])
    assert desk.get("/_cg/test-stats", cookie=session).status == 403


def test_shop_without_a_store_keeps_no_session_of_its_staff_that_is_over(
    guard: Callable[..., CookieGuard], tmp_path: Path
) -> None:
    hours = [NOW]
    app = guard(no_app, store=StoreSettings(enabled=False), clock=lambda: hours[0])
    desk = Desk(app, tmp_path / "state")
    token = desk.add("analyst")
    for _ in range(3):
        desk.sign_in(token)
    hours[0] += timedelta(days=3)  # for a day a row says why its session ended; it goes with the day
    desk.sign_in(token)

    with closing(sqlite3.connect(tmp_path / "state" / "staff.db")) as store:
        rows = store.execute("SELECT count(*) FROM kept WHERE shelf = 'staff-session'").fetchone()
    assert rows == (1,)


def test_trusted_proxy_names_a_member_and_nobody_else_does(
    guard: Callable[..., CookieGuard], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    app = guard(no_app, staff=StaffSettings(header="X-Remote-User"), trusted_proxies=("10.0.0.0/8",))
    desk = Desk(app, tmp_path / "state")
    desk.add("officer", name="Olga Officer")

    def status(name: str, peer: str, *more: tuple[str, str]) -> int:
        headers = [("x-remote-user", name), *more]
        return ask(app, path="/_cg/test-stats", headers=headers, client=(peer, 1)).status

    assert status("olga officer", "10.1.2.3") == 200
    assert status("olga officer", "192.0.2.1") == 403
    assert [status(name, "10.1.2.3") for name in ("Eve", "", "Olga\xff")] == [403] * 3
    assert "staff.header came with" not in caplog.text
    assert status("olga officer", "192.0.2.1", ("x-forwarded-for", "192.0.2.1")) == 403
    assert "staff.header came with X-Forwarded-For" in caplog.text
    with pytest.raises(ConfigError, match=r"staff\.header"):
        Config(staff=StaffSettings(header="X-Remote-User"))


def test_refusals_are_in_the_journal_and_no_flood_fills_it(desk: Desk) -> None:
    for _ in range(70):
        desk.post({"token": "2.wrong.token.<b>"})

    entries = list(read_journal(desk.state))

    assert len(entries) == 60
    assert {tuple(one) for one in entries} == {("time", "event", "what")}
    assert forget_entries(desk.state, today=NOW.date() + timedelta(days=180), keep_days=180) == 0
    assert forget_entries(desk.state, today=NOW.date() + timedelta(days=181), keep_days=180) == 1
    assert list(read_journal(desk.state)) == []


def test_wrong_token_gets_the_form_again_and_no_reason(desk: Desk) -> None:
    late = desk.add("owner", days=0)

    answers = [desk.post({"token": token}) for token in ("", late, "<script>alert(1)</script>", "x" * 9000)]

    assert {(one.status, without_challenge(one)) for one in answers} == {(403, without_challenge(answers[0]))}
    assert not any(one.all("set-cookie") for one in answers)
    assert b"script>alert" not in answers[0].body


@pytest.mark.parametrize(
    "headers",
    [
        [("sec-fetch-site", "cross-site"), OWN[1]],
        [OWN[1]],
        [("origin", "https://evil.example"), OWN[1]],
    ],
)
def test_other_sites_cannot_sign_anybody_in(desk: Desk, headers: list[tuple[str, str]]) -> None:
    answer = desk.post({"token": desk.add("owner")}, headers)

    assert answer.status == 403
    assert not answer.all("set-cookie")


def test_staff_cookie_is_ours_and_no_cookie_that_nobody_declared(
    guard: Callable[..., CookieGuard], caplog: pytest.LogCaptureFixture
) -> None:
    app = page(headers=())

    ask(guard(app), headers=[("cookie", "__Host-cg_staff=x; stranger=y")])

    assert "stranger" in caplog.text
    assert "__Host-cg_staff" not in caplog.text


def test_list_survives_its_own_text(desk: Desk) -> None:
    member = Member(id="a" * 12, name="Zoë O'Neil-Ångström", role="analyst", made=NOW, expires=NOW)

    assert loads_staff(dumps_staff({member.id: member}), "test") == {member.id: member}


def test_unknown_role_is_a_mistake_of_ours(desk: Desk) -> None:
    with pytest.raises(ValueError, match="allowed: analyst, support, officer, owner, member"):
        part_of(desk.app, PeoplePart).staff.guarded("admin", secret_page, refused)
