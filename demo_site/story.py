"""The history of the demo's shop before its first start: consents, requests, an announced policy, a new vendor.

The code of a real shop writes it, once, into the state directory of a new demo.
"""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from urllib.parse import urlencode, urlsplit

from cookieguard import CookieGuard
from cookieguard.config import Config, StatsSettings
from cookieguard.engines.files.undeclared_loads import UndeclaredLoadsFile
from cookieguard.engines.retention import do
from cookieguard.features.feature import Place
from cookieguard.features.outbox.outbox import outbox_opener
from cookieguard.features.outbox.recipients import Recipients
from cookieguard.features.people.journal import Journal
from cookieguard.features.policy.announcement_run import fill_run, load_customers, run_of
from cookieguard.features.policy.announcing import announce, find_version
from cookieguard.features.policy.folder import read_versions
from cookieguard.features.records.acts import Acts, acts_of
from cookieguard.features.retention import jobs_of
from cookieguard.features.rights.enqueue import NewRequest, ask
from cookieguard.features.rights.requests import requests_opener
from cookieguard.features.rights.values.requests import Act, Request, Via, answer_told, noted
from cookieguard.features.rights.values.rules import Law, RequestKind
from cookieguard.features.statistics.asked import asked_on, note_asked
from cookieguard.storage.keyring_source import find_keyring
from cookieguard.storage.state_directory import StateDirectory
from cookieguard.storage.store.open import store_opener
from cookieguard.web.banner.renderer import Renderer

NEWCOMER = "pixel.localhost"  # a host that Glimmer's script loads since this week
DAYS_OF_RECORDS = 14
# The answers of the visitors of one day: most agree to something.
CHOICES = ("accept", "reject", "accept", "save", "reject")
HIDDEN = re.compile(r'name="(banner|form)" value="([^"]*)"')
PAGE = b"<!doctype html><html lang=en><head><title>Kiln</title></head><body><h1>Kiln &amp; Kettle</h1></body></html>"
# Entries of the access journal: hours ago, event, member, role, subject, customer.
LOOKS = (
    (50, "signed in", "Demo support", "support", "with a passkey", ""),
    (49, "looked", "Demo support", "support", "a request", "10042"),
    (27, "refused", "", "", "a token at the sign-in", ""),
    (26, "signed in", "Demo officer", "officer", "with a link", ""),
    (25, "looked", "Demo officer", "officer", "people and access journal", ""),
)


def tell(config: Config, version: str, *, now: datetime) -> None:
    """Write the whole history. The statistics and the policy's folder must exist already."""
    state = StateDirectory(config.state_dir)
    asyncio.run(_choose(config, now))
    keyring = find_keyring(state.path, config.keys, environ=os.environ)
    journal = Journal(state, keyring)
    for hours, event, who, role, what, customer in LOOKS:
        at = now - timedelta(hours=hours)
        journal.write(at, event, who=who, role=role, what=what, customer=customer)
    loads = UndeclaredLoadsFile(state)
    for days in (4, 2, 0):
        loads.add(NEWCOMER, "Glimmer Ads", "/catalogue", (now - timedelta(days=days)).date())
    asked = asked_on(now - timedelta(days=50), config, Renderer(config))
    note_asked(state.path, asked._replace(vendors=asked.vendors[1:]))
    note_asked(state.path, asked._replace(day=(now - timedelta(days=20)).date()))
    with closing(requests_opener(config, keyring, state, environ=os.environ)()) as queue:
        _ask(queue, config, now)
    _announce(config, state, keyring, version, now)
    do(jobs_of(Place(config, state.path, os.environ)), now)  # the hourly job of a shop


async def _choose(config: Config, now: datetime) -> None:
    """Answer the banner as visitors of the last two weeks, so that the consent log has records."""
    begin = now - timedelta(days=DAYS_OF_RECORDS)
    times = [begin]
    quiet = replace(config, stats=StatsSettings(enabled=False))
    guarded = CookieGuard(_page, quiet, clock=lambda: times[0])
    host = urlsplit(config.origins[0]).netloc
    for number in range(DAYS_OF_RECORDS * len(CHOICES)):
        times[0] = (
            now
            - timedelta(days=DAYS_OF_RECORDS)
            + timedelta(hours=24 * number / len(CHOICES), minutes=number)
        )
        shown = await _asked(guarded, "GET", "/", host)
        fields = [
            *HIDDEN.findall(shown),
            ("choice", CHOICES[number % len(CHOICES)]),
            ("purpose", "statistics"),
        ]
        await _asked(guarded, "POST", "/_cg/consent", host, urlencode(fields).encode())
    guarded.close()


async def _page(_: Any, __: Any, send: Callable[..., Any]) -> None:
    headers = [(b"content-type", b"text/html; charset=utf-8")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": PAGE})


async def _asked(app: CookieGuard, method: str, path: str, host: str, body: bytes = b"") -> str:
    parts: list[bytes] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        parts.append(message.get("body", b""))

    names = {
        "host": host,
        "sec-fetch-site": "same-origin",
        "sec-fetch-dest": "document",
        "accept": "text/html",
    }
    names |= {"content-type": "application/x-www-form-urlencoded"} if body else {}
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [(name.encode(), text.encode()) for name, text in names.items()],
        "client": ("127.0.0.1", 50_000),
        "server": ("127.0.0.1", 8000),
    }
    await app(scope, receive, send)
    return b"".join(parts).decode()


def _ask(queue: Any, config: Config, now: datetime) -> None:
    """Enter four letters: one due tomorrow, two with time left, and one that was refused."""
    letters = (
        (RequestKind.CORRECT, "10042", "My name is spelled Mara Lindt.", _due_in(1, now)),
        (
            RequestKind.OBJECT,
            "10077",
            "I do not want Swift Parcels to get my address.",
            now - timedelta(days=3),
        ),
        (RequestKind.EXPORT, "10042", "Bitte senden Sie mir meine Daten.", now - timedelta(days=2)),
        (RequestKind.CORRECT, "10077", "Put my order of May on the bill of June.", now - timedelta(days=9)),
    )
    asked: list[Request] = []
    for kind, customer, text, received in letters:
        asking = NewRequest(
            kind=kind,
            via=Via.STAFF,
            customer=customer,
            contact="by letter",
            text=text,
            language="de" if kind is RequestKind.EXPORT else "",
            entered_by="Demo support",
            received=received,
        )
        asked.append(ask(queue, config, asking, now=now)[0])
    why = "A bill names the day of its order (§ 14 UStG). You can complain to the data protection authority."
    refused = asked[-1].id
    day = now - timedelta(days=1)
    queue.change(refused, partial(noted, act=Act.REFUSED, now=day, by="Demo officer", text=why))
    queue.change(refused, partial(answer_told, now=day, by="Demo officer", text="by letter"))


def _due_in(days: int, now: datetime) -> datetime:
    """Return a day of receipt from which the deadline of one month ends in so many days."""
    wanted = (now + timedelta(days=days)).date()
    for ago in range(35, 20, -1):
        received = now - timedelta(days=ago)
        asked = Request(
            id="x", kind=RequestKind.CORRECT, law=Law.GDPR, received=received, via=Via.STAFF, contact="x"
        )
        if asked.due(now) == wanted:
            return received
    raise ValueError(f"no day is {days} days before the end of a month")


def _announce(config: Config, state: StateDirectory, keyring: Any, name: str, now: datetime) -> None:
    """Announce the newest version, and put its notices into the outbox; `cookieguard policy send` sends them."""
    versions = read_versions(config)
    version, recipients = find_version(versions, name), Recipients(keyring)
    days = config.policy.notice_days
    with (
        closing(store_opener(config, state.path, environ=os.environ, keyring=keyring)()) as store,
        closing(outbox_opener(config.store, state.path, environ=os.environ)()) as outbox,
        acts_of(config, state, keyring, environ=os.environ) as acts,
    ):
        announce(store, versions, version, now=now, notice_days=days, record=acts or Acts(None))
        customers = load_customers(config.mail.customers)
        asyncio.run(
            fill_run(outbox, run_of(version), customers, recipients, now=now, progress=lambda _: None)
        )
