"""Load the shop's hooks, call one whichever way it is written, and name what it raised without whom it is about."""

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
    """Say that a hook returned what it may not."""


def load_hooks(setting: str) -> Any:
    """Import the shop's hooks, from the working directory or what is installed; None where none are set.

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
    """Raise ConfigError where an object lacks a method."""
    missing = [one for one in NEEDED if not callable(getattr(hooks, one, None))]
    if missing:
        raise ConfigError("rights.hooks", was=f"{name} without {', '.join(missing)}", allowed=ALLOWED)


async def exported(hooks: Any, customer: str, *, seconds: float | None = None) -> list[Exported]:
    """Return the rows of a customer's copy; raises HookAnswer if the hook takes longer than `seconds`."""
    found = await _call(hooks.export, customer, seconds=seconds)
    return [_require(one, Exported, "export") for one in found or ()]


async def retained_by(
    hook: Callable[[str], Any], customer: str, *, seconds: float | None = None
) -> list[Retained]:
    """Return what an erasure or a restriction leaves."""
    name = getattr(hook, "__name__", "hook")
    found = await _call(hook, customer, seconds=seconds)
    return [_dated(_require(one, Retained, name), name) for one in found or ()]


async def contact_of(hooks: Any, customer: str, *, seconds: float | None = None) -> Contact | None:
    """Return where a customer is written to; None where the hooks do not know."""
    found = await _call(hooks.contact, customer, seconds=seconds) if hasattr(hooks, "contact") else None
    if isinstance(found, str):
        raise HookAnswer("contact returned a str; allowed: a Contact, or None")
    # An address that a database has not is none of ours.
    return Contact(*(_text(one).strip() for one in found)) if found and found[0] else None


async def number_of(hooks: Any, address: str) -> str | None:
    """Return the number of who has this address on file; None where there is none."""
    found = await _call(hooks.find, address) if hasattr(hooks, "find") else None
    return _text(found) or None


def _text(value: Any) -> str:
    return "" if value is None else str(value)


def reason_of(error: BaseException, request: Request) -> str:
    """Name an error without whom it is about: a database names the row, and with it an address."""
    text = f"{type(error).__name__}: {error}"
    for name in filter(None, (request.customer, request.contact)):
        text = text.replace(name, "...")
    return MAIL_ADDRESS.sub("...", text)[:LONGEST_ERROR]


async def _call(hook: Callable[[str], Any], argument: str, *, seconds: float | None = None) -> Any:
    """Call a hook; raises HookAnswer for what would end the work, or never be told, in place of its answer."""
    name, limit = getattr(hook, "__name__", "hook"), asyncio.timeout(seconds)
    try:
        async with limit:
            return await _answer(hook, argument)
    except TimeoutError as error:
        if not limit.expired():  # the hook's own
            raise
        raise HookAnswer(f"{name} took longer than {seconds} s (rights.hook_seconds)") from error
    except (asyncio.CancelledError, SystemExit) as error:
        task = asyncio.current_task()
        if task is not None and task.cancelling():  # this work was called off, not the hook's own
            raise
        raise HookAnswer(f"{name} raised {type(error).__name__}; allowed: any Exception") from error


async def _answer(hook: Callable[[str], Any], argument: str) -> Any:
    """Return what a hook does; what is not written for the event loop gets a thread, what it iterates by included."""
    if inspect.isasyncgenfunction(hook):
        return [one async for one in hook(argument)]
    if inspect.iscoroutinefunction(hook):
        return await _gathered(await hook(argument))
    answer = await call_in_thread(lambda: _in_thread(hook, argument))
    return await _gathered(await answer if inspect.isawaitable(answer) else answer)


def _in_thread(hook: Callable[[str], Any], argument: str) -> Any:
    try:
        answer = hook(argument)
        return list(answer) if isinstance(answer, Iterator) else answer
    except StopIteration as error:  # no future takes it: who waits would wait for ever
        raise RuntimeError("hook raised StopIteration") from error


async def _gathered(answer: Any) -> Any:
    return [one async for one in answer] if hasattr(answer, "__aiter__") else answer


def _dated(one: Retained, hook: str) -> Retained:
    """Return what stays until a day; of a time, as databases have them, the day counts."""
    try:
        return one._replace(until=None if one.until is None else date.fromisoformat(str(one.until)[:10]))
    except ValueError as error:
        raise HookAnswer(f"{hook} returned until={one.until!r}; allowed: a datetime.date, or None") from error


def _require(one: Any, wanted: type[Value], hook: str) -> Value:
    if isinstance(one, wanted):
        return one
    raise HookAnswer(f"{hook} returned a {type(one).__name__}; allowed: {wanted.__name__} values")
