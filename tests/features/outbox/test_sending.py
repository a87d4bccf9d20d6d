"""Notices through a real SMTP server that is down, slow, refuses a recipient or ends without an answer."""

from __future__ import annotations

import asyncio
import re
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from email.header import decode_header, make_header
from pathlib import Path
from typing import Any

import pytest
from harness.policies import SECOND, put_version, two_versions
from harness.relays import Relay, new_relay

from cookieguard import Config, PolicyVersion
from cookieguard.config import MailSettings
from cookieguard.errors import ConfigError
from cookieguard.features.outbox.outbox import Outbox
from cookieguard.features.outbox.recipients import Recipients
from cookieguard.features.outbox.relay import relay_of
from cookieguard.features.outbox.sending import Pace, Sender
from cookieguard.features.policy.announcement_run import Notices, fill_run, run_of
from cookieguard.features.policy.folder import read_versions
from cookieguard.keyring import Keyring
from cookieguard.mail.customers import Customer
from cookieguard.mail.messages import AddressError, build_message
from cookieguard.mail.runs import Run

NOW = datetime(2026, 12, 1, 9, tzinfo=UTC)
QUICK = Pace(timeout=5.0, first=0.01, longest=0.05, idle=0.05)
SENDER = "privacy@shop.example"
RUN = f"policy-{SECOND}"


class Shop:
    """A shop with customers, an outbox and a mail relay."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.relay: Relay = new_relay()
        self.config = Config(
            origins=("https://shop.example",),
            policy=PolicyVersion(folder=str(two_versions(directory / "policy"))),
            mail=MailSettings(url=self.relay.url, sender=f"Kiln & Co <{SENDER}>"),
        )
        self.recipients = Recipients(Keyring.generate(NOW))
        self.customers: list[Customer] = []

    def outbox(self) -> Outbox:
        return Outbox(self.directory / "outbox.db")

    def have(self, count: int) -> None:
        self.customers = [Customer(str(at), f"c{at}@mail.example", "en") for at in range(count)]

    async def every_customer(self) -> AsyncIterator[Customer]:
        for one in self.customers:
            yield one

    def announce(self) -> int:
        with closing(self.outbox()) as outbox:
            filled = fill_run(
                outbox, RUN, self.every_customer, self.recipients, now=NOW, progress=lambda _: None
            )
            return asyncio.run(filled)

    def send(self, *, connections: int = 2) -> Run:
        with closing(self.outbox()) as outbox:
            asyncio.run(self.sending(outbox, connections))
            return outbox.count(RUN)

    async def sending(self, outbox: Outbox, connections: int, pace: Pace = QUICK) -> None:
        notices = Notices(self.config, read_versions(self.config), self.recipients, NOW)
        relay = relay_of(self.config.mail, environ={})
        sender = Sender(outbox, relay, sender=SENDER, build=notices.build, pace=pace)
        await sender.run([RUN], connections=connections, progress=lambda: None)


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


@pytest.fixture
def up(shop: Shop) -> Iterator[Relay]:
    with shop.relay.up():
        yield shop.relay


def test_every_customer_gets_one_notice_however_often_it_is_announced_and_sent(shop: Shop, up: Relay) -> None:
    shop.have(120)
    shop.customers.append(Customer("7", "c7@mail.example"))  # once more

    assert shop.announce() == 120
    assert shop.send(connections=4).is_complete
    shop.customers.append(Customer("new", "new@mail.example"))
    assert shop.announce() == 1
    run = shop.send()

    assert (run.total, run.sent, run.uncertain) == (121, 121, 0)
    assert set(up.counts.values()) == {1}
    assert len(up.counts) == 121


def test_notice_is_a_service_message_with_a_summary_and_the_way_to_the_difference(
    shop: Shop, up: Relay
) -> None:
    put_version(
        shop.directory / "policy", SECOND, "Neu.\n", language="de", announced="2026-12-01", summary="Größer."
    )
    shop.customers = [Customer("1", "anna@mail.example", "de-AT")]
    shop.announce()
    shop.send()

    (message,) = up.messages
    text = message.get_payload(decode=True).decode()  # type: ignore[union-attr]
    subject = str(make_header(decode_header(message["Subject"])))

    assert subject == "Unsere Datenschutzerklärung ändert sich am 15. Dezember 2026"
    assert "Größer." in text
    assert f"https://shop.example/_cg/policy/{SECOND}/changes?lang=de" in text
    assert message["List-Unsubscribe"] is None
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["Content-Language"] == "de"
    assert re.fullmatch(rf"<policy-{SECOND}\.[0-9a-f]{{32}}@shop\.example>", message["Message-ID"])


def test_our_words_in_a_notice_are_in_a_language_that_the_shop_chose(shop: Shop, up: Relay) -> None:
    put_version(shop.directory / "policy", SECOND, "Neu.\n", language="de", announced="2026-12-01")
    shop.config = replace(shop.config, languages=("en", "fr"))
    shop.customers = [Customer("1", "anna@mail.example", "de-AT")]
    shop.announce()
    shop.send()

    (message,) = up.messages
    assert str(message["Subject"]) == "Our privacy policy changes on 15 December 2026"


def test_relay_that_is_down_is_waited_for_and_nobody_gets_two(shop: Shop) -> None:
    shop.have(40)
    shop.announce()

    async def scenario() -> Run:
        with closing(shop.outbox()) as outbox:
            sending = asyncio.create_task(shop.sending(outbox, 3))
            await asyncio.sleep(0.3)
            assert not shop.relay.accepted
            shop.relay.seconds = 0.02
            with shop.relay.up():
                await asyncio.wait_for(sending, 60)
            return outbox.count(RUN)

    run = asyncio.run(scenario())

    assert (run.sent, run.uncertain) == (40, 0)
    assert set(shop.relay.counts.values()) == {1}


@pytest.mark.parametrize("reply", ["550 5.1.1 no such user", "501 5.1.3 Bad recipient address syntax"])
def test_address_that_is_refused_for_good_is_counted_and_the_run_completes(
    shop: Shop, up: Relay, reply: str
) -> None:
    shop.have(20)
    up.refuse = {"c3@mail.example": reply}
    shop.announce()

    run = shop.send()

    assert (run.sent, run.refused, run.is_complete) == (19, 1, True)
    with closing(shop.outbox()) as outbox:
        assert outbox.replies(RUN) == {reply[:3]: 1}


def test_relay_that_refuses_everybody_by_its_policy_is_no_complete_run(shop: Shop) -> None:
    shop.have(3)
    shop.relay.refuse = dict.fromkeys([one.address for one in shop.customers], "550 5.7.1 relaying denied")
    shop.announce()

    async def scenario() -> Run:
        with closing(shop.outbox()) as outbox, shop.relay.up():
            sending = asyncio.create_task(shop.sending(outbox, 1))
            await asyncio.sleep(0.5)
            before = outbox.count(RUN)
            shop.relay.refuse = {}
            await asyncio.wait_for(sending, 60)
            assert outbox.count(RUN).sent == 3
            return before

    assert (asyncio.run(scenario()).refused, shop.relay.counts["c0@mail.example"]) == (0, 1)


def test_message_that_is_taken_later_is_tried_again(shop: Shop) -> None:
    shop.have(2)
    shop.relay.answer = "451 4.7.1 greylisted"
    shop.announce()

    async def scenario() -> None:
        with closing(shop.outbox()) as outbox, shop.relay.up():
            sending = asyncio.create_task(shop.sending(outbox, 2))
            await asyncio.sleep(0.3)
            shop.relay.answer = ""
            await asyncio.wait_for(sending, 60)

    asyncio.run(scenario())

    assert set(shop.relay.counts.values()) == {1}


def test_end_of_a_connection_before_the_answer_is_told_and_sent_again_under_its_message_id(
    shop: Shop, up: Relay
) -> None:
    shop.have(10)
    up.silent = 1
    shop.announce()

    run = shop.send()

    assert (run.sent, run.uncertain, run.is_complete) == (10, 1, True)
    assert sorted(up.counts.values()) == [1] * 9 + [2]
    (twice,) = [address for address, count in up.counts.items() if count == 2]
    ids = {message["Message-ID"] for message in up.messages if message["To"] == twice}
    assert len(ids) == 1


@pytest.mark.timeout(60)
def test_notices_whose_key_is_gone_keep_nobody_waiting_for_them(shop: Shop, up: Relay) -> None:
    shop.have(2)
    shop.announce()
    kept, shop.recipients = shop.recipients, Recipients(Keyring.generate(NOW))

    run = shop.send()

    assert (run.sent, run.refused, run.waiting) == (0, 0, 2)
    shop.recipients = kept  # it was another keyring's turn: nothing was lost
    assert shop.send().sent == 2


def test_slow_relay_is_offered_nothing_whose_lease_ended_in_the_queue(shop: Shop, up: Relay) -> None:
    """A sender that leases more than it hands over in time does its work twice: half of all it offers."""
    shop.have(20)
    up.seconds = 0.4
    shop.announce()

    with closing(shop.outbox()) as outbox:
        asyncio.run(shop.sending(outbox, 1, Pace(timeout=3.0, first=0.01, longest=0.05, idle=0.05)))

    assert (len(up.counts), set(up.counts.values())) == (20, {1})
    assert up.offers - len(up.accepted) <= 3  # a busy machine may stop for longer than half a lease


def test_address_that_would_be_a_header_is_nobody_s(shop: Shop, up: Relay) -> None:
    shop.have(30)
    shop.customers += [
        Customer("x", "a@mail.example\r\nBcc: all@mail.example"),
        Customer("y", "<a@mail.example>"),
        Customer("z", "a@mail.example, b@mail.example"),
    ]
    shop.announce()

    run = shop.send()

    assert (run.sent, run.refused) == (30, 3)
    assert all(message["Bcc"] is None for message in up.messages)
    for address in (
        "a@b\n.example",
        "a b@mail.example",
        "",
        "a@mail",
        "é@mail.example",
        "a" * 250 + "@x.example",
    ):
        with pytest.raises(AddressError):
            build_message(
                sender=SENDER,
                recipient=address,
                subject="x",
                lines=[],
                language="en",
                name="x",
                now=NOW,
            )


def test_outbox_holds_no_address_and_no_customer_number(shop: Shop) -> None:
    shop.customers = [Customer("number-4711", "anna.secret@mail.example")]
    shop.announce()

    written = b"".join(path.read_bytes() for path in shop.directory.glob("outbox.db*"))

    assert run_of(read_versions(shop.config)[1]).encode() in written
    assert b"anna.secret" not in written
    assert b"number-4711" not in written


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("smtp://relay.example:587", (587, False, True)),
        ("smtp://u:p%40ss@relay.example", (587, False, True)),
        ("smtps://relay.example", (465, True, False)),
        ("smtp://127.0.0.1:2525", (2525, False, False)),
        ("smtp://localhost", (25, False, False)),
    ],
)
def test_relay_elsewhere_is_spoken_to_in_private(url: str, told: tuple[int, bool, bool]) -> None:
    relay = relay_of(MailSettings(url=url), environ={})

    assert (relay.port, relay.is_tls, relay.needs_tls) == told
    assert "p@ss" not in repr(MailSettings(url=url))


@pytest.mark.parametrize("url", ["", "ftp://secret", "smtp://se cret", "smtp:secret"])
def test_url_that_is_no_relay_s_is_refused_unseen(url: str) -> None:
    with pytest.raises(ConfigError) as refused:
        relay_of(MailSettings(), environ={"COOKIEGUARD_SMTP": url})

    assert "secret" not in str(refused.value)


def test_customers_are_told_as_a_database_has_them_and_one_without_an_address_is_refused(
    tmp_path: Path,
) -> None:
    rows: list[tuple[object, ...]] = [(1, "anna@mail.example", None), ("2", None, None), (3, "", "de")]

    async def customers() -> AsyncIterator[Any]:
        for one in rows:
            yield one

    with closing(Outbox(tmp_path / "outbox.db")) as outbox:
        recipients = Recipients(Keyring.generate(NOW))
        filled = fill_run(outbox, "run", customers, recipients, now=NOW, progress=lambda _: None)

        assert asyncio.run(filled) == 3
        counted = outbox.count("run")
    assert (counted.total, counted.refused, counted.is_filled) == (3, 2, True)


def plain() -> Iterator[tuple[str, str]]:
    with closing(sqlite3.connect(":memory:")) as database:  # which only its own thread may ask
        database.execute("CREATE TABLE customer (number, email)")
        rows = [(str(at), f"c{at}@mail.example") for at in range(1_500)]
        database.executemany("INSERT INTO customer VALUES (?, ?)", rows)
        yield from database.execute("SELECT * FROM customer")


async def listed() -> list[Customer]:
    return [Customer(*one) for one in plain()]


@pytest.mark.parametrize("customers", [plain, listed, lambda: list(plain())])
def test_function_that_is_no_async_generator_yields_customers_as_well(tmp_path: Path, customers: Any) -> None:
    with closing(Outbox(tmp_path / "outbox.db")) as outbox:
        recipients = Recipients(Keyring.generate(NOW))
        filled = fill_run(outbox, "run", customers, recipients, now=NOW, progress=lambda _: None)

        assert asyncio.run(filled) == 1_500
        assert outbox.count("run").is_filled
