"""Mail to the shop's own people by the outbox: one message a recipient and run, however often it is asked for."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from email.utils import parseaddr

from cookieguard.config import Config
from cookieguard.features.outbox.outbox import Claimed, Outbox, Row
from cookieguard.features.outbox.recipients import Recipients, key_of_run, who_of
from cookieguard.features.outbox.relay import relay_of
from cookieguard.features.outbox.sending import Mail, Sender
from cookieguard.mail.messages import build_message
from cookieguard.mail.runs import Run

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
