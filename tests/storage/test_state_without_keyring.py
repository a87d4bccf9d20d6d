"""A thief of a busy shop's state directory without the keyring finds no customer, and no page of a customer.

`filled` plants 300 customers with every feature on. Each figure of 0 has its control: the same search in a directory
where the store is as an older release kept it, and the same numbers read with the keyring.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import re
import shutil
import sqlite3
from collections.abc import AsyncIterator, Iterator, Sequence
from concurrent.futures import Future
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from harness.asgi import ask
from harness.servers import wait_until
from harness.stores import SqliteStore, give_keyring, values

from cookieguard import Config, CookieGuard, PolicyVersion, Vendor, visitor_of
from cookieguard.config import KeySettings, MailSettings, StatsSettings
from cookieguard.features.outbox.lists import Act, MailLists
from cookieguard.features.outbox.outbox import outbox_opener
from cookieguard.features.outbox.recipients import Recipients
from cookieguard.features.people.journal import Journal
from cookieguard.features.policy.announcement_run import fill_run
from cookieguard.features.rights.erased_customers import ErasedCustomers
from cookieguard.features.rights.requests import requests_opener
from cookieguard.features.rights.values.plan import steps_of
from cookieguard.features.rights.values.requests import Request, Via
from cookieguard.features.rights.values.rules import Law, RequestKind
from cookieguard.features.vault.sealed_events import make_keys
from cookieguard.identity.revocations import Revocation, ended_customer
from cookieguard.keyring import Keyring
from cookieguard.mail.customers import Customer
from cookieguard.storage.journal import journal_of
from cookieguard.storage.state_directory import StateDirectory
from cookieguard.storage.store.schema import MAKE_CLEAR

CUSTOMERS = 300
PREFIX = "471108264"
NUMBERS = [f"{PREFIX}{place:03d}{place * 7919 % 1000:03d}" for place in range(CUSTOMERS)]
MAIL = "planted.example"
START = datetime(2026, 11, 24, 9, 0, 1, 234_567, tzinfo=UTC)
STEP = timedelta(seconds=11, milliseconds=437)  # all of them within one hour, each in a second of their own
HOUR = 3_600_000
LEEWAYS = (
    0,
    60_000,
    65_000,
    120_000,
    125_000,
    185_000,
)  # what is added to a time beside whole hours: milliseconds
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:153.0) Gecko/20100101 Firefox/153.0"
FORM = [("sec-fetch-site", "same-origin"), ("content-type", "application/x-www-form-urlencoded")]


async def site(scope: Any, _: Any, send: Any) -> None:
    """Answer as a shop: /login logs in with cart, order and more than a cookie holds; /logout; the rest are pages."""
    visitor, path = visitor_of(scope), scope["path"]
    if path == "/login":
        number = dict(scope["headers"])[
            b"x-number"
        ].decode()  # where the access log does not see it, as in a form
        visitor.login(number, remember=True)
        visitor.cart["of"] = number
        visitor.orders.add(f"order-{number}")
        if int(number) % 3 == 0:
            visitor.session.update(note=f"{number} " * 400)
        visitor.risk("login", f"customer {number}")
    if path == "/logout":
        visitor.logout()
    headers = [(b"content-type", b"text/html"), (b"x-customer", (visitor.customer or "nobody").encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"<!doctype html><html><body><p>Hello"})


@dataclass
class World:
    """The state directory of a shop that was stopped, with the owner's secrets."""

    state: Path
    pages: dict[str, str]
    """The page that each customer looked at right after logging in."""
    cookies: dict[str, str]
    """A copy of each customer's cookies, taken before some of them left."""
    config: Config
    end: datetime


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Fill a state directory. The keyring is beside it, not in it."""
    folder = tmp_path_factory.mktemp("shop")
    give_keyring(folder)
    config = Config(
        keys=KeySettings(file=str(folder / "keyring")),
        state_dir=str(folder / "state"),
        origins=("https://shop.example",),
        vendors=(Vendor(name="Ads", purpose="marketing", hosts=("ads.example",)),),
        mail=MailSettings(lists=("news", "offers"), sender="shop@shop.example"),
        stats=StatsSettings(before_consent="hashed"),
        policy=PolicyVersion(version="2026-11"),
    )
    now = [START]
    app = CookieGuard(site, config, clock=lambda: now[0])
    state, keyring = StateDirectory(config.state_dir), app._parts.keyring
    make_keys(state, StateDirectory(folder / "vault"), today=START.date(), days=2)
    pages, cookies = {}, {}
    for place, number in enumerate(NUMBERS):
        now[0] = START + place * STEP
        pages[number] = f"/product/p{place}"
        cookies[number] = visit(app, number, place, pages[number])
    app.close()
    fill_rooms(config, state, keyring, now[0])
    assert not (state.path / "keyring").exists()
    return World(state.path, pages, cookies, config, now[0])


def visit(app: CookieGuard, number: str, place: int, page: str) -> str:
    """Log in, look at a page, choose; every fifth customer leaves. Return the cookies of before."""
    client, cookies = (f"198.51.{place // 250}.{place % 250 + 1}", 4711), dict[str, str]()
    browsing = [("accept", "text/html"), ("sec-fetch-dest", "document"), ("user-agent", FIREFOX)]

    def get(path: str, **options: Any) -> None:
        sent = "; ".join(f"{name}={value}" for name, value in cookies.items())
        headers = [*options.pop("headers", browsing), *([("cookie", sent)] if sent else [])]
        cookies.update(ask(app, path=path, headers=headers, client=client, **options).cookies())

    get("/login", headers=[*browsing, ("x-number", number)])
    get(page)
    choice = (b"choice=refuse", b"choice=accept")[place % 2]
    get("/_cg/consent", method="POST", headers=[*FORM, ("user-agent", FIREFOX)], body=choice)
    before = "; ".join(f"{name}={value}" for name, value in cookies.items())
    if place % 5 == 0:
        get("/logout")
    return before


def fill_rooms(config: Config, state: StateDirectory, keyring: Keyring, now: datetime) -> None:
    """Leave what takes no visit: lists, notices, requests, endings and staff's looks."""
    with closing(SqliteStore(state.path / "store.db")) as store:
        answers = MailLists(config, keyring, lambda question: answered(question(store)), clock=lambda: now)
        for number in NUMBERS[:50]:
            decision = answers.decision_in(Act.CONFIRM, answers.token(Act.CONFIRM, number, "news"))
            assert decision is not None
            assert answers.apply(decision).result()
        store.record([ended_customer(NUMBERS[1], now=now, longest=timedelta(days=30))])
    journal = ErasedCustomers(journal_of(config, state.path), keyring)
    journal.write_ended([ended_customer(NUMBERS[1], now=now, longest=timedelta(days=30))], now)
    Journal(state, keyring).write(now, "look", who="Sam", customer=NUMBERS[2], reason="asked")
    with closing(outbox_opener(config.store, state.path, environ={})()) as outbox:
        asyncio.run(
            fill_run(outbox, "policy-2026-12", people, Recipients(keyring), now=now, progress=lambda _: None)
        )
    with closing(requests_opener(config, keyring, state, environ={})()) as queue:
        for place, number in enumerate(NUMBERS[:20]):
            request = Request(
                id=f"{place:022d}",
                kind=RequestKind.EXPORT,
                law=Law.GDPR,
                received=now,
                via=Via.LOGIN,
                customer=number,
                steps=steps_of(RequestKind.EXPORT, config),
            )
            assert queue.add(request, has_work=True)
            queue.keep_file(request.id, number.encode())


def answered(answer: Any) -> Future[Any]:
    """Return an answer that is there."""
    future: Future[Any] = Future()
    future.set_result(answer)
    return future


async def people() -> AsyncIterator[Customer]:
    """Yield whom a notice is mailed to."""
    for number in NUMBERS:
        yield Customer(number, f"{number}@{MAIL}")


@pytest.fixture(scope="module")
def clear(world: World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of the state directory whose store is as an older release kept it."""
    state = tmp_path_factory.mktemp("clear") / "state"
    shutil.copytree(world.state, state)
    with closing(SqliteStore(state / "store.db")) as store:
        kept, ended = list(values(store)), list(store.changes(0))
    for path in state.glob("store.db*"):
        path.unlink()
    with closing(sqlite3.connect(state / "store.db")) as file:
        for statement in MAKE_CLEAR:
            file.execute(statement.replace("cookieguard_", ""))
        rows = [(shelf.removeprefix("guest-"), key, value, 1, until) for shelf, key, value, until in kept]
        file.executemany("INSERT INTO kept VALUES (?, ?, ?, ?, ?)", rows)
        endings = [(one.what.value, one.key, one.at, one.until, 1, one.owner, one.since) for one in ended]
        file.executemany("INSERT INTO ending VALUES (?, ?, ?, ?, ?, ?, ?)", endings)
        file.commit()
    return state


# What a thief does.


def content_of(state: Path) -> bytes:
    """Return all bytes of all files, journals and free pages of databases included."""
    return b"\n".join(path.read_bytes() for path in sorted(state.rglob("*")) if path.is_file())


def forms_of(text: str) -> set[bytes]:
    """Return how a text may be in a file: as it is, in UTF-16, in hexadecimal digits, in base64 wherever it begins."""
    plain = text.encode()
    found = {plain, plain[::-1], plain.hex().encode(), plain.hex().upper().encode()}
    found |= {text.encode("utf-16-le"), text.encode("utf-16-be")}
    for shift in range(3):
        coded = base64.b64encode(b"0" * shift + plain)
        begins, ends = (0, 2, 3)[shift], len(coded) - 4  # without digits that a neighbour decides as well
        found.add(coded[begins:ends])
    return found


def forms_found(content: bytes, text: str) -> set[bytes]:
    """Return the forms of a text that are in the files."""
    return {form for form in forms_of(text) if form in content}


def digests_found(content: bytes, texts: Sequence[str]) -> int:
    """Return how many plain digests of texts are in the files: a thief who knows all numbers can compute these, too."""
    makers = (hashlib.md5, hashlib.sha1, hashlib.sha256, hashlib.sha512, hashlib.blake2b)
    digests = [make(text.encode()).digest() for make in makers for text in texts]
    wanted = {one[:8] for one in digests} | {one.hex().encode()[:8] for one in digests}
    windows = {content[at : at + 8] for at in range(len(content) - 7)}
    return len(wanted & windows)


def rows_of(path: Path) -> Iterator[tuple[str, tuple[Any, ...]]]:
    """Yield the rows of all tables of a database."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as file:
        names = [name for (name,) in file.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        for name in names:
            for row in file.execute(f'SELECT * FROM "{name}"'):
                yield name, row


def moments_of(row: tuple[Any, ...]) -> set[int]:
    """Return the times in a row that are finer than an hour, in milliseconds of their hour."""
    found = set()
    for value in row:
        text = value.decode("latin-1") if isinstance(value, bytes) else str(value)
        for digits in re.findall(r"(?<!\d)(\d{13})(?!\d)", text):
            found.add(int(digits) % HOUR)
        for digits in re.findall(r"(?<!\d)(1[78]\d{8})(?!\d)", text):
            found.add(int(digits) * 1000 % HOUR)
        for iso in re.findall(r"20\d\d-\d\d-\d\d[T ]\d\d:\d\d:\d\d[.\d]*", text):
            found.add(round(datetime.fromisoformat(iso).replace(tzinfo=UTC).timestamp() * 1000) % HOUR)
    return found - {0}


def pages_by_second(state: Path) -> dict[int, str]:
    """Return the page that was looked at in each second of the hour, by the visitor who was at the login in it."""
    hits: dict[int, str] = {}
    with closing(sqlite3.connect(state / "stats.db")) as file:
        for moment, path in file.execute("SELECT time, page FROM hit"):
            if path.startswith("/product"):
                hits[int(moment) % 3600] = path
    return hits


def joined(state: Path) -> dict[str, set[str]]:
    """Return the pages that each number can be joined to by the time in one row."""
    hits, found = pages_by_second(state), dict[str, set[str]]()
    for path in (one for one in state.glob("*.db") if one.name != "stats.db"):
        for _, row in rows_of(path):
            said = b" ".join(one if isinstance(one, bytes) else str(one).encode() for one in row)
            numbers = {one.decode() for one in re.findall(PREFIX.encode() + rb"\d{6}", said)}
            pages = {
                hits[second]
                for moment in moments_of(row)
                for leeway in LEEWAYS
                if (second := (moment - leeway) % HOUR // 1000) in hits
            }
            for number in numbers:
                found.setdefault(number, set()).update(pages)
    return found


def told_pages(state: Path, pages: dict[str, str]) -> int:
    """Return of how many customers a row says when they looked at their page."""
    found = joined(state)
    return sum(page in found.get(number, ()) for number, page in pages.items())


def test_no_customer_can_be_joined_to_a_page_without_the_keyring(world: World, clear: Path) -> None:
    assert len(pages_by_second(world.state)) == CUSTOMERS

    assert told_pages(world.state, world.pages) == 0
    assert told_pages(clear, world.pages) > 0.9 * CUSTOMERS  # the control


def test_no_row_of_the_store_has_a_time_that_is_finer_than_an_hour(world: World, clear: Path) -> None:

    def fine(state: Path) -> list[str]:
        return [name for name, row in rows_of(state / "store.db") if moments_of(row)]

    assert fine(world.state) == []
    assert {"kept", "ending"} <= set(fine(clear))  # the control
    assert not re.search(rb"T\d\d:\d\d:\d\d\.\d+Z ended", (world.state / "journal").read_bytes())


def test_no_customer_number_and_no_address_is_in_any_file_without_the_keyring(
    world: World, clear: Path
) -> None:
    content = content_of(world.state)
    assert len(content) > 1_000_000

    assert {form for planted in (PREFIX, MAIL) for form in forms_found(content, planted)} == set()
    assert digests_found(content, NUMBERS) == 0

    for planted in (PREFIX, MAIL):  # the controls
        assert all(forms_found(b"x" + form, planted) for form in forms_of(planted))
    assert digests_found(hashlib.sha256(NUMBERS[0].encode()).digest(), NUMBERS) == 1
    before = content_of(clear)
    assert sum(number.encode() in before for number in NUMBERS) == CUSTOMERS


def test_with_the_keyring_the_same_numbers_are_read(world: World, tmp_path: Path) -> None:
    state = tmp_path / "state"
    shutil.copytree(world.state, state)

    with closing(SqliteStore(state / "store.db")) as store:
        said = b" ".join(key.encode() + b" " + value for _, key, value, _ in values(store))
        ended: list[Revocation] = list(store.changes(0))

    assert {number for number in NUMBERS if number.encode() in said} == set(NUMBERS)
    assert {one.owner or one.key for one in ended} >= {NUMBERS[0], NUMBERS[1]}


def test_shop_serves_while_an_older_store_is_sealed_and_keeps_sessions_and_endings(
    world: World, clear: Path, tmp_path: Path
) -> None:
    state = tmp_path / "state"
    shutil.copytree(clear, state)
    app = CookieGuard(site, replace(world.config, state_dir=str(state)), clock=lambda: world.end)

    def customer(number: str) -> str:
        answer = ask(app, path="/", headers=[("cookie", world.cookies[number])])
        assert answer.status == 200
        return answer.get("x-customer")

    customer(NUMBERS[3])  # the first request, while the rows are sealed
    wait_until(lambda: customer(NUMBERS[3]) == NUMBERS[3], "the store is sealed")
    assert [customer(one) for one in (NUMBERS[0], NUMBERS[1])] == [
        "nobody",
        "nobody",
    ]  # one left, one was ended
    assert customer(NUMBERS[2]) == NUMBERS[2]
    app.close()
    assert not forms_found(b"".join(one.read_bytes() for one in state.glob("store.db*")), PREFIX)
