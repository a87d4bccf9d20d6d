"""The interface of a capability: the pages that a worker serves, and the jobs, checks and commands outside of it.

Rule: a Feature only lists what its room has. It imports heavy modules inside the functions that need them, and a
default member does nothing.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Protocol

from cookieguard.config import Config

if TYPE_CHECKING:
    from cookieguard.engines.doctor_settings import Finding
    from cookieguard.engines.doctor_shop import Shop
    from cookieguard.engines.retention import Step
    from cookieguard.web.services import Services

READ = ("GET", "HEAD")
READ_AND_POST = (*READ, "POST")


class Place(NamedTuple):
    """Hold what is needed outside a request; creating one writes no file."""

    config: Config
    state: Path
    environ: Mapping[str, str]


class Page(NamedTuple):
    """Describe a page: its name below the prefix, its methods, and the function that answers."""

    name: str
    methods: tuple[str, ...]
    answer: Callable[[Any, Any], Awaitable[Any]]
    """Takes an exchange and the ASGI `receive`, and returns a response."""


class PersonalData(Protocol):
    """Reach what a feature keeps of customers. Each act may be repeated without harm; it raises what stores raise."""

    def copy(self, number: str) -> Sequence[tuple[str, Mapping[str, Any]]]:
        """Return a customer's data as rows of their copy: what each is, and its values by their names."""

    def erase(self, number: str, now: datetime) -> None:
        """Delete a customer's data."""


class Feature:
    """Describe one capability. An instance has no state, and each member does nothing by default."""

    name: ClassVar[str]
    commands: ClassVar[Mapping[str, str]] = {}
    """Each command, and the module below `cli` that has a function or group of this name."""

    def pages(self, parts: Services) -> Sequence[Page]:
        """Return the pages that a worker serves with this configuration."""
        return ()

    def jobs(self, place: Place) -> Mapping[str, Step]:
        """Return the hourly steps by name, also of a capability that is off, because its data remain."""
        return {}

    def personal(self, place: Place) -> PersonalData | None:
        """Return the data it keeps under customer numbers, also of a capability that is off."""
        return None

    def checks(self, shop: Shop) -> Iterator[Finding]:
        """Yield what the doctor finds; creates no file."""
        return iter(())

    def due(self, shop: Shop) -> Iterator[Finding]:
        """Yield what people have to do, now or later, for doctor, letter and officer's page; creates no file."""
        return iter(())
