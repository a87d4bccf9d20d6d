"""Empty the outbox: several connections at once, each message noted before it is handed over and after the answer.

A sender that dies leaves leases that end by themselves. What it had handed over without noting the answer is counted as
uncertain, and sent once more under the same Message-ID: a notice twice is better than none.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from email.utils import parseaddr
from functools import partial
from time import monotonic
from typing import NamedTuple, TypeVar

from cookieguard.config import Config
from cookieguard.features.outbox.outbox import Claimed, Outbox, OutboxDown, Outcome, Row, State
from cookieguard.features.outbox.recipients import Recipients, key_of_run, who_of
from cookieguard.features.outbox.relay import (
    Connection,
    Later,
    Refused,
    Relay,
    RelayDown,
    Uncertain,
    relay_of,
)
from cookieguard.mail.messages import build_message
from cookieguard.mail.runs import Run

logger = logging.getLogger("cookieguard")
Answer = TypeVar("Answer")
Place = tuple[str, str]

LOOK_SECONDS = 1.0  # others may have ended what this one waits for
TRIES = 5  # to note what the relay took: else it would go out again
# Messages leased for each connection: few at first, since the relay may be slow
FIRST_SHARE, MOST_AT_ONCE = 2, 50


class Mail(NamedTuple):
    """Hold what is handed over: to whom, and the message."""

    recipient: str
    message: bytes


Build = Callable[[Claimed], Mail]  # raises ValueError where nothing can be made of it


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """Set how long a sender waits, and how long it pauses; seconds."""

    # RFC 5321 asks for more, but no relay needs that; what takes longer counts as uncertain.
    timeout: float = 120.0
    first: float = 1.0  # the first pause, for the relay and for a message
    longest: float = 3600.0
    idle: float = 60.0  # the longest pause of a sender while its relay is down

    @property
    def lease(self) -> float:
        """Return how long a message stays with a sender that says nothing."""
        return self.timeout + 30.0 if self.timeout > 30.0 else 1.5 * self.timeout

    def delay(self, tries: int) -> float:
        """Return how long a message waits that was not taken."""
        return float(min(self.longest, self.first * 60 * 2 ** min(tries - 1, 20)))


class Sender:
    """Send what is due of some runs. Owns its leases, and the one thread that speaks with the outbox."""

    def __init__(
        self, outbox: Outbox, relay: Relay, *, sender: str, build: Build, pace: Pace | None = None
    ) -> None:
        self._outbox = outbox
        self._relay = relay
        self._sender = sender
        self._build = build
        self._pace = pace or Pace()
        self._lease = secrets.token_hex(8)
        self._queue: deque[Claimed] = deque()
        self._share = FIRST_SHARE
        self._claimed = 0.0  # when what is in the queue was
        self._runs: Sequence[str] = ()
        self._claiming = asyncio.Lock()
        self._pause = 0.0
        self._unbuilt: set[Place] = set()
        self.is_down = False
        """The relay did not take anything the last time."""

    async def run(self, runs: Sequence[str], *, connections: int, progress: Callable[[], None]) -> None:
        """Send until nothing is left of these runs that could be sent, however long that takes.

        Of what nothing can be made (the key of its recipient is gone) each is tried once, and stays.
        """
        self._runs = runs
        with ThreadPoolExecutor(1, thread_name_prefix="cookieguard-outbox") as thread:
            self._steps = _Steps(self._outbox, thread, lease=self._lease, seconds=self._pace.lease)
            try:
                async with asyncio.TaskGroup() as group:
                    for _ in range(connections):
                        group.create_task(self._connection(connections, progress))
            finally:
                await self._give_back()

    async def _connection(self, connections: int, progress: Callable[[], None]) -> None:
        connection = Connection(self._relay, timeout=self._pace.timeout)
        try:
            while (one := await self._next(connections)) is not None:
                try:
                    await self._send(connection, one)
                except OutboxDown as error:  # its lease ends by itself
                    logger.warning("mail: %s", error)
                    await asyncio.sleep(self._pace.first)
                progress()
        finally:
            await connection.end()

    async def _next(self, connections: int) -> Claimed | None:
        """Return the next message; waits for one that comes due, None once none is left."""
        while True:
            if self._pause:
                await asyncio.sleep(self._pause)
            async with self._claiming:
                if self._queue and monotonic() < self._claimed + self._pace.lease / 2:
                    return self._queue.popleft()
                try:
                    if await self._claim(connections):
                        continue
                    wait = await self._steps.wait(self._runs, but=len(self._unbuilt))
                except OutboxDown as error:
                    logger.warning("mail: %s", error)
                    wait = self._pace.first
            if wait is None:
                return None
            await asyncio.sleep(min(max(wait, 0.05), LOOK_SECONDS))

    async def _claim(self, connections: int) -> bool:
        """Lease as many as are handed over within a part of their lease; what waited too long goes back first."""
        took = monotonic() - self._claimed
        if self._queue or took > self._pace.lease / 4:
            self._share = max(1, self._share // 2)
        elif took < self._pace.lease / 8:
            self._share = min(MOST_AT_ONCE, self._share * 2)
        await self._give_back()
        self._claimed = monotonic()
        self._queue.extend(await self._steps.claim(self._runs, connections * self._share))
        return bool(self._queue)

    async def _send(self, connection: Connection, one: Claimed) -> None:
        try:
            mail = self._build(one)
        except ValueError as error:
            self._unbuilt.add((one.run, one.who))
            await self._steps.note(self._waits(one, f"not built: {error}"))
            return
        self._unbuilt.discard((one.run, one.who))
        try:
            await connection.offer(self._sender, mail.recipient)
            self._pause, self.is_down = 0.0, False
            if not await self._steps.begin((one.run, one.who)):  # another sender has it by now
                await connection.withdraw()
                return
            reply = await connection.hand_over(mail.message)
            await self._note_sent(Outcome(one.run, one.who, State.SENT, reply))
        except Refused as error:
            await self._steps.note(Outcome(one.run, one.who, State.REFUSED, str(error)))
        except Later as error:
            await self._steps.note(self._waits(one, str(error)))
        except Uncertain as error:
            await self._steps.note(self._waits(one, f"no answer: {error}")._replace(is_uncertain=True))
        except RelayDown as error:
            await self._steps.note(Outcome(one.run, one.who, State.WAITING, str(error)))
            self._slow_down(str(error))

    async def _note_sent(self, outcome: Outcome) -> None:
        for left in reversed(range(TRIES)):
            try:
                await self._steps.note(outcome)
                return
            except OutboxDown:
                if not left:
                    raise
                await asyncio.sleep(self._pace.first)

    def _waits(self, one: Claimed, reply: str) -> Outcome:
        return Outcome(one.run, one.who, State.WAITING, reply, self._pace.delay(one.tries))

    def _slow_down(self, reason: str) -> None:
        if not self.is_down:
            logger.warning("mail: the relay accepts no mail (%s); it is tried again", reason)
        self.is_down = True
        self._pause = min(self._pace.idle, max(self._pace.first, 2 * self._pause))

    async def _give_back(self) -> None:
        """Let others have what this sender leased and did not begin."""
        left = [Outcome(one.run, one.who, State.WAITING) for one in self._queue]
        self._queue.clear()
        if left:
            try:
                await self._steps.notes(left)
            except OutboxDown as error:
                logger.warning("mail: %s; unsent messages are sent later", error)


class _Steps:
    """Bring what connections note at the same time into one transaction."""

    def __init__(self, outbox: Outbox, thread: ThreadPoolExecutor, *, lease: str, seconds: float) -> None:
        self._outbox = outbox
        self._thread = thread
        self._lease = lease
        self._seconds = seconds
        self._handing: dict[Place, asyncio.Future[bool]] = {}
        self._outcomes: list[tuple[Outcome, asyncio.Future[bool]]] = []
        self._flushing: asyncio.Task[None] | None = None

    async def claim(self, runs: Sequence[str], count: int) -> list[Claimed]:
        return await self._do(
            lambda: self._outbox.claim(runs, count, lease=self._lease, seconds=self._seconds)
        )

    async def wait(self, runs: Sequence[str], *, but: int) -> float | None:
        """Return in how many seconds something is due, None where no more is left than so many."""
        if but and sum([(await self._do(partial(self._outbox.count, run))).waiting for run in runs]) <= but:
            return None
        return await self._do(lambda: self._outbox.wait(runs))

    async def begin(self, place: Place) -> bool:
        """Note that a message is about to be handed over; False where another sender has it."""
        future: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._handing[place] = future
        self._flush()
        return await future

    async def note(self, outcome: Outcome) -> None:
        await self.notes([outcome])

    async def notes(self, outcomes: Sequence[Outcome]) -> None:
        futures: list[asyncio.Future[bool]] = [asyncio.get_running_loop().create_future() for _ in outcomes]
        self._outcomes += zip(outcomes, futures, strict=True)
        self._flush()
        await asyncio.gather(*futures)

    def _flush(self) -> None:
        if self._flushing is None or self._flushing.done():
            self._flushing = asyncio.get_running_loop().create_task(self._write())

    async def _write(self) -> None:
        await asyncio.sleep(0)  # what others note right now comes along
        step = partial(self._outbox.step, lease=self._lease, seconds=self._seconds)
        while self._handing or self._outcomes:
            handing, self._handing = self._handing, {}
            outcomes, self._outcomes = self._outcomes, []
            try:
                allowed = await self._do(partial(step, list(handing), [one for one, _ in outcomes]))
            except OutboxDown as error:
                for future in (*handing.values(), *(future for _, future in outcomes)):
                    if not future.cancelled():
                        future.set_exception(error)
                continue
            answers = [(future, place in allowed) for place, future in handing.items()]
            for future, answer in (*answers, *((future, True) for _, future in outcomes)):
                if not future.cancelled():
                    future.set_result(answer)

    async def _do(self, question: Callable[[], Answer]) -> Answer:
        return await asyncio.get_running_loop().run_in_executor(self._thread, question)


PATIENCE = 3600.0  # seconds: a relay that is down for longer is tried by the next call


async def send_to(
    outbox: Outbox,
    run: str,
    addresses: Sequence[str],
    *,
    config: Config,
    recipients: Recipients,
    subject: str,
    lines: Sequence[str],
    language: str,
    now: datetime,
    environ: Mapping[str, str],
) -> Run:
    """Send a message to some addresses, each once a run; return how far it came. Raises ConfigError and OutboxDown.

    A relay that takes nothing is waited for, but not longer than an hour: cron calls again.
    """
    relay = relay_of(config.mail, environ=environ)
    key = key_of_run(outbox, run, recipients, now)
    outbox.add(run, [Row(who_of(key, one), recipients.seal({"address": one}, now)) for one in addresses])
    outbox.fill(run)

    def build(claimed: Claimed) -> Mail:
        address = recipients.open(claimed.recipient)["address"]
        message = build_message(
            sender=config.mail.sender,
            recipient=address,
            subject=subject,
            lines=lines,
            language=language,
            name=f"{claimed.run}.{claimed.who}",
            now=now,
        )
        return Mail(address, message)

    sender = Sender(outbox, relay, sender=parseaddr(config.mail.sender)[1], build=build)
    with suppress(TimeoutError):
        async with asyncio.timeout(PATIENCE):
            await sender.run([run], connections=1, progress=lambda: None)
    return outbox.count(run)
