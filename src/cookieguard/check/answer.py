"""Examine a page of the shop's app: its own policy against the declared vendors, and the banner in the page.

The app runs in this process, called as a server calls it: startup, one GET, shutdown. Its response is recorded twice,
as the app sent it and as the guard changed it.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator, MutableMapping
from contextlib import suppress
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urlsplit

from cookieguard.check.settings import examine_banner
from cookieguard.config import Config, load_catalogue
from cookieguard.config.loading.app import reason_of
from cookieguard.consent import Way, allowance, site_of
from cookieguard.consent.shop_csp import admits, lets_answer
from cookieguard.engines.doctor import TRACKER_ADVICE
from cookieguard.engines.doctor_settings import Finding
from cookieguard.errors import ConfigError
from cookieguard.web.middleware import CookieGuard

TIMEOUT_SECONDS = 60.0  # each for startup, response and shutdown; a machine that runs tests may be busy
REDIRECTS, ERRORS = 300, 400  # the first status code of each
BAD_REQUEST = 400
CSP, OWN_POLICY = "content-security-policy", "Content-Security-Policy"
KINDS = {"style": "it appears without its design", "script": "it works, but reloads the page"}


@dataclass(slots=True)
class Answer:
    """Hold the response of an app."""

    status: int = 0
    trouble: str = ""
    """Why the response is incomplete; empty if it is complete."""
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""

    def get_all(self, name: str) -> list[str]:
        """Return the values of a header."""
        return [value for found, value in self.headers if found == name]


def guard_in(app: Any) -> CookieGuard:
    """Return the app if it is a CookieGuard; raises ConfigError if it is not."""
    if not isinstance(app, CookieGuard):
        allowed = (
            'what CookieGuard(...) returns; end the module with: app = CookieGuard(app, "cookieguard.toml")'
        )
        raise ConfigError("app", was=f"a {type(app).__name__}", allowed=allowed)
    return app


def examine_app(guard: CookieGuard, path: str = "/") -> Iterator[Finding]:
    """Yield the findings on one page, both as the app sent it and as the guard changed it."""
    origin = next(iter(guard.config.origins), "https://localhost")
    bare, page = asyncio.run(_bare_and_guarded(guard, origin, path))
    if page.trouble:
        text = f"GET {path} was not answered in full ({page.trouble})"
        yield Finding("page", text, "repair that, or choose another page: --page /path")
        return
    if not bare.status or bare.status >= ERRORS:
        text = f"GET {path} was answered {f'with {bare.status}' if bare.status else 'by cookieguard itself'}"
        mend = "choose a page that the app has: --page /path"
        if bare.status == BAD_REQUEST:
            mend = f"let the app answer for {urlsplit(origin).netloc} (Django: ALLOWED_HOSTS), or {mend}"
        yield Finding("page", text, mend)
        return
    if (other := _no_page(bare)) is not None:
        yield Finding("page", f"GET {path} was answered {other}", "choose an HTML page: --page /path")
        return
    yield from _policy(guard.config, bare, origin)
    yield from _proxied(page, origin, path)
    if guard.config.consent.enabled and guard.config.html.enabled:  # else `examine_promises` reports it
        yield from examine_banner(page.body.decode("utf-8", "replace"), f"banner on {path}")


def _no_page(answer: Answer) -> str | None:
    """Return in words how a response differs from a page; None for a page."""
    if answer.status >= REDIRECTS:
        return f"with {answer.status}, to {', '.join(answer.get_all('location')) or 'nowhere'}"
    kinds = answer.get_all("content-type")
    if any("html" in kind for kind in kinds):
        return None
    return f"with {', '.join(kinds)}" if kinds else "without a content type"


def _policy(config: Config, bare: Answer, origin: str) -> Iterator[Finding]:
    headers = bare.get_all(CSP)
    if not headers:
        yield Finding(OWN_POLICY, "the shop sends none")
        return
    for kind, what in KINDS.items():
        if allowance(headers, kind, origin=origin, path=f"{config.prefix}banner").way is Way.NONE:
            text = f"it blocks the banner's {kind}: {what}"
            yield Finding(OWN_POLICY, text, f"add 'self' or a nonce to {kind}-src")
    if not lets_answer(headers, origin=origin, path=f"{config.prefix}consent"):
        text = "it blocks the banner's form: visitors can neither accept nor refuse"
        yield Finding(OWN_POLICY, text, "add 'self' to form-action, and allow-forms to sandbox")
    shut = [
        vendor.name
        for vendor in config.vendors
        if not any(admits(headers, re.split("[/:]", pattern)[0]) for pattern in vendor.hosts)
    ]
    advice = (
        "if you use them, add their hosts to the policy: consent alone does not let them in" if shut else ""
    )
    text = f"it blocks {', '.join(shut)}" if shut else "it lets in every declared vendor"
    yield Finding(OWN_POLICY, text, advice=advice)


def _proxied(page: Answer, origin: str, path: str) -> Iterator[Finding]:
    shop = site_of(urlsplit(origin).hostname or "")
    for url in _Loads(page.body.decode("utf-8", "replace")).urls:
        parts = urlsplit(url)
        is_own = not parts.hostname or shop.holds(parts.hostname, parts.port)
        entry = load_catalogue().by_path(parts.path, parts.query) if is_own else None
        if entry is not None:
            text = f"{path} loads {entry.name} from {parts.hostname or 'the shop'}{parts.path}"
            yield Finding("own hosts", text, advice=f'{TRACKER_ADVICE} with catalogue = "{entry.id}"')


class _Loads(HTMLParser):
    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.urls: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("script", "iframe", "img"):
            self.urls += [value for name, value in attrs if name == "src" and value]


async def _bare_and_guarded(guard: CookieGuard, origin: str, path: str) -> tuple[Answer, Answer]:
    start, end = asyncio.Event(), asyncio.Event()
    refusals: list[str] = []
    lifespan = asyncio.create_task(_live(guard, start, end, refusals))
    try:
        await asyncio.wait_for(start.wait(), TIMEOUT_SECONDS)
        bare, page = await _ask(guard, origin, path)
        if refusals and (page.trouble or bare.status >= ERRORS):  # such as without its database, in CI
            page.trouble = f"the app did not start: {refusals[0]}"
        return bare, page
    except TimeoutError:
        late = Answer(trouble=f"it did not start within {TIMEOUT_SECONDS:.0f} s")
        return late, late
    finally:
        end.set()
        await asyncio.wait([lifespan], timeout=TIMEOUT_SECONDS)
        lifespan.cancel()
        guard.close()


async def _live(app: Any, start: asyncio.Event, end: asyncio.Event, refusals: list[str]) -> None:
    """Run the app's lifespan as a server does, and record why startup failed. An app may have no lifespan."""
    messages = [{"type": "lifespan.startup"}]

    async def receive() -> MutableMapping[str, Any]:
        if messages:
            return messages.pop()
        await end.wait()
        return {"type": "lifespan.shutdown"}

    async def send(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "lifespan.startup.failed":
            lines = str(message.get("message", "")).strip().splitlines()
            refusals.append(lines[-1][:300] if lines else "it did not say why")
        start.set()

    with suppress(Exception):  # Django and others raise for a type of scope that they do not support
        await app({"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}, receive, send)
    start.set()


async def _ask(guard: CookieGuard, origin: str, path: str) -> tuple[Answer, Answer]:
    """Send one request, and return the app's own response and the guard's. Some apps work only inside of a guard."""
    app, bare = guard.app, Answer()

    async def recorded(scope: Any, receive: Any, send: Any) -> None:
        async def keep(message: MutableMapping[str, Any]) -> None:
            if "headers" in message:  # may be an iterator, which can be read only once
                message = {**message, "headers": list(message["headers"])}
            _note(bare, message)
            await send(message)

        await app(scope, receive, keep)

    guard.app = recorded
    try:
        return bare, await _get(guard, origin, path)
    finally:
        guard.app = app


async def _get(app: Any, origin: str, path: str) -> Answer:
    answer, parts = Answer(), urlsplit(origin)
    path, _, query = path.partition("?")
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": parts.scheme,
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [
            (b"host", parts.netloc.encode()),
            (b"accept", b"text/html"),
            (b"sec-fetch-dest", b"document"),
        ],
        "client": ("127.0.0.1", 1),
        "server": (parts.hostname, parts.port or 443),
        "state": {},
        "extensions": {},
    }

    asked = [{"type": "http.request", "body": b"", "more_body": False}]

    async def receive() -> MutableMapping[str, Any]:
        if asked:
            return asked.pop()
        await asyncio.Event().wait()  # the client never disconnects; Django waits for that while it responds
        return {"type": "http.disconnect"}

    async def send(message: MutableMapping[str, Any]) -> None:
        _note(answer, message)

    try:
        await asyncio.wait_for(app(scope, receive, send), TIMEOUT_SECONDS)
    except TimeoutError:
        answer.trouble = f"it took more than {TIMEOUT_SECONDS:.0f} s"
    except Exception as error:  # noqa: BLE001 - the shop's own code runs here
        answer.trouble = reason_of(error)
    return answer


def _note(answer: Answer, message: MutableMapping[str, Any]) -> None:
    if message["type"] == "http.response.start":
        answer.status = message["status"]
        answer.headers = [
            (name.decode("latin-1").lower(), value.decode("latin-1"))
            for name, value in message.get("headers", ())
        ]
    elif message["type"] == "http.response.body":
        answer.body += message.get("body", b"")
