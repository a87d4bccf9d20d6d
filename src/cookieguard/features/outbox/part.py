"""Open what a worker needs of mail."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from cookieguard.config import Config
from cookieguard.features.outbox.lists import MailLists
from cookieguard.features.outbox.order_mail import OrderMail
from cookieguard.features.records.writer import LogWriter
from cookieguard.keyring import Keyring
from cookieguard.mail.headers import use as use_lists
from cookieguard.mail.headers import use_orders
from cookieguard.storage.store.sync import StoreSync


def open_lists(
    config: Config,
    keyring: Keyring,
    store: StoreSync | None,
    log: LogWriter | None,
    *,
    clock: Callable[[], datetime] | None = None,
) -> MailLists | None:
    """Return the lists of marketing mail, None if the shop has none; confirmations of orders go into the log."""
    if log is not None and config.mail.orders:
        use_orders(OrderMail(config, log, clock=clock))
    if store is None or not config.mail.lists:
        return None
    lists = MailLists(config, keyring, store.ask, clock=clock)
    use_lists(lists)
    return lists
