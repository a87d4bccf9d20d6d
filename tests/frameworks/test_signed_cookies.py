"""Django's and Quart's own session cookies work inside our signed ones, without a change to their code."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from harness.servers import Server, serving

from cookieguard import Config, CookieGuard
from cookieguard.config import CookieSettings, SignedCookie
from frameworks.conftest import VENDORS, shop_of
from frameworks.visiting import Shopper

NAMES = {"django": ("sessionid", "csrftoken"), "quart": ("session",)}
SESSION = "__Host-cg_session"


@pytest.fixture(scope="module")
def signing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Server]]:
    """Serve a framework's shop that signs its own cookies, once for all tests."""
    servers: dict[str, Server] = {}
    with ExitStack() as stack:

        def serve(framework: str) -> Server:
            if framework not in servers:
                sign = tuple(SignedCookie(name=name) for name in NAMES[framework])
                state = str(tmp_path_factory.mktemp(framework) / "state")
                config = Config(vendors=VENDORS, state_dir=state, cookies=CookieSettings(sign=sign))
                app = CookieGuard(shop_of(framework).create_app(), config)
                servers[framework] = stack.enter_context(serving(app))
            return servers[framework]

        yield serve


@pytest.fixture(params=NAMES)
def framework(request: pytest.FixtureRequest) -> str:
    """Name both in turn."""
    return str(request.param)


@pytest.fixture
def shoppers(framework: str, signing: Callable[[str], Server]) -> Iterator[tuple[Shopper, Shopper]]:
    """Give two visitors of the shop."""
    with Shopper(signing(framework)) as one, Shopper(signing(framework)) as other:
        yield one, other


def test_the_frameworks_session_works_inside_the_token(
    framework: str, shoppers: tuple[Shopper, Shopper]
) -> None:
    shopper, _ = shoppers
    shopper.get("/products/KK-101")
    assert shopper.cookies[NAMES[framework][0]].startswith("2.")

    shopper.log_in()
    page = shopper.get("/")

    assert "Welcome, 10042" in page.text
    assert {"customer": "10042", "seen": ["KK-101"]}.items() <= shopper.me().items()
    assert all(shopper.cookies[name].startswith("2.") for name in NAMES[framework])


def test_a_stolen_one_opens_for_nobody_else(framework: str, shoppers: tuple[Shopper, Shopper]) -> None:
    shopper, thief = shoppers
    for one, number, password in ((shopper, "10042", "blue-glaze"), (thief, "10043", "ash-glaze")):
        one.get("/products/KK-101")
        one.log_in(number, password)
    name = NAMES[framework][0]

    thief.cookies[name] = shopper.cookies[name]

    assert thief.me()["seen"] == []
    assert shopper.me()["seen"] == ["KK-101"]


def test_a_forged_one_starts_clean_and_is_no_error(framework: str, shoppers: tuple[Shopper, Shopper]) -> None:
    shopper, _ = shoppers
    shopper.get("/products/KK-101")
    name = NAMES[framework][0]

    shopper.cookies[name] = "plain-and-forged"

    assert shopper.me()["seen"] == []


def test_after_logout_a_copy_does_not_open(framework: str, shoppers: tuple[Shopper, Shopper]) -> None:
    shopper, _ = shoppers
    shopper.get("/products/KK-101")
    shopper.log_in()
    copy = dict(shopper.cookies)

    shopper.submit("/logout", {})
    shopper.cookies = copy

    assert {"customer": None, "seen": []}.items() <= shopper.me().items()


def test_djangos_csrf_check_passes_and_refuses_as_before(signing: Callable[[str], Server]) -> None:
    with Shopper(signing("django")) as shopper:
        assert shopper.log_in().status_code == 302

        assert shopper.post("/cart", {"sku": "KK-101"}).status_code == 403
