"""Sends the messages of the outbox over several connections to the relay, and stores each step in the outbox.

The outbox is updated before a message is handed over, and after the relay's answer. If a sender dies, its leases end by
themselves. A message that it handed over without storing the answer is counted as uncertain, and sent again under the
same Message-ID, because receiving a notice twice is better than not at all.
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

POLL_SECONDS = 1.0  # the longest wait before the outbox is read again, since other senders may have finished
TRIES = 5  # attempts to store that the relay took a message, which would otherwise be sent again
# Messages leased for each connection: few at first, because the relay may be slow.
FIRST_SHARE, MOST_AT_ONCE = 2, 50


class Mail(NamedTuple):
    """Hold a message in the form in which the relay gets it, and its recipient's address."""

    recipient: str
    message: bytes


Build = Callable[[Claimed], Mail]  # raises ValueError if the message cannot be built


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """Set a sender's limits on waiting and its pauses, in seconds."""

    # RFC 5321 (4.5.3.2) allows more, but no relay needs it. A message that takes longer counts as uncertain.
    timeout: float = 120.0
    first: float = 1.0  # the first pause, for the relay and for a message
    longest: float = 3600.0
    idle: float = 60.0  # the longest pause of a sender while its relay is down

    @property
    def lease(self) -> float:
        """Return how long a message stays leased to a sender that does not report an outcome."""
        return self.timeout + 30.0 if self.timeout > 30.0 else 1.5 * self.timeout

    def delay(self, tries: int) -> float:
        """Return how long a message waits after this number of failed attempts."""
        return float(min(self.longest, self.first * 60 * 2 ** min(tries - 1, 20)))


class Sender:
    """Sends the due messages of some runs. Owns its leases, and the only thread that uses the outbox."""

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
        self._claimed = 0.0  # when the messages in the queue were leased
        self._runs: Sequence[str] = ()
        self._claiming = asyncio.Lock()
        self._pause = 0.0
        self._unbuilt: set[Place] = set()
        self.is_down = False
        """Whether the relay failed at the last attempt."""

    async def run(self, runs: Sequence[str], *, connections: int, progress: Callable[[], None]) -> None:
        """Send until these runs have no message left that can be sent, however long that takes.

        A message that cannot be built, because its recipient's key is gone, is tried once and stays in the outbox.
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
            while (claimed := await self._next(connections)) is not None:
                try:
                    await self._send(connection, claimed)
                except OutboxDown as error:  # the message's lease ends by itself
                    logger.warning("mail: %s", error)
                    await asyncio.sleep(self._pace.first)
                progress()
        finally:
            await connection.end()

    async def _next(self, connections: int) -> Claimed | None:
        """Return the next message, after waiting until one is due, or None once no message is left."""
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
            await asyncio.sleep(min(max(wait, 0.05), POLL_SECONDS))

    async def _claim(self, connections: int) -> bool:
        """Lease as many messages as can be sent well before the lease ends, after giving back what waited too long."""
        took = monotonic() - self._claimed
        if self._queue or took > self._pace.lease / 4:
            self._share = max(1, self._share // 2)
        elif took < self._pace.lease / 8:
            self._share = min(MOST_AT_ONCE, self._share * 2)
        await self._give_back()
        self._claimed = monotonic()
        self._queue.extend(await self._steps.claim(self._runs, connections * self._share))
        return bool(self._queue)

    async def _send(self, connection: Connection, claimed: Claimed) -> None:
        run, who = claimed.run, claimed.who
        try:
            mail = self._build(claimed)
        except ValueError as error:
            self._unbuilt.add((run, who))
            await self._steps.note(self._waits(claimed, f"not built: {error}"))
            return
        self._unbuilt.discard((run, who))
        try:
            await connection.offer(self._sender, mail.recipient)
            self._pause, self.is_down = 0.0, False
            if not await self._steps.begin((run, who)):  # another sender has leased it meanwhile
                await connection.withdraw()
                return
            reply = await connection.hand_over(mail.message)
            await self._note_sent(Outcome(run, who, State.SENT, reply))
        except Refused as error:
            await self._steps.note(Outcome(run, who, State.REFUSED, str(error)))
        except Later as error:
            await self._steps.note(self._waits(claimed, str(error)))
        except Uncertain as error:
            await self._steps.note(self._waits(claimed, f"no answer: {error}")._replace(is_uncertain=True))
        except RelayDown as error:
            await self._steps.note(Outcome(run, who, State.WAITING, str(error)))
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

    def _waits(self, claimed: Claimed, reply: str) -> Outcome:
        return Outcome(claimed.run, claimed.who, State.WAITING, reply, self._pace.delay(claimed.tries))

    def _slow_down(self, reason: str) -> None:
        if not self.is_down:
            logger.warning("mail: the relay accepts no mail (%s); it is tried again", reason)
        self.is_down = True
        self._pause = min(self._pace.idle, max(self._pace.first, 2 * self._pause))

    async def _give_back(self) -> None:
        """End the leases of messages that this sender did not begin, so that others can send them."""
        left = [Outcome(claimed.run, claimed.who, State.WAITING) for claimed in self._queue]
        self._queue.clear()
        if left:
            try:
                await self._steps.notes(left)
            except OutboxDown as error:
                logger.warning("mail: %s; unsent messages are sent later", error)


class _Steps:
    """Combines the steps that several connections store at the same time into one transaction of the outbox."""

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
        """Return in how many seconds a message is due, or None if no more than `but` messages are left."""
        if but and sum([(await self._do(partial(self._outbox.count, run))).waiting for run in runs]) <= but:
            return None
        return await self._do(lambda: self._outbox.wait(runs))

    async def begin(self, place: Place) -> bool:
        """Store that a message is about to be handed over, and return False if another sender has leased it."""
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
        await asyncio.sleep(0)  # other connections add their steps to this transaction meanwhile
        step = partial(self._outbox.step, lease=self._lease, seconds=self._seconds)
        while self._handing or self._outcomes:
            handing, self._handing = self._handing, {}
            outcomes, self._outcomes = self._outcomes, []
            try:
                allowed = await self._do(partial(step, list(handing), [outcome for outcome, _ in outcomes]))
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


PATIENCE = 3600.0  # seconds; if the relay is down for longer, the next call tries again


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
    """Send a message to each address once in this run, and return the counts. Raises ConfigError and OutboxDown.

    If the relay accepts no mail, this waits for up to an hour; then the next call by cron goes on.
    """
    relay = relay_of(config.mail, environ=environ)
    key = key_of_run(outbox, run, recipients, now)
    rows = (Row(who_of(key, address), recipients.seal({"address": address}, now)) for address in addresses)
    outbox.add(run, list(rows))
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
