"""The demo's customers, for `[mail] customers = "demo_site.shop.customers:active"`."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

from cookieguard.mail.customers import Customer

DATABASE = "DEMO_DATABASE"  # the variable that names another file
DEFAULT = Path(__file__).parents[1] / "var" / "shop.sqlite3"
AT_ONCE = 500
SOME = "SELECT number, email FROM customer WHERE number > ? ORDER BY number LIMIT ?"


async def active() -> AsyncIterator[Customer]:
    """Yield every customer, read in groups, so that no cursor stays open while mail is queued."""
    after = ""
    while rows := _some(after):
        for number, address in rows:
            yield Customer(number, address, "en")
        after = rows[-1][0]


def _some(after: str) -> list[tuple[str, str]]:
    connection = sqlite3.connect(os.environ.get(DATABASE, DEFAULT))
    try:
        return connection.execute(SOME, (after, AT_ONCE)).fetchall()
    finally:
        connection.close()
