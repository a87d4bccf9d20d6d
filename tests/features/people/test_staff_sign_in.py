"""A sign-in link works once; a session that ended says why, and the next one leads back to the same page."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from harness.asgi import Answer, ask, no_app
from harness.parts import part_of
from harness.stores import SqliteStore

from cookieguard import CookieGuard
from cookieguard.config.store import StoreSettings
from cookieguard.features.people.journal import read_journal
from cookieguard.features.people.part import PeoplePart
from cookieguard.features.people.sessions import make_link
from cookieguard.features.people.staff_list import change_staff

from .test_staff_guard import NOW, OWN, Desk

BROWSER = ("accept", "text/html")
COOKIE = "__Host-cg_staff"


class Clock:
    """The time, which tests advance."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now

    def wait(self, **time: float) -> None:
        self.now += timedelta(**time)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def desk(guard: Callable[..., CookieGuard], tmp_path: Path, clock: Clock) -> Desk:
    return Desk(guard(no_app, clock=clock), tmp_path / "state")


def link_of(desk: Desk, role: str = "owner", *, name: str = "Olga") -> str:
    desk.add(role, name=name)
    desk.get("/_cg/staff", cookie="x")  # opens the store
    member = next(one.id for one in part_of(desk.app, PeoplePart).staff.members.members.values())
    with closing(SqliteStore(desk.state / "store.db")) as store:
        return make_link(store, member, desk.app._clock())


def shown(desk: Desk, path: str, cookie: str = "", *, query: str = "") -> Answer:
    headers = [BROWSER, *([("cookie", f"{COOKIE}={cookie}")] if cookie else [])]
    return ask(desk.app, path=path, query=query, headers=headers)


def test_link_signs_in_once_and_a_preview_uses_nothing_up(desk: Desk) -> None:
    link = link_of(desk)

    for method in ("GET", "HEAD", "GET"):
        preview = ask(desk.app, path="/_cg/staff", method=method, query=f"link={link}&utm_source=mail")
        assert (preview.status, preview.all("set-cookie")) == (200, [])
    assert "Sign in as Olga" in preview.text
    signed = desk.post({"link": link})
    again = desk.post({"link": link})

    assert (signed.status, signed.get("location")) == (303, "/_cg/overview")
    assert desk.get("/_cg/test-vault", cookie=signed.cookies()[COOKIE]).text == "figures"
    assert (again.status, again.all("set-cookie")) == (403, [])
    assert "it works once, within ten minutes" in again.text
    late = ask(desk.app, path="/_cg/staff", query=f"link={link}")
    assert (late.status, "Olga" in late.text) == (403, False)
    assert [(one["event"], one["what"]) for one in read_journal(desk.state)] == [
        ("signed in", "with a link"),
        ("refused", "a link at the sign-in"),
    ]


@pytest.mark.parametrize(("minutes", "status"), [(9.9, 303), (10, 403), (60, 403)])
def test_link_counts_for_ten_minutes(desk: Desk, clock: Clock, minutes: float, status: int) -> None:
    link = link_of(desk)

    clock.wait(minutes=minutes)

    assert desk.post({"link": link}).status == status


def test_sign_in_link_works_for_one_of_many_simultaneous_uses(desk: Desk) -> None:
    link = link_of(desk)

    with ThreadPoolExecutor(8) as pool:
        statuses = [one.status for one in pool.map(lambda _: desk.post({"link": link}), range(16))]

    assert sorted(statuses) == [303] + [403] * 15


def test_link_of_a_revoked_member_signs_nobody_in(desk: Desk) -> None:
    link = link_of(desk)

    change_staff(desk.state, lambda _: {})
    part_of(desk.app, PeoplePart).staff.members._next_look = 0.0

    assert ask(desk.app, path="/_cg/staff", query=f"link={link}").status == 403
    assert desk.post({"link": link}).status == 403


@pytest.mark.parametrize("headers", [[("sec-fetch-site", "cross-site"), OWN[1]], [OWN[1]]])
def test_link_that_another_site_posts_is_not_used(desk: Desk, headers: list[tuple[str, str]]) -> None:
    link = link_of(desk)

    answer = desk.post({"link": link}, headers)

    assert (answer.status, answer.all("set-cookie")) == (403, [])
    assert desk.post({"link": link}).status == 303


@pytest.mark.parametrize("field", ["leave", "device", "remove"])
def test_form_without_its_value_does_nothing(desk: Desk, field: str) -> None:
    session = desk.sign_in(desk.add("owner"))
    for posted in ([("sec-fetch-site", "cross-site"), OWN[1]], [OWN[1]], OWN):
        headers = [*posted, ("cookie", f"{COOKIE}={session}")]
        answer = ask(
            desk.app, path="/_cg/staff", method="POST", headers=headers, body=f"{field}=1".encode(), bare=True
        )
        assert answer.status == 403

    assert desk.get("/_cg/test-vault", cookie=session).text == "figures"
    assert [one["event"] for one in read_journal(desk.state)] == ["signed in"]


def test_secret_of_a_link_is_not_kept(desk: Desk) -> None:
    link = link_of(desk)

    written = b"".join(path.read_bytes() for path in desk.state.glob("*.db*"))

    assert b"staff-link" in written
    assert link.encode() not in written


def test_link_that_is_not_used_yet_is_in_no_log_of_the_server(desk: Desk) -> None:
    preview = ask(desk.app, path="/_cg/staff", query=f"link={link_of(desk)}")

    assert "Sign in as Olga" in preview.text
    assert preview.scope["query_string"] == b""


@pytest.mark.parametrize("way", ["link", "token"])
def test_session_that_was_planted_before_the_sign_in_does_not_become_signed_in(desk: Desk, way: str) -> None:
    secret = link_of(desk) if way == "link" else desk.add("owner", name="Otto")
    planted = "A" * 43

    signed = desk.post({way: secret}, [*OWN, ("cookie", f"{COOKIE}={planted}")])

    assert signed.status == 303
    assert signed.cookies()[COOKIE] != planted
    assert desk.get("/_cg/test-vault", cookie=planted).status == 403


def test_session_before_ends_where_another_begins(desk: Desk) -> None:
    token = desk.add("owner")
    first = desk.sign_in(token)

    second = desk.post({"token": token}, [*OWN, ("cookie", f"{COOKIE}={first}")]).cookies()[COOKIE]

    assert desk.get("/_cg/test-vault", cookie=first).status == 403
    assert desk.get("/_cg/test-vault", cookie=second).text == "figures"


def test_remembered_device_stays_signed_in_for_eight_hours_without_a_click(desk: Desk, clock: Clock) -> None:
    token = desk.add("owner")
    plain, remembered = desk.post({"token": token}), desk.post({"token": token, "remember": "1"})

    clock.wait(hours=7, minutes=59)

    assert desk.get("/_cg/test-vault", cookie=plain.cookies()[COOKIE]).status == 403
    assert desk.get("/_cg/test-vault", cookie=remembered.cookies()[COOKIE]).text == "figures"
    assert "Max-Age" not in plain.get("set-cookie")
    assert f"Max-Age={32 * 3600}" in remembered.get("set-cookie")
    clock.wait(minutes=2)
    assert desk.get("/_cg/test-vault", cookie=remembered.cookies()[COOKIE]).status == 403


@pytest.mark.parametrize(
    ("hours", "remember", "why"),
    [
        (0.3, {}, "after 15 minutes without a click"),
        (7.9, {}, "after 15 minutes without a click"),
        (9, {"remember": "1"}, "a session lasts 8 hours"),
        (31, {"remember": "1"}, "a session lasts 8 hours"),
    ],
)
def test_page_says_why_a_session_ended(
    desk: Desk, clock: Clock, hours: float, remember: dict[str, str], why: str
) -> None:
    session = desk.post({"token": desk.add("owner")} | remember).cookies()[COOKIE]

    clock.wait(hours=hours)

    for _ in range(2):  # not only once
        for path in ("/_cg/due", "/_cg/staff"):
            assert why in shown(desk, path, session).text
    assert "signed out" not in shown(desk, "/_cg/due").text


def test_page_says_that_one_signed_out_elsewhere_was_removed_or_is_not_known(desk: Desk) -> None:
    token = desk.add("owner")
    session, other = desk.sign_in(token), desk.sign_in(token)
    left = desk.post({"leave": "1"}, [*OWN, ("cookie", f"{COOKIE}={session}")]).cookies()[COOKIE]

    for cookie in (session, left):
        assert "This session has ended: you signed out" in shown(desk, "/_cg/due", cookie).text
    assert "no longer known" in shown(desk, "/_cg/due", "B" * 43).text
    change_staff(desk.state, lambda _: {})
    part_of(desk.app, PeoplePart).staff.members._next_look = 0.0
    assert "taken off the list of staff" in shown(desk, "/_cg/due", other).text


def test_rows_of_sessions_go_a_day_after_their_end(
    guard: Callable[..., CookieGuard], tmp_path: Path, clock: Clock
) -> None:
    desk = Desk(guard(no_app, store=StoreSettings(enabled=False), clock=clock), tmp_path / "state")
    session = desk.sign_in(desk.add("analyst"))

    clock.wait(hours=33)

    assert "no longer known" in shown(desk, "/_cg/due", session).text


@pytest.mark.parametrize(
    ("path", "query", "location"),
    [
        ("/_cg/requests", "id=abc-1", "/_cg/requests?id=abc-1"),
        ("/_cg/stats", "period=day&date=2026-11-01", "/_cg/stats?period=day&date=2026-11-01"),
        ("/_cg/due", "", "/_cg/due"),
    ],
)
def test_sign_in_leads_back_to_the_page_with_its_query(
    desk: Desk, path: str, query: str, location: str
) -> None:
    page = shown(desk, path, query=query)
    wanted = page.text.partition('name="next" value="')[2].partition('"')[0].replace("&amp;", "&")

    assert desk.post({"token": desk.add("owner"), "next": wanted}).get("location") == location


@pytest.mark.parametrize(
    "wanted",
    ["//evil.example", "https://evil.example/", "../admin", "choices", "officer/../x", "officer?a\nb"],
)
def test_sign_in_leads_to_no_other_place(desk: Desk, wanted: str) -> None:
    signed = desk.post({"token": desk.add("owner"), "next": wanted})

    assert signed.get("location") == "/_cg/overview"


def test_post_after_the_end_of_a_session_shows_what_was_not_done(desk: Desk, clock: Clock) -> None:
    session = desk.sign_in(desk.add("officer"))
    headers = [*OWN, BROWSER, ("cookie", f"{COOKIE}={session}")]
    headers += [("referer", "https://shop.example/_cg/requests?id=abc-1")]
    body = b"form=value&id=abc-1&act=note&text=Called+%3Cb%3Eher%3C%2Fb%3E+twice"

    clock.wait(minutes=20)
    page = ask(desk.app, path="/_cg/requests", method="POST", headers=headers, body=body)

    assert page.status == 403
    assert "after 15 minutes without a click" in page.text
    assert "Nothing was changed" in page.text
    assert "Called &lt;b&gt;her&lt;/b&gt; twice" in page.text
    assert 'name="next" value="requests?id=abc-1"' in page.text


def test_note_after_the_end_of_a_session_is_shown_and_not_added(desk: Desk, clock: Clock) -> None:
    session = desk.sign_in(desk.add("analyst"))
    headers = [*OWN, BROWSER, ("cookie", f"{COOKIE}={session}")]

    clock.wait(minutes=20)
    page = ask(
        desk.app, path="/_cg/stats", method="POST", headers=headers, body=b"form=x&day=2026-11-24&text=Sale"
    )

    assert (page.status, "Nothing was changed" in page.text, "Sale" in page.text) == (403, True, True)


def test_text_that_another_site_posts_is_not_shown(desk: Desk) -> None:
    headers = [("sec-fetch-site", "cross-site"), OWN[1], BROWSER]

    page = ask(desk.app, path="/_cg/requests", method="POST", headers=headers, body=b"form=x&text=planted")

    assert page.status == 403
    assert "planted" not in page.text


@pytest.mark.parametrize(("role", "is_told"), [("owner", True), ("analyst", False)])
def test_owner_reads_which_extra_passkeys_need(desk: Desk, role: str, is_told: bool) -> None:
    part_of(desk.app, PeoplePart).staff.passkeys = None  # as where it is not installed
    session = desk.sign_in(desk.add(role))

    page = shown(desk, "/_cg/staff", session)

    assert (
        "pip install &#39;.[passkeys]&#39;" in page.text or "pip install '.[passkeys]'" in page.text
    ) == is_told
    assert "script-src" not in page.get("content-security-policy")
    assert "passkey" not in shown(desk, "/_cg/staff").text
