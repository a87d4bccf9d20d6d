"""A test of a shop's hooks: it finds a class that exports too little, or an erasure that forgets a table."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from cookieguard.features.rights.hook_calls import exported, require_hooks, retained_by
from cookieguard.rights.hooks import Exported, Kept, Retained

NOBODY = "no-such-customer"


def check_hooks(hooks: Any, *, customer: str, other: str) -> None:
    """Check a shop's hooks on its own test database, which must have data of both customers.

    The check erases `customer`, and `other` must stay unchanged. Raises AssertionError that says what is wrong.
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
    await retained_by(hooks.erase, NOBODY)  # must not raise: the account may be gone
    await retained_by(hooks.deactivate, customer)
    await retained_by(hooks.deactivate, customer)
    _require(others == await exported(hooks, other), "deactivate changed another customer's data")
    await _check_erase(hooks, customer)
    _require(others == await exported(hooks, other), "erase changed another customer's data")


async def _check_erase(hooks: Any, customer: str) -> None:
    first = await retained_by(hooks.erase, customer)
    second = await retained_by(hooks.erase, customer)
    _require(first == second, f"a second erase keeps other data than the first: {first}, then {second}")
    for kept in first:
        _require(kept.reason, f"{kept.kind} is kept without a reason; allowed: the law that requires it")
    reported = {kept.kind for kept in first}
    left = {row.kind for row in await exported(hooks, customer)}
    missed = sorted(left - reported)
    _require(
        not missed,
        f"after erase, export still yields {', '.join(missed)}, which erase did not report as kept",
    )


def _check_row(row: Exported) -> None:
    _require(row.kind, "a row without a kind")
    _require(row.values, f"a row of {row.kind} without values")
    _require(all(row.values), f"a row of {row.kind} with a value that has no name")
    json.dumps(dict(row.values), default=str)
    _require(row.reason or row.kept_until is None, f"a row of {row.kind} is kept without a reason")


def _require(holds: object, message: str) -> None:
    """Raise AssertionError unless `holds` is true; unlike `assert`, also under `python -O`."""
    if not holds:
        raise AssertionError(message)


__all__ = ["Exported", "Kept", "Retained", "check_hooks"]
