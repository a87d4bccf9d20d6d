"""No code of ours blocks the event loop: blockbuster raises if a coroutine uses the disk, sleeps or waits."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from blockbuster import BlockingError, blockbuster_ctx
from harness.asgi import Answer, drive, scope_of

from cookieguard import CookieGuard, visitor_of

PAGE = b"<!doctype html><title>x</title><iframe src=//maps.example/x></iframe><script src=//ads.example/x></script>"
FORM = [("content-type", "application/x-www-form-urlencoded"), ("sec-fetch-site", "same-origin")]
DOCUMENT = ("sec-fetch-dest", "document")
REPORT = b'{"csp-report":{"blocked-uri":"https://late.example/","document-uri":"https://shop.example/"}}'


async def shop(scope: Any, receive: Any, send: Any) -> None:
    visitor, path = visitor_of(scope), scope["path"]
    if path == "/login":
        visitor.login("1004217")
    elif path == "/logout":
        visitor.logout()
    elif path == "/add":
        visitor.cart["7"] = 2
    elif path == "/disk":
        os.stat("/")
    visitor.session["seen"] = path
    headers = [(b"content-type", b"application/pdf" if path == "/file" else b"text/html"), (b"etag", b'"1"')]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": PAGE})


async def visit(app: CookieGuard, now: list[datetime], path: str, **options: Any) -> Answer:
    body = options.pop("body", b"")
    answer = Answer(scope=scope_of(path=path, **options))
    await drive(app, answer, body)
    now[0] += timedelta(seconds=1)
    return answer


@pytest.mark.parametrize("language", ["en", "de"])
def test_a_visit_with_everything_blocks_no_event_loop(
    guard: Callable[..., CookieGuard], language: str
) -> None:
    now = [datetime(2026, 11, 24, 12, 59, tzinfo=UTC)]
    app = guard(shop, clock=lambda: now[0])
    statuses: list[int] = []

    async def visits() -> None:
        with blockbuster_ctx():
            cookies: dict[str, str] = {}
            for round_ in range(2):
                for path in (
                    "/",
                    "/login",
                    "/add",
                    "/file",
                    "/_cg/choices",
                    "/_cg/stats",
                    "/_cg/staff",
                    "/logout",
                    "/",
                ):
                    jar = ("cookie", "; ".join(f"{name}={value}" for name, value in cookies.items()))
                    headers = [DOCUMENT, ("accept-language", language)] + [jar] * bool(cookies)
                    answer = await visit(app, now, path, headers=headers)
                    cookies |= answer.cookies()
                    statuses.append(answer.status)
                for path, body in (("/_cg/consent", b"choice=accept"), ("/_cg/report", REPORT)):
                    answer = await visit(app, now, path, method="POST", headers=FORM, body=body)
                    cookies |= answer.cookies()
                    statuses.append(answer.status)
                now[0] += timedelta(hours=25)
                await asyncio.sleep(2.2 * (not round_))  # the files are looked at again

    asyncio.run(visits())

    assert len(statuses) == 22
    assert max(statuses) < 500


def test_what_the_shop_itself_blocks_is_seen(guard: Callable[..., CookieGuard]) -> None:
    async def one() -> None:
        with blockbuster_ctx():
            await visit(guard(shop), [datetime.now(UTC)], "/disk")

    with pytest.raises(BlockingError):
        asyncio.run(one())
