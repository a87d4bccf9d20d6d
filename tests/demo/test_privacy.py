"""The demo's hooks: they pass the suite, find a customer by address, and leave the bill."""

from __future__ import annotations

from pathlib import Path

from cookieguard.testing import check_hooks
from demo_site.shop.database import Database
from demo_site.shop.privacy import Privacy


def hooks(tmp_path: Path) -> tuple[Privacy, Database]:
    database = Database(tmp_path / "shop.sqlite3")
    return Privacy(tmp_path / "shop.sqlite3"), database


def test_demo_s_hooks_do_all_that_hooks_must(tmp_path: Path) -> None:
    privacy, database = hooks(tmp_path)
    numbers = [row["number"] for row in database._rows("SELECT number FROM customer ORDER BY number", {})]

    check_hooks(privacy, customer=numbers[0], other=numbers[1])


def test_erased_customer_cannot_log_in_and_no_mail_address_is_left(tmp_path: Path) -> None:
    privacy, database = hooks(tmp_path)
    (number, *_) = [
        row["number"] for row in database._rows("SELECT number FROM customer ORDER BY number", {})
    ]
    customer = database.customer(number)
    assert customer is not None
    address = customer.address.email.encode()
    assert privacy.find(customer.address.email) == number
    assert address in (tmp_path / "shop.sqlite3").read_bytes()

    (kept,) = privacy.erase(number)

    assert kept.kind == "orders"
    assert database.customer(number) is None
    assert privacy.find(customer.address.email) is None
    assert address not in (tmp_path / "shop.sqlite3").read_bytes()
