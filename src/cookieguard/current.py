"""Which guard answers a call that names none, such as `mail.headers`: that of the request, else that of the process."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from itertools import count
from typing import Any, Generic, TypeVar

Helper = TypeVar("Helper")
Helpers = dict[Any, Any]  # of a guard: what each Current answers in its requests

OF_REQUEST: ContextVar[Helpers | None] = ContextVar("cookieguard", default=None)
"""The helpers of the guard whose request, or lifespan, this is; not set for one that is alone in its process."""

MADE_LATER: list[int] = []  # the number of the newest guard of this process, unless that is the first
_numbers = count()


def count_guard() -> None:
    """Note that one more guard was made: a guard alone in its process spares its requests the context variable."""
    if (number := next(_numbers)) > 0:
        MADE_LATER[:] = [number]


class Current(Generic[Helper]):
    """Know what does one kind of work in this context."""

    def __init__(self, error: Callable[[str], Exception], without: str) -> None:
        """`error` and its text `without` say that this context has none."""
        self._error, self._without = error, without
        self._newest: Helper | None = None
        self._used: Helper | None = None

    def use(self, helper: Helper) -> None:
        """Have this process use it, as the shop's own code says; with several guards, only outside their requests."""
        self._newest = self._used = helper

    def offer(self, helpers: Helpers, helper: Helper) -> None:
        """Have a guard use it in its requests, and outside of requests the process until the next guard is made."""
        self._newest = helpers[self] = helper

    def get(self) -> Helper:
        """Return what is used here; raises the error if nothing is."""
        helpers = OF_REQUEST.get()
        found: Helper | None = self._newest if helpers is None else helpers.get(self, self._used)
        if found is None:
            raise self._error(self._without)
        return found
