"""Find the guard for a call that names none, such as `mail.headers`: the request's guard, else the process's."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from itertools import count
from typing import Any, Generic, TypeVar

Helper = TypeVar("Helper")
Helpers = dict[Any, Any]  # a guard's helpers, by their Current

OF_REQUEST: ContextVar[Helpers | None] = ContextVar("cookieguard", default=None)
"""The helpers of the guard whose request or lifespan runs; not set if the process has only one guard."""

MADE_LATER: list[int] = []  # the number of the newest guard, empty while there is only one
_numbers = count()


def count_guard() -> None:
    """Count a new guard; with only one in the process, requests need not set the context variable."""
    if (number := next(_numbers)) > 0:
        MADE_LATER[:] = [number]


class Current(Generic[Helper]):
    """Hold the helper for one kind of work, such as `mail`, in each context."""

    def __init__(self, error: Callable[[str], Exception], without: str) -> None:
        """`get` raises `error` with the text `without` if the context has no helper."""
        self._error, self._without = error, without
        self._newest: Helper | None = None
        self._used: Helper | None = None

    def use(self, helper: Helper) -> None:
        """Use a helper of the shop's choice in this process; with several guards, only outside their requests."""
        self._newest = self._used = helper

    def offer(self, helpers: Helpers, helper: Helper) -> None:
        """Use a helper in a guard's requests, and outside of requests until the next guard is made."""
        self._newest = helpers[self] = helper

    def get(self) -> Helper:
        """Return the helper for this context; raises the error if there is none."""
        helpers = OF_REQUEST.get()
        found: Helper | None = self._newest if helpers is None else helpers.get(self, self._used)
        if found is None:
            raise self._error(self._without)
        return found
