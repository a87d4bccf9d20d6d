"""The worker that answers privacy requests: it leases a request, does its steps, and notes each before the next.

If a worker dies, another one continues, so a crash between doing and noting a step makes it run twice. The queue leases
only one request of a person at a time, and the worker renews its lease while a hook runs.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from functools import partial
from typing import Any, TypeVar

from cookieguard.config import Config
from cookieguard.features.feature import PersonalData
from cookieguard.features.records.writer import LogWriter
from cookieguard.features.rights.after_restore import AfterRestore
from cookieguard.features.rights.copy import make_copy
from cookieguard.features.rights.hook_calls import contact_of, reason_of, retained_by
from cookieguard.features.rights.notifications import Letters, mail, notify_vendors
from cookieguard.features.rights.own_data import (
    LOG,
    LOG_KEPT,
    LOG_REASON,
    copies_of,
    end_sessions,
    erase_stored,
    record_erasure,
    stored_of,
)
from cookieguard.features.rights.queue import QueueDown
from cookieguard.features.rights.reerasure import OpenShop, catch_up, erase_again
from cookieguard.features.rights.refusals_by_staff import opt_out
from cookieguard.features.rights.requests import ERASED, Requests
from cookieguard.features.rights.values.answers import answer_of, needs_words
from cookieguard.features.rights.values.by_staff import must_wait
from cookieguard.features.rights.values.let_in import vendors_let_in
from cookieguard.features.rights.values.plan import Step, by_hand
from cookieguard.features.rights.values.requests import (
    WORKER,
    Act,
    Request,
    State,
    noted,
    step_done,
    try_failed,
    with_retained,
)
from cookieguard.features.rights.values.rules import RequestKind
from cookieguard.storage.store.protocol import Store

logger = logging.getLogger("cookieguard")
Answer = TypeVar("Answer")

LEASE_SECONDS = 60.0
RENEW_SECONDS = 15.0
FIRST_DELAY, LONGEST_DELAY = 60.0, 6 * 3600.0  # after a failure: a minute, two, four, ... six hours


@dataclass(slots=True)
class Worker:
    """Work on the requests of one shop, one after the other. Owns its lease, the open queue and the open store."""

    _config: Config
    _requests: Requests
    _store: Store
    _personal: Mapping[str, PersonalData]
    _log_writer: LogWriter | None
    _letters: Letters
    _restore: AfterRestore
    _thread: ThreadPoolExecutor
    """Only for queue and store: a cancelled call keeps running in it until it ends."""
    _hooks: Any
    _clock: Callable[[], datetime]
    _lease_seconds: float
    _lease: str = field(default="", init=False)

    async def begin(self) -> None:
        """Reseal the queue with the current key, and apply the journal of erasures to restored databases."""
        if not self._requests.is_sealed_anew:
            await self._ask(lambda queue: queue.seal_anew())
        await catch_up(self._opened(), self._restore, now=self._clock())

    async def work_once(self) -> bool:
        """Do the due work of one request; return False if none is due. Raises QueueDown."""
        self._lease = secrets.token_hex(8)
        claimed = await self._ask(lambda queue: queue.claim(self._lease, self._lease_seconds))
        if claimed is None:
            return False
        request, tries = claimed
        renewing = asyncio.create_task(self._renew(request.id))
        working = asyncio.create_task(self._work(request))
        try:
            await asyncio.wait((renewing, working), return_when=asyncio.FIRST_COMPLETED)
            if not working.done():  # another worker has the lease
                return True
            await self._end(request, working, tries)
        finally:
            renewing.cancel()
            working.cancel()
        return True

    async def work_all(self) -> int:
        """Do all due work; return how many requests had some."""
        count = 0
        while await self.work_once():
            count += 1
        return count

    async def again(self) -> int:
        """Erase recently erased customers again, because a restored backup may contain them; return how many."""
        return await erase_again(self._opened(), now=self._clock())

    def _opened(self) -> OpenShop:
        opened = self._config, self._requests, self._store, self._personal, self._restore.erased, self._hooks
        return OpenShop(*opened, ask=self._in_thread)

    async def _end(self, request: Request, working: asyncio.Task[float | None], tries: int) -> None:
        error = working.exception()
        if isinstance(error, QueueDown):
            raise error
        if error is None:
            await self._release(request.id, work_in=working.result(), failed=False)
            return
        reason = reason_of(error, request)
        step = getattr(error, "cookieguard_step", "")
        logger.warning("request %s: %s: %s; it stays open and is tried again", request.id, step, reason)

        def note(old: Request) -> Request:
            return try_failed(old, now=self._clock(), name=step, text=reason)

        await self._ask(lambda queue: queue.change(request.id, note))
        delay = min(LONGEST_DELAY, FIRST_DELAY * 2 ** min(tries, 20))
        await self._release(request.id, work_in=delay, failed=True)

    async def _work(self, request: Request) -> float | None:
        """Do the possible steps, then mail a notice of delay: neither waits for the other, even if one fails."""
        try:
            more = await self._go_on(request)
        except Exception:
            with suppress(Exception):  # the step's error is reported; the mail is tried again with the step
                await self._mail_delay(request.id)
            raise
        await self._mail_delay(request.id)
        return more

    async def _mail_delay(self, id_: str) -> None:
        if (found := await self._ask(lambda queue: queue.find(id_))) is not None and found.delay_pending:
            await self._mail(found)

    async def _go_on(self, request: Request) -> float | None:
        """Do the possible work on a request; return the seconds until there is more, None if a person must act."""
        if request.may_change:
            request = await self._do_steps(request)
            if must_wait(request):
                return None
            if (on_hold := self._until(request, request.held_until)) > 0:
                return on_hold
            if request.open_steps or needs_words(request):
                return None
            answer = answer_of(request, self._config)
            request = await self._change(
                request.id, lambda old: noted(old, Act.DONE, now=self._clock(), by=WORKER, text=answer)
            )
        if request.answer_pending:
            request = await self._mail(request)
        return await self._look_after(request)

    async def _do_steps(self, request: Request) -> Request:
        """Do the steps that need no person; a hold or a doubt about identity, entered meanwhile, stops the next one."""
        waits = by_hand(request.steps, has_hooks=self._hooks is not None)
        for name in request.open_steps:
            if name in waits:
                continue
            if must_wait(request) or self._until(request, request.held_until) > 0:
                break
            try:
                request = await self._steps[Step(name)](await self._with_let_in(request))
            except Exception as error:
                error.cookieguard_step = name  # type: ignore[attr-defined]  # named in the log
                raise
            request = await self._change(
                request.id, partial(step_done, name=name, now=self._clock(), by=WORKER)
            )
        return request

    @property
    def _steps(self) -> Mapping[Step, Callable[[Request], Awaitable[Request]]]:
        return {
            Step.SESSIONS: self._sessions,
            Step.STORED: self._stored,
            Step.SHOP: self._shop,
            Step.RECIPIENTS: self._recipients,
            Step.LOG: self._log,
            Step.COLLECT: self._collect,
            Step.SIGNAL: self._signal,
        }

    async def _sessions(self, request: Request) -> Request:
        now = self._clock()
        await self._in_thread(lambda: end_sessions(self._store, request.customer, self._config, now=now))
        return request

    async def _stored(self, request: Request) -> Request:
        await self._note_erased(request)
        await self._ask(lambda queue: queue.forget_copies(request.customer))
        names = [name for name in self._personal if name != LOG or Step.LOG not in request.steps]
        these, number, now = [self._personal[name] for name in names], request.customer, self._clock()
        await self._in_thread(lambda: erase_stored(self._store, these, number, now=now))
        return request

    async def _shop(self, request: Request) -> Request:
        request = await self._with_contact(request)  # the hook deletes it
        await self._note_erased(request)
        hook = self._hooks.erase if request.kind is RequestKind.ERASE else self._hooks.deactivate
        left = await retained_by(hook, request.customer, seconds=self._config.rights.hook_seconds)
        return await self._change(request.id, lambda old: with_retained(old, left, now=self._clock()))

    async def _note_erased(self, request: Request) -> None:
        """Write the erasure into the journal, which outlives a restored backup, before anything is deleted."""
        if request.kind is RequestKind.ERASE:
            await asyncio.to_thread(self._restore.write_erased, request)

    async def _with_let_in(self, request: Request) -> Request:
        """Store the vendors to notify in the request, before a step destroys the records that name them."""
        if request.let_in is not None or Step.RECIPIENTS not in request.open_steps:
            return request
        copied = await asyncio.to_thread(self._personal[LOG].copy, request.customer)
        found = vendors_let_in((record for _, record in copied), self._config.vendors, self._clock())
        return await self._change(
            request.id, lambda old: replace(old, let_in=found) if old.let_in is None else old
        )

    async def _recipients(self, request: Request) -> Request:
        return await notify_vendors(
            self._letters, self._config.vendors, request, self._change, clock=self._clock
        )

    async def _log(self, request: Request) -> Request:
        now, days = self._clock(), self._config.rights.proof_days
        await self._note_erased(request)
        left = [
            (item.name, "" if item.until is None else item.until.isoformat()) for item in request.retained
        ]
        await asyncio.to_thread(lambda: record_erasure(self._log_writer, request, left, now=now))
        if not days:
            await asyncio.to_thread(self._personal[LOG].erase, request.customer, now)
            return request
        items = [(item.name, item.until, item.text) for item in request.retained if item.name != LOG_KEPT]
        items.append((LOG_KEPT, request.day(now) + timedelta(days=days), LOG_REASON))
        return await self._change(request.id, lambda old: with_retained(old, items, now=now))

    async def _collect(self, request: Request) -> Request:
        request = await self._with_contact(request)
        ours = await self._in_thread(lambda: stored_of(self._store, request.customer))
        ours += await asyncio.to_thread(copies_of, self._personal, request.customer)
        hooks, seconds, now = self._hooks, self._config.rights.hook_seconds, self._clock()
        content = await make_copy(request, ours, self._config, hooks=hooks, seconds=seconds, now=now)

        def keep(queue: Requests) -> None:
            if Step.COLLECT not in queue.require(request.id).done_steps:  # else an officer read another copy
                queue.keep_file(request.id, content)

        await self._ask(keep)
        return request

    async def _signal(self, request: Request) -> Request:
        now = self._clock()
        await self._in_thread(lambda: opt_out(self._store, request.customer, self._config, now=now))
        return request

    async def _with_contact(self, request: Request) -> Request:
        if request.contact or self._hooks is None:
            return request
        contact = await contact_of(self._hooks, request.customer, seconds=self._config.rights.hook_seconds)
        if contact is None:
            return request

        def with_it(old: Request) -> Request:
            language = old.language or contact.language
            return old if old.contact else replace(old, contact=contact.address, language=language)

        return await self._change(request.id, with_it)

    async def _mail(self, request: Request) -> Request:
        return await mail(self._letters, await self._with_contact(request), self._change, now=self._clock())

    async def _look_after(self, request: Request) -> float | None:
        """Delete what a closed request no longer needs; return the seconds until there is more to do."""
        closed, rights = request.closed_at, self._config.rights
        if closed is None:
            return None
        if request.kind is RequestKind.ERASE and request.state is State.DONE and request.contact != ERASED:
            return await self._look_after_erased(request, closed)
        if request.kind is RequestKind.EXPORT:
            if (left := self._seconds(closed + timedelta(days=rights.export_days))) > 0:
                return left
            await self._ask(lambda queue: queue.queue.forget_file(request.id))
        if (left := self._seconds(closed + timedelta(days=rights.keep_days))) > 0 or request.is_open:
            return max(left, 86400.0)
        await self._ask(lambda queue: queue.queue.forget(request.id))
        return None

    async def _look_after_erased(self, request: Request, closed: datetime) -> float | None:
        """Erase retained data once their day is over, and at last remove the person from the request."""
        days = [item.until for item in request.retained if item.until is not None]
        if request.retained:
            if not days:
                return 86400.0
            if (left := self._until(request, min(days))) > 0:
                return left
            request = await self._erase_rest(request)
            return 0.0 if not request.retained else 86400.0
        if (left := self._seconds(closed + timedelta(days=self._config.rights.backup_days))) > 0:
            return left
        if request.is_open:  # the person must get the answer first
            return 86400.0
        await self._ask(lambda queue: queue.forget_person(request.customer, request.contact))
        return 86400.0

    async def _erase_rest(self, request: Request) -> Request:
        now, number = self._clock(), request.customer
        stays = [item for item in request.retained if item.name == LOG_KEPT]
        if stays and self._until(request, stays[0].until) <= 0:
            await asyncio.to_thread(self._personal[LOG].erase, number, now)
            stays = []
        left = []
        if self._hooks is not None:
            left = await retained_by(self._hooks.erase, number, seconds=self._config.rights.hook_seconds)
        items = [*left, *((item.name, item.until, item.text) for item in stays)]
        return await self._change(request.id, lambda old: with_retained(old, items, now=now))

    def _until(self, request: Request, day: date | None) -> float:
        """Return the seconds until a day is over; 0 if it is over, or None."""
        return 0.0 if day is None else self._seconds(request.end_of(day))

    def _seconds(self, moment: datetime) -> float:
        return max(0.0, (moment - self._clock()).total_seconds())

    async def _renew(self, id_: str) -> None:
        """Renew the lease until the work ends; return if another worker has the lease.

        If the queue is down, try again: a running hook cannot be stopped, and the lease survives a restart.
        """
        while True:
            await asyncio.sleep(min(RENEW_SECONDS, self._lease_seconds / 4))
            try:
                has_lease = await self._ask(
                    lambda queue: queue.queue.renew(id_, self._lease, self._lease_seconds)
                )
            except QueueDown:
                continue
            if not has_lease:
                logger.warning("request %s: the lease ended; another worker continues the request", id_)
                return

    async def _release(self, id_: str, *, work_in: float | None, failed: bool) -> None:
        lease = self._lease
        await self._ask(lambda queue: queue.queue.release(id_, lease, work_in=work_in, failed=failed))

    async def _change(self, id_: str, change: Callable[[Request], Request]) -> Request:
        return await self._ask(lambda queue: queue.change(id_, change))

    async def _ask(self, question: Callable[[Requests], Answer]) -> Answer:
        return await self._in_thread(lambda: question(self._requests))

    async def _in_thread(self, task: Callable[[], Answer]) -> Answer:
        return await asyncio.get_running_loop().run_in_executor(self._thread, task)
