"""What a session's token says beside the entries of the shop, and how it is written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import NoneType
from typing import Any

SHAPE: tuple[tuple[str, tuple[type, ...]], ...] = (
    ("i", (str,)),
    ("c", (str, NoneType)),
    ("b", (int,)),
    ("e", (int,)),
    ("a", (int, NoneType)),
    ("d", (dict,)),
)


@dataclass(slots=True)
class State:
    """Be what a session knows beside its entries; owned by the session of one request."""

    begun: int  # times in milliseconds, as in the payload: most requests ask for none of them
    ends: int
    id: str | None = None
    customer: str | None = None
    authenticated: int | None = None
    followed: int = 0

    def payload(self, entries: dict[str, Any]) -> dict[str, Any]:
        payload = {
            "i": self.id,
            "c": self.customer,
            "b": self.begun,
            "e": self.ends,
            "a": self.authenticated,
            "d": entries,
        }
        if self.followed:
            payload["f"] = self.followed
        return payload


def followed_of(payload: Mapping[str, Any]) -> int:
    """Read what this login settled about consent; tokens of older releases say nothing."""
    level = payload.get("f")
    return level if type(level) is int and level in (1, 2) else 0
