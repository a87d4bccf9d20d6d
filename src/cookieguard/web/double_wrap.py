"""Find middleware in the wrapped app that conflicts with ours, and rate limiters that the owner has to configure."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

DEEPEST_STACK = 50  # layers; real stacks have far fewer, and a cycle of `.app` must end
SESSION_ADVICE = "no other session middleware, since request.session already is cookieguard's signed session"
# FastHTML adds this middleware by itself, so the shop's code has no line to remove.
FASTHTML_ADVICE = (
    "FastHTML(sess_cls=None), or fast_app(bodykw={'sess_cls': None}), since FastHTML adds that middleware by itself; "
    "its `session` is then cookieguard's signed session"
)
TWICE = "wrapped in CookieGuard twice"
TWICE_ADVICE = "one CookieGuard, outermost"
# Middleware that replaces our session by its own. Classes are compared by name, so that no framework is imported.
SESSION_LAYERS = {
    (
        "starlette.middleware.sessions",
        "SessionMiddleware",
    ): "using Starlette's SessionMiddleware inside CookieGuard",
    (
        "litestar.middleware.session.base",
        "SessionMiddleware",
    ): "using Litestar's SessionMiddleware inside CookieGuard",
}
# Rate limiters that count by address unless the shop configures them, by the module that it imports.
LIMITERS = {
    "axes": "django-axes",
    "django_ratelimit": "django-ratelimit",
    "flask_limiter": "Flask-Limiter",
    "litestar.middleware.rate_limit": "Litestar's rate limit",
    "rest_framework.throttling": "Django REST framework's throttling",
    "slowapi": "slowapi",
}
BY_ADDRESS = (
    "{} may count by address, but cookieguard shortens addresses, so up to 256 customers would share one limit; have "
    "it count by visitor.throttle_key (docs/frameworks.md, Rate limits)"
)


def limiters_inside() -> list[str]:
    """Return advice on each rate limiter that this process has imported; the limiter's settings are not read."""
    return [BY_ADDRESS.format(name) for module, name in LIMITERS.items() if module in sys.modules]


def conflict_inside(app: Any, ours: type) -> tuple[str, str] | None:
    """Return (what was found, what to do) for a second CookieGuard or a SessionMiddleware inside `app`.

    Sees the middleware lists of Starlette, FastAPI and Litestar, and every wrapper that keeps its app at `.app`.
    """
    for layer in _layers(app):
        if issubclass(layer, ours):
            return TWICE, TWICE_ADVICE
        for base in layer.__mro__:
            found = SESSION_LAYERS.get((base.__module__, base.__qualname__))
            if found is not None:
                return found, FASTHTML_ADVICE if _is_from("fasthtml", app) else SESSION_ADVICE
    return None


def is_litestar(app: Any) -> bool:
    """Return whether Litestar is inside: it passes the session on unread, so the session must be open already."""
    return _is_from("litestar", app)


def _is_from(package: str, app: Any) -> bool:
    """Return whether the class of a layer, or one of its base classes, comes from a package."""
    return any(
        base.__module__.partition(".")[0] == package for layer in _layers(app) for base in layer.__mro__
    )


def _layers(app: Any) -> Iterator[type]:
    for _ in range(DEEPEST_STACK):
        yield type(app)
        yield from _declared(app)
        app = getattr(app, "app", None) or getattr(app, "middleware_stack", None)
        if app is None:
            return


def _declared(app: Any) -> Iterator[type]:
    """Yield the middleware classes that an app lists: Starlette's `.cls`, Litestar's `.middleware`."""
    for listed in (getattr(app, "user_middleware", None), getattr(app, "middleware", None)):
        for middleware in listed if isinstance(listed, (list, tuple)) else ():
            layer = getattr(middleware, "cls", None) or getattr(middleware, "middleware", middleware)
            if isinstance(layer, type):
                yield layer
