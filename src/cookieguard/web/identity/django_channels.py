"""Support for Django Channels, which has a session of its own and saves it only if the scope has none yet.

Starlette and Litestar read our session from the scope. Which framework gets a request is known only later, so the scope
has our session first. Channels then tries to fill it, which raises `OtherSession` before any message is read or sent.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from cookieguard.errors import CookieGuardError, OtherSession

CHANNELS = "channels.sessions"  # the module of that middleware; it is in `sys.modules` if the app uses it
TOO_LATE = (
    "Django Channels' SessionMiddleware comes after middleware that has already read the request; "
    "put it before that middleware"
)

ASGIApp = Callable[[Any, Any, Any], Awaitable[None]]


async def call_beside_channels(app: ASGIApp, scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Call an app with our session in the scope, and once more without it if Channels has a session of its own."""
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
