"""Mail as bytes: messages, and the headers and links by which a reader of marketing mail leaves a list.

Rule: pure logic. Addresses, texts and `now` come in, messages and headers come out; nothing is sent from here.
"""

from __future__ import annotations

from cookieguard.mail.customers import Customer, Customers
from cookieguard.mail.headers import (
    Links,
    MailError,
    Orders,
    agreed,
    confirm_link,
    headers,
    order_headers,
    order_sent,
    use,
    use_orders,
)

__all__ = [
    "Customer",
    "Customers",
    "Links",
    "MailError",
    "Orders",
    "agreed",
    "confirm_link",
    "headers",
    "order_headers",
    "order_sent",
    "use",
    "use_orders",
]
