"""The copy of a customer's data as an officer reads it before it is sent: made when they open the customer's file."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, TypeVar

from cookieguard.config import Config
from cookieguard.errors import CookieGuardError
from cookieguard.features.rights.copy import PAGE_NAME, make_copy
from cookieguard.features.rights.hook_calls import reason_of
from cookieguard.features.rights.protocol import QueueDown
from cookieguard.features.rights.requests import Requests
from cookieguard.features.rights.values.answers import READ_FIRST
from cookieguard.features.rights.values.plan import Step
from cookieguard.features.rights.values.requests import (
    WORKER,
    Act,
    Request,
    RequestRefused,
    noted,
    step_done,
)
from cookieguard.features.rights.values.rules import RequestKind
from cookieguard.features.rights.web.desk import HOOK_SECONDS, Desk
from cookieguard.web.identity.store_wait import is_done

Answer = TypeVar("Answer")
NO_HOOKS = "the shop's hooks cannot be loaded; the log says why"
SENDS = "an officer sends it"
ERASED = "this customer is being erased"


class NotMade(CookieGuardError):
    """Say why there is no copy to read; nothing of the customer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstRead:
    """Make copies for officers, who send them: the worker leaves such a request to them."""

    desk: Desk
    config: Config

    async def page(
        self, request: Request, ours: Sequence[tuple[str, Mapping[str, Any]]], *, by: str, now: datetime
    ) -> str:
        """Return the page of a copy: the kept one, else one of `ours` and what the shop exports. Raises NotMade."""
        try:
            content = await self._ask(partial(_kept, id_=request.id))
            if content is None:
                content = await self._made(request, ours, by=by, now=now)
        except Exception as error:  # the queue, or whatever the shop's hook raises
            raise NotMade(reason_of(error, request)) from error
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            return archive.read(PAGE_NAME).decode()

    async def _made(
        self, request: Request, ours: Sequence[tuple[str, Mapping[str, Any]]], *, by: str, now: datetime
    ) -> bytes:
        if self.desk.hooks is None:
            raise NotMade(NO_HOOKS)
        hooks, seconds = self.desk.hooks, HOOK_SECONDS
        content = await make_copy(request, ours, self.config, hooks=hooks, seconds=seconds, now=now)
        await self._ask(partial(_keep, id_=request.id, content=content, by=by, now=now))
        return content

    async def _ask(self, question: Callable[[Requests], Answer]) -> Answer:
        future = self.desk.ask(question)
        if not await is_done(future):
            raise QueueDown("the queue of requests does not answer")
        return future.result()


def _kept(queue: Requests, *, id_: str) -> bytes | None:
    return queue.file(id_) if Step.COLLECT in queue.require(id_).done_steps else None


def _keep(queue: Requests, *, id_: str, content: bytes, by: str, now: datetime) -> None:
    """Keep the copy and note that it was read, unless the request was answered or the customer erased meanwhile."""

    def read(one: Request) -> Request:
        done = step_done(one, Step.COLLECT, now=now, by=WORKER)
        return noted(done, Act.NOTE, now=now, by=by, name=READ_FIRST, text=SENDS)

    number = read(queue.require(id_)).customer
    for one in queue.of_customer(number):
        if one.kind is RequestKind.ERASE and one.done_steps and (one.closed_at or now) >= now:
            raise RequestRefused(ERASED)
    queue.keep_file(id_, content)
    queue.change(id_, read)
