"""A suite for hooks: what each class that exports and erases must do, and one that forgets a table does not."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from cookieguard.features.rights.hook_calls import exported, require_hooks, retained_by
from cookieguard.rights.hooks import Exported, Kept, Retained

NOBODY = "no-such-customer"


def check_hooks(hooks: Any, *, customer: str, other: str) -> None:
    """Check a shop's hooks against its own test database; both customers have data in it.

    `customer` is erased by it, `other` stays as they are. Raises AssertionError that says what is missing.
    """
    require_hooks(hooks, type(hooks).__name__)
    asyncio.run(_check(hooks, customer, other))


async def _check(hooks: Any, customer: str, other: str) -> None:
    rows, others = await exported(hooks, customer), await exported(hooks, other)
    _require(rows, "export yields nothing of a customer who has data")
    for row in rows:
        _check_row(row)
    _require(rows == await exported(hooks, customer), "export yields something else the second time")
    _require(not await exported(hooks, NOBODY), "export yields rows of a number that nobody has")
    await retained_by(hooks.erase, NOBODY)  # harmless: it may come twice, or for an account that is gone
    await retained_by(hooks.deactivate, customer)
    await retained_by(hooks.deactivate, customer)
    _require(others == await exported(hooks, other), "deactivate changed another customer's data")
    await _check_erase(hooks, customer)
    _require(others == await exported(hooks, other), "erase changed another customer's data")


async def _check_erase(hooks: Any, customer: str) -> None:
    first = await retained_by(hooks.erase, customer)
    second = await retained_by(hooks.erase, customer)
    _require(first == second, f"a second erase keeps other data than the first: {first}, then {second}")
    for one in first:
        _require(one.reason, f"{one.kind} is kept without a reason; allowed: the law that requires it")
    said = {one.kind for one in first}
    left = {row.kind for row in await exported(hooks, customer)}
    silent = sorted(left - said)
    _require(
        not silent,
        f"after erase, export still yields {', '.join(silent)}, which erase did not report as kept",
    )


def _check_row(row: Exported) -> None:
    _require(row.kind, "a row without a kind")
    _require(row.values, f"a row of {row.kind} without values")
    _require(all(row.values), f"a row of {row.kind} with a value that has no name")
    json.dumps(dict(row.values), default=str)
    _require(row.reason or row.kept_until is None, f"a row of {row.kind} is kept without a reason")


def _require(holds: object, message: str) -> None:
    """Raise AssertionError, also where Python runs with -O."""
    if not holds:
        raise AssertionError(message)


__all__ = ["Exported", "Kept", "Retained", "check_hooks"]
