"""The shop of every framework, guarded by one line on a real server, shows the same list of behaviours."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from harness.servers import Server, serving

from frameworks.conftest import FRAMEWORKS, shop_of
from frameworks.pages import PAGES, asks, check_guarded, check_own_page, check_unguarded, live_tags
from frameworks.visiting import Shopper

EVERY_PURPOSE = ["marketing", "necessary", "statistics"]
# The framework's own session lives in a cookie of its own, beside ours; the other three use ours.
OWN_SESSION_COOKIE = {"django": "sessionid", "quart": "session"}
SESSION, CART, CONSENT = "__Host-cg_session", "__Host-cg_cart", "__Host-cg_consent"


@pytest.fixture(params=FRAMEWORKS)
def framework(request: pytest.FixtureRequest) -> str:
    """Name every framework in turn."""
    return str(request.param)


@pytest.fixture
def shopper(framework: str, guarded: Callable[[str], Server]) -> Iterator[Shopper]:
    """Give a new visitor of the framework's shop."""
    with Shopper(guarded(framework)) as one:
        yield one


@pytest.fixture
def other(framework: str, guarded: Callable[[str], Server]) -> Iterator[Shopper]:
    """Give a second visitor of the same shop."""
    with Shopper(guarded(framework)) as one:
        yield one


# Pages


@pytest.mark.parametrize("path", PAGES)
def test_own_pages_found_and_not_found_and_crashed_are_guarded(shopper: Shopper, path: str) -> None:
    check_guarded(shopper.get(path), path)


def test_without_the_one_line_the_same_pages_are_live(framework: str) -> None:
    # Its pages that need no visitor: cookieguard's session is what request.session of three of them is.
    with serving(shop_of(framework).create_app()) as server, Shopper(server) as shopper:
        for path in [path for path in PAGES if path != "/products/KK-101"]:
            check_unguarded(shopper.get(path), path)


def test_after_accepting_every_page_is_live_and_asks_no_more(shopper: Shopper) -> None:
    back = shopper.choose("accept", next_path="/products/KK-101")

    check_own_page(back, "/products/KK-101")
    assert shopper.me()["granted"] == EVERY_PURPOSE
    for path in PAGES:
        page = shopper.get(path)
        check_own_page(page, path)
        assert live_tags(page.text) == 2
        assert not asks(page.text)


def test_after_refusing_nothing_is_live_and_nothing_asks(shopper: Shopper) -> None:
    shopper.choose("reject")

    assert shopper.me()["granted"] == ["necessary"]
    for path in PAGES:
        page = shopper.get(path)
        check_own_page(page, path)
        assert live_tags(page.text) == 0
        assert not asks(page.text)


def test_withdrawing_holds_the_tags_again(shopper: Shopper) -> None:
    shopper.choose("accept")

    shopper.choose("reject")

    assert live_tags(shopper.get("/").text) == 0


def test_the_browsers_opt_out_is_honoured(shopper: Shopper) -> None:
    page = shopper.get("/", **{"sec-gpc": "1"})

    assert live_tags(page.text) == 0
    assert not asks(page.text)
    assert shopper.get("/.well-known/gpc.json").json()["gpc"] is True


def test_json_of_the_shop_passes_as_it_is(shopper: Shopper) -> None:
    answer = shopper.get("/api/me", accept="*/*")

    assert answer.headers["content-type"].startswith("application/json")
    assert "content-security-policy" not in answer.headers
    assert {"customer": None, "cart": {}, "granted": ["necessary"]}.items() <= answer.json().items()


# Login and cart


def test_login_begins_a_session_of_the_customer(shopper: Shopper) -> None:
    shopper.submit("/cart", {"sku": "KK-101"})
    before = shopper.cookies[SESSION]

    answer = shopper.log_in("10042", "blue-glaze")

    assert answer.status_code in (302, 303)
    assert answer.headers["location"] == "/"
    assert "no-store" in answer.headers["cache-control"]
    assert shopper.cookies[SESSION] != before
    assert shopper.me()["customer"] == "10042"


def test_our_cookies_are_out_of_scripts_and_say_no_number(shopper: Shopper) -> None:
    answer = shopper.log_in()

    lines = [line for line in answer.headers.get_list("set-cookie") if line.startswith("__Host-cg_")]
    assert lines
    for line in lines:
        assert {"HttpOnly", "Secure", "Path=/"} <= set(line.split("; "))
        assert "10042" not in line


def test_a_wrong_password_leaves_a_guest_on_the_shops_own_page(shopper: Shopper) -> None:
    answer = shopper.log_in("10042", "wrong")

    assert answer.status_code == 401
    assert "<h1>Wrong password</h1>" in answer.text
    assert live_tags(answer.text) == 0
    assert shopper.me()["customer"] is None


def test_the_cart_counts_and_comes_along_at_login(shopper: Shopper) -> None:
    shopper.submit("/cart", {"sku": "KK-101"})
    shopper.submit("/cart", {"sku": "KK-101"})
    shopper.log_in()
    shopper.submit("/cart", {"sku": "KK-102"})

    assert shopper.me()["cart"] == {"KK-101": 2, "KK-102": 1}


def test_logout_ends_session_and_cart(shopper: Shopper) -> None:
    shopper.log_in()
    shopper.submit("/cart", {"sku": "KK-101"})

    shopper.submit("/logout", {})

    assert {"customer": None, "cart": {}}.items() <= shopper.me().items()
    assert not {SESSION, CART} & shopper.cookies.keys()


def test_a_cart_opens_for_its_own_customer_only(shopper: Shopper, other: Shopper) -> None:
    shopper.log_in("10042", "blue-glaze")
    shopper.submit("/cart", {"sku": "KK-101"})
    other.log_in("10043", "ash-glaze")

    other.cookies[CART] = shopper.cookies[CART]

    assert {"customer": "10043", "cart": {}}.items() <= other.me().items()
    assert shopper.me()["cart"] == {"KK-101": 1}


@pytest.mark.parametrize("name", [SESSION, CART, CONSENT])
def test_a_forged_cookie_starts_empty_and_is_no_error_page(shopper: Shopper, name: str) -> None:
    shopper.log_in()
    shopper.submit("/cart", {"sku": "KK-101"})
    shopper.choose("accept")
    token = shopper.cookies[name]

    shopper.cookies[name] = token[:-2] + ("AA" if token[-2:] != "AA" else "BB")

    me = shopper.me()
    assert me["customer"] == (None if name == SESSION else "10042")
    assert me["cart"] == ({"KK-101": 1} if name == CONSENT else {})
    assert me["granted"] == (["necessary"] if name == CONSENT else EVERY_PURPOSE)


def test_consent_outlives_login_and_logout(shopper: Shopper) -> None:
    shopper.choose("accept")

    shopper.log_in()
    shopper.submit("/logout", {})

    assert shopper.me()["granted"] == EVERY_PURPOSE


# request.session


def test_request_session_remembers(framework: str, shopper: Shopper) -> None:
    shopper.get("/products/KK-101")
    shopper.get("/products/KK-102")

    assert shopper.me()["seen"] == ["KK-101", "KK-102"]
    assert OWN_SESSION_COOKIE.get(framework, SESSION) in shopper.cookies


@pytest.mark.parametrize("framework", OWN_SESSION_COOKIE, indirect=True)
def test_a_frameworks_own_session_works_beside_ours(framework: str, shopper: Shopper) -> None:
    shopper.get("/products/KK-101")
    assert SESSION not in shopper.cookies

    shopper.log_in()
    welcome = shopper.get("/")
    own = shopper.cookies[OWN_SESSION_COOKIE[framework]]

    assert "Welcome, 10042" in welcome.text  # flashed in the framework's own session
    assert "Welcome" not in shopper.get("/").text
    assert {"customer": "10042", "seen": ["KK-101"]}.items() <= shopper.me().items()
    del shopper.cookies[SESSION]
    assert {"customer": None, "seen": ["KK-101"]}.items() <= shopper.me().items()
    assert own


def test_djangos_own_user_and_our_customer_are_one(guarded: Callable[[str], Server]) -> None:
    with Shopper(guarded("django")) as shopper:
        shopper.log_in()
        assert {"user": "10042", "customer": "10042"}.items() <= shopper.me().items()

        shopper.submit("/logout", {})
        assert {"user": "", "customer": None}.items() <= shopper.me().items()


def test_djangos_csrf_check_still_refuses(guarded: Callable[[str], Server]) -> None:
    with Shopper(guarded("django")) as shopper:
        shopper.get("/")

        answer = shopper.post("/login", {"number": "10042", "password": "blue-glaze"})

        assert answer.status_code == 403
        assert shopper.me()["customer"] is None
