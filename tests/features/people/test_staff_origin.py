"""With `staff.origin`, that host serves the staff pages and nothing of the shop, and no other host serves them."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from harness.asgi import Answer, ask, page, scope_of
from harness.parts import part_of

from cookieguard import Config, CookieGuard
from cookieguard.config.people.staff import StaffSettings
from cookieguard.engines.doctor_shop import Shop
from cookieguard.errors import ConfigError
from cookieguard.features.people.checks import checks_of
from cookieguard.features.people.journal import read_journal
from cookieguard.features.people.part import PeoplePart

from .test_staff_guard import NOW, OWN, Desk

SHOP, STAFF = "shop.example", "staff.shop.example"
COOKIE = "__Host-cg_staff"
STAFF_PAGES = ("staff", "due", "requests", "stats", "record")


@pytest.fixture
def desk(guard: Callable[..., CookieGuard], tmp_path: Path) -> Desk:
    settings = {"origins": (f"https://{SHOP}",), "staff": StaffSettings(origin=f"https://{STAFF}")}
    return Desk(guard(page(b"<h1>Shop</h1>"), **settings), tmp_path / "state")


def get(desk: Desk, path: str, host: str, *headers: tuple[str, str]) -> Answer:
    return ask(desk.app, path=path, host=host, headers=[("accept", "text/html"), *headers])


def post(desk: Desk, host: str, body: bytes, *headers: tuple[str, str]) -> Answer:
    return ask(desk.app, path="/_cg/staff", host=host, method="POST", headers=[*OWN, *headers], body=body)


def signed_in(desk: Desk, role: str = "owner") -> tuple[str, str]:
    answer = post(desk, STAFF, f"token={desk.add(role)}".encode())
    assert answer.status == 303
    return "cookie", f"{COOKIE}={answer.cookies()[COOKIE]}"


@pytest.mark.parametrize("name", STAFF_PAGES)
def test_staff_page_is_on_the_host_of_staff_alone(desk: Desk, name: str) -> None:
    cookie = signed_in(desk)

    assert get(desk, f"/_cg/{name}", STAFF, cookie).status not in (403, 404)  # 503 where nothing is counted
    for host in (SHOP, "other.example", f"{STAFF}.evil.example", f"{STAFF}:8443", "invalid host"):
        answer = get(desk, f"/_cg/{name}", host, cookie)
        assert (answer.status, "Sign" in answer.text) == (404, False)


@pytest.mark.parametrize(
    "path", ["/cart", "/_cg/choices", "/_cg/privacy", "/_cg/policy", "/.well-known/gpc.json"]
)
def test_nothing_of_the_shop_is_on_the_host_of_staff(desk: Desk, path: str) -> None:
    assert get(desk, path, SHOP).status == (404 if path == "/_cg/policy" else 200)
    assert get(desk, path, STAFF).status == 404


def test_host_of_staff_leads_to_the_sign_in(desk: Desk) -> None:
    answer = get(desk, "/", STAFF)

    assert (answer.status, answer.get("location")) == (303, "/_cg/overview")
    assert get(desk, "/", SHOP).status == 200


def test_websocket_of_the_shop_is_not_on_the_host_of_staff(desk: Desk) -> None:
    def answers(host: str) -> list[dict[str, Any]]:
        sent: list[dict[str, Any]] = []

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        scope = {**scope_of(host=host), "type": "websocket", "scheme": "wss"}
        asyncio.run(desk.app(scope, lambda: asyncio.sleep(0, {"type": "websocket.connect"}), send))
        return sent

    assert answers(STAFF) == [{"type": "websocket.close"}]
    assert answers(SHOP) != answers(STAFF)


def test_files_of_staff_pages_are_on_their_host(desk: Desk) -> None:
    shown = get(desk, "/_cg/staff", STAFF).text
    files = re.findall(r'"(/_cg/[^"]+\.(?:css|js))"', shown)

    assert files
    assert {get(desk, one, STAFF).status for one in files} == {200}


def test_post_from_a_page_of_the_shop_is_refused(desk: Desk) -> None:
    cookie, token = signed_in(desk), desk.add("owner", name="Otto").encode()

    for headers in (
        [("sec-fetch-site", "same-site")],
        [("origin", f"https://{SHOP}")],
        [("origin", f"https://{SHOP}"), ("sec-fetch-site", "same-site")],
    ):
        answer = ask(
            desk.app,
            path="/_cg/staff",
            host=STAFF,
            method="POST",
            headers=[OWN[1], cookie, *headers],
            body=b"token=" + token,
        )
        assert (answer.status, answer.all("set-cookie")) == (403, [])
    assert post(desk, SHOP, b"token=" + token, ("origin", f"https://{STAFF}")).status == 404


@pytest.mark.parametrize(
    ("site", "destination", "status"),
    [
        ("same-site", "empty", 403),
        ("same-site", "iframe", 403),
        ("same-site", "document", 200),
        ("none", "document", 200),
    ],
)
def test_request_of_a_sibling_host_opens_no_session(
    desk: Desk, site: str, destination: str, status: int
) -> None:
    cookie = signed_in(desk)

    fetched = ("sec-fetch-site", site), ("sec-fetch-dest", destination)
    answer = get(desk, "/_cg/due", STAFF, cookie, *fetched)

    assert answer.status == status
    looks = [one for one in read_journal(desk.state) if one["event"] == "looked"]
    assert len(looks) == (status == 200)
    assert not answer.all("set-cookie")


def test_session_of_the_host_of_staff_is_one_of_its_own(desk: Desk) -> None:
    (line,) = post(desk, STAFF, f"token={desk.add('owner')}".encode()).all("set-cookie")

    assert line.startswith(f"{COOKIE}=")
    assert "Domain" not in line
    assert "frame-ancestors 'none'" in get(desk, "/_cg/due", STAFF).get("content-security-policy")


def test_without_the_setting_staff_pages_are_at_the_address_of_the_shop(
    guard: Callable[..., CookieGuard], tmp_path: Path
) -> None:
    desk = Desk(guard(page(b"<h1>Shop</h1>"), origins=(f"https://{SHOP}",)), tmp_path / "state")

    assert get(desk, "/_cg/staff", SHOP).status == 200
    assert get(desk, "/cart", STAFF).status == 200


@pytest.mark.parametrize(
    "origin",
    ["staff.shop.example", "http://staff.shop.example", f"https://{SHOP}", "https://staff.example/x"],
)
def test_origin_that_cannot_be_one_is_an_error(origin: str) -> None:
    with pytest.raises(ConfigError, match=r"staff\.origin"):
        Config(origins=(f"https://{SHOP}",), staff=StaffSettings(origin=origin))


def test_doctor_advises_a_host_of_its_own_where_there_is_staff(desk: Desk) -> None:
    def advice(**settings: Any) -> list[tuple[str, bool]]:
        shop = Shop(config=Config(state_dir=str(desk.state), **settings), environ={}, now=NOW)
        return [(one.found, bool(one.advice)) for one in checks_of(shop)]

    assert advice() == []
    desk.add("owner")
    assert advice() == [("served at the shop's own address", True)]
    assert advice(staff=StaffSettings(origin=f"https://{STAFF}")) == [
        (f"served at https://{STAFF} only", False)
    ]
    assert part_of(desk.app, PeoplePart).staff.is_page("due")
