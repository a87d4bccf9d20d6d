"""A real SMTP server on this machine that can be down, slow, refuse a recipient, or end without an answer."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import Message
from typing import Any

from aiosmtpd.controller import Controller

from harness.servers import LOOPBACK, free_port


@dataclass
class Relay:
    """Keep what was accepted."""

    port: int
    accepted: list[tuple[str, bytes]] = field(default_factory=list)
    refuse: dict[str, str] = field(default_factory=dict)
    """The reply to RCPT, by address."""
    answer: str = ""
    """The reply to each message instead of 250; empty to accept."""
    seconds: float = 0.0
    """How long a message takes."""
    silent: int = 0
    """So many messages are accepted, and the connection ends before the answer."""
    offers: int = 0
    """How many messages it was asked to take, whether they came or not."""

    async def take_recipient(self, envelope: Any, address: str) -> str:
        """Answer RCPT."""
        self.offers += 1
        if address in self.refuse:
            return self.refuse[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def take_message(self, server: Any, envelope: Any) -> str:
        """Answer a message."""
        if self.seconds:
            await asyncio.sleep(self.seconds)
        if self.answer:
            return self.answer
        self.accepted += [(address, envelope.content) for address in envelope.rcpt_tos]
        if self.silent:
            self.silent -= 1
            server.transport.abort()
        return "250 OK"

    @property
    def url(self) -> str:
        """The setting that leads here."""
        return f"smtp://{LOOPBACK}:{self.port}"

    @property
    def counts(self) -> Counter[str]:
        """Count the messages of each address."""
        return Counter(address for address, _ in self.accepted)

    @property
    def messages(self) -> list[Message]:
        """The messages that were accepted."""
        return [message_from_bytes(content) for _, content in self.accepted]

    @contextmanager
    def up(self) -> Iterator[None]:
        """Listen until the block ends."""
        controller = Controller(_Handler(self), hostname=LOOPBACK, port=self.port)
        controller.start()
        try:
            yield
        finally:
            controller.stop(no_assert=True)


class _Handler:
    """The handler of aiosmtpd. It has few members, because aiosmtpd reads them all for each connection."""

    def __init__(self, relay: Relay) -> None:
        self._relay = relay

    async def handle_RCPT(self, _: Any, __: Any, envelope: Any, address: str, ___: Any) -> str:
        return await self._relay.take_recipient(envelope, address)

    async def handle_DATA(self, server: Any, _: Any, envelope: Any) -> str:
        return await self._relay.take_message(server, envelope)


def new_relay() -> Relay:
    """Return a relay that does not listen yet."""
    return Relay(port=free_port())
