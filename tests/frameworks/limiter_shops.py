"""Shops with a rate limiter, each run in a process of its own: `python limiter_shops.py NAME FILE STATE`.

FILE is the block of docs/frameworks.md. It prints the answers to neighbours, by address and by the documented key.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from pathlib import Path
from typing import Any

import httpx

TRIES = 5  # that each limit allows in a minute
ONE, NEIGHBOUR = "203.0.113.7", "203.0.113.8"
DJANGO: dict[str, Any] = {
    "SECRET_KEY": "for a test",
    "ALLOWED_HOSTS": ["*"],
    "ROOT_URLCONF": __name__,
    "CACHES": {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}},
    "SILENCED_SYSTEM_CHECKS": ["django_ratelimit.E003", "django_ratelimit.W001"],
}
urlpatterns: list[Any] = []


def slowapi(documented: dict[str, Any] | None) -> Any:
    from fastapi import FastAPI, Request
    from slowapi import Limiter, _rate_limit_exceeded_handler
    from slowapi.errors import RateLimitExceeded
    from slowapi.util import get_remote_address

    limiter = documented["limiter"] if documented else Limiter(key_func=get_remote_address)
    app = FastAPI()
    app.state.limiter = limiter
    app.add_exception_handler(RateLimitExceeded, _rate_limit_exceeded_handler)

    async def login(request: Request) -> dict[str, str]:
        return {}

    login.__annotations__["request"] = Request
    app.post("/login")(limiter.limit(f"{TRIES}/minute")(login))
    return app


def litestar(documented: dict[str, Any] | None) -> Any:
    from litestar import Litestar, post
    from litestar.middleware.rate_limit import RateLimitConfig

    @post("/login", status_code=200, sync_to_thread=False)
    def login() -> dict[str, str]:
        return {}

    limit = documented["limit"] if documented else RateLimitConfig(rate_limit=("minute", TRIES))
    return Litestar([login], middleware=[limit.middleware])


def flask_limiter(documented: dict[str, Any] | None) -> Any:
    from a2wsgi import WSGIMiddleware
    from flask import Flask
    from flask_limiter import Limiter
    from flask_limiter.util import get_remote_address

    shop = Flask("shop")
    limiter = documented["limiter"] if documented else Limiter(get_remote_address)
    limiter.init_app(shop)
    shop.post("/login")(limiter.limit(f"{TRIES}/minute")(lambda: "in"))
    return WSGIMiddleware(shop)


def django_ratelimit(documented: dict[str, Any] | None) -> Any:
    _configured()
    from django.http import HttpResponse
    from django_ratelimit.decorators import ratelimit

    plain = ratelimit(key="ip", rate=f"{TRIES}/m")(lambda request: HttpResponse("in"))
    return _django(documented["login"] if documented else plain)


def axes(documented: dict[str, Any] | None) -> Any:
    _configured(
        INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "axes"],
        AUTHENTICATION_BACKENDS=["axes.backends.AxesStandaloneBackend"],
        AXES_FAILURE_LIMIT=TRIES,
        AXES_LOCKOUT_PARAMETERS=["ip_address"],
    )
    from django.conf import settings
    from django.contrib.auth import authenticate
    from django.core.management import call_command
    from django.http import HttpResponse

    call_command("migrate", verbosity=0)
    settings.AXES_CLIENT_IP_CALLABLE = documented["client"] if documented else None

    def login(request: Any) -> Any:
        authenticate(request, username="ada", password="wrong")
        return HttpResponse("no", status=429 if getattr(request, "axes_locked_out", False) else 200)

    return _django(login)


def rest_framework(documented: dict[str, Any] | None) -> Any:
    _configured(INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "rest_framework"])
    from rest_framework.response import Response
    from rest_framework.throttling import AnonRateThrottle
    from rest_framework.views import APIView

    plain = type("Plain", (AnonRateThrottle,), {"rate": f"{TRIES}/min"})
    throttle = documented["GuestThrottle"] if documented else plain

    class Login(APIView):
        throttle_classes = (throttle,)

        def post(self, request: Any) -> Any:
            return Response({})

    return _django(Login.as_view())


def _configured(**more: Any) -> None:
    import django
    from django.conf import settings

    if not settings.configured:
        database = {"ENGINE": "django.db.backends.sqlite3", "NAME": f"{sys.argv[3]}.sqlite3"}
        settings.configure(**DJANGO, DATABASES={"default": database}, **more)
        django.setup()


def _django(view: Any) -> Any:
    from django.core.asgi import get_asgi_application
    from django.core.cache import cache
    from django.urls import clear_url_caches, path
    from django.views.decorators.csrf import csrf_exempt

    cache.clear()
    urlpatterns[:] = [path("login", csrf_exempt(view))]
    clear_url_caches()
    return get_asgi_application()


def answers(app: Any) -> list[int]:
    """Try often enough from one address, then once from its neighbour's."""

    async def go() -> list[int]:
        statuses = []
        for address in [ONE] * (TRIES + 1) + [NEIGHBOUR]:
            transport = httpx.ASGITransport(app, client=(address, 4711), raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url="https://shop.example") as client:
                statuses.append((await client.post("/login")).status_code)
        return statuses

    return asyncio.run(go())


def main(name: str, block: str, state: str) -> None:
    from cookieguard import Config, CookieGuard

    told: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: told.append(record.getMessage())  # type: ignore[method-assign]
    logging.getLogger("cookieguard").addHandler(handler)
    make = globals()[name]
    found = {}
    for how in ("address", "key"):
        if name in ("django_ratelimit", "axes", "rest_framework"):
            make(None)  # Django is set up before its packages are imported
        documented: dict[str, Any] | None = {"__name__": "limits"} if how == "key" else None
        if documented is not None:
            exec(compile(Path(block).read_text(), block, "exec"), documented)
        guard = CookieGuard(make(documented), Config(state_dir=f"{state}-{how}"))
        found[how] = answers(guard)
        guard.close()
    print(json.dumps({**found, "told": told}))


if __name__ == "__main__":
    main(*sys.argv[1:])
