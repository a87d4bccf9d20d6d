"""Calls the shop's own code, which may hang, without blocking the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future
from contextvars import copy_context
from threading import Thread
from typing import Any


def call_in_thread(call: Callable[[], Any]) -> asyncio.Future[Any]:
    """Return the future result of a call in its own thread. A hanging call does not stop the process from ending."""
    future, context = Future[Any](), copy_context()

    def answer() -> None:
        try:
            future.set_result(context.run(call))
        except BaseException as error:  # noqa: BLE001 - the waiting caller raises it
            future.set_exception(error)

    future.set_running_or_notify_cancel()  # a running thread cannot be cancelled
    Thread(target=answer, name="cookieguard-hook", daemon=True).start()
    return asyncio.wrap_future(future)
