"""Open a customer's data in the shop's own admin, with a code from the customer that works once, for one scope.

from cookieguard import access

await access.open("10042", code="K7QM-2XPD", scope="orders", by="Sam Support")
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial, wraps
from typing import Concatenate, ParamSpec, TypeVar

from anyio import to_thread

from cookieguard.current import Current
from cookieguard.features.people.access import Access, AccessRefused, Grant

__all__ = ["AccessRefused", "Grant", "needs", "open", "use"]

P = ParamSpec("P")
Answer = TypeVar("Answer")

ACCESS: Current[Access] = Current(
    AccessRefused, "this process has no CookieGuard; allowed: a process that makes one"
)


def use(access: Access) -> None:
    """Use this `Access` in this process; CookieGuard sets one by itself."""
    ACCESS.use(access)


async def open(customer: str, *, code: str, scope: str = "account", by: str) -> Grant:  # noqa: A001
    """Use up a customer's code and return the grant for its scope; `by` names the reader. Raises AccessRefused."""
    return await to_thread.run_sync(partial(ACCESS.get().open, customer, code=code, scope=scope, by=by))


def needs(
    scope: str,
) -> Callable[[Callable[Concatenate[str, P], Awaitable[Answer]]], Callable[..., Awaitable[Answer]]]:
    """Return a decorator for a coroutine that shows a customer's data; calls then also take `code` and `by`."""

    def guard(view: Callable[Concatenate[str, P], Awaitable[Answer]]) -> Callable[..., Awaitable[Answer]]:
        @wraps(view)
        async def guarded(customer: str, /, *args: P.args, code: str, by: str, **kwargs: P.kwargs) -> Answer:  # type: ignore[valid-type]
            await open(customer, code=code, scope=scope, by=by)
            return await view(customer, *args, **kwargs)

        return guarded

    return guard
