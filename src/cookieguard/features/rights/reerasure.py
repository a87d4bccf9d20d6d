"""Erase again who was erased lately, after a backup brought them back: the queue knows them, or the journal does."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any, NamedTuple

from cookieguard.config import Config
from cookieguard.errors import CookieGuardError
from cookieguard.features.feature import PersonalData
from cookieguard.features.rights.after_restore import QUEUE, AfterRestore
from cookieguard.features.rights.erased_customers import ErasedCustomers
from cookieguard.features.rights.hook_calls import reason_of, retained_by
from cookieguard.features.rights.own_data import LOG, LOG_KEPT, end_sessions, erase_stored
from cookieguard.features.rights.requests import Requests
from cookieguard.features.rights.values.answers import answer_of
from cookieguard.features.rights.values.plan import Step
from cookieguard.features.rights.values.requests import (
    WORKER,
    Act,
    Request,
    State,
    answer_told,
    noted,
    step_done,
    with_retained,
)
from cookieguard.features.rights.values.rules import RequestKind
from cookieguard.rights.hooks import Retained
from cookieguard.storage.store.protocol import Store

logger = logging.getLogger("cookieguard")
AGAIN = "erased again after a backup was brought back"
ALL = tuple(Step)


class NotErased(CookieGuardError):
    """Say of which requests the customers could not be erased again; never whose they are."""


class Open(NamedTuple):
    """Hold what is opened for it."""

    config: Config
    requests: Requests
    store: Store
    personal: Mapping[str, PersonalData]
    erased: ErasedCustomers
    hooks: Any
    ask: Callable[[Callable[[], Any]], Awaitable[Any]]
    """Ask queue or store, in the thread that speaks with them."""


async def erase_again(at: Open, *, now: datetime) -> int:
    """Erase again, and return how many; one whom the queue lost with the backup has a request in it afterwards."""
    known = await at.ask(partial(_erased_requests, at, now))
    lost = await at.ask(partial(_without_row, at, at.erased.requests(at.erased.journal.read(now))))
    await _erase_each(at, known, lost, now)
    return len(known) + len(lost)


async def catch_up(at: Open, restore: AfterRestore, *, now: datetime) -> None:
    """Apply the journal to databases that were set back; what a restored queue lacks is done with the shop's hooks."""
    await at.ask(partial(restore.attach, at.store))
    try:
        await asyncio.to_thread(at.erased.tidy_daily, now)
    except OSError as error:
        logger.warning("journal: old lines stay until the next run (%s)", error.strerror)
    number = await asyncio.to_thread(restore.journal.merge, now)
    behind = await at.ask(lambda: list(restore.behind(now)))
    for one in (one for one in behind if one.name == QUEUE):
        for request in one.requests:
            await at.ask(partial(at.requests.forget_copies, request.customer))
        try:
            await _erase_each(at, [], await at.ask(partial(_without_row, at, one.requests)), now)
        except NotErased as error:
            logger.error("journal: %s", error)
            return
        await asyncio.to_thread(restore.note_applied, one)
    if not at.erased.unreadable:
        await at.ask(partial(restore.raise_marks, number, (QUEUE,)))


async def _erase_each(at: Open, known: Sequence[Request], lost: Sequence[Request], now: datetime) -> None:
    failed = []
    for request in known:
        try:
            await _erase(at, request, now, steps=request.done_steps if request.may_change else ALL)
        except Exception as error:  # noqa: BLE001 - whatever a hook raises: the others are to be erased as well
            failed.append(f"request {request.id}: {reason_of(error, request)}")
    for request in lost:
        try:
            done = await _erase_lost(at, request, now)
            await at.ask(partial(at.requests.add, done, has_work=True))
        except Exception as error:  # noqa: BLE001
            failed.append(f"request {request.id}: {reason_of(error, request)}")
    if failed:
        count = len(known) + len(lost)
        raise NotErased(
            f"{len(failed)} of {count} customers were not erased again ({'; '.join(failed)}); run the command again"
        )


def _erased_requests(at: Open, now: datetime) -> list[Request]:
    """Return who was erased, whether told of it or not, and whose erasure was begun; nobody else."""
    since = now - timedelta(days=at.config.rights.backup_days)
    rows = (*at.requests.every_closed(), *at.requests.every_open(now))
    erased = [one for one in rows if one.kind is RequestKind.ERASE and one.customer]
    done = [
        one
        for one in erased
        if one.state is State.DONE and one.closed_at is not None and one.closed_at >= since
    ]
    return [*done, *(one for one in erased if _is_begun(one, now))]


def _is_begun(request: Request, now: datetime) -> bool:
    """Return whether steps are done, others are left, and nothing forbids to go on."""
    until = request.held_until
    is_free = request.state is State.OPEN and (until is None or request.end_of(until) <= now)
    return is_free and bool(request.done_steps)


def _without_row(at: Open, erased: Sequence[Request]) -> list[Request]:
    return [one for one in erased if at.requests.queue.read(one.id) is None]


async def _erase(at: Open, request: Request, now: datetime, *, steps: Sequence[str]) -> list[Retained]:
    """Do these steps once more, and return what the shop keeps; a worker does those that were never done."""
    number, config = request.customer, at.config
    await at.ask(partial(end_sessions, at.store, number, config, now=now))
    await at.ask(partial(at.requests.forget_copies, number))
    is_kept = any(one.name == LOG_KEPT for one in request.retained)
    has_log = not is_kept and (Step.LOG in steps or Step.LOG not in request.steps)
    these = [data for name, data in at.personal.items() if name != LOG or has_log]
    await at.ask(partial(erase_stored, at.store, these, number, now=now))
    has_shop = at.hooks is not None and Step.SHOP in steps
    if not has_shop:
        return []
    return await retained_by(at.hooks.erase, number, seconds=config.rights.hook_seconds)


async def _erase_lost(at: Open, request: Request, now: datetime) -> Request:
    """Erase once more whom the queue lost, and return the request as it is then: closed, unless staff have to act.

    Whether they did what is done by hand nobody knows any more.
    """
    left = await _erase(at, request, now, steps=ALL)
    if not request.may_change:
        return request
    log = [(one.name, one.until, one.text) for one in request.retained if one.name == LOG_KEPT]
    request = with_retained(request, [*left, *log], now=now)
    for name in request.open_steps:
        if name in ALL and (name != Step.SHOP or at.hooks is not None):
            request = step_done(request, name, now=now, by=WORKER, text=AGAIN)
    if request.open_steps:
        return request
    request = noted(request, Act.DONE, now=now, by=WORKER, text=answer_of(request, at.config))
    return answer_told(request, now=now, by=WORKER, text=AGAIN)
