"""The demo shop's `[rights] hooks`: a copy of a customer's data, erasure, and an end of all uses."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path

from cookieguard.rights import Contact, Exported, Retained
from demo_site.shop.customers import DATABASE, DEFAULT

INVOICE_YEARS = 10
REASON = "the tax office asks for orders and bills for ten years"
GONE = "erased"
CUSTOMER = "SELECT number, name, email, street, postcode, city, country FROM customer WHERE number = ?"
ORDERS = (
    "SELECT number, placed, name, email, street, postcode, city, country FROM purchase WHERE customer = ?"
)
LINES = "SELECT quantity, name FROM purchase_line WHERE purchase = ? ORDER BY rowid"
# The invoice is kept, with the customer's name; data that are not on it are deleted.
FORGET_ORDERS = "UPDATE purchase SET email = :gone WHERE customer = :number"
FORGET_OLD = (
    "UPDATE purchase SET customer = NULL, name = :gone, street = :gone, city = :gone WHERE number = :order"
)
FORGET_LETTER = "DELETE FROM subscriber WHERE email = ?"
FORGET_CUSTOMER = "DELETE FROM customer WHERE number = ?"
FIND = """
    SELECT number FROM customer WHERE lower(email) = lower(:email)
    UNION SELECT customer FROM purchase WHERE lower(email) = lower(:email) AND customer IS NOT NULL LIMIT 1
"""


class Privacy:
    """Export and erase the data of customers, by their number."""

    def __init__(self, database: Path | None = None) -> None:
        self._database = database or Path(os.environ.get(DATABASE, DEFAULT))

    def export(self, customer: str) -> Iterator[Exported]:
        """Yield the account and the orders."""
        with self._connection() as connection:
            for row in connection.execute(CUSTOMER, (customer,)):
                yield Exported(
                    kind="account", values={name.capitalize(): value for name, value in dict(row).items()}
                )
            for row in connection.execute(ORDERS, (customer,)).fetchall():
                lines = connection.execute(LINES, (row["number"],))
                values = {name.capitalize(): value for name, value in dict(row).items()}
                values["Articles"] = ", ".join(f"{line['quantity']} x {line['name']}" for line in lines)
                yield Exported(kind="orders", values=values, kept_until=_ends(row["placed"]), reason=REASON)

    def erase(self, customer: str) -> list[Retained]:
        """Delete the account and the newsletter; orders are kept as invoices for as long as tax law requires."""
        with self._connection() as connection:
            for row in connection.execute(CUSTOMER, (customer,)).fetchall():
                connection.execute(FORGET_LETTER, (row["email"],))
            orders = connection.execute(ORDERS, (customer,)).fetchall()
            over = [row for row in orders if _ends(row["placed"]) < datetime.now(UTC).date()]
            for row in over:
                connection.execute(FORGET_OLD, {"gone": GONE, "order": row["number"]})
            connection.execute(FORGET_ORDERS, {"gone": GONE, "number": customer})
            connection.execute(FORGET_CUSTOMER, (customer,))
        left = [_ends(row["placed"]) for row in orders if row not in over]
        return [Retained("orders", max(left), REASON)] if left else []

    def deactivate(self, customer: str) -> None:
        """Remove the customer from the newsletter, the only other use of the data in the demo."""
        with self._connection() as connection:
            for row in connection.execute(CUSTOMER, (customer,)).fetchall():
                connection.execute(FORGET_LETTER, (row["email"],))

    def contact(self, customer: str) -> Contact | None:
        """Return the customer's mail address."""
        with self._connection() as connection:
            found = connection.execute(CUSTOMER, (customer,)).fetchone()
        return None if found is None else Contact(found["email"], "en")

    def find(self, address: str) -> str | None:
        """Return the number of the customer with a mail address."""
        with self._connection() as connection:
            found = connection.execute(FIND, {"email": address}).fetchone()
        return None if found is None else str(found["number"])

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        connection = sqlite3.connect(self._database)
        connection.row_factory = sqlite3.Row
        connection.execute("PRAGMA secure_delete = ON")
        try:
            with connection:
                yield connection
        finally:
            connection.close()


def _ends(placed: str) -> date:
    """Return the last day on which an invoice must be kept: the end of the tenth year after it."""
    return date(datetime.fromisoformat(placed).year + INVOICE_YEARS, 12, 31)
