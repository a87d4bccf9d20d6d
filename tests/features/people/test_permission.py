"""A customer's code gives staff one permission, once, within ten minutes, and every step is recorded."""

from __future__ import annotations

import asyncio
import html
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from harness.asgi import Answer, ask, log_in, page

from cookieguard import CookieGuard, access
from cookieguard.cli.people.access import notice_of
from cookieguard.config.languages import LANGUAGES, texts_of
from cookieguard.config.people.staff import StaffSettings
from cookieguard.features.people.break_glass import REVEAL, Ground, Look
from cookieguard.features.people.journal import marks_of, read_journal
from cookieguard.features.records.log_reader import read_subject
from cookieguard.features.records.store.open import open_stores, place_of
from cookieguard.features.records.values.records import customer, read_document
from cookieguard.keyring import Keyring
from cookieguard.storage.keyring_source import beside

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
OWN = [("sec-fetch-site", "same-origin"), ("content-type", "application/x-www-form-urlencoded")]
CUSTOMER = "10042"


shop = page(headers=(), act=log_in)


class World:
    """A shop with a customer who is logged in."""

    def __init__(self, guard: Callable[..., CookieGuard], state: Path) -> None:
        self.now = NOW
        self.state = state
        self.app = guard(shop, staff=StaffSettings(scopes=("account", "orders")), clock=lambda: self.now)
        self.cookie = self.login(CUSTOMER)

    def login(self, number: str) -> str:
        return ask(self.app, path="/login", query=number).cookies()["__Host-cg_session"]

    def page(
        self, *, scope: str = "", cookie: str = "", headers: list[tuple[str, str]] | None = None
    ) -> Answer:
        sent = [
            *(OWN if headers is None else headers),
            ("cookie", f"__Host-cg_session={cookie or self.cookie}"),
        ]
        method, body = ("POST", f"scope={scope}".encode()) if scope else ("GET", b"")
        return ask(self.app, path="/_cg/permission", method=method, headers=sent, body=body)

    def code(self, scope: str = "orders") -> str:
        found = re.search(r'<strong dir="ltr">([0-9A-Z-]{9})</strong>', self.page(scope=scope).text)
        assert found is not None
        return found[1]

    def open(self, code: str, scope: str = "orders", number: str = CUSTOMER) -> access.Grant:
        return asyncio.run(access.open(number, code=code, scope=scope, by="Sam Support"))

    def is_refused(self, code: str, scope: str = "orders", number: str = CUSTOMER) -> bool:
        try:
            self.open(code, scope, number)
        except access.AccessRefused:
            return True
        return False

    def records(self) -> list[dict[str, Any]]:
        place = place_of(self.app.config, self.state, environ={})
        with closing(open_stores(place, make=False)) as stores:
            return [read_document(one.record) for one in read_subject(stores, customer(CUSTOMER))]


@pytest.fixture
def world(guard: Callable[..., CookieGuard], tmp_path: Path) -> World:
    return World(guard, tmp_path / "state")


def test_code_opens_what_it_is_for_once_and_all_of_it_is_written_down(world: World) -> None:
    grant = world.open(world.code().lower().replace("-", " "))

    assert (grant.scope, grant.by) == ("orders", "Sam Support")
    made, used = world.records()
    assert [one["cg:kind"] for one in (made, used)] == ["permission-made", "permission-used"]
    assert (used["cg:scope"], used["cg:by"]) == ("orders", "Sam Support")
    (look,) = [one for one in read_journal(world.state) if one["event"] == "looked"]
    keyring = Keyring.loads(beside(world.state).read_text(), setting="test")
    assert look["customer"] in marks_of(keyring, CUSTOMER)
    assert CUSTOMER not in str(look)


def test_form_of_a_code_keeps_the_language_that_its_page_was_asked_for(world: World) -> None:
    cookie = [("cookie", f"__Host-cg_session={world.cookie}"), ("accept-language", "en")]

    asked = ask(world.app, path="/_cg/permission", query="lang=de", headers=cookie)

    assert '<html lang="de"' in asked.text
    assert 'action="/_cg/permission?lang=de"' in asked.text


def test_replayed_late_foreign_and_other_codes_open_nothing(world: World) -> None:
    used = world.code()
    world.open(used)
    assert world.is_refused(used)

    other = world.code()
    assert world.is_refused(other, scope="account")
    assert world.is_refused(other, number="10043")
    replaced, newest = other, world.code()
    assert world.is_refused(replaced)
    world.now += timedelta(minutes=10)
    assert world.is_refused(newest)
    assert [one["event"] for one in read_journal(world.state)].count("refused") == 5


def test_code_opens_the_data_for_one_of_many_simultaneous_uses(world: World) -> None:
    code = world.code()

    with ThreadPoolExecutor(8) as threads:
        refused = list(threads.map(lambda _: world.is_refused(code), range(8)))

    assert refused.count(False) == 1


def test_guessing_ends_the_code(world: World) -> None:
    code = world.code()

    assert all(world.is_refused(f"2222-222{letter}") for letter in "23456")
    assert world.is_refused(code)
    assert not world.is_refused(world.code())  # a new one counts


def test_store_files_hold_no_code_in_clear(world: World) -> None:
    code = world.code()

    written = b"".join(path.read_bytes() for path in world.state.glob("*.db*"))

    assert b"permission" in written
    assert code.encode() not in written
    assert code.replace("-", "").encode() not in written


def test_guest_other_sites_and_unknown_scopes_get_no_code(world: World) -> None:
    guest = ask(world.app, path="/_cg/permission")
    foreign = world.page(scope="orders", headers=[("sec-fetch-site", "cross-site"), OWN[1]])
    unknown = world.page(scope="<script>")

    assert (guest.status, foreign.status, unknown.status) == (403, 403, 400)
    assert b"<script>" not in unknown.body
    for one in (guest, foreign, unknown):
        assert b'<strong dir="ltr">' not in one.body
    assert world.page().get("cache-control") == "private, no-store"


def test_decorator_opens_before_the_view_runs(world: World) -> None:
    seen = []

    @access.needs("orders")
    async def show_orders(number: str, *, page: int) -> str:
        seen.append(number)
        return f"{number} {page}"

    code = world.code()
    assert asyncio.run(show_orders(CUSTOMER, page=2, code=code, by="Sam")) == "10042 2"
    with pytest.raises(access.AccessRefused):
        asyncio.run(show_orders(CUSTOMER, page=2, code=code, by="Sam"))
    assert seen == [CUSTOMER]


def test_access_without_a_name_or_a_journal_entry_opens_nothing(world: World) -> None:
    code = world.code()
    with pytest.raises(access.AccessRefused, match="by must name the person"):
        asyncio.run(access.open(CUSTOMER, code=code, scope="orders", by="Sam\r\nEve"))
    journal = world.state / "staff-journal"
    journal.write_text("in the way")

    assert world.is_refused(code)


def test_customer_makes_no_more_than_twenty_codes_an_hour(world: World) -> None:
    made = [world.page(scope="orders").status for _ in range(21)]

    assert made == [200] * 20 + [429]
    assert world.page(scope="orders", cookie=world.login("10043")).status == 200
    assert len(world.records()) == 20
    world.now += timedelta(hours=1)
    assert world.page(scope="orders", cookie=world.login(CUSTOMER)).status == 200


def test_page_and_notice_speak_the_customer_s_language(world: World) -> None:
    look = Look(
        kind="break-glass",
        ground="abuse",
        event="ticket 7",
        reason="stolen cards",
        scope="orders",
        by="Sam",
        approved="Olga",
        at=datetime(2026, 11, 24, tzinfo=UTC),
    )
    for language in sorted(LANGUAGES):
        page = ask(world.app, path="/_cg/permission", headers=[("accept-language", language)]).text
        lang, told, lines = notice_of(look, language)

        assert f'lang="{language}"' in page
        assert html.unescape(page).count(texts_of(language)["permission"]["login"]) == 1
        assert (lang, "2026" in told) == (language, True)
        assert "{" not in "".join(lines)
        assert all(one in "".join(lines) for one in ("stolen cards", "orders"))
        revealed = "".join(notice_of(replace(look, kind=REVEAL, scope="the network address"), language)[2])
        assert texts_of(language)["permission"]["scope_reveal"] in revealed
        assert language == "en" or "the network address" not in revealed
        for ground in Ground:
            why = "".join(notice_of(replace(look, ground=ground), language)[2])
            said, colon = texts_of(language)["permission"], texts_of(language)["meta"]["colon"]
            assert f"{said[f'ground_{ground}']}{colon}stolen cards" in why
            assert language == "en" or f"{ground}: " not in why
