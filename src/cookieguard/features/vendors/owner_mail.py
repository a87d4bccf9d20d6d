"""The mail to the owner when a change that two persons confirmed begins to wait."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from datetime import datetime
from functools import partial
from typing import Any

from cookieguard.config import Config
from cookieguard.features.outbox.outbox import Outbox, OutboxDown, outbox_opener
from cookieguard.features.outbox.recipients import Recipients
from cookieguard.features.outbox.sending import send_to
from cookieguard.keyring import Keyring
from cookieguard.runtime.questions import Questions
from cookieguard.storage.state_directory import StateDirectory

logger = logging.getLogger("cookieguard")

CLOSE_SECONDS = 5.0
NO_ADDRESS = "vendors: the owner is not mailed of a change, because staff.letter or mail.sender is empty"


class OwnerMail:
    """Own the thread that sends to the addresses of `staff.letter`."""

    def __init__(
        self, config: Config, keyring: Keyring, state: StateDirectory, environ: Mapping[str, str]
    ) -> None:
        self._config, self._keyring, self._environ = config, keyring, environ
        opener = outbox_opener(config.store, state.path, environ=environ)
        self._outbox: Questions[Outbox] = Questions(
            "vendors", opener, broken_by=(OutboxDown,), patience=CLOSE_SECONDS
        )

    def send(self, run: str, subject: str, lines: Sequence[str], now: datetime) -> None:
        """Send one mail to each address, once a run."""
        addresses = self._config.staff.letter
        if not (addresses and self._config.mail.sender):
            logger.warning(NO_ADDRESS)
            return
        send = partial(
            send_to,
            run=run,
            addresses=addresses,
            config=self._config,
            recipients=Recipients(self._keyring),
            subject=subject,
            lines=lines,
            language="en",
            now=now,
            environ=self._environ,
        )
        self._outbox.ask(lambda outbox: asyncio.run(send(outbox))).add_done_callback(_tell)

    def close(self, deadline: float) -> None:
        """End the thread; what is not sent by then is not sent."""
        self._outbox.close(deadline)


def _tell(sent: Future[Any]) -> None:
    error = None if sent.cancelled() else sent.exception()
    if error is not None:
        logger.warning("vendors: the owner could not be mailed of a change (%s)", type(error).__name__)
