"""The recipe of docs/frameworks.md moves a shop from SessionMiddleware to cookieguard."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import itsdangerous
import pytest
from harness.asgi import ask
from starlette.applications import Starlette
from starlette.middleware.sessions import SessionMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from cookieguard import Config, CookieGuard, visitor_of

PAGE = Path(__file__).parents[2] / "docs" / "frameworks.md"
SECRET = "a long secret of the old shop"


async def sign_in(request: Request) -> Response:
    request.session.update({"uid": 7, "cart": ["mug"], "lang": "de"})
    return Response()


async def state(request: Request) -> Response:
    return JSONResponse([visitor_of(request).customer, dict(request.session)])


@pytest.fixture
def old_sessions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Give the class that stands in the documentation."""
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(), re.M | re.S)
    (block,) = [one for one in blocks if "class OldSessions" in one]
    names: dict[str, Any] = {"__name__": "example"}
    exec(block, names)
    names["app"].close()
    found: Callable[..., Any] = names["OldSessions"]
    return found


@pytest.fixture
def shop(old_sessions: Callable[..., Any], tmp_path: Path) -> CookieGuard:
    app = Starlette(routes=[Route("/", state)])
    return CookieGuard(old_sessions(app, SECRET), Config(state_dir=str(tmp_path / "state")))


def old_cookie(secret: str = SECRET) -> str:
    routes = [Route("/", sign_in, methods=["POST"])]
    old = SessionMiddleware(Starlette(routes=routes), secret_key=secret)
    return ask(old, path="/", method="POST").cookies()["session"]


def seen(shop: CookieGuard, **cookies: str) -> tuple[Any, dict[str, str]]:
    header = "; ".join(f"{name}={value}" for name, value in cookies.items())
    answer = ask(shop, path="/", headers=[("cookie", header)] if header else [])
    return json.loads(answer.text), answer.cookies()


def test_a_customer_of_before_is_still_logged_in_and_the_old_cookie_ends(shop: CookieGuard) -> None:
    first, cookies = seen(shop, session=old_cookie())

    assert first == ["7", {"cart": ["mug"], "lang": "de"}]
    assert cookies["session"] == ""
    ours = {name: value for name, value in cookies.items() if name != "session"}
    assert seen(shop, **ours)[0] == first


def test_what_the_new_session_says_is_not_overwritten(shop: CookieGuard) -> None:
    _, cookies = seen(shop, session=old_cookie())

    again, _ = seen(shop, **{**cookies, "session": old_cookie().replace("a", "b", 1)})

    assert again == ["7", {"cart": ["mug"], "lang": "de"}]


@pytest.mark.parametrize("cookie", ["forged", "lapsed", "bare"])
def test_a_cookie_that_the_old_shop_would_refuse_makes_nobody_a_customer(
    shop: CookieGuard, cookie: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if cookie == "lapsed":
        monkeypatch.setattr(itsdangerous.TimestampSigner, "get_timestamp", lambda _: 1_600_000_000)
    value = {"forged": old_cookie("another secret"), "lapsed": old_cookie(), "bare": "e30="}[cookie]
    monkeypatch.undo()

    assert seen(shop, session=value)[0] == [None, {}]
