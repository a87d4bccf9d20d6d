"""A shop's own tests that stop the time, as freezegun does: a clock of its own in the place of time.monotonic."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.testclient import TestClient

from cookieguard import Config, CookieGuard, visitor_of


async def sign_in(request: Request) -> Response:
    visitor_of(request).login("17")
    return Response()


async def account(request: Request) -> Response:
    visitor = visitor_of(request)
    return JSONResponse([visitor.customer, visitor.is_uncertain])


def stop(monkeypatch: pytest.MonkeyPatch, at: float) -> None:
    """Have every name of a module that leads to the real clock lead to one that stands, as freezegun does."""
    real = time.monotonic
    for module in list(sys.modules.values()):
        names = [name for name, value in list(vars(module).items()) if value is real]
        for name in names if module is not sys.modules[__name__] else []:
            monkeypatch.setattr(module, name, lambda: at)


@pytest.mark.parametrize("at", [1.8e9, 0.0])
def test_a_login_is_known_while_the_time_stands(
    at: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The store was heard before by another clock: each customer was a guest until the time ran again."""
    shop = Starlette(routes=[Route("/in", sign_in), Route("/", account)])
    guard = CookieGuard(shop, Config(state_dir=str(tmp_path / "state")))
    try:
        for is_stopped in (False, True, False):
            with monkeypatch.context() as context:
                if is_stopped:
                    stop(context, at)
                browser = TestClient(guard, base_url="https://testserver")
                browser.get("/in")
                assert browser.get("/").json() == ["17", False]
    finally:
        guard.close()
