"""Django Channels inside: it brings a session of its own, and keeps it only where it finds none in the scope.

Which part of an app a request reaches shows when it gets there, so ours is in the scope first: Starlette and Litestar
look for it. Channels gives itself away by filling it (`OtherSession`), before it has read or said anything.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from cookieguard.errors import CookieGuardError, OtherSession

CHANNELS = "channels.sessions"  # the module whose middleware does so: asked for in `sys.modules`
TOO_LATE = (
    "Django Channels' SessionMiddleware comes after middleware that has already read the request; "
    "put it before that middleware"
)

ASGIApp = Callable[[Any, Any, Any], Awaitable[None]]


async def call_beside_channels(app: ASGIApp, scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Call an app with our session in the scope, and once more without it where Channels brings its own."""
    has_begun = False

    async def receive_noting() -> Any:
        nonlocal has_begun
        has_begun = True
        return await receive()

    async def send_noting(message: Any) -> None:
        nonlocal has_begun
        has_begun = True
        await send(message)

    try:
        await app(scope, receive_noting, send_noting)
    except OtherSession as error:
        if has_begun:
            raise CookieGuardError(TOO_LATE) from error
    else:
        return
    await app({name: value for name, value in scope.items() if name != "session"}, receive, send)
