"""The recipients of a notice are forgotten some time after its version took effect; their number is kept."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from harness.policies import SECOND, two_versions
from harness.retention import retention_of
from harness.stores import give_keyring

from cookieguard import Config, PolicyVersion
from cookieguard.errors import AnnouncementRefused
from cookieguard.features.outbox.outbox import Outbox, Outcome, Row, State, outbox_opener
from cookieguard.features.outbox.recipients import Recipients
from cookieguard.features.policy.announcement_run import fill_run, run_of
from cookieguard.features.policy.announcing import announce, complete, release
from cookieguard.features.policy.folder import read_versions
from cookieguard.features.policy.jobs import forget_recipients
from cookieguard.features.policy.ledger import read_ledger
from cookieguard.features.records.acts import Acts
from cookieguard.identity.staff_token import Member
from cookieguard.keyring import Keyring
from cookieguard.mail.customers import Customer
from cookieguard.mail.runs import Run
from cookieguard.storage.store.open import store_opener
from cookieguard.storage.store.protocol import Store

AT = datetime(2026, 12, 1, 9, tzinfo=UTC)
IN_FORCE = datetime(2026, 12, 15, 9, tzinfo=UTC)
KEPT = timedelta(days=30)
RECORD = Acts(None)


class Shop:
    """A shop that announced its second policy version to three customers."""

    def __init__(self, directory: Path) -> None:
        self.state = directory / "state"
        self.state.mkdir(mode=0o700)
        give_keyring(self.state)
        self.config = Config(
            state_dir=str(self.state), policy=PolicyVersion(folder=str(two_versions(directory / "policy")))
        )
        self.versions = read_versions(self.config)
        self.run = run_of(self.versions[1])
        with closing(self.store()) as store, closing(self.outbox()) as outbox:
            announce(store, self.versions, self.versions[1], now=AT, notice_days=14, record=RECORD)
            recipients = Recipients(Keyring.generate(AT))
            asyncio.run(fill_run(outbox, self.run, three, recipients, now=AT, progress=lambda _: None))

    def store(self) -> Store:
        return store_opener(self.config, self.state, environ={})()

    def outbox(self) -> Outbox:
        return outbox_opener(self.config.store, self.state, environ={})()

    def send(self) -> None:
        with closing(self.store()) as store, closing(self.outbox()) as outbox:
            some = outbox.claim([self.run], 10, lease="one", seconds=60)
            outbox.step([], [Outcome(one.run, one.who, State.SENT) for one in some], lease="one", seconds=60)
            complete(store, self.versions[1], outbox.count(self.run), now=AT, notice_days=14, record=RECORD)

    def forget(self, now: datetime) -> int:
        return forget_recipients(self.config, self.state, environ={}, now=now)

    @property
    def left(self) -> int:
        with closing(self.outbox()) as outbox:
            return outbox.count(self.run).total

    @property
    def known(self) -> Run:
        with closing(self.store()) as store:
            return read_ledger(store)[SECOND].run


async def three() -> AsyncIterator[Customer]:
    for at in range(3):
        yield Customer(str(at), f"c{at}@mail.example")


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


def test_outbox_forgets_who_was_told_30_days_after_the_version_took_effect(shop: Shop) -> None:
    shop.send()

    assert (shop.forget(IN_FORCE + KEPT - timedelta(days=1)), shop.left) == (0, 3)
    assert (shop.forget(IN_FORCE + KEPT), shop.left) == (1, 0)
    assert (shop.known.total, shop.known.sent, shop.known.is_complete) == (3, 3, True)
    assert shop.forget(IN_FORCE + KEPT) == 0


def test_recipients_without_their_notice_are_not_forgotten(shop: Shop) -> None:
    assert (shop.forget(IN_FORCE + timedelta(days=300)), shop.left) == (0, 3)

    with closing(shop.store()) as store:
        officer = Member(id="1", name="Olga", role="officer", made=AT, expires=AT)
        release(store, shop.versions[1], "told by letter", by=officer, now=AT, record=RECORD)

    assert (shop.forget(IN_FORCE + KEPT), shop.left) == (1, 0)
    assert (shop.known.total, shop.known.waiting) == (3, 3)


def test_notices_that_no_key_opens_any_more_go(shop: Shop) -> None:
    assert (shop.forget(AT + timedelta(days=399)), shop.left) == (0, 3)
    assert (shop.forget(AT + timedelta(days=400)), shop.left) == (1, 0)


def test_forgotten_run_is_announced_to_nobody_again(shop: Shop) -> None:
    shop.send()
    shop.forget(IN_FORCE + KEPT)

    with (
        closing(shop.store()) as store,
        pytest.raises(AnnouncementRefused, match="announce the next version"),
    ):
        announce(store, shop.versions, shop.versions[1], now=AT, notice_days=14, record=RECORD)


def test_rows_of_somebody_killed_while_forgetting_go_the_next_time(shop: Shop) -> None:
    shop.send()
    shop.forget(IN_FORCE + KEPT)
    with closing(shop.outbox()) as outbox:  # what was left
        outbox.begin(shop.run, "secret")
        outbox.add(shop.run, [Row("somebody", "")], State.SENT)

    assert (shop.forget(IN_FORCE + KEPT), shop.left) == (1, 0)
    assert shop.known.total == 3


def test_a_worker_does_it_with_what_else_is_kept_long_enough(shop: Shop) -> None:
    shop.send()
    worker = retention_of(shop.config, lambda: IN_FORCE + KEPT, state=Path(shop.state))

    run = worker.look()

    assert run is not None
    assert (run.removed["notices"], run.failed, shop.left) == (1, {}, 0)
