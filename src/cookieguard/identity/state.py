"""What a session is made of: how long it lives, whom it belongs to, what its token says.

Rule: values only; what becomes of them is the session's.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from types import NoneType
from typing import Any, NamedTuple

from cookieguard.config import IdentitySettings

REFRESH_SHARE = 0.1  # write again when this share of the idle time is used: not with every request


@dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """Say how long a session lives unused, at most, and from which age its cookie is written again."""

    idle: timedelta
    absolute: timedelta
    refresh: timedelta
    longest: timedelta
    """The most that anything can live which a customer's login made."""

    @classmethod
    def of(cls, settings: IdentitySettings, *, remembered: timedelta = timedelta(0)) -> Life:
        """Take both limits from the settings; `remembered` is how long a customer is."""
        idle = timedelta(days=settings.idle_days)
        absolute = timedelta(days=settings.absolute_days)
        refresh = idle * REFRESH_SHARE
        return cls(idle=idle, absolute=absolute, refresh=refresh, longest=max(absolute, remembered))


class Binding(NamedTuple):
    """Name what a cart belongs to: a session and the customer it is logged in as."""

    session_id: str | None
    customer: str | None


NOBODY = Binding(None, None)


@dataclass(frozen=True, slots=True)
class Claim:
    """Say whose session this is, where not the shop's login but somebody else knows."""

    customer: str | None
    is_certain: bool = True
    """False where nobody could be asked: then the session is nobody's, and kept for the next request."""
    lasts: bool = True
    """False where no cookie can tell the browser any more: then it counts for this request only."""


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
    """Hold what a session is beside its entries. Owned and changed by its Session."""

    begun: int  # times in milliseconds, as in the payload: most requests ask for none of them
    ends: int
    id: str | None = None
    customer: str | None = None
    authenticated: int | None = None

    def payload(self, entries: dict[str, Any]) -> dict[str, Any]:
        """Return the payload of its token."""
        return {
            "i": self.id,
            "c": self.customer,
            "b": self.begun,
            "e": self.ends,
            "a": self.authenticated,
            "d": entries,
        }
