"""A shop's test that stops the time, as freezegun does: it replaces each time.monotonic by a clock of its own.

Run as `python stopped_clock.py STATE AT`, in a process of its own: threads that wait would never hear that it goes on.
Prints what the shop says before, while the time stands, and after.
"""

from __future__ import annotations

import sys
import time
from unittest import mock

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


def stopped(at: float) -> list[mock._patch[object]]:
    """Replace the real clock by a stopped one, under every name of a module."""
    real = time.monotonic

    def stands() -> float:
        return at

    return [
        mock.patch.object(module, name, stands)
        for module in list(sys.modules.values())
        for name, value in list(vars(module).items())
        if value is real
    ]


def main(state: str, at: str) -> None:
    """Log in and look, three times."""
    shop = Starlette(routes=[Route("/in", sign_in), Route("/", account)])
    guard = CookieGuard(shop, Config(state_dir=state))
    for is_stopped in (False, True, False):
        patches = stopped(float(at)) if is_stopped else []
        for one in patches:
            one.start()
        browser = TestClient(guard, base_url="https://testserver")
        browser.get("/in")
        print(browser.get("/").text, flush=True)
        for one in patches:
            one.stop()
    guard.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
