"""The interface by which a shop provides its active customers, one after the other, for an announcement."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import NamedTuple, Protocol


class Customer(NamedTuple):
    """An active customer: the number, the mail address, and the tag of the customer's language."""

    number: str
    address: str
    language: str = ""


class Customers(Protocol):
    """Yield every active customer. It is called once per run, and a customer yielded twice gets one mail."""

    def __call__(self) -> AsyncIterator[Customer]: ...
