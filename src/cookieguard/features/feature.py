"""What a capability gives the guard: pages for a worker, jobs, checks and commands for everything beside it.

Rule: a Feature is only a list of what there is. It imports heavy modules inside the functions that need them, and a
default member does nothing.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

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
    """Say which page answers below the prefix, and to which methods."""

    name: str
    methods: tuple[str, ...]
    answer: Callable[[Any, Any], Awaitable[Any]]
    """An exchange and the ASGI `receive` in, a response out."""


class Feature:
    """Be one capability: an instance has no state, and each member does nothing unless a capability overrides it."""

    name: ClassVar[str]
    commands: ClassVar[Mapping[str, str]] = {}
    """Each command, and the module below `cli` that has a function or group of this name."""

    def pages(self, parts: Services) -> Sequence[Page]:
        """Return the pages that a worker serves with this configuration."""
        return ()

    def jobs(self, place: Place) -> Mapping[str, Step]:
        """Return what is done every hour, switched on or not: data remain when a capability is switched off."""
        return {}

    def checks(self, shop: Shop) -> Iterator[Finding]:
        """Yield what the doctor finds; creates no file."""
        return iter(())
