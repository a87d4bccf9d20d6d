"""The consent log while somebody abuses it: reading delays no choice, and no client fills the disk."""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Callable
from datetime import timedelta
from html import unescape
from typing import Any

from harness.asgi import Answer, ask, drive, page, scope_of
from harness.servers import START_SECONDS

from cookieguard import CookieGuard, visitor_of
from cookieguard.consent import Receipt
from cookieguard.proof.log import Acknowledgement
from cookieguard.proof.records import Record, browser

from .conftest import NOW
from .test_consent_log import COOKIE, FORM, HTML, OWN, choose

Guard = Callable[..., CookieGuard]
MANY = int(os.environ.get("CHOICES", "12000"))  # of one cookie; a client made 30,000 in 36 s
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
    parts, promises = app._parts, []
    assert parts.proof is not None
    subject = browser_subject(app, chosen.cookies()[COOKIE])
    for number in range(count):
        time_of_it = NOW - timedelta(seconds=count - number)
        record = Record(kind="consent", topic="refusal", subject=subject, time=time_of_it, facts={})
        promises.append(parts.proof.writer.append_later(record.id, lambda record=record: record))
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
    ask(app, path="/_cg/privacy", headers=[("cookie", f"{COOKIE}={cookie}")])
    before = time.process_time()
    shown = ask(app, path="/_cg/privacy", headers=[("cookie", f"{COOKIE}={cookie}")])
    took = time.process_time() - before

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
    assert app._parts.proof is not None
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
            promises.append(app._parts.proof.writer.append_later(record.id, lambda record=record: record))
        wait_for(promises)

    ask(app, path="/", headers=headers)

    assert found == [("age", True), *expected]


def browser_subject(app: CookieGuard, cookie: str) -> str:
    return browser(receipt_of(app, cookie).subject)


def receipt_of(app: CookieGuard, cookie: str) -> Receipt:
    consent = app._parts.consents.read(cookie, host="shop.example", gpc=False, now=NOW)
    assert consent.receipt is not None
    return consent.receipt
