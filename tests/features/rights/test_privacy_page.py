"""The page of a visitor's privacy: its content, who may request what, and attacks by other customers and sites."""

from __future__ import annotations

import asyncio
import io
import math
import re
import sys
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from functools import partial
from html import unescape
from pathlib import Path
from sqlite3 import connect
from typing import Any, ClassVar
from urllib.parse import urlencode

import pytest
from harness.asgi import Answer, ask, drive, form_of, log_in, page, scope_of
from harness.parts import part_of
from harness.relays import Relay, new_relay
from harness.servers import START_SECONDS, wait_until
from harness.stores import SqliteStore

from cookieguard import Config, CookieGuard, Vendor, visitor_of
from cookieguard.config import Controller, DataKind, MailSettings, RightsSettings, ShopForm
from cookieguard.config.languages import LANGUAGES
from cookieguard.config.rights.settings import FIELDS
from cookieguard.errors import ConfigError
from cookieguard.features.rights.part import RightsPart
from cookieguard.features.rights.requests import Requests, requests_opener
from cookieguard.features.rights.values.answers import RightsTexts
from cookieguard.features.rights.values.requests import Act, noted, step_done
from cookieguard.features.rights.web import desk
from cookieguard.features.rights.web.codes import LONG_DIGITS, TRIES, Codes
from cookieguard.features.rights.web.desk import loop_here
from cookieguard.features.rights.web.page import FIELD_TEXTS
from cookieguard.features.work import open_worker
from cookieguard.keyring import Keyring
from cookieguard.rights.hooks import Contact, Exported, Retained
from cookieguard.storage.state_directory import StateDirectory

FORM = ("content-type", "application/x-www-form-urlencoded")
HERE = ("sec-fetch-site", "same-origin")
HOSTILE = '<img src=x onerror=alert(1)>"\u202e'
PAGE = "/_cg/privacy"
TICKET = r'(?<=name="ticket" value=")[^"]+'
NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)


class Hooks:
    """A shop with one guest and two customers."""

    def export(self, customer: str) -> list[Exported]:
        return [Exported(kind="orders", values={"Number": f"of {customer}"})]

    def erase(self, customer: str) -> list[Retained]:
        return []

    def deactivate(self, customer: str) -> None:
        return None

    def contact(self, customer: str) -> Contact | None:
        return None

    def find(self, address: str) -> str | None:
        return {"guest@shop.example": "G-1"}.get(address)


class AsyncHooks(Hooks):
    """A shop whose database works in one event loop only, as connection pools do."""

    loops: ClassVar[list[object]] = []

    async def find(self, address: str) -> str | None:  # type: ignore[override]
        self.loops.append(asyncio.get_running_loop())
        return super().find(address)


class LateHooks(Hooks):
    """A shop whose database is down at first."""

    is_down: ClassVar[bool] = True

    def __init__(self) -> None:
        if self.is_down:
            raise OSError("password in a URL")


class Browser:
    """A browser with its cookies, at a time that tests set."""

    def __init__(self, app: CookieGuard, clock: Clock) -> None:
        self.app = app
        self.clock = clock
        self.cookies: dict[str, str] = {}
        self.client = ("198.51.100.7", 4711)

    def get(self, path: str = PAGE, query: str = "") -> Answer:
        return self._keep(ask(self.app, path=path, query=query, headers=self._headers(), client=self.client))

    def post(self, headers: tuple[tuple[str, str], ...] = (HERE,), **fields: str) -> Answer:
        found = [*self._headers(), FORM, *headers]
        body = urlencode(fields).encode()
        return self._keep(
            ask(self.app, path=PAGE, method="POST", headers=found, body=body, client=self.client)
        )

    def move(self, number: int) -> None:
        """Come from another network."""
        self.client = (f"2001:db8:0:{number:x}::1", 4711)

    def erase(self, **fields: str) -> Answer:
        """Ask for an erasure, and confirm it on the page that asks again."""
        asked = self.post(act="ask", kind="erase", **fields)
        return self.post(act="erase", form=form_of(asked), **fields)

    def login(self, number: str) -> None:
        self.get("/login", f"n={number}")

    def _headers(self) -> list[tuple[str, str]]:
        cookie = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        return [("cookie", cookie)] if cookie else []

    def _keep(self, answer: Answer) -> Answer:
        self.cookies |= answer.cookies()
        return answer


class Clock:
    """A clock that stands still until a test sets it; the store uses the system's."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC)

    def __call__(self) -> datetime:
        return self.now


shop = page(headers=(), act=log_in)


@pytest.fixture
def relay() -> Relay:
    return new_relay()


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let codes be mailed almost at once."""
    monkeypatch.setattr(desk, "TICK_SECONDS", 0.1)
    monkeypatch.setattr(desk, "AHEAD_SECONDS", 0.0)


@pytest.fixture
def opened(tmp_path: Path, relay: Relay) -> Iterator[tuple[CookieGuard, Clock, Config]]:
    """Return a guarded shop with hooks, mail and what the page shows."""
    config = Config(
        state_dir=str(tmp_path / "state"),
        origins=("https://shop.example",),
        data=(
            DataKind(
                id="orders", title=HOSTILE, purpose="To deliver", recipients=(HOSTILE,), retention="7 years"
            ),
        ),
        forms=(
            ShopForm(page="/checkout", asks=("name", "card number"), leads_to="pay.example"),
            ShopForm(page="/", asks=("email",)),
        ),
        controller=Controller(name="Kiln & Co", address=("Ovenstraat 1", "1011 AA Amsterdam")),
        rights=RightsSettings(hooks=f"{__name__}:Hooks", login_url="/login"),
        mail=MailSettings(url=relay.url, sender="Kiln <privacy@shop.example>"),
    )
    clock = Clock()
    app = CookieGuard(shop, config, clock=clock)
    yield app, clock, config
    app.close()


@pytest.fixture
def anna(opened: tuple[CookieGuard, Clock, Config]) -> Browser:
    """Return a customer who logged in a moment ago."""
    app, clock, _ = opened
    browser = Browser(app, clock)
    browser.login("10001")
    return browser


def work(config: Config) -> None:
    async def do() -> None:
        async with open_worker(config, hooks=Hooks(), environ={}) as worker:
            await worker.work_all()

    asyncio.run(do())


def queued(opened: tuple[CookieGuard, Clock, Config], question: Callable[[Requests], Any]) -> Any:
    app, _, config = opened
    queue = requests_opener(config, app._parts.keyring, StateDirectory(config.state_dir), environ={})()
    with closing(queue):
        return question(queue)


def ids(page: Answer) -> list[str]:
    return re.findall(r'name="id" value="([^"]+)"', page.text)


def test_page_shows_what_is_kept_who_answers_and_every_cookie(anna: Browser) -> None:
    page = anna.get()

    assert page.status == 200
    for said in (
        "To deliver",
        "7 years",
        "Ovenstraat 1",
        "Kiln &amp; Co",
        "cg_session",
        "cg_consent",
        "6 months",
    ):
        assert said in page.text, said
    assert "private, no-store" in page.get("cache-control")
    assert "default-src 'none'" in page.get("content-security-policy")


def test_texts_of_others_are_shown_as_text(anna: Browser) -> None:
    anna.post(act="ask", kind="object", text=HOSTILE)
    page = anna.get()

    assert "<img" not in page.text
    assert "&lt;img src=x" in page.text


@pytest.mark.parametrize("letter", ["\u0e01", "\u6587", "\U0001f48c"])
def test_a_request_as_long_as_its_field_takes_is_recorded_in_every_script(anna: Browser, letter: str) -> None:
    count = 2000 // (len(letter.encode("utf-16-le")) // 2)  # as browsers count

    said = anna.post(act="ask", kind="correct", text=letter * count)

    assert (said.status, len(ids(said))) == (200, 1)


def test_customer_with_a_fresh_login_asks_and_sees_state_and_due_date(anna: Browser) -> None:
    said = anna.post(act="ask", kind="correct", text="My name has two n")
    page = anna.get()

    assert said.status == 200
    assert "recorded" in said.text
    assert "Correct my data" in page.text
    assert 'data-state="open"' in page.text
    assert len(ids(page)) == 1
    # Once more is the same
    assert len(ids(anna.post(act="ask", kind="correct", text="My name has two n"))) == 1


def test_page_that_leads_to_no_request_has_no_empty_place_for_one(guard: Callable[..., CookieGuard]) -> None:
    bare, led = (
        ask(guard(shop), path=PAGE),
        ask(guard(shop, rights=RightsSettings(login_url="/login")), path=PAGE),
    )

    assert 'id="ask"' not in bare.text
    assert 'href="/login?next=' in led.text


def test_login_that_is_not_fresh_sends_nothing(anna: Browser) -> None:
    anna.clock.now += timedelta(minutes=11)

    said = anna.post(act="ask", kind="erase")

    assert said.status == 403
    assert "Log in again" in said.text
    assert "/login?next=/_cg/privacy" in said.text
    assert ids(anna.get()) == []


def test_guest_without_a_code_sends_nothing(opened: tuple[CookieGuard, Clock, Config]) -> None:
    stranger = Browser(*opened[:2])

    assert stranger.post(act="ask", kind="erase").status == 403


@pytest.mark.parametrize(
    "headers",
    [
        (("sec-fetch-site", "cross-site"), ("origin", "https://shop.example")),
        (("sec-fetch-site", "same-site"),),
        (("origin", "https://evil.example"),),
        (("origin", "null"),),
        (),
    ],
)
@pytest.mark.parametrize("act", ["ask", "withdraw", "copy", "sessions", "code", "open"])
def test_no_other_site_posts_a_form(anna: Browser, headers: tuple[tuple[str, str], ...], act: str) -> None:
    assert anna.post(headers, act=act, kind="erase", address="guest@shop.example").status == 403
    assert ids(anna.get()) == []


def test_link_changes_nothing(anna: Browser) -> None:
    anna.get(query="act=ask&kind=erase")

    assert ids(anna.get()) == []
    assert anna.get("/").text == "10001"


def test_another_customer_neither_sees_fetches_nor_withdraws(
    anna: Browser, opened: tuple[CookieGuard, Clock, Config]
) -> None:
    anna.post(act="ask", kind="export")
    anna.post(act="ask", kind="correct", text="x")
    work(opened[2])
    own = ids(anna.get())
    other = Browser(*opened[:2])
    other.login("10002")

    assert ids(other.get()) == []
    for id_ in own:
        assert other.post(act="copy", id=id_).status == 404
        assert other.post(act="withdraw", id=id_).status == 404
    assert len(ids(anna.get())) == 2


def test_copy_is_fetched_by_a_fresh_login_only(
    anna: Browser, opened: tuple[CookieGuard, Clock, Config]
) -> None:
    anna.post(act="ask", kind="export")
    work(opened[2])
    (id_,) = ids(anna.get())

    copy = anna.post(act="copy", id=id_)
    with zipfile.ZipFile(io.BytesIO(copy.body)) as archive:
        assert b"of 10001" in archive.read("data.json")
    assert copy.get("content-disposition").startswith("attachment")
    anna.clock.now += timedelta(minutes=11)
    assert anna.post(act="copy", id=id_).status == 403
    assert 'value="copy"' in anna.get().text
    anna.clock.now += timedelta(days=14)  # it is gone by then
    anna.login("10001")
    assert 'value="copy"' not in anna.get().text


def test_erasure_logs_out_everywhere_at_once(
    anna: Browser, opened: tuple[CookieGuard, Clock, Config]
) -> None:
    phone = Browser(*opened[:2])
    phone.login("10001")

    assert anna.erase().status == 200
    assert phone.get("/").text == "guest"
    assert anna.get("/").text == "guest"


def test_all_sessions_end_by_one_button(anna: Browser) -> None:
    anna.post(act="sessions")

    assert anna.get("/").text == "guest"


def test_request_is_withdrawn_before_work_began(anna: Browser) -> None:
    anna.post(act="ask", kind="correct", text="x")
    (id_,) = ids(anna.get())

    assert anna.post(act="withdraw", id=id_).status == 200
    assert 'data-state="withdrawn"' in anna.get().text
    assert anna.post(act="withdraw", id=id_).status == 404


def test_request_that_is_worked_at_is_not_withdrawn(
    anna: Browser, opened: tuple[CookieGuard, Clock, Config]
) -> None:
    anna.post(act="ask", kind="deactivate")
    (id_,) = ids(anna.get())
    queued(opened, lambda queue: queue.change(id_, lambda one: step_done(one, one.steps[0], now=NOW, by="x")))

    assert anna.post(act="withdraw", id=id_).status == 404
    assert 'data-state="open"' in anna.get().text


def test_reason_for_more_time_stands_on_the_page_until_the_answer(
    anna: Browser, opened: tuple[CookieGuard, Clock, Config]
) -> None:
    anna.post(act="ask", kind="correct", text="x")
    (id_,) = ids(anna.get())
    longer = partial(noted, act=Act.EXTENDED, now=NOW, by="x", text="Many <b>orders</b>.")
    queued(opened, lambda queue: queue.change(id_, longer))

    assert "Many &lt;b&gt;orders&lt;/b&gt;." in anna.get().text
    queued(
        opened,
        lambda queue: queue.change(id_, lambda one: noted(one, Act.REFUSED, now=NOW, by="x", text="no")),
    )
    assert "Many &lt;b&gt;orders" not in anna.get().text


def test_answer_counts_as_told_only_once_somebody_looks_at_it(
    anna: Browser, opened: tuple[CookieGuard, Clock, Config]
) -> None:
    anna.post(act="ask", kind="correct", text="x")
    (id_,) = ids(anna.get())
    queued(
        opened,
        lambda queue: queue.change(id_, lambda one: noted(one, Act.REFUSED, now=NOW, by="x", text="no")),
    )

    def is_owed(method: str, **headers: str) -> bool:
        sent = [*anna._headers(), *((name.replace("_", "-"), value) for name, value in headers.items())]
        assert ask(anna.app, path=PAGE, method=method, headers=sent).status == 200
        return queued(opened, lambda queue: queue.find(id_).answer_pending)

    assert is_owed("HEAD")
    assert is_owed("GET", sec_fetch_dest="image", sec_fetch_site="cross-site")
    for name in ("sec_purpose", "x_sec_purpose", "purpose"):
        assert is_owed("GET", sec_fetch_dest="document", **{name: "prefetch"})
    assert not is_owed("GET", sec_fetch_dest="document")


class Guest(Browser):
    """A guest who reads mail."""

    ticket = ""

    def ask(self, address: str = "guest@shop.example") -> Answer:
        """Ask for a code; the page that answers has a ticket for it."""
        answer = self.post(act="code", address=address)
        self.ticket = "".join(re.findall(TICKET, answer.text))
        return answer

    def code(self, relay: Relay, address: str = "guest@shop.example") -> str:
        before = len(relay.accepted)
        assert self.ask(address).status == 200
        wait_until(lambda: len(relay.accepted) > before, "a mail")
        return code_in(relay)

    def open(self, code: str, address: str = "guest@shop.example") -> Answer:
        return self.post(act="open", address=address, ticket=self.ticket, code=code)


def code_in(relay: Relay) -> str:
    """Return the code of the newest mail."""
    return re.findall(r"\d{16}|\d{8}", str(relay.messages[-1].get_payload(decode=True)))[0]


def wait_for_lookups(app: CookieGuard) -> None:
    """Wait until every address that was asked for is looked up, and every mail is sent."""
    mails = part_of(app, RightsPart).room.desk.mails  # type: ignore[union-attr]
    wait_until(lambda: mails._places._value == desk.MOST_WAITING, "no lookup is waiting")


def wrong(code: str) -> str:
    return f"{(int(code) + 1) % 10 ** len(code):0{len(code)}}"


@pytest.fixture
def guest(opened: tuple[CookieGuard, Clock, Config], relay: Relay) -> Iterator[Guest]:
    with relay.up():
        yield Guest(*opened[:2])


def pass_of(page: Answer) -> str:
    return unescape(re.findall(r'name="pass" value="([^"]+)"', page.text)[0])


def test_guest_asks_with_a_code_sent_to_the_address_on_file(guest: Guest, relay: Relay) -> None:
    page = guest.open(guest.code(relay))
    assert page.status == 200
    said = guest.erase(**{"pass": pass_of(page)})

    assert "recorded" in said.text
    assert len(ids(said)) == 1
    assert ids(guest.get()) == []  # the pass is in the form, in no cookie


def test_async_hook_finds_a_guest_in_the_event_loop_of_the_shop(tmp_path: Path, relay: Relay) -> None:
    config = Config(
        state_dir=str(tmp_path / "state"),
        origins=("https://shop.example",),
        rights=RightsSettings(hooks=f"{__name__}:AsyncHooks"),
        mail=MailSettings(url=relay.url, sender="Kiln <privacy@shop.example>"),
    )
    body = urlencode({"act": "code", "address": "guest@shop.example"}).encode()

    async def asked() -> object:
        with closing(CookieGuard(shop, config)) as app:
            scope = scope_of(PAGE, method="POST", headers=[HERE, FORM])
            await drive(app, Answer(scope=scope), body)
            await asyncio.to_thread(wait_until, lambda: relay.accepted, "a mail")
        return asyncio.get_running_loop()

    with relay.up():
        assert [asyncio.run(asked())] == AsyncHooks.loops


def test_page_is_there_while_hooks_cannot_be_made_and_guests_may_ask_once_they_can(
    tmp_path: Path, relay: Relay, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    config = Config(
        state_dir=str(tmp_path / "state"),
        rights=RightsSettings(hooks=f"{__name__}:LateHooks"),
        mail=MailSettings(url=relay.url, sender="Kiln <privacy@shop.example>"),
    )
    with closing(CookieGuard(shop, config)) as app:
        page = ask(app, path=PAGE)
        assert (page.status, 'value="code"' in page.text) == (200, False)
        assert "LateHooks, which raised OSError when it was created" in caplog.text
        assert "password" not in caplog.text
        monkeypatch.setattr(LateHooks, "is_down", False)
        monkeypatch.setattr("cookieguard.features.rights.web.desk.LOAD_AGAIN_SECONDS", 0.0)
        part_of(app, RightsPart).room.desk._load_at = 0.0  # type: ignore[union-attr]

        assert 'value="code"' in ask(app, path=PAGE).text


def test_there_is_no_loop_of_asyncio_under_trio() -> None:
    assert loop_here() is None


def test_code_counts_once_for_its_address_and_ten_minutes(guest: Guest, relay: Relay) -> None:
    code = guest.code(relay)
    assert guest.open(code, "other@shop.example").status == 403
    assert guest.open(code).status == 200
    assert guest.open(code).status == 403
    late = guest.code(relay)
    guest.clock.now += timedelta(minutes=11)
    assert guest.open(late).status == 403


def test_guesses_end_a_code_after_five(guest: Guest, relay: Relay) -> None:
    code = guest.code(relay)
    answers = [guest.open(wrong(code)).status for _ in range(5)]

    assert answers == [403] * 5
    assert guest.open(code).status == 403


def test_answer_does_not_reveal_whether_an_address_is_known(guest: Guest, relay: Relay) -> None:
    known = guest.post(act="code", address="guest@shop.example")
    unknown = guest.post(act="code", address="nobody@shop.example")

    texts = [re.sub(TICKET, "", one.text.replace("guest@", "nobody@")) for one in (known, unknown)]
    assert texts[0] == texts[1]
    wait_until(lambda: len(relay.accepted) == 1, "a mail")
    assert relay.counts == {"guest@shop.example": 1}


@pytest.mark.parametrize("became", ["open", "used", "over", "guessed at", "never made"])
def test_each_try_of_a_code_writes_once_so_that_its_time_does_not_tell_who_is_known(
    tmp_path: Path, became: str
) -> None:
    address, codes = "guest@shop.example", Codes(Keyring.generate(NOW))
    with (
        closing(SqliteStore(tmp_path / "store.db")) as store,
        closing(connect(tmp_path / "store.db")) as file,
    ):

        def changes() -> int:
            return int(file.execute("PRAGMA data_version").fetchone()[0])

        code = "" if became == "never made" else codes.make(address, "G-1", "ticket", NOW)(store)
        for tried in {"used": [code], "guessed at": ["0"] * TRIES}.get(became, []):
            codes.check(address, "ticket", tried, NOW)(store)
        now = NOW + timedelta(minutes=11) if became == "over" else NOW
        before = changes()

        assert codes.check(address, "ticket", "wrong", now)(store) is None
        assert changes() == before + 1
        assert codes.check(address, "ticket", "1" * LONG_DIGITS, now)(store) is None
        assert changes() == before + 2


def test_a_network_asks_for_five_codes_an_hour(guest: Guest) -> None:
    assert [guest.ask().status for _ in range(6)] == [200] * 5 + [429]


def test_a_stranger_ends_no_code_of_somebody_else(
    guest: Guest, relay: Relay, opened: tuple[CookieGuard, Clock, Config]
) -> None:
    code, stranger = guest.code(relay), Guest(*opened[:2])
    stranger.move(1)
    own = stranger.code(relay)
    for _ in range(6):
        assert stranger.open(wrong(own)).status == 403
        assert stranger.post(act="open", address="guest@shop.example", code=wrong(code)).status == 403

    assert stranger.open(code).status == 403  # it counts in the browser that asked
    assert guest.open(wrong(code)).status == 403
    assert guest.open(code).status == 200


def test_eight_codes_a_day_go_to_one_address_and_the_last_one_is_for_whoever_reads_its_mail(
    guest: Guest, relay: Relay, opened: tuple[CookieGuard, Clock, Config]
) -> None:
    stranger = Guest(*opened[:2])
    for number in range(8):
        stranger.move(number)
        stranger.code(relay)
    code = code_in(relay)
    for number in range(10, 30):
        stranger.move(number)
        assert stranger.ask().status == 200
        assert stranger.open(wrong(code)).status == 403
    for _ in range(9):
        stranger.open(code[:8])
    guest.clock.now += timedelta(hours=23)
    guest.ask()
    wait_for_lookups(opened[0])  # the clock moves on below, and four threads take them in any order

    assert len(code) == 16
    assert "valid for 24 hours" in " ".join(str(relay.messages[-1].get_payload(decode=True)).split())
    assert guest.open(code).status == 200
    assert guest.open(code).status == 403
    guest.clock.now += timedelta(hours=2)
    assert len(guest.code(relay)) == 8
    assert len(relay.accepted) == 9


class GatedHooks(Hooks):
    """A shop that takes long to report that a customer is unknown."""

    gate = threading.Event()

    def find(self, address: str) -> str | None:
        if address.startswith("nobody"):
            self.gate.wait(START_SECONDS)
        return super().find(address)


@pytest.fixture
def gated(
    tmp_path: Path, relay: Relay, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[CookieGuard, Guest]]:
    monkeypatch.setattr(GatedHooks, "gate", threading.Event())
    config = Config(
        state_dir=str(tmp_path / "state"),
        rights=RightsSettings(hooks=f"{__name__}:GatedHooks"),
        mail=MailSettings(url=relay.url, sender="Kiln <privacy@shop.example>"),
    )
    clock = Clock()
    with relay.up(), closing(CookieGuard(shop, config, clock=clock)) as app:
        yield app, Guest(app, clock)
        GatedHooks.gate.set()


def desk_of(app: CookieGuard) -> desk.Desk:
    found = part_of(app, RightsPart).room.desk
    assert found is not None
    return found


def test_strangers_take_no_place_from_a_customer(gated: tuple[CookieGuard, Guest], relay: Relay) -> None:
    app, guest = gated
    stranger = Guest(app, guest.clock)
    for number in range(150):
        stranger.move(number)
        assert stranger.ask(f"nobody{number}@shop.example").status == 200
    asked = guest.ask()
    GatedHooks.gate.set()
    wait_until(lambda: relay.accepted, "a mail")

    assert asked.status == 200
    assert guest.open(code_in(relay)).status == 200


def test_page_says_so_where_too_many_codes_wait(
    gated: tuple[CookieGuard, Guest], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(desk, "MOST_WAITING", 3)
    _, guest = gated
    said = []
    for number in range(5):
        guest.move(number)
        said.append(guest.ask("guest@shop.example" if number == 4 else f"nobody{number}@shop.example"))

    GatedHooks.gate.set()
    wait_until(lambda: desk_of(guest.app).mails._places.acquire(blocking=False), "a place")

    assert [one.status for one in said] == [200] * 3 + [503] * 2
    assert said[3].text == said[4].text


def test_codes_are_mailed_at_fixed_times_beside_each_other(
    opened: tuple[CookieGuard, Clock, Config], relay: Relay, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(desk, "TICK_SECONDS", 0.5)
    monkeypatch.setattr(desk, "AHEAD_SECONDS", 0.3)
    begun: list[float] = []
    mails, ends = desk.CodeMails(), threading.Event()

    async def mail() -> None:
        begun.append(time.monotonic())
        await asyncio.to_thread(ends.wait, 30)

    async def look_up(seconds: float) -> desk.Letter:
        await asyncio.sleep(seconds)
        return mail

    asked = time.monotonic()
    for seconds in (0.0, 0.2, 1.0):
        assert mails.later(partial(look_up, seconds))
    try:
        wait_until(lambda: len(begun) == 3, "three that wait for a relay")
    finally:
        ends.set()
        mails.close()

    due = [math.ceil((asked + most) / 0.5) * 0.5 for most in (0.3, 0.3, 1.0)]
    assert all(moment >= least for moment, least in zip(begun, due, strict=True))


def test_a_customer_asks_twenty_times_an_hour_from_whichever_network(anna: Browser) -> None:
    said = []
    for number in range(21):
        anna.move(number)
        said.append(anna.post(act="ask", kind="correct", text="My name has two n").status)

    assert said == [200] * 20 + [429]


def test_shop_without_what_speaks_smtp_does_not_begin(
    opened: tuple[CookieGuard, Clock, Config], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "aiosmtplib", None)

    with pytest.raises(ConfigError, match=r"mail\.url is set without aiosmtplib.*pip install '\.\[mail\]'"):
        CookieGuard(shop, opened[2])


def test_pass_ends_and_opens_nothing_changed(guest: Guest, relay: Relay) -> None:
    text = pass_of(guest.open(guest.code(relay)))
    for forged in (text[:-2] + "AA", "x", text + "A"):
        assert guest.post(act="ask", kind="erase", **{"pass": forged}).status == 403
    guest.clock.now += timedelta(minutes=16)
    assert guest.post(act="ask", kind="erase", **{"pass": text}).status == 403


@pytest.mark.parametrize("address", ["a\r\nBcc: x@y.example", "x" * 300 + "@a.example", "nobody", ""])
def test_address_that_cannot_be_mailed_is_refused(guest: Guest, address: str) -> None:
    assert guest.post(act="code", address=address).status == 400


def test_cookies_are_declared_as_a_page_and_as_a_fragment(anna: Browser) -> None:
    page, fragment = anna.get("/_cg/cookies"), anna.get("/_cg/cookies", "fragment&lang=de")

    assert "cg_session" in page.text
    assert fragment.text.startswith('<table class="cg-cookies" lang="de"')
    assert "6 Monate" in fragment.text


def test_templates_have_the_table(opened: tuple[CookieGuard, Clock, Config]) -> None:
    found: list[str] = []

    shop = page(headers=(), act=lambda scope: found.append(str(visitor_of(scope).cookie_table("fr"))))

    app = CookieGuard(shop, opened[2])
    ask(app, path="/")
    app.close()
    assert found[0].startswith('<table class="cg-cookies" lang="fr"')


def test_page_speaks_every_language(anna: Browser) -> None:
    for lang in LANGUAGES:
        assert f'<html lang="{lang}"' in anna.get(query=f"lang={lang}").text


def test_page_is_not_there_where_it_is_switched_off(tmp_path: Path) -> None:
    app = CookieGuard(shop, Config(state_dir=str(tmp_path / "off"), rights=RightsSettings(enabled=False)))

    assert ask(app, path=PAGE).status == 404
    app.close()


def test_page_says_what_each_form_asks_for_and_where_it_leads_in_every_language(
    opened: tuple[CookieGuard, Clock, Config],
) -> None:
    app, clock, _ = opened
    text = Browser(app, clock).get().text
    forms = text.partition('<h2 id="forms">')[2].partition("</article>")[0]
    first, second = (
        re.findall(r"[\w./,: -]+", re.sub("<[^>]*>", "|", one)) for one in forms.split("</li>")[:2]
    )

    assert first[-4:] == ["shop.example/checkout", "name, card number", "Passed on to: ", "pay.example"]
    assert second == ["shop.example", "mail address"]
    assert 'href="/checkout"' in forms

    assert set(FIELD_TEXTS) == set(FIELDS)
    for lang in LANGUAGES:
        said = RightsTexts.of(lang).texts
        assert len({said[one] for one in FIELD_TEXTS.values()}) == len(FIELDS)


def test_page_names_every_vendor_with_what_it_gets(guard: Callable[..., CookieGuard]) -> None:
    vendors = (
        Vendor(name="Tally", purpose="statistics", hosts=("t.example",), data=("pages seen",), country="US"),
        Vendor(name="Pay", purpose="necessary", hosts=("p.example",), reason="visitors pay with it"),
    )
    text = ask(guard(shop, vendors=vendors), path=PAGE).text
    section = text.partition('<h2 id="vendors">')[2].partition("</section>")[0]

    assert all(one in section for one in ("Tally", "pages seen", "US", "Pay", "visitors pay with it"))
    assert 'id="vendors"' not in ask(guard(shop, vendors=()), path=PAGE).text


def test_a_text_in_another_language_than_the_page_says_in_which(guard: Callable[..., CookieGuard]) -> None:
    kind = DataKind(id="mugs", title={"de": "Tassen"}, purpose={"de": "Für Sie", "en": "For you"})
    app = guard(shop, data=(kind,))

    arabic, german = (ask(app, path=PAGE, query=f"lang={lang}").text for lang in ("ar", "de"))

    assert '<h3 dir="auto" lang="de">Tassen</h3>' in arabic
    assert '<dd dir="auto" lang="en">For you</dd>' in arabic
    assert '<h3 dir="auto">Tassen</h3>' in german


def test_each_button_of_a_request_says_of_which_one_it_is(anna: Browser) -> None:
    for kind in ("export", "correct"):
        anna.post(act="ask", kind=kind, text="My name has two n")

    page = anna.get().text

    described = re.findall(r'value="withdraw" aria-describedby="([^"]+)"', page)
    assert len(set(described)) == 2
    assert all(f'<h3 id="{one}">' in page for one in described)


def test_request_is_asked_again_and_not_lost_where_a_backup_took_the_queue_s_place(
    anna: Browser, opened: tuple[CookieGuard, Clock, Config]
) -> None:
    form = form_of(anna.post(act="ask", kind="correct", text="first"))
    (file,) = Path(opened[2].state_dir).glob("*-requests.db")
    backup = file.with_name("backup.db")
    with closing(connect(file)) as live, closing(connect(backup)) as copy:
        live.backup(copy)
    for ending in ("-wal", "-shm"):
        file.with_name(file.name + ending).unlink(missing_ok=True)
    backup.replace(file)

    said = [anna.post(act="ask", kind="correct", text="second", form=form).status for _ in range(2)]

    assert said == [503, 200]
    assert [one.text for one in queued(opened, lambda queue: queue.of_customer("10001"))] == [
        "first",
        "second",
    ]
