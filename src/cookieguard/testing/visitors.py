"""Prepare visitors for a test who have already chosen or signed in, with cookies from the guard itself."""

from __future__ import annotations

import asyncio
import copy
import json
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http.cookiejar import Cookie, CookieJar
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from cookieguard.errors import CookieGuardError
from cookieguard.web.middleware import CookieGuard
from cookieguard.web.visitor import visitor_of

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext

ALL, NONE = "all", "none"
CHOICES = {ALL: "accept", NONE: "reject"}
CHOSEN = 200
LOGIN_PATH = "/"
SAME_SITE = {"lax": "Lax", "strict": "Strict", "none": "None"}


@dataclass(frozen=True, slots=True)
class SetCookie:
    """Hold one cookie that the guard set."""

    name: str
    value: str = field(repr=False)
    domain: str = ""
    path: str = "/"
    is_secure: bool = False
    is_http_only: bool = False
    same_site: str = "Lax"


@dataclass(frozen=True, slots=True)
class PreparedVisitor:
    """Hold the cookies and headers with which a browser or a client is this visitor at `url`."""

    url: str
    cookies: tuple[SetCookie, ...]
    headers: Mapping[str, str]

    @property
    def for_httpx(self) -> dict[str, Any]:
        """The arguments that make a client of httpx, or Starlette's `TestClient`, this visitor."""
        import httpx  # not at the top: it imports click and rich, which tests with only Playwright do not need

        kept, host = httpx.Cookies(_Jar()), urlsplit(self.url).hostname or ""
        for cookie in self.cookies:
            kept.set(cookie.name, cookie.value, domain=_domain_in_jar(cookie, host), path=cookie.path)
        return {"cookies": kept.jar, "headers": dict(self.headers)}

    @property
    def for_playwright(self) -> list[dict[str, Any]]:
        """The argument for Playwright's `context.add_cookies`, sync or async."""
        host = urlsplit(self.url).hostname
        return [
            {
                "name": cookie.name,
                "value": cookie.value,
                "domain": cookie.domain or host,
                "path": cookie.path,
                "secure": cookie.is_secure,
                "httpOnly": cookie.is_http_only,
                "sameSite": cookie.same_site,
            }
            for cookie in self.cookies
        ]

    def open(self, browser: Browser, **options: Any) -> BrowserContext:
        """Return a context of this visitor in a browser of Playwright's sync API; `options` are `new_context`'s.

        Its `base_url` is the shop, so `page.goto("/cart")` works.
        """
        context = browser.new_context(**self.options(options))
        context.add_cookies(self.for_playwright)  # type: ignore[arg-type]  # a TypedDict of Playwright's
        return context

    def options(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """Return options for a context, with this visitor's address and headers added."""
        headers = {**self.headers, **options.get("extra_http_headers", {})}
        return {"base_url": self.url, **options, "extra_http_headers": headers}


class _Jar(CookieJar):
    """Return Secure cookies over http too, as browsers do for loopback hosts."""

    def set_cookie(self, cookie: Cookie) -> None:
        cookie.secure = False
        super().set_cookie(cookie)


def _domain_in_jar(cookie: SetCookie, host: str) -> str:
    """Return the domain as a jar stores it for a response, so that the next cookie of this name replaces this one."""
    if cookie.domain:
        return f".{cookie.domain.removeprefix('.')}"
    named = f"[{host}]" if ":" in host else host
    return named if "." in named else f"{named}.local"  # RFC 2965, which http.cookiejar follows


def prepare_visitor(
    guard: CookieGuard,
    url: str,
    *,
    consent: str | Iterable[str] | None = None,
    customer: str | int | None = None,
    gpc: bool = False,
) -> PreparedVisitor:
    """Return a visitor of the guarded shop at `url` (`http://localhost:8000`).

    `consent`: `"all"`, `"none"`, the purposes agreed to, or None for a visitor who has not chosen. `customer`: the one
    who is signed in. `gpc`: the browser sends Global Privacy Control. The guard need not be the one that serves, if
    both have the same configuration and state directory. Raises ValueError for an unknown purpose, and
    CookieGuardError if the guard does not accept this URL as the shop's.
    """
    fields = _choice(guard, consent)
    jar: dict[str, SetCookie] = {}
    headers = {"sec-gpc": "1"} if gpc else {}
    if customer is not None:
        door = copy.copy(guard)  # the same parts around another app
        door.app = _login_app(customer)
        _in_thread(lambda: _ask(door, url, LOGIN_PATH, jar, headers))
        if not jar:
            raise CookieGuardError(f"a customer cannot be signed in at {url}; {HOSTS}")
    if fields is not None:
        path = f"{guard.config.prefix}consent"
        status = _in_thread(lambda: _ask(guard, url, path, jar, headers, json.dumps(fields).encode()))
        if status != CHOSEN:
            raise CookieGuardError(f"the guard answers a choice at {url} with {status}; {HOSTS}")
    return PreparedVisitor(url.rstrip("/"), tuple(jar.values()), headers)


HOSTS = "allowed: an address of `origins`, https or on a loopback host (config_for_tests accepts any host)"


def _choice(guard: CookieGuard, consent: str | Iterable[str] | None) -> dict[str, str | list[str]] | None:
    """Return the fields that the banner would post, for JSON, which needs no token of a form."""
    if consent is None:
        return None
    if isinstance(consent, str) and consent in CHOICES:
        return {"choice": CHOICES[consent]}
    purposes = [consent] if isinstance(consent, str) else list(consent)
    known = [purpose.id for purpose in guard.config.asked]
    for purpose in purposes:
        if purpose not in known:
            allowed = f"'all', 'none', or purposes of {', '.join(known)}"
            raise ValueError(f"consent is {purpose!r}; allowed: {allowed}")
    return {"choice": "save", "purpose": purposes}


def _login_app(customer: str | int) -> Any:
    async def app(scope: Any, _: Any, send: Any) -> None:
        visitor_of(scope).login(customer)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    return app


def _in_thread(asked: Callable[[], Any]) -> int:
    """Run a request to its end in a thread, because the test may have a running event loop."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(lambda: int(asyncio.run(asked()))).result()


async def _ask(
    guard: CookieGuard,
    url: str,
    path: str,
    jar: dict[str, SetCookie],
    extra: Mapping[str, str],
    body: bytes | None = None,
) -> int:
    """Send the guard a request as from a page of this shop, keep its cookies in `jar`, and return the status."""
    scope = _scope(url, path, jar, extra, is_post=body is not None)
    status = 0

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body or b"", "more_body": False}

    async def send(message: Any) -> None:
        nonlocal status
        if message["type"] == "http.response.start":
            status = message["status"]
            for name, value in message["headers"]:
                if name == b"set-cookie":
                    _keep(value.decode("latin-1"), jar)

    await guard(scope, receive, send)
    return status


def _scope(
    url: str, path: str, jar: Mapping[str, SetCookie], extra: Mapping[str, str], *, is_post: bool
) -> dict[str, Any]:
    place = urlsplit(url)
    headers = {
        "host": place.netloc,
        "sec-fetch-site": "same-origin",
        "sec-fetch-dest": "empty" if is_post else "document",
        "cookie": "; ".join(f"{cookie.name}={cookie.value}" for cookie in jar.values()),
        **extra,
    }
    if is_post:
        headers |= {
            "origin": f"{place.scheme}://{place.netloc}",
            "accept": "application/json",
            "content-type": "application/json",
        }
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": "POST" if is_post else "GET",
        "scheme": place.scheme,
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [(name.encode(), value.encode("latin-1")) for name, value in headers.items() if value],
        "client": ("127.0.0.1", 50000),
        "server": (place.hostname, place.port),
    }


def _keep(line: str, jar: dict[str, SetCookie]) -> None:
    """Keep or remove a cookie as a browser does for a Set-Cookie line of the guard."""
    pair, *attributes = line.split(";")
    name, _, value = pair.partition("=")
    said = {
        key.strip().lower(): given.strip() for key, _, given in (part.partition("=") for part in attributes)
    }
    if said.get("max-age") == "0":
        jar.pop(name, None)
        return
    jar[name] = SetCookie(
        name,
        value,
        domain=said.get("domain", ""),
        path=said.get("path", "/"),
        is_secure="secure" in said,
        is_http_only="httponly" in said,
        same_site=SAME_SITE.get(said.get("samesite", "").lower(), "Lax"),
    )
