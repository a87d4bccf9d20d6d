"""A shop that writes down everything it sees of a request, as an app does that is being debugged.

Runs in a server's process, in the directory it may write to. `SHOP_GUARD=off` leaves CookieGuard away, for the
control of a test; `SHOP_TRUSTED` names the trusted proxies; `SHOP_RACERS` workers wait for each other and start at
once; a file `clock` holds the time, where there is one; `SHOP_LOG` holds settings of the access log as JSON,
`SHOP_STATS` those of statistics; `SHOP_SHARED_MEMORY` is where this test's short-lived keys lie.
"""

from __future__ import annotations

import json
import logging
import os
import time
import traceback
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.requests import HTTPConnection, Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from cookieguard import Config, CookieGuard, Vendor, visitor_of
from cookieguard.config import LogSettings, StatsSettings
from cookieguard.storage import runtime_directory

LOG = "shop.log"
THROTTLED = "throttled.txt"
CLOCK = "clock"
STATE = "state"
PURPOSES = ("login", "coupon")
CACHED_BY_ALL = {"cache-control": "public, max-age=60"}
LOGGER = logging.getLogger("shop")


def make_app() -> Any:
    """Build the app in its server's process (`uvicorn --factory`)."""
    _write_log()
    shop = Starlette(
        routes=[
            Route("/page", page),
            Route("/state", state),
            Route("/keep", keep, methods=["POST"]),
            Route("/login", login, methods=["POST"]),
            Route("/logout", logout, methods=["POST"]),
            Route("/risk", risk, methods=["POST"]),
            Route("/order", order, methods=["POST"]),
            Route("/keys", keys),
            Route("/boom", boom),
            Route("/picture", picture),
            Route("/plain", plain),
            WebSocketRoute("/chat", chat),
            WebSocketRoute("/boom", boom_in_chat),
        ]
    )
    _line_up(int(os.environ.get("SHOP_RACERS", "1")))
    return Reporter(shop if os.environ.get("SHOP_GUARD") == "off" else guarded(shop))


def guarded(app: Any) -> CookieGuard:
    """Wrap the shop as its owner would, but for the clock."""
    if memory := os.environ.get("SHOP_SHARED_MEMORY"):
        runtime_directory.SHARED_MEMORY = Path(memory)
    trusted = tuple(filter(None, os.environ.get("SHOP_TRUSTED", "").split(",")))
    vendors = (Vendor(name="Ads", purpose="marketing", hosts=("ads.example",)),)
    log = LogSettings(**json.loads(os.environ.get("SHOP_LOG", "{}")))
    # Everybody gets a visitor key, so that it is searched for addresses too.
    stats = StatsSettings(**{"before_consent": "hashed", **json.loads(os.environ.get("SHOP_STATS", "{}"))})
    config = Config(state_dir=STATE, trusted_proxies=trusted, vendors=vendors, log=log, stats=stats)
    return CookieGuard(app, config, clock=read_clock)


def read_clock() -> datetime:
    """Return the time in the file `clock`, else the real one; `+3600` sets it ahead by so many seconds."""
    try:
        text = Path(CLOCK).read_text()
    except FileNotFoundError:
        return datetime.now(UTC)
    if text[:1] in ("+", "-"):
        return datetime.now(UTC) + timedelta(seconds=int(text))
    return datetime.fromisoformat(text)


class Reporter:
    """The outermost error reporter: it writes tracebacks with the local values of every frame.

    Every response says in `x-pid` which process answered.
    """

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        async def send_with_pid(message: Any) -> None:
            if message["type"] == "http.response.start":
                pid = (b"x-pid", str(os.getpid()).encode())
                message = {**message, "headers": [*message["headers"], pid]}
            await send(message)

        try:
            await self.app(scope, receive, send_with_pid)
        except Exception as error:
            LOGGER.error(
                "%s",
                "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format()),
            )
            raise
        finally:
            LOGGER.info("afterwards %r", {**scope})


def tell(connection: HTTPConnection) -> None:
    """Write down everything there is to see of a request."""
    LOGGER.info("%r %r %r", connection, connection.client, dict(connection.headers))
    LOGGER.info("%r", dict(connection.scope))
    visitor = connection.scope.get("cookieguard.visitor")
    if visitor is not None:
        LOGGER.info("%r %s %r %r %r", visitor, visitor, visitor.consent, visitor.session, visitor.cart)
        LOGGER.info("%r %r", visitor._source, visitor._source.request.headers)


async def page(request: Request) -> Response:
    """Show a document, with a tag that contacts an ad network."""
    tell(request)
    name = request.session.get("name", "nobody") if "session" in request.scope else "nobody"
    name = request.cookies.get("plain", name)
    tag = '<script src="https://ads.example/tag.js"></script>'
    return HTMLResponse(f"<!doctype html><title>Shop</title>{tag}<p>Hello {name}</p>", headers=CACHED_BY_ALL)


async def picture(_: Request) -> Response:
    """Send what every cache may keep."""
    return Response(b"GIF89a", media_type="image/gif", headers=CACHED_BY_ALL)


def plain(_: Request) -> Response:
    """Answer from a thread, as functions without `async` do."""
    return PlainTextResponse("plain")


async def state(request: Request) -> Response:
    """Return what this process reads of the visitor."""
    time.sleep(0.005)  # noqa: ASYNC251 - hold this worker, so that another one takes the next connection
    visitor = visitor_of(request)
    facts = {
        "name": visitor.session.get("name"),
        "lines": visitor.cart.get("lines"),
        "customer": visitor.customer,
        "is_uncertain": visitor.is_uncertain,
        "warnings": [one.what for one in visitor.warnings],
        "granted": sorted(visitor.consent.granted),
        "client": request.client.host if request.client else None,
    }
    return JSONResponse(facts, headers=CACHED_BY_ALL)


async def risk(request: Request) -> Response:
    """Report a risk, with what must be sealed."""
    visitor_of(request).risk("abuse", detail=request.query_params["detail"])
    return PlainTextResponse("reported")


async def order(request: Request) -> Response:
    """Place an order: a goal, and a risk with the network's own words in it."""
    tell(request)
    visitor_of(request).goal("order placed")
    visitor_of(request).risk("checkout", detail=f"by {request.client}")
    return PlainTextResponse("placed")


async def keep(request: Request) -> Response:
    """Keep a name in the session, a line in the cart, and log in, with `&remember` for long."""
    time.sleep(0.005)  # noqa: ASYNC251 - as above
    name = request.query_params["name"]
    visitor = visitor_of(request)
    visitor.login(f"C-{name}", remember="remember" in request.query_params)
    visitor.session["name"] = name
    visitor.cart["lines"] = [[name, 2]]
    return PlainTextResponse("kept")


async def login(request: Request) -> Response:
    """Count attempts by the throttle key, in a file."""
    tell(request)
    if "cookieguard.visitor" in request.scope:
        visitor = visitor_of(request)
        visitor.login("4711")
        _count(visitor.throttle_key("login"))
    return PlainTextResponse("welcome")


async def logout(request: Request) -> Response:
    """End this session, with `?everywhere` all of the customer's."""
    visitor = visitor_of(request)
    if "everywhere" in request.query_params:
        visitor.logout_everywhere()
    else:
        visitor.logout()
    return PlainTextResponse("goodbye")


def _count(key: str) -> None:
    with Path(THROTTLED).open("a") as file:
        file.write(f"{key}\n")


async def keys(request: Request) -> Response:
    """Return the throttle keys of this client."""
    time.sleep(0.005)  # noqa: ASYNC251 - as above
    return JSONResponse({purpose: visitor_of(request).throttle_key(purpose) for purpose in PURPOSES})


async def boom(request: Request) -> Response:
    """Raise with the request at hand, in two frames."""
    tell(request)
    raise RuntimeError(f"broken at {request.client} {request.headers!r} {request!r}")


async def chat(socket: WebSocket) -> None:
    """Take a WebSocket and say one word."""
    tell(socket)
    await socket.accept()
    await socket.send_text("hello")
    await socket.close()


async def boom_in_chat(socket: WebSocket) -> None:
    """Raise before the handshake is answered."""
    tell(socket)
    raise RuntimeError(f"broken at {socket.client} {socket.headers!r}")


def _line_up(racers: int) -> None:
    """Wait until all workers are here, so that they race for the state directory and its keys."""
    Path(f"here-{os.getpid()}").touch()
    deadline = time.monotonic() + 20
    while len(list(Path().glob("here-*"))) < racers and time.monotonic() < deadline:
        time.sleep(0.0005)


def _write_log() -> None:
    """Write everything any logger says, at any level, to one file."""
    handler = logging.FileHandler(LOG)
    handler.setFormatter(logging.Formatter("%(process)d %(name)s %(levelname)s %(message)s"))
    logging.getLogger().addHandler(handler)
    logging.getLogger().setLevel(logging.DEBUG)
