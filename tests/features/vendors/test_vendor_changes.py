"""Staff change vendors while the shop runs: roles, attacks by writers of the store, and what visitors are asked."""

from __future__ import annotations

import hashlib
import html
import json
import re
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from pathlib import Path
from time import process_time
from typing import Any
from urllib.parse import urlencode

import psycopg
import pytest
from harness.asgi import Answer, ask, page
from harness.authenticator import Authenticator
from harness.long_inputs import CHANGE_FIELDS
from harness.parts import part_of
from harness.postgres import Postgres, postgres
from harness.relays import new_relay
from harness.servers import START_SECONDS, wait_until
from harness.stats_engines import new_database
from harness.stores import SqliteStore

from cookieguard import Config, CookieGuard, Purpose, Vendor
from cookieguard.config import MailSettings, StoreSettings, load_config
from cookieguard.config.cache import CacheSettings
from cookieguard.config.console import ConsoleSettings
from cookieguard.config.people.staff import StaffSettings
from cookieguard.engines.doctor_shop import Shop as DoctorsShop
from cookieguard.errors import ConfigError
from cookieguard.features.letter import write_letter
from cookieguard.features.people.part import PeoplePart
from cookieguard.features.people.staff_list import change_staff
from cookieguard.features.records.log_reader import opened
from cookieguard.features.records.store.open import open_stores, place_of
from cookieguard.features.records.values.records import read_document
from cookieguard.features.records.values.shown import read_shown
from cookieguard.features.statistics.asked import read_asked
from cookieguard.features.statistics.part import StatisticsPart
from cookieguard.features.vendors import ledger as proposals
from cookieguard.features.vendors.due import due_of
from cookieguard.features.vendors.part import VendorsPart
from cookieguard.features.vendors.rows import COPY
from cookieguard.identity.staff_token import Member, staff_codec, write_token
from cookieguard.keyring import Keyring
from cookieguard.storage.keyring_source import beside
from cookieguard.storage.state_directory import StateDirectory, write_private
from cookieguard.storage.store.protocol import FOR_EVER

pytest.importorskip("webauthn", reason="NO TEST OF PASSKEYS: no webauthn")

START = datetime(2026, 11, 24, 12, tzinfo=UTC)
SHOP, STAFF = "shop.example", "staff.shop.example"
COOKIE = "__Host-cg_staff"
PAGE = "/_cg/vendor-changes"
OWN = [("origin", f"https://{STAFF}"), ("sec-fetch-site", "same-origin")]
FORM = ("content-type", "application/x-www-form-urlencoded")
BROWSING = [("accept", "text/html"), ("sec-fetch-dest", "document")]
FILE = (
    Vendor(name="Ads", purpose="marketing", hosts=("ads.example",)),
    Vendor(name="Pay", purpose="necessary", hosts=("pay.example",), reason="Payment"),
)
SHOWN = b"<!doctype html><title>Shop</title>" + b"".join(
    b'<script src="https://%b/x.js"></script>' % host
    for host in (b"ads.example", b"pay.example", b"new.example")
)
NEW = {"name": "New", "purpose": "marketing", "hosts": "new.example"}
WAIT = timedelta(minutes=10, seconds=1)
TWICE = 10  # the five seconds within which a change reaches others, twice: the machine may be busy


@dataclass
class World:
    """Workers of one shop, its members with their passkeys, and the time."""

    folder: Path
    settings: dict[str, Any] = field(default_factory=dict)
    now: datetime = START
    workers: list[CookieGuard] = field(default_factory=list)
    cookies: dict[str, str] = field(default_factory=dict)
    members: dict[str, Member] = field(default_factory=dict)
    keys: dict[str, Authenticator] = field(default_factory=dict)

    @property
    def state(self) -> Path:
        return self.folder / "state"

    @property
    def state_directory(self) -> Path:
        return StateDirectory(self.state).path

    def config(self, **more: Any) -> Config:
        settings: dict[str, Any] = {
            "state_dir": str(self.state),
            "origins": (f"https://{SHOP}",),
            "vendors": FILE,
            "staff": StaffSettings(origin=f"https://{STAFF}", idle_minutes=720),
            "console": ConsoleSettings(vendors="apply"),
        }
        return Config(**(settings | self.settings | more))

    def start(self, **more: Any) -> CookieGuard:
        app = CookieGuard(page(SHOWN), self.config(**more), clock=lambda: self.now)
        self.workers.append(app)
        return app

    def hear(self) -> None:
        """Let every worker look at the store, as its thread does every second."""
        for worker in self.workers:
            store_sync = worker._parts.store_sync
            assert store_sync is not None
            for _ in range(2):  # listeners are called after the answer
                store_sync.begin().exception(timeout=60)

    def close(self) -> None:
        for worker in self.workers:
            worker.close()
        self.workers.clear()

    def add(self, name: str, role: str = "officer", *, app: CookieGuard | None = None) -> None:
        """Add a member with a passkey, signed in."""
        app = app or self.workers[0]
        made = START.replace(microsecond=0)
        id_ = f"{len(self.members) + 1:012x}"
        member = Member(id=id_, name=name, role=role, made=made, expires=made + timedelta(days=300))
        self.members[name] = member
        self.keys[name] = Authenticator(id_)
        self.write_staff(app)
        codec = staff_codec(Keyring.loads(beside(self.state).read_text(), setting="test"))
        self.cookies[name] = self.sign_in(write_token(codec, member), app)
        app._parts.store_sync.ask(self.keys[name].register).result(START_SECONDS)  # type: ignore[union-attr]

    def write_staff(self, *apps: CookieGuard) -> None:
        change_staff(self.state, lambda _: {one.id: one for one in self.members.values()})
        for app in apps or self.workers:
            part_of(app, PeoplePart).staff.members._next_look = 0.0

    def sign_in(self, token: str, app: CookieGuard) -> str:
        body = urlencode({"token": token}).encode()
        answer = ask(app, path="/_cg/staff", host=STAFF, method="POST", headers=[*OWN, FORM], body=body)
        return answer.cookies()[COOKIE]

    def show(self, name: str, app: CookieGuard | None = None) -> Answer:
        headers = [("cookie", f"{COOKIE}={self.cookies[name]}"), ("accept", "text/html")]
        return ask(app or self.workers[0], path=PAGE, host=STAFF, headers=headers)

    def post(self, name: str, fields: dict[str, str], app: CookieGuard | None = None) -> Answer:
        form = re.search(
            r'vendor-changes"><input type="hidden" name="form" value="([^"]+)"', self.show(name, app).text
        )
        value = form[1] if form else "none"
        body = urlencode({"form": value, **fields}).encode()
        headers = [*OWN, FORM, ("cookie", f"{COOKIE}={self.cookies[name]}"), ("accept", "text/html")]
        return ask(app or self.workers[0], path=PAGE, host=STAFF, method="POST", headers=headers, body=body)

    def options(self, name: str, number: int, app: CookieGuard | None = None) -> dict[str, Any]:
        """Return what the page asks a member's passkey to sign for a change."""
        shown = self.show(name, app).text
        for form in shown.split("<form")[1:]:
            if f'name="of" value="{number}"' in form and "data-passkey" in form:
                found: dict[str, Any] = json.loads(
                    html.unescape(re.search(r'data-passkey="([^"]+)"', form)[1])
                )  # type: ignore[index]
                return found
        return {}

    def answer(self, name: str, number: int, key: Authenticator | None = None) -> str:
        return (key or self.keys[name]).answer(self.options(name, number), f"https://{STAFF}")

    def confirm(self, name: str, number: int, answer: str = "", app: CookieGuard | None = None) -> Answer:
        given = answer or self.answer(name, number)
        return self.post(name, {"act": "confirm", "of": str(number), "answer": given}, app)

    def number(self, app: CookieGuard | None = None) -> int:
        """Return the number of the change that was made last."""
        rows = part_of(app or self.workers[0], VendorsPart).known.rows
        return max(number for number, row in rows.items() if row.kind in ("change", "tighten"))

    def pass_time(self, time: timedelta = WAIT) -> None:
        self.now += time
        self.hear()

    def brings_in(self, fields: dict[str, str]) -> int:
        """Have two officers put a change into force, and return its number."""
        assert self.post("Olga", {"act": "add", **fields}).status == 303
        number = self.number()
        assert [self.confirm(name, number).status for name in ("Olga", "Oscar")] == [303, 303]
        self.pass_time()
        return number


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path)
    world.start()
    for name in ("Olga", "Oscar"):
        world.add(name)
    world.add("Anna", "analyst")
    world.hear()
    yield world
    world.close()


@dataclass
class Visitor:
    """A browser that keeps the cookies of the shop."""

    app: CookieGuard
    cookies: dict[str, str] = field(default_factory=dict)

    def get(self, path: str = "/") -> Answer:
        headers = [*BROWSING, *self._sent()]
        answer = ask(self.app, path=path, host=SHOP, headers=headers)
        self.cookies |= answer.cookies()
        return answer

    def loads(self) -> set[str]:
        """Return the hosts that the shop's page would load scripts from."""
        return set(re.findall(r'<script src="https://([a-z.]+)/x\.js"', self.get().text))

    def is_asked(self) -> bool:
        return 'name="choice" value="accept"' in self.get().text

    def form(self) -> str:
        """Return what the banner's form carries."""
        return re.search(r'name="banner" value="([^"]+)"', self.get("/_cg/choices").text)[1]  # type: ignore[index]

    def choose(self, form: str = "", choice: str = "accept", purposes: tuple[str, ...] = ()) -> Answer:
        pairs = [("choice", choice), ("banner", form or self.form()), ("next", "/")]
        body = urlencode([*pairs, *(("purpose", one) for one in purposes)]).encode()
        own = [("origin", f"https://{SHOP}"), ("sec-fetch-site", "same-origin"), FORM]
        answer = ask(
            self.app, path="/_cg/consent", host=SHOP, method="POST", headers=[*own, *self._sent()], body=body
        )
        self.cookies |= answer.cookies()
        return answer

    def _sent(self) -> list[tuple[str, str]]:
        text = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        return [("cookie", text)] if text else []


def shown_with_choices(world: World) -> list[str]:
    """Return the banner that each record of a choice names, in the order of the choices."""
    config = world.config()
    with closing(open_stores(place_of(config, world.state, environ={}), make=False)) as stores:
        rows = [opened(stores, row) for row in (*stores.log.rows(), *stores.log.unnumbered())]
        consents = sorted((row.milliseconds, row.record) for row in rows if row.kind.startswith("consent"))
        notices = [read_document(record)["dpv:hasNotice"] for _, record in consents]
        found = [read_shown(notice, stores.log.text)["cg:wordings"]["banner"] for notice in notices]
        return [(stores.log.text(digest) or b"").decode() for digest in found]


def agreed(world: World, app: CookieGuard | None = None) -> Visitor:
    visitor = Visitor(app or world.workers[0])
    assert visitor.choose().status == 303
    return visitor


# One person alone


def test_vendor_is_held_at_once_by_one_officer(world: World) -> None:
    visitor = agreed(world)
    assert visitor.loads() == {"ads.example", "pay.example", "new.example"}  # undeclared counts as marketing

    assert world.post("Olga", {"act": "hold", "name": "Ads"}).status == 303

    assert visitor.loads() == {"pay.example"}


def test_new_vendor_needs_two_persons_and_ten_minutes(world: World) -> None:
    world.post("Olga", {"act": "add", **NEW})
    number, live = world.number(), part_of(world.workers[0], VendorsPart)

    assert world.confirm("Olga", number).status == 303
    world.pass_time()
    assert [one.name for one in live.vendors] == ["Ads", "Pay"]

    assert world.confirm("Oscar", number).status == 303
    world.pass_time(timedelta(minutes=9, seconds=50))
    assert [one.name for one in live.vendors] == ["Ads", "Pay"]
    world.pass_time(timedelta(seconds=11))
    assert [one.name for one in live.vendors] == ["Ads", "Pay", "New"]
    assert [one.name for one in world.workers[0].config.vendors] == ["Ads", "Pay", "New"]


def in_force(world: World) -> list[str]:
    world.pass_time()
    return [one.name for one in part_of(world.workers[0], VendorsPart).vendors if not one.held]


def test_day_of_a_vendor_of_the_console_is_noted_beside_the_answers(world: World) -> None:
    world.brings_in(NEW)

    part_of(world.workers[0], StatisticsPart).look(world.now)

    assert read_asked(world.state)[-1].vendors == ["Ads (marketing)", "New (marketing)"]


def test_one_person_who_is_two_members_is_told_that_a_second_person_is_needed(world: World) -> None:
    world.add("OLGA")
    world.post("Olga", {"act": "add", **NEW})
    number = world.number()
    asked = world.options("OLGA", number)
    assert world.confirm("Olga", number).status == 303

    answer = world.confirm("OLGA", number, world.keys["OLGA"].answer(asked, f"https://{STAFF}"))

    assert answer.status == 409
    assert "it needs another person" in answer.text
    assert world.options("OLGA", number) == {}


def test_second_person_reads_every_field_of_what_they_confirm(world: World) -> None:
    facts = {
        "cookies": "basket_id",
        "privacy_url": "https://evil.example/privacy",
        "role": "controller",
        "data": "Addresses, orders",
        "retention": "10 years",
        "country": "US",
        "transfer": "clauses",
        "privacy_contact": "privacy@evil.example",
    }
    assert world.post("Olga", {"act": "add", **NEW, **facts}).status == 303

    waiting = html.unescape(world.show("Oscar").text.partition('id="now"')[0])

    assert [value for value in (*NEW.values(), *facts.values()) if value not in waiting] == []
    number = world.number()
    assert [world.confirm(name, number).status for name in ("Olga", "Oscar")] == [303, 303]
    world.pass_time()
    assert world.post("Olga", {"act": "add", **NEW, **(facts | {"role": ""})}).status == 303
    assert "role none" in world.show("Oscar").text


def test_one_person_with_two_passkeys_and_two_sessions_is_one_person(world: World) -> None:
    world.post("Olga", {"act": "add", **NEW})
    number, app = world.number(), world.workers[0]
    second = Authenticator(world.members["Olga"].id, id="c2Vjb25k")
    app._parts.store_sync.ask(second.register).result(START_SECONDS)  # type: ignore[union-attr]
    codec = staff_codec(Keyring.loads(beside(world.state).read_text(), setting="test"))
    assert world.confirm("Olga", number).status == 303

    world.cookies["Olga again"] = world.sign_in(write_token(codec, world.members["Olga"]), app)
    again = world.options("Olga again", number)
    first = world.post("Olga", {"act": "confirm", "of": str(number), "answer": "{}"})

    assert again == {}  # the page asks nobody twice
    assert first.status == 409
    assert in_force(world) == ["Ads", "Pay"]


def test_answer_of_a_passkey_counts_once_for_its_own_change_member_and_session(world: World) -> None:
    world.post("Olga", {"act": "add", **NEW})
    number = world.number()
    world.post("Olga", {"act": "add", **NEW, "name": "Other", "hosts": "other.example"})
    other = world.number()

    of_other = world.answer("Oscar", other)
    olgas = world.answer("Olga", number)
    replayed = world.answer("Oscar", number)
    assert world.confirm("Oscar", number, of_other).status == 409  # another change
    assert world.confirm("Oscar", number, olgas).status == 409  # another member's key, in Oscar's session
    assert (
        world.confirm("Olga", number, world.answer("Oscar", number)).status == 409
    )  # and the other way round
    assert world.confirm("Oscar", number, replayed).status == 303
    assert world.confirm("Oscar", number, replayed).status == 409
    assert world.confirm("Olga", number, replayed).status == 409

    assert in_force(world) == ["Ads", "Pay"]


@pytest.mark.parametrize("act", ["removed", "lowered", "expired"])
def test_member_who_is_no_officer_any_more_does_not_count(world: World, act: str) -> None:
    world.post("Olga", {"act": "add", **NEW})
    number = world.number()
    world.confirm("Olga", number)
    world.confirm("Oscar", number)

    olga = world.members["Olga"]
    fields = {"id": olga.id, "name": olga.name, "made": olga.made}
    after = {
        "removed": {},
        "lowered": {"Olga": Member(role="support", expires=olga.expires, **fields)},  # type: ignore[arg-type]
        "expired": {"Olga": Member(role="officer", expires=START + timedelta(minutes=5), **fields)},  # type: ignore[arg-type]
    }[act]
    world.members = {"Oscar": world.members["Oscar"], **after}
    world.write_staff()

    assert in_force(world) == ["Ads", "Pay"]


def test_change_that_was_edited_between_the_confirmations_is_another_change(world: World) -> None:
    world.post("Olga", {"act": "add", **NEW})
    number = world.number()
    world.confirm("Olga", number)

    world.post("Olga", {"act": "add", **NEW, "hosts": "evil.example"})
    edited = world.number()
    assert world.confirm("Oscar", edited).status == 303

    assert edited != number
    assert in_force(world) == ["Ads", "Pay"]


def test_hold_between_confirmation_and_effect_is_not_lifted_by_the_change(world: World) -> None:
    world.brings_in(NEW)
    world.post("Olga", {"act": "add", **NEW, "hosts": "new.example, more.example"})
    number = world.number()
    world.confirm("Olga", number)
    world.confirm("Oscar", number)

    world.post("Oscar", {"act": "hold", "name": "New"})

    assert in_force(world) == ["Ads", "Pay"]


def test_any_member_of_staff_stops_a_change_until_it_takes_effect(world: World) -> None:
    world.post("Olga", {"act": "add", **NEW})
    number = world.number()
    world.confirm("Olga", number)
    world.confirm("Oscar", number)

    assert world.post("Anna", {"act": "stop", "of": str(number)}).status == 303

    assert in_force(world) == ["Ads", "Pay"]
    assert world.post("Olga", {"act": "stop", "of": str(number)}).status == 409


@pytest.mark.parametrize("act", ["hold", "end", "purpose", "add", "undo", "confirm"])
def test_analyst_changes_nothing(world: World, act: str) -> None:
    fields = {
        "act": act,
        "name": "Ads",
        "end": "2026-01-01",
        "purpose": "statistics",
        "of": "1",
        "answer": "{}",
    }

    assert world.post("Anna", fields).status == 403
    assert part_of(world.workers[0], VendorsPart).known.rows == {}


def test_bearer_token_confirms_nothing(world: World) -> None:
    world.post("Olga", {"act": "add", **NEW})
    number, codec = (
        world.number(),
        staff_codec(Keyring.loads(beside(world.state).read_text(), setting="test")),
    )
    token, answer = write_token(codec, world.members["Olga"]), world.answer("Olga", number)
    body = urlencode({"act": "confirm", "of": number, "answer": answer}).encode()
    headers = [*OWN, FORM, ("authorization", f"Bearer {token}")]

    assert (
        ask(world.workers[0], path=PAGE, host=STAFF, method="POST", headers=headers, body=body).status == 409
    )


@pytest.mark.parametrize("name", ["answer", "cookies", "hosts", "name"])
def test_each_doubling_of_a_field_at_most_triples_the_cpu_time(world: World, name: str) -> None:
    assert set(CHANGE_FIELDS) > {name}
    fields = {"act": "confirm" if name == "answer" else "add", **NEW, "of": "1"}
    for filling in ("[", "a, "):
        times = []
        for size in (8_000, 16_000):
            begun = process_time()
            for _ in range(3):
                assert world.post("Olga", fields | {name: (filling * size)[:size]}).status in (409, 413)
            times.append(process_time() - begun)
        assert times[1] < 3 * times[0] + 0.05, (name, filling, times)


def test_session_that_proposes_all_the_time_fills_no_store(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(proposals, "MOST_A_DAY", 3)

    statuses = [world.post("Olga", {"act": "add", **NEW}).status for _ in range(4)]

    assert statuses == [303, 303, 303, 409]
    assert world.post("Olga", {"act": "hold", "name": "Ads"}).status == 303
    assert world.post("Oscar", {"act": "end", "name": "Pay", "end": "2026-12-31"}).status == 303


# What the console may never change


@pytest.mark.parametrize(
    "fields",
    [
        {**NEW, "purpose": "necessary"},
        {**NEW, "purpose": "unknown"},
        {**NEW, "hosts": "*.new.example"},
        {**NEW, "hosts": "new.example/path/"},
        {**NEW, "hosts": "new.example:8443"},
        {**NEW, "hosts": "localhost"},
        {**NEW, "hosts": "ads.example"},
        {**NEW, "hosts": "cdn.shop.example"},
        {**NEW, "hosts": "staff.shop.example"},
        {**NEW, "hosts": "cdn.own.example"},
        {**NEW, "hosts": "deep.wild.example"},
        {**NEW, "hosts": "path.example"},
        {**NEW, "name": "ads"},
        {**NEW, "name": "Ads"},
        {**NEW, "name": "Pay"},
        {**NEW, "name": "\uff21ds"},  # the width of a letter is all that differs
        {**NEW, "name": "Evil\u202egnp"},
        {**NEW, "cookies": "*"},
        {**NEW, "hosts": ",".join(f"a{number}.example" for number in range(51))},
        {**NEW, "privacy_url": f"https://new.example/{'a' * 300}"},
        {**NEW, "cookies": "__Host-cg_session"},
    ],
)
def test_console_declares_nothing_that_only_the_file_may(tmp_path: Path, fields: dict[str, str]) -> None:
    own = ("*.own.example",)
    vendors = (
        *FILE,
        Vendor(name="Wild", purpose="marketing", hosts=("*.wild.example",)),
        Vendor(name="Path", purpose="marketing", hosts=("path.example/pixel/",)),
    )
    world = World(tmp_path, {"first_party_hosts": own, "vendors": vendors})
    world.start()
    world.add("Olga")
    try:
        assert world.post("Olga", {"act": "add", **fields}).status == 409
        assert part_of(world.workers[0], VendorsPart).known.rows == {}
    finally:
        world.close()


def test_file_vendor_is_only_made_stricter(world: World) -> None:
    post = world.post

    assert post("Olga", {"act": "purpose", "name": "Ads", "purpose": "statistics"}).status == 409
    assert post("Olga", {"act": "purpose", "name": "Pay", "purpose": "necessary"}).status == 409
    assert post("Olga", {"act": "purpose", "name": "Pay", "purpose": "marketing"}).status == 303
    assert post("Olga", {"act": "end", "name": "Ads", "end": "2026-12-31"}).status == 303
    found = {one.name: one for one in world.workers[0].config.vendors}
    assert (found["Pay"].purpose, str(found["Ads"].contract_end)) == ("marketing", "2026-12-31")

    assert post("Olga", {"act": "end", "name": "Ads", "end": "2027-12-31"}).status == 303  # a later end waits
    found = {one.name: one for one in world.workers[0].config.vendors}
    assert str(found["Ads"].contract_end) == "2026-12-31"


def test_file_wins_over_a_vendor_of_the_console(world: World) -> None:
    world.brings_in(NEW)
    world.close()

    theirs = Vendor(name="Theirs", purpose="statistics", hosts=("*.example",))
    app = world.start(vendors=(*FILE, theirs))

    assert [one.name for one in app.config.vendors] == ["Ads", "Pay", "Theirs"]


def test_file_makes_a_vendor_necessary_that_the_console_declared_for_marketing(world: World) -> None:
    world.brings_in(NEW)
    world.close()

    ours = Vendor(name="New", purpose="necessary", hosts=("new.example",), reason="The checkout needs it")
    app = world.start(vendors=(*FILE, ours))

    assert Visitor(app).loads() == {"pay.example", "new.example"}


def earlier_row(fields: dict[str, Any], before: str) -> str:
    """Return a row as the version before wrote it."""
    nothing = {"table": None, "purpose": "", "held": False, "end": ""}
    row = {"before": nothing, "after": nothing, "by": "", "name": "", "of": 0, "digest": "", "undoes": 0}
    row |= {"neighbour": "", "previous": hashlib.sha256(before.encode()).hexdigest() if before else ""}
    for side in {"before", "after"} & fields.keys():
        fields[side] = nothing | fields[side]
    return json.dumps(row | fields, sort_keys=True, separators=(",", ":"))


def test_rows_of_the_version_before_count_as_they_did(world: World) -> None:
    at, texts = int(START.timestamp() * 1000) - 10**7, list[str]()
    new = {"table": {"name": "New", "purpose": "marketing", "hosts": ["new.example"]}}

    def write(**fields: Any) -> str:
        number = len(texts) + 1
        row = {"number": number, "at": at + number} | fields
        texts.append(earlier_row(row, texts[-1] if texts else ""))
        return hashlib.sha256(texts[-1].encode()).hexdigest()

    write(kind="tighten", vendor="Ads", after={"held": True}, by="1", name="Olga")
    write(
        kind="tighten", vendor="Pay", after={"purpose": "marketing", "end": "2027-12-31"}, by="1", name="Olga"
    )
    seal = write(kind="change", vendor="New", after=new, by="1", name="Olga")
    for by, name in (("1", "Olga"), ("2", "Oscar")):
        write(kind="confirm", vendor="New", by=by, name=name, of=3, digest=seal)
    write(kind="apply", vendor="New", name="the shop", at=at + 700_000, of=3, digest=seal)
    write(
        kind="change", vendor="Late", after={"table": {"name": "Late"}}, by="1", name="Olga", at=at + 700_001
    )
    with closing(SqliteStore(world.state / "store.db")) as store:
        for number, text in enumerate(texts, 1):
            store.write("vendor-change", str(number), text.encode(), until=FOR_EVER, after=0)
    world.hear()

    assert world.post("Olga", {"act": "hold", "name": "New"}).status == 303
    known = part_of(world.workers[0], VendorsPart).known
    world.close()
    app = world.start()

    assert (known.broken, list(known.waiting), len(known.rows)) == ((), [7], 8)
    assert [(one.name, one.purpose, one.held) for one in app.config.vendors] == [
        ("Ads", "marketing", True),
        ("Pay", "marketing", False),
        ("New", "marketing", True),
    ]
    assert part_of(app, VendorsPart).known == known


def test_vendor_of_a_purpose_that_is_gone_is_held(world: World) -> None:
    world.brings_in({**NEW, "purpose": "preferences"})
    world.close()
    purposes = (Purpose(id="necessary"), Purpose(id="marketing"))

    app = world.start(purposes=purposes, undeclared="report")

    assert "new.example" not in agreed(world, app).loads()


def test_apply_needs_a_host_of_its_own_and_the_store() -> None:
    for settings, missing in (
        ({}, "staff.origin"),
        (
            {"staff": StaffSettings(origin=f"https://{STAFF}"), "store": StoreSettings(enabled=False)},
            "store.enabled",
        ),
    ):
        with pytest.raises(ConfigError, match=missing):
            Config(console=ConsoleSettings(vendors="apply"), **settings)  # type: ignore[arg-type]


def test_draft_has_no_page_and_reads_nothing(tmp_path: Path) -> None:
    world = World(tmp_path, {"console": ConsoleSettings()})
    app = world.start()
    try:
        assert all(not isinstance(one, VendorsPart) for one in app._served)
        assert ask(app, path=PAGE, host=STAFF).status == 404
    finally:
        world.close()


def test_pages_of_vendors_and_of_changes_lead_to_each_other(world: World) -> None:
    headers = [("cookie", f"{COOKIE}={world.cookies['Olga']}"), ("accept", "text/html")]
    shown = ask(world.workers[0], path="/_cg/vendors", host=STAFF, headers=headers)
    query = urlencode({**NEW, "name": '"><b>'})
    filled = ask(world.workers[0], path=PAGE, host=STAFF, headers=headers, query=query).text

    assert 'href="/_cg/vendor-changes"' in shown.text
    assert 'href="/_cg/vendors"' in filled
    assert 'name="hosts" value="new.example"' in filled
    assert 'name="name" value="&#34;&gt;&lt;b&gt;"' in filled


# A writer of the store


def rows_of(world: World) -> list[tuple[bytes, bytes]]:
    with closing(sqlite3.connect(world.state / "store.db")) as database:
        found = database.execute("SELECT key, sealed FROM kept WHERE shelf = 'vendor-change'")
        return found.fetchall()


def attack(world: World, statement: str, *values: Any) -> None:
    with closing(sqlite3.connect(world.state / "store.db")) as database:
        database.execute(statement, values)
        database.commit()


def keys_by_number(world: World) -> dict[int, bytes]:
    with closing(SqliteStore(world.state / "store.db")) as store:
        return {
            number: store._rows.place("vendor-change", str(number)).key
            for number in range(1, len(store.shelf("vendor-change")) + 1)
        }


EDIT = "UPDATE kept SET sealed = zeroblob(length(sealed)) WHERE shelf = 'vendor-change' AND key = ?"
REMOVE = "DELETE FROM kept WHERE shelf = 'vendor-change' AND key = ?"
MOVE = "UPDATE kept SET shelf = 'elsewhere' WHERE key = ?"


@pytest.mark.parametrize("restart", [False, True], ids=["running", "restarted"])
@pytest.mark.parametrize("statement", [EDIT, REMOVE, MOVE], ids=["edited", "removed", "moved"])
def test_row_that_a_writer_of_the_store_broke_lets_no_vendor_in(
    world: World, statement: str, restart: bool
) -> None:
    held = agreed(world)
    world.post("Olga", {"act": "hold", "name": "Ads"})
    assert "ads.example" not in held.loads()

    attack(world, statement, keys_by_number(world)[1])
    if restart:
        world.close()
        world.start()
    world.hear()

    assert agreed(world).loads() == {"pay.example"}
    assert "does not verify" in world.show("Olga").text


def test_every_row_of_a_new_vendor_holds_it_once_it_is_broken_and_nothing_else(world: World) -> None:
    world.brings_in(NEW)
    world.post("Olga", {"act": "end", "name": "Pay", "end": "2027-12-31"})
    keys = keys_by_number(world)
    assert len(keys) == 5

    for number in range(1, 5):
        before = next(sealed for key, sealed in rows_of(world) if key == keys[number])
        attack(world, EDIT, keys[number])
        world.hear()
        assert agreed(world).loads() == {"ads.example", "pay.example"}, number
        attack(world, "UPDATE kept SET sealed = ? WHERE key = ?", before, keys[number])
        world.hear()
        assert agreed(world).loads() == {"ads.example", "pay.example", "new.example"}, number


def test_rows_in_another_order_let_nobody_in(world: World) -> None:
    world.brings_in(NEW)
    hold = world.post("Olga", {"act": "hold", "name": "New"})
    keys, kept = keys_by_number(world), dict(rows_of(world))

    for number, other in ((4, 5), (5, 4)):  # in force, held
        attack(world, "UPDATE kept SET sealed = ? WHERE key = ?", kept[keys[other]], keys[number])
    world.close()
    (world.state / COPY).unlink()
    app = world.start()

    assert hold.status == 303
    assert "new.example" not in agreed(world).loads()
    assert part_of(app, VendorsPart).known.broken == (4, 5)


def test_machine_without_a_copy_holds_the_vendor_of_a_broken_row(world: World) -> None:
    world.post("Olga", {"act": "hold", "name": "Ads"})
    attack(world, EDIT, keys_by_number(world)[1])
    world.close()
    (world.state / COPY).unlink()

    app = world.start()

    assert [one.name for one in app.config.vendors if one.held] == ["Ads"]


def test_machine_without_a_copy_holds_all_where_a_broken_row_names_no_vendor(world: World) -> None:
    world.post("Olga", {"act": "hold", "name": "Ads"})
    attack(world, EDIT, keys_by_number(world)[1])
    attack(world, "UPDATE kept SET owner = x'00' WHERE shelf = 'vendor-change'")
    world.close()
    (world.state / COPY).unlink()

    app = world.start()

    assert agreed(world, app).loads() == {"pay.example"}
    world.post("Olga", {"act": "hold", "name": "Pay"})  # the row after a broken one
    assert agreed(world, app).loads() == set()


def test_broken_row_of_the_file_taking_over_brings_no_vendor_back(world: World) -> None:
    world.brings_in(NEW)
    assert command(world, "freeze", "--now")[0] == 0
    world.post("Olga", {"act": "hold", "name": "Pay"})
    attack(world, EDIT, keys_by_number(world)[5])
    world.hear()
    assert in_force(world) == ["Ads"]  # this machine has seen the row
    world.close()
    (world.state / COPY).unlink()

    app = world.start()

    assert part_of(app, VendorsPart).known.broken == (5,)
    assert {one.name for one in app.config.vendors if not one.held} == {"Ads"}


def test_older_copy_of_the_store_brings_nobody_back(world: World) -> None:
    with closing(sqlite3.connect(world.state / "store.db")) as database:
        database.execute("CREATE TABLE kept_before AS SELECT * FROM kept")
        database.commit()
    world.post("Olga", {"act": "hold", "name": "Ads"})

    attack(world, "DELETE FROM kept WHERE shelf = 'vendor-change'")
    attack(world, "INSERT OR IGNORE INTO kept SELECT * FROM kept_before")
    world.close()
    world.start()

    assert agreed(world).loads() == {"pay.example"}


def test_broken_row_stops_no_change_of_another_vendor(world: World) -> None:
    world.post("Olga", {"act": "hold", "name": "Pay"})
    attack(world, EDIT, keys_by_number(world)[1])
    world.hear()

    assert world.post("Olga", {"act": "undo", "of": "1"}).status == 409  # of this one nothing is loosened
    assert world.post("Olga", {"act": "hold", "name": "Ads"}).status == 303
    world.brings_in(NEW)

    assert {one.name: one.held for one in world.workers[0].config.vendors} == {
        "Ads": True,
        "Pay": True,
        "New": False,
    }


def test_visitor_is_not_asked_about_a_new_vendor_that_is_held_again(world: World) -> None:
    visitor, number = agreed(world), world.brings_in(NEW)
    assert visitor.is_asked()

    world.post("Olga", {"act": "undo", "of": str(number)})

    assert not visitor.is_asked()
    assert visitor.loads() == {"ads.example", "pay.example"}


def test_vendor_that_is_no_longer_necessary_is_new_to_who_agreed_to_its_purpose(world: World) -> None:
    visitor = agreed(world)

    world.post("Olga", {"act": "purpose", "name": "Pay", "purpose": "marketing"})

    assert visitor.loads() == {"ads.example"}
    assert visitor.is_asked()
    visitor.choose()
    assert "pay.example" in visitor.loads()


def test_value_of_another_shelf_is_no_row(world: World) -> None:
    with closing(SqliteStore(world.state / "store.db")) as store:
        store.write("staff-note", "1", b'{"kind": "apply"}', until=2**62)
    attack(world, "UPDATE kept SET shelf = 'vendor-change' WHERE shelf = 'staff-note'")
    world.hear()

    live = part_of(world.workers[0], VendorsPart)
    assert (live.known.rows, live.known.broken) == ({}, (1,))


def test_store_that_is_down_at_the_start_holds_what_may_have_changed(world: World) -> None:
    world.post("Olga", {"act": "hold", "name": "Ads"})
    world.close()
    store = world.state / "store.db"
    store.rename(world.folder / "away.db")
    store.mkdir()

    known = world.start()
    assert {one.name for one in known.config.vendors if one.held} == {"Ads"}
    assert ask(known, host=SHOP, headers=BROWSING).status == 200
    (world.state / COPY).unlink()
    fresh = world.start()
    assert {one.name for one in fresh.config.vendors if one.held} == {"Ads"}  # all but the necessary ones
    assert agreed(world, fresh).loads() == {"pay.example"}  # new.example may be somebody who is held
    store.rmdir()
    (world.folder / "away.db").rename(store)
    wait_until(lambda: fresh.config.undeclared == "marketing", "the store is read")
    assert [one.name for one in fresh.config.vendors if one.held] == ["Ads"]


def test_start_reports_a_vendor_as_held_only_while_the_store_does_not_answer(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.close()
    (world.state / COPY).unlink(missing_ok=True)
    caplog.set_level("INFO", "cookieguard")
    world.start()
    answered = [line for line in caplog.messages if "Ads" in line]

    world.close()
    (world.state / COPY).unlink()
    store = world.state / "store.db"
    store.rename(world.folder / "away.db")
    store.mkdir()
    world.start()

    assert answered == []
    (line,) = [line for line in caplog.messages if "Ads" in line]  # the control
    assert "vendors.Ads.held" not in line  # no setting of the file says so


def test_machine_that_never_read_a_row_loads_no_undeclared_host_while_the_store_is_down(world: World) -> None:
    world.brings_in(NEW)
    world.close()
    store = world.state / "store.db"
    store.rename(world.folder / "away.db")
    store.mkdir()
    (world.state / COPY).unlink()

    fresh = world.start(undeclared="report")

    assert Visitor(fresh).loads() == {
        "pay.example"
    }  # new.example is a vendor that this machine does not know
    store.rmdir()
    (world.folder / "away.db").rename(store)
    wait_until(lambda: fresh.config.undeclared == "report", "the store is read")
    assert Visitor(fresh).loads() == {"pay.example"}
    assert agreed(world, fresh).loads() == {"ads.example", "pay.example", "new.example"}


# Reach


def test_change_reaches_two_workers_within_five_seconds(tmp_path: Path) -> None:
    world = World(tmp_path)
    first, second = world.start(), world.start()
    world.add("Olga", app=first)
    second._begin()
    try:
        other = agreed(world, second)
        assert "ads.example" in other.loads()
        world.post("Olga", {"act": "hold", "name": "Ads"}, first)
        wait_until(lambda: "ads.example" not in other.loads(), "the other worker holds it", seconds=TWICE)
    finally:
        world.close()


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    with postgres() as server:
        yield server


def test_change_reaches_two_machines_within_five_seconds(server: Postgres, tmp_path: Path) -> None:
    store = {"store": StoreSettings(url=new_database(server))}
    for machine in ("here", "there"):
        (tmp_path / machine).mkdir()
    here, there = World(tmp_path / "here", store), World(tmp_path / "there", store)
    first = here.start()
    write_private(there.state_directory / "keyring", beside(here.state).read_bytes())
    second = there.start()
    here.add("Olga")
    here.add("Oscar")
    second._begin()
    try:
        other = agreed(there, second)
        here.post("Olga", {"act": "hold", "name": "Ads"})
        wait_until(lambda: "ads.example" not in other.loads(), "the other machine holds it", seconds=TWICE)

        here.brings_in(NEW)
        wait_until(other.is_asked, "the other machine asks about the new vendor", seconds=TWICE)
        assert other.loads() == {"pay.example"}
        assert other.choose().status == 303
        assert other.loads() == {"pay.example", "new.example"}

        with psycopg.connect(store["store"].url, autocommit=True) as attacker:
            attacker.execute("UPDATE cookieguard_kept SET sealed = 'x' WHERE shelf = 'vendor-change'")
        visitors = [Visitor(first, other.cookies), other]
        wait_until(
            lambda: {"pay.example"} == visitors[0].loads() == visitors[1].loads(), "both hold it", seconds=5
        )
    finally:
        here.close()
        there.close()


def test_owner_is_mailed_when_the_ten_minutes_begin(tmp_path: Path) -> None:
    relay = new_relay()
    mail = MailSettings(url=relay.url, sender="Shop <privacy@shop.example>")
    staff = StaffSettings(origin=f"https://{STAFF}", letter=("owner@shop.example",))
    world = World(tmp_path, {"mail": mail, "staff": staff})
    world.start()
    world.add("Olga")
    world.add("Oscar")
    try:
        with relay.up():
            world.post("Olga", {"act": "add", **NEW})
            world.confirm("Olga", 1)
            assert not relay.accepted
            world.confirm("Oscar", 1)
            wait_until(lambda: relay.accepted, "the mail")
    finally:
        world.close()

    ((address, content),) = relay.accepted
    text = message_from_bytes(content).get_payload(decode=True).decode()  # type: ignore[union-attr]
    assert address == "owner@shop.example"
    assert "Olga and Oscar confirmed a change of the vendor New" in text
    assert f"https://{STAFF}/_cg/vendor-changes" in text


# Doctor and commands


def doctor(world: World) -> list[tuple[str, str]]:
    shop = DoctorsShop(config=world.config(), environ={}, now=world.now)
    return [(one.check, one.found) for one in due_of(shop)]


def test_doctor_names_broken_rows_and_changes_that_wait(world: World) -> None:
    world.post("Olga", {"act": "hold", "name": "Ads"})
    world.post("Olga", {"act": "add", **NEW})
    assert ("vendor New", "a change proposed by Olga waits, confirmed by 0 of 2") in doctor(world)

    attack(world, EDIT, keys_by_number(world)[1])

    assert ("vendor changes", "row 1 does not verify; held for that: Ads") in doctor(world)


def command(world: World, *arguments: str, vendors: str = "", name: str = "vendors") -> tuple[int, str]:
    """Run a command beside the shop, whose file declares what `FILE` does and these."""
    toml = world.folder / "cookieguard.toml"
    toml.write_text(
        f'state_dir = "{world.state}"\norigins = ["https://{SHOP}"]\n[staff]\norigin = "https://{STAFF}"\n'
        '[console]\nvendors = "apply"\n'
        '[[vendors]]\nname = "Pay"\npurpose = "necessary"\nhosts = ["pay.example"]\nreason = "Payment"\n'
        + (vendors or '[[vendors]]\nname = "Ads"\npurpose = "marketing"\nhosts = ["ads.example"]\n')
    )
    done = subprocess.run(
        [sys.executable, "-m", "cookieguard.cli", name, *arguments, "--config", str(toml)],
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def test_changes_are_moved_into_the_file(world: World) -> None:
    assert command(world, "diff") == (0, "the file and the store say the same\n")
    world.post("Olga", {"act": "hold", "name": "Ads"})
    world.brings_in({**NEW, "data": "Address, pages visited", "role": "processor"})

    code, told = command(world, "diff")
    assert code == 1
    assert "Ads: held is None in the file, and True in force" in told
    assert "New: not in the file" in told
    code, lines = command(world, "freeze")
    assert code == 1
    assert lines.startswith(command(world, "export")[1])
    world.hear()
    assert world.post("Olga", {"act": "hold", "name": "Pay"}).status == 409  # frozen
    assert in_force(world) == ["Pay", "New"]  # what counts goes on

    assert command(world, "diff", vendors=lines)[0] == 0
    assert command(world, "freeze", vendors=lines)[0] == 0
    world.hear()
    assert in_force(world) == ["Ads", "Pay"]  # this worker has the old file
    config = load_config(world.folder / "cookieguard.toml")
    assert [(one.name, one.held, one.role) for one in config.vendors] == [
        ("Pay", False, ""),
        ("Ads", True, ""),
        ("New", False, "processor"),
    ]
    world.close()
    app = world.start(vendors=config.vendors)
    world.hear()
    assert world.post("Olga", {"act": "hold", "name": "Pay"}).status == 303
    assert {one.name for one in app.config.vendors if one.held} == {"Ads", "Pay"}
    assert agreed(world).loads() == {"new.example"}


def test_letter_list_of_what_is_due_and_record_of_processing_know_the_vendors_in_force(world: World) -> None:
    world.brings_in({**NEW, "country": "US"})
    task, headers = "Say why data of New may go to US", [("cookie", f"{COOKIE}={world.cookies['Olga']}")]

    ring = Keyring.loads(beside(world.state).read_text(), setting="test")
    letter = write_letter(world.config(), ring, world.now)
    due = ask(world.workers[0], path="/_cg/due", host=STAFF, headers=headers)
    code, record = command(world, "--json", name="processing")
    _, findings = command(world, name="doctor")

    assert task in "\n".join(letter.text)
    assert task in due.text
    assert code == 0
    assert [one["vendor"] for one in json.loads(record)["vendors"]] == ["Pay", "Ads", "New"]
    assert "its data go to US" in findings


def test_letter_without_the_store_says_so_and_reads_the_file(world: World) -> None:
    world.brings_in(NEW)
    ring = Keyring.loads(beside(world.state).read_text(), setting="test")
    world.close()
    (world.state / "store.db").write_bytes(b"no database")

    lines = write_letter(world.config(), ring, world.now).text

    assert any(line.startswith("- Vendors: ") for line in lines)


def test_file_takes_over_after_a_row_was_broken(world: World) -> None:
    world.post("Olga", {"act": "hold", "name": "Ads"})
    attack(world, EDIT, keys_by_number(world)[1])
    world.hear()

    assert command(world, "freeze", "--now")[0] == 0
    world.hear()

    assert in_force(world) == ["Ads", "Pay"]
    assert world.post("Olga", {"act": "add", **NEW}).status == 303


def test_visitor_is_asked_about_a_new_vendor_after_the_file_took_over(world: World) -> None:
    visitor = agreed(world)
    world.brings_in(NEW)
    assert command(world, "freeze", "--now")[0] == 0
    world.close()

    visitor.app = world.start(vendors=(*FILE, Vendor(**{**NEW, "hosts": ("new.example",)})))

    assert visitor.loads() == {"ads.example", "pay.example"}
    assert visitor.is_asked()


def test_request_in_flight_keeps_what_it_began_with(world: World) -> None:
    before = world.workers[0]._parts

    world.post("Olga", {"act": "hold", "name": "Ads"})

    after = world.workers[0]._parts
    assert (before is not after, before.register.lapsed, after.register.lapsed) == (
        True,
        frozenset(),
        {"Ads"},
    )
    assert before.fingerprint != after.fingerprint


# Undone


def test_hold_is_undone_by_two_persons(world: World) -> None:
    world.post("Olga", {"act": "hold", "name": "Ads"})
    held = world.number()

    assert world.post("Olga", {"act": "undo", "of": str(held)}).status == 303
    number = world.number()
    assert number != held
    assert in_force(world) == ["Pay"]
    for name in ("Olga", "Oscar"):
        assert world.confirm(name, number).status == 303
    assert in_force(world) == ["Ads", "Pay"]


def test_new_vendor_is_undone_at_once(world: World) -> None:
    number = world.brings_in(NEW)
    assert in_force(world) == ["Ads", "Pay", "New"]

    assert world.post("Olga", {"act": "undo", "of": str(number)}).status == 303

    assert in_force(world) == ["Ads", "Pay"]
    assert "new.example" not in agreed(world).loads()
    assert world.post("Olga", {"act": "undo", "of": str(number)}).status == 409


# Visitors


def test_earlier_agreement_stays_and_the_visitor_is_asked_about_the_new_vendor(world: World) -> None:
    visitor, form = agreed(world), Visitor(world.workers[0]).form()
    assert not visitor.is_asked()

    world.brings_in(NEW)

    assert visitor.loads() == {"ads.example", "pay.example"}
    assert visitor.is_asked()
    stale = Visitor(world.workers[0])
    assert stale.choose(form).status == 403  # the page was shown before the vendor came
    assert visitor.choose().status == 303
    assert visitor.loads() == {"ads.example", "pay.example", "new.example"}
    assert not visitor.is_asked()


def test_banner_that_asks_again_says_that_the_earlier_choice_applies_and_is_recorded_so(world: World) -> None:
    only, still = "Right now, only what this shop needs", "Your earlier choice still applies"
    visitor, stranger = agreed(world), Visitor(world.workers[0])

    world.brings_in(NEW)

    first, again = stranger.get().text, visitor.get().text
    assert (only in first, still in first) == (True, False)
    assert (only in again, still in again) == (False, True)
    posted = re.search(r'name="banner" value="([^"]+)"', again)
    assert posted is not None
    assert visitor.choose(posted[1]).status == 303
    assert not visitor.is_asked()
    shown = shown_with_choices(world)
    assert [(only in text, still in text) for text in shown] == [(True, False), (False, True)]


def test_visitor_who_refused_is_not_asked_and_who_agreed_to_another_purpose_neither(world: World) -> None:
    refused, partly = Visitor(world.workers[0]), Visitor(world.workers[0])
    refused.choose(choice="reject")
    partly.choose(choice="save", purposes=("statistics",))

    world.brings_in(NEW)

    assert [one.is_asked() for one in (refused, partly)] == [False, False]
    assert partly.loads() == {"pay.example"}


def test_purpose_that_nobody_was_asked_for_leaves_earlier_agreements_as_they_are(world: World) -> None:
    visitor = agreed(world)

    world.brings_in({**NEW, "purpose": "preferences"})

    assert visitor.loads() == {"ads.example", "pay.example"}
    assert visitor.is_asked()


def test_shared_cache_keeps_no_page_for_a_visitor_who_is_asked_about_a_new_purpose(world: World) -> None:
    visitor = agreed(world, world.start(cache=CacheSettings(mode="shared"), trusted_proxies=("127.0.0.1",)))
    assert visitor.cookies["__Host-cg_v"].startswith("a.")

    world.brings_in({**NEW, "purpose": "preferences"})

    assert visitor.is_asked()
    assert not visitor.cookies.get("__Host-cg_v")


def test_choice_of_a_script_without_the_form_does_not_count_for_the_new_vendor(world: World) -> None:
    world.brings_in(NEW)
    visitor = Visitor(world.workers[0])
    own = [
        ("origin", f"https://{SHOP}"),
        ("sec-fetch-site", "same-origin"),
        ("content-type", "application/json"),
    ]
    body = json.dumps({"choice": "accept"}).encode()

    answer = ask(
        visitor.app, path="/_cg/consent", host=SHOP, method="POST", headers=own, body=body, bare=True
    )
    visitor.cookies |= answer.cookies()

    assert answer.status == 303
    assert visitor.loads() == {"ads.example", "pay.example"}


def test_record_names_the_new_vendor_only_for_choices_made_after_it_came(world: World) -> None:
    log = world.workers[0]._parts.records
    assert log.asker(SHOP).recipients["marketing"] == ("Ads",)  # type: ignore[attr-defined]

    world.brings_in(NEW)

    now = world.workers[0]._parts.records
    assert now.asker(SHOP).recipients["marketing"] == ("Ads", "New")  # type: ignore[attr-defined]
    assert log.asker(SHOP).recipients["marketing"] == ("Ads",)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("asked", "leads_to"),
    [
        ("vendor=Ads", "vendor-changes"),
        ("host=x.example", ""),
        ("host=x.example&own=yes", ""),
        ("host=x.example&own=no&name=X&purpose=marketing", "vendor-changes?name=X&amp;purpose=marketing"),
        ("host=x.example&own=no&name=X&purpose=necessary&reason=y", ""),
    ],
)
def test_page_of_a_third_party_leads_to_its_change_where_the_console_can_make_it(
    world: World, asked: str, leads_to: str
) -> None:
    report = {"day": "2026-11-23", "host": "x.example", "by": "Ads", "page": "/"}
    (world.state / "beyond").write_text(json.dumps(report) + "\n")
    headers = [("cookie", f"{COOKIE}={world.cookies['Olga']}"), ("accept", "text/html")]

    shown = ask(world.workers[0], path="/_cg/vendors", query=asked, host=STAFF, headers=headers)

    assert shown.status == 200
    links = re.findall(r'href="/_cg/(vendor-changes[^"]*)"', shown.text)
    assert [link[: len(leads_to)] for link in links] == ([leads_to] if leads_to else [])
