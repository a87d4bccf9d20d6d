"""The backup drill: databases are set back to yesterday by following docs/operations.md."""

from __future__ import annotations

import asyncio
import base64
import os
import shutil
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
from harness.asgi import ask
from harness.postgres import postgres
from harness.servers import START_SECONDS, wait_until

from cookieguard import Config, CookieGuard, visitor_of
from cookieguard.config import RightsSettings, StoreSettings
from cookieguard.engines.doctor_settings import Finding
from cookieguard.engines.doctor_shop import Shop
from cookieguard.features.checks import due_of, examine
from cookieguard.features.outbox.outbox import outbox_opener
from cookieguard.features.outbox.recipients import Recipients
from cookieguard.features.policy.announcement_run import fill_run
from cookieguard.features.records.log_reader import read_subject
from cookieguard.features.records.store.open import open_log, open_stores, place_of
from cookieguard.features.records.values.records import Record, customer
from cookieguard.features.rights.requests import requests_opener
from cookieguard.features.rights.values.as_json import dumps
from cookieguard.features.rights.values.plan import steps_of
from cookieguard.features.rights.values.requests import Request, Via
from cookieguard.features.rights.values.rules import Law, RequestKind
from cookieguard.features.work import open_worker
from cookieguard.identity.carts.stored_carts import StoreNamespace
from cookieguard.mail.customers import Customer
from cookieguard.storage.keyring_source import load_keyring
from cookieguard.storage.sealing import Seal
from cookieguard.storage.state_directory import StateDirectory
from cookieguard.storage.store.open import store_opener

ANNA, BEN, CARA, DORA = "K-1001", "K-1002", "K-1003", "K-1004"
RUN = "policy-2026-12-15"
FAR = 4_000_000_000_000
DATABASES = ("store", "log", "subjects", "store-outbox", "store-requests")
CHECK = "journal of erasures"


async def site(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] != "http":
        return
    visitor, path = visitor_of(scope), scope["path"]
    if path.startswith("/login"):
        visitor.login(path.rpartition("/")[2], remember=True)
    elif path == "/logout":
        visitor.logout()
    body = (visitor.customer or "nobody").encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": body})


class Hooks:
    """Hooks of a shop without data of its own."""

    def export(self, customer: str) -> Sequence[Any]:
        return []

    def erase(self, customer: str) -> None: ...

    def deactivate(self, customer: str) -> None: ...

    def contact(self, customer: str) -> None: ...


class Drill:
    """A shop that was backed up yesterday and restored today."""

    def __init__(self, folder: Path, *, journal: str, url: str = "") -> None:
        self.backup = folder / "backup"
        rights = RightsSettings(journal=journal)
        store = StoreSettings(url=url)
        self.config = Config(state_dir=str(folder / "state"), rights=rights, store=store)
        self.state = StateDirectory(self.config.state_dir)
        self.keyring = load_keyring(self.state, self.config.keys, environ={}, now=datetime.now(UTC))
        self.cookies: dict[str, str] = {}
        self.app = self.start()

    def start(self) -> CookieGuard:
        self.app = CookieGuard(site, self.config)
        return self.app

    def login(self, number: str) -> None:
        cookies = ask(self.app, path=f"/login/{number}").cookies()
        self.cookies[number] = "; ".join(f"{name}={value}" for name, value in cookies.items())

    def customer(self, number: str, path: str = "/") -> str:
        return ask(self.app, path=path, headers=[("cookie", self.cookies[number])]).text

    def fill(self) -> None:
        """Add customers to each database."""
        for number in (ANNA, BEN, CARA, DORA):
            self.login(number)
        with closing(self.store()) as store:
            for number in (ANNA, CARA):
                store.write(StoreNamespace.CART, f"c:{number}", b"{}", until=FAR)
        log = open_log(self.config, self.state, self.keyring, environ={})
        assert log is not None
        for number in (ANNA, CARA):
            subject = customer(number)
            log.append(Record(kind="agreement", subject=subject, time=datetime.now(UTC), facts={})).result(
                START_SECONDS
            )
        log.close()

        async def customers() -> Any:
            for number in (ANNA, CARA):
                yield Customer(number, f"{number}@mail.example")

        with closing(self.outbox()) as outbox:
            now, mails = datetime.now(UTC), Recipients(self.keyring)
            asyncio.run(fill_run(outbox, RUN, customers, mails, now=now, progress=lambda _: None))
        self.ask("a" * 22, ANNA, RequestKind.EXPORT)
        self.work()

    def ask(self, id_: str, number: str, kind: RequestKind) -> None:
        steps = steps_of(kind, self.config)
        now = datetime.now(UTC)
        request = Request(
            id=id_, kind=kind, law=Law.GDPR, received=now, via=Via.LOGIN, customer=number, steps=steps
        )
        with closing(requests_opener(self.config, self.keyring, self.state, environ={})()) as queue:
            queue.add(request, has_work=True)

    def work(self) -> None:
        async def work() -> None:
            async with open_worker(self.config, hooks=Hooks(), environ={}) as worker:
                await worker.work_all()

        asyncio.run(work())

    def today(self) -> None:
        """Erase Anna, log Ben out, and log Dora out everywhere."""
        self.ask("e" * 22, ANNA, RequestKind.ERASE)
        self.ask("d" * 22, DORA, RequestKind.DEACTIVATE)
        self.work()
        self.customer(BEN, "/logout")
        wait_until(lambda: self.opens() == [CARA], "the worker obeys")

    def opens(self) -> list[str]:
        """Return the customers whose cookie of yesterday is still a login."""
        return [number for number in (ANNA, BEN, CARA, DORA) if self.customer(number) == number]

    def found(self) -> list[str]:
        """Return the places that have something of Anna."""
        with closing(self.store()) as store:
            cart = store.read(StoreNamespace.CART, f"c:{ANNA}")
        with closing(open_stores(place_of(self.config, self.state.path, environ={}), make=False)) as stores:
            records = read_subject(stores, customer(ANNA))
        with closing(self.outbox()) as outbox:
            mails = outbox.count(RUN).total - 1  # Cara's
        with closing(requests_opener(self.config, self.keyring, self.state, environ={})()) as queue:
            copy = queue.file("a" * 22)
        places = {"cart": cart, "records": records, "mail": mails, "copy": copy}
        return [name for name, found in places.items() if found]

    def store(self) -> Any:
        return store_opener(self.config, self.state.path, environ={})()

    def outbox(self) -> Any:
        return outbox_opener(self.config.store, self.state.path, environ={})()

    def back_up(self) -> None:
        self.app.close()
        shutil.copytree(self.state.path, self.backup)
        self.start()

    def restore(self, names: Sequence[str]) -> None:
        """Stop the workers and put the copies in place: steps 1 and 2 of docs/operations.md, Restore."""
        self.app.close()
        for name in names:
            for path in self.state.path.glob(f"{name}.db*"):
                path.unlink()
            shutil.copy(self.backup / f"{name}.db", self.state.path)

    def restore_directory(self) -> None:
        self.app.close()
        shutil.rmtree(self.state.path)
        shutil.copytree(self.backup, self.state.path)

    def doctor(self) -> list[Finding]:
        now = datetime.now(UTC)
        found = examine(self.config, environ={}, now=now)
        due = due_of(Shop(config=self.config, environ={}, now=now))
        red = [one for one in found if not one.is_fine and one.check == CHECK]
        assert [
            one for one in due if not one.is_fine and one.check == CHECK
        ] == red  # the letter says the same
        return [one for one in found if one.check == CHECK]


@pytest.fixture
def drill(tmp_path: Path) -> Iterator[Drill]:
    """Return a shop whose journal is also in another place."""
    (tmp_path / "elsewhere").mkdir()
    made = Drill(tmp_path, journal=str(tmp_path / "elsewhere" / "journal"))
    yield made
    made.app.close()


def test_whatever_is_restored_no_erased_person_comes_back_and_no_ended_session_opens(drill: Drill) -> None:
    drill.fill()
    assert drill.opens() == [ANNA, BEN, CARA, DORA]
    assert drill.found() == ["cart", "records", "mail", "copy"]
    drill.back_up()
    drill.today()
    assert drill.found() == []
    assert all(one.is_fine for one in drill.doctor())

    for names in (*((name,) for name in DATABASES), DATABASES):
        drill.restore(names)
        behind = {"store": "store", "store-outbox": "outbox", "store-requests": "requests"}.keys() & set(
            names
        )
        is_red = [one for one in drill.doctor() if not one.is_fine]  # step 3
        assert bool(is_red) == bool(behind), names

        drill.start()  # step 4
        assert drill.opens() == [CARA], names  # the first requests of this worker
        drill.work()  # step 5

        assert drill.found() == [], names
        told = drill.doctor()  # step 7
        assert all(one.is_fine for one in told), names
        assert not behind or any("applied on" in one.found for one in told), names


def test_whole_directory_is_restored_and_the_second_place_knows_who_was_erased(drill: Drill) -> None:
    drill.fill()
    drill.back_up()
    drill.today()
    second = Path(drill.config.rights.journal).read_bytes()
    assert not any(number.encode() in second for number in (ANNA, BEN, DORA))

    drill.restore_directory()
    assert [one.is_fine for one in drill.doctor()].count(False) == 1
    drill.start()

    assert drill.opens() == [CARA]
    drill.work()
    assert drill.found() == []
    assert all(one.is_fine for one in drill.doctor())
    local = (drill.state.path / "journal").read_bytes()
    assert all(line.split()[-1] in local for line in second.splitlines())


def test_without_a_second_place_doctor_says_so_before_the_whole_directory_is_restored(tmp_path: Path) -> None:
    drill = Drill(tmp_path, journal="")
    drill.fill()
    drill.back_up()
    (told,) = drill.doctor()
    assert "would bring back erased people" in told.found
    assert "rights.journal" in told.advice
    drill.today()

    drill.restore_directory()
    drill.start()

    # The control of all drills: these copies bring everything back.
    assert drill.opens() == [ANNA, BEN, CARA, DORA]
    assert drill.found() == ["cart", "records", "mail", "copy"]
    drill.app.close()


def test_workers_that_start_at_once_all_apply_the_journal_before_their_first_answer(drill: Drill) -> None:
    drill.fill()
    drill.back_up()
    drill.today()
    drill.restore(DATABASES)

    def first_answers() -> list[str]:
        app = CookieGuard(site, drill.config)
        headers = [[("cookie", drill.cookies[number])] for number in (ANNA, BEN, CARA, DORA)]
        found = [ask(app, headers=one).text for one in headers]
        app.close()
        return found

    with ThreadPoolExecutor(4) as pool:
        answers = [one.result(60) for one in [pool.submit(first_answers) for _ in range(4)]]

    assert answers == [["nobody", "nobody", CARA, "nobody"]] * 4


def test_second_place_that_hangs_holds_up_erasures_alone(
    drill: Drill, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cookieguard.storage.journal.SECOND_SECONDS", 0.3)
    second = Path(drill.config.rights.journal)
    drill.fill()
    second.rename(second.with_name("kept"))
    os.mkfifo(second)  # opening it waits for good, as a dead network file system does
    drill.app.close()
    drill.start()

    assert drill.customer(BEN) == BEN
    drill.customer(BEN, "/logout")
    wait_until(lambda: drill.opens() == [ANNA, CARA, DORA], "the logout is obeyed")
    drill.ask("e" * 22, ANNA, RequestKind.ERASE)
    drill.work()
    assert "cart" in drill.found()  # nothing is deleted that no second place knows of
    assert any("does not answer" in one.found for one in drill.doctor() if not one.is_fine)

    drill.app.close()
    second.unlink()
    second.with_name("kept").rename(second)
    drill.start()
    assert drill.opens() == [CARA, DORA]  # the erasure ended Anna's sessions at once
    local = (drill.state.path / "journal").read_bytes()
    assert second.read_bytes().count(b" ended ") == local.count(b" ended ") > 0


def test_upgrade_takes_over_the_older_file_and_repeats_nothing(drill: Drill) -> None:
    drill.fill()
    drill.app.close()
    request = Request(
        id="o" * 22, kind=RequestKind.ERASE, law=Law.GDPR, received=datetime.now(UTC), via=Via.LOGIN,
        customer=CARA, steps=(),
    )  # fmt: skip
    sealed = base64.b64encode(Seal(drill.keyring).close(dumps(request), about="erased customer"))
    for path in (drill.state.path / "journal", Path(drill.config.rights.journal)):
        path.unlink()
    old = drill.state.path / "erased-customers"
    old.write_bytes(f"{datetime.now(UTC).isoformat()[:19]}Z ".encode() + sealed + b"\n")

    drill.start()

    assert drill.opens() == [ANNA, BEN, CARA, DORA]  # Cara came back after that erasure
    assert not old.exists()
    assert b" erased " + sealed in Path(drill.config.rights.journal).read_bytes()
    assert all(one.is_fine for one in drill.doctor())


def test_database_of_a_server_is_set_back_and_nobody_comes_back(tmp_path: Path) -> None:
    with postgres() as server, psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute("CREATE DATABASE shop")
        url = server.url.removesuffix("postgres") + "shop"
        drill = Drill(tmp_path, journal=str(tmp_path / "elsewhere"), url=url)
        drill.fill()
        drill.app.close()
        connection.execute("CREATE DATABASE yesterday TEMPLATE shop")
        drill.start()
        drill.today()
        assert drill.found() == []
        drill.app.close()
        connection.execute("DROP DATABASE shop")
        connection.execute("CREATE DATABASE shop TEMPLATE yesterday")
        assert any("not applied to store" in one.found for one in drill.doctor() if not one.is_fine)

        drill.start()

        assert drill.opens() == [CARA]
        drill.work()
        assert drill.found() == []
        assert all(one.is_fine for one in drill.doctor())
        drill.app.close()
