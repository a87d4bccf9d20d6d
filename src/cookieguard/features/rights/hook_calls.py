"""Load the shop's hooks, call them (sync or async), and describe their errors without personal data."""

from __future__ import annotations

import asyncio
import inspect
import re
from collections.abc import Callable, Iterator
from datetime import date
from typing import Any, TypeVar

from cookieguard.engines.named_object import load_named
from cookieguard.errors import ConfigError, CookieGuardError
from cookieguard.features.rights.values.requests import Request
from cookieguard.rights.hooks import Contact, Exported, Retained
from cookieguard.runtime.worker import call_in_thread

Value = TypeVar("Value")
LONGEST_ERROR = 300
MAIL_ADDRESS = re.compile(r"[^\s@<>()'\",;:=]{1,64}@[^\s@<>()'\",;:=]{1,255}")
NEEDED = ("export", "erase", "deactivate")
ALLOWED = "'module:name' of a class or an object with the methods export, erase and deactivate"


class HookAnswer(CookieGuardError):
    """Report that a hook returned a wrong value, took too long, or raised what would end the worker."""


def load_hooks(setting: str) -> Any:
    """Import the shop's hooks from the working directory or an installed package; None if none are set.

    Raises ConfigError.
    """
    if not setting:
        return None
    found = load_named("rights.hooks", setting, allowed=ALLOWED)
    try:
        hooks = found() if isinstance(found, type) else found
    except Exception as error:  # a database that is down; its text may hold a password
        was = f"{setting}, which raised {type(error).__name__} when it was created"
        raise ConfigError("rights.hooks", was=was, allowed=ALLOWED) from error
    require_hooks(hooks, setting)
    return hooks


def require_hooks(hooks: Any, name: str) -> None:
    """Raise ConfigError if an object lacks one of the required methods."""
    missing = [method for method in NEEDED if not callable(getattr(hooks, method, None))]
    if missing:
        raise ConfigError("rights.hooks", was=f"{name} without {', '.join(missing)}", allowed=ALLOWED)


async def exported(hooks: Any, customer: str, *, seconds: float | None = None) -> list[Exported]:
    """Return the rows of a customer's copy; raises HookAnswer if the hook takes longer than `seconds`."""
    found = await _call(hooks.export, customer, seconds=seconds)
    return [_require(row, Exported, "export") for row in found or ()]


async def retained_by(
    hook: Callable[[str], Any], customer: str, *, seconds: float | None = None
) -> list[Retained]:
    """Call the hook for an erasure or a restriction, and return the data that the shop must keep."""
    name = getattr(hook, "__name__", "hook")
    found = await _call(hook, customer, seconds=seconds)
    return [_dated(_require(row, Retained, name), name) for row in found or ()]


async def contact_of(hooks: Any, customer: str, *, seconds: float | None = None) -> Contact | None:
    """Return a customer's mail address and language; None if the hooks do not know them."""
    found = await _call(hooks.contact, customer, seconds=seconds) if hasattr(hooks, "contact") else None
    if isinstance(found, str):
        raise HookAnswer("contact returned a str; allowed: a Contact, or None")
    # A NULL of the shop's database becomes an empty text, not the text "None".
    return Contact(*(_text(part).strip() for part in found)) if found and found[0] else None


async def number_of(hooks: Any, address: str) -> str | None:
    """Return the number of the customer with this address on file; None if there is none."""
    found = await _call(hooks.find, address) if hasattr(hooks, "find") else None
    return _text(found) or None


def _text(value: Any) -> str:
    return "" if value is None else str(value)


def reason_of(error: BaseException, request: Request) -> str:
    """Describe an error without personal data: a database's error may quote a row, and with it an address."""
    text = f"{type(error).__name__}: {error}"
    for name in filter(None, (request.customer, request.contact)):
        text = text.replace(name, "...")
    return MAIL_ADDRESS.sub("...", text)[:LONGEST_ERROR]


async def _call(hook: Callable[[str], Any], argument: str, *, seconds: float | None = None) -> Any:
    """Call a hook; raises HookAnswer if it takes too long, or raises what would end the worker."""
    name, limit = getattr(hook, "__name__", "hook"), asyncio.timeout(seconds)
    try:
        async with limit:
            return await _answer(hook, argument)
    except TimeoutError as error:
        if not limit.expired():  # raised by the hook itself
            raise
        raise HookAnswer(f"{name} took longer than {seconds} s (rights.hook_seconds)") from error
    except (asyncio.CancelledError, SystemExit) as error:
        task = asyncio.current_task()
        if task is not None and task.cancelling():  # the worker cancels this task; the hook did not raise it
            raise
        raise HookAnswer(f"{name} raised {type(error).__name__}; allowed: any Exception") from error


async def _answer(hook: Callable[[str], Any], argument: str) -> Any:
    """Return a hook's answer; a hook that is not async runs in a thread, and so does its iterator."""
    if inspect.isasyncgenfunction(hook):
        return [row async for row in hook(argument)]
    if inspect.iscoroutinefunction(hook):
        return await _gathered(await hook(argument))
    answer = await call_in_thread(lambda: _in_thread(hook, argument))
    return await _gathered(await answer if inspect.isawaitable(answer) else answer)


def _in_thread(hook: Callable[[str], Any], argument: str) -> Any:
    try:
        answer = hook(argument)
        return list(answer) if isinstance(answer, Iterator) else answer
    except StopIteration as error:  # a future cannot carry it, so its waiter would never wake up
        raise RuntimeError("hook raised StopIteration") from error


async def _gathered(answer: Any) -> Any:
    return [row async for row in answer] if hasattr(answer, "__aiter__") else answer


def _dated(row: Retained, hook: str) -> Retained:
    """Return the row with `until` as a date: databases may return a time, of which only the day counts."""
    try:
        return row._replace(until=None if row.until is None else date.fromisoformat(str(row.until)[:10]))
    except ValueError as error:
        raise HookAnswer(f"{hook} returned until={row.until!r}; allowed: a datetime.date, or None") from error


def _require(value: Any, wanted: type[Value], hook: str) -> Value:
    if isinstance(value, wanted):
        return value
    raise HookAnswer(f"{hook} returned a {type(value).__name__}; allowed: {wanted.__name__} values")
