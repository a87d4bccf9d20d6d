"""The guarded demo shop in process: the same app code finds its visitor in cookieguard."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from sqlite3 import connect
from typing import Any

import pytest
from harness.servers import wait_until

from demo_site.settings import guard_config
from demo_site.shop import create_app

ADS = "https://ads.localhost:8001"
MARA = {"number": "10042", "password": "blue-glaze"}


@pytest.fixture
def client(database: Path, tmp_path: Path, browser_for: Callable[[Any, str], Any]) -> Any:
    """Give a browser on the guarded shop; https, since httpx keeps Secure cookies nowhere else."""
    guard = guard_config(ads_origin=ADS, state_dir=tmp_path / "state")
    app = create_app(ads_origin=ADS, database=database, guard=guard)
    return browser_for(app, "https://shop.localhost:8000")


@pytest.mark.parametrize("path", ["/", "/journal", "/nope", "/crash"])
def test_every_page_asks_and_holds_the_tags(client: Any, path: str) -> None:
    page = client.get(path)

    assert 'action="/_cg/consent"' in page.text
    assert f"{ADS}/pixel.gif" in page.text
    assert f' src="{ADS}' not in page.text
    assert "ads.localhost" not in page.headers["content-security-policy"]


def test_what_is_reached_is_counted_as_goals(client: Any, tmp_path: Path) -> None:
    client.post("/cart/add", {"sku": "KK-101"})
    client.post("/login", MARA)
    client.post("/newsletter", {"email": "ida@example.org"})
    client.app.close()

    rows = connect(tmp_path / "state" / "stats.db").execute("SELECT event, page FROM hit WHERE kind = 'goal'")
    assert rows.fetchall() == [
        ("put into the cart", "/cart/add"),
        ("logged in", "/login"),
        ("newsletter", "/newsletter"),
    ]


def test_cart_and_login_live_in_cookieguards_cookies(client: Any) -> None:
    client.post("/cart/add", {"sku": "KK-101", "quantity": "2"})
    client.post("/login", MARA)

    account = client.get("/account")

    assert account.url.path == "/account"
    assert client.get("/api/cart").json()["count"] == 2
    assert client.cookie_names == {"__Host-cg_session", "__Host-cg_cart"}
    assert "10042" not in account.headers.get("set-cookie", "")


def test_an_order_is_placed_and_its_receipt_opens(client: Any) -> None:
    client.post("/login", MARA)
    client.post("/cart/add", {"sku": "KK-102"})
    form = {
        "name": "Ida",
        "email": "i@example.org",
        "street": "S 1",
        "postcode": "1",
        "city": "F",
        "country": "Sweden",
    }

    receipt = client.post("/checkout", form)

    assert receipt.url.path.startswith("/receipt/KK-")
    assert "€ 94.00" in receipt.text
    assert client.get("/api/cart").json()["count"] == 0


def test_logout_empties_session_and_cart(client: Any) -> None:
    client.post("/cart/add", {"sku": "KK-101"})
    client.post("/login", MARA)

    client.post("/logout")

    assert client.get("/account").url.path == "/login"
    assert client.get("/api/cart").json()["count"] == 0


def test_logging_out_everywhere_ends_the_visit_in_the_other_browser(
    database: Path, tmp_path: Path, browser_for: Callable[[Any, str], Any]
) -> None:
    guard = guard_config(ads_origin=ADS, state_dir=tmp_path / "state")
    app = create_app(ads_origin=ADS, database=database, guard=guard)
    one, other = (browser_for(app, "https://shop.localhost:8000") for _ in range(2))
    for browser in (one, other):
        browser.post("/login", MARA)
    assert 'action="/logout-everywhere"' in other.get("/account").text

    one.post("/logout-everywhere")

    assert other.get("/account").url.path == "/login"
    other.post("/login", MARA)
    assert other.get("/account").url.path == "/account"


def test_no_cart_checks_out_while_the_store_is_gone(client: Any, tmp_path: Path) -> None:
    client.post("/login", MARA)
    client.post("/cart/add", {"sku": "KK-102"})
    store = tmp_path / "state" / "store.db"
    store.rename(tmp_path / "aside.db")
    wait_until(lambda: client.get("/account").url.path == "/login", "the customer is a guest")

    assert client.get("/api/cart").json()["count"] == 1
    assert client.post("/checkout", {"name": "Ida"}).status_code == 503
    (tmp_path / "aside.db").rename(store)
    wait_until(lambda: client.get("/account").url.path == "/account", "the customer is known again")
    assert client.post("/checkout", {"name": "Ida"}).status_code == 422


def test_five_failures_shut_the_door_without_the_shop_knowing_an_address(client: Any) -> None:
    statuses = [client.post("/login", {**MARA, "password": "guess"}).status_code for _ in range(6)]

    assert statuses == [422] * 5 + [429]
