"""Look inside the wrapped app for middleware that would fight with ours, and for what needs a hand."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

DEEPEST_STACK = 50  # layers; no real stack comes near, and a cycle of `.app` must end
SESSION_ADVICE = "no other session middleware, since request.session already is cookieguard's signed session"
# FastHTML makes one by itself, so there is nothing in the shop's code to remove.
FASTHTML_ADVICE = (
    "FastHTML(sess_cls=None), or fast_app(bodykw={'sess_cls': None}), since FastHTML adds that middleware by itself; "
    "its `session` is then cookieguard's signed session"
)
TWICE = "wrapped in CookieGuard twice"
TWICE_ADVICE = "one CookieGuard, outermost"
# Middleware that puts a session of its own where ours is, by module and name: no framework is imported for this.
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
# Limiters that count by address unless they are told otherwise, by the module that a shop imports.
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
    """Return what to tell of each rate limiter that this process has imported; no look into its settings."""
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
    """Return whether Litestar is inside: it hands the session out without a word, so it must be open already."""
    return _is_from("litestar", app)


def _is_from(package: str, app: Any) -> bool:
    """Return whether a layer is of a package, or made of one by inheritance."""
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
