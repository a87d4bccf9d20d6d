"""The demo's hooks pass the suite, find a customer by mail address, and keep the bill."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cookieguard.testing import check_hooks
from demo_site import shop
from demo_site.settings import guard_config
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


def test_privacy_page_links_all_43_promises_and_every_link_leads_to_a_page(
    database: Path, tmp_path: Path, browser_for: Callable[[Any, str], Any]
) -> None:
    config = guard_config(ads_origin="http://ads.localhost:8001", state_dir=tmp_path / "state")
    app = shop.create_app(ads_origin="http://ads.localhost:8001", database=database, guard=config)
    browser = browser_for(app, "http://shop.localhost:8000")
    page = browser.get("/privacy").text
    links = re.findall(r'<li value="(\d+)"><a href="([^"]+)">', page)
    asks = {"accept": "text/html"}

    assert [int(number) for number, _ in links] == list(range(1, 44))
    for where in sorted({link for _, link in links}):
        answer = browser.get(where, headers=asks)
        assert answer.status_code in (200, 403), (where, answer.status_code)  # some ask who you are
        assert "<h1" in answer.text, where
    app.close()
