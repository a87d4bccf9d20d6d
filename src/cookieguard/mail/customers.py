"""Who the shop's customers are: what the shop itself yields, one after the other."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import NamedTuple, Protocol


class Customer(NamedTuple):
    """Name an active customer: the number, the mail address, and the language tag they read."""

    number: str
    address: str
    language: str = ""


class Customers(Protocol):
    """Yield every active customer. Called once a run; a customer that comes twice gets one mail."""

    def __call__(self) -> AsyncIterator[Customer]: ...
