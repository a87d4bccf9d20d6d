"""The `customer_from` function of docs/cookies.md names customers behind Starlette's authentication."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.authentication import AuthCredentials, AuthenticationBackend, BaseUser
from starlette.middleware import Middleware
from starlette.middleware.authentication import AuthenticationMiddleware
from starlette.requests import HTTPConnection, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.testclient import TestClient

from cookieguard import Config, CookieGuard, visitor_of
from cookieguard.config import CookieSettings, SignedCookie

PAGE = Path(__file__).parents[2] / "docs" / "cookies.md"


class User(BaseUser):
    """A user who is logged in."""

    is_authenticated = True

    def __init__(self, id_: str) -> None:
        self.id = id_


class ByCookie(AuthenticationBackend):
    """A backend that knows users by a cookie of the shop; Starlette makes all others guests."""

    async def authenticate(self, conn: HTTPConnection) -> tuple[AuthCredentials, BaseUser] | None:
        """Return who asks."""
        number = conn.cookies.get("uid")
        return (AuthCredentials(), User(number)) if number else None


async def state(request: Request) -> Response:
    visitor = visitor_of(request)
    return JSONResponse([visitor.customer, visitor.is_uncertain, dict(visitor.cart)])


async def put(request: Request) -> Response:
    visitor_of(request).cart["mug"] = 1
    response = Response()
    response.set_cookie("basket", "5")
    return response


async def sign_in(_: Request) -> Response:
    response = Response()
    response.set_cookie("uid", "17")
    return response


async def sign_out(_: Request) -> Response:
    response = Response()
    response.delete_cookie("uid")
    return response


ROUTES = [Route("/", state), Route("/put", put), Route("/in", sign_in), Route("/out", sign_out)]
Shopper = Callable[..., TestClient]


@pytest.fixture
def number_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Any], Any]:
    """Give the function that stands in the documentation."""
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(), re.M | re.S)
    (block,) = [one for one in blocks if "def number_of" in one]
    names: dict[str, Any] = {"__name__": "example"}
    exec(block, names)
    names["app"].close()
    found: Callable[[Any], Any] = names["number_of"]
    return found


@pytest.fixture
def shopper(number_of: Callable[[Any], Any], tmp_path: Path) -> Iterator[Shopper]:
    """Open a shop, which signs these cookies."""
    made: list[CookieGuard] = []

    def opened(*signed: SignedCookie) -> TestClient:
        config = Config(state_dir=str(tmp_path / "state"), cookies=CookieSettings(sign=signed))
        inside = [Middleware(AuthenticationMiddleware, backend=ByCookie())]
        made.append(CookieGuard(Starlette(routes=ROUTES, middleware=inside), config, customer_from=number_of))
        return TestClient(made[-1], base_url="https://testserver")

    yield opened
    for one in made:
        one.close()


def test_a_guest_of_starlettes_is_nobody_and_logs_out_who_was_there(
    shopper: Shopper, caplog: pytest.LogCaptureFixture
) -> None:
    browser = shopper()
    browser.get("/put")
    assert browser.get("/").json() == [None, False, {"mug": 1}]
    browser.get("/in")
    assert browser.get("/").json() == ["17", False, {"mug": 1}]

    browser.get("/out")

    assert browser.get("/").json() == [None, False, {}]
    assert not [line for line in caplog.messages if "customer_from" in line]


def test_a_user_who_is_known_only_inside_the_app_is_told_of_where_cookies_are_opened_before_it(
    shopper: Shopper, caplog: pytest.LogCaptureFixture
) -> None:
    browser = shopper(SignedCookie(name="basket"))
    browser.get("/put")
    browser.get("/")
    assert caplog.messages == [line for line in caplog.messages if "customer_from" not in line]
    browser.get("/in")

    assert browser.get("/").json()[0] is None
    browser.get("/")

    (told,) = [line for line in caplog.messages if "customer_from" in line]
    assert 'set binding = "none"' in told


def test_with_cookies_that_are_bound_to_nobody_such_a_user_is_the_customer(shopper: Shopper) -> None:
    browser = shopper(SignedCookie(name="basket", binding="none"))
    browser.get("/put")
    browser.get("/in")

    assert browser.get("/").json() == ["17", False, {"mug": 1}]
    assert browser.get("/").json() == ["17", False, {"mug": 1}]
