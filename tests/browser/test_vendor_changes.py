"""The page of vendor changes in Chromium: two officers with passkeys, and how it looks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from harness.servers import serving, wait_until
from playwright.sync_api import Page

from cookieguard import Config, CookieGuard, Vendor
from cookieguard.config.console import ConsoleSettings
from cookieguard.config.people.staff import StaffSettings
from cookieguard.features.people.staff_list import change_staff
from cookieguard.identity.staff_token import Member, staff_codec, write_token
from cookieguard.keyring import Keyring
from cookieguard.storage.keyring_source import beside

from .conftest import Visitors
from .test_axe import axe as axe
from .test_axe import violations
from .test_passkeys import AUTHENTICATOR
from .test_policy_pages import LOOKS, require_readable
from .test_staff_host import SHOP, STAFF, Later
from .test_staff_pages import sign_in
from .tiny import TinyShop, page

pytest.importorskip("webauthn", reason="NO TEST OF PASSKEYS: no webauthn")

PAGE = "vendor-changes"
# The buttons whose ground is not that of the page
DARK = """[...document.querySelectorAll('main button')].filter(one => one.checkVisibility()
  && getComputedStyle(one).backgroundColor !== 'rgba(0, 0, 0, 0)').map(one => one.innerText)"""


@dataclass
class Served:
    """A shop on a server, with a clock that tests can advance."""

    state: Path
    later: timedelta = timedelta()
    shop: str = ""
    staff: str = ""
    app: Any = None
    tokens: dict[str, str] = field(default_factory=dict)

    def clock(self) -> datetime:
        return datetime.now(UTC) + self.later

    def add(self, name: str, role: str) -> None:
        now = datetime.now(UTC).replace(microsecond=0)
        member = Member(
            id=f"{len(self.tokens) + 1:012x}", name=name, role=role, made=now, expires=now + timedelta(days=1)
        )
        change_staff(self.state, lambda before: before | {member.id: member})
        codec = staff_codec(Keyring.loads(beside(self.state).read_text(), setting="test"))
        self.tokens[name] = write_token(codec, member)


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    later, served = Later(), Served(tmp_path / "state")
    with serving(later, lifespan="off") as server:
        served.shop, served.staff = server.at(SHOP), server.at(STAFF)
        config = Config(
            state_dir=str(served.state),
            origins=(served.shop,),
            staff=StaffSettings(origin=served.staff),
            console=ConsoleSettings(vendors="apply"),
            vendors=(
                Vendor(name="Ads", purpose="marketing", hosts=("ads.example",)),
                Vendor(name="Pay", purpose="necessary", hosts=("pay.example",), reason="Payment"),
            ),
        )
        served.app = later.app = CookieGuard(TinyShop({"/": page()}), config, clock=served.clock)
        for name, role in (("Olga", "officer"), ("Oscar", "owner"), ("Anna", "analyst")):
            served.add(name, role)
        yield served
        served.app.close()


def desk(visit: Visitors, served: Served, name: str, **options: Any) -> Page:
    """Open the page as a member who has a passkey."""
    shown = visit(**options).new_page()
    cdp = shown.context.new_cdp_session(shown)
    cdp.send("WebAuthn.enable")
    cdp.send("WebAuthn.addVirtualAuthenticator", {"options": AUTHENTICATOR})
    sign_in(shown, served.staff, served.tokens[name], PAGE)
    shown.goto(f"{served.staff}/_cg/staff")
    click(shown, "Add a passkey")
    shown.goto(f"{served.staff}/_cg/{PAGE}")
    return shown


def click(shown: Page, name: str) -> None:
    with shown.expect_navigation():
        shown.get_by_role("button", name=name, exact=True).click()


def propose(shown: Page) -> None:
    form = shown.locator("form:has(button[value=add])")
    form.locator("[name=name]").fill("Chat <b>&")
    form.locator("[name=purpose]").select_option("marketing")
    form.locator("[name=hosts]").fill("chat.example")
    with shown.expect_navigation():
        form.locator("button").click()


def test_two_officers_bring_a_vendor_in_with_their_passkeys(visit: Visitors, served: Served) -> None:
    olga, oscar = desk(visit, served, "Olga"), desk(visit, served, "Oscar")
    propose(olga)
    assert "It needs two people to confirm it" in olga.inner_text("main")
    click(olga, "Confirm with my passkey")
    assert "It needs a second person to confirm it" in olga.inner_text("main")
    assert olga.get_by_role("button", name="Confirm with my passkey").count() == 0

    oscar.reload()
    click(oscar, "Confirm with my passkey")
    assert "It takes effect at" in oscar.inner_text("main")
    assert len(served.app.config.vendors) == 2
    served.later = timedelta(minutes=10, seconds=1)

    wait_until(lambda: len(served.app.config.vendors) == 3, "the vendor is in force")
    oscar.reload()
    assert "added here" in oscar.inner_text("main")
    click(oscar, "Hold Chat <b>&")
    assert [one.name for one in served.app.config.vendors if one.held] == ["Chat <b>&"]


def test_analyst_sees_what_waits_and_can_stop_it_alone(visit: Visitors, served: Served) -> None:
    olga, anna = desk(visit, served, "Olga"), desk(visit, served, "Anna")
    propose(olga)
    anna.reload()

    assert anna.locator("main form").count() == 1
    click(anna, "Stop the change of Chat <b>&")

    assert "stopped by Anna" in anna.inner_text("main")


@pytest.mark.parametrize("look", ["desk", "phone", "dark"])
def test_page_is_readable_empty_and_full(visit: Visitors, served: Served, axe: str, look: str) -> None:
    shown = desk(visit, served, "Olga", **LOOKS[look])
    require_readable(shown, "vendor-changes-empty", look)
    assert violations(shown, axe) == []

    click(shown, "Hold Ads")
    propose(shown)

    require_readable(shown, "vendor-changes", look)
    assert violations(shown, axe) == []
    assert shown.evaluate(DARK) == ["Confirm with my passkey"]
