"""Under abuse, readers of the consent log delay no choice, and clients cannot fill the disk."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import time
from collections.abc import Callable
from contextlib import ExitStack
from datetime import datetime, timedelta
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from harness.asgi import Answer, ask, drive, page, scope_of
from harness.disks import filled, small_disk
from harness.locks import locked
from harness.parts import log_of
from harness.servers import START_SECONDS, wait_until
from harness.shops import NOW

from cookieguard import CookieGuard, Vendor, visitor_of
from cookieguard.config.store import StoreSettings
from cookieguard.consent import Receipt
from cookieguard.engines.doctor_shop import Shop
from cookieguard.features.records.checks import checks_of
from cookieguard.features.records.choice_budget import CHOICE_BYTES, DAY_BYTES, spent_today
from cookieguard.features.records.values.log import Acknowledgement
from cookieguard.features.records.values.records import Record, browser
from cookieguard.features.records.web.consent_log import GRANTS_A_MINUTE

from .test_consent_log import COOKIE, FORM, HTML, OWN, choose, recorded

Guard = Callable[..., CookieGuard]
MANY = int(os.environ.get("CHOICES", "12000"))  # of one cookie; a client made 30,000 in 36 s
MANY_CHOICES = 15  # of one cookie within two seconds
ADDRESS = "198.51.100.7"
PAGES = 10  # privacy pages that are asked for at once
PAGE_SECONDS = 0.1  # of CPU; the bar is 0.05
COUNTS_SECONDS = 2.0  # until a bystander's grant counts; the bar is 1


def wait_for(promises: list[Acknowledgement]) -> None:
    until = time.monotonic() + START_SECONDS
    while not all(one.is_kept for one in promises):
        assert time.monotonic() < until
        time.sleep(0.01)


def with_many_choices(app: CookieGuard, count: int) -> str:
    """Give a visitor so many refusals in the log before one choice; return the cookie."""
    chosen = choose(app, "save", purposes=("statistics",))
    log, promises = log_of(app), []
    subject = browser_subject(app, chosen.cookies()[COOKIE])
    for number in range(count):
        time_of_it = NOW - timedelta(seconds=count - number)
        record = Record(kind="consent", topic="refusal", subject=subject, time=time_of_it, facts={})
        promises.append(log.writer.append_later(record.id, lambda record=record: record))
        if len(promises) == 1000:
            wait_for(promises)
            promises.clear()
    wait_for(promises)
    return chosen.cookies()[COOKIE]


def asked(path: str, *, cookie: str = "", body: str = "") -> Answer:
    headers = [FORM, OWN, ("accept", "application/json")] if body else []
    headers += [("cookie", f"{COOKIE}={cookie}")] if cookie else []
    return Answer(scope=scope_of(path, method="POST" if body else "GET", headers=headers))


def test_no_choice_waits_while_the_long_history_of_one_cookie_is_read(guard: Guard) -> None:
    app = guard(page(HTML))
    cookie = with_many_choices(app, MANY)
    times = []
    for _ in range(4):  # the least: the process also frees memory of other tests
        before = time.process_time()
        shown = ask(app, path="/_cg/privacy", headers=[("cookie", f"{COOKIE}={cookie}")])
        times.append(time.process_time() - before)
    took = min(times)

    async def crowd() -> tuple[Answer, float]:
        pages = [asyncio.create_task(drive(app, asked("/_cg/privacy", cookie=cookie))) for _ in range(PAGES)]
        await asyncio.sleep(0)
        began, bystander = time.monotonic(), asked("/_cg/consent", body="choice=accept")
        await drive(app, bystander, b"choice=accept")
        counted = time.monotonic() - began
        await asyncio.gather(*pages)
        return bystander, counted

    bystander, counted = asyncio.run(crowd())
    print(f"a page takes {took:.3f} s of CPU; a grant counts after {counted:.3f} s beside {PAGES} pages")
    assert "(20)" in shown.text
    assert took <= PAGE_SECONDS
    assert json.loads(bystander.body).get("pending") is None
    assert counted <= COUNTS_SECONDS


def test_the_newest_choice_is_shown_first_among_any_number_of_others(guard: Guard) -> None:
    app = guard(page(HTML))
    cookie = with_many_choices(app, 50)

    shown = unescape(ask(app, path="/_cg/privacy", headers=[("cookie", f"{COOKIE}={cookie}")]).text)

    history = shown.partition("<details><summary>")[2].partition("</details>")[0]
    assert "(20)" in history
    assert "Statistics" in history.partition("</li>")[0]
    assert history.count("Statistics") == 1


def test_an_agreement_is_found_among_any_number_of_other_records(guard: Guard) -> None:
    found: list[Any] = []

    async def form(scope: Any, receive: Any, send: Any) -> None:
        visitor = visitor_of(scope)
        if scope["method"] == "POST":
            for topic in ("newsletter", "terms"):
                visitor.agree(topic, text="Yes", given=True)
            visitor.agree("newsletter", text="No", given=False)
        found[:] = [(one.topic, one.given) for one in await visitor.agreements()]
        await page(b"{}", headers=[("content-type", "application/json")])(scope, receive, send)

    app = guard(form)
    cookie = with_many_choices(app, 5)
    headers = [("cookie", f"{COOKIE}={cookie}")]
    ask(app, path="/", method="POST", headers=headers)
    expected = [("newsletter", False), ("terms", True)]
    assert found == expected  # of this very request, too
    with_more = browser_subject(app, cookie)
    for topic in ("consent", "agreement"):
        promises = []
        for number in range(300):
            record = Record(
                kind=topic,
                topic="refusal" if topic == "consent" else "age",
                subject=with_more,
                time=NOW + timedelta(seconds=number),
                facts={"cg:given": True, "cg:details": {}},
            )
            promises.append(log_of(app).writer.append_later(record.id, lambda record=record: record))
        wait_for(promises)

    ask(app, path="/", headers=headers)

    assert found == [("age", True), *expected]


def browser_subject(app: CookieGuard, cookie: str) -> str:
    return browser(receipt_of(app, cookie).subject)


def receipt_of(app: CookieGuard, cookie: str) -> Receipt:
    consent = app._parts.consents.read(cookie, host="shop.example", gpc=False, now=NOW)
    assert consent.receipt is not None
    return consent.receipt


class Clock:
    """A clock that tests set."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


def decided(answer: Answer) -> tuple[str, bool]:
    """Return what counts after a choice, and whether the log does not have it yet."""
    told = json.loads(answer.body)
    return told["state"], told.get("pending", False)


def use_up(app: CookieGuard, *, choices: int = 0, now: datetime = NOW) -> None:
    """Spend what the address of the tests may add to the log today, but so many choices."""
    log = log_of(app)
    assert log is not None
    log.look_ahead(now)  # as each worker does once a second
    spent, _ = spent_today(app.config.runtime_dir, Path(app.config.state_dir), now)
    assert log._budget.spend(ADDRESS, DAY_BYTES - spent - choices * log._bytes, now)


def test_log_keeps_the_first_and_last_of_many_choices_of_one_cookie_in_a_minute(
    guard: Guard,
) -> None:
    clock = Clock()
    app = guard(page(HTML), clock=clock)
    cookie, told = "", []
    for number in range(MANY_CHOICES):
        clock.now += timedelta(milliseconds=100)
        purposes = ("statistics",) if number % 2 else ("marketing",)
        answer = choose(app, "save", cookie, purposes=purposes)
        cookie = answer.cookies()[COOKIE]
        told.append(decided(answer)[1])
    last = cookie
    early = ask(app, headers=[("cookie", f"{COOKIE}={last}")])
    clock.now += timedelta(minutes=1)
    wait_until(
        lambda: COOKIE in ask(app, headers=[("cookie", f"{COOKIE}={last}")]).cookies(), "it is recorded"
    )

    assert told == [False] * GRANTS_A_MINUTE + [True] * (MANY_CHOICES - GRANTS_A_MINUTE)
    assert COOKIE not in early.cookies()
    assert "count.example" not in early.get("content-security-policy")  # granted last, and not recorded
    records = recorded(app)
    assert len(records) == GRANTS_A_MINUTE + 1
    assert [one["dct:identifier"] for one in records[:-1]]
    assert records[-1]["dct:identifier"] == receipt_of(app, last).id
    assert "cg:recordedLate" in records[-1]


def test_a_refusal_is_recorded_after_as_many_grants_as_one_cookie_may_make(guard: Guard) -> None:
    app = guard(page(HTML))
    cookie = ""
    for _ in range(GRANTS_A_MINUTE + 3):
        accepted = choose(app, "accept", cookie)
        refused = choose(app, "reject", accepted.cookies()[COOKIE])
        assert decided(refused) == ("refused", False)
        cookie = refused.cookies()[COOKIE]

    assert recorded(app)[-1]["dct:identifier"] == receipt_of(app, cookie).id


def test_grant_from_an_address_over_its_daily_limit_waits_for_the_next_day(guard: Guard) -> None:
    clock = Clock()
    app = guard(page(HTML), clock=clock)
    beside = guard(page(HTML), clock=clock)  # another worker of this machine
    use_up(app, choices=2)

    within = [choose(worker, "accept") for worker in (app, beside)]
    beyond = [choose(worker, "accept") for worker in (app, beside)]
    neighbour = choose(app, "accept", client=("198.51.100.8", 4711))
    waits = beyond[0].cookies()[COOKIE]
    early = ask(beside, headers=[("cookie", f"{COOKIE}={waits}")])
    clock.now += timedelta(days=1)
    wait_until(
        lambda: COOKIE in ask(beside, headers=[("cookie", f"{COOKIE}={waits}")]).cookies(), "it is recorded"
    )

    assert [decided(one) for one in (*within, neighbour)] == [("all", False)] * 3
    assert [decided(one) for one in beyond] == [("refused", True)] * 2
    assert json.loads(beyond[0].body)["message"].startswith("Your choice is saved.")
    assert "ads.example" not in early.get("content-security-policy")
    assert len(recorded(app)) == 4


def test_an_address_is_counted_on_after_the_memory_of_its_count_was_emptied(guard: Guard) -> None:
    """As logind does with the last session of the shop's user (RemoveIPC)."""
    app = guard(page(HTML))
    choose(app, "accept")
    shutil.rmtree(log_of(app)._budget._path.parent)
    use_up(app)

    assert decided(choose(app, "accept")) == ("refused", True)


def test_a_withdrawal_counts_at_once_behind_an_address_that_used_up_its_day(guard: Guard) -> None:
    app = guard(page(HTML))
    granted = choose(app, "accept").cookies()[COOKIE]
    use_up(app)

    partly = choose(app, "save", granted, purposes=("statistics",))
    refused = choose(app, "reject", granted)

    assert (decided(partly), decided(refused)) == (("partly", True), ("refused", True))
    shown = ask(app, headers=[("cookie", f"{COOKIE}={refused.cookies()[COOKIE]}")])
    assert "ads.example" not in shown.get("content-security-policy")


@pytest.mark.parametrize("fault", ["locked", "full disk"])
def test_refusing_works_while_the_log_is_down(guard: Guard, tmp_path: Path, fault: str) -> None:
    with ExitStack() as faults:
        place = tmp_path
        if fault == "full disk":
            place = faults.enter_context(small_disk(tmp_path / "small", size="3m"))
        app = guard(page(HTML), state_dir=str(place / "state"), store=StoreSettings(enabled=False))
        granted = choose(app, "accept").cookies()[COOKIE]
        faults.enter_context(filled(place) if fault == "full disk" else locked(place / "state" / "log.db"))

        refused, again = choose(app, "reject", granted), choose(app, "accept")

        assert decided(refused) == ("refused", True)
        assert decided(again) == ("refused", True)  # a grant fails closed
        shown = ask(app, headers=[("cookie", f"{COOKIE}={refused.cookies()[COOKIE]}")])
        assert (shown.status, "ads.example" in shown.get("content-security-policy")) == (200, False)
        app.close()


@pytest.mark.parametrize("vendors", [0, 30])
def test_a_choice_takes_no_more_of_the_disk_than_it_is_counted_as(
    guard: Guard, tmp_path: Path, vendors: int
) -> None:
    """With each choice in a checkpoint of its own it is 1,300 bytes, which takes five minutes to see."""
    named = tuple(
        Vendor(name=f"Vendor number {number * 7919} Inc.", purpose="marketing", hosts=(f"v{number}.example",))
        for number in range(vendors)
    )
    app = guard(page(HTML), vendors=named)
    shown = ask(app).text.partition('name="banner" value="')[2].partition('"')[0]

    async def crowd() -> None:
        for _ in range(10):
            answers = [asked("/_cg/consent", body="choice") for _ in range(100)]
            body = f"choice=accept&banner={shown}".encode()
            await asyncio.gather(*[drive(app, one, body) for one in answers])

    asyncio.run(crowd())
    app.close()
    added, used_up = spent_today(app.config.runtime_dir, Path(app.config.state_dir), NOW)
    taken = sum((tmp_path / "state" / name).stat().st_size for name in ("log.db", "subjects.db"))
    print(f"{taken / 1000:.0f} bytes a choice with {vendors} vendors, counted as {added / 1000:.0f}")

    assert (added // 1000 >= CHOICE_BYTES, used_up) == (True, 0)
    assert taken <= added


def test_the_doctor_names_an_address_that_used_up_its_day(guard: Guard, tmp_path: Path) -> None:
    app = guard(page(HTML))
    choose(app, "accept")
    app.close()

    def told() -> tuple[str, str]:
        found = checks_of(Shop(config=app.config, environ={}, now=NOW))
        return next((one.found, one.mend) for one in found if one.check == "consent log's growth")

    before = told()
    use_up(app)
    after = told()

    assert before == ("choices added about 0 MB today (UTC) on this machine", "")
    assert after[0].startswith("choices added about 100 MB today")
    assert after[0].endswith("1 networks used up their 100 MB, and their grants wait until midnight")
    assert "trusted_proxies" in after[1]
