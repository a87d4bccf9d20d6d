"""The worker takes each step of a request once, records it, and shows and retries failures."""

from __future__ import annotations

import asyncio
import io
import json
import threading
import time
import zipfile
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, closing
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from harness.locks import locked
from harness.relays import new_relay
from harness.servers import START_SECONDS

from cookieguard import Config, PolicyVersion, Vendor
from cookieguard.config import ConsentSettings, Controller, DataKind, MailSettings, RightsSettings
from cookieguard.config.console import ConsoleSettings
from cookieguard.config.people.staff import StaffSettings
from cookieguard.config.proof import ProofSettings
from cookieguard.consent.customer_refusals import read_restrictions
from cookieguard.features.outbox.outbox import outbox_opener
from cookieguard.features.outbox.recipients import Recipients
from cookieguard.features.policy.announcement_run import fill_run
from cookieguard.features.records.log_reader import read_subject
from cookieguard.features.records.store.open import open_log, open_stores, place_of
from cookieguard.features.records.store.protocol import Stores
from cookieguard.features.records.values.consents import Asker, Event, Indication, Notice, consent_record
from cookieguard.features.records.values.records import Record, customer, new_id
from cookieguard.features.rights.erased_customers import ErasedCustomers
from cookieguard.features.rights.hook_calls import number_of
from cookieguard.features.rights.reerasure import NotErased
from cookieguard.features.rights.requests import Requests, requests_file, requests_opener
from cookieguard.features.rights.values.plan import steps_of
from cookieguard.features.rights.values.requests import (
    Act,
    Request,
    State,
    Via,
    answer_told,
    noted,
    put_on_hold,
    step_done,
    with_retained,
)
from cookieguard.features.rights.values.rules import Law, RequestKind
from cookieguard.features.vendors.ledger import LIFE, WAIT, Row
from cookieguard.features.vendors.rows import append
from cookieguard.features.work import open_worker
from cookieguard.identity.carts.stored_carts import StoreNamespace
from cookieguard.identity.revocations import Revoked
from cookieguard.keyring import new_key
from cookieguard.mail.customers import Customer
from cookieguard.rights.hooks import Contact, Exported, Retained
from cookieguard.storage.journal import Journal, journal_of
from cookieguard.storage.keyring_source import load_keyring
from cookieguard.storage.state_directory import StateDirectory
from cookieguard.storage.store.open import store_opener

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
ANNA = "K-4711-0815"
FAR = 4_000_000_000_000
CALLED_OFF_SECONDS = 0.3


class Hooks:
    """Hooks of a shop that record their calls."""

    def __init__(self) -> None:
        self.called: list[str] = []
        self.keeps: list[Retained] = []
        self.fails = 0

    async def export(self, customer: str) -> AsyncIterator[Exported]:
        self.called.append(f"export {customer}")
        yield Exported(kind="orders", values={"Number": "A-1", "Note": "<script>alert(1)</script>"})
        yield Exported(
            kind="invoices", values={"Total": 12.5}, kept_until=date(2036, 12, 31), reason="tax law"
        )

    def erase(self, customer: str) -> list[Retained]:
        self.called.append(f"erase {customer}")
        if self.fails:
            self.fails -= 1
            raise OSError(f"no row of {customer}: database is locked")
        return self.keeps

    async def deactivate(self, customer: str) -> None:
        self.called.append(f"deactivate {customer}")

    def contact(self, customer: str) -> Contact | None:
        return Contact("anna@shop.example", "de")


class Shop:
    """A shop with its queue, at a time that tests set."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.now = NOW
        self.hooks = Hooks()
        self.state = StateDirectory(config.state_dir)
        self.keyring = load_keyring(self.state, config.keys, environ={}, now=NOW)

    def queue(self) -> Requests:
        return requests_opener(self.config, self.keyring, self.state, environ={})()

    def journal(self) -> Journal:
        return journal_of(self.config, self.state.path)

    def ask(
        self,
        kind: RequestKind = RequestKind.ERASE,
        number: str = ANNA,
        id_: str = "r" * 22,
        via: Via = Via.LOGIN,
    ) -> str:
        steps = steps_of(kind, self.config)
        request = Request(
            id=id_, kind=kind, law=Law.GDPR, received=self.now, via=via, customer=number, steps=steps
        )
        with closing(self.queue()) as queue:
            queue.add(request, has_work=True)
        return id_

    def found(self, id_: str = "r" * 22) -> Request:
        with closing(self.queue()) as queue:
            found = queue.find(id_)
        assert found is not None
        return found

    def change(self, change: Callable[[Request], Request], id_: str = "r" * 22) -> None:
        with closing(self.queue()) as queue:
            queue.change(id_, change)
            queue.queue.wake(id_)

    def wake(self, id_: str = "r" * 22) -> None:
        with closing(self.queue()) as queue:
            queue.queue.wake(id_)

    def work(self) -> int:
        async def work() -> int:
            async with open_worker(
                self.config, hooks=self.hooks, environ={}, clock=lambda: self.now
            ) as worker:
                return await worker.work_all()

        return asyncio.run(work())

    def work_without_hooks(self) -> None:
        async def work() -> None:
            async with open_worker(self.config, environ={}, clock=lambda: self.now) as worker:
                await worker.work_all()

        asyncio.run(work())

    def again(self, *, has_hooks: bool = True) -> int:
        async def again() -> int:
            hooks = self.hooks if has_hooks else None
            async with open_worker(self.config, hooks=hooks, environ={}, clock=lambda: self.now) as worker:
                return await worker.again()

        return asyncio.run(again())


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    """Return a shop with orders and invoices."""
    data = (
        DataKind(id="orders", title="Orders", purpose="To deliver what you bought"),
        DataKind(id="invoices", title={"en": "Invoices", "de": "Rechnungen"}, purpose="Tax", basis="law",
                 reason="tax law", retention="10 years"),
    )  # fmt: skip
    controller = Controller(name="Kiln & Co", address=("Ovenstraat 1", "1011 AA Amsterdam"))
    return Shop(Config(state_dir=str(tmp_path / "state"), data=data, controller=controller))


def test_erasure_takes_every_step_and_waits_only_for_the_person_to_be_told(shop: Shop) -> None:
    store = store_opener(shop.config, shop.state.path, environ={})()
    store.write(StoreNamespace.CART, f"c:{ANNA}", b"{}", until=FAR)
    store.write(StoreNamespace.CART, "c:other", b"{}", until=FAR)
    shop.ask()

    assert shop.work() == 1

    request = shop.found()
    assert request.done_steps == ("sessions", "stored", "shop", "log")
    assert request.state is State.DONE
    assert request.answer
    assert request.open_steps == ("answer",)  # there is no relay
    assert shop.hooks.called == [f"erase {ANNA}"]
    assert store.read(StoreNamespace.CART, f"c:{ANNA}") is None
    assert store.read(StoreNamespace.CART, "c:other") is not None
    assert store.counts()
    store.close()


def test_record_tells_of_the_erasure_and_of_nobody_and_their_records_cannot_be_read(shop: Shop) -> None:
    log = open_log(shop.config, shop.state, shop.keyring, environ={})
    assert log is not None
    record = Record(kind="agreement", subject=customer(ANNA), time=NOW, facts={"cg:text": "hello"})
    log.append(record).result(START_SECONDS)
    log.close()
    shop.ask()

    shop.work()

    stores = open_stores(place_of(shop.config, shop.state.path, environ={}))
    assert read_subject(stores, customer(ANNA)) == []
    (erasure,) = [one for one in read_subject(stores, "") if one.kind == "erasure"]
    assert json.loads(erasure.record)["cg:request"] == "r" * 22
    assert ANNA not in erasure.record.decode()
    stores.close()


def test_failed_step_stays_open_with_its_error_and_is_tried_again_later(shop: Shop) -> None:
    shop.hooks.fails = 1
    shop.ask()

    shop.work()

    request = shop.found()
    assert request.state is State.OPEN
    assert request.trouble == "shop: OSError: no row of ...: database is locked"
    assert request.done_steps == ("sessions", "stored")
    assert shop.work() == 0  # not at once
    shop.wake()
    assert shop.work() == 1
    assert shop.found().state is State.DONE
    assert shop.hooks.called == [f"erase {ANNA}"] * 2


def test_step_by_hand_holds_an_erasure_open_until_staff_did_it(shop: Shop) -> None:
    shop.config = replace(shop.config, rights=RightsSettings(by_hand=("deleted at the parcel service",)))
    shop.ask()
    shop.work()

    assert shop.found().open_steps == ("deleted at the parcel service",)
    shop.change(lambda one: step_done(one, "deleted at the parcel service", now=NOW, by="mira"))
    shop.work()
    assert shop.found().state is State.DONE


def test_without_hooks_staff_do_the_shop_s_part_by_hand(shop: Shop) -> None:
    shop.ask()

    shop.work_without_hooks()

    assert shop.found().open_steps == ("shop",)


def test_data_that_a_law_retains_are_listed_and_erased_on_their_day(shop: Shop) -> None:
    shop.hooks.keeps = [Retained("invoices", date(2036, 12, 31), "tax law")]
    shop.ask()
    shop.work()

    request = shop.found()
    assert [(one.name, one.until) for one in request.retained] == [("invoices", date(2036, 12, 31))]
    assert "Rechnungen" in request.answer
    shop.now, shop.hooks.keeps = datetime(2037, 1, 1, 1, tzinfo=UTC), []
    shop.change(lambda one: answer_told(one, now=shop.now, by="mira", text="letter"))
    shop.work()
    assert shop.hooks.called == [f"erase {ANNA}"] * 2
    last = shop.found()
    assert last.retained == ()
    assert ANNA not in repr(last)
    assert "anna" not in repr(last)


def test_hold_keeps_everything_until_its_day_is_over(shop: Shop) -> None:
    shop.ask()
    shop.change(lambda one: put_on_hold(one, until=date(2026, 12, 1), reason="court", now=NOW, by="mira"))

    shop.work()
    assert shop.hooks.called == []
    shop.now = datetime(2026, 12, 2, tzinfo=UTC)
    shop.wake()
    shop.work()
    assert shop.found().state is State.DONE


def test_request_waits_until_the_persons_identity_is_shown(shop: Shop) -> None:
    shop.ask(via=Via.STAFF)
    shop.change(lambda one: noted(one, Act.APPROVED, now=NOW, by="olga"))
    shop.change(lambda one: noted(one, Act.IDENTITY_ASKED, now=NOW, by="mira"))

    shop.work()

    assert shop.hooks.called == []
    shop.change(lambda one: noted(one, Act.IDENTITY_SHOWN, now=NOW, by="mira"))
    shop.work()
    assert shop.found().state is State.DONE


def test_erased_person_is_in_no_row_once_backups_are_older(shop: Shop) -> None:
    shop.ask()
    shop.work()
    shop.change(lambda one: answer_told(one, now=NOW, by="mira", text="letter"))
    shop.work()
    assert shop.found().customer == ANNA

    shop.now += timedelta(days=31)
    shop.wake()
    shop.work()

    assert shop.found().customer == ""


def test_erasure_is_done_again_after_a_backup_was_brought_back(shop: Shop) -> None:
    shop.ask()
    shop.work()
    shop.change(lambda one: answer_told(one, now=NOW, by="mira", text="letter"))

    assert shop.again() == 1
    assert shop.hooks.called == [f"erase {ANNA}"] * 2


def test_erasure_whose_letter_is_still_to_be_written_is_done_again_too(shop: Shop) -> None:
    shop.ask()
    shop.work()
    assert shop.found().answer_pending

    assert shop.again() == 1
    assert shop.hooks.called == [f"erase {ANNA}"] * 2


@pytest.mark.parametrize("act", [Act.REFUSED, Act.WITHDRAWN])
def test_repeating_erasures_leaves_other_customers_alone(shop: Shop, act: Act) -> None:
    shop.ask()
    shop.change(lambda one: noted(one, act, now=NOW, by="mira", text="not yours to ask"))
    shop.change(lambda one: answer_told(one, now=NOW, by="mira", text="letter"))
    store = store_opener(shop.config, shop.state.path, environ={})()
    store.write(StoreNamespace.CART, f"c:{ANNA}", b"{}", until=FAR)

    assert shop.again() == 0

    assert shop.hooks.called == []
    assert store.read(StoreNamespace.CART, f"c:{ANNA}") is not None
    store.close()


def test_erasure_that_the_queue_lost_with_its_backup_is_done_again_once(shop: Shop) -> None:
    shop.hooks.keeps = [Retained("invoices", date(2036, 12, 31), "tax law")]
    shop.ask()
    shop.work()
    with closing(shop.queue()) as queue:
        queue.queue.forget("r" * 22)

    assert [shop.again(), shop.again()] == [1, 1]

    assert shop.hooks.called == [f"erase {ANNA}"] * 3
    request = shop.found()
    assert (request.state, request.is_open) == (State.DONE, False)
    assert [(one.name, one.until) for one in request.retained] == [("invoices", date(2036, 12, 31))]
    assert "backup" in request.events[-1].text
    journal = (shop.state.path / "journal").read_bytes()
    assert ANNA.encode() not in journal
    shop.now += timedelta(days=32)
    shop.work()
    assert b" erased " not in (shop.state.path / "journal").read_bytes()


def erased_by_staff_and_lost(shop: Shop) -> None:
    """Erase without hooks, and let the queue forget it, as a backup of the day before would."""
    shop.ask()
    shop.work_without_hooks()
    shop.change(lambda one: step_done(one, "shop", now=NOW, by="mira"))
    shop.work_without_hooks()
    assert shop.found().state is State.DONE
    with closing(shop.queue()) as queue:
        queue.queue.forget("r" * 22)


def test_without_hooks_staff_erase_again_what_came_back(shop: Shop) -> None:
    erased_by_staff_and_lost(shop)

    assert shop.again(has_hooks=False) == 1

    assert shop.found().open_steps == ("shop",)


def test_journal_of_who_was_erased_is_sealed_with_the_key_that_signs_now(shop: Shop) -> None:
    shop.ask()
    shop.work()
    before = shop.keyring.signing.id
    successor = new_key(NOW)
    newer = shop.keyring.with_key(successor).promoted(successor.id, now=NOW, force=True)
    journal = ErasedCustomers(shop.journal(), newer)

    journal.tidy(NOW)

    assert [one.customer for one in journal.requests(shop.journal().read(NOW))] == [ANNA]
    assert before != newer.signing.id
    old = ErasedCustomers(shop.journal(), shop.keyring)
    assert old.requests(shop.journal().read(NOW)) == []


def test_work_reads_the_whole_journal_once_a_day_and_removes_old_lines_then(shop: Shop) -> None:
    shop.ask()
    shop.work()
    journal = shop.journal()
    old = NOW - journal.keep - timedelta(days=1)
    lines = [one for one in journal.read(NOW) if one.kind == "erased"]
    with journal.path.open("ab") as file:
        file.write(lines[0]._replace(at=old).line)

    erased, left = ErasedCustomers(journal, shop.keyring), []
    for now in (NOW, NOW, NOW + timedelta(days=1)):
        erased.tidy_daily(now)
        left.append(journal.path.read_bytes().count(b" erased ") - len(lines))

    assert left == [1, 1, 0]  # the work above tidied today


def test_copy_is_json_and_a_page_whose_values_are_escaped(shop: Shop) -> None:
    shop.ask(RequestKind.EXPORT)

    shop.work()

    with closing(shop.queue()) as queue:
        content = queue.file("r" * 22)
    assert content is not None
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        facts = json.loads(archive.read("data.json"))
        page = archive.read("index.html").decode()
    kinds = [row["kind"] for row in facts["rows"]]
    assert kinds[:2] == ["orders", "invoices"]
    assert facts["rows"][1]["kept_until"] == "2036-12-31"
    assert "<script>" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "Rechnungen" in page
    assert shop.found().state is State.DONE


def test_copy_waits_for_its_days_and_is_deleted_then(shop: Shop) -> None:
    shop.ask(RequestKind.EXPORT)
    shop.work()
    shop.change(lambda one: answer_told(one, now=NOW, by="page"))
    shop.now += timedelta(days=15)
    shop.work()

    with closing(shop.queue()) as queue:
        assert queue.file("r" * 22) is None


def test_deactivation_ends_sessions_and_keeps_the_data(shop: Shop) -> None:
    store = store_opener(shop.config, shop.state.path, environ={})()
    store.write(StoreNamespace.ORDERS, f"c:{ANNA}", b"{}", until=FAR)
    shop.ask(RequestKind.DEACTIVATE)

    shop.work()

    assert shop.hooks.called == [f"deactivate {ANNA}"]
    assert shop.found().done_steps == ("sessions", "shop")
    assert shop.found().state is State.DONE
    assert sum(store.counts().values()) == 1
    assert store.read(StoreNamespace.ORDERS, f"c:{ANNA}") is not None
    store.close()


def test_opt_out_of_sale_counts_for_the_customer_on_every_device(shop: Shop) -> None:
    shop.ask(RequestKind.OPT_OUT)

    shop.work()

    store = store_opener(shop.config, shop.state.path, environ={})()
    kept, told = store.read("consent", ANNA), list(store.changes(0))
    store.close()
    assert kept is not None
    assert read_restrictions(kept.value).gpc == int(NOW.timestamp())
    assert (Revoked.REFUSAL, ANNA) in [(one.what, one.key) for one in told]  # sessions that go on ask


def test_objection_waits_for_words_of_the_staff(shop: Shop) -> None:
    shop.ask(RequestKind.OBJECT)
    shop.work()

    assert shop.found().state is State.OPEN
    shop.change(lambda one: noted(one, Act.DONE, now=NOW, by="mira", text="We stop."))
    assert shop.found().answer == "We stop."


def vendor_of(purpose: str, name: str, contract_end: date | None = None) -> Vendor:
    hosts, contact = (f"{name.lower()}.example",), f"dpo@{name.lower()}.example"
    return Vendor(name=name, purpose=purpose, hosts=hosts, privacy_contact=contact, contract_end=contract_end)


def choose(shop: Shop, *granted: str, at: datetime = NOW, vendors: tuple[Vendor, ...] | None = None) -> None:
    """Record a choice of Anna's among statistics and marketing, as a worker of the shop does."""
    recipients: dict[str, tuple[str, ...]] = {}
    for vendor in shop.config.vendors if vendors is None else vendors:
        recipients[vendor.purpose] = (*recipients.get(vendor.purpose, ()), vendor.name)
    life = timedelta(days=180)
    asker = Asker(controller="shop", jurisdiction="", withdrawal="/", recipients=recipients, life=life)
    said = Indication(
        event=Event.PARTIAL if granted else Event.REFUSAL,
        notice=Notice(digest="", language="en", policy="1"),
        granted=frozenset({"necessary", *granted}),
        refused=frozenset({"statistics", "marketing"}) - set(granted),
        method="banner",
    )
    log = open_log(shop.config, shop.state, shop.keyring, environ={})
    assert log is not None
    log.append(consent_record(asker, said, time=at, subject=customer(ANNA), id=new_id())).result(
        START_SECONDS
    )
    log.close()


def mailed_at_erasure(shop: Shop) -> set[str]:
    """Return which vendors a real relay got a mail for, once an erasure is done."""
    relay = new_relay()
    mail = MailSettings(url=relay.url, sender="Kiln <privacy@shop.example>")
    shop.config = replace(shop.config, mail=mail)
    shop.ask()
    with relay.up():
        shop.work()
    assert not shop.found().is_open
    return {one for one in relay.counts if one.startswith("dpo@")}


ADS, SUMS, PARCELS = (
    vendor_of("marketing", "Ads"),
    vendor_of("statistics", "Sums"),
    vendor_of("necessary", "Parcels"),
)


@pytest.mark.parametrize(
    ("granted", "mailed"),
    [
        ((), set()),
        (("marketing",), {"dpo@ads.example"}),
        (("statistics", "marketing"), {"dpo@ads.example", "dpo@sums.example"}),
    ],
)
def test_only_vendors_that_the_customer_s_grants_let_in_are_notified(
    shop: Shop, granted: tuple[str, ...], mailed: set[str]
) -> None:
    shop.config = replace(shop.config, vendors=(ADS, SUMS, PARCELS))
    choose(shop, *granted)

    assert mailed_at_erasure(shop) == mailed


def test_grant_that_was_withdrawn_since_is_notified_too(shop: Shop) -> None:
    shop.config = replace(shop.config, vendors=(ADS, SUMS))
    choose(shop, "marketing", at=NOW - timedelta(days=30))
    choose(shop, at=NOW - timedelta(days=1))

    assert mailed_at_erasure(shop) == {"dpo@ads.example"}


def test_vendor_whose_contract_lapsed_is_notified_only_of_grants_before_that(shop: Shop) -> None:
    lapsed = (
        vendor_of("marketing", "Before", (NOW - timedelta(days=20)).date()),
        vendor_of("marketing", "Since", (NOW - timedelta(days=5)).date()),
    )
    shop.config = replace(shop.config, vendors=lapsed)
    choose(shop, "marketing", at=NOW - timedelta(days=10))

    assert mailed_at_erasure(shop) == {"dpo@since.example"}


def test_vendor_that_the_console_added_is_notified(shop: Shop) -> None:
    staff, console = StaffSettings(origin="https://staff.shop.example"), ConsoleSettings(vendors="apply")
    shop.config = replace(shop.config, staff=staff, console=console)
    new = {
        "name": "New",
        "purpose": "marketing",
        "hosts": ["new.example"],
        "privacy_contact": "dpo@new.example",
    }
    at = int(NOW.timestamp() * 1000) - LIFE // 2
    change = Row("change", "New", {}, new, at=at, number=1)
    made = [change._replace(number=0)]
    made += [
        Row("confirm", "New", by=one, name=one, at=at, of=1, digest=change.seal) for one in ("Olga", "Oscar")
    ]
    made += [Row("apply", "New", at=at + 2 * WAIT, of=1, digest=change.seal)]
    with closing(store_opener(shop.config, shop.state.path, environ={}, keyring=shop.keyring)()) as store:
        for row in made:
            append(store, shop.config, {}, row)
    choose(shop, "marketing", vendors=(vendor_of("marketing", "New"),))

    assert mailed_at_erasure(shop) == {"dpo@new.example"}


@pytest.mark.parametrize(("age", "mailed"), [(1, {"dpo@ads.example"}), (200, set())])
def test_vendor_declared_after_the_grant_is_notified_while_the_grant_counts(
    shop: Shop, age: int, mailed: set[str]
) -> None:
    shop.config = replace(shop.config, vendors=(ADS,))
    choose(shop, "marketing", at=NOW - timedelta(days=age), vendors=())

    assert mailed_at_erasure(shop) == mailed


def test_customer_without_a_record_is_named_to_no_vendor(shop: Shop) -> None:
    shop.config = replace(
        shop.config, vendors=(ADS, SUMS, PARCELS), proof=replace(shop.config.proof, enabled=False)
    )

    assert mailed_at_erasure(shop) == set()


def test_vendors_to_notify_are_kept_before_the_log_is_erased(shop: Shop) -> None:
    """The hook fails after `stored`; the log is switched off, so `stored` has taken the records."""
    shop.config = replace(shop.config, vendors=(ADS, SUMS))
    choose(shop, "marketing")
    shop.config = replace(shop.config, proof=replace(shop.config.proof, enabled=False))
    relay = new_relay()
    mail = MailSettings(url=relay.url, sender="Kiln <privacy@shop.example>")
    shop.config = replace(shop.config, mail=mail)
    shop.hooks.fails = 1
    shop.ask()
    with relay.up():
        shop.work()
        with open_log_for_reading(shop) as stores:
            assert read_subject(stores, customer(ANNA)) == []
        assert relay.counts == {}
        shop.wake()
        shop.work()

    assert {one for one in relay.counts if one.startswith("dpo@")} == {"dpo@ads.example"}


def open_log_for_reading(shop: Shop) -> closing[Stores]:
    return closing(open_stores(place_of(shop.config, shop.state.path, environ={})))


def test_each_vendor_and_the_person_get_one_mail_also_where_the_relay_was_down(shop: Shop) -> None:
    relay = new_relay()
    vendors = tuple(vendor_of("marketing", name) for name in ("parcels", "letters"))
    mail = MailSettings(url=relay.url, sender="Kiln <privacy@shop.example>")
    shop.config = replace(shop.config, vendors=vendors, mail=mail)
    choose(shop, "marketing")
    shop.ask()
    shop.work()
    assert shop.found().trouble.startswith("recipients: NotTold")

    relay.refuse = {"dpo@letters.example": "450 later"}
    with relay.up():
        shop.wake()
        shop.work()
        assert relay.counts == {"dpo@parcels.example": 1}
        relay.refuse = {}
        shop.wake()
        shop.work()

    assert relay.counts == {"dpo@parcels.example": 1, "dpo@letters.example": 1, "anna@shop.example": 1}
    assert not shop.found().is_open
    told_vendor, _, told_person = (one.get_payload(decode=True).decode() for one in relay.messages)  # type: ignore[union-attr]
    assert ANNA in told_vendor
    assert "Ihre Daten sind gelöscht" in told_person


@pytest.mark.parametrize("has_page", [True, False])
def test_answer_with_a_copy_says_where_it_lies(shop: Shop, *, has_page: bool) -> None:
    relay = new_relay()
    mail = MailSettings(url=relay.url, sender="Kiln <privacy@shop.example>")
    rights = replace(shop.config.rights, enabled=has_page)
    shop.config = replace(shop.config, mail=mail, origins=("https://shop.example",), rights=rights)
    shop.ask(RequestKind.EXPORT)

    with relay.up():
        shop.work()

    (message,) = relay.messages
    told = message.get_payload(decode=True).decode()  # type: ignore[union-attr]
    assert "Ihre Kopie liegt" in told
    assert ("https://shop.example/_cg/privacy?lang=de" in told.splitlines()) is has_page


@pytest.mark.parametrize(
    ("languages", "says"), [(("fr", "de"), "Ihre Kopie"), (("fr", "en"), "Votre copie"), ((), "Ihre Kopie")]
)
def test_answer_to_a_customer_is_in_a_language_that_the_shop_chose(
    shop: Shop, languages: tuple[str, ...], says: str
) -> None:
    relay = new_relay()
    mail = MailSettings(url=relay.url, sender="Kiln <privacy@shop.example>")
    shop.config = replace(shop.config, mail=mail, languages=languages, consent=ConsentSettings())
    shop.ask(RequestKind.EXPORT)

    with relay.up():
        shop.work()

    (message,) = relay.messages
    assert says in message.get_payload(decode=True).decode()  # type: ignore[union-attr]
    assert message["Content-Language"] == ("de" if "Ihre" in says else "fr")


def test_person_is_told_once_why_it_takes_longer_and_no_step_waits_for_the_relay(shop: Shop) -> None:
    relay = new_relay()
    mail = MailSettings(url=relay.url, sender="Kiln <privacy@shop.example>")
    shop.config = replace(shop.config, mail=mail)
    id_ = shop.ask(RequestKind.CORRECT)
    shop.change(lambda one: noted(one, Act.EXTENDED, now=NOW, by="olga", text="Many orders."))

    shop.work()  # the relay is down
    assert shop.found().trouble.startswith("told of more time: NotTold")
    with relay.up():
        for _ in range(2):
            shop.wake()
            shop.work()

    (message,) = relay.messages
    body = message.get_payload(decode=True).decode()  # type: ignore[union-attr]
    assert "28. Februar 2027" in body
    assert "Many orders." in body
    assert (shop.found(id_).trouble, shop.found(id_).may_change) == ("", True)

    erase = shop.ask(RequestKind.ERASE, id_="e" * 22)
    shop.change(lambda one: noted(one, Act.EXTENDED, now=NOW, by="olga", text="Many orders."), erase)
    shop.work()  # down again
    assert "erase K-4711-0815" in shop.hooks.called
    assert shop.found(erase).state is State.DONE


def test_person_is_told_why_it_takes_longer_while_the_step_fails_that_takes_it(shop: Shop) -> None:
    relay = new_relay()
    mail = MailSettings(url=relay.url, sender="Kiln <privacy@shop.example>")
    shop.config = replace(shop.config, mail=mail)
    shop.hooks.fails = 9
    shop.ask()
    shop.change(lambda one: noted(one, Act.EXTENDED, now=NOW, by="olga", text="A database is locked."))

    with relay.up():
        for _ in range(2):
            shop.wake()
            shop.work()

    (message,) = relay.messages
    assert "A database is locked." in message.get_payload(decode=True).decode()  # type: ignore[union-attr]
    assert shop.found().trouble.startswith("shop: OSError")
    shop.wake()
    shop.work()  # the relay is down, and was not needed
    assert shop.found().trouble.startswith("shop: OSError")


def test_vendors_that_had_data_are_told_by_hand_where_there_is_no_relay(shop: Shop) -> None:
    shop.config = replace(shop.config, vendors=(ADS, SUMS, PARCELS))
    choose(shop, "marketing")
    shop.ask()

    shop.work()

    assert shop.found().open_steps == ("tell Ads",)
    shop.change(lambda one: step_done(one, "tell Ads", now=NOW, by="mira"))
    shop.work()
    assert shop.found().state is State.DONE


def test_error_of_a_hook_names_no_address_in_queue_and_log(
    shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    def erase(customer: str) -> list[Retained]:
        raise OSError("duplicate key: (email)=(anna.q+x@shop.example), <eve@other.example>")

    shop.hooks.erase = erase  # type: ignore[method-assign, assignment]
    shop.ask()

    shop.work()

    assert shop.found().trouble == "shop: OSError: duplicate key: (email)=(...), <...>"
    assert "it stays open" in caplog.text
    assert "@" not in caplog.text


def test_hold_that_comes_while_a_step_is_done_stops_what_is_left(shop: Shop) -> None:
    shop.ask()

    def hold_and_erase(customer: str) -> list[Retained]:
        shop.change(lambda one: put_on_hold(one, until=date(2026, 12, 1), reason="court", now=NOW, by="mira"))
        return []

    shop.hooks.erase = hold_and_erase  # type: ignore[method-assign]
    shop.work()
    assert shop.found().open_steps == ("log",)


def test_doubt_that_comes_while_a_step_is_done_stops_what_is_left(shop: Shop) -> None:
    shop.ask(via=Via.STAFF)
    shop.change(lambda one: noted(one, Act.APPROVED, now=NOW, by="olga"))

    def doubt_and_erase(customer: str) -> list[Retained]:
        shop.change(lambda one: noted(one, Act.IDENTITY_ASKED, now=NOW, by="mira"))
        return []

    shop.hooks.erase = doubt_and_erase  # type: ignore[method-assign]
    shop.work()
    assert shop.found().open_steps == ("log",)
    assert shop.found().state is State.IDENTITY


def test_what_staff_do_while_a_worker_ends_is_not_lost(shop: Shop) -> None:
    shop.config = replace(shop.config, rights=RightsSettings(by_hand=("parcels",)))
    shop.ask()
    shop.work()
    assert shop.found().open_steps == ("parcels",)
    with closing(shop.queue()) as queue:
        queue.queue.wake("r" * 22)
        claimed = queue.claim("a worker", 60)
        assert claimed is not None
        # The worker has read that it waits for staff; staff are done before it lets go.
        shop.change(lambda one: step_done(one, "parcels", now=NOW, by="mira"))
        queue.queue.release("r" * 22, "a worker", work_in=None, failed=False)
    shop.work()
    assert shop.found().state is State.DONE


def test_erasure_that_waits_for_staff_is_done_again_after_a_backup_too(shop: Shop) -> None:
    shop.config = replace(shop.config, rights=RightsSettings(by_hand=("parcels",)))
    shop.ask()
    shop.work()
    assert shop.found().open_steps == ("parcels",)

    assert shop.again() == 1

    assert shop.hooks.called == [f"erase {ANNA}"] * 2
    assert shop.found().open_steps == ("parcels",)


def test_step_by_hand_that_nobody_did_is_not_done_by_erasing_again(shop: Shop) -> None:
    shop.config = replace(shop.config, rights=RightsSettings(by_hand=("parcels",)))
    shop.ask()
    shop.work()
    with closing(shop.queue()) as queue:
        queue.queue.forget("r" * 22)

    assert shop.again() == 1

    assert shop.found().open_steps == ("parcels",)


def test_erasure_is_known_to_the_journal_without_hooks_and_log_too(shop: Shop) -> None:
    shop.config = replace(shop.config, proof=ProofSettings(enabled=False))
    erased_by_staff_and_lost(shop)

    assert shop.again(has_hooks=False) == 1


def test_copy_that_waits_goes_with_an_erasure(shop: Shop) -> None:
    shop.ask(RequestKind.EXPORT, id_="e" * 22)
    shop.work()
    with closing(shop.queue()) as queue:
        assert queue.file("e" * 22)
    shop.ask()
    shop.work()
    assert shop.found().state is State.DONE
    with closing(shop.queue()) as queue:
        assert queue.file("e" * 22) is None


def test_answer_that_the_relay_refuses_is_shown_with_its_reason(shop: Shop) -> None:
    relay = new_relay()
    shop.config = replace(shop.config, mail=MailSettings(url=relay.url, sender="Kiln <privacy@shop.example>"))
    shop.ask()
    relay.refuse = {"anna@shop.example": "550 5.1.1 nobody"}
    with relay.up():
        shop.work()
    assert shop.found().open_steps == ("answer",)
    assert "550" in shop.found().trouble


def test_hook_that_fails_for_one_keeps_nobody_else_from_being_erased_again(shop: Shop) -> None:
    for at in range(3):
        shop.ask(number=f"K-{at}", id_=f"{at}" * 22)
    shop.work()
    shop.hooks.called, shop.hooks.fails = [], 1

    with pytest.raises(NotErased, match=r"1 of 3 .*0{22}: OSError: no row of \.\.\.") as told:
        shop.again()

    assert shop.hooks.called == ["erase K-0", "erase K-1", "erase K-2"]
    assert "K-0" not in str(told.value)


def test_hold_prevents_a_repeated_erasure(shop: Shop) -> None:
    shop.config = replace(shop.config, rights=RightsSettings(by_hand=("parcels",)))
    shop.ask()
    shop.work()
    shop.change(lambda one: put_on_hold(one, until=date(2026, 12, 1), reason="court", now=NOW, by="mira"))

    assert shop.again() == 0
    assert shop.hooks.called == [f"erase {ANNA}"]


def test_erased_person_is_in_no_other_closed_request_either(shop: Shop) -> None:
    shop.ask(RequestKind.EXPORT, id_="e" * 22)
    shop.work()
    shop.change(lambda one: answer_told(one, now=NOW, by="mira", text="letter"), id_="e" * 22)
    shop.ask()
    shop.work()
    shop.change(lambda one: answer_told(one, now=NOW, by="mira", text="letter"))
    shop.work()

    shop.now += timedelta(days=31)
    shop.wake()
    shop.work()

    assert [shop.found(id_ * 22).customer for id_ in "re"] == ["", ""]


def test_work_called_off_while_the_queue_is_locked_ends_before_the_file_is_closed(shop: Shop) -> None:
    shop.ask()
    file = requests_file(shop.config, shop.state, environ={})
    assert file is not None

    async def work() -> None:
        with ExitStack() as lock:
            async with open_worker(
                shop.config, hooks=shop.hooks, environ={}, clock=lambda: shop.now
            ) as worker:
                lock.enter_context(locked(file))
                with pytest.raises(TimeoutError):
                    await asyncio.wait_for(worker.work_once(), CALLED_OFF_SECONDS)
                threading.Timer(CALLED_OFF_SECONDS, lock.close).start()

    asyncio.run(work())

    assert shop.hooks.called == []
    assert shop.found().state is State.OPEN
    assert "cookieguard-work_0" not in {one.name for one in threading.enumerate()}


@pytest.mark.parametrize("until", [datetime(2036, 12, 31, 23, tzinfo=UTC), "2036-12-31", date(2036, 12, 31)])
def test_end_of_retention_given_as_a_time_becomes_its_day(shop: Shop, until: date) -> None:
    shop.hooks.keeps = [Retained("invoices", until, "tax law")]
    shop.ask()

    shop.work()

    request = shop.found()
    assert (request.state, request.retained[0].until) == (State.DONE, date(2036, 12, 31))


def test_hook_that_names_no_day_is_told_so_and_its_request_is_not_lost(shop: Shop) -> None:
    shop.hooks.keeps = [Retained("invoices", "never", "tax law")]  # type: ignore[arg-type]
    shop.ask()

    shop.work()

    assert "until='never'; allowed: a datetime.date" in shop.found().trouble


def test_request_that_an_earlier_release_wrote_with_a_time_is_read_again(shop: Shop) -> None:
    shop.ask()
    shop.change(
        lambda one: with_retained(one, [("invoices", datetime(2036, 12, 31, tzinfo=UTC), "tax")], now=NOW)
    )

    assert shop.found().retained[0].until == date(2036, 12, 31)


def ends_by(error: type[BaseException]) -> Callable[[str], Retained]:
    def erase(_customer: str) -> Retained:
        raise error

    return erase


@pytest.mark.parametrize("error", [StopIteration, SystemExit, asyncio.CancelledError])
def test_hook_that_ends_as_none_may_is_shown_and_holds_up_neither_work_nor_other_requests(
    shop: Shop, error: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.ask()
    shop.ask(RequestKind.DEACTIVATE, number="other", id_="o" * 22)
    monkeypatch.setattr(shop.hooks, "erase", ends_by(error))

    worked = threading.Thread(target=shop.work, daemon=True)
    worked.start()
    worked.join(START_SECONDS)

    assert not worked.is_alive()
    assert error.__name__ in shop.found().trouble
    assert shop.found("o" * 22).state is State.DONE


def test_rows_are_made_in_the_thread_of_their_hook_however_they_are_iterated(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: list[str] = []

    def row(number: str) -> Exported:
        threads.append(threading.current_thread().name)
        return Exported(kind="orders", values={"Number": number})

    monkeypatch.setattr(shop.hooks, "export", lambda _: map(row, ["A-1", "A-2"]))
    shop.ask(RequestKind.EXPORT)

    shop.work()

    assert shop.found().state is State.DONE
    assert threading.current_thread().name not in threads


@pytest.mark.parametrize("contact", [Contact(None), Contact(""), None])  # type: ignore[arg-type]
def test_customer_without_an_address_on_file_waits_for_a_letter(
    shop: Shop, contact: Contact | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    mail = MailSettings(url="smtp://127.0.0.1:1", sender="Kiln <privacy@shop.example>")
    shop.config = replace(shop.config, mail=mail)
    monkeypatch.setattr(shop.hooks, "contact", lambda _: contact)
    shop.ask()

    shop.work()

    request = shop.found()
    assert (request.open_steps, request.trouble, request.contact) == (("answer",), "", "")


def test_request_that_an_earlier_release_wrote_without_address_and_language_is_read(shop: Shop) -> None:
    shop.ask()
    shop.change(lambda one: replace(one, contact=None, language=None))  # type: ignore[arg-type]

    request = shop.found()

    assert (request.contact, request.language) == ("", "")


def test_hook_that_returns_an_address_alone_is_told_what_is_allowed(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shop.hooks, "contact", lambda _: "anna@shop.example")
    shop.ask()

    shop.work()

    assert shop.found().trouble == "shop: HookAnswer: contact returned a str; allowed: a Contact, or None"


@pytest.mark.parametrize(("found", "number"), [("", None), (None, None), (4711, "4711"), (0, "0")])
def test_customer_number_of_an_unknown_address_is_none_for_any_empty_answer_of_the_hook(
    found: object, number: str | None
) -> None:
    hooks = SimpleNamespace(find=lambda _: found)

    assert asyncio.run(number_of(hooks, "anna@shop.example")) == number


def test_two_vendors_of_one_company_are_told_by_two_mails(shop: Shop) -> None:
    relay = new_relay()
    names = [f"Parcels of the Netherlands B.V. {one}" for one in ("letters", "crates")]
    vendors = tuple(
        Vendor(
            name=one, purpose="marketing", hosts=(f"h{at}.example",), privacy_contact="dpo@parcels.example"
        )
        for at, one in enumerate(names)
    )
    mail = MailSettings(url=relay.url, sender="Kiln <privacy@shop.example>")
    shop.config = replace(shop.config, vendors=vendors, mail=mail)
    choose(shop, "marketing")
    shop.ask()

    with relay.up():
        shop.work()

    told = [one["message-id"] for one in relay.messages if one["to"] == "dpo@parcels.example"]
    assert len(set(told)) == len(told) == len(names)


def test_letter_of_who_has_no_number_is_forgotten_as_any_other(shop: Shop) -> None:
    def request(id_: str, kind: RequestKind) -> None:
        asked = Request(
            id=id_,
            kind=kind,
            law=Law.GDPR,
            received=NOW,
            via=Via.STAFF,
            contact="Anna, Ovenstraat 7",
            text="all of it",
            steps=("by hand",),
        )
        done = noted(step_done(asked, "by hand", now=NOW, by="x"), Act.DONE, now=NOW, by="x", text="Done.")
        with closing(shop.queue()) as queue:
            queue.add(answer_told(done, now=NOW, by="x"), has_work=True)

    request("e" * 22, RequestKind.ERASE)
    request("c" * 22, RequestKind.CORRECT)
    shop.work()
    assert shop.found("e" * 22).contact == "Anna, Ovenstraat 7"

    shop.now += timedelta(days=shop.config.rights.backup_days + 1)
    shop.wake("e" * 22)
    shop.work()
    assert [(one.contact, one.text) for one in map(shop.found, ("e" * 22, "c" * 22))] == [("erased", "")] * 2

    shop.now += timedelta(days=shop.config.rights.keep_days)
    shop.wake("e" * 22)
    shop.work()
    with closing(shop.queue()) as queue:
        assert queue.find("e" * 22) is None


@pytest.mark.parametrize("setting", ["follow_customer", "enabled"])
def test_opt_out_that_no_worker_can_do_waits_for_staff(shop: Shop, setting: str) -> None:
    consent = replace(shop.config.consent, **{setting: False})
    shop.config = replace(shop.config, consent=consent)
    shop.ask(RequestKind.OPT_OUT)

    shop.work()

    assert shop.found().state is State.OPEN
    assert shop.found().open_steps == ("opt out of sale and sharing",)


def test_lease_is_renewed_while_the_copy_of_a_large_account_is_written(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    lease, claimed = 2.0, []  # the worker renews it after a quarter, and a busy machine may stop for a second

    def write_slowly(*_: object, **__: object) -> bytes:
        time.sleep(1.5 * lease)
        with closing(shop.queue()) as queue:
            claimed.append(queue.claim("another", 60))
        return b"zip"

    monkeypatch.setattr("cookieguard.features.rights.copy.write_copy", write_slowly)
    shop.ask(RequestKind.EXPORT)

    async def work() -> None:
        async with open_worker(
            shop.config, hooks=shop.hooks, environ={}, clock=lambda: shop.now, lease_seconds=lease
        ) as worker:
            await worker.work_all()

    asyncio.run(work())

    assert claimed == [None]
    assert shop.found().state is State.DONE


def test_no_notice_of_the_policy_goes_to_who_was_erased_before_it_was_sent(shop: Shop) -> None:
    shop.config = replace(shop.config, policy=PolicyVersion(folder="policy"))
    opened, recipients = (
        outbox_opener(shop.config.store, shop.state.path, environ={}),
        Recipients(shop.keyring),
    )

    async def customers() -> AsyncIterator[Customer]:
        for number in (ANNA, "other"):
            yield Customer(number, f"{number}@mail.example")

    with closing(opened()) as outbox:
        for run in ("policy-2026-12-15", "policy-2026-12-24"):
            asyncio.run(fill_run(outbox, run, customers, recipients, now=NOW, progress=lambda _: None))
        assert len(outbox.claim(["policy-2026-12-24"], 9, lease="one", seconds=60)) == 2
    shop.ask()

    shop.work()

    with closing(opened()) as outbox:
        counts = [outbox.count(run).total for run in ("policy-2026-12-15", "policy-2026-12-24")]
        left = outbox.claim(["policy-2026-12-15"], 9, lease="two", seconds=60)
    assert counts == [1, 1]
    assert recipients.open(left[0].recipient)["address"] == "other@mail.example"


def test_copy_that_staff_made_by_hand_is_answered_in_their_words_and_lies_on_no_page(shop: Shop) -> None:
    relay = new_relay()
    mail = MailSettings(url=relay.url, sender="Kiln <privacy@shop.example>")
    shop.config = replace(shop.config, mail=mail, origins=("https://shop.example",))
    shop.ask(RequestKind.EXPORT)
    shop.change(lambda one: replace(one, contact="anna@shop.example"))
    shop.change(lambda one: step_done(one, "collect", now=NOW, by="mira", text="by letter"))

    with relay.up():
        shop.work_without_hooks()
        assert (shop.found().state, shop.found().open_steps) == (State.OPEN, ())
        shop.change(lambda one: noted(one, Act.DONE, now=NOW, by="olga", text="It came by letter."))
        shop.work_without_hooks()

    (message,) = relay.messages
    told = message.get_payload(decode=True).decode()  # type: ignore[union-attr]
    assert "It came by letter." in told
    assert "privacy?lang" not in told


@pytest.mark.parametrize("is_async", [True, False])
def test_hook_that_hangs_is_given_up_and_reported_and_the_others_are_served(
    shop: Shop,
    is_async: bool,
) -> None:
    released = threading.Event()

    async def waits(customer: str) -> None:
        if customer == ANNA:
            await asyncio.sleep(START_SECONDS)

    def blocks(customer: str) -> None:
        if customer == ANNA:
            released.wait(START_SECONDS)

    shop.config = replace(shop.config, rights=RightsSettings(hook_seconds=2))
    shop.hooks.erase = waits if is_async else blocks  # type: ignore[method-assign, assignment]
    shop.ask()
    shop.ask(number="K-2", id_="s" * 22)
    began = time.monotonic()

    shop.work()

    assert time.monotonic() - began < START_SECONDS  # neither hook has ended
    released.set()
    name = "waits" if is_async else "blocks"
    assert shop.found().trouble == f"shop: HookAnswer: {name} took longer than 2 s (rights.hook_seconds)"
    assert shop.found("s" * 22).state is State.DONE
