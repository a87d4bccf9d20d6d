"""The number of customers that one member may view or erase in a day, over all workers, and who is notified of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from features.rights.test_requests_page import Queue
from harness.asgi import Answer, ask, no_app
from harness.locks import locked
from harness.parts import part_of
from harness.servers import START_SECONDS

from cookieguard import CookieGuard
from cookieguard.config import Config, IdentitySettings, RightsSettings, StoreSettings
from cookieguard.config.people.staff import StaffSettings
from cookieguard.engines.doctor_shop import Shop
from cookieguard.errors import RevealRefused
from cookieguard.features.people.daily_limits import Use, require_turn
from cookieguard.features.people.due import due_of
from cookieguard.features.people.journal import Journal, read_journal
from cookieguard.features.people.part import PeoplePart
from cookieguard.features.rights.values.requests import Via
from cookieguard.identity.staff_token import Member
from cookieguard.keyring import Keyring
from cookieguard.storage.keyring_source import beside
from cookieguard.storage.state_directory import StateDirectory

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
Clock = list[datetime]


@pytest.fixture
def clock() -> Clock:
    return [NOW]


@pytest.fixture
def workers(guard: Callable[..., CookieGuard], tmp_path: Path, clock: Clock) -> Iterator[list[Queue]]:
    """Give two workers of one shop, in which a member may view 6 customers a day and erase 4."""
    staff, rights = StaffSettings(daily_views=6, daily_erasures=4), RightsSettings()
    made = [guard(no_app, staff=staff, rights=rights, clock=lambda: clock[0]) for _ in range(2)]
    queues = [Queue(app, tmp_path / "state") for app in made]
    yield queues
    for queue in queues:
        queue.requests.close()


def enter_erasure(queue: Queue, token: str, number: int) -> Answer:
    fields = {"kind": "erase", "who": "known", "customer": f"c{number}", "received": str(NOW.date())}
    return queue.do(token, act="erase", **fields)


def events(queue: Queue, event: str) -> list[dict[str, str]]:
    return [one for one in read_journal(queue.state) if one["event"] == event]


def test_one_member_views_no_more_customers_in_a_day_than_the_limit_over_all_workers(
    workers: list[Queue], clock: Clock
) -> None:
    for number in range(9):
        workers[0].put(f"r{number}", customer=f"c{number}")
    token = workers[0].add("officer", name="Olga Officer")  # an officer as well
    workers[1].add("support")

    pages = [workers[number % 2].page(token, f"id=r{number}") for number in range(9)]

    assert [page.status for page in pages] == [200] * 6 + [429] * 3
    told = "reached staff.daily_views (6); it is free again on 2026-11-25 at 00:00 UTC, or if the person who runs the"
    assert f"Olga Officer {told} server raises that setting" in " ".join(pages[6].text.split())
    assert workers[0].page(token, "id=r3").status == 200  # one who was viewed today
    assert [one["what"] for one in events(workers[0], "reached the limit")] == ["staff.daily_views (6)"]
    assert workers[0].page(workers[0].add("support", name="Sam"), "id=r8").status == 200
    clock[0] += timedelta(hours=12)
    assert workers[0].page(token, "id=r8").status == 200


def test_one_token_enters_and_approves_no_more_erasures_in_a_day_than_the_limit(workers: list[Queue]) -> None:
    support, officer = workers[0].add("support", name="Sam"), workers[0].add("officer", name="Olga")
    for number in range(6):
        workers[0].put(f"r{number}", customer=f"d{number}", via=Via.STAFF, entered_by="Others")

    entered = [enter_erasure(workers[number % 2], support, number).status for number in range(6)]
    approved = [workers[number % 2].do(officer, act="approved", id=f"r{number}") for number in range(6)]

    assert entered == [303] * 4 + [429] * 2
    assert [one.status for one in approved] == [303] * 4 + [429] * 2
    assert "staff.daily_erasures (4)" in approved[-1].text
    assert len(events(workers[0], "erasure")) == 8
    assert len(events(workers[0], "reached the limit")) == 2
    assert workers[0].found("r5").events == ()


def test_officer_reads_for_a_week_who_reached_a_limit(workers: list[Queue], clock: Clock) -> None:
    support, officer = workers[0].add("support", name="Sam"), workers[0].add("officer", name="Olga")
    for number in range(5):
        enter_erasure(workers[0], support, number)

    def page() -> str:
        headers = [("authorization", f"Bearer {officer}")]
        return ask(workers[1].app, path="/_cg/due", headers=headers).text

    line = "Sam reached staff.daily_erasures on 2026-11-24: 4"
    assert line in page()
    assert "Ask Sam why so many were opened" in page()
    clock[0] += timedelta(days=6)
    assert line in page()
    clock[0] += timedelta(days=1)
    assert line not in page()


def test_customer_page_is_refused_while_the_store_cannot_count_the_view(workers: list[Queue]) -> None:
    workers[0].put("one")
    token = workers[0].add("support")

    with locked(workers[0].state / "store.db"):
        page = workers[0].page(token, "id=one")

    assert (page.status, "number-4711" in page.text) == (503, False)
    assert workers[0].page(token, "id=one").status == 200


@pytest.mark.parametrize(
    "off", [{"store": StoreSettings(enabled=False)}, {"identity": IdentitySettings(enabled=False)}]
)
def test_without_a_store_of_the_shop_pages_and_commands_count_together_and_doctor_reports(
    guard: Callable[..., CookieGuard], tmp_path: Path, off: dict[str, Any]
) -> None:
    config = Config(state_dir=str(tmp_path / "state"), staff=StaffSettings(daily_views=2), **off)
    app = guard(no_app, state_dir=config.state_dir, staff=config.staff, **off)
    people, keyring = (
        part_of(app, PeoplePart),
        Keyring.loads(beside(tmp_path / "state").read_text(), setting="test"),
    )
    olga = Member(id="0" * 12, name="Olga", role="officer", made=NOW, expires=NOW + timedelta(days=1))
    journal = Journal(StateDirectory(config.state_dir), keyring)
    now = datetime.now(UTC)

    def by_page(customer: str) -> str:
        asked = people.staff._count(member=olga, use=Use.VIEW, opened=customer, now=now)
        return str(asked.result(START_SECONDS))

    assert by_page("c1") == ""
    require_turn(config, journal, olga, Use.VIEW, "c2")
    with pytest.raises(RevealRefused):
        require_turn(config, journal, olga, Use.VIEW, "c3")
    assert "reached" in by_page("c3")
    shop = Shop(config=config, environ={}, now=now, given=keyring)
    assert [one.found for one in due_of(shop)] == [f"Olga reached staff.daily_views on {now.date()}: 2"]
