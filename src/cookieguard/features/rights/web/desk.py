"""The web pages' access to the request queue, in a thread of each worker, and the mailing of codes to guests.

Rule: the queue never blocks the event loop.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import math
import os
import threading
import time
from collections.abc import Callable, Coroutine, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar

from cookieguard.config import Config
from cookieguard.errors import ConfigError
from cookieguard.features.outbox.relay import smtp_library
from cookieguard.features.records.web.consent_log import ConsentLog
from cookieguard.features.rights.hook_calls import load_hooks, number_of
from cookieguard.features.rights.notifications import Letters
from cookieguard.features.rights.queue import QueueDown
from cookieguard.features.rights.requests import Requests, requests_opener
from cookieguard.keyring import Keyring
from cookieguard.rate_limit import RateLimit
from cookieguard.runtime.questions import Questions
from cookieguard.storage.sealing import SealBroken
from cookieguard.storage.state_directory import StateDirectory

logger = logging.getLogger("cookieguard")
Answer = TypeVar("Answer")
Work = Callable[[], Coroutine[Any, Any, Answer]]
Letter = Work[None]

# Per network address or customer and hour; a person needs two or three.
CODES_AN_HOUR, TRIES_AN_HOUR, REQUESTS_AN_HOUR = 5, 20, 20
HOUR = 3600
LOAD_AGAIN_SECONDS = 60.0
CLOSE_SECONDS = 5.0
BROKEN = QueueDown, SealBroken  # errors after which the queue is opened again
HOOK_SECONDS = 30.0  # a hook that hangs longer would delay the codes of others
# A mail leaves at a fixed tick, at least AHEAD_SECONDS away, so its time does not reveal how long the lookup took.
TICK_SECONDS, AHEAD_SECONDS = 5.0, 3.0
LOOKUPS_AT_ONCE, MAILS_AT_ONCE = 4, 20  # connections to the shop's database, and to its relay
MOST_WAITING = 1_000  # about 1 MB; an unknown address frees its place after the lookup


def loop_here() -> asyncio.AbstractEventLoop | None:
    """Return the event loop of a request; None under trio."""
    with suppress(RuntimeError):
        return asyncio.get_running_loop()
    return None


class CodeMails:
    """Own the threads of one process that look addresses up and mail codes."""

    def __init__(self) -> None:
        self._places = threading.BoundedSemaphore(MOST_WAITING)
        self._is_over = threading.Event()
        self._lookups = ThreadPoolExecutor(LOOKUPS_AT_ONCE, thread_name_prefix="cookieguard-codes")
        self._relay = ThreadPoolExecutor(MAILS_AT_ONCE, thread_name_prefix="cookieguard-mails")

    def later(self, look_up: Work[Letter | None]) -> bool:
        """Look an address up after the response, and mail its code; return False if too many are waiting."""
        is_taken = self._places.acquire(blocking=False)
        if is_taken:
            self._lookups.submit(self._look_up, look_up, _tick(time.monotonic() + AHEAD_SECONDS))
        return is_taken

    def close(self) -> None:
        """Send the waiting mails at once, drop the waiting lookups, and end the threads."""
        self._is_over.set()
        self._lookups.shutdown(wait=False, cancel_futures=True)
        self._relay.shutdown(wait=False)

    def _look_up(self, look_up: Work[Letter | None], due: float) -> None:
        letter = _done(look_up)
        if letter is None:
            self._places.release()
        else:
            self._relay.submit(self._mail, letter, max(due, _tick(time.monotonic())))

    def _mail(self, letter: Letter, due: float) -> None:
        self._is_over.wait(max(0.0, due - time.monotonic()))
        _done(letter)
        self._places.release()


def _tick(moment: float) -> float:
    return math.ceil(moment / TICK_SECONDS) * TICK_SECONDS


def _done(work: Work[Answer]) -> Answer | None:
    try:
        return asyncio.run(work())
    except Exception as error:  # noqa: BLE001 - a relay, a store or the shop's own code; the log says which
        logger.error("requests: a code was not sent (%s)", type(error).__name__)
        return None


class Desk:
    """Own a worker's thread with the open queue, the mails of codes, the shop's hooks, and the rate limits."""

    def __init__(
        self, config: Config, keyring: Keyring, state: StateDirectory, *, environ: Mapping[str, str]
    ) -> None:
        opener = requests_opener(config, keyring, state, environ=environ)
        self._queue: Questions[Requests] = Questions(
            "requests", opener, broken_by=BROKEN, patience=CLOSE_SECONDS
        )
        self.environ = dict(environ)
        self.letters = Letters(config, environ=environ)
        if config.rights.hooks and self.letters.can_send:
            smtp_library()
        self._setting = config.rights.hooks
        self._hooks: Any = None
        self._load_at = float("-inf")
        self.codes = RateLimit(CODES_AN_HOUR, seconds=HOUR)
        self.tries = RateLimit(TRIES_AN_HOUR, seconds=HOUR)
        self.requests = RateLimit(REQUESTS_AN_HOUR, seconds=HOUR)
        self.customers = RateLimit(REQUESTS_AN_HOUR, seconds=HOUR)
        self._process = 0

    @property
    def knows_guests(self) -> bool:
        """Return whether guests can ask: the hooks can look addresses up, and mails can be sent."""
        return bool(self._setting) and self.letters.can_send and hasattr(self.hooks, "find")

    @property
    def hooks(self) -> Any:
        """Return the shop's hooks, which are loaded on first use, since their module may import the app.

        A failed load is tried again after a minute, since the shop's database may have been down.
        """
        if self._hooks is None and self._setting and time.monotonic() >= self._load_at:
            self._load_at = time.monotonic() + LOAD_AGAIN_SECONDS
            try:
                self._hooks = load_hooks(self._setting)
            except ConfigError as error:
                logger.error("requests: %s", error)
        return self._hooks

    def ask(self, question: Callable[[Requests], Answer]) -> Future[Answer]:
        """Query the queue in its thread; the future raises QueueDown if the queue does not answer."""
        future = self._queue.ask(question)
        future.add_done_callback(_report)
        return future

    async def number(self, address: str, loop: asyncio.AbstractEventLoop | None) -> str | None:
        """Return the number of the customer with this address; None if there is none. Raises TimeoutError.

        An `async` hook runs in the shop's own event loop, to which its database connections are bound. Under trio
        there is no such loop, and `loop` is None.
        """
        asking = number_of(self.hooks, address)
        if loop is None or not inspect.iscoroutinefunction(getattr(self.hooks, "find", None)):
            return await asking
        return await asyncio.wait_for(
            asyncio.wrap_future(asyncio.run_coroutine_threadsafe(asking, loop)), HOOK_SECONDS
        )

    @property
    def mails(self) -> CodeMails:
        """Return the sender of codes of this process."""
        if self._process != os.getpid():  # a forked process does not inherit the threads
            self._process, self._mails = os.getpid(), CodeMails()
        return self._mails

    def close(self, deadline: float = math.inf) -> None:
        """End the threads, and close the queue."""
        self._queue.close(deadline)
        if self._process == os.getpid():
            self._mails.close()
            self._process = 0


def _report(future: Future[Any]) -> None:
    error = None if future.cancelled() else future.exception()
    if isinstance(error, BROKEN):
        logger.error("requests: %s", error)


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """Hold the desk and the consent log; each is None if the shop does not have it."""

    desk: Desk | None
    log: ConsentLog | None
