"""Data of a feature that was switched off are still copied for their customer, erased with them, and pruned."""

from __future__ import annotations

import asyncio
import io
import json
import sqlite3
import zipfile
from collections.abc import AsyncIterator
from concurrent.futures import Future
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from features.rights.test_work import ANNA, FAR, NOW, Shop
from harness.servers import START_SECONDS
from harness.stores import values
from stats.traffic import PLAIN

from cookieguard import Config, PolicyVersion
from cookieguard.config import (
    ConsentSettings,
    IdentitySettings,
    LogSettings,
    MailSettings,
    RightsSettings,
    StatsSettings,
)
from cookieguard.config.proof import ProofSettings
from cookieguard.config.root import CspSettings, VaultSettings
from cookieguard.engines.files.undeclared_loads import UndeclaredLoadsFile
from cookieguard.features.feature import Place
from cookieguard.features.outbox.lists import NAMESPACE as LISTS
from cookieguard.features.outbox.lists import Act, MailLists
from cookieguard.features.outbox.outbox import outbox_opener
from cookieguard.features.outbox.recipients import Recipients
from cookieguard.features.people.journal import Journal
from cookieguard.features.policy.announcement_run import fill_run
from cookieguard.features.policy.ledger import change_ledger
from cookieguard.features.policy.values.ledger import Announcement
from cookieguard.features.records.log_reader import read_subject
from cookieguard.features.records.store.open import open_log, open_stores, place_of
from cookieguard.features.records.values.records import Record, customer
from cookieguard.features.retention import open_retention
from cookieguard.features.rights.values.requests import answer_told
from cookieguard.features.rights.values.rules import RequestKind
from cookieguard.features.statistics.engines.sqlite.writer import SqliteHits
from cookieguard.features.vault.sealed_events import VaultWriter, event_days, make_keys
from cookieguard.features.vault.vault_records import Risk
from cookieguard.mail.customers import Customer
from cookieguard.stats.hits import Batch
from cookieguard.storage.state_directory import StateDirectory
from cookieguard.storage.store.open import store_opener
from cookieguard.storage.store.protocol import Store

OTHER = "K-0002"
RUN = "policy-2026-12-15"
OFF: dict[str, Any] = {
    "log": LogSettings(enabled=False),
    "stats": StatsSettings(enabled=False),
    "proof": ProofSettings(enabled=False),
    "csp": CspSettings(enabled=False),
    "vault": VaultSettings(enabled=False),
    "rights": RightsSettings(enabled=False),
}


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    """Return a shop that used every feature, and then switched all of them off; cron still runs `work`."""
    on = Config(
        state_dir=str(tmp_path / "state"),
        origins=("https://shop.example",),
        mail=MailSettings(lists=("news", "offers")),
        policy=PolicyVersion(folder="policy"),
    )
    used = Shop(on)
    use(used)
    off = replace(
        on,
        mail=MailSettings(lists=("offers",)),
        policy=PolicyVersion(),
        consent=ConsentSettings(enabled=False),
        **OFF,
    )
    return with_config(used, off)


def with_config(shop: Shop, config: Config) -> Shop:
    shop.config = config
    return shop


def use(shop: Shop) -> None:
    """Leave data of Anna, and of somebody else, in each room that keeps any."""
    with closing(store_of(shop)) as store:
        for number in (ANNA, OTHER):
            join(shop, store, "news", number)
        join(shop, store, "offers", ANNA)
        store.write(LISTS, f"news:x:{ANNA}", b'{"on": true}', until=FAR)  # of the customer x:K-4711-0815
        store.write("consent", ANNA, b"{}", until=FAR)
    (shop.state.path / "retention").touch()  # a worker did the hourly job
    with closing(outbox_of(shop)) as outbox:
        filled = fill_run(outbox, RUN, customers, Recipients(shop.keyring), now=NOW, progress=lambda _: None)
        asyncio.run(filled)
    log = open_log(shop.config, shop.state, shop.keyring, environ={})
    assert log is not None
    with closing(log):
        for number in (ANNA, OTHER):
            record = Record(kind="agreement", subject=customer(number), time=NOW, facts={"cg:text": number})
            log.append(record).result(START_SECONDS)


async def customers() -> AsyncIterator[Customer]:
    for number in (ANNA, OTHER):
        yield Customer(number, f"{number}@mail.example")


def join(shop: Shop, store: Store, name: str, number: str) -> None:
    """Confirm a list by its link, as a customer does."""

    def ask(question: Any) -> Future[bool]:
        future: Future[bool] = Future()
        future.set_result(question(store))
        return future

    lists = MailLists(shop.config, shop.keyring, ask, clock=lambda: NOW)
    decision = lists.decision_in(Act.CONFIRM, lists.token(Act.CONFIRM, number, name))
    assert decision is not None
    assert lists.apply(decision).result()


def store_of(shop: Shop) -> Store:
    return store_opener(shop.config, shop.state.path, environ={})()


def outbox_of(shop: Shop) -> Any:
    return outbox_opener(shop.config.store, shop.state.path, environ={})()


def lists_of(shop: Shop) -> set[str]:
    with closing(store_of(shop)) as store:
        return {key for _, key, *_ in values(store, "mail-list")}


def records_of(shop: Shop, number: str) -> int:
    place = place_of(shop.config, shop.state.path, environ={})
    with closing(open_stores(place)) as stores:
        return sum(bool(one.record) for one in read_subject(stores, customer(number)))


def copy_of(shop: Shop) -> list[dict[str, Any]]:
    shop.ask(RequestKind.EXPORT, id_="e" * 22)
    shop.work()
    with closing(shop.queue()) as queue:
        content = queue.file("e" * 22)
    assert content is not None
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        rows: list[dict[str, Any]] = json.loads(archive.read("data.json"))["rows"]
    return [row for row in rows if row["kind"].startswith("cookieguard: ")]


def test_copy_has_what_features_kept_that_were_switched_off(shop: Shop) -> None:
    rows = copy_of(shop)

    kinds = [row["kind"].removeprefix("cookieguard: ") for row in rows]
    assert kinds == ["refusals", "list offers", "list news", "consent log"]
    assert rows[2]["values"]["JSON"]["on"] is True
    assert rows[-1]["values"]["cg:text"] == ANNA


def test_erasure_takes_lists_of_mail_that_the_configuration_no_longer_names(shop: Shop) -> None:
    assert {f"news:{ANNA}", f"offers:{ANNA}"} < lists_of(shop)
    shop.ask()

    shop.work()

    assert lists_of(shop) == {f"news:{OTHER}", f"news:x:{ANNA}"}


def test_erasure_takes_waiting_notices_of_a_policy_whose_folder_is_no_longer_set(shop: Shop) -> None:
    shop.ask()

    shop.work()

    with closing(outbox_of(shop)) as outbox:
        (left,) = outbox.claim([RUN], 9, lease="one", seconds=60)
    assert Recipients(shop.keyring).open(left.recipient)["address"] == f"{OTHER}@mail.example"


def test_erasure_takes_records_of_a_consent_log_that_was_switched_off(shop: Shop) -> None:
    assert (records_of(shop, ANNA), records_of(shop, OTHER)) == (1, 1)
    shop.ask()

    shop.work()

    assert (records_of(shop, ANNA), records_of(shop, OTHER)) == (0, 1)


def test_erasure_that_was_asked_for_before_the_switch_and_one_that_is_repeated_take_all_of_it(
    shop: Shop,
) -> None:
    off = shop.config
    with_config(shop, replace(off, proof=ProofSettings())).ask()
    with_config(shop, off).work()
    use(with_config(shop, replace(off, proof=ProofSettings(), mail=MailSettings(lists=("news", "offers")))))
    assert records_of(shop, ANNA) == 1

    assert with_config(shop, off).again() == 1

    assert records_of(shop, ANNA) == 0
    assert f"news:{ANNA}" not in lists_of(shop)


def test_closed_requests_of_a_shop_without_their_page_still_go_after_their_years(shop: Shop) -> None:
    shop.ask(RequestKind.EXPORT)
    shop.work()
    shop.change(lambda one: answer_told(one, now=NOW, by="mira"))
    shop.now += timedelta(days=shop.config.rights.keep_days + 1)

    for _ in range(2):  # the copy, then the request
        shop.wake()
        shop.work()

    with closing(shop.queue()) as queue:
        assert queue.find("r" * 22) is None


def test_shop_that_never_had_a_log_or_an_outbox_gets_none_from_an_erasure(tmp_path: Path) -> None:
    shop = Shop(Config(state_dir=str(tmp_path / "state"), proof=ProofSettings(enabled=False)))
    shop.ask()

    shop.work()

    assert shop.found().done_steps == ("sessions", "stored", "shop")
    names = {path.name for path in shop.state.path.iterdir()}
    assert not {"log.db", "subjects.db", "store-outbox.db"} & names


def test_worker_with_every_feature_switched_off_still_deletes_what_is_over(shop: Shop) -> None:
    state, now = shop.state, NOW + timedelta(days=1500)
    engine = SqliteHits(state.path / "stats.db")
    engine.write(Batch("b1", (PLAIN._replace(time=int(NOW.timestamp())),), {}, {}))
    engine.close()
    (state.path / "logs").mkdir(exist_ok=True)
    old_log = state.path / "logs" / "access-2026-11-28-7.log"
    old_log.touch()
    UndeclaredLoadsFile(state).add("x.example", "Ads", "/", NOW.date())
    Journal(state, shop.keyring).write(NOW, "looked", who="mira", customer=ANNA)
    make_keys(state, StateDirectory(state.path.parent / "private"), today=NOW.date(), days=1)
    writer = VaultWriter(state)
    writer.write([writer.form(Risk(event="abuse", id="a", time=NOW, address="203.0.113.7"))])
    with closing(store_of(shop)) as store:
        change_ledger(store, lambda _: {"2026-12-15": Announcement(files={}, at=NOW)})
    place = Place(shop.config, state.path, {})

    job = open_retention(place, clock=lambda: now)
    assert job is not None
    run = job.look()

    assert run is not None
    assert run.failed == {}
    assert not old_log.exists()
    assert event_days(state.path) == []
    assert list((state.path / "staff-journal").iterdir()) == []
    assert (state.path / "beyond").read_bytes() == b""
    assert records_of(shop, OTHER) == 0
    with closing(outbox_of(shop)) as outbox:
        assert outbox.count(RUN).total == 0
    with sqlite3.connect(state.path / "stats.db") as file:
        assert file.execute("SELECT count(*) FROM hit").fetchone() == (0,)


def test_refusals_of_a_shop_that_switched_identity_off_still_go_after_their_days(shop: Shop) -> None:
    with closing(store_of(shop)) as store:
        store.write("consent", ANNA, b"{}", until=int(NOW.timestamp() * 1000))
    config = replace(shop.config, mail=MailSettings(), identity=IdentitySettings(enabled=False))

    job = open_retention(Place(config, shop.state.path, {}), clock=lambda: NOW + timedelta(days=2))
    assert job is not None
    run = job.look()

    assert run is not None
    assert run.failed == {}

    with closing(store_of(shop)) as store:
        assert store.read("consent", ANNA) is None
