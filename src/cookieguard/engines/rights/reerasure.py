"""Erase again who was erased lately, after a backup brought them back: the queue knows them, or the journal does."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from cookieguard.config import Config
from cookieguard.engines.rights.erased_customers import ErasedCustomers
from cookieguard.engines.rights.hook_calls import retained_by
from cookieguard.engines.rights.own_data import LOG_KEPT, PersonalRecords, end_sessions, end_stored
from cookieguard.engines.rights.requests import Requests
from cookieguard.engines.store.protocol import Store
from cookieguard.rights.answers import answer_of
from cookieguard.rights.plan import Step
from cookieguard.rights.requests import (
    WORKER,
    Act,
    Request,
    State,
    answer_told,
    noted,
    step_done,
    with_retained,
)
from cookieguard.rights.rules import RequestKind

AGAIN = "erased again after a backup was brought back"


class Open(NamedTuple):
    """Hold what is opened for it."""

    config: Config
    requests: Requests
    store: Store
    records: PersonalRecords
    erased: ErasedCustomers
    hooks: Any


async def erase_again(at: Open, *, now: datetime) -> int:
    """Erase again, and return how many; one whom the queue lost with the backup has a request in it afterwards."""
    known = await asyncio.to_thread(_erased_requests, at, now)
    lost = await asyncio.to_thread(_requests_without_row, at, now)
    for request in known:
        await _erase(at, request, now)
    for request in lost:
        done = await _erase(at, request, now)
        await asyncio.to_thread(at.requests.add, done, has_work=True)
    return len(known) + len(lost)


def _erased_requests(at: Open, now: datetime) -> list[Request]:
    """Return who was erased, whether told of it or not; nobody whose erasure was refused or withdrawn."""
    since = now - timedelta(days=at.config.rights.backup_days)
    rows = (*at.requests.every_closed(), *at.requests.every_open(now))
    done = [one for one in rows if one.kind is RequestKind.ERASE and one.state is State.DONE and one.customer]
    return [one for one in done if one.closed_at is not None and one.closed_at >= since]


def _requests_without_row(at: Open, now: datetime) -> list[Request]:
    return [one for one in at.erased.requests(now) if at.requests.queue.read(one.id) is None]


async def _erase(at: Open, request: Request, now: datetime) -> Request:
    """Erase once more, and return the request as it is then: closed, unless staff have to do the shop's part."""
    number, config = request.customer, at.config
    await asyncio.to_thread(end_sessions, at.store, number, config, now=now)
    await asyncio.to_thread(end_stored, at.store, number, config)
    left = [] if at.hooks is None else await retained_by(at.hooks.erase, number)
    if config.proof.enabled and all(one.name != LOG_KEPT for one in request.retained):
        await asyncio.to_thread(at.records.erase, number, now=now)
    if not request.may_change:
        return request
    log = [(one.name, one.until, one.text) for one in request.retained if one.name == LOG_KEPT]
    request = with_retained(request, [*left, *log], now=now)
    for name in request.open_steps:
        if name != Step.SHOP or at.hooks is not None:
            request = step_done(request, name, now=now, by=WORKER, text=AGAIN)
    if request.open_steps:
        return request
    request = noted(request, Act.DONE, now=now, by=WORKER, text=answer_of(request, config))
    return answer_told(request, now=now, by=WORKER, text=AGAIN)
