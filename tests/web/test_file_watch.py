"""If the keyring changes during requests, each is checked with the keys in the file, even on a slow disk."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from blockbuster import blockbuster_ctx
from harness.asgi import Answer, drive, scope_of

from cookieguard import Config, CookieGuard, visitor_of
from cookieguard.keyring import new_key
from cookieguard.storage import keyring_file
from cookieguard.storage.keyring_file import HASTE, change_keyring
from cookieguard.storage.keyring_source import beside
from cookieguard.web.file_watch import PAUSE


async def shop(scope: Any, receive: Any, send: Any) -> None:
    visitor = visitor_of(scope)
    if scope["path"] == "/login":
        visitor.login("17")
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": str(visitor.customer).encode()})


async def ask(app: CookieGuard, path: str, *headers: tuple[str, str]) -> Answer:
    answer = Answer(scope=scope_of(path=path, headers=list(headers)))
    await drive(app, answer)
    return answer


def test_requests_beside_a_slow_look_at_the_keyring_wait_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = (CookieGuard(shop, Config(state_dir=str(tmp_path / "state"))) for _ in range(2))
    now = datetime.now(UTC)
    new = new_key(now)
    reads = keyring_file.read_keyring

    def read_slowly(*args: Any) -> Any:
        time.sleep(0.3)
        return reads(*args)

    async def visits() -> list[str]:
        for app in (one, other):
            await ask(app, "/")
        with monkeypatch.context() as change:
            change_keyring(beside(tmp_path / "state"), "keys", lambda before: before.with_key(new))  # type: ignore[union-attr]
            change_keyring(
                beside(tmp_path / "state"),
                "keys",
                lambda before: before.promoted(new.id, now=now, force=True),  # type: ignore[union-attr]
            )
            await asyncio.sleep(PAUSE + 0.1)
            cookies = (await ask(one, "/login")).cookies()
            jar = ("cookie", "; ".join(f"{name}={value}" for name, value in cookies.items()))
            assert new.id in jar[1]
            change.setattr(keyring_file, "read_keyring", read_slowly)
            return [answer.text for answer in await asyncio.gather(*(ask(other, "/", jar) for _ in range(4)))]

    try:
        assert asyncio.run(visits()) == ["17"] * 4
    finally:
        one.close()
        other.close()


def test_requests_go_on_where_no_thread_can_be_started_and_look_again_later(
    guard: Callable[..., CookieGuard], monkeypatch: pytest.MonkeyPatch
) -> None:
    app, starts = guard(shop), threading.Thread.start

    def none_left(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    started: list[str] = []

    def start(thread: threading.Thread) -> None:
        started.append(thread.name)
        starts(thread)

    async def visits() -> list[str]:
        monkeypatch.setattr(threading.Thread, "start", none_left)
        during = [(await ask(app, "/")).text for _ in range(2)]
        monkeypatch.setattr(threading.Thread, "start", start)
        await asyncio.sleep(PAUSE + 0.1)
        return [*during, (await ask(app, "/")).text]

    assert asyncio.run(visits()) == ["None"] * 3
    assert "cookieguard-looks" in started


def test_a_page_for_staff_asks_no_disk_for_a_visitor_without_a_token(
    guard: Callable[..., CookieGuard],
) -> None:
    app = guard(shop)

    async def visits() -> int:
        with blockbuster_ctx():
            await ask(app, "/")
            await asyncio.sleep(HASTE.total_seconds() + 0.05)  # an unknown key may be looked for again
            return (await ask(app, "/_cg/stats")).status

    assert asyncio.run(visits()) == 403
