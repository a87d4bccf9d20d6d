"""A request's wait for the store's thread ends with its answer or with its own timeout."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from datetime import timedelta
from typing import Any

import pytest
from harness.asgi import ask

from cookieguard import CookieGuard, visitor_of
from cookieguard.features.records.values.log import Acknowledgement
from cookieguard.web.identity import store_wait
from cookieguard.web.identity.store_gate import SILENT
from cookieguard.web.identity.store_wait import is_done


@pytest.fixture
def wait_for(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Set for how many seconds a page waits for the store."""
    return lambda seconds: monkeypatch.setattr(store_wait, "TIMEOUT", timedelta(seconds=seconds))


@pytest.fixture(autouse=True)
def _patient(wait_for: Callable[[float], None]) -> None:
    wait_for(60)  # where a test is not about how long: the machine may be busy


async def timed(future: Any, *, after: float = 0.0) -> tuple[bool, float]:
    await asyncio.sleep(after)
    begun = time.monotonic()
    return await is_done(future), time.monotonic() - begun


@pytest.mark.parametrize("kind", [Future, Acknowledgement])
def test_wait_without_an_answer_ends_after_its_own_patience(
    kind: Any, wait_for: Callable[[float], None]
) -> None:
    wait_for(0.4)

    async def main() -> list[tuple[bool, float]]:
        return await asyncio.gather(*[timed(kind(), after=after) for after in (0, 0.15, 0.3, 0.3)])

    for _ in range(2):  # in one loop after the other
        for was_told, seconds in asyncio.run(main()):
            assert not was_told
            assert 0.38 <= seconds < 5


def test_all_that_one_thread_ends_are_told_at_once_and_nobody_else() -> None:
    ended = [Acknowledgement() for _ in range(200)]
    futures: list[Future[None]] = [Future() for _ in range(200)]
    never = Acknowledgement()

    def end() -> None:
        time.sleep(0.05)
        for one, future in zip(ended, futures, strict=True):
            one.end()
            future.set_result(None)

    async def main() -> list[bool]:
        thread = threading.Thread(target=end)
        left = asyncio.create_task(is_done(never))
        thread.start()
        try:
            told = await asyncio.gather(*[is_done(one) for one in (*ended, *futures)])
        finally:
            thread.join()
        assert not left.done()
        left.cancel()
        return told

    assert asyncio.run(main()) == [True] * 400


def test_a_wait_that_is_called_off_harms_no_other() -> None:
    async def main() -> bool:
        first, second = Acknowledgement(), Acknowledgement()
        called_off, waits = asyncio.create_task(is_done(first)), asyncio.create_task(is_done(second))
        await asyncio.sleep(0)
        called_off.cancel()
        first.end()
        second.end()
        return await waits

    assert asyncio.run(main())


def test_each_callback_of_an_acknowledgement_runs_once_also_if_it_ended_before() -> None:
    told: list[int] = []
    one = Acknowledgement()
    begin = threading.Barrier(3)

    def ask(number: int) -> None:
        begin.wait()
        one.add_done_callback(lambda _: told.append(number))

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    begin.wait()
    one.end(ValueError("first"))
    one.end()
    for thread in threads:
        thread.join()
    one.add_done_callback(lambda _: told.append(2))

    assert sorted(told) == [0, 1, 2]
    assert str(one.exception()) == "first"
    assert not one.is_kept


async def shop(scope: Any, _: Any, send: Any) -> None:
    visitor_of(scope).cart["mug"] = 1
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": b"put in"})


def test_hanging_store_is_logged_once_and_pages_are_still_served(
    guard: Callable[..., CookieGuard], caplog: pytest.LogCaptureFixture, wait_for: Callable[[float], None]
) -> None:
    app, gate = guard(shop), threading.Event()
    sync = app._parts.store_sync
    assert sync is not None
    assert ask(app).text == "put in"
    assert SILENT not in caplog.text
    wait_for(0.4)
    hung = sync.ask(lambda _: gate.wait())  # as a disk does
    try:
        texts = [ask(app).text for _ in range(3)]
    finally:
        gate.set()

    assert texts == ["put in"] * 3
    assert caplog.text.count(SILENT) == 1
    assert hung.result(60)
    assert ask(app).text == "put in"
