"""Staff at the door: one and the same 403 for everybody else, a form without JavaScript, a list that is obeyed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import urlencode

import pytest
from harness.asgi import Answer, ask
from starlette.responses import PlainTextResponse, Response

from cookieguard import CookieGuard
from cookieguard.engines.files.keyring_source import KEYRING_FILE
from cookieguard.engines.files.staff_list import STAFF_FILE, change_staff
from cookieguard.identity.staff_token import Member, dumps_staff, loads_staff, staff_codec, write_token
from cookieguard.identity.tokens import Kind, TokenCodec
from cookieguard.keyring import Keyring
from cookieguard.web.exchange import Exchange
from cookieguard.web.pages import staff_guard as door
from cookieguard.web.pages.form import Receive

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
OWN = [("sec-fetch-site", "same-origin"), ("content-type", "application/x-www-form-urlencoded")]


class Desk:
    """Be a guarded shop with a page for analysts and one for owners, and its list of staff."""

    def __init__(self, app: CookieGuard, state: Path) -> None:
        self.app = app
        self.state = state
        self.codec = staff_codec(Keyring.loads((state / KEYRING_FILE).read_text(), setting="test"))
        for path, role in (("/_cg/test-stats", "analyst"), ("/_cg/test-vault", "owner")):
            app._pages._pages[path] = (("GET",), door.needs_role(role)(secret_page))

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
        self.app._parts.staff._staff._next_look = 0.0
        return write_token(self.codec, member)

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


async def secret_page(_: Exchange, __: Receive) -> Response:
    return PlainTextResponse("figures")


@pytest.fixture
def desk(guard: Callable[..., CookieGuard], tmp_path: Path) -> Desk:
    async def app(scope: object, receive: object, send: Callable[..., object]) -> None:
        raise AssertionError("the app is not asked")

    return Desk(guard(app), tmp_path / "state")


def test_member_with_the_role_gets_the_page(desk: Desk) -> None:
    analyst, owner = desk.add("analyst"), desk.add("owner")

    assert desk.get("/_cg/test-stats", analyst).text == "figures"
    assert desk.get("/_cg/test-stats", owner).text == "figures"
    assert desk.get("/_cg/test-vault", owner).text == "figures"
    assert desk.get("/_cg/test-stats", cookie=analyst).get("cache-control") == "private, no-store"


def test_everybody_else_gets_one_and_the_same_403(desk: Desk) -> None:
    analyst, late = desk.add("analyst"), desk.add("analyst", days=0, name="late")
    keyring = Keyring.loads((desk.state / KEYRING_FILE).read_text(), setting="test")
    ghost = Member(id="0" * 12, name="ghost", role="owner", made=NOW, expires=NOW + timedelta(days=9))
    cart = TokenCodec(keyring, kind=Kind.CART, name="staff", sealed=False)
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

    assert {(one.status, one.body, tuple(one.headers)) for one in answers} == {
        (answers[0].status, answers[0].body, tuple(answers[0].headers))
    }
    assert (answers[0].status, answers[0].text) == (403, "not allowed\n")


def test_revoked_member_is_out_at_the_next_look(desk: Desk) -> None:
    token = desk.add("analyst")
    assert desk.get("/_cg/test-stats", token).status == 200

    change_staff(desk.state, lambda _: {})
    desk.app._parts.staff._staff._next_look = 0.0

    assert desk.get("/_cg/test-stats", token).status == 403


@pytest.mark.parametrize("text", ["[[staff", '[[staff]]\nid = "x"', "staff = 3", "\0"])
def test_unreadable_list_lets_nobody_in(desk: Desk, text: str, caplog: pytest.LogCaptureFixture) -> None:
    token = desk.add("owner")
    (desk.state / STAFF_FILE).write_text(text)
    desk.app._parts.staff._staff._next_look = 0.0

    assert [desk.get("/_cg/test-stats", token).status for _ in range(2)] == [403, 403]
    assert caplog.text.count("nobody of the staff is let in") == 1


def test_form_signs_in_and_out_without_javascript(desk: Desk) -> None:
    token = desk.add("analyst", name="Anna O'Hara")
    form = desk.get("/_cg/staff")
    assert form.status == 200
    assert '<input id="token" name="token"' in form.text

    signed = desk.post({"token": f" {token} "})

    assert (signed.status, signed.get("location")) == (303, "/_cg/staff")
    (line,) = signed.all("set-cookie")
    assert line.startswith(f"__Host-cg_staff={token}; ")
    assert {"Secure", "HttpOnly", "SameSite=Strict", "Path=/"} <= set(line.split("; "))
    assert desk.get("/_cg/test-stats", cookie=token).text == "figures"
    assert "Signed in as Anna O&#39;Hara (analyst)" in desk.get("/_cg/staff", cookie=token).text
    assert "Max-Age=0" in desk.post({"leave": "1"}).get("set-cookie")


def test_wrong_token_gets_the_form_again_and_no_reason(desk: Desk) -> None:
    late = desk.add("owner", days=0)

    answers = [desk.post({"token": token}) for token in ("", late, "<script>alert(1)</script>", "x" * 9000)]

    assert {(one.status, one.body) for one in answers} == {(403, answers[0].body)}
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


def test_list_survives_its_own_text(desk: Desk) -> None:
    member = Member(id="a" * 12, name="Zoë O'Neil-Ångström", role="analyst", made=NOW, expires=NOW)

    assert loads_staff(dumps_staff({member.id: member}), "test") == {member.id: member}


def test_unknown_role_is_a_mistake_of_ours() -> None:
    with pytest.raises(ValueError, match="allowed: analyst, owner"):
        door.needs_role("admin")
    with pytest.raises(ValueError, match="allowed: analyst, owner"):
        door.staff_of(SimpleNamespace(), "admin")  # type: ignore[arg-type]  # it is not looked at
