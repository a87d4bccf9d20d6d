"""Supports the shop's order confirmations: makes their headers, and records each one sent in the consent log."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from datetime import datetime
from email.utils import parseaddr

from cookieguard.config import Config
from cookieguard.errors import ConfigError
from cookieguard.features.records.acts import TIMEOUT, Acts
from cookieguard.features.records.store.open import open_log
from cookieguard.features.records.values.log import LogDown
from cookieguard.features.records.values.records import customer as subject_of
from cookieguard.features.records.values.records import new_id
from cookieguard.features.records.writer import LogWriter
from cookieguard.mail.headers import MESSAGE_ID, MailError
from cookieguard.storage.keyring_source import load_keyring
from cookieguard.storage.state_directory import StateDirectory

ORDER_MAIL = "order-mail"
LONGEST = 200  # characters of a customer's number and of an order's


def open_order_mail(config: Config) -> OrderMail:
    """Return an OrderMail for a process without the middleware, such as a job that sends mail; raises ConfigError."""
    if not config.mail.orders:
        raise ConfigError("mail.orders", was="empty", allowed="the id in [[data]] of order confirmations")
    state = StateDirectory(config.state_dir)
    keyring = load_keyring(state, config.keys, environ=os.environ)
    log = open_log(config, state, keyring, environ=os.environ)
    if log is None:
        raise ConfigError("proof.enabled", was="false", allowed="true when mail.orders is set")
    return OrderMail(config, log)


class OrderMail:
    """Make the headers of order confirmations, and record those that were sent in the log."""

    def __init__(
        self, config: Config, log: LogWriter, *, clock: Callable[[], datetime] | None = None
    ) -> None:
        self._domain = parseaddr(config.mail.sender)[1].rpartition("@")[2]
        self._kind = config.mail.orders
        self._log = log
        self._acts = Acts(log, clock=clock)

    def close(self) -> None:
        """Close the log, once all records are written."""
        self._log.close()

    def headers(self) -> dict[str, str]:
        return {MESSAGE_ID: f"<{new_id()}.order@{self._domain}>", "Auto-Submitted": "auto-generated"}

    async def sent(self, customer: str, order: str, message_id: str) -> None:
        for name, value in (("customer number", customer), ("order", order)):
            if not value or len(value) > LONGEST or not value.isprintable():
                raise MailError(f"{name} has {len(value)} characters; allowed: 1 to {LONGEST} printable ones")
        fields = {"order": order, "message": message_id, "data": self._kind, "basis": "contract"}
        try:
            written = self._acts.begin(ORDER_MAIL, fields, subject=subject_of(customer))
            await asyncio.wait_for(asyncio.wrap_future(written), TIMEOUT)
        except (LogDown, TimeoutError) as error:
            raise MailError("the consent log could not record this mail; see cookieguard doctor") from error
