"""The notice period on a fixed clock: for each day of the last mail, what pages serve and what doctor reports."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from html import unescape
from pathlib import Path

import pytest
from harness.asgi import ask, page
from harness.parts import part_of
from harness.policies import FIRST, NEW, OLD, SECOND, put_version, two_versions
from harness.relays import new_relay
from harness.senders import PACE, SENDER

from cookieguard import Config, CookieGuard, PolicyVersion
from cookieguard.config import MailSettings
from cookieguard.engines.doctor_settings import Finding
from cookieguard.engines.doctor_shop import Shop as Examined
from cookieguard.errors import AnnouncementRefused
from cookieguard.features.outbox.outbox import Outbox, outbox_opener
from cookieguard.features.outbox.recipients import Recipients
from cookieguard.features.outbox.relay import relay_of
from cookieguard.features.outbox.sending import Sender
from cookieguard.features.policy.announcement_run import Notices, fill_run, run_of
from cookieguard.features.policy.announcing import announce, complete, release
from cookieguard.features.policy.due import due_of
from cookieguard.features.policy.folder import read_versions
from cookieguard.features.policy.ledger import read_ledger
from cookieguard.features.policy.part import PolicyPart
from cookieguard.features.policy.values.versions import dated
from cookieguard.features.records.acts import Acts
from cookieguard.identity.staff_token import Member
from cookieguard.keyring import Keyring
from cookieguard.mail.customers import Customer
from cookieguard.storage.keyring_source import beside, make_keyring
from cookieguard.storage.store.open import store_opener
from cookieguard.storage.store.protocol import Store

DAY_1 = datetime(2026, 12, 1, 22, tzinfo=UTC)  # late in the evening: whole days count
DAYS = 14
RECORD = Acts(None)
OFFICER = Member(id="1", name="Olga", role="officer", made=DAY_1, expires=DAY_1)


class Shop:
    """A shop with ten customers that announced its second policy version on 1 December for the 15th."""

    def __init__(self, directory: Path, *, without_address: int = 0, refused: int = 0) -> None:
        self.relay = new_relay()
        self.directory = directory
        self.config = Config(
            origins=("https://shop.example",),
            state_dir=str(directory / "state"),
            policy=PolicyVersion(folder=str(two_versions(directory / "policy"))),
            mail=MailSettings(url=self.relay.url, sender=f"Shop <{SENDER}>"),
        )
        self.state.mkdir(mode=0o700)
        make_keyring(beside(self.state), DAY_1)  # the workers' own, before there is a store
        self.recipients = Recipients(Keyring.generate(DAY_1))
        self.texts = read_versions(self.config)
        self.next = self.texts[1]
        for at in range(refused):
            self.relay.refuse[f"c{9 - at}@mail.example"] = "550 no such user"

        async def customers() -> AsyncIterator[Customer]:
            for at in range(10):
                yield Customer(str(at), "" if at < without_address else f"c{at}@mail.example")

        with closing(self.store()) as store, closing(self.outbox()) as outbox:
            announce(store, self.texts, self.next, now=DAY_1, notice_days=DAYS, record=RECORD)
            filled = fill_run(
                outbox, run_of(self.next), customers, self.recipients, now=DAY_1, progress=lambda _: None
            )
            asyncio.run(filled)

    @property
    def state(self) -> Path:
        return Path(self.config.state_dir)

    def store(self) -> Store:
        return store_opener(self.config, self.state, environ={})()

    def outbox(self) -> Outbox:
        return outbox_opener(self.config.store, self.state, environ={})()

    def send(self, day: int) -> None:
        """Send all notices on a day, and note how far they came, as the command does."""
        now, run = on(day), run_of(self.next)
        with closing(self.store()) as store, closing(self.outbox()) as outbox, self.relay.up():
            versions = dated(self.texts, read_ledger(store), now.date(), DAYS)
            notices = Notices(self.config, versions, self.recipients, now)
            relay = relay_of(self.config.mail, environ={})
            sender = Sender(outbox, relay, sender=SENDER, build=notices.build, pace=PACE)
            asyncio.run(sender.run([run], connections=2, progress=lambda: None))
            complete(store, self.next, outbox.count(run), now=now, notice_days=DAYS, record=RECORD)

    def release(self, day: int) -> None:
        with closing(self.store()) as store:
            release(store, self.next, "told by letter", by=OFFICER, now=on(day), record=RECORD)

    def doctor(self, day: int) -> Finding:
        """Return what doctor says of the next version; of the one in force once there is none."""
        found = list(due_of(Examined(config=self.config, environ={}, now=on(day))))
        return found[-1]

    def first_day(self) -> int | None:
        """Return the first day on which pages serve the new version, if there is one within 60."""
        with closing(self.store()) as store:
            ledger = read_ledger(store)
        with self.guard(1) as app:
            policy = part_of(app, PolicyPart).policy
            assert policy.history.ledger == ledger
            names = {day: policy.in_force(on(day).date()) for day in range(1, 61)}
        return next((day for day, one in names.items() if one is not None and one.name == SECOND), None)

    @contextmanager
    def guard(self, day: int) -> Iterator[CookieGuard]:
        app = CookieGuard(page(b"<html><body><p>Shop</p></body></html>"), self.config, clock=lambda: on(day))
        try:
            yield app
        finally:
            app.close()

    def served(self, day: int) -> tuple[bool, str]:
        """Return whether the policy's page serves the new text, and the day that the shop's pages announce."""
        with self.guard(day) as app:
            policy, shop = ask(app, path="/_cg/policy"), ask(app, headers=[("sec-fetch-dest", "document")])
        news = re.search(r"privacy policy changes on \D*([0-9]+ \w+ [0-9]{4})", unescape(shop.text))
        return "six years" in policy.text, "" if news is None else news[1]


def on(day: int) -> datetime:
    return DAY_1 + timedelta(days=day - 1)


@pytest.mark.parametrize(("last_mail", "first"), [(1, 15), (5, 19), (14, 28)])
def test_version_takes_effect_fourteen_days_after_its_last_notice(
    tmp_path: Path, last_mail: int, first: int
) -> None:
    shop = Shop(tmp_path)
    shop.send(last_mail)
    announced = f"{first} December 2026"

    assert shop.first_day() == first
    assert shop.served(last_mail) == (False, announced)
    assert shop.served(first - 1) == (False, announced)
    assert shop.served(first) == (True, "")
    told = shop.doctor(last_mail)
    assert told.is_fine
    assert f"takes effect on 2026-12-{first}" in told.found
    assert "10 of 10 sent" in told.found
    assert ("not on 2026-12-15 as its text says" in told.found) == (first > 15)
    for mail in shop.relay.messages:  # no mail names a day after which the version is in force already
        assert announced in mail.get_payload(decode=True).decode()  # type: ignore[union-attr]


@pytest.mark.parametrize(("without_address", "refused"), [(1, 0), (0, 1)])
def test_one_customer_in_ten_without_a_notice_delays_nothing(
    tmp_path: Path, without_address: int, refused: int
) -> None:
    shop = Shop(tmp_path, without_address=without_address, refused=refused)
    shop.send(1)

    assert shop.first_day() == 15
    assert "9 of 10 sent, 1 permanently refused" in shop.doctor(1).found


def test_more_unreachable_customers_wait_for_a_release_that_keeps_the_period_of_others(
    tmp_path: Path,
) -> None:
    shop = Shop(tmp_path, without_address=1, refused=2)
    shop.send(5)
    blocked, late = shop.doctor(5), shop.doctor(15)

    assert shop.first_day() is None
    assert blocked.is_fine
    assert "cookieguard policy release 2026-12-15" in blocked.advice
    assert "cookieguard policy release 2026-12-15" in late.mend
    assert "7 of 10 sent, 3 permanently refused" in late.found
    assert shop.served(30) == (False, "13 January 2027")  # it cannot be earlier
    shop.release(15)
    assert shop.first_day() == 19
    assert shop.doctor(15).is_fine


def test_relay_that_is_down_for_weeks_blocks_a_version_only_until_its_release(tmp_path: Path) -> None:
    shop = Shop(tmp_path)

    assert shop.first_day() is None
    assert shop.served(14) == (False, "28 December 2026")
    assert not shop.doctor(15).is_fine
    shop.release(15)
    assert shop.first_day() == 15


def test_mails_sent_after_a_release_prolong_it_until_the_version_is_in_force(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    shop.release(2)
    shop.send(14)

    assert shop.first_day() == 28


def test_mails_sent_once_a_released_version_is_in_force_leave_it_in_force(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    shop.release(2)
    shop.send(15)

    assert shop.first_day() == 15


def test_draft_cannot_be_released(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    put_version(tmp_path / "policy", "2027-01-01", NEW, announced="2026-12-01")
    draft = read_versions(shop.config)[2]

    with closing(shop.store()) as store, pytest.raises(AnnouncementRefused, match="was not announced"):
        release(store, draft, "because", by=OFFICER, now=on(1), record=RECORD)


def test_edited_text_in_force_is_refused_and_doctor_names_it(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    with shop.guard(1) as app:
        ask(app)
    put_version(tmp_path / "policy", FIRST, OLD.replace("ten", "ninety"))

    with shop.guard(2) as app:
        policy = ask(app, path="/_cg/policy")
    found = list(due_of(Examined(config=shop.config, environ={}, now=on(2))))

    assert "ten years" in policy.text
    assert "ninety" not in policy.text
    assert [one.found for one in found if not one.is_fine] == [
        "2026-01-01/en.md changed after publication; the shop serves the text in the consent log"
    ]


def test_page_feed_and_mail_say_how_to_object(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    shop.send(1)

    with shop.guard(2) as app:
        start = ask(app, headers=[("sec-fetch-dest", "document")])
        changes = ask(app, path=f"/_cg/policy/{SECOND}/changes")
        feed = ask(app, path="/_cg/policy/feed.xml")
    mail = shop.relay.messages[0].get_payload(decode=True).decode()  # type: ignore[union-attr]

    assert f'/_cg/policy/{SECOND}/changes#object">How to object</a>' in start.text
    assert '<p id="object">You can object to this change here: <a href="/_cg/privacy">' in changes.text
    assert "You can object to this change here: https://shop.example/_cg/privacy</summary>" in feed.text
    assert "You can object to this change here:\r\nhttps://shop.example/_cg/privacy?lang=en\r\n" in mail
