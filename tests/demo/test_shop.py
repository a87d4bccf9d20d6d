"""The unguarded demo shop in process works as the browser tests expect."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from demo_site.shop import create_app

ADS = "http://ads.localhost:8001"
ADDRESS = {
    "name": "Ida Beck",
    "email": "ida@example.org",
    "street": "Am Hafen 1",
    "postcode": "24937",
    "city": "Flensburg",
    "country": "Germany",
}
PAGES = [
    "/",
    "/catalogue",
    "/catalogue?kind=bowls",
    "/product/tide-bowl",
    "/journal",
    "/privacy",
    "/cart",
    "/login",
]

MakeBrowser = Callable[[], Any]


@pytest.fixture
def browser(database: Path, browser_for: Callable[[Any, str], Any]) -> MakeBrowser:
    """Make browsers, each with its own cookies, that visit one and the same shop."""
    app = create_app(ads_origin=ADS, database=database, guard=None)
    return lambda: browser_for(app, "http://shop.localhost:8000")


@pytest.fixture
def client(browser: MakeBrowser) -> Any:
    """Give one browser."""
    return browser()


def test_letter_is_taken_once_and_only_with_an_address(client: Any) -> None:
    wrong = client.post("/newsletter", {"email": "nowhere"})
    taken = [client.post("/newsletter", {"email": "ida@example.org"}) for _ in range(2)]

    assert (wrong.status_code, "does not look like" in wrong.text) == (422, True)
    assert ["the next one is yours" in page.text for page in taken] == [True, True]


def add(client: Any, sku: str, quantity: int = 1) -> None:
    """Put a piece into the cart the way the form does."""
    assert client.post("/cart/add", {"sku": sku, "quantity": str(quantity)}).status_code == 200


def login(client: Any, number: str = "10042", password: str = "blue-glaze", **more: str) -> int:
    """Send the login form, return the status."""
    form = {"number": number, "password": password, **more}
    status: int = client.post("/login", form).status_code
    return status


@pytest.mark.parametrize("path", PAGES)
def test_every_page_opens_and_carries_the_tags(client: Any, path: str) -> None:
    page = client.get(path)

    assert page.status_code == 200
    for host in ("ads", "metrics", "video", "widget"):
        assert f"http://{host}.localhost:8001/" in page.text


@pytest.mark.parametrize(
    ("path", "status"), [("/nope", 404), ("/product/nope", 404), ("/catalogue?kind=x", 404), ("/crash", 500)]
)
def test_error_pages_are_whole_pages_with_the_tags(client: Any, path: str, status: int) -> None:
    page = client.get(path)

    assert page.status_code == status
    assert f"{ADS}/tag.js" in page.text
    assert page.text.rstrip().endswith("</html>")


def test_every_product_has_its_picture(client: Any) -> None:
    pictures = set(re.findall(r'src="(/static/products/[^"]+)"', client.get("/catalogue").text))

    assert len(pictures) == 12
    for picture in pictures:
        answer = client.get(picture)
        assert (answer.status_code, answer.headers["content-type"]) == (200, "image/svg+xml")


def test_cart_adds_changes_and_removes(client: Any) -> None:
    add(client, "KK-101", 2)
    add(client, "KK-101")
    add(client, "KK-103")
    assert client.get("/api/cart").json()["count"] == 4

    client.post("/cart/change", {"sku": "KK-101", "quantity": "5"})
    client.post("/cart/remove", {"sku": "KK-103"})

    cart = client.get("/api/cart").json()
    assert cart["items"] == [{"sku": "KK-101", "name": "Morning mug", "quantity": 5}]
    assert cart["total_cents"] == 5 * 2800
    client.post("/cart/change", {"sku": "KK-101", "quantity": "0"})
    assert client.get("/api/cart").json()["count"] == 0


@pytest.mark.parametrize(
    ("quantity", "kept"), [("0", 1), ("-3", 1), ("99", 20), ("9" * 5000, 1), ("x", 1), ("", 1), ("²", 1)]
)
def test_odd_quantities_become_sensible_ones(client: Any, quantity: str, kept: int) -> None:
    client.post("/cart/add", {"sku": "KK-101", "quantity": quantity})

    assert client.get("/api/cart").json()["count"] == kept


def test_unknown_articles_are_not_sold(client: Any) -> None:
    answer = client.post("/cart/add", {"sku": "KK-999"})

    assert answer.status_code == 400
    assert client.get("/api/cart").json()["count"] == 0


def test_checkout_answers_303_to_a_receipt_priced_by_the_database(client: Any) -> None:
    add(client, "KK-102")
    form = {**ADDRESS, "cents": "1", "total": "1", "price": "0"}

    placed = client.post("/checkout", form, follow=False)

    assert placed.status_code == 303
    assert re.fullmatch(r"/receipt/KK-[A-Z0-9]{8}", placed.headers["location"])
    receipt = client.get(placed.headers["location"])
    assert "€ 94.00" in receipt.text
    assert "Ida Beck" in receipt.text
    assert client.get("/api/cart").json()["count"] == 0


def test_checkout_says_which_fields_are_wrong_and_keeps_the_others(client: Any) -> None:
    add(client, "KK-101")

    page = client.post("/checkout", {**ADDRESS, "email": "nowhere", "city": ""})

    assert page.status_code == 422
    assert page.text.count('class="wrong"') == 2
    assert 'value="Ida Beck"' in page.text


def test_an_empty_cart_cannot_check_out(client: Any) -> None:
    assert client.get("/checkout", follow=False).headers["location"] == "/cart"
    assert client.post("/checkout", ADDRESS, follow=False).headers["location"] == "/cart"


def test_a_receipt_opens_only_for_its_buyer(browser: MakeBrowser) -> None:
    buyer, stranger = browser(), browser()
    add(buyer, "KK-101")
    receipt = buyer.post("/checkout", ADDRESS).url.path

    assert buyer.get(receipt).status_code == 200
    assert stranger.get(receipt).status_code == 404
    login(stranger, "10077", "salt-kiln")
    assert stranger.get(receipt).status_code == 404
    assert stranger.get("/receipt/KK-M4RWX7AC").status_code == 404


def test_account_shows_number_and_past_orders_after_login(client: Any) -> None:
    assert client.get("/account").url.path == "/login"

    login(client)

    page = client.get("/account")
    assert page.url.path == "/account"
    assert "10042" in page.text
    assert "KK-M4RWX7AC" in page.text
    assert client.get("/receipt/KK-M4RWX7AC").status_code == 200


def test_logout_ends_the_visit(client: Any) -> None:
    login(client)

    client.post("/logout")

    assert client.get("/account").url.path == "/login"


def test_an_order_of_a_customer_stands_in_the_account_on_every_device(browser: MakeBrowser) -> None:
    first, second = browser(), browser()
    login(first)
    add(first, "KK-104")
    number = first.post("/checkout", ADDRESS).url.path.rpartition("/")[2]

    login(second)

    assert number in second.get("/account").text


@pytest.mark.parametrize(
    ("number", "password"), [("10042", "salt-kiln"), ("99999", "blue-glaze"), ("", ""), ("10042", "")]
)
def test_wrong_number_or_password_gives_the_same_answer(client: Any, number: str, password: str) -> None:
    page = client.post("/login", {"number": number, "password": password})

    assert page.status_code == 422
    assert "do not match" in page.text
    assert client.get("/account").url.path == "/login"


def test_five_failures_shut_the_door_even_for_the_right_password(browser: MakeBrowser) -> None:
    client, other = browser(), browser()
    assert [login(client, password=f"guess {number}") for number in range(5)] == [422] * 5

    assert login(client) == 429
    assert login(other) == 429  # a fresh cookie jar does not help: it is the same address


def test_a_success_forgets_the_failures_before_it(client: Any) -> None:
    for _ in range(2):
        assert [login(client, password="guess") for _ in range(4)] == [422] * 4
        assert login(client) == 200


@pytest.mark.parametrize(
    "target", ["//evil.example", "https://evil.example", "/\\evil.example", "/a\r\nX: y", "javascript:x", ""]
)
def test_login_never_leads_out_of_the_shop(client: Any, target: str) -> None:
    form = {"number": "10042", "password": "blue-glaze", "next": target}

    answer = client.post("/login", form, follow=False)

    assert (answer.status_code, answer.headers["location"]) == (303, "/account")


def test_forms_are_limited(client: Any) -> None:
    assert client.post("/cart/add", content=b"a=" + b"x" * 20_000).status_code == 413
    assert client.post("/cart/add", content=b"&".join([b"a=1"] * 200)).status_code == 400
    assert client.post("/cart/add", content=b"sku=\xff").status_code == 400


def test_hostile_input_is_escaped_on_the_page(client: Any) -> None:
    add(client, "KK-101")

    page = client.post("/checkout", {**ADDRESS, "name": '"><script>alert(1)</script>', "city": ""})

    assert "<script>alert(1)" not in page.text


def test_passwords_are_not_stored_readably(client: Any, tmp_path: Path) -> None:
    login(client)

    stored = b"".join(file.read_bytes() for file in tmp_path.glob("shop.sqlite3*"))
    assert b"Mara Lindqvist" in stored
    assert b"blue-glaze" not in stored


def test_footer_script_links_profiles_and_reads_the_cart_in_one(client: Any) -> None:
    scripts = re.findall(r"<script>(.*?)</script>", client.get("/").text, flags=re.DOTALL)

    assert any("pictogram.example" in one and "fetch('/api/cart')" in one for one in scripts)


def test_an_origin_that_is_not_the_ad_networks_is_refused(tmp_path: Path) -> None:
    for origin in ("ads.localhost:8001", "http://localhost:8001", "ftp://ads.localhost"):
        with pytest.raises(ValueError, match="ads_origin"):
            create_app(ads_origin=origin, database=tmp_path / "shop.sqlite3", guard=None)
