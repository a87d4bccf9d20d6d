"""Erase customers again after a backup was restored; the queue or the journal knows who was erased."""

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
    """Name the requests whose customers could not be erased again, but not the customers."""


class OpenShop(NamedTuple):
    """Hold the open queue, store, journal and hooks of the shop whose customers are erased again."""

    config: Config
    requests: Requests
    store: Store
    personal: Mapping[str, PersonalData]
    erased: ErasedCustomers
    hooks: Any
    ask: Callable[[Callable[[], Any]], Awaitable[Any]]
    """Run a function in the thread that owns the connections of queue and store."""


async def erase_again(shop: OpenShop, *, now: datetime) -> int:
    """Erase customers again, and return how many; requests that the restored queue lost are added to it."""
    known = await shop.ask(partial(_erased_requests, shop, now))
    lost = await shop.ask(partial(_without_row, shop, shop.erased.requests(shop.erased.journal.read(now))))
    await _erase_each(shop, known, lost, now)
    return len(known) + len(lost)


async def catch_up(shop: OpenShop, restore: AfterRestore, *, now: datetime) -> None:
    """Apply the journal to restored databases; an erasure that the queue lost runs the shop's hooks as well."""
    await shop.ask(partial(restore.attach, shop.store))
    try:
        await asyncio.to_thread(shop.erased.tidy_daily, now)
    except OSError as error:
        logger.warning("journal: old lines stay until the next run (%s)", error.strerror)
    number = await asyncio.to_thread(restore.journal.merge, now)
    behind = await shop.ask(lambda: list(restore.behind(now)))
    for database in (database for database in behind if database.name == QUEUE):
        for request in database.requests:
            await shop.ask(partial(shop.requests.forget_copies, request.customer))
        try:
            await _erase_each(shop, [], await shop.ask(partial(_without_row, shop, database.requests)), now)
        except NotErased as error:
            logger.error("journal: %s", error)
            return
        await asyncio.to_thread(restore.note_applied, database)
    if not shop.erased.unreadable:
        await shop.ask(partial(restore.raise_marks, number, (QUEUE,)))


async def _erase_each(
    shop: OpenShop, known: Sequence[Request], lost: Sequence[Request], now: datetime
) -> None:
    failed = []
    for request in known:
        try:
            await _erase(shop, request, now, steps=request.done_steps if request.may_change else ALL)
        except Exception as error:  # noqa: BLE001 - a hook may raise anything; the others must still be erased
            failed.append(f"request {request.id}: {reason_of(error, request)}")
    for request in lost:
        try:
            done = await _erase_lost(shop, request, now)
            await shop.ask(partial(shop.requests.add, done, has_work=True))
        except Exception as error:  # noqa: BLE001
            failed.append(f"request {request.id}: {reason_of(error, request)}")
    if failed:
        count = len(known) + len(lost)
        raise NotErased(
            f"{len(failed)} of {count} customers were not erased again ({'; '.join(failed)}); run the command again"
        )


def _erased_requests(shop: OpenShop, now: datetime) -> list[Request]:
    """Return the erasures done in the last `rights.backup_days`, answered or not, and those that were begun."""
    since = now - timedelta(days=shop.config.rights.backup_days)
    rows = (*shop.requests.every_closed(), *shop.requests.every_open(now))
    erased = [request for request in rows if request.kind is RequestKind.ERASE and request.customer]
    done = [
        request
        for request in erased
        if request.state is State.DONE and request.closed_at is not None and request.closed_at >= since
    ]
    return [*done, *(request for request in erased if _is_begun(request, now))]


def _is_begun(request: Request, now: datetime) -> bool:
    """Return whether steps of an open request are done, and no hold or doubt about identity stops the others."""
    until = request.held_until
    is_free = request.state is State.OPEN and (until is None or request.end_of(until) <= now)
    return is_free and bool(request.done_steps)


def _without_row(shop: OpenShop, erased: Sequence[Request]) -> list[Request]:
    return [request for request in erased if shop.requests.queue.read(request.id) is None]


async def _erase(shop: OpenShop, request: Request, now: datetime, *, steps: Sequence[str]) -> list[Retained]:
    """Repeat these steps, and return what the shop keeps; steps that were never done are left to a worker."""
    number, config = request.customer, shop.config
    await shop.ask(partial(end_sessions, shop.store, number, config, now=now))
    await shop.ask(partial(shop.requests.forget_copies, number))
    is_kept = any(item.name == LOG_KEPT for item in request.retained)
    has_log = not is_kept and (Step.LOG in steps or Step.LOG not in request.steps)
    these = [data for name, data in shop.personal.items() if name != LOG or has_log]
    await shop.ask(partial(erase_stored, shop.store, these, number, now=now))
    has_shop = shop.hooks is not None and Step.SHOP in steps
    if not has_shop:
        return []
    return await retained_by(shop.hooks.erase, number, seconds=config.rights.hook_seconds)


async def _erase_lost(shop: OpenShop, request: Request, now: datetime) -> Request:
    """Erase the customer of a request that the queue lost; return the request, closed unless staff must act.

    Staff must repeat the manual steps, because the record of what they did is lost.
    """
    left = await _erase(shop, request, now, steps=ALL)
    if not request.may_change:
        return request
    log = [(item.name, item.until, item.text) for item in request.retained if item.name == LOG_KEPT]
    request = with_retained(request, [*left, *log], now=now)
    for name in request.open_steps:
        if name in ALL and (name != Step.SHOP or shop.hooks is not None):
            request = step_done(request, name, now=now, by=WORKER, text=AGAIN)
    if request.open_steps:
        return request
    request = noted(request, Act.DONE, now=now, by=WORKER, text=answer_of(request, shop.config))
    return answer_told(request, now=now, by=WORKER, text=AGAIN)
