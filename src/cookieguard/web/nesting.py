"""Look inside the wrapped app for middleware that would fight with ours."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from starlette.middleware.sessions import SessionMiddleware

DEEPEST_STACK = 50  # layers; no real stack comes near, and a cycle of `.app` must end
SESSION_ADVICE = "remove it: request.session is cookieguard's signed session already"
TWICE = "a second CookieGuard inside the first"
TWICE_ADVICE = "wrap the app once, outermost"


def conflict_inside(app: Any, ours: type) -> tuple[str, str] | None:
    """Return (what was found, what to do) for a second CookieGuard or a SessionMiddleware inside `app`.

    Sees Starlette's and FastAPI's middleware lists and every wrapper that keeps its app at `.app`.
    """
    for layer in _layers(app):
        if issubclass(layer, ours):
            return TWICE, TWICE_ADVICE
        if issubclass(layer, SessionMiddleware):
            return "Starlette's SessionMiddleware inside CookieGuard", SESSION_ADVICE
    return None


def _layers(app: Any) -> Iterator[type]:
    for _ in range(DEEPEST_STACK):
        yield type(app)
        yield from _declared(app)
        app = getattr(app, "app", None) or getattr(app, "middleware_stack", None)
        if app is None:
            return


def _declared(app: Any) -> Iterator[type]:
    for middleware in getattr(app, "user_middleware", None) or ():
        layer = getattr(middleware, "cls", None)
        if isinstance(layer, type):
            yield layer
