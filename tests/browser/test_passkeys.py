"""Passkeys of staff in Chromium, with its virtual authenticator: registered, used, replayed, copied, removed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from harness.servers import serving
from playwright.sync_api import CDPSession, Page

from .conftest import Visitors
from .test_staff_host import SHOP, STAFF, served
from .test_staff_pages import sign_in, tokens
from .tiny import TinyShop, page

pytest.importorskip("webauthn", reason="NO TEST OF PASSKEYS: no webauthn")

COOKIE = "__Host-cg_staff"
AUTHENTICATOR = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}
# What the page's script does, without the post.
ANSWER = """async options => JSON.stringify(await navigator.credentials.get(
    {publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(options)}))"""
REFUSED = "This passkey does not sign you in"


class Desk:
    """An officer in a browser with an authenticator and a registered passkey."""

    def __init__(self, shown: Page, base: str, state: Path) -> None:
        self.shown = shown
        self.base = base
        self.cdp: CDPSession = shown.context.new_cdp_session(shown)
        self.cdp.send("WebAuthn.enable")
        self.authenticator = self.send("addVirtualAuthenticator", options=AUTHENTICATOR)["authenticatorId"]
        sign_in(shown, base, tokens(state)["officer"], "due")
        shown.goto(f"{base}/_cg/staff")
        shown.fill("#device", "Olga's <b>laptop</b>")
        self.click("Add a passkey")

    def send(self, method: str, **arguments: Any) -> Any:
        return self.cdp.send(f"WebAuthn.{method}", arguments)

    def click(self, name: str) -> None:
        with self.shown.expect_navigation():
            self.shown.get_by_role("button", name=name, exact=True).click()

    def leave(self, then: str = "staff") -> None:
        self.shown.goto(f"{self.base}/_cg/staff")
        self.click("Sign out")
        self.shown.goto(f"{self.base}/_cg/{then}")

    def options(self) -> dict[str, Any]:
        return json.loads(self.shown.locator("[data-passkey]").get_attribute("data-passkey") or "")

    def cookie(self) -> str:
        return next(one["value"] for one in self.shown.context.cookies() if one["name"] == COOKIE)

    def post(self, answer: str, cookie: str) -> int:
        """Post an answer as this browser would, with this cookie, and return the status."""
        headers = {"cookie": f"{COOKIE}={cookie}", "origin": self.base, "sec-fetch-site": "same-origin"}
        url = f"{self.base.replace(STAFF, '127.0.0.1')}/_cg/staff"
        return httpx.post(
            url, data={"answer": answer}, headers={**headers, "host": self.base.partition("://")[2]}
        ).status_code


@contextmanager
def seated(visit: Visitors, tmp_path: Path, staff: str = STAFF) -> Iterator[Desk]:
    with served(tmp_path / "state", staff=staff) as (_, base):
        yield Desk(visit().new_page(), base, tmp_path / "state")


@pytest.mark.parametrize("staff", [STAFF, SHOP])
def test_passkey_is_registered_and_signs_in_to_the_page_that_was_wanted(
    visit: Visitors, tmp_path: Path, staff: str
) -> None:
    with seated(visit, tmp_path, staff) as desk:
        assert "Olga's <b>laptop</b> added" in desk.shown.inner_text("main")

        desk.leave(then="requests?state=open")
        before = desk.cookie()
        desk.click("Sign in with a passkey")

        assert desk.shown.url == f"{desk.base}/_cg/requests?state=open"
        assert desk.cookie() != before
        desk.shown.goto(f"{desk.base}/_cg/staff")
        assert "Signed in as officer person" in desk.shown.inner_text("main")


def test_passkey_signs_in_a_browser_that_has_no_cookie_before_the_click(
    visit: Visitors, tmp_path: Path
) -> None:
    with seated(visit, tmp_path) as desk:
        desk.shown.context.clear_cookies()
        desk.shown.goto(f"{desk.base}/_cg/due")
        assert desk.shown.context.cookies() == []

        desk.click("Sign in with a passkey")

        assert desk.shown.url == f"{desk.base}/_cg/due"
        (cookie,) = desk.shown.context.cookies()
        assert (cookie["name"], cookie["httpOnly"], cookie["value"][:4] == "try.") == (COOKIE, True, False)


def test_answer_of_a_passkey_counts_once_and_in_the_browser_that_asked(
    visit: Visitors, tmp_path: Path
) -> None:
    with seated(visit, tmp_path) as desk:
        desk.leave()
        answer, cookie = desk.shown.evaluate(ANSWER, desk.options()), desk.cookie()

        elsewhere = desk.post(answer, "try.another")
        first, replayed = desk.post(answer, cookie), desk.post(answer, cookie)

    assert (elsewhere, first, replayed) == (403, 303, 403)


def test_answer_of_a_person_who_was_not_verified_does_not_count(visit: Visitors, tmp_path: Path) -> None:
    with seated(visit, tmp_path) as desk:
        desk.leave()
        options, cookie = desk.options(), desk.cookie()
        desk.send("setUserVerified", authenticatorId=desk.authenticator, isUserVerified=False)
        unverified = desk.shown.evaluate(ANSWER, options | {"userVerification": "discouraged"})
        desk.send("setUserVerified", authenticatorId=desk.authenticator, isUserVerified=True)
        verified = desk.shown.evaluate(ANSWER, options)

        assert (desk.post(unverified, cookie), desk.post(verified, cookie)) == (403, 303)


def test_answer_from_another_origin_does_not_count(visit: Visitors, tmp_path: Path) -> None:
    # Another port is another origin, and the same host: the browser lets it use the passkey, and sends the cookie.
    with seated(visit, tmp_path) as desk, serving(TinyShop({"/": page()})) as other:
        desk.leave()
        options, cookie = desk.options(), desk.cookie()
        desk.shown.goto(other.at(STAFF))
        foreign = desk.shown.evaluate(ANSWER, options)
        desk.shown.goto(f"{desk.base}/_cg/staff")
        own = desk.shown.evaluate(ANSWER, options)

        assert json.loads(foreign)["id"] == json.loads(own)["id"]
        assert (desk.post(foreign, cookie), desk.post(own, cookie)) == (403, 303)


def test_removed_passkey_signs_nobody_in(visit: Visitors, tmp_path: Path) -> None:
    with seated(visit, tmp_path) as desk:
        desk.click("Remove Olga's <b>laptop</b>")
        assert "None yet" in desk.shown.inner_text("main")
        desk.leave()

        desk.click("Sign in with a passkey")

        assert REFUSED in desk.shown.inner_text("[role=alert]")
        assert desk.shown.goto(f"{desk.base}/_cg/due").status == 403  # type: ignore[union-attr]


def test_copy_of_a_passkey_with_an_older_counter_does_not_count(visit: Visitors, tmp_path: Path) -> None:
    with seated(visit, tmp_path) as desk:
        id_ = desk.authenticator
        (copied,) = desk.send("getCredentials", authenticatorId=id_)["credentials"]
        for _ in range(2):
            desk.leave()
            desk.click("Sign in with a passkey")
        desk.send("removeCredential", authenticatorId=id_, credentialId=copied["credentialId"])
        desk.send("addCredential", authenticatorId=id_, credential=copied)
        desk.leave()

        desk.click("Sign in with a passkey")

        assert REFUSED in desk.shown.inner_text("[role=alert]")


def test_person_who_is_not_verified_reads_that_no_passkey_was_used(visit: Visitors, tmp_path: Path) -> None:
    with seated(visit, tmp_path) as desk:
        desk.leave()
        desk.send("setUserVerified", authenticatorId=desk.authenticator, isUserVerified=False)

        desk.shown.get_by_role("button", name="Sign in with a passkey").click()
        desk.shown.locator("[role=status]:not(:empty)").wait_for()

        assert "No passkey was used" in desk.shown.inner_text("[role=status]")
