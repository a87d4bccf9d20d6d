"""The mail to the owner when a change that two persons confirmed begins to wait."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from concurrent.futures import Future
from datetime import datetime
from functools import partial
from typing import Any

from cookieguard.features.outbox.outbox import Outbox
from cookieguard.features.outbox.recipients import Recipients
from cookieguard.features.outbox.sending import send_to
from cookieguard.runtime.questions import Questions
from cookieguard.web.parts.guard import Guard

logger = logging.getLogger("cookieguard")

NO_ADDRESS = "vendors: the owner is not mailed of a change, because staff.letter or mail.sender is empty"


def mail_owner(
    outbox: Questions[Outbox], guard: Guard, now: datetime, *, run: str, subject: str, lines: Sequence[str]
) -> None:
    """Have the outbox's thread send one mail to each address of `staff.letter`, once a run."""
    config = guard.config
    if not (config.staff.letter and config.mail.sender):
        logger.warning(NO_ADDRESS)
        return
    send = partial(
        send_to,
        run=run,
        addresses=config.staff.letter,
        config=config,
        recipients=Recipients(guard.keyring),
        subject=subject,
        lines=lines,
        language="en",
        now=now,
        environ=guard.environ,
    )
    outbox.ask(lambda opened: asyncio.run(send(opened))).add_done_callback(_tell)


def _tell(sent: Future[Any]) -> None:
    error = None if sent.cancelled() else sent.exception()
    if error is not None:
        logger.warning("vendors: the owner could not be mailed of a change (%s)", type(error).__name__)
