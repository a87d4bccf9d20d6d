"""The ad network as one ASGI app: it serves tags, frames and pixels, and records every request except for its log."""

from __future__ import annotations

import secrets
from base64 import b64decode
from collections.abc import Mapping, MutableMapping
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.templating import Jinja2Templates
from starlette.types import ASGIApp, Receive, Scope, Send

from demo_site.adnet.log import Log, site_of
from demo_site.adnet.profile import profiles_of

HERE = Path(__file__).parent
STATIC = HERE / "static"
ROWS = 40
GIF = b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")
UID = "gl_uid"
MOST_BODY = 4 * 1024
LOG_POLICY = (
    "default-src 'none'; img-src data:; script-src 'self'; style-src 'self'; connect-src 'self';"
    " form-action 'self'"
)

TEMPLATES = Jinja2Templates(directory=HERE / "templates")


def create_app(*, shops: Mapping[str, str] | None = None) -> Starlette:
    """Build the ad network; its log page lists `shops` (title by host) even before their first request."""
    app = Starlette(
        routes=[
            Route("/_log", show_log),
            Route("/_log.json", log_as_json),
            Route("/_log/clear", clear_log, methods=["POST"]),
            Route("/_log/{name}", log_asset),
            Route("/{path:path}", answer, methods=["GET", "POST", "OPTIONS", "HEAD", "PUT"]),
        ],
        middleware=[Middleware(OpenToEverybody)],
    )
    app.state.log = Log()
    app.state.shops = dict(shops or {})
    return app


class OpenToEverybody:
    """Return headers that allow every origin with credentials, and forbid caching, so that each load is counted."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Add the headers to every response except those of the log."""
        if scope["type"] != "http" or scope["path"].startswith("/_log"):
            await self._app(scope, receive, send)
            return
        origin = Request(scope).headers.get("origin", "*")
        extra = [
            (b"access-control-allow-origin", origin.encode("latin-1")),
            (b"access-control-allow-credentials", b"true"),
            (b"access-control-allow-headers", b"content-type"),
            (b"cross-origin-resource-policy", b"cross-origin"),
            (b"timing-allow-origin", b"*"),
            (b"cache-control", b"no-store"),
        ]

        async def send_open(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message.get("headers", ()), *extra]}
            await send(message)

        await self._app(scope, receive, send_open)


async def answer(request: Request) -> Response:
    """Record the request, and serve its path; a new browser gets a cookie with its number."""
    _log(request).note(request, body=await _body(request), now=datetime.now(UTC))
    path = "/" + request.path_params["path"]
    response = _serve(request, path)
    if UID not in request.cookies and request.method != "OPTIONS":
        response.set_cookie(
            UID, secrets.token_hex(6), max_age=31_536_000, samesite="none", secure=True, httponly=True
        )
    return response


def _serve(request: Request, path: str) -> Response:
    if request.method == "OPTIONS" or path == "/collect":
        return Response(status_code=204)
    if path == "/pixel.gif":
        return Response(GIF, media_type="image/gif")
    if path.startswith("/embed/"):
        return _template(request, f"embed_{path.removeprefix('/embed/')}.html", "text/html")
    if path in ("/style.css", "/banner.svg", "/avatar.svg"):
        return _template(request, path[1:], "text/css" if path.endswith("css") else "image/svg+xml")
    file = STATIC / path.rpartition("/")[2]
    if file.name in SERVED:
        return FileResponse(file)
    return Response("nothing here", 404)


SERVED = {file.name for file in STATIC.iterdir() if not file.name.startswith("log.")}


def _template(request: Request, name: str, media_type: str) -> Response:
    if name not in TEMPLATES.env.list_templates():
        return Response("nothing here", 404)
    query = request.query_params
    context = {
        "site": site_of(request),
        "about": query.get("v") or query.get("q") or "",
        "width": query.get("w"),
    }
    return TEMPLATES.TemplateResponse(request, name, context, media_type=media_type)


async def _body(request: Request) -> bytes:
    body = b""
    async for chunk in request.stream():
        body = (body + chunk)[:MOST_BODY]
    return body


def _log(request: Request) -> Log:
    log: Log = request.app.state.log
    return log


async def show_log(request: Request) -> Response:
    """Show every request live, for people."""
    log = _log(request)
    shops = request.app.state.shops
    sites = {host: (shops.get(host, host), log.by_site[host]) for host in [*shops, *log.by_site] if host}
    context = {
        "log": log,
        "sites": sites,
        "rows": list(log.records)[: -ROWS - 1 : -1],
        "profiles": profiles_of(log.records),
    }
    response = TEMPLATES.TemplateResponse(request, "log.html", context)
    response.headers["content-security-policy"] = LOG_POLICY
    response.headers["cache-control"] = "no-store"
    return response


async def log_as_json(request: Request) -> Response:
    """List every request, for tests."""
    return JSONResponse([asdict(record) for record in _log(request).records])


async def clear_log(request: Request) -> Response:
    """Delete the record of all requests."""
    _log(request).clear()
    return RedirectResponse("/_log", 303)


async def log_asset(request: Request) -> Response:
    """Serve the log page's own style and script."""
    name = f"log.{request.path_params['name'].rpartition('.')[2]}"
    if name not in ("log.css", "log.js"):
        return HTMLResponse("nothing here", 404)
    return FileResponse(STATIC / name)
