"""The visitor that an app sees, from the first byte of a response to the last."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from harness.asgi import Answer, ask, drive, scope_of

from cookieguard import CookieGuard, visitor_of
from cookieguard.errors import CookieTooLarge

Guard = Callable[..., CookieGuard]


@pytest.mark.parametrize("content_type", [b"text/html", b"text/csv"])
def test_a_visitor_stays_who_it_is_while_the_response_streams(guard: Guard, content_type: bytes) -> None:
    async def app(scope: Any, _: Any, send: Any) -> None:
        visitor = visitor_of(scope)
        visitor.login("10042")
        visitor.cart["mug"] = 2
        headers = [(b"content-type", content_type)]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"rows of ", "more_body": True})
        rest = f"{visitor.customer} with {visitor.cart.get('mug')} mugs"
        await send({"type": "http.response.body", "body": rest.encode()})

    answer = ask(guard(app))

    assert b"rows of 10042 with 2 mugs" in answer.body
    assert len(answer.cookies()) == 2


def test_the_error_page_after_a_session_too_large_gets_through_though_it_looks_at_the_visitor(
    guard: Guard,
) -> None:
    async def app(scope: Any, _: Any, send: Any) -> None:
        scope["session"]["essay"] = "x" * 70_000
        with pytest.raises(CookieTooLarge):
            await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"a/b")]})
        text = f"sorry, {visitor_of(scope).customer or 'guest'}"
        await send({"type": "http.response.start", "status": 500, "headers": [(b"content-type", b"a/b")]})
        await send({"type": "http.response.body", "body": text.encode()})

    answer = Answer(scope=scope_of())
    asyncio.run(drive(guard(app), answer))

    assert (answer.status, answer.text, answer.all("set-cookie")) == (500, "sorry, guest", [])
