"""Builds mail: messages, and the headers and links with which readers of marketing mail leave a list.

Rule: pure logic. Functions take addresses, texts and `now`, and return messages and headers. They send no mail.
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
