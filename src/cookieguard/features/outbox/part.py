"""The marketing lists of a worker, and its confirmations of orders."""

from __future__ import annotations

from cookieguard.features.outbox.lists import Act, MailLists
from cookieguard.features.outbox.mail_page import MAIL_PAGE, MailPage
from cookieguard.features.outbox.order_mail import OrderMail
from cookieguard.features.records.part import RecordsPart
from cookieguard.mail.headers import LINKS, ORDERS
from cookieguard.web.parts.guard import Guard
from cookieguard.web.parts.part import READ_AND_POST, Page, Part


class OutboxPart(Part):
    """Serve the pages behind the links of marketing mail; confirmations of orders go into the log."""

    def __init__(self, guard: Guard) -> None:
        config, records = guard.config, guard.find(RecordsPart)
        if records is not None and config.mail.orders:
            ORDERS.offer(guard.helpers, OrderMail(config, records.log.writer, clock=guard.clock))
        if guard.store is not None and config.mail.lists:
            lists = MailLists(config, guard.keyring, guard.store.ask, clock=guard.clock)
            LINKS.offer(guard.helpers, lists)
            answer = MailPage(lists, None if records is None else records.log).answer
            self.pages = [Page(f"{MAIL_PAGE}{act}", READ_AND_POST, answer) for act in Act]
